"""Tables of runs: what shares one, what is best, and what delta is against."""

import io
import json
import math
import statistics
import subprocess
import sys
from typing import Any

import pytest
from rich.console import Console

from mtdata.errors import UnknownNameError, UsageError
from mtmodels.scoring.compare import compare
from mtmodels.scoring.delta import Baseline, delta_xtasc
from mtmodels.scoring.published import published, published_row
from mtmodels.scoring.score_table import ScoreTable


def run(name: str, miou: float = 30.0, abs_err: float = 0.6, **changes: Any) -> dict[str, Any]:
    scores = {
        "semantic": {"miou": miou, "pixel_accuracy": 2 * miou, "iou": [miou] * 13},
        "depth": {"abs_err": abs_err, "rel_err": abs_err / 3, "rmse": 1.0},
    }
    return {
        "name": name,
        "method": "sl",
        "network": "unet-resnet18",
        "weighting": "equal",
        "regime": "full",
        "protocol": "xtasc",
        "dataset": "nyu",
        "seed": 0,
        "scores": scores,
    } | changes


def only(tables: list[ScoreTable]) -> ScoreTable:
    assert len(tables) == 1
    return tables[0]


def single(task: str, name: str, **changes: Any) -> dict[str, Any]:
    """A run of one task."""
    both = run(name, **changes)
    return both | {"scores": {task: both["scores"][task]}}


@pytest.mark.parametrize(
    "change",
    [{"protocol": "mtpsl"}, {"dataset": "rooms"}, {"split": "train"}, {"size": [288, 384]}],
)
def test_what_cannot_be_compared_shares_no_table(change: dict[str, Any]) -> None:
    tables = compare([run("a", size=[96, 128]), run("b", **{"size": [96, 128]} | change)])
    assert [[e.name for e in table.entries] for table in tables] == [["a"], ["b"]]


@pytest.mark.parametrize("other", [{"depth": "metres"}, None])
def test_other_units_of_depth_share_no_table(other: dict[str, str] | None) -> None:
    disparity = {"semantic": "", "depth": "disparity"}
    seeds = [run(f"a{i}", seed=i, units=disparity) for i in range(2)]
    tables = compare([*seeds, run("b", units=other)])
    assert [[e.name for e in table.entries] for table in tables] == [["a*"], ["b"]]


def test_published_cityscapes_stands_beside_disparity_only() -> None:
    def lines(units: dict[str, str] | None) -> list[bool]:
        one = run("a", dataset="cityscapes", units=units)
        one["scores"]["semantic"]["iou"] = [30.0] * 7
        return [e.published for e in only(compare([one], with_published=True)).entries]

    assert any(lines({"depth": "disparity"}))
    assert not any(lines({"depth": "metres"}))
    assert not any(lines(None))
    row = next(r for r in published(dataset="cityscapes", protocol="xtasc") if "depth" in r.scores)
    with pytest.raises(UsageError, match="units with a run"):
        compare([run("a", dataset="cityscapes", units={"depth": "metres"})], baseline=row)


def test_seeds_of_one_entry_are_one_line() -> None:
    mious = [30.0, 31.0, 35.0]
    runs = [run(f"xtc-{i}", m, seed=i, method="xtc") for i, m in enumerate(mious)]
    table = only(compare([*runs, run("sl", 29.0)]))
    entry = table.entries[0]
    assert [e.name for e in table.entries] == ["xtc-*", "sl"]
    assert entry.seeds == (0, 1, 2)
    assert entry.scores["semantic"]["miou"] == pytest.approx(32)
    assert entry.scores["semantic"]["iou"] == pytest.approx([32] * 13)
    assert entry.std["semantic"]["miou"] == pytest.approx(statistics.stdev(mious))
    assert "32.00 ± 2.65" in table.to_markdown()
    assert table.entries[1].std == {}


@pytest.mark.parametrize(
    "change",
    [
        {"method": "xtc"},
        {"regime": "one"},
        {"epochs": 20},
        {"seed": 0},
        {"note": "!"},
        {"store": "b"},
    ],
)
def test_what_is_no_other_seed_is_another_line(change: dict[str, Any]) -> None:
    assert len(only(compare([run("a"), run("b", **{"seed": 1} | change)])).entries) == 2


def test_the_best_is_bold() -> None:
    table = only(compare([run("a", 30.0, 0.7), run("b", 31.0, 0.8), run("c", 29.0, 0.9)]))
    bold = [[text for text, best in table.cells(entry) if best] for entry in table.entries]
    assert bold == [["0.7000", "0.2333"], ["31.00", "62.00"], []]
    assert "**0.7000**" in table.to_markdown()
    alone = only(compare([run("a")]))
    assert not any(best for _, best in alone.cells(alone.entries[0]))


def test_delta_against_a_run_and_over_seeds() -> None:
    base = run("base")
    seeds = [run(f"x{i}", 30.0 + i, seed=i, method="xtc") for i in range(3)]
    table = only(compare([base, *seeds], baseline=[base]))
    parts = [delta_xtasc(s["scores"], Baseline("base", base["scores"])).value for s in seeds]
    found = table.entries[1].delta
    assert found is not None
    assert found.mean == pytest.approx(statistics.fmean(parts))
    assert found.std == pytest.approx(statistics.stdev(parts))
    assert table.entries[0].delta is not None
    assert table.entries[0].delta.mean == pytest.approx(0)
    assert "against base." in table.to_markdown()


