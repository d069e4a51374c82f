"""The loss of a task on the images that show it, whatever their share of a batch."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mtdata.reading.batch import Batch
from mtdata.reading.geometry import Crop
from mtmodels.methods import METHODS
from mtmodels.methods.sl import SL
from mtmodels.methods.ssl import SSL
from mtmodels.methods.views import Views
from mtmodels.methods.xtc import XTC
from mtmodels.networks import NETWORKS
from mtmodels.training.loop.watcher import Standing, Watcher
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from tests.mtmodels.training.conftest import Train
from tests.runs.batches import SIX, generator, random_batch

THREE = SIX[:3]
ROWS = {"semantic": [0, 2, 3], "depth": [1, 2], "normals": [3]}


Supervised = SL | SSL | XTC


def make(name: str, **options: Any) -> Supervised:
    torch.manual_seed(0)
    network = NETWORKS["unet-resnet18"](THREE, width=0.125)
    method = METHODS[name](network, **options).eval()
    assert isinstance(method, SL | SSL | XTC)
    return method


def views_for(method: Supervised, *batches: Batch) -> Views:
    """With the labels that the method wants to supervise."""
    wanted = method.views(len(batches))
    steps = [[[Crop(1.0)] * 4]] * (len(batches) - 1)
    return Views(*batches, steps=steps, supervised=[view.supervised for view in wanted])


def batch_of(seed: int = 0) -> Batch:
    """Four images; one shows semantic without a valid pixel."""
    batch = random_batch(THREE, 4, rows=ROWS, seed=seed)
    valid = dict(batch.valid)
    valid["semantic"] = valid["semantic"].clone()
    valid["semantic"][1] = False
    return replace(batch, valid=valid)


def step(method: Supervised, views: Views) -> tuple[dict[str, int], dict[str, float]]:
    """Counts and means, as a step makes them."""
    with torch.no_grad():
        terms = method(views, progress=0.5, rng=generator(0))
    shown = {task: int(count) for task, count in terms.images.items()}
    return shown, {task: float(mean) for task, mean in terms.labelled.items()}


def one_by_one(method: Supervised, batches: list[Batch], task: str) -> float:
    """The mean over the labelled images of the mean over their valid pixels."""
    losses = []
    for batch in batches:
        with torch.no_grad():
            prediction = method.network(batch.image).predictions[task]
        for row, image in enumerate(batch.rows[task].tolist()):
            valid = batch.valid[task][row : row + 1]
            if valid.any():
                label = batch.labels[task][row : row + 1]
                loss = method.supervision.losses[task](prediction[image][None], label, valid)
                losses.append(float(loss[valid].mean()))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("name", ["sl", "xtc", "ssl"])
@pytest.mark.parametrize("two", [False, True])
def test_it_is_the_mean_over_the_images_that_show_a_task(name: str, *, two: bool) -> None:
    method = make(name, task_weights={"depth": 3.0})
    batches = [batch_of(), *([batch_of(7)] if two or name == "ssl" else [])]
    shown, means = step(method, views_for(method, *batches))
    batches = batches[:1] if name == "ssl" else batches
    assert len(batches) == (2 if two and name != "ssl" else 1)
    assert shown == {
        task: n * len(batches) for task, n in (("semantic", 2), ("depth", 2), ("normals", 1))
    }
    for task in ROWS:
        assert means[task] == pytest.approx(one_by_one(method, batches, task), rel=1e-4)


def test_both_views_count_where_both_supervise() -> None:
    method = make("ssl", supervise="all")
    views = views_for(method, batch_of(), batch_of(7))
    assert step(method, views)[0]["depth"] == 4


@pytest.mark.parametrize("which", [(True, False), (False, True), (True, True), (False, False)])
def test_the_labels_of_the_views_that_supervise_and_of_no_other(which: tuple[bool, bool]) -> None:
    """Each view has labels of its own; those of the others may be anything."""
    method = make("sl")
    batches = [batch_of(), batch_of(7)]
    views = Views(*batches, steps=[[[Crop(1.0)] * 4]], supervised=which)
    shown, means = step(method, views)
    chosen = [batch for batch, supervises in zip(batches, which, strict=True) if supervises]
    assert means.keys() == (ROWS.keys() if chosen else set())
    assert shown.get("depth", 0) == 2 * len(chosen)
    for task, mean in means.items():
        assert mean == pytest.approx(one_by_one(method, chosen, task), rel=1e-4)


def test_a_mean_over_pixels_is_one_already() -> None:
    method = make("sl", reduction={"depth": "pixels"})
    batch = batch_of()
    _, means = step(method, Views(batch))
    with torch.no_grad():
        prediction = method.network(batch.image).predictions["depth"][batch.rows["depth"]]
        valid = batch.valid["depth"]
        loss = method.supervision.losses["depth"](prediction, batch.labels["depth"], valid)
    assert means["depth"] == pytest.approx(float(loss[valid].mean()), rel=1e-4)


def test_images_with_factors_have_no_such_mean() -> None:
    assert step(make("sl", normalise="paper"), Views(batch_of()))[1] == {}


def test_a_task_that_no_image_shows_is_absent() -> None:
    method = make("sl")
    batch = random_batch(THREE, 4, rows={"depth": [1]})
    nothing = replace(batch, valid={"depth": torch.zeros_like(batch.valid["depth"])})
    shown, means = step(method, Views(nothing))
    assert shown == {"depth": 0}
    assert means == {}


def test_a_run_logs_it_and_weighs_by_images(run: Train, tmp_path: Path) -> None:
    told: list[Mapping[str, float]] = []

    class Listener(Watcher):
        def epoch(self, progress: Standing, means: Mapping[str, float], *_: Any, **__: Any) -> None:
            told.append(means)

    run(tmp_path / "run", watcher=Listener(), regime="one", epochs=2, gradient_clip=None)
    log = RunFolder(tmp_path / "run").metrics
    for epoch in read_rows(log, "epoch"):
        steps = [row for row in read_rows(log, "step") if row["epoch"] == epoch["epoch"]]
        assert told.pop(0).items() >= epoch["labelled"].items()  # what is shown is what is drawn
        for task, mean in epoch["labelled"].items():
            counts = [row["images"].get(task, 0) for row in steps]
            values = [row["labelled"].get(task, 0.0) for row in steps]
            total = sum(count * value for count, value in zip(counts, values, strict=True))
            assert epoch["images"][task] == sum(counts) > 0
            assert mean == pytest.approx(total / sum(counts))
        for row in steps:
            for task, value in row["labelled"].items():
                direct = row["parts"][f"{task}/direct"]
                assert value == pytest.approx(direct * 3 / row["images"][task])


def test_an_epoch_has_the_means_of_all_terms(run: Train, tmp_path: Path) -> None:
    run(tmp_path / "run", method={"name": "ssl"}, views={"count": 2}, epochs=1)
    log = RunFolder(tmp_path / "run").metrics
    (epoch,) = read_rows(log, "epoch")
    steps = read_rows(log, "step")
    for field, name in (
        ("tasks", "means"), ("auxiliary", "auxiliary"), ("parts", "parts"),
    ):  # fmt: skip
        assert epoch[name].keys() == {key for row in steps for key in row[field]}
        for term, mean in epoch[name].items():
            values = [row[field][term] for row in steps if term in row[field]]
            assert mean == pytest.approx(sum(values) / len(values))
    assert {"semantic/crops", "depth/crops"} <= epoch["auxiliary"].keys()
