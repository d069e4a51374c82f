"""Pictures of a comparison: deltas with intervals, scores of classes, learning curves."""

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mtdata.errors import UsageError
from mtdata.inspecting.figures import legend_columns, save, shortened
from mtmodels.metrics.scores import headline_among
from mtmodels.scoring.delta import uncounted
from mtmodels.scoring.intervals import Estimate
from mtmodels.scoring.layout import FORM_TITLES, TASKS, label_entries, titles
from mtmodels.scoring.score_table import Entry, ScoreTable
from mtmodels.training.record.runlog import read_rows

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

COLOURS = (
    *("#1b6ca8", "#d1495b", "#3a7d44", "#c98b1b", "#8d5a97", "#4aa5a0", "#7a5c42", "#555555"),
    *("#86b8de", "#f0a0aa", "#9ccfa4", "#ecc77e"),
)
STYLES = (("-", ""), ("--", "///"), (":", "..."), ("-.", "xxx"))
"""Lines and hatches: where there are more rows than colours, these begin again with the next."""
WIDTH = 10.0
"""Inches."""
LONGEST = 48
"""Letters of a label."""
BESIDE = 3
"""Most learning curves beside each other."""
_MARKS = {"mtpsl": "o", "xtasc": "D"}


class Look(NamedTuple):
    """How a row is drawn: its colour, its line, and the hatch of its bars."""

    colour: str
    line: str = "-"
    hatch: str = ""


Named = Sequence[tuple[str, Look, Entry]]
"""For each row its label, its look, and itself."""
Part = tuple[float, Callable[["SubFigure"], None]]
"""The height of a part of the picture, and what draws it."""


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
        save(figure_of(table), path)
        drawn.append(path)
    return drawn


def figure_of(table: ScoreTable) -> "Figure":
    """All there is to draw of a table.

    Raises:
        UsageError: where that is nothing.
    """
    from matplotlib.figure import Figure

    labelled = zip(label_entries(table), table.entries, strict=True)
    rows = [(label, entry) for label, entry in labelled]
    looks = iter([Look(colour, *style) for style in STYLES for colour in COLOURS] * len(rows))
    named = [(n, Look("#999999") if e.published else next(looks), e) for n, e in rows]
    ours = [one for one in named if not one[2].published]
    parts = [*_deltas(table, named), *_classes(ours), *_curves(table, ours)]
    if not parts:
        raise UsageError(
            "--plot should have deltas (--baseline), scores of classes or logs to draw; found none."
        )
    columns = legend_columns([_shown(label) for label, _, _ in ours], WIDTH - 0.4, size=8.0)
    lines = -(-len(ours) // columns)
    columns = -(-len(ours) // lines)  # rows alike, none of a lone entry
    legend = 0.3 + 0.22 * lines
    height = sum(part for part, _ in parts) + 0.5 + legend
    figure = Figure(figsize=(WIDTH, height), dpi=110, layout="constrained")
    figure.suptitle(textwrap.fill(table.title(), 110), fontsize=10)
    heights = [part for part, _ in parts]
    figures = figure.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)
    for place, (_, draw) in zip(figures[:, 0], parts, strict=True):
        draw(place)
    handles = [_handle(_shown(label), look) for label, look, _ in ours]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, fontsize=8, frameon=False
    )
    return figure


def _shown(label: str) -> str:
    return shortened(label, LONGEST)


