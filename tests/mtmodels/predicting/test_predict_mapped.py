"""Predictions beside their maps in the joint spaces of task pairs."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from cli.mtmodels import mtmodels
from cli.shared.common import run as run_command
from mtdata.errors import UsageError
from mtdata.inspecting.pictures import Panel, heat, sheet
from mtmodels.kinds import kind_model
from mtmodels.methods.parts.joint_space import JointSpace
from mtmodels.methods.parts.pairs import pair_code
from mtmodels.networks import NETWORKS
from mtmodels.networks.auxiliary.mapping import MappingNetwork
from mtmodels.predicting import picture, predict
from mtmodels.predicting.mapper import SEED, MappedPair, Mapper, open_mapper
from mtmodels.predicting.opening import open_predictor
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record.checkpoint import load_weights
from mtmodels.training.run import fit, prepare
from mtmodels.training.setup.loading import open_run
from tests.runs.batches import SIX, generator
from tests.runs.small_run import small_layer, small_store
from tests.stores.fakes import TASKS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THREE = SIX[:3]
NAMES = tuple(task.name for task in THREE)
TWO = ("semantic", "depth")
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return small_store(tmp_path_factory.mktemp("store"))


def trained(store: Path, method: str, **options: Any) -> Path:
    """A run of one epoch on all kinds of tasks."""
    part = {"name": method, "options": options}
    tasks = [task.name for task in TASKS[:4]]
    layer = small_layer(store) | {"epochs": 1, "tasks": tasks, "method": part}
    out = store.parent / method
    fit(prepare([layer], out=out, mode="new"), mode="new", arguments=[], watcher=Watcher())
    return out


@pytest.fixture(scope="module")
def run(store: Path) -> Path:
    return trained(store, "mtpsl", mapping_width=0.0625)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two images, one whose sides the stride does not divide."""
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for name, size in (("a", (32, 64, 3)), ("b", (50, 40, 3))):
        Image.fromarray(rng.integers(0, 256, size, np.uint8)).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


def test_a_picture_an_image_the_same_every_time(run: Path, images: Path, tmp_path: Path) -> None:
    kept = []
    for out in (tmp_path / "first", tmp_path / "second"):
        index = predict(run, [images], out, tasks=TWO, mapped=True, pictures=False, device="cpu")
        assert json.loads((out / "predictions.json").read_text()) == index
        assert [row["mapped"] for row in index["images"]] == ["mapped/a.png", "mapped/b.png"]
        assert not (out / "pictures").exists()
        kept.append([(out / row["mapped"]).read_bytes() for row in index["images"]])
    assert kept[0] == kept[1]
    assert kept[0][0] != kept[0][1]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[list[list[str]]]:
    """The titles of the sheets that are drawn, row by row."""
    kept: list[list[list[str]]] = []

    def keep(rows: Sequence[Sequence[Panel]], **options: Any) -> "Figure":
        kept.append([[panel.title for panel in row] for row in rows])
        return sheet(rows, **options)

    monkeypatch.setattr(picture, "sheet", keep)
    return kept


def test_the_image_and_each_prediction_once_and_a_row_of_maps_a_task(
    run: Path, images: Path, tmp_path: Path, drawn: list[list[list[str]]]
) -> None:
    for tasks in (["semantic", "saliency"], NAMES):
        out = tmp_path / str(len(tasks))
        predict(run, [images / "a.png"], out, tasks=tasks, mapped=True, pictures=False)
        first, *rows = drawn[-1]
        assert [title.split("  ")[0] for title in first] == ["a", *tasks]
        assert len(rows) == len(tasks)
        for source, row in zip(tasks, rows, strict=True):
            others = [task for task in tasks if task != source]
            spaces = [f"({source}, {target})" for target in others for _ in range(2)]
            mapped = [task for target in others for task in (source, target)]
            assert [title.split(", varies ")[0] for title in row] == [
                f"{task} in {space}" for task, space in zip(mapped, spaces, strict=True)
            ]
            assert all(re.fullmatch(r".*, varies \d+ %", title) for title in row)


def test_command(run: Path, images: Path, tmp_path: Path, capsys: Captured) -> None:
    out = ["-o", str(tmp_path / "out")]
    few = ["--mapped", "--tasks", "depth,normals"]
    assert run_command(mtmodels, ["predict", str(run), str(images), *out, *few]) == 0
    assert (tmp_path / "out" / "mapped" / "a.png").is_file()
    capsys.readouterr()
    one = ["--mapped", "--tasks", "depth", "--overwrite"]
    assert run_command(mtmodels, ["predict", str(run), str(images), *out, *one]) == 2
    assert "should have two tasks or more to pair; found 1" in capsys.readouterr().err


def test_refuses_a_method_without_joint_spaces(store: Path, images: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"contrastive, discriminator, mtpsl; found a run of `sl`"):
        predict(trained(store, "sl"), [images], tmp_path / "out", mapped=True)
    assert not (tmp_path / "out").exists()


def test_a_run_maps_with_the_weights_it_was_trained_to(run: Path) -> None:
    opened = open_run(run)
    mapper = open_mapper(opened, open_predictor(opened, device="cpu"))
    kept = load_weights(opened.chosen())
    own = mapper.joint.state_dict()
    assert own
    assert all(torch.equal(value, kept[f"joint.{name}"]) for name, value in own.items())


