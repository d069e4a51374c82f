"""What a plug-in adds, checked: every member fits its family, and its name is free."""

import ast
import inspect
import re
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from mtdata.errors import PluginError
from mtdata.plugins.families import FAMILIES, Family
from mtdata.registry import Registry

NAME = re.compile(r"\w[\w.+-]*")
"""Names stand in those of run folders and stores."""


class Member(NamedTuple):
    """A member that a plug-in adds."""

    dict_name: str
    name: str
    value: Any


def members_of(module: ModuleType, given: str) -> list[Member]:
    """All members that a module has in the dicts of families.

    Args:
        module: The plug-in.
        given: How the user named it.

    Raises:
        PluginError: where it has none, or one does not fit, with the line.
    """
    found: list[Member] = []
    for dict_name, family in FAMILIES.items():
        members = getattr(module, dict_name, {})
        if isinstance(members, Registry):  # imported to look something up
            continue
        if not isinstance(members, Mapping):
            raise PluginError(
                given,
                f"`{dict_name}` should be a dict of name to {_what(family)}; found "
                f"{type(members).__name__}.",
                _line_in_dict(module, dict_name),
            )
        found += [Member(dict_name, name, value) for name, value in members.items()]
    if not found:
        raise PluginError(given, _nothing(module))
    for member in found:
        family = FAMILIES[member.dict_name]
        problem = _of_name(member, family.registry)
        if problem is not None:
            line = _line_in_dict(module, member.dict_name, member.name)
            raise PluginError(given, problem, line)
        problem = _of_value(member, family)
        if problem is not None:
            raise _error(given, module, member, problem)
    return found


def _of_name(member: Member, registry: Registry[Any]) -> str | None:
    """What is wrong with the name of a member; None where nothing is."""
    name = member.name
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return (
            f"a name in `{member.dict_name}` should be letters, digits and -, _, + or .; "
            f"found {name!r}."
        )
    if name in list(registry):
        whose = registry.origins.get(name, "what is built in")
        return f"the name of the {registry.family} `{name}` is taken by {whose}. Choose another."
    return None


def _of_value(member: Member, family: Family) -> str | None:
    """What is wrong with a member itself; None where nothing is."""
    name, value, base = member.name, member.value, family.registry.base
    the = f"the {family.registry.family} `{name}`"
    fits = isinstance(value, type) and issubclass(value, base)
    if not (fits if family.classes else isinstance(value, base)):
        wanted = "a class that derives from" if family.classes else "an object of"
        return f"{the} should be {wanted} {base.__module__}.{base.__name__}; found {_said(value)}."
    if family.classes:
        return (
            _lacking(the, name, value)
            or _misled(the, value)
            or _unlike(the, value, base)
            or _unmade(the, value, base)
        )
    problem = value.problem()  # an object of a family knows what it should hold
    return f"{the} {problem}" if problem else None


def _unlike(the: str, value: type[Any], base: type[Any]) -> str | None:
    """Which method of a class cannot be called as its base says."""
    for name in sorted(base.__abstractmethods__):
        wanted, own = getattr(base, name), getattr(value, name)
        if not callable(wanted) or not callable(own):
            continue
        needed = [p for p in inspect.signature(wanted).parameters.values() if p.default is p.empty]
        placed = [p for p in needed if p.kind is p.POSITIONAL_OR_KEYWORD]
        named = {p.name: None for p in needed if p.kind is p.KEYWORD_ONLY}
        try:
            inspect.signature(own).bind(*placed, **named)
        except TypeError as error:
            asked = ", ".join([*(p.name for p in placed), *(f"{name}=..." for name in named)])
            return f"{the} should have `{name}({asked})`; it cannot be called so: {error}."
    return None


