"""What stores cost: to build, to read, to check, to browse."""
