"""Geometric changes as values, applied jointly to an image and its labels."""

from mtdata.geometry.base import Change
from mtdata.geometry.crop import PAPER_SCALES, Crop, Paste
from mtdata.geometry.flip import Flip
from mtdata.geometry.opencv import apply, invert
from mtdata.geometry.rotate import Rotate

__all__ = ["PAPER_SCALES", "Change", "Crop", "Flip", "Paste", "Rotate", "apply", "invert"]
