"""Checkpoints: folders that are there whole or not at all, and are used whole or not at all.

`network.safetensors` holds the weights that predict, `training.safetensors` those that only
training needs, `state.pt` everything else: optimiser, weighting, random state, position, scores.
`digests.json` says what these were when they were written; what has changed since is refused.
Checkpoints of version 0.1 have none. `before` is the checkpoint that this one took the place of.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from mtdata.atomic import sync
from mtmodels.errors import CheckpointError, DamagedCheckpointError, RunFolderError, StateError

Weights = Mapping[str, Tensor]
T = TypeVar("T")
DIGESTS = "digests.json"
BEFORE = "before"
_NETWORK = "network."
PLAIN = (type(None), bool, int, float, str, bytes, Tensor, torch.nn.Parameter)
"""Types that are read without a doubt; of others it is tried."""


def save(folder: Path, weights: Weights, state: Mapping[str, Any]) -> None:
    """Write a checkpoint, replacing what was there; a kill at any moment leaves the old or the new.

    What was there is kept in it as `before`, for the case that the new one is damaged later.

    Args:
        folder: `checkpoints/last`, say.
        weights: The state of the method; names that start with `network.` are the network's.
        state: Tensors and plain values.

    Raises:
        CheckpointError: where it cannot be written, for want of space say.
        StateError: where it could not be read.
    """
    check_state(weights, state)
    fresh = _beside(folder, "new")
    try:
        _write(fresh, weights, state)
        if folder.is_dir():
            _link_files(folder, fresh / BEFORE)
        _put_in_place(fresh, folder)
    except (OSError, RuntimeError, SafetensorError) as error:
        why = _why_unwritten(folder, error, needed=sum(v.nbytes for v in weights.values()))
        shutil.rmtree(fresh, ignore_errors=True)
        raise CheckpointError(folder, why, saved=_saved(folder)) from error


def check_state(weights: Mapping[str, object], state: Mapping[str, Any]) -> None:
    """Refuse what could be written and never read, as a number of numpy; arguments as of `save`.

    Raises:
        StateError: naming the first such value.
    """
    for name, value in weights.items():
        if not isinstance(value, Tensor):
            raise StateError(f"method.{name}", value)
    for where, value in _leaves(state, ""):
        # By the type itself: a number of numpy is a float, too.
        if type(value) not in PLAIN and not _is_read(value):
            raise StateError(where, value)


def _leaves(value: Any, where: str) -> Iterator[tuple[str, object]]:
    """What is no collection in a state, the keys as well, with its place."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            named = f"{where}.{key}" if where else str(key)
            yield named, key
            yield from _leaves(one, named)
    elif type(value) in (list, tuple):
        for number, one in enumerate(value):
            yield from _leaves(one, f"{where}[{number}]")
    else:
        yield where, value


def _is_read(value: object) -> bool:
    file = BytesIO()
    try:
        torch.save({"value": value}, file)
        _unpack(file.getvalue())
    except Exception:  # whatever pickle and torch raise for objects of any kind
        return False
    return True


def _write(fresh: Path, weights: Weights, state: Mapping[str, Any]) -> None:
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
    for weights_file in fresh.glob("*.safetensors"):
        # They are made for their owner alone; others may read the rest, as the umask says.
        shutil.copymode(fresh / "state.pt", weights_file)
    digests = {file.name: _digest_of(file.read_bytes()) for file in sorted(fresh.iterdir())}
    (fresh / DIGESTS).write_text(json.dumps(digests, indent=2) + "\n", encoding="utf-8")


def _why_unwritten(folder: Path, error: Exception, *, needed: int) -> str:
    """The cause: torch and safetensors have words of their own for a disk that is full."""
    number = getattr(error, "errno", None)
    free = shutil.disk_usage(next(at for at in folder.parents if at.exists())).free
    full = number in (errno.ENOSPC, errno.EDQUOT) or f"os error {errno.ENOSPC}" in str(error)
    if full or free < needed:
        return (
            f"{os.strerror(errno.ENOSPC)}: {free / 1e6:.1f} MB are left, and it takes "
            f"{needed / 1e6:.1f} MB for the weights alone and about twice as much with the state "
            "of the optimiser"
        )
    return str(error).partition("\n")[0].strip().rstrip(".")


def _saved(folder: Path) -> bool:
    """Whether a run can go on from something, where a checkpoint could not be written."""
    return exists(folder, folder.with_name("last"))


