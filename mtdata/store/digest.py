"""Digests: what makes two stores hold the same data."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.store import format as layout
from mtdata.store.format import tasks_json
from mtdata.tasks.task import Task

BYTES = 32
ABSENT = bytes(BYTES)
"""The digest of a label that is not there."""


def cell_digest(stored: NDArray[Any]) -> bytes:
    """SHA-256 of one image or label out of its codec: type, shape, then the values.

    The values are the integers of the file, not their physical meaning (`scale` is part of the
    tasks): no floating-point unit has a say in it. Padding is cut off before.
    """
    little = stored.astype(stored.dtype.newbyteorder("<"), copy=False)
    digest = start_digest(little.dtype, stored.shape)
    digest.update(np.ascontiguousarray(little).data)
    found: bytes = digest.digest()
    return found


def start_digest(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """The digest of an array of which no values were taken in yet."""
    return hashlib.sha256(f"{dtype.str}{list(shape)}".encode())


def content_digest(
    tasks: tuple[Task, ...],
    splits: Iterable[tuple[str, str, Sequence[str], NDArray[np.uint8]]],
) -> str:
    """Digest over tasks, keys and cells, as 64 hexadecimal digits.

    Args:
        tasks: The tasks, in the order of the cells.
        splits: Name, role, keys and digests [n, 1 + tasks, 32] of each split.
    """
    digest = hashlib.sha256(tasks_json(tasks).encode())
    for name, role, keys, cells in sorted(splits, key=lambda split: split[0]):
        _update(digest, name, role, str(len(keys)))
        for key, row in zip(keys, cells, strict=True):
            _update(digest, key)
            digest.update(np.ascontiguousarray(row).data)
    return digest.hexdigest()


def shared_images(
    splits: Iterable[tuple[str, str, Sequence[str], Iterable[bytes]]],
) -> dict[str, str]:
    """Images that a split of another role has too: what is trained on must not be tested on.

    Args:
        splits: Name, role, keys and digests of the images of each split.

    Returns:
        SPLIT/KEY of each, and of the first that is pixel by pixel the same.
    """
    first: dict[bytes, tuple[str, str]] = {}
    found = {}
    for name, role, keys, images in splits:
        for key, image in zip(keys, images, strict=True):
            other, place = first.setdefault(image, (role, f"{name}/{key}"))
            if other != role:
                found[f"{name}/{key}"] = place
    return found


def seal(file: h5py.File) -> str:
    """Digest over all attributes of a store and the digests of its tables, as 64 digits.

    It is the same whatever regimes are added: these have digests of their own.
    """
    digest = hashlib.sha256()
    _update_attributes(digest, "/", file.attrs, but=(layout.DEFAULT_REGIME, layout.SEAL))
    for name in sorted(file):
        group = file[name]
        _update_attributes(digest, name, group.attrs)
        grouped = {layout.LABEL, layout.REGIME, *layout.ORIGINS}
        arrays = [group[each] for each in sorted({*group} - grouped)]
        arrays += [group[layout.LABEL][each] for each in sorted(group[layout.LABEL])]
        for added in added_groups(group):
            _update_attributes(digest, added.name, added.attrs)
            arrays += [added[each] for each in sorted(added)]
        for array in arrays:
            _update(digest, array.name, array.dtype.str, str(array.shape))
            _update_attributes(digest, array.name, array.attrs)
    return digest.hexdigest()


def added_groups(group: h5py.Group) -> list[h5py.Group]:
    """What was added to the labels of a split: a group for each origin and task."""
    there = [origin for origin in layout.ORIGINS if origin in group]
    return [group[origin][task] for origin in there for task in sorted(group[origin])]


def added_digest(group: h5py.Group) -> str:
    """Digest over what is said of added labels and, by their tables, over each, as 64 digits."""
    digest = hashlib.sha256()
    _update(digest, str(layout.plain(group.attrs[layout.ABOUT])))
    for name in sorted({*group} & {*layout.added_tables(layout.FILLED)}):
        _update(digest, name, str(layout.plain(group[name].attrs[layout.SHA256])))
    return digest.hexdigest()


def regime_digest(dataset: h5py.Dataset, labels: NDArray[np.bool_]) -> str:
    """Digest over the labels of a regime and all that is said of it, as 64 digits."""
    digest = hashlib.sha256(np.ascontiguousarray(labels, dtype=bool).data)
    _update_attributes(digest, dataset.name, dataset.attrs, but=(layout.SHA256,))
    return digest.hexdigest()


def _update_attributes(
    digest: Any, where: str, attributes: h5py.AttributeManager, *, but: Sequence[str] = ()
) -> None:
    for name in sorted({*attributes} - {*but}):
        value = attributes[name]
        array = np.zeros(0) if isinstance(value, h5py.Empty) else np.asarray(value)
        _update(digest, where, name, array.dtype.str, str(array.shape))
        digest.update(array.tobytes())


def source_digest(name: str, fingerprints: Iterable[tuple[str, str, bytes]]) -> str:
    """Digest over what a source was read from: (split, key, fingerprint) of every sample."""
    digest = hashlib.sha256()
    _update(digest, name)
    for split, key, fingerprint in sorted(fingerprints):
        _update(digest, split, key)
        digest.update(fingerprint)
    return digest.hexdigest()


def _update(digest: Any, *texts: str) -> None:
    # The length goes first, so that no two lists of texts run together into the same bytes.
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(4, "little"))
        digest.update(data)