def _unmade(the: str, value: type[Any], base: type[Any]) -> str | None:
    """Why a class cannot be made as members of its family are: from arguments, and its options."""
    if hasattr(value, "model_fields"):  # all options, and no constructor of its own
        return None
    wanted = list(inspect.signature(base).parameters.values())
    placed = [p for p in wanted if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = [p.name for p in wanted if p.kind is p.KEYWORD_ONLY]
    if any(p.kind is p.VAR_KEYWORD for p in wanted):
        fields = getattr(_options(value), "model_fields", {}).items()
        named += [field.alias or name for name, field in fields]
    try:
        inspect.signature(value).bind(*placed, **dict.fromkeys(named))
    except TypeError as error:
        given = ", ".join([*(p.name for p in placed), *(f"{name}=..." for name in named)])
        return f"{the} should be made of ({given}), take `**options` say; it cannot: {error}."
    return None


def _options(value: type[Any]) -> type[Any] | None:
    """What a class, or the first of its bases that does, declares in `options`."""
    for owner in value.__mro__:
        declared = inspect.get_annotations(owner).get("options")
        if isinstance(declared, str):
            declared = eval(declared, vars(sys.modules[owner.__module__]))
        if declared is not None:
            return declared  # type: ignore[no-any-return]
    return None


def _misled(the: str, value: type[Any]) -> str | None:
    """Which attribute of a class is not what its base says: texts, and what declares options."""
    for name, written in _declared(value).items():
        found = getattr(value, name)
        if written.endswith("ClassVar[str]") and not isinstance(found, str):
            return f"{the} should have text as its `{name}`; found {found!r}."
    own: type[Any] | None = None
    for owner in value.__mro__:
        try:
            declared = _options(owner)
        except Exception as error:
            return f"{the} should declare in `options` a class of options; found {error}."
        if declared is None:
            continue
        own = own or declared
        if not (isinstance(own, type) and issubclass(own, declared)):
            return (
                f"{the} should declare in `options` a class that derives from "
                f"{declared.__module__}.{declared.__name__}, as what it derives from takes these; "
                f"found {_said(own)}."
            )
    return None


def _lacking(the: str, name: str, value: type[Any]) -> str | None:
    """What a class leaves open that its base wants."""
    abstract = sorted(getattr(value, "__abstractmethods__", ()))
    if abstract:
        return f"{the} should have all methods of its base; it lacks {_listed(abstract)}."
    unset = [attribute for attribute in _declared(value) if not hasattr(value, attribute)]
    if unset:
        return f"{the} should set all attributes of its base; it lacks {_listed(unset)}."
    own = getattr(value, "name", name)
    if isinstance(own, str) and own != name:
        return f"{the} should have that name in its class, too; found `name` {own!r}."
    return None


def _declared(value: type[Any]) -> dict[str, str]:
    """The attributes of the class that it or its bases declare, and as what."""
    return {
        name: str(declared)
        for owner in reversed(value.__mro__)
        for name, declared in inspect.get_annotations(owner).items()
        if str(declared).removeprefix("typing.").startswith("ClassVar")
    }


def _nothing(module: ModuleType) -> str:
    listed = ", ".join(FAMILIES)
    text = f"a plug-in should have members in one or more of the dicts {listed}; found none."
    for name, value in vars(module).items():
        if isinstance(value, Registry) and name in FAMILIES:
            return f"{text} `{name}` in it is the registry of this package: write a dict there."
        near = get_close_matches(name.upper(), FAMILIES, n=1, cutoff=0.8)
        if isinstance(value, Mapping) and near and name not in FAMILIES:
            return f"{text} Should its `{name}` be `{near[0]}`?"
    return text


def _error(given: str, module: ModuleType, member: Member, problem: str) -> PluginError:
    """The error at the class where it is the plug-in's own, else at the dict."""
    value = member.value
    owner = getattr(value, "__module__", None) if isinstance(value, type) else None
    if owner is not None and f"{owner}.".startswith(f"{module.__name__}."):
        where = given if owner == module.__name__ else inspect.getsourcefile(value) or given
        return PluginError(where, problem, _line_of_class(value))
    return PluginError(given, problem, _line_in_dict(module, member.dict_name, member.name))


def _line_of_class(value: type[Any]) -> int | None:
    try:
        tree = _tree(inspect.getsourcefile(value))
    except TypeError:  # of a module that is gone
        return None
    lines = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name == value.__name__
    ]
    return lines[-1] if lines else None


def class_at(source: bytes, line: int) -> str | None:
    """The name of the class at the top of a file that a line is in."""
    return next(
        (
            node.name
            for node in ast.parse(source).body
            if isinstance(node, ast.ClassDef) and node.lineno <= line <= (node.end_lineno or 0)
        ),
        None,
    )


def _line_in_dict(module: ModuleType, dict_name: str, key: object = None) -> int | None:
    """The line of a key of a dict; that of the dict where the key is not written there."""
    found: int | None = None
    for node in ast.walk(_tree(getattr(module, "__file__", None))):
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name) and target.id == dict_name:
                found = _line_of_key(node.value, key) or node.lineno
            elif isinstance(target, ast.Subscript) and ast.unparse(target.value) == dict_name:
                found = node.lineno if ast.unparse(target.slice) == repr(key) else found
    return found


def _line_of_key(value: ast.expr | None, key: object) -> int | None:
    keys = value.keys if isinstance(value, ast.Dict) else []
    return next(
        (k.lineno for k in keys if isinstance(k, ast.Constant) and key and k.value == key), None
    )


def _tree(file: str | None) -> ast.Module:
    try:
        return ast.parse(Path(file or "").read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])


def _what(family: Family) -> str:
    return "class" if family.classes else "object"


def _said(value: Any) -> str:
    return f"the class `{value.__name__}`" if isinstance(value, type) else repr(value)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))
