"""From distributions to choices."""
