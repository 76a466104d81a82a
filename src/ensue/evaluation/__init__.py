"""Numbers that people compare."""
