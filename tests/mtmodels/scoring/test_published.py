"""The tables of the papers are consistent, with each other and with the deltas printed in them."""

from collections import Counter

import pytest

from mtdata import TASK_ORDER
from mtdata.errors import UnknownNameError
from mtmodels.metrics.scores import HIGHER_IS_BETTER
from mtmodels.scoring.delta import DELTAS, Baseline
from mtmodels.scoring.published import Row, all_rows, matching, once, published, published_row

WITH_DELTA = [pytest.param(row, id=row.key) for row in all_rows() if row.baseline is not None]


def rounding(row: Row, baseline: Row, metrics: list[str]) -> float:
    """How far delta may be off, in percent, as every number in it was rounded to its digits."""
    bound = 0.0
    for name in metrics:
        task, metric = name.split(".", 1)
        half = 0.5 * 10 ** -row.decimals[name]
        ours, theirs = row.scores[task][metric], baseline.scores[task][metric]
        bound += 100 * (half / theirs + half * ours / theirs**2)
    return bound / len(metrics) + 0.005


@pytest.mark.parametrize("row", WITH_DELTA)
def test_printed_deltas_follow_from_the_scores(row: Row) -> None:
    baseline = published_row(row.baseline or "")
    found = DELTAS[row.protocol](row.scores, Baseline(baseline.key, baseline.scores))
    off = 0.0 if row is baseline else rounding(row, baseline, list(found.terms))
    assert abs(found.value - (row.delta or 0.0)) <= off


@pytest.mark.parametrize(
    ("key", "regime", "delta"),
    [
        ("2/random MTPSL", "random", 15.6),
        ("2/random Perceptual-Map", "random", 10.8),
        ("2/random SSL", "random", 5.3),
        ("2/random Direct-Map", "random", 5.1),
        ("2/one MTPSL", "one", 9.8),
        ("2/one SSL", "one", 2.5),
        ("2/one Perceptual-Map", "one", 1.8),
        ("2/one Direct-Map", "one", -13.6),
        ("1/one MTPSL", "one", 10.6),
        ("1/one Perceptual-Map", "one", 7.0),
        ("1/one Direct-Map", "one", 3.9),
        ("1/one SSL", "one", 3.7),
        ("1/one Contrastive", "one", 2.5),
        ("1/one Discriminator", "one", -6.3),
    ],
)
def test_deltas_of_partial_labels_against_the_same_regime(
    key: str, regime: str, delta: float
) -> None:
    """The paper prints none; these are what its scores give."""
    row = published_row(f"mtpsl/{key}")
    baseline = published_row(f"mtpsl/{key.split('/')[0]}/{regime} SL")
    found = DELTAS["mtpsl"](row.scores, Baseline(baseline.key, baseline.scores))
    assert found.value == pytest.approx(delta, abs=0.051)


@pytest.mark.parametrize("row", [p for p in WITH_DELTA if p.values[0].dataset == "nyu"])  # type: ignore[union-attr]
def test_deltas_of_nyu_are_printed_to_the_last_digit(row: Row) -> None:
    baseline = published_row(row.baseline or "")
    found = DELTAS[row.protocol](row.scores, Baseline(baseline.key, baseline.scores))
    assert found.value == pytest.approx(row.delta, abs=0.0101)


def test_what_is_printed_for_the_cityscapes_baseline_is_too_far_off() -> None:
    baseline = published_row("xtasc-net/I/Base ST-Net")
    depth = {"abs_err": baseline.printed["depth.abs_err"], "rel_err": 19.78}
    printed = Baseline("as printed", {"semantic": baseline.scores["semantic"], "depth": depth})
    rows = [row for row in all_rows() if row.baseline == baseline.key]
    assert len(rows) == 9
    for row in rows:
        found = DELTAS["xtasc"](row.scores, printed)
        assert abs(found.value - (row.delta or 0)) > rounding(row, baseline, list(found.terms))


def test_keys_are_unique() -> None:
    assert max(Counter(row.key for row in all_rows()).values()) == 1


@pytest.mark.parametrize("row", [pytest.param(row, id=row.key) for row in all_rows()])
def test_rows_are_whole(row: Row) -> None:
    assert set(row.tasks) <= set(TASK_ORDER)
    assert row.method
    assert row.regime
    for task, metrics in row.scores.items():
        for metric, value in metrics.items():
            assert metric in HIGHER_IS_BETTER
            assert value > 0
            assert round(value, row.decimals[f"{task}.{metric}"]) == value
    assert not row.printed or row.note


