"""Normals that somebody gives beside the frames of NYU Depth v2."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from mtdata.errors import SourceNotFoundError
from mtdata.sources.files.files import check_files
from mtdata.sources.files.normals_file import SUFFIXES, read_normals
from mtdata.sources.nyu.layout import numbered_files
from mtdata.tasks.sample import Decoded

FOLDER, MASKS = "normals", "normals_mask"


class GivenNormals:
    """`normals/0001.png` or `.npy`, and `normals_mask/0001.png` where there are masks.

    Args:
        root: The folder that holds them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def files(self) -> Mapping[str, Path]:
        """File by key.

        Raises:
            SourceNotFoundError: where there is no folder.
        """
        if not (self.root / FOLDER).is_dir():
            raise SourceNotFoundError(
                f"{self.root} should hold {FOLDER}/ for --normals given; it does not. "
                "Use --normals computed, or add the folder."
            )
        return self._inside(FOLDER, SUFFIXES)

    @cached_property
    def masks(self) -> Mapping[str, Path]:
        """Mask by key."""
        return self._inside(MASKS, (".png",))

    def _inside(self, folder: str, suffixes: tuple[str, ...]) -> Mapping[str, Path]:
        found = numbered_files(self.root / folder, suffixes)
        check_files(found.values(), self.root)
        return found

    def paths(self, key: str) -> list[Path]:
        """The files of a frame."""
        return [files[key] for files in (self.files, self.masks) if key in files]

    def read(self, key: str) -> Decoded:
        """The normals of a frame whose key is in `files`.

        Raises:
            SampleError: where a file is broken.
        """
        return read_normals(self.files[key], self.masks.get(key))
