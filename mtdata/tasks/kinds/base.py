"""What a kind of label knows: how it is stored, and how geometry acts on it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Kind(ABC):
    """One kind of label. Labels in memory are `[h, w]`, or `[h, w, 3]` for normals.

    A label travels with `valid`, bool `[h, w]`: where it is False the value means nothing (it is
    zero). No value is magic once a label is decoded.
    """

    name: ClassVar[str]
    interpolation: ClassVar[Literal["nearest", "linear"]] = "nearest"

    @property
    def channels(self) -> int:
        """Channels of a prediction of this kind."""
        return 1

    @property
    def units(self) -> str:
        """Units of the decoded value, for people."""
        return ""

    @property
    def meaning(self) -> str:
        """What values mean, for people; labels and predictions compare where it is the same."""
        return f"{self.name} in {self.units}" if self.units else self.name

    @abstractmethod
    def encode(self, label: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
        """Turn a decoded label into what the file holds.

        Raises:
            ValueError: where a valid value is out of the range of the kind.
        """

    def storable(self, label: NDArray[Any]) -> NDArray[np.bool_]:
        """Where a value lies in the range that the file can hold, bool `[h, w]`."""
        return np.ones(label.shape[:2], np.bool_)

    @abstractmethod
    def decode(self, stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Turn what the file holds into a label and its validity; inverse of `encode`."""

    def keep(self, stored: NDArray[Any]) -> NDArray[Any]:
        """What a cache keeps of a stored label, to be read quickly; `decode` takes it too."""
        return stored

    @abstractmethod
    def storage(self) -> dict[str, Any]:
        """Attributes of the stored array: `dtype`, `void`, `scale`, `offset`, `layout`."""

    def flip(self, label: NDArray[Any]) -> NDArray[Any]:
        """Correct the values of a label whose pixels were mirrored left to right."""
        return label

    def zoom(self, label: NDArray[Any], factor: float, *, paper: bool = False) -> NDArray[Any]:
        """Correct the values of a label that was magnified by `factor`.

        Args:
            label: The values.
            factor: Above 1 where things became larger.
            paper: Do as the code released with the papers does, where that differs.
        """
        return label

    def rotate(self, label: NDArray[Any], degrees: float) -> NDArray[Any]:
        """Correct the values of a label turned counter-clockwise in the image by `degrees`."""
        return label

    def settle(self, label: NDArray[Any]) -> NDArray[Any]:
        """Restore what interpolation may have broken (unit length)."""
        return label

    @property
    def distance_units(self) -> str:
        """Units of `distance`; empty where values are equal or not, and nothing between."""
        return ""

    def distance(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        """How far apart two labels are at each pixel, `[h, w]`; exactly 0 where they are equal."""
        return np.asarray(a != b, np.float64)

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The kind as JSON; `kind_from_json` reads it."""
