"""The picture of `mtdata stats`: a panel for each question, as many as the tasks ask for."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtdata.inspecting.stats import SplitStats, Stats
from mtdata.tasks.kinds import Binary, Classes, Depth, Normals
from mtdata.tasks.task import Task
from mtdata.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Of splits, and of nothing else: those of Okabe and Ito, which the colour-blind can tell."""
MARKERS = "osD^vP"
LINES: tuple[Literal["-", "--", "-.", ":"], ...] = ("-", "--", "-.", ":")
LIGHT = "#dcdce2"
WIDTH, HEAD = 10.0, 0.85
"""Inches of the figure, and of what stands above the panels."""
BINS = 80
REGIMES = 24
"""Regimes that the table of them holds."""
IN_A_ROW = 3
"""Splits that are drawn beside one another, where each has a picture of its own."""


class Panel(NamedTuple):
    """How tall one panel is in inches, and what draws it."""

    height: float
    draw: Callable[["SubFigure"], None]


def plot(stats: Stats) -> "Figure":
    """One figure in two columns; what tasks have beside counts is drawn by their kind."""
    from matplotlib.figure import Figure

    columns: tuple[list[Panel], list[Panel]] = ([], [])
    for panel in _panels(stats):
        min(columns, key=lambda column: sum(one.height for one in column)).append(panel)
    tall = max(sum(panel.height for panel in column) for column in columns)
    figure = Figure(figsize=(WIDTH, HEAD + tall), dpi=110, layout="constrained")
    head, body = figure.subfigures(2, 1, squeeze=False, height_ratios=(HEAD, tall)).ravel()
    _head(head, stats)
    for side, column in zip(body.subfigures(1, 2, squeeze=False)[0], columns, strict=True):
        heights = [panel.height for panel in column]
        heights.append(max(tall - sum(heights), 1e-3))
        places = np.atleast_1d(side.subfigures(len(heights), 1, height_ratios=heights))
        for place, panel in zip(places, column, strict=False):
            panel.draw(place)
    return figure


