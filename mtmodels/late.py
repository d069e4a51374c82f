"""Importing libraries without the compiler of torch, which some import for a name or two.

torch._dynamo, with sympy, takes 1.4 s of a core to import, as long as torch itself.
lightning_fabric wants a class of it, timm marks a function for it, and torchvision, which timm
imports, wants a function that it calls on cards.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType
from typing import Any


class _StandIn(ModuleType):
    """Has the attributes that are known to be wanted; asked for another, imports the module."""

    def __init__(self, name: str, attributes: Mapping[str, object]) -> None:
        super().__init__(name)
        vars(self).update(attributes)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):  # what the interpreter asks any module
            raise AttributeError(attribute)
        _make_way()
        return getattr(import_module(self.__name__), attribute)


@contextmanager
def imported(*libraries: str, without: Mapping[str, Mapping[str, object]]) -> Iterator[None]:
    """Import libraries without modules that they need hardly, before what is within does.

    A later version of a library may want more of such a module: then it is imported as ever.

    Args:
        libraries: Modules to import.
        without: By the name of a module, parents first, what is asked of it, by name. One that is
            imported already stays.
    """
    stand_ins = {name: _StandIn(name, given) for name, given in without.items()}
    if not stand_ins.keys() & sys.modules.keys():
        sys.modules.update(stand_ins)
    try:
        for library in libraries:
            with suppress(ImportError):
                import_module(library)
    finally:
        _make_way()
    yield


def _make_way() -> None:
    for name in [name for name, module in sys.modules.items() if isinstance(module, _StandIn)]:
        del sys.modules[name]


class _Compiled:
    """No module is one: nothing is compiled before this is asked."""


def _disable(function: Any = None, recursive: bool = True, **_: object) -> Any:
    """Mark a function as one that is not compiled; the compiler learns it when that is called."""
    import torch

    return torch._disable_dynamo(function, recursive)  # type: ignore[attr-defined]


def _is_compile_supported(device: str) -> bool:
    from torch._dynamo.utils import is_compile_supported

    supported: bool = is_compile_supported(device)
    return supported


COMPILER: Mapping[str, Mapping[str, object]] = {
    "torch._dynamo": {"OptimizedModule": _Compiled, "disable": _disable},
    "torch._dynamo.utils": {"is_compile_supported": _is_compile_supported},
}
"""All that lightning_fabric, timm and torchvision ask the compiler for."""
