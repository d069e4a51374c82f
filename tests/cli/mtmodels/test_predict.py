"""`mtmodels predict` as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cli.mtmodels import mtmodels
from cli.shared.common import run
from mtdata.sources.folder.matching import IMAGE_SUFFIXES
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.run import fit, prepare
from tests.runs.small_run import small_layer, small_store

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of one epoch."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    layer = small_layer(small_store(folder)) | {"epochs": 1}
    job = prepare([layer], out=folder / "run", mode="new")
    fit(job, mode="new", arguments=[], watcher=Watcher())
    return str(folder / "run")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.fromarray(np.full((30, 50, 3), 90, np.uint8)).save(path)
    return path


def test_predicts_an_image(trained: str, image: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    assert run(mtmodels, ["predict", trained, str(image), "-o", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "Predicted semantic, depth of 1 image" in told.err
    for name in ("pictures/photo.png", "semantic/photo.png", "depth/photo.png"):
        assert (out / name).is_file()


def test_what_is_passed_over_or_called_alike_is_told(
    trained: str, image: Path, tmp_path: Path, capsys: Captured
) -> None:
    Image.open(image).save(image.with_suffix(".png"))
    (tmp_path / "other.heic").write_bytes(b"")
    out = tmp_path / "out"
    assert run(mtmodels, ["predict", trained, str(tmp_path), "-o", str(out)]) == 0
    assert "passed over: 1 .heic." in capsys.readouterr().err
    assert json.loads((out / "predictions.json").read_text())["passed_over"] == {".heic": 1}
    for name in ("pictures/photo.jpg.png", "depth/photo.png.png"):
        assert (out / name).is_file()


def test_help_names_every_ending_of_an_image(capsys: Captured) -> None:
    assert run(mtmodels, ["predict", "--help"]) == 0
    assert {*IMAGE_SUFFIXES} <= {*capsys.readouterr().out.replace(",", " ").split()}


def test_json_is_one_object_that_says_what_is_where(
    trained: str, image: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "out"
    arguments = ["predict", trained, str(tmp_path), "-o", str(out), "--json", "--npy"]
    options = ["--tasks", "depth", "--size", "32x32", "--batch", "2", "--device", "cpu"]
    assert run(mtmodels, [*arguments, *options, "--no-pictures", "--checkpoint", "last"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["out", "run", "checkpoint", "dataset", "tasks", "images"]
    assert found["images"] == [
        {
            "name": "photo",
            "source": str(image),
            "size": [30, 50],
            "predicted_at": [32, 32],
            "files": {"depth": ["depth/photo.png", "raw/depth/photo.npy"]},
        }
    ]
    (depth,) = found["tasks"].values()
    assert depth["units"] == "metres"
    assert [file["place"] for file in depth["files"]] == ["depth/NAME.png", "raw/depth/NAME.npy"]


def test_a_bad_file_ends_in_3_and_the_others_are_there(
    trained: str, image: Path, tmp_path: Path, capsys: Captured
) -> None:
    (image.parent / "bad.jpg").write_bytes(image.read_bytes()[:400])
    out = tmp_path / "out"
    arguments = ["predict", trained, str(tmp_path), "-o", str(out), "--no-pictures", "--json"]
    assert run(mtmodels, arguments) == 3
    told = capsys.readouterr()
    assert [row["name"] for row in json.loads(told.out)["images"]] == ["photo"]
    assert "1 of 2 images could not be read" in told.err.replace("\n", " ")
    assert "bad.jpg" in told.err
    assert (out / "predictions.json").is_file()


def test_exit_codes(trained: str, image: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "text.png").write_text("no image")
    other = tmp_path / "sub" / "photo.jpg"
    other.parent.mkdir()
    Image.open(image).save(other)
    photo, out = str(image), ["-o", str(tmp_path / "out")]
    for arguments, code, words in (
        (["nothing-here", photo, *out], 2, "should be a run folder"),
        ([trained, "none.jpg", *out], 2, "none.jpg should be an image"),
        ([trained, str(tmp_path / "text.png"), *out], 3, "should be an image (JPEG, PNG"),
        ([trained, photo, str(other), *out], 2, "should differ in name"),
        ([trained, photo, *out, "--tasks", "normals"], 2, "no task `normals`"),
        ([trained, photo, *out, "--size", "big"], 2, "or native"),
        ([trained, photo, *out, "--checkpoint", "best", "--tasks", "depth"], 0, "Predicted depth"),
        ([trained, photo, *out], 2, "--overwrite"),
        ([trained, photo, *out, "--overwrite"], 0, "Predicted"),
        ([trained, photo], 2, "Missing option"),
    ):
        assert run(mtmodels, ["predict", *arguments]) == code, arguments
        told = capsys.readouterr().err
        assert words in told.replace("\n", " "), told
        assert "Traceback" not in told


def test_help_imports_no_torch() -> None:
    code = (
        "import sys\nfrom cli.shared.common import run\nfrom cli.mtmodels import mtmodels\n"
        "assert run(mtmodels, ['predict', '--help']) == 0\n"
        "print('imported:', [n for n in ('torch', 'numpy', 'matplotlib') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported: []"