def test_single_task_runs_together_are_one_baseline() -> None:
    runs = [
        single("semantic", "st-semantic-0", miou=28.0, seed=0),
        single("semantic", "st-semantic-1", miou=32.0, seed=1),
        single("depth", "st-depth", abs_err=0.5),
    ]
    table = only(compare([run("xtc", 33.0, 0.5, method="xtc"), *runs], baseline=runs))
    assert table.baseline is not None
    assert table.baseline.name == "st-semantic-* + st-depth"
    assert table.baseline.scores["semantic"]["miou"] == pytest.approx(30)
    first, second, *rest = table.entries
    assert (first.name, first.delta and first.delta.mean) == (table.baseline.name, 0.0)
    assert second.delta is not None
    assert second.delta.mean == pytest.approx((10 + 10 + 0 + 0) / 4)
    assert [entry.delta for entry in rest] == [None, None]


def test_two_different_baselines_of_a_task_are_refused() -> None:
    runs = [run("a"), single("semantic", "b", method="xtc")]
    with pytest.raises(UsageError, match=r"one run of `semantic`.*found two"):
        compare(runs, baseline=runs)


def test_delta_against_a_published_row() -> None:
    row = published_row("xtasc-net/III/Base ST-Net")
    scores = {task: dict(metrics) for task, metrics in row.scores.items()}
    table = only(compare([run("same", scores=scores)], baseline=row, with_published=True))
    rows = published(protocol="xtasc", dataset="nyu")
    assert len(table.entries) == 1 + len(rows)
    assert table.entries[0].delta is not None
    assert table.entries[0].delta.mean == pytest.approx(0)
    for entry, other in zip(table.entries[1:], rows, strict=True):
        assert entry.published
        if other.delta is not None:
            assert entry.delta is not None
            assert entry.delta.mean == pytest.approx(other.delta, abs=0.0101)
    assert not any(best for e in table.entries if e.published for _, best in table.cells(e))


def test_published_rows_of_other_classes_stay_out() -> None:
    forty = run("forty")
    forty["scores"]["semantic"]["iou"] = [30.0] * 40
    assert len(only(compare([forty], with_published=True)).entries) == 1
    with pytest.raises(UsageError, match="classes of the runs, 40; found 13"):
        compare([forty], baseline=published_row("xtasc-net/III/Base ST-Net"))
    with pytest.raises(UsageError, match="13 in thirteen and 40 in forty"):
        compare([run("thirteen"), forty])


def test_a_baseline_that_fits_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"nyu, test split, protocol xtasc.*mtmodels eval"):
        compare([run("a")], baseline=[run("b", protocol="mtpsl")])
    with pytest.raises(UsageError, match="should share protocol"):
        compare([run("a")], baseline=published_row("mtpsl/2/one SL"))


def test_a_baseline_without_a_score_is_refused() -> None:
    broken = run("broken")
    broken["scores"]["depth"]["abs_err"] = None
    with pytest.raises(UsageError, match="`abs_err` of `depth` should be a finite number"):
        compare([run("a")], baseline=[broken])
    with pytest.raises(UnknownNameError, match="mt-unet"):
        compare([run("a", protocol="mt-unet")], baseline=[run("a", protocol="mt-unet")])


def test_a_run_without_scores_is_refused() -> None:
    with pytest.raises(UsageError, match="a lacks scores"):
        compare([{"name": "a", "protocol": "xtasc", "dataset": "nyu"}])


def test_nan_is_a_dash_and_none_in_json() -> None:
    bad = run("bad", seed=1)
    bad["scores"]["depth"]["abs_err"] = None
    table = only(compare([run("good"), bad, run("other", 40.0, method="xtc")], baseline=[run("x")]))
    entry = table.entries[1]
    assert math.isnan(float(entry.scores["depth"]["abs_err"]))
    assert entry.delta is None
    assert "| - |" in table.to_markdown()
    value = json.loads(json.dumps(table.to_json(), allow_nan=False))
    assert value["entries"][1]["scores"]["depth"]["abs_err"] is None
    assert value["entries"][1]["delta"] is None
    assert value["baseline"]["name"] == "x"


def test_renders_for_terminal_markdown_and_json() -> None:
    noted = run("xtc|1", 31.0, method="xtc", note="selected on the test split")
    table = only(compare([run("sl"), noted], baseline=[run("sl")]))
    console = Console(width=200, file=io.StringIO())
    console.print(table.to_rich())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for part in ("nyu, test split, protocol xtasc", "semantic miou ↑", "depth abs_err ↓", "0.6000"):
        assert part in text
        assert part in table.to_markdown()
    assert "xtc|1: selected on the test split" in text
    lines = table.to_markdown().splitlines()
    assert "xtc\\|1" in lines[5]
    assert {line.replace("\\|", "").count("|") for line in lines[2:6]} == {len(table.header()) + 1}
    value = table.to_json()
    assert [entry["name"] for entry in value["entries"]] == ["sl", "xtc|1"]
    assert value["entries"][1]["scores"]["semantic"]["iou"] == [31.0] * 13


def test_needs_no_torch() -> None:
    code = "import sys, mtmodels.scoring.compare; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
