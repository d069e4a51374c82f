"""What a run leaves behind."""

import json
import os
import re
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from cli.shared.common import run
from mtdata import Sample, Task, open_store
from mtdata.building.build import build
from mtdata.errors import DataError
from mtdata.tasks.kinds import Classes
from mtmodels.errors import InterruptedRun, RunFolderError
from mtmodels.inspecting.card import card
from mtmodels.networks import NETWORKS
from mtmodels.scoring.facts import rests_on
from mtmodels.scoring.run_scores import RunScores
from mtmodels.training import finish
from mtmodels.training.config import Config
from mtmodels.training.finish import Finished, warning
from mtmodels.training.loop.result import StepResult
from mtmodels.training.loop.watcher import Standing, Watcher
from mtmodels.training.record import checkpoint
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.texts import number, plain_scores
from mtmodels.training.rescore import rescore, scores_of, settings_of
from mtmodels.training.run import prepare, train
from mtmodels.training.setup.loading import load_network, open_run
from mtmodels.training.setup.resolve import resolve
from tests.runs.small_run import as_arguments, small_layer
from tests.stores.fakes import FakeSource


@pytest.fixture(scope="module")
def done(layer: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """A run with everything that comes at its end."""
    out = tmp_path_factory.mktemp("finished") / "run"
    job = prepare([layer], out=out, mode="new")
    return out, train(job, mode="new", arguments=["--lr", "1e-3"])


def test_the_folder_holds_all_that_is_promised(done: tuple[Path, Finished]) -> None:
    out, finished = done
    names = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert {
        "config.yaml", "manifest.json", "metrics.jsonl", "curves.png", "report.html",
        "summary.json", "scores/test-mtpsl.json", "scores/test-xtasc.json",
        "checkpoints/last/network.safetensors", "checkpoints/best/network.safetensors",
        "checkpoints/last/state.pt", "checkpoints/last/training.safetensors",
    } <= names  # fmt: skip
    assert len(list((out / "predictions").iterdir())) == 3
    assert not [name for name in names if "/." in name or name.startswith(".")]
    assert all(path.is_file() for path in finished.files.values())
    config = resolve(yaml.safe_load((out / "config.yaml").read_text()))
    assert config.regime == "one"
    assert config.select == "holdout"
    assert json.loads((out / "summary.json").read_text()) == json.loads(
        json.dumps(finished.summary)
    )


def test_pictures_that_fail_leave_a_run_complete(
    done: tuple[Path, Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hears(Watcher):
        def say(self, text: str) -> None:
            said.append(text)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such letter")

    said: list[str] = []
    again = shutil.copytree(done[0], tmp_path / "run")
    for path in (again / "summary.json", again / "curves.png"):
        path.unlink()
    for name in ("draw_predictions", "draw_curves"):
        monkeypatch.setattr(finish, name, fail)
    found = train(prepare([], out=again, mode="resume"), mode="resume", watcher=Hears())
    told = [line for line in said if "no such letter" in line]
    assert len(told) == 2
    assert "run goes on without them" in told[0]
    assert set(found.files) == {"scores", "report"}
    assert (again / "summary.json").is_file()


def test_the_summary_has_the_fields_that_others_rely_on(done: tuple[Path, Finished]) -> None:
    summary = done[1].summary
    assert {
        "run", "method", "network", "weighting", "regime", "epochs", "steps", "seconds",
        "samples_per_second", "peak_memory_mb", "parameters", "parameters_inference", "scores",
    } <= summary.keys()  # fmt: skip
    assert summary["parameters"] > summary["parameters_inference"]
    assert summary["peak_memory_mb"] > 50
    assert set(summary["scores"]) == {"semantic", "depth"}
    assert summary["selected_on"] == "holdout"


def test_scoring_again_gives_the_same(done: tuple[Path, Finished]) -> None:
    out, finished = done
    for protocol in ("mtpsl", "xtasc"):
        before = json.loads((out / "scores" / f"test-{protocol}.json").read_text())
        assert rescore(out, protocol=protocol) == [before]
        assert set(before) == {
            *("run", "store", "split", "role", "protocol", "images", "labelled", "scores"),
            "selected_on",
        }
        assert before["labelled"] == {"semantic": 3, "depth": 3}
        assert before["images"] == 3
    assert rescore(out)[0]["scores"] == finished.summary["scores"]


def test_what_scores_rest_on_is_said_where_it_is_little() -> None:
    assert rests_on("test", 654, {"semantic": 654, "depth": 654}) == ""
    assert rests_on("test", 654, {"semantic": 654, "depth": 12}) == (
        "Images that show a task, where they are fewer: depth 12."
    )
    assert rests_on("test", 6, {"semantic": 6, "depth": 2}) == (
        "Images that show a task, where they are fewer: depth 2. A score of fewer than 10 images "
        "says little: semantic, depth."
    )
    assert rests_on("test", 6, {"semantic": 0, "depth": 6, "edges": 0}) == (
        "No image of test shows semantic or edges: not scored. A score of fewer than 10 images "
        "says little: depth."
    )
    assert rests_on("test", 6, None) == ""  # of scores of before it is not known


@pytest.mark.parametrize("lacking", [("semantic",), ("semantic", "depth")])
def test_tasks_that_no_image_of_a_split_shows_are_told(
    lacking: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Bare(FakeSource):
        def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
            shown = [task for task in tasks if split != "test" or task not in lacking]
            return super().read(split, key, shown)

    build(Bare(images=(14, 3), missing=0), tmp_path / "a.h5", size=(32, 64))
    layer = small_layer(tmp_path / "a.h5") | {"epochs": 1, "method": {"name": "sl"}}
    out = tmp_path / "run"
    assert run(mttrain, [*as_arguments(layer), "--out", str(out)]) == 0
    before, after = " ".join(capsys.readouterr().err.split()).split("Scores of test", 1)
    told = f"No image of test shows {' or '.join(lacking)}: not scored."
    assert f"Scores: {told}" in before
    assert told in after
    assert run(mtmodels, ["eval", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["labelled"] == {t: 0 if t in lacking else 3 for t in ("semantic", "depth")}
    assert run(mtmodels, ["eval", str(out)]) == 0
    assert told in capsys.readouterr().out
    assert run(mtmodels, ["compare", str(out)]) == 0
    assert told in capsys.readouterr().out
    assert told in card(out).markdown()
    assert told in (out / "report.html").read_text()


def test_another_checkpoint_store_or_precision_is_not_kept_as_the_score(
    done: tuple[Path, Finished], store: Path
) -> None:
    out = done[0]
    kept = (out / "scores" / "test-mtpsl.json").read_bytes()
    rescore(out, which="last")
    rescore(out, data=store)
    rescore(out, precision="bf16")
    assert (out / "scores" / "test-mtpsl.json").read_bytes() == kept
    train_split = rescore(out, split="train")[0]
    assert train_split["images"] == 14
    assert train_split["held_out"] == 4  # 30 %
    assert "unlabelled" not in train_split
    assert (out / "scores" / "train-mtpsl.json").is_file()


def test_what_compare_reads(done: tuple[Path, Finished]) -> None:
    rows = scores_of(open_run(done[0]))
    assert rows[0]["drawn"] == {"kind": "one", "parameters": {}}
    assert {row["protocol"] for row in rows} == {"mtpsl", "xtasc"}
    assert rows[0]["dataset"] == "fake"
    assert rows[0]["size"] == [32, 64]
    assert rows[0]["units"]["depth"] == "metres"
    assert rows[0]["units"]["disparity"] == "1/metres"
    assert len(rows[0]["store"]) == 64
    assert rows[0]["seed"] == 0


def test_the_report_needs_no_other_file(done: tuple[Path, Finished]) -> None:
    text = (done[0] / "report.html").read_text()
    assert text.count("data:image/jpeg;base64,") >= 4
    assert not re.search(r'(src|href)="(?!data:)', text)
    for word in ("miou", "abs_err", "protocol mtpsl", "protocol xtasc", "lambda: 0.1"):
        assert word in text


def test_a_selection_on_the_test_split_is_marked(layer: dict[str, Any], tmp_path: Path) -> None:
    job = prepare(
        [layer, {"select": "paper", "holdout": 0.0, "epochs": 1}], out=tmp_path / "run", mode="new"
    )
    finished = train(job, mode="new")
    assert finished.summary["selected_on"] == "test"
    kept = json.loads((tmp_path / "run" / "scores" / "test-mtpsl.json").read_text())
    assert kept["selected_on"] == "test"
    assert rescore(tmp_path / "run", which="best")[0]["selected_on"] == "test"
    assert "selected_on" not in rescore(tmp_path / "run", which="last")[0]
    assert "chosen by its scores on the test split" in (tmp_path / "run/report.html").read_text()
    assert scores_of(open_run(tmp_path / "run"))[0]["note"] == "chosen on the test split"


def test_a_store_with_other_classes_is_refused(store: Path, tmp_path: Path) -> None:
    with open_store(store) as opened:
        tasks = [opened.task("depth"), opened.task("semantic")]
    place = tmp_path / "last"
    trained = NETWORKS["xtasc-resnet18"](tasks, width=0.0625)
    weights = {f"network.{k}": v for k, v in trained.state_dict().items()}
    checkpoint.save(place, weights, {})
    load_network(NETWORKS["xtasc-resnet18"](tasks, width=0.0625), place)
    tasks[1] = Task("semantic", Classes(("a", "b", "c"), ((0, 0, 0),) * 3))
    other = NETWORKS["xtasc-resnet18"](tasks, width=0.0625)
    with pytest.raises(DataError, match=r"`semantic` should have 5 classes.*found 3") as caught:
        load_network(other, place)
    assert caught.value.exit_code == 3


def test_scores_as_text() -> None:
    assert number(None) == "n/a"
    assert "rmse 1.235" in plain_scores({"depth": {"rmse": 1.23456, "iou": [1.0]}})


def test_what_is_no_run_is_refused(tmp_path: Path, done: tuple[Path, Finished]) -> None:
    with pytest.raises(RunFolderError, match="should be a run folder"):
        open_run(tmp_path)
    run = open_run(done[0])
    assert run.chosen() == RunFolder(done[0]).best
    assert run.chosen("last") == RunFolder(done[0]).last


def test_runs_whose_norms_saw_other_parts_of_a_batch_are_no_seeds_of_one_entry() -> None:
    one, four, nodes = (
        settings_of(Config.model_validate({"batch": 8, **more}))
        for more in ({}, {"devices": 4}, {"devices": 2, "nodes": 2})
    )
    assert one != four == nodes
    alike = (
        settings_of(Config.model_validate({"batch": 8, "sync_norm": True, "devices": n}))
        for n in (1, 4)
    )
    assert len({str(each) for each in alike}) == 1


def test_a_run_that_is_not_done_is_no_seed_of_one_that_is(
    done: tuple[Path, Finished], tmp_path: Path
) -> None:
    half = Path(shutil.copytree(done[0], tmp_path / "half"))
    RunFolder(half).summary.unlink()
    whole, other = (RunScores.from_json(scores_of(open_run(run))[0]) for run in (done[0], half))
    assert whole.entry != other.entry
    assert "not done" in other.note


def test_a_run_that_chose_nothing_is_not_said_to_have_chosen() -> None:
    for select, said in (("last", False), ("holdout", True), ("val", True)):
        config = Config.model_validate({"select": select, "holdout": 0.1})
        assert (warning(config, tested=False) is not None) == said
        assert warning(config, tested=True) is None


def test_scores_of_a_checkpoint_that_is_no_more_are_not_kept(
    done: tuple[Path, Finished], tmp_path: Path
) -> None:
    """A run that goes on while it is scored may end before the scores are there."""
    folder = RunFolder(Path(shutil.copytree(done[0], tmp_path / "run")))
    kept = folder.scores / "test-mtpsl.json"

    def end(done: int, total: int, what: str) -> None:
        network = folder.best / "network.safetensors"
        network.unlink()  # it may be a link
        network.write_bytes(b"of later")
        kept.write_text("of later")

    found = rescore(folder.path, progress=end)[0]
    assert "the run went on meanwhile" in found["unkept"]
    assert found["scores"] == done[1].summary["scores"]
    assert kept.read_text() == "of later"
    shutil.rmtree(folder.best)
    shutil.copytree(done[0] / "checkpoints/best", folder.best)
    again = rescore(folder.path, progress=lambda *_: shutil.rmtree(folder.best, ignore_errors=True))
    assert "the run went on meanwhile" in again[0]["unkept"]


def test_scores_that_cannot_be_kept_are_given_all_the_same(
    done: tuple[Path, Finished], tmp_path: Path
) -> None:
    folder = RunFolder(Path(shutil.copytree(done[0], tmp_path / "run")))
    shutil.rmtree(folder.scores)
    folder.scores.write_text("in the way")  # as a folder that is read-only, of the superuser too
    found = rescore(folder.path)[0]
    assert found["scores"] == done[1].summary["scores"]
    assert f"{folder.scores} cannot be written (" in found["unkept"]


def test_scores_from_before_the_end_are_gone_at_the_end(
    layer: dict[str, Any], tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")

    class Early(Watcher):
        def step(self, progress: Standing, result: StepResult) -> None:
            folder.scores.mkdir(exist_ok=True)
            (folder.scores / "val-pascal.json").write_text("{}")

    job = prepare([layer, {"epochs": 1}], out=folder.path, mode="new")
    train(job, mode="new", watcher=Early())
    assert "val-pascal.json" not in {file.name for file in folder.scores.iterdir()}


def test_a_run_that_is_stopped_in_its_report_is_complete(
    done: tuple[Path, Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = shutil.copytree(done[0], tmp_path / "run")
    (again / "summary.json").unlink()

    def stopped(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("mtmodels.training.reporting.report.write_report", stopped)
    with pytest.raises(InterruptedRun, match="complete, but for its report"):
        train(prepare([], out=again, mode="resume"), mode="resume")
    assert (again / "summary.json").is_file()


def test_a_run_that_was_done_keeps_its_scores_and_what_it_took(
    done: tuple[Path, Finished], tmp_path: Path
) -> None:
    folder = RunFolder(Path(shutil.copytree(done[0], tmp_path / "run")))
    rescore(folder.path, split="train")
    before = json.loads(folder.summary.read_text())
    job = prepare([], out=folder.path, mode="resume")
    again = train(job, mode="resume").summary
    assert (folder.scores / "train-mtpsl.json").is_file()
    assert again == {**before, "run": str(folder.path)}
    assert again["samples_per_second"] > 0
    folder.summary.write_text("cut")
    assert train(job, mode="resume").summary["scores"] == before["scores"]
