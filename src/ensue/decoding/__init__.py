"""Decoding: sampling from predictive distributions."""
