"""PASCAL-Context with the labels of PASCAL_MT."""
