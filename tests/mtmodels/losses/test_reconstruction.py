"""Losses of an auto-encoder against loops over pixels and channels."""

import math
from collections.abc import Callable

import pytest
import torch

from mtmodels.losses import PixelLoss, channel_bce, direction, squeezed_l1
from tests.asserts import (
    assert_gradient,
    assert_ignores_invalid,
    assert_matches_reference,
    assert_pure,
)
from tests.runs.batches import generator


def slow_bce(made: list[float], read: list[float], _: list[float]) -> float:
    chances = [1 / (1 + math.exp(-x)) for x in made]
    return -sum(
        y * math.log(p) + (1 - y) * math.log(1 - p) for p, y in zip(chances, read, strict=True)
    )


def slow_l1(made: list[float], read: list[float], _: list[float]) -> float:
    chances = [1 / (1 + math.exp(-x)) for x in made]
    return sum(abs(p - y) for p, y in zip(chances, read, strict=True)) / len(made)


def slow_direction(made: list[float], read: list[float], _: list[float]) -> float:
    length = math.sqrt(sum(x * x for x in made))
    return 1 - sum(x / length * (2 * y - 1) for x, y in zip(made, read, strict=True))


each_loss = pytest.mark.parametrize(
    ("loss", "reference", "channels"),
    [(channel_bce, slow_bce, 4), (squeezed_l1, slow_l1, 1), (direction, slow_direction, 3)],
)


@each_loss
def test_reconstruction(loss: PixelLoss, reference: Callable[..., float], channels: int) -> None:
    rng = generator(0)
    made = torch.randn(2, channels, 3, 4, generator=rng, dtype=torch.float64)
    read = torch.rand(2, channels, 3, 4, generator=rng, dtype=torch.float64)
    valid = torch.rand(2, 3, 4, generator=rng) < 0.7
    assert_matches_reference(loss, reference, made, read, valid)
    assert_ignores_invalid(loss, made, read, valid, float("nan"))
    assert_pure(loss, made, read, valid)
    assert_gradient(loss, made, read, valid)


def test_a_right_direction_is_right() -> None:
    unit = torch.nn.functional.normalize(torch.randn(1, 3, 2, 2, generator=generator(1)), dim=1)
    valid = torch.ones(1, 2, 2, dtype=torch.bool)
    assert direction(5 * unit, (unit + 1) / 2, valid).abs().max() < 1e-6
