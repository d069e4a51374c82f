"""All labels there are."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.regimes.base import Regime


class Full(Regime):
    """Every label with valid pixels may be seen."""

    name: ClassVar[str] = "full"
    summary: ClassVar[str] = "every label there is"
    takes: ClassVar[tuple[str, ...]] = ()

    def choose(
        self,
        keys: Sequence[str],
        tasks: Sequence[str],
        available: NDArray[np.bool_],
        *,
        seed: int,
    ) -> NDArray[np.bool_]:
        """What is available."""
        return available.copy()

    def choose_alone(
        self, key: str, tasks: Sequence[str], has: Sequence[int], *, seed: int
    ) -> Sequence[int]:
        """What is available."""
        return has
