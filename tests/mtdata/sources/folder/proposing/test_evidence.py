"""How `mtdata init` guesses is written down once, and what it cannot tell it asks."""

import os
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.sources.folder.proposing.evidence import CLEAR, RULES, table
from mtdata.sources.folder.proposing.listing import parse_list
from mtdata.sources.folder.proposing.proposal import propose
from mtdata.sources.folder.source import Folder
from tests.corpus.making import Layout, as_jpeg, nfd, photo, slope
from tests.paths import ROOT
from tests.trees.folder import depth, mask, picture, save, semantic, write_folder


def _labels(root: Path, name: str, make: Any, suffix: str = "png", count: int = 4) -> Path:
    for number in range(count):
        save(root / "rgb" / f"{number}.jpg", picture(number))
        save(root / name / f"{number}.{suffix}", make(number))
    return root


def test_the_docs_show_the_rules() -> None:
    assert table() in (ROOT / "docs" / "sources" / "folder.md").read_text(encoding="utf-8")
    assert all(0 <= rule.confidence <= 1 for rule in RULES.values())
    assert RULES["depth"].confidence < CLEAR < RULES["mask"].confidence


def test_a_jpeg_of_another_name_is_no_label(tmp_path: Path) -> None:
    root = _labels(tmp_path, "semantic", semantic)
    for path in (root / "semantic").iterdir():
        path.write_bytes(as_jpeg(semantic(1)))
    assert "is a JPEG" in propose(root).left_out["semantic/{stem}.png"]
    (root / "tasks.yaml").write_text(
        "images: rgb/{stem}.jpg\ntasks:\n  s:\n    kind: classes\n    files: semantic/{stem}.png\n"
        "    classes: [a, b, c, d]\n"
    )
    with pytest.raises(SampleError, match="it is a JPEG of that name"):
        Folder(root).read("train", "0", ("s",))


