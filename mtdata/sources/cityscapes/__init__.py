"""Cityscapes, from its trees, its archives or MTAN's arrays."""
