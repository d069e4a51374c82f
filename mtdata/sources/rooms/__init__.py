"""Made-up rooms with exact labels of all tasks."""
