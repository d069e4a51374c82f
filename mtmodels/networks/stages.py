"""The shape of the SegNet encoder, which the mapping network of MTPSL repeats."""

STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
"""Convolutions and their channels in each of the five stages; a 2x2 max-pool follows each stage."""
