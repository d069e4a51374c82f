"""Which pixel is the nearest, and when it is taken in place of a mean."""

import numpy as np
from numpy.typing import NDArray

WEAK = 0.1
"""Length below which a mean of unit vectors says too little of a direction."""


def nearest(source: int, target: int) -> NDArray[np.int64]:
    """For each of `target` pixels of a row, give the one of `source` that its centre lies in.

    In integers, so that it is exact: OpenCV's own puts ties on either side.
    """
    return (2 * np.arange(target) + 1) * source // (2 * target)
