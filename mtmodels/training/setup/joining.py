"""Taking part in a training of several processes."""

import os
from datetime import timedelta

import torch
from torch import distributed as dist
from torch.distributed import (  # type: ignore[attr-defined]
    PrefixStore,
    Store,
    rendezvous,
)

from mtdata.errors import UsageError
from mtmodels.errors import MtmodelsError
from mtmodels.training.config import Config
from mtmodels.training.loop.precision import device_of
from mtmodels.training.setup.places import Place

JOINING = timedelta(minutes=10)
"""For which a process waits for the others to begin: nodes of a cluster do not start at once."""
TOGETHER = timedelta(hours=6)
"""For which one waits for another later: while the first scores, the others have nothing to do.
Where one dies the others know at once, or whoever started them ends them."""


def check_cards(config: Config) -> None:
    """Refuse more devices than this machine has cards.

    Raises:
        UsageError: with what to do.
    """
    cards = torch.cuda.device_count() if device_of(config.device).type == "cuda" else None
    if cards is not None and config.devices > cards:
        raise UsageError(
            f"--devices should be at most the cards of this machine, {cards}; found "
            f"{config.devices}. Give fewer, or --device cpu."
        )


def join(place: Place, device: str) -> Store:
    """Meet the other processes.

    Args:
        place: Which this is.
        device: As the configuration has it.

    Returns:
        What all of them can write to and read.

    Raises:
        MtmodelsError: where they cannot be met.
    """
    os.environ.update(place.variables())
    backend = "gloo"
    if device_of(device).type == "cuda":
        torch.cuda.set_device(place.local_rank % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl"  # names and signals do not wait for the card
    try:
        store, rank, count = next(rendezvous("env://", timeout=JOINING))
        _check_training(place, PrefixStore("name", store))
        dist.init_process_group(
            backend,
            store=PrefixStore("training", store),
            rank=rank,
            world_size=count,
            timeout=TOGETHER,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise MtmodelsError(
            f"process {place.rank} of {place.count} should meet the others at {place.address}:"
            f"{place.port}; it did not ({str(error).splitlines()[0]}). Look whether all were "
            "started, and whether the port is free and open between the nodes."
        ) from error
    return PrefixStore("voice", store)


def _check_training(place: Place, store: Store) -> None:
    """Refuse to meet the first process of another training, which goes on with its own."""
    if place.rank == 0:
        store.set("training", place.training)
    elif (found := store.get("training").decode()) != place.training:
        raise MtmodelsError(
            f"process {place.rank} of the training {place.training} should meet the first of its "
            f"own at {place.address}:{place.port}; found that of {found}. Give each training a "
            "MASTER_PORT of its own."
        )
