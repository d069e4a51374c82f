"""Surface normals from depth: a plane through the points around each pixel.

A plane n . X = d that is seen at the pixel with the ray (u, v, 1) has the inverse depth
1/Z = (n_x u + n_y v + n_z) / d: linear in u and v, with coefficients along the normal. Fitting it
by least squares in a window needs nothing but sums over the window.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray as Array

from mtdata.tasks.sample import Camera

MIN_SHARE = 0.25
"""Of the pixels of a window, how many must be valid; a corner of the image has 0.31."""


def normals_from_depth(
    depth: Float[Array, "h w"],
    valid: Bool[Array, "h w"],
    camera: Camera,
    *,
    window: int | None = None,
) -> tuple[Float[Array, "h w 3"], Bool[Array, "h w"]]:
    """Unit normals that face the camera, and where there are any.

    Args:
        depth: Metres along the optical axis.
        valid: Where depth is known.
        camera: Of this image, at its size.
        window: Side of the square window, odd, pixels; None for `window_of` the height.

    Returns:
        float32 vectors (x right, y up, z towards the camera), zero where invalid; a pixel is valid
        where its depth is and a quarter of its window is.

    Raises:
        ValueError: where `window` is even or below 3.
    """
    window = window_of(len(depth)) if window is None else window
    if window < 3 or window % 2 == 0:
        raise ValueError(f"`window` should be odd and 3 or more; found {window}.")
    a, b, c, fitted = _fit(depth, valid, camera, window)
    length = np.sqrt(a * a + b * b + c * c)
    seen = valid & fitted & (length > 0)
    scale = np.divide(1.0, length, out=np.zeros_like(length), where=seen)
    # (a, b, c) points away from the camera, in a frame with y down and z forward: turned round it
    # is (-a, -b, -c), and in the frame of the labels (-a, b, c).
    normal = np.empty((*depth.shape, 3), np.float32)
    for axis, component in enumerate((-a, b, c)):
        np.multiply(component, scale, out=normal[..., axis], casting="same_kind")
    return normal, seen


def window_of(height: int) -> int:
    """The odd number nearest to 1/32 of the height, 3 or more: 9 for 288 rows, 13 for 427.

    What is seen in a window, and with it how much is rounded, hangs on the view and not on pixels.
    """
    return max(3, 2 * (height // 64) + 1)


def _fit(
    depth: Float[Array, "h w"], valid: Bool[Array, "h w"], camera: Camera, window: int
) -> tuple[Float[Array, "h w"], Float[Array, "h w"], Float[Array, "h w"], Bool[Array, "h w"]]:
    """Least squares of 1/Z = a u + b v + c in each window; also where it can be trusted."""
    h, w = depth.shape
    grid = _whole(h, w, camera, window) if valid.all() else _Grid.of(valid, camera, window)
    inverse = np.divide(1.0, depth, out=np.zeros((h, w)), where=valid, dtype=np.float64)
    mean = _total(inverse, window) / grid.count
    uq = _total(grid.u * inverse, window) / grid.count - grid.mean_u * mean
    vq = _total(grid.v * inverse, window) / grid.count - grid.mean_v * mean
    a = uq * grid.from_vv - vq * grid.from_uv
    b = vq * grid.from_uu - uq * grid.from_uv
    return a, b, mean - a * grid.mean_u - b * grid.mean_v, grid.fitted


@dataclass(frozen=True)
class _Grid:
    """What the fit needs and depth does not change; zero where no plane can be fitted.

    `u` and `v` are the rays of valid pixels, `count` and `mean_*` are over the valid pixels of each
    window, `from_*` are the entries of their covariance over its determinant.
    """

    u: Float[Array, "h w"]
    v: Float[Array, "h w"]
    count: Float[Array, "h w"]
    mean_u: Float[Array, "h w"]
    mean_v: Float[Array, "h w"]
    from_uu: Float[Array, "h w"]
    from_uv: Float[Array, "h w"]
    from_vv: Float[Array, "h w"]
    fitted: Bool[Array, "h w"]

    @classmethod
    def of(cls, valid: Bool[Array, "h w"], camera: Camera, window: int) -> "_Grid":
        """Sum over the windows of an image."""
        h, w = valid.shape
        one = valid.astype(np.float64)
        u = one * ((np.arange(w) + 0.5 - camera.cx) / camera.fx)
        v = one * ((np.arange(h) + 0.5 - camera.cy) / camera.fy)[:, None]
        # The sums run along rows and columns; rounding keeps what are counts whole.
        number = np.rint(_total(one, window))
        count = np.maximum(number, 1)
        mean_u, mean_v = _total(u, window) / count, _total(v, window) / count
        uu = _total(u * u, window) / count - mean_u**2
        vv = _total(v * v, window) / count - mean_v**2
        uv = _total(u * v, window) / count - mean_u * mean_v
        determinant = uu * vv - uv**2
        # A window whose valid pixels lie on one line fixes no plane.
        fitted = (number >= MIN_SHARE * window**2) & (determinant > 1e-6 * np.abs(uu * vv))
        scale = np.divide(1.0, determinant, out=np.zeros((h, w)), where=fitted)
        return cls(u, v, count, mean_u, mean_v, uu * scale, uv * scale, vv * scale, fitted)


@lru_cache(maxsize=2)
def _whole(h: int, w: int, camera: Camera, window: int) -> _Grid:
    """The grid of an image without holes; the same for all of a data set."""
    return _Grid.of(np.ones((h, w), np.bool_), camera, window)


def _total(values: Float[Array, "h w"], window: int) -> Float[Array, "h w"]:
    """Sum over the part of the window that lies in the image."""
    import cv2

    size = (window, window)
    return np.asarray(
        cv2.boxFilter(values, cv2.CV_64F, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    )
