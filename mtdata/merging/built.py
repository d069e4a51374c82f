"""What a store was built from, as it says itself: its source, the options of that, the request."""

from collections.abc import Sequence
from typing import Any

from mtdata.building.journal import difference
from mtdata.building.request import Request, make_request
from mtdata.errors import UsageError
from mtdata.sources import SOURCES
from mtdata.sources.base import Source
from mtdata.store import Store
from mtdata.store import format as layout
from mtdata.tasks.kinds import Classes
from mtdata.tasks.task import Task


def source_name(store: Store) -> str:
    """The name of the source that a store was built from."""
    return str(store.options.get("source_name", store.dataset_name))


def check_source(store: Store) -> None:
    """Refuse a store whose source is not known here, which a plug-in made.

    Raises:
        UsageError: with what to do.
    """
    name = source_name(store)
    if name not in SOURCES:
        raise UsageError(
            f"{store.path} was built from the data set `{name}`, which a plug-in brings; it is "
            "neither named nor installed here. Name it with --plugin, or install it."
        )


def source_options(store: Store) -> dict[str, Any]:
    """The options of the source that a store was built from, as the source takes them.

    Attributes of a store are JSON with sorted keys. The order of the keys of a description is that
    of tasks and of class ids: it is taken from the tasks of the store.
    """
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in store.options.get("source", {}).items()
    }
    if "description" in given:
        given["description"] = _in_order(given["description"], store.tasks)
    return given


def _in_order(description: dict[str, Any], tasks: Sequence[Task]) -> dict[str, Any]:
    """A description with its tasks and their coloured classes in the order of the tasks."""
    described, kinds = description["tasks"], {task.name: task.kind for task in tasks}
    names = [name for name in kinds if name in described]
    files = {name: dict(described[name]) for name in (*names, *described)}
    for name in names:
        kind, colours = kinds[name], files[name].get("classes")
        if isinstance(kind, Classes) and isinstance(colours, dict):
            files[name]["classes"] = {each: colours[each] for each in kind.names}
    return {**description, "tasks": files}


def check_description(source: Source) -> None:
    """Refuse a folder whose `tasks.yaml` is another than the store was built by.

    Raises:
        UsageError: naming it.
    """
    from mtdata.sources.folder.file import FILE, read_tasks
    from mtdata.sources.folder.source import Folder

    if isinstance(source, Folder) and source.root is not None and (source.root / FILE).exists():
        now = read_tasks(source.root).model_copy(update={"unlabelled": source.file.unlabelled})
        # Two dictionaries are equal in any order; that of classes is that of their ids.
        tasks = [{task.name: task.kind for task in file.to_tasks()} for file in (now, source.file)]
        if now != source.file or tasks[0] != tasks[1]:
            raise UsageError(
                f"{source.root / FILE} has changed since the store was built by it: tasks and "
                "classes may be others, which an update cannot add. Build the store again with "
                "`mtdata build ... --overwrite`, draw its regimes and train its runs anew, or put "
                "the file back as it was."
            )


def request_of(store: Store, source: Source) -> Request:
    """The request that a store was built by.

    Raises:
        UsageError: where it was built of a part of its source, of other stores, or otherwise.
    """
    options = store.options
    if options.get("limit") is not None:
        raise UsageError(
            f"{store.path} was built with --limit {options['limit']}: what else the source has was "
            "left out on purpose. Build it again without."
        )
    if "merged" in options:
        raise UsageError(
            f"{store.path} was merged from other stores, each with a source of its own. Update "
            "those, and merge them again."
        )
    size = options.get("size")
    request = make_request(
        source,
        size=None if size is None else (size[0], size[1]),
        tasks=[task.name for task in store.tasks],
        compression=str(options.get("compression", "blosc")),
        strict=bool(options.get("strict", False)),
        limit=None,
        name=store.dataset_name,
    )
    found = {
        "dataset": store.dataset_name,
        "options": options,
        "tasks": [task.to_json() for task in store.tasks],
    }
    if layout.canonical(found) != layout.canonical(request.identity()):
        raise UsageError(
            f"{store.path} was built with other options "
            f"({difference(found, request.identity())}). Build it again with "
            "`mtdata build ... --overwrite`."
        )
    return request
