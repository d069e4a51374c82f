"""SegNet is the published network."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from mtmodels.kinds import kind_model
from mtmodels.losses import image_means
from mtmodels.networks.encoders.segnet_encoder import STAGES, SegNetEncoder
from mtmodels.networks.segnet import SegNet, SegNetDecoder
from mtmodels.options import options_of
from tests.runs.batches import PAIR, SIX, generator
from tests.runs.golden import SegNetGolden

NYU = SegNetGolden.tasks


def count(**options: Any) -> int:
    with torch.device("meta"):
        network = SegNet(options.pop("tasks", NYU), **options)
    return sum(p.numel() for p in network.parameters())


def test_parameters_are_the_published_ones() -> None:
    assert count() == 25_055_185
    assert count(tasks=NYU[:1]) == 24_981_069


def blocks(*channels: int) -> int:
    """Parameters of 3x3 convolutions with bias and batch norm from one number to the next."""
    return sum(9 * i * o + 3 * o for i, o in itertools.pairwise(channels))


def test_parameters_of_the_variants() -> None:
    heads = count() - blocks(*(3, 64, 64, 128, 128, 256, 256, 256), *(512,) * 6)
    heads -= blocks(*(512,) * 4, *(256,) * 3, *(128,) * 3, *(64,) * 4)
    encoder = blocks(*(3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 1024, 1024, 1024))
    decoder = blocks(*(1024, 512, 512, 512), *(256,) * 3, *(128,) * 3, *(64,) * 4)
    assert count(wide=True) == encoder + decoder + heads
    encoder = blocks(3, *(64,) * 4, *(128,) * 4, *(256,) * 6, *(512,) * 12)
    decoder = blocks(*(512,) * 7, *(256,) * 6, *(128,) * 6, *(64,) * 8)
    assert count(deep=True) == encoder + decoder + heads


@pytest.mark.parametrize("options", [{"wide": True}, {"deep": True}, {"wide": True, "deep": True}])
def test_variants_predict(options: dict[str, Any]) -> None:
    network = SegNet(SIX, width=0.0625, **options)
    output = network(torch.rand(2, 3, 64, 32))
    assert output.features.shape == (2, network.feature_channels, 2, 1)
    assert network.feature_channels == (64 if options.get("wide") else 32)


def test_encoder_computes_what_torchvision_does() -> None:
    theirs = make_layers(cfgs["D"], batch_norm=True).eval()
    ours = SegNetEncoder(3, STAGES).eval()
    state = theirs.state_dict()
    ours.load_state_dict({k: state[ours._name_in_vgg(k)] for k in ours.state_dict()})
    image = torch.rand(1, 3, 64, 32, generator=generator(0))
    with torch.no_grad():
        assert torch.equal(ours(image)[0], theirs(image))


def unpool(x: Tensor, place: Tensor) -> Tensor:
    """Value by value, to the place in the flattened map that the pool noted."""
    b, c, h, w = x.shape
    result = torch.zeros(b, c, 4 * h * w, dtype=x.dtype)
    for i, j in torch.cartesian_prod(torch.arange(b), torch.arange(c)).tolist():
        result[i, j, place[i, j].flatten()] = x[i, j].flatten()
    return result.view(b, c, 2 * h, 2 * w)


def test_decoder_unpools_to_the_places_of_the_mirrored_stage() -> None:
    stages = ((1, 3), (2, 5))
    encoder, decoder = SegNetEncoder(3, stages).double(), SegNetDecoder(stages).double()
    image = torch.rand(2, 3, 8, 16, dtype=torch.float64, generator=generator(0))
    features, places = encoder(image)
    x = features
    for stage, place in zip(decoder.stages, reversed(places), strict=True):
        x = unpool(x, place)
        for layer in stage.children():
            x = layer(x) if not isinstance(layer, nn.ReLU) else x.clamp(min=0)
    assert torch.allclose(decoder(features, places), x, rtol=1e-12, atol=1e-14)
    layers = [m for m in decoder.modules() if isinstance(m, nn.Conv2d)]
    shapes = [(layer.in_channels, layer.out_channels) for layer in layers]
    assert shapes == [(5, 3), (3, 3), (3, 3)]


def test_equal_values_go_to_the_first_place_in_every_layout() -> None:
    # ReLU leaves whole windows at 0: their place decides where the decoder's value goes.
    encoder = SegNetEncoder(3, ((1, 8),)).eval()
    image = torch.zeros(2, 3, 8, 8)
    _, (place,) = encoder(image)
    assert place[0, 0, 1, 1] == 18
    encoder.to(memory_format=torch.channels_last)
    _, (other,) = encoder(image.to(memory_format=torch.channels_last))
    assert torch.equal(place, other)


def test_starts_xavier_normal_with_bias_zero() -> None:
    torch.manual_seed(0)
    layers = [m for m in SegNet(PAIR, width=0.5).modules() if isinstance(m, nn.Conv2d)]
    assert all(layer.bias is not None and not layer.bias.any() for layer in layers)
    largest = max(layers, key=lambda layer: layer.weight.numel())
    expected = (2 / (9 * (largest.in_channels + largest.out_channels))) ** 0.5
    assert largest.weight.std().item() == pytest.approx(expected, rel=0.01)


def test_maps_a_task_to_another() -> None:
    network = SegNet(PAIR[1:], channels_in=5, width=0.125)
    assert network(torch.rand(2, 5, 32, 32)).predictions["depth"].shape == (2, 1, 32, 32)
    with pytest.raises(ValueError, match=r"`image` should have 5 channels.*found 3"):
        network(torch.rand(2, 3, 32, 32))


def test_channels_of_the_input_are_no_option_of_a_run() -> None:
    # A run reads images; only another method makes networks that read labels.
    assert "channels_in" not in options_of(SegNet)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels_in": 0}, "`channels_in` should be 1 or more; found 0"),
        ({"channels_in": 4, "mean": (0.5, 0.5, 0.5)}, "left out where `channels_in` is not 3"),
        ({"channels_in": 4, "std": (0.5, 0.5, 0.5)}, "left out where `channels_in` is not 3"),
    ],
)
def test_refuses_channels(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SegNet(PAIR, **options)


@pytest.fixture(scope="module")
def golden(shared: Path) -> SegNetGolden:
    return SegNetGolden(shared / "golden")


@pytest.mark.real
def test_golden_network(golden: SegNetGolden) -> None:
    network, expected = golden.network(), golden.predictions
    raw: list[Tensor] = []
    network.get_submodule("heads.normals").register_forward_hook(lambda *args: raw.append(args[2]))
    with torch.no_grad():
        output, moved = network(golden.image), network(golden.image + 1e-15)
    predictions = output.predictions
    assert_close(output.features, golden.features, 1e-9)
    assert_close(predictions["semantic"].log_softmax(1), expected["semantic"], 1e-9)
    # A change of 1e-15 in the image moves depth and normals by more than 1e-9, as other kernels of
    # the same convolutions do. Normals are compared before they are made unit, which magnifies.
    assert_close(predictions["depth"], expected["depth"], 1e-8)
    assert_close(raw[0], expected["normals"] * raw[0].norm(dim=1, keepdim=True), 1e-8)
    assert_close(predictions["normals"], raw[0] / raw[0].norm(dim=1, keepdim=True), 1e-9)
    noise = (moved.predictions["depth"] - predictions["depth"]).abs().max()
    assert noise > 1e-9 * expected["depth"].abs().max()


@pytest.mark.real
def test_golden_losses(golden: SegNetGolden) -> None:
    for column, task in enumerate(golden.tasks):
        loss = kind_model(task).loss(task.name)(
            golden.predictions[task.name], golden.labels[task.name], golden.valid[task.name]
        )
        means, _ = image_means(loss, golden.valid[task.name])
        assert_close(means, golden.losses[:, column], 1e-9)


def assert_close(value: Tensor, expected: Tensor, tolerance: float) -> None:
    assert (value - expected).abs().max() <= tolerance * expected.abs().max()
