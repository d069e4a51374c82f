"""NYU Depth v2 as folders of frames that were cropped and resized already."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from mtdata.errors import SampleError
from mtdata.sources.files.files import read_file
from mtdata.sources.files.imagefile import check_size, read_rgb
from mtdata.sources.files.imageheader import remarks_on
from mtdata.sources.nyu.frame import FRAME, camera_of, read_depth, read_semantic
from mtdata.sources.nyu.layout import Layout, scan
from mtdata.sources.nyu.normals import FOLDER, GivenNormals
from mtdata.sources.nyu.options import NyuOptions
from mtdata.sources.reader import Box, Reader
from mtdata.tasks.normals_from_depth import normals_from_depth
from mtdata.tasks.sample import Decoded, Sample


class NyuFolders(Reader):
    """`rgb/ depth/ semantic13/ semantic40/ splits.mat`, perhaps `normals/`.

    Args:
        root: The folder that holds them.
        options: With every choice made.
        download: What to say to somebody who has none of this.
    """

    def __init__(self, root: Path, options: NyuOptions, download: str) -> None:
        self.root = root
        self.options = options
        self.download = download
        self.given = GivenNormals(root) if options.normals == "given" else None
        self._folders = {"semantic": f"semantic{options.classes}", "depth": "depth"}
        if self.given:
            self._folders["normals"] = FOLDER

    @cached_property
    def layout(self) -> Layout:
        """The files, listed on first use."""
        keep = self.options.unlabelled == "keep"
        return scan(self.root, self._folders, self.download, keep_unlabelled=keep)

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The official split, as far as its images are there."""
        return self.layout.splits

    def remarks(self) -> tuple[str, ...]:
        """Frames of the official split that this copy does not hold, and what is converted."""
        absent = tuple(
            f"{absent} of the {absent + len(self.layout.splits[split])} official frames of {split} "
            "are not in this copy; scores do not compare with those on all of them."
            for split, absent in self.layout.absent.items()
            if absent
        )
        return (*absent, *remarks_on(list(self.layout.images.values())))

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read a frame; its normals are computed from its depth unless they are given."""
        path = self.layout.images[key]
        # Labels are of the pixels as they lie in the file: no tag of it may turn them.
        image = read_rgb(path, turn=False)
        size = (image.shape[0], image.shape[1])
        if size == FRAME and self.options.box[2:] != FRAME:
            raise SampleError(
                path,
                "should be cropped to the valid area; 480x640 is the size of a whole frame.",
                "Keep rows 44..470 and columns 40..600 of images and labels, or say --crop none.",
            )
        decoded: dict[str, Decoded] = {}
        for task in tasks:
            label = self._label(task, key, size, decoded.get("depth"))
            if label is not None:
                decoded[task] = label
        return Sample.of(key, image, decoded, camera_of(*size, self.options.box))

    def fingerprint(self, split: str, key: str) -> bytes:
        """SHA-256 over the options and the bytes of all files of a frame."""
        digest = sha256(repr(sorted(self.options.to_dict().items())).encode())
        for path in self.files(split, key):
            content = read_file(path)
            digest.update(f"{path.parent.name} {len(content)} ".encode() + content)
        return digest.digest()

    def files(self, split: str, key: str) -> list[Path]:
        """The image, its labels, and normals that are given with their mask."""
        labels = self.layout.labels
        paths = [files[key] for name, files in labels.items() if key in files and name != FOLDER]
        return [self.layout.images[key], *paths, *(self.given.paths(key) if self.given else [])]

    def box(self, split: str, key: str) -> tuple[tuple[int, int], Box]:
        """The official frame, and the part of it that was kept."""
        return FRAME, self.options.box

    def locate(self, split: str, key: str, task: str | None) -> Path:
        """The file of an image or of what a label is made from."""
        if task is None:
            return self.layout.images[key]
        folder = self._folder(task)
        return self.layout.labels[folder].get(key, self.root / folder / f"{key}.png")

    def _folder(self, task: str) -> str:
        return self._folders.get(task, "depth")

    def _label(
        self, task: str, key: str, size: tuple[int, int], depth: Decoded | None
    ) -> Decoded | None:
        """A label and its validity; None where there is no file for it.

        Normals are computed from `depth` where it was read already: a PNG is slow to decode.
        """
        path = self.layout.labels[self._folder(task)].get(key)
        if path is None:
            return None
        if task == "semantic":
            label, valid = read_semantic(path, self.options.classes)
        elif task == "normals" and self.given:
            label, valid = self.given.read(key)
        else:
            label, valid = depth or read_depth(path)
        check_size(label, path, size)
        if task == "normals" and not self.given:
            return normals_from_depth(label, valid, camera_of(*size, self.options.box))
        return label, valid
