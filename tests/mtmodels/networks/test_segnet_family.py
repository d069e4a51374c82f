"""The other networks of MTAN are the released ones."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.networks import NETWORKS
from mtmodels.networks.attention import Mask
from mtmodels.networks.base import Network
from mtmodels.networks.blocks import normalised_block
from mtmodels.networks.segnet_cross_stitch import SegNetCrossStitch
from mtmodels.networks.segnet_mtan import SegNetMTAN, SegNetSTAN
from tests.quick import few
from tests.runs.batches import PAIR, SIX, classes, generator
from tests.runs.golden import SegNetGolden

NYU = SegNetGolden.tasks
LOG_VARIANCES = 3
RELEASED = [
    ("segnet-mtan", "mtan", NYU),
    ("segnet-stan", "stan", NYU[:1]),
    ("segnet-cross-stitch", "cross_stitch", NYU),
    ("segnet-dense", "dense", NYU),
]


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def last_stage_of_dense() -> nn.Sequential:
    """What the released network computes at the end of its shared decoder, and does not read."""
    return nn.Sequential(normalised_block(64, 64, count=1), normalised_block(64, 13, count=1))


def test_parameters_are_the_published_ones() -> None:
    with torch.device("meta"):
        mtan = NETWORKS["segnet-mtan"](NYU)
        two = NETWORKS["segnet-mtan"]((Task("semantic", classes(7)), NYU[1]))
        third = [Mask(64, 64), Mask(128, 64)]
        dense = NETWORKS["segnet-dense"](NYU)
        assert parameters(mtan) + LOG_VARIANCES == 44_229_076
        assert parameters(two) + sum(map(parameters, third)) + LOG_VARIANCES == 41_228_235
        assert parameters(NETWORKS["segnet-stan"](NYU[:1])) == 38_185_805
        assert parameters(NETWORKS["segnet-cross-stitch"](NYU)) + LOG_VARIANCES == 74_941_807
        assert parameters(dense) + parameters(last_stage_of_dense()) + LOG_VARIANCES == 123_743_995


@pytest.mark.real
@pytest.mark.parametrize(("name", "file", "tasks"), few(RELEASED, RELEASED[1:2]))
def test_golden(name: str, file: str, tasks: tuple[Task, ...], shared: Path) -> None:
    golden = SegNetGolden(shared / "golden")
    expected = np.load(shared / f"golden/segnet_{file}_nyu.npz")
    network: Network = NETWORKS[name](tasks)
    if name == "segnet-dense":
        unread = last_stage_of_dense()
        network.add_module("unread", unread)
        first = network.get_submodule(f"task_networks.{tasks[0].name}")
        first.register_forward_pre_hook(lambda *_: run(unread))
    order = golden.fill.fill_in_forward_order(network, lambda: network(golden.image))
    assert len(order) == expected["convolutions"]
    with torch.no_grad():
        found, moved = (dict(network(golden.image + d).predictions) for d in (0, 1e-15))
    for outputs in (found, moved):
        outputs["semantic_logprob"] = outputs.pop("semantic").log_softmax(1)
    for key, prediction in found.items():
        noise = (moved[key] - prediction).abs().max()
        assert noise < 1e-5
        assert (prediction - torch.from_numpy(expected[key])).abs().max() <= 10 * noise, key


def run(module: nn.Module) -> None:
    module(torch.zeros(1, 64, 2, 2, dtype=next(module.parameters()).dtype))


def layers(module: nn.Module, x: Tensor) -> Iterator[Tensor]:
    """Outputs of the convolutional blocks of a stage, one by one."""
    for i, layer in enumerate(module.children()):
        x = layer(x)
        if i % 3 == 2:
            yield x.clone()


def test_attention_picks_from_the_shared_network() -> None:
    torch.manual_seed(0)
    network = SegNetMTAN(PAIR, width=0.0625).double().eval()
    image = torch.rand(2, 3, 64, 32, dtype=torch.float64, generator=generator(0))
    with torch.no_grad():
        found = [*network.attention(image)["depth"].values()]
        seen, offered, places, x = [], [], [], image
        for stage in network.encoder.stages:
            first, *_, last = list(layers(stage, x))
            seen.append(first)
            offered.append(last)
            x, place = F.max_pool2d(last, 2, return_indices=True)
            places.append(place)
        for stage in network.decoder.stages:
            seen.append(F.max_unpool2d(x, places.pop(), [2, 2]))
            x = stage(seen[-1].clone())
            offered.append(x)
        masks, taken = list(network.masks["depth"].children()), torch.zeros(2, 0, 64, 32)
        for i in range(5):
            mask = masks[i](torch.cat([seen[i], taken.double()], 1))
            assert torch.allclose(mask, found[i])
            taken = F.max_pool2d(network.down[i](mask * offered[i]), 2)
        for i in range(5, 10):
            large = F.interpolate(taken, scale_factor=2, mode="bilinear", align_corners=True)
            taken = network.up[i - 5](large)
            mask = masks[i](torch.cat([seen[i], taken], 1))
            assert torch.allclose(mask, found[i])
            taken = mask * offered[i]
        assert torch.allclose(network.heads["depth"](taken), network(image).predictions["depth"])
    assert all(mask.min() >= 0 and mask.max() <= 1 for mask in found)


def test_one_path_serves_all_tasks_of_stan() -> None:
    image = torch.rand(1, 3, 32, 32, generator=generator(0))
    first, *others = SegNetSTAN(SIX[:3], width=0.0625).eval().attention(image).values()
    assert all(torch.equal(first[key], other[key]) for other in others for key in first)
    own = SegNetMTAN(SIX[:2], width=0.0625).eval().attention(image)
    assert not torch.equal(own["semantic"]["encoder 1"], own["depth"]["encoder 1"])


def test_as_released_all_tasks_go_on_with_one_sum() -> None:
    network = SegNetCrossStitch(SIX[:3], width=0.0625)
    assert network.units.shape == (9, 1, 3)
    assert torch.equal(network.units, torch.ones(9, 1, 3))


def test_pairs_begin_with_mostly_their_own_map() -> None:
    units = SegNetCrossStitch(SIX[:3], width=0.0625, units="pairs").units
    assert units.shape == (9, 3, 3)
    assert torch.allclose(units.sum(2), torch.ones(9, 3))
    assert torch.allclose(units[0], torch.tensor([[18, 1, 1], [1, 18, 1], [1, 1, 18]]) / 20)


@pytest.mark.parametrize("units", ["sources", "pairs"])
def test_cross_stitch_mixes_the_maps_of_the_tasks(units: str) -> None:
    torch.manual_seed(0)
    network = SegNetCrossStitch(PAIR, width=0.0625, units=units).double().eval()
    encoders, decoders = (
        [list(half.get_submodule("stages").children()) for half in halves]
        for halves in (network.encoders, network.decoders)
    )
    weights = torch.rand(network.units.shape, dtype=torch.float64, generator=generator(1))
    image = torch.rand(1, 3, 32, 32, dtype=torch.float64, generator=generator(0))
    with torch.no_grad():
        network.units.copy_(weights)
        rows = weights.expand(9, 2, 2)
        maps, places = [image, image], []
        for i in range(5):
            if i:
                maps = [rows[i - 1, t, 0] * maps[0] + rows[i - 1, t, 1] * maps[1] for t in (0, 1)]
            pools = [F.max_pool2d(encoders[t][i](maps[t]), 2, return_indices=True) for t in (0, 1)]
            maps = [x for x, _ in pools]
            places.append([place for _, place in pools])
        for i in range(5):
            maps = [rows[4 + i, t, 0] * maps[0] + rows[4 + i, t, 1] * maps[1] for t in (0, 1)]
            back = places.pop()
            maps = [decoders[t][i](F.max_unpool2d(maps[t], back[t], [2, 2])) for t in (0, 1)]
        found = network(image).predictions["depth"]
        assert torch.allclose(network.heads["depth"](maps[1]), found, rtol=1e-9)


@pytest.mark.parametrize("name", ["segnet-cross-stitch", "segnet-dense"])
def test_starts_xavier_uniform(name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](PAIR, width=0.25)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
            bound = (6 / (9 * (layer.in_channels + layer.out_channels))) ** 0.5
            assert 0.9 * bound < layer.weight.abs().max() <= bound
