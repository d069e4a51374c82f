"""Stores and imports that somebody made to do harm: refused at once, within limits, nothing opened.

Each store is made by some of the changes of `tests.mtdata.store.test_hostile`, each index of shards
by one of `test_shards`, and given to the commands that read one. Each import is a pickle, a zip or
a text that would do or claim too much.
"""

import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np

from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.merging.shard import shard
from mtdata.store import format as layout
from tests.mtdata.store.test_hostile import HOSTILE
from tests.mtdata.store.test_shards import HARM, WRONG
from tests.stores.fakes import FakeSource
from tests.stores.store_files import reseal
from tests.trees.damage import Bomb, endless
from tests.trust.trial import EXACT, LEFT, REFUSED, UNCLEAR, Trial, attempt

SMALL = (
    *("--method", "sl", "--network", "unet-resnet18", "--width", "0.0625"),
    *("--steps", "1", "--batch", "2", "--workers", "0"),
)
COMMANDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("mtdata", ("info", "bad.h5")),
    ("mtdata", ("stats", "bad.h5")),
    ("mtdata", ("show", "bad.h5", "--first", "2", "-o", "out.png")),
    ("mtdata", ("verify", "bad.h5")),
    ("mtdata", ("diff", "bad.h5", "good.h5")),
    ("mtdata", ("keys", "bad.h5", "--split", "train")),
    ("mtdata", ("merge", "bad.h5", "good.h5", "-o", "out.h5")),
    ("mtdata", ("export", "bad.h5", "--to", "npy", "-o", "out")),
    ("mtdata", ("regime", "list", "bad.h5")),
    ("mtdata", ("regime", "add", "bad.h5", "--kind", "random")),
    ("mttrain", ("--data", "bad.h5", *SMALL, "-o", "out")),
)
INDEX = "fake.h5"
"""The name of an index of shards, which some changes know."""
Rng = np.random.Generator


def _pickle(path: Path, rng: Rng) -> None:
    path.write_bytes(pickle.dumps(Bomb(path.parent / "went-off"), int(rng.integers(6))))


def _deep(path: Path, rng: Rng) -> None:
    """Tuples in tuples."""
    path.write_bytes(b"\x80\x02" + b"(" * 200_000 + b"t" * 200_000 + b".")


def _doubling(path: Path, rng: Rng) -> None:
    """Each list holds the one before twice."""
    path.write_bytes(b"\x80\x02]q\x00" + b"(h\x00h\x00lq\x00" * 60 + b".")


def _objects(path: Path, rng: Rng) -> None:
    held = np.empty(3, object)
    held[:] = Bomb(path.parent / "went-off")
    with path.open("wb") as file:
        np.save(file, held, allow_pickle=True)


def _absurd(path: Path, rng: Rng) -> None:
    """An array that claims more than it has."""
    buffer = BytesIO()
    np.lib.format.write_array_header_2_0(
        buffer,
        {"descr": "<f8", "fortran_order": False, "shape": (10 ** int(rng.integers(8, 18)), 3)},
    )
    path.write_bytes(buffer.getvalue() + bytes(64))


