"""Photometric changes of images on the device: what a view may have that the first has not.

torchvision is imported when the first image is changed: few runs need it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtmodels.late import COMPILER, imported

LIGHT = 0.4
"""By how much brightness, contrast and saturation change at full strength, up or down."""
HUE = 0.1
"""By how much of the circle of colours the hue turns at full strength."""
SMALLEST_BLUR = 0.1
"""Deviation in pixels below which a blur does nothing."""


@dataclass(frozen=True)
class Colour:
    """A change of one image: factors, a turn of the hue, and the deviation of a blur in pixels."""

    brightness: float
    contrast: float
    saturation: float
    hue: float
    blur: float

    @classmethod
    def draw(cls, rng: np.random.Generator, *, strength: float, blur: float) -> "Colour":
        """Draw a change.

        Args:
            rng: The only source of randomness.
            strength: How strong light and colours change, in [0, 1].
            blur: The largest deviation, in pixels.
        """
        brightness, contrast, saturation = 1 + strength * LIGHT * rng.uniform(-1, 1, 3)
        hue = strength * HUE * rng.uniform(-1, 1)
        return cls(float(brightness), float(contrast), float(saturation), hue, blur * rng.uniform())

    def apply(self, image: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
        """The image, in [0, 1], after the change."""
        with imported("torchvision", without=COMPILER):
            from torchvision.transforms.v2 import functional as tv

        image = tv.adjust_brightness(image, self.brightness)
        image = tv.adjust_contrast(image, self.contrast)
        image = tv.adjust_saturation(image, self.saturation)
        image = tv.adjust_hue(image, self.hue)
        if self.blur > SMALLEST_BLUR:
            # Three deviations to each side; a kernel is not larger than the image that it reflects.
            reach = min(int(np.ceil(3 * self.blur)), min(image.shape[-2:]) // 2 - 1)
            image = tv.gaussian_blur(image, [2 * reach + 1] * 2, [self.blur] * 2)
        return image


def recoloured(images: Float[Tensor, "b 3 h w"], changes: list[Colour]) -> Float[Tensor, "b 3 h w"]:
    """A change for each image."""
    made = [change.apply(image) for change, image in zip(changes, images, strict=True)]
    return torch.stack(made).to(memory_format=_layout(images))


def _layout(images: Tensor) -> torch.memory_format:
    last = images.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format
