"""Options of the members of a family: declared once, as the fields of a class.

A field has a type, a default and one docstring line. From these come the check of what a user
gives, the defaults in `config.yaml`, what `mtmodels list` prints, and the words of the errors.
"""

import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from mtdata.errors import UnknownNameError

T = TypeVar("T")
Own = TypeVar("Own", bound="Options")

Weight = Annotated[float, Field(ge=0, lt=math.inf)]
"""A factor: 0 or more."""
Factor = Annotated[float, Field(gt=0, lt=math.inf)]
"""A factor above 0."""
WIDEST = 100
Width = Annotated[float, Field(gt=0, le=WIDEST)]
"""A factor on the channels of a network: in (0, 100]."""
Positive = Annotated[int, Field(ge=1)]
"""A whole number from 1."""
Share = Annotated[float, Field(ge=0, le=1)]
"""In [0, 1]."""


@dataclass(frozen=True)
class CountsWith:
    """Said beside an option that does something only where another one has some value.

    Args:
        option: The other one, or `views`, how many there are of an image.
        holds: Whether it counts, by the value of that one.
        how: What to give for that.
    """

    option: str
    holds: Callable[[Any], bool]
    how: str


SECOND_VIEW = CountsWith("views", lambda views: views > 1, "--views 2")


def as_tuple(value: Any) -> Any:
    """YAML and JSON have lists only."""
    return tuple(value) if isinstance(value, list) else value


Colour = Annotated[tuple[float, float, float], BeforeValidator(as_tuple)]
"""One value a colour: red, green, blue."""
NEEDED = inspect.Parameter.empty
"""In place of the default of an option that has none."""


class Options(BaseModel):
    """What a member can be told. A value is checked and not converted; a wrong one is refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def read(cls: type[Own], given: Mapping[str, Any]) -> Own:
        """Check options under the names that a user writes, or those of the fields.

        Raises:
            UnknownNameError: for an option, or one of a few words, that there is not.
            ValueError: for a value that cannot be, saying what it should be.
        """
        check_names(cls, given)
        for name, inner in _nested(cls).items():
            if isinstance(given.get(name), Mapping):
                _read_nested(name, inner, given[name])
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            raise _explained(cls, error, given) from None


def options_class(member: Any) -> type[Options]:
    """The class that declares the options of a member: what its attribute `options` is.

    A member that is all options (a schedule) is that class itself; one that declares none cannot be
    told anything.
    """
    if issubclass(member, Options):
        found: type[Options] = member
        return found
    for owner in member.__mro__:
        declared = inspect.get_annotations(owner).get("options")
        if isinstance(declared, str):
            declared = eval(declared, vars(sys.modules[owner.__module__]))
        if declared is not None:
            return declared  # type: ignore[no-any-return]
    return Options


def options_of(member: Any) -> dict[str, Any]:
    """The options that a member takes, each with its default, under the names a user writes."""
    fields = _fields(options_class(member))
    return {name: NEEDED if f.is_required() else f.get_default() for name, f in fields.items()}


def check_counts(member: Any, given: Mapping[str, Any], *, options: Mapping[str, Any]) -> None:
    """Refuse options of which nothing would be done.

    Args:
        member: Whose options.
        given: Those that were asked for.
        options: All of them, and `views`.

    Raises:
        ValueError: naming the option, and what it counts with.
    """
    known = filled(member, options)
    for name, field in _fields(options_class(member)).items():
        for needs in (one for one in field.metadata if isinstance(one, CountsWith)):
            if needs.option not in known or needs.holds(known[needs.option]):
                continue
            if name in given and given[name] != field.get_default():
                raise ValueError(
                    f"`{name}` should go with {needs.how}; found it without, where it does "
                    f"nothing. Give {needs.how}, or leave it out."
                )


def filled(member: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a member under the names a user writes: those given, and the defaults.

    An option without a default is left out, and one that the member does not have is kept: `build`
    refuses both.
    """
    written = {f: f_.alias or f for f, f_ in options_class(member).model_fields.items()}
    defaults = {k: v for k, v in options_of(member).items() if v is not NEEDED}
    return {**defaults, **{written.get(name, name): value for name, value in given.items()}}


def explained(member: Any) -> dict[str, str]:
    """What the docstring of each option says."""
    fields = _fields(options_class(member)).items()
    return {name: " ".join((field.description or "").split()) for name, field in fields}


def about(member: Callable[..., Any]) -> str:
    """The documentation of a member without its arguments and errors."""
    sections = inspect.cleandoc(member.__doc__ or "").split("\n\n")
    return "\n\n".join(s for s in sections if not s.startswith(("Args:", "Raises:")))


def build(
    family: str,
    members: Mapping[str, Callable[..., T]],
    name: str,
    *arguments: Any,
    options: Mapping[str, Any] | None = None,
) -> T:
    """Make the member `name` with its arguments and options.

    Raises:
        UnknownNameError: for a name or an option that there is not, naming the nearest.
        ValueError: for an option that is missing or not what the member declares.
    """
    if name not in members:
        raise UnknownNameError(family, name, tuple(members))
    make, given = members[name], options or {}
    check_names(options_class(make), given, of=f" of {family} `{name}`")
    if isinstance(make, type) and issubclass(make, Options):
        # A member that is all options: its constructor would refuse in pydantic's words.
        make.read(given)
    made: T = make(*arguments, **given)
    return made


