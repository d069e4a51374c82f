"""Intervals and tests: against loops, and by how often they hold what is true."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.plugins import load_plugin
from mtmodels.scoring.compare import Request, compare
from mtmodels.scoring.delta import Baseline, delta_mtpsl
from mtmodels.scoring.formats import csv_text
from mtmodels.scoring.intervals import Resampler, interval, p_of_images, p_of_seeds
from mtmodels.scoring.layout import layouts
from mtmodels.scoring.run_scores import RunScores
from mtmodels.scoring.samples import Samples
from mtmodels.scoring.score_table import ScoreTable
from tests.runs.plugin_files import REST, write

N, CLASSES = 12, 3
Array = NDArray[Any]


def parts(seed: int, *, better: float = 0.0) -> dict[str, dict[str, Array]]:
    """What twelve images add: confusion counts, and sums of depth."""
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 9, (N, CLASSES, CLASSES))
    matrix[:, range(CLASSES), range(CLASSES)] += rng.integers(5, 40, (N, 1))
    error = rng.uniform(0.5, 1.5, N) * (1 - better)
    sums = np.stack([error * 9, error * 3, error**2 * 9, np.full(N, 9.0)], axis=-1)
    return {"semantic": {"matrix": matrix}, "depth": {"sums": sums}}


def scores(states: dict[str, dict[str, Array]], rows: list[int] | None = None) -> dict[str, Any]:
    """The scores of some of the images, by loops."""
    rows = list(range(N)) if rows is None else rows
    matrix = sum(states["semantic"]["matrix"][row].astype(int) for row in rows)
    total = sum(states["depth"]["sums"][row] for row in rows)
    iou = []
    for c in range(CLASSES):
        both = matrix[c, c]
        union = sum(matrix[c, k] + matrix[k, c] for k in range(CLASSES)) - both
        iou.append(100 * both / union if union else math.nan)
    right = 100 * sum(matrix[c, c] for c in range(CLASSES)) / matrix.sum()
    depth = {"abs_err": total[0] / total[3], "rel_err": total[1] / total[3]}
    return {
        "semantic": {"miou": float(np.nanmean(iou)), "pixel_accuracy": float(right), "iou": iou},
        "depth": {**depth, "rmse": math.sqrt(total[2] / total[3])},
    }


def run(folder: Path, name: str, states: dict[str, Any], **changes: Any) -> dict[str, Any]:
    keys = tuple(f"image-{i:02d}" for i in range(N))
    kinds = {"semantic": "classes", "depth": "depth"}
    wanted = changes.pop("tasks", tuple(states))
    states = {task: states[task] for task in wanted}
    path = folder / f"{name}.npz"
    path.write_bytes(Samples("mtpsl", keys, {t: kinds[t] for t in wanted}, states).to_bytes())
    whole = {"semantic": parts(0)["semantic"], "depth": parts(0)["depth"], **states}
    return {
        "name": name, "method": "sl", "network": "unet", "weighting": "equal", "regime": "one",
        "protocol": "mtpsl", "dataset": "rooms", "images": N, "size": [4, 4], "seed": 0,
        "units": {}, "origin": {}, "samples": [str(path)],
        "scores": {task: scores(whole)[task] for task in wanted}, "tasks": list(wanted),
        "labels": "l" * 64,
    } | changes  # fmt: skip


def one(tables: list[ScoreTable]) -> ScoreTable:
    assert len(tables) == 1
    return tables[0]


def test_draws_are_the_scores_of_images_drawn_again(tmp_path: Path) -> None:
    states = parts(1)
    resampler = Resampler(20, seed=3)
    drawn = resampler.draws(RunScores.from_json(run(tmp_path, "a", states)))
    assert drawn is not None
    weights = np.random.default_rng(3).multinomial(N, np.full(N, 1 / N), 20)
    for at, many in enumerate(weights):
        rows = [i for i, times in enumerate(many) for _ in range(times)]
        for task, expected in scores(states, rows).items():
            for name, value in expected.items():
                assert drawn[task][name][at] == pytest.approx(value, rel=1e-9, nan_ok=True)


def test_the_interval_of_one_seed_is_made_of_percentiles(tmp_path: Path) -> None:
    table = one(compare([run(tmp_path, "a", parts(1))]))
    drawn = Resampler().draws(RunScores.from_json(run(tmp_path, "a", parts(1))))
    assert drawn is not None
    found = table.entries[0].intervals["semantic"]["miou"]
    values = sorted(drawn["semantic"]["miou"])
    assert (found.low, found.high) == pytest.approx((values[49], values[1950]), abs=0.05)
    assert found.low < table.entries[0].scores["semantic"]["miou"] < found.high
    assert len(table.entries[0].intervals["semantic"]["iou"]) == CLASSES


def test_runs_on_the_same_images_are_drawn_alike(tmp_path: Path) -> None:
    """A run that is better on every image by the same share has no doubt about its delta."""
    base, better = parts(1), parts(1, better=0.1)
    table = one(compare([run(tmp_path, "b", better, method="xtc")],
                        Request([run(tmp_path, "a", base)])))  # fmt: skip
    delta = table.entries[1].deltas["mtpsl"]
    assert (delta.low, delta.value, delta.high) == pytest.approx((5.0, 5.0, 5.0))
    assert (
        table.entries[1].intervals["depth"]["abs_err"].high
        > 1.02 * (table.entries[1].scores["depth"]["abs_err"])
    )


def test_seeds_and_images_both_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    points, draws = [1.0, 2.0, 4.0], rng.normal(0, 0.3, (3, 500)) + np.array([[1], [2], [4]])
    seeds = interval(points, None)
    reach = 4.302653 * np.std(points, ddof=1) / math.sqrt(3)
    assert (seeds.low, seeds.high) == pytest.approx((7 / 3 - reach, 7 / 3 + reach), rel=1e-6)
    both = interval(points, draws)
    assert both.high is not None
    assert seeds.high is not None
    assert both.high > both.value
    alike = interval([2.0, 2.0, 2.0], draws)
    # Seeds that agree leave the images: the normal interval of their mean.
    spread = 1.959964 * draws.mean(0).std(ddof=1)
    assert alike.high == pytest.approx(2 + spread, rel=1e-4)
    assert interval([2.0, 2.0], None).low == 2.0
    assert interval([2.0], None).low is None
    assert math.isnan(interval([2.0, math.nan], None).value)
    assert math.isnan(interval([math.inf, -math.inf], None).value)
    assert interval([2.0, 3.0], None, other=[1.0, math.inf]).low is None


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize(("of_seed", "of_image"), [(1.0, 0.0), (0.3, 1.0), (0.0, 1.0)])
def test_intervals_hold_the_truth_as_often_as_they_say(
    seeds: int, of_seed: float, of_image: float
) -> None:
    """Seeds crossed with images, where the truth is 0; drawing seeds again would hold it rarely."""
    rng = np.random.default_rng(0)
    held, images, trials = 0, 40, 400
    weights = rng.multinomial(images, np.full(images, 1 / images), 200) / images
    for _ in range(trials):
        shared = of_image * math.sqrt(images) * rng.normal(size=images)
        table = of_seed * rng.normal(size=(seeds, 1)) + shared + rng.normal(size=(seeds, images))
        found = interval(table.mean(1), table @ weights.T)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0 <= found.high
    assert held / trials > 0.925


def test_p_of_images_is_that_of_all_exchanges(tmp_path: Path) -> None:
    """On few images every exchange can be looked at."""
    a, b = parts(1), parts(2, better=0.3)
    for states in (a, b):
        for of_task in states.values():
            for name in of_task:
                of_task[name][7:] = 0  # leaves seven images with anything in them
    runs = [run(tmp_path, "a", a), run(tmp_path, "b", b, method="xtc")]
    table = one(compare(runs, Request(paired=True, resamples=4000)))
    assert table.entries[0].paired is None
    pairs = table.entries[1].paired
    assert pairs is not None
    assert pairs.against == "a"
    found = pairs.scores["depth"]["abs_err"]
    expected = scores(b)["depth"]["abs_err"] - scores(a)["depth"]["abs_err"]
    assert found.value == pytest.approx(expected)
    reached = 0
    for swap in itertools.product([False, True], repeat=7):
        x, y = parts(0), parts(0)
        for i in range(N):
            this, that = (b, a) if i < 7 and swap[i] else (a, b)
            x["depth"]["sums"][i], y["depth"]["sums"][i] = (
                this["depth"]["sums"][i], that["depth"]["sums"][i])  # fmt: skip
        difference = scores(y)["depth"]["abs_err"] - scores(x)["depth"]["abs_err"]
        reached += abs(difference) >= abs(expected) * (1 - 1e-9)
    assert found.p == pytest.approx(reached / 2**7, abs=0.03)


def test_p_values() -> None:
    null = np.array([0.5, -2.0, 1.0, 0.0])
    assert p_of_images(1.0, null) == pytest.approx((1 + 2) / 5)
    assert p_of_seeds([1.0], None) is None
    assert p_of_seeds([1.0, math.nan], None) is None
    assert p_of_images(math.nan, null) is None
    # Student's t of a textbook: mean 2, standard deviation 1, three values, t = 3.4641.
    assert p_of_seeds([1.0, 2.0, 3.0], None) == pytest.approx(0.07418, abs=1e-5)


def test_equal_scores_are_no_finding() -> None:
    """Of seeds as of images; and of what does not vary at all nothing can be said."""
    assert p_of_images(0.0, np.zeros(9)) == 1
    for points in ([0.0, 0.0], [0.0, 0.0, 0.0], [1e-16, -3e-17], [-0.1, 0.1]):
        assert p_of_seeds(points, None) == 1
    assert p_of_seeds([0.0, 0.0], np.zeros((2, 9))) == 1
    for points in ([0.2, 0.2], [0.5 - 0.3, 0.6 - 0.4], [-1.0, -1.0, -1.0]):
        assert p_of_seeds(points, None) is None
        assert p_of_seeds(points, np.array([points] * 9).T) is None
    # The same difference of all seeds is doubtful where images drawn again say others.
    drawn = np.random.default_rng(0).normal(0.2, 0.1, (2, 500))
    assert 0 < (p_of_seeds([0.2, 0.2], drawn) or 0) < 0.05


def seeds(folder: Path, name: str, better: float, **changes: Any) -> list[dict[str, Any]]:
    return [
        run(folder, f"{name}-s{seed}", parts(seed, better=better), seed=seed, **changes)
        for seed in range(3)
    ]


def test_runs_without_a_partner_are_told(tmp_path: Path) -> None:
    base = [run(tmp_path, f"base-{seed}", parts(seed), seed=seed) for seed in (0, 1)]
    ours = [run(tmp_path, f"ours-{at}", parts(at), seed=at, method="xtc") for at in (0, 2)]
    anew = run(tmp_path, "anew", parts(1), seed=1, method="kd", labels="m" * 64)
    table = one(compare([*base, *ours, anew], Request(base, paired=True)))
    told = [remark for remark in table.remarks if remark.startswith("Not tested")]
    assert told == [
        "Not tested, as the other side has no run of that seed, but of 0, 1: ours-2 (seed 2).",
        "Not tested, as they saw other labels under a regime of the same name: anew.",
    ]
    whole = one(compare([*base, ours[0]], Request(base, paired=True)))
    assert not any(remark.startswith("Not tested") for remark in whole.remarks)


def test_seeds_are_paired_with_their_own(tmp_path: Path) -> None:
    base, ours = seeds(tmp_path, "sl", 0.0), seeds(tmp_path, "xtc", 0.1, method="xtc")
    table = one(compare([*base, *ours], Request(base, paired=True)))
    assert [entry.name for entry in table.entries] == ["sl-s*", "xtc-s*"]
    assert table.entries[0].paired is None
    found = table.entries[1].paired
    assert found is not None
    assert found.seeds == (0, 1, 2)
    each = [
        delta_mtpsl(a["scores"], Baseline("", b["scores"])).value
        for a, b in zip(ours, base, strict=True)
    ]
    assert each == pytest.approx([5, 5, 5])
    delta = found.deltas["mtpsl"]
    assert (delta.value, delta.low, delta.high) == pytest.approx((5, 5, 5))
    # The same seeds not paired: their spread adds doubt.
    apart = table.entries[1].deltas["mtpsl"]
    assert apart.low is not None
    assert apart.low < 4 < 6 < (apart.high or 0)
    value = table.to_json()["entries"][1]["paired"]
    assert value["scores"]["depth"]["abs_err"]["value"] < 0
    assert value["seeds"] == [0, 1, 2]


def binary(folder: Path, name: str, seed: int, share: float, **changes: Any) -> dict[str, Any]:
    """A run that found nothing where `share` is 0: ordinary for a task of small objects."""
    return run(folder, name, {}, tasks=(), seed=seed, **changes) | {
        "samples": [],
        "scores": {
            "depth": {"abs_err": 1.0 + share, "rel_err": 0.3},
            "saliency": {"iou_at_0.5": share, "f_at_0.5": 2 * share},
        },
    }


@pytest.mark.parametrize("order", [(2, 3, 4), (3, 2, 4), (4, 3, 2)])
def test_a_seed_that_nothing_is_relative_to_is_told(order: tuple[int, ...], tmp_path: Path) -> None:
    shares = {2: 0.0, 3: 20.0, 4: 10.0}
    base = [binary(tmp_path, f"a-s{s}", s, shares[s]) for s in order]
    ours = [binary(tmp_path, f"b-s{s}", s, shares[s] + s, method="xtc") for s in order]
    for request in (Request(base), Request(base, paired=True), Request(paired=True)):
        table = one(compare([*base, *ours], request))
        pairs = table.entries[1].paired
        assert pairs is not None
        assert pairs.deltas == {}
        assert pairs.scores["saliency"]["iou_at_0.5"].value == pytest.approx(3)
        (told,) = [note for note in table.unsure if "relative" in note]
        assert "a-s2 (seed 2): `iou_at_0.5` of `saliency`, `f_at_0.5` of `saliency`." in told
        assert "nan" not in str(layouts(table))
        if request.baseline:  # that to their mean is a number, and how it varies is not known
            delta = table.entries[1].deltas["mtpsl"]
            assert delta.value == pytest.approx(50 * (3 / 10 - 3 / 11))
            assert delta.low is None
    # Without that seed all is there.
    table = one(compare([r for r in (*base, *ours) if r["seed"] != 2], Request(paired=True)))
    pairs = table.entries[1].paired
    assert pairs is not None
    assert pairs.deltas.keys() == {"mtpsl", "xtasc"}
    assert not any("relative" in note for note in table.unsure)


@pytest.mark.parametrize("lacking", [0, 1])
def test_a_score_that_one_pair_lacks_has_no_difference(lacking: int, tmp_path: Path) -> None:
    base = [binary(tmp_path, f"a-s{s}", s, 10.0) for s in range(2)]
    ours = [binary(tmp_path, f"b-s{s}", s, 12.0 + s, method="xtc") for s in range(2)]
    del base[lacking]["scores"]["depth"]["rel_err"]
    ours[lacking]["scores"]["depth"]["abs_err"] = math.nan
    table = one(compare([*base, *ours], Request(paired=True)))
    pairs = table.entries[1].paired
    assert pairs is not None
    assert pairs.scores["depth"].keys() == {"abs_err"}
    assert math.isnan(pairs.scores["depth"]["abs_err"].value)
    assert pairs.deltas == {}
    (cells,) = [line.cells for line in layouts(table)[1].lines if "Abs. Err." in line.label]
    assert cells == ("-", "-", "-")


def test_labels_that_were_drawn_anew_are_no_pair(tmp_path: Path) -> None:
    a = run(tmp_path, "a", parts(1))
    b = run(tmp_path, "b", parts(2), method="xtc", labels="m" * 64)
    with pytest.raises(UsageError, match="the same labels"):
        compare([a, b], Request(paired=True))
    with pytest.raises(UsageError, match="same seed"):
        compare([a, b | {"labels": a["labels"], "seed": 1}], Request(paired=True))
    other = b | {"regime": "full"}  # another regime shows others by its nature
    assert one(compare([a, other], Request(paired=True))).entries[1].paired is not None
    with pytest.raises(UsageError, match="--paired should be given two runs"):
        compare([a], Request(paired=True))


def test_what_cannot_be_tested_is_refused_or_told(tmp_path: Path) -> None:
    runs = [run(tmp_path, "a", parts(1)), run(tmp_path, "b", parts(2), method="xtc")]
    with pytest.raises(UsageError, match="found --resamples 0"):
        compare(runs, Request(paired=True, resamples=0))
    assert not any("tested" in told for told in one(compare(runs, Request(paired=True))).remarks)
    runs[0]["samples"] = []
    table = one(compare(runs, Request(paired=True)))
    (told,) = table.remarks
    assert told.startswith("Not tested, as one pair of runs is tested by what each image adds")
    assert told.endswith(": b.")
    assert told in layouts(table)[0].notes


def test_lines_without_a_delta_of_pairs_are_not_called_paired(tmp_path: Path) -> None:
    base, ours = seeds(tmp_path, "sl", 0.0), seeds(tmp_path, "xtc", 0.1, method="xtc")
    ours[0]["scores"]["depth"]["abs_err"] += 0.05
    lacking = seeds(tmp_path, "ssl", 0.2, method="ssl")
    for each in lacking:
        del each["scores"]["depth"]["abs_err"]
    table = one(compare([*base, *ours[:2], *lacking], Request(base)))
    (told,) = [note for note in layouts(table)[0].notes if note.startswith("Paired")]
    assert told.endswith("(xtc: 0, 1).")


def test_networks_of_one_task_are_one_line_and_one_baseline(tmp_path: Path) -> None:
    single = [
        run(tmp_path, f"{task}-s{seed}", parts(seed), tasks=(task,), seed=seed, labels=task * 20)
        for task in ("semantic", "depth")
        for seed in range(2)
    ]
    ours = seeds(tmp_path, "xtc", 0.1, method="xtc")
    apart = one(compare([*ours, *single]))
    assert len(apart.entries) == 3
    table = one(compare([*ours, *single], Request(single, join=True, paired=True)))
    assert [entry.seeds for entry in table.entries] == [(0, 1, 2), (0, 1)]
    joined = table.entries[-1]
    assert joined.name == "semantic-s* + depth-s*"
    assert joined.scores.keys() == {"semantic", "depth"}
    assert joined.intervals.keys() == {"semantic", "depth"}
    assert joined.delta is not None
    assert joined.delta.mean == pytest.approx(0, abs=1e-9)
    found = table.entries[0].paired
    assert found is not None
    assert found.seeds == (0, 1)
    assert found.deltas["mtpsl"].value == pytest.approx(5)
    with pytest.raises(UsageError, match="one task each that agree"):
        compare(ours, Request(join=True))
    with pytest.raises(UsageError, match="two of semantic"):
        compare([single[0], single[0] | {"name": "again"}], Request(join=True))


def test_what_lacks_draws_says_so(tmp_path: Path) -> None:
    old = run(tmp_path, "old", parts(1)) | {"samples": []}
    table = one(compare([old, run(tmp_path, "new", parts(2), method="xtc")]))
    assert table.entries[0].intervals == {}
    assert table.entries[1].intervals
    (told,) = table.unsure
    assert "Intervals of old know of seeds alone" in told
    assert "`mtmodels eval` keeps it" in told
    stale = run(tmp_path, "stale", parts(1))
    stale["scores"]["depth"]["abs_err"] += 0.1
    (told,) = one(compare([stale])).unsure
    assert "`abs_err` of `depth` is not what the images that were kept add up to" in told
    stale = run(tmp_path, "stale", parts(1))
    stale["scores"]["semantic"]["iou"] = stale["scores"]["semantic"]["iou"][:-1]
    (told,) = one(compare([stale])).unsure
    assert "`iou` of `semantic` is not what the images that were kept add up to" in told
    (tmp_path / "old.npz").write_bytes(b"hello")
    (told,) = one(compare([old | {"samples": [str(tmp_path / "old.npz")]}])).unsure
    assert "should hold what each image adds" in told
    assert one(compare([old], Request(resamples=0))).unsure == ()


def test_a_metric_of_a_plug_in_that_has_changed_is_told(tmp_path: Path) -> None:
    load_plugin(write(tmp_path, REST))
    own = run(tmp_path, "own", parts(1), protocol="mine")
    states = parts(1) | {"depth": {"other": parts(1)["depth"]["sums"]}}
    samples = Samples.read(tmp_path / "own.npz")
    kept = Samples("mine", samples.keys, samples.kinds, states)
    (tmp_path / "own.npz").write_bytes(kept.to_bytes())
    (told,) = one(compare([own])).unsure
    assert "the metric of `depth` in the plug-in" in told
    assert "(KeyError: 'sums'); score the run again with `mtmodels eval`" in told


def test_what_one_image_shows_has_no_interval(tmp_path: Path) -> None:
    one_of_depth, one_class = parts(1), parts(2)
    one_of_depth["depth"]["sums"][1:] = 0
    one_class["semantic"]["matrix"][1:, 2] = 0
    one_class["semantic"]["matrix"][1:, :, 2] = 0
    labelled = {"semantic": N, "depth": 1}
    runs = [
        run(tmp_path, name, states, scores=scores(states), labelled=labelled)
        for name, states in (("few", one_of_depth), ("other", one_class))
    ]
    runs[1]["method"] = "xtc"
    table = one(compare(runs, Request(baseline=runs[1:], paired=True)))
    few, other = table.entries
    assert "depth" not in few.intervals
    assert few.intervals["semantic"]["miou"].low is not None
    assert few.deltas["mtpsl"].low is None
    assert few.paired is not None
    assert few.paired.scores["depth"]["abs_err"].low is None
    assert few.paired.deltas["mtpsl"].low is None
    bounds = [each.low is None for each in other.intervals["semantic"]["iou"]]
    assert bounds == [False, False, True]
    rests, alone = table.unsure
    assert "Images that show a task, where they are fewer: depth 1." in rests
    assert "Intervals of depth, and of deltas that count it" in alone
    assert "in few: fewer than two show it" in alone
    assert rests in csv_text([table])
    assert all(told in layouts(table)[0].notes for told in table.unsure)
