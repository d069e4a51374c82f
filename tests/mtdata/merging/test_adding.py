"""Adding labels to a store: right by a slow reference, whole or not, resumed after a kill."""

import json
import math
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cli.mtdata import mtdata as command
from cli.shared.common import run
from mtdata.building.build import build
from mtdata.errors import UsageError
from mtdata.inspecting.diff import diff
from mtdata.inspecting.info import info
from mtdata.inspecting.keys import keys
from mtdata.inspecting.stats import stats
from mtdata.inspecting.verify import verify
from mtdata.merging.adding import Addition, add_labels
from mtdata.merging.derive import derive
from mtdata.merging.merge import merge
from mtdata.sources.thinning import thin
from mtdata.store import Store, open_store
from mtdata.store.added import least
from mtdata.tasks.normals_from_depth import normals_from_depth
from tests.paths import ROOT
from tests.stores.added import added_store, filled
from tests.stores.fakes import FakeSource, Interrupted, fake_store, stop_after


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mtdata import SOURCES

    path = tmp_path_factory.mktemp("rooms") / "rooms.h5"
    build(SOURCES["rooms"](None, images=(3, 1)), path, size=(24, 32))
    return path


def derived(path: Path, task: str) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
    """Each sample, and what was derived of it."""
    with open_store(path) as store:
        split = store.splits["train"]
        added = split.added["derived", task]
        for index in range(len(split)):
            if added.there()[index]:
                sample = split.read(index, [each.name for each in store.tasks])
                yield sample, *added.task.kind.decode(split.read_added(added, index))


