"""Made-up command lines, and files of words that commands read: refused, or done.

What is typed is drawn from the commands themselves: some of their options, with values of the
right kind or of any other. Files are whole ones of which some values, lines or bytes are others.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import yaml
from PIL import Image

from cli.mtdata import mtdata
from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from cli.shared.common import run
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.run import fit, prepare
from tests.runs.small_run import small_layer, small_store
from tests.trees.folder import write_folder
from tests.trust.batch import batches
from tests.trust.trial import CODES, CRASH, EXACT, FOREIGN, LEFT, REFUSED, Trial, foreign

Rng = np.random.Generator
PROGRAMS: dict[str, click.Command] = {"mtdata": mtdata, "mtmodels": mtmodels, "mttrain": mttrain}
NEVER = {"browse", "demo"}
"""Commands that go on until somebody stops them."""
LASTING = {
    *("--follow", "--images", "--epochs", "--compile", "--jobs", "--workers"),
    *("--debug", "--verbose", "-v"),
}
"""Options that may take long as they should, or say what others must not."""
PATHS = (
    "fake.h5", "run", "source", "source/tasks.yaml", "source/rgb/0001.jpg", "broken.h5", "empty",
    "text.txt", "pipe", "itself", "nothing", "folder", "regime.csv", "recipe.yaml", "out.h5", "out",
    "out.png", "a/b/c", ".", "..", "/", "", "/dev/null", "/proc/self/mem", "x" * 300, "é\udcff",
    "out.json", "out.csv", "out.md", "out.onnx", "~", "-", "run/checkpoints", "run/scores",
)  # fmt: skip
WORDS = (
    "semantic", "depth", "normals", "semantic,depth", "one", "full", "random", "train", "test",
    "val", "all", "holdout", "0001", "té0", "mtpsl", "xtasc", "sl", "xtc", "unet-resnet18", "kd",
    "uncertainty", "rooms", "folder", "nyu", "cityscapes", "pascal", "blosc", "gzip", "npy",
    "none", "32x64", "0x0", "-1x5", "999999x999999", "32", "0", "1", "2", "-1", "1e400", "nan",
    "inf", "-0.0", "0.5", "9" * 30, "9" * 5000, "0x10", "1,1", ",", "", " ", "*", "**x", "[",
    "../x", "a=b", "lr=", "=", "a.b.c=1", "lr=.nan", "tasks=[", "seed=2001-99-99", "\n",
    "method.name=xtc", "network.width=-1", "batch=1e9", "--",
    "-x", "\t", "é", "\udcff", "💥", "null", "true",
    "'", '"', "${HOME}", "%s", "{}", "one+filled:2", "one+derived", "+", "semantic=run",
    "semantic=nothing", "x" * 300, "a/b", "last", "best", "cpu", "cuda", "cuda:7", "auto",
)  # fmt: skip
VALUES: tuple[str, ...] = (
    "null", "true", "0", "-1", "1", "1.5", ".nan", ".inf", "-.inf", "1e400", "9" * 30, "9" * 5000,
    "2001-99-99", "2001-01-01", "!!float x", "!!python/object:os.system x", "!!binary x", "''",
    "'x'", "[]", "{}", "[1, [2, [3]]]", "{a: {b: c}}", "*x", "&x [*x]", "[" * 60, "\t", "'**x'",
    "'{stem}'", "../../etc/passwd", "/etc/passwd", "'*'", "''", "a: b", "- a", "? a", "!", "%",
    "semantic", "depth", "xtc", "sl", "full", "one", "0.001", "[a, a]", "{name: x}", "<<: {a: 1}",
    "0x10", "0o7", "1_000", "12:30:45", "~", "yes", "[semantic, semantic]", "\u2028", "\x00",
)  # fmt: skip


def prepare_pool(folder: Path) -> None:
    """What the commands are given, in `pool`."""
    pool = folder / "pool"
    pool.mkdir()
    layer = small_layer(small_store(pool)) | {
        "epochs": 1,
        "data": "fake.h5",
        "method": {"name": "sl"},
    }
    layer["network"] = {"name": "unet-resnet18", "width": 0.03125}
    (pool / "recipe.yaml").write_text(yaml.safe_dump(layer | {"summary": "x"}))
    before = Path.cwd()
    os.chdir(pool)
    fit(
        prepare([layer], out=Path("run"), mode="new"),
        mode="new",
        arguments=["test"],
        watcher=Watcher(),
    )
    assert run(mtmodels, ["eval", "run", "-q"]) == 0
    os.chdir(before)
    write_folder(pool / "source")
    data = bytearray((pool / "fake.h5").read_bytes())
    data[5000:9000] = bytes(4000)
    (pool / "broken.h5").write_bytes(data)
    (pool / "empty").touch()
    (pool / "text.txt").write_text("some words\n")
    os.mkfifo(pool / "pipe")
    (pool / "itself").symlink_to("itself")
    (pool / "folder").mkdir()
    assert (
        run(
            mtdata,
            [
                "regime",
                "export",
                str(pool / "fake.h5"),
                "one",
                "-o",
                str(pool / "regime.csv"),
                "-q",
            ],
        )
        == 0
    )
    Image.new("RGB", (8, 8)).save(pool / "a.png")


def pick(rng: Rng, values: Sequence[Any]) -> Any:
    """One of some values."""
    return values[int(rng.integers(len(values)))]


def leaves(
    command: click.Command, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands below one."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and name not in NEVER:
                yield from leaves(below, (*path, name))
    else:
        yield path, command


def value_of(parameter: click.Parameter, rng: Rng) -> str:
    """A value of the right kind most of the time."""
    kind = parameter.type
    draw = rng.random()
    if draw < 0.2:
        return str(pick(rng, WORDS + PATHS))
    if isinstance(kind, click.Choice):
        return str(pick(rng, list(kind.choices)))
    if isinstance(kind, click.Path):
        return str(pick(rng, PATHS))
    if isinstance(kind, (click.types.IntParamType, click.types.FloatParamType)):
        return str(pick(rng, ("0", "1", "2", "3", "-1", "1e400", "nan", "inf", "0.5", "9" * 30)))
    return str(pick(rng, WORDS))


def line(rng: Rng) -> tuple[str, list[str]]:
    """A command line: the program and its arguments."""
    program = str(pick(rng, ("mtdata", "mtdata", "mtdata", "mtmodels", "mtmodels", "mttrain")))
    path, command = pick(rng, list(leaves(PROGRAMS[program], ())))
    given: list[str] = list(path)
    for parameter in command.get_params(click.Context(command, **command.context_settings)):
        if isinstance(parameter, click.Argument):
            for _ in range(int(rng.integers(0, 3)) if parameter.nargs < 0 else rng.random() < 0.9):
                # A store or a run, where that is what most commands want.
                good = "run" if program == "mtmodels" else "fake.h5"
                given.append(good if rng.random() < 0.5 else value_of(parameter, rng))
        elif isinstance(parameter, click.Option) and not {*parameter.opts} & LASTING:
            often = 0.9 if parameter.required else 0.12
            for _ in range(1 + (rng.random() < 0.1)):
                if rng.random() < often:
                    given.append(str(pick(rng, parameter.opts)))
                    if not parameter.is_flag:
                        given.append(value_of(parameter, rng))
    if program == "mttrain":
        given += ["--data", "fake.h5", "--dry-run"] if rng.random() < 0.9 else ["--dry-run"]
        given += ["--steps", "1", "--set", "network.width=0.03125"]
    if rng.random() < 0.1:
        given.insert(int(rng.integers(len(given) + 1)), str(pick(rng, WORDS)))
    return program, given


def mangled(text: str, rng: Rng) -> bytes:
    """A text of which some values, lines or bytes are others."""
    lines = text.splitlines()
    for _ in range(int(rng.integers(1, 4))):
        number, how = int(rng.integers(len(lines))), int(rng.integers(9))
        key, colon, _ = lines[number].partition(": ")
        value = str(pick(rng, VALUES))
        if how < 4:
            lines[number] = f"{key}{colon or ': '}{value}"
        elif how == 4:
            lines[number] = f"{key}x{colon}{value}"
        elif how == 5:
            lines.insert(number, lines[int(rng.integers(len(lines)))])
        elif how == 6 and len(lines) > 1:
            del lines[number]
        elif how == 7:
            lines[number] = " " * int(rng.integers(1, 4)) + lines[number]
        else:
            lines.insert(number, str(pick(rng, VALUES)))
    data = bytearray("\n".join(lines).encode(errors="surrogateescape"))
    if rng.random() < 0.2:
        data[int(rng.integers(len(data)))] = int(rng.integers(256))
    return bytes(data)


def tasks_file(rng: Rng) -> tuple[str, list[str]]:
    """A `tasks.yaml`, and the build of its folder."""
    at = Path("source/tasks.yaml")
    at.write_bytes(mangled(at.read_text(), rng))
    return "mtdata", [
        "build",
        "--dataset",
        "folder",
        "--source",
        "source",
        "-o",
        "out.h5",
        "-j",
        "1",
    ]


def recipe(rng: Rng) -> tuple[str, list[str]]:
    """A recipe, and a run by it."""
    at = Path("recipe.yaml")
    at.write_bytes(mangled(at.read_text(), rng))
    return "mttrain", ["--recipe", str(at), "--data", "fake.h5", "--dry-run", "--steps", "1",
                       "--set", "network.width=0.03125"]  # fmt: skip


def configuration(rng: Rng) -> tuple[str, list[str]]:
    """The configuration, manifest or scores of a run, and a command that reads it."""
    files = ("config.yaml", "config.yaml", "manifest.json", "scores/test-mtpsl.json",
             "metrics.jsonl")  # fmt: skip
    at = Path("run") / pick(rng, files)
    at.write_bytes(mangled(at.read_text(), rng))
    return "mtmodels", pick(
        rng,
        (
            ["eval", "run"], ["show", "run"], ["card", "run"], ["runs", "."], ["compare", "run"],
            ["predict", "run", "a.png", "-o", "out"], ["fill", "run", "fake.h5", "-o", "out.h5"],
        ),
    )  # fmt: skip


def regime(rng: Rng) -> tuple[str, list[str]]:
    """A table of labels, and what takes it."""
    at = Path("regime.csv")
    at.write_bytes(mangled(at.read_text(), rng))
    if rng.random() < 0.3:
        at = at.rename(at.with_suffix(str(pick(rng, (".json", ".npy", ".pth", ".txt", "")))))
    return "mtdata", ["regime", "add", "fake.h5", "import", "--from", str(at), "--name", "mine"]


MAKERS: tuple[Callable[[Rng], tuple[str, list[str]]], ...] = (
    line, line, line, line, tasks_file, tasks_file, recipe, configuration, configuration, regime,
)  # fmt: skip


def seen(pool: Path) -> dict[str, tuple[int, int]]:
    """What lies there: names, sizes and times; what is hidden is work that is not done."""
    found = {}
    for at, folders, files in os.walk(pool):
        for name in (*folders, *files):
            path = Path(at, name)
            if not any(part.startswith(".") for part in path.relative_to(pool).parts):
                told = path.lstat()
                found[str(path.relative_to(pool))] = (
                    (told.st_size, told.st_mtime_ns) if name in files else (0, 0)
                )
    return found


def one(folder: Path, number: int, seed: int, note: Callable[..., None]) -> Trial:
    """One line or file, in a fresh copy of the pool where the last one changed it."""
    rng = np.random.default_rng([seed, number])
    pool = folder / "work"
    if not (pool / "fresh").exists():
        os.chdir(folder)
        shutil.rmtree(pool, ignore_errors=True)
        shutil.copytree(folder / "pool", pool, symlinks=True, copy_function=_copy)
        (pool / "fresh").touch()
    os.chdir(pool)
    (pool / "fresh").unlink()
    untouched = seen(pool)
    program, given = pick(rng, MAKERS)(rng)
    what = json.dumps([program, *given])
    note(what)
    before = seen(pool)
    told = folder / "said"
    with told.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        try:
            code: int | None = run(PROGRAMS[program], given)
        except BaseException as error:
            code, raised = None, f"{type(error).__name__}: {error}"
    said = told.read_text(errors="replace")
    after = seen(pool)
    if after == untouched:
        (pool / "fresh").touch()
    if code is None or code not in CODES:
        return Trial(what, CRASH, f"{raised if code is None else code} {said}")
    if code and foreign(said):
        return Trial(what, FOREIGN, said)
    if code and after != before:
        changed = {name for name in after.keys() | before if after.get(name) != before.get(name)}
        return Trial(what, LEFT, f"{sorted(changed)[:8]} {code} {said}")
    return Trial(what, REFUSED if code else EXACT)


def _copy(source: str, target: str) -> None:
    """A file or a pipe."""
    if Path(source).is_fifo():
        os.mkfifo(target)
    else:
        shutil.copy2(source, target)


def trials(folder: Path, count: int, seed: int) -> Iterator[Trial]:
    """Lines and files, each a function of the seed and its number."""
    prepare_pool(folder)
    yield from batches("lines", folder, count, seed)
