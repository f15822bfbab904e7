"""Norms of what a neuron sends: each rank has a part of them, since connections lie with their targets."""
