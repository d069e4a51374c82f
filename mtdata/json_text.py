"""The one place where JSON of somebody else is read: what is wrong with it is said in our words."""

import json
from collections.abc import Iterable
from typing import Any


class JsonError(ValueError):
    """A text that cannot be taken, and what is wrong with it."""


def load_json(content: bytes, *, once: bool = False) -> Any:
    """The value of a JSON text in UTF-8, with or without a byte-order mark.

    Args:
        content: The file.
        once: Refuse a name that an object has twice, of which Python takes the last.

    Raises:
        JsonError: where it is none.
    """
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_once if once else None)
    except UnicodeDecodeError as error:
        raise JsonError(f"its byte {error.start} is of no text in UTF-8") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"line {error.lineno}, column {error.colno} is no JSON") from None
    except JsonError:
        raise
    except ValueError:
        raise JsonError("a number has too many digits") from None
    except RecursionError:
        raise JsonError("its lists and objects lie too deep in each other") from None


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise JsonError(f"`{name}` is there twice")
        found[name] = value
    return found
