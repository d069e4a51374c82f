"""Geometric changes as values, applied jointly to an image and its labels."""

from mtdata.reading.geometry.base import Change
from mtdata.reading.geometry.crop import PAPER_SCALES, Crop, Paste
from mtdata.reading.geometry.flip import Flip
from mtdata.reading.geometry.opencv import apply
from mtdata.reading.geometry.rotate import Rotate

__all__ = ["PAPER_SCALES", "Change", "Crop", "Flip", "Paste", "Rotate", "apply"]
