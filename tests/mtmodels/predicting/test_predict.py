"""Predictions of runs on images."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from mtdata import Task, open_store
from mtdata.errors import MtdataError, SampleError, UnknownNameError, UsageError
from mtdata.reading.batch import collate
from mtdata.sources.files.imagefile import read_indices
from mtmodels.errors import PredictionError, RunFolderError, UnreadImagesError
from mtmodels.predicting import predict
from mtmodels.predicting.folder import INDEX, Folder
from mtmodels.predicting.sizes import How
from mtmodels.predicting.writing import Writer
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record import checkpoint
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.run import fit, prepare
from mtmodels.training.setup.loading import load_method, open_run, run_tasks
from tests.runs.small_run import small_layer, small_store
from tests.stores.fakes import TASKS

SIZE = (32, 64)
"""Height and width that the runs are trained at."""
Predictions = dict[str, Any]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return small_store(tmp_path_factory.mktemp("store"))


def trained(store: Path, out: Path, **changes: Any) -> Path:
    """A run of one epoch."""
    layer = small_layer(store) | {"epochs": 1, "precision": "32"} | changes
    fit(prepare([layer], out=out, mode="new"), mode="new", arguments=[], watcher=Watcher())
    return out


@pytest.fixture(scope="module")
def run(store: Path) -> Path:
    """A run with a task of each kind."""
    tasks = [task.name for task in TASKS]
    return trained(store, store.parent / "all", tasks=tasks, method={"name": "sl"})


@pytest.fixture(scope="module")
def xtc(store: Path) -> Path:
    """A run whose method has networks of its own."""
    return trained(store, store.parent / "xtc")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Images of several sizes."""
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for name, size in (("a", SIZE), ("b", SIZE), ("c", (50, 40)), ("d", SIZE)):
        pixels = cv2.resize(rng.integers(0, 256, (4, 4, 3), np.uint8), size[::-1])
        Image.fromarray(pixels).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_predictions_are_those_that_are_scored(store: Path, run: Path, tmp_path: Path) -> None:
    opened = open_run(run)
    with open_store(store) as data:
        sample = data.dataset("test", regime="full").read(0)
        tasks = run_tasks(opened, data)
    Image.fromarray(sample.image).save(tmp_path / "image.png")
    predict(run, [tmp_path / "image.png"], tmp_path / "out", raw=True, device="cpu")
    with torch.no_grad():
        network = load_method(opened, tasks).network.eval()
        wanted = network.predict(collate([sample]).image)
    for task in tasks:
        found = np.load(tmp_path / "out" / "raw" / task.name / "image.npy")
        there = wanted[task.name][0].permute(1, 2, 0).squeeze(-1).numpy()
        np.testing.assert_allclose(found, there, rtol=1e-4, atol=1e-5)
    ids = read_indices(tmp_path / "out" / "semantic" / "image.png")
    raw = np.load(tmp_path / "out" / "raw" / "semantic" / "image.npy")
    assert np.array_equal(ids, raw.argmax(-1))


def test_every_file_has_the_size_of_its_image(run: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    index = predict(run, [images], out)
    assert json.loads((out / "predictions.json").read_text()) == index
    assert [row["name"] for row in index["images"]] == ["a", "b", "c", "d"]
    assert [row["predicted_at"] for row in index["images"]] == [[32, 64]] * 2 + [
        [51, 40],
        [32, 64],
    ]
    written = {"predictions.json"}
    for row in index["images"]:
        written.add(row["picture"])
        for files in row["files"].values():
            written.update(files)
            assert all(list(_read(out / file).shape[:2]) == row["size"] for file in files)
    assert content(out).keys() == written
    assert set(index["tasks"]) == {task.name for task in TASKS}
    assert index["tasks"]["semantic"]["names"] == ["bed", "floor", "sofa", "table", "wall"]
    assert index["tasks"]["depth"]["units"] == "metres"


def _read(path: Path) -> NDArray[Any]:
    return np.asarray(np.load(path) if path.suffix == ".npy" else Image.open(path))


def test_the_batch_changes_nothing(run: Path, images: Path, tmp_path: Path) -> None:
    outs = [tmp_path / str(batch) for batch in (1, 3)]
    for out, batch in zip(outs, (1, 3), strict=True):
        predict(run, [images], out, batch=batch, raw=True, pictures=False)
    for name in content(outs[0]):
        if name.startswith("raw"):
            one, other = (_read(out / name) for out in outs)
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_a_turned_photograph_is_predicted_upright(run: Path, images: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(images / "c.png") as image:
        image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "c.png", exif=exif)
    for given, out in ((images / "c.png", "upright"), (tmp_path / "c.png", "turned")):
        predict(run, [given], tmp_path / out)
    upright, turned = (content(tmp_path / out) for out in ("upright", "turned"))
    del upright["predictions.json"], turned["predictions.json"]
    assert upright == turned


@pytest.mark.parametrize("form", ["L", "RGBA", "P"])
def test_grey_alpha_and_palette_become_rgb(
    form: str, run: Path, images: Path, tmp_path: Path
) -> None:
    with Image.open(images / "a.png") as image:
        image.convert(form).save(tmp_path / "a.png")
    index = predict(run, [tmp_path / "a.png"], tmp_path / "out", tasks=["depth"], pictures=False)
    assert index["images"] == [
        {
            "name": "a",
            "source": str(tmp_path / "a.png"),
            "size": [32, 64],
            "predicted_at": [32, 64],
            "files": {"depth": ["depth/a.png"]},
        }
    ]


def test_sizes_can_be_chosen(run: Path, images: Path, tmp_path: Path) -> None:
    cases: tuple[tuple[How, list[int]], ...] = (("native", [50, 40]), ((64, 64), [64, 64]))
    for how, wanted in cases:
        out = tmp_path / str(how)
        index = predict(run, [images / "c.png"], out, size=how, raw=True, tasks=["normals"])
        assert index["images"][0]["predicted_at"] == wanted
        assert list(_read(out / "raw/normals/c.npy").shape[:2]) == wanted
        vectors = _read(out / "normals/c.npy")
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1, atol=1e-5)


