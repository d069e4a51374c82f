"""The curves of a run as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtdata.inspecting.figures import write_figure
from mtmodels.training.record.curves import Line, Log, Panel, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8d5a97", "#c98b1b", "#555555")
SIZE = (4.6, 3.2)
"""Inches of one panel."""


def draw_curves(metrics: Path, out: Path, *, title: str) -> None:
    """Draw the log of a run into a PNG; none where no step had a term and nothing was scored."""
    from matplotlib.figure import Figure

    log = Log.read(metrics)
    rates = log.rates()
    # A rate that never changed is said, not drawn.
    shown = [one for one in panels(log) if len(rates) > 1 or one.title != "learning rate"]
    if not shown:
        return
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    size = SIZE[0] * columns, SIZE[1] * rows + 0.4
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    constant = f" · learning rate {rates.pop():.3g} throughout" if len(rates) == 1 else ""
    figure.suptitle(title + constant, fontsize=11)
    for number, (axis, panel) in enumerate(zip(axes, shown, strict=False)):
        # Tasks, which come first and alone, differ in colour too.
        colours = COLOURS if len(panel.lines) > 1 else COLOURS[number % len(COLOURS) :]
        _draw(axis, panel, colours)
    for axis in axes[len(shown) :]:
        axis.set_axis_off()
    write_figure(figure, out)


def _draw(axis: "Axes", panel: Panel, colours: tuple[str, ...]) -> None:
    """Draw one panel; positive values over a wide range get a logarithmic axis."""
    from matplotlib.ticker import MaxNLocator

    for (name, line), colour in zip(panel.lines.items(), colours, strict=False):
        _draw_line(axis, line, colour, name)
    values = [value for line in panel.lines.values() for _, value in line.points]
    if values and not panel.linear and min(values) > 0 and max(values) > 50 * min(values):
        axis.set_yscale("log")
    else:
        axis.ticklabel_format(axis="y", style="sci", scilimits=(-3, 5))
    if panel.level is not None:
        axis.axhline(panel.level, color="#222222", linewidth=0.8)
    if len(panel.lines) > 1:
        axis.legend(fontsize=6, framealpha=0.7, edgecolor="none")
    # Steps and epochs are whole numbers.
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    rests = any(line.rests for line in panel.lines.values())
    axis.set_title(f"{panel.title}{'; a hollow one rests' if rests else ''}", fontsize=9)
    axis.set_xlabel(panel.along, fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def _draw_line(axis: "Axes", line: Line, colour: str, name: str) -> None:
    """Draw logged steps thin under the means of epochs; few values, or what rests, with marks."""
    x, y = [at for at, _ in line.points], [value for _, value in line.points]
    if line.means:
        axis.plot(x, y, color=colour, alpha=0.25, linewidth=0.8)
        x, y = [at for at, _ in line.means], [value for _, value in line.means]
    marked = line.means or len(x) < 50
    axis.plot(x, y, color=colour, linewidth=1.2, marker="o" if marked else None, ms=3, label=name)
    hollow = [(at, value) for at, value in line.points if at in line.rests]
    if hollow:
        places = [at for at, _ in hollow], [value for _, value in hollow]
        axis.plot(*places, "o", ms=3, color=colour, markerfacecolor="white")
