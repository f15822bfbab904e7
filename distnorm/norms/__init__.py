"""The mathematics: norms, what a correction does to each target, drift. The reference for the kernel."""
