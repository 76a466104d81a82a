"""The data check: what files are, how a training would read them, and what is wrong, by line."""
