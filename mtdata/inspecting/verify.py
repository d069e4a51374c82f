"""Verifying a store: structure, checksums, digests and value ranges of every sample."""

from dataclasses import dataclass
from pathlib import Path

from mtdata.errors import BrokenStoreError, StoreError
from mtdata.inspecting.checking import check_sample, check_structure
from mtdata.progress import Progress
from mtdata.store.digest import content_digest
from mtdata.store.format import FULL
from mtdata.store.reader import Store


@dataclass(frozen=True)
class Problem:
    """Something wrong: `where` is a path in the store (split/key/task), `what` says it."""

    where: str
    what: str


@dataclass(frozen=True)
class Report:
    """All problems of a store, and how many samples were looked at."""

    problems: tuple[Problem, ...]
    samples: int

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(path: Path | str, progress: Progress | None = None) -> Report:
    """Look at every byte of a store.

    A file that is no store at all raises; one that opens is described by its problems.

    Raises:
        StoreError: where it is no HDF5, cut off, of a newer version or another format.
    """
    try:
        store = Store(path)
    except BrokenStoreError as error:
        return Report((Problem("/", error.what),), 0)
    with store:
        problems = _check_root(store)
        total = sum(map(len, store.splits.values()))
        done = 0
        for split in store.splits.values():
            problems += [Problem(*found) for found in check_structure(split)]
            for index in range(len(split)):
                try:
                    problems += [Problem(*found) for found in check_sample(split, index)]
                except (StoreError, OSError, KeyError, ValueError, IndexError) as error:
                    # Where the structure is broken, a sample need not be readable at all.
                    problems.append(Problem(f"{split.name}/{split.keys[index]}", str(error)))
                done += 1
                if progress:
                    progress(done, total, "verifying samples")
    return Report(tuple(problems), total)


def _check_root(store: Store) -> list[Problem]:
    problems = []
    cells = [(s.name, s.role, s.keys, s.digests) for s in store.splits.values()]
    if content_digest(store.tasks, cells) != store.content_digest:
        problems.append(
            Problem("/", "content_digest does not match the tasks, keys and digests of the cells")
        )
    if store.default_regime != FULL and store.default_regime not in store.regimes:
        problems.append(
            Problem("/", f"default_regime {store.default_regime!r} is no regime of the store")
        )
    return problems
