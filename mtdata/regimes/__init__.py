"""Regimes: which labels of a training split may be seen."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError, UnknownNameError
from mtdata.regimes.base import Regime
from mtdata.regimes.fraction import Fraction
from mtdata.regimes.full import Full
from mtdata.regimes.imbalanced import Imbalanced
from mtdata.regimes.one import One
from mtdata.regimes.random import Random
from mtdata.regimes.table import RegimeTable, read_table, write_table

REGIMES: dict[str, type[Regime]] = {
    "full": Full,
    "one": One,
    "random": Random,
    "imbalanced": Imbalanced,
    "fraction": Fraction,
}


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
    if kind not in REGIMES:
        raise UnknownNameError("regime", kind, REGIMES)
    if len(set(keys)) < len(keys):
        twice = next(key for key, count in Counter(keys).items() if count > 1)
        raise DataError(f"keys should differ; found `{twice}` twice. Name each image differently.")
    regime = REGIMES[kind](**options)
    labels = regime.assign(keys, tasks, available, seed=seed)
    table = RegimeTable(kind, tuple(keys), tuple(tasks), labels, regime.parameters, seed, "drawn")
    for t, (task, given) in enumerate(table.counts.items()):
        if not given:
            raise DataError(
                f"the regime `{kind}` gives the task `{task}` no label: {available[:, t].sum()} of "
                f"{len(keys)} images have one. Use more images or another regime, or leave "
                f"`{task}` out."
            )
    return table


__all__ = ["REGIMES", "Regime", "RegimeTable", "draw", "read_table", "write_table"]
