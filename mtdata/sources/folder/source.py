"""One's own images with whatever labels there are, described by a `tasks.yaml`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError, SourceNotFoundError, UsageError
from mtdata.sources.base import Source, check_options
from mtdata.sources.files.files import list_root, read_file
from mtdata.sources.files.imagefile import check_size, decode_rgb
from mtdata.sources.files.imageheader import (
    UPRIGHT,
    conversions,
    orientation,
    parse_header,
    read_header,
    readable,
    remarks_on,
    spread,
)
from mtdata.sources.folder.matching import expand
from mtdata.tasks.role import Role, role_by_name
from mtdata.tasks.sample import Decoded, Sample
from mtdata.tasks.task import Task
from mtdata.wording import counted, listed

if TYPE_CHECKING:
    from mtdata.sources.folder.layout import Layout
    from mtdata.sources.folder.tasks import AnnotatedFile, TasksFile

MARK = "export.json"
"""What every export of a store holds."""
"""What `mtdata export` writes beside the files."""
NEARLY = 0.8
"""Which part of the labels of a task is nearly all of them."""


class Folder(Source):
    """A folder with `tasks.yaml`, images, and labels matched by the stems of their names.

    Options:
        description: The content of `tasks.yaml` as JSON; without it the file is read.
        unlabelled: What its `unlabelled` says, in place of it: "refuse", "skip" or "keep".
    """

    name = "folder"
    summary = "Your own: images in a folder, and whatever labels there are of them."
    download = (
        "Put images and labels into one folder, data/raw/folder or any other that --source names, "
        "beside a tasks.yaml that says which is which; `mtdata init DIR` proposes one."
    )
    licence = "That of your data."
    default_size = None
    takes = ("description", "unlabelled")

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
        if "unlabelled" in options:
            self.file = _with_unlabelled(self.file, options["unlabelled"])
        super().__init__(self._root, description=json.loads(self.file.model_dump_json()))

    @classmethod
    def tasks(cls, **options: Any) -> tuple[Task, ...]:
        """The tasks of a description; none without one."""
        check_options(cls, options)
        return _described(options["description"]).to_tasks() if "description" in options else ()

    @property
    def keeps_unlabelled(self) -> bool:
        """Whether `tasks.yaml` says `unlabelled: keep`."""
        return self.file.unlabelled == "keep"

    @property
    def skips_unlabelled(self) -> bool:
        """Whether `tasks.yaml` says `unlabelled: skip`."""
        return self.file.unlabelled == "skip"

    @cached_property
    def layout(self) -> "Layout":
        """The files, listed on first use."""
        from mtdata.sources.folder.layout import scan

        return scan(self._root, self.file)

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """As `splits` of `tasks.yaml` says; all in `train` where it says nothing."""
        return self.layout.splits

    def roles(self) -> Mapping[str, Role]:
        """As `splits: {roles: ...}` says; else by the name: train..., val... or dev, the rest."""
        said = {} if self.file.splits is None else self.file.splits.roles
        return {split: said.get(split) or role_by_name(split) for split in self.splits()}

    def remarks(self) -> tuple[str, ...]:
        """Images and labels that are left out, and what is converted."""
        layout = self.layout
        said = []
        if layout.absent:
            said.append(_left_out(layout.absent, "name", "in lists of splits, of no image"))
        if layout.unlabelled and self.keeps_unlabelled:
            said.append(f"Kept without a label: {counted(len(layout.unlabelled), 'image')}.")
        if layout.unlisted:
            said.append(_left_out(layout.unlisted, "image", "in no split"))
        if layout.unlabelled and not self.keeps_unlabelled:
            said.append(_left_out(layout.unlabelled, "image", "without a label"))
        for task, orphans in layout.orphans.items():
            if orphans:
                said.append(_left_out(orphans, "label", f"of {task} without an image"))
        said += self._added()
        paths = [layout.images[s, key] for s, keys in layout.splits.items() for key in keys]
        # A few of many: all are looked at while they are read, and counted in the summary.
        return (*said, *remarks_on(paths, turn=self.file.exif != "ignore"))

    def _added(self) -> Iterator[str]:
        """That an export of a store has labels that its source never had."""
        with suppress(OSError, ValueError, KeyError, TypeError):  # a file of that name of theirs
            content = json.loads((self._root / MARK).read_text(encoding="utf-8"))
            each = [f"{one['images']} of {one['task']} ({one['origin']})"
                    for one in content["added"]]  # fmt: skip
            if each:
                yield (
                    f"{MARK} says that labels here are not of the source: {listed(each)}. A "
                    "store built of this folder has them like any other, and no regime of it "
                    "guards them."
                )

    def largest(self) -> tuple[int, int]:
        """The height and width that hold every image, of those whose headers are looked at."""
        turn = self.file.exif != "ignore"
        headers = readable(spread(list(self.layout.images.values())), read_header)
        sizes = [h.size[::-1] if turn and h.orientation > 4 else h.size for h in headers]
        return max((h for h, _ in sizes), default=1), max((w for _, w in sizes), default=1)

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read an image and its labels, upright."""
        from mtdata.sources.folder.annotations.reading import check_said
        from mtdata.sources.folder.decoding import decode
        from mtdata.sources.folder.tasks import AnnotatedFile

        path = self.layout.images[split, key]
        content = read_file(path)
        turn = UPRIGHT if self.file.exif == "ignore" else orientation(content)
        image = decode_rgb(content, path, turn=turn != UPRIGHT)
        labels, valid = {}, {}
        for name in tasks:
            file = self.layout.labels[name].get((split, key))
            if file is None:
                continue
            task = self.file.tasks[name]
            if isinstance(task, AnnotatedFile):
                found = self._drawn(name, task, (split, key), image.shape[:2])
            else:
                found = decode(task, file, turn=self.file.exif != "ignore")
            if found is not None:
                labels[name], valid[name] = found
                entry = self._entry(name, (split, key))
                if turn != UPRIGHT:
                    self._check_turned(labels[name], file, entry, image, turn)
                check = check_said if isinstance(task, AnnotatedFile) else check_size
                check(labels[name], entry, image.shape[:2])
        return Sample(key, image, labels, valid)

    def _drawn(
        self, name: str, task: "AnnotatedFile", at: tuple[str, str], size: tuple[int, ...]
    ) -> Decoded | None:
        """A label as the annotations of its image draw it; None where there are none."""
        from mtdata.sources.folder.annotations.reading import check_image, draw, drawing_of

        path, entry = self.layout.labels[name][at], self._entry(name, at)
        drawing = drawing_of(task.format, entry, self._content(name, at))
        check_image(drawing, path, self.layout.images[at], self._root)
        return draw(task, drawing, entry, (size[0], size[1]))

    def _entry(self, name: str, at: tuple[str, str]) -> str:
        """The file of a label for messages, and of a file of many images the one that is meant."""
        path = self.layout.labels[name][at]
        of_many = at in self.layout.parts.get(name, {})
        return f"{path}: image {self.layout.images[at].name}" if of_many else str(path)

    def _content(self, name: str, at: tuple[str, str]) -> bytes:
        """What a label is read from: its file, or what a file of many images says of this one."""
        from mtdata.sources.folder.annotations.base import read_annotations
        from mtdata.sources.folder.tasks import AnnotatedFile

        part = self.layout.parts.get(name, {}).get(at)
        if part is not None:
            part.check()
            return part.content
        annotated = isinstance(self.file.tasks[name], AnnotatedFile)
        path = self.layout.labels[name][at]
        return read_annotations(path) if annotated else read_file(path)

    def _check_turned(
        self, label: NDArray[Any], path: Path, entry: str, image: NDArray[np.uint8], turn: int
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
                entry,
                f"the EXIF orientation {turn} of the image turns it to {upright[0]}x{upright[1]}; "
                f"this label, {size[0]}x{size[1]}, {found}.",
                "Say `exif: ignore` in tasks.yaml if labels are of the pixels as they lie in the "
                "file, `exif: apply` if they are of the image as viewers show it.",
            )

    def fingerprint(self, split: str, key: str) -> bytes:
        """SHA-256 over the description and the bytes of all files of an image."""
        digest = sha256(json.dumps(self.options, sort_keys=True).encode())
        for task, path in self._named(split, key):
            content = self._content(task, (split, key)) if task else read_file(path)
            digest.update(f"{task} {len(content)} ".encode() + content)
        return digest.digest()

    def files(self, split: str, key: str) -> list[Path]:
        """The image and its labels."""
        return [path for _, path in self._named(split, key)]

    def _named(self, split: str, key: str) -> list[tuple[str, Path]]:
        paths = [("", self.layout.images[split, key])]
        for task, files in sorted(self.layout.labels.items()):
            paths += [(task, files[split, key])] if (split, key) in files else []
        return paths

    def notes(self, split: str, key: str) -> tuple[str, ...]:
        """What its header says that it has, and 8-bit RGB has not; annotations without an area."""
        path = self.layout.images[split, key]
        header = parse_header(BytesIO(read_file(path)), path)
        found = conversions(header, turn=self.file.exif != "ignore")
        return (*found, *self._not_drawn((split, key)))

    def _not_drawn(self, at: tuple[str, str]) -> Iterator[str]:
        """Notes on the annotations of an image that cover no pixels."""
        from mtdata.sources.folder.annotations.base import NOT_DRAWN
        from mtdata.sources.folder.annotations.reading import drawing_of
        from mtdata.sources.folder.tasks import AnnotatedFile

        for name, task in self.file.tasks.items():
            if isinstance(task, AnnotatedFile) and at in self.layout.labels[name]:
                with suppress(SampleError):  # of a task that the build leaves out, perhaps
                    content = self._content(name, at)
                    drawing = drawing_of(task.format, self._entry(name, at), content)
                    yield from (f"{NOT_DRAWN}{what}" for what in drawing.skipped)

    def suspects(self, files: Sequence[Path]) -> str:
        """That `tasks.yaml` may be wrong, where these are nearly all labels of a task."""
        for task, labels in self.layout.labels.items():
            known = set(labels.values())
            if len(files) > 2 and len(known & set(files)) >= NEARLY * len(known):
                return (
                    f"As nearly all labels of `{task}` have the same fault, look first at what "
                    f"{self._root / 'tasks.yaml'} says of them; after a change there, build with "
                    "--overwrite"
                )
        return ""

    def locate(self, split: str, key: str, task: str | None) -> Path:
        """The file of an image or label, or about where it would be."""
        if task is None:
            return self.layout.images[split, key]
        found = self.layout.labels[task].get((split, key))
        return found or self._root / expand(self.file.tasks[task].files, split, key)


def _described(description: Any) -> "TasksFile":
    from mtdata.sources.folder.tasks import TasksFile

    return TasksFile.model_validate_json(json.dumps(description))


def _with_unlabelled(file: "TasksFile", value: str) -> "TasksFile":
    known = ("refuse", "skip", "keep")
    if value not in known:
        raise UsageError(f"`unlabelled` should be {', '.join(known)}; found {value}.")
    return file.model_copy(update={"unlabelled": value})


def _left_out(names: Sequence[str], noun: str, why: str) -> str:
    return f"Left out: {counted(len(names), noun)} {why}: {listed(names, 3)}."
