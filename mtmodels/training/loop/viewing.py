"""Makes the views that a run trains on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtdata.reading.augment import sample_rng
from mtdata.reading.batch import Batch
from mtdata.reading.geometry import Change, Crop, Flip
from mtdata.tasks.task import Task
from mtmodels.late import COMPILER, imported
from mtmodels.methods.base import Method
from mtmodels.methods.views import Step, View, Views, changed, extents
from mtmodels.training.config import Config

STAY = Crop(1.0)
LIGHT = 0.4
"""By how much brightness, contrast and saturation change at full strength, up or down."""
HUE = 0.1
"""By how much of the circle of colours the hue turns at full strength."""
SMALLEST_BLUR = 0.1
"""Deviation in pixels below which a blur does nothing."""


@dataclass(frozen=True)
class Colour:
    """A change of one image: factors, a turn of the hue, and the deviation of a blur in pixels.

    torchvision is imported when the first image is changed: few runs need it.
    """

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


class ViewMaker:
    """Makes the further views of a batch of the first, as the method wants them.

    The draw of an image is a function of (seed, epoch, key, view), as that of its first view is;
    where an image may come twice in an epoch (`labelled_share`), of the step as well, and in a
    batch, of how often it was there before.

    Args:
        config: Seed, and how views are drawn where a method leaves it open.
        tasks: The tasks whose labels are changed along.
        wanted: How the method wants each view; of the first, only whether its labels supervise.

    Raises:
        ValueError: where there is none, or the first should be made otherwise.

    Reference: the released code of MTPSL, whose second crop is one of the first crop. A flip
    before it is what that code does on Cityscapes.
    """

    def __init__(self, config: Config, tasks: Sequence[Task], wanted: Sequence[View]) -> None:
        self.part, self.seed, self.tasks = config.views, config.seed, tuple(tasks)
        self.wanted = tuple(wanted)
        if not self.wanted or replace(self.wanted[0], supervised=True) != View():
            raise ValueError(
                "the first view of a method should be `View()`, the batch as it comes, and what is "
                f"changed a further one; found {self.wanted[0] if self.wanted else 'none'}."
            )
        self.paper = config.augmentation.paper_geometry
        self.twice = config.labelled_share is not None

    def __call__(self, batch: Batch, epoch: int, step: int = 0) -> Views:
        """The views of a batch in an epoch, at a step of the run."""
        made = [self._make(batch, epoch, step, number) for number in range(1, len(self.wanted))]
        return Views(
            batch,
            *(view for view, _ in made),
            steps=[steps for _, steps in made],
            supervised=[view.supervised for view in self.wanted],
            paper=self.paper,
        )

    @property
    def repeats(self) -> bool:
        """Whether further views are the first again: nothing is cropped, flipped or coloured."""
        return not any(
            chance or wanted.colour or wanted.blur or set(scales) != {1.0}
            for wanted in self.wanted[1:]
            for scales, chance in [self._drawn(wanted)]
        )

    def _drawn(self, wanted: View) -> tuple[Sequence[float], float]:
        """The scales and the chance of a flip of a view."""
        chance = self.part.flip if wanted.flip is None else wanted.flip
        return wanted.scales or self.part.scales, chance

    def _make(self, batch: Batch, epoch: int, step: int, number: int) -> tuple[Batch, list[Step]]:
        wanted = self.wanted[number]
        name = "second view" if number == 1 else f"view {number + 1}"
        if self.twice:
            name += f", step {step}"
        rngs = [sample_rng(self.seed, epoch, f"{key}, {name}") for key in _told_apart(batch.keys)]
        scales, chance = self._drawn(wanted)
        crops: list[Crop] = []
        flips: list[Change] = []
        for rng in rngs:
            crops.append(Crop.draw(rng, scales))
            flips.append(Flip.draw(rng, chance) or STAY)
        if (padded := extents(batch, flips)) is not None:
            size = batch.image.shape[-2:]
            crops = [crop.within(at, *size) for crop, at in zip(crops, padded, strict=True)]
        steps: list[Step] = [flips, crops] if chance else [crops]
        view = changed(batch, self.tasks, steps, paper=self.paper)
        if wanted.colour or wanted.blur:
            drawn = [Colour.draw(r, strength=wanted.colour, blur=wanted.blur) for r in rngs]
            view = replace(view, image=_recoloured(view.image, drawn))
        return view, steps


def _told_apart(keys: Sequence[str]) -> list[str]:
    """The keys, with how often each was there before behind those that come again."""
    before: Counter[str] = Counter()
    found = []
    for key in keys:
        found.append(f"{key}, again {before[key]}" if before[key] else key)
        before[key] += 1
    return found


def _recoloured(
    images: Float[Tensor, "b 3 h w"], changes: list[Colour]
) -> Float[Tensor, "b 3 h w"]:
    """A change for each image."""
    made = [change.apply(image) for change, image in zip(changes, images, strict=True)]
    return torch.stack(made).to(memory_format=_layout(images))


def _layout(images: Tensor) -> torch.memory_format:
    last = images.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def view_maker(config: Config, method: Method) -> ViewMaker:
    """What makes the views that a method wants, as many as the run has."""
    wanted = method.views(config.views.count or method.default_views)
    return ViewMaker(config, method.network.tasks, wanted)
