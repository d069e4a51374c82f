"""DeepLab on a dilated ResNet-18."""

import pytest
import torch
import torchvision.models
from torch import nn

from mtmodels.networks.deeplab import DeepLabMultiScale, DeepLabResNet18
from mtmodels.networks.encoders.resnet import ResNet18, ResNet50
from tests.runs.batches import PAIR, SIX, generator


def test_dilated_encoder_computes_what_torchvision_does() -> None:
    # torchvision dilates bottlenecks only, so ResNet-50 stands for the rule.
    theirs = torchvision.models.resnet50(
        weights=None, replace_stride_with_dilation=[False, True, True]
    ).eval()
    ours = ResNet50(dilated=True).eval()
    ours.load_state_dict({k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")})
    image = torch.rand(1, 3, 64, 32, generator=generator(0))
    with torch.no_grad():
        assert torch.equal(ours(image)[-1], nn.Sequential(*list(theirs.children())[:-2])(image))


def test_dilation_fills_in_between_the_values_of_the_strided_encoder() -> None:
    strided = ResNet18(width=0.25).double().eval()
    dilated = ResNet18(width=0.25, dilated=True).double().eval()
    dilated.load_state_dict(strided.state_dict())
    image = torch.rand(1, 3, 128, 96, dtype=torch.float64, generator=generator(0))
    coarse, fine = strided(image), dilated(image)
    for a, b, step in zip(coarse, fine, (1, 1, 1, 2, 4), strict=True):
        assert torch.allclose(a, b[..., ::step, ::step], rtol=1e-9, atol=1e-12)
    assert [128 // m.shape[2] for m in fine] == list(dilated.strides)
    assert [128 // m.shape[2] for m in coarse] == list(strided.strides)


def test_layers_of_the_dilated_stages() -> None:
    encoder = ResNet18(width=0.125, dilated=True)
    for stage, first, rest in ((encoder.layer3, 1, 2), (encoder.layer4, 2, 4)):
        layers = [m for m in stage.modules() if isinstance(m, nn.Conv2d)]
        assert {layer.stride for layer in layers} == {(1, 1)}
        wide = [layer.dilation[0] for layer in layers if layer.kernel_size == (3, 3)]
        assert wide == [first, rest, rest, rest]


def test_parameters() -> None:
    with torch.device("meta"):
        network = DeepLabResNet18(PAIR)
        heads = [sum(p.numel() for p in head.parameters()) for head in network.heads.values()]
    # Five branches from 512 channels, three of them 3x3; their merging; 3x3; 1x1; norms.
    shared = 512 * 256 * (2 + 3 * 9) + 5 * 256 * 256 + 9 * 256 * 256 + 7 * 2 * 256
    assert heads == [shared + 257 * task.channels for task in PAIR]
    assert sum(p.numel() for p in network.encoder.parameters()) == 11_176_512


def test_head_is_that_of_deeplab() -> None:
    head = DeepLabResNet18(PAIR, width=0.125).heads["depth"]
    aspp, convolution, norm, relu, last = head.children()
    rates = [m.dilation for m in aspp.modules() if isinstance(m, nn.Conv2d) if m.dilation[0] > 1]
    assert rates == [(12, 12), (24, 24), (36, 36)]
    assert [m.p for m in aspp.modules() if isinstance(m, nn.Dropout)] == [0.5]
    assert convolution.bias is None
    assert isinstance(norm, nn.BatchNorm2d)
    assert isinstance(relu, nn.ReLU)
    assert last.kernel_size == (1, 1)


def test_features_keep_an_eighth_of_the_size() -> None:
    network = DeepLabResNet18(SIX, width=0.125)
    assert network(torch.rand(2, 3, 40, 72)).features.shape == (2, 64, 5, 9)


def test_maps_of_all_stages_are_joined_at_an_eighth_of_the_size() -> None:
    network = DeepLabMultiScale(PAIR, width=0.25).double().eval()
    image = torch.rand(2, 3, 64, 96, dtype=torch.float64, generator=generator(0))
    with torch.no_grad():
        _, quarter, eighth, *small = network.encoder(image)
        assert [x.shape[2] for x in small] == [4, 2]  # of 64: not dilated
        halved = (quarter[..., ::2, :] + quarter[..., 1::2, :]) / 2
        halved = (halved[..., ::2] + halved[..., 1::2]) / 2
        read = [halved, eighth, *(grown(x, (8, 12)) for x in small)]
        layer = network.join
        assert isinstance(layer, nn.Conv2d)
        expected = layer(torch.cat(read, dim=1))
        found = network(image).features
    assert found.shape == (2, 128, 8, 12)
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-12)


def grown(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear interpolation of pixel areas, value by value."""
    rows, columns = (between(old, new) for old, new in zip(x.shape[-2:], size, strict=True))
    return torch.einsum("yi,bcij,xj->bcyx", rows, x, columns)


def between(old: int, new: int) -> torch.Tensor:
    """How much of each old pixel a new one is, [new, old]."""
    shares = torch.zeros(new, old, dtype=torch.float64)
    for i in range(new):
        at = max((i + 0.5) * old / new - 0.5, 0.0)
        low = int(at)
        shares[i, low] += 1 - (at - low)
        shares[i, min(low + 1, old - 1)] += at - low
    return shares


def test_parameters_of_all_stages() -> None:
    with torch.device("meta"):
        one, all_ = DeepLabResNet18(PAIR), DeepLabMultiScale(PAIR)
    more = sum(p.numel() for p in all_.parameters()) - sum(p.numel() for p in one.parameters())
    assert more == (64 + 128 + 256 + 512) * 512 * 9 + 512


def test_refuses_to_train_on_one_image() -> None:
    network = DeepLabResNet18(PAIR, width=0.125)
    image = torch.rand(1, 3, 32, 32)
    with pytest.raises(ValueError, match=r"should hold 2 images or more.*--batch"):
        network(image)
    assert network.eval()(image).predictions["depth"].shape == (1, 1, 32, 32)
