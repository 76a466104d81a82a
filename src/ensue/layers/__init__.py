"""Maps over a whole sequence."""
