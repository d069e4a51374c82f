"""A trained run from Python: `mtmodels.load`."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mtmodels
from mtdata import Classes
from mtdata.sources.files.imagefile import read_indices
from mtmodels.errors import DamagedCheckpointError, RunFolderError
from mtmodels.predicting import predict
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.run import fit, prepare
from tests.runs.small_run import small_layer, small_store


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch whose store is gone."""
    folder = tmp_path_factory.mktemp("runs")
    store = small_store(folder)
    network = {
        "name": "unet-resnet18",
        "width": 0.125,
        "options": {"mean": [0.4, 0.4, 0.4], "std": [0.2, 0.2, 0.2]},
    }
    layer = small_layer(store) | {"epochs": 1, "network": network, "precision": "32"}
    job = prepare([layer], out=folder / "run", mode="new")
    fit(job, mode="new", arguments=[], watcher=Watcher())
    store.unlink()
    return folder / "run"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(0, 255, (30, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_it_knows_all_that_is_needed(trained: Path) -> None:
    model = mtmodels.load(str(trained), device="cpu")
    semantic, depth = model.tasks
    assert isinstance(semantic.kind, Classes)
    assert semantic.kind.names == ("bed", "floor", "sofa", "table", "wall")
    assert depth.kind.units == "metres"
    assert model.trained_size == (32, 64)
    assert not model.network.training
    assert model.network.options.mean == (0.4, 0.4, 0.4)
    assert [t.name for t in mtmodels.load(trained, tasks=["depth"], device="cpu").tasks] == [
        "depth"
    ]


def test_it_predicts_what_the_command_writes(trained: Path, photo: Path, tmp_path: Path) -> None:
    found = mtmodels.load(trained, device="cpu")(np.asarray(Image.open(photo)))
    out = tmp_path / "out"
    predict(trained, [photo], out, device="cpu", pictures=False)
    assert {name: value.shape for name, value in found.items()} == {
        "semantic": (30, 50),
        "depth": (30, 50),
    }
    np.testing.assert_array_equal(found["semantic"], read_indices(out / "semantic" / "photo.png"))
    millimetres = np.asarray(Image.open(out / "depth" / "photo.png"))
    np.testing.assert_array_equal(np.rint(np.clip(found["depth"], 0, None) * 1000), millimetres)


def test_refuses(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="should be a run folder"):
        mtmodels.load(tmp_path)
    with pytest.raises(ValueError, match=r"uint8 \[h, w, 3\].*found float64"):
        mtmodels.load(trained, device="cpu")(np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match=r"one pixel or more; found uint8 \[0, 4, 3\]"):
        mtmodels.load(trained, device="cpu")(np.zeros((0, 4, 3), np.uint8))
    file = RunFolder(trained).best / "network.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-4])
    with pytest.raises(DamagedCheckpointError, match=r"best/network\.safetensors"):
        mtmodels.load(trained)
    file.write_bytes(content)
