"""`mtdata init`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.shared.common import json_option, paragraph, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.members import Member
from cli.shared.options import FILE
from mtdata.errors import DataError, UsageError
from mtdata.sources.folder.annotations import FORMATS
from mtdata.wording import counted, sentence

if TYPE_CHECKING:
    from mtdata.sources.folder.proposing.proposal import Proposal


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata init photos",
        "mtdata init photos --stdout",
        "mtdata init photos --look sheet.png",
        "mtdata init annotated --dataset coco-masks",
        "mtdata build --dataset folder --source photos --out photos.h5",
    ),
)
@click.argument("folder", metavar="DIR", type=FILE)
@click.option("--stdout", is_flag=True, help="Print the proposal, and write nothing.")
@click.option("--overwrite", is_flag=True, help="Replace a tasks.yaml that exists.")
@click.option(
    "--look",
    "look",
    metavar="PNG",
    type=FILE,
    help="Draw six files of each task as they would be read.",
)
@click.option(
    "--dataset",
    "annotations",
    type=Member(FORMATS),
    help="Format of the annotations to look for.  [default: whatever is recognised]",
)
@json_option
def init(
    folder: Path,
    *,
    stdout: bool,
    overwrite: bool,
    look: Path | None,
    annotations: str | None,
    as_json: bool,
) -> None:
    """Look at a folder of images and labels, and propose its tasks.yaml.

    Each line of the proposal says what it was inferred from. What is not clear is left out, with
    what to write. Correct what is wrong, then build.
    """
    from mtdata.atomic import replacing
    from mtdata.inspecting.figures import check_path
    from mtdata.sources.folder.file import FILE as NAME
    from mtdata.sources.folder.proposing.proposal import propose

    path = folder / NAME
    if path.exists() and not overwrite and not stdout:
        raise UsageError(
            f"{path} exists already. Replace it with --overwrite, or look at a new proposal with "
            "--stdout."
        )
    if look is not None:
        check_path(look)
    found = propose(folder, annotations)
    if not stdout:
        with replacing(path) as fresh:
            fresh.write_text(found.text, encoding="utf-8")
    if as_json:
        put_json({"path": None if stdout else str(path), **found.to_json()})
    elif stdout:
        click.echo(found.text, nl=False)
    if not as_json:
        _tell(folder, None if stdout else path, found)
    if look is not None and found.tasks:
        from mtdata.inspecting.figures import save
        from mtdata.inspecting.proposed import proposed_sheet

        save(proposed_sheet(folder, found.text, found.tasks), look)
        say(f"Drew {look}: is this what the labels mean?")
    if not found.confidence:
        raise DataError(
            f"no task of {folder} is clear enough to be proposed. Complete {NAME} by what is said "
            "above, then build."
        )


def _tell(folder: Path, path: Path | None, found: "Proposal") -> None:
    if found.annotations:
        say(paragraph(f"Took the annotations of {found.annotations}."))
    for task, count in found.tasks.items():
        sure = f"{found.confidence[task]:.2f}"
        say(f"{task}: labels of {count} of {counted(found.images, 'image')} (confidence {sure}).")
    for text in found.unpaired:
        say(paragraph(sentence(f"Note: {text}")))
    for pattern, why in found.left_out.items():
        say(paragraph(sentence(f"Left out: {pattern}: {why}")))
    if found.problem:
        say(paragraph(f"A build would refuse this folder as it is: {found.problem}"))
    if path is not None:
        say(f"Wrote {path}: read it, correct it, name the classes.")
    if found.confidence:
        size = "" if found.size is None else f" --size {found.size[0]}x{found.size[1]}"
        say(f"Next: mtdata build --dataset folder --source {shlex.quote(str(folder))}{size}")
