"""How long to simulate until the next measurement, and whether to normalize at it."""
