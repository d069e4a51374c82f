"""A checkpoint is used as it was written, or not at all."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from cli.shared.common import run as command
from mtmodels.errors import CheckpointError, DamagedCheckpointError
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record import checkpoint
from mtmodels.training.record.runfolder import RunFolder
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.test_resume import KillAt, Killed
from tests.quick import few
from tests.trees.damage import link_to_itself, pipe

FILES = ("network.safetensors", "training.safetensors", "state.pt")
Captured = pytest.CaptureFixture[str]


def own(file: Path, content: bytes) -> None:
    """Replace a file: others that share its content keep theirs, as after damage on a disk."""
    file.unlink()
    file.write_bytes(content)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    own(file, bytes(content))


def zero(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-64:] = bytes(64)
    own(file, bytes(content))


def cut(file: Path) -> None:
    own(file, file.read_bytes()[:-100])


def empty(file: Path) -> None:
    own(file, b"")


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGE: tuple[Callable[[Path], None], ...] = (
    flip, zero, cut, empty, folder, pipe, link_to_itself, Path.unlink,
)  # fmt: skip


@pytest.fixture(scope="module")
def killed(run: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed in its last epoch, with a checkpoint at every step."""
    out = tmp_path_factory.mktemp("killed") / "run"
    with pytest.raises(Killed):
        run(out, watcher=KillAt(8), checkpoint_every=1)
    return out


@pytest.fixture
def half(killed: Path, tmp_path: Path) -> RunFolder:
    """A copy of it."""
    return RunFolder(Path(shutil.copytree(killed, tmp_path / "run")))


class Listener(Watcher):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda function: function.__name__)
@pytest.mark.parametrize("name", [*FILES, checkpoint.DIGESTS])
def test_damage_is_named_and_nothing_else_is_loaded(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    weights = {"network.w": torch.rand(40, 40), "transfer.w": torch.rand(40, 40)}
    checkpoint.save(tmp_path / "last", weights, {"random": torch.rand(400)})
    damage(tmp_path / "last" / name)
    if (name, damage) == (checkpoint.DIGESTS, Path.unlink):  # as of before
        assert checkpoint.load_first(tmp_path / "last").damage is None
        return
    with pytest.raises(DamagedCheckpointError) as caught:
        checkpoint.load_first(tmp_path / "last")
    assert name in str(caught.value) or name == checkpoint.DIGESTS
    assert caught.value.exit_code == 3
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("name", [*FILES, checkpoint.DIGESTS])
@pytest.mark.parametrize("damage", few([flip, empty, Path.unlink], [flip]))
def test_a_damaged_last_goes_on_from_the_one_before_bit_for_bit(
    run: Train, half: RunFolder, whole: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(half.last / name)
    heard = Listener()
    run(half.path, mode="resume", watcher=heard)
    if not (name == checkpoint.DIGESTS and damage is Path.unlink):  # as those of before have none
        assert any(f"goes back to {half.last / 'before'}" in text for text in heard.said)
    assert_same_run(half.path, whole)


def test_without_one_before_it_goes_on_from_the_best(
    run: Train, half: RunFolder, whole: Path
) -> None:
    best = checkpoint.load_state(half.best)["epoch"]
    shutil.rmtree(half.last)
    heard = Listener()
    run(half.path, mode="resume", watcher=heard)
    assert any("last is missing" in text and str(half.best) in text for text in heard.said)
    assert best < 3
    assert_same_run(half.path, whole)


def test_where_none_is_whole_it_is_an_error_and_nothing_begins_anew(
    half: RunFolder, capsys: Captured
) -> None:
    log = half.metrics.read_bytes()
    for file in half.path.rglob("state.pt"):
        empty(file)
    assert command(mttrain, ["--out", str(half.path), "--resume"]) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert "last/state.pt should hold the weights or the state that the run wrote" in told
    assert "it is empty" in told
    assert "interrupted" not in told
    assert half.metrics.read_bytes() == log


@pytest.mark.parametrize("name", ["eval", "predict"])
def test_commands_name_the_file(
    name: str, whole: Path, store: Path, tmp_path: Path, capsys: Captured
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for file in folder.rglob("network.safetensors"):
        flip(file)
    images = tmp_path / "a.png"
    Image.new("RGB", (64, 32)).save(images)
    more = [str(images), "-o", str(tmp_path / "out")] if name == "predict" else []
    assert command(mtmodels, [name, str(folder), *more]) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert "network.safetensors should hold" in told
    assert "has changed since" in told


def test_checkpoints_of_before_have_no_digests(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "last", {"network.w": torch.ones(3)}, {"epoch": 1})
    (tmp_path / "last" / checkpoint.DIGESTS).unlink()
    assert checkpoint.load_first(tmp_path / "last").state == {"epoch": 1}
    for name, damage in (("state.pt", cut), ("network.safetensors", empty)):
        damage(tmp_path / "last" / name)
        with pytest.raises(DamagedCheckpointError, match=name):
            checkpoint.load_first(tmp_path / "last")
        checkpoint.save(tmp_path / "last", {"network.w": torch.ones(3)}, {"epoch": 1})
        (tmp_path / "last" / checkpoint.DIGESTS).unlink()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_says_how_much_it_takes_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What torch itself says of a disk that is full, while others share the rest of it."""
    checkpoint.save(tmp_path / "last", {"network.w": torch.ones(3)}, {"epoch": 1})
    save = torch.save

    def full(state: object, path: Path) -> None:
        path.symlink_to("/dev/full")
        save(state, path)

    monkeypatch.setattr(torch, "save", full)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(CheckpointError) as caught:
        checkpoint.save(tmp_path / "last", {"network.w": torch.ones(10**6)}, {"epoch": 2})
    told = str(caught.value)
    assert "No space left on device: 0.0 MB are left" in told
    assert "4.0 MB for the weights alone" in told
    assert "--resume" in told
    for word in ("enforce", "inline_container", "Pytorch"):
        assert word not in told
    assert [path.name for path in tmp_path.iterdir()] == ["last"]
    assert checkpoint.load_state(tmp_path / "last") == {"epoch": 1}
