"""Pictures of a comparison: deltas with intervals, scores of classes, learning curves."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtdata.errors import UsageError
from mtdata.inspecting.figures import PLOTS, save
from mtmodels.metrics.scores import headline_among
from mtmodels.scoring.intervals import Estimate
from mtmodels.scoring.layout import FORM_TITLES, TASKS, label_entries, titles
from mtmodels.scoring.score_table import Entry, ScoreTable
from mtmodels.training.record.runlog import read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

COLOURS = (
    *("#1b6ca8", "#d1495b", "#3a7d44", "#c98b1b", "#8d5a97", "#4aa5a0", "#7a5c42", "#555555"),
    *("#86b8de", "#f0a0aa", "#9ccfa4", "#ecc77e"),
)
WIDTH = 10.0
"""Inches."""
_MARKS = {"mtpsl": "o", "xtasc": "D"}

Named = Sequence[tuple[str, str, Entry]]
"""For each row its label, its colour, and itself."""
Part = tuple[float, Callable[["SubFigure"], None]]
"""The height of a part of the picture, and what draws it."""


def check_plot(out: Path) -> None:
    """Refuse a file that cannot be drawn into, before anything is computed.

    Raises:
        UsageError: for another suffix, or a folder that is not there.
    """
    if out.suffix.lower() not in PLOTS:
        raise UsageError(f"--plot should name a file that ends in {', '.join(PLOTS)}; found {out}.")
    if not out.parent.is_dir():
        raise UsageError(
            f"--plot should be in a folder that is there; found no {out.parent}. Make it first."
        )


def draw_comparison(tables: Sequence[ScoreTable], out: Path) -> list[Path]:
    """Draw each table that has runs; the first into the file, others beside it by their protocol.

    Returns:
        The files.
    """
    drawn: list[Path] = []
    for table in tables:
        if all(entry.published for entry in table.entries):
            continue
        path = out
        if drawn:
            path = out.with_stem(f"{out.stem}-{table.facts.protocol}")
            if path in drawn:
                path = out.with_stem(f"{out.stem}-{table.facts.protocol}-{len(drawn) + 1}")
        _draw(table, path)
        drawn.append(path)
    return drawn


def _draw(table: ScoreTable, out: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    labelled = zip(label_entries(table), table.entries, strict=True)
    rows = [(label, entry) for label, entry in labelled]
    colours = iter(COLOURS * len(rows))
    named = [(n, "#999999" if e.published else next(colours), e) for n, e in rows]
    ours = [one for one in named if not one[2].published]
    parts = [*_deltas(table, named), *_classes(ours), *_curves(table, ours)]
    if not parts:
        raise UsageError(
            "--plot should have deltas (--baseline), scores of classes or logs to draw; found none."
        )
    columns = min(len(ours), 3)
    legend = 0.3 + 0.22 * -(-len(ours) // columns)
    height = sum(part for part, _ in parts) + 0.5 + legend
    figure = Figure(figsize=(WIDTH, height), dpi=110, layout="constrained")
    figure.suptitle(table.title(), fontsize=10)
    heights = [part for part, _ in parts]
    figures = figure.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)
    for place, (_, draw) in zip(figures[:, 0], parts, strict=True):
        draw(place)
    figure.legend(
        handles=[Line2D([], [], color=colour, lw=5, label=label) for label, colour, _ in ours],
        loc="outside lower center",
        ncols=columns,
        fontsize=8,
        frameon=False,
    )
    save(figure, out)


def _deltas(table: ScoreTable, named: Named) -> list[Part]:
    """Both forms of delta; one dot a row and form."""
    shown = [one for one in named if one[2].deltas]
    if table.baseline is None or not shown:
        return []

    def draw(place: "SubFigure") -> None:
        forms = [form for form in FORM_TITLES if any(form in e.deltas for _, _, e in shown)]
        drawn = [_best_delta(entry, form) for form in forms for _, _, entry in shown]
        known = any(one is not None and one.low is not None for one in drawn)
        said = f"with{'' if known else 'out'} 95 % intervals"
        axes = np.atleast_1d(place.subplots(1, len(forms), sharey=True))
        for axis, form in zip(axes, forms, strict=True):
            axis.axvline(0, color="0.75", linewidth=1)
            for at, (_, colour, entry) in enumerate(shown):
                if (found := _best_delta(entry, form)) is not None:
                    _dot(axis, found, at, colour, _MARKS[form])
            axis.set(ylim=(len(shown) - 0.5, -0.5), yticks=range(len(shown)))
            axis.set_yticklabels([label for label, _, _ in shown])
            _style(axis, f"{FORM_TITLES[form]}, % (right is better), {said}", "")
            axis.grid(axis="y", visible=False)

    return [(0.26 * len(shown) + 0.8, draw)]


def _best_delta(entry: Entry, form: str) -> Estimate | None:
    """Of pairs where there are some."""
    pairs = entry.paired.deltas if entry.paired else {}
    return pairs.get(form) or entry.deltas.get(form)


def _dot(axis: "Axes", found: Estimate, at: int, colour: str, mark: str) -> None:
    if found.low is not None and found.high is not None:
        axis.plot([found.low, found.high], [at, at], color=colour, linewidth=1.6)
    axis.plot([found.value], [at], mark, color=colour, markersize=5)


def _classes(ours: Named) -> list[Part]:
    """For each task with classes, a group of bars for each of them."""
    found: list[Part] = []
    for task, names in {t: n for _, _, e in ours for t, n in e.classes.items()}.items():
        having = [one for one in ours if isinstance(one[2].scores.get(task, {}).get("iou"), list)]
        if having:
            found.append((2.7, partial(_bars, named=having, task=task, names=names)))
    return found


def _bars(place: "SubFigure", *, named: Named, task: str, names: Sequence[str]) -> None:
    axis = place.subplots()
    wide = 0.8 / len(named)
    for at, (_, colour, entry) in enumerate(named):
        places = np.arange(len(names)) + (at - (len(named) - 1) / 2) * wide
        values = np.array(entry.scores[task]["iou"], float)
        axis.bar(places, np.nan_to_num(values), wide, color=colour)
        for x in places[np.isnan(values)]:  # no score, which is not a score of 0
            axis.text(x, 0, "n/a", rotation=90, fontsize=6, color=colour, ha="center", va="bottom")
        for x, one in zip(places, entry.intervals.get(task, {}).get("iou", ()), strict=False):
            if one.low is not None:
                axis.plot([x, x], [one.low, one.high], color="#222222", linewidth=0.7)
    several = len(names) > 8
    axis.set_xticks(range(len(names)), names)
    if several:
        axis.tick_params(axis="x", rotation=40)
        for label in axis.get_xticklabels():
            label.set(horizontalalignment="right", rotation_mode="anchor")
    axis.set(xlim=(-0.6, len(names) - 0.4), ylim=(0, min(100, axis.get_ylim()[1])))
    _style(axis, f"{TASKS.get(task, task)}: IoU of each class, %", "")
    axis.grid(axis="x", visible=False)


def _curves(table: ScoreTable, ours: Named) -> list[Part]:
    """For each task a score of what was held out over the epochs, or the loss where none was."""
    logs = {label: [read_rows(Path(log), "epoch") for log in e.logs] for label, _, e in ours}
    tasks = list(dict.fromkeys(task for task, _ in table.columns))
    panels = [panel for task in tasks if (panel := _panel(table, logs, task))]
    if not panels:
        return []

    def draw(place: "SubFigure") -> None:
        axes = np.atleast_1d(place.subplots(1, len(panels)))
        for axis, (title, lines) in zip(axes, panels, strict=True):
            for label, colour, _ in ours:
                for points in lines.get(label, ()):
                    x, y = zip(*points, strict=True)
                    axis.plot(x, y, color=colour, linewidth=1.3,
                              marker="o" if len(x) == 1 else None)  # fmt: skip
            _style(axis, title, "epoch")

    return [(2.5, draw)]


Lines = Mapping[str, Sequence[Sequence[tuple[float, float]]]]


def _panel(
    table: ScoreTable, logs: Mapping[str, Sequence[Any]], task: str
) -> tuple[str, Lines] | None:
    """The title of a panel and the points of each row, a line a seed."""
    first: Any = next((r for runs in logs.values() for rows in runs for r in rows), {})
    scores = first.get("scores", {}).get(task, {})
    name = headline_among(scores)
    field, key = ("scores", name) if name else ("labelled", None)
    lines: dict[str, list[list[tuple[float, float]]]] = {}
    for label, runs in logs.items():
        for rows in runs:
            points = []
            for row in rows:
                # Runs of before have no loss of an image; a loss is no score of another run.
                value = (row.get(field) or ({} if name else row.get("means", {}))).get(task)
                value = value.get(key) if isinstance(value, dict) else value
                if value is not None:
                    points.append((float(row["epoch"]), float(value)))
            if points:
                lines.setdefault(label, []).append(points)
    if not lines:
        return None
    what = titles(table, task, name) if name else "training loss"
    return f"{TASKS.get(task, task)}: {what}" + (" (held out)" if name else ""), lines


def _style(axis: "Axes", title: str, along: str) -> None:
    axis.set_title(title, fontsize=9)
    axis.set_xlabel(along, fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
