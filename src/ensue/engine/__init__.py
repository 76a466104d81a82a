"""Cells at full speed: from an equation to a program, its derivative, and the backends that run both."""
