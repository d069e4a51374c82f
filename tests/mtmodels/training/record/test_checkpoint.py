"""Checkpoints are there whole or not at all, and never run code."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mtdata.atomic import sync
from mtmodels.errors import CheckpointError, RunFolderError, StateError
from mtmodels.training.record import checkpoint


def weights(value: float) -> dict[str, Tensor]:
    return {
        "network.w": torch.full((2, 3, 4, 4), value).to(memory_format=torch.channels_last),
        "network.count": torch.tensor(3),
        "transfer.b": torch.full((5,), value),
    }


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_gives_back_what_was_saved(tmp_path: Path) -> None:
    state = {"epoch": 2, "first": {"depth": {"rmse": 0.1}}, "rng": torch.arange(4), "none": None}
    checkpoint.save(tmp_path / "last", weights(1.5), state)
    assert same(checkpoint.load_weights(tmp_path / "last"), weights(1.5))
    assert set(checkpoint.load_network_weights(tmp_path / "last")) == {"w", "count"}
    loaded = checkpoint.load_state(tmp_path / "last")
    assert torch.equal(loaded.pop("rng"), state.pop("rng"))  # type: ignore[arg-type]
    assert loaded == state


def test_a_method_without_networks_of_its_own_is_saved_too(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "last", {"network.w": torch.ones(2)}, {})
    assert set(checkpoint.load_weights(tmp_path / "last")) == {"network.w"}


def test_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        checkpoint.save(tmp_path / "last", weights(value), {"value": value})
    assert checkpoint.load_state(tmp_path / "last") == {"value": 2.0}
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"h": [1.0, np.float64(2.0)]}, r"numpy.float64 at `weighting\.h\[1\]`"),
        ({np.int64(3): 1}, r"numpy.int64 at `weighting\.3`"),
        ({"p": Path("here")}, r"Path at `weighting\.p`"),
        ({"f": lambda: None}, r"found function at `weighting\.f`"),
    ],
)
def test_what_could_never_be_read_is_not_written(tmp_path: Path, value: Any, where: str) -> None:
    checkpoint.save(tmp_path / "last", weights(1.0), {"value": 1.0})
    with pytest.raises(StateError, match=where):
        checkpoint.save(tmp_path / "last", weights(2.0), {"weighting": value})
    with pytest.raises(StateError, match=r"list at `method\.queue\._extra_state`"):
        checkpoint.check_state({"queue._extra_state": [1.0]}, {})
    assert checkpoint.load_state(tmp_path / "last") == {"value": 1.0}


def test_what_torch_reads_is_written(tmp_path: Path) -> None:
    state = {"size": torch.Size([2]), "type": torch.float16, "set": {1, 2}, "pair": (1, None)}
    checkpoint.save(tmp_path / "last", weights(1.0), state)
    assert checkpoint.load_state(tmp_path / "last") == state


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", range(9))
def test_a_kill_at_any_moment_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    folder = tmp_path / "last"
    checkpoint.save(folder, weights(1.0), {"value": 1.0})
    calls = [0]

    def counted(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls[0] += 1
            if calls[0] > at:
                raise Killed
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", counted(Path.rename))
        patch.setattr("mtmodels.training.record.checkpoint.sync", counted(sync))
        patch.setattr(shutil, "rmtree", counted(shutil.rmtree))
        patch.setattr(torch, "save", counted(torch.save))
        try:
            checkpoint.save(folder, weights(2.0), {"value": 2.0})
        except Killed:
            pass
        else:
            assert at >= 9
    found = checkpoint.load_state(folder)["value"]
    assert same(checkpoint.load_weights(folder), weights(found))
    checkpoint.save(folder, weights(3.0), {"value": 3.0})
    assert checkpoint.load_state(folder)["value"] == 3.0
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


def test_a_full_disk_is_said_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path / "last", weights(1.0), {"value": 1.0})

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match=r"No space left on device.*--resume") as caught:
        checkpoint.save(tmp_path / "last", weights(2.0), {"value": 2.0})
    assert caught.value.exit_code == 1
    assert checkpoint.load_state(tmp_path / "last") == {"value": 1.0}
    for place, told in (
        ("last", "The last checkpoint is as it was"),
        ("best", "The last checkpoint is as it was"),
        ("new/last", "Nothing is saved yet"),
    ):
        with pytest.raises(CheckpointError, match=rf"{told}: make room.*--resume"):
            checkpoint.save(tmp_path / place, weights(2.0), {"value": 2.0})


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_whoever_may_read_the_run_may_read_its_weights(
    tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        checkpoint.save(tmp_path / "last", weights(1.0), {"value": 1.0})
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "last").iterdir()} == {mode}


def test_a_copy_outlives_what_it_was_made_from(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "last", weights(1.0), {"value": 1.0})
    checkpoint.copy(tmp_path / "last", tmp_path / "best")
    checkpoint.save(tmp_path / "last", weights(2.0), {"value": 2.0})
    assert checkpoint.load_state(tmp_path / "best")["value"] == 1.0
    assert same(checkpoint.load_weights(tmp_path / "best"), weights(1.0))


def test_nothing_there_is_said(tmp_path: Path) -> None:
    assert not checkpoint.exists(tmp_path / "last")
    with pytest.raises(RunFolderError, match="should be a checkpoint; found none"):
        checkpoint.load_state(tmp_path / "last")


class Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("ran",))


def test_a_state_cannot_run_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StateError, match="Code at `value`"):
        checkpoint.save(tmp_path / "last", weights(1.0), {"value": Code()})
    monkeypatch.setattr(checkpoint, "check_state", lambda *_: None)  # of somebody else
    checkpoint.save(tmp_path / "last", weights(1.0), {"value": Code()})
    with pytest.raises(Exception, match=r"[Ww]eights"):
        checkpoint.load_state(tmp_path / "last")
    assert capsys.readouterr().out == ""
