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
from mtmodels.scoring.compare import Request, compare
from mtmodels.scoring.delta import Baseline, delta_xtasc
from mtmodels.scoring.formats import csv_text, markdown, text
from mtmodels.scoring.layout import Layout, layouts
from mtmodels.scoring.published import once, published, published_row
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
        "role": "test",
        "images": 654,
        "size": [288, 384],
        "units": {"depth": "metres"},
        "origin": {},
        "seed": 0,
        "scores": scores,
    } | changes


def laid_out(table: ScoreTable) -> Layout:
    return layouts(table)[0]


def to_markdown(table: ScoreTable) -> str:
    return markdown(laid_out(table))


def best(table: ScoreTable) -> list[list[str]]:
    """The bold cells of each row, but for those of delta."""
    width = len(table.columns)
    return [
        [cell for cell, bold in zip(line.cells, line.best, strict=True) if bold][:width]
        for line in laid_out(table).lines
    ]


def only(tables: list[ScoreTable]) -> ScoreTable:
    assert len(tables) == 1
    return tables[0]


def single(task: str, name: str, **changes: Any) -> dict[str, Any]:
    """A run of one task."""
    both = run(name, **changes)
    return both | {"scores": {task: both["scores"][task]}}


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": "mtpsl"},
        {"dataset": "rooms"},
        {"split": "train"},
        {"size": [96, 128]},
        {"images": 240},
        {"origin": {"depth": "raw"}},
    ],
)
def test_what_cannot_be_compared_shares_no_table(change: dict[str, Any]) -> None:
    tables = compare([run("a", origin={"depth": "filled"}), run("b", **change)])
    assert [[e.name for e in table.entries] for table in tables] == [["a"], ["b"]]
    first, second = tables
    assert first.remarks == ()
    assert "A table apart from the first: " in second.remarks[0]


@pytest.mark.parametrize("other", [{"depth": "metres"}, None])
def test_other_units_of_depth_share_no_table(other: dict[str, str] | None) -> None:
    disparity = {"semantic": "", "depth": "disparity"}
    seeds = [run(f"a{i}", seed=i, units=disparity) for i in range(2)]
    tables = compare([*seeds, run("b", units=other)])
    assert [[e.name for e in table.entries] for table in tables] == [["a*"], ["b"]]


def city(**changes: Any) -> dict[str, Any]:
    """A run that may stand beside the rows of the papers on Cityscapes."""
    facts: dict[str, Any] = {
        "images": 500,
        "size": [128, 256],
        "split": "val",
        "units": {"depth": "disparity"},
    }
    one = run("a", dataset="cityscapes", **facts | changes)
    one["scores"]["semantic"]["iou"] = [30.0] * 7
    return one


def test_published_cityscapes_stands_beside_disparity_of_its_val_split_only() -> None:
    def beside(units: dict[str, str] | None) -> list[bool]:
        first, *_ = compare([city(units=units)], Request(published=True))
        return [entry.published for entry in first.entries]

    assert any(beside({"depth": "disparity"}))
    assert not any(beside({"depth": "metres"}))
    assert not any(beside(None))
    row = published_row("xtasc-net/I/XTasC-Net")
    with pytest.raises(UsageError, match="depth in metres in place of disparity"):
        compare([city(units={"depth": "metres"})], Request(row))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"size": [96, 128]}, "images of 96x128 in place of 288x384"),
        ({"images": 240}, "240 images in place of 654"),
        ({"images": None}, "unknown images in place of 654"),
        ({"split": "val"}, "split val in place of test"),
        ({"origin": {"normals": "computed"}}, "normals labels computed in place of given"),
        ({"origin": None}, "normals labels unknown in place of given"),
    ],
)
def test_a_number_that_would_mean_nothing_is_refused_with_the_reason(
    change: dict[str, Any], reason: str
) -> None:
    row = published_row("mtpsl/2/one SL")
    one = run("a", regime="one", protocol="mtpsl", origin={"normals": "given"})
    one["scores"]["normals"] = {"mean": 30.0}
    beside = only(compare([one], Request(row, published=True)))
    assert beside.entries[0].delta is not None
    assert beside.remarks[0].endswith("--all-regimes adds them.")

    with pytest.raises(UsageError, match=reason) as error:
        compare([one | change], Request(row, published=True))
    assert "--anyway" in str(error.value)

    ours, papers = compare([one | change], Request(published=True))
    assert [entry.published for entry in ours.entries] == [False]
    assert all(entry.published and entry.delta is None for entry in papers.entries)
    assert reason in papers.remarks[0]

    table = only(compare([one | change], Request(row, published=True, anyway=True)))
    assert table.entries[0].delta is not None
    assert reason in table.remarks[0]
    theirs = [entry for entry in table.entries if entry.published]
    assert theirs
    assert all(reason in entry.note for entry in theirs)


