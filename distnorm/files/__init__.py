"""Reading and writing files: what may come from anybody, and what must not be lost."""
