"""A regime with labels that were added: `one+derived`, `one+filled:0.8`, `one+derived+filled`.

The labels that the base regime shows stay as they are; where it shows none, the first of the
origins that has one gives it. A derived label is shown only beside the label that it follows from,
and filled labels only under the regime that their run was trained with.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.store import format as layout
from mtdata.store.added import Added, least
from mtdata.store.split import Split

OWN = 1
"""The code of a label that the base regime shows; 0 is none, those above are added."""
_PART = re.compile(
    r"(?P<base>.*?)(?:^|\+)(?P<origin>filled|derived)(?::(?P<number>[^+]*))?", re.DOTALL
)


@dataclass(frozen=True)
class Composed:
    """A base regime, and the origins of what is added to it with their thresholds, in order."""

    base: str
    origins: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        parts = [f"{name}:{number:g}" if number else name for name, number in self.origins]
        return "+".join([self.base, *parts])


def names_added(regime: str) -> bool:
    """Whether a regime reads like one with added labels."""
    return _PART.fullmatch(regime) is not None


def composed(regime: str, known: Sequence[str], default: str) -> Composed | None:
    """Read a regime with added labels; None for any other.

    Args:
        regime: `BASE+filled[:THRESHOLD]`, `BASE+derived`, or both; the default without BASE.
        known: Regimes of the store; what is one of them is taken as it is.
        default: The regime where BASE is left out.

    Raises:
        UsageError: for a threshold that is none, and an origin that is named twice.
    """
    rest = regime
    origins: list[tuple[str, float]] = []
    while rest not in known and (match := _PART.fullmatch(rest)):
        origins.insert(0, (match["origin"], _threshold(regime, match["origin"], match["number"])))
        rest = match["base"]
    if not origins:
        return None
    names = [name for name, _ in origins]
    if len(set(names)) < len(names):
        raise UsageError(f"`regime` should name each origin once; found {regime!r}.")
    return Composed(rest or default, tuple(origins))


def _threshold(regime: str, origin: str, number: str | None) -> float:
    if number is None:
        return 0.0
    try:
        found = float(number)
    except ValueError:
        found = -1.0
    if origin == layout.DERIVED or not 0 <= found <= 1:
        raise UsageError(
            f"`regime` should be like one+filled:0.8, with a threshold in 0..1, or one+derived; "
            f"found {regime!r}."
        )
    return found


@dataclass(frozen=True)
class Completed(Split):
    """A split of which a base regime and added labels are seen, and nothing else.

    `codes` says of each label where it comes from, int8 [n, tasks]: 0 nowhere, 1 the source, then
    the places in `pieces`, which are added labels and the lowest confidence that counts, in 255ths.
    """

    codes: NDArray[np.int8] = field(default_factory=lambda: np.zeros((0, 0), np.int8), repr=False)
    pieces: tuple[tuple[Added, int], ...] = field(default=(), repr=False)

    @cached_property
    def labelled(self) -> NDArray[np.bool_]:
        """Which labels may be seen, bool [n, tasks]."""
        return self.codes > 0

    def read_stored(self, index: int, task: str | None) -> NDArray[Any]:
        """One chunk: the image, a label of the source, or one that was added.

        Pixels of an added label that are not sure enough are void.

        Raises:
            StoreError: where its checksum is wrong.
            ValueError: for a label that may not be seen.
        """
        code = OWN if task is None else int(self.codes[index, self.column(task)])
        if code == 0:
            raise ValueError(f"`task` should be one that may be seen; {task} is hidden.")
        if code == OWN:
            return super().read_stored(index, task)
        added, lowest = self.pieces[code - OWN - 1]
        stored = self.read_added(added, index)
        if not lowest or added.origin != layout.FILLED:
            return stored
        sure = self.read_added(added, index, layout.CONFIDENCE) >= lowest
        void = added.task.kind.storage()["void"]
        shown: NDArray[Any] = np.where(
            sure.reshape(sure.shape + (1,) * (stored.ndim - 2)), stored, stored.dtype.type(void)
        )
        return shown

    def origin(self, index: int, column: int) -> str:
        """Where a label comes from; empty for one of the source, and where there is none."""
        code = int(self.codes[index, column])
        return self.pieces[code - OWN - 1][0].origin if code > OWN else ""

    def facts(self) -> list[dict[str, Any]]:
        """What was added, for whoever writes down what a run saw."""
        found = []
        for number, (added, lowest) in enumerate(self.pieces, start=OWN + 1):
            column = self.tasks.index(added.task)
            about: Mapping[str, Any] = added.about
            told = ("run", "weights") if added.origin == layout.FILLED else ("rule", "parent")
            found.append(
                {
                    "split": self.name,
                    "task": added.task.name,
                    "origin": added.origin,
                    "images": int((self.codes[:, column] == number).sum()),
                    **({"threshold": lowest / layout.CERTAIN} if lowest else {}),
                    **{name: about[name] for name in (*told, "knows") if name in about},
                    "sha256": added.sha256,
                }
            )
        return found


def complete(split: Split, shown: NDArray[np.bool_], what: Composed) -> Completed:
    """See a split under a base regime with added labels.

    Args:
        split: The split.
        shown: What the base regime shows, bool [n, tasks].
        what: Which added labels.
    """
    codes = np.where(shown, OWN, 0).astype(np.int8)
    pieces: list[tuple[Added, int]] = []
    for origin, threshold in what.origins:
        for column, task in enumerate(split.tasks):
            added = split.added.get((origin, task.name))
            if added is None:
                continue
            there = added.there(threshold) & (codes[:, column] == 0)
            if added.parent is not None:
                # From what is hidden nothing may follow.
                there &= shown[:, split.column(added.parent)]
            pieces.append((added, least(threshold)))
            codes[there, column] = OWN + len(pieces)
    own = {each.name: getattr(split, each.name) for each in fields(Split)}
    return Completed(**own, codes=codes, pieces=tuple(pieces))
