"""Photos that a page offers beside those of the user."""

from pathlib import Path

from mtdata.errors import UsageError, named
from mtdata.serving.answers import printable
from mtdata.sources.folder.matching import IMAGE_SUFFIXES

MOST = 24
"""Photos of a folder that are offered; its further ones are not."""


class Examples:
    """The photos in a folder, those below it left out.

    Args:
        folder: The folder; None for no examples.

    Raises:
        UsageError: where there is no such folder, or no photo in it.
    """

    def __init__(self, folder: Path | None) -> None:
        self._paths: dict[str, Path] = {}
        if folder is None:
            return
        try:
            files = sorted(folder.iterdir())
        except OSError as error:
            raise UsageError(
                f"--examples should be a folder of photos; {folder} cannot be listed "
                f"({error.strerror})."
            ) from error
        found = [
            file
            for file in files
            if file.suffix.lower() in IMAGE_SUFFIXES
            and not file.name.startswith(".")
            and file.is_file()
        ]
        if not found:
            raise UsageError(
                f"--examples should be a folder of photos that end in {', '.join(IMAGE_SUFFIXES)}; "
                f"{folder} has none."
            )
        for file in found[:MOST]:
            name, number = printable(file.name), 1
            while name in self._paths:  # two may differ in what cannot be printed alone
                number += 1
                name = f"{printable(file.name)} ({number})"
            self._paths[name] = file

    @property
    def names(self) -> list[str]:
        """What they are called, in order."""
        return list(self._paths)

    def find(self, name: str) -> Path:
        """The file of one.

        Raises:
            UnknownNameError: where none has that name.
        """
        return named("example", name, self._paths)
