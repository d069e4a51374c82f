"""What one training step yields, before any weighting."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from torch import Tensor

Scalar = TypeVar("Scalar", float, Tensor)


@dataclass(frozen=True)
class Terms:
    """The terms of a step, each a scalar; a task without a term in this batch is absent.

    Terms add up: `supervised + own` has the entries of both, none of which is in both.

    Args:
        tasks: What a weighting scales: L_t of the papers.
        auxiliary: Terms outside the weighting, already scaled.
        owners: For those among them that belong to the loss of a task, which task. A weighting
            scales them as it scales the loss of that task, and learns nothing from them.
        parts: Detached scalars for the log ("depth/direct").
        counts: For parts that are a mean over the images, or pairs, that have them alone, of how
            many; all others are (1/B) x a sum, as terms are.
        images: How many of the images that supervise show each task; one that shows a pasted part
            of a label counts as that part.
        labelled: The direct loss of each task as a mean over these images.

    Raises:
        ValueError: where a term is no scalar tensor.
    """

    tasks: Mapping[str, Tensor] = field(default_factory=dict)
    auxiliary: Mapping[str, Tensor] = field(default_factory=dict)
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    counts: Mapping[str, Tensor] = field(default_factory=dict)
    images: Mapping[str, Tensor] = field(default_factory=dict)
    labelled: Mapping[str, Tensor] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for named in self.scalars().values():
            for name, term in named.items():
                if not isinstance(term, Tensor):
                    found = type(term).__name__
                    raise ValueError(f"term `{name}` should be a scalar tensor; found {found}.")
                if term.ndim != 0:
                    raise ValueError(f"term `{name}` should be a scalar; found {list(term.shape)}.")

    def scalars(self) -> dict[str, Mapping[str, Tensor]]:
        """All that are numbers, by field."""
        return {name: named for name, named in vars(self).items() if name != "owners"}

    def __add__(self, other: "Terms") -> "Terms":
        for field_name, own in vars(self).items():
            if twice := sorted(own.keys() & getattr(other, field_name).keys()):
                raise ValueError(
                    f"terms that are added should have names of their own in `{field_name}`; "
                    f"found `{twice[0]}` in both. What belongs to the loss of a task is an "
                    "auxiliary term that the task owns (`owners`); or add the two numbers, and "
                    "give their sum once."
                )
        both = {name: {**own, **getattr(other, name)} for name, own in vars(self).items()}
        return Terms(**both)


def joined(
    tasks: Mapping[str, Scalar],
    auxiliary: Mapping[str, Scalar],
    owners: Mapping[str, str],
    *,
    shown: Container[str],
) -> tuple[dict[str, Scalar], dict[str, Scalar], dict[str, str]]:
    """The three, where a term that a task owns is part of the term of that task.

    So it is of the tasks that are shown; what others own stands beside the tasks.
    """
    joint, beside, left = dict(tasks), dict(auxiliary), dict(owners)
    for name, task in owners.items():
        if task in shown:
            term = beside.pop(name)
            joint[task] = joint[task] + term if task in joint else term
            del left[name]
    return joint, beside, left
