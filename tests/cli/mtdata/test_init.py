"""`mtdata init`, then `mtdata build --dataset folder`, as a user meets them."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.store import open_store
from tests.trees.folder import SIZE, picture, save, semantic, write_folder

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_folder(tmp_path / "my photos")
    (root / "tasks.yaml").unlink()
    return root


def test_init_build_info_show(root: Path, tmp_path: Path, capsys: Captured) -> None:
    assert run(mtdata, ["init", str(root)]) == 0
    told = capsys.readouterr()
    assert not told.out
    assert "depth: labels of 8 of 10 images (confidence" in told.err
    assert f"Wrote {root / 'tasks.yaml'}" in told.err
    line = next(line for line in told.err.splitlines() if line.startswith("Next: mtdata "))
    out = tmp_path / "my store.h5"
    build = [*shlex.split(line.removeprefix("Next: mtdata ")), "--out", str(out), "--jobs", "1"]
    assert run(mtdata, [*build, "--regime", "one"]) == 0
    told = capsys.readouterr()
    assert "partly labelled" in told.out
    next_commands = f"mtdata info '{out}', or mttrain --recipe own-small --data '{out}'"
    assert next_commands in " ".join(told.err.split())
    assert run(mtdata, ["info", str(out), "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["dataset"] == "folder"
    assert sum(split["labels"]["depth"] for split in info["splits"].values()) == 8
    assert run(mtdata, ["verify", str(out)]) == 0
    with open_store(out) as store:
        keys = list(store.split("train").keys)[:3]
    assert run(mtdata, ["show", str(out), *keys, "-o", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_init_keeps_what_is_there(root: Path, capsys: Captured) -> None:
    path = root / "tasks.yaml"
    path.write_text("mine")
    assert run(mtdata, ["init", str(root)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(mtdata, ["init", str(root), "--stdout"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("# Proposed")
    assert "Next: mtdata build" in told.err
    assert path.read_text() == "mine"
    assert run(mtdata, ["init", str(root), "--overwrite"]) == 0
    assert path.read_text() == told.out


def test_what_is_left_out_ends_in_one_stop(root: Path, capsys: Captured) -> None:
    for number in range(10):
        vectors = np.zeros((3, *SIZE), np.float32)
        for name in ("chw", "cut"):
            save(root / name / f"{number:04d}.npy", vectors)
        (root / "cut" / f"{number:04d}.npy").write_bytes(b"")
        save(root / "soft" / f"{number:04d}.npy", picture(number)[..., 0].astype(np.float32) / 256)
    assert run(mtdata, ["init", str(root)]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "of the shape [3, 24, 36]; save normals as [height, width, 3], or else" in told
    assert "normalised depth? Write `kind" in told
    assert "again. Left" in told
    assert ".." not in told.replace("...", "")
    assert "?." not in told


def test_init_as_json(root: Path, capsys: Captured) -> None:
    assert run(mtdata, ["init", str(root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["path"] == str(root / "tasks.yaml")
    assert (found["images"], found["size"], found["problem"]) == (10, None, "")
    assert found["tasks"]["normals"] == 9
    assert found["text"] == (root / "tasks.yaml").read_text()


def test_init_of_nothing(tmp_path: Path, capsys: Captured) -> None:
    assert run(mtdata, ["init", str(tmp_path / "none")]) == 3
    assert run(mtdata, ["init", str(tmp_path)]) == 3
    assert "should hold images" in " ".join(capsys.readouterr().err.split())


def test_the_next_command_has_a_size_where_one_is_needed(tmp_path: Path, capsys: Captured) -> None:
    for number, size in enumerate(((24, 36), (24, 36), (200, 20), (20, 300))):
        save(tmp_path / "rgb" / f"{number}.jpg", picture(number, size))
        save(tmp_path / "seg" / f"{number}.png", semantic(number, size))
    assert run(mtdata, ["init", str(tmp_path)]) == 0
    assert f"--source {tmp_path} --size 24x36" in capsys.readouterr().err
    out = ["--out", str(tmp_path / "a.h5"), "--jobs", "1"]
    build = ["build", "--dataset", "folder", "--source", str(tmp_path), *out]
    assert run(mtdata, build) == 3
    assert "--size HxW" in " ".join(capsys.readouterr().err.split())
    assert run(mtdata, [*build, "--size", "24x36", "--overwrite"]) == 0


def test_a_build_tells_what_it_converts(root: Path, tmp_path: Path, capsys: Captured) -> None:
    (root / "rgb" / "0000.jpg").unlink()
    save(root / "rgb" / "0000.png", picture(0).astype("uint16") * 257)
    assert run(mtdata, ["init", str(root)]) == 0
    build = ["build", "--dataset", "folder", "--source", str(root), "--jobs", "1"]
    assert run(mtdata, [*build, "--out", str(tmp_path / "a.h5")]) == 0
    assert "Note: 1 of the images have 16 bits" in capsys.readouterr().err


def test_a_folder_without_its_file(root: Path, capsys: Captured) -> None:
    assert run(mtdata, ["build", "--dataset", "folder", "--source", str(root)]) == 3
    assert f"`mtdata init {shlex.quote(str(root))}` proposes one" in " ".join(
        capsys.readouterr().err.split()
    )


def test_an_error_in_the_file_is_one_paragraph(root: Path, capsys: Captured) -> None:
    (root / "tasks.yaml").write_text("images: rgb/{stem}.*\ntask:\n  depth: {kind: depth}\n")
    assert run(mtdata, ["build", "--dataset", "folder", "--source", str(root)]) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert "tasks.yaml, line 2: `task`: There is no key `task`. Did you mean `tasks`?" in told
