"""What a run did: its log, its summary, its figure."""
