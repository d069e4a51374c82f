"""What a manifest says of the store of a run: enough to predict where the store is not there."""

from typing import Any

import numpy as np

from mtdata import Store
from mtmodels.training.setup.data import split_with_role


def store_facts(store: Store) -> dict[str, Any]:
    """Name, digests and tasks of a store, with names and colours of classes, and `image_size`.

    `image_size` is the median height and width of the training images, without their padding.
    """
    sizes = store.split(split_with_role(store, "train")).sizes
    return {
        "dataset": store.dataset_name,
        "content_digest": store.content_digest,
        "source_digest": store.source_digest,
        "format_version": store.format_version,
        "units": {task.name: task.kind.units for task in store.tasks},
        "image_size": [int(side) for side in np.median(sizes, axis=0)],
        "tasks": [task.to_json() for task in store.tasks],
    }
