"""Ranks: the communicator, agreement, and how processes were started. The only room that imports mpi4py."""
