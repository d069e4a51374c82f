"""Predictions beside the masks by which each task picks from the maps of a network."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from cli.mtmodels import mtmodels
from cli.shared.common import run as run_command
from mtdata.inspecting.pictures import Panel, heat, sheet
from mtmodels.networks import NETWORKS
from mtmodels.predicting import picture, predict
from mtmodels.predicting.attention import DrawnMask
from mtmodels.predicting.opening import load
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.run import fit, prepare
from tests.quick import few
from tests.runs.small_run import small_layer, small_store
from tests.stores.fakes import TASKS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = [task.name for task in TASKS[:2]]
ABLE = sorted(name for name in NETWORKS if NETWORKS[name].has_attention())
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return small_store(tmp_path_factory.mktemp("store"))


def trained(store: Path, network: str) -> Path:
    """A run of one epoch, once for each network."""
    out = store.parent / network
    if not out.exists():
        parts = {"method": {"name": "sl"}, "network": {"name": network, "width": 0.0625}}
        layer = small_layer(store) | {"epochs": 1, "tasks": NAMES, "precision": "32"} | parts
        fit(prepare([layer], out=out, mode="new"), mode="new", arguments=[], watcher=Watcher())
    return out


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two images, one whose sides the stride does not divide."""
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for name, size in (("a", (32, 64, 3)), ("b", (50, 40, 3))):
        Image.fromarray(rng.integers(0, 256, size, np.uint8)).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[list[list[Panel]]]:
    """The sheets that are drawn."""
    kept: list[list[list[Panel]]] = []

    def keep(rows: Sequence[Sequence[Panel]], **options: Any) -> "Figure":
        kept.append([list(row) for row in rows])
        return sheet(rows, **options)

    monkeypatch.setattr(picture, "sheet", keep)
    return kept


def test_networks_of_the_papers_have_attention() -> None:
    assert set(ABLE) == {
        "segnet-mtan", "segnet-stan", "mt-unet", "st-unet", "adamt-net", "resnet18-mtan"
    }  # fmt: skip


def test_masks_are_those_of_the_network_without_its_padding(
    store: Path, images: Path, tmp_path: Path
) -> None:
    run, out = trained(store, "mt-unet"), tmp_path / "out"
    index = predict(
        run, [images], out, attention=True, raw=True, pictures=False, size=(24, 40), device="cpu"
    )
    assert json.loads((out / "predictions.json").read_text()) == index
    row = index["images"][0]
    assert row["attention"] == "attention/a.png"
    with Image.open(images / "a.png") as file:
        small = np.asarray(file.convert("RGB"))
    predictor = load(run, device="cpu")
    seen = predictor._batch([small], (24, 40))
    padded = torch.nn.functional.pad(seen, (0, 8, 0, 8), mode="replicate")
    expected = predictor.network.attention(padded)
    for task in NAMES:
        assert list(row["masks"][task]) == [f"decoder {i}" for i in (1, 2, 3, 4)]
        for layer, stride in zip(row["masks"][task], (8, 4, 2, 1), strict=True):
            assert row["masks"][task][layer].endswith(f"{task}/{layer.replace(' ', '-')}/a.npy")
            found = np.load(out / row["masks"][task][layer])
            assert found.shape == (24 // stride, 40 // stride)
            there = expected[task][layer][0].mean(0)[: 24 // stride, : 40 // stride]
            np.testing.assert_allclose(found, there.numpy(), rtol=1e-4, atol=1e-5)


def test_a_row_a_task_and_a_bar_that_says_what_the_colours_span(
    store: Path, images: Path, tmp_path: Path, drawn: list[list[list[Panel]]]
) -> None:
    run = trained(store, "mt-unet")
    options: dict[str, Any] = {"attention": True, "pictures": False, "device": "cpu"}
    predict(run, [images / "b.png"], tmp_path / "out", size=(32, 32), raw=True, **options)
    first, *rows, bars = drawn[-1]
    assert [panel.title.split("  ")[0] for panel in first] == ["b", *NAMES]
    channels = [(f"decoder {i + 1}", 32 >> i, 4 << i) for i in range(4)]
    assert [[panel.title for panel in row] for row in rows] == [
        [f"{task}, {layer}: {c} at {side}x{side}" for layer, c, side in channels] for task in NAMES
    ]
    for i, bar in enumerate(bars):
        low, high = map(float, bar.title.split(" to "))
        folder = tmp_path / "out/raw/attention"
        both = [np.load(folder / f"{task}/decoder-{i + 1}/b.npy") for task in NAMES]
        assert (low, high) == pytest.approx(np.percentile(np.stack(both), (1, 99)), abs=0.02)
        assert bar.picture[0, 0].tolist() == [68, 1, 84]
        assert bar.picture[0, -1].tolist() == [253, 231, 36]
        # A row has the colours that the bar gives to its values, cells of whole pixels.
        cells = heat(both[0], (low, high))
        assert np.abs(rows[0][i].picture[0, 0].astype(int) - cells[0, 0]).max() <= 8


def test_many_layers_go_below_each_other_and_shared_masks_share_a_row(
    store: Path, images: Path, tmp_path: Path, drawn: list[list[list[Panel]]]
) -> None:
    out = tmp_path / "out"
    predict(trained(store, "segnet-stan"), [images / "a.png"], out, attention=True, pictures=False)
    _, encoder, bars, decoder, _ = drawn[-1]
    assert [len(row) for row in drawn[-1]] == [3, 5, 5, 5, 5]
    assert encoder[0].title.startswith("all tasks, encoder 1: ")
    assert decoder[-1].title.startswith("all tasks, decoder 5: ")
    assert all(" to " in bar.title for bar in bars)


@pytest.mark.parametrize("size", [(32, 64), (33, 50)])
def test_a_mask_is_drawn_cell_by_cell(size: tuple[int, int]) -> None:
    cells = torch.rand(-(-size[0] // 8), -(-size[1] // 8))
    large = DrawnMask("x", 4, 8, cells).at(size)
    assert large.shape == size
    for y in range(size[0]):
        for x in range(size[1]):
            assert large[y, x] == cells[y // 8, x // 8]


@pytest.mark.parametrize("name", few(ABLE, ["segnet-mtan", "mt-unet"]))
def test_command_for_every_network_with_attention(
    name: str, store: Path, images: Path, tmp_path: Path
) -> None:
    arguments = ["predict", str(trained(store, name)), str(images), "-o", str(tmp_path / "out")]
    options = ["--attention", "--tasks", "depth", "--no-pictures"]
    assert run_command(mtmodels, [*arguments, *options]) == 0
    for image in ("a", "b"):
        with Image.open(tmp_path / "out" / "attention" / f"{image}.png") as picture:
            assert min(picture.size) > 200


def test_refuses_a_network_without_attention(
    store: Path, images: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "out"
    arguments = ["predict", str(trained(store, "segnet")), str(images), "-o", str(out)]
    assert run_command(mtmodels, [*arguments, "--attention"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"which are {', '.join(ABLE)}; found a run of `segnet`" in told
    assert not out.exists()
