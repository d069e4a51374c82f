"""`mtmodels compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.shared.common import json_option, put_json
from cli.shared.groups import Command, examples
from cli.shared.members import Member
from cli.shared.options import FILE
from mtmodels.metrics import METRICS

if TYPE_CHECKING:
    from mtmodels.scoring.compare import BaselineSource


@click.command(
    cls=Command,
    epilog=examples(
        "mtmodels compare runs/nyu-*",
        "mtmodels compare runs/xtc-s* --baseline runs/sl-depth --baseline runs/sl-semantic",
        "mtmodels compare runs/nyu-xtc-* --published --baseline 'xtasc-net/III/Base ST-Net'",
    ),
)
@click.argument("runs", nargs=-1, required=True, type=FILE)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    metavar="RUN|PAPER/TABLE/ROW",
    help="What delta is against: runs (one a task together make one baseline), or a published row.",
)
@click.option(
    "--published", is_flag=True, help="Add the published rows that may stand beside them."
)
@click.option("--protocol", type=Member(METRICS, late=True), help="Only this.  [default: all]")
@click.option("--split", default="test", show_default=True, help="Split of the scores.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@json_option
def compare(
    runs: tuple[Path, ...],
    *,
    baselines: tuple[str, ...],
    published: bool,
    protocol: str | None,
    split: str,
    markdown: bool,
    as_json: bool,
) -> None:
    """Put runs into tables, one a protocol, data set and split; seeds share a line."""
    from mtmodels.scoring.compare import compare as put_together

    tables = put_together(
        _rows(runs, split, protocol),
        baseline=_baseline(baselines, split, protocol),
        with_published=published,
    )
    if as_json:
        put_json({"tables": [table.to_json() for table in tables]})
        return
    for table in tables:
        if markdown:
            click.echo(table.to_markdown())
        else:
            _print(table)


def _rows(runs: tuple[Path, ...], split: str, protocol: str | None) -> list[dict[str, Any]]:
    """What has been scored of the runs."""
    from mtdata.errors import UnknownNameError, UsageError
    from mtmodels.training.rescore import scores_of
    from mtmodels.training.setup.loading import open_run

    rows = []
    for path in runs:
        # Scores are read from files: what a run brings along as plug-ins is not run.
        found = scores_of(open_run(path, plugins=False), split=split)
        scored = [row["protocol"] for row in found]
        if protocol and protocol not in {*scored, *METRICS}:
            raise UnknownNameError("protocol", protocol, {*METRICS, *scored})
        wanted = [row for row in found if protocol in (None, row["protocol"])]
        if not wanted:
            under = f" under {protocol}" if protocol else ""
            raise UsageError(
                f"{path} should have scores of the split `{split}`{under}; found none. Score it: "
                f"mtmodels eval {path} --split {split}"
            )
        rows += wanted
    return rows


def _baseline(baselines: tuple[str, ...], split: str, protocol: str | None) -> "BaselineSource":
    """Runs, or one published row."""
    from mtdata.errors import UsageError
    from mtmodels.scoring.published import published_row

    if not any(Path(one).is_dir() for one in baselines) and baselines:
        if len(baselines) > 1:
            raise UsageError(
                "--baseline should be given runs, or one published row; found "
                f"{', '.join(baselines)}."
            )
        return published_row(baselines[0])
    return _rows(tuple(map(Path, baselines)), split, protocol)


def _print(table: Any) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        # A pipe has no width; a table cut at 80 columns would lose numbers.
        console = Console(highlight=False, markup=False, width=200)
    console.print(table.to_rich())
