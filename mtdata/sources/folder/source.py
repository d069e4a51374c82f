"""One's own images with whatever labels there are, described by a `tasks.yaml`."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.sources.base import Source, check_options
from mtdata.sources.files.files import list_root, read_file
from mtdata.sources.files.imagefile import check_size, decode_rgb
from mtdata.sources.files.imageheader import UPRIGHT, image_remarks, orientation, read_header
from mtdata.sources.folder.matching import Pattern
from mtdata.tasks.role import Role
from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task

if TYPE_CHECKING:
    from mtdata.sources.folder.layout import Layout
    from mtdata.sources.folder.tasks import TasksFile


class Folder(Source):
    """A folder with `tasks.yaml`, images, and labels matched by the stems of their names.

    Options:
        description: The content of `tasks.yaml` as JSON; without it the file is read.
    """

    name = "folder"
    summary = "Your own: images in a folder, and whatever labels there are of them."
    download = (
        "Put images and labels into one folder, data/raw/folder or any other that --source names, "
        "beside a tasks.yaml that says which is which; `mtdata init DIR` proposes one."
    )
    licence = "That of your data."
    default_size = None
    takes = ("description",)

    def __init__(self, root: Path | None, **options: Any) -> None:
        check_options(Folder, options)
        if root is None:
            raise SourceNotFoundError(
                f"`folder` should be given a folder; found none. {self.download}"
            )
        from mtdata.sources.folder.file import read_tasks

        self._root = Path(root)
        list_root(self._root, self.download)
        given = options.get("description")
        self.file = read_tasks(self._root) if given is None else _described(given)
        super().__init__(self._root, description=json.loads(self.file.model_dump_json()))

    @classmethod
    def tasks(cls, **options: Any) -> tuple[Task, ...]:
        """The tasks of a description; none without one."""
        check_options(cls, options)
        return _described(options["description"]).to_tasks() if "description" in options else ()

    @cached_property
    def layout(self) -> "Layout":
        """The files, listed on first use."""
        from mtdata.sources.folder.layout import scan

        return scan(self._root, self.file)

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """As `splits` of `tasks.yaml` says; all in `train` where it says nothing."""
        return self.layout.splits

    def roles(self) -> Mapping[str, Role]:
        """A split whose name begins with "train" is for training, every other one for testing."""
        return {split: "train" if split.startswith("train") else "test" for split in self.splits()}

    def remarks(self) -> tuple[str, ...]:
        """Images and labels that are left out, and what is converted."""
        layout = self.layout
        said = []
        if layout.absent:
            said.append(_left_out(layout.absent, "names in lists of splits are of no image"))
        if layout.unlisted:
            said.append(_left_out(layout.unlisted, "images are in no split"))
        if layout.unlabelled:
            said.append(_left_out(layout.unlabelled, "images have no label"))
        for task, orphans in layout.orphans.items():
            if orphans:
                names = [path.name for path in orphans]
                said.append(_left_out(names, f"labels of {task} have no image"))
        paths = [layout.images[s, key] for s, keys in layout.splits.items() for key in keys]
        return (*said, *image_remarks(map(read_header, paths)))

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read an image and its labels, upright."""
        from mtdata.sources.folder.decoding import decode

        path = self.layout.images[split, key]
        content = read_file(path)
        turn = UPRIGHT if self.file.exif == "ignore" else orientation(content)
        image = decode_rgb(content, path, turn=turn != UPRIGHT)
        labels, valid = {}, {}
        for name in tasks:
            file = self.layout.labels[name].get((split, key))
            if file is not None:
                labels[name], valid[name] = decode(self.file.tasks[name], file)
                if turn != UPRIGHT:
                    self._check_turned(labels[name], file, image, turn)
                check_size(labels[name], file, image.shape[:2])
        return Sample(key, image, labels, valid)

    def _check_turned(
        self, label: NDArray[Any], path: Path, image: NDArray[np.uint8], turn: int
    ) -> None:
        """Refuse a label that was, or may have been, made for the image before it was turned."""
        upright = image.shape[:2]
        stored = upright[::-1] if turn > 4 else upright
        size = label.shape[:2]
        as_stored = size == stored and size != upright
        own = path.suffix.lower() == ".png" and orientation(read_file(path)) != UPRIGHT
        unclear = stored == upright and self.file.exif is None and not own
        if as_stored or unclear:
            found = "has the size of the image before that" if as_stored else "fits it both ways"
            raise SampleError(
                path,
                f"the EXIF orientation {turn} of the image turns it to {upright[0]}x{upright[1]}; "
                f"this label, {size[0]}x{size[1]}, {found}.",
                "Say `exif: ignore` in tasks.yaml if labels are of the pixels as they lie in the "
                "file, `exif: apply` if they are of the image as viewers show it.",
            )

    def fingerprint(self, split: str, key: str) -> bytes:
        """SHA-256 over the description and the bytes of all files of an image."""
        digest = sha256(json.dumps(self.options, sort_keys=True).encode())
        paths = [("", self.layout.images[split, key])]
        for task, files in sorted(self.layout.labels.items()):
            paths += [(task, files[split, key])] if (split, key) in files else []
        for task, path in paths:
            content = read_file(path)
            digest.update(f"{task} {len(content)} ".encode() + content)
        return digest.digest()

    def locate(self, split: str, key: str, task: str | None) -> Path:
        """The file of an image or label, or about where it would be."""
        if task is None:
            return self.layout.images[split, key]
        pattern = Pattern(self.file.tasks[task].files)
        found = self.layout.labels[task].get((split, key))
        return found or self._root / pattern.expand(split, key)


def _described(description: Any) -> "TasksFile":
    from mtdata.sources.folder.tasks import TasksFile

    return TasksFile.model_validate_json(json.dumps(description))


def _left_out(names: Sequence[str], what: str) -> str:
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} {what} and are left out: {shown}."
