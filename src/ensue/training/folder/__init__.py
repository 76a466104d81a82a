"""The run folder: complete, checked, written atomically."""
