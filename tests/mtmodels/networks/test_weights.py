"""Weights for encoders: they fit, or a message says what would."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
import torchvision.models
import yaml
from safetensors.torch import save_file
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from mtdata.errors import UsageError
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Network
from mtmodels.networks.encoders.weights import WeightsUnavailableError
from mtmodels.options import build
from mtmodels.predicting.opening import open_predictor
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.rescore import rescore
from mtmodels.training.run import prepare, train
from mtmodels.training.setup.loading import open_run
from tests.runs.batches import PAIR
from tests.runs.small_run import small_layer, small_store


def encoder(name: str, **options: Any) -> nn.Module:
    return build("network", NETWORKS, name, PAIR, options=options).get_submodule("encoder")


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return dict(torchvision.models.resnet18(weights=None).state_dict())


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_loads_a_torchvision_file(
    state: dict[str, torch.Tensor], tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    for name in ("xtasc-resnet18", "unet-resnet18", "deeplab-resnet18"):
        loaded = encoder(name, encoder_weights=path).state_dict()
        assert loaded.keys() == {key for key in state if not key.startswith("fc.")}
        assert all(torch.equal(loaded[key], state[key]) for key in loaded)


@pytest.fixture(scope="module")
def vgg() -> dict[str, torch.Tensor]:
    """The state of `vgg16_bn`, with a classifier that is smaller than the real one."""
    features = make_layers(cfgs["D"], batch_norm=True)
    state = {f"features.{key}": value for key, value in features.state_dict().items()}
    return {**state, "classifier.0.weight": torch.zeros(2, 2)}


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_loads_a_vgg_into_segnet(vgg: dict[str, torch.Tensor], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights.{suffix}"
    torch.save(vgg, path) if suffix == "pth" else save_file(vgg, path)
    loaded = encoder("segnet", encoder_weights=path).state_dict()
    theirs = [value for key, value in vgg.items() if key.startswith("features.")]
    assert all(torch.equal(a, b) for a, b in zip(loaded.values(), theirs, strict=True))


@pytest.mark.parametrize("options", [{"width": 0.5}, {"wide": True}, {"deep": True}])
def test_refuses_a_vgg_for_another_segnet(
    vgg: dict[str, torch.Tensor], tmp_path: Path, options: dict[str, Any]
) -> None:
    torch.save(vgg, tmp_path / "weights.pth")
    with pytest.raises(UsageError, match=r"VGG-16 with batch norm at width 1.*differs in"):
        encoder("segnet", encoder_weights=tmp_path / "weights.pth", **options)


def test_refuses_a_resnet_for_segnet(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(UsageError, match=r"VGG-16 with batch norm at width 1"):
        encoder("segnet", encoder_weights=tmp_path / "weights.pth")


def test_loads_files_from_before_batches_were_counted(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "weights.pth")
    loaded = encoder("unet-resnet18", encoder_weights=tmp_path / "weights.pth").state_dict()
    assert torch.equal(loaded["layer4.1.bn2.weight"], state["layer4.1.bn2.weight"])
    assert loaded["bn1.num_batches_tracked"] == 0


def test_takes_imagenet_weights_from_torchvision(
    state: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "torchvision.models._api.load_state_dict_from_url", lambda *_, **__: dict(state)
    )
    loaded = encoder("unet-resnet18", encoder_weights="imagenet").state_dict()
    assert torch.equal(loaded["conv1.weight"], state["conv1.weight"])


def test_says_what_to_do_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(WeightsUnavailableError, match="--encoder-weights FILE") as caught:
        encoder("xtasc-resnet18", encoder_weights="imagenet")
    assert caught.value.exit_code == 3


def test_refuses_a_missing_file() -> None:
    with pytest.raises(UsageError, match=r"`imagenet` or a file; found nowhere.pth"):
        encoder("unet-resnet18", encoder_weights="nowhere.pth")


def test_refuses_weights_of_another_width(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(UsageError, match=r"ResNet-18 at width 1.*differs in .* entries"):
        encoder("unet-resnet18", width=0.5, encoder_weights=tmp_path / "weights.pth")


def test_refuses_weights_of_another_depth(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(UsageError, match="ResNet-34 at width 1"):
        encoder("xtasc-resnet34", encoder_weights=tmp_path / "weights.pth")


class Command:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


@pytest.mark.parametrize("kind", ["code", "noise", "nested", "truncated"])
def test_refuses_files_that_are_no_tensors(
    state: dict[str, torch.Tensor], tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "weights.pth"
    if kind == "code":
        torch.save({"conv1.weight": Command()}, path)
    elif kind == "nested":
        torch.save({"model": {"a": 1}}, path)
    elif kind == "truncated":
        torch.save(state, path)
        path.write_bytes(path.read_bytes()[:5000])
    else:
        path.write_bytes(b"\x00\x01not weights")
    with pytest.raises(UsageError, match="`encoder_weights` should be a file of"):
        encoder("unet-resnet18", encoder_weights=path)


def test_refuses_a_broken_safetensors_file(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"no header")
    with pytest.raises(UsageError, match="`encoder_weights` should be a file of"):
        encoder("unet-resnet18", encoder_weights=tmp_path / "weights.safetensors")


def test_weights_bring_their_normalisation_unless_it_is_given(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = str(tmp_path / "weights.safetensors")
    save_file(state, path)

    def network(**options: Any) -> Network:
        return build("network", NETWORKS, "unet-resnet18", PAIR, options=options)

    image = torch.rand(1, 3, 32, 32)
    shift, scale = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (image - shift[:, None, None]) / scale[:, None, None]
    torch.testing.assert_close(network(encoder_weights=path).normalised(image), expected)
    assert torch.equal(network().normalised(image), image)
    raw = network(encoder_weights=path, mean=[0, 0, 0], std=[1, 1, 1])
    assert torch.equal(raw.normalised(image), image)
    # One of both alone leaves the other as the weights want it.
    half = network(encoder_weights=path, mean=[0.5, 0.5, 0.5]).normalised(image)
    torch.testing.assert_close(half, (image - 0.5) / scale[:, None, None])
    half = network(encoder_weights=path, std=[0.5, 0.5, 0.5]).normalised(image)
    torch.testing.assert_close(half, (image - shift[:, None, None]) / 0.5)


def test_a_run_writes_down_the_normalisation_and_predicts_with_it(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    save_file(state, tmp_path / "weights.safetensors")
    layer = small_layer(small_store(tmp_path)) | {"epochs": 1, "holdout": 0.0}
    weights = str(tmp_path / "weights.safetensors")
    layer["network"] = {"name": "unet-resnet18", "encoder_weights": weights}
    train(prepare([layer], out=tmp_path / "run", mode="new"), mode="new")
    (tmp_path / "weights.safetensors").unlink()
    run = open_run(tmp_path / "run")
    assert run.config.network.options["mean"] == [0.485, 0.456, 0.406]
    predictor = open_predictor(run)
    assert predictor.network.options.std == (0.229, 0.224, 0.225)
    kept = (tmp_path / "run" / "scores" / "test-mtpsl.json").read_text()
    assert json.loads(kept)["scores"] == rescore(tmp_path / "run")[0]["scores"]


def test_a_run_of_before_keeps_what_it_had(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """Its configuration says that the images were given as they are."""
    save_file(state, tmp_path / "weights.safetensors")
    layer = small_layer(small_store(tmp_path)) | {"epochs": 1, "holdout": 0.0}
    plain = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
    weights = str(tmp_path / "weights.safetensors")
    layer["network"] = {"name": "unet-resnet18", "encoder_weights": weights, "options": plain}
    train(prepare([layer], out=tmp_path / "run", mode="new"), mode="new")
    # Older ones do not even say that.
    config = RunFolder(tmp_path / "run").config
    stored = yaml.safe_load(config.read_text())
    stored["network"]["options"] = {}
    config.write_text(yaml.safe_dump(stored))
    again = prepare([], out=tmp_path / "run", mode="resume")
    assert again.config.network.options["mean"] == [0.0, 0.0, 0.0]
    assert open_predictor(open_run(tmp_path / "run")).network.options.mean == (0.0, 0.0, 0.0)
