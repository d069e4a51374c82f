"""Pictures of images and labels for people: one label, and a sheet of many with a legend."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtdata.inspecting.figures import legend_columns, shortened
from mtdata.tasks.kinds import Classes, Depth, Normals
from mtdata.tasks.task import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
LONGEST = 32
"""Letters of a name in a legend."""
PANEL = 2.6
"""Inches that a panel is wide."""
HATCH = ((58, 58, 62), (84, 84, 90))
HIDDEN, MISSING = "hidden by the regime", "no label in the store"
ABSENT = {
    HIDDEN: ("hidden", ((240, 190, 96), (253, 240, 212)), "////"),
    MISSING: ("no label", ((178, 180, 190), (238, 239, 242)), "\\\\\\\\"),
}
"""Why a label is not shown -> a note, two colours of stripes, and their direction in a legend."""
ADDED = {
    "filled": ("filled: predicted by a run", (214, 60, 150)),
    "derived": ("derived from another label", (30, 120, 200)),
}
"""Where a label comes from that no source had -> what a legend says, the colour of its frame."""
BLANK = (226, 226, 230)
DEGREES = 60.0
"""Where the colours of the error of normals end."""


class Bar(NamedTuple):
    """What the colours of a panel mean, from the darkest to the brightest, in words at places."""

    ticks: tuple[tuple[float, str], ...]
    units: str = ""


class Panel(NamedTuple):
    """One picture of a sheet; `note` is written across it, `void` says whether some is hatched.

    `absent` says why there is no label, as in `ABSENT`, `added` where a label comes from that no
    source had, as in `ADDED`.
    """

    title: str
    picture: Picture
    note: str = ""
    void: bool = False
    absent: str = ""
    added: str = ""
    bar: Bar | None = None


class Swatch(NamedTuple):
    """One entry of a legend."""

    name: str
    colour: Colour


def render(
    task: Task,
    label: NDArray[Any],
    valid: NDArray[np.bool_] | None = None,
    *,
    limits: tuple[float, float] | None = None,
) -> Picture:
    """Picture a decoded label, `[h, w]` or `[h, w, 3]`, as uint8 RGB; void is hatched in dark grey.

    Classes take the colours of their palette, depth runs from bright (near) to dark (far), normals
    are (n + 1) / 2, binary labels white on black.

    Args:
        task: What the label is of.
        label: As `Kind.decode` gives it, or a prediction in the same form.
        valid: Where it means something; None for everywhere.
        limits: The depths of the two ends of the colours; None for those of this label.
    """
    seen = np.ones(label.shape[:2], np.bool_) if valid is None else valid
    kind = task.kind
    if isinstance(kind, Classes):
        picture = np.asarray(kind.palette, np.uint8)[np.where(seen, label, 0)]
    elif isinstance(kind, Depth):
        low, high = limits or depth_limits(label, seen)
        picture = _depth(label, low, high, bright_end=kind.inverse)
    elif isinstance(kind, Normals):
        picture = np.rint(np.clip(label * 127.5 + 127.5, 0, 255)).astype(np.uint8)
    else:
        picture = np.repeat(np.where(label > 0, 255, 0).astype(np.uint8)[..., None], 3, -1)
    return np.where(seen[..., None], picture, hatched(*seen.shape)).astype(np.uint8)


def depth_limits(label: NDArray[Any], valid: NDArray[np.bool_]) -> tuple[float, float]:
    """The 1st and 99th percentile of the valid depths; (0, 1) where there are none."""
    seen = label[valid]
    if not seen.size:
        return 0.0, 1.0
    low, high = np.percentile(seen, (1, 99))
    return float(low), float(high)


def _depth(label: NDArray[Any], low: float, high: float, *, bright_end: bool) -> Picture:
    from matplotlib import colormaps

    position = np.clip((label - low) / max(high - low, 1e-9), 0, 1)
    table = colormaps["viridis"](position if bright_end else 1 - position, bytes=True)
    return np.asarray(table[..., :3], np.uint8)


def heat(values: NDArray[Any], limits: tuple[float, float] | None = None) -> Picture:
    """Colours from dark (the lower limit, and below) to bright (the upper one, and above).

    Args:
        values: What to draw, `[h, w]`.
        limits: From where to where; None for the 1st and the 99th percentile.
    """
    from matplotlib import colormaps

    low, high = limits or depth_limits(values, np.ones(values.shape, np.bool_))
    place = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    return np.asarray(colormaps["viridis"](place, bytes=True)[..., :3], np.uint8)


def hatched(height: int, width: int) -> Picture:
    """What stands where there is no value: diagonal stripes in two dark greys."""
    stripe = (np.arange(height)[:, None] + np.arange(width)) // 4 % 2
    stripes: Picture = np.asarray(HATCH, np.uint8)[stripe]
    return stripes


def blank(height: int, width: int) -> Picture:
    """What stands where there is nothing to picture: plain light grey."""
    return np.full((height, width, 3), BLANK, np.uint8)


def absent_panel(title: str, height: int, width: int, why: str) -> Panel:
    """What stands for a label that is not shown: light stripes, by `why` of `ABSENT`."""
    note, colours, hatch = ABSENT[why]
    across = np.arange(width) if hatch[0] == "/" else -np.arange(width)
    period = max(4, max(height, width) // 24)
    stripe = (np.arange(height)[:, None] + across) // period % 2
    return Panel(title, np.asarray(colours, np.uint8)[stripe], note, absent=why)


def title(task: Task, label: NDArray[Any], valid: NDArray[np.bool_]) -> str:
    """The name of a task, for depth with the range that its colours span and their bright end."""
    if not isinstance(task.kind, Depth):
        return task.name
    low, high = (f"{limit:.3g}" for limit in depth_limits(label, valid))
    bright = high if task.kind.inverse else low
    return f"{task.name}  {low} to {high} {task.kind.units}, {bright} is bright"


def labelled_panel(
    task: Task,
    label: NDArray[Any],
    valid: NDArray[np.bool_] | None = None,
    *,
    limits: tuple[float, float] | None = None,
    name: str | None = None,
) -> Panel:
    """A label as a panel of a sheet.

    Args:
        task: What the label is of.
        label: As `render` takes it.
        valid: Where it means something; None for everywhere.
        limits: As `render` takes them.
        name: What stands above it; None for the name of the task.
    """
    seen = np.ones(label.shape[:2], np.bool_) if valid is None else valid
    picture = render(task, label, seen, limits=limits)
    bar = None
    if isinstance(task.kind, Depth) and seen.any():
        low, high = limits or depth_limits(label, seen)
        places = (low, (low + high) / 2, high)
        shares = (0.0, 0.5, 1.0) if task.kind.inverse else (1.0, 0.5, 0.0)
        named = tuple((share, f"{v:.3g}") for share, v in zip(shares, places, strict=True))
        bar = Bar(named, task.kind.units)
    return Panel(name or task.name, picture, void=not seen.all(), bar=bar)


def most_wrong(task: Task, label: NDArray[Any], valid: NDArray[np.bool_]) -> float:
    """The error at which the colours end: a function of the label, so that runs are alike."""
    if isinstance(task.kind, Normals):
        return DEGREES
    if isinstance(task.kind, Depth):
        low, high = depth_limits(label, valid)
        return (high - low) / 4 or 1.0
    return 1.0


def error_picture(
    task: Task,
    label: NDArray[Any],
    valid: NDArray[np.bool_],
    error: NDArray[Any],
    *,
    most: float | None = None,
) -> Picture:
    """How far off a prediction is, from dark (right) to bright; void is hatched.

    Args:
        task: What is predicted.
        label: What is right.
        valid: Where it means something.
        error: What `Kind.distance` says.
        most: The error at which the colours end; None for that of this label.
    """
    end = most_wrong(task, label, valid) if most is None else most
    drawn = heat(np.where(valid, error, 0), (0.0, end))
    return np.where(valid[..., None], drawn, hatched(*valid.shape)).astype(np.uint8)


def error_panel(
    task: Task, label: NDArray[Any], valid: NDArray[np.bool_], prediction: NDArray[Any]
) -> Panel:
    """Where and how far a prediction is off its label, both in the form of labels."""
    error = task.kind.distance(prediction, label)
    mean, units = float(error[valid].mean()) if valid.any() else 0.0, task.kind.distance_units
    if units:
        end = most_wrong(task, label, valid)
        ticks = [(0.0, "0"), (0.5, f"{end / 2:.3g}"), (1.0, f"{end:.3g}+")]
        said = f"off by {mean:.3g} {units}"
    else:
        ticks, said = [(0.0, "right"), (1.0, "wrong")], f"{100 * mean:.1f} % wrong"
    picture = error_picture(task, label, valid, error)
    name = f"{task.name}, {said}"
    return Panel(name, picture, void=not valid.all(), bar=Bar(tuple(ticks), units))


def swatches(task: Task, labels: Sequence[NDArray[Any]]) -> list[Swatch]:
    """Legend entries of the classes that occur in these labels; none for other kinds."""
    if not isinstance(task.kind, Classes) or not labels:
        return []
    ids = np.unique(np.concatenate([np.unique(label) for label in labels]))
    return [Swatch(task.kind.names[i], task.kind.palette[i]) for i in ids]


def sheet(
    rows: Sequence[Sequence[tuple[str, Picture] | Panel]], *, legend: Sequence[Swatch] = ()
) -> "Figure":
    """Lay panels out in rows; a legend below has classes, and void or absent labels if there are.

    Args:
        rows: Panels, or pairs of title and picture.
        legend: What the colours of classes mean.
    """
    from matplotlib.figure import Figure

    panels = [[Panel(*cell) for cell in row] for row in rows]
    columns = max(len(row) for row in panels)
    bars = [0.32 if any(panel.bar for panel in row) else 0.0 for row in panels]
    heights = [
        PANEL * _aspect(row[0].picture) + 0.3 + bar for row, bar in zip(panels, bars, strict=True)
    ]
    handles = _handles(legend, [panel for row in panels for panel in row])
    for handle in handles:
        handle.set_label(shortened(str(handle.get_label()), LONGEST))
    names = [str(handle.get_label()) for handle in handles]
    per_line = legend_columns(names, columns * PANEL, size=7.0)
    lines = -(-len(handles) // per_line)
    per_line = -(-len(handles) // max(lines, 1))  # rows alike, none of a lone entry
    below = 0.15 + 0.17 * lines
    height, width = sum(heights) + below, columns * PANEL
    figure = Figure(figsize=(width, height), dpi=110, facecolor="white")
    top = height

    def place(left: float, bottom: float, wide: float, tall: float) -> "Axes":
        box = (left / width, bottom / height, wide / width, tall / height)
        return figure.add_axes(box)

    for row, tall, bar in zip(panels, heights, bars, strict=True):
        for column, panel in enumerate(row):
            left, bottom = column * PANEL + 0.05, top - tall + 0.03 + bar
            _draw(place(left, bottom, PANEL - 0.1, tall - 0.28 - bar), panel)
            if panel.bar:
                _draw_bar(place(left + 0.25, bottom - 0.13, PANEL - 0.6, 0.08), panel.bar)
        top -= tall
    if lines:
        figure.legend(
            handles=handles, loc="lower center", ncols=per_line, fontsize=7, frameon=False,
            handlelength=1.8, handleheight=1.2, columnspacing=1.0, borderaxespad=0.2,
        )  # fmt: skip
    return figure


def _aspect(picture: Picture) -> float:
    return float(picture.shape[0] / picture.shape[1])


def _draw(axes: "Axes", panel: Panel) -> None:
    axes.imshow(panel.picture, interpolation="nearest")
    axes.set_title(panel.title, fontsize=8, pad=3)
    axes.set_axis_off()
    if panel.added:
        axes.add_patch(_frame(panel.added, transform=axes.transAxes))
    if panel.note:
        axes.text(
            0.5, 0.5, panel.note, transform=axes.transAxes, ha="center", va="center", fontsize=9,
            color="#33333c", bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85},
        )  # fmt: skip


def _draw_bar(axes: "Axes", bar: Bar) -> None:
    """A strip of the colours under a panel; the largest value of depth is the darkest."""
    strip = np.linspace(0, 1, 128)[None]
    turned = bar.ticks[0][0] > bar.ticks[-1][0]
    axes.imshow(1 - strip if turned else strip, cmap="viridis", aspect="auto", extent=(0, 1, 0, 1))
    places = [1 - place if turned else place for place, _ in bar.ticks]
    words = [word for _, word in bar.ticks]
    if bar.units:
        words[-1] += f" {bar.units}"
    axes.set_xticks(places, words, fontsize=6)
    labels = axes.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")
    axes.set_yticks([])
    axes.tick_params(axis="x", length=2, pad=1)


def _frame(added: str, **options: Any) -> "Patch":
    """What tells a label that was added from those of the source."""
    from matplotlib.patches import Rectangle

    colour = web(ADDED[added][1])
    return Rectangle(
        (0, 0), 1, 1, fill=False, edgecolor=colour, linewidth=5, hatch="..", clip_on=True, **options
    )


def handles_of(legend: Sequence[Swatch], *, void: bool) -> list["Patch"]:
    """What a legend shows: the classes, and void where there is some."""
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=web(entry.colour), edgecolor="#808080", label=entry.name)
        for entry in legend
    ]
    return [*handles, _striped("void", HATCH, "////")] if void else handles


def _striped(name: str, colours: tuple[Colour, Colour], hatch: str) -> "Patch":
    from matplotlib.patches import Patch

    front, back = colours
    return Patch(facecolor=web(back), edgecolor=web(front), hatch=hatch, label=name)


def _handles(legend: Sequence[Swatch], panels: Sequence[Panel]) -> list["Patch"]:
    from matplotlib.patches import Patch

    handles = handles_of(legend, void=any(panel.void for panel in panels))
    why = {panel.absent for panel in panels}
    handles += [_striped(name, *ABSENT[name][1:]) for name in ABSENT if name in why]
    of = {panel.added for panel in panels}
    handles += [
        Patch(facecolor="white", edgecolor=web(colour), linewidth=2, hatch="..", label=text)
        for name, (text, colour) in ADDED.items()
        if name in of
    ]
    return handles


def web(colour: Colour) -> str:
    """A colour as matplotlib and a page take it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
