"""What a merge tells when it is done."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtdata.building.summary import SplitSummary


@dataclass(frozen=True)
class MergeSummary:
    """A joined store.

    `kept` and `dropped` are regimes, `uncovered` the defaults of inputs that hid labels which the
    default now shows, `left_out` filled and derived labels; `settled` counts
    contradictions that a preference settled, `copied` and `recoded` the chunks that were taken as
    they are and those compressed anew.
    """

    path: Path
    dataset: str
    tasks: tuple[str, ...]
    splits: Mapping[str, SplitSummary]
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    left_out: tuple[str, ...]
    default_regime: str
    uncovered: tuple[str, ...]
    settled: int
    copied: int
    recoded: int
    content_digest: str
    bytes: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The fields of `mtdata merge --json`."""
        lists = {"tasks": list(self.tasks), "kept": list(self.kept), "dropped": list(self.dropped)}
        lists |= {"left_out": list(self.left_out), "uncovered": list(self.uncovered)}
        return {**asdict(self), "path": str(self.path), **lists}
