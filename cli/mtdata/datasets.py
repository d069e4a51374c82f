"""`mtdata datasets`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.shared.common import json_option, paragraph, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.members import Member
from cli.shared.options import FILE
from cli.shared.plugins import plugin_option
from mtdata.errors import DataError, SourceNotFoundError, UsageError
from mtdata.sources import SOURCES

if TYPE_CHECKING:
    from mtdata.sources.base import Source
    from mtdata.sources.completeness import Completeness


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata datasets",
        "mtdata datasets cityscapes --source downloads",
        "mtdata datasets nyu --source nyuv2 --verify",
        "mtdata datasets --json",
    ),
)
@click.argument("name", required=False, metavar="[NAME]", type=Member(SOURCES))
@click.option("--source", "root", type=FILE, help="Folder of NAME: tell what is there of it.")
@click.option("--verify", is_flag=True, help="Compare the digests of the files of NAME, too.")
@plugin_option
@json_option
def datasets(*, name: str | None, root: Path | None, verify: bool, as_json: bool) -> None:
    """List what can be built: tasks, where to get it, its licence, what the folder must hold.

    With NAME, tell what a folder has of that data set, and what it lacks.
    """
    from mtdata.plugins import load_installed

    if name is None:
        load_installed()
        if root is not None or verify:
            raise UsageError("--source and --verify are about one data set: give its NAME.")
        found = {each: _about(each, source) for each, source in SOURCES.items()}
        put_json(found) if as_json else _print(found)
        return
    source = SOURCES[name]
    if not source.needs_root and (root is not None or verify):
        raise UsageError(f"`{name}` is made here: there is no folder to look at.")
    place = _place(source, root, asked=verify)
    copy = None if place is None else _look(name, place, verify=verify)
    about = _about(name, source)
    if as_json:
        put_json(about | {"copy": copy.to_json() if copy else None})
    else:
        _print({name: about})
        if copy is not None:
            _print_copy(copy, verify=verify)
    if verify and copy is not None and copy.others:
        each = copy.others[0]
        raise DataError(
            f"{copy.root / each.file.name} should be the published file; found {each.found}. "
            "Download it again."
        )


def _place(source: "type[Source]", root: Path | None, *, asked: bool = False) -> Path | None:
    """The folder to look at; that there is none is an error where it was asked for."""
    from mtdata.sources.locate import locate

    try:
        return locate(source, root)
    except SourceNotFoundError:
        if asked:
            raise
        return None


def _look(name: str, place: Path, *, verify: bool) -> "Completeness":
    from cli.shared.progress import progress_bar
    from mtdata.sources.completeness import completeness
    from mtdata.sources.locate import open_source

    with progress_bar("MiB") as report:
        return completeness(open_source(name, place), place, digests=verify, progress=report)


def _about(name: str, source: "type[Source]") -> dict[str, Any]:
    place = _place(source, None)
    return {
        "summary": source.summary,
        "tasks": [task.name for task in source.tasks()],
        "size": None if source.default_size is None else list(source.default_size),
        "padded_size": None if source.padded_size is None else list(source.padded_size),
        "licence": source.licence,
        "download": source.download,
        "space": source.space,
        "official": dict(source.official),
        "digests": {
            file.name: {"md5": file.md5, "bytes": file.size, "told_by": file.told_by}
            for file in source.published
        },
        "made_here": not source.needs_root,
        "found_at": None if place is None else str(place),
        "origin": SOURCES.origins.get(name),
    }


def _size(entry: dict[str, Any]) -> str:
    if entry["size"] is not None:
        return "x".join(map(str, entry["size"]))
    padded = entry["padded_size"]
    return "native" + (f", padded to {padded[0]}x{padded[1]}" if padded else "")


def _print(found: dict[str, Any]) -> None:
    for name, entry in found.items():
        place = "made here" if entry["made_here"] else entry["found_at"] or "not found here"
        click.echo(f"{name}: {entry['summary']}")
        _line("tasks", ", ".join(entry["tasks"]) or "those of its tasks.yaml")
        _line("size", _size(entry))
        _line("space", entry["space"])
        _line("licence", entry["licence"])
        _line("get it", entry["download"])
        for file, known in entry["digests"].items():
            digest = (
                f"md5 {known['md5']} ({known['told_by']})" if known["md5"] else known["told_by"]
            )
            _line("digest", f"{file}: {digest}")
        counts = ", ".join(f"{count} in {split}" for split, count in entry["official"].items())
        _line("complete", counts and f"{counts}: `mtdata datasets {name} --source DIR` counts them")
        _line("folder", place)
        _line("from", entry["origin"] or "")
        click.echo()


def _line(label: str, text: str) -> None:
    import textwrap

    if text:
        click.echo(
            textwrap.fill(
                text, 100, initial_indent=f"  {label:<9}", subsequent_indent=" " * 11,
                break_long_words=False, break_on_hyphens=False,
            )
        )  # fmt: skip


def _print_copy(copy: "Completeness", *, verify: bool) -> None:
    from cli.shared.tables import put_table

    put_table(
        ["split", "images", "official"],
        [(name, there, of) for name, (there, of) in copy.splits.items()],
    )
    if copy.files:
        put_table(
            ["file as downloaded", "here"],
            [(each.file.name, each.found or each.state) for each in copy.files],
            left=2,
        )
    for remark in copy.remarks:
        say(paragraph(f"Note: {remark}"))
    if not verify and any(each.state == "there" and each.file.md5 for each in copy.files):
        say("Digests were not compared: --verify reads the files through and does.")
