"""Damaged stores: each is read exactly as it was, or refused, and `verify` sees it."""

import hashlib
import os
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.errors import MtdataError
from mtdata.inspecting.verify import verify
from mtdata.store import open_store
from mtdata.store.split import Split
from tests.stores.added import added_store
from tests.stores.fakes import FakeSource
from tests.trust.trial import (
    CRASH,
    EXACT,
    FOREIGN,
    HANG,
    HANGING,
    REFUSED,
    WRONG,
    Trial,
    foreign,
    limit_time,
)

Places = list[tuple[int, int]]
FACTS = ("source", "skipped")
KINDS = ("cut", "flip", "zeros", "block", "chunk", "flip beside the chunks", "zeros beside them")
UNSEEN = "UNSEEN BY VERIFY"


class Found(NamedTuple):
    """What reading all of a store gives, None where it is refused and why, and `verify`'s word."""

    content: dict[Any, Any] | None
    told: str
    fine: bool


def content(path: Path) -> dict[Any, Any]:
    """All that can be read of a store."""
    found: dict[Any, Any] = {}
    with open_store(path) as store:
        about = (store.dataset_name, store.created, store.tool, store.options, store.tasks)
        digests = (store.source_digest, store.content_digest, store.default_regime)
        found["store"] = about, digests
        for name, split in store.splits.items():
            found[name] = _facts(split)
            for index in range(len(split)):
                found[name, index] = _sample(split, index, [task.name for task in store.tasks])
    return found


def _facts(split: Split) -> tuple[Any, ...]:
    tables = (split.sizes, split.source_sizes, split.crops, split.cameras, split.digests)
    facts = [fact if fact is None else fact.tobytes() for fact in map(split.fact, FACTS)]
    return (
        split.role, split.size, tuple(split.keys), split.valid_pixels.tobytes(), facts,
        [table.tobytes() for table in tables],
        {
            n: (r.kind, r.parameters, r.seed, r.origin, r.labels.tobytes())
            for n, r in split.regimes.items()
        },
    )  # fmt: skip


def _sample(split: Split, index: int, names: list[str]) -> tuple[str, dict[str, bytes]]:
    stored = split.fetch(index, names)
    arrays = {"": stored.image, **stored.labels}
    for (origin, name), added in split.added.items():
        if added.there()[index]:
            arrays[f"{origin}/{name}"] = split.read_added(added, index)
    return stored.key, {
        n: hashlib.sha256(np.ascontiguousarray(a).data).digest() for n, a in arrays.items()
    }


def places(path: Path) -> Places:
    """Where chunks begin, and how long they are."""
    found: Places = []

    def take(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            item.id.chunk_iter(lambda chunk: found.append((chunk.byte_offset, chunk.size)))

    with h5py.File(path) as file:
        file.visititems(take)
    return found


def texts(path: Path) -> Places:
    """Where texts lie that are attributes, and how long they are."""
    whole, found = path.read_bytes(), set()

    def take(_: str, item: Any) -> None:
        for value in map(item.attrs.get, item.attrs):
            if isinstance(value, bytes) and value:
                found.add((whole.index(value), len(value)))

    with h5py.File(path) as file:
        take("/", file)
        file.visititems(take)
    return sorted(found)


def damaged(whole: bytes, chunks: Places, kind: str, rng: np.random.Generator) -> bytes:
    """One of the ways in which files are damaged."""
    outside = np.ones(len(whole), bool)
    for place, size in chunks:
        outside[place : place + size] = False
    beside = np.flatnonzero(outside)
    place = int(rng.choice(beside) if "beside" in kind else rng.integers(len(whole)))
    data = bytearray(whole)
    if kind == "cut":
        return whole[:place]
    if kind.startswith("flip"):
        data[place] ^= 1 << int(rng.integers(8))
        return bytes(data)
    size = int(rng.choice([4, 16, 64, 512, 4096]))
    if kind == "block":
        size = 512
        place -= place % size
    elif kind == "chunk":
        place, size = chunks[int(rng.integers(len(chunks)))]
    data[place : place + size] = bytes(min(size, len(data) - place))
    return bytes(data)


def outcome(path: Path) -> Found | str:
    """What reading all of it gives; `HANG`, or how it crashed, where it does not end well.

    In a process of its own, as a crash or a loop of HDF5 would take this one along.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        limit_time()
        all_read, told, fine = None, "", False
        try:
            all_read = content(path)
        except MtdataError as error:
            told = str(error)
        except BaseException as error:
            told = f"{CRASH} {type(error).__name__}: {error}"
        try:
            fine = verify(path).ok
        except MtdataError as error:
            told = told or str(error)
        except BaseException as error:
            told = f"{CRASH} {type(error).__name__}: {error} in verify"
        with os.fdopen(write, "wb") as pipe:
            pickle.dump(Found(all_read, told, fine), pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return HANG if os.WTERMSIG(status) in HANGING else f"{CRASH} by signal {status}"
    found: Found = pickle.loads(data)
    return found.told if found.told.startswith(CRASH) else found


def judged(path: Path, whole: bytes, truth: Mapping[Any, Any]) -> tuple[str, str]:
    """What came of a damaged store, and what was told."""
    found = outcome(path)
    if isinstance(found, str):
        return (HANG if found == HANG else CRASH), found
    if found.content not in (truth, None):
        return WRONG, ""
    if foreign(found.told) or "\n" in found.told:
        return FOREIGN, found.told
    if found.fine and found.content is None:
        return UNSEEN, found.told
    return (EXACT if found.content else REFUSED), found.told


def variants(folder: Path) -> dict[str, Path]:
    """Stores that are made in different ways."""
    regimes = [RegimeSpec("one"), RegimeSpec("one", "one-1"), RegimeSpec("one", "one-3")]
    found = {}
    for compression in ("blosc", "gzip", "none"):
        path = folder / f"{compression}.h5"
        build(FakeSource(images=(6, 1)), path, size=(16, 16), compression=compression,
              regimes=regimes)  # fmt: skip
        found[compression] = path
    sizes = ((16, 16), (12, 20), (20, 9))
    path = folder / "padded.h5"
    build(FakeSource(images=(6, 1), sizes=sizes), path, size=None, regimes=regimes)
    found["padded"] = path
    (folder / "more").mkdir()
    found["added"] = added_store(folder / "more", images=(6, 1))
    return found


def trials(folder: Path, count: int, seed: int) -> Iterator[Trial]:
    """Damage stores, each kind of store in each way, in turn."""
    rng, path = np.random.default_rng(seed), folder / "damaged.h5"
    stores = [
        (name, one.read_bytes(), places(one), content(one))
        for name, one in variants(folder).items()
    ]
    for number in range(count):
        name, whole, chunks, truth = stores[number % len(stores)]
        kind = KINDS[number // len(stores) % len(KINDS)]
        path.write_bytes(damaged(whole, chunks, kind, rng))
        yield Trial(f"{name}: {kind}", *judged(path, whole, truth))
