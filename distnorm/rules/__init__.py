"""Which connections are normalized, by which norm, to which value."""
