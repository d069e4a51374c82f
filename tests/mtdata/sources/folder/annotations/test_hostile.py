"""Whatever a file of annotations holds, a build says in one paragraph what is wrong where."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.sources.folder.annotations import base
from tests.trees.annotated import (
    SIZE,
    WRITERS,
    coco,
    cvat,
    drawn,
    labelme,
    write_coco,
    write_cvat,
    write_labelme,
)
from tests.trees.folder import picture, save

Captured = pytest.CaptureFixture[str]
Change = Callable[[dict[str, Any]], Any]


def _described(root: Path) -> None:
    """The proposal for the whole folder, all of it for training."""
    assert run(mtdata, ["init", str(root)]) == 0
    content = yaml.safe_load((root / "tasks.yaml").read_text())
    del content["splits"]
    (root / "tasks.yaml").write_text(yaml.safe_dump(content))


def _refusal(root: Path, capsys: Captured) -> str:
    """What a build says, which writes nothing that looks like a store."""
    out = root.parent / "out" / "a.h5"
    capsys.readouterr()
    arguments = ["--source", str(root), "--out", str(out), "--jobs", "1"]
    assert run(mtdata, ["build", "--dataset", "folder", *arguments]) == 3
    assert not out.exists()
    told = capsys.readouterr().err
    assert told.count("Error:") == 1
    assert "Traceback" not in told
    return " ".join(told.partition("Error:")[2].split())


def _shape(**change: Any) -> Change:
    return lambda file: file["annotations"][1].update(change)


def _polygon(*values: Any) -> Change:
    return _shape(segmentation=[list(values)])


def _rle(counts: Any, size: Any = SIZE) -> Change:
    return _shape(segmentation={"counts": counts, "size": list(size)})


NEAR = "annotation 2: points should lie in the image, 8x10, or near to it; found x "
COCO: dict[str, tuple[Change, str]] = {
    "nan": (_polygon(float("nan"), 1, 2, 3, 4, 5), "annotation 2: should hold numbers below"),
    "huge": (_polygon(1e308, 1, 2, 3, 4, 5), "numbers below 1e9; found 1e+308"),
    "far": (_polygon(1e6, 1, 2, 3, 4, 5), NEAR + "1e+06"),
    "text": (_polygon("1", 1, 2, 3, 4, 5), "below 1e9; found '1'"),
    "two points": (_polygon(1, 1, 2, 2), "a polygon should have 3 to 100000 points; found 2"),
    "odd": (_polygon(1, 1, 2, 2, 3, 3, 4), "should be a list [x, y, x, y, ...]; found [1, 1"),
    "many points": (_polygon(*[1, 2] * 1_500_000), "points; found 1500000"),
    "no polygon": (_shape(segmentation="x"), "`segmentation` should be polygons or RLE; found 'x'"),
    "runs": (_rle([5, 70]), "annotation 2: the runs of a mask of 10x8 should be 80 pixels in all"),
    "negative": (_rle([-5, 85]), "none negative; found 80"),
    "endless runs": (_rle([10**30]), f"none negative; found {10**30}"),
    "cut off": (_rle("T"), "its RLE should end with a whole number"),
    "no runs": (_rle("é"), "its RLE should be compressed as COCO does; found 'é'"),
    "runs of another size": (
        _rle([0, 10**12], (10**6, 10**6)), "`size` of its RLE should be that of the image, [8, 10]"
    ),
    "crowd": (_shape(iscrowd=7), "annotation 2: `iscrowd` should be 0 or 1; found 7"),
    "no image": (_shape(image_id=4), "annotation 2: `image_id` should be an id that there is; fo"),
    "no category": (_shape(category_id=None), "`category_id` should be an id that there is; "),
    "unknown": (
        lambda f: f["categories"].append({"id": 5, "name": "dgo"}) or _shape(category_id=5)(f),
        "annotation 2: There is no class `dgo`. Did you mean `dog`? Known: background, cat, dog",
    ),
    "two of an id": (
        lambda f: f["images"].append(f["images"][0]), "image 3: should have an id of its own"
    ),
    "two of a name": (
        lambda f: f["images"].append({**f["images"][0], "id": 99}),
        "image 99: should have a name of its own; a.jpg is there twice",
    ),
    "two ways to an image": (
        lambda f: f["images"].append({**f["images"][0], "id": 99, "file_name": "images/a.jpg"})
        or _shape(image_id=99)(f),
        "images/a.jpg should name an image of its own; another entry names it already",
    ),
    "another size": (
        lambda f: f["images"][0].update(height=10, width=10) or f["annotations"].pop(0),
        "instances.json: image a.jpg: should say the size of its image, 8x10; it says 10x10",
    ),
    "no size": (lambda f: f["images"][0].pop("width"), "image 3: should say the height and width"),
    "gigapixels": (
        lambda f: f["images"][0].update(height=10**5, width=10**5),
        "image 3: an image should have at most 67108864 pixels; 100000x100000 are more",
    ),
    "no lists": (lambda f: f.pop("categories"), "should hold the lists images, annotations, categ"),
    "no object": (lambda f: f["annotations"].append(7), "annotation number 4: should be an obj"),
    "other images": (
        lambda f: [i.update(file_name=f"x{i['file_name']}") for i in f["images"]],
        "for the images at images/{stem}.jpg; annotations/instances.json names none of them",
    ),
    "no shapes": (lambda f: f["annotations"].clear(), "or none with a shape that has an area"),
    "layers": (
        lambda f: f["annotations"].extend(f["annotations"][1:2] * 2000),
        "shapes should cover their image at most 1000 times",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COCO)
def test_coco(name: str, tmp_path: Path, capsys: Captured) -> None:
    change, text = COCO[name]
    root = write_coco(tmp_path / "mine")
    _described(root)
    content = coco()
    change(content)
    path = root / "annotations" / "instances.json"
    path.write_text(json.dumps(content))
    told = _refusal(root, capsys)
    assert text in told
    assert "instances.json" in told


WHOLE: dict[str, tuple[str | bytes, str]] = {
    "no json": ("{", "should be JSON; line 1, column 2 is no JSON"),
    "levels": ("[" * 200_000 + "]" * 200_000, "should be JSON; its lists and objects lie too deep"),
    "long number": (
        '{"images": ' + "1" * 10_000 + "}",
        "a number has too many digits",
    ),
    "no text": (b"\xff\xfe", "its byte 0 is of no text in UTF-8"),
    "nothing": ("", "should be JSON"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_no_coco_at_all(name: str, tmp_path: Path, capsys: Captured) -> None:
    content, text = WHOLE[name]
    root = write_coco(tmp_path / "mine")
    _described(root)
    path = root / "annotations" / "instances.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert text in _refusal(root, capsys)


def test_a_file_that_is_too_large(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_coco(tmp_path / "mine")
    _described(root)
    monkeypatch.setattr(base, "LARGEST", 100)
    assert "should have at most 100 bytes; it has" in _refusal(root, capsys)


def test_a_link_out_of_the_folder(tmp_path: Path, capsys: Captured) -> None:
    root = write_coco(tmp_path / "mine")
    _described(root)
    path = root / "annotations" / "instances.json"
    path.rename(tmp_path / "else.json")
    path.symlink_to(tmp_path / "else.json")
    assert "should lie in the source folder; it is a link" in _refusal(root, capsys)
    path.unlink()
    assert "should hold annotations of `semantic` at annotations/inst" in _refusal(root, capsys)


ENTITIES = """<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>"""
FETCHED = """<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>"""
CVAT = {
    "entities": (cvat(head=ENTITIES), "should have no DOCTYPE; found that of 'a'"),
    "other file": (cvat(head=FETCHED), "should have no DOCTYPE"),
    "cut": (cvat()[:-40], "should be XML; unclosed token"),
    "video": ("<annotations><track/></annotations>", 'as "CVAT for video 1.1" has them'),
    "no image": ("<annotations/>", "should hold <image> in <annotations>; found none"),
    "empty": ("", "should be XML"),
    "levels": (
        cvat("<box>" * 100_000 + "</box>" * 100_000), "should have a few levels",
    ),
    "two of a name": (cvat().replace("b.jpg", "a.jpg"), "image '1': should have a name of its own"),
    "size": (cvat().replace('height="8"', 'height="9"'), "8x10; it says 9x10"),
    "no size": (cvat().replace('height="8"', ""), "image '0', `height`: should hold numbers"),
    "runs": (cvat().replace('rle="0, ', 'rle="1, '), "(<mask>): the runs of a mask of 4x5 should"),
    "no runs": (cvat().replace('rle="0, ', 'rle="x, '), "`rle` should be whole numbers; found"),
    "mask outside": (cvat().replace('left="3"', 'left="8"'), "a mask of 4x5 at row 2 and column 8"),
    "polygon": (cvat().replace("1.0,1.0;9.0,1.0;", ""), "3 to 100000 points; found 2"),
    "no point": (cvat().replace("1.0,1.0;9.0", "1.0;9.0"), "a polygon should be x,y;x,y;...; fo"),
    "nan": (cvat().replace("1.0,1.0;9.0", "nan,1.0;9.0"), "numbers below 1e9; found nan"),
    "order": (cvat().replace('z_order="1"', 'z_order="1.5"'), "`z_order` should be a whole number"),
    "label": (cvat().replace('label="cat"', 'label="cta"'), "no class `cta`. Did you mean `cat`?"),
    "no label": (cvat().replace('<polygon label="cat"', "<polygon"), "should have a label that"),
}  # fmt: skip


@pytest.mark.parametrize("name", CVAT)
def test_cvat(name: str, tmp_path: Path, capsys: Captured) -> None:
    content, text = CVAT[name]
    root = write_cvat(tmp_path / "mine")
    _described(root)
    write_cvat(root, content)
    (root / "annotations.xml").write_text(content)
    told = _refusal(root, capsys)
    assert text in told
    assert "annotations.xml" in told


CAT = drawn("cat", [[1, 1], [9, 1], [9, 7]])
LABELME: dict[str, tuple[Any, str]] = {
    "no shapes": ({"version": 1}, "should hold the list `shapes`"),
    "a list": ([], "should hold the list `shapes`"),
    "label": (labelme("a", CAT | {"label": "caat"}), "shape 0: There is no class `caat`. Did y"),
    "no label": (labelme("a", CAT | {"label": None}), "shape 0: should have a label; found None"),
    "kind": (labelme("a", CAT | {"shape_type": "polygn"}), "that this version knows (polygon, rec"),
    "corners": (
        labelme("a", CAT | {"shape_type": "oriented_rectangle"}), "should have 4 points; found 3",
    ),
    "points": (labelme("a", CAT | {"points": [[1, 1], [2, 2]]}), "3 to 100000 points; found 2"),
    "odd label": (labelme("a", CAT | {"label": "\ud800"}), "should have a label that can be"),
    "no points": (labelme("a", CAT | {"points": [[1], 2]}), "`points` should be a list of [x, y]"),
    "nan": (labelme("a", CAT | {"points": [[float("nan"), 1]] * 3}), "below 1e9; found nan"),
    "circle": (labelme("a", CAT | {"shape_type": "circle"}), "a circle should have 2 points; foun"),
    "huge circle": (
        labelme("a", drawn("cat", [[5, 5], [1e8, 5]], "circle")), "points should lie in the image",
    ),
    "mask": (
        labelme("a", drawn("cat", [[1, 1], [2, 2]], "mask", mask="$$")), "mask should be base64",
    ),
    "mask of text": (
        labelme("a", drawn("cat", [[1, 1], [2, 2]], "mask", mask="aGk=")), "its mask should be a",
    ),
    "size": (labelme("a", CAT, imageHeight=9), "a.json: should say the size of its image, 8x10"),
    "other image": (labelme("b", CAT), "should be of the image a.jpg; its `imagePath` is b.jpg"),
    "way out": (
        labelme("a", CAT, imagePath="../../a.jpg"), "`imagePath`: should name an image in the f",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LABELME)
def test_labelme(name: str, tmp_path: Path, capsys: Captured) -> None:
    content, text = LABELME[name]
    root = write_labelme(tmp_path / "mine")
    _described(root)
    (root / "images" / "a.json").write_text(json.dumps(content))
    told = _refusal(root, capsys)
    assert text in told
    assert "images/a.json" in told


def test_a_labelme_file_may_name_its_image_from_another_folder(tmp_path: Path) -> None:
    root = write_labelme(tmp_path / "mine")
    (root / "json").mkdir()
    for key in "ab":
        content = json.loads((root / "images" / f"{key}.json").read_text())
        content["imagePath"] = f"..\\images\\{key}.jpg"
        content["imageHeight"] = content["imageWidth"] = None  # as early versions
        (root / "images" / f"{key}.json").unlink()
        (root / "json" / f"{key}.json").write_text(json.dumps(content))
    _described(root)
    arguments = ["--source", str(root), "--out", str(tmp_path / "a.h5"), "--jobs", "1"]
    assert run(mtdata, ["build", "--dataset", "folder", *arguments]) == 0


def test_one_bad_entry_costs_one_image(tmp_path: Path, capsys: Captured) -> None:
    root, content = write_coco(tmp_path / "mine"), coco()
    _described(root)
    content["annotations"][1]["segmentation"] = [[1, 1, 2, 2]]
    (root / "annotations" / "instances.json").write_text(json.dumps(content))
    arguments = ["--source", str(root), "--out", str(tmp_path / "a.h5"), "--jobs", "1"]
    build = ["build", "--dataset", "folder", *arguments, "--on-error", "skip", "--json"]
    capsys.readouterr()
    assert run(mtdata, build) == 0
    (skipped,) = json.loads(capsys.readouterr().out)["skipped"]
    assert (skipped["split"], skipped["key"]) == ("train", "a")


@pytest.mark.parametrize("form", ["coco-masks", "cvat"])
@pytest.mark.parametrize("name", ["../../etc/passwd", "/a.jpg", "C:\\a.jpg", ""])
def test_a_bad_name_of_an_image_costs_that_image(
    form: str, name: str, tmp_path: Path, capsys: Captured
) -> None:
    root = WRITERS[form](tmp_path / "mine")
    _described(root)
    content = coco()
    for number in (0, 2):
        content["images"][number]["file_name"] = name
    if form == "cvat":
        text = cvat().replace('"a.jpg"', f'"{name}"').replace('"c.jpg"', f'"{name}"')
        (root / "annotations.xml").write_text(text)
    else:
        write_coco(root, content)
    content = yaml.safe_load((root / "tasks.yaml").read_text())
    (root / "tasks.yaml").write_text(yaml.safe_dump({**content, "unlabelled": "keep"}))
    arguments = ["--source", str(root), "--out", str(tmp_path / "a.h5"), "--jobs", "1"]
    capsys.readouterr()
    assert run(mtdata, ["build", "--dataset", "folder", *arguments, "--json"]) == 0
    told = capsys.readouterr()
    assert "1 label of semantic without an image" in " ".join(told.err.split())
    assert (name or "'' (image") in told.err
    assert json.loads(told.out)["splits"]["train"]["labels"]["semantic"] == 1


def test_an_entry_at_fault_is_told_with_its_image(tmp_path: Path, capsys: Captured) -> None:
    root, content = write_coco(tmp_path / "mine"), coco()
    _described(root)
    for number in (1, 2):
        content["annotations"][number]["segmentation"] = [[1, 1, 2, 2]]
    (root / "annotations" / "instances.json").write_text(json.dumps(content))
    told = _refusal(root, capsys)
    assert "annotation 2: a polygon should have 3" in told
    assert "instances.json: image a.jpg, " in told
    assert "instances.json: image b.jpg." in told
    write_coco(root)
    exif = Image.Exif()
    exif[0x0112] = 3
    for key in "ab":
        path = root / "images" / f"{key}.jpg"
        Image.open(path).save(path, exif=exif)
    (tmp_path / "out" / "a.h5.partial").unlink()
    told = _refusal(root, capsys)
    assert "2 files" in told
    assert "instances.json: image a.jpg, " in told
    assert "instances.json: image b.jpg." in told


def test_init_says_why_annotations_are_not_taken(tmp_path: Path, capsys: Captured) -> None:
    video = "<annotations><track/></annotations>"
    root = write_cvat(tmp_path / "video", video)
    (root / "package.json").write_text('{"name": "of something else"}')
    assert run(mtdata, ["init", str(root)]) == 0  # of the depth
    told = " ".join(capsys.readouterr().err.split())
    assert "Left out: cvat annotations.xml: should hold <image> in <annotations>; found" in told
    assert "package.json" not in told
    root = write_labelme(tmp_path / "kinds")
    for key in "ab":
        file = root / "images" / f"{key}.json"
        file.write_text(json.dumps(labelme(key, CAT | {"shape_type": "cuboid"})))
    assert run(mtdata, ["init", str(root)]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "Left out: labelme images/{stem}.json: a.json: shape 0: its `shape_type` should" in told
    content = coco()
    for number, each in enumerate(content["images"]):
        each["file_name"] = f"{number}.png"
    root = write_coco(tmp_path / "names", content)
    assert run(mtdata, ["init", str(root)]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "Left out: coco-masks annotations/instances.json: should name images of this" in told


def test_init_says_what_a_build_would_refuse(tmp_path: Path, capsys: Captured) -> None:
    content = coco()
    for each in content["images"]:
        each["height"] = 9
    content["annotations"].pop(0)
    root = write_coco(tmp_path / "mine", content)
    assert run(mtdata, ["init", str(root)]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "A build would refuse this folder as it is:" in told
    assert "image a.jpg: should say the size of its image, 8x10; it says 9x10" in told
    assert "It refuses 2 of " in told


def test_annotations_of_images_that_are_not_there_are_told(
    tmp_path: Path, capsys: Captured
) -> None:
    root = write_coco(tmp_path / "mine")
    _described(root)
    (root / "images" / "b.jpg").unlink()
    arguments = ["--source", str(root), "--out", str(tmp_path / "a.h5"), "--jobs", "1"]
    capsys.readouterr()
    assert run(mtdata, ["build", "--dataset", "folder", *arguments]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "1 label of semantic without an image: b.jpg" in told


def test_a_name_that_two_images_have(tmp_path: Path, capsys: Captured) -> None:
    root = write_coco(tmp_path / "mine")
    for number, scene in enumerate(("one", "two")):
        for key in "abc":
            save(root / "images" / scene / f"{key}.jpg", picture(number, SIZE))
    (root / "tasks.yaml").write_text(
        "images: images/{scene}/{stem}.jpg\ntasks:\n  semantic:\n    kind: classes\n"
        "    format: coco-masks\n    files: annotations/instances.json\n"
        "    classes: [background, cat, dog]\n"
    )
    told = _refusal(root, capsys)
    assert "a.jpg should name one image; there are several of that name" in told


def test_a_format_that_is_not_there(tmp_path: Path, capsys: Captured) -> None:
    root = write_coco(tmp_path / "mine")
    assert run(mtdata, ["init", str(root), "--dataset", "cvat"]) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert "should hold annotations of the format cvat for its images" in told
    assert run(mtdata, ["init", str(root), "--dataset", "coco"]) == 2
    assert "coco-masks" in capsys.readouterr().err
    (root / "annotations" / "instances.json").write_text("{")
    assert run(mtdata, ["init", str(root), "--dataset", "coco-masks"]) == 3
    assert "instances.json: should be JSON" in " ".join(capsys.readouterr().err.split())
    assert not (root / "tasks.yaml").exists()


YAML = {
    "format": ("format: coco-mask", "Did you mean `coco-masks`?"),
    "ending": ("files: a.xml", "`files` of coco-masks should end in .json"),
    "stem": ("files: '{stem}.json'", "a pattern should have {stem} once"),
    "out": ("files: ../a.json", "should be a path below the folder"),
    "star": ("files: 'a/*.json'", "should be a path, with {split} at most"),
    "split": ("files: '{split}.json'", "has {split} and `images` has not"),
    "class": ("uncovered: bird", "`uncovered` should be void or one of `classes`"),
    "nothing": ("unannotated: uncovered", "needs a class that is `uncovered`"),
    "label": ("labels: {kitty: bird}", "`bird` is none of the names in `classes`"),
    "key": ("unannotaded: missing", "Did you mean `unannotated`?"),
}


@pytest.mark.parametrize("name", YAML)
def test_a_wrong_description(name: str, tmp_path: Path, capsys: Captured) -> None:
    line, text = YAML[name]
    root = write_coco(tmp_path / "mine")
    task = {"kind": "classes", "format": "coco-masks", "files": "annotations/instances.json",
            "classes": ["background", "cat", "dog"], **yaml.safe_load(line)}  # fmt: skip
    content = {"images": "images/{stem}.jpg", "tasks": {"semantic": task}}
    (root / "tasks.yaml").write_text(yaml.safe_dump(content))
    told = _refusal(root, capsys)
    assert text in told
    assert "tasks.yaml" in told
