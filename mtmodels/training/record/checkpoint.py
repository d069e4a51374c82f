"""Checkpoints: folders that are there whole or not at all.

`network.safetensors` holds the weights that predict, `training.safetensors` those that only
training needs, `state.pt` everything else: optimiser, weighting, random state, position, scores.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mtmodels.errors import CheckpointError, RunFolderError

Weights = Mapping[str, Tensor]
_NETWORK = "network."


def save(folder: Path, weights: Weights, state: Mapping[str, Any]) -> None:
    """Write a checkpoint, replacing what was there; a kill at any moment leaves the old or the new.

    Args:
        folder: `checkpoints/last`, say.
        weights: The state of the method; names that start with `network.` are the network's.
        state: Tensors and plain values.

    Raises:
        CheckpointError: where it cannot be written, for want of space say.
    """
    try:
        _save(folder, weights, state)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(folder, error) from error


def _save(folder: Path, weights: Weights, state: Mapping[str, Any]) -> None:
    fresh = _beside(folder, "new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    own = {k.removeprefix(_NETWORK): v for k, v in weights.items() if k.startswith(_NETWORK)}
    rest = {k: v for k, v in weights.items() if not k.startswith(_NETWORK)}
    for name, part in (("network", own), ("training", rest)):
        save_file(
            {k: v.detach().cpu().contiguous() for k, v in part.items()},
            fresh / f"{name}.safetensors",
        )
    torch.save(dict(state), fresh / "state.pt")
    _put_in_place(fresh, folder)


def copy(source: Path, folder: Path) -> None:
    """Keep a checkpoint under another name; the files are shared, as they never change."""
    fresh = _beside(folder, "new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(find(source), fresh, copy_function=_link)
    _put_in_place(fresh, folder)


def exists(folder: Path) -> bool:
    """Whether there is a checkpoint under this name."""
    return any((place / "state.pt").is_file() for place in (folder, _beside(folder, "old")))


def find(folder: Path) -> Path:
    """Where the checkpoint of this name is: a kill between two renames leaves the old one aside.

    Raises:
        RunFolderError: where there is none.
    """
    for place in (folder, _beside(folder, "old")):
        if (place / "state.pt").is_file():
            return place
    raise RunFolderError(
        f"{folder} should be a checkpoint; found none. The run may not have got that far."
    )


def load_weights(folder: Path) -> dict[str, Tensor]:
    """Read the weights of the method, on the CPU."""
    place = find(folder)
    own = load_file(place / "network.safetensors")
    return {f"{_NETWORK}{k}": v for k, v in own.items()} | load_file(place / "training.safetensors")


def load_network_weights(folder: Path) -> dict[str, Tensor]:
    """Read the weights that predict, on the CPU."""
    return load_file(find(folder) / "network.safetensors")


def digest(folder: Path) -> str:
    """SHA-256 of the weights that predict."""
    with (find(folder) / "network.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_state(folder: Path) -> dict[str, Any]:
    """Read everything else; nothing in the file can run code."""
    state = torch.load(find(folder) / "state.pt", weights_only=True, map_location="cpu")
    assert isinstance(state, dict)
    return state


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}")


def _put_in_place(fresh: Path, folder: Path) -> None:
    for file in sorted(fresh.iterdir()):
        _sync(file)
    _sync(fresh)
    old = _beside(folder, "old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    fresh.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Not every file system has links.
        shutil.copy2(source, target)
