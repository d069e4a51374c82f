"""Which members of a family run in `make test`; all of them run in `make slow`."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest

SLOW = pytest.mark.slow


def few(values: Iterable[Any], quick: Collection[Any]) -> list[Any]:
    """Values to parametrise with, tuples of several; those that are not quick are marked slow.

    Raises:
        LookupError: where something that should be quick is no member.
    """
    values = list(values)
    gone = [one for one in quick if one not in values]
    if gone:
        raise LookupError(f"no members: {gone}")
    return [
        one
        if one in quick
        else pytest.param(*(one if isinstance(one, tuple) else [one]), marks=SLOW)
        for one in values
    ]
