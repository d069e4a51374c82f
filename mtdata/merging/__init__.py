"""Joining stores: which cell comes from which, and its chunk."""
