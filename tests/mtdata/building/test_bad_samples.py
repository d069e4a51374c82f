"""Samples that cannot be used are told together, when all others are done; or left out."""

import json
import pickle
from pathlib import Path

import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata import open_store
from mtdata.building import sampling
from mtdata.building.build import RegimeSpec, build, plan
from mtdata.building.target import partial_path
from mtdata.errors import BadSamplesError, DataError, SampleError
from mtdata.inspecting.verify import verify
from mtdata.sources.folder.source import Folder
from tests.stores.fakes import Interrupted, stop_after
from tests.trees import damage
from tests.trees.folder import FILE, write_folder

BAD = {"rgb/0001.jpg": "truncated", "depth/0004.png": "truncated", "mask/0007.png": "truncated"}


def photos(root: Path) -> Path:
    """Ten images, three of which have a file that is cut off."""
    write_folder(root)
    for name in BAD:
        damage.cut(root / name)
    return root


def mend(root: Path, tmp_path: Path) -> None:
    whole = write_folder(tmp_path / "whole")
    for name in BAD:
        (root / name).write_bytes((whole / name).read_bytes())


@pytest.mark.parametrize("jobs", [1, 2])
def test_all_are_told_at_once_and_the_others_are_done(jobs: int, tmp_path: Path) -> None:
    root, out = photos(tmp_path / "mine"), tmp_path / "a.h5"
    with pytest.raises(BadSamplesError) as caught:
        build(Folder(root), out, jobs=jobs)
    text = str(caught.value)
    assert text.startswith("3 of 10 images cannot be used.")
    assert all(name in text for name in BAD)
    assert not out.exists()
    mend(root, tmp_path)
    assert build(Folder(root), out, jobs=jobs, mode="resume").resumed == 7
    whole = build(Folder(root), tmp_path / "b.h5")
    with open_store(out) as store:
        assert store.content_digest == whole.content_digest


@pytest.mark.parametrize("jobs", [1, 2])
def test_they_can_be_skipped_and_the_store_says_so(jobs: int, tmp_path: Path) -> None:
    root, out = photos(tmp_path / "mine"), tmp_path / "a.h5"
    specs = [RegimeSpec("one")]
    summary = build(Folder(root), out, jobs=jobs, on_error="skip", regimes=specs)
    assert [each.key for each in summary.skipped] == ["0001", "0004", "0007"]
    assert all(n in each.what for n, each in zip(BAD, summary.skipped, strict=True))
    assert summary.splits["train"].images == 7
    assert verify(out).ok
    again = build(Folder(root), out, mode="resume", on_error="skip", regimes=specs)
    assert (again.complete, again.skipped) == (True, summary.skipped)
    with pytest.raises(DataError):
        build(Folder(root), out, mode="resume", regimes=specs)


def test_a_build_that_stopped_can_go_on_without_them(tmp_path: Path) -> None:
    root, out = photos(tmp_path / "mine"), tmp_path / "a.h5"
    with pytest.raises(Interrupted):
        build(Folder(root), out, progress=stop_after(5))
    with pytest.raises(BadSamplesError):
        build(Folder(root), out, mode="resume")
    assert partial_path(out).exists()
    summary = build(Folder(root), out, mode="resume", on_error="skip")
    assert (summary.resumed, len(summary.skipped)) == (7, 3)
    clean = build(Folder(root), tmp_path / "b.h5", on_error="skip")
    assert clean.content_digest == summary.content_digest


def test_one_bad_sample_is_told_with_the_ways_out(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine")
    damage.cut(root / "rgb/0001.jpg")
    said = r"^\S*0001\.jpg: .*--resume.*or leave this image out with --on-error skip\.$"
    with pytest.raises(SampleError, match=said):
        build(Folder(root), tmp_path / "a.h5")
    assert plan(Folder(root), tmp_path / "b.h5", on_error="skip").bytes > 0


def test_a_split_without_any_good_image_is_an_error(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine")
    lists = "splits: {lists: {train: train.txt, test: test.txt}}"
    (root / "tasks.yaml").write_text(f"{FILE}{lists}\n")
    (root / "train.txt").write_text("0001\n0002\n")
    (root / "test.txt").write_text("0006\n")
    damage.cut(root / "rgb/0006.jpg")
    with pytest.raises(SampleError, match="0006"):
        build(Folder(root), tmp_path / "a.h5", on_error="skip")


def test_labels_with_one_fault_are_told_as_one(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine")
    file = FILE.replace("classes: [floor, wall, chair, lamp]", "classes: [floor, wall]")
    (root / "tasks.yaml").write_text(file)
    damage.cut(root / "rgb/0005.jpg")
    with pytest.raises(BadSamplesError) as caught:
        build(Folder(root), tmp_path / "a.h5")
    head, group, single = str(caught.value).splitlines()
    assert head.startswith("9 of 10 images cannot be used.")
    assert "nearly all labels of `semantic`" in head
    assert f"{root / 'tasks.yaml'} says of them" in head
    assert group.startswith("  8 files: ")
    assert all(f"semantic/000{number}.png" in group for number in range(3))
    assert "0003.png" not in group
    assert "rgb/0005.jpg" in single
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


def test_hopeless_sources_are_not_read_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "HOPELESS", 4)
    root = write_folder(tmp_path / "mine")
    for path in (root / "rgb").iterdir():
        damage.cut(path)
    for on_error in ("stop", "skip"):
        with pytest.raises(BadSamplesError, match="4 of 10 images"):
            build(Folder(root), tmp_path / f"{on_error}.h5", on_error=on_error)


def test_the_command_ends_with_3_or_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = photos(tmp_path / "mine"), tmp_path / "a.h5"
    common = ["build", "--dataset", "folder", "--source", str(root), "-j", "1", "-o", str(out)]
    assert run(mtdata, common) == 3
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Error: 3 of 10 images cannot be used.")
    assert all(any(name in line for line in lines) for name in BAD)
    assert run(mtdata, [*common, "--resume", "--on-error", "skip", "--json"]) == 0
    told = capsys.readouterr()
    assert [each["key"] for each in json.loads(told.out)["skipped"]] == ["0001", "0004", "0007"]
    assert run(mtdata, [*common, "--overwrite", "--on-error", "skip"]) == 0
    assert "Warning: 3 images could not be used" in capsys.readouterr().err
