"""Who is told about long work."""

from collections.abc import Callable
from itertools import count
from typing import Protocol, TypeVar, runtime_checkable

Item = TypeVar("Item")


@runtime_checkable
class Progress(Protocol):
    """Told about long work: how much is done, of how much, and what is being done."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Take note; `total` is known from the start."""


def telling(progress: Progress | None, total: int, what: str) -> Callable[[Item], Item]:
    """What hands an item on and tells that one more is done."""
    number = count(1)

    def told(item: Item) -> Item:
        if progress:
            progress(next(number), total, what)
        return item

    return told
