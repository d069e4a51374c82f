"""Loggers beside `metrics.jsonl`: what they hear, after kills too, and that they change nothing."""

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.mttrain import mttrain
from cli.shared.common import run as run_command
from mtdata.errors import DataError, UsageError
from mtmodels.errors import InterruptedRun
from mtmodels.training.loop.result import StepResult
from mtmodels.training.loop.watcher import Standing, Watcher
from mtmodels.training.record import logs
from mtmodels.training.record.logs import metrics
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.run import prepare, train
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.runs.loggers import CALLS, HEARD
from tests.runs.small_run import as_arguments

Captured = pytest.CaptureFixture[str]
KEEPING = "tests.runs.loggers:Keeping"
ALL = ["csv", "tensorboard", KEEPING]


class Stops(Watcher):
    """Ends a run after a step, as a kill does: what was written since the checkpoint is lost."""

    def __init__(self, step: int) -> None:
        self.at, self.said = step, list[str]()

    def say(self, text: str) -> None:
        self.said.append(text)

    def step(self, progress: Standing, result: StepResult) -> None:
        if progress.step == self.at:
            raise InterruptedRun(Path(), self.at)


@pytest.fixture(scope="module", autouse=True)
def pictures_of_the_second_epoch() -> Iterator[None]:
    """Pictures take half a second each: those of one epoch of three are enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "TIMES", 2)
        yield


@pytest.fixture(scope="module")
def logged(layer: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped within its last epoch and went on to its end, with all logs."""
    out = tmp_path_factory.mktemp("logged") / "stopped"
    given = [layer, {"log": ALL}]
    with pytest.raises(InterruptedRun):
        train(prepare(given, out=out, mode="new"), mode="new", watcher=Stops(7))
    # What a run began with goes on; it need not be named again.
    train(prepare([layer], out=out, mode="resume"), mode="resume")
    return out


def expected(run: Path) -> list[tuple[int, dict[str, float]]]:
    """What a log should hold: the rows of metrics.jsonl, and the scores of the end."""
    rows = read_rows(run / "metrics.jsonl")
    found = [(row["step"], metrics(row["kind"], row)) for row in rows]
    files = sorted((run / "scores").glob("*.json"))
    scored = [json.loads(file.read_text()) for file in files]
    scores: dict[str, Any] = {}
    for one in scored:
        scores.setdefault(one["split"], {})[one["protocol"]] = one["scores"]
    return [*found, (rows[-1]["step"], metrics("end", {"step": 0, **scores}))]


def assert_alike(heard: list[tuple[int, dict[str, float]]], run: Path, *, rel: float) -> None:
    """The same steps and names in the same order, and the same values but for what clocks say."""
    wanted = expected(run)
    assert [(step, sorted(values)) for step, values in heard] == [
        (step, sorted(values)) for step, values in wanted
    ]
    for (_, ours), (_, theirs) in zip(heard, wanted, strict=True):
        for name, value in ours.items():
            assert math.isclose(value, theirs[name], rel_tol=rel) or "time/" in name


