"""Small folders in the layouts that people really use, each with its right reading."""
