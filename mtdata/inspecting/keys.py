"""The keys of a store, of all images or of those that show a label."""

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.store import Store
from mtdata.store.format import FULL


def keys(
    store: Store,
    *,
    split: str | None = None,
    regime: str | None = None,
    task: str | None = None,
    added: str | None = None,
) -> dict[str, list[str]]:
    """The keys of each split, in the order of the store.

    Args:
        store: What to look at.
        split: Name of the one split; None for all, or for all that have the regime.
        regime: Only images of which this regime shows a label; None for all images.
        task: Only images with a label of this task that may be seen; None for any task.
        added: Only images to which labels of this origin were added; of `task`, where it is given.

    Raises:
        UnknownNameError: for a split, a regime or a task that there is not.
        UsageError: for a regime and an origin at once: no regime shows what was added.
    """
    columns = slice(None) if task is None else [store.tasks.index(store.task(task))]
    if regime is not None:
        store.check_regime(regime)
    if added is not None and regime is not None:
        raise UsageError(
            "`added` should go without a regime, which shows labels of the source alone. Give one "
            "of --regime and --added."
        )
    if split is not None:
        chosen = [store.split(split)]
    else:
        chosen = [each for each in store.splits.values() if regime in (None, *each.regime_names)]
    found = {}
    for each in chosen:
        if added is not None:
            there = [
                one.there()
                for (origin, name), one in each.added.items()
                if origin == added and task in (None, name)
            ]
            places = np.flatnonzero(np.any(there, axis=0)).tolist() if there else []
            found[each.name] = [each.keys[place] for place in places]
            continue
        if regime is None and task is None:
            found[each.name] = list(each.keys)
            continue
        shown = each.visible(regime or FULL)[:, columns].any(1)
        found[each.name] = [each.keys[place] for place in np.flatnonzero(shown).tolist()]
    return found


def drawn(total: int, count: int | None, seed: int) -> NDArray[np.int64]:
    """Places that a seed draws out of so many, in order; all where that is no fewer, or None."""
    if count is None or count >= total:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).permutation(total)[:count])


def evenly(total: int, count: int) -> list[int]:
    """So many places out of `total`, evenly spread; all where that is no fewer."""
    count = min(count, total)
    return [round((i + 0.5) * total / count - 0.5) for i in range(count)]
