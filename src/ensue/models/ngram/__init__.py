"""N-gram models over any codec: counting, smoothing, queries and ARPA files."""
