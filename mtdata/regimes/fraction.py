"""All labels of some images, none of the others."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.hashing import unit
from mtdata.regimes.base import Regime


class Fraction(Regime):
    """A share of the images show every label they have, the others none.

    Counted among the images that have a label; at least one image is shown. With the same seed a
    smaller share is a part of a larger one.

    Args:
        options: `share`, above 0 and at most 1; `stable`.

    Raises:
        UsageError: where the share is missing or out of range.
    """

    name: ClassVar[str] = "fraction"
    summary: ClassVar[str] = "all labels of a share of the images, none of the others"
    takes: ClassVar[tuple[str, ...]] = ("share", "stable")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        share = options.get("share")
        if not isinstance(share, int | float) or not 0 < share <= 1:
            raise UsageError(
                "`share` should be above 0 and at most 1, such as 0.1 for the regime `fraction`; "
                f"found {'none' if share is None else share}."
            )
        self.share = float(share)

    @property
    def parameters(self) -> dict[str, Any]:
        """The share too."""
        return {**super().parameters, "share": self.share}

    def choose(
        self,
        keys: Sequence[str],
        tasks: Sequence[str],
        available: NDArray[np.bool_],
        *,
        seed: int,
    ) -> NDArray[np.bool_]:
        """The first images in the order of their hashes."""
        images = np.flatnonzero(available.any(1))
        shown = images[: max(1, round(self.share * len(images)))]
        chosen = np.zeros_like(available)
        chosen[shown] = available[shown]
        return chosen

    def choose_alone(
        self, key: str, tasks: Sequence[str], has: Sequence[int], *, seed: int
    ) -> Sequence[int]:
        """Everything, where the hash of the key, in [0, 1), is below the share."""
        return has if unit(seed, key) < self.share else []
