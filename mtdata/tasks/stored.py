"""One image with labels as the file holds them, before they are decoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.tasks.sample import Camera, Sample
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

    def decode(self, tasks: Sequence[Task]) -> Sample:
        """The sample as it is, given at least the tasks that it shows."""
        kinds = {task.name: task.kind for task in tasks}
        labels, valid = {}, {}
        for name, stored in self.labels.items():
            labels[name], valid[name] = kinds[name].decode(stored)
        image = self.image if self.image.flags.writeable else self.image.copy()
        return Sample(self.key, image, labels, valid, self.camera)
