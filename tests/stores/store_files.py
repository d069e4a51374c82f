"""Stores that are changed by other means than ours, with digests that match again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401
import numpy as np

from mtdata.store import Store
from mtdata.store import format as layout
from mtdata.store.digest import added_digest, added_groups, cell_digest, regime_digest, seal


def reseal(file: h5py.File) -> None:
    """Make all digests but those of cells and content match what the file holds."""
    for split in file.values():
        for name in ({layout.KEY, *layout.tables(0)}) & {*split}:
            layout.put(split[name].attrs, {layout.SHA256: cell_digest(split[name][()]).hex()})
        for dataset in split[layout.REGIME].values():
            layout.put(dataset.attrs, {layout.SHA256: regime_digest(dataset, dataset[()])})
        for added in added_groups(split):
            for name in {*layout.added_tables(layout.FILLED)} & {*added}:
                layout.put(added[name].attrs, {layout.SHA256: cell_digest(added[name][()]).hex()})
            layout.put(added.attrs, {layout.SHA256: added_digest(added)})
    layout.put(file.attrs, {layout.SEAL: seal(file)})


@contextmanager
def editing(path: Path) -> Iterator[h5py.File]:
    """A store to change."""
    with h5py.File(path, "r+") as file:
        yield file
        reseal(file)


def same_samples(one: Store, other: Store) -> None:
    """Two stores hold the same images, labels, tables and regimes, bit for bit."""
    assert (one.tasks, one.default_regime) == (other.tasks, other.default_regime)
    assert list(one.splits) == list(other.splits)
    for a, b in zip(one.splits.values(), other.splits.values(), strict=True):
        for name in ("sizes", "source_sizes", "crops", "cameras", "valid_pixels", "digests"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert (a.keys, a.role, a.size, a.stored) == (b.keys, b.role, b.size, b.stored)
        for name, regime in a.stored.items():
            np.testing.assert_array_equal(regime.labels, b.stored[name].labels)
        for index in range(len(a)):
            shown = [t.name for t, yes in zip(a.tasks, a.labelled[index], strict=True) if yes]
            for task in (None, *shown):
                np.testing.assert_array_equal(
                    a.read_stored(index, task), b.read_stored(index, task)
                )
