"""What annotation tools write becomes a proposal, a store, and the pixels that were drawn."""

import json
import shutil
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.sources.folder.annotations import FORMATS
from mtdata.sources.folder.source import Folder
from mtdata.store import open_store
from tests.trees.annotated import (
    CLASSES,
    SIZE,
    WRITERS,
    coco,
    corners,
    cvat,
    drawn,
    expected,
    labelme,
    ring,
    runs,
    save_images,
    write_coco,
    write_cvat,
    write_labelme,
)
from tests.trees.folder import picture, save

Captured = pytest.CaptureFixture[str]


def _init(root: Path, *more: str) -> dict[str, Any]:
    assert run(mtdata, ["init", str(root), *more]) == 0
    content: dict[str, Any] = yaml.safe_load((root / "tasks.yaml").read_text())
    return content


def _rewrite(root: Path, **task: Any) -> Folder:
    """Change the proposal of the task `semantic`; None removes a key."""
    path = root / "tasks.yaml"
    content = yaml.safe_load(path.read_text())
    content["tasks"]["semantic"].update(task)
    content["splits"] = {"fraction": 1e-9, "seed": 0}
    path.write_text(yaml.safe_dump(content))
    return Folder(root)


def _read(root: Path, key: str = "a", **task: Any) -> Any:
    """Label of an image as -1 for void; None where it has none."""
    sample = _rewrite(root, **task).read("train", key, ("semantic",))
    if "semantic" not in sample.labels:
        return None
    return np.where(sample.valid["semantic"], sample.labels["semantic"].astype(int), -1)


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("asked", [True, False])
def test_init_build_info(form: str, asked: bool, tmp_path: Path, capsys: Captured) -> None:
    root, out = WRITERS[form](tmp_path / "mine"), tmp_path / "a.h5"
    content = _init(root, *(["--dataset", form] if asked else []))
    told = " ".join(capsys.readouterr().err.split())
    assert f"Took the annotations of {form} at" in told
    task = content["tasks"]["semantic"]
    assert task["format"] == form
    assert tuple(task["classes"]) == CLASSES
    assert content["tasks"]["depth"]["kind"] == "depth"
    arguments = ["--source", str(root), "--out", str(out), "--jobs", "1"]
    assert run(mtdata, ["build", "--dataset", "folder", *arguments]) == 0
    capsys.readouterr()
    assert run(mtdata, ["info", str(out), "--json"]) == 0
    splits = json.loads(capsys.readouterr().out)["splits"].values()
    assert sum(each["labels"]["semantic"] for each in splits) == 2
    assert sum(each["labels"]["depth"] for each in splits) == 2
    assert sum(each["images"] for each in splits) == 3
    assert run(mtdata, ["verify", str(out)]) == 0
    with open_store(out) as store:
        assert tuple(store.task("semantic").kind.names) == CLASSES  # type: ignore[attr-defined]
        for split in store.splits.values():
            for key in set(split.keys) & set("ab"):
                row = split.read(split.index(key), ("semantic",))
                np.testing.assert_array_equal(row.labels["semantic"], expected()[key])
                valid = np.ones(SIZE, np.bool_)
                valid[:2, :2] = (form, key) != ("coco-masks", "b")  # a box without an outline
                np.testing.assert_array_equal(row.valid["semantic"], valid)


@pytest.mark.parametrize("form", WRITERS)
def test_what_is_not_drawn_is_a_choice(form: str, tmp_path: Path) -> None:
    root = WRITERS[form](tmp_path)
    _init(root)
    found = _read(root)
    np.testing.assert_array_equal(found, expected()["a"])
    np.testing.assert_array_equal(_read(root, uncovered="void"), np.where(found == 0, -1, found))
    np.testing.assert_array_equal(_read(root, uncovered="dog"), np.where(found == 0, 2, found))


@pytest.mark.parametrize("form", WRITERS)
def test_labels_may_be_joined_voided_or_skipped(form: str, tmp_path: Path) -> None:
    root = WRITERS[form](tmp_path)
    _init(root)
    both: Any = {"classes": ["background", "animal"], "labels": {"cat": "animal", "dog": "animal"}}
    np.testing.assert_array_equal(_read(root, **both), expected()["a"] > 0)
    only: Any = {"classes": ["background", "cat"], "labels": {}}
    want = np.where(ring(), -1, expected()["a"].astype(int))
    np.testing.assert_array_equal(_read(root, **only, void=["dog"]), want)
    np.testing.assert_array_equal(_read(root, **only, void=[], unlisted="void"), want)
    np.testing.assert_array_equal(_read(root, unlisted="skip"), expected()["a"] > 0)


