"""One tick of a recurrence, each written as its equation."""
