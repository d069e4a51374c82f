"""The picture of `mtdata regime show`: labels, numbers of labels, pairs and sets of tasks."""

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from mtdata.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN, AVAILABLE = "#4060c8", "#dcdce2"
"""Colours of what the regime shows, and of what the store has."""
SETS = 16
"""Sets of tasks that are drawn; six tasks have 64."""


def plot(found: dict[str, Any]) -> "Figure":
    """One figure of four panels from what `regime_summary.summarise` gives."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), dpi=110, layout="constrained")
    (first, second), (third, fourth) = figure.subplots(2, 2)
    _labels(first, found)
    _numbers(second, found)
    _pairs(third, found)
    _sets(fourth, found)
    for axes in (first.yaxis, second.yaxis, fourth.xaxis):
        axes.get_major_locator().set_params(integer=True)
    figure.suptitle(
        f"{found['path']}: regime {found['name']} ({found['kind']}) of "
        f"{counted(found['images'], 'image')} of split {found['split']}"
    )
    return figure


def _labels(axes: "Axes", found: dict[str, Any]) -> None:
    """Labels of each task that are shown, before those that there are."""
    names = list(found["labels"])
    axes.bar(names, [found["available"][n] for n in names], color=AVAILABLE, label="in the store")
    shown = axes.bar(names, [found["labels"][n] for n in names], color=SHOWN, label="shown")
    axes.bar_label(shown, fmt="{:,.0f}", fontsize=9)
    axes.set_title("labels of each task", loc="right")
    axes.set(ylabel="images")
    axes.margins(y=0.15)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)


def _numbers(axes: "Axes", found: dict[str, Any]) -> None:
    """Images that show 0, 1, ... labels."""
    counts = found["images_with"]
    bars = axes.bar(list(counts), list(counts.values()), color=SHOWN)
    axes.bar_label(bars, fmt="{:,.0f}", fontsize=9)
    axes.set(title="images by how many labels they show", xlabel="labels", ylabel="images")
    axes.margins(y=0.15)


def _pairs(axes: "Axes", found: dict[str, Any]) -> None:
    """Images that show both tasks; on the diagonal, the labels of one."""
    names = list(found["labels"])
    table = np.diag([found["labels"][name] for name in names])
    places = combinations(range(len(names)), 2)  # the order of the pairs
    for (a, b), count in zip(places, found["pairs"].values(), strict=True):
        table[a, b] = table[b, a] = count
    axes.imshow(table, cmap="Blues", vmin=0, vmax=max(int(table.max()), 1))
    for a, b in np.ndindex(table.shape):
        colour = "white" if table[a, b] > 0.6 * table.max() else "black"
        axes.text(b, a, f"{table[a, b]:,}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(names)), names, rotation=30)
    axes.set_yticks(range(len(names)), names)
    axes.set_title("images that show both")


def _sets(axes: "Axes", found: dict[str, Any]) -> None:
    """Images that show exactly these tasks."""
    sets = dict(list(found["sets"].items())[:SETS])
    left = len(found["sets"]) - len(sets)
    bars = axes.barh(list(sets), list(sets.values()), color=SHOWN)
    axes.bar_label(bars, fmt="{:,.0f}", fontsize=8, padding=2)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8)
    axes.margins(x=0.12)
    more = f" ({left} more sets are rarer)" if left else ""
    axes.set(title=f"images that show exactly this{more}", xlabel="images")
