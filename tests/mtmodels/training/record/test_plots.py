"""What the curves of a run show."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.figure
import numpy as np
import pytest

from mtmodels.training.record.plots import draw_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = {
    "depth/direct": 1.0, "consistency/a_with_b": 2.0, "consistency/b_with_a": 3.0,
    "depth/crops": 9.0,
}  # fmt: skip
SIX = [f"consistency/{s}_with_{t}" for s in "abc" for t in "abc" if s != t]


@pytest.fixture
def draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Draws a log of these fields; gives the panels by their titles."""
    kept: list[Axes] = []
    plain = matplotlib.figure.Figure.savefig

    def keep(figure: matplotlib.figure.Figure, *args: Any, **options: Any) -> None:
        kept.extend(axis for axis in figure.axes if axis.axison)
        plain(figure, *args, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", keep)

    def start(
        step: Mapping[str, Any], epoch: Mapping[str, Any], *more: Mapping[str, Any]
    ) -> dict[str, "Axes"]:
        rows: list[Mapping[str, Any]] = [
            {"kind": "step", "step": i, "lr": 1e-3 / i, **step} for i in (1, 2)
        ]
        rows += [{"kind": "epoch", "epoch": 1, "step": 2, **epoch}, *more]
        (tmp_path / "log").write_text("".join(json.dumps(row) + "\n" for row in rows))
        kept.clear()
        draw_curves(tmp_path / "log", tmp_path / "curves.png", title="run")
        assert (tmp_path / "curves.png").stat().st_size > 1000
        return {axis.get_title(): axis for axis in kept}

    return start


def legend(axis: "Axes") -> Sequence[str]:
    found = axis.get_legend()
    assert found is not None
    return [text.get_text() for text in found.get_texts()]


def heights(axis: "Axes") -> list[list[float]]:
    return [np.asarray(line.get_ydata(), np.float64).tolist() for line in axis.lines]


def test_terms_and_parts_have_panels_of_their_own(draw: Any) -> None:
    auxiliary = {"consistency": 0.5, "depth/crops": 0.25}
    panels = draw(
        {"tasks": {"depth": 0.25}, "labelled": {"depth": 2.0}, "auxiliary": auxiliary,
         "parts": PARTS},
        {"means": {"depth": 0.3}, "labelled": {"depth": 2.5}, "auxiliary": auxiliary,
         "parts": PARTS},
    )  # fmt: skip
    loss, terms, parts, _ = panels.values()
    assert list(panels) == [
        "depth: loss, mean over the images that show it",
        "terms beside those of the tasks",
        "consistency of each pair, before any weight",
        "learning rate",
    ]
    assert heights(loss) == [[2.0, 2.0], [2.5]]
    assert legend(terms) == ["consistency", "depth/crops"]
    assert legend(parts) == ["a_with_b", "b_with_a"]  # of what, the title says
    assert heights(parts) == [[2.0, 2.0], [2.0], [3.0, 3.0], [3.0]]


def test_supervision_alone_has_no_more_panels(draw: Any) -> None:
    fields = {"tasks": {"depth": 0.25}, "labelled": {"depth": 2.0}, "auxiliary": {},
              "parts": {"depth/direct": 0.25}}  # fmt: skip
    panels = draw(fields, {**fields, "means": {"depth": 0.25}})
    assert list(panels) == ["depth: loss, mean over the images that show it", "learning rate"]


def test_many_pairs_go_into_several_panels(draw: Any) -> None:
    parts = dict.fromkeys([*SIX, "consistency/c_with_d", "depth/to_a"], 1.0)
    rows = {"tasks": {"depth": 1.0}, "parts": parts}
    panels = draw(rows, {"means": {"depth": 1.0}, "parts": parts})
    title = "consistency of each pair, before any weight"
    assert legend(panels[f"{title} (1 of 2)"]) == [part.partition("/")[2] for part in SIX]
    assert f"{title} (2 of 2)" in panels
    assert "transfer of each pair, before any weight: depth/to_a" in panels


def test_a_log_of_before_is_drawn_as_it_is(draw: Any) -> None:
    auxiliary = {"consistency": 0.5}
    panels = draw(
        {"tasks": {"depth": 0.25}, "auxiliary": auxiliary, "parts": PARTS},
        {"means": {"depth": 0.3}},
    )
    assert heights(panels["depth: loss"]) == [[0.25, 0.25], [0.3]]
    assert heights(panels["terms beside those of the tasks: consistency"]) == [[0.5, 0.5]]


def test_steps_and_epochs_are_whole_numbers(draw: Any) -> None:
    fields = {"tasks": {"depth": 0.25}, "labelled": {"depth": 2.0}}
    scores = {"scores": {"depth": {"abs_err": 0.5}}}
    panels = draw(fields, {"means": {"depth": 0.25}, "labelled": {"depth": 2.0}, **scores})
    assert any("abs_err" in title for title in panels)
    for axis in panels.values():
        for left, right in ((1, 8), (0.5, 1.5), (1, 30)):
            assert all(float(tick).is_integer() for tick in axis.xaxis.get_major_locator().
                       tick_values(left, right))  # fmt: skip


def test_a_constant_rate_is_said_and_not_drawn(draw: Any) -> None:
    fields = {"tasks": {"depth": 0.25}, "labelled": {"depth": 2.0}, "lr": 1e-3}
    panels = draw(fields, {"means": {"depth": 0.25}, "labelled": {"depth": 2.0}})
    assert list(panels) == ["depth: loss, mean over the images that show it"]
    assert "learning rate 0.001 throughout" in next(iter(panels.values())).figure.get_suptitle()


def test_pairs_that_agree_with_held_out_labels_are_marked_apart_from_those_that_rest(
    draw: Any,
) -> None:
    fields = {"tasks": {"depth": 0.25}, "labelled": {"depth": 2.0}}
    looks = [
        {"kind": "probe", "step": 1, "agreement": {"a_with_b": 0.2}, "kept": {"a_with_b": True},
         "threshold": 0.1},
        {"kind": "probe", "step": 2, "agreement": {"a_with_b": 0.0, "b_with_a": 0.3},
         "kept": {"a_with_b": False, "b_with_a": True}, "threshold": 0.1},
    ]  # fmt: skip
    panels = draw(fields, {"means": {"depth": 0.25}, "labelled": {"depth": 2.0}}, *looks)
    axis = panels["agreement of pairs with held-out labels; a hollow one rests"]
    assert legend(axis) == ["a_with_b", "b_with_a"]
    mean, rests, other, threshold = axis.lines
    assert heights(axis)[:3] == [[0.2, 0.0], [0.0], [0.3]]
    assert (mean.get_markerfacecolor(), rests.get_markerfacecolor()) == (mean.get_color(), "white")
    assert other.get_color() != mean.get_color()
    assert set(threshold.get_ydata()) == {0.1}
