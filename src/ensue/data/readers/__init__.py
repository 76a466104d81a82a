"""Files as streams of text, or as examples with labels, one reader for each format."""