def _handle(label: str, look: Look) -> "Artist":
    """A line where the colour says all, else the hatch with the line around it."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if not look.hatch:
        return Line2D([], [], color=look.colour, lw=5, label=label)
    return Patch(facecolor="white", edgecolor=look.colour, ls=look.line, hatch=look.hatch,
                 lw=1.3, label=label)  # fmt: skip


def _deltas(table: ScoreTable, named: Named) -> list[Part]:
    """Both forms of delta; one dot a row and form."""
    shown = [one for one in named if one[2].deltas]
    if table.baseline is None or not shown:
        return []

    def draw(place: "SubFigure") -> None:
        forms = [form for form in FORM_TITLES if any(form in e.deltas for _, _, e in shown)]
        drawn = [_best_delta(entry, form) for form in forms for _, _, entry in shown]
        known = any(one is not None and one.low is not None for one in drawn)
        said = f"right is better; with{'' if known else 'out'} 95 % intervals"
        assert table.baseline is not None
        counts = uncounted(table.baseline, table.tasks)
        place.suptitle("\n".join([said, *textwrap.wrap(counts, 120)]), fontsize=9)
        axes = np.atleast_1d(place.subplots(1, len(forms), sharey=True))
        for axis, form in zip(axes, forms, strict=True):
            axis.axvline(0, color="0.75", linewidth=1)
            for at, (_, look, entry) in enumerate(shown):
                if (found := _best_delta(entry, form)) is not None:
                    _dot(axis, found, at, look.colour, _MARKS[form])
            axis.set(ylim=(len(shown) - 0.5, -0.5), yticks=range(len(shown)))
            axis.set_yticklabels([_shown(label) for label, _, _ in shown])
            _style(axis, f"{FORM_TITLES[form]}, %", "")
            axis.grid(axis="y", visible=False)

    return [(0.26 * len(shown) + 1.2, draw)]


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
    for at, (_, look, entry) in enumerate(named):
        colour = look.colour
        places = np.arange(len(names)) + (at - (len(named) - 1) / 2) * wide
        values = np.array(entry.scores[task]["iou"], float)
        axis.bar(places, np.nan_to_num(values), wide, hatch=look.hatch or None,
                 facecolor="white" if look.hatch else colour,
                 edgecolor=colour if look.hatch else "none")  # fmt: skip
        for x in places[np.isnan(values)]:  # no score, which is not a score of 0
            axis.text(x, 0, "n/a", rotation=90, fontsize=6, color=colour, ha="center", va="bottom")
        for x, one in zip(places, entry.intervals.get(task, {}).get("iou", ()), strict=False):
            if one.low is not None:
                axis.plot([x, x], [one.low, one.high], color="#222222", linewidth=0.7)
    several = len(names) > 8
    axis.set_xticks(range(len(names)), [shortened(name, LONGEST // 2) for name in names])
    if several:
        axis.tick_params(axis="x", rotation=40)
        for label in axis.get_xticklabels():
            label.set(horizontalalignment="right", rotation_mode="anchor")
    axis.set(xlim=(-0.6, len(names) - 0.4), ylim=(0, min(100, axis.get_ylim()[1])))
    _style(axis, f"{TASKS.get(task, task)}: IoU of each class, %", "")
    axis.grid(axis="x", visible=False)


def _curves(table: ScoreTable, ours: Named) -> list[Part]:
    """For each task a score of what was held out, or the loss where none was.

    Over the epochs; over the steps where as many of these are not as many epochs of all runs.
    """
    logs = {label: [read_rows(Path(log), "epoch") for log in e.logs] for label, _, e in ours}
    tasks = list(dict.fromkeys(task for task, _ in table.columns))
    along = _along(rows for runs in logs.values() for rows in runs)
    panels = [panel for task in tasks if (panel := _panel(table, logs, task, along))]
    if not panels:
        return []
    columns = min(len(panels), BESIDE)
    lines_of = -(-len(panels) // columns)

    def draw(place: "SubFigure") -> None:
        axes = list(place.subplots(lines_of, columns, squeeze=False).flat)
        for axis, (title, lines) in zip(axes, panels, strict=False):
            for label, look, _ in ours:
                for points in lines.get(label, ()):
                    x, y = zip(*points, strict=True)
                    axis.plot(x, y, color=look.colour, linestyle=look.line, linewidth=1.3,
                              marker="o" if len(x) == 1 else None)  # fmt: skip
            _style(axis, title, along)
        for axis in axes[len(panels) :]:
            axis.set_axis_off()

    return [(2.5 * lines_of, draw)]


def _along(logs: Iterable[Sequence[Mapping[str, Any]]]) -> str:
    """What curves lie along: steps, where runs of as many steps differ in their epochs."""
    epochs: dict[Any, set[Any]] = {}
    for rows in logs:
        for row in rows[-1:]:
            epochs.setdefault(row.get("step"), set()).add(row["epoch"])
    differ = any(len(of_steps) > 1 for of_steps in epochs.values())
    return "step" if differ and None not in epochs else "epoch"


Lines = Mapping[str, Sequence[Sequence[tuple[float, float]]]]


def _panel(
    table: ScoreTable, logs: Mapping[str, Sequence[Any]], task: str, along: str
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
                    points.append((float(row[along]), float(value)))
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
