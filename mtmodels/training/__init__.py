"""Training: configuration, loop, run folder. Import what you need from the modules below."""