def test_the_same_run_in_two_tables_has_the_same_scores() -> None:
    ours = {
        row.key: row.scores
        for row in published(paper="xtasc-net", method="xtc", weighting="uncertainty")
        if row.network == "xtasc-resnet34" and "ImageNet" not in row.name
    }
    for tables in (("I", "II", "V", "VII"), ("III", "IV", "VI", "VIII")):
        scores = [s for key, s in ours.items() if key.split("/")[1] in tables]
        assert len(scores) == 4
        assert all(s == scores[0] for s in scores)


@pytest.mark.parametrize(
    ("paper", "rows"),
    [("xtasc-net", 46), ("mtpsl", 60), ("jtr", 19), ("mt-unet", 15), ("later", 15)],
)
def test_every_row_is_there(paper: str, rows: int) -> None:
    assert len(published(paper=paper)) == rows


def test_filters() -> None:
    found = published(dataset="nyu", protocol="mtpsl", regime="one", method="sl")
    keys = {row.key for row in found}
    assert keys == {"mtpsl/2/one SL", "mtpsl/6/one SL", "mtpsl/scripts NYU/one STL"}
    assert published(dataset="no such data") == ()


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean `mtpsl/2/one SL`"):
        published_row("mtpsl/2/one sl")
    with pytest.raises(UnknownNameError, match="There is no field `datset` of a published row"):
        published(datset="nyu")


def test_a_pattern_finds_rows_by_words() -> None:
    found = {row.key for row in matching("nyu one")}
    assert found == {row.key for row in published(dataset="nyu", regime="one")}
    assert [row.key for row in matching("mtpsl/2/one SL")] == ["mtpsl/2/one SL"]
    assert len(matching("xtasc-net/III/*")) == 4
    assert matching("no-such-row") == ()
    assert matching("") == all_rows()


def test_repeated_rows_stand_once() -> None:
    rows = once(published(dataset="nyu", protocol="mtpsl", regime="random", method="sl"))
    assert [row.key for row in rows] == ["jtr/NYU/SL", "mtpsl/scripts NYU/random STL"]
    assert rows[0].note == "Copied from MTPSL. Also mtpsl/2/random SL, mtpsl/6/random SL."


@pytest.mark.parametrize("row", [pytest.param(row, id=row.key) for row in all_rows()])
def test_rows_say_what_they_are_of(row: Row) -> None:
    images = {
        "nyu": ("test", 654),
        "cityscapes": ("val", 500),
        "pascal": ("val", 5105),
        "taskonomy": ("test", None),
    }
    assert (row.split, row.images) == images[row.dataset]
    assert row.size is not None or row.paper == "later" or not row.scores
    if row.paper != "later" or row.dataset == "pascal":
        assert ("normals" in row.origin) == ("normals" in row.tasks)


def test_what_is_known_beside_the_scores() -> None:
    star = published_row("xtasc-net/IV/MTAN")
    assert "twice: equal weights, and DWA" in star.marks
    # What marks a row in one table and not, or otherwise, in the other of the same systems.
    second, fourth = (
        {row.name: row.marks for row in published(paper="xtasc-net", table=table)}
        for table in ("II", "IV")
    )
    for name, marks in fourth.items():
        same = marks.split(",")[0] == second[name].split(",")[0]
        assert ("unclear" in marks) == (not same or "twice" in marks), name
    assert "test split" in published_row("mtpsl/2/one MTPSL").selection
    assert published_row("mt-unet/1/MTAN").selection == ""
    assert [published_row(f"mt-unet/{t}/MTAN").trained for t in (1, 2)] == [False, True]
    assert published_row("mtpsl/scripts NYU/one STL").scores["depth"] == {"abs_err": 0.771502}
    assert published_row("xtasc-net/README/AdaMT-Net").scores["semantic"]["pixel_accuracy"] == 60.35
    # The text of the paper: a gain of 2.67 in pixel accuracy, against that row.
    gain = published_row("xtasc-net/IV/XTasC-Net").scores["semantic"]["pixel_accuracy"] - 60.35
    assert gain == pytest.approx(2.67)
    prototypes = published_row("later/PASCAL one/Task prototypes")
    assert prototypes.scores["edges"] == {"ods_f": 65.10}
    assert published_row("jtr/Taskonomy/half JTR").delta == 5.075


def test_single_task_references_lie_behind_the_supervised_rows_of_depth() -> None:
    """A check of the columns: errors of the scripts are near those of the table, in its units."""
    for regime in ("full", "one", "random"):
        stl = published_row(f"mtpsl/scripts NYU/{regime} STL").scores
        sl = published_row(f"mtpsl/2/{regime} SL").scores
        for task, metric in (("semantic", "miou"), ("depth", "abs_err"), ("normals", "mean")):
            assert stl[task][metric] == pytest.approx(sl[task][metric], rel=0.25)
