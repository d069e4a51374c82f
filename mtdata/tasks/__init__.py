"""What a task is: its kind, its colours, how it is stored, and one sample of it."""
