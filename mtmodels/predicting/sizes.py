"""At which size an image is predicted, and predictions brought back to the size of the image."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

Size = tuple[int, int]
How = Size | Literal["native", "trained"]
BAND = 2**24
"""Values of a resized prediction that are held at once: 64 MB."""


def network_size(image: Size, how: How, trained: Size) -> Size:
    """Height and width that an image is resized to before it is predicted.

    Args:
        image: Its own height and width.
        how: A height and width for all; "native" for its own; "trained" for its own shape with as
            many pixels as the images that the network was trained on.
        trained: Height and width of those.
    """
    if how == "native":
        return image
    if how != "trained":
        return how
    scale = math.sqrt(trained[0] * trained[1] / (image[0] * image[1]))
    height, width = (max(1, round(side * scale)) for side in image)
    return height, width


def at_size(
    prediction: Float[Tensor, "c h w"],
    size: Size,
    value: Callable[[Float[Tensor, "1 c y x"]], Shaped[Tensor, "1 d y x"]],
    *,
    band: int = BAND,
    rows: Sequence[int] | None = None,
    columns: Sequence[int] | None = None,
) -> Shaped[Tensor, "d rows columns"]:
    """Resize a prediction bilinearly and take its value at each pixel, some rows at a time.

    So the logits of many classes are never held at the full size of a large photograph.

    Args:
        prediction: Logits, depth, vectors.
        size: Height and width to bring it to.
        value: What is kept of a pixel, such as the likeliest class.
        band: How many values to hold at once.
        rows: Which rows, from the top; None for all.
        columns: Which columns; None for all.
    """
    rows = range(size[0]) if rows is None else rows
    each = max(1, band // (len(prediction) * size[1]))
    bands = (_rows(prediction, rows[i : i + each], size) for i in range(0, len(rows), each))
    if columns is not None:
        taken = torch.tensor(columns, device=prediction.device)
        bands = (band[..., taken] for band in bands)
    return torch.cat([value(band[None])[0] for band in bands], dim=1)


def _rows(
    prediction: Float[Tensor, "c h w"], rows: Sequence[int], size: Size
) -> Float[Tensor, "c y x"]:
    """Some rows of `F.interpolate(prediction, size, mode="bilinear", align_corners=False)`."""
    old = prediction.shape[1]
    centres = torch.tensor(rows, device=prediction.device) + 0.5
    place = (centres * (old / size[0]) - 0.5).clamp(0, old - 1)
    above = place.floor().long()
    share = (place - above)[:, None].to(prediction.dtype)
    below = (above + 1).clamp(max=old - 1)
    band = prediction[:, above] * (1 - share) + prediction[:, below] * share
    if band.shape[2] == size[1]:
        return band
    # The height stays, so this interpolates along the rows alone.
    return F.interpolate(band[None], (len(rows), size[1]), mode="bilinear")[0]
