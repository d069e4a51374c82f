"""Distance along the optical axis, or its inverse."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mtdata.tasks.kinds.base import Kind


@dataclass(frozen=True)
class Depth(Kind):
    """Depth as float32 `[h, w]`; 0 in the file is void.

    Integers of the source stay integers in the file: decoded = stored * scale + offset, computed
    in float64 and given as float32. Floats stay float32.

    Args:
        unit: "m" for metres; "1/m", "px" (disparity) or "disparity" (normalised) for inverse depth.
        dtype: Stored type, "uint16" or "float32".
        scale: Units a stored step (uint16 only).
        offset: Units at stored zero (uint16 only); stored zero itself is void.
    """

    unit: str = "m"
    dtype: Literal["uint16", "float32"] = "float32"
    scale: float = 1.0
    offset: float = 0.0
    name: ClassVar[str] = "depth"

    def __post_init__(self) -> None:
        if self.unit not in ("m", "1/m", "px", "disparity"):
            raise ValueError(f"`unit` should be m, 1/m, px or disparity; found {self.unit!r}.")
        if self.dtype not in ("uint16", "float32"):
            raise ValueError(f"`dtype` should be uint16 or float32; found {self.dtype!r}.")
        if not (0 < self.scale < float("inf") and abs(self.offset) < float("inf")):
            raise ValueError(
                f"`scale` should be above 0, and `offset` a number; found {self.scale} and "
                f"{self.offset}."
            )

    @property
    def inverse(self) -> bool:
        """Whether larger values are nearer."""
        return self.unit != "m"

    @property
    def units(self) -> str:
        """Units of the decoded value."""
        return {"m": "metres", "1/m": "1/metres", "px": "pixels"}.get(self.unit, self.unit)

    def encode(self, label: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
        """Depth as the stored type; raises ValueError for values it cannot hold."""
        if not (np.isfinite(label) | ~valid).all():
            raise ValueError("depth should be finite where it is valid; found NaN or infinity.")
        if self.dtype == "float32":
            # Metres of zero mean "nothing measured"; a disparity of zero is infinitely far.
            if not self.inverse and (valid & (label <= 0)).any():
                raise ValueError(
                    f"depth should be above 0 where valid; found {label[valid].min()}."
                )
            return np.where(valid, label, np.nan).astype(np.float32)
        # In place: the memory of a new array for each step takes longer than the arithmetic.
        steps: NDArray[np.float64] = np.subtract(label, self.offset, dtype=np.float64)
        np.divide(steps, self.scale, out=steps)
        np.rint(steps, out=steps)
        np.copyto(steps, 0, where=~valid)
        if (valid & ((steps < 1) | (steps > 65535))).any():
            seen = label[valid]
            low, high = self.scale + self.offset, 65535 * self.scale + self.offset
            raise ValueError(
                f"depth should be {low:g}..{high:g} {self.units}; "
                f"found {seen.min():g}..{seen.max():g}."
            )
        return steps.astype(np.uint16)

    def storable(self, label: NDArray[Any]) -> NDArray[np.bool_]:
        """Where depth is finite, above 0 in metres, and among the steps of the file."""
        found: NDArray[np.bool_] = np.isfinite(label)
        if self.dtype == "float32":
            return found if self.inverse else found & (label > 0)
        steps = np.rint((np.where(found, label, 0).astype(np.float64) - self.offset) / self.scale)
        return found & (steps >= 1) & (steps <= 65535)

    def decode(self, stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Depth as float32, zero where void."""
        if self.dtype == "float32":
            valid = np.isfinite(stored)
            return np.where(valid, stored, 0).astype(np.float32), valid
        valid = stored != 0
        value = np.multiply(stored, self.scale, dtype=np.float64)
        if self.offset:
            value += self.offset
            value *= valid
        return value.astype(np.float32), valid

    def storage(self) -> dict[str, Any]:
        """Attributes of the stored array."""
        if self.dtype == "float32":
            return {"dtype": "float32", "void": float("nan")}
        return {"dtype": "uint16", "void": 0, "scale": self.scale, "offset": self.offset}

    def zoom(self, label: NDArray[Any], factor: float, *, paper: bool = False) -> NDArray[Any]:
        """A magnified scene is nearer: depth is divided, inverse depth multiplied.

        The code released with the papers divides inverse depth too; with `paper` it is so here.
        """
        times = factor if self.inverse and not paper else 1 / factor
        zoomed: NDArray[Any] = label * label.dtype.type(times)
        return zoomed

    @property
    def distance_units(self) -> str:
        """Those of the label."""
        return self.units

    def distance(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        """The difference of two labels, without its sign."""
        apart: NDArray[np.float64] = np.abs(a.astype(np.float64) - b.astype(np.float64))
        return apart

    def to_json(self) -> dict[str, Any]:
        """The kind as JSON."""
        return {
            "kind": self.name,
            "unit": self.unit,
            "dtype": self.dtype,
            "scale": self.scale,
            "offset": self.offset,
        }