def test_normals_follow_from_depth_and_the_camera(rooms: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    summary = derive(rooms, "normals", "depth", out=out)
    assert summary.labels == {"train": {"normals": 3}}
    with open_store(out) as store:
        about = store.splits["train"].added["derived", "normals"].about
    assert about["parameters"] == {"window": 3}
    for sample, label, valid in derived(out, "normals"):
        assert sample.camera is not None
        depth, seen = sample.labels["depth"], sample.valid["depth"]
        wanted, there = normals_from_depth(depth, seen, sample.camera)
        assert np.array_equal(valid, there)
        assert np.abs(label - wanted)[valid].max() < 1e-3
        # On large planes the fit is exact, else it is not.
        cosine = (label * sample.labels["normals"]).sum(-1)[valid].clip(-1, 1)
        assert np.percentile(np.degrees(np.arccos(cosine)), 10) < 3


def test_edges_are_where_classes_change(rooms: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    derive(rooms, "edges", "semantic", out=out)
    for sample, label, valid in derived(out, "edges"):
        ids = sample.labels["semantic"].astype(int)
        height, width = ids.shape
        border = np.zeros(ids.shape, bool)
        for y in range(height):
            for x in range(width):
                for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    if 0 <= v < height and 0 <= u < width:
                        border[y, x] |= ids[v, u] != ids[y, x]
        assert valid.all()
        assert np.array_equal(label.astype(bool), thin(border))


def test_disparity_is_one_over_depth(tmp_path: Path) -> None:
    path = added_store(tmp_path, images=(6, 1), sizes=((24, 32), (20, 32)))
    for sample, label, valid in derived(path, "disparity"):
        for y, x in np.ndindex(valid.shape):
            metres = float(sample.labels["depth"][y, x])
            assert valid[y, x] == sample.valid["depth"][y, x]
            assert not valid[y, x] or math.isclose(label[y, x], 1 / metres, rel_tol=1e-6)


def test_confidence_is_rounded_down() -> None:
    for step in range(256):
        assert least(step / 255) == step
    for threshold in np.linspace(0, 1, 101):
        assert least(threshold) / 255 >= threshold - 1e-9


def test_a_kill_leaves_the_store_as_it_was_and_is_gone_on_from(tmp_path: Path) -> None:
    path = fake_store(tmp_path, missing=0)
    before, other = path.read_bytes(), tmp_path / "other.h5"
    made: list[int] = []

    def counted(store: Store) -> Addition:
        addition = filled(store)

        def make(*given: Any) -> Any:
            made.extend(given[1])
            return addition.make(*given)

        return replace(addition, make=make)

    with pytest.raises(Interrupted):
        add_labels(path, counted, progress=stop_after(2))
    assert path.read_bytes() == before
    with pytest.raises(UsageError, match="with other options"):
        add_labels(path, lambda store: filled(store, about={
            **dict(next(iter(filled(store).about.values()))), "weights": "cd" * 32,
        }))  # fmt: skip
    summary = add_labels(path, counted)
    assert summary.resumed == 2
    assert sorted(made) == list(range(6))
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name]
    add_labels(path, filled, out=other, overwrite=True)
    assert diff(path, other).same
    assert verify(path).ok


KILLED = {
    "while they are made": "progress=lambda done, *_: done == 2 and kill()",
    "while they are written": "",
}
PROGRAM = """
import os, signal, sys
from pathlib import Path
from mtdata.merging import adding
from tests.stores.added import filled
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if not "{how}":
    adding.seal_added = kill
adding.add_labels(Path(sys.argv[1]), filled, {how})
"""


@pytest.mark.parametrize("when", KILLED)
def test_a_process_that_is_killed(tmp_path: Path, when: str) -> None:
    path = fake_store(tmp_path, missing=0)
    before = path.read_bytes()
    code = PROGRAM.format(how=KILLED[when])
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    summary = add_labels(path, filled)
    assert summary.resumed == (2 if KILLED[when] else 6)
    assert verify(path).ok
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_full_disk_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake_store(tmp_path, missing=0)
    before = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mtdata.merging.adding.write_added", full)
    with pytest.raises(Exception, match="is full"):
        add_labels(path, filled)
    assert path.read_bytes() == before
    monkeypatch.undo()
    assert add_labels(path, filled).resumed == 6


def test_earlier_ones_are_replaced_only_if_asked(tmp_path: Path) -> None:
    path = added_store(tmp_path)
    with pytest.raises(UsageError, match="has filled labels of semantic in train already"):
        add_labels(path, filled)
    before = tmp_path / "before.h5"
    before.write_bytes(path.read_bytes())
    add_labels(path, lambda store: filled(store, seed=1), overwrite=True)
    found = diff(before, path)
    assert found.same_content
    assert found.changed_splits["train"].changed_added == (
        "filled/depth", "filled/normals", "filled/semantic",
    )  # fmt: skip
    assert verify(path).ok


def test_they_are_told_apart(tmp_path: Path) -> None:
    path, plain = added_store(tmp_path), fake_store(tmp_path / "plain", missing=0)
    with open_store(path) as store, open_store(plain) as before:
        told = info(store)["splits"]["train"]
        assert told["labels"] == info(before)["splits"]["train"]["labels"]
        assert {o: list(tasks) for o, tasks in told["added"].items()} == {
            "filled": ["depth", "normals", "semantic"], "derived": ["disparity"],
        }  # fmt: skip
        assert told["added"]["filled"]["depth"]["run"] == "run"
        numbers = stats(store).to_json()["splits"]["train"]
        assert numbers["tasks"] == stats(before).to_json()["splits"]["train"]["tasks"]
        sure = numbers["added"]["filled"]["semantic"]["confidence"]
        assert (sure["min"], sure["max"]) == (0.0, 1.0)
        assert stats(store, jobs=2).to_json() == stats(store).to_json()
        assert keys(store, added="derived") == {
            "train": list(store.splits["train"].keys),
            "test": [],
        }
        assert keys(store, added="derived", task="depth")["train"] == []
    assert diff(plain, path).changed_splits["train"].added.b


def test_a_merge_leaves_them_out_and_says_so(tmp_path: Path) -> None:
    path = added_store(tmp_path)
    build(FakeSource(images=(8, 3), missing=0), tmp_path / "b.h5")
    summary = merge([path, tmp_path / "b.h5"], tmp_path / "out.h5")
    assert "train/filled/depth" in summary.left_out
    with open_store(tmp_path / "out.h5") as store:
        assert store.format_version == 1
        assert not store.splits["train"].added


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--task", "depth", "--from", "semantic"], 2, "no rule says how"),
        (["--task", "depth", "--from", "depth"], 2, "no rule says how"),
        (["--task", "deep", "--from", "depth"], 2, "deep"),
        (["--task", "normals", "--from", "depth", "--rule", "inverse"], 2, "no rule says how"),
        (["--task", "normals", "--from", "depth", "--rule", "inv"], 2, "'inv' is not one of"),
        (["--task", "normals", "--from", "depth", "--split", "test"], 2, "the role train"),
    ],
)
def test_bad_input(
    rooms: Path, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rooms.read_bytes()
    assert run(command, ["derive", str(rooms), *arguments]) == code
    assert said in " ".join(capsys.readouterr().err.split())
    assert rooms.read_bytes() == before


def test_the_command(rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.h5"
    arguments = ["derive", str(rooms), "--task", "normals", "--from", "depth", "--json"]
    assert run(command, [*arguments, "-o", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["labels"] == {"train": {"normals": 3}}
    assert told["rule"] == "normals-from-depth"
    assert run(command, ["show", str(out), "--first", "1", "-o", str(tmp_path / "a.png")]) == 0
    folder, regime = str(tmp_path / "files"), "full+derived"
    assert run(command, ["export", str(out), "--to", "folder", "-o", folder]) == 0
    assert json.loads((tmp_path / "files" / "export.json").read_text())["added"] == []
    npy = ["export", str(out), "--to", "npy", "-o", str(tmp_path / "npy"), "--regime", regime]
    assert run(command, npy) in (0, 2)
    with h5py.File(out) as file:
        assert set(file["train"]) >= {"derived", "label"}
