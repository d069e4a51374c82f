"""What an option may be: checked against the type that is declared, and said in words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "text",
    NoneType: "null",
}
SEVERAL: dict[Any, str] = {Mapping: "a mapping", Sequence: "a list", tuple: "a list"}


def check_type(name: str, value: Any, declared: Any, *, of: str = "") -> None:
    """Refuse a value that is not of the declared type; it is not converted.

    A whole number is a number too; true and false are none, and a list is as good as a tuple.

    Args:
        name: Of the option, for the error.
        value: As it was given.
        declared: The type.
        of: What the option belongs to, where nothing else says so.

    Raises:
        ValueError: with the name, what the value should be and what it is.
    """
    given = tuple(value) if isinstance(value, list) else value
    try:
        TypeAdapter(declared).validate_python(given, strict=True)
    except ValidationError:
        named = f"`{name}` of {of}" if of else f"`{name}`"
        raise ValueError(f"{named} should be {in_words(declared)}; found {value!r}.") from None


def in_words(declared: Any) -> str:
    """What a value of a type is, as a user would say it."""
    kind, arguments = get_origin(declared), get_args(declared)
    if kind in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(in_words, arguments)))
    if kind in SEVERAL:
        each = arguments[1 if kind is Mapping else 0]
        return SEVERAL[kind] if each is Any else f"{SEVERAL[kind]}, each value {in_words(each)}"
    return WORDS.get(declared, str(declared))
