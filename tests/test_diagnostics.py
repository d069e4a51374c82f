"""What `benchmarks.gradients` and `benchmarks.collapse` say of a run, and of which labels."""

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import collapse, gradients
from benchmarks.collapse import Retrieval, chance, retrieve
from benchmarks.gradients import OTHERS, SAME, SHARED, Comparison, batches, interval, measure
from mtdata import SOURCES
from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.errors import UsageError
from mtdata.reading.geometry import Crop
from mtmodels.methods.base import Method
from mtmodels.methods.mtpsl import MTPSL
from mtmodels.methods.ssl import SSL
from mtmodels.networks import NETWORKS
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.run import fit, prepare
from mtmodels.training.setup.data import open_data
from mtmodels.training.setup.loading import open_run
from tests.mtmodels.methods.looks import second_view
from tests.quick import few
from tests.runs.batches import SIX, random_batch
from tests.runs.small_run import small_layer

THREE = SIX[:3]
TASKS = ["semantic", "depth", "normals"]
METHODS: dict[str, dict[str, Any]] = {
    "mtpsl": {"mapping": "segnet", "mapping_width": 0.0625, "with_ssl": True},
    "ssl": {},
    "teacher": {"confidence": 0.0, "keep": 1.0},
    "geometry": {},
    "sl": {},
}
OWN = {
    "mtpsl": {f"consistency/{s}_with_{t}" for s in TASKS for t in TASKS if s != t}
    | {f"{task}/crops" for task in TASKS},
    "ssl": {f"{task}/crops" for task in TASKS},
    "teacher": {f"{task}/taught" for task in TASKS},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rooms") / "rooms.h5"
    source = SOURCES["rooms"](None, images=(12, 6))
    build(source, path, jobs=1, size=(32, 64), regimes=[RegimeSpec("one"), RegimeSpec("full")])
    return path


@pytest.fixture(scope="module")
def runs(rooms: Path) -> Any:
    """The folder of a run of a method, trained for two steps when it is first asked for."""

    def run(method: str, regime: str = "one") -> Path:
        out = rooms.parent / f"{method}-{regime}"
        if not out.exists():
            layer = small_layer(rooms) | {"tasks": TASKS, "epochs": 1, "batch": 6, "holdout": 0.0}
            layer |= {"method": {"name": method, "options": METHODS[method]}, "regime": regime}
            job = prepare([layer], out=out, mode="new")
            fit(job, mode="new", arguments=["test"], watcher=Watcher())
        return out

    return run


def started(module: Any, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
    module.main()


@pytest.mark.parametrize("method", few(["mtpsl", "ssl", "teacher", "geometry"], ["ssl"]))
def test_each_term_is_compared_with_what_is_hidden(runs: Any, method: str) -> None:
    regime, rows = measure(runs(method), count=3)
    assert regime == "one"
    terms = {row.term for row in rows} - {SAME, OTHERS}
    assert terms == OWN.get(method, terms)
    assert terms
    assert [row.part for row in rows[:1]] == [SHARED]
    for row in rows:
        assert -1 <= row.cosine <= 1
        assert row.share > 0
        assert 1 <= row.batches <= 3
        assert math.isnan(row.low) == (row.batches == 1)
    # A term of one task pulls at the head of no other.
    heads = {row.term: row.part for row in rows if row.term.endswith(("/crops", "/taught"))}
    own = [r for r in rows if r.term in heads and r.part != SHARED]
    assert all(row.part == f"head of {row.term.partition('/')[0]}" for row in own)


def test_batches_hold_the_same_images_and_all_their_labels_between_them(runs: Any) -> None:
    run = open_run(runs("ssl"))
    data = open_data(run.config)
    pairs = [next_ for next_, _ in zip(batches(data, run.config), range(5), strict=False)]
    for _, shown, hidden in pairs:
        assert torch.equal(shown.image, hidden.image)
        for task in TASKS:
            rows = [one.rows[task].tolist() if task in one.rows else [] for one in (shown, hidden)]
            assert sorted(rows[0] + rows[1]) == list(range(len(shown)))
    assert {epoch for epoch, *_ in pairs} >= {1, 2}


def test_a_term_that_is_the_loss_of_the_hidden_labels_agrees_fully(
    runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one against it disagrees as much."""
    kept: dict[str, Any] = {}

    def both(method: Any, views: Any, rng: torch.Generator) -> dict[str, torch.Tensor]:
        loss = gradients.label_loss(method, kept["hidden"])
        assert loss is not None
        return {"for": 3 * loss, "against": -loss}

    plain = gradients.Comparison.add

    def add(self: Any, shown: Any, hidden: Any, rng: torch.Generator) -> bool:
        kept["hidden"] = hidden
        return plain(self, shown, hidden, rng)

    monkeypatch.setattr(gradients, "own_terms", both)
    monkeypatch.setattr(gradients.Comparison, "add", add)
    _, rows = measure(runs("ssl"), count=2)
    found = {(row.part, row.term): row.cosine for row in rows}
    for part in (SHARED, *(f"head of {task}" for task in TASKS)):
        assert found[part, "for"] == pytest.approx(1)
        assert found[part, "against"] == pytest.approx(-1)


def test_a_weight_changes_the_share_and_no_cosine() -> None:
    torch.manual_seed(0)
    network = NETWORKS["unet-resnet18"](THREE, width=0.125)
    images = {"semantic": [0], "depth": [1], "normals": []}, {"semantic": [1], "depth": [0]}
    shown, hidden = (
        second_view(random_batch(THREE, 2, (64, 64), rows=rows), THREE, [[Crop(1.2, 0.3, 0.3)] * 2])
        for rows in images
    )

    def compare(method: Method) -> dict[tuple[str, str], tuple[float, float]]:
        comparison = Comparison(method)
        assert comparison.add(shown, hidden, torch.Generator().manual_seed(0))
        rows = comparison.rows()
        return {(r.part, r.term): (r.cosine, r.share) for r in rows if r.term != SAME}

    plain, double = (compare(SSL(network, ssl_weight=weight)) for weight in (1.0, 2.0))
    assert {term for _, term in plain} == {f"{task}/crops" for task in TASKS}
    # What a batch neither shows nor hides has no gradient to be compared with at its head.
    assert ("head of normals", "normals/crops") not in plain
    for at, (agreement, share) in plain.items():
        assert double[at] == pytest.approx((agreement, 2 * share), rel=1e-3, abs=1e-5)
    # No gradient has no direction.
    silent = MTPSL(network, mapping="segnet", mapping_width=0.0625, detach_predictions=True)
    assert not compare(silent)


def test_intervals_are_those_of_student() -> None:
    mean, low, high = interval([1.0, 2.0, 3.0, 4.0])
    # 3.182446 is the quantile of three degrees of freedom, in any table.
    half = 3.182446 * (5 / 3) ** 0.5 / 2
    assert (mean, low, high) == pytest.approx((2.5, 2.5 - half, 2.5 + half), rel=1e-6)
    assert all(map(math.isnan, interval([1.0])[1:]))


def test_gradients_say_what_they_read(
    runs: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot, out = tmp_path / "plot.png", tmp_path / "found.json"
    started(
        gradients, monkeypatch, runs("mtpsl"), "--batches", 2, "--plot", plot, "--out", out,
        "--checkpoint", "last",
    )  # fmt: skip
    told, kept = capsys.readouterr().out, json.loads(out.read_text())
    for text in (told, kept["note"]):
        assert "the regime `one` hides were read for this diagnosis" in text
    assert "consistency/depth_with_semantic" in told
    assert plot.stat().st_size > 5000
    assert {row["part"] for row in kept["rows"]} >= {SHARED, "head of depth"}


@pytest.mark.parametrize(
    ("method", "regime", "why"),
    [("ssl", "full", "found none hidden"), ("sl", "one", "should add terms")],
)
def test_a_run_with_nothing_to_compare_is_refused(
    runs: Any, method: str, regime: str, why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        measure(runs(method, regime), count=1)


def slowly(distances: list[list[float]]) -> tuple[float, float]:
    nearest, ranks = [], []
    for i, row in enumerate(distances):
        nearer = sum(value < row[i] for value in row)
        tied = sum(value == row[i] for value in row)
        nearest.append(1 / tied if not nearer else 0)
        ranks.append(sum(range(nearer + 1, nearer + tied + 1)) / tied)
    return sum(nearest) / len(nearest), sum(ranks) / len(ranks)


def test_retrieval_equals_a_loop() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        distances = rng.integers(0, 4, (6, 6)).astype(float)
        found = retrieve(torch.tensor(distances))
        assert (found.nearest, found.rank) == pytest.approx(slowly(distances.tolist()))
        off = distances[~np.eye(6, dtype=bool)].mean()
        assert (found.own, found.others) == pytest.approx((distances.diagonal().mean(), off))


def test_one_point_for_all_is_chance_and_a_map_that_tells_is_not() -> None:
    share, rank, spread = chance(8)
    collapsed = asdict(retrieve(torch.full((8, 8), 0.3)))
    assert collapsed == pytest.approx(asdict(Retrieval(share, rank, 0.3, 0.3)))
    told = retrieve(1 - torch.eye(8))
    assert (told.nearest, told.rank, told.own, told.others) == (1, 1, 0, 1)
    rng = torch.Generator().manual_seed(0)
    means = [retrieve(torch.rand(8, 8, generator=rng)).rank for _ in range(300)]
    assert np.mean(np.abs(np.array(means) - rank) < spread) == pytest.approx(0.95, abs=0.05)


def test_collapse_says_what_prediction_and_label_find(
    runs: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.json"
    started(collapse, monkeypatch, runs("mtpsl"), "--images", 5, "--out", out)
    told, kept = capsys.readouterr().out, json.loads(out.read_text())
    assert "5 test images. Chance: nearest 20.0 %, mean rank 3.0" in told
    assert len(kept["pairs"]) == 6
    for both in kept["pairs"].values():
        assert set(both) == {"prediction", "label"}
        assert all(1 <= one["rank"] <= 5 for one in both.values())


@pytest.mark.parametrize(
    ("method", "options", "why"),
    [("ssl", [], "should map into joint spaces"), ("mtpsl", ["--images", 1], "two images or more")],
)
def test_what_has_no_joint_space_is_refused(
    runs: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    method: str,
    options: list[Any],
    why: str,
) -> None:
    with pytest.raises(SystemExit):
        started(collapse, monkeypatch, runs(method), *options)
    assert why in capsys.readouterr().err
