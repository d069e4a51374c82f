"""`mtdata init` proposes a file that builds, whatever the layout, and says why."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from mtdata.building.build import build
from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.inspecting.proposed import proposed_sheet
from mtdata.inspecting.verify import verify
from mtdata.sources import SOURCES
from mtdata.sources.folder.proposing.proposal import Proposal, propose
from mtdata.sources.folder.source import Folder
from tests.trees.annotated import drawn, labelme, write_labelme
from tests.trees.folder import (
    KEYS,
    SIZE,
    coded,
    depth,
    mask,
    normals,
    picture,
    save,
    semantic,
    write_folder,
)

RED = np.array([[0, 0, 0], [255, 0, 0]], np.uint8)


def _propose(root: Path) -> tuple[Proposal, dict[str, Any]]:
    """Propose, write it, and read it as a build does."""
    found = propose(root)
    assert not found.problem
    (root / "tasks.yaml").write_text(found.text)
    content: dict[str, Any] = yaml.safe_load(found.text)
    assert sum(map(len, Folder(root).splits().values())) <= found.images
    return found, content


def _labels(root: Path, name: str, make: Callable[[int], NDArray[Any]], suffix: str = "png") -> Any:
    """One label folder beside images; returns what is proposed for it."""
    for number in range(4):
        save(root / "rgb" / f"{number}.jpg", picture(number))
        save(root / name / f"{number}.{suffix}", make(number))
    _, content = _propose(root)
    (task,) = content["tasks"].values()
    return task


def test_the_made_up_folder(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine")
    (root / "tasks.yaml").unlink()
    save(root / "preview" / "0001.png", picture(1))
    found, content = _propose(root)
    assert found.images == 10
    assert found.tasks == {"depth": 8, "mask": 10, "normals": 9, "semantic": 8}
    assert content["images"] == "rgb/{stem}.jpg"
    assert content["splits"] == {"fraction": 0.2, "seed": 0}
    tasks = content["tasks"]
    assert {name: task["kind"] for name, task in tasks.items()} == {
        "depth": "depth", "mask": "binary", "normals": "normals", "semantic": "classes",
    }  # fmt: skip
    assert tasks["depth"]["scale"] == 0.001
    assert tasks["normals"]["axes"] == ["right", "up", "towards"]
    assert len(tasks["semantic"]["classes"]) == 4
    depth = next(line for line in found.text.splitlines() if "if these are millimetres" in line)
    assert "0.963 to 6.95 m, as in rooms; centimetres would be" in depth
    assert "9.63 to 69.5 m; check" in depth
    assert "4 different values" not in found.text
    assert "5 different values (0, 1, 2, 3, 255) -> classes" in found.text
    assert "mean length after 2v/255-1 of 1.00 -> normals" in found.text
    assert "of 8 of 10 images" in found.text
    assert list(found.left_out) == ["preview/{stem}.png"]
    assert "looks like pictures" in found.text
    lines = found.text.splitlines()
    assert all("#" in line for line in lines)
    assert verify(build(Folder(root), tmp_path / "mine.h5").path).ok


def test_what_has_no_label_is_left_out(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    for folder in ("semantic", "depth", "normals", "mask"):
        (root / folder / "0007.png").unlink(missing_ok=True)
    found, content = _propose(root)
    assert content["unlabelled"] == "skip"
    assert "without a label: 1 of 10" in found.text


@pytest.mark.parametrize("form", ["outside", "inside"])
def test_folders_of_splits(tmp_path: Path, form: str) -> None:
    for number, key in enumerate(KEYS):
        part = "training" if number < 6 else "val"
        for folder, array in (("images", picture(number)), ("depth", depth(number))):
            place = (part, folder) if form == "outside" else (folder, part)
            save(tmp_path.joinpath(*place, f"{key}.png"), array)
    found, content = _propose(tmp_path)
    where = "{split}/images" if form == "outside" else "images/{split}"
    assert content["images"] == f"{where}/{{stem}}.png"
    assert content["splits"] == {"folders": {"train": "training", "val": "val"}}
    assert found.tasks == {"depth": 10}


def test_lists_that_lie_there(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    (root / "splits").mkdir()
    (root / "splits" / "train.txt").write_text("\n".join(KEYS[:6]))
    (root / "splits" / "val.txt").write_text("\n".join(KEYS[6:]))
    (root / "splits" / "test.txt").write_text("another\n")
    _, content = _propose(root)
    wanted = {"train": "splits/train.txt", "val": "splits/val.txt"}
    assert content["splits"] == {"lists": wanted}


def test_everything_in_one_folder(tmp_path: Path) -> None:
    for number in range(4):
        for ending, array in (("rgb", picture), ("depth", depth), ("labels", semantic)):
            save(tmp_path / f"room{number}_{ending}.png", array(number))
    _, content = _propose(tmp_path)
    assert content["images"] == "{stem}_rgb.png"
    assert content["tasks"]["depth"]["files"] == "{stem}_depth.png"
    assert content["tasks"]["semantic"]["files"] == "{stem}_labels.png"


def test_photographs_beside_masks(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"{number}.jpg", picture(number))
        save(tmp_path / f"{number}.png", mask(number))
    _, content = _propose(tmp_path)
    assert content["images"] == "{stem}.jpg"
    assert content["tasks"] == {"label": {"kind": "binary", "files": "{stem}.png"}}


def test_names_with_more_than_the_key(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "images" / f"rgb_{number:03d}.png", picture(number))
        save(tmp_path / "depth" / f"depth_{number:03d}_mm.png", depth(number))
    _, content = _propose(tmp_path)
    assert content["images"] == "images/rgb_{stem}.png"
    assert content["tasks"]["depth"]["files"] == "depth/depth_{stem}_mm.png"


@pytest.mark.parametrize(
    ("name", "label"),
    [("rgb_{}", "depth{}"), ("rgb{}", "depth_{}"), ("rgb{}", "depth{}"), ("{}rgb", "{}depth")],
)
def test_a_word_ends_at_a_digit_too(tmp_path: Path, name: str, label: str) -> None:
    for number in range(4):
        save(tmp_path / "images" / f"{name.format(f'{number:04d}')}.jpg", picture(number))
        save(tmp_path / "depth" / f"{label.format(f'{number:04d}')}.png", depth(number))
    found, content = _propose(tmp_path)
    assert content["images"] == f"images/{name.format('{stem}')}.jpg"
    assert content["tasks"]["depth"]["files"] == f"depth/{label.format('{stem}')}.png"
    assert found.tasks == {"depth": 4}


def test_letters_that_tell_images_apart_belong_to_the_key(tmp_path: Path) -> None:
    for key in ("a1", "b1", "a2", "b2"):
        save(tmp_path / "images" / f"{key}.jpg", picture(1))
        save(tmp_path / "depth" / f"depth{key}.png", depth(1))
        save(tmp_path / "semantic" / f"{key}.png", semantic(1))
        save(tmp_path / "mask" / f"x{ord(key[0])}_{key[1]}.png", mask(1))
    found, content = _propose(tmp_path)
    assert content["images"] == "images/{stem}.jpg"
    assert found.tasks == {"semantic": 4}
    assert found.left_out == {
        "depth/{stem}.png": "its names match none of the images: deptha1 here, a1 there. Write "
        "`files: depth/depth{stem}.png` if these belong together",
        "mask/{stem}.png": "its names match none of the images: x97_1 here, a1 there. Rename them: "
        "in `files`, {stem} stands for what an image is called, and what is around it is the same "
        "in all",
    }


def test_scenes(tmp_path: Path) -> None:
    for scene in ("basement", "apartment"):
        for number in range(3):
            save(tmp_path / "rgb" / scene / f"{number}.jpg", picture(number))
            save(tmp_path / "depth" / scene / f"{number}.png", depth(number))
    found, content = _propose(tmp_path)
    assert content["images"] == "rgb/{scene}/{stem}.jpg"
    assert found.tasks == {"depth": 6}


def test_a_scene_with_few_labels_and_numbers_that_all_share(tmp_path: Path) -> None:
    for scene in ("aachen", "bochum"):
        for number in range(3):
            stem = f"{scene}_{number:06d}_000019"
            save(tmp_path / "leftImg8bit" / scene / f"{stem}_leftImg8bit.png", picture(number))
            if scene == "aachen":
                save(tmp_path / "gtFine" / scene / f"{stem}_gtFine_labelIds.png", semantic(number))
    found, content = _propose(tmp_path)
    assert content["images"] == "leftImg8bit/{scene}/{stem}_leftImg8bit.png"
    label = content["tasks"]["semantic"]["files"]
    assert label == "gtFine/{scene}/{stem}_gtFine_labelIds.png"
    assert found.tasks == {"semantic": 3}


@pytest.mark.parametrize("ending", ["", "_L"])
def test_pictures_and_colours_in_folders_of_any_name_are_no_scenes(
    ending: str, tmp_path: Path
) -> None:
    for number in range(4):
        save(tmp_path / "701_raw" / f"{number}.png", picture(number))
        save(tmp_path / "annotated" / f"{number}{ending}.png", RED[semantic(number) % 2])
    found, content = _propose(tmp_path)
    assert content["images"] == "701_raw/{stem}.png"
    assert content["tasks"]["annotated"]["files"] == f"annotated/{{stem}}{ending}.png"
    assert found.tasks == {"annotated": 4}


def test_folders_that_are_taken_for_scenes_are_named(tmp_path: Path) -> None:
    for number in range(4):
        for folder in ("a", "b"):
            save(tmp_path / folder / f"{number}.png", picture(number))
    with pytest.raises(SourceNotFoundError, match=r"at {scene}/{stem}\.png \({scene}: a, b\);"):
        propose(tmp_path)
    for path in tmp_path.rglob("*.png"):
        save(path, mask(1))
    with pytest.raises(SourceNotFoundError, match=r"none among {scene}/{stem}\.png \({scene}: a"):
        propose(tmp_path)


def test_jpeg_beside_png(tmp_path: Path) -> None:
    for number, suffix in enumerate(("jpg", "JPG", "jpeg", "png")):
        save(tmp_path / "images" / f"{number}.{suffix}", picture(number))
        save(tmp_path / "mask" / f"{number}.png", mask(number))
    found, content = _propose(tmp_path)
    assert content["images"] == "images/{stem}.*"
    assert found.tasks == {"mask": 4}


def test_photographs_in_two_formats_are_the_images_whatever_their_folder_is_called(
    tmp_path: Path,
) -> None:
    for number, suffix in enumerate(("jpg", "png", "jpg", "png", "png")):
        save(tmp_path / "Küche" / f"{number}.{suffix}", picture(number))
        save(tmp_path / "mask" / f"{number}.png", mask(number))
    _, content = _propose(tmp_path)
    assert content["images"] == "Küche/{stem}.*"


def test_what_lies_beside_the_images_may_be_images(tmp_path: Path) -> None:
    for number, suffix in enumerate(("jpg", "png", "jpg", "png", "png")):
        save(tmp_path / "a" / f"{number}.{suffix}", picture(number))
        save(tmp_path / "mask" / f"{number}.png", mask(number))
    for path in (tmp_path / "a").glob("*.png"):  # in grey they may be labels, too
        Image.open(path).convert("L").save(path)
    found, content = _propose(tmp_path)
    assert content["images"] == "a/{stem}.jpg"
    assert "Write `images: a/{stem}.*` if they are" in found.left_out["a/{stem}.png"]


def test_two_of_one_kind_keep_their_names(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "rgb" / f"{number}.jpg", picture(number))
        for folder in ("semantic13", "semantic40", "seg", "labels"):
            save(tmp_path / folder / f"{number}.png", semantic(number))
    found, _ = _propose(tmp_path)
    assert list(found.tasks) == ["semantic", "seg", "semantic13", "semantic40"]


def test_floats_with_gaps(tmp_path: Path) -> None:
    def metres(number: int) -> NDArray[np.float32]:
        label = (depth(number) / 1000).astype(np.float32)
        label[2, 2:6] = np.nan
        label[4, 2:6] = np.inf
        return label

    task = _labels(tmp_path, "depth", metres, "npy")
    assert (task["scale"], task["invalid"]) == (1.0, "void")


def test_normals_in_floats(tmp_path: Path) -> None:
    task = _labels(tmp_path, "n", lambda number: -normals(number), "npy")
    assert task["kind"] == "normals"
    assert task["axes"] == ["right", "up", "away"]


def test_normals_of_16_bits(tmp_path: Path) -> None:
    task = _labels(tmp_path, "normals", lambda number: coded(normals(number), 65535))
    assert task["kind"] == "normals"


def test_colours_are_classes(tmp_path: Path) -> None:
    task = _labels(tmp_path, "masks", lambda number: RED[semantic(number) % 2])
    assert task["encoding"] == "colours"
    assert task["classes"] == {"class0": "#000000", "class1": "#ff0000"}


def test_class_names_beside_the_data(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("floor\nwall\noff\ndining table\n")
    task = _labels(tmp_path, "seg", semantic)
    assert task["classes"] == ["floor", "wall", "off", "dining table"]


def test_ids_far_apart_are_mapped(tmp_path: Path) -> None:
    ids = np.array([7, 11, 26, 33, 200], np.uint8)
    task = _labels(tmp_path, "seg", lambda number: ids[np.minimum(semantic(number), 4)])
    assert list(task["ids"]) == [7, 11, 26, 33, 200]


@pytest.mark.parametrize(
    ("slip", "told"),
    [
        (9, "name them: ids 0 to 2, 9 occur, 9 in 3.png alone of 4 files looked at; if 0 means"),
        (200, "name them: ids 0 to 2, 200 occur, 200 in 3.png alone of 4 files looked at\n"),
        (2, "name them: ids 0 to 2 occur; if 0 means"),
    ],
)
def test_ids_that_one_file_alone_has_are_told(tmp_path: Path, slip: int, told: str) -> None:
    def label(number: int) -> NDArray[np.uint8]:
        ids = np.minimum(semantic(number), 2).astype(np.uint8)
        ids[0, :3] = range(3)
        ids[1, 1] = slip if number == 3 else 0
        return ids

    _labels(tmp_path, "semantic", label)
    assert told in (tmp_path / "tasks.yaml").read_text()


def test_labels_that_are_spelled_in_two_ways_are_told(tmp_path: Path) -> None:
    root = write_labelme(tmp_path / "mine")
    shapes = [drawn(name, [[1, 1], [5, 5]], "rectangle") for name in ("Cat", "cat ", "dog")]
    (root / "images" / "b.json").write_text(json.dumps(labelme("b", *shapes)))
    _, content = _propose(root)
    assert content["tasks"]["semantic"]["classes"] == ["background", "Cat", "cat", "cat ", "dog"]
    assert (
        '4 labels, sorted by name; "cat" and "Cat" and "cat " differ in case or blanks alone: to '
        'make them one, leave out "Cat" and "cat " and write `labels: {"Cat": "cat", "cat ": '
        '"cat"}`'
    ) in (root / "tasks.yaml").read_text()


def test_void_of_a_mask(tmp_path: Path) -> None:
    task = _labels(tmp_path, "m", lambda n: np.where(mask(n) > 0, 1, semantic(n) // 85 * 85))
    assert (task["kind"], task["ones"], task["void"]) == ("binary", [1], [255])


@pytest.mark.parametrize("name", ["m", "seg"])
def test_masks_of_two_conventions_have_no_void(tmp_path: Path, name: str) -> None:
    task = _labels(tmp_path, name, lambda n: np.minimum(mask(n), 1 if n == 3 else 255))
    assert (task["kind"], task["ones"], "void" in task) == ("binary", [1, 255], False)


def test_a_soft_mask(tmp_path: Path) -> None:
    task = _labels(tmp_path, "saliency", lambda number: picture(number)[..., 0])
    assert (task["kind"], task["threshold"]) == ("binary", 128)


def test_disparity(tmp_path: Path) -> None:
    task = _labels(tmp_path, "disparity", lambda number: depth(number) * 4)
    assert (task["units"], task["scale"]) == ("px", 1 / 256)


def test_the_highest_value_may_be_void(tmp_path: Path) -> None:
    def far(number: int) -> NDArray[np.uint16]:
        label = depth(number)
        label[1] = 65535
        return label

    assert _labels(tmp_path, "d", far)["void"] == [0, 65535]


def test_colours_of_a_palette(tmp_path: Path) -> None:
    def write(number: int) -> None:
        image = Image.fromarray(semantic(number) % 2)
        image.putpalette([9, 9, 9, 0, 200, 0])
        (tmp_path / "seg").mkdir(exist_ok=True)
        image.save(tmp_path / "seg" / f"{number}.png")

    for number in range(4):
        save(tmp_path / "rgb" / f"{number}.jpg", picture(number))
        write(number)
    _, content = _propose(tmp_path)
    assert content["tasks"]["semantic"]["classes"] == {"class0": "#090909", "class1": "#00c800"}


def test_sizes_that_cannot_be_padded(tmp_path: Path) -> None:
    for number, size in enumerate(((24, 36), (24, 36), (200, 20), (20, 300))):
        save(tmp_path / "rgb" / f"{number}.jpg", picture(number, size))
        save(tmp_path / "mask" / f"{number}.png", mask(number, size))
    found, _ = _propose(tmp_path)
    assert found.size == (24, 36)
    assert "give --size" in found.text


def test_what_a_build_would_refuse_is_told(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    for name in ("B", "b"):
        save(root / "rgb" / f"{name}.jpg", picture(1))
    assert "capital letters only" in propose(root).problem


def test_folders_without_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="nothing of that name"):
        propose(tmp_path / "none")
    with pytest.raises(SourceNotFoundError, match="should hold images"):
        propose(tmp_path)
    save(tmp_path / "rgb" / "1.jpg", picture(1))
    with pytest.raises(SourceNotFoundError, match=r"labels of the images at rgb/.*no other file"):
        propose(tmp_path)
    save(tmp_path / "depth" / "x.png", depth(1))
    with pytest.raises(SourceNotFoundError, match="match none of the images"):
        propose(tmp_path)
    (tmp_path / "depth" / "x.png").rename(tmp_path / "depth" / "1.png")
    assert propose(tmp_path).tasks == {"depth": 1}
    (tmp_path / "depth" / "1.png").write_bytes(b"hello")
    with pytest.raises(SourceNotFoundError, match="its header cannot be read"):
        propose(tmp_path)


def test_one_broken_file_costs_no_task(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    (root / "tasks.yaml").unlink()
    for name in ("semantic/0002.png", "depth/0002.png", "rgb/0007.jpg"):
        path = root / name
        path.write_bytes(path.read_bytes()[:10])
    (root / "semantic" / "0006.png").write_bytes(b"")
    found = propose(root)
    assert found.tasks == {"depth": 8, "mask": 10, "normals": 9, "semantic": 8}
    assert "5 different values (0, 1, 2, 3, 255) -> classes" in found.text
    told = "; ".join(found.unpaired)
    assert "semantic: 2 of 8 files looked at cannot be read, such as 0002.png" in told
    assert "depth: 1 of 8 files looked at cannot be read" in told
    assert "images: 1 of 10 files looked at cannot be read, such as 0007.jpg" in told
    assert "--on-error skip" in told
    assert proposed_sheet(root, found.text, found.tasks).axes


def test_photographs_are_known_by_those_that_can_be_read(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "a" / f"{number}.png", picture(number))
        save(tmp_path / "mask" / f"{number}.png", mask(number))
    (tmp_path / "a" / "0.png").write_bytes(b"")
    assert propose(tmp_path).tasks == {"mask": 4}


def test_files_of_another_form_than_the_rest(tmp_path: Path) -> None:
    for number in range(8):
        save(tmp_path / "rgb" / f"{number}.jpg", picture(number))
        save(tmp_path / "seg" / f"{number}.png", semantic(number))
    for name, array in (("1", np.dstack([semantic(1)] * 3)), ("2", semantic(2))):
        save(tmp_path / "seg" / f"{name}.png", array)
    found, content = _propose(tmp_path)
    assert not found.unpaired  # a build reads three channels that are the same
    assert len(content["tasks"]["semantic"]["classes"]) == 4
    save(tmp_path / "seg" / "1.png", picture(1))
    (told,) = propose(tmp_path).unpaired
    assert told.startswith("semantic: 1 of 8 files looked at are 3-channel 8-bit PNG, such as 1.p")
    assert told.endswith("the rest single-channel uint8 PNG: save all in one form")
    for number in range(3):
        save(tmp_path / "seg" / f"{number}.png", picture(number))
    with pytest.raises(SourceNotFoundError, match=r"others 3-channel 8-bit PNG, such as 0\.png"):
        propose(tmp_path)


def test_a_link_out_of_the_folder(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine")
    (tmp_path / "other").mkdir()
    (root / "more").symlink_to(tmp_path / "other")
    with pytest.raises(SampleError, match=r"more: .*link"):
        propose(root)


@pytest.mark.real
def test_real_frames(shared: Path, tmp_path: Path) -> None:
    data = shared / "data" / "nyuv2"
    for number in range(1, 9):
        for folder, suffix in (("rgb", "jpg"), ("depth", "png"), ("semantic13", "png")):
            if (folder, number) not in (("depth", 3), ("semantic13", 5)):
                name = f"{folder}/{number:04d}.{suffix}"
                (tmp_path / "mine" / folder).mkdir(parents=True, exist_ok=True)
                shutil.copy(data / name, tmp_path / "mine" / name)
    found, content = _propose(tmp_path / "mine")
    assert found.tasks == {"depth": 7, "semantic13": 7}
    assert content["tasks"]["depth"]["scale"] == 0.001
    assert content["tasks"]["semantic13"]["void"] == [255]
    source = Folder(tmp_path / "mine")
    official = SOURCES["nyu"](data)
    for split, keys in source.splits().items():
        for key in keys:
            part = next(name for name, known in official.splits().items() if key in known)
            wanted = official.read(part, key, ("depth",))
            sample = source.read(split, key, ("depth",))
            np.testing.assert_array_equal(sample.image, wanted.image)
            for task, label in sample.labels.items():
                np.testing.assert_array_equal(label, wanted.labels[task])
    assert verify(build(source, tmp_path / "mine.h5", size=(96, 128)).path).ok


def test_size_of_the_pictures_is_told(tmp_path: Path) -> None:
    assert f"all {SIZE[0]}x{SIZE[1]}" in propose(write_folder(tmp_path)).text


def test_names_that_yaml_takes_for_something_else(tmp_path: Path) -> None:
    names = ["on", "dining: table", "#1", "'quoted", "1e3", "über", "null", "- x, y"]
    (tmp_path / "classes.txt").write_text("\n".join(names), encoding="utf-8")
    assert _labels(tmp_path, "seg", semantic)["classes"] == names