def _panels(stats: Stats) -> list[Panel]:
    splits, tasks = list(stats.splits.values()), stats.store.tasks
    count, wide = len(tasks), -(-len(splits) // IN_A_ROW)
    tall = 0.06 * max(len(task.name) for task in tasks) + 0.3 * count

    def bars(names: int, draw: Callable[["Axes", Stats], None]) -> Panel:
        tall = 0.75 + names * (0.16 * len(splits) + 0.08)
        return Panel(tall, lambda place: draw(place.subplots(), stats))

    found = [
        bars(count, _labels),
        bars(count + 1, _images_with),
        Panel(0.9 + wide * (0.4 + tall), lambda place: _together(place, stats)),
        bars(count, _valid),
    ]
    if any(isinstance(task.kind, Binary) for task in tasks):
        found.append(bars(sum(isinstance(task.kind, Binary) for task in tasks), _positive))
    for task in tasks:
        if isinstance(task.kind, Classes):
            found.append(Panel(0.85 + 0.155 * task.channels, _of(_classes, stats, task)))
        elif isinstance(task.kind, Depth):
            found.append(Panel(2.5, _of(_depth, stats, task)))
        elif isinstance(task.kind, Normals):
            found.append(Panel(0.45 + 2.1 * wide, _whole(_directions, stats, task)))
    rows = sum(len(split.split.regimes) for split in splits)
    if rows > len(splits):
        rows = min(rows, REGIMES)
        found.append(Panel(0.75 + 0.17 * rows, lambda place: _regimes(place.subplots(), stats)))
    return found


def _of(
    draw: Callable[["Axes", Stats, Task], None], stats: Stats, task: Task
) -> Callable[["SubFigure"], None]:
    return lambda place: draw(place.subplots(), stats, task)


def _whole(
    draw: Callable[["SubFigure", Stats, Task], None], stats: Stats, task: Task
) -> Callable[["SubFigure"], None]:
    return lambda place: draw(place, stats, task)


def read_of(stats: Stats) -> str:
    """Which images the labels were read of, for people."""
    some = [
        f"{split.images:,} of {counted(len(split.split), 'image')} of {name}"
        for name, split in stats.splits.items()
        if split.images < len(split.split)
    ]
    return f"Values are those of {', '.join(some)}; counts are of all." if some else ""


def _head(place: "SubFigure", stats: Stats) -> None:
    from matplotlib.lines import Line2D

    name = f"{stats.store.dataset_name}: {stats.store.path.name}"
    place.text(0.5, 0.93, name, ha="center", va="top", fontsize=12)
    place.text(0.5, 0.6, read_of(stats), ha="center", va="top", fontsize=8)
    handles = [
        Line2D([], [], color=_colour(n), marker=MARKERS[n % len(MARKERS)],
               linestyle=LINES[n % len(LINES)], label=f"{name} (regime {split.regime})")
        for n, (name, split) in enumerate(stats.splits.items())
    ]  # fmt: skip
    place.legend(
        handles=handles, loc="lower center", ncols=min(len(handles), 4), frameon=False, fontsize=9
    )


def _colour(number: int) -> str:
    """That of a split; they begin again where there are many."""
    return COLOURS[number % len(COLOURS)]


def _bars(
    axes: "Axes",
    names: Sequence[str],
    lengths: Sequence[NDArray[Any]],
    texts: Sequence[Sequence[str]],
    *,
    behind: Sequence[NDArray[Any]] | None = None,
) -> None:
    """A group of bars for each name, one bar a split, each with its number in words."""
    from matplotlib.ticker import MaxNLocator

    thick = 0.86 / len(lengths)
    top = max([1e-9, *(float(v) for one in behind or lengths for v in one)])
    for number, (values, told) in enumerate(zip(lengths, texts, strict=True)):
        place = np.arange(len(names)) + thick * (number - (len(lengths) - 1) / 2)
        if behind is not None:
            axes.barh(place, behind[number], 0.85 * thick, color=LIGHT)
        axes.barh(place, values, 0.85 * thick, color=_colour(number))
        reach = values if behind is None else behind[number]
        for y, value, text in zip(place, reach, told, strict=True):
            axes.text(float(value) + 0.015 * top, y, text, va="center", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, 1.32 * top))
    if behind is not None:  # counts, which are whole
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    # The room on the right is for words.
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= 1.01 * top])
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def _title(axes: "Axes", title: str, below: str = "") -> None:
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(below, fontsize=8)


def _names(stats: Stats) -> list[str]:
    return [task.name for task in stats.store.tasks]


def _splits(stats: Stats) -> list[SplitStats]:
    return list(stats.splits.values())


def _labels(axes: "Axes", stats: Stats) -> None:
    shown = [split.shown.sum(0) for split in _splits(stats)]
    there = [split.split.visible().sum(0) for split in _splits(stats)]
    texts = [
        [f"{a:,}" if a == b else f"{a:,} of {b:,}" for a, b in zip(some, every, strict=True)]
        for some, every in zip(shown, there, strict=True)
    ]
    _bars(axes, _names(stats), shown, texts, behind=there)
    _title(axes, "labels that are shown, of those in the store", "images")


def _images_with(axes: "Axes", stats: Stats) -> None:
    counts = [split.images_with for split in _splits(stats)]
    shares = [100 * count / max(count.sum(), 1) for count in counts]
    names = [str(number) for number in range(len(counts[0]))]
    _bars(axes, names, shares, [[f"{n:,}" for n in count] for count in counts])
    _title(axes, "labels that an image shows", "% of the images of the split")


