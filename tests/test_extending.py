"""The files of "Write your own" and "Plug-ins" do what the pages say, by the commands they name."""

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from cli.mtdata import mtdata
from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from cli.shared.common import run
from mtdata import open_store
from mtdata.plugins import load_plugin, loaded_plugins, unload_plugin
from mtdata.reading.geometry import Crop
from mtmodels import METHODS, NETWORKS
from mtmodels.methods.views import Views, changed
from mtmodels.training.record import checkpoint
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.run import prepare, train
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.test_resume import KillAt, Killed
from tests.paths import ROOT
from tests.runs.batches import SIX, random_batch
from tests.runs.small_run import as_arguments, small_layer, small_store

EXAMPLES = ROOT / "docs" / "examples"
OWN = {"network": {"name": "tiny"}, "method": {"name": "mean-teacher"}, "holdout": 0}


def lines_of_code(path: Path) -> int:
    """Lines that are neither empty, nor an import, nor a part of a docstring."""
    tree, text = ast.parse(path.read_text()), path.read_text().splitlines()
    left_out: set[int] = set()
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text or isinstance(node, ast.Import | ast.ImportFrom):
            assert isinstance(node, ast.stmt)
            left_out |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return sum(bool(line.strip()) and n not in left_out for n, line in enumerate(text, start=1))


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    torch.set_num_threads(1)
    return small_layer(small_store(tmp_path_factory.mktemp("store"))) | OWN


@pytest.fixture(scope="module")
def trained(layer: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with both, whose files are gone since."""
    folder = tmp_path_factory.mktemp("own")
    files = [Path(shutil.copy(EXAMPLES / name, folder)) for name in ("tiny.py", "mean_teacher.py")]
    named = [part for file in files for part in ("--plugin", str(file))]
    out = folder / "run"
    assert run(mttrain, [*named, *as_arguments(layer), "--out", str(out)]) == 0
    for file in files:
        file.unlink()
    for plugin in loaded_plugins():
        unload_plugin(plugin)
    return out


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("tiny.py", 25),
        ("mean_teacher.py", 40),
        ("source.py", 30),
        ("regime.py", 15),
        ("weighting.py", 20),
    ],
)
def test_they_are_as_short_as_the_page_says(name: str, most: int) -> None:
    assert lines_of_code(EXAMPLES / name) <= most


def test_built_and_hidden_with_one_command_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, regime = tmp_path / "squares.h5", ["--plugin", str(EXAMPLES / "regime.py")]
    data = ["--plugin", str(EXAMPLES / "source.py"), "--dataset", "squares", "--set", "count=4"]
    add = ["regime", "add", str(store), *regime, "--kind", "turns"]
    assert run(mtdata, ["build", *data, "--out", str(store)]) == 0
    assert run(mtdata, ["verify", str(store)]) == 0
    assert run(mtdata, add) == 0
    with open_store(store) as opened:
        shown = opened.dataset("train", regime="turns").labelled
        sample = opened.dataset("test")[0]
    assert shown.sum(0).tolist() == [2, 2]
    assert shown.sum(1).tolist() == [1] * 4
    square = sample.labels["semantic"] == 1
    assert (sample.labels["depth"][square] == 1).all()
    assert (sample.image[square] == [255, 0, 0]).all()
    capsys.readouterr()
    assert run(mtdata, [*add, "--stable", "--name", "alone"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "the regime `turns` should choose for one image by itself where --stable asks" in told


def test_trained_with_one_command(trained: Path) -> None:
    rows = read_rows(RunFolder(trained).metrics, "step")
    terms = {name for row in rows for name in row["auxiliary"]}
    assert terms == {"semantic/teacher", "depth/teacher"}
    assert json.loads((trained / "summary.json").read_text())["method"] == "mean-teacher"
    weights = checkpoint.load_weights(RunFolder(trained).last)
    assert any(name.startswith("teacher.shared") for name in weights)


def test_a_weighting_sends_the_terms_of_a_method_too(layer: dict[str, Any], tmp_path: Path) -> None:
    files = [str(EXAMPLES / f) for f in ("tiny.py", "mean_teacher.py", "weighting.py")]
    changes = {"plugins": files, "weighting": {"name": "halves"}, "steps": 2, "log_every": 1}
    train(prepare([layer, changes], out=tmp_path / "run", mode="new"), mode="new")
    row = read_rows(RunFolder(tmp_path / "run").metrics, "step")[0]
    total = 0.5 * sum(row["tasks"].values()) + sum(row["auxiliary"].values())
    assert row["loss"] == pytest.approx(total)
    assert row["weights"] == {"semantic": 0.5, "depth": 0.5}


def test_scored_and_predicted_with_when_the_files_are_gone(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(mtmodels, ["eval", str(trained), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["scores"]) == {"semantic", "depth"}
    picture = next((trained / "predictions").glob("*.png"))
    assert run(mtmodels, ["predict", str(trained), str(picture), "-o", str(tmp_path / "p")]) == 0
    assert any((tmp_path / "p" / "depth").iterdir())
    assert run(mtmodels, ["compare", str(trained)]) == 0


def test_resumed_it_ends_with_the_same_bits(
    trained: Path, layer: dict[str, Any], tmp_path: Path
) -> None:
    changes = {"checkpoint_every": 2, "plugins": [str(p) for p in (trained / "plugins").iterdir()]}
    job = prepare([layer, changes], out=tmp_path / "run", mode="new")
    with pytest.raises(Killed):
        train(job, mode="new", watcher=KillAt(5))
    assert run(mttrain, ["--out", str(tmp_path / "run"), "--resume"]) == 0
    assert_same_run(tmp_path / "run", trained)


def test_the_teacher_is_the_moving_average_and_learns_nothing_else() -> None:
    load_plugin(EXAMPLES / "mean_teacher.py")
    torch.manual_seed(0)
    method = METHODS["mean-teacher"](NETWORKS["unet-resnet18"](SIX[:2], width=0.125), decay=0.75)
    learnt = {id(p) for group in method.parameter_groups() for p in group.parameters}
    teacher = method.get_submodule("teacher")
    assert not learnt & {id(p) for p in teacher.parameters()}
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    with torch.no_grad():
        for parameter in method.network.parameters():
            parameter.add_(1.0)
    method.after_step(progress=0.5)
    for name, parameter in teacher.named_parameters():
        torch.testing.assert_close(parameter, before[name] + 0.25)


def test_only_what_is_hidden_is_taught() -> None:
    load_plugin(EXAMPLES / "mean_teacher.py")
    method = METHODS["mean-teacher"](NETWORKS["unet-resnet18"](SIX[:2], width=0.125))
    batch = random_batch(SIX[:2], 2, (32, 32), rows={"semantic": [0, 1]})
    steps = [[Crop(1.2, 0.5, 0.5)] * 2]
    views = Views(batch, changed(batch, SIX[:2], steps), steps=[steps], supervised=[True, False])
    terms = method(views, progress=0.5, rng=torch.Generator())
    # A label that is not valid anywhere does not show its task.
    shown = batch.shows("semantic")
    assert shown.all()
    assert terms.auxiliary["semantic/teacher"] == 0
    assert terms.auxiliary["depth/teacher"] > 0
    assert set(terms.tasks) == {"semantic"}
