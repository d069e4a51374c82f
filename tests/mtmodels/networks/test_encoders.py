"""Every encoder keeps what `Encoder` promises, and networks take those they can."""

import pytest
import torch
from torch import Tensor, nn

from mtdata.errors import UnknownNameError, UsageError
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Network
from mtmodels.networks.encoders import ENCODERS, make_encoder
from mtmodels.networks.encoders.base import Encoder
from mtmodels.options import build
from tests.asserts import assert_every_parameter_learns
from tests.runs.batches import PAIR, generator

WIDTH = 0.125
each_encoder = pytest.mark.parametrize("name", ENCODERS)


def made(name: str, *, dilated: bool = False) -> Encoder:
    torch.manual_seed(0)
    return make_encoder(name, width=WIDTH, dilated=dilated)


def picture(height: int = 64, width: int = 96) -> Tensor:
    return torch.rand(2, 3, height, width, generator=generator(0))


@each_encoder
@pytest.mark.parametrize("dilated", [False, True])
def test_maps_are_as_declared(name: str, dilated: bool) -> None:
    encoder = made(name, dilated=dilated)
    maps = encoder(picture())
    assert [tuple(m.shape) for m in maps] == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(encoder.channels, encoder.strides, strict=True)
    ]
    assert {4, 8} <= set(encoder.strides) if dilated else {4, 8, 16, 32} <= set(encoder.strides)
    assert (max(encoder.strides) == 8) == dilated
    assert list(encoder.strides) == sorted(encoder.strides)


@each_encoder
def test_every_parameter_learns(name: str) -> None:
    encoder = made(name)
    sum(m.mul(torch.rand_like(m)).sum() for m in encoder(picture())).backward()
    assert_every_parameter_learns(encoder)


@each_encoder
def test_the_last_layer_is_read_by_the_last_map_alone(name: str) -> None:
    encoder = made(name)
    *before, last = encoder(picture())
    weight = next(encoder.last_layer().parameters())
    assert any(weight is p for p in encoder.parameters())
    found = torch.autograd.grad(last.square().sum(), weight, retain_graph=True)[0]
    assert found.abs().max() > 0
    rest = torch.autograd.grad(
        sum(m.square().sum() for m in before), weight, allow_unused=True, retain_graph=True
    )
    assert rest[0] is None


@each_encoder
def test_width_is_a_factor_on_the_channels(name: str) -> None:
    with torch.device("meta"):
        narrow, wide = ENCODERS[name](width=0.25), ENCODERS[name](width=0.5)
    assert [2 * channels for channels in narrow.channels] == list(wide.channels)


@each_encoder
def test_says_what_it_is(name: str) -> None:
    assert ENCODERS[name].summary
    assert ENCODERS[name].reference


def network(name: str, **options: object) -> Network:
    torch.manual_seed(0)
    return build("network", NETWORKS, name, PAIR, options={"width": WIDTH, **options})


@each_encoder
@pytest.mark.parametrize("name_of_network", ["unet", "deeplab"])
def test_networks_take_it(name_of_network: str, name: str) -> None:
    made = network(name_of_network, encoder=name)
    output = made(picture(64, 64))
    assert output.features.shape[1:] == (
        made.feature_channels, 64 // made.feature_stride, 64 // made.feature_stride
    )  # fmt: skip
    sum(p.mul(torch.rand_like(p)).sum() for p in output.predictions.values()).backward()
    assert_every_parameter_learns(made)


@pytest.mark.parametrize("name", ["unet", "deeplab"])
def test_the_names_of_before_are_the_default_encoder(name: str) -> None:
    first, other = network(f"{name}-resnet18"), network(name)
    assert all(torch.equal(a, b) for a, b in zip(
        first.state_dict().values(), other.state_dict().values(), strict=True
    ))  # fmt: skip
    assert first.state_dict().keys() == other.state_dict().keys()
    image = picture(64, 64)
    for task, prediction in first.eval()(image).predictions.items():
        assert torch.equal(prediction, other.eval()(image).predictions[task])


def test_refuses_an_encoder_that_there_is_not() -> None:
    with pytest.raises(UnknownNameError, match=r"no encoder `resnet81`. Did you mean `resnet"):
        network("unet", encoder="resnet81")


@pytest.mark.parametrize("name", ["unet-resnet18", "deeplab-resnet18"])
def test_a_name_with_an_encoder_takes_no_other(name: str) -> None:
    with pytest.raises(UnknownNameError, match="no option `encoder` of network"):
        network(name, encoder="resnet34")


class OneMap(Encoder):
    """At stride 8 alone."""

    summary = "one"
    reference = "none"
    channels, strides = (4,), (8,)

    def __init__(self, **arguments: object) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 8, stride=8)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return (self.layer(image),)


def test_networks_refuse_one_that_lacks_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    ENCODERS.add("one-map", OneMap, origin="a test")
    try:
        with pytest.raises(UsageError, match=r"map at stride 32; found 8\. Give another --enc"):
            network("unet", encoder="one-map")
        assert network("deeplab", encoder="one-map").feature_channels == 4
    finally:
        ENCODERS.remove("one-map")
