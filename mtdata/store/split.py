"""One split of a store: what is known of its samples, and reading one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UnknownNameError
from mtdata.store import format as layout
from mtdata.store.handle import Handle
from mtdata.store.opening import broken, reading
from mtdata.store.regime import RegimeInfo, full, read_regime
from mtdata.tasks.role import ROLES, Role
from mtdata.tasks.sample import Camera, Sample
from mtdata.tasks.stored import StoredSample
from mtdata.tasks.task import Task


@dataclass(frozen=True)
class Split:
    """The samples of one split. It is picklable; an open handle does not travel.

    `size` is the stored height and width; `sizes` int32 [n, 2] the true ones, where an image is
    padded. `valid_pixels` int32 [n, tasks] is 0 where there is no label, columns as in `tasks`.
    `regimes` always has "full": every label there is.
    """

    name: str
    role: Role
    tasks: tuple[Task, ...]
    keys: tuple[str, ...]
    size: tuple[int, int]
    sizes: NDArray[np.int32] = field(repr=False)
    source_sizes: NDArray[np.int32] = field(repr=False)
    crops: NDArray[np.int32] = field(repr=False)
    cameras: NDArray[np.float64] = field(repr=False)
    valid_pixels: NDArray[np.int32] = field(repr=False)
    digests: NDArray[np.uint8] = field(repr=False)
    regimes: Mapping[str, RegimeInfo] = field(repr=False)
    handle: Handle = field(repr=False)

    def __len__(self) -> int:
        return len(self.keys)

    def visible(self, regime: str = layout.FULL) -> NDArray[np.bool_]:
        """Which labels may be seen, bool [n, tasks]: valid pixels, and shown by the regime.

        Raises:
            UnknownNameError: where the split has no regime of that name.
        """
        if regime not in self.regimes:
            raise UnknownNameError(f"regime of split {self.name}", regime, list(self.regimes))
        return self.regimes[regime].labels & (self.valid_pixels > 0)

    def index(self, key: str) -> int:
        """Position of a key.

        Raises:
            UnknownNameError: where the split has no such key.
        """
        try:
            return self.keys.index(key)
        except ValueError:
            raise UnknownNameError(f"image of split {self.name}", key, list(self.keys)) from None

    def read(self, index: int, tasks: Sequence[str]) -> Sample:
        """Read one image and those labels of it in `tasks` that exist; touch nothing else.

        Raises:
            StoreError: where a chunk is broken; it names the sample and the label.
        """
        return self.fetch(index, tasks).decode(self.tasks)

    def fetch(self, index: int, tasks: Sequence[str]) -> StoredSample:
        """Read what `read` does, as the file holds it.

        Raises:
            StoreError: where a chunk is broken; it names the sample and the label.
        """
        names = [task.name for task in self.tasks]
        for name in tasks:
            if name not in names:
                raise UnknownNameError("task", name, names)
        labels = {
            name: self.read_stored(index, name)
            for name in tasks
            if self.valid_pixels[index, names.index(name)] > 0
        }
        image = self.read_stored(index, None)
        return StoredSample(self.keys[index], image, labels, self.camera(index))

    def read_stored(self, index: int, task: str | None) -> NDArray[Any]:
        """One chunk as the file holds it: the image (`task` None) or a label.

        Raises:
            StoreError: where its checksum is wrong.
        """
        try:
            return self.handle.rows(self._place(task)).read(index)
        except (OSError, KeyError, RuntimeError) as error:
            what = "image" if task is None else f"label `{task}`"
            text = f"the {what} of {self.name}/{self.keys[index]} {why_unread(error)}"
            raise broken(self.handle.path, text) from error

    def dataset(self, task: str | None) -> h5py.Dataset:
        """The array of all images, or of all labels of a task."""
        return self.handle.file[self._place(task)]

    def _place(self, task: str | None) -> str:
        return f"{self.name}/{layout.IMAGE if task is None else f'{layout.LABEL}/{task}'}"

    def camera(self, index: int) -> Camera | None:
        """Camera of an image at the stored size, where it is known."""
        values = self.cameras[index].tolist()
        return None if any(map(isnan, values)) else Camera(*values)


def read_split(handle: Handle, name: str, tasks: tuple[Task, ...]) -> Split:
    """Read everything of a split that is not pixels.

    Raises:
        StoreError: where something is missing or has another shape than the format says.
    """
    with reading(handle.path, f"split {name}"):
        group = handle.file[name]
        keys = tuple(group[layout.KEY].asstr()[()])
        n, (h, w) = len(keys), group[layout.IMAGE].shape[1:3]
        sizes = np.tile(np.array([[h, w]], np.int32), (n, 1))
        if layout.SIZE in group:
            sizes = _table(group, layout.SIZE, (n, 2))
        valid_pixels = _table(group, layout.VALID_PIXELS, (n, len(tasks)))
        return Split(
            name=name,
            role=_role(group),
            tasks=tasks,
            keys=keys,
            size=(int(h), int(w)),
            sizes=sizes,
            source_sizes=_table(group, layout.SOURCE_SIZE, (n, 2)),
            crops=_table(group, layout.CROP, (n, 4)),
            cameras=_table(group, layout.CAMERA, (n, 4)),
            valid_pixels=valid_pixels,
            digests=_table(group, layout.DIGEST, (n, 1 + len(tasks), 32)),
            regimes=_regimes(group, tasks, valid_pixels),
            handle=handle,
        )


def _regimes(
    group: h5py.Group, tasks: tuple[Task, ...], valid_pixels: NDArray[np.int32]
) -> dict[str, RegimeInfo]:
    names = [task.name for task in tasks]
    regimes = {layout.FULL: full(names, valid_pixels)}
    if layout.REGIME in group:
        for dataset in group[layout.REGIME].values():
            info = read_regime(dataset, names)
            regimes[info.name] = info
    return regimes


def _role(group: h5py.Group) -> Role:
    found = group.attrs["role"]
    for role in ROLES:
        if found == role:
            return role
    raise ValueError(f"role should be {', '.join(ROLES)}; found {found!r}")


def _table(group: h5py.Group, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    table: NDArray[Any] = group[name][()]
    if table.shape != shape:
        raise ValueError(f"{name} should be {list(shape)}; found {list(table.shape)}")
    table.flags.writeable = False
    return table


def why_unread(error: BaseException | None) -> str:
    """What reading a chunk failed at: HDF5 has one kind of error for all of it."""
    if isinstance(error, KeyError):
        return "is missing"
    text = str(error)
    if "checksum" in text or "filter returned failure" in text:
        return "does not match its checksum: a bit of it has changed"
    return f"cannot be read ({text.strip().rstrip('.')})"
