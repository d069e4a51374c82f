"""Which labels a regime shows, as MTPSL's code reads it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mtdata.export.view import Part, View
from mtdata.regimes.importing.placing import ALIASES
from mtdata.regimes.importing.pth import COLUMNS

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
