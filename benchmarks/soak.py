"""Training, reading and browsing at once, for hours: memory, open files, threads and speed.

A training that saves every 100 steps, a loader with two workers that reads the store through again
and again, and `mtdata browse` that is asked for pages and pictures run side by side. Every minute,
each with its workers, they are looked at. The table compares the second quarter of the time with
the last, as buffers fill in the first; what grows for ever shows there.

    python -m benchmarks.soak --data data/nyu.h5 --minutes 120 [--plot FILE.png] [--smoke]
"""

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil

from benchmarks.data.browse import get, server
from benchmarks.machine import describe
from mtdata import open_store
from mtmodels.training.record.runlog import read_rows

MEASURES = ("MB", "open files", "threads", "done a second")
FLAT = {"MB": 1.05, "open files": 1.0, "threads": 1.0}
"""What the last quarter may have, over the second."""


@dataclass(frozen=True)
class Look:
    """What a part of the work had at a moment: the sums over its processes, and what was done."""

    second: float
    megabytes: float
    files: int
    threads: int
    done: int


class Part:
    """One of the things that go on at once.

    Args:
        name: For people.
        process: What runs it, with its children.
        unit: What it does many of.
    """

    def __init__(self, name: str, process: psutil.Process, unit: str) -> None:
        self.name, self.process, self.unit = name, process, unit
        self.looks: list[Look] = []

    def done(self) -> int:
        """How many of its units are done."""
        raise NotImplementedError

    def look(self, second: float) -> None:
        """Note what it has now."""
        family = [self.process, *self.process.children(recursive=True)]
        found = [_resources(one) for one in family]
        sums = [sum(column) for column in zip(*found, strict=True)]
        self.looks.append(Look(second, sums[0] / 1e6, sums[1], sums[2], self.done()))

    def rows(self) -> Iterator[tuple[str, float, float]]:
        """Each measure: the mean of the second quarter, and of the last."""
        times = [look.second for look in self.looks]
        cuts = np.searchsorted(times, np.quantile(times, [0.25, 0.5, 0.75]))
        quarters = self.looks[cuts[0] : cuts[1] + 1], self.looks[cuts[2] :]
        means = [
            (
                statistics.fmean(look.megabytes for look in each),
                statistics.fmean(look.files for look in each),
                statistics.fmean(look.threads for look in each),
                (each[-1].done - each[0].done) / (each[-1].second - each[0].second),
            )
            for each in quarters
        ]
        yield from zip(MEASURES, *means, strict=True)


def _resources(process: psutil.Process) -> tuple[int, int, int]:
    """Bytes of its own, open files and threads; nothing of a process that has just ended."""
    try:
        with process.oneshot():
            return (
                process.memory_full_info().uss,
                process.num_fds(),
                process.num_threads(),
            )
    except psutil.NoSuchProcess:
        return 0, 0, 0


class Training(Part):
    """`mttrain`, until it is told to stop."""

    def __init__(self, process: psutil.Process, folder: Path) -> None:
        super().__init__("training", process, "steps")
        self._log = folder / "metrics.jsonl"

    def done(self) -> int:
        """Steps in its log."""
        rows = read_rows(self._log) if self._log.is_file() else []
        return max((row["step"] for row in rows if row.get("step")), default=0)


