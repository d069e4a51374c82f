"""A part of the training split that is kept away from training, to select on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.hashing import ordered


def holdout(keys: Sequence[str], share: float, *, seed: int = 0) -> NDArray[np.bool_]:
    """Choose a share of the images by the hash of their keys, whatever their order.

    At least one image is held out and at least one is left.

    Args:
        keys: The `n` keys of the split.
        share: In (0, 1).
        seed: Of the choice; the same seed draws regimes by another hash.

    Returns:
        True for what is held out, `[n]`.

    Raises:
        UsageError: where `share` is out of range or there are fewer than two images.
    """
    if not 0 < share < 1:
        raise UsageError(f"`holdout` should be above 0 and below 1; found {share}.")
    if len(keys) < 2:
        raise UsageError(f"`holdout` needs 2 images or more; found {len(keys)}.")
    count = min(max(round(share * len(keys)), 1), len(keys) - 1)
    held = np.zeros(len(keys), np.bool_)
    held[ordered(keys, "holdout", seed)[:count]] = True
    return held
