"""Values that can be worked out on paper."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mtdata import Depth, Task
from mtmodels.encodings import highest
from mtmodels.metrics import METRICS
from mtmodels.metrics.confusion import confusion
from mtmodels.metrics.normals import QUARTERS, STEPS_PER_DEGREE, angles, by_step, median, within
from tests.mtmodels.metrics.cases import Case, score


def logits(classes: list[int]) -> Tensor:
    """One image of one row with these predictions, of 4 classes."""
    return torch.eye(4)[torch.tensor(classes)].T[None, :, None, :]


def row(values: list[float], dtype: torch.dtype = torch.uint8) -> Tensor:
    """One label of one row."""
    return torch.tensor(values, dtype=dtype)[None, None, None, :]


def join(*cases: Case) -> Case:
    parts = ([getattr(c, name) for c in cases] for name in ("prediction", "label", "valid"))
    return Case(*(torch.cat(part) for part in parts))


TWO = join(
    Case(logits([0, 0, 1, 1]), row([0, 0, 0, 1]), torch.ones(1, 1, 4, dtype=torch.bool)),
    Case(logits([2, 2, 2, 3]), row([2, 2, 2, 2]), torch.tensor([[[True, True, True, False]]])),
)


def test_the_two_definitions_of_miou_differ() -> None:
    pooled, per_image = score("mtpsl", "classes", TWO), score("xtasc", "classes", TWO)
    assert pooled["iou"] == pytest.approx([200 / 3, 50, 100, math.nan], nan_ok=True)
    assert pooled["miou"] == pytest.approx((200 / 3 + 50 + 100) / 3)
    assert per_image["miou"] == pytest.approx(((200 / 3 + 50) / 2 + 100) / 2)
    assert pooled["pixel_accuracy"] == pytest.approx(100 * 6 / 7)
    assert per_image["pixel_accuracy"] == pytest.approx((75 + 100) / 2)


def test_a_negative_depth_is_clamped_under_mtpsl_alone() -> None:
    made = Case(row([-1, 2], torch.float32), row([1, 4], torch.float32), torch.ones(1, 1, 2).bool())
    assert score("mtpsl", "depth", made)["abs_err"] == pytest.approx((1 + 2) / 2)
    assert score("xtasc", "depth", made)["abs_err"] == pytest.approx((2 + 2) / 2)
    assert score("xtasc", "depth", made)["rel_err"] == pytest.approx((2 + 0.5) / 2)


def test_depth_within_a_factor() -> None:
    """A factor of 1.25 is not below it; no depth is below nothing, whose factor is raised."""
    label = row([1, 1, 1, 1, 1, 0], torch.float32)
    made = Case(row([1, 1.25, 0.5, 1.9, -2, 3], torch.float32), label, torch.ones(1, 1, 6).bool())
    found = score("common", "depth", made)
    assert [found[f"delta{power}"] for power in (1, 2, 3)] == pytest.approx([20, 40, 60])
    squares = [math.log(factor) ** 2 for factor in (1, 1.25, 0.5, 1.9, 1000)]
    assert found["rmse_log"] == pytest.approx(math.sqrt(sum(squares) / 5), rel=1e-6)


def test_each_class_counts_alike_in_the_accuracy_of_classes() -> None:
    found = score("common", "classes", TWO)
    assert found["class_accuracy"] == pytest.approx(100 * (2 / 3 + 1 + 1) / 3)
    assert found["pixel_accuracy"] == pytest.approx(100 * 6 / 7)


def test_a_disparity_of_zero_is_not_scored() -> None:
    valid = torch.ones(1, 1, 2).bool()
    made = Case(row([0.5, 0.3], torch.float32), row([0, 0.2], torch.float32), valid)
    assert score("mtpsl", "depth", made)["rel_err"] == pytest.approx(0.5)


def test_saliency_is_scored_by_image_or_by_pixel() -> None:
    on, off = 3.0, -3.0
    valid = torch.ones(1, 1, 4).bool()
    made = join(
        Case(row([on, on, on, off], torch.float32), row([1, 1, 1, 1]), valid),
        Case(row([on, off, off, off], torch.float32), row([0, 0, 0, 1]), valid),
        Case(row([off, off, off, off], torch.float32), row([0, 0, 0, 0]), valid),
    )
    assert score("mtpsl", "binary", made)["iou_at_0.5"] == pytest.approx(100 * 3 / 6)
    assert score("xtasc", "binary", made)["iou_at_0.5"] == pytest.approx((75 + 0) / 2)
    assert score("mtpsl", "binary", made)["f_at_0.5"] == pytest.approx(100 * 6 / 9)


def test_angles() -> None:
    x, y, z = torch.eye(3)
    pairs = [(x, x), (x, y), (x, -x), (z, 2 * (z + y)), (0 * x, y)]
    a, b = (torch.stack(side) for side in zip(*pairs, strict=True))
    assert angles_of(a, b).tolist() == pytest.approx([0, 90, 180, 45, 90])


def angles_of(a: Tensor, b: Tensor) -> Tensor:
    """Of rows of vectors."""
    return angles(*(side.T[None, :, None] for side in (a, b)))[0, 0]


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e12, 1e30])
def test_angles_of_vectors_of_any_length(size: float) -> None:
    a, b = torch.randn(2, 1000, 3)
    cosine = torch.nn.functional.cosine_similarity(a.double(), b.double())
    expected = cosine.acos().rad2deg().tolist()
    # A step of float32 at 180 is 1.5e-5.
    assert angles_of(size * a, b / size).tolist() == pytest.approx(expected, abs=4e-5)


def test_small_angles_survive_float32() -> None:
    step = math.radians(0.001)
    a = torch.tensor([[0.0, 0.0, 1.0]])
    b = torch.tensor([[0.0, math.sin(step), math.cos(step)]])
    assert angles_of(a, b).item() == pytest.approx(0.001, rel=1e-5)


@pytest.mark.parametrize("found", [[], [3.0], [1.0, 2.0], [0.0, 0.0, 180.0, 7.5], [180.0] * 3])
def test_median_of_a_histogram(found: list[float]) -> None:
    expected = math.nan if not found else torch.tensor(found).double().quantile(0.5).item()
    counts = by_step(torch.tensor([[found]], dtype=torch.float64))
    assert median(counts).item() == pytest.approx(expected, abs=1 / STEPS_PER_DEGREE, nan_ok=True)


def test_the_median_of_many_is_closer_than_a_bin() -> None:
    found = (40 + 10 * torch.randn(1, 500, 400, dtype=torch.float64)).abs()
    assert median(by_step(found).sum(0)).item() == pytest.approx(found.median().item(), abs=5e-4)


def test_a_threshold_is_not_within_itself() -> None:
    found = torch.tensor([[[0.0, 11.25, 22.5, 30.0, 29.0, 180.0, 7.0]]])
    quarters = by_step(found).unflatten(-1, (QUARTERS, -1)).sum(-1)
    assert within(quarters).tolist() == [[2, 3, 5]]
    assert quarters.sum() == 7


@pytest.mark.parametrize("classes", [2, 13, 300])
def test_the_highest_logit_is_found(classes: int) -> None:
    logits = torch.randint(-3, 3, (2, classes, 5, 7)).float()
    assert torch.equal(highest(logits).long(), logits.argmax(1))


@pytest.mark.parametrize("classes", [2, 15, 16, 40])
def test_confusion_counts_pairs_of_valid_pixels(classes: int) -> None:
    found, label = torch.randint(0, classes, (2, 3, 20, 20))
    valid = torch.rand(3, 20, 20) > 0.5
    label[~valid] = 255
    expected = torch.zeros(3, classes, classes).long()
    for image, true, predicted in zip(
        valid.nonzero()[:, 0], label[valid], found[valid], strict=True
    ):
        expected[image, true, predicted] += 1
    assert torch.equal(confusion(found, label, valid, classes=classes), expected)


def test_the_first_of_equal_logits_is_predicted() -> None:
    made = Case(torch.zeros(1, 4, 1, 3), row([0, 0, 1]), torch.ones(1, 1, 3).bool())
    assert score("mtpsl", "classes", made)["pixel_accuracy"] == pytest.approx(200 / 3)


def disparity_scores(protocol: str, steps: list[int], error: float) -> Any:
    """The scores of a disparity file with these integers, each predicted too large by `error`."""
    task = Task("depth", Depth(unit="disparity", dtype="uint16", scale=1 / 65535))
    stored = np.array([steps], np.uint16)
    label, valid = (torch.from_numpy(part)[None] for part in task.kind.decode(stored))
    metric = METRICS[protocol]["depth"](task)
    metric.update(label[None] + error, label[None], valid)
    return metric.compute()


def test_the_relative_error_of_disparity_goes_by_the_protocol() -> None:
    """P = 0 is void, p = 1 at infinity, p = 6554 a tenth."""
    steps, error = [0, 1, 2, 6554], 0.01
    pooled = disparity_scores("mtpsl", steps, error)
    relative = [error / (p / 65535) for p in (1, 2, 6554)]
    assert pooled["rel_err"] == pytest.approx(sum(relative) / 3, rel=1e-4)
    released = disparity_scores("xtasc", steps, error)
    moved = error * 65535 / 65536
    relative = [moved / ((p - 1) / 65536) for p in (2, 6554)]
    assert released["rel_err"] == pytest.approx(sum(relative) / 2, rel=1e-4)
    assert released["abs_err"] == pytest.approx(moved, rel=1e-4)


def test_what_infinity_adds_to_the_relative_error() -> None:
    """3 % of the pixels at infinity and an error of 0.01 add 20: what was found on real images."""
    steps = [1] * 3 + [6554] * 97
    pooled, released = (disparity_scores(p, steps, 0.01)["rel_err"] for p in ("mtpsl", "xtasc"))
    assert pooled - released == pytest.approx(0.03 * 0.01 * 65535, rel=0.01)


def test_metres_have_one_definition() -> None:
    label, valid = torch.full((1, 1, 2, 2), 4.0), torch.ones(1, 2, 2, dtype=torch.bool)
    for protocol in METRICS:
        metric = METRICS[protocol]["depth"](Task("depth", Depth()))
        metric.update(label + 1, label, valid)
        assert metric.compute()["rel_err"] == 0.25