def test_a_baseline_of_another_size_is_refused_with_the_reason() -> None:
    small = run("small", size=[96, 128])
    with pytest.raises(UsageError, match="288x384 in place of 96x128"):
        compare([run("a")], Request([small]))
    table, apart = compare([small, run("a")], Request([small]))
    assert table.entries[0].delta is not None
    assert apart.baseline is None
    told = laid_out(apart).notes
    assert "No delta against small: images of 288x384 in place of 96x128." in told
    _, second = compare([small, run("a", 60.0)], Request([small], anyway=True))
    assert second.baseline is not None
    assert "delta means little here: images of 288x384" in laid_out(second).notes[1]


def test_what_the_lines_differ_in_is_said() -> None:
    wide: dict[str, Any] = {
        "epochs": 5,
        "network_options": {"width": 1.0},
        "labels": "a" * 64,
        "lr": 0.1,
    }
    narrow = wide | {"epochs": 2, "network_options": {"width": 0.25}, "labels": "b" * 64}
    table = only(compare([run("a", **wide, steps=50), run("b", **narrow, steps=20)]))
    assert table.differs() == {
        "steps": {"50": ["a"], "20": ["b"]},
        "epochs": {"5": ["a"], "2": ["b"]},
        "network.width": {"1.0": ["a"], "0.25": ["b"]},
        "labels": {"a" * 8: ["a"], "b" * 8: ["b"]},
    }
    names = "steps 50", "steps 20"
    assert [line.label for line in laid_out(table).lines] == list(names)
    assert f"epochs (5: {names[0]}, 2: {names[1]}); network.width" in to_markdown(table)
    assert f"{names[0]} is a; {names[1]} is b." in to_markdown(table)


def test_labels_are_told_where_neither_regime_nor_tasks_say_so() -> None:
    def told(*runs: dict[str, Any]) -> bool:
        table = only(compare(list(runs)))
        assert "labels" in table.differs()
        return "labels (" in to_markdown(table)

    a, b = run("a", labels="a" * 64), run("b", labels="b" * 64)
    assert told(a, b)
    assert not told(a, b | {"regime": "one"})
    assert not told(a | {"tasks": ["depth"]}, b | {"tasks": ["depth", "semantic"]})
    assert told(a, b | {"regime": "one"}, run("c", labels="c" * 64, method="xtc"))


def test_how_further_views_are_made_is_not_said_of_one_view() -> None:
    one: dict[str, Any] = {"views": {"count": 1, "scales": [1.0, 1.2], "flip": 0.0}}
    two: dict[str, Any] = {"views": {"count": 2, "scales": [1.0], "flip": 0.5}}
    table = only(compare([run("a", **one), run("b", **two)]))
    assert table.differs() == {"views.count": {"1": ["a"], "2": ["b"]}}
    assert [line.label for line in laid_out(table).lines] == ["views 1", "views 2"]
    zoomed = two | {"views": two["views"] | {"scales": [1.0, 2.0]}}
    table = only(compare([run("a", **two), run("b", **zoomed)]))
    assert list(table.differs()) == ["views.scales"]


