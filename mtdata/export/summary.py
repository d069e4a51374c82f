"""What an export tells when it is done."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtdata.building.summary import SplitSummary


@dataclass(frozen=True)
class ExportSummary:
    """A finished export.

    `licences` are the terms of the data it comes from, `notes` what a person should know of it.
    """

    path: Path
    form: str
    dataset: str
    regime: str | None
    splits: Mapping[str, SplitSummary]
    files: int
    bytes: int
    seconds: float
    licences: Mapping[str, str]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields of `mtdata export --json`."""
        return {**asdict(self), "path": str(self.path), "notes": list(self.notes)}
