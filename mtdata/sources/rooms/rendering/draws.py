"""Random draws that are the same on every machine and with every version of every library."""

import struct
from collections.abc import Sequence
from hashlib import shake_256
from typing import TypeVar

T = TypeVar("T")

_WORDS = 1024


class Draws:
    """A stream of draws named by `parts`; equal parts give equal draws.

    Words come from SHAKE-256; a draw is one word, turned into a number with integer arithmetic and
    the four operations of IEEE 754, which round alike everywhere.

    Args:
        parts: What names the stream, for instance a seed, a split and a key.
    """

    def __init__(self, *parts: object) -> None:
        self._name = "|".join(map(str, parts)).encode()
        self._words: list[int] = []
        self._blocks = 0

    def _word(self) -> int:
        if not self._words:
            block = self._name + b"#%d" % self._blocks
            self._words = list(struct.unpack(f"<{_WORDS}I", shake_256(block).digest(4 * _WORDS)))
            self._blocks += 1
        return self._words.pop()

    def integer(self, count: int) -> int:
        """One of 0..count-1."""
        return (self._word() * count) >> 32

    def between(self, low: float, high: float) -> float:
        """One of 4097 evenly spaced numbers from `low` to `high`."""
        return low + (high - low) * ((self._word() * 4097 >> 32) / 4096)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._word() < probability * 2**32

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.integer(len(choices))]

    def shuffled(self, choices: Sequence[T]) -> list[T]:
        """The choices in some order (Fisher and Yates)."""
        mixed = list(choices)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.integer(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed

    def turn(self, limit: float) -> tuple[float, float]:
        """Cosine and sine of an angle between -a and a, where `limit` is tan(a / 2).

        They come from the tangent of the half angle, so no trigonometric function is asked.
        """
        half = self.between(-limit, limit)
        scale = 1.0 + half * half
        return (1.0 - half * half) / scale, 2.0 * half / scale