class Reading(Part):
    """A process that reads a store through again and again, and says how far it is."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__("reading", psutil.Process(process.pid), "images")
        self._done = 0
        threading.Thread(target=self._listen, args=(process.stdout,), daemon=True).start()

    def _listen(self, lines: Iterator[str]) -> None:
        for line in lines:
            self._done = int(line)

    def done(self) -> int:
        """Images that it has read."""
        return self._done


class Browsing(Part):
    """`mtdata browse`, asked without a pause."""

    def __init__(self, process: psutil.Process, address: str, data: Path) -> None:
        super().__init__("browsing", process, "answers")
        self._done = 0
        with open_store(data) as store:
            split = next(one for one in store.splits.values() if one.role == "train")
            keys, tasks = split.keys[:300], [task.name for task in store.tasks]
        threading.Thread(
            target=self._ask, args=(address, split.name, keys, tasks), daemon=True
        ).start()

    def _ask(self, address: str, split: str, keys: Sequence[str], tasks: Sequence[str]) -> None:
        turns = count()
        while self.process.is_running():
            connection = HTTPConnection(urlsplit(address).netloc)
            with suppress(HTTPException, OSError):  # an answer that is late; it is asked anew
                for turn in turns:
                    key, task = keys[turn % len(keys)], tasks[turn % len(tasks)]
                    get(connection, f"/api/images?start={turn % len(keys)}&count=50")
                    for what in ("photo", task):
                        get(connection, f"/picture?split={split}&key={key}&what={what}&size=small")
                    self._done += 3
                    time.sleep(0.05)
            time.sleep(0.5)

    def done(self) -> int:
        """Answers that it has given."""
        return self._done


def read_for_ever(data: Path) -> None:
    """Read the training images with two workers, and print how many there were."""
    from mtdata.reading.loader import Loader

    with open_store(data) as store:
        loader = Loader(store.dataset("train"), 4, shuffle=True, workers=2)
        images = 0
        for epoch in count():
            for batch in loader.epoch(epoch):
                images += len(batch.keys)
            print(images, flush=True)


@contextmanager
def ending(process: "subprocess.Popen[str]", number: int = signal.SIGTERM) -> Iterator[None]:
    """Stop a process behind the work."""
    try:
        yield
    finally:
        process.send_signal(number)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def start(data: Path, folder: Path, stack: ExitStack) -> list[Part]:
    """Start all three."""
    words = (
        f"mttrain --method teacher --network unet-resnet18 --width 0.25 --data {data} --batch 4 "
        f"--steps 10000000 --workers 2 --checkpoint-every 100 --log csv --out {folder / 'run'}"
    )
    log = stack.enter_context((folder / "training.log").open("w", encoding="utf-8"))
    training = subprocess.Popen(
        [sys.executable, "-c", _command(words, "mttrain")], stderr=log, text=True
    )
    stack.enter_context(ending(training))
    reading = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.soak", "--data", str(data), "--read"],
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(ending(reading, signal.SIGKILL))
    browsing, address, _ = server(data)
    stack.enter_context(ending(browsing))
    return [
        Training(psutil.Process(training.pid), folder / "run"),
        Reading(reading),
        Browsing(psutil.Process(browsing.pid), address, data),
    ]


def _command(words: str, program: str) -> str:
    """Python that runs a command of ours."""
    return f"import sys; sys.argv = {words.split()!r}; from cli.{program} import main; main()"


def draw(parts: Sequence[Part], path: Path) -> None:
    """Every measure of every part, over the minutes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2 * len(parts)), layout="constrained")
    for row, part in zip(figure.subplots(len(parts), 4, squeeze=False), parts, strict=True):
        minutes = [look.second / 60 for look in part.looks]
        done = np.diff([look.done for look in part.looks]) / np.diff(60 * np.array(minutes))
        values: tuple[Sequence[float], ...] = (
            [look.megabytes for look in part.looks],
            [look.files for look in part.looks],
            [look.threads for look in part.looks],
            done.tolist(),
        )
        for axes, name, each in zip(row, MEASURES, values, strict=True):
            axes.plot(minutes[-len(each) :], each, color="#c8641e", linewidth=1)
            axes.set_ylim(bottom=0)
            axes.set_title(f"{part.name}: {name.replace('done', part.unit)}", fontsize=8)
            axes.tick_params(labelsize=7)
    figure.supxlabel("minutes", fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run everything, look at it, and say what grew."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a store; rooms unless given")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between looks")
    parser.add_argument("--plot", type=Path, help="a picture of all measures")
    parser.add_argument("--smoke", action="store_true", help="half a minute, which says nothing")
    parser.add_argument("--read", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read_for_ever(options.data)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended with it
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        if options.data is None:
            options.data = folder / "rooms.h5"
            words = f"mtdata build --dataset rooms --images 60,8 -o {options.data} --quiet"
            subprocess.run([sys.executable, "-c", _command(words, "mtdata")], check=True)
        minutes, every = (0.5, 2.0) if options.smoke else (options.minutes, options.every)
        print(describe())
        parts = start(options.data, folder, stack)
        while any(part.done() == 0 for part in parts):  # all have begun
            time.sleep(0.5)
        since = time.monotonic()
        while (second := time.monotonic() - since) < 60 * minutes:
            for part in parts:
                if not part.process.is_running():
                    raise SystemExit(f"{part.name} ended after {second / 60:.1f} minutes")
                part.look(second)
            time.sleep(every)
        grown = tell(parts, minutes)
        if options.plot is not None:
            draw(parts, options.plot)
    if grown and not options.smoke:
        raise SystemExit(f"What grew: {', '.join(grown)}.")


def tell(parts: Sequence[Part], minutes: float) -> list[str]:
    """Print the table; returns what grew more than it may."""
    print(f"{minutes:g} minutes; means of the second quarter and of the last")
    grown = []
    for part in parts:
        for name, before, after in part.rows():
            ratio = after / max(before, 1e-9)
            told = name.replace("done", part.unit)
            print(f"{part.name:<10} {told:<18} {before:10.1f} {after:10.1f}   {ratio:.3f}")
            if ratio > FLAT.get(name, float("inf")):
                grown.append(f"{part.name} {told}")
    return grown


if __name__ == "__main__":
    main()
