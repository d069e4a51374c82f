"""What every form of export does."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from mtdata.errors import DataError
from mtdata.export.view import View
from mtdata.progress import Progress


class Exporter(ABC):
    """Writes what a view shows into a new folder."""

    name: ClassVar[str]
    summary: ClassVar[str]
    """One line on what it is for."""

    @abstractmethod
    def check(self, view: View) -> None:
        """Refuse before any work what cannot be written.

        Raises:
            DataError: saying what this form cannot hold.
        """

    @abstractmethod
    def write(self, view: View, folder: Path, progress: Progress | None) -> tuple[str, ...]:
        """Write all files; returns sentences on what a person should know of them."""


def check_folders(names: Sequence[str], others: Sequence[str]) -> None:
    """Refuse tasks whose folders would be those of something else.

    Raises:
        DataError: naming the folder.
    """
    for name in names:
        if [*names, *others].count(name) > 1:
            raise DataError(
                f"the folder `{name}` should be that of one task alone; this form has another use "
                "for it. Export other tasks with --tasks."
            )
