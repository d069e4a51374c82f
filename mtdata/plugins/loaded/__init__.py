"""The modules of plug-in files, importable in every process that this one starts.

What travels to a worker process is pickled, and a class is pickled as the name of its module. So
the module of a plug-in file has a name below this package, and where its file is stands in an
environment variable, which workers inherit whether they are forked or spawned.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

VARIABLE = "MTPARTIAL_PLUGINS"
"""Holds JSON: for each module the path of its file and the digest of what was in it."""


class FileLoader(Loader):
    """Runs the bytes that it is given; no `__pycache__` is left beside the user's file.

    Args:
        path: Where they are from.
        source: The bytes.
    """

    def __init__(self, path: Path, source: bytes) -> None:
        self.path, self.source = path, source

    def exec_module(self, module: ModuleType) -> None:
        """Run them as the module."""
        exec(compile(self.source, self.path, "exec", dont_inherit=True), module.__dict__)


class Finder(MetaPathFinder):
    """Finds in a worker the modules that its parent has loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module of a plug-in is; raises ImportError where its file has changed since."""
        known = _known().get(fullname)
        if known is None:
            return None
        file, digest = Path(known[0]), known[1]
        source = file.read_bytes()
        if sha256(source).hexdigest() != digest:
            raise ImportError(
                f"{file} has changed since it was loaded as a plug-in.", path=str(file)
            )
        return _spec(fullname, file, source)


def run(name: str, path: Path, source: bytes) -> ModuleType:
    """Run a file as a module of this package; where it raises, it leaves no trace."""
    module = module_from_spec(_spec(name, path, source))
    sys.modules[name] = module
    try:
        assert module.__spec__ is not None
        assert module.__spec__.loader is not None
        module.__spec__.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    _put({**_known(), name: (str(path), sha256(source).hexdigest())})
    return module


def forget(name: str) -> None:
    """Undo `run`."""
    sys.modules.pop(name, None)
    _put({known: where for known, where in _known().items() if known != name})


def _spec(name: str, path: Path, source: bytes) -> ModuleSpec:
    spec = spec_from_file_location(name, path, loader=FileLoader(path, source))
    assert spec is not None
    return spec


def _known() -> dict[str, tuple[str, str]]:
    found = json.loads(os.environ.get(VARIABLE, "{}"))
    return {name: (path, digest) for name, (path, digest) in found.items()}


def _put(known: Mapping[str, tuple[str, str]]) -> None:
    if known:
        os.environ[VARIABLE] = json.dumps(known)
    else:
        os.environ.pop(VARIABLE, None)


sys.meta_path.append(Finder())
