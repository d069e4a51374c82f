"""The picture of a comparison: nothing is cut, nothing overlaps, rows are told apart."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from mtmodels.scoring.compare import Request, compare
from mtmodels.training.record.comparison import figure_of
from tests.mtmodels.scoring.test_compare import only, run, single

CLASSES = {"semantic": [f"class {i}" for i in range(13)]}


def drawn(runs: list[dict[str, Any]], request: Request | None = None) -> Figure:
    figure = figure_of(only(compare(runs, request)))
    figure.draw_without_rendering()
    return figure


@pytest.mark.parametrize("letters", [1, 30, 90])
def test_the_legend_and_the_titles_have_room(letters: int) -> None:
    runs = [run("a" * letters + f"{i}", 30.0 + i, classes=CLASSES) for i in range(6)]
    figure = drawn(runs, Request([runs[0]]))
    box, whole = figure.legends[0].get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0 < box.x1 <= whole.x1
    assert whole.y0 <= box.y0 < box.y1 <= whole.y1
    first, second = (axis.title.get_window_extent() for axis in figure.subfigs[0].axes)
    assert first.x1 < second.x0
    assert sum("right is better" in text.get_text() for text in figure.findobj(Text)) == 1


def test_what_delta_does_not_count_is_said() -> None:
    figure = drawn([run("a")], Request([single("depth", "st")]))
    told = [text.get_text() for text in figure.findobj(Text) if "delta counts" in text.get_text()]
    assert told[0].endswith("delta counts depth; not semantic, which the baseline lacks")


def test_more_rows_than_colours_are_told_apart() -> None:
    runs = [run(f"r{i}", 30.0 + i, classes=CLASSES, lr=i) for i in range(30)]
    figure = drawn(runs)
    (axis,) = figure.subfigs[0].axes
    looks = {
        (bars[0].get_edgecolor() if bars[0].get_hatch() else bars[0].get_facecolor(),
         bars[0].get_hatch())
        for bars in axis.containers
    }  # fmt: skip
    assert len(looks) == 30


@pytest.mark.parametrize(("budgets", "along"), [
    (((8, 4), (8, 2)), "step"), (((8, 4), (8, 4)), "epoch"), (((8, 4), (4, 2)), "epoch"),
])  # fmt: skip
def test_curves_lie_along_what_runs_share(
    budgets: tuple[tuple[int, int], ...], along: str, tmp_path: Path
) -> None:
    runs = []
    for name, (steps, epochs) in zip("ab", budgets, strict=True):
        rows = [
            {"kind": "epoch", "epoch": n + 1, "step": (n + 1) * steps // epochs,
             "labelled": {"depth": 1 / (n + 1)}}
            for n in range(epochs)
        ]  # fmt: skip
        log = tmp_path / f"{name}.jsonl"
        log.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
        runs.append(run(name, logs=[str(log)], epochs=epochs))
    (axis,) = drawn(runs).subfigs[0].axes
    assert axis.get_xlabel() == along
    ends = [np.asarray(line.get_xdata())[-1] for line in axis.get_lines()]
    assert ends == [(steps, epochs)[along == "epoch"] for steps, epochs in budgets]
