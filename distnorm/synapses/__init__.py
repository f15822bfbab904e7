"""How the connections of NEST are reached: in place by the compiled kernel, or through PyNEST."""
