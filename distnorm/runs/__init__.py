"""A job file, run from the command line: its model, its log, its checkpoints, its end."""
