"""Data sets as they lie on a disk, small and made up."""
