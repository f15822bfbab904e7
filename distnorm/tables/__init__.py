"""Connections as arrays, for whoever normalizes and for those who do not."""
