"""Putting finished chunks into one HDF5 file."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.store import format as layout
from mtdata.store.codec import Compression, filters
from mtdata.store.digest import added_digest, content_digest, seal
from mtdata.store.opening.file import Header
from mtdata.store.opening.look import ATTRIBUTES
from mtdata.store.regime import RegimeInfo, write_regime
from mtdata.store.row import Cell, Row
from mtdata.store.tables import write_table
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
    splits = list(splits)
    with new_file(path, header, [split.name for split in splits]) as file:
        for split in splits:
            group = file[split.name]
            layout.put(group.attrs, {"role": split.role})
            table = _write_rows(group, split, header.tasks, compression)
            for regime in split.regimes:
                write_regime(group, regime)
            digests.append((split.name, split.role, split.keys, table[layout.DIGEST]))
        digest = content_digest(header.tasks, digests)
        finish_file(file, header, digest)
    return digest


@contextmanager
def new_file(path: Path, header: Header, splits: Sequence[str]) -> Iterator[h5py.File]:
    """A new file with a group for each split; `finish_file` is to be called at the end."""
    with written(_created(path)) as file:
        # First, so that these lie side by side in the first page: it alone changes when a regime
        # is added (see `mtdata.store.opening.inplace`).
        size = layout.NAME_BYTES
        default = layout.texts([header.default_regime], size)
        file.attrs.create(layout.DEFAULT_REGIME, default[0], dtype=default.dtype)
        for name in splits:
            file.create_group(name).create_group(layout.REGIME)
        yield file


def finish_file(file: h5py.File, header: Header, digest: str) -> None:
    """Write what a file says of itself: nothing of it but regimes may change from here on."""
    _write_header(file, header, digest)
    layout.put(file.attrs, {layout.SEAL: seal(file)})


@contextmanager
def written(file: h5py.File) -> Iterator[h5py.File]:
    """A file to write, closed at the end; where writing fails, nothing more is written.

    HDF5 cannot let go of what it cannot write: each object that is closed tries again, and on a
    disk that stays full the process ends by a signal. So the rest goes where everything fits.
    """
    try:
        yield file
        file.flush()
    except BaseException:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.id.get_vfd_handle())
        os.close(nowhere)
        with suppress(Exception):
            file.close()
        raise
    file.close()


def _created(path: Path) -> h5py.File:
    """A file whose attributes lie beside what they describe, under its checksum."""
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_attr_phase_change(ATTRIBUTES, 0)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    return h5py.File(h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_TRUNC, creation, access))


def _write_header(file: h5py.File, header: Header, digest: str) -> None:
    layout.put(
        file.attrs,
        {
            "format": layout.FORMAT,
            "format_version": header.format_version,
            "dataset": header.dataset,
            "created": header.created,
            "tool": header.tool,
            "options": layout.canonical(header.options),
            "tasks": layout.tasks_json(header.tasks),
            "source_digest": header.source_digest,
            "content_digest": digest,
            **({"earlier": layout.canonical(header.earlier)} if header.earlier else {}),
        },
    )


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
    write_table(group, layout.KEY, layout.texts(split.keys))
    for name, table in {**tables, **split.facts}.items():
        write_table(group, name, table)
    return tables


def _image_array(group: h5py.Group, split: SplitRows, compression: Compression) -> h5py.Dataset:
    shape = (*split.size, 3)
    options = filters(compression, IMAGE_TYPE, image=True)
    return _array(group, layout.IMAGE, len(split.keys), shape, IMAGE_TYPE, options, 0)


def _label_array(
    group: h5py.Group,
    split: SplitRows,
    task: Task,
    compression: Compression,
    *,
    place: str | None = None,
) -> h5py.Dataset:
    shape, dtype = layout.stored_form(task.kind, split.size)
    options = filters(compression, dtype, image=False)
    void = task.kind.storage()["void"]
    place = place or f"{layout.LABEL}/{task.name}"
    array = _array(group, place, len(split.keys), shape, dtype, options, void)
    layout.put(array.attrs, layout.label_attributes(task))
    return array


@dataclass(frozen=True)
class AddedRows:
    """Labels to be added to a split.

    `about` says of each task where its labels come from; `rows` yields the place of an image and
    two cells for each task of `about`: the label, and its confidence where `origin` is "filled",
    whose `valid_pixels` is the highest of it.
    """

    origin: str
    about: Mapping[Task, Mapping[str, Any]]
    created: str
    rows: Iterable[tuple[int, Sequence[Cell]]]


def write_added(
    group: h5py.Group, added: AddedRows, split: SplitRows, *, compression: Compression
) -> None:
    """Write labels beside those of the split of a file that is whole, in place of earlier ones.

    Args:
        group: The split in the file.
        added: The labels.
        split: What the split is; its rows are not asked for.
        compression: How chunks are compressed.
    """
    n, filled = len(split.keys), added.origin == layout.FILLED
    parts, arrays, tables = [], [], []
    for task in added.about:
        place = f"{added.origin}/{task.name}"
        if place in group:
            del group[place]
        part = group.create_group(place)
        parts.append(part)
        arrays.append(_label_array(part, split, task, compression, place=layout.LABEL))
        if filled:
            options = filters(compression, IMAGE_TYPE, image=False)
            place = layout.CONFIDENCE
            arrays.append(_array(part, place, n, split.size, IMAGE_TYPE, options, 0))
        forms = layout.added_tables(added.origin)
        tables.append({name: np.zeros((n, *row), kind) for name, (kind, row) in forms.items()})
    for index, cells in added.rows:
        _write_chunks(arrays, index, cells)
        for number, table in enumerate(tables):
            label, *confidence = cells[number * (1 + filled) : (number + 1) * (1 + filled)]
            table[layout.VALID_PIXELS][index] = label.valid_pixels
            for column, cell in enumerate((label, *confidence)):
                table[layout.DIGEST][index, column] = np.frombuffer(cell.digest, np.uint8)
                if column:
                    table[layout.MOST][index] = cell.valid_pixels
    for part, table, about in zip(parts, tables, added.about.values(), strict=True):
        for name, values in table.items():
            write_table(part, name, values)
        layout.put(
            part.attrs,
            {
                layout.ABOUT: layout.canonical(about),
                "created": added.created,
                "tool": layout.tool(),
            },
        )
        layout.put(part.attrs, {layout.SHA256: added_digest(part)})


def _write_chunks(arrays: Sequence[h5py.Dataset], index: int, cells: Sequence[Cell]) -> None:
    for array, cell in zip(arrays, cells, strict=True):
        if cell.chunk is not None:
            at = (index,) + (0,) * (array.ndim - 1)
            array.id.write_direct_chunk(at, cell.chunk.data, filter_mask=cell.chunk.mask)


def seal_added(file: h5py.File) -> None:
    """Note that a store has added labels now, so that programs of before refuse it."""
    # In their places: what lies in the first page stays there (see `mtdata.store.opening.inplace`).
    version = max(layout.ADDED_VERSION, int(file.attrs["format_version"]))
    file.attrs.modify("format_version", version)
    file.attrs.modify(layout.SEAL, layout.texts([seal(file)])[0])


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
    return {
        name: np.zeros((n, *shape), dtype)
        for name, (dtype, shape) in layout.tables(tasks).items()
        if padded or name != layout.SIZE
    }
