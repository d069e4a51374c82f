"""Encoders, and the weights that they may start from."""
