"""Scripts that know nothing of distnorm: with rules attached, or looked through."""
