"""What one training step yields, before any weighting."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Terms:
    """The terms of a step, each a scalar; a task without a term in this batch is absent.

    Args:
        tasks: What a weighting scales: L_t of the papers.
        auxiliary: Terms outside the weighting, already scaled.
        parts: Detached scalars for the log ("depth/direct").

    Raises:
        ValueError: where a term is not a scalar.
    """

    tasks: Mapping[str, Tensor]
    auxiliary: Mapping[str, Tensor] = field(default_factory=dict)
    parts: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, term in {**self.tasks, **self.auxiliary, **self.parts}.items():
            if term.ndim != 0:
                raise ValueError(f"term `{name}` should be a scalar; found {list(term.shape)}.")
