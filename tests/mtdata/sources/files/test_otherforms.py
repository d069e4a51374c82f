"""TIFF, BMP, WebP, EXR and `.npz` are read as what they hold, or refused in one sentence."""

import re
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mtdata.errors import SampleError
from mtdata.sources.files.imagefile import decode_rgb, read_indices, read_label, read_rgb
from mtdata.sources.files.imageheader import image_remarks, read_header
from mtdata.sources.files.npyfile import read_array
from tests.corpus.making import exr

SIZE = (14, 18)
RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 255, (*SIZE, 3), np.uint8)
WIDE = RNG.integers(0, 65535, SIZE, np.uint16)
FLOATS = RNG.random(SIZE).astype(np.float32)
IDS = RNG.integers(0, 9, SIZE, np.uint8)


def write(path: Path, array: NDArray[Any]) -> Path:
    assert cv2.imwrite(str(path), array[..., ::-1] if array.ndim == 3 else array)
    return path


@pytest.mark.parametrize("suffix", [".tif", ".TIFF", ".bmp"])
def test_photos_are_what_was_saved(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{suffix}", COLOURS)
    assert (read_rgb(path) == COLOURS).all()
    assert (read_header(path).size, read_header(path).bits) == (SIZE, 8)


def test_webp_is_read_and_lossless_ids_too(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    Image.fromarray(COLOURS).save(path, lossless=True, exact=True)
    assert (read_rgb(path) == COLOURS).all()
    Image.fromarray(COLOURS).save(path, quality=80)
    assert read_rgb(path).shape == (*SIZE, 3)
    with pytest.raises(SampleError, match="keeps them; this is a WebP with losses"):
        read_indices(path)


def test_16_bits_of_a_tiff_are_scaled_in_photos_and_kept_in_labels(tmp_path: Path) -> None:
    photo = write(tmp_path / "a.tif", RNG.integers(0, 65535, (*SIZE, 3), np.uint16))
    stored = np.asarray(cv2.imread(str(photo), cv2.IMREAD_UNCHANGED))[..., ::-1].astype(float)
    assert (read_rgb(photo) == np.rint(stored * 255 / 65535)).all()
    assert "have 16 bits" in image_remarks([read_header(photo)])[0]
    assert (read_label(write(tmp_path / "b.tif", WIDE), "uint16") == WIDE).all()
    assert (read_label(write(tmp_path / "c.tif", FLOATS), "float32") == FLOATS).all()
    with pytest.raises(SampleError, match=r"1 channel of uint8 or uint16; found 1 of float32"):
        read_label(tmp_path / "c.tif", "uint8|uint16")
    with pytest.raises(SampleError, match="8 or 16 bits a channel; it has 32"):
        read_rgb(tmp_path / "c.tif")


@pytest.mark.parametrize("suffix", [".tif", ".bmp"])
def test_ids_are_those_of_a_palette_or_the_greys(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    image = Image.fromarray(IDS).convert("P")
    image.putpalette(bytes(RNG.integers(0, 255, 768, np.uint8)))
    image.save(path)
    assert (read_indices(path) == np.array(image)).all()
    assert (read_indices(write(tmp_path / f"b{suffix}", IDS)) == IDS).all()
    Image.fromarray(IDS > 4).save(tmp_path / f"c{suffix}")
    assert (read_indices(tmp_path / f"c{suffix}") == (IDS > 4)).all()


def test_a_jpeg_that_is_called_png_is_no_label_of_ids(tmp_path: Path) -> None:
    Image.fromarray(IDS).save(tmp_path / "a.jpg")
    path = (tmp_path / "a.jpg").rename(tmp_path / "a.png")
    with pytest.raises(SampleError, match="this is a JPEG, whatever it is called"):
        read_indices(path)


@pytest.mark.parametrize("suffix", [".tif", ".bmp", ".webp"])
def test_what_is_cut_off_is_refused_without_a_word_of_a_library(
    suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = write(tmp_path / f"a{suffix}", COLOURS).read_bytes()
    for length in (len(whole) // 2, len(whole) * 9 // 10, 60, 9):
        with pytest.raises(SampleError, match=r"should be an? (whole|image|JPEG)"):
            decode_rgb(whole[:length], tmp_path / f"a{suffix}")
    assert capfd.readouterr() == ("", "")


def test_a_tiff_that_a_tag_turns_is_refused(tmp_path: Path) -> None:
    Image.fromarray(COLOURS).save(tmp_path / "a.tif", tiffinfo={274: 6})
    with pytest.raises(SampleError, match="should be upright; its tag of orientation is 6"):
        read_rgb(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats_of_a_tiff_are_kept(tmp_path: Path, dtype: type, channels: int) -> None:
    """Pillow has a mode for the least of these."""
    floats: NDArray[Any] = RNG.random((*SIZE, channels)).astype(dtype).squeeze()
    path = write(tmp_path / "a.tif", floats)
    assert read_header(path).size == SIZE
    assert read_header(path).mode == "F"
    assert (read_label(path, str(floats.dtype), channels=channels) == floats).all()
    whole = path.read_bytes()
    for length in range(0, len(whole), len(whole) // 7):
        path.write_bytes(whole[:length])
        with pytest.raises(SampleError):
            read_label(path, str(floats.dtype), channels=channels)


def test_floats_that_claim_many_pixels_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", FLOATS)
    content = bytearray(path.read_bytes())
    for tag in (256, 257):
        at = next(
            m.start()
            for m in re.finditer(struct.pack("<H", tag), content)
            if content[m.end()] in (3, 4)
        )
        content[at : at + 12] = struct.pack("<HHII", tag, 4, 1, 10**6)
    path.write_bytes(content)
    with pytest.raises(SampleError, match="it says 1000000x1000000"):
        read_label(path, "float32")


def test_an_exr_is_read_or_the_way_out_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.exr"
    path.write_bytes(exr(FLOATS))
    assert read_header(path).size == FLOATS.shape
    if "OpenEXR:                     NO" in cv2.getBuildInformation():
        with pytest.raises(SampleError, match=r"this OpenCV can read; .* Save it as .npy"):
            read_label(path, "float32")
    else:
        assert (read_label(path, "float32") == FLOATS).all()


@pytest.mark.parametrize(
    "content", [b"", b"\2\0\0\0", b"\2\0\0\0dataWindow\0box2i\0\1", bytes(100)]
)
def test_an_exr_without_a_header_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.exr"
    path.write_bytes(b"\x76\x2f\x31\x01" + content)
    with pytest.raises(SampleError, match="its header cannot be read"):
        read_label(path, "float32")


def test_an_exr_that_claims_many_pixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.exr"
    path.write_bytes(exr(FLOATS, claims=(10**6, 10**6)))
    with pytest.raises(SampleError, match="it says 1000000x1000000"):
        read_label(path, "float32")


def test_a_npz_of_one_array_is_that_array(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, depth=FLOATS)
    assert (read_array(path) == FLOATS).all()
    np.savez(path, depth=FLOATS, mask=IDS)
    with pytest.raises(SampleError, match=r"one array; found depth.npy, mask.npy"):
        read_array(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SampleError, match=r"should be a whole .npz"):
        read_array(path)
    np.savez(path, it=np.array([object()], object))
    with pytest.raises(SampleError, match="never loaded"):
        read_array(path)
