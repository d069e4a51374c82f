"""The random state of a process as tensors and plain values, which a checkpoint may hold."""

import zlib
from typing import Any

import numpy as np
import torch

from mtdata.hashing import digest


def seed_global(seed: int) -> None:
    """Seed the global generators, which nothing of ours draws from but a library's layer may."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002


def seed_step(rng: torch.Generator, *of: object) -> None:
    """Seed a generator and the global ones anew, for a step of one of several processes.

    What these hold is in no checkpoint, as one process alone writes that.

    Args:
        rng: The generator that the method draws from.
        of: What the draws are a function of.
    """
    seed = int.from_bytes(digest(*of)[:4])
    rng.manual_seed(seed)
    seed_global(seed)


def snapshot(rng: torch.Generator) -> dict[str, Any]:
    """Take down the state of a generator and of the global ones that libraries may use.

    Args:
        rng: The generator that the method draws from.
    """
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "method": rng.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
        "numpy": [
            torch.from_numpy(np.asarray(keys).astype(np.int64)),
            position,
            has_gauss,
            cached,
        ],
    }


def restore(state: dict[str, Any], rng: torch.Generator) -> None:
    """Bring back what `snapshot` took down.

    A generator of another kind of device cannot have that state: it is seeded by it.
    """
    own = state["method"]
    if own.numel() == rng.get_state().numel():
        rng.set_state(own)
    else:
        rng.manual_seed(zlib.crc32(own.numpy().tobytes()))
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    keys, position, has_gauss, cached = state["numpy"]
    words = keys.numpy().astype(np.uint32)
    np.random.set_state(("MT19937", words, position, has_gauss, cached))  # noqa: NPY002
