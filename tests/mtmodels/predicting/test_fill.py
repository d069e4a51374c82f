"""Filling: what a run says, how sure it is, and training on it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from cli.mtmodels import mtmodels as command
from cli.mttrain import mttrain
from cli.shared.common import run
from mtdata import open_store
from mtdata.inspecting.verify import verify
from mtdata.store.regime_add import draw_regime
from mtmodels.predicting.fill import confidence
from mtmodels.predicting.opening import load
from tests.runs.small_run import as_arguments, small_layer, small_store
from tests.stores.fakes import TASKS

NAMES = ("semantic", "depth")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A store, and a run that was trained on it under `one`."""
    folder = tmp_path_factory.mktemp("fill")
    store = small_store(folder)
    layer = {**small_layer(store), "epochs": 1, "regime": "one", "method": {"name": "sl"}}
    assert run(mttrain, [*as_arguments(layer), "-o", str(folder / "run"), "-q"]) == 0
    return folder / "run", store


def train(folder: Path, store: Path, regime: str, *more: str) -> int:
    layer = {**small_layer(store), "epochs": 1, "method": {"name": "sl"}}
    arguments = [*as_arguments(layer), "--regime", regime, "-o", str(folder), "-q", *more]
    return run(mttrain, arguments)


def test_from_one_to_one_and_filled(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, store = trained
    out = tmp_path / "filled.h5"
    arguments = ["fill", str(path), str(store), "--hidden-by", "one", "-o", str(out), "--json"]
    assert run(command, arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["wanted"]["train"]["semantic"] > 0
    assert told["labels"]["train"]["semantic"] == told["wanted"]["train"]["semantic"]
    assert verify(out).ok
    predictor = load(path)
    with open_store(out) as opened:
        split = opened.splits["train"]
        added = split.added["filled", "semantic"]
        index = int(np.flatnonzero(added.there())[0])
        image = split.read_stored(index, None)
        label, valid = added.task.kind.decode(split.read_added(added, index))
        assert valid.all()
        assert np.array_equal(label, predictor(image)["semantic"])
        assert not (added.there() & split.visible("one")[:, 0]).any()
    assert train(tmp_path / "again", out, "one+filled:0.1") == 0
    manifest = json.loads((tmp_path / "again" / "manifest.json").read_text())
    assert manifest["regime"] == "one+filled:0.1"
    assert manifest["added"]["base"] == "one"
    assert {one["run"] for one in manifest["added"]["labels"]} == {path.name}
    scores = json.loads((tmp_path / "again" / "scores" / "test-mtpsl.json").read_text())
    assert scores["images"] == 3
    assert train(tmp_path / "whole", out, "full+filled") == 0  # hides nothing of what it saw
    draw_regime(out, "one", name="other", seed=1)
    capsys.readouterr()
    assert train(tmp_path / "more", out, "other+filled") == 2
    assert "may have seen others" in " ".join(capsys.readouterr().err.split())
    assert train(tmp_path / "more", out, "other+filled", "--filled-anyway") == 0
    anyway = "They were taken with --filled-anyway: what"
    for folder, unsure in (("again", False), ("more", True)):
        capsys.readouterr()
        assert run(command, ["card", str(tmp_path / folder)]) == 0
        page = " ".join((tmp_path / folder / "report.html").read_text().split())
        for text in (capsys.readouterr().out, page):
            assert "Of these no source has semantic of " in text
            assert f"filled by the run {path.name}" in text
            assert (anyway in text) == unsure
    arguments = ["fill", str(path), str(out), "--hidden-by", "other", "--overwrite"]
    assert run(command, arguments) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "the regime `other` hides: `full`, `one` will take what it fills" in told
    # What that run fills may come from anything: nobody can say what it saw.
    third = tmp_path / "third.h5"
    arguments = ["fill", str(tmp_path / "more"), str(store), "--hidden-by", "one", "-o", str(third)]
    assert run(command, arguments) == 0
    assert train(tmp_path / "third", third, "one+filled") == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--split", "test"], 2, "the role train"),
        (["--tasks", "parts"], 2, "parts"),
        (["--hidden-by", "two"], 2, "two"),
    ],
)
def test_bad_input(
    trained: tuple[Path, Path], arguments: list[str], code: int, said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path, store = trained
    before = store.read_bytes()
    assert run(command, ["fill", str(path), str(store), *arguments]) == code
    assert said in capsys.readouterr().err
    assert store.read_bytes() == before


def test_there_is_nothing_to_fill(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, store = trained
    copy = Path(shutil.copy(store, tmp_path / "a.h5"))
    assert run(command, ["fill", str(path), str(copy)]) == 0
    assert "nothing to add" in capsys.readouterr().err
    assert copy.read_bytes() == store.read_bytes()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_confidence_by_a_slow_reference(task: object) -> None:
    from mtdata import Binary, Classes, Normals, Task

    assert isinstance(task, Task)
    generator = torch.Generator().manual_seed(0)
    given, mirrored = torch.randn(2, task.channels, 4, 6, generator=generator)
    if isinstance(task.kind, Normals):
        given, mirrored = (torch.nn.functional.normalize(one, dim=0) for one in (given, mirrored))
    found = confidence(task, given, mirrored, (4, 6))[0]
    assert found.min() >= 0
    assert found.max() <= 1
    for y in range(4):
        for x in range(6):
            one, other = given[:, y, x].double().numpy(), mirrored[:, y, 5 - x].double().numpy()
            if isinstance(task.kind, Classes):
                wanted = (np.exp(one) / np.exp(one).sum()).max()
            elif isinstance(task.kind, Binary):
                chance = 1 / (1 + np.exp(-one[0]))
                wanted = max(chance, 1 - chance)
            elif isinstance(task.kind, Normals):
                wanted = max(0, one @ (other * [-1, 1, 1]))
            else:
                a, b = sorted((one[0], other[0]))
                wanted = a / b if a > 0 else 0
            assert found[y, x].item() == pytest.approx(wanted, abs=1e-5)