def make_mapper(**options: Any) -> Mapper:
    torch.manual_seed(0)
    network = NETWORKS["unet-resnet18"](THREE, width=0.125)
    joint = JointSpace(network, width=0.0625, **options)
    for i, parameter in enumerate(joint.film_parameters()):
        noise = torch.randn(parameter.shape, generator=generator(i))
        parameter.data = parameter.data + 0.3 * noise.to(parameter.dtype)
    return Mapper(joint, THREE, network.stride)


def make_given(size: tuple[int, int] = (64, 96)) -> dict[str, Tensor]:
    return {
        task.name: kind_model(task).activation(
            torch.randn(1, task.channels, *size, generator=generator(i))
        )[0]
        for i, task in enumerate(THREE)
    }


def by_pair(found: list[MappedPair]) -> Mapping[tuple[str, str], MappedPair]:
    return {(pair.source.name, pair.target.name): pair for pair in found}


@pytest.mark.parametrize("conditioning", ["pair", "input_and_pair", "separate"])
@pytest.mark.parametrize("trunk", ["segnet", "resnet18"])
def test_maps_are_what_the_last_stage_reads(conditioning: str, trunk: str) -> None:
    mapper, given = make_mapper(conditioning=conditioning, trunk=trunk), make_given()
    (source, target), codes = ("semantic", "depth"), (0, 0)
    if conditioning != "pair":
        codes = (pair_code(source, target, NAMES), pair_code(target, source, NAMES))
    found = by_pair(mapper.maps(given))[source, target]
    rng = generator(SEED)
    encoded = {
        source: kind_model(THREE[0]).encode_prediction(given[source][None], rng),
        target: kind_model(THREE[1]).encode_label(
            given[target][None], torch.ones(1, 64, 96, dtype=torch.bool), 1
        ),
    }
    maps = (found.source_map, found.target_map)
    for task, code, there in zip((source, target), codes, maps, strict=True):
        network = mapper.joint.mappings[code if conditioning == "separate" else 0]
        assert isinstance(network, MappingNetwork)
        read: list[Tensor] = []
        network.trunk.parts()[-1][0].register_forward_pre_hook(
            lambda _module, given, read=read: read.append(given[0])
        )
        code_ = torch.tensor([0 if conditioning == "separate" else code])
        with torch.no_grad():
            network({task: encoded[task]}, torch.tensor([0]), code_)
        assert read[0].shape[-2:] == (4, 6)
        cells = read[0][0].norm(dim=0).repeat_interleave(16, 0).repeat_interleave(16, 1)
        torch.testing.assert_close(there, cells, rtol=1e-4, atol=1e-5)


def test_how_much_of_a_map_comes_of_what_it_reads() -> None:
    mapper, given = make_mapper(), make_given()
    found = by_pair(mapper.maps(given))
    changes = [change for p in found.values() for change in (p.source_change, p.target_change)]
    assert all(0.01 < change < 3 for change in changes)
    # A mapping that is the same wherever it looks has collapsed, although its borders give a map
    # that varies over the image.
    for parameter in mapper.joint.parameters():
        if parameter.ndim == 4:
            parameter.data = torch.zeros_like(parameter.data)
    for pair in mapper.maps(given):
        assert (pair.source_change, pair.target_change) == (0, 0)


def test_flat_predictions_leave_a_map_as_it_is() -> None:
    flat = {name: p.mean((1, 2), keepdim=True).expand_as(p) for name, p in make_given().items()}
    for pair in make_mapper().maps(flat):
        assert pair.source_change == pytest.approx(0, abs=1e-4)
        assert pair.target_change == pytest.approx(0, abs=1e-4)


def test_without_conditioning_a_task_has_one_map() -> None:
    found = by_pair(make_mapper(conditioning="none").maps(make_given()))
    assert list(found) == [(s, t) for s in NAMES for t in NAMES if s != t]
    maps = [found["depth", "semantic"].source_map, found["depth", "normals"].source_map]
    maps += [found["semantic", "depth"].target_map, found["normals", "depth"].target_map]
    for other in maps[1:]:
        torch.testing.assert_close(maps[0], other, rtol=1e-4, atol=1e-5)
    # The classes that are drawn are the same in each pair.
    drawn = [found["semantic", target].source_map for target in ("depth", "normals")]
    torch.testing.assert_close(*drawn, rtol=1e-4, atol=1e-5)


def test_each_pair_has_a_space_of_its_own() -> None:
    found = by_pair(make_mapper().maps(make_given()))
    one, other = (found["depth", target].source_map for target in ("semantic", "normals"))
    assert not torch.allclose(one, other, atol=1e-2)


@pytest.mark.parametrize("trunk", ["segnet", "resnet18"])
def test_a_cell_is_of_whole_pixels_whatever_the_size(trunk: str) -> None:
    (first, *_) = make_mapper(trunk=trunk).maps(make_given((50, 70)))
    assert first.source_map.shape == (50, 70)
    for top in range(0, 50, 16):
        for left in range(0, 70, 16):
            assert first.source_map[top : top + 16, left : left + 16].unique().numel() == 1


def test_colours_span_the_percentiles() -> None:
    values = np.linspace(0, 1, 400).reshape(20, 20)
    colours = heat(values)
    assert colours[0, 0].tolist() == [68, 1, 84]
    assert colours[-1, -1].tolist() == [253, 231, 36]
    assert heat(np.ones((2, 2))).shape == (2, 2, 3)
