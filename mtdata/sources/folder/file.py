"""Reading `tasks.yaml`: an error names the line, the key and the nearest known one."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from mtdata.errors import DataError, SourceNotFoundError, UnknownNameError, should_be
from mtdata.sources.files.files import check_files, read_text
from mtdata.sources.folder.tasks import (
    ANNOTATED,
    TASK_FILES,
    AnnotatedFile,
    Part,
    Splits,
    TasksFile,
)
from mtdata.yaml_text import YamlError, compose_yaml

FILE = "tasks.yaml"


def read_tasks(root: Path) -> TasksFile:
    """Read and check the `tasks.yaml` of a folder.

    Raises:
        SourceNotFoundError: where there is none.
        DataError: naming line and key of what cannot be, or a link out of the folder.
    """
    path = root / FILE
    check_files([path], root)
    if not path.exists():
        raise SourceNotFoundError(
            f"{root} should hold {FILE}, which says what lies where; there is none. "
            f"`mtdata init {shlex.quote(str(root))}` proposes one."
        )
    return parse(read_text(path), str(path))


def line_of(root: Path, *keys: str) -> str:
    """The file and the line of a key, for messages; the file where that cannot be told."""
    path = root / FILE
    if not path.exists():  # a store was built by it
        return str(path)
    return f"{path}, line {_locate(compose_yaml(read_text(path))[0], keys)[0]}"


def parse(text: str, where: str = FILE) -> TasksFile:
    """As `read_tasks`, from the text; `where` is named in errors.

    Raises:
        DataError: naming line and key of what cannot be.
    """
    try:
        node, content = compose_yaml(text)
    except YamlError as error:
        raise DataError(error.at(where)) from None
    if not isinstance(content, dict):
        raise DataError(f"{where}: should hold `images` and `tasks`; found {str(content)[:80]!r}.")
    try:
        return TasksFile.model_validate(content)
    except ValidationError as error:
        raise DataError(_explain(error, node, where)) from None


def _explain(error: ValidationError, node: yaml.Node | None, where: str) -> str:
    """Say what the first problem is and in which line."""
    # A key that is misspelt is missing under its right name too: the misspelling says more. So
    # does the deeper one, where a value may have several forms.
    first = min(
        error.errors(), key=lambda each: (each["type"] != "extra_forbidden", -len(each["loc"]))
    )
    line, path = _locate(node, first["loc"])
    place = f"{where}, line {line}"
    if first["type"] == "extra_forbidden":
        wrong = UnknownNameError("key", str(first["loc"][-1]), _known(first["loc"][:-1]))
        return f"{place}: `{'.'.join(path)}`: {wrong}"
    if first["type"] == "union_tag_not_found":
        return f"{place}: `{'.'.join(path)}` should say its `kind`: {', '.join(TASK_FILES)}."
    if first["type"] == "union_tag_invalid":
        wrong = UnknownNameError("kind of label", first["ctx"]["tag"], TASK_FILES)
        return f"{place}: `{'.'.join(path)}`: {wrong}"
    if first["type"] == "missing":
        return f"{place}: `{'.'.join([*path, str(first['loc'][-1])])}` should be given; it is not."
    message, quotes = should_be(first), ""
    if first["type"] == "string_type" and isinstance(first["input"], bool):
        quotes = " (YAML reads yes, no, on and off so: put them in quotes)"
    name = f"`{'.'.join(path)}`: " if path else ""
    return f"{place}: {name}{message}{quotes}."


def _locate(node: yaml.Node | None, loc: Sequence[int | str]) -> tuple[int, list[str]]:
    """The line of what pydantic calls `loc`, and its keys without the tags of unions."""
    line, path = 1, []
    for place, part in enumerate(loc):
        if place == 2 and loc[0] == "tasks":
            continue  # the kind, which tells pydantic what to check against
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if str(key.value) == str(part):
                    line, node = key.start_mark.line + 1, value
                    path.append(str(part))
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
            path.append(str(part))
    return line, path


def _known(loc: Sequence[Any]) -> list[str]:
    """The keys that the part at `loc` has."""
    part: type[Part] = TasksFile
    if loc and loc[0] == "splits":
        part = Splits
    elif loc and loc[0] == "tasks":
        part = AnnotatedFile if loc[2] == ANNOTATED else TASK_FILES[loc[2]]
    return list(part.model_fields)
