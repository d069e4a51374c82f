"""Labels that are on or off at each pixel: saliency, edges."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.tasks.kinds.base import Kind
from mtdata.tasks.kinds.classes import VOID


@dataclass(frozen=True)
class Binary(Kind):
    """0 or 1 as uint8 `[h, w]`; 255 in the file is void."""

    name: ClassVar[str] = "binary"

    @property
    def units(self) -> str:
        """A label is 0 or 1, a prediction a logit."""
        return "0 or 1"

    def encode(self, label: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
        """0, 1 or void as uint8; raises ValueError for any other value."""
        seen = label[valid]
        if seen.size and not np.isin(seen, (0, 1)).all():
            raise ValueError(f"values should be 0 or 1; found {seen.min()}..{seen.max()}.")
        return np.where(valid, label, VOID).astype(np.uint8)

    def decode(self, stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """0 or 1 as uint8, zero where void."""
        valid = stored != VOID
        return np.multiply(stored, valid.view(np.uint8)), valid

    def storage(self) -> dict[str, Any]:
        """Attributes of the stored array."""
        return {"dtype": "uint8", "void": VOID}

    def to_json(self) -> dict[str, Any]:
        """The kind as JSON."""
        return {"kind": self.name}
