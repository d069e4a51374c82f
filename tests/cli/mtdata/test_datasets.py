"""`mtdata datasets NAME`: what a copy has, beside what a complete one has."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.sources import SOURCES
from mtdata.sources.cityscapes.source import Cityscapes
from mtdata.sources.completeness import completeness
from mtdata.sources.nyu.source import Nyu
from tests.trees.cityscapes import pack, write_cityscapes
from tests.trees.nyu import write_nyu

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return pack(write_cityscapes(tmp_path / "city"), "gtFine")


def _json(arguments: list[str], capsys: Captured, code: int = 0) -> Any:
    assert run(mtdata, ["datasets", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_images_are_counted_beside_the_official_ones(root: Path, capsys: Captured) -> None:
    copy = _json(["cityscapes", "--source", str(root)], capsys)["copy"]
    assert copy["splits"] == {
        "train": {"images": 3, "official": 2975},
        "val": {"images": 2, "official": 500},
    }
    assert not copy["whole"]
    assert copy["files"]["gtFine_trainvaltest.zip"]["state"] == "there"
    assert copy["files"]["disparity_trainvaltest.zip"]["state"] == "not here"
    assert "2972 of the 2975" in copy["notes"][0]
    assert run(mtdata, ["datasets", "cityscapes", "--source", str(root)]) == 0
    assert "--verify reads the files" in capsys.readouterr().err


def test_digests_are_compared_when_asked(
    root: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["datasets", "cityscapes", "--source", str(root), "--verify"]
    assert run(mtdata, arguments) == 3
    told = capsys.readouterr()
    assert "gtFine_trainvaltest.zip should be the published file; found md5" in " ".join(
        told.err.split()
    )
    md5 = hashlib.md5((root / "gtFine_trainvaltest.zip").read_bytes()).hexdigest()
    same = tuple(replace(file, md5=md5) for file in Cityscapes.published[1:2])
    monkeypatch.setattr(Cityscapes, "published", same)
    assert run(mtdata, arguments) == 0
    assert "as published" in capsys.readouterr().out
    steps: list[tuple[int, int, str]] = []
    found = completeness(
        Cityscapes(root), root, digests=True, progress=lambda *step: steps.append(step)
    )
    assert steps == [(1, 1, "gtFine_trainvaltest.zip")]
    assert not found.whole


def test_a_file_of_another_size_is_told(tmp_path: Path, capsys: Captured) -> None:
    root = write_nyu(tmp_path / "nyu")
    copy = _json(["nyu", "--source", str(root)], capsys)["copy"]
    assert copy["files"]["splits.mat"]["state"] == "other"
    assert copy["files"]["splits.mat"]["found"].endswith("bytes, not 2626")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--verify"], "give its NAME"),
        (["rooms", "--verify"], "made here"),
        (["nyuu"], "Did you mean `nyu`"),
    ],
)
def test_what_cannot_be_asked(arguments: list[str], text: str, capsys: Captured) -> None:
    assert run(mtdata, ["datasets", *arguments]) == 2
    assert text in " ".join(capsys.readouterr().err.split())


def test_every_digest_says_who_tells_it() -> None:
    for source in SOURCES.values():
        for file in source.published:
            assert file.told_by
            assert file.md5 is None or len(bytes.fromhex(file.md5)) == 16


@pytest.mark.real
def test_the_files_here_are_the_published_ones(shared: Path) -> None:
    root = shared / "data" / "nyuv2"
    found = completeness(Nyu(root), root, digests=True)
    assert found.whole
    states = {each.file.name: each.state for each in found.files}
    assert states["splits.mat"] == states["classMapping40.mat"] == "as published"
