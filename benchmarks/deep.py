"""What `mtdata verify --deep` finds of faults that were planted into made-up rooms, and what else.

Five images of 200 (160 to train, 40 to test) get a fault, for each kind and each seed anew. An
image is found where it is named with the right kind; all that is named beside is false.

    python -m benchmarks.deep [--images 200] [--seeds 3] [--smoke]
"""

import argparse
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from benchmarks.faults import DOUBLES, FAULTS, PlantedRooms, scale
from mtdata.inspecting.suspicions import CHECKS
from mtdata.inspecting.suspicions.base import Check, Images, Suspicion
from mtdata.inspecting.suspicions.looking import Measured, judge, note
from mtdata.tasks.sample import Sample

PLANTED = 5
TASKS = [task.name for task in PlantedRooms.tasks()]


class Outcome(NamedTuple):
    """Of one kind of fault: how many were planted and found, and what was named beside."""

    planted: int
    found: int
    false: int


class Rooms:
    """Made-up rooms without a fault, each measured once.

    Args:
        images: How many.
        seed: Which.
    """

    def __init__(self, images: int, seed: int) -> None:
        test = images // 5
        source = PlantedRooms(faults={}, images=(images - test, test), seed=seed)
        self.keys = source.splits()
        self.seed = seed
        self.places = [(split, key) for split, keys in self.keys.items() for key in keys]
        self.checks: list[Check] = [check(source.tasks()) for check in CHECKS.values()]
        self.samples = [source.read(*place, TASKS) for place in self.places]
        start = time.perf_counter()
        self.measured = [self._measure(row, sample) for row, sample in enumerate(self.samples)]
        self.seconds = (time.perf_counter() - start) / images

    def _measure(self, row: int, sample: Sample) -> Measured:
        measured: Measured = {}
        note(measured, row, self.checks, sample)
        return measured

    def suspicions(self, changed: Mapping[int, Sample]) -> tuple[Suspicion, ...]:
        """What is found where some images are others."""
        measured: Measured = {}
        for row, known in enumerate(self.measured):
            one = self._measure(row, changed[row]) if row in changed else known
            for name, (rows, values) in one.items():
                all_rows, of_all = measured.setdefault(name, ([], []))
                all_rows += rows
                of_all += values
        return judge(self.checks, Images(self.keys), measured, len(self.places)).found

    def plant(self, name: str) -> Outcome:
        """Plant a fault five times and look."""
        rng = np.random.default_rng([self.seed, *name.encode()])
        train = np.arange(len(self.keys["train"]))
        changed: dict[int, Sample] = {}
        if name in FAULTS:
            fault = FAULTS[name]
            for row in rng.permutation(len(self.places))[:PLANTED].tolist():
                changed[row] = fault.change(self.samples[row], rng)
            kind, partners = fault.kind, {}
        else:
            kind, _ = DOUBLES[name]
            drawn = rng.permutation(train)[: 2 * PLANTED].tolist()
            copies, partners = drawn[:PLANTED], dict(zip(drawn, drawn[PLANTED:], strict=False))
            if "across" in name:
                test = np.arange(len(train), len(self.places))
                copies = rng.permutation(test)[:PLANTED].tolist()
                partners = dict(zip(copies, drawn[PLANTED:], strict=True))
            changed = {row: self._copy(name, row, partners[row]) for row in copies}
        named = {(*s.place, s.kind) for s in self.suspicions(changed)}
        wanted = {row: self._names(row, partners.get(row), kind) for row in changed}
        found = sum(bool(names & named) for names in wanted.values())
        return Outcome(len(changed), found, len(named - set().union(*wanted.values())))

    def _names(self, row: int, partner: int | None, kind: str) -> set[tuple[str, str, str]]:
        # Of two that are one, nobody knows which is the copy.
        rows = [row] if partner is None else [row, partner]
        return {(*self.places[each], kind) for each in rows}

    def _copy(self, name: str, row: int, partner: int) -> Sample:
        place = self.places[row]
        options = {"images": tuple(map(len, self.keys.values())), "seed": self.seed}
        faults = {place: (name, self.places[partner][1])}
        return PlantedRooms(faults=faults, **options).read(*place, TASKS)

    def split_in_other_unit(self) -> Outcome:
        """The whole test split with depth in tenths."""
        rng = np.random.default_rng(0)
        start = len(self.keys["train"])
        changed = {row: scale(10)(self.samples[row], rng) for row in range(start, len(self.places))}
        named = [s.where for s in self.suspicions(changed)]
        return Outcome(1, int("test/depth" in named), len(named) - ("test/depth" in named))


def measure_all(images: int, seeds: int) -> Iterator[tuple[str, Outcome]]:
    """Each kind of fault, over all seeds."""
    sums: dict[str, list[Outcome]] = {}
    for seed in range(seeds):
        rooms = Rooms(images, seed)
        print(f"seed {seed}: {1000 * rooms.seconds:.1f} ms an image to measure", flush=True)
        clean = rooms.suspicions({})
        for each in clean:
            print(f"  without a fault: {each.where}: {each.kind}: {each.what}")
        sums.setdefault("none", []).append(Outcome(0, 0, len(clean)))
        for name in (*FAULTS, *DOUBLES):
            sums.setdefault(name, []).append(rooms.plant(name))
        sums.setdefault("test split, depth 10 times", []).append(rooms.split_in_other_unit())
    for name, of in sums.items():
        yield name, Outcome(*(sum(each) for each in zip(*of, strict=True)))


def main() -> None:
    """Plant, look and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="sixty images, one seed")
    arguments = parser.parse_args()
    images, seeds = (60, 1) if arguments.smoke else (arguments.images, arguments.seeds)
    found: dict[str, Any] = dict(measure_all(images, seeds))
    print(
        f"\n{seeds} seed(s) of {images} images\n\n| fault | planted | found | false |\n|---|---|---|---|"
    )
    for name, of in found.items():
        print(f"| {name} | {of.planted} | {of.found} | {of.false} |")


if __name__ == "__main__":
    main()
