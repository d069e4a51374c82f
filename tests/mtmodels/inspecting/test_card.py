"""`mtmodels card`: what it says is what the files of a run say."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cli.mtmodels import mtmodels
from cli.shared.common import run
from mtdata import open_store
from mtdata.reading.holdout import holdout
from mtmodels.inspecting import card as making
from mtmodels.inspecting.card import card
from mtmodels.scoring.intervals import RESAMPLES
from mtmodels.scoring.samples import Samples
from mtmodels.training.record.texts import estimate
from tests.before import unpack
from tests.mtmodels.inspecting.conftest import COMMAND

Captured = pytest.CaptureFixture[str]
HEADINGS = (
    *("What it predicts", "Data", "Training", "Scores", "What selected", "Limits"),
    "How to use it",
)


@pytest.fixture(scope="module")
def made(done: Path) -> Any:
    """The card of the run."""
    return card(done)


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    """A copy of the run whose store is where it was."""
    shutil.copytree(done, tmp_path / "copy")
    return tmp_path / "copy"


def changed(file: Path, **values: Any) -> None:
    """Write other values into a file of JSON; None takes one out."""
    known = json.loads(file.read_text()) | values
    file.write_text(json.dumps({key: v for key, v in known.items() if v is not None}))


def test_commands_hold_for_any_name(done: Path, tmp_path: Path) -> None:
    text = card(shutil.copytree(done, tmp_path / "my run")).markdown()
    assert "$ mtmodels predict 'my run' photo.jpg" in text
    assert "$ mtmodels export 'my run' -o 'my run.onnx'" in text
    assert 'mtmodels.load("my run")' in text


def test_the_head_is_what_hubs_read(made: Any) -> None:
    text = made.markdown()
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head) == {
        "license": "unknown",
        "library_name": "mtpartial",
        "tags": [
            *("multi-task-learning", "dense-prediction", "partial-labels", "image-segmentation"),
            *("depth-estimation", "semantic", "depth", "xtc"),
        ],
        "datasets": ["fake"],
        "metrics": ["miou", "pixel_accuracy", "iou", "abs_err", "rel_err", "rmse"],
    }
    assert [line[3:] for line in body.splitlines() if line.startswith("## ")] == list(HEADINGS)
    assert "None" not in body
    assert "nan" not in body


def test_data_and_training_are_those_of_the_run(made: Any, done: Path) -> None:
    facts, config = made.to_json(), yaml.safe_load((done / "config.yaml").read_text())
    with open_store(config["data"]) as store:
        shown = store.splits["train"].visible("one")
        names = [task.name for task in store.tasks]
        units = {task.name: task.kind.units for task in store.tasks}
    data, kept = facts["data"], json.loads((done / "manifest.json").read_text())["training"]
    assert (data["images"] + data["held_out"], data["regime"]) == (14, "one")
    assert {key: data[key] for key in kept} == kept
    for task, count in data["labels"].items():
        assert 0 < count <= shown[:, names.index(task)].sum()
    assert facts["predicts"][1] == {
        "task": "depth", "kind": "depth", "units": units["depth"], "inverse": False,
    }  # fmt: skip
    summary = json.loads((done / "summary.json").read_text())
    assert facts["training"]["seconds"] == summary["seconds"]
    assert facts["model"]["parameters"] == summary["parameters"]
    text = made.markdown()
    assert f"`{shlex.join(['mttrain', *COMMAND])}`" in text
    labels = data["labels"]["depth"]
    assert f"| depth | {labels} | {labels / data['images']:.1%} |" in text
    assert "Reference: XTasC-Net eq. 11-16." in text
    assert "It chose epoch" in text
    assert "30% of the training images were held out" in text
    assert "A score of fewer than 10 images says little: semantic, depth." in text


def test_intervals_are_percentiles_over_draws_of_the_images(made: Any, done: Path) -> None:
    """Of the absolute error, by hand: what each image adds, images drawn with replacement."""
    samples = Samples.read(done / "scores" / "test-mtpsl.npz")
    states = samples.states["depth"]
    order = np.argsort(np.array(samples.keys))
    sums = states["sums"][order]
    errors, pixels = sums[:, 0], sums[:, 3]
    n, rng = len(errors), np.random.default_rng(0)
    drawn = rng.multinomial(n, np.full(n, 1 / n), RESAMPLES)
    low, high = np.percentile((drawn @ errors) / (drawn @ pixels), (2.5, 97.5))
    one = made.to_json()["scores"][0]
    assert (one["split"], one["protocol"], one["images"]) == ("test", "mtpsl", 3)
    found = one["scores"]["depth"]["abs_err"]
    assert found == {"value": pytest.approx(errors.sum() / pixels.sum()),
                     "low": pytest.approx(low), "high": pytest.approx(high)}  # fmt: skip
    value, first, last = estimate(found["value"], float(low), float(high))
    assert f"| depth | abs_err ↓ | {value} [{first}, {last}] |" in made.markdown()
    assert len(one["scores"]["semantic"]["iou"]) == 5


def test_classes_that_training_never_saw(
    made: Any, done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those without a pixel in a label that the regime shows of an image that was not held out."""
    config = yaml.safe_load((done / "config.yaml").read_text())
    with open_store(config["data"]) as store:
        train = store.dataset("train", ["semantic"], "one")
        train = train.subset(~holdout(train.keys, config["holdout"], seed=config["seed"]))
        samples = [train.read(int(i)) for i in np.flatnonzero(train.labelled[:, 0])]
        names = store.task("semantic").to_json()["names"]
    seen = {int(c) for s in samples for c in s.labels["semantic"][s.valid["semantic"]].ravel()}
    lacks = [name for number, name in enumerate(names) if number not in seen]
    assert made.facts["data"]["never_seen"] == {"semantic": lacks}
    # The same where the labels have one class alone.
    alone = [(np.full((2, 2), 3), np.array([[True, True], [False, True]]))]
    monkeypatch.setattr(making, "labels", lambda *_: alone)
    limit = f"Classes of semantic that training never saw: {', '.join(names[:3] + names[4:])}."
    assert limit in card(done).markdown()


