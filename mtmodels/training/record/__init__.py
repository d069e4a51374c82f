"""What a run writes down and draws."""
