"""What a group of files is taken for."""

from dataclasses import dataclass

MANY = 64
"""More different values than this are measurements, fewer are classes."""

Line = tuple[str, str]
"""A line of `tasks.yaml` below the name of a task, and the remark on it."""


@dataclass(frozen=True)
class Guess:
    """What a group of files is taken for; without a `kind` it is none of ours, as `why` tells."""

    kind: str
    why: str
    lines: tuple[Line, ...] = ()
