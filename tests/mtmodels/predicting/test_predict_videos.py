"""Videos: their frames, the way up that players show, what is left of damaged ones."""

import json
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from cli.mtmodels import mtmodels
from cli.shared.common import run
from mtdata.errors import SampleError, UsageError
from mtmodels.errors import UnreadImagesError
from mtmodels.predicting import predict
from mtmodels.predicting.videos import Frame, count, frames
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.run import fit, prepare
from tests.runs.small_run import small_layer, small_store

av = pytest.importorskip("av")
RATE = 10


def picture(number: int) -> NDArray[np.uint8]:
    """Brighter to the right and, from frame to frame, in red; its upper left corner is black."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, :, 1] = np.linspace(40, 220, 64).astype(np.uint8)
    pixels[:, :, 0] = 4 * number
    pixels[:16, :16] = 0
    return pixels


def made(path: Path, number: int = 20) -> Path:
    """A video of so many frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.gop_size = 4
        stream.bit_rate = 4_000_000
        for i in range(number):
            frame = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(path: Path, every: int = 1) -> tuple[list[Frame], SampleError | None]:
    """The frames, and what was wrong behind them."""
    found: list[Frame] = []
    try:
        found.extend(frames(path, every))
    except SampleError as error:
        return found, error
    return found, None


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "mov"])
@pytest.mark.parametrize("every", [1, 7])
def test_every_so_many_th_frame(tmp_path: Path, suffix: str, every: int) -> None:
    path = made(tmp_path / f"a.{suffix}")
    found, error = read(path, every)
    assert error is None
    assert [frame.number for frame in found] == list(range(0, 20, every))
    assert count(path, every) == len(found)
    for frame in found:
        assert frame.seconds == pytest.approx(frame.number / RATE, abs=1.5 / RATE)
        away = np.abs(frame.pixels.astype(int) - picture(frame.number))
        assert np.median(away) < 6


def turn(path: Path, matrix: Sequence[int]) -> None:
    """Write how a player has to turn the pictures, as a phone does."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 4 + 20 + 16
    a, b, c, d = (value << 16 for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("matrix", "clockwise"),
    [((1, 0, 0, 1), 0), ((0, 1, -1, 0), 1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 3)],
)
def test_frames_are_the_way_up_that_a_player_shows(
    tmp_path: Path, matrix: Sequence[int], clockwise: int
) -> None:
    """The matrix of a track takes (x, y) to (a x + c y, b x + d y), y pointing down."""
    path = made(tmp_path / "a.mp4", 2)
    turn(path, matrix)
    (first, _), _ = read(path)
    expected = np.rot90(picture(0), -clockwise)
    assert first.pixels.shape == expected.shape
    assert np.median(np.abs(first.pixels.astype(int) - expected)) < 6


def test_what_is_left_of_a_video_that_was_cut(tmp_path: Path) -> None:
    path = made(tmp_path / "a.mkv", 60)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    found, error = read(path)
    assert 5 < len(found) < 55
    assert error is not None
    assert "should go on for 6.0 s; it can be read until" in error.problem


def test_a_frame_that_is_damaged_is_left_out_and_told(tmp_path: Path) -> None:
    path = made(tmp_path / "a.avi", 40)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    found, error = read(path)
    assert error is not None
    assert len(found) < 40
    for frame in found[:15]:
        assert np.median(np.abs(frame.pixels.astype(int) - picture(frame.number))) < 6


@pytest.mark.parametrize("content", [b"", b"no video", b"\x00" * 5000])
def test_what_is_no_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(SampleError, match=r"a\.mp4: should be a video"):
        next(frames(path, 1))


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(SampleError, match="it has no pictures"):
        next(frames(path, 1))


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"pip install 'mtpartial\[video\]'"):
        next(frames(tmp_path / "a.mp4", 1))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("run")
    layer = small_layer(small_store(folder)) | {"epochs": 1, "precision": "32"}
    out = folder / "run"
    fit(prepare([layer], out=out, mode="new"), mode="new", arguments=[], watcher=Watcher())
    return out


def test_frames_are_predicted_beside_photos(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(picture(3)).save(tmp_path / "photo.png")
    video, out = made(tmp_path / "walk.mp4"), tmp_path / "out"
    words = ["predict", str(trained), str(tmp_path / "photo.png"), str(video), "-o", str(out)]
    assert run(mtmodels, [*words, "--every", "8"]) == 0
    assert "of 4 images, " in capsys.readouterr().err
    rows = json.loads((out / "predictions.json").read_text())["images"]
    assert [row["name"] for row in rows] == [
        "photo", "walk/000000", "walk/000008", "walk/000016",
    ]  # fmt: skip
    assert [row.get("frame") for row in rows] == [None, 0, 8, 16]
    assert rows[2]["seconds"] == pytest.approx(0.8, abs=0.11)
    for row in rows:
        ids = np.asarray(Image.open(out / row["files"]["semantic"][0]))
        assert ids.shape == (48, 64)


def test_a_cut_video_loses_nothing_else(trained: Path, tmp_path: Path) -> None:
    whole, cut = made(tmp_path / "whole.mkv", 12), made(tmp_path / "cut.mkv", 60)
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadImagesError, match=r"cut\.mkv") as caught:
        predict(trained, [cut, whole], tmp_path / "out", every=6, pictures=False)
    assert caught.value.index is not None
    names = [row["name"] for row in caught.value.index["images"]]
    assert names[-2:] == ["whole/000000", "whole/000006"]
    assert names[0] == "cut/000000"
