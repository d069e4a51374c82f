"""The labels of one image of `PASCAL_MT`; each file is read once, and only when it is asked for."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.files.imagefile import check_size
from mtdata.sources.pascal.labels import (
    edge_boundaries,
    edge_target,
    read_normals,
    read_saliency,
    read_semantic,
)
from mtdata.sources.pascal.layout import CONTEXT, PARTS
from mtdata.sources.pascal.mat import read_label_map, read_parts
from mtdata.tasks.sample import Decoded

FOLDERS_OF = {
    "semantic": ("semseg/VOC12", "semseg/pascal-context"),
    "normals": ("normals_distill",),
    "parts": (PARTS,),
    "saliency": ("sal_distill",),
    "edges": (CONTEXT,),
}
"""Where the file of each label lies: the first folder that has one counts."""


class Frame:
    """Label files of one image.

    Args:
        files: The file in each folder that has one.
        size: Height and width of the image.
        boundaries: Give the edges to score against, not those to learn from.
    """

    def __init__(
        self, files: Mapping[str, Path], size: tuple[int, ...], *, boundaries: bool
    ) -> None:
        self.files, self.size, self.boundaries = files, size, boundaries

    def label(self, task: str) -> Decoded | None:
        """A label and its validity; None where there is none.

        Raises:
            SampleError: where its file is broken, or of another size than the image.
        """
        path = file_of(self.files, task)
        if path is None:
            return None
        found = self._read(task, path)
        if found is not None:
            check_size(found[0], path, self.size)
        return found

    def _read(self, task: str, path: Path) -> Decoded | None:
        if task == "semantic":
            return read_semantic(path)
        if task == "saliency":
            return read_saliency(path)
        if task == "parts":
            parts = read_parts(path, self.size)
            return None if parts is None else (parts, np.ones(parts.shape, bool))
        classes = self._label_map
        if classes is None:
            return None  # nothing says which normals are valid
        if task == "normals":
            return read_normals(path, classes)
        return edge_boundaries(classes) if self.boundaries else edge_target(classes)

    @cached_property
    def _label_map(self) -> NDArray[Any] | None:
        path = self.files.get(CONTEXT)
        if path is None:
            return None
        label_map = read_label_map(path)
        check_size(label_map, path, self.size)
        return label_map


def file_of(files: Mapping[str, Path], task: str) -> Path | None:
    """The file that a label is read from, where there is one."""
    return next((files[folder] for folder in FOLDERS_OF[task] if folder in files), None)
