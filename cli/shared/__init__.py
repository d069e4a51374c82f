"""What the commands share: options, groups, progress, tables."""
