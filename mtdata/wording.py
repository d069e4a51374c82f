"""Numbers and lists in what is said to people."""

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """How many there are of something: `1 image`, `1,449 images`, `2 classes`."""
    plural = "es" if noun.endswith(("s", "x")) else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def listed(names: Sequence[object], most: int = 8) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def sentence(text: str) -> str:
    """The text with a full stop, unless it ends in a mark of its own."""
    return text if text.endswith((".", "?", "!")) else f"{text}."
