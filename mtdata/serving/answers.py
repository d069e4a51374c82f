"""Answers that a browser keeps: pictures, and bytes of which the address says what they are."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response

KEPT = {"cache-control": "private, max-age=3600"}
"""Of an answer that stays what it is: its address names the content."""
_OPTIONS = {"png": [cv2.IMWRITE_PNG_COMPRESSION, 1], "jpeg": [cv2.IMWRITE_JPEG_QUALITY, 88]}


def picture(drawn: NDArray[np.uint8], form: Literal["png", "jpeg"] = "png") -> Response:
    """A picture, uint8 `[h, w, 3]`, red first; a PNG is written quickly rather than small."""
    done, data = cv2.imencode(f".{form}", np.ascontiguousarray(drawn[..., ::-1]), _OPTIONS[form])
    if not done:
        raise RuntimeError(f"a picture of {drawn.shape} could not be encoded")
    return Response(data.tobytes(), media_type=f"image/{form}", headers=KEPT)
