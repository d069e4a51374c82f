"""Figures in files: where they can be written, whole or not at all, with words as they are."""

import re
import warnings
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from mtdata.atomic import whole
from mtdata.errors import PictureWarning, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FALLBACKS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "Noto Sans JP"),
    *("Noto Sans KR", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei"),
    *("Droid Sans Fallback", "PingFang SC", "Hiragino Sans", "Hiragino Sans GB"),
    *("Apple SD Gothic Neo", "Microsoft YaHei", "SimHei", "Yu Gothic", "MS Gothic"),
    *("Malgun Gothic", "Arial Unicode MS", "Noto Sans Arabic", "Noto Sans Devanagari", "Unifont"),
)
"""Fonts for the letters that the one of matplotlib lacks, of Linux, macOS and Windows."""
GLYPH = re.compile(r"Glyph \d+ .* missing from font")
"""How matplotlib warns of a letter."""
PLOTS = (".png", ".pdf", ".svg")
"""Endings of what is a drawing rather than a picture."""


def check_path(path: Path, endings: Sequence[str] = ()) -> None:
    """Refuse a path that no figure can be written to, before any work is done.

    Args:
        path: The path.
        endings: What it may end in; none for whatever can be drawn.

    Raises:
        UsageError: where the suffix is no known format, or the folder cannot be made.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    able = endings or [f".{form}" for form in FigureCanvasAgg.get_supported_filetypes()]
    if path.suffix.lower() not in able:
        known = f": {', '.join(endings)}" if endings else ", such as .png or .pdf"
        raise UsageError(
            f"`{path}` should end in a format that can be drawn{known}; "
            f"found {path.suffix or 'no suffix'}."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def shortened(text: str, most: int) -> str:
    """A text of at most so many letters: of a longer one the beginning and the end."""
    end = most // 3
    return text if len(text) <= most else f"{text[: most - end - 1]}…{text[len(text) - end :]}"


def legend_columns(names: Sequence[str], width: float, *, size: float) -> int:
    """How many entries of a legend fit beside each other, by the longest name.

    Args:
        names: What the entries are called.
        width: How wide the legend may be, in inches.
        size: Of the letters, in points.
    """
    # Letters of the font are about 0.62 of their size wide; beside them are a patch and gaps.
    entry = (0.62 * max(map(len, names), default=0) + 4.5) * size / 72
    return max(1, int(width / entry))


def save(figure: "Figure", path: Path) -> None:
    """Write a figure, whole or not at all; the suffix says the format.

    Raises:
        UsageError: where the path cannot be written or the format is unknown.
    """
    check_path(path)
    try:
        write_figure(figure, path)
    except OSError as error:
        raise _unwritable(path, error) from error


def write_figure(figure: "Figure", path: Path) -> None:
    """As `save`, of a path that a program chose: errors are those of the system."""
    place = path.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole(place) as fresh:
        draw_into(fresh, figure, form=path.suffix.removeprefix(".").lower())


def draw_into(file: Path | BytesIO, figure: "Figure", *, form: str = "png") -> None:
    """Draw a figure, its words as they are: a `$` is one of somebody's name, no mathematics.

    The numbers of logarithmic axes are mathematics, and not written before they are drawn.
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if "$" in text.get_text():
            text.set_parse_math(False)
        if not text.get_text().isascii():
            text.set_fontfamily([*text.get_fontfamily(), *_installed(FALLBACKS)])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        figure.savefig(file, format=form)
    for each in told:
        if not GLYPH.match(str(each.message)):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if any(GLYPH.match(str(each.message)) for each in told):
        _note_letters()


@cache
def _installed(fonts: tuple[str, ...]) -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    there = {each.name for each in fontManager.ttflist}
    return tuple(name for name in fonts if name in there)


@cache  # once a process, in which many pictures may be drawn
def _note_letters() -> None:
    warnings.warn(
        "letters that no font here has are drawn as boxes. Install a font that has them, such as "
        "Noto Sans CJK for Chinese, Japanese and Korean, and draw again.",
        PictureWarning,
        stacklevel=2,
    )


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"`{path}` should be writable; it is not ({error.strerror}). Choose another.")
