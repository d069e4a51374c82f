"""What each image adds to the scores of a split, kept beside them: what intervals are made from."""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
SUFFIX = ".npz"
States = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Samples:
    """What the images of a split add to the states of its metrics; sums over all give the scores.

    Args:
        protocol: The protocol.
        keys: The images.
        kinds: The kind of each task.
        states: For each task, by the name of the state, an array `[n, ...]` with a row an image;
            zeros for one that does not show the task.
    """

    protocol: str
    keys: tuple[str, ...]
    kinds: Mapping[str, str]
    states: Mapping[str, States]

    def to_bytes(self) -> bytes:
        """A compressed `.npz`."""
        about = {"format": FORMAT, "protocol": self.protocol, "kinds": dict(self.kinds)}
        arrays: dict[str, Any] = {
            f"{task}/{name}": _small(array)
            for task, states in self.states.items()
            for name, array in states.items()
        }
        file = io.BytesIO()
        np.savez_compressed(file, about=json.dumps(about), keys=np.array(self.keys, str), **arrays)
        return file.getvalue()

    @classmethod
    def read(cls, path: Path) -> "Samples":
        """Read what evaluation wrote.

        Raises:
            DataError: where it is damaged, or of a newer version.
        """
        try:
            # Of bytes: numpy leaves a file open that it finds to be cut.
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                keys = tuple(map(str, file["keys"]))
                states: dict[str, dict[str, NDArray[Any]]] = {task: {} for task in about["kinds"]}
                for name in set(file.files) - {"about", "keys"}:
                    task, _, state = name.partition("/")
                    states[task][state] = file[name]
            if about["format"] != FORMAT:
                raise ValueError(f"the format {about['format']}")
            if any(len(a) != len(keys) for one in states.values() for a in one.values()):
                raise ValueError("another number of rows than of images")
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{path} should hold what each image adds to the scores; it does not. Score the "
                "run again with `mtmodels eval`, or remove the file to go without intervals."
            ) from error
        return cls(about["protocol"], keys, about["kinds"], states)


class Collector:
    """Gathers what each image adds while a split is scored.

    Args:
        protocol: The protocol.
        kinds: The kind of each task.
    """

    def __init__(self, protocol: str, kinds: Mapping[str, str]) -> None:
        self._protocol, self._kinds = protocol, kinds
        self._keys: list[str] = []
        self._parts: dict[str, list[tuple[list[int], dict[str, NDArray[Any]]]]] = {}

    def start(self, keys: Sequence[str]) -> None:
        """Begin a batch."""
        self._first = len(self._keys)
        self._keys += keys

    def add(self, task: str, rows: Iterable[int], parts: Mapping[str, "Tensor"]) -> None:
        """Take what some images of the batch, by their place in it, add to a task."""
        if parts:
            arrays = {name: _small(part.cpu().numpy()) for name, part in parts.items()}
            self._parts.setdefault(task, []).append(([self._first + row for row in rows], arrays))

    def samples(self) -> Samples:
        """All that was gathered; in a group of processes, that of all of them."""
        states: dict[str, States] = {}
        for task, parts in self._parts.items():
            rows = [row for of_batch, _ in parts for row in of_batch]
            states[task] = {
                name: _placed([arrays[name] for _, arrays in parts], rows, len(self._keys))
                for name in parts[0][1]
            }
        kinds = {task: self._kinds[task] for task in states}
        return _of_all(Samples(self._protocol, tuple(self._keys), kinds, states))


def _placed(parts: Sequence[NDArray[Any]], rows: Sequence[int], n: int) -> NDArray[Any]:
    """Rows put where they belong; zeros elsewhere."""
    found = np.concatenate(parts)
    placed = np.zeros((n, *found.shape[1:]), found.dtype)
    placed[rows] = found
    return placed


def _of_all(own: Samples) -> Samples:
    """The samples of all processes of a group, one behind the other."""
    import torch.distributed as group

    if not (group.is_available() and group.is_initialized()):
        return own
    every: list[Any] = [None] * group.get_world_size()
    group.all_gather_object(every, own)
    shapes = {
        (task, name): array.shape[1:]
        for one in every
        for task, states in one.states.items()
        for name, array in states.items()
    }
    states: dict[str, dict[str, NDArray[Any]]] = {}
    for (task, name), shape in shapes.items():
        parts = [
            one.states[task][name]
            if task in one.states
            else np.zeros((len(one.keys), *shape), np.uint8)
            for one in every
        ]
        states.setdefault(task, {})[name] = np.concatenate(parts)
    kinds = {task: kind for one in every for task, kind in one.kinds.items()}
    return Samples(own.protocol, tuple(key for one in every for key in one.keys), kinds, states)


def _small(array: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers in the smallest type that holds them; the others as they are."""
    if array.dtype.kind not in "iu" or not array.size:
        return array
    return array.astype(np.min_scalar_type(array.max()) if array.min() >= 0 else array.dtype)
