"""A page from templates: every value escaped, every picture inside it."""

import base64
import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

HERE = Path(__file__).parent / "templates"
LONGEST = 384
"""Pixels of the longer side of a picture in a page; larger ones are thinned."""


def render(template: str, *folders: Path, **values: object) -> str:
    """Fill in a template; all values are escaped but those that are markup already.

    Args:
        template: Its file name.
        folders: Where to look for it and what it extends, before the folder of this package.
        values: What it shows; one that it asks for and that is missing is an error.
    """
    templates = Environment(
        loader=FileSystemLoader([*folders, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template(template).render(**values)


def embedded(picture: NDArray[np.uint8], form: Literal["PNG", "JPEG"] = "PNG") -> str:
    """A picture `[h, w, 3]` as a data URI."""
    from PIL import Image

    step = -(-max(picture.shape[:2]) // LONGEST)
    thin: Any = np.ascontiguousarray(picture[::step, ::step])
    file = io.BytesIO()
    Image.fromarray(thin).save(file, form, optimize=True)
    return f"data:image/{form.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
