"""`mtmodels sweep`."""

import itertools
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.mttrain import mttrain
from cli.mttrain.preparing import config_of
from cli.shared.common import json_option, paragraph, put_json, say, warn
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, NumberRange, names, runs
from mtdata.errors import MtdataError, UsageError
from mtdata.urls import Url, located
from mtdata.yaml_text import YamlError, load_yaml
from mtmodels.errors import InterruptedSweep, SweepError

if TYPE_CHECKING:
    from mtmodels.scoring.score_table import ScoreTable
    from mtmodels.sweeping import Cell, Job, Outcome, Plan

PROGRAM = (sys.executable, "-c", "from cli.mttrain import main; main()")
OURS = ("out", "resume", "overwrite", "dry_run", "as_json", "debug", "help", "version")
"""Options of `mttrain` that a plan leaves to the sweep."""


@click.command(
    cls=Command,
    epilog=examples(
        "mtmodels sweep plan.yaml --dry-run",
        "mtmodels sweep plan.yaml --jobs 2",
        "mtmodels sweep plan.yaml --scheduler tcp://head:8786",
        "mtmodels sweep plan.yaml --scheduler slurm --slurm timeout_min=600",
    ),
)
@click.argument("plan", type=FILE)
@click.option(
    "--scheduler", default="here", show_default=True, metavar="here|tcp://HOST:PORT|slurm"
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    help="Trainings at a time.  [default: 1; on Dask one a worker]",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Of each training.  [default: the cores shared out; elsewhere what is usual there]",
)
@click.option(
    "--only",
    multiple=True,
    metavar="AXIS=VALUE",
    help="Only trainings with this value; repeated: of one axis any, of several all.",
)
@click.option(
    "--limit-time",
    type=NumberRange(min=0),
    metavar="MINUTES",
    help="Begin no training after this time.",
)
@click.option(
    "--slurm",
    "parameters",
    multiple=True,
    metavar="KEY=VALUE",
    help="What submitit takes for each job, such as slurm_partition=gpu; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Show the commands and how far each is; run nothing.")
