"""Surface normals: unit vectors in the camera frame."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mtdata.tasks.kinds.base import Kind

STEPS = 32767
VOID = -32768
_SIGN = np.uint32(1 << 31)


@dataclass(frozen=True)
class Normals(Kind):
    """Unit vectors as float32 `[h, w, 3]`; x right, y up, z towards the camera.

    The file holds two int16 in the octahedral encoding (Cigolle et al. 2014, "A Survey of
    Efficient Representations for Independent Unit Vectors"): exact to 0.005 degrees.
    """

    name: ClassVar[str] = "normals"
    interpolation: ClassVar[Literal["nearest", "linear"]] = "linear"

    @property
    def channels(self) -> int:
        """x, y and z."""
        return 3

    @property
    def units(self) -> str:
        """Unit vectors."""
        return "unit vector, camera frame"

    def encode(self, label: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
        """Two int16 a pixel, [h, w, 2]; raises ValueError for vectors that are not unit."""
        x, y, z = (
            np.where(valid, label[..., i], fill).astype(np.float32)
            for i, fill in enumerate((0.0, 0.0, 1.0))
        )
        length = np.sqrt(x * x + y * y + z * z)
        if not (np.abs(length - 1) < 1e-2).all():
            raise ValueError(
                f"normals should have unit length; found {length.min():g}..{length.max():g}."
            )
        total = np.abs(x) + np.abs(y) + np.abs(z)
        x, y = x / total, y / total
        # The lower half is folded over the diagonals of the square that the upper half fills.
        folded = z < 0
        u = np.where(folded, np.copysign(1 - np.abs(y), x), x)
        v = np.where(folded, np.copysign(1 - np.abs(x), y), y)
        stored = np.empty((*z.shape, 2), np.int16)
        stored[..., 0] = np.where(valid, np.rint(u * np.float32(STEPS)), VOID)
        stored[..., 1] = np.where(valid, np.rint(v * np.float32(STEPS)), VOID)
        return stored

    def decode(self, stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Unit float32 vectors, zero where void."""
        planes, valid = self.planes(stored)
        import cv2

        return cv2.merge(list(planes)), valid

    def planes(self, stored: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The decoded vectors as [3, h, w], zero where void, and their validity.

        What `keep` made is given as it is.
        Planes, as every step here is several times as fast on them as on an axis of three.
        """
        if stored.dtype == np.float32:
            return stored, has_direction(stored)
        import cv2

        first, second = cv2.split(stored)
        valid: NDArray[np.bool_] = first != VOID
        planes = np.empty((3, *first.shape), np.float32)
        x, y, z = planes
        x[...], y[...] = first, second
        # In steps of the file, not in units: the length is divided out in the end.
        np.subtract(np.float32(STEPS), np.abs(x, out=z), out=z)
        z -= np.abs(y)
        if z.min() < 0:
            _unfold(x, y, z)
        length = square_length(planes)
        planes /= np.sqrt(length, out=length)
        if not valid.all():
            planes *= valid
        return planes, valid

    def keep(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The planes: three times the bytes, and less than two thirds of the time."""
        return self.planes(stored)[0]

    def storage(self) -> dict[str, Any]:
        """Attributes of the stored array."""
        return {"dtype": "int16", "void": VOID, "layout": "octahedral"}

    def flip(self, label: NDArray[Any]) -> NDArray[Any]:
        """Mirrored: x changes sign."""
        mirrored = label.copy()
        mirrored[..., 0] = -label[..., 0]
        return mirrored

    def rotate(self, label: NDArray[Any], degrees: float) -> NDArray[Any]:
        """Turned with the image, about the optical axis."""
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        turn = np.array(((c, s, 0), (-s, c, 0), (0, 0, 1)), label.dtype)
        turned: NDArray[Any] = label @ turn
        return turned

    @property
    def distance_units(self) -> str:
        """An angle."""
        return "degrees"

    def distance(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        """The angle between two unit vectors, by the chord: the cosine is flat where it is 0."""
        chord = np.linalg.norm(a.astype(np.float64) - b.astype(np.float64), axis=-1)
        angle: NDArray[np.float64] = np.rad2deg(2 * np.arcsin(np.clip(chord / 2, 0, 1)))
        return angle

    def settle(self, label: NDArray[Any]) -> NDArray[Any]:
        """Unit length again, where there is a direction."""
        # Channel by channel: several times as fast as broadcasting over an axis of three.
        x, y, z = (label[..., channel] for channel in range(3))
        length = np.maximum(np.sqrt(x * x + y * y + z * z), np.finfo(np.float32).tiny)
        unit = np.empty_like(label)
        for channel in range(3):
            np.divide(label[..., channel], length, out=unit[..., channel])
        return unit

    def to_json(self) -> dict[str, Any]:
        """The kind as JSON."""
        return {"kind": self.name}


def has_direction(planes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the vectors of [3, h, w] are not zero: void has no direction."""
    x, y, z = planes
    some: NDArray[np.bool_] = z != 0
    some |= x != 0
    some |= y != 0
    return some


def square_length(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The square of the length of each vector of [3, h, w]."""
    x, y, z = planes
    total: NDArray[np.float32] = x * x
    total += y * y
    total += z * z
    return total


def _unfold(x: NDArray[np.float32], y: NDArray[np.float32], z: NDArray[np.float32]) -> None:
    """Put back what lies in the lower half, over the diagonals; changes `x` and `y`.

    There, each is drawn towards zero by -z, which is never more than its size.
    """
    below = np.minimum(z, 0)
    # A zero keeps its sign, which says on which side of the fold it was. By its bit, as
    # `np.copysign` takes five times as long.
    signs = np.empty(z.shape, np.uint32)
    for axis in (x, y):
        bits = axis.view(np.uint32)
        np.bitwise_and(bits, _SIGN, out=signs)
        np.add(np.abs(axis, out=axis), below, out=axis)
        np.bitwise_or(bits, signs, out=bits)
