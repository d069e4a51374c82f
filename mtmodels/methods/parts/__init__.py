"""What methods are composed of, and what several derive from."""
