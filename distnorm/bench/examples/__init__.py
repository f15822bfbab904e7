"""NEST's own example models with rules attached."""
