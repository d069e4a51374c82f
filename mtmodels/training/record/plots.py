"""The curves of a run: losses, what they are made of, rate, and scores of what was held out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtdata.inspecting.figures import write_figure
from mtmodels.metrics.scores import HIGHER_IS_BETTER, headline_among
from mtmodels.training.record.runlog import read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Any]
Draw = Callable[["Axes"], None]
COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8d5a97", "#c98b1b", "#555555")
PANEL = (4.6, 3.2)
"""Inches of one panel."""
AN_EPOCH = {"tasks": "means"}
"""The field of an epoch row that has the means of a field of a step row, where names differ."""


@dataclass(frozen=True)
class Log:
    """The rows of a run."""

    steps: Sequence[Row]
    epochs: Sequence[Row]
    looks: Sequence[Row] = ()

    def names(self, field: str) -> list[str]:
        """All names that the values of a field have; an older log may lack the field."""
        return list(dict.fromkeys(name for row in self.steps for name in row.get(field, {})))


def draw_curves(metrics: Path, out: Path, *, title: str) -> None:
    """Draw the log of a run into a PNG; none where no step had a term and nothing was scored."""
    from matplotlib.figure import Figure

    log = Log(*(read_rows(metrics, kind) for kind in ("step", "epoch", "probe")))
    panels = _panels(log)
    if not panels:
        return
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    size = PANEL[0] * columns, PANEL[1] * rows + 0.4
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    rates = _rates(log)
    constant = f" · learning rate {rates.pop():.3g} throughout" if len(rates) == 1 else ""
    figure.suptitle(title + constant, fontsize=11)
    for axis, draw in zip(axes, panels, strict=False):
        draw(axis)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    write_figure(figure, out)


def _panels(log: Log) -> list[Draw]:
    """What draws each panel, in order."""
    tasks = log.names("tasks")
    coloured = zip(tasks, COLOURS * len(tasks), strict=False)
    panels: list[Draw] = [
        partial(_loss, log=log, task=task, colour=colour) for task, colour in coloured
    ]
    auxiliary = log.names("auxiliary")
    panels += _many(log, "auxiliary", auxiliary, "terms beside those of the tasks")
    parts = [name for name in log.names("parts") if name not in auxiliary]
    parts = [name for name in parts if not name.endswith("/direct")]
    for kind in dict.fromkeys(part_kind(name, tasks) for name in parts):
        of_kind = sorted(name for name in parts if part_kind(name, tasks) == kind)
        title = f"{kind} of each pair, before any weight"
        panels += _many(log, "parts", of_kind, title, said=f"{kind}/")
    asked = sorted({name for row in log.looks for name in row["agreement"]})
    panels += [
        partial(_agreement, looks=log.looks, names=asked[i : i + len(COLOURS)])
        for i in range(0, len(asked), len(COLOURS))
    ]
    if len(_rates(log)) > 1:
        panels.append(partial(_rate, log=log))
    scored = [row for row in log.epochs if row.get("scores")]
    if scored:
        panels += [partial(_scores, epochs=scored, task=task) for task in tasks]
    return panels


def part_kind(part: str, tasks: Sequence[str]) -> str:
    """What a part is one of: "consistency/a_with_b" says so, "a/to_b" is a transfer."""
    first = part.partition("/")[0]
    return "transfer" if first in tasks else first


def _many(log: Log, field: str, names: Sequence[str], title: str, *, said: str = "") -> list[Draw]:
    """Panels of values that are to be seen together, with as many lines as there are colours.

    What their title `said` of a name is left out.
    """
    chunks = [names[i : i + len(COLOURS)] for i in range(0, len(names), len(COLOURS))]
    return [
        partial(_terms, log=log, field=field, names=chunk, title=title, said=said)
        for chunk in chunks
    ]


def _loss(axis: "Axes", *, log: Log, task: str, colour: str) -> None:
    """Draw the loss of a labelled image; the term itself where the log does not have it."""
    if task in log.names("labelled"):
        values = _line(axis, log, "labelled", task, colour)
        _label(axis, f"{task}: loss, mean over the images that show it", "step")
    else:
        values = _line(axis, log, "tasks", task, colour)
        _label(axis, f"{task}: training loss, and its mean an epoch", "step")
    _spread(axis, values)


def _terms(
    axis: "Axes", *, log: Log, field: str, names: Sequence[str], title: str, said: str
) -> None:
    """Draw some values into one panel."""
    values: list[float] = []
    for name, colour in zip(names, COLOURS, strict=False):
        values += _line(axis, log, field, name, colour, label=name.removeprefix(said))
    _label(axis, title, "step")
    axis.legend(fontsize=6, framealpha=0.7, edgecolor="none")
    _spread(axis, values)


def _line(
    axis: "Axes", log: Log, field: str, name: str, colour: str, *, label: str | None = None
) -> list[float]:
    """Draw the values of the logged steps thin, and the mean of each epoch in the middle of it."""
    rows = [row for row in log.steps if row.get(field, {}).get(name) is not None]
    values = [row[field][name] for row in rows]
    axis.plot([row["step"] for row in rows], values, color=colour, alpha=0.25, linewidth=0.8)
    per_epoch = log.epochs[0]["step"] if log.epochs else 0
    means = [
        (row["step"] - per_epoch / 2, row[key][name])
        for row in log.epochs
        if name in row.get(key := AN_EPOCH.get(field, field), {})
    ]
    x, y = [at for at, _ in means], [mean for _, mean in means]
    axis.plot(x, y, color=colour, marker="o", ms=3, linewidth=1.2, label=label)
    return values


def _agreement(axis: "Axes", *, looks: Sequence[Row], names: Sequence[str]) -> None:
    """Draw how pairs agree with held-out labels: full marks where they go on, hollow at rest."""
    for name, colour in zip(names, COLOURS, strict=False):
        rows = [row for row in looks if name in row["agreement"]]
        x, y = [row["step"] for row in rows], [row["agreement"][name] for row in rows]
        axis.plot(x, y, color=colour, linewidth=1.2, label=name)
        for kept in (True, False):
            at = [i for i, row in enumerate(rows) if row["kept"][name] is kept]
            fill = colour if kept else "white"
            points = ([x[i] for i in at], [y[i] for i in at])
            axis.plot(*points, "o", ms=4, color=colour, markerfacecolor=fill)
    axis.axhline(looks[-1]["threshold"], color="#222222", linewidth=0.8)
    _label(axis, "agreement with held-out labels; a hollow pair rests", "step")
    axis.legend(fontsize=6, framealpha=0.7, edgecolor="none")


def _spread(axis: "Axes", values: Sequence[float]) -> None:
    """Take a logarithmic axis for values over a wide range."""
    if values and min(values) > 0 and max(values) > 50 * min(values):
        axis.set_yscale("log")


def _rates(log: Log) -> set[float]:
    """All learning rates that there were."""
    return {row["lr"] for row in log.steps}


def _rate(axis: "Axes", *, log: Log) -> None:
    steps, rates = [row["step"] for row in log.steps], [row["lr"] for row in log.steps]
    axis.plot(steps, rates, color="#555555")
    axis.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    _label(axis, "learning rate", "step")


def _scores(axis: "Axes", *, epochs: Sequence[Row], task: str) -> None:
    """Draw the score that speaks for a task over the epochs."""
    name = headline_among(epochs[0]["scores"].get(task, {}))
    if name is None:
        axis.set_axis_off()
        return
    points = [
        (row["epoch"], row["scores"][task][name])
        for row in epochs
        if row["scores"][task][name] is not None
    ]
    axis.plot([e for e, _ in points], [v for _, v in points], color="#222222", marker="o", ms=3)
    arrow = "higher" if HIGHER_IS_BETTER[name] else "lower"
    _label(axis, f"{task}: {name} ({arrow} is better)", "epoch")


def _label(axis: "Axes", title: str, along: str) -> None:
    """Title and axes; steps and epochs are whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_title(title, fontsize=9)
    axis.set_xlabel(along, fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
