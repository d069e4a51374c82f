"""Both published forms of delta."""

import math
from typing import Any

import pytest

from mtdata.errors import UsageError
from mtmodels.scoring.delta import Baseline, delta_mtpsl, delta_xtasc
from mtmodels.scoring.published import published_row

ST_NET = Baseline(
    "ST-Net",
    {
        "semantic": {"miou": 30.62, "pixel_accuracy": 62.30},
        "depth": {"abs_err": 0.6451, "rel_err": 0.2443},
    },
)
NYU_RANDOM = {"SSL": 5.3, "Perceptual-Map": 10.8, "Direct-Map": 5.1, "MTPSL": 15.6}
NYU_ONE = {"SSL": 2.5, "Perceptual-Map": 1.8, "Direct-Map": -13.6, "MTPSL": 9.8}
CITYSCAPES_ONE = {
    "SSL": 3.7,
    "Perceptual-Map": 7.0,
    "Direct-Map": 3.9,
    "Contrastive": 2.5,
    "Discriminator": -6.3,
    "MTPSL": 10.6,
}
MTPSL_ROWS = [
    pytest.param(f"mtpsl/{table}", regime, name, value, id=f"{table}-{regime}-{name}")
    for table, regime, values in (
        (2, "random", NYU_RANDOM),
        (2, "one", NYU_ONE),
        (1, "one", CITYSCAPES_ONE),
    )
    for name, value in values.items()
]


def nyu(miou: float, accuracy: float, absolute: float, relative: float) -> dict[str, Any]:
    return {
        "semantic": {"miou": miou, "pixel_accuracy": accuracy, "iou": [miou] * 13},
        "depth": {"abs_err": absolute, "rel_err": relative, "rmse": 1.0},
    }


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (nyu(30.31, 63.02, 0.5954, 0.2235), 4.09),
        (nyu(30.71, 63.44, 0.6002, 0.2222), 4.53),
        (nyu(30.62, 62.30, 0.6451, 0.2443), 0.00),
    ],
)
def test_xtasc_equation_17(scores: dict[str, Any], expected: float) -> None:
    assert round(delta_xtasc(scores, ST_NET).value, 2) == expected


@pytest.mark.parametrize(("table", "regime", "name", "expected"), MTPSL_ROWS)
def test_mtpsl_against_supervised_learning(
    table: str, regime: str, name: str, expected: float
) -> None:
    supervised = published_row(f"{table}/{regime} SL")
    row = published_row(f"{table}/{regime} {name}")
    found = delta_mtpsl(row.scores, Baseline(supervised.key, supervised.scores))
    assert found.value == pytest.approx(expected, abs=0.0501)


def test_mtpsl_on_jtr() -> None:
    scores = {
        "semantic": {"miou": 37.08},
        "depth": {"abs_err": 0.5541},
        "normals": {"mean": 29.44},
    }
    supervised = {
        "semantic": {"miou": 27.05},
        "depth": {"abs_err": 0.6624},
        "normals": {"mean": 33.58},
    }
    assert round(delta_mtpsl(scores, Baseline("SL", supervised)).value, 2) == 21.92


def test_slow_reference() -> None:
    scores = nyu(30.31, 63.02, 0.5954, 0.2235)
    pairs = [(30.31, 30.62, 1), (63.02, 62.30, 1), (0.5954, 0.6451, -1), (0.2235, 0.2443, -1)]
    parts = [sign * (ours - theirs) / theirs * 100 for ours, theirs, sign in pairs]
    assert delta_xtasc(scores, ST_NET).value == pytest.approx(sum(parts) / 4)
    one_each = (parts[0] + parts[2]) / 2
    assert delta_mtpsl(scores, ST_NET).value == pytest.approx(one_each)


def test_records_its_terms_and_its_baseline() -> None:
    found = delta_xtasc(nyu(30.62, 62.30, 0.6451, 0.48860), ST_NET)
    assert found.terms["depth.rel_err"] == pytest.approx(-100)
    assert found.value == pytest.approx(-25)
    value = found.to_json()
    assert value["baseline"] == {"name": "ST-Net", "scores": ST_NET.scores}
    assert value["form"] == "xtasc"


@pytest.mark.parametrize("delta", [delta_xtasc, delta_mtpsl])
def test_other_kinds_count_too(delta: Any) -> None:
    normals = {"mean": 20.0, "median": 10.0}
    saliency = {"iou_at_0.5": 40.0, "f_at_0.5": 50.0}
    theirs = Baseline("b", {"normals": normals, "saliency": saliency})
    ours = {
        "normals": {name: value / 2 for name, value in normals.items()},
        "saliency": {name: value * 1.1 for name, value in saliency.items()},
    }
    assert delta(ours, theirs).value == pytest.approx((50 + 10) / 2)


@pytest.mark.parametrize("delta", [delta_xtasc, delta_mtpsl])
def test_missing_tasks_are_named(delta: Any) -> None:
    both = nyu(30, 60, 0.6, 0.2)
    semantic = {"semantic": both["semantic"]}
    with pytest.raises(UsageError, match="no `depth` in the scores to compare"):
        delta(semantic, ST_NET)
    with pytest.raises(UsageError, match="no `depth` in runs/one"):
        delta(both, Baseline("runs/one", semantic))
    narrowed = delta(semantic, ST_NET, tasks=["semantic"])
    assert all(name.startswith("semantic.") for name in narrowed.terms)


@pytest.mark.parametrize("delta", [delta_xtasc, delta_mtpsl])
@pytest.mark.parametrize("value", [math.nan, None, math.inf])
def test_scores_that_are_no_numbers_are_named(delta: Any, value: float | None) -> None:
    scores = nyu(30, 60, 0.6, 0.2)
    scores["depth"]["abs_err"] = value
    with pytest.raises(UsageError, match="`abs_err` of `depth` should be a finite number"):
        delta(scores, ST_NET)


def test_a_baseline_of_zero_and_one_of_nothing_are_refused() -> None:
    scores = nyu(30, 60, 0.6, 0.2)
    with pytest.raises(UsageError, match="`miou` of `semantic` should not be 0 in b"):
        delta_mtpsl(scores, Baseline("b", nyu(0, 60, 0.6, 0.2)))
    with pytest.raises(UsageError, match="found none"):
        delta_mtpsl({}, Baseline("b", {}))
    with pytest.raises(UsageError, match="should have a score that delta"):
        delta_mtpsl({"depth": {"rmse": 1.0}}, Baseline("b", {"depth": {"rmse": 1.0}}))
