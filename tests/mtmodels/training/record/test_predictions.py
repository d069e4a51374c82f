"""Pictures show what the network predicts when it is scored, not what it predicts in training."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from mtdata import Sample, Task, open_store
from mtdata.building.build import build
from mtdata.inspecting.keys import evenly
from mtdata.reading.batch import collate
from mtmodels.kinds import kind_model
from mtmodels.networks import NETWORKS
from mtmodels.training.record import predictions
from tests.stores.fakes import PaddedSource


def test_pictures_show_predictions_of_evaluation_mode(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(store) as opened:
        dataset = opened.dataset("test", ["semantic", "depth"])
        network = NETWORKS["unet-resnet18"](dataset.tasks, width=0.125).train()
        drawn: list[Mapping[str, Any]] = []

        def keep(sample: Sample, tasks: tuple[Task, ...], shown: Mapping[str, Any]) -> None:
            drawn.append(shown)

        monkeypatch.setattr(predictions, "_sheet", keep)
        monkeypatch.setattr(predictions, "write_figure", lambda figure, path: None)
        predictions.draw_predictions(
            network.predict, dataset, dataset.tasks, folder=tmp_path, count=1,
            device=torch.device("cpu"), precision=nullcontext,
        )  # fmt: skip
        assert network.training
        image = collate([dataset.read(evenly(len(dataset), 1)[0])]).image
        with torch.no_grad():
            wanted = network.eval().predict(image)
    for task in dataset.tasks:
        label = kind_model(task).as_label(wanted[task.name])[0, 0]
        assert torch.equal(torch.from_numpy(drawn[0][task.name]), label)


def test_pictures_are_without_padding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = PaddedSource(images=(2, 3), missing=0, sizes=((40, 24), (32, 64)))
    build(source, tmp_path / "padded.h5", size=None)
    with open_store(tmp_path / "padded.h5") as opened:
        dataset = opened.dataset("test", ["depth"])
        network = NETWORKS["unet-resnet18"](dataset.tasks, width=0.125)
        sizes = [tuple(map(int, size)) for size in opened.split("test").sizes]

        def keep(sample: Sample, tasks: tuple[Task, ...], shown: Mapping[str, Any]) -> None:
            size = sizes.pop(0)
            assert sample.image.shape[:2] == shown["depth"].shape == size
            assert sample.labels["depth"].shape == size
            assert sample.image.any(-1).all()  # padding is black, the fake images never are

        monkeypatch.setattr(predictions, "_sheet", keep)
        monkeypatch.setattr(predictions, "write_figure", lambda figure, path: None)
        predictions.draw_predictions(
            network.predict, dataset, dataset.tasks, folder=tmp_path, count=3,
            device=torch.device("cpu"), precision=nullcontext,
        )  # fmt: skip
        assert not sizes
