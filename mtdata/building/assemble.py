"""From the journal to the store: chunks are copied as they are, in the order of the keys."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.atomic import replacing
from mtdata.building.journal import Journal
from mtdata.building.prints import Prints, to_table
from mtdata.building.regimes import RegimeSpec, draw_regimes
from mtdata.building.request import Request
from mtdata.building.summary import Skipped
from mtdata.building.workers import Workers
from mtdata.errors import DataError
from mtdata.progress import Progress, telling
from mtdata.store import format as layout
from mtdata.store.codec import decode, encode, filters, pad
from mtdata.store.digest import source_digest
from mtdata.store.opening.file import Header
from mtdata.store.reader import Store
from mtdata.store.regime import RegimeInfo
from mtdata.store.row import Cell, Row
from mtdata.store.writer import IMAGE_TYPE, SplitRows, write_store

Regimes = Mapping[str, Sequence[RegimeInfo]]
"""The regimes of each split."""


def draw_all(
    request: Request, journal: Journal, specs: Sequence[RegimeSpec], *, seed: int
) -> Regimes:
    """Draw the regimes of every training split.

    Raises:
        DataError: where there is no training split, or a regime gives a task no label.
    """
    roles = request.source.roles()
    train = [name for name in request.keys if roles[name] == "train"]
    if specs and not train:
        raise DataError(
            f"a regime should be drawn on a training split; {request.source.name} has none here. "
            "Build without --regime."
        )
    return {
        name: draw_regimes(
            specs,
            request.keys[name],
            request.task_names,
            valid_pixels(journal, name, request.keys[name]),
            seed=seed,
        )
        for name in train
    }


def assemble(
    request: Request,
    journal: Journal,
    out: Path,
    regimes: Regimes,
    *,
    default_regime: str,
    skipped: Sequence[Skipped] = (),
    workers: Workers,
    progress: Progress | None,
    new: bool = False,
) -> str:
    """Write the store under its final name, whole or not at all; returns its content digest.

    Raises:
        DataError: where sizes differ too much to be padded to one.
        MtdataError: where the disk is full or cannot be written.
    """
    header = _header(request, journal, default_regime)
    told: Callable[[Row], Row] = telling(progress, request.samples, "writing the store")
    splits = [
        _split(
            request,
            journal,
            name,
            regimes.get(name, ()),
            [each for each in skipped if each.split == name],
            workers,
        )
        for name in request.keys
    ]
    splits = [replace(split, rows=map(told, split.rows)) for split in splits]
    with replacing(out, needed=space(request, journal), new=new) as temporary:
        digest = write_store(temporary, header, splits, compression=request.compression)
        Store(temporary).close()  # what cannot be opened takes no final name
        return digest


def _header(request: Request, journal: Journal, default_regime: str) -> Header:
    return Header(
        dataset=request.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tool=layout.tool(),
        options=request.options(),
        tasks=request.tasks,
        default_regime=default_regime,
        source_digest=digest_of_source(request, journal),
        content_digest="",
    )


def _split(
    request: Request,
    journal: Journal,
    name: str,
    regimes: Sequence[RegimeInfo],
    skipped: Sequence[Skipped],
    workers: Workers,
) -> SplitRows:
    keys = request.keys[name]
    found = sizes(journal, name, keys)
    size = request.padded_size or common_size(name, found)
    padded = bool((found != size).any())
    rows: Iterator[Row] = (journal.read(name, key) for key in keys)
    if padded:
        # The arguments are bound now: the rows are asked for when the next split is made already.
        rows = workers.near.map(pad_row, zip(rows, repeat(size)))
    facts = source_facts([journal.entries[name, key].prints for key in keys], skipped)
    role = request.source.roles()[name]
    return SplitRows(name, role, keys, size, padded, rows, regimes, facts)


def source_facts(prints: Sequence[Prints], skipped: Sequence[Skipped]) -> dict[str, NDArray[Any]]:
    """The tables of a split about its source: what `mtdata update` compares, what was left out."""
    tables: dict[str, NDArray[Any]] = {layout.SOURCE: to_table(prints)}
    if skipped:
        told = [layout.canonical([each.key, each.what]).encode() for each in skipped]
        tables[layout.SKIPPED] = np.array(told, f"S{max(map(len, told))}")
    return tables


def read_skipped(store: Store) -> tuple[Skipped, ...]:
    """The images that a build left out of a store."""
    return tuple(
        Skipped(name, *json.loads(told.decode()))
        for name, split in store.splits.items()
        if (table := split.fact(layout.SKIPPED)) is not None
        for told in table.tolist()
    )


def space(request: Request, journal: Journal) -> int:
    """Bytes that a store needs, about: its chunks as the journal has them, and its tables."""
    return journal.length + request.samples * 64 * len(request.tasks) + 2**16


def sizes(journal: Journal, split: str, keys: tuple[str, ...]) -> NDArray[np.int32]:
    """Heights and widths of the samples of a split, [n, 2]."""
    return np.array([journal.entries[split, key].size for key in keys], np.int32)


def valid_pixels(journal: Journal, split: str, keys: tuple[str, ...]) -> NDArray[np.int32]:
    """Valid pixels of the labels of a split, [n, tasks]."""
    return np.array([journal.entries[split, key].valid_pixels for key in keys], np.int32)


def common_size(split: str, found: NDArray[np.int32]) -> tuple[int, int]:
    """The size that all images of a split are padded to: just enough for the largest.

    Raises:
        DataError: where that would more than double the mean area.
    """
    height, width = map(int, found.max(axis=0))
    areas = found.astype(np.int64).prod(axis=1)
    if height * width > 2 * areas.mean():
        raise DataError(
            f"the images of split {split} should be of like sizes to be stored as they are; "
            f"padding them to {height}x{width} would more than double their mean area. "
            "Give one size for all with --size HxW and --overwrite."
        )
    return height, width


def digest_of_source(request: Request, journal: Journal) -> str:
    """Digest over the fingerprints of all samples."""
    return source_digest(
        request.source.name,
        (
            (split, key, journal.entries[split, key].prints.content)
            for split, keys in request.keys.items()
            for key in keys
        ),
    )


def pad_row(request: Request, job: tuple[Row, tuple[int, int]]) -> Row:
    """The row with black pixels and void labels up to a size; digests are of the true part."""
    row, size = job
    if row.size == size:
        return row
    image = _pad(request, row.cells[0], (*row.size, 3), size, dtype=IMAGE_TYPE, void=None)
    labels = []
    for cell, task in zip(row.cells[1:], request.tasks, strict=True):
        shape, dtype = layout.stored_form(task.kind, row.size)
        void = task.kind.storage()["void"]
        labels.append(_pad(request, cell, shape, size, dtype=dtype, void=void))
    return replace(row, cells=(image, *labels))


def _pad(
    request: Request,
    cell: Cell,
    shape: tuple[int, ...],
    size: tuple[int, int],
    *,
    dtype: np.dtype[Any],
    void: int | float | None,
) -> Cell:
    if cell.chunk is None:
        return cell
    options = filters(request.compression, dtype, image=void is None)
    stored: NDArray[Any] = decode(cell.chunk, shape, dtype, options)
    full = pad(stored, size, 0 if void is None else void)
    return replace(cell, chunk=encode(full, options))
