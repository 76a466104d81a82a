"""Cheap models, fitted in closed form or by counting: what a network has to beat."""
