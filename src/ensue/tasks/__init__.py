"""One file ties a verb together."""
