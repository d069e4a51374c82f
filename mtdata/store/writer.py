"""Putting finished chunks into one HDF5 file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.store import format as layout
from mtdata.store.codec import Compression, filters
from mtdata.store.digest import content_digest
from mtdata.store.opening import Header
from mtdata.store.regime import RegimeInfo, write_regime
from mtdata.store.row import Row
from mtdata.tasks.role import Role
from mtdata.tasks.task import Task

IMAGE_TYPE = np.dtype(np.uint8)


@dataclass(frozen=True)
class SplitRows:
    """What a split will hold: `rows` yields one row for each of `keys`, in that order.

    `facts` are tables that reading samples does not need.
    """

    name: str
    role: Role
    keys: tuple[str, ...]
    size: tuple[int, int]
    padded: bool
    rows: Iterable[Row]
    regimes: Sequence[RegimeInfo] = ()
    facts: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def write_store(
    path: Path, header: Header, splits: Iterable[SplitRows], *, compression: Compression
) -> str:
    """Write a whole store to `path`; returns its content digest, which `header` need not know."""
    digests = []
    with h5py.File(path, "w", libver=layout.LIBRARY, track_order=False) as file:
        for split in splits:
            group = file.create_group(split.name)
            group.attrs["role"] = split.role
            table = _write_rows(group, split, header.tasks, compression)
            for regime in split.regimes:
                write_regime(group, regime)
            digests.append((split.name, split.role, split.keys, table[layout.DIGEST]))
        digest = content_digest(header.tasks, digests)
        _write_header(file, header, digest)
    return digest


def _write_header(file: h5py.File, header: Header, digest: str) -> None:
    file.attrs["format"] = layout.FORMAT
    file.attrs["format_version"] = header.format_version
    file.attrs["dataset"] = header.dataset
    file.attrs["created"] = header.created
    file.attrs["tool"] = header.tool
    file.attrs["options"] = layout.canonical(header.options)
    file.attrs["tasks"] = layout.tasks_json(header.tasks)
    file.attrs["default_regime"] = header.default_regime
    file.attrs["source_digest"] = header.source_digest
    file.attrs["content_digest"] = digest


def _write_rows(
    group: h5py.Group, split: SplitRows, tasks: tuple[Task, ...], compression: Compression
) -> Mapping[str, NDArray[Any]]:
    arrays = [_image_array(group, split, compression)]
    arrays += [_label_array(group, split, task, compression) for task in tasks]
    # Asked once: h5py asks the library each time, for as long as a label takes to write.
    places = [(array.id, (0,) * (array.ndim - 1)) for array in arrays]
    tables = _empty_tables(len(split.keys), len(tasks), padded=split.padded)
    for i, row in enumerate(split.rows):
        for column, (cell, (array, corner)) in enumerate(zip(row.cells, places, strict=True)):
            tables[layout.DIGEST][i, column] = np.frombuffer(cell.digest, np.uint8)
            if cell.chunk is not None:
                chunk = cell.chunk
                array.write_direct_chunk((i, *corner), chunk.data, filter_mask=chunk.mask)
        tables[layout.VALID_PIXELS][i] = [cell.valid_pixels for cell in row.cells[1:]]
        tables[layout.SOURCE_SIZE][i] = row.source_size
        tables[layout.CROP][i] = row.crop
        tables[layout.CAMERA][i] = row.camera
        if split.padded:
            tables[layout.SIZE][i] = row.size
    _write_table(group, layout.KEY, _key_array(split.keys))
    for name, table in {**tables, **split.facts}.items():
        _write_table(group, name, table)
    return tables


def _image_array(group: h5py.Group, split: SplitRows, compression: Compression) -> h5py.Dataset:
    shape = (*split.size, 3)
    options = filters(compression, IMAGE_TYPE, image=True)
    return _array(group, layout.IMAGE, len(split.keys), shape, IMAGE_TYPE, options, 0)


def _label_array(
    group: h5py.Group, split: SplitRows, task: Task, compression: Compression
) -> h5py.Dataset:
    shape, dtype = layout.stored_form(task.kind, split.size)
    options = filters(compression, dtype, image=False)
    void = task.kind.storage()["void"]
    place = f"{layout.LABEL}/{task.name}"
    array = _array(group, place, len(split.keys), shape, dtype, options, void)
    for name, value in layout.label_attributes(task).items():
        array.attrs[name] = value
    return array


def _array(
    group: h5py.Group,
    name: str,
    n: int,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    options: Mapping[str, Any],
    fill: int | float,
) -> h5py.Dataset:
    # Time stamps stay out: the same data makes the same bytes.
    return group.create_dataset(
        name,
        shape=(n, *shape),
        dtype=dtype,
        chunks=(1, *shape),
        fillvalue=fill,
        track_times=False,
        **options,
    )


def _empty_tables(n: int, tasks: int, *, padded: bool) -> dict[str, NDArray[Any]]:
    tables: dict[str, NDArray[Any]] = {
        layout.SOURCE_SIZE: np.zeros((n, 2), np.int32),
        layout.CROP: np.zeros((n, 4), np.int32),
        layout.CAMERA: np.zeros((n, 4), np.float64),
        layout.VALID_PIXELS: np.zeros((n, tasks), np.int32),
        layout.DIGEST: np.zeros((n, 1 + tasks, 32), np.uint8),
    }
    if padded:
        tables[layout.SIZE] = np.zeros((n, 2), np.int32)
    return tables


def _key_array(keys: tuple[str, ...]) -> NDArray[Any]:
    # Of fixed length: strings of any length lie in a heap that has no checksum.
    data = [key.encode() for key in keys]
    return np.array(data, h5py.string_dtype("utf-8", max(map(len, data))))


def _write_table(group: h5py.Group, name: str, table: NDArray[Any]) -> None:
    group.create_dataset(name, data=table, chunks=table.shape, fletcher32=True, track_times=False)