def copy(source: Path, folder: Path) -> None:
    """Keep a checkpoint under another name; the files are shared, as they never change.

    Raises:
        CheckpointError: where it cannot be written.
    """
    fresh = _beside(folder, "new")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        _link_files(find(source), fresh)
        _put_in_place(fresh, folder)
    except OSError as error:
        if isinstance(error, RunFolderError):
            raise
        why = _why_unwritten(folder, error, needed=0)
        raise CheckpointError(folder, why, saved=_saved(folder)) from error


def exists(*folders: Path) -> bool:
    """Whether there is a checkpoint under one of these names."""
    return any(place.is_dir() for one in folders for place in (one, _beside(one, "old")))


def find(folder: Path) -> Path:
    """Where the checkpoint of this name is: a kill between two renames leaves the old one aside.

    Raises:
        RunFolderError: where there is none.
    """
    for place in (folder, _beside(folder, "old")):
        if place.is_dir():
            return place
    raise RunFolderError(
        f"{folder} should be a checkpoint; found none. The run may not have got that far."
    )


def load_weights(folder: Path) -> dict[str, Tensor]:
    """Read the weights of the method, on the CPU.

    Raises:
        DamagedCheckpointError: where a file is missing or not as it was written.
    """
    own = load_network_weights(folder)
    rest = _read(find(folder) / "training.safetensors", load)
    return {f"{_NETWORK}{k}": v for k, v in own.items()} | rest


def load_network_weights(folder: Path) -> dict[str, Tensor]:
    """Read the weights that predict, on the CPU; errors as of `load_weights`."""
    return _read(find(folder) / "network.safetensors", load)


def digest(folder: Path) -> str:
    """SHA-256 of the weights that predict."""
    return _digest_of(_content(find(folder) / "network.safetensors"))


def load_state(folder: Path) -> dict[str, Any]:
    """Read everything else; nothing in the file can run code. Errors as of `load_weights`."""
    return _read(find(folder) / "state.pt", _unpack)


class Loaded(NamedTuple):
    """A checkpoint that is whole, and what is wrong with the one that should have been it."""

    weights: dict[str, Tensor]
    state: dict[str, Any]
    place: Path
    damage: DamagedCheckpointError | None


def load_first(*folders: Path) -> Loaded:
    """Read the first of some checkpoints that is whole, looking at the one before each as well.

    Raises:
        DamagedCheckpointError: where there are some, and none is whole.
        RunFolderError: where there is none.
    """
    damage = None
    for place in (place for folder in folders for place in (folder, folder / BEFORE)):
        if not exists(place):
            continue
        try:
            return Loaded(load_weights(place), load_state(place), place, damage)
        except DamagedCheckpointError as error:
            damage = damage or error
    if damage is not None:
        raise damage
    find(folders[0])
    raise AssertionError  # one that is there was tried


def _read(file: Path, parse: Callable[[bytes], T]) -> T:
    """Read a file of a checkpoint, if it is as it was written."""
    content = _content(file)
    _check(file, content)
    if not content:
        raise DamagedCheckpointError(file, "is empty")
    try:
        return parse(content)
    except Exception as error:  # what torch and safetensors raise for bytes of any kind
        raise DamagedCheckpointError(file, "holds something else") from error


def _content(file: Path) -> bytes:
    """The bytes of a file; a pipe in its place would be waited for."""
    if not file.is_file():
        raise DamagedCheckpointError(file, "is no file" if os.path.lexists(file) else "is missing")
    try:
        return file.read_bytes()
    except OSError as error:
        raise DamagedCheckpointError(file, f"cannot be read ({error.strerror})") from error


def _check(file: Path, content: bytes) -> None:
    """Compare a file with what its checkpoint says of it."""
    told = file.with_name(DIGESTS)
    if not os.path.lexists(told):
        return
    try:
        digests = json.loads(_content(told))
        expected = digests[file.name]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DamagedCheckpointError(told, "does not list the files beside it") from None
    if _digest_of(content) != expected:
        raise DamagedCheckpointError(file, "is empty" if not content else "has changed since")


def _unpack(content: bytes) -> dict[str, Any]:
    state = torch.load(BytesIO(content), weights_only=True, map_location="cpu")
    if not isinstance(state, dict):
        raise TypeError
    return state


def _digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}")


def _put_in_place(fresh: Path, folder: Path) -> None:
    for file in sorted(fresh.iterdir()):
        sync(file)
    sync(fresh)
    old = _beside(folder, "old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    fresh.rename(folder)
    sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _link_files(source: Path, target: Path) -> None:
    """The files of a folder under another name; what is below it is left out."""
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.is_file():
            _link(file, target / file.name)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Not every file system has links.
        shutil.copy2(source, target)
