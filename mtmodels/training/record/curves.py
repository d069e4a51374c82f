"""The curves of a run, for its picture and its page: losses and their parts, rate, scores."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtmodels.metrics.scores import HIGHER_IS_BETTER, headline_among
from mtmodels.training.record.runlog import read_rows

Row = Mapping[str, Any]
Points = list[tuple[float, float]]
MOST = 6
"""Lines of a panel: as many as there are colours."""
AN_EPOCH = {"tasks": "means"}
"""The field of an epoch row that has the means of a field of a step row, where names differ."""


@dataclass(frozen=True)
class Log:
    """The rows of a run."""

    steps: Sequence[Row]
    epochs: Sequence[Row] = ()
    looks: Sequence[Row] = ()

    @classmethod
    def read(cls, metrics: Path) -> "Log":
        """That of a file; empty where there is none."""
        if not metrics.is_file():
            return cls(())
        return cls(*(read_rows(metrics, kind) for kind in ("step", "epoch", "probe")))

    def names(self, field: str) -> list[str]:
        """All names that the values of a field have; an older log may lack the field."""
        return list(dict.fromkeys(name for row in self.steps for name in row.get(field, {})))

    def line(self, field: str, name: str) -> "Line":
        """A value of the logged steps, and its mean of each epoch in the middle of that."""
        half = self.epochs[0]["step"] / 2 if self.epochs else 0
        key = AN_EPOCH.get(field, field)
        means = [(row["step"] - half, row.get(key, {}).get(name)) for row in self.epochs]
        points = [(row["step"], row.get(field, {}).get(name)) for row in self.steps]
        return Line(_known(points), _known(means))

    def loss(self, task: str) -> "Line":
        """The loss of a labelled image; the term itself where an older log does not have it."""
        return self.line("labelled" if task in self.names("labelled") else "tasks", task)

    def rates(self) -> set[float]:
        """All learning rates that there were."""
        return {row["lr"] for row in self.steps}


@dataclass(frozen=True)
class Line:
    """Values over steps or epochs.

    Args:
        points: Places and values.
        means: The mean of each epoch, in the middle of it.
        rests: Places at which what is drawn took no part.
    """

    points: Points
    means: Points = field(default_factory=list)
    rests: frozenset[float] = frozenset()


@dataclass(frozen=True)
class Panel:
    """What is to be seen together.

    Args:
        title: What it is.
        lines: By name; at most `MOST`.
        along: What is along: `step` or `epoch`.
        linear: Whether the axis of values is linear, however wide their range.
        level: A value to compare with.
    """

    title: str
    lines: Mapping[str, Line]
    along: str = "step"
    linear: bool = False
    level: float | None = None


def panels(log: Log) -> list[Panel]:
    """All there is to see of a log, in order."""
    return list(_panels(log))


def _panels(log: Log) -> Iterator[Panel]:
    tasks, auxiliary = log.names("tasks"), log.names("auxiliary")
    for task in tasks:
        of = ", mean over the images that show it" if task in log.names("labelled") else ""
        yield Panel(f"{task}: loss{of}", {task: log.loss(task)})
    yield from _many(log, "auxiliary", "terms beside those of the tasks", auxiliary)
    parts = [n for n in log.names("parts") if n not in auxiliary and not n.endswith("/direct")]
    for kind in dict.fromkeys(part_kind(name, tasks) for name in parts):
        of_kind = sorted(name for name in parts if part_kind(name, tasks) == kind)
        title = f"{kind} of each pair, before any weight"
        yield from _many(log, "parts", title, of_kind, said=f"{kind}/")
    yield from _agreement(log.looks)
    weights = {name: log.line("weights", name) for name in log.names("weights")}
    if any(len({value for _, value in line.points}) > 1 for line in weights.values()):
        yield from _chunks("weights of the terms", weights)
    if log.steps:
        rates = Line(_known((row["step"], row["lr"]) for row in log.steps))
        # On a logarithmic axis the warm-up and the end of a cycle hide all that is between.
        yield Panel("learning rate", {"learning rate": rates}, linear=True)
    norms = _known((row["step"], row.get("gradient_norm")) for row in log.steps)
    if norms:
        yield Panel("norm of the gradient", {"norm": Line(norms)})
    yield from _scores([row for row in log.epochs if row.get("scores")])


def part_kind(part: str, tasks: Sequence[str]) -> str:
    """What a part is one of: "consistency/a_with_b" says so, "a/to_b" is a transfer."""
    first = part.partition("/")[0]
    return "transfer" if first in tasks else first


def _many(
    log: Log, field: str, title: str, names: Sequence[str], *, said: str = ""
) -> Iterator[Panel]:
    """Panels of values that belong together; what their title `said` of a name is left out."""
    shown = {name.removeprefix(said): log.line(field, name) for name in names}
    yield from _chunks(title, shown)


def _chunks(title: str, lines: Mapping[str, Line], **how: Any) -> Iterator[Panel]:
    """As many lines to a panel as there are colours; where there is one, the title names it."""
    chunks = [list(lines)[i : i + MOST] for i in range(0, len(lines), MOST)]
    for number, names in enumerate(chunks, 1):
        of = f": {names[0]}" if len(lines) == 1 else ""
        of = f" ({number} of {len(chunks)})" if len(chunks) > 1 else of
        yield Panel(title + of, {name: lines[name] for name in names}, **how)


def _agreement(looks: Sequence[Row]) -> Iterator[Panel]:
    """How pairs agree with held-out labels, against what lets them go on."""
    lines = {}
    for name in sorted({name for row in looks for name in row["agreement"]}):
        rows = [row for row in looks if name in row["agreement"]]
        rests = frozenset(float(row["step"]) for row in rows if not row["kept"][name])
        points = _known((row["step"], row["agreement"][name]) for row in rows)
        lines[name] = Line(points, rests=rests)
    level = looks[-1]["threshold"] if looks else None
    title = "agreement of pairs with held-out labels"
    yield from _chunks(title, lines, linear=True, level=level)


def _scores(epochs: Sequence[Row]) -> Iterator[Panel]:
    """The score that speaks for each task, of what selects, over the epochs."""
    for task in dict.fromkeys(task for row in epochs for task in row["scores"]):
        rows = [row for row in epochs if task in row["scores"]]
        name = headline_among(rows[0]["scores"][task])
        if name is not None:
            points = _known((row["epoch"], row["scores"][task].get(name)) for row in rows)
            better = "higher" if HIGHER_IS_BETTER[name] else "lower"
            title = f"{task}: {name} of what selects ({better} is better)"
            yield Panel(title, {name: Line(points)}, along="epoch")


def _known(points: Iterable[tuple[Any, Any]]) -> Points:
    """Those that have a value."""
    return [(float(at), float(value)) for at, value in points if value is not None]
