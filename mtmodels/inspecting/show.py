"""One run as it is now: losses, curves, rates, scores, pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from mtmodels.inspecting.curves import HEIGHT, text_plot
from mtmodels.inspecting.runs import Found, look
from mtmodels.training.record.curves import Log, Points
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.record.texts import number

EVERY = 1.0
"""Seconds between two looks at a run that goes."""
SHARE = 0.2
"""Of the time at most that looking takes."""


@dataclass(frozen=True)
class Shown:
    """What there is to see of a run.

    Args:
        found: What it is, and how far.
        losses: The loss of each task where its curve ends.
        auxiliary: Terms beside them, likewise.
        curves: For each task its loss over the steps: of a labelled image where the log has it.
        lr: The learning rate of the last logged step.
        images_per_second: How fast the last logged steps were.
        pictures: The newest picture of predictions; None where there is none.
    """

    found: Found
    losses: Mapping[str, float]
    auxiliary: Mapping[str, float]
    curves: Mapping[str, Points]
    lr: float | None
    images_per_second: float | None
    pictures: Path | None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            **self.found.to_json(),
            "losses": dict(self.losses),
            "auxiliary": dict(self.auxiliary),
            "curves": {task: [list(point) for point in line] for task, line in self.curves.items()},
            "lr": self.lr,
            "images_per_second": self.images_per_second,
            "pictures": None if self.pictures is None else str(self.pictures),
        }

    def line(self) -> str:
        """How far it is, in one line."""
        found, terms = self.found, {**self.losses, **self.auxiliary}
        parts = [f"{found.state}: {progress_text(found)}"]
        parts += [found.why] if found.why else [f"{n} {v:.4g}" for n, v in terms.items()]
        if found.scores:
            parts.append(f"scores ({found.scores_of}): {scores_text(found)}")
        return "  ".join(parts)

    def lines(self, *, width: int = 60, height: int = HEIGHT, unicode: bool = True) -> list[str]:
        """As text, with a curve for each task."""
        found = self.found
        lines = [
            f"{found.path}: {found.state}, {progress_text(found)}, written "
            f"{age_text(found.age)} ago",
            f"{found.method} with {found.network}, {found.weighting} on {found.dataset}, regime "
            f"{found.regime}, seed {found.seed}",
        ]
        if found.why:
            lines[1:] = [f"What is broken: {found.why}"]
        if self.losses or self.auxiliary:
            terms = {**self.losses, **self.auxiliary}
            lines.append("last losses: " + "  ".join(f"{n} {v:.4g}" for n, v in terms.items()))
        if self.lr is not None:
            fast = self.images_per_second
            speed = "" if fast is None else f", {fast:.3g} images/s"
            lines.append(f"learning rate: {self.lr:.3g}{speed}")
        if found.scores:
            lines.append(f"scores ({found.scores_of}): {scores_text(found)}")
        if self.pictures is not None:
            lines.append(f"pictures: {self.pictures}")
        steps = [step for points in self.curves.values() for step, _ in points]
        ends = (min(steps), max(steps)) if steps else None
        for task, points in self.curves.items():
            lines += ["", f"{task}: loss over the steps"]
            lines += text_plot(points, width=width, height=height, unicode=unicode, ends=ends)
        return lines


def show(path: Path) -> Shown:
    """Look at a run.

    Raises:
        RunFolderError: where it is none.
    """
    return _shown(look(path))


def _shown(found: Found) -> Shown:
    """What there is to see of a run that was looked at."""
    folder = RunFolder(Path(found.path))
    written = RunFolder(folder.stage(found.stage)).metrics if found.stage else folder.metrics
    rows = read_rows(written, "step") if written.is_file() else []
    log = Log(rows)
    last = rows[-1] if rows else {}
    pictures = sorted(folder.predictions.glob("*.png"), key=lambda file: file.stat().st_mtime)
    curves = {task: log.loss(task).points for task in log.names("tasks")}
    return Shown(
        found,
        losses={task: points[-1][1] for task, points in curves.items() if points},
        auxiliary=_last(log, "auxiliary"),
        curves=curves,
        lr=last.get("lr"),
        images_per_second=last.get("time", {}).get("images_per_second"),
        pictures=pictures[-1] if pictures else None,
    )


def follow(path: Path, *, every: float = EVERY) -> Iterator[Shown]:
    """Look at a run again and again, until nobody writes it any more.

    Args:
        path: The run.
        every: Seconds between two looks; more where a look takes long.

    Raises:
        RunFolderError: where it is none.
    """
    shown, ended = None, False
    while True:
        started, found = monotonic(), look(path)
        # A log is long: it is read again where the run went on.
        if shown is not None and replace(shown.found, age=found.age) == found:
            shown = replace(shown, found=found)
        else:
            shown = _shown(found)
        going = found.state == "going"
        # A run lets go of its folder for a moment between training and scoring: look twice.
        if going or ended or found.state == "done":
            yield shown
            if not going:
                return
        ended = not going
        sleep(max(every, (monotonic() - started) / SHARE))


def _last(log: Log, field: str) -> dict[str, float]:
    """For each name of a field, the last value that is a number."""
    found: dict[str, float] = {}
    for row in log.steps:
        found |= {n: v for n, v in row.get(field, {}).items() if v is not None}
    return found


def progress_text(found: Found) -> str:
    """How far a run is."""
    if found.step is None:
        return "no step"
    of = "" if found.steps is None else f" of {found.steps:,}"
    epochs = (
        "" if not found.epoch or not found.epochs else f" (epoch {found.epoch} of {found.epochs})"
    )
    stage = f"{found.stage}: " if found.stage else ""
    return f"{stage}step {found.step:,}{of}{epochs}"


def scores_text(found: Found) -> str:
    """One score a task."""
    return "  ".join(
        f"{task} {name} {number(value)}"
        for task, one in (found.scores or {}).items()
        for name, value in one.items()
    )


def age_text(seconds: float) -> str:
    """A time for people, in its largest unit: 45 s, 12 min, 3 h, 5 d."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
