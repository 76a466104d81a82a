"""ensue: small models of what comes next, trained on your own data."""

__version__ = "0.1.0"