@pytest.mark.parametrize(
    ("regime", "drawn", "like"),
    [
        ("one-3", None, "one"),
        ("one-3", {"kind": "one", "parameters": {"stable": True}}, "one"),
        ("mine", {"kind": "random", "parameters": {}}, "random"),
        ("one", {"kind": "random", "parameters": {}}, "random"),
        ("one-third", None, ""),
        ("one-3", {"kind": "fraction", "parameters": {"share": 0.3}}, ""),
        ("one+derived", None, ""),
    ],
)
def test_published_rows_are_of_the_kind_of_the_regime(
    regime: str, drawn: dict[str, Any] | None, like: str
) -> None:
    facts: dict[str, Any] = {"protocol": "mtpsl", "origin": {"normals": "given"}}
    tables = compare([run("a", regime=regime, drawn=drawn, **facts)], Request(published=True))
    found = {e.facts["regime"] for table in tables for e in table.entries if e.published}
    assert found == ({like} if like else set())


def test_a_ratio_is_told_as_papers_tell_it() -> None:
    ratio = {"ratio": {"semantic": 0.1, "depth": 0.9}}
    drawn: dict[str, Any] = {"kind": "imbalanced", "parameters": ratio}
    facts: dict[str, Any] = {"protocol": "mtpsl", "dataset": "cityscapes", "regime": "few"}
    tables = compare([run("a", drawn=drawn, **facts)], Request(published=True))
    found = {e.facts["regime"] for table in tables for e in table.entries if e.published}
    assert found == {"imbalanced 1:9"}


def test_published_rows_of_the_same_regime_stand_once() -> None:
    one = run("a", regime="random", protocol="mtpsl")
    names = [entry.name for entry in only(compare([one], Request(published=True))).entries]
    assert names.count("jtr/NYU/SL") + names.count("mtpsl/2/random SL") == 1
    assert not any("/one " in name or "/full " in name for name in names)
    every = only(compare([one], Request(published=True, all_regimes=True)))
    assert any("/one " in entry.name for entry in every.entries)
    noted = next(entry for entry in every.entries if entry.name == "jtr/NYU/SL")
    assert "Also mtpsl/2/random SL, mtpsl/6/random SL." in noted.note


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_no_number_is_cut(width: int) -> None:
    runs = [run(f"a-rather-long-name-of-a-run-{i}", seed=0, epochs=i) for i in range(2)]
    runs[1]["network"] = "segnet-cross-stitch"
    table = only(compare([*runs, run("x", method="xtc")], Request([run("base")], published=True)))
    console = Console(width=width, file=io.StringIO())
    console.print(text(laid_out(table), width))
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in told
    assert max(map(len, told.splitlines())) <= width
    for line in laid_out(table).lines:
        for cell in line.cells:
            assert f" {cell} " in told


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
    assert "32.00 ± 2.65" in to_markdown(table)
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
    assert best(table) == [["0.7000", "0.2333"], ["31.00", "62.00"], []]
    assert "**0.7000**" in to_markdown(table)
    alone = only(compare([run("a")]))
    assert best(alone) == [[]]


def test_delta_against_a_run_and_over_seeds() -> None:
    base = run("base")
    seeds = [run(f"x{i}", 30.0 + i, seed=i, method="xtc") for i in range(3)]
    table = only(compare([base, *seeds], Request([base])))
    parts = [delta_xtasc(s["scores"], Baseline("base", base["scores"])).value for s in seeds]
    found = table.entries[1].delta
    assert found is not None
    assert found.mean == pytest.approx(statistics.fmean(parts))
    assert found.std == pytest.approx(statistics.stdev(parts))
    forms = table.entries[1].deltas
    assert forms["xtasc"].std == pytest.approx(found.std)
    assert forms["mtpsl"].std is not None
    assert table.to_json()["entries"][1]["deltas"]["mtpsl"]["std"] == forms["mtpsl"].std
    assert "std" not in table.to_json()["entries"][0]["deltas"]["mtpsl"]
    cells = dict(zip(laid_out(table).titles[1:], laid_out(table).lines[1].cells, strict=True))
    assert all(" ± " in cells[title] for title in ("Δ tasks, % ↑", "Δ metrics, % ↑"))
    assert f"{forms['mtpsl'].std}" in csv_text([table])
    assert table.entries[0].delta is not None
    assert table.entries[0].delta.mean == pytest.approx(0)
    assert "against sl." in to_markdown(table)
    assert "sl is base; xtc is x*." in to_markdown(table)


