"""Pre-trained weights for encoders: from torchvision, or from a file."""

import pickle
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mtdata.errors import DataError, UsageError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


UNREADABLE = (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError)
"""What reading a file raises that holds no tensors."""


class WeightsUnavailableError(DataError):
    """Weights that should be downloaded but cannot be."""


def load_encoder_weights(encoder: nn.Module, weights: str | Path, *, depth: int) -> None:
    """Load the weights of a torchvision ResNet into an encoder; its classifier is left out.

    Args:
        encoder: A `ResNetEncoder`.
        weights: "imagenet", or a file (`.safetensors`, or `.pth` without code in it).
        depth: Layers of the ResNet.

    Raises:
        UsageError: where the file is missing, no state of tensors, or of another network.
        WeightsUnavailableError: where "imagenet" is neither cached nor can be downloaded.
    """
    state = _imagenet(depth) if weights == "imagenet" else _read(Path(weights))
    state = {name: value for name, value in state.items() if not name.startswith("fc.")}
    wanted = {name: tuple(value.shape) for name, value in encoder.state_dict().items()}
    wrong = sorted(
        name
        for name in wanted.keys() | state.keys()
        if name not in wanted or name not in state or tuple(state[name].shape) != wanted[name]
    )
    if wrong:
        raise UsageError(
            f"`encoder_weights` should be those of a torchvision ResNet-{depth} at width "
            f"1; found {weights}, which differs in {len(wrong)} entries, the first `{wrong[0]}`. "
            "Take the file of that network, and leave out --width."
        )
    encoder.load_state_dict(state)


def _imagenet(depth: int) -> dict[str, Tensor]:
    """The first ImageNet weights that torchvision published for this depth."""
    import torchvision.models

    weights = getattr(torchvision.models, f"ResNet{depth}_Weights").IMAGENET1K_V1
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise WeightsUnavailableError(
            f"The ImageNet weights of ResNet-{depth} should be cached or downloadable; found "
            f"neither ({error}). Download {weights.url} elsewhere and give the file: "
            "--encoder-weights FILE."
        ) from error
    return state


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, read without running code from it."""
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
