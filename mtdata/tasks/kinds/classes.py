"""Labels that name a class for each pixel: semantic segmentation, human parts."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.tasks.kinds.base import Kind

VOID = 255


@dataclass(frozen=True)
class Classes(Kind):
    """Class ids 0..n-1 as uint8 `[h, w]`; 255 in the file is void.

    Args:
        names: One name a class.
        palette: One RGB colour a class, 0..255.
    """

    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    name: ClassVar[str] = "classes"

    def __post_init__(self) -> None:
        if not 2 <= len(self.names) < VOID:
            raise ValueError(f"`names` should be 2 to 254 classes; found {len(self.names)}.")
        if len(self.palette) != len(self.names):
            raise ValueError(
                f"`palette` should have {len(self.names)} colours; found {len(self.palette)}."
            )

    @property
    def channels(self) -> int:
        """One channel a class."""
        return len(self.names)

    @property
    def units(self) -> str:
        """Class ids have no units."""
        return "class id"

    @property
    def meaning(self) -> str:
        """Which classes, in the order of their ids; colours mean nothing."""
        return f"{self.channels} classes ({', '.join(self.names)})"

    def encode(self, label: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
        """Ids as uint8 with void 255; raises ValueError for an id out of range."""
        seen = label[valid]
        if seen.size and (seen.min() < 0 or seen.max() >= self.channels):
            raise ValueError(
                f"class ids should be 0..{self.channels - 1}; found {seen.min()}..{seen.max()}."
            )
        return np.where(valid, label, VOID).astype(np.uint8)

    def decode(self, stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Ids as uint8, zero where void."""
        valid = stored != VOID
        return np.multiply(stored, valid.view(np.uint8)), valid

    def storage(self) -> dict[str, Any]:
        """Attributes of the stored array."""
        return {"dtype": "uint8", "void": VOID}

    def to_json(self) -> dict[str, Any]:
        """The kind as JSON."""
        return {
            "kind": self.name,
            "names": list(self.names),
            "palette": [list(colour) for colour in self.palette],
        }
