"""What generated text must match."""
