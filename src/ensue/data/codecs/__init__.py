"""How text becomes ids and comes back."""
