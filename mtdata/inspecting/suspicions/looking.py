"""Looking through a store for what seems wrong: each image is measured, then all are judged."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError, UsageError
from mtdata.inspecting.suspicions import CHECKS
from mtdata.inspecting.suspicions.base import FEW, Check, Images, Suspicion, Table
from mtdata.parallel import Pool
from mtdata.plugins import load_installed
from mtdata.progress import Progress
from mtdata.store import Split, Store
from mtdata.tasks.sample import Sample
from mtdata.wording import counted

BLOCK = 16
"""Images that are measured together: enough to be worth sending to another process."""
Name = tuple[str, str]
"""A check, and a name that its `measure` gives."""


@dataclass(frozen=True)
class Suspicions:
    """All that looks wrong, the surest of a kind first, and how many images were looked at.

    `notes` say what could not be judged.
    """

    found: tuple[Suspicion, ...]
    images: int
    notes: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, int]:
        """How many there are of each kind."""
        return dict(Counter(each.kind for each in self.found))


class Piece(NamedTuple):
    """Some images of a split: `shown` `[len(indices), tasks]` are the labels that may be seen."""

    split: Split
    indices: tuple[int, ...]
    first_row: int
    shown: NDArray[np.bool_]
    checks: tuple[Check, ...]


def suspect(
    store: Store,
    regime: str | None = None,
    progress: Progress | None = None,
    *,
    checks: Sequence[str] | None = None,
    split: str | None = None,
    limit: int | None = None,
    jobs: int = 1,
) -> Suspicions:
    """Look at each image with the labels that a regime shows; the number of jobs changes nothing.

    Args:
        store: What to look at. Labels that were added to those of its source are not looked at.
        regime: Name of a regime; None, and a split without that regime, means every label.
        progress: Told about images.
        checks: Names of `CHECKS`; None for all.
        split: Name of the one split to look at; None for all.
        limit: Only so many images of each split, the first; None for all.
        jobs: Worker processes.

    Raises:
        UsageError: where `limit` or `jobs` is below 1.
        UnknownNameError: for a regime, a split or a check that there is not.
        StoreError: where an image or a label is broken.
        MtdataError: where a worker was killed.
    """
    if jobs < 1 or (limit is not None and limit < 1):
        raise UsageError(f"`jobs` and `limit` should be 1 or more; found {jobs} and {limit}.")
    if regime is not None:
        store.check_regime(regime)
    splits = store.splits if split is None else {split: store.split(split)}
    if checks is None:
        load_installed()  # all are those of installed plug-ins, too
    names = tuple(CHECKS if checks is None else dict.fromkeys(checks))
    chosen = tuple(CHECKS[name](store.tasks) for name in names)
    keys = {name: list(each.keys)[:limit] for name, each in splits.items()}
    images = Images(keys)
    total, done = sum(map(len, keys.values())), 0
    measured: dict[Name, list[Table]] = defaultdict(list)
    pieces = list(_pieces(splits, regime, keys, chosen))
    with Pool(jobs) as pool:
        for piece, found in zip(pieces, pool.map(measure, pieces), strict=True):
            for name, table in found.items():
                measured[name].append(table)
            done += len(piece.indices)
            if progress:
                progress(done, total, "looking at labels")
    return judge(chosen, images, {name: _joined(parts) for name, parts in measured.items()}, total)


def _pieces(
    splits: Mapping[str, Split],
    regime: str | None,
    keys: Mapping[str, Sequence[str]],
    checks: tuple[Check, ...],
) -> Iterator[Piece]:
    row = 0
    for name, each in splits.items():
        shown = each.visible(each.regime_or_full(regime))
        for start in range(0, len(keys[name]), BLOCK):
            indices = tuple(range(start, min(start + BLOCK, len(keys[name]))))
            yield Piece(each, indices, row, shown[list(indices)], checks)
            row += len(indices)


def measure(piece: Piece) -> dict[Name, Table]:
    """The numbers of the images of a piece. A label that may not be seen is not read."""
    names = [task.name for task in piece.split.tasks]
    found: dict[Name, list[Table]] = defaultdict(list)
    for number, (index, shown) in enumerate(zip(piece.indices, piece.shown, strict=True)):
        seen = [name for name, yes in zip(names, shown, strict=True) if yes]
        for name, values in numbers(piece.checks, piece.split.read(index, seen)).items():
            found[name].append(Table(np.array([piece.first_row + number]), values[None]))
    return {name: _joined(parts) for name, parts in found.items()}


def numbers(checks: Sequence[Check], sample: Sample) -> dict[Name, NDArray[Any]]:
    """What all checks measure of one image."""
    true, found = sample.trimmed(), dict[Name, NDArray[Any]]()
    for check in checks:
        measured: object = check.measure(true)
        if not isinstance(measured, Mapping) or not all(
            isinstance(values, np.ndarray | np.generic) for values in measured.values()
        ):
            raise DataError(
                f"the check `{check.name}` should give a dict of name to array from `measure`; "
                f"found {measured!r:.80} for {sample.key}."
            )
        found |= {(check.name, name): values for name, values in measured.items()}
    return found


def _joined(parts: Sequence[Table]) -> Table:
    rows, values = zip(*parts, strict=True)
    return Table(np.concatenate(rows), np.concatenate(values))


def judge(
    checks: Sequence[Check], images: Images, measured: Mapping[Name, Table], count: int
) -> Suspicions:
    """What each check finds odd among the numbers of all images."""
    found: list[Suspicion] = []
    few: dict[str, int] = {}
    for check in checks:
        tables = {name: table for (of, name), table in measured.items() if of == check.name}
        few |= {n: len(t.rows) for n, t in tables.items() if n in check.tasks and len(t.rows) < FEW}
        found += check.judge(images, tables) if tables else ()
    order = {kind: number for number, kind in enumerate(dict.fromkeys(f.kind for f in found))}
    found.sort(key=lambda f: (order[f.kind], -(f.score or 0)))
    notes = [
        f"{name}: {counted(number, 'label')} to look at, too few to say what is usual. Most checks "
        f"need {FEW}."
        for name, number in few.items()
    ]
    return Suspicions(tuple(found), count, tuple(notes))
