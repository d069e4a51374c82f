"""Runs that are scored under protocols that are asked for, from a tree of images to the tables."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from cli.shared.common import run
from mtdata import SOURCES
from mtdata.building.build import build
from mtdata.errors import UsageError
from mtmodels.scoring.compare import Request, compare
from mtmodels.scoring.published import published_row
from mtmodels.training.rescore import rescore, scores_of
from mtmodels.training.run import prepare, train
from mtmodels.training.setup.loading import open_run
from tests.runs.small_run import as_arguments
from tests.trees.cityscapes import write_cityscapes
from tests.trees.folder import FILE, write_folder
from tests.trees.pascal import write_pascal

Captured = pytest.CaptureFixture[str]
SMALL: dict[str, Any] = {
    "method": {"name": "sl"},
    "network": {"name": "unet-resnet18", "width": 0.125},
    "epochs": 1,
    "batch": 2,
    "workers": 0,
}
NAMES = {
    "semantic": {"miou", "pixel_accuracy", "iou"},
    "normals": {"mean", "median", "rmse", "within_11.25", "within_22.5", "within_30"},
    "parts": {"miou", "pixel_accuracy", "iou"},
    "saliency": {"miou", "max_f"},
    "edges": {"ods_f"},
}


@pytest.fixture(scope="module")
def pascal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on PASCAL-like images that were stretched to one size above their own."""
    folder = tmp_path_factory.mktemp("pascal")
    source = SOURCES["pascal"](write_pascal(folder))
    build(source, folder / "pascal.h5", size=(64, 64))
    layer = {**SMALL, "data": str(folder / "pascal.h5"), "protocol": "pascal"}
    train(prepare([layer], out=folder / "run", mode="new"), mode="new")
    return folder / "run"


def test_a_run_ends_with_the_scores_of_its_protocol(pascal: Path) -> None:
    told = json.loads((pascal / "scores" / "val-pascal.json").read_text())
    assert told["images"] == 2
    assert {task: set(scores) for task, scores in told["scores"].items()} == NAMES
    summary = json.loads((pascal / "summary.json").read_text())
    assert summary["protocol"] == "pascal"
    assert summary["scores"] == told["scores"]
    assert (pascal / "scores" / "val-mtpsl.json").is_file()


def test_scored_again_with_processes_the_same(pascal: Path, capsys: Captured) -> None:
    before = json.loads((pascal / "scores" / "val-pascal.json").read_text())
    arguments = ["eval", str(pascal), "--split", "val", "--protocol", "pascal", "--json"]
    assert run(mtmodels, [*arguments, "--jobs", "2"]) == 0
    assert json.loads(capsys.readouterr().out) == before
    assert run(mtmodels, [*arguments, "--thresholds", "7"]) == 0
    few = json.loads(capsys.readouterr().out)
    assert few.pop("thresholds") == 7
    assert few["scores"]["edges"] != before["scores"]["edges"]
    assert {**few["scores"], "edges": 0} == {**before["scores"], "edges": 0}
    assert json.loads((pascal / "scores" / "val-pascal.json").read_text()) == before


def test_thresholds_of_what_has_none_are_refused(pascal: Path, capsys: Captured) -> None:
    arguments = ["eval", str(pascal), "--split", "val", "--protocol", "mtpsl"]
    assert run(mtmodels, [*arguments, "--thresholds", "7"]) == 2
    assert "should go with the protocol `pascal`" in capsys.readouterr().err


def test_edges_to_learn_from_are_refused(pascal: Path) -> None:
    with pytest.raises(UsageError, match=r"the split train .* the target that edges are learnt"):
        rescore(pascal, split="train", protocol="pascal")


