"""Calibration against loops, and which images are the best and worst."""

import base64
import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mtdata import open_store
from mtdata.building.build import build
from mtmodels.fabric import Fabric
from mtmodels.scoring.samples import Samples
from mtmodels.training.config import Config
from mtmodels.training.loop.validation import Scorer
from mtmodels.training.reporting.examples import BINS, Calibration, Ends, depict_ends, ends_of
from tests.stores.fakes import PaddedSource


def slow_error(logits: np.ndarray, label: np.ndarray, valid: np.ndarray) -> float:
    """Guo et al. 2017, eq. 3: pixel by pixel."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for i, y, x in np.argwhere(valid):
        chances = np.exp(logits[i, :, y, x]) / np.exp(logits[i, :, y, x]).sum()
        found = int(chances.argmax())
        at = next(b for b in range(BINS) if chances[found] <= (b + 1) / BINS)
        bins[at].append((float(chances[found]), found == label[i, 0, y, x]))
    total = sum(map(len, bins))
    gap = 0.0
    for one in bins:
        if one:
            sure = sum(s for s, _ in one) / len(one)
            right = sum(r for _, r in one) / len(one)
            gap += len(one) / total * abs(right - sure)
    return gap


def test_the_calibration_error_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 4, 5, 6)).astype(np.float32) * 2
    label = rng.integers(0, 4, (2, 1, 5, 6))
    valid = rng.random((2, 5, 6)) < 0.7
    sums = Calibration()
    for i in range(2):  # image by image, as it is called
        sums.add(*(torch.from_numpy(a[i : i + 1]) for a in (logits, label, valid)))
    assert sums.error() == pytest.approx(slow_error(logits, label, valid), abs=1e-6)
    assert sums.pixels.sum() == valid.sum()
    garbage = np.where(valid[:, None], label, 3 - label)
    again = Calibration()
    again.add(torch.from_numpy(logits), torch.from_numpy(garbage), torch.from_numpy(valid))
    assert again.error() == pytest.approx(sums.error())


def test_nothing_counted_is_no_number() -> None:
    assert math.isnan(Calibration().error())
    assert Calibration().curve() == []


def test_ends_go_by_what_is_better_and_leave_out_what_is_not_shown() -> None:
    errors = np.array([5.0, 1.0, 0.0, 3.0, 9.0, 2.0])
    counts = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    sums = np.stack([errors, errors, errors, counts], 1)
    keys = tuple("abcdef")
    found = ends_of(Samples("mtpsl", keys, {"depth": "depth"}, {"depth": {"sums": sums}}))[0]
    assert (found.task, found.score) == ("depth", "abs_err")
    assert [key for key, _ in found.best] == ["b", "f"]
    assert [key for key, _ in found.worst] == ["e", "a"]
    matrix = np.array([[[4, 0], [0, 4]], [[0, 4], [4, 0]], [[4, 0], [4, 0]]])
    found = ends_of(Samples("mtpsl", ("a", "b", "c"), {"s": "classes"}, {"s": {"matrix": matrix}}))[
        0
    ]
    assert [key for key, _ in found.best] == ["a", "c"]
    assert [key for key, _ in found.worst] == ["b"]


def test_pictures_are_without_padding_and_errors_on_one_scale(tmp_path: Path) -> None:
    source = PaddedSource(images=(2, 5), missing=0, sizes=((40, 24), (32, 64)))
    build(source, tmp_path / "padded.h5", size=None)
    with open_store(tmp_path / "padded.h5") as opened:
        dataset, split = opened.dataset("test", ["depth"]), opened.split("test")
        scorer = Scorer(
            lambda image: {"depth": image.mean(1, keepdim=True)},
            Fabric(accelerator="cpu", devices=1),
            Config(),
            channels_last=False,
        )
        ends = Ends("depth", "abs_err", tuple((key, 1.0) for key in split.keys), ())
        looked = depict_ends(dataset, scorer, [ends])
        sizes = {key: tuple(map(int, split.sizes[i])) for i, key in enumerate(split.keys)}
    assert len({sizes[key] for _, key in looked.pictures}) == 2
    for (_, key), row in looked.pictures.items():
        for one in row:
            file = io.BytesIO(base64.b64decode(one["uri"].partition(",")[2]))
            assert Image.open(file).size == sizes[key][::-1]
    assert len({row[-1]["title"] for row in looked.pictures.values()}) == 1
