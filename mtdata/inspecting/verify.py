"""Verifying a store: structure, checksums, digests and value ranges of every sample."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import NamedTuple

from mtdata.errors import BrokenStoreError, StoreError, UnreachableError, UsageError
from mtdata.inspecting.checking import (
    Samples,
    check_regimes,
    check_structure,
    readable,
    readable_rows,
)
from mtdata.parallel import Pool
from mtdata.progress import Progress
from mtdata.store import Split, Store
from mtdata.store.digest import content_digest, seal, shared_images
from mtdata.store.opening.file import view
from mtdata.store.opening.look import SHORT
from mtdata.urls import StorePath

BLOCK = 16
"""Samples that a process looks at before it tells."""


class Problem(NamedTuple):
    """Something wrong: `where` is a path in the store (split/key/task), `what` says it."""

    where: str
    what: str


class Block(NamedTuple):
    """Samples of a split, from `start` to before `stop`."""

    split: str
    start: int
    stop: int


@dataclass(frozen=True)
class Report:
    """All problems of a store, and how many samples were looked at.

    `shared` are images that splits of another role have too: nothing is wrong with the file, but
    what is trained on would be tested on. `sealed` tells whether its tables and attributes have
    digests: those of stores of before have none, and some changes of them cannot be seen.
    """

    problems: tuple[Problem, ...]
    samples: int
    sealed: bool = field(default=True, compare=False)
    shared: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(
    path: StorePath | str,
    progress: Progress | None = None,
    *,
    split: str | None = None,
    limit: int | None = None,
    jobs: int = 1,
) -> Report:
    """Look at every byte of a store.

    A file that is no store at all raises; one that opens is described by its problems.

    Args:
        path: The store, or its URL.
        progress: Told about samples.
        split: Only the samples of this one; tables and attributes are looked at in all.
        limit: Only so many samples of each split, the first.
        jobs: Worker processes.

    Raises:
        StoreError: where it is no HDF5, cut off, of a newer version or another format; of one on
            object storage, where its server does not answer.
        UsageError: for a split that there is not, and numbers below 1.
        MtdataError: where a worker was killed.
    """
    if jobs < 1 or (limit is not None and limit < 1):
        raise UsageError(f"`jobs` and `limit` should be 1 or more; found {jobs} and {limit}.")
    try:
        store = Store(path, believe=True)
    except BrokenStoreError as error:
        return Report((Problem("/", error.what),), 0)
    with store:
        if split is not None:
            store.split(split)
        problems = [Problem(*found) for s in store.splits.values() for found in check_structure(s)]
        lost = {name: list(readable(each)) for name, each in store.splits.items()}
        problems += [
            Problem(name, what)
            for name, told in lost.items()
            for what in told
            if not any(problem.where.startswith(f"{name}/") for problem in problems)
        ]
        # To read such a chunk may end the interpreter.
        unsafe = {p.where.partition("/")[0] for p in problems if p.what.startswith(SHORT)}
        whole = [s for name, s in store.splits.items() if not lost[name] and name not in unsafe]
        problems += [Problem(*found) for each in whole for found in check_regimes(each)]
        chosen = [each for each in whole if split in (None, each.name)]
        blocks = list(_blocks(chosen, limit, BLOCK if jobs > 1 else 1))
        total, done = sum(block.stop - block.start for block in blocks), 0
        check = _Checks(store) if jobs == 1 else partial(_check, store.path)
        with Pool(jobs) as pool:
            for block, found in zip(blocks, pool.map(check, blocks), strict=True):
                problems += found
                done += block.stop - block.start
                if progress:
                    progress(done, total, "verifying samples")
        problems += _check_root(store, readable=len(whole) == len(store.splits))
        shared = tuple(_shared(whole))
    return Report(tuple(problems), total, store.sealed, shared)


def check_tables(store: Store) -> list[Problem]:
    """What is wrong with arrays, chunks, tables and regimes; no image and no label is read."""
    splits = store.splits.values()
    problems = [Problem(*found) for each in splits for found in check_structure(each)]
    return problems + [Problem(*found) for each in splits for found in check_regimes(each)]


def _blocks(splits: list[Split], limit: int | None, step: int) -> Iterator[Block]:
    for split in splits:
        n = len(split) if limit is None else min(limit, len(split))
        for rows in readable_rows(split):
            for start in range(rows.start, min(rows.stop, n), step):
                yield Block(split.name, start, min(start + step, rows.stop, n))


def _shared(splits: list[Split]) -> Iterator[Problem]:
    tables = ((s.name, s.role, s.keys, (row.tobytes() for row in s.digests[:, 0])) for s in splits)
    for place, other in shared_images(tables).items():
        yield Problem(place, f"the image is {other}, pixel by pixel")


class _Checks:
    """Looks at blocks of the samples of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._samples: dict[str, Samples] = {}

    def __call__(self, block: Block) -> list[Problem]:
        split = self._store.splits[block.split]
        problems: list[Problem] = []
        for index in range(block.start, block.stop):
            try:
                if split.name not in self._samples:
                    self._samples[split.name] = Samples(split)
                found = self._samples[split.name].check(index)
                problems += [Problem(*each) for each in found]
            except UnreachableError:
                raise
            except (StoreError, OSError, KeyError, ValueError, IndexError, RuntimeError) as error:
                # Where the structure is broken, a sample need not be readable at all.
                problems.append(Problem(f"{split.name}/{split.keys[index]}", str(error)))
        return problems


@cache
def _opened(path: StorePath) -> _Checks:
    """One store for the life of a worker."""
    return _Checks(Store(path, believe=True))


def _check(path: StorePath, block: Block) -> list[Problem]:
    return _opened(path)(block)


def _check_root(store: Store, *, readable: bool) -> list[Problem]:
    problems = []
    with view(store.path, looked_at=True) as file:
        same = not store.sealed or seal(file) == store.seal
    if not same:
        problems.append(Problem("/", "the seal does not match the attributes and tables"))
    cells = [(s.name, s.role, s.keys, s.digests) for s in store.splits.values() if readable]
    if readable and content_digest(store.tasks, cells) != store.content_digest:
        problems.append(
            Problem("/", "content_digest does not match the tasks, keys and digests of the cells")
        )
    if store.default_regime not in store.regimes:
        problems.append(
            Problem("/", f"default_regime {store.default_regime!r} is no regime of the store")
        )
    return problems
