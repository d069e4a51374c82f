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

OPERATIONS, NESTED = 3_000_000, 100
"""Steps of a pickle, and tuples in tuples, at most; released files have 300,000 and 1."""
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
        _check_size(file)
        return _Unpickler(file, names).load()
    except _ForbiddenError as error:
        raise would_run(path, what, str(error)) from None
    except Exception as error:  # a broken pickle fails in any way
        reason = str(error).rstrip(".") or type(error).__name__
        raise DataError(
            f"{path} should hold {what}; it cannot be read ({reason[:200]}). Get it again."
        ) from error


def would_run(path: Path, what: str, name: str) -> DataError:
    """The error for a file that names something that could do anything."""
    return DataError(
        f"{path} should hold {what}; found `{name}`, which would run code. Nothing of it was run. "
        "Do not load this file with other tools unless you trust who made it."
    )


def _check_size(file: BytesIO) -> None:
    """Refuse what would take all memory or time, or nest so deeply that Python itself ends.

    To hash or drop tuples in tuples takes the stack of the process. In the files that are read,
    nearly all tuples are the arguments of something that is built of them at once.
    """
    start, size = file.tell(), len(file.getbuffer())
    count, nested, after_tuple = 0, 0, False
    for opcode, argument, _ in pickletools.genops(file):
        count += 1
        if opcode.name.endswith("PUT") and argument is not None and argument > size:
            raise pickle.UnpicklingError(f"it remembers an object in place {argument}")
        if opcode.name.endswith("PUT") or opcode.name == "MEMOIZE":
            continue
        nested += after_tuple and opcode.name not in ("REDUCE", "BUILD")
        after_tuple = opcode.name.startswith("TUPLE")
        if count > OPERATIONS or nested > NESTED:
            raise pickle.UnpicklingError("it is longer or deeper than any list of labels")
    file.seek(start)
