"""The studies: what counts as done, what their tables say, what their measurements mean."""

import json
import shlex
import statistics
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from shutil import rmtree

import pytest

from benchmarks.studies import (
    labels,
    lacking,
    page,
    scores,
    steps,
    systems,
    xtasc,
)
from benchmarks.studies.cells import Cell, run_all
from cli.mttrain import mttrain
from mtdata import open_store
from mtdata.building.build import build
from mtdata.sources.locate import open_source
from mtmodels.methods import METHODS
from mtmodels.networks import NETWORKS
from mtmodels.training.record.runfolder import FORMAT, RunFolder
from mtmodels.weightings import WEIGHTINGS
from tests.stores.fakes import FakeSource

PLAN = labels.Plan(2, "32", Path("runs"))


@pytest.mark.parametrize("method", labels.METHODS)
@pytest.mark.parametrize("regime", labels.REGIMES)
def test_every_cell_on_labels_is_a_command(method: str, regime: str) -> None:
    cells = labels.trainings(method, regime, 3, plan=PLAN)
    teachers = labels.teachers(method, regime, 3, plan=PLAN)
    seen = []
    for cell in cells:
        words = cell.job(Path("store.h5"), Path("runs"), 1).command
        given = mttrain.make_context("mttrain", list(words)).params
        assert given["regime"] == ("full" if regime in ("full", "own") else f"{regime}-3")
        assert given["seed"] == 3
        unlabelled = regime == "eighth" and METHODS[given["method"]].uses_unlabelled
        assert given["labelled_share"] == (0.5 if unlabelled else None)
        runs = tuple(f"runs/{one.folder}" for one in teachers)
        assert given["teachers"] == (runs or None)
        assert (given["method"] == "self-training") == bool(teachers)
        seen += given["tasks"]
    assert tuple(seen) == labels.TASKS
    assert len(cells) == (3 if method == "single" else 1)


@pytest.mark.parametrize("method", xtasc.METHODS)
def test_every_cell_of_the_ablation_is_a_command(method: str) -> None:
    cells = xtasc.trainings(method, 3, "--steps 2")
    given = [
        mttrain.make_context("mttrain", [*cell.job(Path("a.h5"), Path("runs"), 1).command]).params
        for cell in cells
    ]
    assert [task for each in given for task in each["tasks"]] == [*xtasc.TASKS]
    assert {(each["seed"], each["protocol"], each["steps"]) for each in given} == {(3, "xtasc", 2)}
    assert (len(cells) == 2) == (method == scores.SINGLE)


