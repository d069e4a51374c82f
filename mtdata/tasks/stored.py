"""One image with labels as the file holds them, before they are decoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.tasks.sample import Camera, Extent, Sample
from mtdata.tasks.task import Task


@dataclass(frozen=True)
class StoredSample:
    """An image and the labels that may be seen of it, in the types of the file or of a cache.

    Its arrays may be shared between processes: they are read and never written.
    """

    key: str
    image: NDArray[np.uint8]
    labels: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    camera: Camera | None = None
    extent: Extent | None = None

    def decode(self, tasks: Sequence[Task]) -> Sample:
        """The sample as it is, given at least the tasks that it shows."""
        kinds = {task.name: task.kind for task in tasks}
        labels, valid = {}, {}
        for name, stored in self.labels.items():
            labels[name], valid[name] = trimmed(*kinds[name].decode(stored), self.extent)
        image = self.image if self.image.flags.writeable else self.image.copy()
        return Sample(self.key, image, labels, valid, self.camera, self.extent)


def trimmed(
    label: NDArray[Any], valid: NDArray[np.bool_], extent: Extent | None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A label that says nothing outside of the true image, whatever the padding holds."""
    if extent is None:
        return label, valid
    inside = np.zeros_like(valid)
    inside[extent.part] = valid[extent.part]
    if (inside == valid).all():
        return label, valid
    return label * inside.reshape(inside.shape + (1,) * (label.ndim - 2)), inside
