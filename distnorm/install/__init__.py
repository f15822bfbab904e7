"""NEST built with the MPI of this machine, and installed where distnorm is. Needs Python and a C++ compiler only."""