def test_nothing_clear_is_an_error_with_a_file_to_complete(tmp_path: Path) -> None:
    root = _labels(tmp_path, "depth", lambda number: depth(number) // 10)
    assert run(mtdata, ["init", str(root)]) == 3
    text = (root / "tasks.yaml").read_text()
    assert "kind: depth` with `units`, `scale`" in text
    assert "tasks" not in yaml.safe_load(text)


def test_an_exr_is_looked_at_or_the_way_out_is_told(tmp_path: Path) -> None:
    root = Layout("exr", {"rgb/{}.jpg": photo, "depth/{}.exr": slope(0.6, 6, "f4")}, {}).write(
        tmp_path
    )
    if "OpenEXR:                     NO" in cv2.getBuildInformation():
        with pytest.raises(SourceNotFoundError, match=r"Save it as .npy, .npz or a TIFF of floats"):
            propose(root)
    else:
        assert yaml.safe_load(propose(root).text)["tasks"]["depth"]["units"] == "m"


def test_ids_that_are_no_number_somewhere_are_asked_about(tmp_path: Path) -> None:
    def gaps(number: int) -> Any:
        label = semantic(number).astype(np.float32)
        label[0, :6] = np.nan
        return label

    root = _labels(tmp_path, "seg", gaps, "npy")
    told = propose(root).left_out["seg/{stem}.npy"]
    assert "5 different values, and 0.69 % of the pixels are NaN or infinite. Write whole" in told


def test_a_npz_of_several_arrays_is_asked_about(tmp_path: Path) -> None:
    root = _labels(tmp_path, "depth", depth)
    for path in (root / "depth").iterdir():
        np.savez(path.with_suffix(".npz"), depth=depth(1), mask=mask(1))
        path.unlink()
    with pytest.raises(SourceNotFoundError, match=r"one array; found depth.npy, mask.npy"):
        propose(root)


def test_later_files_count_too(tmp_path: Path) -> None:
    """Files that differ are found wherever they lie in the list."""
    root = _labels(tmp_path, "semantic", semantic, count=10)
    save(root / "semantic" / "9.png", np.full((24, 36), 9, np.uint8))
    assert len(yaml.safe_load(propose(root).text)["tasks"]["semantic"]["classes"]) == 10


def test_what_has_no_partner_is_told(tmp_path: Path) -> None:
    root = _labels(tmp_path, "semantic", semantic)
    save(root / "semantic" / "x.png", semantic(1))
    save(root / "rgb" / "y.jpg", picture(1))
    told = "; ".join(propose(root).unpaired)
    assert "1 label of semantic without an image, such as x.png" in told
    assert "1 of 5 images without a label" in told


def test_lists_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    root = _labels(tmp_path, "semantic", semantic)
    (root / "train.txt").write_text("0\n1\n")
    (root / "val.txt").write_text("1\n2\n")
    found = propose(root)
    assert "`1` is in val.txt and in train.txt" in found.text
    assert "fraction" in found.text
    assert any("`1` is in val.txt" in text for text in found.unpaired)


def test_a_table_of_splits_is_told(tmp_path: Path) -> None:
    root = _labels(tmp_path, "semantic", semantic)
    rows = [f"{number}.jpg,{'test' if number > 2 else 'train'}\n" for number in range(4)]
    (root / "split.csv").write_text("file,split\n" + "".join(rows))
    (root / "weather.csv").write_text("file,sun\n0.jpg,1\n1.jpg,0\n")
    found = propose(root)
    assert "no folders or lists" not in found.text
    (told,) = found.unpaired
    assert told.startswith("split.csv looks like a table of splits, which is not read: write a li")
    (root / "train.txt").write_text("0\n1\n2\n")
    (root / "test.txt").write_text("3\n")
    assert not propose(root).unpaired


def test_the_names_of_columns_are_no_images(tmp_path: Path) -> None:
    root = _labels(tmp_path, "semantic", semantic)
    (root / "train.csv").write_text("image,label\n0.jpg,0.png\n1.jpg,1.png\n")
    (root / "val.csv").write_text("image;label\n2.jpg;2.png\n3.jpg;3.png\n")
    found = propose(root)
    assert "absent" not in found.text
    (root / "tasks.yaml").write_text(found.text)
    assert Folder(root).splits() == {"train": ("0", "1"), "val": ("2", "3")}
    (root / "val.csv").write_text("image,label\n2.jpg,2.png\nimage,label\n")
    with pytest.raises(SampleError, match=r"1 of 2 are not: image,label"):
        Folder(root).splits()


def test_names_that_are_not_there_are_skipped_if_told(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    (root / "train.txt").write_text("0001\r\n0002 semantic/0002.png\r\nnobody\r\n")
    text = (root / "tasks.yaml").read_text()
    (root / "tasks.yaml").write_text(f"{text}splits: {{lists: {{train: train.txt}}}}\n")
    with pytest.raises(SampleError, match=r"1 of 3 are not: nobody.*absent: skip"):
        Folder(root).splits()
    (root / "tasks.yaml").write_text(
        f"{text}splits: {{lists: {{train: train.txt}}, absent: skip}}\n"
    )
    assert Folder(root).splits() == {"train": ("0001", "0002")}
    assert any("1 name in lists of splits, of no image" in r for r in Folder(root).remarks())


def test_two_files_that_a_list_may_mean(tmp_path: Path) -> None:
    for scene in ("a", "b"):
        for number in range(3):
            save(tmp_path / "rgb" / scene / f"{number}.jpg", picture(number))
            save(tmp_path / "depth" / scene / f"{number}.png", depth(number))
    (tmp_path / "train.txt").write_text("a/0\na/1\nb/0\n")
    (tmp_path / "val.txt").write_text("2\n")
    (tmp_path / "tasks.yaml").write_text(
        "images: rgb/{scene}/{stem}.jpg\nsplits: {lists: {train: train.txt}}\n"
        "tasks:\n  depth: {kind: depth, scale: 0.001, files: 'depth/{scene}/{stem}.png'}\n"
    )
    assert Folder(tmp_path).splits() == {"train": ("a_0", "a_1", "b_0")}
    text = (tmp_path / "tasks.yaml").read_text().replace("train.txt", "val.txt")
    (tmp_path / "tasks.yaml").write_text(text)
    with pytest.raises(SampleError, match="1 of 1 are not: 2"):
        Folder(tmp_path).splits()


def test_endings_and_forms_of_unicode(tmp_path: Path) -> None:
    root = _labels(tmp_path, "semantic", semantic)
    (root / "rgb" / "0.jpg").rename(root / "rgb" / "café.jpg")
    (root / "semantic" / "0.png").rename(root / "semantic" / f"{nfd('café')}.PNG")
    found = propose(root)
    assert (found.tasks, found.unpaired) == ({"semantic": 4}, ())
    (root / "tasks.yaml").write_text(found.text)
    split = next(s for s, keys in Folder(root).splits().items() if "café" in keys)
    assert Folder(root).read(split, "café", ("semantic",)).labels


def test_pictures_that_may_be_the_images_alike(tmp_path: Path) -> None:
    for number in range(4):
        for side in ("left", "right"):
            save(tmp_path / side / f"{number}.jpg", picture(number))
        save(tmp_path / "mask" / f"{number}.png", mask(number))
    with pytest.raises(SourceNotFoundError, match="may be them alike"):
        propose(tmp_path)
    (tmp_path / "left").rename(tmp_path / "images")
    assert propose(tmp_path).tasks == {"mask": 4}
    (tmp_path / "right").rename(tmp_path / "images_small")
    found = propose(tmp_path)
    assert yaml.safe_load(found.text)["images"] == "images/{stem}.jpg"
    assert found.left_out == {
        "images_small/{stem}.jpg": "by its name it holds images, and others were taken"
    }
    (tmp_path / "images_small").rename(tmp_path / "rgb")
    with pytest.raises(SourceNotFoundError, match="Move or rename those that are not meant"):
        propose(tmp_path)


def test_pipes_are_not_waited_for_and_links_not_followed(tmp_path: Path) -> None:
    root = _labels(tmp_path / "mine", "semantic", semantic)
    os.mkfifo(root / "semantic" / "5.png")
    assert propose(root).tasks.get("semantic", 4) == 4
    (root / "semantic" / "5.png").unlink()
    save(tmp_path / "other.png", semantic(1))
    (root / "semantic" / "6.png").symlink_to(tmp_path / "other.png")
    with pytest.raises(SampleError, match=r"6.png: .*link"):
        propose(root)


def test_many_files_take_seconds(tmp_path: Path) -> None:
    jpeg, png = as_jpeg(picture(1)), tmp_path / "one.png"
    Image.fromarray(semantic(1)).save(png)
    content = png.read_bytes()
    png.unlink()
    for folder, suffix, data in (("rgb", "jpg", jpeg), ("semantic", "png", content)):
        (tmp_path / folder).mkdir()
        for number in range(2000):
            (tmp_path / folder / f"{number:05d}.{suffix}").write_bytes(data)
    before = time.process_time()
    assert propose(tmp_path).tasks == {"semantic": 2000}
    assert time.process_time() - before < 10


@pytest.mark.parametrize(
    ("text", "names", "colours"),
    [
        ("# label:color_rgb:parts:actions\ncar:1,2,3::\nsky:4,5,6::\n", [], ["#010203", "#040506"]),
        ("1 2 3\tcar\n4 5 6\tsky\n", [], ["#010203", "#040506"]),
        ("name,r,g,b\ncar,1,2,3\nsky,4,5,6\n", [], ["#010203", "#040506"]),
        ("__ignore__\n_background_\ncar\n", ["_background_", "car"], []),
        ("0 road\n1 sky\n", ["road", "sky"], []),
        ("car\ncar\n", None, None),
    ],
)
def test_lists_of_classes(text: str, names: list[str] | None, colours: list[str] | None) -> None:
    found = parse_list(text, "labels.txt")
    if names is None or colours is None:
        assert found is None
    else:
        assert found is not None
        assert list(found.names.values()) == names
        assert list(found.colours.values()) == colours


def test_the_picture_shows_what_would_be_read(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine")
    sheet = tmp_path / "sheet.png"
    result = CliRunner().invoke(
        mtdata, ["init", str(root), "--overwrite", "--look", str(sheet)], catch_exceptions=False
    )
    assert result.exit_code == 0
    with Image.open(sheet) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] > pixels.shape[0] / 2
    white = (pixels == (255, 255, 255)).all(-1)
    assert white.mean() < 0.7
    # On and off of the mask, in the last rows; black is nothing that the page has of itself.
    assert (pixels[-300:] == 0).all(-1).mean() > 0.1