def test_a_log_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"kind": "step"}\n{"k\xe9')
    with pytest.raises(DataError, match=r"metrics\.jsonl should be a log in UTF-8; its byte 20"):
        read_rows(path)


def test_csv_has_each_row_once(logged: Path) -> None:
    with (logged / "logs" / "csv" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    heard = [
        (int(row["step"]), {n: float(v) for n, v in row.items() if v and n != "step"})
        for row in rows
    ]
    assert_alike(heard, logged, rel=0)
    assert len(heard) == 9 + 3 + 1


def test_a_logger_by_its_name_hears_each_row_once(logged: Path) -> None:
    heard = [(step or 0, values) for step, values in HEARD[logged.name]]
    assert_alike(heard, logged, rel=1e-12)
    assert CALLS.count("hyperparameters xtc") == 2
    assert CALLS.count("finalize interrupted") == CALLS.count("finalize success") == 1


def events(run: Path) -> Any:
    """What a reader of TensorBoard sees."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(
        str(run / "logs" / "tensorboard"), size_guidance={"scalars": 0, "images": 0}
    )
    return found.Reload()


def test_tensorboard_has_each_row_once_and_pictures(logged: Path) -> None:
    found = events(logged)
    wanted: dict[str, list[tuple[int, float]]] = {}
    for step, values in expected(logged):
        for name, value in values.items():
            wanted.setdefault(name, []).append((step, value))
    tags = found.Tags()
    assert set(tags["scalars"]) == set(wanted)
    for name, points in wanted.items():
        heard = [(event.step, event.value) for event in found.Scalars(name)]
        assert [step for step, _ in heard] == [step for step, _ in points], name
        if "time/" not in name:
            assert [v for _, v in heard] == pytest.approx([v for _, v in points], rel=1e-6), name
    assert "lr" in wanted
    assert "tasks/depth" in wanted
    assert "epoch/scores/semantic/miou" in wanted
    assert "end/test/mtpsl/depth/abs_err" in wanted
    shown = {tag: [one.step for one in found.Images(tag)] for tag in tags["images"]}
    assert Counter(tag.split("/")[0] for tag in shown) == {"epoch": 2, "end": 3}
    assert all(steps == ([6] if tag[:2] == "ep" else [9]) for tag, steps in shown.items())
    assert found.Images(tags["images"][0])[0].encoded_image_string[1:4] == b"PNG"


def test_a_run_that_is_done_and_scored_again_doubles_nothing(logged: Path) -> None:
    given = {"log": ALL}
    train(prepare([given], out=logged, mode="resume"), mode="resume")
    test_csv_has_each_row_once(logged)
    test_tensorboard_has_each_row_once_and_pictures(logged)
    assert_alike([(s or 0, v) for s, v in HEARD[logged.name]], logged, rel=1e-12)


def test_logs_change_no_bit_though_one_fails(run: Train, whole: Path, tmp_path: Path) -> None:
    watcher, out = Stops(0), tmp_path / "failing"
    run(out, log=["tests.runs.loggers:Failing", "csv", "tensorboard"], watcher=watcher).logs.close()
    assert_same_run(out, whole)
    assert (out / "logs" / "tensorboard").is_dir()
    assert f"Logs: tests.runs.loggers:Failing, csv, tensorboard, in {out / 'logs'}." in watcher.said
    told = [text for text in watcher.said if "hears no more" in text]
    assert len(told) == 1
    assert "`tests.runs.loggers:Failing` failed" in told[0]
    assert "ConnectionError: no network" in told[0]
    assert len(HEARD["failing"]) == 2


def test_a_log_may_begin_when_a_run_goes_on(run: Train, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "late"
    with pytest.raises(InterruptedRun):
        run(out, watcher=Stops(5))
    run(out, mode="resume", log=ALL).logs.close()
    assert yaml.safe_load((out / "config.yaml").read_text())["log"] == ALL
    assert_same_run(out, whole)
    # What cannot go back hears all from where the run went on, and so what was written before.
    assert [s for s, values in HEARD[out.name] if "lr" in values] == list(range(4, 10))
    steps = [event.step for event in events(out).Scalars("lr")]
    assert steps == list(range(1, 10))
    lines = (out / "logs" / "csv" / "metrics.csv").read_text().splitlines()
    assert len(lines) == 1 + 9 + 3


def test_stages_have_logs_of_their_own(run: Train, tmp_path: Path) -> None:
    method = {"name": "mtpsl", "options": {"mapping_epochs": 1}}
    out = tmp_path / "run"
    run(out, method=method, regime="full", log="csv", epochs=1).logs.close()
    (stage,) = (out / "stages").iterdir()
    assert (stage / "logs" / "csv" / "metrics.csv").is_file()
    assert (out / "logs" / "csv" / "metrics.csv").is_file()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tensorbord", r"csv, tensorboard \(with the extra.*found `tensorbord`"),
        ("nowhere.at.all:Logger", "ModuleNotFoundError: No module named 'nowhere'"),
        ("tests.runs.loggers:Nobody", "AttributeError"),
        ("tests.runs.loggers:NoLogger", "it lacks log_hyperparams, save, finalize"),
        ("tests.runs.loggers:function", "it is no class"),
        ("tests.runs.loggers:Demanding", "could not be made: TypeError.*project"),
        ("tensorboard", r"pip install 'mtpartial\[tensorboard\]'"),
    ],
)
def test_what_cannot_log_is_refused_before_anything_is_written(
    name: str, words: str, store: Path, layer: dict[str, Any], tmp_path: Path,
    capsys: Captured, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(logs, "find_spec", lambda _: None)
    monkeypatch.chdir(tmp_path)
    given = layer if name.endswith("Demanding") else {"batch": 3}  # without a store none is built
    assert run_command(mttrain, [*as_arguments(given), "--log", name, "--out", "run"]) == 2
    said = capsys.readouterr().err
    with pytest.raises(UsageError, match=words):
        raise UsageError(" ".join(said.split()))
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_names_logs_and_a_flag_takes_their_place(
    layer: dict[str, Any], tmp_path: Path, capsys: Captured
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(json.dumps({**layer, "epochs": 1, "log": "tests.runs.loggers:Nobody"}))
    given = ["--recipe", str(recipe), "--out", str(tmp_path / "run")]
    assert run_command(mttrain, given) == 2
    assert "AttributeError" in capsys.readouterr().err
    assert run_command(mttrain, [*given, "--log", "csv", "--dry-run", "--json"]) == 0
    capsys.readouterr()
    assert run_command(mttrain, [*given, "--set", "log=[]", "--dry-run"]) == 0
