"""PASCAL-Context with the labels of five tasks, as the archive `PASCAL_MT` holds them."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from mtdata.errors import SourceNotFoundError, UsageError
from mtdata.sources.base import Source, check_options, unlabelled_option
from mtdata.sources.files.files import read_file
from mtdata.sources.files.imagefile import decode_rgb
from mtdata.sources.files.imageheader import remarks_on
from mtdata.sources.pascal.frame import FOLDERS_OF, Frame, file_of
from mtdata.sources.pascal.layout import CONTEXT, LISTS, OFFICIAL, Layout, scan
from mtdata.sources.published import Published
from mtdata.tasks.facts import PARTS7, PASCAL21
from mtdata.tasks.kinds import Binary, Normals
from mtdata.tasks.role import Role
from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task
from mtdata.wording import counted

EDGES = ("split", "target", "boundaries")


class Pascal(Source):
    """The layout of `PASCAL_MT`: images, `.mat` files and PNGs, split by `ImageSets/Context`.

    Options:
        edges: "target", the thinned Laplacian of the class map that edges are learnt from;
            "boundaries", the thinned changes of class that they are scored against; "split" (the
            default) the first in train and the second in val.
        unlabelled: "refuse" images without any label, or "keep" them.
    """

    name = "pascal"
    summary = "PASCAL-Context with five tasks: 4998 images to train and 5105 to test."
    download = (
        "Download PASCAL_MT.tgz from https://data.vision.ee.ethz.ch/kmaninis/share/MTL/"
        "PASCAL_MT.tgz and unpack it into data/raw/pascal, or any other folder that --source names."
    )
    licence = (
        "Images: Flickr terms of use, for research. Cite Everingham et al. 2010, Mottaghi et al. "
        "2014, Chen et al. 2014 and Maninis et al. 2019."
    )
    space = "Sizes are not measured here: `mtdata build --dry-run` tells that of a store."
    official: ClassVar[Mapping[str, int]] = OFFICIAL
    published = (Published("PASCAL_MT.tgz", "no digest of it is known to us"),)
    default_size = None
    padded_size = (512, 512)
    takes = ("edges", "unlabelled")

    def __init__(self, root: Path | None, **options: Any) -> None:
        if root is None:
            raise SourceNotFoundError(
                f"`pascal` should be given a folder; found none. {self.download}"
            )
        self.edges = _parse(options)
        super().__init__(Path(root), edges=self.edges, **unlabelled_option(options))
        self._root = Path(root)

    @classmethod
    def tasks(cls, **options: Any) -> tuple[Task, ...]:
        """Semantic classes, normals, parts of people, saliency, edges."""
        _parse(options)
        return (
            Task("semantic", PASCAL21),
            Task("normals", Normals()),
            Task("parts", PARTS7),
            Task("saliency", Binary()),
            Task("edges", Binary()),
        )

    @cached_property
    def layout(self) -> Layout:
        """The files, listed on first use."""
        return scan(self._root, self.download)

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The official split, as far as its images are there."""
        return self.layout.splits

    def roles(self) -> Mapping[str, Role]:
        """The official validation split is for testing: no labels of the real test are public."""
        return {"train": "train", "val": "test"}

    def remarks(self) -> tuple[str, ...]:
        """What this copy lacks of the official split, and of the labels."""
        layout = self.layout
        told = [self._absent(split) for split in OFFICIAL]
        for task, folders in FOLDERS_OF.items():
            if not any(layout.labels[folder] for folder in folders):
                told.append(f"No file in {' or '.join(folders)}: no image has {task}.")
        normals = layout.labels["normals_distill"].keys()
        unknown = normals & layout.images.keys() - layout.labels[CONTEXT].keys()
        if unknown:
            told.append(
                f"Normals are valid where class maps in {CONTEXT} say so, which "
                f"{counted(len(unknown), 'image')} with normals lack: they count as without "
                "normals."
            )
        told += remarks_on(list(layout.images.values()))
        return tuple(text for text in told if text)

    def _absent(self, split: str) -> str:
        """What of a split is not there; empty where all of it is."""
        listed, there = self.layout.listed[split], len(self.layout.splits[split])
        if listed == there == OFFICIAL[split]:
            return ""
        missing = (
            f"{listed - there} of the {listed} images that {LISTS}/{split}.txt names are not in "
            "this copy; "
            if listed != there
            else ""
        )
        return (
            f"{missing}{split} has {there} of the {OFFICIAL[split]} official images: scores do not "
            "compare with those on all of them."
        )

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read an image and its labels; without people there is no `parts`."""
        path = self.layout.images[key]
        # Labels are drawn on the pixels as they lie in the file: no tag of it may turn them.
        image = decode_rgb(read_file(path), path, turn=False)
        boundaries = self.edges == "boundaries" or (self.edges == "split" and split == "val")
        frame = Frame(self._files(key), image.shape[:2], boundaries=boundaries)
        decoded = {task: found for task in tasks if (found := frame.label(task)) is not None}
        return Sample.of(key, image, decoded)

    def fingerprint(self, split: str, key: str) -> bytes:
        """SHA-256 over the options and the bytes of all files of an image."""
        digest = sha256(repr(sorted(self.options.items())).encode())
        for folder, path in (("", self.layout.images[key]), *sorted(self._files(key).items())):
            content = read_file(path)
            digest.update(f"{folder} {len(content)} ".encode() + content)
        return digest.digest()

    def files(self, split: str, key: str) -> list[Path]:
        """The image and its labels."""
        return [self.layout.images[key], *self._files(key).values()]

    def locate(self, split: str, key: str, task: str | None) -> Path:
        """The file of an image or of what a label is made from."""
        image = self.layout.images[key]
        return image if task is None else file_of(self._files(key), task) or image

    def _files(self, key: str) -> dict[str, Path]:
        """The file of an image in each label folder that has one."""
        return {folder: found[key] for folder, found in self.layout.labels.items() if key in found}


def _parse(options: Mapping[str, Any]) -> str:
    """Which edges to give, checked."""
    check_options(Pascal, options)
    edges = options.get("edges", "split")
    if edges not in EDGES:
        raise UsageError(f"`edges` should be {', '.join(EDGES)} for pascal; found {edges}.")
    return str(edges)
