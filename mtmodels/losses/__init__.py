"""Losses, pixel by pixel, and how they become one number."""

from mtmodels.losses.binary import balanced_bce, bce, edge_bce, hard_bce, soft_bce
from mtmodels.losses.classes import cross_entropy, hard_cross_entropy, soft_cross_entropy
from mtmodels.losses.maps import map_distance
from mtmodels.losses.pixel import PixelLoss, at_least_single
from mtmodels.losses.reconstruction import channel_bce, direction, squeezed_l1
from mtmodels.losses.reduction import image_means, over_images, over_pixels
from mtmodels.losses.values import cosine, l1

__all__ = [
    "PixelLoss",
    "at_least_single",
    "balanced_bce",
    "bce",
    "channel_bce",
    "cosine",
    "cross_entropy",
    "direction",
    "edge_bce",
    "hard_bce",
    "hard_cross_entropy",
    "image_means",
    "l1",
    "map_distance",
    "over_images",
    "over_pixels",
    "soft_bce",
    "soft_cross_entropy",
    "squeezed_l1",
]
