"""The tree of `.npy` files that MTAN distributes, and the label assignments of MTPSL beside it.

    {train,val}/{image,label,depth,normal}/{0, 1, ..., N-1}.npy

The code released with MTAN, MTPSL, JTR, LibMTL and others reads it. It needs every file: where an
image has no label, the file says void at every pixel.
"""

import csv
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.export.base import Exporter, check_folders
from mtdata.export.labels import npy
from mtdata.export.view import Part, View
from mtdata.progress import Progress
from mtdata.regimes.importing.placing import ALIASES
from mtdata.regimes.importing.pth import COLUMNS
from mtdata.tasks.kinds import Depth
from mtdata.tasks.task import Task

FOLDER_OF = {"train": "train", "test": "val"}
"""Released code trains on `train` and scores on `val`; other splits keep their names."""
FOLDERS = {"semantic": "label", "normals": "normal"}
"""What MTAN calls the folder of a task, where that is another name."""
VOID = -1.0


class NpyExport(Exporter):
    """MTAN's tree; `index.csv` tells the key of each number."""

    name: ClassVar[str] = "npy"
    summary: ClassVar[str] = "the tree of .npy files that the papers' released code reads"

    def check(self, view: View) -> None:
        """Refuse tasks that would share a folder."""
        check_folders([task_folder(view, task) for task in view.tasks], ["image"])

    def write(self, view: View, folder: Path, progress: Progress | None) -> tuple[str, ...]:
        """Write all arrays, `index.csv`, and with a regime the assignment."""
        names = folders_of(view)
        for place in names.values():
            for name in ("image", *(task_folder(view, task) for task in view.tasks)):
                (folder / place / name).mkdir(parents=True)
        for part, index in view.samples(progress):
            _write_sample(view, part, index, folder / names[part.split.name])
        _write_index(view, names, folder / "index.csv")
        notes = _notes(view)
        if view.regime is not None:
            notes += write_assignment(view, names, folder)
        return tuple(notes)


def folders_of(view: View) -> dict[str, str]:
    """The folder of each split: `train` and `val`, or its own name where two have one role."""
    count = Counter(part.split.role for part in view.parts)
    names = {part.split.name for part in view.parts}
    return {
        split.name: FOLDER_OF[split.role]
        if count[split.role] == 1
        and FOLDER_OF.get(split.role, split.name) not in names - {split.name}
        else split.name
        for split in (part.split for part in view.parts)
    }


def task_folder(view: View, task: Task) -> str:
    """The folder of a task. That of Cityscapes says how many classes there are."""
    if task.name == "semantic" and view.store.dataset_name == "cityscapes":
        return f"label_{task.channels}"
    return FOLDERS.get(task.name, task.name)


def _write_sample(view: View, part: Part, index: int, folder: Path) -> None:
    sample = part.sample(index)
    size = (int(sample.image.shape[0]), int(sample.image.shape[1]))
    image = sample.image.astype(np.float32) / np.float32(255)
    (folder / "image" / f"{index}.npy").write_bytes(npy(image))
    for task in view.tasks:
        array = ARRAYS[task.kind.name](
            sample.labels.get(task.name, np.zeros((*size, 3), np.float32)),
            sample.valid.get(task.name, np.zeros(size, bool)),
        )
        (folder / task_folder(view, task) / f"{index}.npy").write_bytes(npy(array))


def _ids(label: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    # As floats: the released code resizes them by torch's interpolate, which takes no integers.
    plane = label if label.ndim == 2 else label[..., 0]
    return np.where(valid, plane, VOID).astype(np.float32)


def _depth(label: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    plane = label if label.ndim == 2 else label[..., 0]
    return np.where(valid, plane, 0).astype(np.float32)[..., None]


def _normals(label: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(valid[..., None], label, 0).astype(np.float32)


ARRAYS: dict[str, Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[np.float32]]] = {
    "classes": _ids,
    "binary": _ids,
    "depth": _depth,
    "normals": _normals,
}
"""What MTAN's files hold of each kind of label: -1, 0 or the zero vector where void."""


def _write_index(view: View, names: dict[str, str], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["folder", "number", "split", "key"])
        for part in view.parts:
            split = part.split.name
            out.writerows([names[split], i, split, key] for i, key in enumerate(part.split.keys))


def _notes(view: View) -> list[str]:
    notes = []
    columns = [view.store.tasks.index(task) for task in view.tasks]
    absent = sum(int((part.split.valid_pixels[:, columns] == 0).sum()) for part in view.parts)
    if absent:
        notes.append(
            f"{absent} labels that the store does not have are void at every pixel; an assignment "
            "(--regime) says which to leave out."
        )
    zero = [t.name for t in view.tasks if isinstance(t.kind, Depth) and t.kind.inverse]
    if zero:
        notes.append(f"A value of 0 of {', '.join(zero)} cannot be told from void in this form.")
    return notes


RELEASED = {ours: theirs for theirs, ours in ALIASES.items() if theirs != "normal"}
"""What the released `.npy` files call the tasks."""


def write_assignment(view: View, names: Mapping[str, str], folder: Path) -> list[str]:
    """Write `FOLDER_REGIME.pth` (or `.npy`) for each training split; returns what to say of them.

    A `.pth` holds `labels_weights`, float32 `[n, tasks]`, row i for the files `i.npy`; there is one
    where the tasks are semantic, depth and perhaps normals, in this order. For others a `.npy`
    holds a dictionary of task and keys, as the one released for PASCAL.
    """
    tasks = tuple(task.name for task in view.tasks)
    told = []
    for part in view.parts:
        if part.split.role != "train":
            continue
        stem = f"{names[part.split.name]}_{view.regime}"
        if tasks in COLUMNS.values():
            name = f"{stem}.pth"
            _write_pth(part, folder / name)
        else:
            name = f"{stem}.npy"
            _write_npy(part, folder / name)
        told.append(f"{name} says which labels `{view.regime}` shows; the arrays hold them all.")
    return told


def _write_pth(part: Part, path: Path) -> None:
    import torch

    weights = np.ascontiguousarray(part.shown, np.float32)

    torch.save({"labels_weights": torch.from_numpy(weights)}, path)


def _write_npy(part: Part, path: Path) -> None:
    keys = np.array(part.split.keys)
    table = {
        RELEASED.get(task.name, task.name): [str(key) for key in keys[part.shown[:, column]]]
        for column, task in enumerate(part.tasks)
    }
    np.save(path, np.array(table, dtype=object), allow_pickle=True)
