"""What each known relation says of one image, pixel by pixel: slow, plain, in numpy."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.tasks.sample import Camera
from mtmodels.methods.parts.relations import places, surfaces

Array = NDArray[Any]
Found = tuple[Array, NDArray[np.bool_]]


@dataclass(frozen=True)
class Image:
    """One image of a scene; arrays have the channels last, `sure` has the padding taken out."""

    given: Array
    sure: NDArray[np.bool_]
    prediction: Array
    inside: NDArray[np.bool_]
    camera: Camera
    given_inverse: bool = False
    learns_inverse: bool = False

    def ray(self, y: int, x: int) -> Array:
        """In the frame of labels: x right, y up, z towards the camera."""
        c = self.camera
        return np.array([(x + 0.5 - c.cx) / c.fx, -(y + 0.5 - c.cy) / c.fy, -1.0])

    def pixels(self) -> list[tuple[int, int]]:
        h, w = self.sure.shape
        return list(product(range(h), range(w)))

    def nothing(self) -> Found:
        return np.zeros(self.sure.shape), np.zeros(self.sure.shape, bool)


def fit(image: Image, depth: Array, valid: Array, *, inverse: bool) -> tuple[Array, Array]:
    """The normal around each pixel, by a least squares solver, and where it can be trusted."""
    h, w = valid.shape
    half = surfaces.WINDOW // 2
    normals, fitted = np.zeros((h, w, 3)), np.zeros((h, w), bool)
    for y, x in image.pixels():
        window = [
            (j, i)
            for j in range(max(0, y - half), min(h, y + half + 1))
            for i in range(max(0, x - half), min(w, x + half + 1))
            if valid[j, i] and surfaces.NEAREST < depth[j, i] < surfaces.FARTHEST
        ]
        if (y, x) not in window or len(window) < surfaces.MIN_SHARE * surfaces.WINDOW**2:
            continue
        rays = np.array([image.ray(*at) for at in window])
        near = np.array([depth[at] if inverse else 1 / depth[at] for at in window])
        # 1/Z = n . ray / d: the plane is what is fitted, in the frame of the labels.
        plane, _, rank, _ = np.linalg.lstsq(rays, near, rcond=None)
        missed = np.sqrt(np.mean((rays @ plane - near) ** 2))
        if rank < 3 or missed > surfaces.MISFIT * near.mean():
            continue
        normals[y, x] = -plane / np.linalg.norm(plane)
        fitted[y, x] = True
    return normals, fitted


def normals_of_depth(image: Image) -> Found:
    target, fitted = fit(image, image.given[..., 0], image.sure, inverse=image.given_inverse)
    loss, _ = image.nothing()
    for at in image.pixels():
        if fitted[at]:
            loss[at] = 1 - image.prediction[at] @ target[at]
    return loss, fitted


def depth_by_fit(image: Image) -> Found:
    depth = image.prediction[..., 0]
    normals, fitted = fit(image, depth, image.inside, inverse=image.learns_inverse)
    loss, seen = image.nothing()
    for at in image.pixels():
        if fitted[at] and image.sure[at]:
            loss[at], seen[at] = 1 - normals[at] @ image.given[at], True
    return loss, seen


def depth_along_normals(image: Image) -> Found:
    """The point of the neighbour, less that of the pixel, along the mean of both normals."""
    h, w = image.sure.shape
    loss, seen = image.nothing()
    for y, x in image.pixels():
        each = []
        for k, (down, right) in product(surfaces.STRIDES, ((0, 1), (1, 0))):
            one, other = (y, x), (y + k * down, x + k * right)
            if other[0] >= h or other[1] >= w or not (image.sure[one] and image.sure[other]):
                continue
            n, m = image.given[one], image.given[other]
            mean = (n + m) / 2
            r, s = mean @ image.ray(*one), mean @ image.ray(*other)
            z, t = float(image.prediction[one][0]), float(image.prediction[other][0])
            if image.learns_inverse:
                apart, size = abs(t * r - z * s), (abs(t * r) + abs(z * s)) / 2
            else:
                low, high = surfaces.NEAREST, surfaces.FARTHEST
                if not (low < z < high and low < t < high):
                    continue
                apart, size = abs(t * s - z * r), (abs(t * s) + abs(z * r)) / 2
            facing = r < 0 and s < 0
            if n @ m >= surfaces.CREASE and facing and apart <= surfaces.JUMP * size:
                each.append(apart)
        if each:
            loss[y, x], seen[y, x] = np.mean(each), True
    return loss, seen


def depth_of_depth(image: Image) -> Found:
    """Metres against 1/metres."""
    loss, seen = image.nothing()
    for at in image.pixels():
        if image.sure[at] and image.given[at][0] > surfaces.NEAREST:
            loss[at], seen[at] = abs(image.prediction[at][0] - 1 / image.given[at][0]), True
    return loss, seen


def _probabilities(logits: Array) -> Array:
    e = np.exp(logits - logits.max())
    probabilities: Array = e / e.sum()
    return probabilities


def parts_in_persons(image: Image) -> Found:
    """Class 1 of `semantic` is `person`, class 0 of `parts` is `background`."""
    loss, _ = image.nothing()
    for at in image.pixels():
        if image.sure[at] and image.given[at][0] != 1:
            loss[at] = -np.log(_probabilities(image.prediction[at])[0])
    return loss, image.sure


def persons_at_parts(image: Image) -> Found:
    loss, _ = image.nothing()
    for at in image.pixels():
        if image.sure[at] and image.given[at][0] != 0:
            loss[at] = -np.log(_probabilities(image.prediction[at])[1])
    return loss, image.sure


def _around(image: Image, y: int, x: int) -> list[tuple[int, int]]:
    h, w = image.sure.shape
    return [
        (j, i)
        for j in range(max(0, y - places.NEAR), min(h, y + places.NEAR + 1))
        for i in range(max(0, x - places.NEAR), min(w, x + places.NEAR + 1))
    ]


def edges_at_classes(image: Image) -> Found:
    h, w = image.sure.shape
    loss, _ = image.nothing()
    for y, x in image.pixels():
        beside = [(y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)]
        beside = [at for at in beside if 0 <= at[0] < h and 0 <= at[1] < w and image.sure[at]]
        if image.sure[y, x] and any(image.given[at] != image.given[y, x] for at in beside):
            inside = [at for at in _around(image, y, x) if image.inside[at]]
            logit = max(image.prediction[at][0] for at in inside)
            loss[y, x] = -np.log(1 / (1 + np.exp(-logit)))
    return loss, image.sure


def classes_in_edges(image: Image) -> Found:
    h, w = image.sure.shape
    calm = np.zeros((h, w), bool)
    for at in image.pixels():
        calm[at] = all(image.sure[a] and image.given[a] == 0 for a in _around(image, *at))
    loss, _ = image.nothing()
    for y, x in image.pixels():
        for other in ((y, x + 1), (y + 1, x)):
            if other[0] < h and other[1] < w and calm[y, x] and calm[other]:
                p, q = (_probabilities(image.prediction[at]) for at in ((y, x), other))
                loss[y, x] -= np.log(p @ q / np.sqrt((p @ p) * (q @ q)))
    return loss, image.sure


LOOPS: dict[str, Callable[[Image], Found]] = {
    "normals-of-depth": normals_of_depth,
    "depth-along-normals": depth_along_normals,
    "depth-by-fit": depth_by_fit,
    "depth-of-depth": depth_of_depth,
    "parts-in-persons": parts_in_persons,
    "persons-at-parts": persons_at_parts,
    "edges-at-classes": edges_at_classes,
    "classes-in-edges": classes_in_edges,
}
