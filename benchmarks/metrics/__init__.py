"""What scores cost."""
