"""Labels that lie beside the image: their edges fit it better when they are moved."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray as Array
from numpy.typing import NDArray

from mtdata.inspecting.suspicions.base import IMAGE, Check, Images, Spread, Suspicion, Table
from mtdata.tasks.kinds import Depth, Kind, Normals
from mtdata.tasks.sample import Sample
from mtdata.wording import counted

LONG = 160
"""Pixels of the longer side that edges are compared at, at most."""
REACH = 12
"""How far edges are moved, in those pixels."""
HOME, AWAY = 1.5, 2.5
"""Up to the first, no move; from the second on, a move. Between lies what borders are drawn to."""
BEND = 0.15
"""Second difference of 1/depth, as a share of it, that is an edge for certain."""
SURE = 6.0


class Shift(Check):
    """Correlates the edges of image and labels, each pair of them, over small moves.

    What lies beside all others is moved: a label, or the image where all its labels agree.
    """

    name: ClassVar[str] = "shift"
    summary: ClassVar[str] = "labels that are shifted against the image, or against each other"

    def measure(self, sample: Sample) -> Mapping[str, NDArray[Any]]:
        """For image and labels: best correlation when moved, when not, the move and its scale."""
        height, width = sample.image.shape[:2]
        scale = min(1.0, LONG / max(height, width))
        maps = {IMAGE: _small(_of_image(sample.image), scale)}
        for name, label in sample.labels.items():
            maps[name] = _small(
                label_edges(self.tasks[name].kind, label, sample.valid[name]), scale
            )
        maps = {name: each for name, each in maps.items() if each is not None}
        surfaces: dict[str, list[Any]] = {name: [] for name in maps}
        for one, other in combinations(maps, 2):
            surface = _correlation(maps[one], maps[other])
            surfaces[other].append(surface)
            surfaces[one].append(surface[::-1, ::-1])
        if len(maps) == 2:
            # Of two alone nobody knows which is moved; the image is believed.
            del surfaces[IMAGE]
        return {
            name: np.array([*_peaks(np.mean(of, axis=0)), scale, len(of)], np.float32)
            for name, of in surfaces.items()
            if of
        }

    def judge(self, images: Images, found: Mapping[str, Table]) -> Iterator[Suspicion]:
        """Of each image the one that gains most by a move, if others never gain as much."""
        most: dict[int, tuple[float, str, list[float]]] = {}
        for name, (rows, values) in found.items():
            # How much is usual depends on how many others there are to agree with.
            for number in np.unique(values[:, -1]):
                of = values[:, -1] == number
                gain = values[of, 0] - values[of, 1]
                spread = Spread.of(gain, least=0.004)
                if spread is None:
                    continue
                scores = spread.score(gain)
                for i in np.flatnonzero((gain > 0) & (scores >= SURE)):
                    row, score = int(rows[of][i]), float(scores[i])
                    if row not in most or most[row][0] < score:
                        most[row] = (score, name, values[of][i].tolist())
        for row, (score, name, (best, here, down, right, scale, others)) in most.items():
            what = (
                f"edges agree best {_far(down, right, scale)} from where they are: correlation "
                f"{best:.2f} there, {here:.2f} here, with {counted(int(others), 'other')}"
            )
            kind = "image shifted" if name == IMAGE else "label shifted"
            yield Suspicion(images.place(row), name, kind, what, score)


def _far(down: float, right: float, scale: float) -> str:
    parts = [
        f"{abs(move) / scale:.0f} pixels {words[int(move > 0)]}"
        for move, words in ((down, ("up", "down")), (right, ("left", "right")))
        if move
    ]
    return " and ".join(parts)


def _of_image(image: Any) -> Float[Array, "h w"]:
    import cv2

    lab = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), 0.8), cv2.COLOR_RGB2LAB)
    # The root: one strong border must not outweigh all others.
    return np.asarray(np.sqrt(_step(lab.astype(np.float32))))


def label_edges(kind: Kind, label: Any, valid: Bool[Array, "h w"]) -> Float[Array, "h w"]:
    """How sure each pixel of a label lies on an edge of it, 0 to 1."""
    import cv2

    if isinstance(kind, Depth):
        # On a plane 1/depth is linear, however slanted it is: what bends is an edge.
        near = np.maximum(label, 1e-6) if kind.inverse else 1 / np.maximum(label, 1e-6)
        strength = np.minimum(np.abs(cv2.Laplacian(near, cv2.CV_32F)) / near / BEND, 1)
    elif isinstance(kind, Normals):
        strength = np.minimum(_step(label), 1)
    else:
        strength = (_step(label) > 0).astype(np.float32)
    # Beside what is void nobody can say whether there is an edge.
    known = cv2.erode(valid.astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(strength * known)


def _step(values: Any) -> Any:
    """The largest difference within 3 x 3 pixels, of all channels; it has no side."""
    import cv2

    around = np.ones((3, 3), np.uint8)
    step = cv2.dilate(values, around).astype(np.float32) - cv2.erode(values, around)
    return step if step.ndim == 2 else step.max(-1)


def _small(strength: Float[Array, "h w"], scale: float) -> Any:
    """At the size where maps are compared, of mean 0 and length 1; None without any edge."""
    import cv2

    if scale < 1:
        strength = cv2.resize(strength, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(strength, (0, 0), 0.8)
    smooth -= smooth.mean()
    length = float(np.linalg.norm(smooth))
    return smooth / length if length > 1e-3 else None


def _correlation(one: Any, other: Any) -> Float[Array, "m m"]:
    """How well `other` fits `one` when it is moved down and right by -REACH to REACH."""
    import cv2

    return np.asarray(cv2.matchTemplate(np.pad(one, REACH), other, cv2.TM_CCORR))


def _peaks(surface: Float[Array, "m m"]) -> tuple[float, float, float, float]:
    """The best correlation far from home, that at home, and the move of the first."""
    down, right = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    far = np.hypot(down, right)
    away = np.where(far >= AWAY, surface, -np.inf)
    at = np.unravel_index(int(away.argmax()), away.shape)
    return float(away[at]), float(surface[far <= HOME].max()), float(down[at]), float(right[at])
