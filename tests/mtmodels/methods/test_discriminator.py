"""The discriminator of pairs, and who learns what from it."""

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from mtdata.tasks.sample import Extent
from mtmodels.methods.discriminator import Discriminator, discrimination
from mtmodels.methods.parts.negative_pairs import Maps, maps_across
from mtmodels.methods.parts.pairs import Pair
from mtmodels.networks import NETWORKS
from mtmodels.networks.auxiliary.pair_discriminator import PairDiscriminator
from mtmodels.networks.auxiliary.reversal import reverse_gradient
from tests.mtmodels.methods.looks import Look, look_at, own_terms
from tests.runs.batches import SIX, generator


def make(**options: Any) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(
        NETWORKS["unet-resnet18"](SIX[:3], width=0.125),
        mapping="segnet",
        mapping_width=0.0625,
        **options,
    )


def random_maps(pairs: int = 3, others: int = 2) -> Maps:
    shape = (pairs, 4, 2, 3)
    positive, label = (torch.randn(shape, generator=generator(i)) for i in range(2))
    return Maps(positive, torch.randn(others, *shape, generator=generator(2)), label)


def value(method: Discriminator, look: Look) -> torch.Tensor:
    return own_terms(method, look).auxiliary["consistency"]


def test_is_what_loops_over_pairs_and_cells_give() -> None:
    maps, discriminator = random_maps(), PairDiscriminator(4)
    result = discrimination(discriminator, maps)
    for p in range(3):
        label = maps.label[[p]]
        of = [maps.positive[[p]], *(negative[[p]] for negative in maps.negative)]
        chances = [torch.sigmoid(discriminator(predicted, label)) for predicted in of]
        right = torch.stack([-cell.log() for cell in chances[0].flatten()]).mean()
        wrong = [-(1 - cell).log() for chance in chances[1:] for cell in chance.flatten()]
        expected = (right + torch.stack(wrong).mean()) / 2
        assert result[p].item() == pytest.approx(expected.item(), rel=1e-5)


def test_costs_log_2_where_the_discriminator_knows_nothing() -> None:
    discriminator = PairDiscriminator(4)
    torch.nn.init.zeros_(list(discriminator.parameters())[-2])
    assert discrimination(discriminator, random_maps()).tolist() == pytest.approx([math.log(2)] * 3)


def test_maps_that_are_all_the_same_cost_log_2_at_least() -> None:
    same = torch.ones(1, 4, 1, 1)
    value = discrimination(PairDiscriminator(4), Maps(same, same[None], same))
    assert value.item() >= math.log(2) - 1e-6


def test_lengths_of_vectors_tell_nothing() -> None:
    maps, discriminator = random_maps(), PairDiscriminator(4)
    longer = Maps(7 * maps.positive, 0.1 * maps.negative, 3 * maps.label)
    torch.testing.assert_close(
        discrimination(discriminator, maps), discrimination(discriminator, longer)
    )


def test_what_lies_in_padding_costs_nothing() -> None:
    discriminator, (positive, negative, label, _) = PairDiscriminator(4), random_maps()
    cells = torch.ones(3, 2, 3, dtype=torch.bool)
    cells[..., 2] = False
    cells[1, 1] = False
    plain = discrimination(discriminator, Maps(positive, negative, label, cells))
    changed = Maps(positive.clone(), negative.clone(), label.clone(), cells)
    for x in changed[:3]:
        x[..., 2] = 9.0
        x[..., 1, :, 1, :] = -9.0
    assert torch.equal(discrimination(discriminator, changed), plain)
    changed.negative[1, 0, :, 1, 0] = -9.0
    assert not torch.equal(discrimination(discriminator, changed), plain)


def test_padding_of_two_images_is_left_out_of_their_pair() -> None:
    """A true image and one that is padded would be told apart by that alone."""
    method = make()
    look = look_at(method.network, {"depth": [0], "semantic": [1]}, images=2)
    batch = replace(look.batch, extents=(Extent(0, 0, 64, 64), Extent(0, 0, 64, 32)))
    pair = Pair(0, "semantic", "depth")
    maps = maps_across(method.joint, [pair], batch, look.last, generator(0), negatives=1)
    assert maps.cells is not None
    width = maps.label.shape[-1]
    assert maps.cells[..., : width // 2].all()
    assert not maps.cells[..., width // 2 :].any()


def test_learns_to_tell_pairs_apart() -> None:
    label = F.normalize(torch.randn(8, 4, 2, 2, generator=generator(0)), dim=1)
    maps = Maps(label, label.roll(1, 0)[None], label)
    torch.manual_seed(0)
    discriminator = PairDiscriminator(4)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=5e-2)
    for _ in range(60):
        loss = discrimination(discriminator, maps).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2


def test_reversal_changes_the_sign_of_the_gradient_alone() -> None:
    x = torch.randn(5, dtype=torch.float64, generator=generator(0), requires_grad=True)
    assert torch.equal(reverse_gradient(x), x)
    plain = torch.autograd.grad(x.sin().sum(), x)[0]
    reversed_ = torch.autograd.grad(reverse_gradient(x).sin().sum(), x)[0]
    assert torch.equal(reversed_, -plain)
    assert torch.autograd.gradcheck(lambda x: -reverse_gradient(reverse_gradient(x)).sin(), x)


@pytest.mark.parametrize("adversarial", [False, True])
def test_one_pass_gives_the_gradients_of_alternating_updates(adversarial: bool) -> None:
    """The discriminator descends with the maps held still; the maps climb, or descend."""
    together, apart = make(adversarial=adversarial), make()
    look, other = look_at(together.network), look_at(apart.network)
    value(together, look).backward()
    for player in (apart.discriminator, apart.joint):
        still = copy.deepcopy(apart)
        for parameter in still.parameters():
            parameter.requires_grad_(False)
        moving = still.discriminator if player is apart.discriminator else still.joint
        for parameter in moving.parameters():
            parameter.requires_grad_(True)
        value(still, look_at(still.network)).backward()
        sign = -1 if adversarial and player is apart.joint else 1
        mine = dict(
            (
                together.discriminator if player is apart.discriminator else together.joint
            ).named_parameters()
        )
        for name, parameter in moving.named_parameters():
            assert parameter.grad is not None
            torch.testing.assert_close(mine[name].grad, sign * parameter.grad)
    value(apart, other).backward()
    for name, prediction in look.last.items():
        gradient = other.last[name].grad
        assert gradient is not None
        assert gradient.abs().max() > 0
        torch.testing.assert_close(prediction.grad, -gradient if adversarial else gradient)


def test_a_batch_of_one_image_has_no_term() -> None:
    method = make()
    look = look_at(method.network, {"depth": [0]}, images=1)
    assert not own_terms(method, look).auxiliary


def test_the_discriminator_has_a_rate_of_its_own() -> None:
    method = make(discriminator_rate=0.5, mapping_rate=2.0)
    groups = method.parameter_groups()
    assert [group.scale for group in groups] == [1.0, 2.0, 10.0, 0.5]
    assert {id(p) for p in groups[-1].parameters} == {
        id(p) for p in method.discriminator.parameters()
    }
    every = [id(p) for group in groups for p in group.parameters]
    assert sorted(every) == sorted(id(p) for p in method.parameters())


def test_refuses_a_negative_rate() -> None:
    with pytest.raises(ValueError, match="`discriminator_rate` should be 0 or more; found -1"):
        make(discriminator_rate=-1.0)