@json_option
def sweep(
    plan: Path,
    *,
    scheduler: str,
    jobs: int | None,
    threads: int | None,
    only: tuple[str, ...],
    limit_time: float | None,
    parameters: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train everything that PLAN names, a YAML file, and compare it in the end.

    What is done is not trained again and what was interrupted goes on: a sweep that was stopped is
    begun anew with the same command. Each training has a run folder in the `out` of the plan and
    its words in a .log beside it; the page with the tables of all that is done is sweep.html there.
    """
    from mtmodels.sweeping import read_plan, run_all
    from mtmodels.sweeping.schedulers import scheduler_of

    read = read_plan(plan)
    chosen = {cell.name for cell in _chosen(read, only)}
    if threads is None and scheduler == "here":
        threads = max(1, len(os.sched_getaffinity(0)) // (jobs or 1))
    every = [_job(plan, read, cell, threads) for cell in read.cells]
    todo = [job for job in every if job.name in chosen]
    if scheduler == "here":  # machines of a cluster may have files that this one does not see
        _check_files(todo)
    if dry_run:
        _show(todo, as_json=as_json)
        return
    read.out.mkdir(parents=True, exist_ok=True)
    told = _Told(len(todo))
    stopped = False
    runs_them = scheduler_of(
        scheduler, jobs=jobs or 0, folder=read.out / ".slurm", parameters=_parameters(parameters)
    )
    try:
        outcomes = run_all(
            todo,
            runs_them,
            begin_until=time.monotonic()
            + (float("inf") if limit_time is None else 60 * limit_time),
            began=told.began,
            ended=told.ended,
            waits=told.waits,
        )
    except KeyboardInterrupt:  # hours of training are told of all the same
        stopped, outcomes = True, told.outcomes
    whole = {job.name: outcomes.get(job.name) or _found(job) for job in every}
    tables, notes = _tables(read, whole)
    _write(read, tables, notes, every, whole)
    if as_json:
        put_json(_facts(tables, notes, whole))
    else:
        _put(tables)
    say(f"Page: {read.out / 'sweep.html'}; tables: sweep.md and sweep.json beside it")
    if stopped:
        raise InterruptedSweep(sum(one.state == "done" for one in whole.values()), len(every))
    failed = {name: one for name, one in outcomes.items() if one.state == "failed"}
    if failed:
        first = next(iter(failed))
        kept = any(one.state == "done" for one in outcomes.values())
        raise SweepError(
            f"{len(failed)} of {len(todo)} trainings failed: {', '.join(failed)}. {first} said: "
            f"{failed[first].why} Mend that and give the same command"
            f"{': the others are kept' if kept else ''}."
        )
    going = [name for name, one in outcomes.items() if one.state == "going"]
    if going:
        raise SweepError(
            f"all trainings should be done; another mttrain still writes {', '.join(going)}. Give "
            "the same command again when it has ended."
        )


def _chosen(plan: "Plan", only: Sequence[str]) -> "Iterator[Cell]":
    """The trainings that --only leaves; values of one axis are alternatives."""
    wanted: dict[str, list[str]] = {}
    for given, value in _pairs(only):
        axis = given.replace("-", "_")
        known = dict.fromkeys(cell.labels.get(axis) for cell in plan.cells)
        if value not in known:
            there = ", ".join(str(one) for one in known if one) or ", ".join(plan.cells[0].labels)
            raise UsageError(
                f"--only should name a value of an axis of the plan ({there}); found "
                f"{given}={value}. Correct it."
            )
        wanted.setdefault(axis, []).append(value)
    for cell in plan.cells:
        if all(cell.labels[axis] in values for axis, values in wanted.items()):
            yield cell


def _pairs(given: Sequence[str]) -> list[tuple[str, str]]:
    pairs = [one.partition("=") for one in given]
    for one, (key, _, value) in zip(given, pairs, strict=True):
        if not key or not value:
            raise UsageError(f"KEY=VALUE should have both; found {one!r}.")
    return [(key, value) for key, _, value in pairs]


def _parameters(given: Sequence[str]) -> dict[str, Any]:
    """Numbers as numbers: submitit takes no words for them."""
    found: dict[str, Any] = {}
    for key, value in _pairs(given):
        if key in found:
            raise UsageError(f"--slurm should give each key once; found {key} twice. Leave one.")
        try:
            found[key] = load_yaml(value)
        except YamlError as error:
            raise UsageError(f"--slurm should be KEY=VALUE; found that it {error.what}.") from None
    return found


def _job(path: Path, plan: "Plan", cell: "Cell", threads: int | None) -> "Job":
    from mtmodels.sweeping import Job

    try:
        words = tuple(words_of(cell.options))
        with mttrain.make_context("mttrain", list(words)) as context:
            config_of(context.params)
    except click.UsageError as error:
        raise UsageError(f"{path}: the training {cell.name}: {error.format_message()}") from None
    except (MtdataError, ValueError) as error:
        raise UsageError(f"{path}: the training {cell.name}: {error}") from None
    return Job(cell.name, PROGRAM, words, str(plan.out / cell.name), threads)


def _check_files(jobs: "Sequence[Job]") -> None:
    """Refuse a store, a regime in it or a teacher that is not there, unless the sweep makes it.

    Raises:
        StoreError: for what is no store.
        RunFolderError: for what is no run.
        UsageError: for a regime or tasks that the store does not have, or has no labels of.
    """
    from mtdata import open_store
    from mtmodels.sweeping.running import state_of
    from mtmodels.training.record.runfolder import RunFolder

    todo = [job for job in jobs if state_of(job) != "done"]
    for store in dict.fromkeys(located(given) for given in _given(todo, "--data")):
        if not isinstance(store, Url):
            open_store(store).close()
    _check_labels([job for job in todo if state_of(job) == "new"])
    made = {job.path.resolve() for job in jobs}
    for teachers in map(runs, dict.fromkeys(_given(todo, "--teachers"))):
        for run in teachers.values() if isinstance(teachers, Mapping) else teachers:
            if Path(run).resolve() not in made:
                RunFolder(Path(run)).facts()


def _check_labels(jobs: "Sequence[Job]") -> None:
    """Ask each store once for each regime and choice of tasks that jobs name."""
    from mtmodels.training.setup.data import open_data

    asked = set()
    for job in jobs:
        with mttrain.make_context("mttrain", list(job.words)) as context:
            config = config_of(context.params)
        if config is None or config.data is None or isinstance(located(config.data), Url):
            continue  # the training says what is wrong there
        labels = (config.data, config.regime, config.tasks, config.method.name, config.train_on)
        if labels not in asked:
            asked.add(labels)
            try:
                open_data(config.model_copy(update={"cache": "none"})).store.close()
            except (MtdataError, ValueError) as error:
                raise UsageError(f"the training {job.name}: {error}") from None


def _given(jobs: "Sequence[Job]", option: str) -> Iterator[str]:
    """What follows an option in the words of jobs."""
    for job in jobs:
        for word, value in itertools.pairwise(job.words):
            if word == option:
                yield value


def words_of(options: Mapping[str, Any]) -> Iterator[str]:
    """The options of a plan as words of a command line.

    A flag is true or false, null leaves an option out, a list is one with commas or one that is
    repeated, and `set` and `teachers` may be mappings.

    Raises:
        click.UsageError: for a name that `mttrain` does not have, or a value that is none.
    """
    known = {name.removeprefix("--"): p for p in mttrain.params for name in p.opts}
    for name, value in options.items():
        parameter = known.get(name.replace("_", "-"))
        if parameter is None or parameter.name in OURS:
            what = "is for the sweep to give" if parameter else "is no option of mttrain"
            raise click.UsageError(f"`{name}` {what}. See `mttrain --help`.")
        word = next(one for one in parameter.opts if one.startswith("--"))
        flag = isinstance(parameter, click.Option) and parameter.is_flag
        if value is None or (flag and value is False):
            continue
        if flag and not isinstance(value, bool):
            raise click.UsageError(f"`{name}` should be true or false; found {value}.")
        if flag:
            yield word
        elif isinstance(value, Mapping) and word == "--set":
            for key, inner in value.items():
                yield from (word, f"{key}={json.dumps(inner) if _nested(inner) else _text(inner)}")
        elif isinstance(value, list) and parameter.multiple:
            for inner in value:
                yield from (word, _text(inner))
        elif isinstance(value, Mapping) and parameter.type.name == runs.__name__:
            yield from (word, ",".join(f"{key}={_text(inner)}" for key, inner in value.items()))
        elif isinstance(value, list) and parameter.type.name in (names.__name__, runs.__name__):
            yield from (word, ",".join(map(_text, value)))
        elif _nested(value) or isinstance(value, bool):
            meant = " Write yes, no, on and off in quotes, as YAML reads them so."
            raise click.UsageError(
                f"`{name}` should have a value of --{name}; found {value}."
                f"{meant if isinstance(value, bool) else ''}"
            )
        else:
            yield from (word, _text(value))


def _nested(value: object) -> bool:
    return isinstance(value, (list, Mapping))


def _text(value: object) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _show(jobs: "Sequence[Job]", *, as_json: bool) -> None:
    from mtdata.urls import without_secrets
    from mtmodels.sweeping.running import state_of

    shown = []
    for job in jobs:
        command = without_secrets(shlex.join(["mttrain", *job.command]))
        shown.append({"name": job.name, "state": state_of(job), "command": command})
    if as_json:
        put_json({"trainings": shown})
        return
    for one in shown:
        click.echo(f"{one['state']:<12}{one['command']}")
    done = sum(one["state"] == "done" for one in shown)
    say(f"{len(shown)} trainings, {done} of them done.")


class _Told:
    """Says what begins and ends.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.outcomes: dict[str, Outcome] = {}

    def began(self, job: "Job") -> None:
        """A line, with where to look."""
        say(f"begun   {job.name}: tail -f {job.log}")

    def waits(self, job: "Job") -> None:
        """A line, with who is waited for."""
        say(f"waits   {job.name}: another mttrain writes it")

    def ended(self, job: "Job", outcome: "Outcome") -> None:
        """A line, with its time."""
        from cli.mttrain.watching import clock
        from mtmodels.inspecting import look
        from mtmodels.inspecting.show import scores_text

        self.outcomes[job.name] = outcome
        over = len(self.outcomes)
        took = f" in {clock(outcome.seconds)}" if outcome.seconds else ""
        what = outcome.why
        if outcome.state == "done":
            what = scores_text(look(job.path))
        say(paragraph(f"{outcome.state:<8}{job.name}{took}, {over} of {self.count}: {what}"))


def _found(job: "Job") -> "Outcome":
    """How far a training is that this sweep has not ended."""
    from mtmodels.sweeping import Outcome
    from mtmodels.sweeping.running import state_of

    try:
        state = state_of(job)
    except UsageError as error:  # it was trained with other options
        return Outcome("left", why=str(error))
    return Outcome(state if state in ("done", "going") else "left")


def _tables(
    plan: "Plan", outcomes: "Mapping[str, Outcome]"
) -> "tuple[list[tuple[str, list[ScoreTable]]], list[str]]":
    """What `mtmodels compare` says of what is done, a title and its tables for each baseline.

    Hours of training are told of without a table, too: beside them, why something is in none.
    """
    from mtmodels.scoring.compare import Request, compare

    found = []
    notes: list[str] = []
    for title, beside, against in plan.tables():
        rows, baseline = (
            _rows([plan.out / cell.name for cell in some if outcomes[cell.name].state == "done"])
            for some in (beside, against)
        )
        notes += rows[1]
        try:
            if rows[0]:
                found.append((title, compare(rows[0], Request(baseline=baseline[0]))))
        except MtdataError as error:
            notes.append(f"{title or 'The trainings'}: there is no table. {error}")
    for note in notes:
        warn(note)
    return found, notes


def _rows(folders: Sequence[Path]) -> tuple[list[dict[str, Any]], list[str]]:
    """What has been scored of runs, and why some of them have nothing to show."""
    from cli.mtmodels.compare import rows_of, scored_of

    split = None
    for folder in folders:
        with suppress(MtdataError):
            split = split or scored_of([folder])
    rows: list[dict[str, Any]] = []
    notes = []
    for folder in folders:
        try:
            rows += rows_of([folder], split)
        except MtdataError as error:
            notes.append(f"{folder.name} is in no table: {error}")
    return rows, notes


def _facts(
    tables: "Sequence[tuple[str, list[ScoreTable]]]",
    notes: Sequence[str],
    outcomes: "Mapping[str, Outcome]",
) -> dict[str, Any]:
    return {
        "trainings": {
            name: {"state": one.state, "seconds": one.seconds, "why": one.why}
            for name, one in outcomes.items()
        },
        "tables": [
            {"title": title, "tables": [table.to_json() for table in some]}
            for title, some in tables
        ],
        "notes": list(notes),
    }


def _write(
    plan: "Plan",
    tables: "Sequence[tuple[str, list[ScoreTable]]]",
    notes: Sequence[str],
    jobs: "Sequence[Job]",
    outcomes: "Mapping[str, Outcome]",
) -> None:
    """The tables, as a page, as text and as numbers."""
    from mtmodels.sweeping.page import markdown, page
    from mtmodels.training.record.runfolder import write_text

    texts = {
        "sweep.md": markdown(tables, notes, outcomes),
        "sweep.json": json.dumps(_facts(tables, notes, outcomes), indent=1) + "\n",
        "sweep.html": page(plan.out.resolve().name, tables, notes, jobs, outcomes),
    }
    for name, text in texts.items():
        write_text(plan.out / name, text)


def _put(tables: "Sequence[tuple[str, list[ScoreTable]]]") -> None:
    from cli.mtmodels.compare import put_tables

    for title, some in tables:
        click.echo(f"\n{title}\n" if title else "")
        put_tables(some, "text", intervals=False)
