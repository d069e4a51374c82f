"""The views of a batch that a method trains on."""

from dataclasses import dataclass

from mtdata.batch import Batch


@dataclass(frozen=True)
class Views:
    """One or more views of the same images.

    Args:
        main: The batch that supervision is applied to.
    """

    main: Batch