def test_images_without_annotations_miss_the_label_or_are_all_uncovered(tmp_path: Path) -> None:
    for form in ("coco-masks", "cvat"):
        root = WRITERS[form](tmp_path / form)
        _init(root)
        assert _read(root, "c") is None
        assert not _read(root, "c", unannotated="uncovered").any()
    root = write_labelme(tmp_path / "labelme")
    _init(root)
    (root / "images" / "c.json").write_text(json.dumps(labelme("c")))
    assert _read(root, "c") is None
    assert not _read(root, "c", unannotated="uncovered").any()


def test_images_that_were_looked_at_and_not_annotated_are_left_out(
    tmp_path: Path, capsys: Captured
) -> None:
    """A tool writes a file without shapes for each."""
    root = write_labelme(tmp_path / "mine")
    shutil.rmtree(root / "depth_mm")
    (root / "images" / "c.json").write_text(json.dumps(labelme("c")))
    assert _init(root)["unlabelled"] == "skip"
    told = capsys.readouterr().err
    assert "1 of 3 images without a label" in told
    arguments = ["--source", str(root), "--out", str(tmp_path / "a.h5"), "--jobs", "1", "--json"]
    assert run(mtdata, ["build", "--dataset", "folder", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(each["images"] for each in found["splits"].values()) == 2
    assert [each["key"] for each in found["skipped"]] == ["c"]
    assert run(mtdata, ["init", str(root), "--overwrite", "--look", str(tmp_path / "a.png")]) == 0
    assert (tmp_path / "a.png").exists()


def test_the_order_of_coco(tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    task = _init(root)["tasks"]["semantic"]
    assert task["order"] == "larger-first"
    assert (_read(root, order="listed")[1:7, 1:9] == 1).all()


def test_a_crowd_is_drawn_or_void(tmp_path: Path) -> None:
    content = coco()
    content["annotations"][0]["iscrowd"] = 1
    root = write_coco(tmp_path, content)
    _init(root)
    np.testing.assert_array_equal(_read(root), expected()["a"])
    want = np.where(ring(), -1, expected()["a"].astype(int))
    np.testing.assert_array_equal(_read(root, crowd="void"), want)


def test_runs_of_coco_as_a_list(tmp_path: Path) -> None:
    root = write_coco(tmp_path, coco(rle={"size": list(SIZE), "counts": runs(ring().T.ravel())}))
    _init(root)
    np.testing.assert_array_equal(_read(root), expected()["a"])


def test_coco_by_year(tmp_path: Path, capsys: Captured) -> None:
    """As COCO itself lies: a folder and a file for each split, other annotations beside them."""
    content = coco()
    for split in ("train2017", "val2017"):
        save_images(tmp_path, split)
        name = f"annotations/instances_{split}.json"
        write_coco(tmp_path / "other", content, name)
        (tmp_path / "annotations").mkdir(exist_ok=True)
        (tmp_path / "other" / name).rename(tmp_path / name)
        captions = {"images": content["images"], "annotations": [{"id": 1, "image_id": 3}]}
        (tmp_path / f"annotations/captions_{split}.json").write_text(json.dumps(captions))
        people = {**content, "categories": [{"id": 90, "name": "person"}, {"id": 18, "name": "x"}]}
        (tmp_path / f"annotations/person_keypoints_{split}.json").write_text(json.dumps(people))
    shutil.rmtree(tmp_path / "other")
    shutil.rmtree(tmp_path / "depth_mm")
    found = _init(tmp_path)
    assert found["splits"] == {"folders": {"train": "train2017", "val": "val2017"}}
    assert found["tasks"]["semantic"]["files"] == "annotations/instances_{split}.json"
    assert "person_keypoints_{split}.json" in capsys.readouterr().err
    source = Folder(tmp_path)
    assert source.splits() == {"train": ("a", "b"), "val": ("a", "b")}
    label = source.read("val", "a", ("semantic",)).labels["semantic"]
    np.testing.assert_array_equal(label, expected()["a"])


def test_names_with_folders_tell_images_apart(tmp_path: Path) -> None:
    content = coco()
    for image in content["images"]:
        image["file_name"] = f"one\\{image['file_name']}"
    root = write_coco(tmp_path, content)
    shutil.rmtree(root / "depth_mm")
    save_images(root, "images/one")
    for key in "abc":
        (root / "images" / f"{key}.jpg").unlink()
        save(root / "images" / "two" / f"{key}.jpg", picture(9, SIZE))
    shutil.rmtree(root / "depth_mm")
    _init(root)
    source = Folder(root)
    (split,) = [s for s, keys in source.splits().items() if "one_a" in keys]
    label = source.read(split, "one_a", ("semantic",)).labels["semantic"]
    np.testing.assert_array_equal(label, expected()["a"])
    assert not any("two_a" in keys for keys in source.splits().values())


@pytest.mark.parametrize("form", ["coco-masks", "cvat"])
@pytest.mark.parametrize("before", ["data/images/", "/home/me/images/", "C:\\me\\images\\"])
def test_names_may_have_the_folders_of_another_machine(
    form: str, before: str, tmp_path: Path
) -> None:
    root = WRITERS[form](tmp_path)
    (file,) = [*root.rglob("*.json"), *root.rglob("*.xml")]
    written = json.dumps(before)[1:-1] if file.suffix == ".json" else before
    file.write_text(file.read_text().replace('"a.jpg"', f'"{written}a.jpg"'))
    _init(root)
    np.testing.assert_array_equal(_read(root), expected()["a"])


def test_a_longer_name_is_of_no_image_that_has_one(tmp_path: Path) -> None:
    content = coco()
    content["images"][0]["file_name"] = "old/images/b.jpg"
    content["images"][1]["file_name"] = "images/b.jpg"
    root = write_coco(tmp_path, content)
    _init(root)
    assert Folder(root).layout.orphans["semantic"] == ("old/images/b.jpg",)


def test_annotations_of_other_images_say_which(tmp_path: Path, capsys: Captured) -> None:
    content = coco()
    for image in content["images"]:
        image["file_name"] = f"val/{image['file_name']}"
    root = write_coco(tmp_path, content)
    shutil.rmtree(root / "depth_mm")
    assert run(mtdata, ["init", str(root)]) == 3
    assert "it names none (val/a.jpg, ...)" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize(("there", "said"), [("e\u0301.jpg", "\u00e9.jpg"), ("E.JPG", "E.jpg")])
def test_names_may_be_spelt_in_another_way(
    form: str, there: str, said: str, tmp_path: Path
) -> None:
    """Letters that Unicode composes, as macOS does not, and endings in capital letters."""
    root = WRITERS[form](tmp_path)
    (root / "images" / "a.jpg").rename(root / "images" / there)
    for file in [*root.rglob("*.json"), *root.rglob("*.xml")]:
        file.write_text(file.read_text().replace("a.jpg", said))
    if form == "labelme":
        (root / "images" / "a.json").rename((root / "images" / said).with_suffix(".json"))
    _init(root)
    np.testing.assert_array_equal(_read(root, said.removesuffix(".jpg")), expected()["a"])


def test_what_has_no_area_is_counted(tmp_path: Path, capsys: Captured) -> None:
    want = {
        "coco-masks": ["dog without a segmentation"],
        "labelme": ["linestrip leash", "point nose"],
        "cvat": ["points nose", "tag indoors"],
    }
    for form, names in want.items():
        root, out = WRITERS[form](tmp_path / form), str(tmp_path / f"{form}.h5")
        _init(root)
        text = ", ".join(f"1 {name}" for name in names)
        assert f"no area are skipped: {text}" in " ".join(capsys.readouterr().err.split())
        arguments = ["--source", str(root), "--out", out, "--jobs", "1"]
        assert run(mtdata, ["build", "--dataset", "folder", *arguments]) == 0
        text = ", ".join(f"{name} (1 image)" for name in names)
        assert f"are not drawn: {text}." in " ".join(capsys.readouterr().err.split())


def test_what_lies_in_a_box_and_has_no_outline_is_void(tmp_path: Path) -> None:
    content = coco()
    content["annotations"] += [
        {"id": 5, "image_id": 3, "category_id": 18, "segmentation": [], "bbox": [0, 0, 3, 99]},
        {"id": 6, "image_id": 3, "category_id": 18, "bbox": [1, "a", None, 2]},
    ]
    root = write_coco(tmp_path, content)
    _init(root)
    want = expected()["a"].astype(int)
    want[:, :3][want[:, :3] == 0] = -1
    np.testing.assert_array_equal(_read(root), want)
    only: Any = {"classes": ["background", "cat"], "unlisted": "skip"}
    np.testing.assert_array_equal(_read(root, **only), expected()["a"] > 0)


@pytest.mark.parametrize("kind", ["rectangle", "oriented_rectangle", "rotation"])
def test_four_points_are_corners(kind: str, tmp_path: Path) -> None:
    """As labelme and X-AnyLabeling write boxes, upright or turned."""
    root = write_labelme(tmp_path)
    _init(root)
    turned = [[5, 0], [9, 4], [5, 8], [1, 4]]
    shapes = [drawn("cat", turned, name, direction=0.8) for name in ("polygon", kind)]
    found = []
    for shape in shapes:
        (root / "images" / "a.json").write_text(json.dumps(labelme("a", shape)))
        found.append(_read(root))
    np.testing.assert_array_equal(*found)
    assert found[0].any()


def test_circles_turned_boxes_and_masks(tmp_path: Path) -> None:
    root = write_labelme(tmp_path / "labelme")
    _init(root)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    circle = labelme("a", drawn("cat", [[5, 4], [5, 7.1]], "circle"))
    (root / "images" / "a.json").write_text(json.dumps(circle))
    np.testing.assert_array_equal(_read(root), np.hypot(x - 5, y - 4) < 3.1)

    save(tmp_path / "mask.png", ring()[2:6, 3:8].astype(np.uint8))
    text = b64encode((tmp_path / "mask.png").read_bytes()).decode()
    masked = labelme("a", drawn("cat", [[3, 2], [7, 5]], "mask", mask=text))
    (root / "images" / "a.json").write_text(json.dumps(masked))
    np.testing.assert_array_equal(_read(root), ring())


@pytest.mark.parametrize("angle", [0, 30, 90, 200])
def test_shapes_of_cvat_are_turned_clockwise(angle: int, tmp_path: Path) -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    turn = np.deg2rad(angle)
    along = (x - 5) * np.cos(turn) + (y - 4) * np.sin(turn)
    across = (y - 4) * np.cos(turn) - (x - 5) * np.sin(turn)
    box = f'<box label="x" xtl="2.1" ytl="2.6" xbr="7.9" ybr="5.4" rotation="{angle}" z_order="9"/>'
    root = write_cvat(tmp_path / "box", cvat(box))
    _init(root)
    want = (abs(along) < 2.9) & (abs(across) < 1.4)
    np.testing.assert_array_equal(_read(root) == 3, want)
    ellipse = f'<ellipse label="x" cx="5" cy="4" rx="3.3" ry="1.7" rotation="{angle}" z_order="9"/>'
    root = write_cvat(tmp_path / "ellipse", cvat(ellipse))
    _init(root)
    want = (along / 3.3) ** 2 + (across / 1.7) ** 2 < 1
    np.testing.assert_array_equal(_read(root) == 3, want)


def test_update_reads_what_changed_in_a_file_of_all(tmp_path: Path, capsys: Captured) -> None:
    root, out = write_coco(tmp_path / "mine"), tmp_path / "a.h5"
    _init(root)
    _rewrite(root)
    arguments = ["--source", str(root), "--out", str(out), "--jobs", "1"]
    assert run(mtdata, ["build", "--dataset", "folder", *arguments]) == 0
    content = coco()
    more = {"id": 9, "image_id": 17, "category_id": 90, "segmentation": [corners(0, 0, 4, 4)]}
    content["annotations"].append(more)
    (root / "annotations" / "instances.json").write_text(json.dumps(content))
    capsys.readouterr()
    assert run(mtdata, ["update", str(out), "--source", str(root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == {"semantic": 1}
    content["annotations"].pop(1)
    (root / "annotations" / "instances.json").write_text(json.dumps(content))
    assert run(mtdata, ["update", str(out), "--source", str(root)]) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert "train/a" in told
    assert "train/b" not in told


def test_every_format_is_tried() -> None:
    assert set(WRITERS) == set(FORMATS)
    assert all(FORMATS[name].name == name for name in FORMATS)
