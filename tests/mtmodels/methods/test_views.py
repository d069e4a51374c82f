"""Views of a batch: what the second is made of, and what predictions are moved to it."""

import numpy as np
import pytest
import torch

from mtdata.reading.geometry import Crop, Flip
from mtdata.reading.geometry.device import apply
from mtdata.tasks.task import Task
from mtmodels.methods.views import Views, second_view
from mtmodels.training.config import Config
from mtmodels.training.loop.viewing import ViewMaker
from tests.batches import SIX, random_batch

CROPS = [Crop(1.2, 0.3, 0.7), Crop(1.0), Crop(1.5, 0.9, 0.1)]
ROWS = {"semantic": [0, 2], "depth": [1], "normals": [0, 1, 2]}


def two_views() -> Views:
    return second_view(random_batch(SIX, 3, rows=ROWS), SIX, [CROPS])


def test_labels_are_cropped_with_their_own_image() -> None:
    views = two_views()
    assert views.second is not None
    for task in SIX[:3]:
        for k, image in enumerate(ROWS[task.name]):
            main = views.main
            label, valid = apply(
                main.labels[task.name][k : k + 1],
                [CROPS[image]],
                kind=task.kind,
                valid=main.valid[task.name][k : k + 1],
            )
            assert torch.equal(views.second.labels[task.name][k], label[0])
            assert torch.equal(views.second.valid[task.name][k], valid[0])
    assert torch.equal(views.second.image[1], views.main.image[1])


def test_depth_comes_nearer_and_keeps_its_type() -> None:
    batch = random_batch(SIX[:2], 1)
    depth = torch.full_like(batch.labels["depth"], 3.0)
    batch.labels["depth"].copy_(depth)
    views = second_view(batch, SIX[:2], [[Crop(1.5)]])
    assert views.second is not None
    valid = views.second.valid["depth"][:, None]
    torch.testing.assert_close(views.second.labels["depth"][valid], (depth / 1.5)[valid])
    assert views.second.labels["semantic"].dtype == torch.uint8


def test_both_views_are_one_batch() -> None:
    views = two_views()
    both = views.all
    assert views.second is not None
    assert both.keys == views.main.keys * 2
    assert both.rows["normals"].tolist() == [0, 1, 2, 3, 4, 5]
    assert both.rows["depth"].tolist() == [1, 4]
    assert torch.equal(both.image[3:], views.second.image)
    assert torch.equal(both.labels["semantic"][2:], views.second.labels["semantic"])
    first, last = views.split(both.image)
    assert torch.equal(first, views.main.image)
    assert torch.equal(last, views.second.image)


def test_one_view_is_all_there_is() -> None:
    batch = random_batch(SIX, 2)
    views = Views(batch)
    assert views.all is batch
    assert views.last is batch
    first, last = views.split(batch.image)
    assert torch.equal(first, batch.image)
    assert torch.equal(last, batch.image)


@pytest.mark.parametrize("task", SIX, ids=lambda task: task.name)
def test_what_is_moved_is_what_the_label_becomes(task: Task) -> None:
    """A prediction that equals the label stays equal to it, but for interpolation."""
    batch = random_batch([task], 2)
    smooth = torch.linspace(1, 2, 32)[:, None].expand(2, 1, 32, 32)
    if task.channels == 3 and task.name == "normals":
        smooth = torch.nn.functional.normalize(torch.cat([smooth, -smooth, smooth * 2], 1), dim=1)
    views = second_view(batch, [task], [[Crop(1.2, 0.5, 0.5), Crop(1.5, 0.5, 0.5)]])
    moved, inside = views.moved(task, smooth.expand(2, task.channels, 32, 32))
    assert inside.all()
    if task.name == "depth":
        assert moved[0].mean() == pytest.approx(smooth.mean().item() / 1.2, rel=0.02)
    if task.name == "normals":
        torch.testing.assert_close(moved.norm(dim=1), torch.ones(2, 32, 32))


def test_flips_turn_normals() -> None:
    task = SIX[2]
    batch = random_batch([task], 1)
    views = second_view(batch, [task], [[Flip()], [Crop(1.0)]])
    moved, _ = views.moved(task, batch.labels["normals"])
    expected = batch.labels["normals"].flip(-1) * torch.tensor([-1, 1, 1])[:, None, None]
    torch.testing.assert_close(moved, expected)


def test_gradients_pass_a_move() -> None:
    views = two_views()
    values = torch.rand(3, 1, 32, 32, requires_grad=True)
    views.moved(SIX[1], values)[0].sum().backward()
    assert values.grad is not None
    assert values.grad.abs().sum() > 0


class TestMaker:
    def config(self, **views: object) -> Config:
        return Config.model_validate({"seed": 3, "views": views})

    def test_draws_by_seed_epoch_and_key(self) -> None:
        batch = random_batch(SIX, 3)
        make = ViewMaker(self.config(count=2), SIX)
        first, again, later = make(batch, 0), make(batch, 0), make(batch, 1)
        assert first.steps == again.steps
        assert first.steps != later.steps
        other = ViewMaker(self.config(count=2).model_copy(update={"seed": 4}), SIX)
        assert other(batch, 0).steps != first.steps

    def test_the_place_in_the_batch_does_not_matter(self) -> None:
        make = ViewMaker(self.config(count=2), SIX)
        (crops,) = make(random_batch(SIX, 3), 0).steps
        (fewer,) = make(random_batch(SIX, 2), 0).steps
        assert list(crops[:2]) == list(fewer)

    def test_differs_from_the_crop_of_the_first_view(self) -> None:
        from mtdata.reading.augment import Augmentation, sample_rng

        make = ViewMaker(self.config(count=2), SIX)
        keys = [f"{i:04d}" for i in range(50)]
        second = [make._draw(0, key)[1] for key in keys]
        first = [Crop.draw(sample_rng(3, 0, key), Augmentation().scales) for key in keys]
        assert sum(a == b for a, b in zip(first, second, strict=True)) == 0

    def test_flips_as_often_as_wanted(self) -> None:
        make = ViewMaker(self.config(count=2, flip=0.25), SIX)
        flips = [isinstance(make._draw(0, str(i))[0], Flip) for i in range(400)]
        assert np.mean(flips) == pytest.approx(0.25, abs=0.06)
        assert len(make(random_batch(SIX, 2), 0).steps) == 2

    def test_one_view_makes_none(self) -> None:
        assert ViewMaker(self.config(count=1), SIX)(random_batch(SIX, 2), 0).second is None
