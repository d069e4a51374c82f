"""Where the features of the U-Net come from."""

import pytest
import torch

from mtmodels.methods.mtpsl import MTPSL
from mtmodels.networks.unet import FEATURE_STRIDES, UNetResNet18
from tests.mtmodels.methods.looks import look_at, own_terms
from tests.runs.batches import SIX

IMAGE = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def made(**options: object) -> UNetResNet18:
    torch.manual_seed(0)
    return UNetResNet18(SIX[:3], width=0.125, **options).eval()


@pytest.mark.parametrize("stride", FEATURE_STRIDES)
def test_features_come_from_where_it_says(stride: int) -> None:
    network, plain = made(feature_stride=stride), made()
    output, expected = network(IMAGE), plain(IMAGE)
    assert output.features.shape == (2, network.feature_channels, 64 // stride, 96 // stride)
    assert network.feature_stride == stride
    for name, prediction in expected.predictions.items():
        assert torch.equal(output.predictions[name], prediction)


def test_features_of_the_decoder_are_what_its_stage_gives() -> None:
    network = made(feature_stride=8)
    seen: list[torch.Tensor] = []
    network.decoder[1].register_forward_hook(lambda _m, _x, y: seen.append(y))
    assert torch.equal(network(IMAGE).features, seen[0])


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_maps_of_task_pairs_have_their_size(stride: int) -> None:
    network = made(feature_stride=stride)
    method, look = MTPSL(network, mapping_width=0.0625), look_at(network)
    assert 0 < own_terms(method, look).auxiliary["consistency"].item() < 8


def test_refuses_another_stride() -> None:
    with pytest.raises(ValueError, match=r"`feature_stride` should be one of .*; found 64"):
        made(feature_stride=64)
