"""What a group of files is taken for, and the lines of `tasks.yaml` that say so."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

COLUMN = 44
"""Where remarks begin."""


class Line(NamedTuple):
    """An entry of `tasks.yaml` and the remark on it; `value` is lines where it has entries."""

    key: str | int
    value: Any
    why: str = ""


@dataclass(frozen=True)
class Guess:
    """What a group of files is taken for; without a `kind` it is left out, as `why` tells.

    `confidence` is between 0 and 1; `write` is what to write for files that were left out; `notes`
    tell of single files that it does not stand on.
    """

    kind: str
    why: str
    lines: tuple[Line, ...] = ()
    confidence: float = 0.0
    write: str = ""
    notes: tuple[str, ...] = ()


def written(lines: Iterable[Line], *, indent: int = 0) -> Iterator[str]:
    """The lines as YAML, each with its remark."""
    import yaml

    for key, value, why in lines:
        below = value if isinstance(value, tuple) else ()
        style = None if isinstance(value, list) else False  # a list stands in its line
        entry = {key: None if below else value}
        text = yaml.safe_dump(
            entry, default_flow_style=style, allow_unicode=True, width=float("inf")
        ).strip()
        text = " " * indent + (text.removesuffix(" null") if below else text)
        yield f"{text:<{COLUMN - 1}} # {why}" if why else text
        yield from written(below, indent=indent + 2)
