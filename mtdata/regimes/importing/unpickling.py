"""Unpickling that can build nothing but plain values and a few named stand-ins.

A pickle is a program: it may call anything that can be imported. Here a name is looked up in a
short table of stand-ins of ours, and nothing is ever imported; every other name ends the reading.
numpy has no reader of its pickles that refuses code, and torch's takes none of numpy's objects.
"""

import pickle
import pickletools
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from mtdata.errors import DataError

Names = Mapping[tuple[str, str], Any]
"""What stands for each (module, name) that may occur."""


class Call(NamedTuple):
    """A stand-in for a function. A pickle can change attributes of functions, but none of this."""

    function: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        """Call it."""
        return self.function(*arguments)


class _ForbiddenError(Exception):
    """A pickle names what it has no use for."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BytesIO, names: Names) -> None:
        super().__init__(file)
        self.names = names

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.names:
            raise _ForbiddenError(f"{module}.{name}")
        return self.names[module, name]


def load(file: BytesIO, path: Path, names: Names, *, what: str) -> Any:
    """Read one pickle.

    Args:
        file: The bytes, at the start of the pickle.
        path: The file that they are from, for messages.
        names: What may be named.
        what: What the file should hold, for messages.

    Raises:
        DataError: where it is broken, or names anything else. Nothing of it was run.
    """
    try:
        _check_memo(file)
        return _Unpickler(file, names).load()
    except _ForbiddenError as error:
        raise DataError(
            f"{path} should hold {what}; found `{error}`, which would run code. Nothing of it was "
            "run. Do not load this file with other tools unless you trust who made it."
        ) from None
    except Exception as error:  # a broken pickle fails in any way
        reason = str(error).rstrip(".") or type(error).__name__
        raise DataError(
            f"{path} should hold {what}; it cannot be read ({reason[:200]}). Get it again."
        ) from error


def _check_memo(file: BytesIO) -> None:
    """Refuse a place in the table of remembered objects that would make it as large as memory."""
    start, size = file.tell(), len(file.getbuffer())
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name.endswith("PUT") and argument is not None and argument > size:
            raise pickle.UnpicklingError(f"it remembers an object in place {argument}")
    file.seek(start)
