"""Finding the images to predict."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image as Pillow

from mtdata.errors import UsageError
from mtdata.sources.folder.matching import IMAGE_SUFFIXES
from mtmodels.predicting.images import Image, passed_over, readable_images


def draw(path: Path) -> Path:
    """An image of 4x4 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)
    return path


def find_images(given: Sequence[Path], out: Path) -> list[Image]:
    """The images of files and folders, all of which can be read."""
    images, bad = readable_images(given, out)
    assert bad == []
    return images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "sub/b.jpeg", ".hidden.png", ".cache/c.png"):
        draw(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("no image")
    return tmp_path / "in"


def test_a_folder_is_searched_and_names_keep_its_subfolders(folder: Path, tmp_path: Path) -> None:
    found = find_images([folder], tmp_path / "out")
    assert found == [
        Image("a", folder / "a.JPG"),
        Image("b", folder / "b.png"),
        Image("sub/b", folder / "sub" / "b.jpeg"),
    ]


def test_files_keep_their_order_and_count_once(folder: Path, tmp_path: Path) -> None:
    given = [folder / "b.png", folder / "a.JPG", folder / "b.png"]
    assert [image.name for image in find_images(given, tmp_path / "out")] == ["b", "a"]
    found = find_images([folder, folder / "b.png"], tmp_path / "out")
    assert [image.name for image in found] == ["a", "b", "sub/b"]


def test_a_file_may_have_any_suffix(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png").rename(tmp_path / "a.img")
    assert find_images([path], tmp_path / "out") == [Image("a", path)]


def test_what_was_written_below_a_folder_is_no_image_of_it(folder: Path) -> None:
    draw(folder / "out" / "pictures" / "a.png")
    assert len(find_images([folder], folder / "out")) == 3


def test_photos_of_every_form_are_images_of_a_folder(tmp_path: Path) -> None:
    for suffix in IMAGE_SUFFIXES:
        draw(tmp_path / "in" / f"{suffix[1:]}{suffix}")
    assert len(find_images([tmp_path / "in"], tmp_path / "out")) == len(IMAGE_SUFFIXES)


def test_frames_of_a_video_replace_no_image(tmp_path: Path) -> None:
    draw(tmp_path / "clip" / "000000.png")
    (tmp_path / "clip.mp4").write_bytes(b"a video")
    with pytest.raises(UsageError, match=r"frames of .*clip\.mp4"):
        find_images([tmp_path, tmp_path / "clip.mp4"], tmp_path / "out")


def test_images_of_one_name_keep_their_endings(folder: Path, tmp_path: Path) -> None:
    draw(folder / "B.jpg")
    found = find_images([folder], tmp_path / "out")
    assert [image.name for image in found] == ["B.jpg", "a", "b.png", "sub/b"]


def test_two_of_one_name_and_ending_are_refused(folder: Path, tmp_path: Path) -> None:
    given = [folder / "b.png", draw(folder / "sub" / "b.png")]
    with pytest.raises(UsageError, match=r"b\.png and .*sub/b\.png.*both"):
        find_images(given, tmp_path / "out")
    draw(folder / "b.jpg")
    draw(folder / "b.png.png")
    with pytest.raises(UsageError, match=r"b\.png and .*b\.png\.png\. .*with -o"):
        find_images([folder], tmp_path / "out")


def test_what_is_passed_over_is_counted_by_its_ending(folder: Path, tmp_path: Path) -> None:
    for name in ("x.HEIC", "sub/y.heic", "LICENSE"):
        (folder / name).write_bytes(b"")
    found = passed_over([folder, folder / "sub", folder / "b.png"], tmp_path / "out")
    assert found == {".heic": 2, "no ending": 1, ".txt": 1}
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "z.heic").write_bytes(b"")
    with pytest.raises(UsageError, match=r"found 1 \.heic\. Convert photos among them"):
        find_images([tmp_path / "phone"], tmp_path / "out")


def test_what_is_no_image_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "empty").mkdir()
    for given, words in (
        ("none.png", "there is none"),
        ("empty", r"\.jpg, \.jpeg, .*\.tiff; found"),
    ):
        with pytest.raises(UsageError, match=words):
            find_images([tmp_path / given], out)
    images, bad = readable_images([folder / "notes.txt"], out)
    assert images == []
    assert "should be an image (JPEG, PNG" in str(*bad)
    store = tmp_path / "a.h5"
    h5py.File(store, "w").close()
    with pytest.raises(UsageError, match=f"`mtmodels eval RUN --data {store}`, .* `mtdata show"):
        find_images([store], out)


def test_an_image_in_the_folder_that_is_written_is_refused(folder: Path) -> None:
    for given in (folder, folder / "b.png"):
        with pytest.raises(UsageError, match="outside of the folder that is written"):
            find_images([given], folder)
