"""The regimes that a build draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.regimes import REGIMES
from mtdata.regimes.drawing import draw
from mtdata.store.edit import check_name
from mtdata.store.format import FULL
from mtdata.store.regime import RegimeInfo


@dataclass(frozen=True)
class RegimeSpec:
    """A regime to draw: its kind, the name it is stored under (the kind's own, if not given)."""

    kind: str
    name: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name it is stored under."""
        return self.name or self.kind


def check_specs(specs: Sequence[RegimeSpec], tasks: Sequence[str]) -> None:
    """Refuse before any work what cannot be drawn.

    Args:
        specs: What is to be drawn.
        tasks: The names of the tasks of the store.

    Raises:
        UnknownNameError: for a kind that there is not; UsageError: for a name twice, or an option
            that the kind does not have or that does not fit the tasks.
    """
    seen = set()
    for spec in specs:
        REGIMES[spec.kind](**spec.options).check(tasks)
        if not (spec.kind == spec.label == FULL):
            check_name(spec.label)
        if spec.label in seen:
            raise UsageError(
                f"`regimes` should have different names; found {spec.label!r} twice. Name one."
            )
        seen.add(spec.label)


def draw_regimes(
    specs: Sequence[RegimeSpec],
    keys: tuple[str, ...],
    tasks: tuple[str, ...],
    valid_pixels: NDArray[np.int32],
    *,
    seed: int,
) -> list[RegimeInfo]:
    """Draw each regime over the cells of a training split that have valid pixels.

    Raises:
        DataError: where a task gets no label at all.
    """
    drawn = []
    for spec in specs:
        table = draw(spec.kind, keys, tasks, valid_pixels > 0, seed=seed, **spec.options)
        # "full" is every label there is, in every store; it needs no place.
        if spec.label != FULL:
            labels = table.aligned(keys, tasks)
            about = (table.kind, table.parameters, table.seed, table.origin or "drawn")
            drawn.append(RegimeInfo(spec.label, *about, tasks, labels))
    return drawn
