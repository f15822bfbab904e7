"""The kernel compiled once, kept, and loaded only from where nobody else can write."""
