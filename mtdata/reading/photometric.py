"""Photometric changes of images, by albumentations: the only file that uses it.

It is imported when the first image is changed, that is, in a training worker.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError

if TYPE_CHECKING:
    import albumentations


@dataclass(frozen=True)
class Photometric:
    """Changes colours and never pixels' places, so that labels stay as they are.

    Args:
        brightness: Most relative change.
        contrast: Most relative change.
        saturation: Most relative change.
        hue: Most change, as a share of the colour circle.
        pipeline: In place of all these, a pipeline of albumentations: a YAML file that
            `albumentations.save(..., data_format="yaml")` wrote, or the `Compose` itself.

    Raises:
        UsageError: where a change is out of [0, 1] (hue: [0, 0.5]), there is no such file, or,
            when the first image is changed, the pipeline would move pixels or change the size
            or type of the image.
    """

    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 0.05
    pipeline: "Path | albumentations.BaseCompose | None" = None

    def __post_init__(self) -> None:
        for name, most in (("brightness", 1), ("contrast", 1), ("saturation", 1), ("hue", 0.5)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise UsageError(f"`{name}` should be 0 to {most}; found {value}.")
        if isinstance(self.pipeline, Path) and not self.pipeline.is_file():
            raise UsageError(
                f"`pipeline` should be a YAML file of albumentations; there is no {self.pipeline}."
            )

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Change an image [h, w, 3]; the result is a function of `rng` alone."""
        # One seed for all would make the transforms of a pipeline act all at once or not at all.
        for node in _nodes(self._compose):
            node.set_random_seed(int(rng.random() * 2**32))
        changed: NDArray[np.uint8] = self._compose(image=image)["image"]
        if changed.shape != image.shape or changed.dtype != image.dtype:
            raise UsageError(
                "`pipeline` should keep size and type of an image, which networks normalise "
                f"themselves; it made {image.dtype} {image.shape} into {changed.dtype} "
                f"{tuple(changed.shape)}. Take out what normalises or converts."
            )
        return changed

    @cached_property
    def _compose(self) -> "albumentations.BaseCompose":
        # Else it would ask the network for news of itself.
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
        import albumentations

        if self.pipeline is None:
            jitter = albumentations.ColorJitter(
                brightness=(1 - self.brightness, 1 + self.brightness),
                contrast=(1 - self.contrast, 1 + self.contrast),
                saturation=(1 - self.saturation, 1 + self.saturation),
                hue=(-self.hue, self.hue),
                p=1,
            )
            return albumentations.Compose([jitter])
        pipeline = _load(self.pipeline) if isinstance(self.pipeline, Path) else self.pipeline
        containers = (albumentations.BaseCompose, albumentations.ImageOnlyTransform)
        for node in _nodes(pipeline):
            if not isinstance(node, containers):
                raise UsageError(
                    f"`pipeline` should change colours alone; found {type(node).__name__}. Labels "
                    "would not follow as they must: use the flip, scales and rotation given here."
                )
        return pipeline


def _nodes(pipeline: Any) -> Iterator[Any]:
    """A pipeline and all in it, outer before inner."""
    import albumentations

    yield pipeline
    if isinstance(pipeline, albumentations.BaseCompose):
        for inner in pipeline.transforms:
            yield from _nodes(inner)


def _load(path: Path) -> Any:
    import albumentations

    try:
        return albumentations.load(path, data_format="yaml")
    except Exception as error:  # its parser raises whatever a file brings it to
        raise UsageError(
            f"{path}: should be a pipeline that albumentations saved; {error}."
        ) from error
