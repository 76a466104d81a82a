"""Data: from files to examples, arrays and batches. This package never imports torch."""