def test_tables_keep_protocols_apart_and_take_published_rows(pascal: Path) -> None:
    rows = scores_of(open_run(pascal), split="val")
    tables = compare(rows, Request(published=True, all_regimes=True, anyway=True))
    assert {table.facts.protocol for table in tables} == {"pascal", "mtpsl", "xtasc"}
    for table in tables:
        papers = {entry.name for entry in table.entries if entry.published}
        assert ("mtpsl/3/one SL" in papers) == (table.facts.protocol == "pascal")
    ours = [row for row in rows if row["protocol"] == "pascal"]
    against = compare(ours, Request(published_row("mtpsl/3/one SL"), anyway=True))
    assert against[0].form == "mtpsl"
    terms = published_row("mtpsl/3/one SL").scores
    delta = against[0].entries[0].delta
    assert delta is not None
    expected = 0.0
    for task, metric in (("semantic", "miou"), ("parts", "miou"), ("normals", "mean"),
                         ("saliency", "miou"), ("edges", "ods_f")):  # fmt: skip
        change = ours[0]["scores"][task][metric] / terms[task][metric] - 1
        expected += (-100 if metric == "mean" else 100) * change / 5
    assert delta.mean == pytest.approx(expected)


def test_rooms_with_all_six_tasks(tmp_path: Path, capsys: Captured) -> None:
    build(SOURCES["rooms"](None, images=(4, 2), size=(32, 64)), tmp_path / "rooms.h5")
    arguments = as_arguments({**SMALL, "data": str(tmp_path / "rooms.h5")})
    out = tmp_path / "run"
    assert run(mttrain, [*arguments, "--out", str(out), "--json"]) == 0
    # What takes long is scored where it is asked for alone.
    names = {path.name for path in (out / "scores").glob("*.json")}
    assert names == {"test-mtpsl.json", "test-xtasc.json"}
    capsys.readouterr()
    assert run(mtmodels, ["eval", str(out), "--protocol", "pascal", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["scores"]
    assert set(found) == {*NAMES, "depth"}
    assert set(found["saliency"]) == {"miou", "max_f"}
    assert run(mtmodels, ["eval", str(out), "--protocol", "cityscapes"]) == 2
    assert "the 19 or 7 classes of Cityscapes" in capsys.readouterr().err
    assert run(mtmodels, ["eval", str(out), "--protocol", "common"]) == 0
    capsys.readouterr()
    assert run(mtmodels, ["compare", str(out), "--protocol", "common", "--format", "markdown"]) == 0
    told = capsys.readouterr().out
    assert "Depth RMSE log ↓ | Depth δ < 1.25 ↑" in told
    assert "Normals RMSE, ° ↓" in told


def test_a_folder_of_somebodys_own(tmp_path: Path) -> None:
    file = f"{FILE}splits: {{fraction: 0.4}}\n"
    source = SOURCES["folder"](write_folder(tmp_path / "folder", file=file, size=(32, 64)))
    build(source, tmp_path / "folder.h5")
    layer = {**SMALL, "data": str(tmp_path / "folder.h5")}
    train(prepare([layer], out=tmp_path / "run", mode="new"), mode="new")
    assert set(rescore(tmp_path / "run", protocol="pascal")[0]["scores"]["mask"]) == {
        "miou",
        "max_f",
    }


def test_cityscapes_wants_full_size(tmp_path: Path, capsys: Captured) -> None:
    root = write_cityscapes(tmp_path / "cityscapes")
    source = SOURCES["cityscapes"](root, classes=19)
    for name, size in (("native", None), ("small", (64, 128))):
        build(source, tmp_path / f"{name}.h5", size=size)
    layer = {**SMALL, "data": str(tmp_path / "native.h5"), "protocol": "cityscapes"}
    finished = train(prepare([layer], out=tmp_path / "run", mode="new"), mode="new")
    semantic = finished.summary["scores"]["semantic"]
    assert set(semantic) == {"miou", "iou", "category_miou", "category_iou"}
    assert [len(semantic[name]) for name in ("iou", "category_iou")] == [19, 7]
    layer["data"] = str(tmp_path / "small.h5")
    refused = tmp_path / "refused"
    assert run(mttrain, [*as_arguments(layer), "--out", str(refused)]) == 2
    told = capsys.readouterr().err.replace("\n", " ")
    assert "at 64x128 of 32x64. Build a store with --size native" in told
    assert not refused.exists()
