"""`mtdata verify`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.shared.common import json_option, paragraph, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.members import Member
from cli.shared.options import (
    FILE,
    jobs_option,
    limit_option,
    regime_name,
    split_name,
    store_argument,
)
from cli.shared.plugins import plugin_option
from mtdata.errors import DataError, UsageError
from mtdata.inspecting.suspicions import CHECKS
from mtdata.urls import StorePath
from mtdata.wording import counted

if TYPE_CHECKING:
    from mtdata.inspecting.suspicions.looking import Suspicions
    from mtdata.inspecting.verify import Report


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata verify data/nyu.h5",
        "mtdata verify data/nyu.h5 --split train --limit 100 --jobs 2",
        "mtdata verify data/nyu.h5 --deep --sheet suspects.png",
        "mtdata verify data/nyu.h5 --deep --check duplicate --strict --json",
    ),
)
@store_argument
@click.option(
    "--deep",
    is_flag=True,
    help="Look at what labels mean too, and name those that seem wrong: shifted, classes swapped, "
    "another unit, other axes, duplicates, exposure, constant labels.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="End with 3 for a suspicion, and for an image both to train and to test on, too.",
)
@click.option(
    "--check",
    "checks",
    multiple=True,
    type=Member(CHECKS),
    help="--deep: only this check; may be repeated.  [default: all]",
)
@regime_name(help="--deep: look only at the labels that it shows.  [default: all]")
@click.option("--sheet", type=FILE, help="--deep: draw the suspects, for instance into s.png.")
@split_name(help="Only the samples of this split.  [default: all]")
@limit_option
@jobs_option
@plugin_option
@json_option
def verify(
    store: StorePath,
    *,
    deep: bool,
    strict: bool,
    checks: tuple[str, ...],
    regime: str | None,
    sheet: Path | None,
    split: str | None,
    limit: int | None,
    jobs: int,
    as_json: bool,
) -> int:
    """Check structure, checksums, digests and ranges of every sample. Ends with 3 for a problem.

    An image both to train and to test on is told; that is no fault of the file. With --deep, labels
    that seem wrong are named as well, if all that is right. They are suspicions: the command ends
    with 0, unless --strict is given.
    """
    from cli.shared.progress import progress_bar
    from mtdata.inspecting.figures import check_path
    from mtdata.inspecting.verify import verify as check

    options = {"--check": checks, "--regime": regime, "--sheet": sheet}
    given = [name for name, value in options.items() if value]
    if given and not deep:
        raise UsageError(f"{given[0]} is about what labels mean: give --deep too.")
    if sheet is not None:
        check_path(sheet)
    with progress_bar("samples") as progress:
        report = check(store, progress, split=split, limit=limit, jobs=jobs)
    found = None
    if deep and report.ok:
        found = _deep(store, checks, regime, split, limit, jobs, sheet)
    if as_json:
        put_json({**_problems(report), **_suspicions(found)})
    else:
        _print(store, report, found)
    if report.shared:
        text = (
            f"Warning: {counted(len(report.shared), 'image')} in splits for different things: what "
            "is trained on should not be tested on. Build the store again with other splits."
        )
        say(paragraph(text))
    if not report.sealed:
        text = (
            "Made by an earlier version: its tables and attributes have no digests, so that some "
            "changes of them cannot be seen. A store that is built again has."
        )
        say(paragraph(text))
    doubtful = strict and (report.shared or (found is not None and found.found))
    return DataError.exit_code if doubtful or not report.ok else 0


def _deep(
    store: StorePath,
    checks: tuple[str, ...],
    regime: str | None,
    split: str | None,
    limit: int | None,
    jobs: int,
    sheet: Path | None,
) -> "Suspicions":
    from cli.shared.progress import progress_bar
    from mtdata.inspecting.figures import save
    from mtdata.inspecting.suspicions.drawing import MOST, draw
    from mtdata.inspecting.suspicions.looking import suspect
    from mtdata.store import open_store

    with open_store(store) as opened:
        with progress_bar("images") as progress:
            found = suspect(
                opened, regime, progress, checks=checks or None, split=split, limit=limit, jobs=jobs
            )
        if sheet is not None and found.found:
            save(draw(opened, found.found, regime), sheet)
            drawn = min(MOST, len(found.found))
            say(f"Drew {drawn} of {counted(len(found.found), 'suspicion')} into {sheet}.")
    if sheet is not None and not found.found:
        say(f"Nothing to draw into {sheet}.")
    for note in found.notes:
        say(paragraph(note))
    return found


def _problems(report: "Report") -> dict[str, object]:
    problems = [{"where": p.where, "what": p.what} for p in report.problems]
    shared = [{"where": p.where, "what": p.what} for p in report.shared]
    return {"ok": report.ok, "problems": problems, "samples": report.samples, "shared": shared}


def _suspicions(found: "Suspicions | None") -> dict[str, object]:
    if found is None:
        return {}
    each = [
        {
            "where": s.where,
            "kind": s.kind,
            "what": s.what,
            "score": None if s.score is None else round(s.score, 2),
            "beside": None if s.beside is None else str(s.beside),
        }
        for s in found.found
    ]
    return {"suspicions": each, "kinds": found.kinds, "notes": list(found.notes)}


def _print(store: StorePath, report: "Report", found: "Suspicions | None") -> None:
    if not report.ok:
        for problem in report.problems:
            click.echo(f"{problem.where}: {problem.what}")
        say(
            f"{store}: {counted(len(report.problems), 'problem')} in "
            f"{counted(report.samples, 'sample')}. Copy or build it again."
        )
        return
    for problem in report.shared:
        click.echo(f"{problem.where}: {problem.what}")
    click.echo(f"{store}: {counted(report.samples, 'sample')}, no problem found.")
    if found is None:
        return
    from cli.shared.tables import put_lines

    for kind, number in found.kinds.items():
        click.echo(f"\n{kind}: {number}")
        for each in found.found:
            if each.kind == kind:
                sure = "" if each.score is None else f" ({each.score:.1f} spreads)"
                put_lines(f"{each.where}: {each.what}{sure}", indent=2, hanging=2)
    if not found.found:
        click.echo("Nothing seems wrong in what labels mean.")
    else:
        counts = f"{counted(len(found.found), 'suspicion')} in {counted(found.images, 'image')}"
        say(f"\n{counts}: look before you believe.")
