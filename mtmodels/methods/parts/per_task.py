"""Options that are one value for all tasks, or one a task."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from mtdata.errors import UnknownNameError

T = TypeVar("T")


def per_task(
    option: str, value: T | Mapping[str, T], tasks: Sequence[str], *, default: T
) -> dict[str, T]:
    """Spread an option over the tasks.

    Args:
        option: Its name, for the error.
        value: One value for all tasks, or a value for each task that is named.
        tasks: The tasks there are.
        default: For tasks that are not named.

    Raises:
        UnknownNameError: where a task is named that is not there.
    """
    if not isinstance(value, Mapping):
        return dict.fromkeys(tasks, value)
    for name in value:
        if name not in tasks:
            raise UnknownNameError(f"task for the option `{option}`", str(name), tuple(tasks))
    return {name: value.get(name, default) for name in tasks}