def _zip(path: Path, rng: Rng) -> None:
    """A member that inflates to 300 MiB, or whose name leads out."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(300 * 2**20) if rng.random() < 0.5 else endless())
        archive.writestr("../../went-off", b"x")


def _aliases(path: Path, rng: Rng) -> None:
    """Texts that stand for others, ten times ten times ten."""
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    path.write_text("\n".join(rows))


def _brackets(path: Path, rng: Rng) -> None:
    path.write_text("[" * 10 ** int(rng.integers(3, 7)))


def _digits(path: Path, rng: Rng) -> None:
    path.write_text('{"semantic": [' + "9" * 10_000 + "]}")


def _wide(path: Path, rng: Rng) -> None:
    """One line of megabytes."""
    path.write_text("key,task\n" + "x" * 2**24 + ",semantic\n")


def _pipe(path: Path, rng: Rng) -> None:
    os.mkfifo(path)


def _itself(path: Path, rng: Rng) -> None:
    path.symlink_to(path.name)


def _zeros(path: Path, rng: Rng) -> None:
    """What never ends."""
    path.symlink_to("/dev/zero")


IMPORTS: tuple[Callable[[Path, Rng], None], ...] = (
    _pickle, _deep, _doubling, _objects, _absurd, _zip, _aliases, _brackets, _digits, _wide, _pipe,
    _itself, _zeros,
)  # fmt: skip
TAKERS: tuple[tuple[str, ...], ...] = (
    ("mtdata", "regime", "add", "good.h5", "--from", "{}", "--name", "mine"),
    ("mttrain", "--data", "good.h5", *SMALL, "-o", "out", "--regime", "{}"),
    ("mttrain", "--data", "good.h5", *SMALL, "-o", "out", "--recipe", "{}"),
    ("mtdata", "info", "{}"),
)
ENDINGS = (".npy", ".pth", ".json", ".csv", ".yaml", ".h5")


def store_trial(folder: Path, good: Path, name: str, rng: Rng) -> Trial:
    """Change a store, and read it by some command; a pipe waits for who opens it from there.

    A command that reads nothing of what was changed may say what it says of the good store.
    """
    path = Path(shutil.copy(good, folder / "bad.h5"))
    with h5py.File(path, "r+", libver=layout.LIBRARY) as file:
        HOSTILE[name](file)
        if not name.startswith(("absurd", "short")):
            with suppress(AttributeError, TypeError, ValueError, KeyError, OSError, RuntimeError):
                reseal(file)
    program, arguments = COMMANDS[int(rng.integers(len(COMMANDS)))]
    trial = _trial(folder, program, list(arguments), f"{name}: {' '.join(arguments)}")
    if trial.outcome != UNCLEAR:
        return trial
    shutil.copy(good, path)
    same = _trial(folder, program, list(arguments), trial.what)
    return replace(trial, outcome=EXACT) if _same(same, trial) else trial


def index_trial(folder: Path, made: Path, name: str, rng: Rng) -> Trial:
    """Change an index of shards, or its files, and read it by some command."""
    place = Path(shutil.copytree(made, folder / "shards"))
    for trap in ("trap", "shards/sub/trap", "shards/.trap"):
        (folder / trap).parent.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            os.mkfifo(folder / trap)
    if name in HARM:
        with h5py.File(place / INDEX, "r+", libver=layout.LIBRARY) as file:
            HARM[name](file)
            reseal(file)
    else:
        WRONG[name][0](place)
        (folder / INDEX).unlink(missing_ok=True)  # where a foreign shard was made
    program, words = COMMANDS[int(rng.integers(len(COMMANDS)))]
    arguments = [f"shards/{INDEX}" if word == "bad.h5" else word for word in words]
    trial = _trial(folder, program, arguments, f"{name}: {' '.join(arguments)}")
    shutil.rmtree(place)
    if trial.outcome == UNCLEAR:
        shutil.copytree(made, place)
        same = _trial(folder, program, arguments, trial.what)
        shutil.rmtree(place)
        return replace(trial, outcome=EXACT) if _same(same, trial) else trial
    return trial


def _same(one: Trial, other: Trial) -> bool:
    """Whether the same was told, but for the length of a file that was written again."""
    told = [re.sub(r"[\d.]+ [kM]?B\b", "", each.told) for each in (one, other)]
    return told[0] == told[1]


def import_trial(folder: Path, number: int, rng: Rng) -> Trial:
    """Make a file, and give it to what takes one."""
    made = IMPORTS[number % len(IMPORTS)]
    path = folder / f"bad{ENDINGS[int(rng.integers(len(ENDINGS)))]}"
    made(path, rng)
    program, *words = TAKERS[int(rng.integers(len(TAKERS)))]
    arguments = [word.format(path.name) for word in words]
    return _trial(folder, program, arguments, f"{made.__name__}: {' '.join(arguments)}")


def _trial(folder: Path, program: str, arguments: list[str], what: str) -> Trial:
    before = {path.name for path in folder.iterdir()}
    ended = attempt(program, arguments, folder=folder)
    more = {path.name for path in folder.iterdir()} - before
    refused = ended.code in (2, 3) and "Usage: " not in ended.said  # read, and not mistyped
    outcome = ended.fault() or (REFUSED if refused else UNCLEAR)
    if outcome == REFUSED and {name for name in more if not name.startswith(".")}:
        outcome = LEFT
    for name in more:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in folder.glob("bad.*"):
        path.unlink()
    return Trial(what, outcome, f"{ended.code} {sorted(more)} {ended.told}")


def trials(folder: Path, count: int, seed: int) -> Iterator[Trial]:
    """Stores, imports and indexes in turn."""
    rng = np.random.default_rng(seed)
    good, whole = folder / "good.h5", folder / "whole" / INDEX
    whole.parent.mkdir()
    for path, images in ((good, 6), (whole, 7)):
        build(FakeSource(images=(images, 2)), path, size=(32, 32), regimes=[RegimeSpec("one")])
    made = shard(whole, images=3).path.parent
    os.mkfifo(folder / "trap")
    names, indexes = list(HOSTILE), [*HARM, *WRONG]
    for number in range(count):
        turn, which = divmod(number, 3)
        if which == 0:
            yield store_trial(folder, good, names[turn % len(names)], rng)
        elif which == 1:
            yield import_trial(folder, turn, rng)
        else:
            yield index_trial(folder, made, indexes[turn % len(indexes)], rng)
