"""The terms of a batch whose parts several processes have, as each of them should weigh them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from mtmodels.methods.terms import Terms, joined

Values = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Told:
    """What a process tells the others of the terms of its part.

    Args:
        values: Of all scalars, by field and name.
        owners: See `Terms.owners`.
        keys: The images of its part.
    """

    values: Values
    owners: Mapping[str, str]
    keys: tuple[str, ...]


def joined_owners(told: Sequence[Told]) -> list[Told]:
    """The same, where a term that a task owns is part of the term of that task if any has it.

    So it is in one process: what a task owns stands beside the tasks where no image shows it.
    """
    shown = {name for one in told for name in one.values["tasks"]}
    found = []
    for one in told:
        own = one.values
        tasks, auxiliary, owners = joined(own["tasks"], own["auxiliary"], one.owners, shown=shown)
        values = {**own, "tasks": tasks, "auxiliary": auxiliary}
        found.append(replace(one, values=values, owners=owners))
    return found


def terms_of_all(
    terms: Terms, means: Mapping[str, Mapping[str, float]], told: Sequence[Told]
) -> Terms:
    """The terms of the whole batch: all have the same values, and each the gradients of its part.

    The mean of these gradients over the processes is that of the whole batch. A term that this
    part lacks has a value without a gradient here.

    Args:
        terms: Of this part.
        means: The values of the terms of the whole batch, by field and name.
        told: What each process told, as `joined_owners` gives it.
    """
    tasks, auxiliary, _ = joined(terms.tasks, terms.auxiliary, terms.owners, shown=means["tasks"])
    owners = {name: task for one in told for name, task in one.owners.items()}
    like = next(iter([*tasks.values(), *auxiliary.values()]), torch.zeros(()))

    def of_all(field: str, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: _Valued.apply(own.get(name, _nothing(like)), value)
            for name, value in means[field].items()
        }

    return Terms(
        tasks=of_all("tasks", tasks),
        auxiliary=of_all("auxiliary", auxiliary),
        owners={name: task for name, task in owners.items() if name in means["auxiliary"]},
        images={name: like.new_tensor(count) for name, count in means["images"].items()},
    )


def _nothing(like: Tensor) -> Tensor:
    """A scalar that a gradient may be sent to, and ends at."""
    return torch.zeros_like(like, requires_grad=True)


class _Valued(torch.autograd.Function):
    """A scalar that has another value, and passes its gradient on as it is."""

    @staticmethod
    def forward(ctx: FunctionCtx, term: Tensor, value: float) -> Tensor:
        return term.new_tensor(value)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> tuple[Tensor, None]:
        return gradients[0], None
