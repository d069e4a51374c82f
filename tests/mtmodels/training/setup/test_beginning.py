"""What a new run takes from its data: losses for empty masks, where predictions begin, a length."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtdata import Sample, open_store
from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.errors import DataError, UsageError
from mtdata.sources.rooms.source import Rooms
from mtmodels.kinds import kind_model
from mtmodels.networks import NETWORKS
from mtmodels.networks.encoders.weights import PACKAGED, has_package
from mtmodels.recipes import load_recipe
from mtmodels.training.config import Config
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.run import Job, fit, prepare
from mtmodels.training.setup.beginning import labels, mean_label
from mtmodels.training.setup.data import at_size
from mtmodels.training.setup.resolve import read_layer
from mtmodels.training.setup.setup import assemble
from tests.runs.batches import generator
from tests.stores.fakes import TASKS, FakeSource

SALIENCY = TASKS[3]


class Masks(FakeSource):
    """Every second mask is empty; elsewhere the foreground is what is bright."""

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        sample = super().read(split, key, tasks)
        if "saliency" not in sample.labels:
            return sample
        valid = np.ones_like(sample.valid["saliency"])
        mask = np.zeros_like(sample.labels["saliency"])
        image = np.full_like(sample.image, 40)
        if int(key[-1]) % 2:
            mask[:, ::2] = 1
            image[:, ::2] = 200
        return replace(
            sample,
            image=image,
            labels={**sample.labels, "saliency": mask},
            valid={**sample.valid, "saliency": valid},
        )


class Sparse(FakeSource):
    """Depth has one valid pixel, in every second image where half the size drops it."""

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        sample = super().read(split, key, tasks)
        if "depth" not in sample.labels:
            return sample
        valid = np.zeros_like(sample.valid["depth"])
        valid[(0, 0) if int(key[-1]) % 2 else (5, 5)] = True
        depth = np.where(valid, sample.labels["depth"], 0).astype(np.float32)
        depth[..., valid] = 2 + int(key[-1])
        return replace(
            sample,
            labels={**sample.labels, "depth": depth},
            valid={**sample.valid, "depth": valid},
        )


def make(folder: Path, source: type[FakeSource] = Masks) -> Path:
    path = folder / "masks.h5"
    build(
        source(images=(8, 2), missing=0, sizes=((32, 64),)),
        path,
        size=(32, 64),
        regimes=[RegimeSpec("one")],
    )
    return path


def job(store: Path, out: Path, **more: Any) -> Job:
    layer = {
        "data": str(store),
        "tasks": ["depth", "saliency"],
        "network": {"name": "unet-resnet18", "width": 0.125},
        "epochs": 100,
        "batch": 4,
        "workers": 0,
        "precision": "32",
        "regime": "full",
    }
    return prepare([layer, more], out=out, mode="new")


def asked(store: Path, out: Path, **layer: Any) -> Job:
    """A new run of which only the data is said."""
    return prepare([{"data": str(store), "workers": 0, "batch": 4, **layer}], out=out, mode="new")


@pytest.mark.skipif(not has_package(), reason="needs the extra `weights`")
def test_own_images_begin_with_an_encoder_that_knows_imagenet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make(tmp_path)
    made = asked(store, tmp_path / "run")
    assert made.config.network.label == f"unet-{PACKAGED}"
    named = prepare([{"data": str(store), "workers": 0, "batch": 4}], out=None, mode="new")
    assert f"-unet-{PACKAGED}-" in named.folder.path.name
    assert made.config.network.encoder_weights == "package"
    assert made.config.network.options["mean"] == pytest.approx([127 / 255] * 3)
    assert [note for note in made.notes if f"`unet-{PACKAGED}`" in note and "--network" in note]
    # Who names a network, or how wide it is, gets that one; who has no weights, none.
    for network in ({"name": "unet"}, {"width": 0.25}):
        assert asked(store, tmp_path / "run", network=network).config.network.label == (
            "unet-resnet18"
        )
    monkeypatch.setattr("mtmodels.training.setup.beginning.has_package", lambda: False)
    plain = asked(store, tmp_path / "run").config.network
    assert (plain.label, plain.encoder_weights) == ("unet-resnet18", None)


def test_images_of_a_data_set_begin_as_its_papers_do(tmp_path: Path) -> None:
    build(Rooms(images=(8, 2)), tmp_path / "rooms.h5", size=(32, 64), regimes=[])
    assert asked(tmp_path / "rooms.h5", tmp_path / "run").config.network.encoder_weights is None


def short(made: Job) -> Config:
    return made.config.model_copy(update={"epochs": 1})


def test_empty_masks_get_a_loss_that_learns_from_them_and_are_told(tmp_path: Path) -> None:
    made = job(make(tmp_path), tmp_path / "run")
    assert made.config.method.options["losses"] == {"saliency": "bce"}
    [note] = made.notes
    assert "`saliency`: 4 of 8 that were looked at are empty or full" in note
    assert "`bce` is taken" in note
    fit(replace(made, config=short(made)), mode="new", arguments=[], watcher=Watcher())
    written = read_layer(tmp_path / "run" / "config.yaml")
    assert written["method"]["options"]["losses"] == {"saliency": "bce"}


def test_what_is_asked_for_stays_and_is_told(tmp_path: Path) -> None:
    method = {"options": {"losses": {"saliency": "balanced_bce"}}}
    made = job(make(tmp_path), tmp_path / "run", method=method)
    assert made.config.method.options["losses"] == {"saliency": "balanced_bce"}
    assert "`bce` would learn from them" in made.notes[0]
    for loss in ("bce", "edge_bce"):
        method = {"options": {"losses": {"saliency": loss}}}
        assert job(make_again(tmp_path), tmp_path / "run", method=method).notes == ()


def make_again(folder: Path) -> Path:
    return folder / "masks.h5"


def test_masks_with_two_sides_keep_their_loss(tmp_path: Path) -> None:
    made = job(make(tmp_path, FakeSource), tmp_path / "run")
    assert made.config.method.options["losses"] is None
    assert made.notes == ()


def test_a_run_that_goes_on_keeps_what_it_wrote_down(tmp_path: Path) -> None:
    """One of before this was decided has no loss by name: it goes on with the one of then."""
    store = make(tmp_path)
    plain = job(store, tmp_path / "run")
    fit(replace(plain, config=short(plain)), mode="new", arguments=[], watcher=Watcher())
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("losses:\n      saliency: bce", "losses: null"))
    assert read_layer(config)["method"]["options"]["losses"] is None
    resumed = prepare([], out=tmp_path / "run", mode="resume")
    assert resumed.config.method.options["losses"] is None


def test_only_labels_that_may_be_seen_are_looked_at(tmp_path: Path) -> None:
    made = job(make(tmp_path), tmp_path / "run", regime="one", batch=1)
    shown = made.data.labels["saliency"]
    assert 0 < shown < 8
    assert len(list(labels(made.data.train, SALIENCY))) == shown


@pytest.mark.parametrize(("loss", "learns"), [("balanced_bce", False), ("bce", True)])
def test_a_loss_that_is_blind_to_empty_masks(loss: str, *, learns: bool) -> None:
    """The gradient on an empty mask: none where it is balanced, away from foreground otherwise."""
    logit = torch.zeros(1, 1, 2, 2, requires_grad=True)
    valid = torch.ones(1, 2, 2, dtype=torch.bool)
    pixels = kind_model(SALIENCY).loss("saliency", loss)
    pixels(logit, torch.zeros(1, 1, 2, 2, dtype=torch.uint8), valid).sum().backward()
    assert logit.grad is not None
    assert bool((logit.grad > 0).all()) == learns


def plan_of(store: Path, **more: Any) -> Job:
    layer = {
        "data": str(store),
        "tasks": ["depth", "normals"],
        "network": {"name": "unet-resnet18", "width": 0.125},
        "batch": 4,
        "workers": 0,
        "precision": "32",
        "regime": "full",
    }
    return prepare([layer, more], out=None, mode=None)


def means(made: Job) -> dict[str, list[float]]:
    """What an untrained network predicts, over images of noise."""
    network = assemble(made.config, made.data).method.network.eval()
    with torch.no_grad():
        found = network(torch.rand(4, 3, 32, 64, generator=generator(0))).predictions
    return {task: p.mean((0, 2, 3)).tolist() for task, p in found.items()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("plain"), FakeSource)


@pytest.mark.parametrize("network", ["unet-resnet18", "segnet", "deeplab-resnet18"])
def test_predictions_begin_at_the_mean_of_the_labels(plain: Path, network: str) -> None:
    """Labels are between 0 and 9 metres, so that nothing begins there by itself."""
    made = plan_of(plain, network={"name": network, "width": 0.125}, steps=600)
    assert made.config.start == "mean"
    expected = mean_label(made.data.train, TASKS[1])
    assert 4 < expected[0] < 5
    assert means(made)["depth"] == pytest.approx(expected, abs=1.0)
    before = plan_of(plain, network={"name": network, "width": 0.125}, steps=600, start="random")
    assert abs(means(before)["depth"][0]) < 1.5


def test_a_mean_is_of_the_labels_that_may_be_seen(plain: Path) -> None:
    made = plan_of(plain, regime="one", batch=1)
    seen = [label[valid].mean() for label, valid in labels(made.data.train, TASKS[1])]
    assert len(seen) == made.data.labels["depth"] < 8
    assert mean_label(made.data.train, TASKS[1]) == pytest.approx([np.mean(seen)], rel=1e-6)


def test_a_run_whose_epochs_are_given_begins_as_ever(plain: Path) -> None:
    assert plan_of(plain, epochs=300).config.start == "random"
    assert plan_of(plain, epochs=300, start="mean").config.start == "mean"


def test_a_network_without_a_bias_is_left_as_it_is() -> None:
    assert not NETWORKS["xtasc-resnet18"](TASKS[1:2], width=0.125).start_at("depth", [4.0])


def test_few_images_get_steps_and_are_told(plain: Path) -> None:
    made = plan_of(plain)
    assert (made.config.steps, made.config.epochs) == (600, 300)
    [note] = made.notes
    assert "600 steps" in note
    assert "15 epochs would be 30 steps" in note
    assert "epochs" not in made.config.to_dict()


@pytest.mark.parametrize("length", [{"epochs": 99}, {"steps": 199}])
def test_a_short_training_is_told_what_to_do(plain: Path, length: dict[str, int]) -> None:
    [note] = plan_of(plain, **length).notes
    assert "This training is short: 19" in note
    assert "--steps 600" in note
    assert plan_of(plain, **{name: value + 1 for name, value in length.items()}).notes == ()


def test_a_short_training_names_tasks_that_it_has(plain: Path) -> None:
    [note] = plan_of(plain, steps=100, tasks=["semantic", "depth"]).notes
    assert "in so few, and depth may stay near where predictions begin. Give" in note
    [note] = plan_of(plain, steps=100, tasks=["semantic"]).notes
    assert "learns little in so few. Give --steps 600" in note


def test_who_took_a_recipe_is_told_of_no_other(plain: Path) -> None:
    notes = plan_of(plain, steps=100).notes
    assert notes[-1].endswith("or --recipe own-small, which is made for few images of your own.")
    [note] = plan_of(plain, steps=100, recipe={"name": "own-small"}).notes
    assert note.endswith("Give --steps 600 or more.")


@pytest.mark.parametrize("recipe", ["own-small", None])
def test_few_images_make_a_batch_smaller_that_nobody_asked_for(
    plain: Path, recipe: str | None
) -> None:
    small = {"network": {"name": "unet-resnet18", "width": 0.125}, "holdout": 0.25, "steps": 600}
    layer = {"data": str(plain), "tasks": ["depth"], "regime": "full", **small}
    layers = [load_recipe(recipe).config, layer] if recipe else [layer]
    images = 6  # of eight, two of which are held out
    job = prepare(layers, out=None, mode=None)
    assert job.config.batch == images
    assert any(f"Batch: {images}, all there is to train on" in note for note in job.notes)
    with pytest.raises(UsageError, match=f"number of training images, {images}; found 8"):
        prepare([*layers, {"batch": 8}], out=None, mode=None)


def test_predictions_begin_at_the_labels_that_a_smaller_size_leaves(tmp_path: Path) -> None:
    """The mean of a label without a valid pixel is NaN, and so was the first prediction."""
    whole = open_store(make(tmp_path, Sparse)).dataset("train", ["depth"])
    task, small = whole.tasks[0], at_size(whole, (16, 32))
    kept = [label[valid] for label, valid in labels(small, task)]
    assert 0 < len(kept) < len(list(labels(whole, task)))
    assert mean_label(small, task) == pytest.approx([float(np.mean(np.concatenate(kept)))])
    shown = ["depth" in small[i].labels for i in range(len(small))]
    lost = small.subset(~np.array(shown))
    with pytest.raises(DataError, match=r"`depth`.* at 16x32.*larger --size"):
        mean_label(lost, task)