def test_neither_store_nor_training_weights_are_needed(
    xtc: Path, images: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(xtc, copy)
    folder = RunFolder(copy)
    config = folder.config.read_text().splitlines()
    moved = ["data: /nowhere/store.h5" if line.startswith("data:") else line for line in config]
    folder.config.write_text("\n".join(moved))
    for file in copy.rglob("training.safetensors"):
        file.unlink()
    assert len(predict(copy, [images], tmp_path / "out", pictures=False)["images"]) == 4


def test_a_run_that_does_not_know_its_tasks_asks_for_a_store(
    xtc: Path, store: Path, images: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(xtc, copy)
    folder = RunFolder(copy)
    facts = json.loads(folder.manifest.read_text())
    for key in ("tasks", "image_size"):
        del facts["store"][key]
    del facts["store_at"]
    folder.manifest.write_text(json.dumps(facts))
    config = folder.config.read_text()
    folder.config.write_text(config.replace(str(store), "/nowhere/store.h5"))
    with pytest.raises(UsageError, match="--data"):
        predict(copy, [images], tmp_path / "out")
    index = predict(copy, [images], tmp_path / "out", data=store, pictures=False)
    assert set(index["tasks"]) == {"semantic", "depth"}


def test_a_folder_that_is_not_empty_needs_overwrite(
    run: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predict(run, [images], out, tasks=["depth"], pictures=False)
    before = content(out)
    with pytest.raises(UsageError, match="--overwrite"):
        predict(run, [images], out)
    assert content(out) == before
    index = predict(run, [images / "a.png"], out, tasks=["depth"], overwrite=True, pictures=False)
    assert [row["name"] for row in index["images"]] == ["a"]
    assert content(out).keys() == before.keys()
    with pytest.raises(UsageError, match="is a file"):
        predict(run, [images], images / "a.png", overwrite=True)


def test_broken_images_lose_no_other(run: Path, images: Path, tmp_path: Path) -> None:
    """Cut in its pixels, empty, and far too large: all are named, and all others are there."""
    out = tmp_path / "out"
    (images / "b.png").write_bytes((images / "b.png").read_bytes()[:-20])
    (images / "empty.jpg").touch()
    Image.new("L", (9000, 9000)).save(images / "huge.png")
    names = ("b.png", "empty.jpg", "huge.png")
    with pytest.raises(UnreadImagesError, match="3 of 6 images could not be read") as caught:
        predict(run, [images], out, tasks=["depth"], batch=2, pictures=False)
    assert {error.path for error in caught.value.bad} == {images / name for name in names}
    assert all(str(images / name) in str(caught.value) for name in names)
    assert content(out).keys() == {f"depth/{x}.png" for x in "acd"} | {INDEX}
    index = json.loads((out / INDEX).read_text())
    assert caught.value.index == index
    assert [row["name"] for row in index["images"]] == ["a", "c", "d"]
    assert {Path(row["source"]).name for row in index["unread"]} == set(names)


def test_images_of_which_none_can_be_read_leave_nothing(
    run: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for file in images.iterdir():
        file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(UnreadImagesError, match="4 of 4 images could not be read; no other"):
        predict(run, [images], out)
    with pytest.raises(SampleError, match=r"d\.png: should be a whole PNG"):
        predict(run, [images / "d.png"], out)
    assert not out.exists()


def test_what_cannot_be_is_refused_before_anything_is_written(
    run: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(UnknownNameError, match="no task `dept`"):
        predict(run, [images], out, tasks=["dept"])
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    shutil.rmtree(RunFolder(copy).best)
    with pytest.raises(RunFolderError, match="best should be a checkpoint"):
        predict(copy, [images], out)
    assert not out.exists()


def test_a_network_that_diverged_is_told(xtc: Path, images: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(xtc, copy)
    for place in (RunFolder(copy).last, RunFolder(copy).best):
        weights, state = checkpoint.load_weights(place), checkpoint.load_state(place)
        name = next(n for n in weights if n.startswith("network.heads.depth.1"))
        weights[name] = torch.full_like(weights[name], torch.nan)
        checkpoint.save(place, weights, state)
    with pytest.raises(PredictionError, match=r"`depth` .* holds NaN .* for a, b"):
        predict(copy, [images], tmp_path / "out")


def test_a_file_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    folder.put("depth/a.png", b"old")

    def full(self: Path, content: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(MtdataError, match="is full"):
            folder.put("depth/a.png", b"new")
    assert content(tmp_path) == {"depth/a.png": b"old"}


def test_a_task_that_is_called_like_a_folder_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="should not be called `raw`"):
        Writer(Folder(tmp_path), (Task("raw", TASKS[1].kind),))


def test_progress_counts_images(run: Path, images: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []

    def tell(done: int, total: int, what: str) -> None:
        told.append((done, total, what))

    predict(run, [images], tmp_path / "out", tasks=["depth"], pictures=False, progress=tell)
    assert told == [(done, 4, "predict") for done in (1, 2, 3, 4)]
