"""Images of a store beside the labels that a regime shows of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UnknownNameError, UsageError
from mtdata.inspecting.keys import drawn
from mtdata.inspecting.pictures import (
    HIDDEN,
    MISSING,
    Panel,
    Swatch,
    absent_panel,
    blank,
    depth_limits,
    error_panel,
    labelled_panel,
    sheet,
    swatches,
)
from mtdata.store import Split, Store
from mtdata.store.completed import Completed, Composed, complete, composed
from mtdata.store.format import DERIVED, FILLED, FULL
from mtdata.tasks.kinds import Depth
from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Predict = Callable[[NDArray[np.uint8]], Mapping[str, NDArray[Any]]]
"""From an image, uint8 [h, w, 3], to a prediction of each task in the form of a decoded label."""
Labels = dict[str, list[NDArray[Any]]]
"""What was drawn of each task, for the legend."""


class Predicted(NamedTuple):
    """A run whose predictions are drawn; who makes them is the caller's affair."""

    name: str
    tasks: tuple[Task, ...]
    predict: Predict

    def check(self, store: Store) -> None:
        """Refuse a run of which nothing can be compared with the labels of a store.

        Raises:
            UsageError: where it has no task of the store, or means another thing by one.
        """
        check_meaning(self.name, self.tasks, store)


def check_meaning(run: str, tasks: Sequence[Task], store: Store) -> None:
    """Refuse the tasks of a run of which nothing can be compared with the labels of a store.

    Raises:
        UsageError: where it has no task of the store, or means another thing by one.
    """
    there = {task.name: task for task in store.tasks}
    if not any(task.name in there for task in tasks):
        names = ", ".join(task.name for task in tasks)
        raise UsageError(
            f"--predictions should be a run for a task of this store, {', '.join(there)}; "
            f"{run} predicts {names}. Give another run."
        )
    for task in tasks:
        ours, theirs = (each.kind.meaning for each in (there.get(task.name, task), task))
        if ours != theirs:
            raise UsageError(
                f"--predictions should be a run that means by {task.name} what the store does, "
                f"{ours}; {run} predicts {theirs}. Give another run."
            )


def show(
    store: Store,
    keys: Sequence[str],
    regime: str | None = None,
    *,
    split: str | None = None,
    predicted: Sequence[Predicted] = (),
) -> "Figure":
    """A row for each image, a column for each task. A hidden label is marked, and never read.

    Args:
        store: Where the images are.
        keys: Official image ids.
        regime: Name of a regime, with `+derived` or `+filled:0.8` for labels that were added; None
            shows every label and all that was added. A split that does not have it (a test split)
            shows every label too.
        split: Where to look for the keys; None for the first split that has a key.
        predicted: Runs: what each predicts stands in a row below, how far it is off in the next,
            where the image has a label to tell.

    Raises:
        UsageError: where no key is given, or a run is for other tasks.
        UnknownNameError: for a key, a regime or a split that the store does not have.
    """
    if not keys:
        raise UsageError("`keys` should name one image at least; found none.")
    for run in predicted:
        run.check(store)
    what = looked_through(store, regime)
    splits = list(store.splits.values()) if split is None else [store.split(split)]
    seen: Labels = {task.name: [] for task in store.tasks}
    rows = []
    for place in [_find(splits, key) for key in keys]:
        sample, absent, added = _looked(store, place, what)
        name = f"{sample.key}  ({place[0].name})"
        rows.append(sample_row(name, sample, store.tasks, absent, seen, added=added))
        for run in predicted:
            rows += _compared(run, sample, store.tasks, absent, seen)
    return sheet(rows, legend=legend(store.tasks, seen))


def legend(tasks: Sequence[Task], seen: Labels) -> list[Swatch]:
    """The classes among what was drawn."""
    return [entry for task in tasks for entry in swatches(task, seen[task.name])]


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
    store.check_regime(what.base)
    return what