def _together(place: "SubFigure", stats: Stats) -> None:
    names, splits = _names(stats), stats.splits
    axes, unused = _a_split_each(place, len(splits))
    for ax in unused:
        ax.set_axis_off()
    for number, (ax, (name, split)) in enumerate(zip(axes, splits.items(), strict=True)):
        table = split.together
        ax.imshow(table, cmap="Blues", vmin=0, vmax=max(1.4 * int(table.max(initial=0)), 1))
        for (y, x), count in np.ndenumerate(table):
            text = f"{count:,}" if count < 10_000 else f"{count / 1000:,.0f}k"
            ax.text(x, y, text, ha="center", va="center", fontsize=6.5)
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        ax.set_yticks(range(len(names)), names if number % IN_A_ROW == 0 else [], fontsize=7)
        ax.set_title(name, fontsize=8)
    place.suptitle("images that show both tasks", fontsize=9, x=0.02, ha="left")


def _a_split_each(place: "SubFigure", splits: int) -> tuple[list["Axes"], list["Axes"]]:
    """Axes for the splits, and those that are left over."""
    wide = min(splits, IN_A_ROW)
    grid = place.subplots(-(-splits // wide), wide, squeeze=False)
    axes = list(grid.ravel())
    return axes[:splits], axes[splits:]


def _valid(axes: "Axes", stats: Stats) -> None:
    sums = [[split.tasks[name] for name in _names(stats)] for split in _splits(stats)]
    shares = [np.array([100 * s.valid / max(s.pixels, 1) for s in one]) for one in sums]
    texts = [
        [f"{share:.1f} %" if s.pixels else "no label" for share, s in zip(a, b, strict=True)]
        for a, b in zip(shares, sums, strict=True)
    ]
    _bars(axes, _names(stats), shares, texts)
    _title(axes, "pixels that have a value", "% of the pixels of labelled images")


def _positive(axes: "Axes", stats: Stats) -> None:
    names = [task.name for task in stats.store.tasks if isinstance(task.kind, Binary)]
    found = [[split.tasks[n].distributions[0] for n in names] for split in _splits(stats)]
    shares = [np.array([100 * d.mean if d.count else 0.0 for d in one]) for one in found]
    texts = [
        [f"{share:.2f} %" if d.count else "no label" for share, d in zip(a, b, strict=True)]
        for a, b in zip(shares, found, strict=True)
    ]
    _bars(axes, names, shares, texts)
    _title(axes, "pixels that are 1", "% of valid pixels")


def class_shares(split: SplitStats, task: str) -> NDArray[np.float64]:
    """The percentage of valid pixels that each class has."""
    counts = split.tasks[task].classes
    assert counts is not None
    return 100 * counts / max(int(counts.sum()), 1)


def _classes(axes: "Axes", stats: Stats, task: Task) -> None:
    """A dot for each class and split, the most frequent first; rare classes need a log scale."""
    assert isinstance(task.kind, Classes)
    shares = np.array([class_shares(split, task.name) for split in _splits(stats)])
    order = np.argsort(-shares.sum(0), kind="stable")
    low = 0.5 * shares[shares > 0].min(initial=1.0)
    place, step = np.arange(len(order)), 0.5 / len(shares)
    for number, share in enumerate(shares[:, order]):
        some, y = share > 0, place + step * (number - (len(shares) - 1) / 2)
        look: dict[str, Any] = {"color": _colour(number), "markersize": 4, "linestyle": ""}
        axes.plot(share[some], y[some], marker=MARKERS[number % len(MARKERS)], **look)
        if share.any():
            axes.plot(np.full((~some).sum(), low), y[~some], marker="x", **look)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.3, 130)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks(place, [task.kind.names[i] for i in order], fontsize=7)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.grid(axis="both", color=LIGHT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", labelsize=7)
    never = "; x: never" if (shares[shares.any(1)] == 0).any() else ""
    _title(axes, f"{task.name}: how frequent each class is", f"% of valid pixels{never}")


def _depth(axes: "Axes", stats: Stats, task: Task) -> None:
    """Distribution of depth up to the 99.9th percentile."""
    found = [split.tasks[task.name].distributions[0] for split in _splits(stats)]
    top = max((d.quantile(0.999) for d in found if d.count), default=1.0) or 1.0
    edges = np.linspace(0, top, BINS + 1)
    for number, distribution in enumerate(found):
        share = 100 * distribution.histogram(edges) / max(distribution.count, 1)
        style = LINES[number % len(LINES)]
        axes.stairs(share, edges, color=_colour(number), linewidth=1.5, linestyle=style)
    axes.set(xlim=(0, top), ylim=(0, None))
    axes.set_ylabel("% of valid pixels", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    _title(axes, f"{task.name}: distribution", task.kind.units)


def _directions(place: "SubFigure", stats: Stats, task: Task) -> None:
    """The sphere seen from the camera; cells of one solid angle are equally large."""
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Circle

    found = [split.tasks[task.name].directions for split in _splits(stats)]
    maps = [each.density() for each in found if each is not None]
    bright = max(2.0, *(float(one.max()) for one in maps))
    norm = LogNorm(0.05, bright, clip=True)
    across = (np.arange(len(maps[0])) + 0.5) * (4 / len(maps[0])) - 2
    far = np.hypot(across[:, None], across) > 1.45
    reach = 2.0 if any(one[far].sum() > 0.01 * one.sum() for one in maps) else np.sqrt(2)
    axes, unused = _a_split_each(place, len(maps))
    for ax in (*axes, *unused):
        ax.set_axis_off()
    for ax, name, density in zip(axes, stats.splits, maps, strict=True):
        rim = Circle((0, 0), reach, transform=ax.transData, facecolor="none", edgecolor="#505058")
        sheet = ax.imshow(density, extent=(-2, 2, -2, 2), origin="lower", cmap="cividis", norm=norm)
        ax.add_patch(rim)
        sheet.set_clip_path(rim)
        for degrees in (30, 60, 90):
            ring = 2 * np.sin(np.deg2rad(degrees) / 2)
            ax.add_patch(Circle((0, 0), ring, fill=False, edgecolor="white", linewidth=0.4))
            ax.text(0, -ring, f"{degrees}°", color="white", fontsize=5.5, ha="center", va="bottom")
        for text, x, y, turn in (("right", 1, 0, 270), ("left", -1, 0, 90), ("up", 0, 1, 0)):
            ax.text(1.1 * reach * x, 1.1 * reach * y, text, fontsize=6.5, rotation=turn,
                    ha="center", va="center")  # fmt: skip
        ax.set(xlim=(-1.2 * reach, 1.2 * reach), ylim=(-1.05 * reach, 1.2 * reach))
        ax.set_title(name, fontsize=8)
    bar = place.colorbar(sheet, ax=axes, shrink=0.8, aspect=15)
    bar.set_label("times an even spread", fontsize=7)
    bar.ax.tick_params(labelsize=6.5)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    place.suptitle(
        f"{task.name}: directions, to the camera in the middle", fontsize=9, x=0.02, ha="left"
    )


def _regimes(axes: "Axes", stats: Stats) -> None:
    """Labels of each task in each regime of the splits, as a table: tasks have no colours."""
    tasks = _names(stats)
    rows = {
        f"{split.name}, {name}": (regime.counts, len(split))
        for split in (each.split for each in _splits(stats))
        for name, regime in split.regimes.items()
    }
    left = len(rows) - REGIMES
    rows = dict(list(rows.items())[:REGIMES])
    counts = np.array([[labels[task] for task in tasks] for labels, _ in rows.values()])
    shares = counts / np.maximum([[images] for _, images in rows.values()], 1)
    axes.imshow(shares, cmap="Greys", vmin=0, vmax=2.5, aspect="auto")
    for place, count in np.ndenumerate(counts):
        text = f"{count:,}  ({100 * shares[place]:.0f} %)"
        axes.text(place[1], place[0], text, ha="center", va="center", fontsize=6.5)
    axes.set_xticks(range(len(tasks)), tasks, fontsize=7)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=7)
    more = f"; {left} more by `mtdata regime list`" if left > 0 else ""
    _title(axes, f"labels of each regime, and their share of the split{more}")
