"""Pictures of `mtdata stats`: class frequencies, ranges, valid pixels, labels of each regime."""

from typing import TYPE_CHECKING

import numpy as np

from mtdata.inspecting.stats import Stats
from mtdata.tasks.kinds import Classes, Depth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#4060c8", "#e8862e", "#3a9a6e", "#b0408c")
BINS = 80


def plot(stats: Stats) -> "Figure":
    """One figure: a panel for each task of classes or depth, one for validity, one for regimes."""
    from matplotlib.figure import Figure

    tasks = [t for t in stats.store.tasks if isinstance(t.kind, (Classes, Depth))]
    panels = len(tasks) + 2
    rows = -(-panels // 2)
    figure = Figure(figsize=(12, 3.8 * rows), dpi=110, layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, 2)).ravel())
    for task, ax in zip(tasks, axes, strict=False):
        (_classes if isinstance(task.kind, Classes) else _depth)(ax, stats, task.name)
    _valid(axes[len(tasks)], stats)
    _regimes(axes[len(tasks) + 1], stats)
    for ax in axes[panels:]:
        ax.set_axis_off()
    figure.suptitle(f"{stats.store.dataset_name}: {stats.store.path.name}")
    return figure


def _classes(axes: "Axes", stats: Stats, task: str) -> None:
    """Share of valid pixels that each class has, a bar for each split."""
    kind = stats.store.task(task).kind
    names = kind.names if isinstance(kind, Classes) else ()
    place, width = np.arange(len(names)), 0.8 / len(stats.splits)
    for number, (split, found) in enumerate(stats.splits.items()):
        counts = found.tasks[task].classes
        if counts is not None:
            share = 100 * counts / max(int(counts.sum()), 1)
            axes.bar(place + number * width, share, width, label=split, color=COLOURS[number % 4])
    axes.set_xticks(place + width * (len(stats.splits) - 1) / 2, names, rotation=90)
    axes.tick_params(axis="x", labelsize=9 if len(names) <= 20 else 6)
    axes.set(title=f"{task}: pixels of each class", ylabel="% of valid pixels")
    axes.legend()


def _depth(axes: "Axes", stats: Stats, task: str) -> None:
    """Distribution of depth up to the 99.9th percentile."""
    found = {name: split.tasks[task].distributions[0] for name, split in stats.splits.items()}
    seen = {name: distribution for name, distribution in found.items() if distribution.count}
    top = max((d.quantile(0.999) for d in seen.values()), default=1.0)
    edges = np.linspace(0, top, BINS + 1)
    for number, (split, distribution) in enumerate(seen.items()):
        share = 100 * distribution.histogram(edges) / distribution.count
        axes.stairs(share, edges, label=split, color=COLOURS[number % 4], linewidth=1.5)
    units = stats.store.task(task).kind.units
    axes.set(title=f"{task}: distribution", xlabel=units, ylabel="% of valid pixels", xlim=(0, top))
    if seen:
        axes.legend()


def _valid(axes: "Axes", stats: Stats) -> None:
    """Share of the pixels of labelled images that are valid."""
    names = [task.name for task in stats.store.tasks]
    place, width = np.arange(len(names)), 0.8 / len(stats.splits)
    for number, (split, found) in enumerate(stats.splits.items()):
        sums = [found.tasks[name] for name in names]
        share = [100 * s.valid / s.pixels if s.pixels else 0 for s in sums]
        bars = axes.bar(
            place + number * width, share, width, label=split, color=COLOURS[number % 4]
        )
        axes.bar_label(bars, fmt="%.0f", fontsize=8)
    axes.set_xticks(place + width * (len(stats.splits) - 1) / 2, names)
    axes.set(title="valid pixels", ylabel="% of the pixels of labelled images", ylim=(0, 110))
    axes.legend(loc="lower right")


def _regimes(axes: "Axes", stats: Stats) -> None:
    """Labels of each task in each regime of the training splits."""
    tasks = [task.name for task in stats.store.tasks]
    bars = {
        f"{name}\n{split.name}": regime.counts
        for split in stats.store.splits.values()
        for name, regime in split.regimes.items()
    }
    place, width = np.arange(len(bars)), 0.8 / len(tasks)
    for number, task in enumerate(tasks):
        counts = [counts[task] for counts in bars.values()]
        drawn = axes.bar(place + number * width, counts, width, label=task)
        axes.bar_label(drawn, fontsize=7)
    axes.set_xticks(place + width * (len(tasks) - 1) / 2, list(bars))
    axes.set(title="labels of each regime", ylabel="images")
    axes.margins(y=0.15)
    axes.legend()
