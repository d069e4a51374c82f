"""What the ids in the label files of Cityscapes mean, in its 19 classes and its 7 categories."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.tasks.facts import CITYSCAPES7, CITYSCAPES19
from mtdata.tasks.kinds.classes import VOID

CLASSES = {7: CITYSCAPES7, 19: CITYSCAPES19}

# The id is the position. A name is a class of the 19 where it stands among their names; the second
# entry is its category. Nine ids have a category and are void in the 19 classes.
IDS: tuple[tuple[str, str | None], ...] = (
    ("unlabeled", None),
    ("ego vehicle", None),
    ("rectification border", None),
    ("out of roi", None),
    ("static", None),
    ("dynamic", None),
    ("ground", None),
    ("road", "flat"),
    ("sidewalk", "flat"),
    ("parking", "flat"),
    ("rail track", "flat"),
    ("building", "construction"),
    ("wall", "construction"),
    ("fence", "construction"),
    ("guard rail", "construction"),
    ("bridge", "construction"),
    ("tunnel", "construction"),
    ("pole", "object"),
    ("polegroup", "object"),
    ("traffic light", "object"),
    ("traffic sign", "object"),
    ("vegetation", "nature"),
    ("terrain", "nature"),
    ("sky", "sky"),
    ("person", "human"),
    ("rider", "human"),
    ("car", "vehicle"),
    ("truck", "vehicle"),
    ("bus", "vehicle"),
    ("caravan", "vehicle"),
    ("trailer", "vehicle"),
    ("train", "vehicle"),
    ("motorcycle", "vehicle"),
    ("bicycle", "vehicle"),
)


def table(classes: int) -> NDArray[np.uint8]:
    """Class of each id, uint8 `[34]`; 255 where it is void.

    Args:
        classes: 7 or 19.
    """
    places = {name: place for place, name in enumerate(CLASSES[classes].names)}
    wanted = [category if classes == len(CITYSCAPES7.names) else name for name, category in IDS]
    return np.array([places.get(name or "", VOID) for name in wanted], np.uint8)


def to_classes(ids: NDArray[Any], classes: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Official ids `[h, w]`, 0..33, as classes and their validity."""
    return CLASSES[classes].decode(table(classes)[ids])