def test_single_task_runs_together_are_one_baseline() -> None:
    runs = [
        single("semantic", "st-semantic-0", miou=28.0, seed=0),
        single("semantic", "st-semantic-1", miou=32.0, seed=1),
        single("depth", "st-depth", abs_err=0.5),
    ]
    table = only(compare([run("xtc", 33.0, 0.5, method="xtc"), *runs], Request(runs)))
    assert table.baseline is not None
    assert table.baseline.name == "st-semantic-* + st-depth"
    assert table.baseline.scores["semantic"]["miou"] == pytest.approx(30)
    first, second, *rest = table.entries
    assert (first.name, first.delta and first.delta.mean) == (table.baseline.name, 0.0)
    assert second.delta is not None
    assert second.delta.mean == pytest.approx((10 + 10 + 0 + 0) / 4)
    assert [entry.delta for entry in rest] == [None, None]


def test_a_delta_over_some_of_the_tasks_says_so() -> None:
    told = "delta counts depth; not semantic, which the baseline lacks."
    table = only(compare([run("a")], Request([single("depth", "st-depth")])))
    assert table.entries[-1].delta is not None
    assert told in table.remarks
    assert told in laid_out(table).notes
    assert told in table.to_json()["remarks"]
    whole = only(compare([run("a")], Request([run("b")])))
    assert not any("delta counts" in remark for remark in whole.remarks)


def test_published_rows_without_a_task_of_the_baseline_are_named() -> None:
    facts: dict[str, Any] = {"protocol": "mtpsl", "regime": "one", "origin": {"normals": "given"}}
    more = run("a", **facts)
    more["scores"]["edges"] = {"ods_f": 50.0}
    table = only(compare([more], Request([more], published=True)))
    (told,) = [remark for remark in table.remarks if remark.startswith("No delta of published")]
    rows = [entry for entry in table.entries if entry.published]
    assert all(entry.delta is None for entry in rows)
    assert told.startswith("No delta of published rows without edges: mtpsl/2/one SL")


@pytest.mark.parametrize("turned", [False, True])
def test_the_order_of_single_tasks_makes_no_other_line(*, turned: bool) -> None:
    runs = [
        single(task, f"st-{task}-{seed}", miou=28.0 + seed, seed=seed, tasks=[task])
        for task in ("semantic", "depth")
        for seed in range(2)
    ]
    against = runs[::-1] if turned else runs
    table = only(compare([run("a"), *runs[2:], *runs[:2]], Request(against, join=True)))
    assert [e.name for e in table.entries] == ["a", "st-semantic-* + st-depth-*"]
    assert table.baseline is not None
    assert table.baseline.name == table.entries[1].name
    assert table.entries[1].delta is not None
    assert table.entries[1].budget["tasks"] == "semantic + depth"


def test_some_seeds_of_a_line_are_a_baseline_of_their_own() -> None:
    runs = [run(f"sl-s{seed}", 30.0 + seed, seed=seed) for seed in range(3)]
    table = only(compare(runs, Request(runs[:2])))
    assert [e.name for e in table.entries] == ["sl-s0, sl-s1", "sl-s*"]
    assert table.entries[0].scores["semantic"]["miou"] == pytest.approx(30.5)
    assert len({line.label for line in laid_out(table).lines}) == 2
    same = only(compare(runs, Request(runs[::-1])))
    assert [e.name for e in same.entries] == ["sl-s*"]


