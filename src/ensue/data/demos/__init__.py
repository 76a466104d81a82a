"""Embedded data, so that every verb works with no download."""
