"""What benchmarks share: arguments, networks, tables, the clock, and runs of other processes."""
