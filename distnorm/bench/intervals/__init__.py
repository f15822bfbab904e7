"""What the adaptive interval and its bound are worth, on recorded networks and beside an exact run."""