def test_two_different_baselines_of_a_task_are_refused() -> None:
    runs = [run("a"), single("semantic", "b", method="xtc")]
    with pytest.raises(UsageError, match=r"one run of `semantic`.*found two"):
        compare(runs, Request(runs))


def test_what_keeps_runs_from_being_seeds_is_said() -> None:
    """A regime that is drawn anew for each seed is another one, whatever it is called."""
    runs = [run(f"sl-s{i}", seed=i, labels=f"{i}" * 64) for i in range(3)]
    with pytest.raises(UsageError, match=r"differ in labels \(0{8} in sl-s0, 1{8} in sl-s1\)\. L"):
        compare([run("a", method="xtc")], Request(runs))
    with pytest.raises(UsageError, match=r"last two differ in labels \(1{8} in sl-s1, 2{8} in"):
        compare(runs, Request(paired=True))
    many = run("b", seed=1, lr=0.1, epochs=3, regime="one")
    with pytest.raises(UsageError, match=r"regime \(full in a, one in b\), .* and 1 more\. Leave"):
        compare([run("c", method="xtc")], Request([run("a", lr=0.2, epochs=2), many]))
    with pytest.raises(UsageError, match="differ in nothing, and both are of seed 0"):
        compare([run("c", method="xtc")], Request([run("a"), run("b")]))


def test_delta_against_a_published_row() -> None:
    row = published_row("xtasc-net/III/Base ST-Net")
    scores = {task: dict(metrics) for task, metrics in row.scores.items()}
    table = only(compare([run("same", scores=scores)], Request(row, published=True)))
    rows = once(published(protocol="xtasc", dataset="nyu"))
    assert len(table.entries) == 1 + len(rows)
    assert table.entries[0].delta is not None
    assert table.entries[0].delta.mean == pytest.approx(0)
    for entry, other in zip(table.entries[1:], rows, strict=True):
        assert entry.published
        if other.delta is not None:
            assert entry.delta is not None
            assert entry.delta.mean == pytest.approx(other.delta, abs=0.0101)
    assert not any(any(line.best) for line in laid_out(table).lines if line.published)


def test_published_rows_of_other_classes_stay_out() -> None:
    forty = run("forty")
    forty["scores"]["semantic"]["iou"] = [30.0] * 40
    ours, _ = compare([forty], Request(published=True))
    assert len(ours.entries) == 1
    with pytest.raises(UsageError, match="40 classes in place of 13"):
        compare([forty], Request(published_row("xtasc-net/III/Base ST-Net")))
    with pytest.raises(UsageError, match="13 in thirteen and 40 in forty"):
        compare([run("thirteen"), forty])


def test_a_baseline_that_fits_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"protocol xtasc in place of mtpsl.*mtmodels eval"):
        compare([run("a")], Request([run("b", protocol="mtpsl")]))
    with pytest.raises(UsageError, match="protocol xtasc in place of mtpsl"):
        compare([run("a")], Request(published_row("mtpsl/2/one SL")))


def test_a_baseline_without_a_score_is_refused() -> None:
    broken = run("broken")
    del broken["scores"]["depth"]["abs_err"]
    with pytest.raises(UsageError, match="`abs_err` of `depth` should be a finite number"):
        compare([run("a")], Request([broken]))


@pytest.mark.parametrize("value", [0.0, None])
def test_a_baseline_with_a_score_of_nothing_leaves_a_table_without_delta(
    value: float | None,
) -> None:
    base = run("base")
    base["scores"]["semantic"]["miou"] = value
    table = only(compare([run("a")], Request([base])))
    assert [entry.name for entry in table.entries] == ["base", "a"]
    assert all(entry.delta is None for entry in table.entries)
    told = f"`miou` of `semantic` should not be {'nan' if value is None else '0'} in base"
    assert told in " ".join(table.remarks)
    counted = only(compare([run("a", abs_err=0.3)], Request([base], tasks=["depth"])))
    assert counted.tasks == ("depth",)
    assert counted.entries[-1].deltas["mtpsl"].value == pytest.approx(50)


