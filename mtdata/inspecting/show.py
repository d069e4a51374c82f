"""Images of a store beside the labels that a regime shows of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UnknownNameError, UsageError
from mtdata.inspecting.pictures import (
    HIDDEN,
    MISSING,
    Panel,
    absent_panel,
    labelled_panel,
    sheet,
    swatches,
)
from mtdata.store import Split, Store
from mtdata.store.completed import Completed, Composed, complete, composed
from mtdata.store.format import DERIVED, FILLED, FULL

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(
    store: Store, keys: Sequence[str], regime: str | None = None, *, split: str | None = None
) -> "Figure":
    """A row for each image, a column for each task. A hidden label is marked, and never read.

    Args:
        store: Where the images are.
        keys: Official image ids.
        regime: Name of a regime, with `+derived` or `+filled:0.8` for labels that were added; None
            shows every label and all that was added. A split that does not have it (a test split)
            shows every label too.
        split: Where to look for the keys; None for the first split that has a key.

    Raises:
        UsageError: where no key is given.
        UnknownNameError: for a key, a regime or a split that the store does not have.
    """
    if not keys:
        raise UsageError("`keys` should name one image at least; found none.")
    what = looked_through(store, regime)
    splits = list(store.splits.values()) if split is None else [store.split(split)]
    seen: dict[str, list[NDArray[Any]]] = {task.name: [] for task in store.tasks}
    rows = [_row(store, _find(splits, key), what, seen) for key in keys]
    entries = [e for task in store.tasks for e in swatches(task, seen[task.name])]
    return sheet(rows, legend=entries)


def looked_through(store: Store, regime: str | None) -> Composed:
    """What a name of a regime means to whoever looks; None for every label and all that was added.

    Raises:
        UnknownNameError: for a regime that the store does not have.
        UsageError: for a threshold that is none.
    """
    what = Composed(FULL, tuple((origin, 0.0) for origin in (DERIVED, FILLED)))
    if regime is not None:
        base = Composed(regime, ())
        what = composed(regime, store.regimes, store.default_regime) or base
    if what.base not in store.regimes:
        raise UnknownNameError("regime", what.base, list(store.regimes))
    return what


def looked_at(split: Split, what: Composed) -> Completed:
    """A split as it is looked at; one that lacks the regime (a test split) shows every label."""
    name = what.base if what.base in split.regime_names else FULL
    return complete(split, split.visible(name), what)


def pick(
    store: Store,
    split: str | None = None,
    *,
    first: int | None = None,
    random: int | None = None,
    seed: int = 0,
) -> tuple[str, tuple[str, ...]]:
    """A split and keys of it: the first ones, or ones drawn by a seed, in the order of the store.

    Args:
        store: Where the images are.
        split: Name of the split; None for the first.
        first: How many from its beginning; all where it has fewer.
        random: How many to draw, instead.
        seed: Where the draw starts.

    Raises:
        UnknownNameError: for a split that the store does not have.
    """
    chosen = next(iter(store.splits.values())) if split is None else store.split(split)
    if random is None:
        places = list(range(min(first or 0, len(chosen.keys))))
    else:
        drawn = np.random.default_rng(seed).permutation(len(chosen.keys))[:random]
        places = sorted(drawn.tolist())
    return chosen.name, tuple(chosen.keys[place] for place in places)


def _row(
    store: Store,
    place: tuple[Split, int],
    what: Composed,
    seen: dict[str, list[NDArray[Any]]],
) -> list[Panel]:
    split, index = place
    seen_of = looked_at(split, what)
    height, width = map(int, split.sizes[index])
    sample = seen_of.read(
        index,
        [t.name for t, yes in zip(store.tasks, seen_of.labelled[index], strict=True) if yes],
    )
    panels = [Panel(f"{split.keys[index]}  ({split.name})", sample.image[:height, :width])]
    for column, task in enumerate(store.tasks):
        if task.name not in sample.labels:
            exists = split.labelled[index, column]
            panels.append(absent_panel(task.name, height, width, HIDDEN if exists else MISSING))
            continue
        label = sample.labels[task.name][:height, :width]
        valid = sample.valid[task.name][:height, :width]
        seen[task.name].append(label[valid])
        panel = labelled_panel(task, label, valid)
        if origin := seen_of.origin(index, column):
            panel = panel._replace(title=f"{panel.title}  ({origin})", added=origin)
        panels.append(panel)
    return panels


def _find(splits: Sequence[Split], key: str) -> tuple[Split, int]:
    for split in splits:
        if key in split.keys:
            return split, split.index(key)
    raise UnknownNameError("image", key, dict.fromkeys(k for split in splits for k in split.keys))
