"""What a build makes of each sample."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtdata.errors import DataError, UnknownNameError, UsageError
from mtdata.sources import SOURCES
from mtdata.sources.base import Source
from mtdata.store.codec import Compression, compression_named
from mtdata.tasks.role import ROLES
from mtdata.tasks.task import Task

PREPARATION = 1
"""Version of what makes stored pixels of those of a source: decoding, resizing, encoding.

To be raised by hand with every change after which the same files give other pixels. A build does
not continue what another version began: half of its samples would be made in another way.
"""


@dataclass(frozen=True)
class Request:
    """Everything that decides what one sample becomes; it travels to the workers.

    `name` is what the data set is called in the store. `size` is height and width, None for the
    size that the source has. `keys` are the samples of each split, in the order of the
    store. `keep_unlabelled` tells whether an image without a label is kept: where the source says
    so, or where these are not all of its tasks.
    """

    source: Source
    tasks: tuple[Task, ...]
    keys: Mapping[str, tuple[str, ...]]
    size: tuple[int, int] | None
    compression: Compression
    strict: bool
    limit: int | None
    keep_unlabelled: bool
    name: str

    @property
    def samples(self) -> int:
        """How many samples there are in all splits."""
        return sum(map(len, self.keys.values()))

    @property
    def task_names(self) -> tuple[str, ...]:
        """Names of the tasks, in the order of the store."""
        return tuple(task.name for task in self.tasks)

    @property
    def padded_size(self) -> tuple[int, int] | None:
        """Height and width that images are padded to, where the source knows it beforehand."""
        return self.source.padded_size if self.size is None else None

    def options(self) -> dict[str, Any]:
        """What is stored as the options of a store; two requests that differ differ here."""
        return {
            "source": dict(self.source.options),
            "size": list(self.size) if self.size else None,
            "compression": self.compression,
            "strict": self.strict,
            "limit": self.limit,
            "preparation": PREPARATION,
            **({} if self.name == self.source.name else {"source_name": self.source.name}),
        }

    def identity(self) -> dict[str, Any]:
        """What a partial or whole store must agree on to be continued."""
        return {
            "dataset": self.name,
            "options": self.options(),
            "tasks": [task.to_json() for task in self.tasks],
        }


def make_request(
    source: Source,
    *,
    size: tuple[int, int] | None,
    tasks: Sequence[str] | None,
    compression: str,
    strict: bool,
    limit: int | None,
    name: str | None = None,
) -> Request:
    """Check the options of a build.

    Raises:
        UsageError: for one that cannot be, or a task that the source does not have.
        DataError: where the source has no image, or a split without a role.
    """
    if size is not None and min(size) < 1:
        raise UsageError(f"`size` should be two positive numbers; found {size[0]}x{size[1]}.")
    if limit is not None and limit < 1:
        raise UsageError(f"`limit` should be at least 1; found {limit}. Leave it out for all.")
    codec = compression_named(compression)
    known = source.tasks(**source.options)
    chosen = _choose(known, tasks)
    keys = {name: tuple(found)[:limit] for name, found in source.splits().items()}
    keys = {name: found for name, found in keys.items() if found}
    if not keys:
        raise DataError(
            f"{source.root or source.name} should hold images; it has none. Give another source."
        )
    roles = source.roles()
    for split in keys:
        if roles.get(split) not in ROLES:
            raise DataError(
                f"the role of each split should be one of {', '.join(ROLES)}; {source.name} gives "
                f"`{split}` the role {roles.get(split)!r}. Correct `roles` of the source."
            )
    keep = source.keeps_unlabelled or len(chosen) < len(known)
    return Request(
        source,
        chosen,
        keys,
        size,
        codec,
        strict,
        limit,
        keep_unlabelled=keep,
        name=_name(name, source),
    )


def _name(name: str | None, source: Source) -> str:
    """What the data set is called in the store."""
    if name is None or name == source.name:
        return source.name
    if source.official:
        raise UsageError(
            f"`name` is for data of your own; {source.name} keeps its name, under which its terms "
            "and its published results are known. Leave --name out."
        )
    if not re.fullmatch(r"\w[\w.-]*", name) or name in SOURCES:
        raise UsageError(
            "`name` should be letters, digits, -, _ and dots, and not that of another data set; "
            f"found {name!r}."
        )
    return name


def _choose(known: tuple[Task, ...], names: Sequence[str] | None) -> tuple[Task, ...]:
    if names is None:
        return known
    listed = [task.name for task in known]
    for name in names:
        if name not in listed:
            raise UnknownNameError("task", name, listed)
    if not names:
        raise UsageError(f"`tasks` should name at least one of {', '.join(listed)}; found none.")
    return tuple(task for task in known if task.name in names)
