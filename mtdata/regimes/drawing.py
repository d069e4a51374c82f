"""Draw a regime for a split."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError
from mtdata.regimes import REGIMES
from mtdata.regimes.table import RegimeTable
from mtdata.wording import counted


def draw(
    kind: str,
    keys: Sequence[str],
    tasks: Sequence[str],
    available: NDArray[np.bool_],
    *,
    seed: int = 0,
    **options: Any,
) -> RegimeTable:
    """Draw which labels of a split may be seen.

    Args:
        kind: A name of `REGIMES`.
        keys: The `n` keys of the split, in any order.
        tasks: The names of its `t` tasks.
        available: Which cells have valid pixels, `[n, t]`.
        seed: The only source of randomness.
        options: Of the regime.

    Raises:
        UnknownNameError: where there is no such regime.
        UsageError: for an option that it does not have, or that does not fit the tasks.
        DataError: where two images share a key, or a task gets no label in the whole split.
    """
    member = REGIMES[kind]
    if len(set(keys)) < len(keys):
        twice = next(key for key, count in Counter(keys).items() if count > 1)
        raise DataError(f"keys should differ; found `{twice}` twice. Name each image differently.")
    regime = member(**options)
    labels = regime.assign(keys, tasks, available, seed=seed)
    table = RegimeTable(kind, tuple(keys), tuple(tasks), labels, regime.parameters, seed, "drawn")
    for t, (task, given) in enumerate(table.counts.items()):
        if not given:
            raise DataError(
                f"the regime `{kind}` gives the task `{task}` no label: found one on "
                f"{available[:, t].sum()} of {counted(len(keys), 'image')}. Use more images or "
                f"another regime, or leave `{task}` out."
            )
    return table
