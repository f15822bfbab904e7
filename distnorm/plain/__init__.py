"""Rules for which one call of the compiled kernel measures and works out all that there is to know."""
