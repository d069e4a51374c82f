"""What `mtdata build` tells of room on the disk and of labels that a small size loses."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from cli.mtdata import mtdata
from cli.mttrain import mttrain
from cli.shared.common import run
from tests.trees.folder import FILE, KEYS, save, semantic, write_folder

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Of a build in which two labels keep a valid pixel in the source only."""
    root = write_folder(tmp_path / "mine")
    for key in ("0001", "0002"):
        label = np.full_like(semantic(1), 255)
        label[0, 0] = 1
        save(root / "semantic" / f"{key}.png", label)
    out = str(tmp_path / "a.h5")
    return ["build", "--dataset", "folder", "--source", str(root), "--out", out, "--jobs", "1"]


def test_labels_that_a_size_loses_are_told(arguments: list[str], capsys: Captured) -> None:
    assert run(mtdata, [*arguments, "--size", "6x9"]) == 0
    said = "Without a valid pixel at this size: 2 labels (semantic 2), which count as missing."
    assert said in " ".join(capsys.readouterr().err.split())
    assert run(mtdata, [*arguments, "--size", "24x36", "--overwrite"]) == 0
    assert "a valid pixel" not in capsys.readouterr().err


def test_what_training_and_testing_lack_is_told(tmp_path: Path, capsys: Captured) -> None:
    root, out = write_folder(tmp_path / "mine"), str(tmp_path / "a.h5")
    lists = {"train": KEYS[:6], "val": KEYS[6:8]}
    for split, keys in lists.items():
        (root / f"{split}.txt").write_text("\n".join(keys))
    for key in KEYS[:6]:
        (root / "depth" / f"{key}.png").unlink(missing_ok=True)
    file = root / "tasks.yaml"
    file.write_text(f"splits: {{lists: {{{', '.join(f'{s}: {s}.txt' for s in lists)}}}}}\n{FILE}")
    arguments = ["build", "--dataset", "folder", "--source", str(root), "--out", out, "-j", "1"]
    assert run(mtdata, arguments) == 0
    said = " ".join(capsys.readouterr().err.split())
    remedy = "Correct `splits` in tasks.yaml, and build with --overwrite, if that is not meant"
    assert "No image in split" not in said
    assert f"No training label of `depth`: 2 labels, in val. {remedy}." in said
    for key in KEYS[6:8]:
        (root / "semantic" / f"{key}.png").unlink()
    file.write_text(f"splits: {{lists: {{train: train.txt, test: val.txt}}}}\n{FILE}")
    assert run(mtdata, [*arguments, "--overwrite"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(r"No test label of `semantic`: \d labels, in train. Correct", said), said
    assert "No test label of `depth`" not in said
    file.write_text(f"splits: {{fraction: 0.01}}\n{FILE}")
    assert run(mtdata, [*arguments, "--overwrite"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"No image in split test. {remedy}: another `seed` draws others." in said
    assert "No training label" not in said


def test_a_share_for_testing_that_is_far_from_what_was_asked_is_told(
    tmp_path: Path, capsys: Captured
) -> None:
    from mtdata.sources.folder.splits import is_test

    root, out = write_folder(tmp_path / "mine"), str(tmp_path / "a.h5")
    numbers = {seed: sum(is_test(key, 0.2, seed) for key in KEYS) for seed in range(100)}
    arguments = ["build", "--dataset", "folder", "--source", str(root), "--out", out, "-j", "1"]
    for number in (2, 5):
        seed = next(seed for seed, found in numbers.items() if found == number)
        (root / "tasks.yaml").write_text(f"splits: {{fraction: 0.2, seed: {seed}}}\n{FILE}")
        assert run(mtdata, [*arguments, "--overwrite"]) == 0
        said = "5 of 10 images (50 %) are for testing; 20 % was asked"
        assert (said in " ".join(capsys.readouterr().err.split())) == (number == 5)


def test_a_dry_run_tells_what_the_disk_must_hold(arguments: list[str], capsys: Captured) -> None:
    assert run(mtdata, [*arguments, "--dry-run"]) == 0
    assert "the disk has to hold about" in capsys.readouterr().err
    assert run(mtdata, [*arguments, "--dry-run", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["splits"] == {"train": 10}
    assert planned["peak"] == 2 * planned["bytes"] < planned["free"]


def test_large_photos_are_told_with_a_size_to_build_at(tmp_path: Path, capsys: Captured) -> None:
    root = write_folder(tmp_path / "mine", size=(900, 1200))
    arguments = ["build", "--dataset", "folder", "--source", str(root), "--dry-run", "-j", "1"]
    assert run(mtdata, [*arguments, "--tasks", "mask", "--limit", "1"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "Note: images are stored at 900x1200, which is large" in said
    assert "--size 480x640 is about what" in said
    assert run(mtdata, [*arguments, "--tasks", "mask", "--limit", "1", "--size", "native"]) == 0
    assert "is about what" not in capsys.readouterr().err


def next_command(capsys: Captured) -> list[str]:
    """What the last command proposes to train with."""
    said = " ".join(capsys.readouterr().err.split())
    return shlex.split("mttrain" + said.rpartition("Next:")[2].rpartition("mttrain")[2])


@pytest.mark.parametrize("tasks", ["semantic", "semantic,depth"])
@pytest.mark.parametrize("kind", ["one", "fraction"])
def test_the_training_that_is_proposed_can_be_run(
    tasks: str, kind: str, tmp_path: Path, capsys: Captured
) -> None:
    store, shards = str(tmp_path / "a.h5"), str(tmp_path / "s")
    arguments = ["build", "--dataset", "rooms", "--images", "6,2", "--size", "32x64"]
    assert run(mtdata, [*arguments, "--tasks", tasks, "--out", store, "-j", "1"]) == 0
    proposed = [next_command(capsys)]
    how = ["--share", "0.5"] if kind == "fraction" else []
    assert run(mtdata, ["regime", "add", store, "--kind", kind, *how, "--name", "few"]) == 0
    proposed.append(next_command(capsys))
    assert run(mtdata, ["shard", store, "--images", "4", "-o", shards]) == 0
    proposed.append(next_command(capsys))
    unlabelled = kind == "fraction" and tasks != "semantic"
    assert ("--keep-unlabelled" in proposed[1]) == unlabelled
    for words in proposed:
        assert words[:2] == ["mttrain", "--method"]
        more = ["--width", "0.125", "--workers", "0", "--dry-run"]
        assert run(mttrain, [*words[1:], *more]) == 0, words


def test_a_format_of_annotations_is_told_from_a_data_set(capsys: Captured) -> None:
    assert run(mtdata, ["build", "--dataset", "labelme"]) == 2
    assert "`mtdata init DIR --dataset labelme`" in capsys.readouterr().err