def test_without_a_store_nothing_is_guessed(copy: Path) -> None:
    config = yaml.safe_load((copy / "config.yaml").read_text())
    (copy / "config.yaml").write_text(yaml.safe_dump({**config, "data": "gone.h5"}))
    changed(copy / "manifest.json", store_at=None)
    facts = card(copy).to_json()
    assert facts["data"]["never_seen"] is None
    assert facts["data"]["images"] == 10
    assert any("is not known: its store is not here" in one for one in facts["limits"])
    # A run of before did not write down what it saw, nor how it was begun.
    changed(copy / "manifest.json", training=None, arguments=None, host=None, size=None)
    text = card(copy).markdown()
    assert "how many labels training saw is not known" in text
    assert "Command: unknown" in text
    assert "Machine: unknown." in text
    assert "read at unknown" in text


def test_a_run_of_before_is_asked_for_its_store(copy: Path) -> None:
    before = card(copy).facts["data"]
    changed(copy / "manifest.json", training=None)
    assert card(copy).facts["data"] == before


def test_a_run_that_is_not_done_says_so(halfway: Path) -> None:
    text = card(halfway).markdown()
    assert "> **Not done**: the run is interrupted, at step 4 of 6 (epoch 2 of 2)." in text
    assert "Time: unknown" in text
    assert "Parameters: unknown" in text
    shutil.rmtree(halfway / "scores")
    text = card(halfway).markdown()
    assert "None were kept." in text
    assert "There are no scores of a split of role test." in text


def test_scores_of_another_store_are_said(copy: Path) -> None:
    assert "another store" not in card(copy).markdown()
    changed(copy / "scores" / "test-mtpsl.json", store="f" * 64)
    found = card(copy)
    assert found.markdown().count("**Scores of another store**: those of test under mtpsl") == 1
    assert "are of another store (ffffffffffff)" in found.facts["limits"][0]


def test_a_selection_on_what_is_scored_is_said(copy: Path) -> None:
    for file in (copy / "scores").glob("*.json"):
        changed(file, selected_on="test")
    (copy / "scores" / "test-mtpsl.npz").unlink()
    text = card(copy).markdown()
    assert "> **Chosen on test**: its scores there are better than on new images." in text
    assert "chosen by its scores on test" in text
    assert "No intervals: what each image adds to the scores was not kept" in text


def test_a_run_of_version_01_has_a_card(tmp_path: Path) -> None:
    found = card(unpack("finished", tmp_path))
    assert found.facts["scores"]
    assert "how many labels training saw is not known" in found.markdown()


def test_the_command_writes_prints_and_refuses(
    done: Path, tmp_path: Path, capsys: Captured, made: Any
) -> None:
    assert run(mtmodels, ["card", str(done)]) == 0
    assert capsys.readouterr().out == made.markdown()
    out = tmp_path / "CARD.md"
    assert run(mtmodels, ["card", str(done), "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert out.read_text() == made.markdown()
    assert told == made.to_json() | {"out": str(out)}
    assert run(mtmodels, ["card", str(done), "-o", str(out)]) == 2
    assert "is there already. Replace it with --overwrite" in " ".join(
        capsys.readouterr().err.split()
    )
    out.write_text("old")
    assert run(mtmodels, ["card", str(done), "-o", str(out), "--overwrite"]) == 0
    assert out.read_text() == made.markdown()
    assert run(mtmodels, ["card", str(tmp_path)]) == 2
    assert "mttrain; found no manifest in it" in capsys.readouterr().err