def looked_at(split: Split, what: Composed) -> Completed:
    """A split as it is looked at; one that lacks the regime (a test split) shows every label."""
    return complete(split, split.visible(split.regime_or_full(what.base)), what)


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
        UsageError: for more images to draw than the split has.
    """
    chosen = next(iter(store.splits.values())) if split is None else store.split(split)
    keys = chosen.keys
    if random is None:
        places = list(range(min(first or 0, len(keys))))
    else:
        check_random(random, len(keys), chosen.name)
        places = drawn(len(keys), random, seed).tolist()
    return chosen.name, tuple(keys[place] for place in places)


def check_random(random: int, there: int, where: str) -> None:
    """Refuse to draw more images than there are.

    Raises:
        UsageError: saying how many there are.
    """
    if random > there:
        raise UsageError(
            f"--random should be at most the number of images of {where}, {there}; found {random}."
        )


def _looked(
    store: Store, place: tuple[Split, int], what: Composed
) -> tuple[Sample, dict[str, str], dict[str, str]]:
    """An image without padding, why labels are absent, and where those that are come from."""
    split, index = place
    seen_of = looked_at(split, what)
    names = [t.name for t, yes in zip(store.tasks, seen_of.labelled[index], strict=True) if yes]
    sample = seen_of.read(index, names).trimmed()
    columns = enumerate(task.name for task in store.tasks)
    added = {name: seen_of.origin(index, i) for i, name in columns if name in sample.labels}
    return sample, why_absent(split, index, store.tasks, sample.labels), added


def why_absent(
    split: Split, index: int, tasks: Sequence[Task], labels: Mapping[str, Any]
) -> dict[str, str]:
    """Why a label is not among these: hidden, or missing in the store."""
    there = {task.name: split.labelled[index, split.tasks.index(task)] for task in tasks}
    return {
        name: HIDDEN if exists else MISSING for name, exists in there.items() if name not in labels
    }


def sample_row(
    name: str,
    sample: Sample,
    tasks: Sequence[Task],
    absent: Mapping[str, str],
    seen: Labels,
    *,
    added: Mapping[str, str] | None = None,
) -> list[Panel]:
    """The panels of an image and its labels.

    Args:
        name: What stands above the image.
        sample: The image, with the labels that may be seen.
        tasks: What is drawn, in order.
        absent: Why each other label is absent.
        seen: Takes in what is drawn, for `legend`.
        added: Where labels come from that no source had; empty for those of the source.
    """
    height, width = sample.image.shape[:2]
    panels = [Panel(name, sample.image)]
    for task in tasks:
        if task.name not in sample.labels:
            panels.append(absent_panel(task.name, height, width, absent[task.name]))
            continue
        label, valid = sample.labels[task.name], sample.valid[task.name]
        seen[task.name].append(label[valid])
        panel = labelled_panel(task, label, valid)
        if origin := (added or {}).get(task.name):
            panel = panel._replace(title=f"{panel.title}  ({origin})", added=origin)
        panels.append(panel)
    return panels


def _compared(
    predicted: Predicted,
    sample: Sample,
    tasks: Sequence[Task],
    absent: Mapping[str, str],
    seen: Labels,
) -> list[list[Panel]]:
    """What a run predicts of an image, in the colours of its labels, and how far that is off."""
    height, width = sample.image.shape[:2]
    given, nothing = predicted.predict(np.ascontiguousarray(sample.image)), blank(height, width)
    known = {task.name for task in predicted.tasks}
    below, off = (
        [Panel("", nothing, f"predicted by\n{predicted.name}")],
        [Panel("", nothing, "error")],
    )
    for task in tasks:
        if task.name not in known:
            below.append(Panel(task.name, nothing, "not predicted"))
            off.append(Panel("", nothing))
            continue
        prediction, label = given[task.name], sample.labels.get(task.name)
        seen[task.name].append(prediction)
        limits = None
        if label is None:
            off.append(absent_panel(task.name, height, width, absent[task.name]))
        else:
            valid = sample.valid[task.name]
            off.append(error_panel(task, label, valid, prediction))
            limits = depth_limits(label, valid) if isinstance(task.kind, Depth) else None
        name = f"{task.name}, predicted"
        below.append(labelled_panel(task, prediction, limits=limits, name=name))
    return [below, off] if known & sample.labels.keys() else [below]


def _find(splits: Sequence[Split], key: str) -> tuple[Split, int]:
    for split in splits:
        if key in split.keys:
            return split, split.index(key)
    raise UnknownNameError("image", key, dict.fromkeys(k for split in splits for k in split.keys))
