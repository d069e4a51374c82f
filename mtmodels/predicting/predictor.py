"""The network of a run, ready to predict images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mtdata import Task
from mtdata.tasks.resize import resize_image
from mtmodels.errors import PredictionError
from mtmodels.fabric import Fabric
from mtmodels.metrics.tally import all_finite
from mtmodels.networks.base import Network
from mtmodels.predicting.attention import DrawnMask, masks_of
from mtmodels.predicting.formats import value_at
from mtmodels.predicting.sizes import How, Size, network_size
from mtmodels.training.loop.precision import device_of, fabric_on, memory_format, placed, resolve


@dataclass(frozen=True)
class Predictor:
    """Predicts some of the tasks of a network.

    Args:
        network: On the device of `fabric`, in evaluation mode.
        tasks: What is wanted of it.
        fabric: Device and precision.
        trained_size: Height and width of the images that it was trained on.
    """

    network: Network
    tasks: tuple[Task, ...]
    fabric: Fabric
    trained_size: Size

    @classmethod
    def of(
        cls,
        network: Network,
        tasks: Sequence[Task],
        *,
        trained_size: Size,
        device: str = "auto",
        precision: str = "auto",
    ) -> "Predictor":
        """Put a network on a device.

        Args:
            network: A network with its weights.
            tasks: Those of its tasks that are wanted.
            trained_size: Height and width of the images that it was trained on.
            device: "cpu", "cuda", or "auto" for a card where there is one.
            precision: That of the run; a processor has no "16" and takes what "auto" is there.
        """
        place = device_of(device)
        processor = place.type == "cpu"
        name = resolve("auto" if precision == "16" and processor else precision, place).name
        fabric = fabric_on(place, name)
        placed(network, fabric)
        return cls(network.eval(), tuple(tasks), fabric, trained_size)

    def __call__(self, image: NDArray[Any], *, size: How = "trained") -> dict[str, NDArray[Any]]:
        """Predict one image, at each of its pixels.

        Args:
            image: RGB, uint8 `[h, w, 3]`.
            size: At which size to predict; see `network_size`.

        Returns:
            For each task an array of the size of the image: class ids uint8 `[h, w]`; the
            probability of 1 `[h, w]`; depth in the units of the task `[h, w]`; unit vectors
            `[h, w, 3]`.

        Raises:
            PredictionError: where a value is not finite.
            ValueError: where the image has another form.
        """
        if not isinstance(image, np.ndarray):
            raise ValueError(
                f"`image` should be an array, uint8 [h, w, 3], red first; found "
                f"{type(image).__name__}. For files and folders there is "
                "`mtmodels.predicting.predict`."
            )
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(
                "`image` should be uint8 [h, w, 3], red first, of one pixel or more; "
                f"found {image.dtype} {list(image.shape)}."
            )
        own = image.shape[0], image.shape[1]
        given = self.predict([image], ["image"], network_size(own, size, self.trained_size))[0]
        return {task.name: value_at(task, given[task.name], own) for task in self.tasks}

    def predict(
        self, images: Sequence[NDArray[np.uint8]], names: Sequence[str], size: Size
    ) -> list[dict[str, Float[Tensor, "c h w"]]]:
        """Predict images, `[h, w, 3]` of any size, resized to one.

        Args:
            images: The images.
            names: What they are called, for an error.
            size: Height and width to predict at.

        Returns:
            For each image and task: logits, depth or vectors in float32 at that size.

        Raises:
            PredictionError: where a value is not finite.
        """
        with torch.no_grad(), self.fabric.autocast():
            predictions = self.network.predict(self._batch(images, size))
        found = {task.name: predictions[task.name].float() for task in self.tasks}
        for task, values in found.items():
            if not all_finite(values):
                raise PredictionError(task, tuple(names), "holds NaN or infinity")
        return [{task: values[i] for task, values in found.items()} for i in range(len(images))]

    def attention(
        self, images: Sequence[NDArray[np.uint8]], size: Size
    ) -> list[dict[str, list[DrawnMask]]]:
        """For each image and task the masks by which it picks from the maps of the network.

        Args:
            images: The images, `[h, w, 3]` of any size.
            size: Height and width to predict at.
        """
        with torch.no_grad(), self.fabric.autocast():
            seen = self.network.padded(self._batch(images, size))
            found = self.network.attention(seen)
        padded = seen.shape[2], seen.shape[3]
        return masks_of(found, self.tasks, padded=padded, size=size)

    def _batch(self, images: Sequence[NDArray[Any]], size: Size) -> Float[Tensor, "b 3 h w"]:
        stack = np.stack(
            [x if x.shape[:2] == size else resize_image(x, size) for x in images]
        ).transpose(0, 3, 1, 2)
        layout = memory_format(self.network, self.fabric)
        moved = torch.from_numpy(np.ascontiguousarray(stack)).to(self.fabric.device)
        return (moved.float() / 255).contiguous(memory_format=layout)
