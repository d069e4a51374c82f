"""Options that several commands take, and the functions that check them."""

import math
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cli.shared.completion import of_store
from mtdata.errors import UsageError
from mtdata.urls import StorePath, local, located


class File(click.Path):
    """A path that the library opens, whose error says more than click's; no URL."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path.

        Raises:
            UsageError: for a URL.
        """
        return local(value)


class StoreFile(File):
    """A store that is read: a path, or a URL."""

    def convert(  # type: ignore[override]  # it may be a URL as well
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> StorePath:
        """The path or the URL."""
        return located(value)


FILE, STORE = File(), StoreFile()


class Number(click.types.FloatParamType):
    """A number: click takes `nan` and infinity for one."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number; one that is none, or infinite, is a usage error."""
        found: float = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"should be a finite number; found {value}.", param, ctx)
        return found


class NumberRange(Number, click.FloatRange):
    """A number within limits."""


NUMBER = Number()


def size(*words: str) -> Callable[[str], tuple[int, int] | str]:
    """A type for an option: height and width as `288x384`, or one of some words."""

    def parse(value: str) -> tuple[int, int] | str:
        if value in words:
            return value
        match = re.fullmatch(r"(\d+)[xX](\d+)", value)
        if match is None or not int(match[1]) or not int(match[2]):
            known = " or ".join(["height x width such as 288x384", *words])
            raise click.BadParameter(f"should be {known}; found {value!r}.")
        return int(match[1]), int(match[2])

    return parse


def names(value: str) -> tuple[str, ...]:
    """A type for an option: names with commas between them."""
    found = tuple(name.strip() for name in value.split(",") if name.strip())
    if not found:
        raise click.BadParameter("should be names with commas between them; found none.")
    return found


def pair(value: str) -> tuple[int, int]:
    """A type for an option: two whole numbers with a comma between them."""
    match = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*", value)
    if match is None:
        raise click.BadParameter(f"should be two numbers such as 400,100; found {value!r}.")
    return int(match[1]), int(match[2])


def shares(value: str) -> dict[str, float]:
    """A type for an option: a number for each of some names, as `semantic=0.9,depth=0.1`."""
    found: dict[str, float] = {}
    for entry in value.split(","):
        match = re.fullmatch(r"\s*([^=\s]+)\s*=\s*([0-9.eE+-]+)\s*", entry)
        try:
            name, number = (match[1], float(match[2])) if match else ("", 0.0)
        except ValueError:
            name = ""
        if not name or name in found:
            what = "each name once" if name else "a share for each task"
            raise click.BadParameter(
                f"should be {what}, such as semantic=0.9,depth=0.1; found {value!r}."
            )
        found[name] = number
    return found


def runs(value: str) -> dict[str, str] | tuple[str, ...]:
    """A type for an option: run folders, or one for each of some names, `semantic=runs/a,…`.

    A folder with a comma or an equals sign in its name is for --set.
    """
    pairs = [tuple(part.strip() for part in entry.split("=")) for entry in value.split(",")]
    found, named = {pair[0]: pair[-1] for pair in pairs}, "=" in value
    if len(found) < len(pairs) or any(len(pair) != 1 + named or not all(pair) for pair in pairs):
        raise click.BadParameter(
            "should be a run for each task, such as semantic=runs/a,depth=runs/b, or runs alone, "
            f"such as runs/a,runs/b; found {value!r}."
        )
    return found if named else tuple(found)


def given(name: str) -> bool:
    """Whether an option of the command that runs was given, be it as what it is by default."""
    source = click.get_current_context().get_parameter_source(name)
    return source not in (None, ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)


def check_page(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a file for a page that no browser would take for one."""
    if path is not None and path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out should name a page that ends in .html; found {path}.")
    return path


def assignment(value: str) -> tuple[str, Any]:
    """A type for an option: a name and its value, a number say, as YAML reads it."""
    from mtdata.yaml_text import YamlError, load_yaml

    name, equals, text = value.partition("=")
    if not equals or not name.strip():
        raise click.BadParameter(f"should be a name and a value such as level=3; found {value!r}.")
    try:
        return name.strip(), load_yaml(text)
    except YamlError as error:
        raise click.BadParameter(f"should be YAML; found {text[:80]!r}: {error.what}.") from None


set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    type=assignment,
    metavar="NAME=VALUE",
    help="An option that has no flag here, as those of plug-ins; may be repeated.",
)


def regime_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of regimes to a command."""
    for option in (
        click.option("--stable", is_flag=True, help="Decide for each image by itself: adding "
                     "images changes no labels of others. Counts are right on average only."),
        click.option("--share", type=NUMBER, help="fraction: the share of images with labels."),
        click.option("--ratio", type=shares, metavar="A=X,B=Y",
                     help="imbalanced: the share of each task, such as semantic=0.9,depth=0.1."),
    ):  # fmt: skip
        command = option(command)
    return command


def file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add to a command what the files of a source may be, which `allowing_files` allows."""
    for option in (
        click.option("--max-megapixels", type=NumberRange(0, 1073, min_open=True),
                     help="Millions of pixels that an image may have.  [default: 67]"),
        click.option("--follow-links", is_flag=True,
                     help="Read files that links name outside of the source folder."),
    ):  # fmt: skip
        command = option(command)
    return command


def allowing_files(options: dict[str, Any]) -> AbstractContextManager[None]:
    """Allow what `file_options` were given, and take them out of the options of the command."""
    from mtdata.sources.files.allowed import PIXELS, allowing

    megapixels: float | None = options.pop("max_megapixels")
    pixels = PIXELS if megapixels is None else round(megapixels * 1e6)
    return allowing(links=options.pop("follow_links"), pixels=pixels)


COMPRESSIONS = ("blosc", "gzip", "none")
"""Those of the store, which takes numpy and h5py to import."""

split_name = partial(click.option, "--split", metavar="NAME", shell_complete=of_store("splits"))
regime_name = partial(click.option, "--regime", metavar="NAME", shell_complete=of_store("regimes"))
limit_option = click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Only the first N images of each split."
)
jobs_option = click.option(
    "-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Worker processes."
)
store_argument = click.argument("store", metavar="FILE|URL", type=STORE)
changed_store_argument = click.argument("store", metavar="FILE", type=FILE)
seed_option = click.option("--seed", default=0, show_default=True, help="Where all draws start.")
checkpoint_option = click.option(
    "--checkpoint",
    "which",
    type=click.Choice(["last", "best"]),
    help="[default: the one that the run selected]",
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    help="Where to compute; auto takes a card where there is one.  [default: auto]",
)
tasks_option = click.option(
    "--tasks",
    type=names,
    metavar="A,B",
    help="Only these tasks, such as semantic,depth.  [default: all]",
)
