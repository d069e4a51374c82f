"""`mtmodels compare`."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.members import Member
from cli.shared.options import FILE, tasks_option
from mtmodels.metrics import METRICS

if TYPE_CHECKING:
    from mtmodels.scoring.compare import BaselineSource
    from mtmodels.scoring.score_table import ScoreTable

EVERY = "every table"
FORMATS = ("text", "markdown", "latex", "csv", "json")
FEWEST = 100
"""Draws of the images from which an interval says something."""


def _enough(_context: click.Context, _option: click.Parameter, value: int) -> int:
    """Refuse draws so few that an interval of them says nothing."""
    if 0 < value < FEWEST:
        raise click.BadParameter(f"{value} is neither 0 nor {FEWEST} or more.")
    return value


@click.command(
    cls=Command,
    epilog=examples(
        "mtmodels compare runs/nyu-*",
        "mtmodels compare runs/xtc-s* --baseline runs/sl-depth --baseline runs/sl-semantic",
        "mtmodels compare runs/nyu-xtc-* --baseline 'xtasc-net/III/Base ST-Net' --published",
        "mtmodels compare runs/sl-s0 runs/mtpsl-s0 --paired",
        "mtmodels compare runs/* --baseline runs/sl-s0 --format latex --plot compared.pdf",
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
    "--published",
    multiple=True,
    is_flag=False,
    flag_value=EVERY,
    metavar="[TABLE]",
    help="Add the published rows of the same data and regime: of a table (mtpsl/2), of a paper "
    "(mtpsl), or of all where none is named. Give the runs before it.",
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
@tasks_option
@click.option(
    "--join",
    is_flag=True,
    help="Runs of one task each that agree in all else are one line: single-task learning.",
)
@click.option(
    "--paired",
    is_flag=True,
    help="Test the differences between two runs, or of each to the baseline: same seeds, same "
    "images.",
)
@click.option(
    "--intervals", is_flag=True, help="Print the 95 % interval of every score, not of delta alone."
)
@click.option(
    "--resamples",
    type=click.IntRange(min=0),
    default=2000,
    show_default=True,
    callback=_enough,
    help="How often the images are drawn again for intervals, 100 or more; 0 for none.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="LaTeX is with booktabs; CSV has all digits.",
)
@click.option(
    "-o",
    "--plot",
    type=FILE,
    metavar="FILE",
    help="Draw scores of classes, deltas and learning curves: .png, .pdf or .svg.",
)
@json_option
def compare(
    runs: tuple[Path, ...],
    *,
    baselines: tuple[str, ...],
    published: tuple[str, ...],
    all_regimes: bool,
    anyway: bool,
    protocol: str | None,
    split: str | None,
    tasks: tuple[str, ...] | None,
    join: bool,
    paired: bool,
    intervals: bool,
    resamples: int,
    form: str,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Put runs whose scores are about the same thing into one table; seeds share a line.

    The caption of a table says what all its rows share, the notes below it what they differ in.
    """
    from mtdata.inspecting.figures import PLOTS, check_path
    from mtmodels.scoring.compare import Request
    from mtmodels.scoring.compare import compare as put_together
    from mtmodels.scoring.formats import csv_text
    from mtmodels.training.record.comparison import draw_comparison

    if plot is not None:
        check_path(plot, PLOTS)
    request = Request(
        baseline=_baseline(baselines, split, protocol),
        published=bool(published) or all_regimes,
        tables=_tables(published),
        all_regimes=all_regimes,
        anyway=anyway,
        join=join,
        paired=paired,
        resamples=resamples,
        tasks=tasks or (),
    )
    tables = put_together(rows_of(runs, split, protocol), request)
    if as_json or form == "json":
        put_json({"tables": [table.to_json() for table in tables]})
    elif form == "csv":
        click.echo(csv_text(tables), nl=False)
    else:
        put_tables(tables, form, intervals=intervals)
    if plot is not None:
        for path in draw_comparison(tables, plot):
            say(f"Drawn: {path}")


