"""`mtdata verify --deep`: what it prints, what it ends with, what it refuses."""

import json
import shutil
from pathlib import Path

import h5py
import pytest
from PIL import Image

from cli.mtdata import mtdata
from cli.shared.common import run
from tests.stores.planted import PLANTED

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def store(planted: Path) -> Path:
    return planted / PLANTED


def test_suspicions_are_listed_by_kind(store: Path, capsys: Captured, tmp_path: Path) -> None:
    sheet = tmp_path / "new" / "suspects.png"
    assert run(mtdata, ["verify", str(store), "--deep", "--sheet", str(sheet)]) == 0
    told = capsys.readouterr()
    assert "30 samples, no problem found." in told.out
    assert "\ndepth unit: 1\n  train/000001/depth: is 100 times as large as that" in told.out
    assert "\nimage dark: 1\n  train/000004/image: 9 of 10 pixels are darker" in told.out
    assert "is train/000010 mirrored: the distance is" in told.out
    number = told.out.count(" spreads)")
    assert f"{number} suspicions in 30 images: look" in told.err
    assert f"Drew {number} of {number} suspicions into {sheet}" in told.err
    with Image.open(sheet) as picture:
        assert picture.width > 900


def test_json_has_them_all_and_strict_ends_with_3(store: Path, capsys: Captured) -> None:
    arguments = ["verify", str(store), "--deep", "--strict", "--json"]
    assert run(mtdata, arguments) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["problems"], found["samples"]) == (True, [], 30)
    assert found["kinds"]["duplicate across splits"] == 1
    said = {(each["where"], each["kind"]): each for each in found["suspicions"]}
    assert said["train/000001/depth", "depth unit"]["score"] > 6
    assert said["train/000001/depth", "depth unit"]["beside"] is None
    assert said["test/000002/image", "duplicate across splits"]["beside"] == "train/000010"


def test_without_a_suspicion_strict_ends_with_0(store: Path, capsys: Captured) -> None:
    arguments = ["verify", str(store), "--deep", "--strict", "--check", "duplicate"]
    arguments += ["--split", "train"]
    assert run(mtdata, arguments) == 0
    assert "Nothing seems wrong in what labels mean." in capsys.readouterr().out


def test_a_broken_store_is_not_looked_at_deeply(
    store: Path, tmp_path: Path, capsys: Captured
) -> None:
    broken = Path(shutil.copy(store, tmp_path / "broken.h5"))
    with h5py.File(broken, "r+") as file:
        file["train/valid_pixels"][0, 0] = 1
    assert run(mtdata, ["verify", str(broken), "--deep", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"]
    assert "suspicions" not in found


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sheet", "a.png"], "--sheet is about what labels mean: give --deep"),
        (["--regime", "one"], "--regime is about"),
        (["--deep", "--check", "shifted"], "no check `shifted`. Did you mean `shift`"),
        (["--deep", "--sheet", "a.word"], "should end in a format that can be drawn"),
        (["--deep", "--regime", "two"], "no regime `two`"),
    ],
)
def test_wrong_usage(store: Path, arguments: list[str], words: str, capsys: Captured) -> None:
    assert run(mtdata, ["verify", str(store), *arguments]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
