"""From features to a distribution."""