def check_names(declared: type[Options], given: Mapping[str, Any], *, of: str = "") -> None:
    """Refuse an option that there is not, and one that is given under both of its names.

    Raises:
        UnknownNameError: naming the nearest.
        ValueError: where an option is given twice.
    """
    known = {name for field in declared.model_fields.items() for name in (field[0], field[1].alias)}
    for name in given:
        if name not in known:
            raise UnknownNameError(f"option{of}", name, tuple(_fields(declared)))
    for name, field in declared.model_fields.items():
        if field.alias and name in given and field.alias in given:
            raise ValueError(f"`{field.alias}` should be given once; found it as `{name}` as well.")


def _nested(declared: type[Options]) -> dict[str, type[Options]]:
    """The options that are themselves a mapping of options, and what declares those."""
    found = {}
    for name, field in _fields(declared).items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, Options):
                found[name] = kind
    return found


def _read_nested(name: str, declared: type[Options], given: Mapping[str, Any]) -> None:
    """Refuse what cannot be inside an option, by the names of both."""
    check_names(declared, given, of=f" of `{name}`")
    try:
        declared.read(given)
    except ValueError as error:
        raise ValueError(str(error).replace("`", f"`{name}.", 1)) from None


def _fields(declared: type[Options]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in declared.model_fields.items()}


def _explained(
    declared: type[Options], error: ValidationError, given: Mapping[str, Any]
) -> ValueError:
    """The first fault in the words of a user."""
    first = error.errors()[0]
    written = str(first["loc"][0]) if first["loc"] else ""
    if written not in _fields(declared) and written not in declared.model_fields:
        return ValueError(str(first["ctx"]["error"]) if "ctx" in first else first["msg"])
    field = _fields(declared).get(written) or declared.model_fields[written]
    name = field.alias or written
    if first["type"] == "missing" and len(first["loc"]) == 1:
        what = f" It is: {' '.join(field.description.split())}" if field.description else ""
        return ValueError(f"`{name}` should be {in_words(_declared(field))}; found nothing.{what}")
    if first["type"] == "value_error":  # a check of the member's own, with words of its own
        return ValueError(str(first["ctx"]["error"]))
    value = given[name] if name in given else given[written]
    choices = _choices(field)
    if choices and isinstance(value, str):
        return UnknownNameError(name.replace("_", " "), value, choices)
    return ValueError(f"`{name}` should be {in_words(_declared(field))}; found {value!r}.")


def _declared(field: FieldInfo) -> Any:
    kind: Any = field.annotation
    return Annotated[(kind, *field.metadata)] if field.metadata else kind


def _choices(field: FieldInfo) -> tuple[str, ...]:
    """The words that a text may be; none where it may be any."""
    kinds = get_args(field.annotation) if get_origin(field.annotation) in UNIONS else ()
    for kind in (field.annotation, *kinds):
        if get_origin(kind) is Literal:
            return tuple(map(str, get_args(kind)))
    return ()


UNIONS = (Union, UnionType)
WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "text",
    NoneType: "null",
}
SEVERAL: dict[Any, str] = {
    Mapping: "a mapping",
    dict: "a mapping",
    Sequence: "a list",
    tuple: "a list",
}


def in_words(declared: Any) -> str:
    """What a value of a type is, as a user would say it."""
    kind, arguments = get_origin(declared), get_args(declared)
    if kind is Annotated:
        return _bounded(arguments[0], arguments[1:])
    if kind is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if kind in UNIONS:
        return " or ".join(dict.fromkeys(map(in_words, arguments)))
    if kind in SEVERAL:
        each = arguments[1 if kind in (Mapping, dict) else 0]
        several = SEVERAL[kind]
        if kind is tuple and ... not in arguments:
            several = f"{several} of {len(arguments)}"
        return several if each is Any else f"{several}, each value {in_words(each)}"
    if isinstance(declared, type) and issubclass(declared, Options):
        return "a mapping"
    return WORDS.get(declared, str(declared))


def _bounded(kind: Any, limits: Sequence[Any]) -> str:
    """A number within its limits."""
    flat: list[Any] = []
    for limit in limits:
        flat += limit.metadata if isinstance(limit, FieldInfo) else [limit]
    low = next((m for m in flat if isinstance(m, Ge | Gt)), None)
    high = next((m for m in flat if isinstance(m, Le | Lt)), None)
    if low is None:
        return in_words(kind)
    start, inside = (low.ge, "[") if isinstance(low, Ge) else (low.gt, "(")
    end = None if high is None else high.le if isinstance(high, Le) else high.lt
    words = f"{in_words(kind)}, " if kind is int else ""
    if end is None or end == math.inf:
        return f"{words}{start} or more" if inside == "[" else f"{words}above {start}"
    return f"{words}in {inside}{start}, {end}{']' if isinstance(high, Le) else ')'}"
