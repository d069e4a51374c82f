"""One strict look at a file, before anything of it is believed.

HDF5 files may name other files, hold objects of any kind, and claim any size. A store does not: it
has these groups and arrays and no others, and each is of a kind, a form and a size that is checked
here, without reading one.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import RawIOBase
from typing import Any

import h5py
import numpy as np

from mtdata.errors import BrokenStoreError, StoreError
from mtdata.store import format as layout
from mtdata.store.opening.apart import check_end
from mtdata.tasks.task import Task
from mtdata.urls import StorePath

LINKS, ATTRIBUTES = 1_000, 64
"""Members of a group and attributes of an object, at most."""
ATTRIBUTE_BYTES = 2**22
SAMPLE_BYTES = 2**30
"""Bytes of a decoded image or label, at most; in a small file it is less."""
CHUNKS = 30_000
"""Chunks whose size in the file is looked at; of larger stores `mtdata verify` looks at all."""
SHORT = "a chunk has"
FLETCHER, DEFLATE, SHUFFLE, BLOSC = h5py.h5z.FILTER_FLETCHER32, 1, 2, 32001
PIPELINES = ((FLETCHER,), (SHUFFLE, DEFLATE, FLETCHER), (BLOSC, FLETCHER))

Texts = list[tuple[h5py.h5g.GroupID | h5py.h5d.DatasetID, bytes]]


def look_at_root(file: h5py.File, raw: RawIOBase) -> None:
    """Refuse a description that cannot be read, before it is read.

    Args:
        file: The store.
        raw: What it is opened from.

    Raises:
        ValueError: saying what is wrong.
    """
    heap: Texts = []
    _attributes(file.id, heap)
    if heap:
        check_end(lambda: _read_texts(heap), raw)


def look(path: StorePath, file: h5py.File, raw: RawIOBase) -> None:
    """Refuse a file that is made of anything but what a store is made of.

    Args:
        path: What it is called in errors.
        file: The store.
        raw: What it is opened from.

    Raises:
        BrokenStoreError: saying what is wrong.
    """
    size = raw.seek(0, os.SEEK_END)
    heap: Texts = []
    where = "the list of splits"
    version = int(file.attrs["format_version"])
    sharded = version >= layout.SHARDED_VERSION
    budget = CHUNKS
    try:
        if sharded:
            # What a virtual array consists of lies in the heap, and is read when it is opened.
            check_end(lambda: _open_all(file.id), raw)
        for name in members(file.id, h5py.h5g.GroupID):
            where = f"split {name}"
            split = h5py.h5o.open(file.id, name.encode())
            _attributes(split, heap)
            origins = layout.ORIGINS if version >= layout.ADDED_VERSION else ()
            budget = _look_split(split, size, heap, budget, origins, sharded=sharded)
        where = "the description"
        if heap:
            check_end(lambda: _read_texts(heap), raw)
    except StoreError:
        raise
    except (ValueError, OSError, RuntimeError, KeyError) as error:
        reason = str(error).strip().rstrip(".")
        raise BrokenStoreError(path, f"{where} cannot be read ({reason})") from error


def members(group: h5py.h5g.GroupID, *kinds: type) -> list[str]:
    """Names of what a group holds.

    Raises:
        ValueError: where there are too many, one is a link to elsewhere, its name cannot be that of
            a file, or it is of another kind.
    """
    if group.get_num_objs() > LINKS:
        raise ValueError(f"a group has more than {LINKS} members")
    found = []
    for raw in group:
        name = raw.decode("utf-8", "replace")
        if not layout.safe_name(name):
            raise ValueError(f"the name {name!r} should be one word without slashes")
        if group.links.get_info(raw).type != h5py.h5l.TYPE_HARD:
            raise ValueError(f"{name} is a link to elsewhere; nothing outside the file is opened")
        if not isinstance(h5py.h5o.open(group, raw), kinds):
            raise ValueError(f"{name} should not be there, or be another kind of object")
        found.append(name)
    return found


def _look_split(
    split: h5py.h5g.GroupID,
    size: int,
    heap: Texts,
    budget: int,
    origins: Sequence[str],
    *,
    sharded: bool,
) -> int:
    """Look at one split; returns how many more chunks may be looked at."""
    known = {
        layout.KEY,
        layout.IMAGE,
        layout.LABEL,
        layout.REGIME,
        *origins,
        *layout.tables(0),
        *layout.FACTS,
        *([layout.SHARD] if sharded else []),
    }
    needed = known - {layout.REGIME, *origins, *layout.OPTIONAL}
    found = members(split, h5py.h5g.GroupID, h5py.h5d.DatasetID)
    for name in sorted(known.symmetric_difference(found) - (known - needed)):
        raise ValueError(f"{name} {'is missing' if name in known else 'should not be there'}")
    n = int(_dataset(split, layout.KEY, None).shape[0])
    for name in found:
        if name == layout.IMAGE:
            budget = _look_array(_dataset(split, name, n, virtual=sharded), size, heap, budget)
        elif name in (layout.LABEL, layout.REGIME):
            group = _group(split, name, heap)
            for member in members(group, h5py.h5d.DatasetID):
                of_label = name == layout.LABEL
                dataset = _dataset(group, member, n, virtual=sharded and of_label)
                if of_label:
                    budget = _look_array(dataset, size, heap, budget)
                else:
                    _look_table(dataset, size, heap, np.dtype(np.bool_))
        elif name in origins:
            budget = _look_added(_group(split, name, heap), name, n, size, heap, budget)
        else:
            types = {layout.KEY: None, **layout.FACTS, layout.SHARD: None}
            dtype = types[name] if name in types else layout.tables(0)[name][0]
            rows = None if name in (layout.SKIPPED, layout.SHARD) else n
            _look_table(_dataset(split, name, rows), size, heap, dtype)
    return budget


def _group(parent: h5py.h5g.GroupID, name: str, heap: Texts) -> h5py.h5g.GroupID:
    found = h5py.h5o.open(parent, name.encode())
    if not isinstance(found, h5py.h5g.GroupID):
        raise ValueError(f"{name} should be a group")
    _attributes(found, heap)
    return found


def _look_added(
    group: h5py.h5g.GroupID, origin: str, n: int, size: int, heap: Texts, budget: int
) -> int:
    """Look at the labels of one origin that were added; returns how many chunks are left."""
    tables = layout.added_tables(origin)
    arrays = {layout.LABEL} | ({layout.CONFIDENCE} if origin == layout.FILLED else set())
    for task in members(group, h5py.h5g.GroupID):
        added = _group(group, task, heap)
        found = members(added, h5py.h5d.DatasetID)
        for name in sorted({*tables, *arrays}.symmetric_difference(found)):
            missing = name in tables or name in arrays
            raise ValueError(
                f"{origin}/{task}/{name} {'is missing' if missing else 'should not be there'}"
            )
        for name in sorted(arrays):
            budget = _look_array(_dataset(added, name, n), size, heap, budget)
        for name, (dtype, _) in tables.items():
            _look_table(_dataset(added, name, n), size, heap, dtype)
    return budget


def _dataset(
    group: h5py.h5g.GroupID, name: str, n: int | None, *, virtual: bool = False
) -> h5py.Dataset:
    """An array of `n` rows whose values lie in chunks of this file, or, if `virtual`, in others.

    What a virtual one names is compared with the table of shards (`shards.virtual_problems`).
    """
    found = h5py.h5o.open(group, name.encode())
    if not isinstance(found, h5py.h5d.DatasetID):
        raise ValueError(f"{name} should be an array")
    plist = found.get_create_plist()
    if virtual and plist.get_layout() == h5py.h5d.VIRTUAL and found.shape[:1] == (n,):
        return h5py.Dataset(found)
    if plist.get_layout() == h5py.h5d.VIRTUAL or plist.get_external_count():
        raise ValueError(f"{name} lies in other files; nothing outside the file is opened")
    shape = found.shape
    if plist.get_layout() != h5py.h5d.CHUNKED or not shape or (n is not None and shape[0] != n):
        raise ValueError(f"{name} should be chunks of {n or 'some'} rows; found {list(shape)}")
    return h5py.Dataset(found)


def _look_table(dataset: h5py.Dataset, size: int, heap: Texts, dtype: Any) -> None:
    name = dataset.name.rpartition("/")[2]
    _attributes(dataset.id, heap)
    kind = dataset.dtype if dtype is not None else np.dtype(f"S{dataset.dtype.itemsize}")
    if dataset.dtype != (kind if dtype is None else dtype) or dataset.dtype.hasobject:
        raise ValueError(f"{name} should be {dtype or 'text of fixed length'}")
    expected = dataset.size * dataset.dtype.itemsize
    if dataset.ndim > 3 or expected > size:
        raise ValueError(f"{name} claims {expected:,} bytes of a file of {size:,}")
    if dataset.chunks != dataset.shape or pipeline_of(dataset) != (FLETCHER,):
        raise ValueError(f"{name} should be one chunk with a checksum")
    _look_chunks(dataset, size, expected)


def _look_array(dataset: h5py.Dataset, size: int, heap: Texts, budget: int) -> int:
    name = dataset.name.rpartition("/")[2]
    _attributes(dataset.id, heap)
    n, *rest = dataset.shape
    expected = int(np.prod(rest, dtype=object)) * dataset.dtype.itemsize
    limit = min(SAMPLE_BYTES, max(2**26, 256 * size))
    if not 0 < expected <= limit or n > size:
        raise ValueError(f"{name} claims {n:,} x {expected:,} bytes in a file of {size:,}")
    if dataset.is_virtual:
        return budget
    if budget >= n:
        _look_chunks(dataset, size, expected)
    left: int = budget - min(n, budget)
    return left


def _look_chunks(dataset: h5py.Dataset, size: int, expected: int) -> None:
    for problem in chunk_problems(dataset, size, expected):
        raise ValueError(f"{dataset.name.rpartition('/')[2]}: {problem}")


def chunk_problems(dataset: h5py.Dataset, size: int, expected: int) -> Iterator[str]:
    """Chunks that their filters would read beyond: some crash on what is too short.

    Args:
        dataset: The array.
        size: Bytes of the file.
        expected: Bytes of a chunk when it is decoded.
    """
    filters = pipeline_of(dataset)
    raw = not filters or filters == (FLETCHER,)
    least, most = (expected, expected) if raw else (1, expected + expected // 100 + 64)
    checked = FLETCHER in filters

    def wrong(chunk: Any) -> Any:
        held = chunk.size - 4 * checked
        skipped = checked and chunk.filter_mask >> (len(filters) - 1)
        fits = chunk.byte_offset is not None and chunk.byte_offset + chunk.size <= size
        return None if least <= held <= most and fits and not skipped else chunk

    found = dataset.id.chunk_iter(wrong)
    if found is not None:
        yield f"{SHORT} {found.size} bytes, of which no {expected} can be made"


def pipeline_of(dataset: h5py.Dataset) -> tuple[int, ...]:
    """The filters of an array, in the order in which they are written."""
    plist = dataset.id.get_create_plist()
    return tuple(int(plist.get_filter(i)[0]) for i in range(plist.get_nfilters()))


def _attributes(found: Any, heap: Texts) -> None:
    """Refuse attributes of absurd number, size or type; note texts that lie in the heap."""
    if h5py.h5a.get_num_attrs(found) > ATTRIBUTES:
        raise ValueError(f"an object has more than {ATTRIBUTES} attributes")
    for number in range(h5py.h5a.get_num_attrs(found)):
        attribute = h5py.h5a.open(found, index=number)
        kind = attribute.get_type()
        what = kind.get_class()
        name = attribute.name.decode("utf-8", "replace")
        count = int(np.prod(attribute.shape or (1,), dtype=object))
        if count * kind.get_size() > ATTRIBUTE_BYTES or what not in (
            h5py.h5t.STRING, h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM,
        ):  # fmt: skip
            raise ValueError(f"the attribute {name} should be text or numbers of modest size")
        if what == h5py.h5t.STRING and kind.is_variable_str():
            heap.append((found, attribute.name))


def array_problems(
    dataset: h5py.Dataset, n: int, size: tuple[int, int], task: Task | None
) -> Iterator[str]:
    """In what the images (`task` None) or labels of a split differ from what they should be.

    Of virtual ones, what is said of chunks is said of the shards.
    """
    shape: tuple[int, ...] = (*size, 3)
    dtype = np.dtype(np.uint8)
    if task is not None:
        shape, dtype = layout.stored_form(task.kind, size)
    yield from form_problems(dataset, n, shape, dtype)
    if task is not None:
        for name, value in layout.label_attributes(task).items():
            found = layout.plain(dataset.attrs.get(name))
            if not _same(found, value):
                yield f"attribute {name} should be {value}; found {found}"


def form_problems(
    dataset: h5py.Dataset, n: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Iterator[str]:
    """In what an array of `n` samples differs from that shape and type of each."""
    if dataset.shape != (n, *shape) or dataset.dtype != dtype:
        yield f"should be {dtype} {[n, *shape]}; found {dataset.dtype} {list(dataset.shape)}"
    if dataset.is_virtual:
        return
    if dataset.chunks != (1, *dataset.shape[1:]):
        yield f"one sample should be one chunk; found chunks of {dataset.chunks}"
    if not dataset.fletcher32:
        yield "chunks should have a checksum; they have none"
    elif pipeline_of(dataset) not in PIPELINES:
        yield "chunks should be compressed by Blosc or gzip, or not at all"


def _same(found: Any, wanted: Any) -> bool:
    if found is None:
        return False
    if isinstance(wanted, float) and np.isnan(wanted):
        return bool(np.isnan(found))
    return bool(np.array_equal(np.asarray(found), np.asarray(wanted)))


def _read_texts(heap: Texts) -> None:
    for found, name in heap:
        h5py.AttributeManager(
            h5py.Dataset(found) if isinstance(found, h5py.h5d.DatasetID) else h5py.Group(found)
        )[name]


def _open_all(group: h5py.h5g.GroupID, depth: int = 3) -> None:
    """Open what is in a group, as far down as a store is deep; what cannot be is told later."""
    for raw in list(group)[:LINKS]:
        with suppress(ValueError, OSError, RuntimeError, KeyError):
            if group.links.get_info(raw).type != h5py.h5l.TYPE_HARD:
                continue
            found = h5py.h5o.open(group, raw)
            if isinstance(found, h5py.h5g.GroupID) and depth:
                _open_all(found, depth - 1)
