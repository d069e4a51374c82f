"""Damaged checkpoints of a small run: scored, predicted with, and gone on from."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from mtmodels.training.loop.result import StepResult
from mtmodels.training.loop.watcher import Standing, Watcher
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.run import fit, prepare
from tests.runs.small_run import small_layer, small_store
from tests.trust.trial import EXACT, LEFT, REFUSED, UNCLEAR, WRONG, Ended, Trial, attempt

FILES = ("network.safetensors", "training.safetensors", "state.pt", "digests.json")
COMMANDS = ("eval", "predict", "eval", "predict", "resume")
Rng = np.random.Generator
Damage = Callable[[Path, Rng], None]


def own(file: Path, content: bytes) -> None:
    """Replace a file: others that share its content keep theirs, as after damage on a disk."""
    file.unlink()
    file.write_bytes(content)


def flip(file: Path, rng: Rng) -> None:
    """One bit."""
    content = bytearray(file.read_bytes())
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    own(file, bytes(content))


def zeros(file: Path, rng: Rng) -> None:
    """A run of zeros, or one block of a disk."""
    content = bytearray(file.read_bytes())
    size = int(rng.choice([1, 4, 64, 512, 4096]))
    place = int(rng.integers(len(content)))
    place -= place % size
    end = min(place + size, len(content))
    content[place:end] = bytes(end - place)
    own(file, bytes(content))


def cut(file: Path, rng: Rng) -> None:
    """The end is missing."""
    content = file.read_bytes()
    own(file, content[: int(rng.integers(len(content)))])


def longer(file: Path, rng: Rng) -> None:
    """Something stands behind the end."""
    own(file, file.read_bytes() + rng.bytes(int(rng.integers(1, 100))))


def empty(file: Path, rng: Rng) -> None:
    """Nothing is left of it."""
    own(file, b"")


def missing(file: Path, rng: Rng) -> None:
    """It is gone."""
    file.unlink()


def swapped(file: Path, rng: Rng) -> None:
    """Another file of the checkpoint stands in its place."""
    others = [each for each in FILES if each != file.name]
    own(file, (file.parent / others[int(rng.integers(len(others)))]).read_bytes())


def pipe(file: Path, rng: Rng) -> None:
    """A named pipe, which whoever opens waits for."""
    file.unlink()
    os.mkfifo(file)


def folder(file: Path, rng: Rng) -> None:
    """A folder."""
    file.unlink()
    file.mkdir()


def link(file: Path, rng: Rng) -> None:
    """A link that leads to itself."""
    file.unlink()
    file.symlink_to(file.name)


DAMAGE: tuple[Damage, ...] = (
    flip, zeros, cut, flip, zeros, cut, longer, empty, missing, swapped, pipe, folder, link,
)  # fmt: skip


class Killed(BaseException):
    """Ends a training between two steps, as a kill would."""


class _KillAt(Watcher):
    def step(self, progress: Standing, result: StepResult) -> None:
        if progress.step == 8:
            raise Killed


class Runs:
    """A run that is whole, one that was killed in its last epoch, and what commands make of them.

    Args:
        folder: Where they are made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        layer = small_layer(small_store(folder)) | {"checkpoint_every": 1}
        layer["network"] = {"name": "unet-resnet18", "width": 0.0625}
        picture = np.random.default_rng(0).integers(0, 255, (32, 64, 3), np.uint8)
        Image.fromarray(picture).save(folder / "a.png")
        with suppress(Killed):
            job = prepare([layer], out=folder / "half", mode="new")
            fit(job, mode="new", arguments=["test"], watcher=_KillAt())
        shutil.copytree(folder / "half", folder / "whole")
        self.expected: dict[str, dict[str, bytes]] = {}
        for name in ("resume", "eval", "predict"):  # the first makes the others' run whole
            if name == "eval":
                shutil.rmtree(folder / "whole" / "scores")
            ended = self.ended(name, folder / "whole")
            assert ended.code == 0, ended.said
            self.expected[name] = self.result(name, folder / "whole")

    def ended(self, name: str, folder: Path) -> Ended:
        """Run a command on a run folder."""
        arguments = {
            "eval": ("mtmodels", ["eval", str(folder)]),
            "predict": ("mtmodels", ["predict", str(folder), "a.png", "-o", f"{folder}/out"]),
            "resume": ("mttrain", ["--out", str(folder), "--resume"]),
        }
        program, given = arguments[name]
        return attempt(program, given, folder=self.folder, seconds=120)

    def result(self, name: str, folder: Path) -> dict[str, bytes]:
        """What it left there: files by name, without the name of the folder."""
        run = RunFolder(folder)
        if name == "predict":
            files = [file for file in sorted((folder / "out").rglob("*")) if file.is_file()]
        else:
            weights = [run.last / "network.safetensors"] if name == "resume" else []
            files = sorted(run.scores.glob("*.json")) + weights
        return {file.name: file.read_bytes().replace(bytes(folder), b"") for file in files}

    def trial(self, rng: Rng) -> Trial:
        """Damage one file, of other checkpoints too now and then, and run a command."""
        name = COMMANDS[int(rng.integers(len(COMMANDS)))]
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder / ("half" if name == "resume" else "whole"), copy)
        shutil.rmtree(copy / "scores", ignore_errors=True)
        shutil.rmtree(copy / "out", ignore_errors=True)
        run = RunFolder(copy)
        places = [run.last, run.last / "before", run.best] if name == "resume" else [run.best]
        damaged = []
        for number, place in enumerate(places):
            if number == 0 or rng.random() < 0.4:
                file = place / FILES[int(rng.integers(len(FILES)))]
                damage = DAMAGE[int(rng.integers(len(DAMAGE)))]
                damage(file, rng)
                damaged.append((file, damage.__name__))
        what = f"{name}: " + ", ".join(f"{file.relative_to(copy)} {kind}" for file, kind in damaged)
        ended = self.ended(name, copy)
        fault = ended.fault()
        if fault is None:
            fault = self.judged(name, copy, ended, [file for file, _ in damaged])
        return Trial(what, fault, ended.told)

    def judged(self, name: str, copy: Path, ended: Ended, damaged: Sequence[Path]) -> str:
        """Whether what a command did is right."""
        if ended.code == 0:
            return EXACT if self.result(name, copy) == self.expected[name] else WRONG
        # Of a list of digests that changed, the files that it lists are told.
        named = any(
            str(file.parent if file.name == "digests.json" else file) in ended.told
            for file in damaged
        )
        if ended.code != 3 or not named or ended.told.count("Error: ") != 1:
            return UNCLEAR
        left = (
            [copy / "out"] if name == "predict" else [] if name == "resume" else [copy / "scores"]
        )
        return LEFT if any(each.exists() and any(each.iterdir()) for each in left) else REFUSED


def trials(folder: Path, count: int, seed: int) -> Iterator[Trial]:
    """Damage checkpoints and use them."""
    runs, rng = Runs(folder), np.random.default_rng(seed)
    for _ in range(count):
        yield runs.trial(rng)
