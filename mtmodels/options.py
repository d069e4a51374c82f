"""Make a member of a family by its name; a wrong name or option is refused before it is called."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, get_type_hints

from mtdata.errors import UnknownNameError
from mtmodels.option_types import check_type, in_words

T = TypeVar("T")


def options_of(member: Callable[..., Any]) -> dict[str, Any]:
    """The options that a member takes, each with its default, under the names a user writes."""
    return {name: parameter.default for name, parameter in _parameters(member).items()}


def filled(member: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a member under the names a user writes: those given, and the defaults.

    An option without a default is left out, and one that the member does not have is kept: `build`
    refuses both.
    """
    written = _written(member)
    given = {written.get(option, option): value for option, value in options.items()}
    defaults = {k: v for k, v in options_of(member).items() if v is not inspect.Parameter.empty}
    return {**defaults, **given}


def explained(member: Callable[..., Any]) -> dict[str, str]:
    """What the documentation says of each option, one paragraph each.

    Where a class hands `**options` on, its bases say what those are.
    """
    written = _written(member)
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
        ValueError: for an option that is missing or not of the type that the member declares.
    """
    if name not in members:
        raise UnknownNameError(family, name, members)
    member = members[name]
    parameters, written, aliases = _parameters(member), _written(member), _aliases(member)
    given = {written.get(option, option): value for option, value in (options or {}).items()}
    for option, value in given.items():
        if option not in parameters:
            raise UnknownNameError(f"option of {family} `{name}`", option, parameters)
        check_type(option, value, parameters[option].annotation)
    for option, parameter in parameters.items():
        if option not in given and parameter.default is parameter.empty:
            raise ValueError(
                f"`{option}` should be {in_words(parameter.annotation)}; found nothing."
            )
    return member(*arguments, **{aliases.get(key, key): value for key, value in given.items()})


def _parameters(member: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What declares each option, with its type resolved, under the names a user writes."""
    written = _written(member)
    found: dict[str, inspect.Parameter] = {}
    for owner in _owners(member):
        parameters, types = inspect.signature(owner).parameters.values(), get_type_hints(owner)
        for parameter in parameters:
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                name = written.get(parameter.name, parameter.name)
                found.setdefault(name, parameter.replace(annotation=types.get(parameter.name, Any)))
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            break
    return found


def _owners(member: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """The member; for a class, also the bases that `**options` are handed on to."""
    if not isinstance(member, type):
        yield member
        return
    for owner in member.__mro__:
        if "__init__" in owner.__dict__:
            yield owner.__dict__["__init__"]


def _written(member: Callable[..., Any]) -> dict[str, str]:
    """Names that Python sees, and those that a user writes."""
    return {python: name for name, python in _aliases(member).items()}


def _aliases(member: Callable[..., Any]) -> Mapping[str, str]:
    """Names that a user writes, and those that Python sees."""
    aliases: Mapping[str, str] = getattr(member, "aliases", {})
    return aliases
