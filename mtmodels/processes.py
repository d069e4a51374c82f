"""The processes that train together: which of them this is, and what all of them say together.

Each has its part of every batch. All of them call what is here in the same order, whatever labels
their parts show, so that none waits for another for ever. With one process everything comes back as
it was given.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from mtmodels.errors import LostProcessError

T = TypeVar("T")


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this one, from 0."""
    return dist.get_rank() if count() > 1 else 0


def is_first() -> bool:
    """Whether this one writes and talks: the others do neither."""
    return rank() == 0


def gathered(value: T) -> list[T]:
    """What each process gives, in their order.

    Raises:
        LostProcessError: here and below, where another process is gone.
    """
    if count() == 1:
        return [value]
    found: list[Any] = [None] * count()
    with _together():
        dist.all_gather_object(found, value)
    return found


def wait() -> None:
    """Go on when all processes are here."""
    gathered(None)


def leave() -> None:
    """Part from the others when all are here; this process is the only one then."""
    if count() > 1:
        wait()
        dist.destroy_process_group()


def summed(value: Tensor) -> Tensor:
    """The sum over the processes of a tensor without gradients, which has one shape in all."""
    if count() == 1:
        return value
    total = value.detach().clone()
    with _together():
        dist.all_reduce(total)
    return total


def averaged(order: Sequence[Tensor], given: Mapping[Tensor, Tensor]) -> dict[Tensor, Tensor]:
    """The mean over the processes of what belongs to some tensors, gradients say.

    Args:
        order: These tensors, in the order that all processes have them in.
        given: For some of them, a tensor of the same shape. One that a process lacks is 0 there;
            one that all of them lack is absent.
    """
    if count() == 1:
        return dict(given)
    there = torch.tensor([tensor in given for tensor in order], device=order[0].device)
    parts = [given[tensor] if tensor in given else torch.zeros_like(tensor) for tensor in order]
    # One message, as many small ones take longer.
    flat = summed(torch.cat([*(part.detach().flatten() for part in parts), there.to(parts[0])]))
    *means, known = flat.split([*(tensor.numel() for tensor in order), len(order)])
    return {
        tensor: (mean / count()).view_as(tensor).to(part.dtype)
        for tensor, mean, part, is_known in zip(order, means, parts, known.tolist(), strict=True)
        if is_known
    }


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # of gloo and NCCL, which have no class for it
        raise LostProcessError(rank(), count()) from error
