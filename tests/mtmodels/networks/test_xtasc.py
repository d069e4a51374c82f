"""XTasC-Net is the published network."""

from pathlib import Path

import pytest
import torch
import torchvision.models
from torch import Tensor, nn

from mtdata.tasks.kinds import Depth
from mtdata.tasks.task import Task
from mtmodels.methods.xtc import XTC
from mtmodels.networks import NETWORKS
from mtmodels.networks.auxiliary.transfer_network import TransferNetwork
from mtmodels.networks.encoders import ENCODERS
from mtmodels.networks.xtasc import Decoder
from tests.runs.batches import PAIR, classes, generator
from tests.runs.golden import XTasCGolden

DEPTH = Task("depth", Depth())


def tasks(number: int) -> tuple[Task, Task]:
    return Task("semantic", classes(number)), DEPTH


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("name", "number", "total"),
    [
        ("xtasc-resnet18", 7, 21_445_184),
        ("xtasc-resnet34", 7, 31_553_344),
        ("xtasc-resnet34", 13, 31_557_952),
        ("xtasc-resnet34", 19, 31_562_560),
        ("xtasc-resnet50", 7, 40_412_224),
    ],
)
def test_parameters_with_transfer_networks(name: str, number: int, total: int) -> None:
    with torch.device("meta"):
        method = XTC(NETWORKS[name](tasks(number)))
    assert count(method) == total


def test_parameters_of_the_parts() -> None:
    both, (semantic, depth) = tasks(7), tasks(7)
    with torch.device("meta"):
        network = NETWORKS["xtasc-resnet34"](both)
        single = [NETWORKS["xtasc-resnet34"]([task]) for task in both]
        transfers = [TransferNetwork(semantic, depth), TransferNetwork(depth, semantic)]
    assert count(network) == 27_785_280
    assert [count(n) for n in single] == [24_535_360, 24_534_592]
    assert [count(n) for n in transfers] == [1_885_568, 1_882_496]


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_encoder_computes_what_torchvision_does(depth: int) -> None:
    theirs = getattr(torchvision.models, f"resnet{depth}")(weights=None).eval()
    ours = ENCODERS[f"resnet{depth}"]().eval()
    state = {k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")}
    ours.load_state_dict(state)
    image = torch.rand(1, 3, 64, 96, generator=generator(0))
    maps = ours(image)
    assert [m.shape[1] for m in maps] == list(ours.channels)
    assert [64 // m.shape[2] for m in maps] == [2, 4, 8, 16, 32]
    trunk = nn.Sequential(*list(theirs.children())[:-2])
    assert torch.equal(maps[-1], trunk(image))


def interpolate(x: Tensor) -> Tensor:
    """Twice the size, corner on corner, as a product with a matrix a side."""

    def matrix(n: int) -> Tensor:
        result = torch.zeros(2 * n, n, dtype=torch.float64)
        for i in range(2 * n):
            position = i * (n - 1) / (2 * n - 1)
            low = min(int(position), max(n - 2, 0))
            result[i, low] = 1 - (position - low)
            if n > 1:
                result[i, low + 1] = position - low
        return result

    return matrix(x.shape[-2]) @ x @ matrix(x.shape[-1]).T


def in_order(module: nn.Module, x: Tensor) -> Tensor:
    """The convolutions of a block one by one, each with its norm and ReLU."""
    for layer in module.children():
        x = layer(x) if not isinstance(layer, nn.ReLU) else x.clamp(min=0)
    return x


def test_decoder_is_five_blocks_with_skips() -> None:
    channels = (2, 3, 4, 5, 6)
    decoder = Decoder(channels, 7, channels=8).double()
    maps = tuple(
        torch.randn(2, c, 32 >> i, 64 >> i, dtype=torch.float64, generator=generator(i))
        for i, c in enumerate(channels)
    )
    blocks = list(decoder.blocks.children())
    x = interpolate(in_order(blocks[0], maps[4]))
    for block, skip in zip(blocks[1:], maps[3::-1], strict=True):
        x = interpolate(in_order(block, torch.cat([x, skip], 1)))
    expected = torch.einsum("bihw,oi->bohw", x, decoder.head.weight[:, :, 0, 0])
    assert torch.allclose(decoder(maps), expected, rtol=1e-10, atol=1e-12)
    assert [[m.in_channels for m in b.children() if isinstance(m, nn.Conv2d)] for b in blocks] == [
        [6, 8, 8],
        [8 + 5, 8, 8],
        [8 + 4, 8, 8],
        [8 + 3, 8, 8],
        [8 + 2, 8, 8],
    ]


def test_transfer_network_reads_log_probabilities() -> None:
    network = TransferNetwork(*PAIR, width=0.125).double()
    logits = torch.randn(1, 5, 16, 16, dtype=torch.float64, generator=generator(0))
    shifted = logits + torch.randn(1, 1, 16, 16, dtype=torch.float64, generator=generator(1))
    assert torch.allclose(network(logits), network(shifted), rtol=1e-9)


@pytest.fixture(scope="module")
def golden(shared: Path) -> XTasCGolden:
    return XTasCGolden(shared / "golden")


@pytest.mark.real
def test_golden_transfer_networks(golden: XTasCGolden) -> None:
    method = golden.filled_method("xtc")
    with torch.no_grad():
        for source, target in (("semantic", "depth"), ("depth", "semantic")):
            made = method.transfer(source, target, golden.predictions)
            assert_close(made, golden.transferred[source, target], 1e-9)


@pytest.mark.real
def test_golden_network_within_its_rounding(golden: XTasCGolden) -> None:
    # Batch norm over the 2x2x3 values of the deepest maps makes this network and input chaotic: a
    # change of 1e-15 in the image moves the output by more than 1e-7, as other kernels of the same
    # convolution do. So 1e-9 can hold end to end on no other processor than that of the file.
    method = golden.filled_method("xtc")
    with torch.no_grad():
        first = method.network(golden.image).predictions
        moved = method.network(golden.image + 1e-15).predictions
    for name, expected in golden.predictions.items():
        assert_close(first[name], expected, 2e-5)
        noise = (moved[name] - first[name]).abs().max() / expected.abs().max()
        assert noise > 1e-8


def assert_close(value: Tensor, expected: Tensor, tolerance: float) -> None:
    assert (value - expected).abs().max() <= tolerance * expected.abs().max()
