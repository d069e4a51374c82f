"""What is wrong with one's own folder or its `tasks.yaml` is said in one paragraph, by name."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtdata.errors import DataError, SampleError
from mtdata.sources.folder.file import parse
from mtdata.sources.folder.source import Folder
from tests.asserts import assert_folder_refused
from tests.trees.folder import (
    FILE,
    SIZE,
    depth,
    mask,
    picture,
    save,
    semantic,
    write_folder,
    write_task,
    write_turned,
)

Damage = Callable[[Path], object]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "mine")


def _yaml(root: Path, text: str) -> None:
    (root / "tasks.yaml").write_text(text)


def _lists(root: Path, train: str, test: str) -> Path:
    (root / "train.txt").write_text(train)
    (root / "test.txt").write_text(test)
    _yaml(root, f"{FILE}splits: {{lists: {{train: train.txt, test: test.txt}}}}\n")
    return root


def _link(root: Path, name: str) -> None:
    outside = root.parent / "outside"
    outside.mkdir(exist_ok=True)
    target = outside / Path(name).name
    shutil.move(root / name, target)
    (root / name).symlink_to(target)


LAYOUT: dict[str, tuple[Damage, str]] = {
    "no file": (lambda r: (r / "tasks.yaml").unlink(), "mtdata init"),
    "no images": (lambda r: shutil.rmtree(r / "rgb"), r"images at rgb/\{stem\}"),
    "no labels": (lambda r: shutil.rmtree(r / "depth"), r"labels of `depth` at depth/\{stem\}.png"),
    "other keys": (
        lambda r: [p.rename(p.with_name(f"x{p.name}")) for p in (r / "depth").iterdir()],
        r"\(`x0000`, ...\) match none of rgb/\{stem\}.\* \(`0000`",
    ),
    "two files": (
        lambda r: save(r / "rgb/0001.png", picture(1)), "second file for `0001`; .* rgb/0001.jpg",
    ),
    "two cases": (
        lambda r: [save(r / "rgb" / n, picture(1)) for n in ("B.jpg", "b.jpg")],
        "`B` and `b` differ in capital letters only",
    ),
    "case of a label": (
        lambda r: [save(r / "rgb/b.jpg", picture(1)), save(r / "mask/B.png", mask(1))],
        r"mask/B.png: .*`b` \(an image\) and `B`",
    ),
    "no label at all": (
        lambda r: (r / "mask/0005.png").unlink(), "0005.jpg: this image should have a label of sem",
    ),
    "link to a file": (lambda r: _link(r, "rgb/0001.jpg"), "rgb/0001.jpg: .*link to .*outside"),
    "link to a folder": (lambda r: _link(r, "depth"), "depth: .*link to .*outside"),
    "list of unknown": (
        lambda r: _lists(r, "0001\n0002\nnobody\n", "0003\n"),
        "train.txt: .*1 of 3 are not: nobody",
    ),
    "in two lists": (lambda r: _lists(r, "0001\n", "0002\n0001\n"), "is in train.txt already"),
    "no list": (
        lambda r: _yaml(r, f"{FILE}splits: {{lists: {{train: none.txt}}}}\n"),
        r"tasks.yaml, line \d+: the list of the split `train` .*; there is no .*none.txt",
    ),
    "linked list": (
        lambda r: _link(_lists(r, "0001\n", "0002\n"), "test.txt"), "test.txt: .*outside",
    ),
    "no folder of a split": (
        lambda r: _yaml(
            r,
            FILE.replace("rgb/", "'{split}/").replace(".*", ".*'")
            + "splits: {folders: {train: rgb, test: val}}\n",
        ),
        r"`test` should have images where .* `val`; .* depth, mask, normals, rgb, semantic",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUT)
def test_a_wrong_folder_is_refused_before_any_work(root: Path, name: str) -> None:
    damage, text = LAYOUT[name]
    damage(root)
    assert_folder_refused(Folder, root, DataError, text)


def test_a_key_in_two_splits_needs_labels_by_split(tmp_path: Path) -> None:
    for part in ("train", "test"):
        save(tmp_path / part / "a.png", picture(1))
    save(tmp_path / "mask" / "a.png", mask(1))
    _yaml(
        tmp_path,
        "images: '{split}/{stem}.png'\nsplits: {folders: {train: train, test: test}}\n"
        "tasks: {mask: {kind: binary, files: 'mask/{stem}.png'}}\n",
    )
    with pytest.raises(SampleError, match=r"`a` is in two splits.*\{split\}"):
        Folder(tmp_path).splits()


def test_links_inside_the_folder_are_followed(root: Path) -> None:
    os.replace(root / "rgb/0001.jpg", root / "elsewhere.jpg")
    (root / "rgb/0001.jpg").symlink_to(root / "elsewhere.jpg")
    assert Folder(root).read("train", "0001", ()).image.shape == (*SIZE, 3)


FILES: dict[str, tuple[str, str, str]] = {
    "unknown key": ("scale: 0.001", "scal: 1", "line 10: .*`scal`. Did you mean `scale`"),
    "unknown top": ("images:", "image:", "line 1: .*`image`. Did you mean `images`"),
    "unknown kind": ("kind: depth", "kind: dept", "line 7: `tasks.depth`: .*Did you mean `depth`"),
    "no kind": ("    kind: depth\n", "", "`tasks.depth` should say its `kind`"),
    "a list for a task": ("  depth:\n", "  other: [depth]\n  depth:\n", "should say its `kind`"),
    "a text for a task": ("  depth:\n", "  other: depth\n  depth:\n", "should say its `kind`"),
    "no files": ("    files: depth/{stem}.png\n", "", "`tasks.depth.files` should be given"),
    "no scale": ("    scale: 0.001\n", "", "0.001 for millimetres"),
    "millimetres": (
        "scale: 0.001",
        "units: mm",
        "line 10: .*for mm say `units: m` and `scale: 0.001`",
    ),
    "value": ("scale: 0.001", "scale: -1", "line 10: `tasks.depth.scale`: .*found -1"),
    "text": ("scale: 0.001", "scale: [1]", "line 10: `tasks.depth.scale`"),
    "boolean": ("lamp]", "yes]", r"line 6: `tasks.semantic.classes.3`.*found True \(YAML reads"),
    "brace": ("semantic/{stem}", "semantic/{name}", r"line 5: .*there is no \{name\}"),
    "no stem": ("depth/{stem}.png", "depth/a.png", r"\{stem\} once"),
    "format": ("depth/{stem}.png", "depth/{stem}.gif", ".png or .npy"),
    "up": ("depth/{stem}.png", "../depth/{stem}.png", "below the folder"),
    "absolute": ("depth/{stem}.png", "/depth/{stem}.png", "below the folder"),
    "twice": ("    scale: 0.001", "    scale: 1\n    scale: 2", "line 11: .*line 10 already"),
    "YAML": ("tasks:", "tasks: [", "should be YAML"),
    "scene": ("rgb/{stem}", "rgb/{scene}/{stem}", "should have the braces of `images`"),
    "split": ("rgb/{stem}", "{split}/{stem}", "go together|should be YAML"),
    "one class": ("[floor, wall, chair, lamp]", "[floor]", "2 to 254 names"),
    "colours": ("    classes: [", "    encoding: colours\n    classes: [", "needs a colour"),
    "task name": ("  depth:", "  2depth:", "`tasks.2depth.*a letter first"),
}


@pytest.mark.parametrize("name", FILES)
def test_an_error_in_the_file_names_line_and_key(root: Path, name: str) -> None:
    old, new, text = FILES[name]
    assert old in FILE
    _yaml(root, FILE.replace(old, new))
    with pytest.raises(DataError, match=text) as caught:
        Folder(root)
    assert str(caught.value).startswith(f"{root / 'tasks.yaml'}, line ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "3", "- a\n", "images: rgb/{stem}.*\ntasks: {}\n"])
def test_a_file_without_tasks(text: str) -> None:
    with pytest.raises(DataError, match=r"^tasks.yaml"):
        parse(text)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["classes: [a, b]", "ids: {3: c}"], "`c` is none of the names"),
        (["classes: [a, b]", "void: [[1, 2, 3]]"], "`void` should be whole numbers"),
        (["classes: {a: [1, 2, 300], b: [0, 0, 0]}"], "classes"),
        (["classes: {a: '#12345', b: [0, 0, 0]}"], "a colour should be"),
        (["classes: [a, a]"], "each once"),
        (["classes: [a, b]", "colours: {'#000000': a}"], "goes with `encoding: colours`"),
        (["classes: {a: '#000000', b: '#ffffff'}", "encoding: colours", "ids: {1: a}"], "`ids`"),
    ],
)
def test_classes_that_cannot_be(tmp_path: Path, lines: list[str], text: str) -> None:
    write_task(tmp_path, "classes", semantic(1), *lines)
    with pytest.raises(DataError, match=text):
        Folder(tmp_path)


def test_labels_of_another_size(root: Path) -> None:
    save(root / "depth" / "0001.png", depth(1, (24, 35)))
    with pytest.raises(SampleError, match=r"depth/0001.png: .*24x36; found 24x35"):
        Folder(root).read("train", "0001", ("depth",))


@pytest.mark.parametrize("turn", [2, 3])
def test_headers_that_are_ignored_turn_no_label_either(tmp_path: Path, turn: int) -> None:
    """Tools copy them from the photograph."""
    key = write_task(tmp_path, "binary", mask(1))
    for folder, array in (("rgb", picture(1)), ("label", mask(1))):
        write_turned(tmp_path / folder / "a.png", array, turn)
    text = (tmp_path / "tasks.yaml").read_text()
    _yaml(tmp_path, f"{text}exif: ignore\n")
    source = Folder(tmp_path)
    sample = source.read("train", key, ("it",))
    assert (sample.image == picture(1)).all()
    assert (sample.labels["it"] == mask(1) // 255).all()
    assert "ignored" in source.notes("train", key)[0]


def test_an_entry_of_another_folder_names_no_image(root: Path) -> None:
    """`kitchen/0003` is not `office/0003`, though there is but one 0003."""
    for number, name in enumerate(("kitchen/0001", "office/0003", "office/0004")):
        save(root / "rooms" / f"{name}.png", picture(number))
        save(root / "labels" / f"{name}.png", mask(number))
    (root / "tasks.yaml").write_text(
        "images: rooms/{scene}/{stem}.png\nsplits: {lists: {train: a.txt, test: b.txt}}\n"
        "tasks:\n  it: {kind: binary, files: 'labels/{scene}/{stem}.png'}\n"
    )
    (root / "a.txt").write_text("/elsewhere/rooms/kitchen/0001.png\nlabels/office/0004.png\n")
    (root / "b.txt").write_text("kitchen/0003\n")
    with pytest.raises(SampleError, match="1 of 1 are not: kitchen/0003"):
        Folder(root).splits()
    (root / "b.txt").write_text("office/0003\n")
    found = Folder(root).splits()
    assert [len(found[name]) for name in ("train", "test")] == [2, 1]


@pytest.mark.parametrize("turn", [3, 6])
def test_exif_and_labels(tmp_path: Path, turn: int) -> None:
    key = write_task(tmp_path, "binary", mask(1))
    write_turned(tmp_path / "rgb" / "a.png", picture(1), turn)
    text = (tmp_path / "tasks.yaml").read_text()
    assert "EXIF" in Folder(tmp_path).remarks()[0]
    found = "before that" if turn == 6 else "both ways"
    with pytest.raises(SampleError, match=f"{found}.*exif: ignore"):
        Folder(tmp_path).read("train", key, ("it",))
    _yaml(tmp_path, f"{text}exif: ignore\n")
    sample = Folder(tmp_path).read("train", key, ("it",))
    assert (sample.image == picture(1)).all()
    assert (sample.labels["it"] == mask(1) // 255).all()
    _yaml(tmp_path, f"{text}exif: apply\n")
    if turn == 3:
        sample = Folder(tmp_path).read("train", key, ("it",))
        assert (sample.image == picture(1)[::-1, ::-1]).all()
    else:
        with pytest.raises(SampleError, match="before that"):
            Folder(tmp_path).read("train", key, ("it",))
        save(tmp_path / "label" / "a.png", np.rot90(mask(1), -1))
        assert Folder(tmp_path).read("train", key, ("it",)).image.shape == (36, 24, 3)
    write_turned(tmp_path / "label" / "a.png", mask(1), turn)
    _yaml(tmp_path, text)
    sample = Folder(tmp_path).read("train", key, ("it",))
    assert sample.labels["it"].sum() == (mask(1) == 255).sum()


def test_one_value_stands_for_a_list_of_one(root: Path) -> None:
    lines = {"lamp]": "lamp]\n    void: 256", "mask/{stem}.png": "mask/{stem}.png\n    ones: 255"}
    text = FILE
    for old, new in lines.items():
        text = text.replace(old, new)
    tasks = parse(text).tasks
    assert tasks["semantic"].model_dump()["void"] == [256]
    assert tasks["mask"].model_dump()["ones"] == [255]
    with pytest.raises(DataError, match=r"line \d+: `tasks.semantic.void"):
        parse(text.replace("void: 256", "void: true"))
