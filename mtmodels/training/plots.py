"""The curves of a run: losses, rate, and scores of what was held out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtmodels.scores import HEADLINES, HIGHER_IS_BETTER
from mtmodels.training.runlog import read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8d5a97", "#c98b1b", "#555555")
PANEL = (4.6, 3.2)
"""Inches of one panel."""


def draw_curves(metrics: Path, out: Path, *, title: str) -> None:
    """Draw the log of a run into a PNG."""
    from matplotlib.figure import Figure

    steps, epochs = read_rows(metrics, "step"), read_rows(metrics, "epoch")
    tasks = list(dict.fromkeys(task for row in steps for task in row["tasks"]))
    scored = [row for row in epochs if row.get("scores")]
    panels = [*tasks, "learning rate", *(tasks if scored else [])]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows + 0.4), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    figure.suptitle(title, fontsize=11)
    for axis, task, colour in zip(axes, tasks, COLOURS * len(tasks), strict=False):
        _loss(axis, steps, epochs, task, colour)
    _rate(axes[len(tasks)], steps)
    if scored:
        for axis, task in zip(axes[len(tasks) + 1 :], tasks, strict=False):
            _scores(axis, scored, task)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    figure.savefig(out, dpi=110)


def _loss(
    axis: "Axes",
    steps: Sequence[Mapping[str, Any]],
    epochs: Sequence[Mapping[str, Any]],
    task: str,
    colour: str,
) -> None:
    """Draw the loss of the logged steps thin, and the mean of each epoch in the middle of it."""
    rows = [row for row in steps if row["tasks"].get(task) is not None]
    values = [row["tasks"][task] for row in rows]
    axis.plot([row["step"] for row in rows], values, color=colour, alpha=0.25, linewidth=0.8)
    per_epoch = epochs[0]["step"] if epochs else 0
    means = [
        (row["step"] - per_epoch / 2, row["means"][task]) for row in epochs if task in row["means"]
    ]
    axis.plot([at for at, _ in means], [m for _, m in means], color=colour, marker="o", ms=3)
    _label(axis, f"{task}: training loss, and its mean an epoch", "step")
    if values and min(values) > 0 and max(values) > 50 * min(values):
        axis.set_yscale("log")


def _rate(axis: "Axes", steps: Sequence[Mapping[str, Any]]) -> None:
    axis.plot([row["step"] for row in steps], [row["lr"] for row in steps], color="#555555")
    axis.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    _label(axis, "learning rate", "step")


def _scores(axis: "Axes", epochs: Sequence[Mapping[str, Any]], task: str) -> None:
    """Draw the score that speaks for a task over the epochs."""
    names = epochs[0]["scores"].get(task, {})
    name = next((name for name in HEADLINES if name in names), None)
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
    axis.set_title(title, fontsize=9)
    axis.set_xlabel(along, fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
