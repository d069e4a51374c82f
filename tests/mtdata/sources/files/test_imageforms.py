"""Every form that an image may have becomes 8-bit RGB, upright; nothing of it goes unsaid."""

from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mtdata.errors import SampleError
from mtdata.sources.files.imagefile import decode_ids, read_indices, read_label, read_rgb
from mtdata.sources.files.imageheader import image_remarks, orientation, read_header
from tests.trees.damage import write_png

SIZE = (12, 24)


def colours() -> NDArray[np.uint8]:
    """Smooth, so that JPEG keeps it."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    planes = (rows * 20, columns * 12, 255 - rows * 10 - columns * 5)
    return np.stack(planes, -1).astype(np.uint8)


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def test_16_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    wide = np.array([[[0, 128, 129], [257 * 200, 65535, 32768]]], np.uint16)
    cv2.imwrite(str(path), wide[..., ::-1])
    assert read_rgb(path).tolist() == [[[0, 0, 1], [200, 255, 128]]]
    assert read_header(path).bits == 16
    assert "1 of the images have 16 bits" in image_remarks([read_header(path)])[0]


def test_alpha_is_dropped(tmp_path: Path) -> None:
    image = colours()
    alpha = np.full((*SIZE, 1), 7, np.uint8)
    path = save(tmp_path / "a.png", Image.fromarray(np.concatenate([image, alpha], -1)))
    assert (read_rgb(path) == image).all()
    grey = Image.fromarray(image[..., 0])
    path = save(tmp_path / "b.png", Image.merge("LA", (grey, Image.fromarray(alpha[..., 0]))))
    assert (read_rgb(path) == image[..., :1]).all()
    assert read_header(path).alpha


def test_grey_becomes_three_channels(tmp_path: Path) -> None:
    grey = colours()[..., 1]
    path = save(tmp_path / "a.png", Image.fromarray(grey))
    assert (read_rgb(path) == grey[..., None]).all()
    assert read_rgb(save(tmp_path / "a.jpg", Image.fromarray(grey))).shape == (*SIZE, 3)


def test_a_palette_gives_colours_and_indices(tmp_path: Path) -> None:
    indices = (np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 5).astype(np.uint8)
    image = Image.fromarray(indices)
    table = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [9, 8, 7], [255, 255, 255]], np.uint8)
    image.putpalette(table.ravel().tolist())
    path = save(tmp_path / "a.png", image, bits=4)
    assert (read_rgb(path) == table[indices]).all()
    assert (read_indices(path) == indices).all()
    assert read_header(path).mode == "P"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SampleError, match="truncated"):
        read_indices(path)


def test_indices_of_grey_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full(SIZE, 700, np.uint16))
    assert (read_indices(path) == 700).all()
    cv2.imwrite(str(path), colours())
    with pytest.raises(SampleError, match="1 channel"):
        read_indices(path)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_ids_of_few_bits_are_not_scaled_as_greys_are(tmp_path: Path, bits: int) -> None:
    ids = (np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 2**bits).astype(np.uint8)
    path = tmp_path / "a.png"
    packed = np.packbits((ids[..., None] >> np.arange(bits)[::-1]) & 1, axis=None).tobytes()
    rows = [packed[i : i + SIZE[1] * bits // 8] for i in range(0, len(packed), SIZE[1] * bits // 8)]
    write_png(path, SIZE, bits, b"".join(b"\0" + row for row in rows))
    assert (read_indices(path) == ids).all()
    assert (decode_ids(path.read_bytes(), path) == ids).all()
    assert read_label(path, "uint8").max() == 255


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    buffer = BytesIO()
    Image.fromarray(colours()).convert("CMYK").save(buffer, "JPEG", quality=98)
    content = buffer.getvalue()
    assert b"Adobe" in content
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert np.abs(read_rgb(path).astype(int) - colours()).max() < 12
    assert "CMYK" in image_remarks([read_header(path)])[0]


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_exif_turns_the_image(tmp_path: Path, turn: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    options: dict[str, Any] = {"quality": 98, "subsampling": 0} if suffix == ".jpg" else {}
    options |= {"lossless": True} if suffix == ".webp" else {}
    path = save(tmp_path / f"a{suffix}", Image.fromarray(colours()), exif=exif, **options)
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        expected = np.array(upright)
    found = read_rgb(path)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() < 5
    assert orientation(path.read_bytes()) == turn
    header = read_header(path)
    assert (header.size, header.orientation) == (SIZE, turn)
    assert bool(image_remarks([header])) == (turn != 1)


def test_a_label_that_carries_its_orientation_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    label = np.arange(SIZE[0] * SIZE[1], dtype=np.uint8).reshape(SIZE)
    path = save(tmp_path / "a.png", Image.fromarray(label), exif=exif)
    assert (read_label(path, "uint8") == np.rot90(label, -1)).all()


@pytest.mark.parametrize("tag", [0, 9, 77])
def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path: Path, tag: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = tag
    path = save(tmp_path / "a.jpg", Image.fromarray(colours()), exif=exif)
    assert read_rgb(path).shape == (*SIZE, 3)
    content = path.read_bytes().replace(b"MM\0*", b"XX\0*").replace(b"II*\0", b"XX*\0")
    assert orientation(content) == 1


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"GIF89a", "GIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    ],
)
def test_a_picture_in_another_form_is_not_called_damaged(
    content: bytes, form: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(SampleError, match=rf"found {form}\. Convert it to one of these"):
        read_header(tmp_path / "a.jpg")


def test_a_header_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for content in (b"", b"\0\0\0\x18ftypmp42", b"\x89PNG\r\n\x1a\n"):
        path.write_bytes(content)
        with pytest.raises(SampleError, match="its header cannot be read"):
            read_header(path)