def test_tasks_are_those_that_are_named() -> None:
    table, *_ = compare([run("a")], Request(published=True, tasks=["depth"]))
    assert all(set(entry.scores) == {"depth"} for entry in table.entries)
    assert len(table.entries) > 1
    with pytest.raises(UnknownNameError, match="task with scores `normals`"):
        compare([run("a")], Request(tasks=["normals"]))
    with pytest.raises(
        UsageError, match="baseline should have scores of depth; found those of sem"
    ):
        compare([run("a")], Request([single("semantic", "b")], tasks=["depth"]))
    alone = only(compare([run("a"), single("semantic", "b")], Request(tasks=["depth"])))
    assert [entry.name for entry in alone.entries] == ["a"]


def test_a_mean_over_other_classes_is_told() -> None:
    few, more = run("few"), run("more")
    few["scores"]["semantic"]["iou"][12] = None
    few["classes"] = more["classes"] = {"semantic": [f"class {i}" for i in range(13)]}
    said = " ".join(only(compare([few, more])).unsure)
    assert "same classes in all runs" in said
    assert "Counted: class 12 in more." in said
    assert "same classes" not in " ".join(only(compare([few, few | {"seed": 1}])).unsure)


def test_a_baseline_that_is_no_line_varies_over_its_seeds_as_one_that_is() -> None:
    seeds = [run(f"sl-s{seed}", 30.0 + seed, 0.6 - 0.01 * seed, seed=seed) for seed in range(3)]
    other = run("b", 33.0)
    apart, beside = (
        only(compare(runs, Request(seeds))).entries[0] for runs in ([other], [*seeds, other])
    )
    assert apart.std == beside.std
    assert apart.std["semantic"]["miou"] == pytest.approx(1)
    for form, estimate in beside.deltas.items():
        assert apart.deltas[form].std == pytest.approx(estimate.std)
    assert apart.delta is not None
    assert beside.delta is not None
    assert apart.delta.std == pytest.approx(beside.delta.std)


def test_a_protocol_of_ones_own_has_a_table_without_delta() -> None:
    runs = [run("a", protocol="xtasc"), run("a", protocol="mine"), run("b", protocol="mine")]
    beside = [run("c", protocol="xtasc"), run("c", protocol="mine")]
    with_form, without = compare(runs, Request(beside, paired=True))
    assert with_form.form == "xtasc"
    assert [entry.name for entry in without.entries] == ["c", "a", "b"]
    assert without.form is None
    assert all(entry.delta is None and not entry.deltas for entry in without.entries)
    assert "No delta under mine" in " ".join(without.remarks)
    told = to_markdown(without)
    assert "Δ" not in told
    assert "30.0" in told


def test_a_run_without_scores_is_refused() -> None:
    with pytest.raises(UsageError, match="a lacks scores"):
        compare([{"name": "a", "protocol": "xtasc", "dataset": "nyu"}])


def test_nan_is_a_dash_and_none_in_json() -> None:
    bad = run("bad", seed=1)
    bad["scores"]["depth"]["abs_err"] = None
    table = only(compare([run("good"), bad, run("other", 40.0, method="xtc")], Request([run("x")])))
    entry = table.entries[1]
    assert math.isnan(float(entry.scores["depth"]["abs_err"]))
    assert entry.delta is None
    assert "| - |" in to_markdown(table)
    value = json.loads(json.dumps(table.to_json(), allow_nan=False))
    assert value["entries"][1]["scores"]["depth"]["abs_err"] is None
    assert value["entries"][1]["delta"] is None
    assert value["baseline"]["name"] == "x"


