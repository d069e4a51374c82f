"""The curves of a run as figures of its page, one by one."""

from pathlib import Path

from markupsafe import Markup

from mtdata.pages.figures import lines
from mtmodels.training.record.curves import Log, Panel, panels


def curves(metrics: Path) -> list[tuple[str, Markup]]:
    """Title and figure of each curve; none where there is no log."""
    return [(panel.title, _drawn(panel)) for panel in panels(Log.read(metrics))]


def _drawn(panel: Panel) -> Markup:
    series = {name: line.points for name, line in panel.lines.items()}
    faint = []
    if len(series) == 1 and (means := next(iter(panel.lines.values())).means):
        series = {"logged steps": next(iter(series.values())), "mean of an epoch": means}
        faint = ["logged steps"]
    return lines(
        series, about=panel.title, x=panel.along, faint=faint, counted=True, linear=panel.linear
    )
