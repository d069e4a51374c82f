"""Every encoding that `tasks.yaml` can say, and what is refused in a label."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mtdata.errors import DataError, SampleError
from mtdata.sources.folder.source import Folder
from mtdata.tasks.sample import Decoded
from tests.trees.folder import coded, depth, normals, save, semantic, write_task

CLASSES = "classes: [a, b, c, d]"
COLOURS = "classes: {a: '#000000', b: [255, 0, 0], c: '0, 128, 0', d: [0, 0, 255]}"
TABLE = np.array([[0, 0, 0], [255, 0, 0], [0, 128, 0], [0, 0, 255]], np.uint8)
GREY = np.array([9, 9, 9], np.uint8)


def _read(root: Path) -> Decoded:
    sample = Folder(root).read("train", "a", ("it",))
    return sample.labels["it"], sample.valid["it"]


def _decode(
    root: Path, kind: str, label: NDArray[Any], *lines: str, suffix: str = "png"
) -> Decoded:
    write_task(root, kind, label, *lines, suffix=suffix)
    return _read(root)


def _is(found: Decoded, label: NDArray[Any], valid: NDArray[np.bool_]) -> None:
    assert (found[1] == valid).all()
    assert (found[0] == np.where(valid, label, 0)).all()


@pytest.mark.parametrize("suffix", ["png", "npy"])
def test_ids(tmp_path: Path, suffix: str) -> None:
    stored = semantic(1)
    _is(_decode(tmp_path, "classes", stored, CLASSES, suffix=suffix), stored, stored != 255)


def test_ids_that_are_no_number_are_counted(tmp_path: Path) -> None:
    stored = semantic(1).astype(np.float32)
    stored[0, :3], stored[1, :2] = np.nan, np.inf
    with pytest.raises(SampleError, match=r"found float32 with pixels: 3 NaN, 2 infinite.*`void`"):
        _decode(tmp_path, "classes", stored, CLASSES, suffix="npy")


@pytest.mark.parametrize("kept", [0, 8, 16, 24, 25, 26, 40])
def test_ids_that_were_cut_off_are_told(tmp_path: Path, kept: int) -> None:
    write_task(tmp_path, "classes", semantic(1), CLASSES)
    path = tmp_path / "label" / "a.png"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SampleError, match=r"label/a\.png"):
        _read(tmp_path)


def test_ids_may_be_mapped(tmp_path: Path) -> None:
    stored = np.array([7, 11, 255, 300, 0, 12], np.uint16)[semantic(1) % 6]
    lines = ("ids: {7: a, 11: b, 300: d, 12: b}", "void: [0, 255]")
    wanted = {7: 0, 11: 1, 300: 3, 12: 1, 0: -1, 255: -1}
    label = np.vectorize(wanted.get)(stored)
    _is(_decode(tmp_path, "classes", stored, CLASSES, *lines), label, label >= 0)


def test_ids_that_nobody_listed(tmp_path: Path) -> None:
    stored = semantic(1)
    stored[5, 5:8] = (9, 17, 17)
    with pytest.raises(SampleError, match=r"label/a.png: class ids .* 0\.\.3 or void; found 9, 17"):
        _decode(tmp_path, "classes", stored, CLASSES)
    _, valid = _decode(tmp_path, "classes", stored, CLASSES, "unlisted: void")
    assert not valid[5, 5:8].any()
    with pytest.raises(SampleError, match=r"found 2, 3, 9, 17\. .*`ids`, and new .*`classes`"):
        _decode(tmp_path, "classes", stored, CLASSES, "ids: {0: a, 1: b}")


def test_ids_in_a_palette(tmp_path: Path) -> None:
    write_task(tmp_path, "classes", semantic(1), CLASSES)
    image = Image.fromarray(semantic(1))
    image.putpalette(np.random.default_rng(0).integers(0, 255, 768, np.uint8).tolist())
    image.save(tmp_path / "label" / "a.png")
    _is(_read(tmp_path), semantic(1), semantic(1) != 255)


def test_colours(tmp_path: Path) -> None:
    stored, ids = TABLE[semantic(1) % 4], semantic(1) % 4
    everywhere = np.ones(ids.shape, bool)
    _is(_decode(tmp_path, "classes", stored, COLOURS, "encoding: colours"), ids, everywhere)
    # The same colours in a palette, and with an alpha channel.
    image = Image.fromarray(ids)
    image.putpalette(TABLE.ravel().tolist())
    image.save(tmp_path / "label" / "a.png")
    _is(_read(tmp_path), ids, everywhere)
    alpha = np.full((*ids.shape, 1), 255, np.uint8)
    Image.fromarray(np.concatenate([stored, alpha], -1)).save(tmp_path / "label" / "a.png")
    _is(_read(tmp_path), ids, everywhere)


def test_several_colours_of_a_class_and_void(tmp_path: Path) -> None:
    stored = TABLE[semantic(1) % 4]
    stored[2] = GREY
    lines = ("encoding: colours", "classes: [a, b]", "void: ['#090909']",
             "colours: {'#000000': a, '#ff0000': a, '#008000': b, '#0000ff': b}")  # fmt: skip
    valid = np.ones(stored.shape[:2], bool)
    valid[2] = False
    _is(_decode(tmp_path, "classes", stored, *lines), semantic(1) % 4 // 2, valid)
    stored[0, 0] = 1
    with pytest.raises(SampleError, match=r"#010101\. .*`colours`, and new .* under `classes`"):
        _decode(tmp_path, "classes", stored, *lines)


def test_colours_that_nobody_listed(tmp_path: Path) -> None:
    stored = TABLE[semantic(1) % 4]
    stored[2, 2] = GREY
    lines = (COLOURS, "encoding: colours")
    with pytest.raises(SampleError, match=r"a.png: colours .* found #090909. .*under `classes`"):
        _decode(tmp_path, "classes", stored, *lines)
    assert not _decode(tmp_path, "classes", stored, *lines, "unlisted: void")[1][2, 2]
    Image.fromarray(stored).save(tmp_path / "label" / "a.png", format="JPEG")
    with pytest.raises(SampleError, match="this is a JPEG, whatever it is called"):
        _read(tmp_path)


def test_binary(tmp_path: Path) -> None:
    stored = semantic(1)
    valid = stored != 255
    lines = ("ones: [2, 3]", "zeros: [0, 1]", "void: [255]")
    _is(_decode(tmp_path, "binary", stored, *lines), np.isin(stored, (2, 3)), valid)
    soft = ("threshold: 1.5", "void: [255]")
    _is(_decode(tmp_path, "binary", stored, *soft), stored >= 2, valid)
    flags = stored == 2
    _is(_decode(tmp_path, "binary", flags, suffix="npy"), flags, np.ones(flags.shape, bool))
    with pytest.raises(SampleError, match=r"label/a.png: .*`threshold`"):
        _decode(tmp_path, "binary", stored)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_depth_in_integers(tmp_path: Path, kind: str) -> None:
    stored = (depth(1) // 30).astype(kind)
    label, valid = _decode(tmp_path, "depth", stored, "scale: 0.25", "offset: 0.5")
    _is((label, valid), (stored * 0.25 + 0.5).astype(np.float32), stored != 0)
    task = Folder.tasks(**Folder(tmp_path).options)[0]
    assert task.kind.storage()["dtype"] == "uint16"
    assert (task.kind.decode(task.kind.encode(label, valid))[0] == label).all()


def test_a_zero_that_is_no_void(tmp_path: Path) -> None:
    stored = depth(1)
    stored[1] = 65535
    lines = ("scale: 0.01", "units: px", "void: [65535]")
    label, valid = _decode(tmp_path, "depth", stored, *lines)
    _is((label, valid), (stored * 0.01).astype(np.float32), stored != 65535)
    kind = Folder.tasks(**Folder(tmp_path).options)[0].kind
    assert kind.storage()["dtype"] == "float32"
    assert (kind.decode(kind.encode(label, valid))[1] == valid).all()


@pytest.mark.parametrize("shape", [(24, 36), (24, 36, 1), (1, 24, 36)])
def test_depth_in_floats(tmp_path: Path, shape: tuple[int, ...]) -> None:
    metres = depth(1) / 1000
    write_task(tmp_path, "depth", metres, suffix="npy")
    np.save(tmp_path / "label" / "a.npy", metres.reshape(shape))
    _is(_read(tmp_path), metres.astype(np.float32), metres != 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(np.nan, "2 NaN"), (np.inf, "2 infinite"), (-3.5, r"2 negative \(down to -3.5\)")],
)
def test_depth_that_cannot_be(tmp_path: Path, value: float, text: str) -> None:
    metres = depth(1) / 1000
    metres[4, 5:7] = value
    with pytest.raises(SampleError, match=f"label/a.npy: depth .*{text}.*invalid: void"):
        _decode(tmp_path, "depth", metres, suffix="npy")
    _, valid = _decode(tmp_path, "depth", metres, "invalid: void", suffix="npy")
    assert not valid[4, 5:7].any()
    assert valid.sum() == (metres != 0).sum() - 2


def test_zero_metres_are_none(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="24 zero"):
        _decode(tmp_path, "depth", depth(1), "scale: 0.001", "void: []")


@pytest.mark.parametrize("top", [255, 65535])
def test_normals_in_colours(tmp_path: Path, top: int) -> None:
    vector = normals(1)
    stored = coded(vector, top)
    stored[0, 0] = 0
    label, valid = _decode(tmp_path, "normals", stored)
    assert not valid[0, 0]
    assert valid.sum() == valid.size - 1
    angle = np.rad2deg(np.arccos(np.clip((label * vector).sum(-1)[valid], -1, 1)))
    assert angle.max() < (0.5 if top == 255 else 0.1)


def test_normals_in_another_frame(tmp_path: Path) -> None:
    vector = normals(1)
    lines = ("axes: [down, right, away]",)
    given = np.stack([-vector[..., 1], vector[..., 0], -vector[..., 2]], -1)
    label, valid = _decode(tmp_path, "normals", given, *lines, suffix="npy")
    assert valid.all()
    np.testing.assert_allclose(label, vector, atol=1e-6)
    with pytest.raises(Exception, match="one each of right or left"):
        _decode(tmp_path, "normals", given, "axes: [up, down, away]", suffix="npy")


@pytest.mark.parametrize("value", [2.0, np.nan, 0.3])
def test_normals_that_are_not_unit(tmp_path: Path, value: float) -> None:
    vector = normals(1)
    vector[3, 4] = (0, 0, value)
    with pytest.raises(SampleError, match=rf"label/a.npy: .*unit length to 0.1; found .*{value:g}"):
        _decode(tmp_path, "normals", vector, suffix="npy")
    _, valid = _decode(tmp_path, "normals", vector, "invalid: void", suffix="npy")
    assert not valid[3, 4]
    assert valid.sum() == valid.size - 1


@pytest.mark.parametrize(
    ("kind", "array", "text"),
    [
        ("depth", np.zeros((4, 5, 2)), r"\[height, width\]; found \[4, 5, 2\]"),
        ("binary", np.full((4, 5), 0.5), "whole numbers; found float64"),
        ("normals", np.zeros((3, 4, 5)), r"\[height, width, 3\]"),
        ("depth", np.array([[{}]]), "never loaded"),
    ],
)
def test_arrays_of_another_form(tmp_path: Path, kind: str, array: Any, text: str) -> None:
    write_task(tmp_path, kind, np.zeros((4, 5)), suffix="npy")
    np.save(tmp_path / "label" / "a.npy", array, allow_pickle=True)
    with pytest.raises(SampleError, match=text):
        _read(tmp_path)
    (tmp_path / "label" / "a.npy").write_bytes(b"hello")
    with pytest.raises(SampleError, match=r"a\.npy"):
        _read(tmp_path)


def test_a_label_in_colour_where_one_channel_is_meant(tmp_path: Path) -> None:
    write_task(tmp_path, "depth", depth(1), "scale: 0.001")
    save(tmp_path / "label" / "a.png", TABLE[semantic(1) % 4])
    with pytest.raises(SampleError, match=r"1 channel of .*found 3 of uint8\. .* without colours"):
        _read(tmp_path)


def test_a_label_of_a_type_that_is_not_meant(tmp_path: Path) -> None:
    write_task(tmp_path, "depth", depth(1), "scale: 0.001", suffix="tif")
    Image.fromarray(depth(1).astype(np.int32)).save(tmp_path / "label" / "a.tif")
    with pytest.raises(SampleError, match=r"found 1 of int32\. Save it as uint8 or uint16 or"):
        _read(tmp_path)


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8"])
def test_a_decimal_that_is_void_is_so_in_every_precision(tmp_path: Path, kind: str) -> None:
    """65.535 m, which is 65535 mm, is another number in single precision."""
    stored = np.full((24, 36), 2.5, kind)
    stored[:12] = np.float32(65.535) if kind == "<f8" else 65.535
    valid = _decode(tmp_path, "depth", stored, "units: m", "void: [0, 65.535]", suffix="npy")[1]
    assert not valid[:12].any()
    assert valid[12:].all()


def test_an_id_of_255_that_is_listed_is_no_void(tmp_path: Path) -> None:
    stored = np.where(semantic(1) == 255, 255, 0).astype(np.uint8)
    lines = ("classes: [a, b]", "ids: {0: a, 255: b}")
    _is(_decode(tmp_path, "classes", stored, *lines), stored // 255, stored >= 0)
    with pytest.raises(DataError, match="`255` should stand for a class or be `void`, not both"):
        _decode(tmp_path, "classes", stored, *lines, "void: [255]")


def test_a_mask_that_is_no_number_somewhere_says_nothing_there(tmp_path: Path) -> None:
    stored = np.full((24, 36), 0.9, np.float32)
    stored[:12] = np.nan
    label, valid = _decode(tmp_path, "binary", stored, "threshold: 0.5", suffix="npy")
    assert not valid[:12].any()
    assert label[12:].all()
