"""Pictures of `mtdata stats`: class frequencies, ranges, valid pixels, labels of each regime."""

from typing import TYPE_CHECKING

import numpy as np

from mtdata.inspecting.stats import Stats
from mtdata.tasks.kinds import Classes, Depth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#4060c8", "#e8862e", "#3a9a6e", "#b0408c", "#6b6b75", "#8a6d1f")
"""Of splits, and of nothing else."""
BINS = 80


def plot(stats: Stats) -> "Figure":
    """One figure: a panel for each task of classes or depth, one for validity, one for regimes."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

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
    handles = [
        Patch(color=_colour(number), label=f"{name} (regime {split.regime})")
        for number, (name, split) in enumerate(stats.splits.items())
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=len(handles), frameon=False,
        title=f"{stats.store.dataset_name}: {stats.store.path.name}", title_fontsize=12,
    )  # fmt: skip
    return figure


def _colour(number: int) -> str:
    """That of a split; they begin again where there are many."""
    return COLOURS[number % len(COLOURS)]


def _classes(axes: "Axes", stats: Stats, task: str) -> None:
    """Share of valid pixels that each class has, a bar for each split."""
    kind = stats.store.task(task).kind
    names = kind.names if isinstance(kind, Classes) else ()
    place, width = np.arange(len(names)), 0.8 / len(stats.splits)
    for number, found in enumerate(stats.splits.values()):
        counts = found.tasks[task].classes
        if counts is not None:
            share = 100 * counts / max(int(counts.sum()), 1)
            axes.bar(
                place + number * width,
                share,
                width,
                color=_colour(number),
            )
    axes.set_xticks(place + width * (len(stats.splits) - 1) / 2, names, rotation=90)
    axes.tick_params(axis="x", labelsize=9 if len(names) <= 20 else 6)
    axes.set(title=f"{task}: pixels of each class", ylabel="% of valid pixels")


def _depth(axes: "Axes", stats: Stats, task: str) -> None:
    """Distribution of depth up to the 99.9th percentile."""
    found = [split.tasks[task].distributions[0] for split in stats.splits.values()]
    top = max((d.quantile(0.999) for d in found if d.count), default=1.0)
    edges = np.linspace(0, top, BINS + 1)
    for number, distribution in enumerate(found):
        if not distribution.count:
            continue
        share = 100 * distribution.histogram(edges) / distribution.count
        axes.stairs(share, edges, color=_colour(number), linewidth=1.5)
    units = stats.store.task(task).kind.units
    axes.set(title=f"{task}: distribution", xlabel=units, ylabel="% of valid pixels", xlim=(0, top))


def _valid(axes: "Axes", stats: Stats) -> None:
    """Share of the pixels of labelled images that are valid."""
    names = [task.name for task in stats.store.tasks]
    place, width = np.arange(len(names)), 0.8 / len(stats.splits)
    for number, found in enumerate(stats.splits.values()):
        sums = [found.tasks[name] for name in names]
        share = [100 * s.valid / s.pixels if s.pixels else 0 for s in sums]
        bars = axes.bar(place + number * width, share, width, color=_colour(number))
        axes.bar_label(bars, fmt="%.0f", fontsize=8)
    axes.set_xticks(place + width * (len(stats.splits) - 1) / 2, names)
    axes.set(title="valid pixels", ylabel="% of the pixels of labelled images", ylim=(0, 110))


def _regimes(axes: "Axes", stats: Stats) -> None:
    """Labels of each task in each regime of the splits, as a table: tasks have no colours."""
    tasks = [task.name for task in stats.store.tasks]
    rows = {
        f"{split.name}, {name}": (regime.counts, len(split))
        for split in (each.split for each in stats.splits.values())
        for name, regime in split.regimes.items()
    }
    counts = np.array([[labels[task] for task in tasks] for labels, _ in rows.values()])
    shares = counts / np.maximum([[images] for _, images in rows.values()], 1)
    axes.imshow(shares, cmap="Greys", vmin=0, vmax=2.5, aspect="auto")
    for place, count in np.ndenumerate(counts):
        text = f"{count:,}\n{100 * shares[place]:.0f} %"
        axes.text(place[1], place[0], text, ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(tasks)), tasks)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_title("labels of each regime: images, and their share of the split")
