"""`mtdata datasets`."""

from typing import Any

import click

from cli.common import json_option, put_json
from cli.examples import examples


@click.command(
    epilog=examples(
        "mtdata datasets",
        "mtdata datasets --json",
    ),
)
@json_option
def datasets(*, as_json: bool) -> None:
    """List what can be built: tasks, where to get it, its licence, what the folder must hold."""
    from mtdata.errors import SourceNotFoundError
    from mtdata.sources import SOURCES
    from mtdata.sources.locate import locate

    found: dict[str, Any] = {}
    for name, source in SOURCES.items():
        try:
            place = locate(source)
        except SourceNotFoundError:
            place = None
        found[name] = {
            "summary": source.summary,
            "tasks": [task.name for task in source.tasks()],
            "size": None if source.default_size is None else list(source.default_size),
            "padded_size": None if source.padded_size is None else list(source.padded_size),
            "licence": source.licence,
            "download": source.download,
            "made_here": not source.needs_root,
            "found_at": None if place is None else str(place),
        }
    put_json(found) if as_json else _print(found)


def _size(entry: dict[str, Any]) -> str:
    if entry["size"] is not None:
        return "x".join(map(str, entry["size"]))
    padded = entry["padded_size"]
    return "native" + (f", padded to {padded[0]}x{padded[1]}" if padded else "")


def _print(found: dict[str, Any]) -> None:
    import textwrap

    for name, entry in found.items():
        place = "made here" if entry["made_here"] else entry["found_at"] or "not found here"
        lines = {
            "tasks": ", ".join(entry["tasks"]) or "those of its tasks.yaml",
            "size": _size(entry),
            "licence": entry["licence"],
            "get it": entry["download"],
            "folder": place,
        }
        click.echo(f"{name}: {entry['summary']}")
        for label, text in lines.items():
            click.echo(
                textwrap.fill(
                    text, 100, initial_indent=f"  {label:<9}", subsequent_indent=" " * 11,
                    break_long_words=False, break_on_hyphens=False,
                )
            )  # fmt: skip
        click.echo()
