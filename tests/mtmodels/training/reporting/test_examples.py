"""Calibration against loops, and which images are the best and worst."""

import math

import numpy as np
import pytest
import torch

from mtmodels.scoring.samples import Samples
from mtmodels.training.reporting.examples import BINS, Calibration, ends_of


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
