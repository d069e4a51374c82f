"""A store as shards and one file again: the same data, whoever is killed in between."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cli.mtdata import mtdata as command
from cli.shared.common import run
from mtdata.building.build import build
from mtdata.errors import DataError, UsageError
from mtdata.inspecting.diff import diff
from mtdata.inspecting.verify import verify
from mtdata.merging.adding import add_labels
from mtdata.merging.merge import merge
from mtdata.merging.shard import shard
from mtdata.merging.update import update
from mtdata.sources.folder.source import Folder
from mtdata.store import open_store
from tests.before import FOLDER
from tests.paths import ROOT
from tests.stores.added import added_store, filled
from tests.stores.fakes import BrokenSource, FakeSource, Interrupted, fake_store, stop_after
from tests.stores.store_files import editing, same_samples
from tests.trees.folder import write_folder

KINDS: dict[str, dict[str, Any]] = {
    "one size": {},
    "own sizes": {"sizes": ((24, 32), (20, 30))},
    "all labels": {"missing": 0},
}


def _same(a: Path, b: Path) -> None:
    with open_store(a) as one, open_store(b) as other:
        assert one.content_digest == other.content_digest
        same_samples(one, other)
    assert verify(b).ok


@pytest.mark.parametrize("images", [1, 2, 5, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_shards_and_back(tmp_path: Path, kind: str, images: int) -> None:
    path = tmp_path / "a.h5"
    build(FakeSource(images=(5, 2), **KINDS[kind]), path, size=None)
    made = shard(path, images=images)
    assert made.shards == {"train": -(-5 // images), "test": -(-2 // images)}
    _same(path, made.path)
    back = merge([made.path], tmp_path / "b.h5")
    assert back.recoded == 0
    assert diff(path, back.path).same
    _same(path, back.path)


def test_keys_of_any_length(tmp_path: Path) -> None:
    """A table of keys is as wide as the longest, in each shard another."""
    root = write_folder(tmp_path / "mine")
    for folder in ("rgb", "mask", "depth", "semantic", "normals"):
        for file in (root / folder).glob("0001.*"):
            file.rename(file.with_stem("a-very-long-name-of-an-image"))
    build(Folder(root), tmp_path / "a.h5")
    _same(tmp_path / "a.h5", shard(tmp_path / "a.h5", images=2).path)


def test_a_shard_with_another_camera_is_made_again(tmp_path: Path) -> None:
    """The content digest says nothing of cameras."""
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    path = fake_store(one)
    again = fake_store(other)
    with editing(again) as file:
        file["train/camera"][...] = 7.0
    shard(path, images=2)
    (one / "fake").rename(other / "fake.partial")
    (other / "fake.partial" / "fake.h5").unlink()
    made = shard(again, images=2)
    assert made.resumed == made.shards["test"]
    assert verify(made.path).ok


def test_shards_of_another_length_can_be_made_of_shards(tmp_path: Path) -> None:
    path = fake_store(tmp_path)
    first = shard(path, images=2)
    _same(path, shard(first.path, tmp_path / "other", images=3).path)


def test_each_shard_is_a_store(tmp_path: Path) -> None:
    made = shard(fake_store(tmp_path), images=4)
    files = sorted(made.path.parent.glob("fake-*.h5"))
    assert [path.name for path in files] == [
        "fake-test-00000.h5", "fake-train-00000.h5", "fake-train-00001.h5",
    ]  # fmt: skip
    assert all(verify(path).ok for path in files)
    joined = merge(files, tmp_path / "joined.h5")
    assert joined.content_digest == made.content_digest


def test_added_labels_lie_in_the_index(tmp_path: Path) -> None:
    path = added_store(tmp_path)
    made = shard(path, images=2)
    _same(path, made.path)
    with open_store(path) as one, open_store(made.path) as many:
        a, b = (s.dataset("train", regime="one+derived+filled:0.5") for s in (one, many))
        for index in range(len(a)):
            assert a.read(index).labels.keys() == b.read(index).labels.keys()
        assert {k: v.sha256 for k, v in one.splits["train"].added.items()} == {
            k: v.sha256 for k, v in many.splits["train"].added.items()
        }
    back = merge([made.path], tmp_path / "back.h5")
    assert diff(path, back.path).same
    assert verify(back.path).ok
    with open_store(back.path) as store:
        assert store.format_version == 2
        assert {*store.splits["train"].added} == {*one.splits["train"].added}


def test_labels_are_added_to_shards(tmp_path: Path) -> None:
    made = shard(fake_store(tmp_path, missing=0), images=2)
    add_labels(made.path, filled)
    assert run(command, ["derive", str(made.path), "--task", "disparity", "--from", "depth"]) == 0
    with open_store(made.path) as store:
        assert store.sharded
        assert {origin for origin, _ in store.splits["train"].added} == {"filled", "derived"}
    assert verify(made.path).ok
    with pytest.raises(UsageError, match="should be in the folder of"):
        add_labels(made.path, filled, out=tmp_path / "copy.h5")


def test_images_that_were_left_out_are_told_by_the_index(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    build(BrokenSource(images=(8, 3), fault="class"), path, on_error="skip")
    back = merge([shard(path, images=2).path], tmp_path / "b.h5")
    with open_store(path) as one, open_store(back.path) as other:
        for split in one.splits:
            a, b = (store.splits[split].fact("skipped") for store in (one, other))
            assert (a is None) == (b is None)
            assert a is None or b is None or a.tolist() == b.tolist()


def test_it_goes_on_with_the_shards_that_are_there(tmp_path: Path) -> None:
    path = fake_store(tmp_path, images=(9, 3))
    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        shard(path, out, images=2, progress=stop_after(5))
    assert not out.exists()
    left = sorted((tmp_path / "out.partial").glob("*.h5"))
    assert len(left) == 2
    times = [each.stat().st_mtime_ns for each in left]
    # What is broken is made again, and so is what is of another length.
    left[1].write_bytes(left[1].read_bytes()[:-9])
    made = shard(path, out, images=2)
    assert made.resumed == 1
    assert (out / left[0].name).stat().st_mtime_ns == times[0]
    assert not (tmp_path / "out.partial").exists()
    _same(path, made.path)


def test_another_length_begins_anew(tmp_path: Path) -> None:
    path, out = fake_store(tmp_path, images=(9, 3)), tmp_path / "out"
    with pytest.raises(Interrupted):
        shard(path, out, images=2, progress=stop_after(7))
    made = shard(path, out, images=4)
    assert made.resumed == 0
    assert len(list(out.iterdir())) == 1 + 3 + 1
    _same(path, made.path)


def test_another_store_begins_anew(tmp_path: Path) -> None:
    path, out = fake_store(tmp_path, images=(9, 3)), tmp_path / "out"
    with pytest.raises(Interrupted):
        shard(path, out, images=2, progress=stop_after(7))
    build(FakeSource(images=(9, 3), salt="other"), path, mode="overwrite")
    made = shard(path, out, images=2)
    assert made.resumed == 0
    _same(path, made.path)


@pytest.mark.parametrize("wait", [0.0, 0.1, 0.3])
def test_a_kill_leaves_nothing_under_a_final_name(tmp_path: Path, wait: float) -> None:
    path, out = fake_store(tmp_path, images=(30, 4)), tmp_path / "out"
    script = (
        "import sys, time\nfrom mtdata.merging.shard import shard\nprint('go', flush=True)\n"
        "shard(sys.argv[1], sys.argv[2], images=3, progress=lambda *a: time.sleep(0.02))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path), str(out)], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"go\n"
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    _same(path, shard(path, out, images=3).path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["fake.h5", "out"]


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    path = fake_store(tmp_path)
    (tmp_path / "fake.partial").mkdir()
    (tmp_path / "fake.partial" / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match=r"found thesis\.txt in it"):
        shard(path, images=2)
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match="there already"):
        shard(path, tmp_path / "there", images=2)
    made = shard(path, tmp_path / "new", images=2)
    with pytest.raises(UsageError, match="is a shard of"):
        merge([made.path], made.path.parent / "fake-train-00000.h5", overwrite=True)


def test_what_cannot_be(tmp_path: Path) -> None:
    path = fake_store(tmp_path)
    with pytest.raises(UsageError, match="`images` should be 1 or more"):
        shard(path, images=0)
    with pytest.raises(UsageError, match="or one in shards"):
        merge([path], tmp_path / "b.h5")
    odd = path.rename(tmp_path / "50%.h5")
    with pytest.raises(UsageError, match="a name without %"):
        shard(odd, images=2)
    with pytest.raises(DataError, match="built by an earlier version"):
        shard(FOLDER / "rooms.h5", tmp_path / "old", images=2)
    assert sorted(each.name for each in tmp_path.glob("*.partial")) == []


def test_a_store_in_shards_is_not_updated(tmp_path: Path) -> None:
    made = shard(fake_store(tmp_path), images=2)
    with pytest.raises(UsageError, match="mtdata merge"):
        update(made.path, FakeSource())


def test_the_commands_read_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = fake_store(tmp_path)
    assert run(command, ["shard", str(path), "--images", "4", "-o", str(tmp_path / "s")]) == 0
    index = str(tmp_path / "s" / "fake.h5")
    assert f"mttrain --method xtc --data {index}" in capsys.readouterr().err
    for words in (
        ["info", index], ["stats", index], ["keys", index, "--split", "train"],
        ["verify", index, "--jobs", "2"], ["diff", index, str(path)],
        ["show", index, "--first", "7", "-o", str(tmp_path / "s.png")],
        ["report", index, "-o", str(tmp_path / "report.html")],
        ["export", index, "--to", "folder", "-o", str(tmp_path / "files")],
    ):  # fmt: skip
        assert run(command, words) == 0, words
    assert "2 of train, 1 of test" in capsys.readouterr().out


def test_a_shard_of_what_is_joined_is_not_replaced(tmp_path: Path) -> None:
    one, other = tmp_path / "one.h5", tmp_path / "other.h5"
    for path, seed in ((one, 0), (other, 1)):
        build(FakeSource(images=(8, 2), seed=seed), path, size=(32, 32))
    index = shard(one, tmp_path / "parts", images=4).path
    part = next(path for path in index.parent.iterdir() if path != index)
    before = part.read_bytes()
    with pytest.raises(UsageError, match="is a shard of"):
        merge([index, other], part, overwrite=True)
    assert part.read_bytes() == before
