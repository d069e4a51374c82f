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
    from mtmodels.scoring.score_table import ScoreTable


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
    "--published", is_flag=True, help="Add the published rows of the same data and regime."
)
@click.option("--all-regimes", is_flag=True, help="With --published: those of other regimes, too.")
@click.option(
    "--anyway",
    is_flag=True,
    help="Print numbers that mean little beside each other (another size, split, number of images, "
    "origin of labels or protocol), with the reason.",
)
@click.option("--protocol", type=Member(METRICS, late=True), help="Only this.  [default: all]")
@click.option("--split", metavar="NAME", help="Split of the scores.  [default: those of role test]")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@json_option
def compare(
    runs: tuple[Path, ...],
    *,
    baselines: tuple[str, ...],
    published: bool,
    all_regimes: bool,
    anyway: bool,
    protocol: str | None,
    split: str | None,
    markdown: bool,
    as_json: bool,
) -> None:
    """Put runs whose scores are about the same thing into one table; seeds share a line.

    The line above a table says what all its lines share, those below it what they differ in.
    """
    from mtmodels.scoring.compare import Request
    from mtmodels.scoring.compare import compare as put_together

    request = Request(
        baseline=_baseline(baselines, split, protocol),
        published=published or all_regimes,
        all_regimes=all_regimes,
        anyway=anyway,
    )
    tables = put_together(_rows(runs, split, protocol), request)
    if as_json:
        put_json({"tables": [table.to_json() for table in tables]})
        return
    for number, table in enumerate(tables):
        if markdown:
            click.echo(table.to_markdown())
        else:
            click.echo("\n" if number else "", nl=False)
            _print(table)


def _rows(runs: tuple[Path, ...], split: str | None, protocol: str | None) -> list[dict[str, Any]]:
    """What has been scored of the runs."""
    from mtdata.errors import UnknownNameError, UsageError
    from mtmodels.training.rescore import scores_of
    from mtmodels.training.setup.loading import open_run

    rows = []
    for path in runs:
        # Scores are read from files: what a run brings along as plug-ins is not run.
        run = open_run(path, plugins=False)
        found = scores_of(run, split=split)
        scored = [row["protocol"] for row in found]
        if protocol and protocol not in {*scored, *METRICS}:
            raise UnknownNameError("protocol", protocol, {*METRICS, *scored})
        wanted = [row for row in found if protocol in (None, row["protocol"])]
        if not wanted:
            raise UsageError(_unscored(path, run.scored_splits(), split, protocol))
        rows += wanted
    return rows


def _unscored(path: Path, there: list[str], split: str | None, protocol: str | None) -> str:
    """What to do where a run has no such scores."""
    what = "a split of role test" if split is None else f"the split `{split}`"
    under = f" under {protocol}" if protocol else ""
    options = (f" --split {split}" if split else "") + (
        f" --protocol {protocol}" if protocol else ""
    )
    score = f"mtmodels eval {path}{options}"
    if not there:
        return f"{path} should have scores of {what}{under}; found none. Score it: {score}"
    return (
        f"{path} should have scores of {what}{under}; found those of {', '.join(there)}. Compare "
        f"what there is with --split {there[0]}, or score it: {score}"
    )


def _baseline(
    baselines: tuple[str, ...], split: str | None, protocol: str | None
) -> "BaselineSource":
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


def _print(table: "ScoreTable") -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=200)  # a pipe has no width
    console.print(table.to_rich(console.width))
