"""The one place where YAML is read: plain values only, within limits, each key once.

What a file of somebody else's can hold is looked at before anything is made of it: aliases that
double at every level stay small until they are walked through, and values that YAML names and
Python cannot make are found with their line.
"""

from collections.abc import Iterator
from typing import Any

import yaml

CHARACTERS = 4 * 2**20
"""Characters of a text; the largest of this program has some 60,000."""
VALUES = 100_000
"""Values that a text may hold when every alias is written out."""
DEPTH = 50
"""Levels of lists and mappings inside each other."""
MERGE = "tag:yaml.org,2002:merge"
"""The tag of `<<`, which is no value."""
SHOWN = 40
WORDS = {
    "expected the node content, but found": "a value should be here; found",
    "expected <block end>, but found": "it should end here, or be indented otherwise; found",
    "'<stream end>'": "the end",
    "'<": "a '",
    ">'": "'",
}
"""Words of the reader of YAML, in the order in which they are looked for, and ours."""


class YamlError(ValueError):
    """A text that cannot be taken: what is wrong with it, and in which line, 0 where in none."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(what, line)
        self.what, self.line = what, line

    def at(self, where: object) -> str:
        """A sentence, about the file that the text is from."""
        line = f", line {self.line}" if self.line else ""
        return f"{where}{line}: {self.what}."


class _Loader(yaml.SafeLoader):
    """Ends at the first level too many: the time that levels take grows with their square."""

    levels = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A value, and what is in it."""
        if self.levels > DEPTH:
            line = self.peek_event().start_mark.line + 1
            raise YamlError(f"should have at most {DEPTH} levels; found more", line)
        self.levels += 1
        node = super().compose_node(parent, index)
        self.levels -= 1
        return node


def load_yaml(text: str) -> Any:
    """The plain value of a text: mappings, lists, texts, numbers, dates.

    Raises:
        YamlError: where it is none, or too much.
    """
    return compose_yaml(text)[1]


def compose_yaml(text: str) -> tuple[yaml.Node | None, Any]:
    """As `load_yaml`, with the nodes that know their lines.

    Raises:
        YamlError: where it is none, or too much.
    """
    if len(text) > CHARACTERS:
        raise YamlError(f"should have at most {CHARACTERS} characters; found {len(text)}")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, None
        _check_size(node)
        for each in _nodes(node):
            _check(loader, each)
        return node, loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be read"
        for theirs, ours in WORDS.items():
            problem = problem.replace(theirs, ours)
        raise YamlError(f"should be YAML; {problem}", mark.line + 1 if mark else 0) from None
    except RecursionError:
        raise YamlError(f"should have at most {DEPTH} levels; it has far more") from None


def _nodes(node: yaml.Node) -> Iterator[yaml.Node]:
    """Every node once, however many aliases name it."""
    seen, todo = set[int](), [node]
    while todo:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        todo += _children(each)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_size(node: yaml.Node) -> None:
    """Count what there would be without aliases, each node once."""
    sizes: dict[int, int] = {}
    inside: set[int] = set()

    def size(each: yaml.Node, depth: int) -> int:
        line = each.start_mark.line + 1
        if depth > DEPTH:
            raise YamlError(f"should have at most {DEPTH} levels; found more", line)
        if id(each) in inside:
            raise YamlError("an alias should not name what it stands in; this one does", line)
        if id(each) not in sizes:
            inside.add(id(each))
            sizes[id(each)] = 1 + sum(size(part, depth + 1) for part in _children(each))
            inside.remove(id(each))
        if sizes[id(each)] > VALUES:
            raise YamlError(
                f"should hold at most {VALUES} values; its aliases stand for more", line
            )
        return sizes[id(each)]

    size(node, 0)


def _check(loader: yaml.SafeLoader, node: yaml.Node) -> None:
    """Refuse a value that Python cannot make, and a key that is given twice."""
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError("a key should be a single value; found several", line)
            at = key.start_mark.line + 1
            if key.value in seen and key.tag != MERGE:
                first = seen[key.value]
                what = f"`{key.value}` should be given once; it is in line {first} already"
                raise YamlError(what, at)
            seen[key.value] = at
    elif isinstance(node, yaml.ScalarNode) and node.tag != MERGE:
        try:
            loader.construct_object(node)
        except (ValueError, OverflowError, TypeError, KeyError, AttributeError):
            kind = node.tag.rpartition(":")[2]
            shown = node.value[:SHOWN] + ("..." if len(node.value) > SHOWN else "")
            raise YamlError(
                f"`{shown}` should be a value of the kind {kind}; it cannot be one. Put it in "
                "quotes if it is a text",
                line,
            ) from None
