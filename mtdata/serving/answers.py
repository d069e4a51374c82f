"""Answers that a page can take: values and texts as they can be printed, pictures that it keeps."""

import json
import re
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from starlette.responses import JSONResponse, Response

KEPT = {"cache-control": "private, max-age=3600"}
"""Of an answer that stays what it is: its address names the content."""
_OPTIONS = {"png": [cv2.IMWRITE_PNG_COMPRESSION, 1], "jpeg": [cv2.IMWRITE_JPEG_QUALITY, 88]}

_UNPRINTABLE = re.compile("[\ud800-\udfff]")
"""What Python has in a text for the bytes of a file name that is not in UTF-8."""


def printable(text: str) -> str:
    """A text in which a mark stands for each byte of a file name that is not in UTF-8."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


class Told(JSONResponse):
    """Plain values, their texts as they can be printed."""

    def render(self, content: Any) -> bytes:
        """The bytes that are sent."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return printable(text).encode()


def picture(drawn: NDArray[np.uint8], form: Literal["png", "jpeg"] = "png") -> Response:
    """A picture, uint8 `[h, w, 3]`, red first; a PNG is written quickly rather than small."""
    done, data = cv2.imencode(f".{form}", np.ascontiguousarray(drawn[..., ::-1]), _OPTIONS[form])
    if not done:
        raise RuntimeError(f"a picture of {drawn.shape} could not be encoded")
    return Response(data.tobytes(), media_type=f"image/{form}", headers=KEPT)
