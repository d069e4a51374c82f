"""`mtdata verify`."""

from pathlib import Path

import click

from cli.shared.common import json_option, paragraph, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.options import store_argument
from mtdata.errors import DataError


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata verify data/nyu.h5",
        "mtdata verify data/nyu.h5 --split train --limit 100 --jobs 2",
        "mtdata verify data/nyu.h5 --json",
    ),
)
@store_argument
@click.option("--split", help="Only the samples of this split.  [default: all]")
@click.option("--limit", type=click.IntRange(1), help="Only so many samples of each split.")
@click.option(
    "-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Worker processes."
)
@json_option
def verify(store: Path, *, split: str | None, limit: int | None, jobs: int, as_json: bool) -> int:
    """Check structure, checksums, digests and ranges of every sample. Ends with 3 for a problem."""
    from cli.shared.progress import progress_bar
    from mtdata.inspecting.verify import verify as check

    with progress_bar("samples") as progress:
        report = check(store, progress, split=split, limit=limit, jobs=jobs)
    if as_json:
        problems = [{"where": p.where, "what": p.what} for p in report.problems]
        put_json({"ok": report.ok, "problems": problems, "samples": report.samples})
    elif report.ok:
        click.echo(f"{store}: {report.samples:,} samples, no problem found.")
    else:
        for problem in report.problems:
            click.echo(f"{problem.where}: {problem.what}")
        say(
            f"{store}: {len(report.problems)} problem(s) in {report.samples:,} samples. "
            "Copy or build it again."
        )
    if not report.sealed:
        text = (
            "Made by an earlier version: its tables and attributes have no digests, so that some "
            "changes of them cannot be seen. A store that is built again has."
        )
        say(paragraph(text))
    return 0 if report.ok else DataError.exit_code
