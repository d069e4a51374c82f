"""Who is told about long work."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Told about long work: how much is done, of how much, and what is being done."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Take note; `total` is known from the start."""
