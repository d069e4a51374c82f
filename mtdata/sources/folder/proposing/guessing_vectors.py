"""Is it normals, or colours that stand for classes? Arrays and pictures of three channels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.folder.proposing.guesses import MANY, Guess, Line

UNIT = 0.05
"""How far from 1 the mean length of vectors may be."""


def guess_vectors(form: str, arrays: Sequence[NDArray[Any]]) -> Guess:
    """Normals, where the vectors have the length 1."""
    if arrays[0].shape[2] != 3:
        return Guess("", f"{form} of {arrays[0].shape[2]} channels")
    flat = np.concatenate([array.reshape(-1, 3) for array in arrays]).astype(np.float64)
    return _unit(form, flat, "") or Guess("", f"{form} of 3 channels, lengths are not 1")


def guess_colours(form: str, arrays: Sequence[NDArray[Any]]) -> Guess:
    """Normals, or colours that stand for classes; else pictures."""
    top = np.iinfo(arrays[0].dtype).max
    flat = np.concatenate([array.reshape(-1, 3) for array in arrays])
    found = _unit(form, flat[flat.any(-1)] * (2 / top) - 1, f" after 2v/{top}-1")
    if found is not None:
        return found
    colours, count = np.unique(flat, axis=0, return_counts=True)
    if top != 255 or not 2 <= len(colours) <= MANY:
        return Guess("", f"{form} with {len(colours)} different colours looks like pictures")
    classes = tuple(
        Line(f"class{place}", f"#{bytes(colour).hex()}",
             f"{100 * number / len(flat):.2g} % of the pixels that were looked at")
        for place, (colour, number) in enumerate(zip(colours, count, strict=True))
    )  # fmt: skip
    lines = (
        Line("encoding", "colours", "each colour stands for a class"),
        Line("classes", classes, "name them: the numbers go by the colours"),
        Line("void", [], "a colour that means nothing goes here, not above"),
    )
    return Guess("classes", f"{form}, {len(colours)} different colours -> classes", lines)


def _unit(form: str, vectors: NDArray[Any], after: str) -> Guess | None:
    """Normals, where nearly all vectors have the length 1."""
    length = np.linalg.norm(vectors, axis=-1)
    kept = length[length > 0.02]
    if not kept.size or abs(kept.mean() - 1) > UNIT or (np.abs(kept - 1) < 0.1).mean() < 0.9:
        return None
    why = f"{form}, mean length{after} of {kept.mean():.2f} -> normals"
    z = vectors[length > 0.02, 2].mean()
    axes = ["right", "up", "towards" if z > 0 else "away"]
    remark = f"a guess: z is {z:+.2f} on average, surfaces face the camera; check x and y"
    lines = [Line("axes", axes, remark)]
    off = 1 - (np.abs(kept - 1) < 0.1).mean()
    if off or not np.isfinite(length).all():
        lines.append(Line("invalid", "void", f"{100 * off:.2g} % are not of length 1 to 0.1"))
    return Guess("normals", why, tuple(lines))
