"""Going back to a run: what it knows of its store, and its method with all its networks."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mtdata import open_store
from mtdata.errors import DataError, UsageError
from mtmodels.errors import RunFolderError
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.setup.data import store_facts
from mtmodels.training.setup.loading import load_method, open_run, run_tasks


def test_the_manifest_holds_the_tasks_and_the_size_of_the_images(whole: Path, store: Path) -> None:
    known = open_run(whole).known()
    with open_store(store) as data:
        # As JSON has it: lists for tuples.
        assert known == json.loads(json.dumps(store_facts(data)))
        assert known["tasks"] == [task.to_json() for task in data.tasks]
    assert known["image_size"] == [32, 64]


def test_an_older_run_asks_its_store(whole: Path, store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    folder = RunFolder(copy)
    facts = json.loads(folder.manifest.read_text())
    for key in ("tasks", "image_size"):
        del facts["store"][key]
    del facts["store_at"]
    folder.manifest.write_text(json.dumps(facts))
    known = open_run(whole).known()
    assert open_run(copy).known() == known
    folder.config.write_text(folder.config.read_text().replace(str(store), "/nowhere.h5"))
    with pytest.raises(UsageError, match="--data"):
        open_run(copy).known()
    assert open_run(copy).known(store) == known


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("manifest.json", None, "a run folder of mttrain; found no manifest in it. Name the fold"),
        ("manifest.json", '{"format": 3}', "its manifest.json is of something else"),
        ("manifest.json", "{", r"manifest.json should hold.*line 1, column 2 is no JSON. Copy the"),
        ("manifest.json", "[]", r"manifest.json should hold.*Copy the run again\.$"),
        ("config.yaml", None, r"found no config.yaml in it. Copy the run again\.$"),
    ],
)
def test_why_a_folder_cannot_be_opened_as_a_run(
    name: str, content: str | None, why: str, whole: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_text(content)
    with pytest.raises((RunFolderError, DataError), match=why):
        open_run(copy)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("split", None, "its `split` is no name"),
        ("protocol", 3, "its `protocol` is no name"),
        ("scores", [], "its `scores` are none"),
        ("scores", {"depth": 3.0}, "its `scores.depth` are none"),
        ("scores", {"depth": {"abs_err": "3"}}, "its `scores.depth.abs_err` is no number"),
        ("scores", {"depth": {"abs_err": True}}, "its `scores.depth.abs_err` is no number"),
        ("scores", {"semantic": {"iou": [1.0, "x"]}}, "its `scores.semantic.iou` is no number"),
    ],
)
def test_scores_of_another_form_are_refused(
    key: str, value: object, why: str, whole: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    file = RunFolder(copy).scores / "test-mtpsl.json"
    file.parent.mkdir(exist_ok=True)
    kept: dict[str, object] = {"split": "test", "role": "test", "protocol": "mtpsl"}
    kept |= {"scores": {"semantic": {"miou": None, "iou": [1.0, None, 0, 2.5, 3.0]}}}
    file.write_text(json.dumps(kept))
    assert open_run(copy).scored() == open_run(copy).scored("test") == [kept | {"samples": []}]
    file.write_text(json.dumps(kept | {key: value}))
    for read in (open_run(copy).scored, open_run(copy).scored_splits):
        with pytest.raises(DataError) as raised:
            read()
        assert f"{file} should hold scores" in str(raised.value)
        assert why in str(raised.value)


def test_the_method_comes_back_with_all_its_networks(whole: Path, store: Path) -> None:
    run = open_run(whole)
    with open_store(store) as data:
        tasks = run_tasks(run, data)
    method = load_method(run, tasks, "last")
    there = load_file(run.folder.last / "training.safetensors")
    assert there  # the transfer networks of xtc
    for name, value in load_file(run.folder.last / "network.safetensors").items():
        there[f"network.{name}"] = value
    found = method.state_dict()
    assert found.keys() == there.keys()
    assert all(torch.equal(found[name], there[name]) for name in there)


def test_weights_that_training_began_with_are_not_asked_for(
    whole: Path, store: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    config = RunFolder(copy).config
    text = config.read_text()
    assert "encoder_weights: null" in text
    config.write_text(text.replace("encoder_weights: null", "encoder_weights: /gone.pth"))
    run = open_run(copy)
    with open_store(store) as data:
        load_method(run, run_tasks(run, data))
    shutil.rmtree(run.folder.best)
    with open_store(store) as data, pytest.raises(RunFolderError, match="should be a checkpoint"):
        load_method(run, run_tasks(run, data), "best")
