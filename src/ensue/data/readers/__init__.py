"""Files as streams of text, one reader for each kind."""
