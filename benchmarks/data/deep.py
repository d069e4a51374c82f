"""What `mtdata verify --deep` finds of faults that were planted into labels, and what else.

Five images get a fault, for each kind and each seed anew: of 200 made-up rooms (160 to train, 40 to
test), or of a store. An image is found where it is named with the right kind; false are those of
the others that are named.

    python -m benchmarks.data.deep [--images 200] [--seeds 3] [--smoke]
    python -m benchmarks.data.deep --data nyu.h5 [--seeds 3]
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.faults import DOUBLES, FAULTS, PlantedRooms, copied, put, scale
from mtdata import Sample, Task, open_store
from mtdata.inspecting.suspicions import CHECKS
from mtdata.inspecting.suspicions.base import Check, Images, Suspicion, Table
from mtdata.inspecting.suspicions.looking import Name, judge, numbers

PLANTED = 5


class Outcome(NamedTuple):
    """Of one kind of fault: how many were planted and found, and how many others were named."""

    planted: int
    found: int
    false: int


class Measurer:
    """Images as they are, each measured once.

    Args:
        tasks: Of their labels.
        samples: The images of each split.
    """

    def __init__(self, tasks: Sequence[Task], samples: Mapping[str, Sequence[Sample]]) -> None:
        self.names = [task.name for task in tasks]
        self.keys = {split: [each.key for each in of] for split, of in samples.items()}
        self.places = [(split, key) for split, keys in self.keys.items() for key in keys]
        self.checks: list[Check] = [check(tasks) for check in CHECKS.values()]
        self.samples = [sample for of in samples.values() for sample in of]
        start = time.perf_counter()
        self.measured = [numbers(self.checks, sample) for sample in self.samples]
        self.seconds = (time.perf_counter() - start) / len(self.samples)

    def suspicions(self, changed: Mapping[int, Sample]) -> tuple[Suspicion, ...]:
        """What is found where some images are others."""
        rows: dict[Name, list[int]] = defaultdict(list)
        values: dict[Name, list[NDArray[Any]]] = defaultdict(list)
        for row, known in enumerate(self.measured):
            one = numbers(self.checks, changed[row]) if row in changed else known
            for name, found in one.items():
                rows[name].append(row)
                values[name].append(found)
        tables = {name: Table(np.array(of), np.stack(values[name])) for name, of in rows.items()}
        return judge(self.checks, Images(self.keys), tables, len(self.places)).found

    def plant(self, name: str, seed: int) -> Outcome:
        """Plant a fault five times and look; what is suspected without it counts as false."""
        rng = np.random.default_rng([seed, *name.encode()])
        rows, others = self._rows(name, rng)
        if name in FAULTS:
            kind = FAULTS[name].kind
            changed = {row: FAULTS[name].change(self.samples[row], rng) for row in rows}
        else:
            kind, mirrored = DOUBLES[name]
            changed = {
                row: put(s, "image", copied(self.samples[other].image, rng, mirrored=mirrored))
                for row, other in zip(rows, others, strict=True)
                for s in [self.samples[row]]
            }
        named = {(*each.place, each.kind) for each in self.suspicions(changed)}
        # Of two that are one, nobody knows which is the copy.
        places = [{self.places[a], self.places[b]} for a, b in zip(rows, others, strict=True)]
        found = sum(any((*place, kind) in named for place in pair) for pair in places)
        touched = set().union(*places)
        return Outcome(PLANTED, found, len({n[:2] for n in named} - touched))

    def _rows(self, name: str, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        """Which images get a fault, and which one each is a copy of (itself for other faults)."""
        train = len(next(iter(self.keys.values())))
        if name in FAULTS:
            labelled = [
                i for i, s in enumerate(self.samples) if s.labels.keys() >= {*self.names[:3]}
            ]
            rows = rng.permutation(labelled)[:PLANTED].tolist()
            return rows, rows
        drawn = rng.permutation(train)[: 2 * PLANTED].tolist()
        if "across" in name:
            return (train + rng.permutation(len(self.places) - train)[:PLANTED]).tolist(), drawn[:5]
        return drawn[:PLANTED], drawn[PLANTED:]

    def split_in_other_unit(self) -> Outcome:
        """All of the second split with depth in tenths."""
        rng = np.random.default_rng(0)
        first, second, *_ = self.keys
        start = len(self.keys[first])
        rows = range(start, start + len(self.keys[second]))
        changed = {row: scale(10)(self.samples[row], rng) for row in rows}
        named = {each.place for each in self.suspicions(changed)}
        return Outcome(1, int((second, "") in named), len(named - {(second, "")}))


def rooms(images: int, seed: int, **options: Any) -> Measurer:
    """Made-up rooms without a fault."""
    numbers = (images - images // 5, images // 5)
    source = PlantedRooms(faults={}, images=numbers, seed=seed, **options)
    names = [task.name for task in source.tasks()]
    splits = source.splits().items()
    return Measurer(
        source.tasks(), {s: [source.read(s, key, names) for key in keys] for s, keys in splits}
    )


def stored(path: Path) -> Measurer:
    """All that is in a store."""
    with open_store(path) as store:
        names = [task.name for task in store.tasks]
        samples = {
            name: [split.read(i, names).trimmed() for i in range(len(split))]
            for name, split in store.splits.items()
        }
        return Measurer(store.tasks, samples)


def outcomes(data: Path | None, images: int, seeds: int) -> Iterator[tuple[str, Outcome]]:
    """Each kind of fault, over all seeds."""
    sums: dict[str, list[Outcome]] = {}
    measurer = None
    for seed in range(seeds):
        if measurer is None or data is None:
            measurer = rooms(images, seed) if data is None else stored(data)
            clean = measurer.suspicions({})
            print(f"seed {seed}: {1000 * measurer.seconds:.1f} ms an image to measure", flush=True)
            for each in clean:
                print(f"  without a fault: {each.where}: {each.kind}: {each.what}")
            sums.setdefault("none", []).append(Outcome(0, 0, len(clean)))
        for name in (*FAULTS, *DOUBLES):
            sums.setdefault(name, []).append(measurer.plant(name, seed))
        sums.setdefault("a split, depth 10 times", []).append(measurer.split_in_other_unit())
    for name, of in sums.items():
        yield name, Outcome(*(sum(each) for each in zip(*of, strict=True)))


def main() -> None:
    """Plant, look and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a store in place of rooms")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="sixty images, one seed")
    arguments = parser.parse_args()
    images, seeds = (60, 1) if arguments.smoke else (arguments.images, arguments.seeds)
    found = list(outcomes(arguments.data, images, seeds))
    print(f"\n{seeds} seed(s)\n\n| fault | planted | found | false |")
    print("|---|---|---|---|")
    for name, of in found:
        print(f"| {name} | {of.planted} | {of.found} | {of.false} |")


if __name__ == "__main__":
    main()
