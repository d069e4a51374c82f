"""The official download of NYU Depth v2: one MATLAB file, read frame by frame."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray as Array
from numpy.typing import NDArray

from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.sources.files.files import check_files, read_file
from mtdata.sources.nyu.classes import RAW, find_mapping, lookup_table
from mtdata.sources.nyu.frame import FRAME, camera_of
from mtdata.sources.nyu.layout import SPLITS_FILE, official_splits
from mtdata.sources.nyu.matfile import AGAIN, FILE, MatFile
from mtdata.sources.nyu.normals import GivenNormals
from mtdata.sources.nyu.options import NyuOptions
from mtdata.sources.reader import Box, Reader
from mtdata.tasks.normals_from_depth import normals_from_depth
from mtdata.tasks.sample import Decoded, Sample

WINDOW = 13
"""Pixels that the plane of a normal is fitted to: of a frame what 9 pixels of 288 are, whatever
part of the frame is kept."""


class NyuMat(Reader):
    """`nyu_depth_v2_labeled.mat` and `splits.mat`, perhaps `normals/` and `classMapping40.mat`.

    Args:
        root: The folder that holds them.
        options: With every choice made.
    """

    def __init__(self, root: Path, options: NyuOptions) -> None:
        self.root = root
        self.options = options
        self._depth = "rawDepths" if options.depth == "raw" else "depths"
        self.given = GivenNormals(root) if options.normals == "given" else None
        self.mat = MatFile(root / FILE, ("images", self._depth, "labels"))

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The official split; every frame of it has to be in the file."""
        return self._splits

    @cached_property
    def _splits(self) -> Mapping[str, tuple[str, ...]]:
        path = self.root / SPLITS_FILE
        if not os.path.lexists(path):
            raise SourceNotFoundError(
                f"{self.root} should hold {SPLITS_FILE} beside {FILE}; it does not. Download it "
                "from https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html."
            )
        check_files((path, self.mat.path), self.root)
        splits = official_splits(path)
        frames = self.mat.frames
        for keys in splits.values():
            for key in keys:
                if not 1 <= int(key) <= frames:
                    raise SampleError(
                        path,
                        f"frames should be 1..{frames}, as many as {FILE} holds; found {int(key)}.",
                        "Take both files from one download.",
                    )
        return splits

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read a frame, cropped; its normals are computed from its depth unless they are given."""
        decode = {"semantic": self._semantic, "depth": self._metres, "normals": self._normals}
        decoded = {task: d for task in tasks if (d := decode[task](int(key))) is not None}
        box = self.options.box
        return Sample.of(
            key, _cut(self.mat.frame("images", int(key)), box), decoded, camera_of(*box[2:], box)
        )

    def fingerprint(self, split: str, key: str) -> bytes:
        """SHA-256 over the options, the frame, its given normals and the mapping of classes."""
        digest = sha256(repr(sorted(self.options.to_dict().items())).encode())
        for name in self.mat.arrays:
            digest.update(self.mat.frame(name, int(key)).data)
        for path in self.files(split, key)[1:]:
            content = read_file(path)
            digest.update(f"{len(content)} ".encode() + content)
        return digest.digest()

    def files(self, split: str, key: str) -> list[Path]:
        """The MATLAB file, given normals, and the mapping of classes."""
        given = self.given.paths(key) if self.given else []
        return [self.mat.path, *given, *([self.mapping] if self.mapping else [])]

    def box(self, split: str, key: str) -> tuple[tuple[int, int], Box]:
        """The official frame, and the part of it that is kept."""
        return FRAME, self.options.box

    def locate(self, split: str, key: str, task: str | None) -> str:
        """The array of the file; the file of given normals."""
        if task == "normals" and self.given and key in self.given.files:
            return str(self.given.files[key])
        names = {None: "images", "semantic": "labels"}
        return f"{self.mat.path} ({names.get(task, self._depth)}, frame {int(key)})"

    def remarks(self) -> tuple[str, ...]:
        """Which mapping of classes is used where it is not in the folder; frames of no split."""
        remarks = []
        if self.mapping is not None and self.mapping.parent != self.root:
            remarks.append(f"The classes are those of {self.mapping}.")
        unused = self.mat.frames - sum(map(len, self.splits().values()))
        if unused:
            remarks.append(
                f"{unused} of the {self.mat.frames} frames of {FILE} are in neither split and "
                "are left out."
            )
        return tuple(remarks)

    @cached_property
    def mapping(self) -> Path | None:
        """A file that maps raw ids to classes; None where there is none, and none is needed."""
        return find_mapping(self.root)

    @cached_property
    def _classes(self) -> UInt8[Array, " 895"]:
        return lookup_table(self.mapping, self.options.classes)

    def _semantic(self, index: int) -> Decoded:
        raw = _cut(self.mat.frame("labels", index), self.options.box)
        if raw.max(initial=0) > RAW:
            raise self._wrong(index, f"`labels` should be 0..{RAW}; found {raw.max()}")
        label = self._classes[raw]
        valid = raw != 0
        return np.where(valid, label, 0).astype(np.uint8), valid

    def _metres(self, index: int) -> Decoded:
        metres = _cut(self.mat.frame(self._depth, index), self.options.box)
        if not (np.isfinite(metres) & (metres >= 0)).all():
            wrong = metres[~(np.isfinite(metres) & (metres >= 0))][0]
            raise self._wrong(index, f"`{self._depth}` should be finite metres; found {wrong:g}")
        metres = metres.astype(np.float32, copy=False)
        return metres, metres > 0

    def _normals(self, index: int) -> Decoded | None:
        box = self.options.box
        if self.given is None:
            camera = camera_of(*box[2:], box)
            return normals_from_depth(*self._metres(index), camera, window=WINDOW)
        key = f"{index:04d}"
        if key not in self.given.files:
            return None
        vector, valid = self.given.read(key)
        if valid.shape == FRAME:
            return _cut(vector, box), _cut(valid, box)
        if valid.shape != box[2:]:
            raise SampleError(
                self.given.files[key],
                f"normals should be of the whole frame, {FRAME[0]}x{FRAME[1]}, or of the part that "
                f"is kept, {box[2]}x{box[3]}; found {valid.shape[0]}x{valid.shape[1]}.",
                "Do not resize them.",
            )
        return vector, valid

    def _wrong(self, index: int, problem: str) -> SampleError:
        return SampleError(self.mat.path, f"{problem} in frame {index}.", AGAIN)


def _cut(array: NDArray[Any], box: Box) -> NDArray[Any]:
    """A copy of the part that is kept."""
    top, left, height, width = box
    return array[top : top + height, left : left + width].copy()