def rows_of(
    runs: Sequence[Path], split: str | None = None, protocol: str | None = None
) -> list[dict[str, Any]]:
    """What has been scored of the runs, of one that is named twice once."""
    from mtdata.errors import UnknownNameError, UsageError
    from mtmodels.training.rescore import scores_of
    from mtmodels.training.setup.loading import open_run

    rows = []
    going: list[str] = []
    halted: list[str] = []
    for path in {path.resolve(): path for path in runs}.values():
        # Scores are read from files: what a run brings along as plug-ins is not run.
        run = open_run(path, plugins=False)
        found = scores_of(run, split=split)
        scored = [row["protocol"] for row in found]
        if protocol and protocol not in {*scored, *METRICS}:
            raise UnknownNameError("protocol", protocol, {*METRICS, *scored})
        wanted = [row for row in found if protocol in (None, row["protocol"])]
        if not wanted and run.folder.is_complete():
            raise UsageError(_unscored(path, run.scored_splits(), split, protocol))
        if not wanted:
            (going if run.folder.is_held() else halted).append(shlex.quote(str(path)))
        rows += wanted
    if going or halted:
        raise UsageError(_unfinished(going, halted))
    return rows


def _unfinished(going: Sequence[str], halted: Sequence[str]) -> str:
    """What to do where runs without scores are not done."""
    wait = f" Going, so wait: {', '.join(going)}." if going else ""
    resume = [f"mttrain --out {path} --resume" for path in halted]
    again = f" Stopped, so go on: {'; '.join(resume)}." if halted else ""
    many = len([*going, *halted])
    return (
        f"each run should be done; found {many} that {'is' if many == 1 else 'are'} not.{wait}"
        f"{again} Or leave {'it' if many == 1 else 'them'} out."
    )


def scored_of(runs: Sequence[Path]) -> str | None:
    """The split that runs were scored on where their store has none of role test, else None."""
    from mtmodels.training.rescore import scores_of
    from mtmodels.training.setup.loading import open_run

    for path in runs:
        run = open_run(path, plugins=False)
        if not scores_of(run) and run.scored_splits():
            return run.scored_splits()[0]
    return None


def _unscored(path: Path, there: list[str], split: str | None, protocol: str | None) -> str:
    """What to do where a run has no such scores."""
    what = "a split of role test" if split is None else f"the split `{split}`"
    under = f" under {protocol}" if protocol else ""
    options = (f" --split {split}" if split else "") + (
        f" --protocol {protocol}" if protocol else ""
    )
    score = f"mtmodels eval {shlex.quote(str(path))}{options}"
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
    from mtmodels.scoring.published import all_rows, published_row

    if not any(Path(one).is_dir() for one in baselines) and baselines:
        if len(baselines) > 1:
            raise UsageError(
                "--baseline should be given runs, or one published row; found "
                f"{', '.join(baselines)}."
            )
        name = baselines[0]
        if name.partition("/")[0] not in {row.key.partition("/")[0] for row in all_rows()}:
            raise UsageError(
                "--baseline should be a run folder, or a published row such as 'mtpsl/2/one SL'; "
                f"found {name}, which is neither. `mtmodels list published` shows the rows."
            )
        return published_row(name)
    return rows_of(tuple(map(Path, baselines)), split, protocol)


def _tables(published: tuple[str, ...]) -> tuple[str, ...]:
    """The tables that were named; none for all."""
    from mtdata.errors import UsageError

    for name in published:
        if name != EVERY and Path(name).is_dir():
            raise UsageError(
                f"--published should be given tables such as mtpsl/2, or nothing; found the folder "
                f"{name}. Give the runs before it."
            )
    return () if EVERY in published else published


def put_tables(tables: "Sequence[ScoreTable]", form: str, *, intervals: bool) -> None:
    """Print tables in a form of `--format`."""
    from rich.console import Console

    from mtmodels.scoring import formats
    from mtmodels.scoring.layout import layouts

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=200)  # a pipe has no width
    for number, layout in enumerate(
        layout for table in tables for layout in layouts(table, intervals=intervals)
    ):
        if form != "text":
            click.echo(formats.latex(layout) if form == "latex" else formats.markdown(layout))
            continue
        click.echo("\n" if number else "", nl=False)
        console.print(formats.text(layout, console.width))
