"""Make a member of a family by its name; a wrong name or option is refused before it is called."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from mtdata.errors import UnknownNameError

T = TypeVar("T")


def options_of(member: Callable[..., Any]) -> dict[str, Any]:
    """The options that a member takes, each with its default, under the names a user writes."""
    written = {python: name for name, python in _aliases(member).items()}
    found: dict[str, Any] = {}
    for owner in _owners(member):
        parameters = inspect.signature(owner).parameters.values()
        for parameter in parameters:
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                found.setdefault(written.get(parameter.name, parameter.name), parameter.default)
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            break
    return found


def explained(member: Callable[..., Any]) -> dict[str, str]:
    """What the documentation says of each option, one paragraph each.

    Where a class hands `**options` on, its bases say what those are.
    """
    written = {python: name for name, python in _aliases(member).items()}
    bases = member.__mro__ if isinstance(member, type) else (member,)
    found: dict[str, str] = {}
    for owner in bases:
        for python, text in _arguments(inspect.cleandoc(owner.__doc__ or "")).items():
            found.setdefault(written.get(python, python), text)
    return {name: found[name] for name in options_of(member) if name in found}


def about(member: Callable[..., Any]) -> str:
    """The documentation of a member without its arguments and errors."""
    sections = inspect.cleandoc(member.__doc__ or "").split("\n\n")
    return "\n\n".join(s for s in sections if not s.startswith(("Args:", "Raises:")))


def _arguments(documentation: str) -> dict[str, str]:
    """The entries of the section "Args" of a docstring in Google's form."""
    block = next((s for s in documentation.split("\n\n") if s.startswith("Args:\n")), "Args:\n")
    found: dict[str, str] = {}
    name = ""
    for line in block.splitlines()[1:]:
        text = line.strip()
        if not line.startswith(" " * 8):
            name, _, text = text.partition(":")
        found[name] = f"{found.get(name, '')} {text.strip()}".strip()
    return found


def build(
    family: str,
    members: Mapping[str, Callable[..., T]],
    name: str,
    *arguments: Any,
    options: Mapping[str, Any] | None = None,
) -> T:
    """Make the member `name` with its arguments and options.

    An option may go by the name that the papers use where Python has no such name (`lambda`).

    Raises:
        UnknownNameError: for a name or an option that there is not, naming the nearest.
    """
    if name not in members:
        raise UnknownNameError(family, name, members)
    member, options = members[name], dict(options or {})
    known = options_of(member)
    aliases = _aliases(member)
    for option in options:
        if option not in known and option not in aliases.values():
            raise UnknownNameError(f"option of {family} `{name}`", option, known)
    return member(*arguments, **{aliases.get(key, key): value for key, value in options.items()})


def _owners(member: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """The member; for a class, also the bases that `**options` are handed on to."""
    if not isinstance(member, type):
        yield member
        return
    for owner in member.__mro__:
        if "__init__" in owner.__dict__:
            yield owner.__dict__["__init__"]


def _aliases(member: Callable[..., Any]) -> Mapping[str, str]:
    """Names that a user writes, and those that Python sees."""
    aliases: Mapping[str, str] = getattr(member, "aliases", {})
    return aliases
