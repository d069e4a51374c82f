"""Views of a batch: what the second is made of, and what predictions are moved to it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mtdata.reading.augment import Augmentation, sample_rng
from mtdata.reading.geometry import Crop, Flip
from mtdata.reading.geometry.device import apply
from mtdata.tasks.task import Task
from mtmodels.methods.views import View, Views
from mtmodels.networks import NETWORKS
from mtmodels.training.config import Config
from mtmodels.training.loop.viewing import ViewMaker
from tests.mtmodels.methods.looks import second_view
from tests.runs.batches import SIX, random_batch

CROPS = [Crop(1.2, 0.3, 0.7), Crop(1.0), Crop(1.5, 0.9, 0.1)]
ROWS = {"semantic": [0, 2], "depth": [1], "normals": [0, 1, 2]}


def two_views() -> Views:
    return second_view(random_batch(SIX, 3, rows=ROWS), SIX, [CROPS])


def test_labels_are_cropped_with_their_own_image() -> None:
    views = two_views()
    for task in SIX[:3]:
        for k, image in enumerate(ROWS[task.name]):
            main = views.main
            label, valid = apply(
                main.labels[task.name][k : k + 1],
                [CROPS[image]],
                kind=task.kind,
                valid=main.valid[task.name][k : k + 1],
            )
            assert torch.equal(views.last.labels[task.name][k], label[0])
            assert torch.equal(views.last.valid[task.name][k], valid[0])
    assert torch.equal(views.last.image[1], views.main.image[1])


def test_depth_comes_nearer_and_keeps_its_type() -> None:
    batch = random_batch(SIX[:2], 1)
    depth = torch.full_like(batch.labels["depth"], 3.0)
    batch.labels["depth"].copy_(depth)
    views = second_view(batch, SIX[:2], [[Crop(1.5)]])
    valid = views.last.valid["depth"][:, None]
    torch.testing.assert_close(views.last.labels["depth"][valid], (depth / 1.5)[valid])
    assert views.last.labels["semantic"].dtype == torch.uint8


def test_both_views_are_one_batch() -> None:
    views = two_views()
    both = views.all
    assert both.keys == views.main.keys * 2
    assert both.rows["normals"].tolist() == [0, 1, 2, 3, 4, 5]
    assert both.rows["depth"].tolist() == [1, 4]
    assert torch.equal(both.image[3:], views.last.image)
    assert torch.equal(both.labels["semantic"][2:], views.last.labels["semantic"])


def test_a_network_sees_every_view_in_one_pass() -> None:
    views = two_views()
    network = NETWORKS["unet-resnet18"](SIX, width=0.125).eval()
    seen = []
    network.register_forward_hook(lambda _, args, _out: seen.append(len(args[0])))
    first, last = views.predict(network)
    assert seen == [6]
    for output, batch in ((first, views.main), (last, views.last)):
        alone = network(batch.image)
        torch.testing.assert_close(output.features, alone.features)
        torch.testing.assert_close(output.predictions["depth"], alone.predictions["depth"])


def test_one_view_is_all_there_is() -> None:
    batch = random_batch(SIX, 2)
    views = Views(batch)
    assert views.all is batch
    assert views.last is batch
    assert len(views) == 1
    assert views.supervised == (True,)


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


TWO = [View(), View()]


class TestMaker:
    def maker(self, *wanted: View, seed: int = 3, **views: object) -> ViewMaker:
        config = Config.model_validate({"seed": seed, "views": views})
        return ViewMaker(config, SIX, wanted or TWO)

    def test_draws_by_seed_epoch_and_key(self) -> None:
        batch, make = random_batch(SIX, 3), self.maker()
        first, again, later = make(batch, 0), make(batch, 0), make(batch, 1)
        assert first.steps == again.steps
        assert first.steps != later.steps
        assert self.maker(seed=4)(batch, 0).steps != first.steps

    def test_an_image_that_comes_twice_in_an_epoch_is_drawn_twice(self) -> None:
        config, batch = {"seed": 3}, random_batch(SIX, 3)
        once = ViewMaker(Config.model_validate(config), SIX, TWO)
        assert once(batch, 0, 1).steps == once(batch, 0, 2).steps
        twice = ViewMaker(Config.model_validate(config | {"labelled_share": 0.5}), SIX, TWO)
        assert twice(batch, 0, 1).steps == twice(batch, 0, 1).steps
        assert twice(batch, 0, 1).steps != twice(batch, 0, 2).steps

    def test_an_image_that_comes_twice_in_a_batch_is_drawn_twice(self) -> None:
        config, batch = {"seed": 3, "labelled_share": 0.5}, random_batch(SIX, 3)
        make = ViewMaker(Config.model_validate(config), SIX, TWO)
        first, second, _ = batch.keys
        _, (alone,) = make(batch, 0, 1).steps
        _, (crops,) = make(replace(batch, keys=(first, second, first)), 0, 1).steps
        assert list(crops[:2]) == list(alone[:2])
        assert len({*crops, alone[2]}) == 4

    def test_the_place_in_the_batch_does_not_matter(self) -> None:
        make = self.maker()
        _, (crops,) = make(random_batch(SIX, 3), 0).steps
        _, (fewer,) = make(random_batch(SIX, 2), 0).steps
        assert list(crops[:2]) == list(fewer)

    def test_differs_from_the_crop_of_the_first_view(self) -> None:
        _, (second,) = self.maker()(random_batch(SIX, 50), 0).steps
        keys = [f"{i:04d}" for i in range(50)]
        first = [Crop.draw(sample_rng(3, 0, key), Augmentation().scales) for key in keys]
        assert sum(a == b for a, b in zip(first, second, strict=True)) == 0

    def test_flips_as_often_as_wanted(self) -> None:
        make, batch = self.maker(flip=0.25), random_batch(SIX, 50, (32, 32))
        flips = [
            isinstance(flip, Flip) for epoch in range(8) for flip in make(batch, epoch).steps[1][0]
        ]
        assert np.mean(flips) == pytest.approx(0.25, abs=0.06)

    def test_one_view_makes_none(self) -> None:
        assert len(self.maker(View())(random_batch(SIX, 2), 0)) == 1

    def test_each_further_view_is_drawn_for_itself(self) -> None:
        views = self.maker(View(), View(), View())(random_batch(SIX, 3), 0)
        assert len(views) == 3
        assert views.steps[1] != views.steps[2]

    def test_a_view_has_the_geometry_that_its_method_wants(self) -> None:
        own = View(scales=(2.0,), flip=1.0, supervised=False)
        views = self.maker(View(), own)(random_batch(SIX, 3), 0)
        flips, crops = views.steps[1]
        assert all(isinstance(flip, Flip) for flip in flips)
        assert all(isinstance(crop, Crop) and crop.scale == 2.0 for crop in crops)
        assert views.supervised == (True, False)

    def test_colours_change_images_alone_and_by_key(self) -> None:
        still = View(scales=(1.0,), flip=0.0)
        batch = random_batch(SIX, 3)
        plain = self.maker(View(), still)(batch, 0).last
        torch.testing.assert_close(plain.image, batch.image)
        make = self.maker(View(), replace(still, colour=1.0, blur=2.0))
        strong, again = make(batch, 0).last, make(batch, 0).last
        assert (strong.image - batch.image).abs().mean() > 0.02
        assert torch.equal(strong.image, again.image)
        assert ((strong.image >= 0) & (strong.image <= 1)).all()
        assert torch.equal(strong.labels["depth"], plain.labels["depth"])
        fewer = make(random_batch(SIX, 2), 0).last
        torch.testing.assert_close(fewer.image, make(random_batch(SIX, 2), 0).last.image)

    @pytest.mark.parametrize("first", [View(flip=1.0), View(scales=(2.0,)), View(blur=1.0)])
    def test_a_first_view_that_would_be_left_as_it_is_is_refused(self, first: View) -> None:
        with pytest.raises(ValueError, match="first view of a method should be"):
            self.maker(first, View())
        assert len(self.maker(View(supervised=False), View())(random_batch(SIX, 2), 0)) == 2
