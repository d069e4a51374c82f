"""What a folder in the official layout of Cityscapes holds, and reading it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from mtdata.sources.cityscapes.frame import Rig, decode_camera, decode_depth, decode_semantic
from mtdata.sources.files.archive import Archive
from mtdata.sources.files.files import Files
from mtdata.sources.files.imagefile import check_size, decode_rgb
from mtdata.sources.files.imageheader import image_remarks, parse_header, readable, spread
from mtdata.sources.reader import Reader
from mtdata.tasks.sample import Decoded, Sample

IMAGES, SEMANTIC, DISPARITY, CAMERA = "leftImg8bit", "gtFine", "disparity", "camera"
FOLDERS = {None: IMAGES, "semantic": SEMANTIC, "depth": DISPARITY}

Id = tuple[str, str]
"""Split and key."""


@dataclass(frozen=True)
class Place:
    """One file, in a folder or in a zip file."""

    files: Files
    name: str

    @property
    def path(self) -> Path:
        """Where it lies, for messages."""
        return self.files.path(self.name)

    @property
    def city(self) -> Id:
        """The split and the city that it lies in."""
        _, split, city, _ = self.name.split("/")
        return split, city

    def read(self) -> bytes:
        """Its bytes."""
        return self.files.read(self.name)


@dataclass(frozen=True)
class CityscapesTree(Reader):
    """The official layout; `cityscapes_scan.scan` makes one.

    Args:
        found: For each folder, the file that belongs to a split and key.
        keys: The sorted keys of each split, of the images that have a label.
        notes: Sentences on what this copy lacks.
        classes: 7 or 19.
        depth: Unit of depth.
    """

    found: Mapping[str, Mapping[Id, Place]]
    keys: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    classes: int
    depth: str

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """`train` and `val`, as far as they are there."""
        return self.keys

    def remarks(self) -> tuple[str, ...]:
        """What this copy lacks, and what is converted."""
        images = spread(
            [self.found[IMAGES][split, key] for split, keys in self.keys.items() for key in keys]
        )
        headers = readable(images, lambda place: parse_header(BytesIO(place.read()), place.path))
        total = sum(map(len, self.keys.values()))
        among = "" if len(images) == total else f" {len(images)} (of {total})"
        return (*self.notes, *image_remarks(headers, turn=False, among=among))

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read an image with those of these labels that it has."""
        place = self.found[IMAGES][split, key]
        # Labels are of the pixels as they lie in the file: no tag of it may turn them.
        image = decode_rgb(place.read(), place.path, turn=False)
        size = (int(image.shape[0]), int(image.shape[1]))
        rig = self._rig((split, key))
        decoded = {
            t: d for t in tasks if (d := self._label(t, (split, key), size, rig)) is not None
        }
        return Sample.of(key, image, decoded, None if rig is None else rig.at(*size))

    def fingerprint(self, split: str, key: str) -> bytes:
        """SHA-256 over the options and the bytes of all files of an image, zipped or not."""
        digest = sha256(f"{self.classes} {self.depth}".encode())
        for folder, places in self.found.items():
            if (split, key) in places:
                content = places[split, key].read()
                digest.update(f"{folder} {len(content)} ".encode() + content)
        return digest.digest()

    def files(self, split: str, key: str) -> list[Path]:
        """The files of an image; the zip files, where they are zipped."""
        places = [places[split, key] for places in self.found.values() if (split, key) in places]
        return [place.files.file if isinstance(place.files, Archive) else place.path
                for place in places]  # fmt: skip

    def locate(self, split: str, key: str, task: str | None) -> Path:
        """The file of an image, or of a label; of the image where there is no label."""
        label = self.found[FOLDERS[task]].get((split, key))
        return (label or self.found[IMAGES][split, key]).path

    def _label(self, task: str, at: Id, size: tuple[int, int], rig: Rig | None) -> Decoded | None:
        """A label and its validity; None where there is none."""
        place = self.found[FOLDERS[task]].get(at)
        if place is None:
            return None
        decoded: Decoded | None
        if task == "semantic":
            decoded = decode_semantic(place.read(), place.path, self.classes)
        else:
            decoded = decode_depth(place.read(), place.path, self.depth, rig)
        if decoded is not None:
            check_size(decoded[0], place.path, size)
        return decoded

    def _rig(self, at: Id) -> Rig | None:
        place = self.found[CAMERA].get(at)
        return None if place is None else decode_camera(place.read(), place.path)