def test_every_budget_is_a_training_of_its_own(tmp_path: Path) -> None:
    results = scores.Results(tmp_path / "a", precision="32", tasks=labels.TASKS, protocol="mtpsl")
    for regime, number in product(steps.REGIMES, (20, labels.STEPS)):
        cell = steps.cell(regime, number, 3, precision="32", runs=Path("runs"))
        words = [*cell.job(Path("a.h5"), Path("runs"), 1).command]
        given = mttrain.make_context("mttrain", words).params
        assert (given["steps"], given["seed"]) == (number, 3)
        assert given["regime"] == {"one": "one-3", "full": "full"}[regime]
        folder = RunFolder(tmp_path / cell.folder)
        folder.scores.mkdir(parents=True)
        better = 1 + (regime == "full") * 0.1
        found = {
            "semantic": {"miou": 20.0 * better},
            "depth": {"abs_err": 0.5 / better},
            "normals": {"mean": 40.0 / better},
        }
        (folder.scores / "test-mtpsl.json").write_text(json.dumps({"scores": found}))
        results.add(folder.path)
    rows = steps.rows_of(results, [20, labels.STEPS])
    assert [row.names for row in rows] == [
        (regime, number) for regime in ("one", "full") for number in ("20", "1980")
    ]
    assert rows[0].deltas == {"3": 0}
    assert rows[2].deltas["3"] == pytest.approx(100 * (0.1 + 2 * 0.1 / 1.1) / 3)
    steps.draw(rows, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_a_network_for_each_task_is_one_cell_and_the_baseline(tmp_path: Path) -> None:
    out = tmp_path / "a"

    def opened() -> scores.Results:
        tasks = ("semantic", "depth")
        return scores.Results(out, steps=2, precision="32", tasks=tasks, protocol="xtasc")

    found = {
        "semantic": {"miou": 20.0, "pixel_accuracy": 50.0},
        "depth": {"abs_err": 0.5, "rel_err": 0.2},
    }
    better = {"semantic": found["semantic"], "depth": {"abs_err": 0.4, "rel_err": 0.2}}
    runs = {
        "single-semantic-s3": {"semantic": found["semantic"]},
        "single-depth-s3": {"depth": found["depth"]},
        "xtc-0.01-s3": better,
        "xtc-0.01-s4": better,
    }
    results = opened()
    for whole, (name, values) in enumerate(runs.items()):
        assert results.has("single", 3) == (whole >= 2)
        folder = RunFolder(tmp_path / name)
        folder.scores.mkdir(parents=True)
        (folder.scores / "test-xtasc.json").write_text(json.dumps({"scores": values}))
        results.add(folder.path)
        results = opened()  # it was written
    assert results.has("single", 3)
    row = results.row(("xtc",), "xtc-0.01", "single")
    assert row is not None
    assert row.deltas == {"3": pytest.approx(5.0)}  # seed 4 has no baseline
    assert results.row(("sl",), "sl", "single") is None
    table = scores.markdown([row], ("cell",), xtasc.COLUMNS)
    assert table.splitlines()[-1] == "| xtc | 1 | 20.00 | 50.00 | 0.4000 | 0.2000 | +5.0 |"


def test_a_copy_lacks_labels_of_training_frames_alone(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source("nyu", shared / "data" / "nyuv2")
    full = source.splits()
    copies = []
    for name in ("a", "b"):
        words = f"lacking --source {shared / 'data' / 'nyuv2'} --out {tmp_path / name} --share 0.6"
        monkeypatch.setattr("sys.argv", words.split())
        lacking.main()
        copies.append(tmp_path / name)
    names = [sorted(p.relative_to(c).as_posix() for p in c.glob("*/*")) for c in copies]
    assert names[0] == names[1]  # the draw is that of the seed
    for folder in ("rgb", "depth", "semantic13"):
        kept = {path.stem for path in (copies[0] / folder).iterdir()}
        shown = {split: len(kept & {*keys}) for split, keys in full.items()}
        assert shown == {"train": 795 if folder == "rgb" else 318, "test": 654}


@pytest.mark.parametrize("method", labels.TEACHERS)
def test_what_teaches_a_cell_saw_its_labels(method: str) -> None:
    cells = labels.teachers(method, "one", 3, plan=PLAN)
    assert len({one.seed for one in cells}) == len(cells) == labels.TEACHERS[method]
    assert len({one.options for one in cells}) == 1


def test_the_interval_of_seeds_is_that_of_student() -> None:
    assert scores.interval([4.0]) == (4.0, None)
    values = [1.0, 2.0, 4.5]
    mean, half = scores.interval(values)
    assert mean == 2.5
    # 4.303: of tables, for two degrees of freedom.
    assert half == pytest.approx(4.303 * statistics.stdev(values) / 3**0.5, rel=1e-3)


@pytest.mark.slow
def test_a_study_on_labels_is_trained_compared_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, tasks = tmp_path / "a.h5", ("semantic", "depth", "normals")
    build(FakeSource(images=(18, 3), missing=0), store, size=(32, 64), tasks=tasks, regimes=())
    small = "--width 0.0625 --batch 4 --network unet-resnet18"
    monkeypatch.setattr(labels, "SHARED", small)
    picture, out = tmp_path / "a.png", tmp_path / "a.json"
    words = (
        f"study --data {store} --runs {tmp_path / 'runs'} --out {out} --plot {picture} --steps 2"
    )
    monkeypatch.setattr("sys.argv", [*words.split(), "--seeds", "0", "--methods", "sl", "geometry"])
    taught = {
        "self-training": ["sl-one-s0", "sl-more-one-s1000", "sl-more-one-s2000"],
        "self-training-single": [f"single-{task}-one-s0" for task in tasks],
    }
    monkeypatch.setattr("sys.argv", [*sys.argv, *taught, "single"])
    labels.main()
    rows = labels.rows_of(labels.results_of(out, PLAN), ["one"])
    assert {row.names for row in rows} == {
        ("one", name) for name in ("sl", "single", "geometry", *taught)
    }
    for name, teachers in taught.items():
        found = json.loads((tmp_path / "runs" / f"{name}-one-s0" / "manifest.json").read_text())
        assert [Path(one["folder"]).name for one in found["runs"].values()] == teachers
    assert rows[0].deltas == {"0": 0}
    assert picture.stat().st_size > 1000
    table = capsys.readouterr().out.splitlines()[-6:]
    assert table[-1].startswith("| one | geometry | 1 |")
    with open_store(store) as opened:
        assert "one-0" in opened.split("train").regimes

    rmtree(tmp_path / "runs")  # elsewhere, with the results alone
    labels.main()
    *_, told = again = capsys.readouterr().out.splitlines()
    assert again[-7:-1] == table
    assert told.startswith("Nothing to train of one, seed 0")
    assert not list((tmp_path / "runs").glob("*/manifest.json"))
    for other in (replace(PLAN, steps=3), replace(PLAN, precision="bf16")):
        with pytest.raises(SystemExit, match="found 2 in 32"):
            labels.results_of(out, other)


def test_every_network_and_weighting_has_a_cell_that_says_its_width() -> None:
    networks, weightings = systems.network_names(), systems.weighting_names()
    assert sorted(networks) == sorted(NETWORKS)
    assert {*weightings, "equal", "fixed"} == set(WEIGHTINGS)
    assert networks[:3] == ["unet-resnet18", "segnet", "segnet-stan"]
    cells = [systems.network_cell(name, 0) for name in networks]
    cells += [systems.weighting_cell(name, 0) for name in weightings]
    for name, cell in zip((*networks, *weightings), cells, strict=True):
        words = shlex.split(cell.options)
        assert name in (words[words.index("--network") + 1], words[words.index("--weighting") + 1])
        assert name not in networks or cell.name == f"{name}-width-{_width(words)}-full"
    assert len({cell.folder for cell in cells}) == len(cells)


def _width(words: list[str]) -> str:
    return words[words.index("--width") + 1]


def test_no_cell_is_begun_after_the_limit_and_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    cells = [Cell("broken", "--no-such-option", 0), Cell("done", "", 0)]
    job = cells[1].job(tmp_path, tmp_path, 1)
    folder = RunFolder(Path(job.folder))
    folder.path.mkdir()
    folder.manifest.write_text(json.dumps({"format": FORMAT, "arguments": job.command}))
    folder.summary.touch()
    done: list[list[str]] = []

    def note(folders: list[Path]) -> None:
        done.append([folder.name for folder in folders])

    run_all(cells, data=tmp_path, runs=tmp_path, jobs=1, done=note, limit=-1)
    assert not (tmp_path / "broken-s0.log").exists()
    with pytest.raises(SystemExit, match=r"broken-s0\.log"):
        run_all(cells, data=tmp_path, runs=tmp_path, jobs=1, done=note)
    assert done == [["done-s0"], ["done-s0"]]


@pytest.mark.parametrize("path", page.PAGES, ids=lambda path: path.stem)
def test_tables_on_pages_are_those_of_the_results(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert page.TABLE.search(text)
    assert text == page.written(text), "write them again: python -m benchmarks.studies.page"


def test_deltas_of_few_seeds_are_told_one_by_one() -> None:
    assert scores.told([0.0, 0.0, 0.0]) == "0"
    assert scores.told([4.71, -3.14]) == "+4.7, -3.1"
    assert scores.told([1.0, 2.0, 3.0]) == "+2.0 (-0.5 to 4.5)"  # 4.303 / sqrt(3)
