"""From what a user named to a module that ran: a file, or a module by its name."""

import re
import traceback
from difflib import get_close_matches
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from mtdata.errors import PluginError
from mtdata.plugins import loaded


def names_a_file(given: str) -> bool:
    """Whether this is a file, be it there or not; else it is a module."""
    return given.endswith(".py") or "/" in given or Path(given).is_file()


def read_file(given: str) -> tuple[Path, bytes]:
    """The absolute path of a file, and what is in it.

    Raises:
        PluginError: where it is missing, naming one like it, or cannot be read.
    """
    path = Path(given).expanduser()
    try:
        return path.resolve(), path.read_bytes()
    except FileNotFoundError:
        near = [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        like = get_close_matches(path.name, near, n=1)
        hint = f" Did you mean {path.with_name(like[0])}?" if like else ""
        raise PluginError(given, f"there is no such plug-in file.{hint}") from None
    except IsADirectoryError:
        raise PluginError(given, "a plug-in should be one file; found a folder.") from None
    except OSError as error:
        raise PluginError(given, f"the plug-in cannot be read: {error.strerror}.") from None


def run_file(given: str, path: Path, source: bytes) -> ModuleType:
    """Run a file as a module with a name of its own.

    Args:
        given: How the user named it.
        path: Where it is.
        source: What is in it.

    Raises:
        PluginError: for a syntax error, and for whatever the file raises, with the line.
    """
    name = f"{loaded.__name__}.{re.sub(r'[^0-9a-zA-Z_]', '_', path.stem)}_{digest_of(source)[:12]}"
    try:
        return loaded.run(name, path, source)
    except (Exception, SystemExit) as error:
        raise _failed(given, str(path), error) from error


def import_by_name(given: str) -> ModuleType:
    """Import a module.

    Raises:
        PluginError: where there is none, and for whatever it raises, with the line.
    """
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", given):
        raise PluginError(
            given, "a plug-in should be a file that ends in .py, or the name of a module."
        )
    try:
        spec = find_spec(given)
    except (ImportError, ValueError):  # of its package
        spec = None
    except (Exception, SystemExit) as error:
        raise _failed(given, "", error) from error
    if spec is None:
        beside = Path(f"{given}.py")
        hint = f" Did you mean {beside}?" if beside.is_file() else ""
        raise PluginError(given, f"there is no module of this name to be imported.{hint}")
    try:
        return import_module(given)
    except (Exception, SystemExit) as error:
        raise _failed(given, spec.origin or "", error) from error


def digest_of(source: bytes) -> str:
    """SHA-256 of a file."""
    return sha256(source).hexdigest()


def code_of(name: str) -> Path | None:
    """Where the code of a module is: the folder of its package at the top, or its own file.

    None where there is none. Nothing is imported: a package is code, and may be anybody's.
    """
    try:
        spec = find_spec(name.partition(".")[0])
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    place = Path(next(iter(spec.submodule_search_locations or ()), spec.origin or ""))
    return place if place.exists() else None


def digest_of_code(name: str) -> str | None:
    """SHA-256 of all Python files of the package of a module; None where they are not there.

    A version says less: one that is installed to be edited keeps it.
    """
    place = code_of(name)
    if place is None:
        return None
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    told = [(file.relative_to(place).as_posix(), digest_of(file.read_bytes())) for file in files]
    return digest_of(repr(told).encode())


def _failed(given: str, file: str, error: BaseException) -> PluginError:
    """What went wrong, at the last line of the plug-in that had a part in it."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    if isinstance(error, SyntaxError) and (error.filename == file or not frames):
        return PluginError(given, f"the plug-in is no Python: {error.msg}.", error.lineno or None)
    line = frames[-1].lineno if frames else None
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return PluginError(given, f"the plug-in failed while it was run: {said.rstrip('.')}.", line)
