"""Scores at the size that images had, of stores that pad and resize them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.morphology import thin
from torch import Tensor

from mtdata import SOURCES, open_store
from mtdata.building.build import build
from mtdata.errors import UsageError
from mtdata.reading.loader import Loader
from mtdata.sources.base import Source
from mtmodels.scoring.original import check_scorable, frames
from tests.mtmodels.metrics import reference
from tests.mtmodels.scoring.scored import evaluate
from tests.stores.fakes import fake_store
from tests.trees.pascal import VAL, write_pascal

TASKS = ("semantic", "normals", "parts", "saliency", "edges")
KIND = {"semantic": "classes", "saliency": "binary"}
EQUALLY = ("semantic", "parts", "saliency", "edges")
"""Their labels come back as they were; vectors were interpolated."""
CHANNELS = {"semantic": 21, "normals": 3, "parts": 7, "saliency": 1, "edges": 1}


def predict(image: Tensor) -> Mapping[str, Tensor]:
    """Something smooth of each pixel and where it lies, that is right here and there."""
    smooth = torch.nn.functional.avg_pool2d(image, 5, stride=1, padding=2)
    found = {}
    for number, (task, channels) in enumerate(CHANNELS.items()):
        rng = torch.Generator().manual_seed(number)
        weight = 12 * torch.randn(channels, 3, 1, 1, generator=rng)
        found[task] = torch.nn.functional.conv2d(smooth - 0.5, weight)
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    root = write_pascal(tmp_path_factory.mktemp("pascal"))
    made: Source = SOURCES["pascal"](root)
    return made


@pytest.fixture(scope="module", params=["padded", "resized"])
def store(request: Any, source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """At 512x512: padded with images as they are, or all images stretched to 64x72."""
    path = tmp_path_factory.mktemp("stores") / f"{request.param}.h5"
    build(source, path, size=(64, 72) if request.param == "resized" else None)
    return path


def brought(prediction: Tensor, task: str, stored: tuple[int, int], size: tuple[int, int]) -> Any:
    """A prediction [c, h, w] at the size of the image, by OpenCV and by indices."""
    array = prediction.double().numpy()[:, : stored[0], : stored[1]]
    if stored == size:
        return array
    if task in ("semantic", "parts"):
        rows, columns = (
            [min(int((i + 0.5) * old / new), old - 1) for i in range(new)]
            for new, old in zip(size, stored, strict=True)
        )
        return array[:, rows][:, :, columns]
    if task == "normals":
        channels = [cv2.resize(c, size[::-1], interpolation=cv2.INTER_LINEAR) for c in array]
        return np.stack(channels)
    chance = cv2.resize(1 / (1 + np.exp(-array[0])), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.log(chance / (1 - chance))[None]


def test_scores_are_those_of_the_labels_of_the_source(source: Source, store: Path) -> None:
    with open_store(store) as opened:
        dataset = opened.dataset("val", list(TASKS))
        check_scorable("pascal", dataset, opened)
        found = evaluate(
            predict, Loader(dataset, 2).epoch(0), tasks=dataset.tasks, protocol="pascal",
            frames=frames(dataset), thresholds=5,
        )  # fmt: skip
        images = {key: dataset.read(i).image for i, key in enumerate(dataset.keys)}
        stored = opened.splits["val"].sizes.tolist()
        sizes = {key: (h, w) for key, (h, w) in zip(dataset.keys, stored, strict=True)}
    assert found.images == len(VAL)
    for task in TASKS:
        cases: list[tuple[NDArray[Any], ...]] = []
        for key in VAL:
            truth = source.read("val", key, [task])
            if task not in truth.labels:
                continue
            image = torch.from_numpy(images[key]).movedim(-1, 0)[None].float() / 255
            label = truth.labels[task]
            size = label.shape[0], label.shape[1]
            prediction = brought(predict(image)[task][0], task, sizes[key], size)
            label = label[None] if label.ndim == 2 else label.transpose(2, 0, 1)
            cases.append((prediction, label.astype(float), truth.valid[task].astype(float)))
        expected = reference_scores(task, cases)
        # Stores keep vectors to 0.005 degrees.
        rel = 1e-6 if task in EQUALLY else 1e-4 if "padded" in store.name else 0.02
        for name, value in expected.items():
            assert found.scores[task][name] == pytest.approx(value, rel=rel, nan_ok=True), name
        assert found.labelled[task] == len(cases)


def reference_scores(task: str, cases: list[tuple[NDArray[Any], ...]]) -> dict[str, Any]:
    """Scores of images of different sizes: padded to one, where nothing is valid."""
    height, width = (max(case[2].shape[axis] for case in cases) for axis in (0, 1))

    def padded(array: NDArray[Any]) -> NDArray[Any]:
        room = [(0, 0)] * (array.ndim - 2)
        room += [(0, height - array.shape[-2]), (0, width - array.shape[-1])]
        return np.pad(array, room)

    if task == "edges":
        return edge_scores(cases)
    stacked = (np.stack([padded(case[k]) for case in cases]) for k in range(3))
    if task == "normals":
        prediction, label, valid = stacked
        inside = valid > 0
        a, b = (x.transpose(0, 2, 3, 1)[inside] for x in (prediction, label))
        cosine = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
        return {"mean": float(np.degrees(np.arccos(cosine.clip(-1, 1))).mean())}
    by_task = reference.REFERENCES["pascal", KIND.get(task, task)]
    return dict(by_task(*stacked))


def edge_scores(cases: list[tuple[NDArray[Any], ...]], thresholds: int = 5) -> dict[str, Any]:
    """The tolerance hangs on the size of each image, so that padding is no way here."""
    best = 0.0
    for k in range(1, thresholds + 1):
        matched = total = 0
        for prediction, label, _ in cases:
            level = np.floor(255 / (1 + np.exp(-prediction[0])))
            on, truth = (
                [(int(i), int(j)) for i, j in np.argwhere(thin(picture))]
                for picture in (level * (thresholds + 1) >= 255 * k, label[0] > 0)
            )
            matched += reference.matching(on, truth, 0.0075 * float(np.hypot(*level.shape)))
            total += len(on) + len(truth)
        best = max(best, 200 * matched / total)
    return {"ods_f": best}


def test_labels_that_a_small_size_lost_are_refused(source: Source, tmp_path: Path) -> None:
    build(source, tmp_path / "small.h5", size=(48, 64))
    with open_store(tmp_path / "small.h5") as opened:
        dataset = opened.dataset("val", ["semantic"])
        for protocol in ("pascal", "cityscapes"):
            with pytest.raises(UsageError, match=r"at 48x64 of \d+x\d+. Build a store with"):
                check_scorable(protocol, dataset, opened)
        check_scorable("mtpsl", dataset, opened)


def test_edges_to_learn_from_are_not_scored_against(source: Source, tmp_path: Path) -> None:
    build(SOURCES["pascal"](source.root, edges="target"), tmp_path / "target.h5")
    with open_store(tmp_path / "target.h5") as opened:
        with pytest.raises(UsageError, match=r"the split val .* holds the target that edges are"):
            check_scorable("pascal", opened.dataset("val", ["semantic", "edges"]), opened)
        check_scorable("pascal", opened.dataset("val", ["semantic"]), opened)


def test_an_enlarged_store_is_no_full_size(tmp_path: Path) -> None:
    path = fake_store(tmp_path)  # 24x32 at 12x16
    with open_store(path) as opened, pytest.raises(UsageError, match="12x16 of 24x32"):
        check_scorable("cityscapes", opened.dataset("test"), opened)
