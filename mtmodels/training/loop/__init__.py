"""What happens in a step and in an epoch."""
