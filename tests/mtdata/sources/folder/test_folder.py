"""The source `folder`: keys, splits and labels are what `tasks.yaml` says."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from mtdata.building.build import build
from mtdata.errors import SourceNotFoundError, UsageError
from mtdata.inspecting.verify import verify
from mtdata.sources.folder.file import parse
from mtdata.sources.folder.source import Folder
from mtdata.store import open_store
from mtdata.tasks.kinds import Classes, Depth
from tests.paths import ROOT
from tests.trees.folder import (
    CLASSES,
    FILE,
    KEYS,
    SIZE,
    TASKS,
    depth,
    mask,
    normals,
    picture,
    save,
    semantic,
    write_folder,
)

ALL = ("semantic", "depth", "normals", "mask")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "mine")


def _with(root: Path, splits: str) -> Folder:
    (root / "tasks.yaml").write_text(f"{FILE}splits: {splits}\n")
    return Folder(root)


def test_tasks_are_those_of_the_file(root: Path) -> None:
    source = Folder(root)
    tasks = Folder.tasks(**source.options)
    assert [task.name for task in tasks] == list(ALL)
    kind = tasks[0].kind
    assert isinstance(kind, Classes)
    assert kind.names == CLASSES
    assert len(set(kind.palette)) == 4
    assert tasks[1].kind == Depth(dtype="uint16", scale=0.001)
    assert Folder.tasks() == ()
    with pytest.raises(UsageError, match="`classes` is no option"):
        Folder(root, classes=13)
    with pytest.raises(SourceNotFoundError, match="mtdata init"):
        Folder(None)


def test_labels_are_what_the_files_hold(root: Path) -> None:
    sample = Folder(root).read("train", "0002", ALL)
    assert sample.image.shape == (*SIZE, 3)
    stored = semantic(2)
    assert (sample.valid["semantic"] == (stored != 255)).all()
    assert (sample.labels["semantic"] == np.where(stored == 255, 0, stored)).all()
    assert (sample.valid["depth"] == (depth(2) != 0)).all()
    assert (sample.labels["depth"] == (depth(2) * 0.001).astype(np.float32)).all()
    cosine = np.einsum("...c,...c->...", sample.labels["normals"], normals(2))
    assert np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max() < 0.5
    assert (sample.labels["mask"] == mask(2) // 255).all()
    assert sample.valid["mask"].all()


def test_a_missing_file_is_a_missing_label(root: Path) -> None:
    source = Folder(root)
    assert set(source.read("train", "0003", ALL).labels) == {"semantic", "normals", "mask"}
    assert set(source.read("train", "0005", ALL).labels) == {"mask"}
    assert source.locate("train", "0003", "depth") == root / "depth" / "0003.png"
    assert source.locate("train", "0003", None) == root / "rgb" / "0003.jpg"


def test_builds_and_verifies(root: Path, tmp_path: Path) -> None:
    source = _with(root, "{fraction: 0.3}")
    summary = build(source, tmp_path / "mine.h5", jobs=2)
    assert verify(summary.path).ok
    found = summary.splits["train"].labels["depth"] + summary.splits["test"].labels["depth"]
    assert found == 8
    store = open_store(summary.path)
    assert store.split("train").size == SIZE
    for split in store.splits.values():
        for index, key in enumerate(split.keys):
            wanted = source.read(split.name, key, ["depth", "semantic"])
            read = split.read(index, list(wanted.labels))
            for name, label in wanted.labels.items():
                np.testing.assert_array_equal(read.labels[name], label)
    again = build(Folder(root), tmp_path / "mine.h5", mode="resume")
    assert again.content_digest == summary.content_digest
    (root / "tasks.yaml").write_text(f"{FILE}splits: {{fraction: 0.4}}\n")
    with pytest.raises(UsageError, match="other options"):
        build(Folder(root), tmp_path / "mine.h5", mode="resume")


def test_mixed_sizes_are_padded_up_to_twice_their_mean(root: Path, tmp_path: Path) -> None:
    for folder in ("semantic", "depth", "normals"):
        (root / folder / "0000.png").unlink()
    save(root / "rgb" / "0000.jpg", picture(0, (30, 40)))
    save(root / "mask" / "0000.png", mask(0, (30, 40)))
    summary = build(Folder(root), tmp_path / "mine.h5")
    assert open_store(summary.path).split("train").size == (30, 40)
    save(root / "rgb" / "0000.jpg", picture(0, (90, 90)))
    save(root / "mask" / "0000.png", mask(0, (90, 90)))
    with pytest.raises(Exception, match="--size HxW"):
        build(Folder(root), tmp_path / "more.h5")
    build(Folder(root), tmp_path / "more.h5", size=(24, 36), mode="overwrite")


def test_everything_is_for_training_unless_said(root: Path) -> None:
    source = Folder(root)
    assert source.splits() == {"train": KEYS}
    assert source.roles() == {"train": "train"}


def test_a_fraction_stays_when_images_are_added(root: Path) -> None:
    before = _with(root, "{fraction: 0.4, seed: 3}").splits()
    assert set(before["train"]) | set(before["test"]) == set(KEYS)
    assert 0 < len(before["test"]) < 10
    for number in range(10, 30):
        save(root / "rgb" / f"{number:04d}.jpg", picture(number))
        save(root / "mask" / f"{number:04d}.png", mask(number))
    after = Folder(root).splits()
    assert set(before["train"]) <= set(after["train"])
    assert set(before["test"]) <= set(after["test"])
    assert _with(root, "{fraction: 0.4, seed: 4}").splits() != after


def test_lists(root: Path) -> None:
    (root / "lists").mkdir()
    (root / "lists/a.txt").write_text("# mine\n0001\n0000.jpg  # a file name\n\nrgb/0007.jpg\n")
    (root / "lists/b.txt").write_text("0005\r\n0002\r\n")
    source = _with(root, "{lists: {train: lists/a.txt, val: lists/b.txt}}")
    assert source.splits() == {"train": ("0000", "0001", "0007"), "val": ("0002", "0005")}
    assert source.roles() == {"train": "train", "val": "val"}
    assert source.remarks() == ("Left out: 5 images in no split: 0003, 0004, 0006 and 2 more.",)


def test_folders(root: Path, tmp_path: Path) -> None:
    new = tmp_path / "by folder"
    for number, key in enumerate(KEYS):
        part = "train" if number < 7 else "val"
        (new / part).mkdir(parents=True, exist_ok=True)
        for folder in ("rgb", "mask"):
            for path in (root / folder).glob(f"{key}.*"):
                save(new / part / folder / path.name, mask(number))
    # The same key in both splits is two images.
    for folder in ("rgb", "mask"):
        save(new / "val" / folder / "0000.png", mask(3))
    (new / "tasks.yaml").write_text(
        "images: '{split}/rgb/{stem}.*'\nsplits: {folders: {train: train, test: val}}\n"
        "tasks: {mask: {kind: binary, files: '{split}/mask/{stem}.png', threshold: 128}}\n"
    )
    source = Folder(new)
    assert source.splits() == {"train": KEYS[:7], "test": ("0000", *KEYS[7:])}
    assert source.roles() == {"train": "train", "test": "test"}
    label = source.read("test", "0000", ("mask",)).labels["mask"]
    assert (label == mask(3) // 255).all()
    assert set(source.read("train", "0000", ("mask",)).labels) == {"mask"}


def test_scenes(tmp_path: Path) -> None:
    for scene in ("kitchen", "hall"):
        for number in range(2):
            save(tmp_path / "rgb" / scene / f"{number}_rgb.png", picture(number))
            save(tmp_path / "depth" / scene / f"depth_{number}.png", depth(number))
    (tmp_path / "tasks.yaml").write_text(
        "images: rgb/{scene}/{stem}_rgb.png\n"
        "tasks: {depth: {kind: depth, files: 'depth/{scene}/depth_{stem}.png', scale: 0.001}}\n"
    )
    source = Folder(tmp_path)
    assert source.splits()["train"] == ("hall_0", "hall_1", "kitchen_0", "kitchen_1")
    assert source.read("train", "hall_1", ("depth",)).valid["depth"].any()


def test_what_is_left_out_is_told(root: Path) -> None:
    (root / "mask" / "0005.png").unlink()
    (root / "mask" / "0004.png").rename(root / "mask" / "9999.png")
    (root / "rgb" / "Thumbs.db").write_bytes(b"")
    (root / "mask" / "._0004.png").write_bytes(b"")
    (root / "tasks.yaml").write_text(f"{FILE}unlabelled: skip\n")
    source = Folder(root)
    assert "0005" not in source.splits()["train"]
    assert source.remarks() == (
        "Left out: 1 image without a label: 0005.",
        "Left out: 1 label of mask without an image: 9999.png.",
    )


def test_images_that_are_converted_are_told(root: Path) -> None:
    (root / "rgb" / "0000.jpg").unlink()
    save(root / "rgb" / "0000.png", np.full((*SIZE, 3), 65535, np.uint16))
    source = Folder(root)
    assert source.remarks() == ("1 of the images have 16 bits a channel: they are scaled to 8.",)
    assert (source.read("train", "0000", ()).image == 255).all()


def test_survives_pickling(root: Path) -> None:
    source = pickle.loads(pickle.dumps(Folder(root)))
    assert source.read("train", "0003", ALL).key == "0003"
    assert source.options == Folder(root).options


def test_fingerprint_follows_files_and_description(root: Path) -> None:
    first = Folder(root).fingerprint("train", "0001")
    assert len(first) == 32
    assert Folder(root).fingerprint("train", "0001") == first
    assert Folder(root).fingerprint("train", "0002") != first
    save(root / "depth" / "0001.png", depth(2))
    second = Folder(root).fingerprint("train", "0001")
    assert second != first
    (root / "tasks.yaml").write_text(FILE.replace("0.001", "0.002"))
    assert Folder(root).fingerprint("train", "0001") != second


def test_a_description_replaces_the_file(root: Path) -> None:
    options = Folder(root).options
    (root / "tasks.yaml").write_text(f"images: rgb/{{stem}}.*\nexif: ignore\ntasks:{TASKS}")
    assert Folder(root, **options).file.exif is None
    assert Folder(root).file.exif == "ignore"


def test_the_examples_of_the_documentation() -> None:
    page = ROOT / "docs" / "sources" / "folder.md"
    whole, splits = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    tasks = {task.name: task.kind.name for task in parse(whole).to_tasks()}
    assert tasks == {
        "semantic": "classes",
        "depth": "depth",
        "normals": "normals",
        "mask": "binary",
    }
    for line in splits.strip().splitlines():
        text = whole.replace("splits: {fraction: 0.2, seed: 0}", line)
        if "folders" in line:
            text = text.replace("images: rgb", "images: rgb/{split}")
        assert parse(text).splits is not None
