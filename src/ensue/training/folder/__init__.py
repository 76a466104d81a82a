"""The run folder: complete, checksummed, written atomically."""
