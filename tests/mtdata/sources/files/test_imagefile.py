"""Damage to an image file is found, whatever the version of OpenCV pads."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from mtdata.errors import SampleError
from mtdata.sources.files.complaints import heard
from mtdata.sources.files.imagefile import read_label, read_rgb
from tests.paths import ROOT


@pytest.fixture(params=[".jpg", ".png"])
def picture(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path: Path = tmp_path / f"a{request.param}"
    rng = np.random.default_rng(0)
    cv2.imwrite(str(path), rng.integers(0, 255, (24, 32, 3), np.uint8))
    return path


def test_reads_a_whole_file(picture: Path) -> None:
    assert read_rgb(picture).shape == (24, 32, 3)


def test_every_cut_is_found(picture: Path, tmp_path: Path) -> None:
    content = picture.read_bytes()
    broken = tmp_path / "broken"
    for end in [0, 1, 5, *range(8, len(content), 37), len(content) - 1]:
        broken.write_bytes(content[:end])
        with pytest.raises(SampleError, match="again"):
            read_rgb(broken)


def test_every_changed_byte_of_a_png_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.arange(600, dtype=np.uint16).reshape(20, 30))
    content = path.read_bytes()
    for place in range(8, len(content) - 12, 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x11]) + content[place + 1 :])
        with pytest.raises(SampleError):
            read_label(path, "uint16")


def test_bytes_after_the_end_do_no_harm(picture: Path) -> None:
    picture.write_bytes(picture.read_bytes() + b"\0\0\0")
    assert read_rgb(picture).shape == (24, 32, 3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=r"nowhere.png: cannot be read"):
        read_label(tmp_path / "nowhere.png", "uint8")


def test_a_file_with_a_right_end_and_nothing_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8\xff\xd9")
    with pytest.raises(SampleError, match="cannot be decoded"):
        read_rgb(path)


def test_most_damage_of_a_jpeg_is_found_and_padding_is_none(picture: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (80, 120, 3), np.uint8)
    content = cv2.imencode(".jpg", noise)[1].tobytes()
    path = picture.with_name("b.jpg")
    path.write_bytes(content[:-2] + bytes(64) + content[-2:])
    read_rgb(path)
    found = 0
    for at in rng.integers(700, len(content) - 100, 40):
        changed = bytearray(content)
        changed[at : at + 8] = rng.bytes(8)
        path.write_bytes(changed)
        with suppress(SampleError):
            read_rgb(path)
            continue
        found += 1
    assert found > 30  # a JPEG has no checksum: some of it decodes to other pixels


def test_what_others_print_meanwhile_goes_where_it_went(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with heard() as lines:
        os.write(2, b"mine\nlibpng warning: iCCP: too short\nyours\n")
    assert capfd.readouterr().err == "mine\nyours\n"
    assert lines == ["libpng warning: iCCP: too short"]


def test_a_jpeg_ends_where_it_says(picture: Path) -> None:
    """What lies behind is no part of it: the video of a motion photo, a newline."""
    wanted = read_rgb(picture)
    picture.write_bytes(picture.read_bytes() + b"\n" + bytes(range(256)) * 20)
    np.testing.assert_array_equal(read_rgb(picture), wanted)


def test_pixels_are_those_of_pillow(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    forms: list[dict[str, Any]] = [{}, {"progressive": True}, {"subsampling": 0}]
    for number, options in enumerate(forms):
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(rng.integers(0, 255, (33, 47, 3), np.uint8)).save(path, **options)
        np.testing.assert_array_equal(read_rgb(path), np.asarray(Image.open(path)))
        grey = Image.open(path).convert("L")
        grey.save(path)
        np.testing.assert_array_equal(read_label(path, "uint8"), np.asarray(Image.open(path)))


@pytest.mark.parametrize("sampling", ["1x4", "2x4", "3x1"])
def test_rare_samplings_of_colours_are_read_and_their_cuts_found(
    sampling: str, tmp_path: Path
) -> None:
    """Made with `cjpeg -sample`; other programs write such files now and then."""
    whole = ROOT / "tests" / "data" / "jpeg" / f"{sampling}.jpg"
    content = whole.read_bytes()
    expected = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert expected is not None
    np.testing.assert_array_equal(read_rgb(whole), expected[..., ::-1])
    for size in range(0, len(content) - 40, 20):
        (tmp_path / "cut.jpg").write_bytes(content[:size])
        with pytest.raises(SampleError):
            read_rgb(tmp_path / "cut.jpg")
