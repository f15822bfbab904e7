"""The same network by the documented recipe, PyNEST and Brian2."""
