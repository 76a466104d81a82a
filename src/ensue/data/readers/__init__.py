"""Readers of files: one class for each file format, giving text or labelled examples."""
