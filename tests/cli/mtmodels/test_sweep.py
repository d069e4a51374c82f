"""`mtmodels sweep` as a user meets it."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cli.mtmodels import mtmodels
from cli.mtmodels.sweep import words_of
from cli.mttrain import mttrain
from cli.shared.common import run
from mtdata.errors import UsageError
from mtmodels.sweeping import read_plan
from tests.paths import ROOT
from tests.runs.small_run import small_store

Captured = pytest.CaptureFixture[str]


def write(folder: Path, **changes: Any) -> Path:
    plan: dict[str, Any] = {
        "out": "runs",
        "always": {
            "data": str(small_store(folder)),
            "network": "unet-resnet18",
            "width": 0.125,
            "tasks": ["semantic", "depth"],
            "steps": 1,
            "batch": 3,
            "workers": 0,
        },
        "grid": {"lr": [0.001, 0.01], "seed": [0]},
        "baseline": {"lr": 0.001},
    }
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(plan | changes))
    return path


def test_trains_what_is_missing_and_compares_it(tmp_path: Path, capsys: Captured) -> None:
    path = write(tmp_path)
    assert run(mtmodels, ["sweep", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {n: one["state"] for n, one in found["trainings"].items()} == {
        "0.001-s0": "done", "0.01-s0": "done",
    }  # fmt: skip
    ((first, *_),) = (one["tables"] for one in found["tables"])
    assert len(first["entries"]) == 2
    assert "lr 0.01" in (tmp_path / "runs/sweep.md").read_text()
    assert json.loads((tmp_path / "runs/sweep.json").read_text()) == found
    page = (tmp_path / "runs/sweep.html").read_text()
    assert page.count("<svg") == 2  # the deltas of both protocols
    assert "2 of 2 trainings are done" in page
    assert "lr 0.01</td>" in page
    assert not re.search(r"https?://|(src|href)=", page)
    summaries = [tmp_path / "runs" / name / "summary.json" for name in found["trainings"]]
    times = [summary.stat().st_mtime_ns for summary in summaries]
    assert run(mtmodels, ["sweep", str(path)]) == 0
    out = capsys.readouterr()
    assert "begun" not in out.err
    assert out.err.count("done") == 2
    assert times == [summary.stat().st_mtime_ns for summary in summaries]


def test_tables_are_of_all_that_is_done_and_say_what_is_missing(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path)
    assert run(mtmodels, ["sweep", str(path), "--only", "lr=0.001"]) == 0
    assert "Not in the tables: 0.01-s0 (left)." in (tmp_path / "runs/sweep.md").read_text()
    assert run(mtmodels, ["sweep", str(path), "--only", "lr=0.01", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [len(table["entries"]) for table in found["tables"][0]["tables"]] == [2, 2]
    shutil.rmtree(tmp_path / "runs/0.01-s0/scores")

    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mtmodels.sweeping.run_all", stopped)
    assert run(mtmodels, ["sweep", str(path), "--json"]) == 130
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert [len(table["entries"]) for table in found["tables"][0]["tables"]] == [1, 1]
    assert "2 of 2 trainings of the plan are done. Give the same command" in " ".join(
        told.err.split()
    )
    (note,) = found["notes"]
    assert note.startswith("0.01-s0 is in no table: ")
    for name in ("sweep.md", "sweep.html"):
        assert "0.01-s0 is in no table: " in (tmp_path / "runs" / name).read_text()


def test_a_plan_without_running_it(tmp_path: Path, capsys: Captured) -> None:
    path = write(tmp_path)
    assert run(mtmodels, ["sweep", str(path), "--dry-run", "--only", "lr=0.01"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    state, program, *words = shlex.split(line)
    assert (state, program) == ("new", "mttrain")
    given = mttrain.make_context("mttrain", words).params
    assert (given["lr"], given["tasks"]) == (0.01, ("semantic", "depth"))
    assert not (tmp_path / "runs").exists()


def test_values_of_one_axis_are_alternatives(tmp_path: Path, capsys: Captured) -> None:
    path = write(tmp_path, grid={"lr": [0.001, 0.01], "seed": [0, 1, 2]})
    words = ["--only", "seed=0", "--only", "seed=2", "--only", "lr=0.01"]
    assert run(mtmodels, ["sweep", str(path), "--dry-run", "--json", *words]) == 0
    found = json.loads(capsys.readouterr().out)["trainings"]
    assert [one["name"] for one in found] == ["0.01-s0", "0.01-s2"]


@pytest.mark.parametrize(
    ("changes", "arguments", "said"),
    [
        ({"always": {"widht": 1}}, [], "`widht` is no option of mttrain"),
        ({"always": {"out": "a"}}, [], "`out` is for the sweep to give"),
        ({"always": {"width": "wide"}}, [], "0.001-s0: Invalid value for '--width'"),
        ({"always": {"method": "xtcc"}}, [], "Did you mean `xtc`"),
        ({"always": {"set": {"lrr": 2}}}, [], "0.001-s0: "),
        ({"always": {"set": {"method.options.lamda": 1}}}, [], "lamda"),
        ({"always": {"method": "ssl", "set": {"method.options.distance": 3}}}, [], "`ssl`: `dist"),
        ({"always": {"set": {"optimizer.options.betas": "x"}}}, [], "optimizer `adam`: `betas`"),
        ({"always": {"batch": -4}}, [], "`batch`"),
        ({"always": {"with_ssl": True}}, [], "--with-ssl"),
        ({"always": {"width": [1]}}, [], "should have a value of --width"),
        ({"always": {"sync_norm": "no"}}, [], "`sync_norm` should be true or false; found no"),
        ({"always": {"compile": False}}, [], "found False. Write yes, no, on and off in quotes"),
        ({"grid": {"holdout": [False, 0.1]}, "baseline": {}}, [], "`holdout` should have a value"),
        ({}, ["--only", "lr=1"], r"(0.001, 0.01); found lr=1"),
        ({}, ["--only", "rate=1"], r"(lr, seed); found rate=1"),
        ({}, ["--only", "lr"], "should have both"),
        ({}, ["--slurm", "a=1", "--slurm", "a=2"], "found a twice"),
        ({}, ["--scheduler", "cloud"], "should be here, slurm"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, capsys: Captured, changes: Any, arguments: list[str], said: str
) -> None:
    assert run(mtmodels, ["sweep", str(write(tmp_path, **changes)), *arguments]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.glob("runs/*"))


def test_a_training_that_fails_is_told_with_what_it_said(tmp_path: Path, capsys: Captured) -> None:
    always = {"data": str(tmp_path / "fake.h5"), "size": "24x32"}
    path = write(tmp_path, always=always, grid={"seed": [0]}, baseline={})
    assert run(mtmodels, ["sweep", str(path)]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "1 of 1 trainings failed: s0." in said
    assert "24x32" in said
    assert "kept" not in said
    assert "Not in the tables: s0 (failed)." in (tmp_path / "runs/sweep.md").read_text()


@pytest.mark.parametrize("flags", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": "none.h5"}, "none.h5 should be a store; there is no such file"),
        ({"regime": "nowhere"}, "the training 0.001-s0: "),
        ({"tasks": ["semantic", "edge"]}, "the training 0.001-s0: "),
        ({"method": "kd", "teachers": {"depth": "none"}}, "none should be a run folder of mttrain"),
    ],
)
def test_what_is_not_there_is_refused_before_the_first_training(
    tmp_path: Path, capsys: Captured, changes: dict[str, Any], said: str, flags: list[str]
) -> None:
    path = write(tmp_path, always={"data": str(tmp_path / "fake.h5")} | changes)
    assert run(mtmodels, ["sweep", str(path), *flags]) != 0
    assert said in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.glob("runs/*"))


def test_a_teacher_may_be_a_run_of_the_sweep(tmp_path: Path, capsys: Captured) -> None:
    pupil = {"method": "kd", "teachers": {"depth": str(tmp_path / "runs/teacher-s0")}}
    path = write(
        tmp_path,
        grid={"how": {"teacher": {"tasks": ["depth"]}, "pupil": pupil}, "seed": [0]},
        baseline={},
    )
    assert run(mtmodels, ["sweep", str(path), "--dry-run"]) == 0
    assert capsys.readouterr().out.count("new") == 2


def test_options_become_words() -> None:
    options = {
        "freeze_norm": True, "with-ssl": False, "holdout": None, "log": ["csv", "tensorboard"],
        "tasks": ["a", "b"], "set": {"a.b": [1, 2], "c": True, "d": None}, "size": "32x64",
    }  # fmt: skip
    assert list(words_of(options)) == [
        "--freeze-norm", "--log", "csv", "--log", "tensorboard", "--tasks", "a,b",
        "--set", "a.b=[1, 2]", "--set", "c=true", "--set", "d=null", "--size", "32x64",
    ]  # fmt: skip
    with pytest.raises(click.UsageError, match="`help`"):
        list(words_of({"help": True}))
    for teachers, written in (({"a": "j", "b": "k"}, "a=j,b=k"), (["j", "k"], "j,k"), ("j", "j")):
        assert list(words_of({"teachers": teachers})) == ["--teachers", written]
    for option in ("batch", "tasks", "log"):
        with pytest.raises(click.UsageError, match=f"value of --{option}; found {{'x': 3}}"):
            list(words_of({option: {"x": 3}}))


def test_parameters_of_slurm_are_numbers_where_they_are(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def taken(where: str, **options: Any) -> None:
        given.update(options["parameters"], where=where)
        raise UsageError("seen")

    monkeypatch.setattr("mtmodels.sweeping.schedulers.scheduler_of", taken)
    words = ["--slurm", "timeout_min=600", "--slurm", "slurm_partition=gpu"]
    assert run(mtmodels, ["sweep", str(write(tmp_path)), "--scheduler", "slurm", *words]) == 2
    assert given == {"where": "slurm", "timeout_min": 600, "slurm_partition": "gpu"}


def test_the_plan_of_the_documentation() -> None:
    cells = read_plan(ROOT / "docs/examples/sweep.yaml").cells
    assert len(cells) == 24
    for cell in cells:
        mttrain.make_context("mttrain", list(words_of(cell.options)))
