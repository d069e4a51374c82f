"""Which images and labels of a store a dataset shows: by splits, tasks, regime and keys."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import sep
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError, MtdataError, UnknownNameError, UsageError
from mtdata.reading.dataset import (
    AddedLabels,
    Dataset,
    Readable,
    StoreLike,
    Transform,
    shown_digest,
    visible_digest,
)
from mtdata.reading.joined import joined
from mtdata.reading.memory import keep_freed
from mtdata.regimes.table import RegimeTable, read_table
from mtdata.store import Split
from mtdata.store import format as layout
from mtdata.store.added import Added
from mtdata.store.completed import Completed, Composed, complete, composed, names_added
from mtdata.tasks.task import Task


def make_dataset(
    store: StoreLike,
    split: str | Sequence[str],
    *,
    tasks: Sequence[str] | None = None,
    regime: str | Path | RegimeTable | None = None,
    transform: Transform | None = None,
    keys: Sequence[str] | None = None,
    anyway: bool = False,
    bare: bool = False,
) -> Dataset:
    """Make the dataset of a split; `Store.dataset` is this.

    Args:
        store: The store.
        split: The name of its split; several of one role are read one after the other.
        tasks: The names of the tasks to read; None for all.
        regime: A regime of the split by name, a CSV file, or a table; with `+derived` or
            `+filled:0.8` behind it, labels that were added too. None is the default regime of the
            store for a split with the role train, and every label for one to test on.
        transform: What is done to each sample.
        keys: Only these images, in this order; None for all.
        anyway: Take filled labels of a run that may have seen what the base regime hides.
        bare: Let a task to be trained have no visible label.

    Raises:
        UnknownNameError: where there is no such split, task or regime.
        UsageError: where a key is not in the split or in several, a CSV file is missing, the store
            lacks the added labels, or their run may have seen what the base regime hides.
        DataError: where a file is broken, or a task that is to be trained has no visible label.
    """
    keep_freed()
    wanted_splits = (split,) if isinstance(split, str) else tuple(split)
    for one in wanted_splits:
        if one not in store.splits:
            raise UnknownNameError("split", one, list(store.splits))
    splits = [store.splits[one] for one in wanted_splits]
    source: Readable = joined(splits)
    names = [task.name for task in store.tasks]
    tasks = (tasks,) if isinstance(tasks, str) else tasks
    for name in tasks or ():
        if name not in names:
            raise UnknownNameError("task", name, names)
    columns = [names.index(name) for name in (names if tasks is None else tasks)]
    if regime is None:
        regime = store.default_regime if source.role == "train" else layout.FULL
    wanted = tuple(store.tasks[t] for t in columns)
    what = _composed(store, source, regime)
    if what is None:
        visible, added = _visible(splits, names, regime)[:, columns], None
    else:
        base = make_dataset(store, split, regime=what.base, bare=True)
        ends = np.cumsum([len(one) for one in splits])[:-1]
        shown = np.split(base.visible, ends)
        seen = completed(store, splits, shown, what, wanted, anyway=anyway)
        source, codes = joined(seen), np.concatenate([one.codes for one in seen])[:, columns]
        visible, added = codes > 0, _added(base, seen, what, wanted, codes, anyway=anyway)
    if source.role == "train" and not bare:
        _refuse_bare(store, splits, wanted, visible, regime)
    indices = None if keys is None else _indices(splits, keys)
    return Dataset(source, wanted, visible, transform, indices, added)


def shows(store: StoreLike, regime: str, seen: Mapping[str, Any]) -> bool:
    """Whether it is known that a run learnt from no label that a regime hides.

    It is where the regime shows what the run saw, and where it hides nothing of what the store
    held when the run saw some of it; of splits to train on alone, as what another split has is
    hidden whatever the regime.

    Args:
        store: Where the regime is.
        regime: Without labels that were added.
        seen: What the run saw: `labels`, as `shown_digest` or `visible_digest` of before has it,
            "" where that is not known, of `splits` and `tasks`; and, which is not known of filled
            labels of before, `store`, its content digest, and `knows`, all splits that it may know
            something of, of which none may be tested here.
    """
    splits, tasks = seen["splits"], seen["tasks"]
    try:
        shown, full = (
            make_dataset(store, splits, tasks=tasks, regime=one, bare=True)
            for one in (regime, layout.FULL)
        )
    except MtdataError:  # of another store, with other splits or tasks
        return False
    roles = {name: split.role for name, split in store.splits.items()}
    if any(roles[split] != "train" for split in splits):
        return False
    if any(roles.get(split) == "test" for split in seen.get("knows", ())):
        return False
    if seen["labels"] in (shown_digest(shown), visible_digest(shown)):
        return True
    whole = np.array_equal(shown.visible, full.visible)
    return whole and bool(seen["labels"]) and seen.get("store") in store.contents


def not_there(store: StoreLike, split: Sequence[str], regime: str) -> dict[str, int]:
    """How many labels of each task the file of a regime names that some splits do not have.

    Nothing, of a regime of the store; it is without labels that were added.
    """
    splits, tasks = [store.splits[one] for one in split], [task.name for task in store.tasks]
    table = _table(splits, tasks, regime)
    if table is None:
        return {}
    whole = joined(splits)
    lost = table.aligned(whole.keys, tasks) & ~whole.visible(layout.FULL)
    return dict(zip(tasks, lost.sum(0).tolist(), strict=True))


def _composed(
    store: StoreLike, split: Readable, regime: str | Path | RegimeTable
) -> Composed | None:
    """The regime with its added labels, where it has any.

    Raises:
        UsageError: for a split to test on, which is scored against the labels of the source alone.
    """
    if isinstance(regime, RegimeTable) or not names_added(str(regime)):
        return None
    known = [layout.FULL, *(name for one in store.splits.values() for name in one.regime_names)]
    what = composed(str(regime), known, store.default_regime)
    if what is not None and split.role != "train":
        raise UsageError(
            f"the regime `{regime}` should be of a training split: what is scored is compared with "
            f"the labels of the source alone. Give {split.name} another regime."
        )
    return what


def completed(
    store: StoreLike,
    splits: Sequence[Split],
    shown: Sequence[NDArray[np.bool_]],
    what: Composed,
    tasks: Sequence[Task],
    *,
    anyway: bool,
) -> list[Completed]:
    """See splits to train on under a base regime with added labels that tell nothing it hides.

    Args:
        store: Where they are.
        splits: The splits, one at least.
        shown: What the base regime shows of each, bool [n, tasks of the store].
        what: Which added labels.
        tasks: Those that are used: of others nothing is asked.
        anyway: Take filled labels of a run that may have seen what the base regime hides.

    Raises:
        UsageError: where the store lacks added labels, or their run may have seen what is hidden.
    """
    found = [complete(one, seen, what) for one, seen in zip(splits, shown, strict=True)]
    pieces = [piece for one in found for piece, _ in one.pieces]
    for origin, _ in what.origins:
        if not any(piece.origin == origin for piece in pieces):
            how = "mtmodels fill RUN FILE" if origin == layout.FILLED else "mtdata derive FILE"
            raise UsageError(
                f"the regime `{what}` should find {origin} labels in {splits[0].name}; the store "
                f"has none. Make them with `{how}`, or give another regime."
            )
    for piece in pieces:
        if piece.origin == layout.FILLED and piece.task in tasks and not anyway:
            _check_run(store, piece, what)
    return found


def _added(
    base: Dataset,
    seen: Sequence[Completed],
    what: Composed,
    wanted: Sequence[Task],
    codes: NDArray[np.int8],
    *,
    anyway: bool,
) -> AddedLabels:
    names = [task.name for task in wanted]
    facts = tuple(f for one in seen for f in one.facts() if f["task"] in names)
    columns = [base.tasks.index(task) for task in wanted]
    digest = shown_digest(replace(base, tasks=tuple(wanted), visible=base.visible[:, columns]))
    return AddedLabels(str(what), what.base, digest, codes, facts, anyway)


def _check_run(store: StoreLike, piece: Added, what: Composed) -> None:
    """Refuse labels of a run that may have seen what the base regime hides.

    Raises:
        UsageError: saying why.
    """
    if not shows(store, what.base, piece.about):
        raise UsageError(
            f"the filled labels of {piece.task.name} should come from a run that learnt from no "
            f"more than the regime `{what.base}` shows; found the run {piece.about['run']}, which "
            "may have seen others. Fill with a run that was trained under this regime, or take "
            "them all the same with --filled-anyway."
        )


def _visible(
    splits: Sequence[Readable], tasks: Sequence[str], regime: str | Path | RegimeTable
) -> NDArray[np.bool_]:
    """Which labels a regime shows, among those that have valid pixels."""
    split: Readable = joined(splits)
    table = _table(splits, tasks, regime)
    if table is None:
        return split.visible(str(regime))
    _refuse_ambiguous(splits, [table.keys[i] for i in np.flatnonzero(table.labels.any(1)).tolist()])
    return split.visible(layout.FULL) & table.aligned(split.keys, tasks)


def _table(
    splits: Sequence[Readable], tasks: Sequence[str], regime: str | Path | RegimeTable
) -> RegimeTable | None:
    """What a file or a table says of some splits; None of a regime by name."""
    known = {name for one in splits if isinstance(one, Split) for name in one.regime_names}
    if isinstance(regime, str) and (
        regime in known or not (regime.endswith(".csv") or sep in regime)
    ):
        return None
    if isinstance(regime, str | Path):
        return read_table(Path(regime), joined(splits).keys, tasks)
    return regime


def _refuse_ambiguous(splits: Sequence[Readable], keys: Sequence[str]) -> None:
    """Refuse a key that is of an image of more than one of several splits.

    Raises:
        UsageError: naming them.
    """
    wanted, owners = set(keys), dict[str, str]()
    for split in splits if len(splits) > 1 else ():
        for key in wanted.intersection(split.keys):
            if key in owners:
                raise UsageError(
                    f"a key should be of one image; `{key}` is in {owners[key]} and in "
                    f"{split.name}. Take one of these splits at a time."
                )
            owners[key] = split.name


def _refuse_bare(
    store: StoreLike,
    splits: Sequence[Readable],
    tasks: Sequence[Task],
    visible: NDArray[np.bool_],
    regime: str | Path | RegimeTable,
) -> None:
    name = regime.kind if isinstance(regime, RegimeTable) else regime
    shown = visible.sum(0)
    rest = ",".join(task.name for task, some in zip(tasks, shown, strict=True) if some)
    leave = f"Leave the task out{f' (--tasks {rest})' if rest else ''}, or"
    for task, some in zip(tasks, shown, strict=True):
        if some:
            continue
        column = store.tasks.index(task)
        here = sum(int(split.visible(layout.FULL)[:, column].sum()) for split in splits)
        if here:
            raise DataError(
                f"the regime `{name}` shows no label of the task `{task.name}`, of which the "
                f"training images have {here:,}. {leave} choose another regime."
            )
        places = {one: int(split.visible(layout.FULL)[:, column].sum())
                  for one, split in store.splits.items()}  # fmt: skip
        there = ", ".join(f"{one} ({count:,})" for one, count in places.items() if count)
        raise DataError(
            f"training images should have a label of the task `{task.name}`, which no regime can "
            f"show otherwise; its labels are in {there or 'no split'}. {leave} build the store "
            "again with other splits."
        )


def _indices(splits: Sequence[Readable], keys: Sequence[str]) -> NDArray[np.int64]:
    split: Readable = joined(splits)
    _refuse_ambiguous(splits, keys)
    wanted = set(keys)  # of a million keys a mapping of all would take 100 MB
    rows = {key: i for i, key in enumerate(split.keys) if key in wanted}
    for key in keys:
        if key not in rows:
            raise UsageError(
                f"`keys` should be images of the split `{split.name}`, such as `{split.keys[0]}`; "
                f"found `{key}`."
            )
    return np.array([rows[key] for key in keys], np.int64)