def test_renders_for_terminal_markdown_and_json() -> None:
    noted = run("xtc|1", 31.0, regime="|", note="selected on the test split")
    table = only(compare([run("sl"), noted], Request([run("sl")])))
    console = Console(width=200, file=io.StringIO())
    console.print(text(laid_out(table), 200))
    told = console.file.getvalue()  # type: ignore[attr-defined]
    title = "nyu, test split (role test), 654 images of 288x384, protocol xtasc"
    for part in (title, "mIoU ↑", "Abs. Err., m ↓", "0.6000", "Semantic seg."):
        assert part in told
        assert part in to_markdown(table)
    assert "|: selected on the test split" in told
    lines = to_markdown(table).splitlines()
    assert "| \\| |" in lines[5]
    wide = {line.replace("\\|", "").count("|") for line in lines[2:6]}
    assert wide == {len(laid_out(table).titles) + 1}
    value = table.to_json()
    assert [entry["name"] for entry in value["entries"]] == ["sl", "xtc|1"]
    assert value["entries"][1]["scores"]["semantic"]["iou"] == [31.0] * 13


def test_needs_no_torch() -> None:
    code = "import sys, mtmodels.scoring.compare; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("apart", [("--scale 0.25 of the recipe",), ("images 30 in place of 795",)])
def test_a_run_apart_from_its_recipe_stands_beside_no_published_row(apart: tuple[str, ...]) -> None:
    """Even where size, split and protocol are those of the row."""
    request = Request(published=True)
    beside, *_ = compare([run("a")], request)
    assert any(entry.published for entry in beside.entries)
    table, *others = compare([run("a", apart=apart), run("b")], request)
    assert [entry.name for entry in table.entries] == ["a", "b"]
    assert table.entries[0].note == f"apart from published rows: {apart[0]}"
    assert others
    for other in others:
        assert all(entry.published for entry in other.entries)
        assert f"{apart[0]} (a)" in other.remarks[0]
    row = published_row("xtasc-net/III/Base ST-Net")
    with pytest.raises(UsageError, match=r"a baseline|the baseline") as caught:
        compare([run("a", apart=apart)], Request(baseline=row))
    assert apart[0] in str(caught.value)
    anyway = only(compare([run("a", apart=apart)], Request(published=True, anyway=True)))
    notes = [entry.note for entry in anyway.entries if entry.published]
    assert notes
    assert all(apart[0] in note for note in notes)


def test_runs_that_are_apart_are_no_seeds_of_those_that_are_not() -> None:
    table = only(compare([run("a"), run("b", seed=1, apart=("--scale 0.5 of the recipe",))]))
    assert [entry.name for entry in table.entries] == ["a", "b"]


def test_runs_that_are_called_alike_are_told_apart_by_their_paths() -> None:
    one = run("sl-s0", 30.0, folder="/work/a/sl-s0")
    other = run("sl-s0", 33.0, folder="/work/b/sl-s0", method="ssl")
    (table,) = compare([other], Request(baseline=[one]))
    assert [entry.name for entry in table.entries] == ["a/sl-s0", "b/sl-s0"]
    delta = table.entries[1].delta
    assert delta is not None
    assert delta.mean == pytest.approx(100 * (33 - 30) / 30 / 2)
    (table,) = compare([one, other])
    assert [line.label for line in laid_out(table).lines] == ["sl", "ssl"]


def test_held_out_images_of_other_seeds_have_no_delta() -> None:
    """Each seed keeps images of its own away."""
    one, other = (
        run(f"a-s{seed}", seed=seed, split="holdout", role="val", images=80) for seed in (1, 2)
    )
    with pytest.raises(UsageError, match="held-out images of other seeds"):
        compare([one], Request(baseline=[other]))
    (table,) = compare([one], Request(baseline=[one | {"name": "b", "method": "ssl"}]))
    assert table.entries[-1].delta is not None


def test_what_differs_is_said_of_joined_runs_too() -> None:
    parts = [
        run("a", scores={"semantic": run("a")["scores"]["semantic"]}),
        run("b", scores={"depth": run("b")["scores"]["depth"]}, network="segnet", regime="one"),
    ]
    (table,) = compare([run("c")], Request(baseline=parts))
    facts = table.entries[0].facts
    assert (facts["network"], facts["regime"]) == ("unet-resnet18 + segnet", "full + one")
