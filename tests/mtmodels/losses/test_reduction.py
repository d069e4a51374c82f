"""How the loss of pixels becomes one number."""

import pytest
import torch

from mtmodels.losses import image_means, over_images, over_pixels
from tests.runs.batches import generator


@pytest.fixture
def loss() -> torch.Tensor:
    return torch.rand(3, 4, 5, dtype=torch.float64, generator=generator(0))


@pytest.fixture
def valid() -> torch.Tensor:
    valid = torch.rand(3, 4, 5, generator=generator(1)) < 0.6
    valid[1] = False
    return valid


def test_image_means(loss: torch.Tensor, valid: torch.Tensor) -> None:
    means, shown = image_means(loss.where(valid, torch.zeros(())), valid)
    assert shown.tolist() == [True, False, True]
    assert means[1] == 0
    for n in (0, 2):
        assert means[n].item() == pytest.approx(loss[n][valid[n]].mean().item(), rel=1e-12)


def test_over_images_is_a_sum_over_the_batch(loss: torch.Tensor, valid: torch.Tensor) -> None:
    masked = loss.where(valid, torch.zeros(()))
    expected = sum(loss[n][valid[n]].mean().item() for n in (0, 2)) / 5
    assert over_images(masked, valid, batch=5).item() == pytest.approx(expected, rel=1e-12)
    weight = torch.tensor([0.5, 7.0, 0.25])
    expected = (loss[0][valid[0]].mean() / 2 + loss[2][valid[2]].mean() / 4).item() / 5
    value = over_images(masked, valid, batch=5, weight=weight)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_over_images_does_not_depend_on_the_split(loss: torch.Tensor, valid: torch.Tensor) -> None:
    masked = loss.where(valid, torch.zeros(()))
    parts = [over_images(masked[[n]], valid[[n]], batch=1) for n in range(3)]
    whole = over_images(masked, valid, batch=3)
    assert whole.item() == pytest.approx(torch.stack(parts).mean().item(), rel=1e-12)


def test_over_pixels_pools(loss: torch.Tensor, valid: torch.Tensor) -> None:
    """Two of five images have a valid pixel."""
    value = over_pixels(loss.where(valid, torch.zeros(())), valid, batch=5)
    assert value.item() == pytest.approx(loss[valid].mean().item() * 2 / 5, rel=1e-12)


def test_over_pixels_of_all_images_is_the_plain_mean(loss: torch.Tensor) -> None:
    everywhere = torch.ones(3, 4, 5, dtype=torch.bool)
    assert over_pixels(loss, everywhere, batch=3) == loss.sum() / 60


def test_nothing_valid_is_zero_not_nan() -> None:
    nothing, valid = torch.zeros(2, 3, 3), torch.zeros(2, 3, 3, dtype=torch.bool)
    assert over_images(nothing, valid, batch=2) == 0
    assert over_pixels(nothing, valid, batch=2) == 0
