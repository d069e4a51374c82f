"""Options that several commands take, and the functions that check them."""

import re
from collections.abc import Callable
from pathlib import Path

import click

FILE = click.Path(path_type=Path)
"""A path that the library opens: its error says more than click's."""


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


store_argument = click.argument("store", metavar="FILE", type=FILE)
seed_option = click.option("--seed", default=0, show_default=True, help="Where all draws start.")
tasks_option = click.option(
    "--tasks",
    type=names,
    metavar="A,B",
    help="Only these tasks, such as semantic,depth.  [default: all]",
)
