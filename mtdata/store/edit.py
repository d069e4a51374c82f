"""Changing the regimes of a store that exists: in place, all of a change or nothing of it."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from mtdata.atomic import alone
from mtdata.errors import DataError, UsageError
from mtdata.regimes.table import RegimeTable
from mtdata.store import format as layout
from mtdata.store.opening.inplace import changing, complete
from mtdata.store.reader import Store
from mtdata.store.regime import RegimeInfo, write_regime
from mtdata.store.split import Split
from mtdata.urls import local


def add_regime(
    path: Path | str, name: str, table: RegimeTable, *, split: str | None = None
) -> None:
    """Add a regime to a training split of a store.

    Args:
        path: The store.
        name: What to call it.
        table: Which labels it shows, by key; keys and tasks may be in any order.
        split: Name of the split; None for the only one with the role "train".

    Raises:
        UsageError: where the name is taken or cannot be one, no split is the obvious one, or the
            store is on object storage.
        DataError: where keys differ from the split's, or it shows a label that is not there.
    """
    if split is None:
        with Store(path) as store:
            split = training_split(store).name
    add_regimes(path, name, {split: table})


def add_regimes(path: Path | str, name: str, tables: Mapping[str, RegimeTable]) -> None:
    """Add a regime to several splits of a store, to all or to none of them.

    Args:
        path: The store.
        name: What to call it.
        tables: Which labels it shows of each split.

    Raises:
        UnknownNameError: for a split that there is not.
        UsageError, DataError: as `add_regime`.
    """
    path = local(path)
    with _alone_with(path) as store:
        regimes = {}
        for split, table in tables.items():
            check_new(name, store.split(split), path)
            regimes[split] = placed(name, table, store.split(split))
        store.close()
        with changing(path) as file:
            for split, regime in regimes.items():
                write_regime(file[split], regime)


def remove_regime(path: Path | str, name: str) -> None:
    """Remove a regime from all splits of a store; the default becomes "full" if it was this one.

    Raises:
        UnknownNameError: where the store has no such regime.
        UsageError: for "full", which is stored nowhere.
    """
    if name == layout.FULL:
        raise UsageError("the regime `full` is every label there is; it cannot be removed.")
    path = local(path)
    with _alone_with(path) as store:
        store.check_regime(name)
        owners = [s.name for s in store.splits.values() if name in s.regime_names]
        store.close()
        with changing(path) as file:
            for owner in owners:
                del file[f"{owner}/{layout.REGIME}/{name}"]
            if store.default_regime == name:
                _write_default(file, layout.FULL)


def set_default_regime(path: Path | str, name: str) -> str:
    """Choose the regime that training uses unless told otherwise; returns the one of before.

    Raises:
        UnknownNameError: where the store has no such regime.
    """
    path = local(path)
    with _alone_with(path) as store:
        store.check_regime(name)
        store.close()
        if name != store.default_regime:
            with changing(path) as file:
                _write_default(file, name)
        return store.default_regime


def _write_default(file: h5py.File, name: str) -> None:
    """In its place, which has room for any name; a store of before gets one."""
    value = layout.texts([name], layout.NAME_BYTES)
    attribute = h5py.h5a.open(file.id, layout.DEFAULT_REGIME.encode())
    if attribute.get_type().equal(h5py.h5t.py_create(value.dtype, logical=True)):
        attribute.write(value[0:1].reshape(()))
    else:
        file.attrs.create(layout.DEFAULT_REGIME, value[0], dtype=value.dtype)


def training_splits(store: Store, name: str | None = None) -> list[Split]:
    """The splits that a regime is for: all with the role "train", or the one that is named.

    Raises:
        UnknownNameError: for a split that there is not.
        UsageError: where there is none, or the one that is named is not for training.
    """
    splits = store.splits.values() if name is None else [store.split(name)]
    found = [split for split in splits if split.role == "train"]
    if not found:
        raise UsageError(
            f"{store.path} should have a training split{f' {name}' if name else ''}; found "
            f"{', '.join(f'{s.name} ({s.role})' for s in splits)}. A regime says what may be seen "
            "in training."
        )
    return found


def training_split(store: Store, name: str | None = None) -> Split:
    """The one split that is meant.

    Raises:
        UnknownNameError: for a split that there is not.
        UsageError: where there is none or more than one.
    """
    found = training_splits(store, name)
    if len(found) > 1:
        raise several(store, found)
    return found[0]


def several(store: Store, splits: Sequence[Split]) -> UsageError:
    """What to say where one of several training splits has to be named."""
    names = ", ".join(split.name for split in splits)
    return UsageError(
        f"one training split of {store.path} should be meant; found {names}. Name one with --split."
    )


def check_name(name: str) -> None:
    """Refuse what cannot name a regime.

    Raises:
        UsageError: for "full", what reads like a file of a regime, and what cannot be the name of
            a file: no text, one with a slash, a dot at its start, signs that cannot be printed or
            more than 255 bytes.
    """
    if not layout.safe_name(name) or name == layout.FULL or name.endswith(".csv"):
        raise UsageError(
            f"`name` should be a word other than `full`, without a slash and without .csv at its "
            f"end, which is a file; found {name!r}. Choose another name."
        )


def check_new(name: str, split: Split, path: Path) -> None:
    """Refuse what cannot name a new regime of a split of the store at `path`.

    Raises:
        UsageError: as `check_name`, and for a name that is taken.
    """
    check_name(name)
    if name in split.regimes:
        raise UsageError(
            f"`name` should be new; {path} has a regime `{name}` already. Choose another with "
            f"--name, or remove that one first (mtdata regime remove {shlex.quote(str(path))} "
            f"{name})."
        )


def placed(name: str, table: RegimeTable, split: Split) -> RegimeInfo:
    """A table in the order of a split's keys and tasks.

    Raises:
        DataError: where keys differ from the split's, or it shows a label that is not there.
    """
    unknown = sorted(set(table.keys) - set(split.keys))
    if unknown:
        raise DataError(
            f"the regime `{name}` should name images of split {split.name}; found {unknown[0]!r} "
            f"and {len(unknown) - 1} more that are not in it. Draw it from this store."
        )
    names = tuple(task.name for task in split.tasks)
    labels = table.aligned(split.keys, names)
    hidden = np.argwhere(labels & ~split.labelled)
    if len(hidden):
        row, column = hidden[0]
        raise DataError(
            f"the regime `{name}` shows {names[column]} of {split.keys[row]}, and "
            f"{len(hidden) - 1} more labels that the store does not have. Draw it from this store."
        )
    origin = table.origin or table.kind
    return RegimeInfo(name, table.kind, table.parameters, table.seed, origin, names, labels)


@contextmanager
def _alone_with(path: Path) -> Iterator[Store]:
    """A store that nobody else changes meanwhile."""
    Store(path).close()  # what is no store is told before anything is made beside it
    with alone(path, elsewhere=False):
        complete(path)
        with Store(path) as store:
            yield store
