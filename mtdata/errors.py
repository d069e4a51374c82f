"""Errors of the data layer. Each says what was expected, what was found and what to do.

Every error derives from `MtdataError` and, where one fits, from the builtin that a caller may
already catch. `exit_code` is what a command ends with.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from mtdata.wording import counted, listed

Member = TypeVar("Member")

LISTED = 30
"""Known names that an error lists; keys of a data set are thousands."""
NUMBERS = r"(?:(?:#[0-9a-f]{6}|\d[\d.]*)(?:, )?)+"
"""Numbers and colours in a sentence: by these alone, two files have the same fault."""
NAMED = 3
"""Files that an error names where many have one fault."""
SHOWN = 80
"""Characters that an error shows of a value."""
EXPECTED = {
    "extra_forbidden": "left out, as nothing is called so",
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_parsing_size", "int_from_float"), "a whole number"
    ),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    "finite_number": "a finite number",
    "string_type": "text",
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
    **dict.fromkeys(("dict_type", "model_type"), "a mapping"),
    "greater_than": "above {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "below {lt}",
    "less_than_equal": "{le} or less",
    "literal_error": "{expected}",
    "string_too_short": "a text of {min_length} or more characters",
    "string_too_long": "a text of {max_length} or fewer characters",
}
"""What a value should be, by what pydantic calls a fault of it."""


class MtdataError(Exception):
    """Anything that this package refuses."""

    exit_code: ClassVar[int] = 1


class UsageError(MtdataError, ValueError):
    """An option that cannot be what it was given as."""

    exit_code: ClassVar[int] = 2


class OtherBuildError(UsageError):
    """What a killed command left is of another one.

    Args:
        text: The message.
        before: The identity of that command.
    """

    def __init__(self, text: str, before: Mapping[str, Any]) -> None:
        super().__init__(text)
        self.before = dict(before)


class DataError(MtdataError):
    """Data that is missing, broken or not what its format promises."""

    exit_code: ClassVar[int] = 3


class SourceNotFoundError(DataError, FileNotFoundError):
    """A source folder is missing or holds nothing that is known."""


class SampleError(DataError, ValueError):
    """One image or label of a source cannot be used.

    Args:
        path: The file at fault.
        problem: What was expected and what was found.
        remedy: What to do.
    """

    def __init__(self, path: Path | str, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem} {remedy}")
        self.path = Path(path)
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["SampleError"], tuple[Path, str, str]]:
        """Rebuild from the parts, so that the error crosses from a worker process."""
        return type(self), (self.path, self.problem, self.remedy)


class UnlabelledError(SampleError):
    """An image whose labels say nothing, of a source that leaves such images out."""


class BadSamplesError(SampleError):
    """Images or labels of a source cannot be used; `path` is the first file at fault.

    Args:
        problems: What is wrong with each.
        samples: How many there are in all.
        hint: Where else the fault may lie, for people; nothing where nobody knows.
    """

    def __init__(self, problems: Sequence[SampleError], samples: int, hint: str = "") -> None:
        super().__init__(problems[0].path, problems[0].problem, problems[0].remedy)
        self.args = (
            _all_told(problems, samples, hint) if problems[1:] else _one_told(problems[0], hint),
        )
        self.problems, self.samples, self.hint = tuple(problems), samples, hint

    def __reduce__(self) -> Any:
        """Rebuild from the parts, so that the error crosses from a worker process."""
        return type(self), (self.problems, self.samples, self.hint)


def should_be(fault: Mapping[str, Any]) -> str:
    """What a value should be and what it is, of a fault that pydantic found."""
    kind = fault["type"]
    if kind == "missing":
        return "should be given; found nothing"
    if kind == "value_error":  # a check of our own, with words of its own
        return str(fault["msg"]).removeprefix("Value error, ").rstrip(".")
    words = str(fault["msg"]).removeprefix("Input ").rstrip(".")
    if kind in EXPECTED:
        words = f"should be {EXPECTED[kind].format(**fault.get('ctx', {}))}"
    found = fault["input"]
    return f"{words}; found {'a mapping' if isinstance(found, dict) else repr(found)[:SHOWN]}"


def alike(problems: Sequence[SampleError]) -> list[list[SampleError]]:
    """Problems that differ in nothing but files and numbers, together; most of them first."""
    groups: dict[tuple[str, str], list[SampleError]] = {}
    for each in problems:
        said = re.sub(NUMBERS, "#", each.problem)
        groups.setdefault((said, each.remedy), []).append(each)
    return sorted(groups.values(), key=len, reverse=True)


def _one_told(problem: SampleError, hint: str) -> str:
    return (
        f"{problem} Then run the command again (a build goes on with --resume), or leave this "
        f"image out with --on-error skip.{f' {hint}.' if hint else ''}"
    )


def _all_told(problems: Sequence[SampleError], samples: int, hint: str) -> str:
    groups = alike(problems)
    more = sum(map(len, groups[LISTED:]))
    lines = [
        f"{len(problems):,} of {counted(samples, 'image')} cannot be used. Correct or remove these "
        "files and run the command again (a build goes on with --resume), or leave the images out "
        f"with --on-error skip{f'. {hint}' if hint else ''}:",
        *(f"  {_told(group)}" for group in groups[:LISTED]),
        *([f"  and {more} more."] if more else []),
    ]
    return "\n".join(lines)


def _told(group: Sequence[SampleError]) -> str:
    first = group[0]
    if len(group) == 1:
        return str(first)
    named = ", ".join(str(each.path) for each in group[:NAMED])
    same = all(each.problem == first.problem for each in group)
    whose = "" if same else " (numbers are those of the first)"
    return f"{len(group)} files{whose}: {first.problem} {first.remedy} The first: {named}."


class PictureWarning(UserWarning):
    """What is not as it should be in a picture; a command tells it as a note."""


class PluginError(UsageError):
    """A plug-in that cannot be used.

    Args:
        where: The file or module at fault, as the user knows it.
        problem: What was expected and what was found, and what to do.
        line: The line at fault, where there is one.
    """

    def __init__(self, where: Path | str, problem: str, line: int | None = None) -> None:
        super().__init__(f"{where}{'' if line is None else f', line {line}'}: {problem}")
        self.where, self.problem, self.line = where, problem, line

    def __reduce__(self) -> tuple[type["PluginError"], tuple[Path | str, str, int | None]]:
        """Rebuild from the parts, so that the error crosses from a worker process."""
        return type(self), (self.where, self.problem, self.line)


class StoreError(DataError, OSError):
    """A store that cannot be read: no HDF5, truncated, or of another format version."""


class MissingError(StoreError, FileNotFoundError):
    """A store on object storage that is not there."""


class UnreachableError(StoreError):
    """A store on object storage whose server does not answer: it may do so later."""


class BrokenStoreError(StoreError):
    """A store that does not hold what its format promises.

    Args:
        path: The store, as a path or a URL.
        what: What is wrong with it.
    """

    def __init__(self, path: object, what: str) -> None:
        super().__init__(
            f"{path} is broken: {what}. `mtdata verify` lists all that is wrong; "
            "copy or build it again."
        )
        self.path, self.what = path, what

    def __reduce__(self) -> tuple[type["BrokenStoreError"], tuple[object, str]]:
        """Rebuild from the parts, so that the error crosses from a worker process."""
        return type(self), (self.path, self.what)


class UnknownNameError(UsageError, KeyError):
    """A name that no member of a family has.

    Args:
        family: What was looked for, singular ("regime").
        name: The name that was given.
        known: The names there are.
    """

    def __init__(self, family: str, name: str, known: Iterable[object]) -> None:
        names = sorted(map(str, known))
        super().__init__(family, name, names)
        self.family, self.name, self.known = family, name, names

    def __str__(self) -> str:
        from difflib import get_close_matches

        names = list(map(str, self.known))
        near = get_close_matches(self.name, names, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        thing, of, whole = self.family.partition(" of ")
        return (
            f"There is no {thing} `{self.name}`{of}{whole}.{hint} Known: "
            f"{listed(names, LISTED) or 'none'}."
        )


def named(family: str, name: str, among: Mapping[str, Member]) -> Member:
    """The member of a name.

    Args:
        family: What is looked for, singular.
        name: The name that was given.
        among: The members by name.

    Raises:
        UnknownNameError: where none has that name.
    """
    if name not in among:
        raise UnknownNameError(family, name, among)
    return among[name]
