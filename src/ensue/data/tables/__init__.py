"""Tables of any layout: rows, and which column is what."""
