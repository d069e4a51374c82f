"""The two executors of geometric changes do the same."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mtdata import Depth, Normals, Sample, Task
from mtdata.reading.batch import collate
from mtdata.reading.geometry import Change, Crop, Flip, Paste, Rotate, device, opencv
from tests.mtdata.reading.geometry.undoing import undoing
from tests.stores.fake_split import INVERSE, TASKS, make_sample

CHANGES: tuple[Change, ...] = (
    Flip(),
    Crop(1.0),
    Crop(1.2, 0.3, 0.9),
    Crop(1.5, 0.99, 0.0),
    Paste(1.0),
    Paste(1.2, 0.5, 0.1),
    Paste(2.0, 0.0, 0.99),
    Rotate(0.0),
    Rotate(20.0),
    Rotate(-137.5),
    Rotate(180.0),
)
ALL = (*TASKS, INVERSE)
SIZES = ((24, 32), (37, 53))
every_change = pytest.mark.parametrize("change", CHANGES, ids=str)
every_task = pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


@every_change
@every_task
@every_size
@pytest.mark.parametrize("paper", [False, True])
def test_labels_change_alike(
    change: Change, task: Task, size: tuple[int, int], paper: bool
) -> None:
    sample = make_sample(size=size, tasks=ALL)
    expected = collate([opencv.apply(sample, change, ALL, paper=paper)])
    given = collate([sample])
    label, valid = device.apply(
        given.labels[task.name],
        [change],
        kind=task.kind,
        valid=given.valid[task.name],
        paper=paper,
    )
    assert label.dtype == given.labels[task.name].dtype
    assert torch.equal(valid, expected.valid[task.name])
    if task.name == "normals":
        torch.testing.assert_close(label, expected.labels[task.name], atol=2e-3, rtol=0)
    else:
        torch.testing.assert_close(label, expected.labels[task.name])


@every_change
@every_size
def test_images_change_alike(change: Change, size: tuple[int, int]) -> None:
    sample = make_sample(size=size)
    expected = collate([opencv.apply(sample, change, TASKS)]).image
    image, _ = device.apply(collate([sample]).image, [change])
    assert ((image - expected).abs() * 255).max() <= 1.01


def test_each_image_has_a_value_of_its_own() -> None:
    batch = collate([make_sample(f"{i}") for i in range(len(CHANGES))])
    kind, label, valid = TASKS[1].kind, batch.labels["depth"], batch.valid["depth"]
    together, seen = device.apply(label, CHANGES, kind=kind, valid=valid)
    for i, change in enumerate(CHANGES):
        alone, alone_seen = device.apply(
            label[i : i + 1], [change], kind=kind, valid=valid[i : i + 1]
        )
        assert torch.equal(together[i], alone[0])
        assert torch.equal(seen[i], alone_seen[0])
    with pytest.raises(ValueError, match="`changes` should be one an image, 11; found 1"):
        device.apply(label, [Flip()])


# A paste loses detail; what undoes it is a crop and tested as such.
@pytest.mark.parametrize("change", [c for c in CHANGES if not isinstance(c, Paste)], ids=str)
@every_task
def test_predictions_come_back(change: Change, task: Task) -> None:
    sample = make_sample(size=(40, 40), tasks=ALL)
    smooth = torch.from_numpy(sample.image).float().permute(2, 0, 1)[None]
    prediction = smooth[:, :1].repeat(1, task.channels, 1, 1) / 50 + 1
    if isinstance(task.kind, Normals):
        prediction = torch.nn.functional.normalize(smooth - 100, dim=1)
    there, _ = device.apply(prediction, [change], kind=task.kind, prediction=True)
    back, valid = device.apply(there, [undoing(change)], kind=task.kind, prediction=True)
    assert valid.float().mean() > 0.3
    # A pixel at the border of what is known mixes with what is not.
    inner = -torch.nn.functional.max_pool2d(-valid.float(), 5, 1, 2) > 0.5
    error = (back - prediction).abs()[inner[:, None].expand_as(back)]
    assert error.mean() < 0.05
    assert not back[~valid[:, None].expand_as(back)].any()


def test_gradients_pass_to_predictions() -> None:
    prediction = torch.rand(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)

    def views(x: Tensor) -> Tensor:
        changes = [Crop(1.5, 0.4, 0.2), Rotate(33.0)]
        return device.apply(x, changes, kind=Normals(), prediction=True)[0]

    assert torch.autograd.gradcheck(views, (prediction + 0.5,), fast_mode=True)


def test_garbage_where_nothing_is_valid_reaches_neither_values_nor_gradients() -> None:
    label = torch.rand(1, 1, 8, 8)
    valid = torch.rand(1, 8, 8) < 0.7
    label[~valid[:, None]] = torch.nan
    label.requires_grad_()
    moved, _ = device.apply(label, [Crop(1.5)], kind=Depth(), valid=valid, prediction=True)
    assert moved.isfinite().all()
    moved.sum().backward()
    assert label.grad is not None
    assert label.grad.isfinite().all()


@every_change
@pytest.mark.parametrize("task", [*TASKS[:2], INVERSE], ids=lambda task: task.name)
def test_what_is_not_valid_does_not_pull_predictions(change: Change, task: Task) -> None:
    """A constant stays one, however many pixels beside it count for nothing."""
    valid = torch.rand(2, 24, 32, generator=torch.Generator().manual_seed(0)) < 0.7
    given = torch.full((2, task.channels, 24, 32), 3.0).where(valid[:, None], -100.0)
    moved, seen = device.apply(given, [change] * 2, kind=task.kind, valid=valid, prediction=True)
    everywhere, _ = device.apply(
        torch.full((1, task.channels, 64, 64), 3.0), [change], kind=task.kind, prediction=True
    )
    assert seen.any()
    found = moved[seen[:, None].expand_as(moved)]
    torch.testing.assert_close(found, everywhere.max().expand_as(found), rtol=1e-3, atol=0)


def test_class_logits_are_bilinear() -> None:
    logits = torch.rand(1, 3, 12, 16)
    moved, _ = device.apply(logits, [Crop(1.5)], kind=TASKS[0].kind, prediction=True)
    expected = torch.nn.functional.interpolate(logits[..., :8, :10], (12, 16), mode="bilinear")
    torch.testing.assert_close(moved, expected)


def test_an_unknown_change_is_refused() -> None:
    class Odd(Change):
        camera = moved = None  # type: ignore[assignment]

    with pytest.raises(TypeError, match="`change` should be a flip, crop or rotation"):
        device.apply(torch.rand(1, 3, 8, 8), [Odd()])


def test_float16_predictions_stay_float16() -> None:
    x = torch.rand(1, 3, 8, 8, dtype=torch.float16)
    for change in CHANGES:
        moved, _ = device.apply(x, [change], kind=Normals(), prediction=True)
        assert moved.dtype == torch.float16


def test_mixed_precision_does_not_round_what_is_moved() -> None:
    """Mirrored normals are a product of matrices, which autocast would make in 8 bits."""
    x = torch.nn.functional.normalize(torch.randn(1, 3, 16, 16), dim=1)
    for change in CHANGES:
        plain, _ = device.apply(x, [change], kind=Normals(), prediction=True)
        with torch.autocast("cpu", torch.bfloat16):
            mixed, _ = device.apply(x, [change], kind=Normals(), prediction=True)
        assert torch.equal(mixed, plain), change


def test_images_of_a_sample_need_no_labels() -> None:
    sample = Sample("k", np.zeros((8, 8, 3), np.uint8))
    assert opencv.apply(sample, Crop(1.5), []).labels == {}
