"""Put runs into tables of what is about the same thing; seeds together; against a baseline."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from re import fullmatch, sub
from typing import Any, TypeVar

from mtdata.errors import UnknownNameError, UsageError
from mtmodels.scoring.delta import (
    DELTAS,
    Baseline,
    NothingRelativeError,
    uncounted,
)
from mtmodels.scoring.entries import EntryMaker
from mtmodels.scoring.facts import HOLDOUT
from mtmodels.scoring.intervals import RESAMPLES, Resampler
from mtmodels.scoring.pairing import without_pair
from mtmodels.scoring.published import Row, in_tables, once, published
from mtmodels.scoring.remarks import (
    not_tested,
    of_one_image,
    over_other_classes,
    relative_to_nothing,
    resting_on_little,
    rows_without_delta,
    without_images,
)
from mtmodels.scoring.run_scores import (
    JOINT,
    RunScores,
    by_entry,
    common_name,
    first_differences,
    join_single,
    members,
    over_seeds,
    task_place,
    told_apart,
)
from mtmodels.scoring.score_table import ScoreTable

PLAIN = ("full", "one", "random")
"""Kinds of regimes that have no parameter which a paper would tell."""
BaselineSource = Sequence[Mapping[str, Any]] | Row
"""Runs, as `RunScores.from_json` reads them, or a published row."""


@dataclass(frozen=True)
class Request:
    """What is asked for beside the runs.

    Args:
        baseline: A published row, or runs in the same form; several runs, one a task, are one
            baseline, and seeds of one run are averaged.
        published: Add the published rows of the same protocol, data set and regime.
        tables: Of these only those of some tables (`mtpsl/2`) or papers (`mtpsl`).
        all_regimes: Those of other regimes too.
        anyway: Put numbers beside each other that mean nothing so, and say why they do not.
        join: Make one line of runs of one task each that agree in all else.
        paired: Test the differences of each line to the baseline, or of two lines.
        tasks: Of all scores only those of these tasks, which delta counts then; all where empty.
        resamples: How often the images are drawn again for intervals; 0 for none.
    """

    baseline: BaselineSource = ()
    published: bool = False
    tables: Sequence[str] = ()
    all_regimes: bool = False
    anyway: bool = False
    join: bool = False
    paired: bool = False
    resamples: int = RESAMPLES
    tasks: Sequence[str] = ()


def compare(runs: Iterable[Mapping[str, Any]], request: Request | None = None) -> list[ScoreTable]:
    """Make a table of all runs that share what their scores are of, and say why there are several.

    Args:
        runs: What `RunScores.from_json` reads.
        request: What else is asked for.

    Raises:
        UsageError: where runs of a table differ in the number of classes, or the baseline may
            stand beside none of them, has two different runs of a task, or lacks a score that
            delta counts; where there is nothing to join, or no pair or no draw to test.
        UnknownNameError: for a task that no run has scores of.
    """
    request = request or Request()
    if request.paired and not request.resamples:
        raise UsageError(
            "--paired should draw the images, which its tests are made of; found --resamples 0. "
            "Leave one of both out."
        )
    given, against = _chosen(runs, request)
    if not isinstance(against, Row):
        given, against = told_apart(given, against)
    groups: dict[str, list[RunScores]] = {}
    for run in join_single(given) if request.join else given:
        groups.setdefault(run.facts.key, []).append(run)
    tables = [_table(group, request, against) for group in groups.values()]
    if request.baseline and not any(table.baseline for table in tables):
        raise UsageError(
            "the baseline should be about the same thing as a run; "
            + " ".join(remark for table in tables for remark in table.remarks)
            + " Score both alike with `mtmodels eval`, or give --anyway to see it all the same."
        )
    if request.paired and not any(entry.paired for table in tables for entry in table.entries):
        raise UsageError(
            "--paired should find runs of the same seed on both sides, which under one regime saw "
            f"the same labels; found none among {', '.join(run.name for run in given)}. Leave it "
            "out, or give runs of the same seeds."
        )
    tables = [tables[0], *(_apart(table, tables[0]) for table in tables[1:])] if tables else []
    return [*tables, *_others(list(groups.values()), tables, request)]


def merge(runs: Sequence[RunScores]) -> Baseline:
    """Make one baseline of several runs, say one single-task network a task.

    Raises:
        UsageError: where two runs that are not seeds of one entry have the same task.
    """
    scores: dict[str, Mapping[str, Any]] = {}
    of: dict[str, RunScores] = {}
    groups = sorted(by_entry(runs), key=lambda group: task_place(group[0]))
    for group in groups:
        means, _ = over_seeds(group)
        for task, metrics in means.items():
            if task in scores:
                raise UsageError(
                    f"the baseline should have one run of `{task}`, or seeds of one; found two "
                    f"different ones among {', '.join(run.name for run in runs)}. They differ in "
                    f"{first_differences(of[task], group[0])}. Leave one out."
                )
            scores[task], of[task] = metrics, group[0]
    return Baseline(JOINT.join(common_name([r.name for r in g]) for g in groups), scores)


def _chosen(
    runs: Iterable[Mapping[str, Any]], request: Request
) -> "tuple[list[RunScores], list[RunScores] | Row]":
    """The runs and the baseline, with scores of the tasks that were asked for."""
    given, source = [RunScores.from_json(run) for run in runs], request.baseline
    against = source if isinstance(source, Row) else [RunScores.from_json(run) for run in source]
    if not request.tasks:
        return given, against
    known = _tasks(given)
    for task in request.tasks:
        if task not in known:
            raise UnknownNameError("task with scores", task, known)
    given = list(_of_tasks(given, request.tasks))
    if isinstance(against, Row):
        return given, next(_of_tasks([against], request.tasks), against)
    theirs = list(_of_tasks(against, request.tasks))
    if against and not theirs:
        raise UsageError(
            f"the baseline should have scores of {', '.join(request.tasks)}; found those of "
            f"{', '.join(_tasks(against))}. Name one of these, or give another baseline."
        )
    return given, theirs


Scored = TypeVar("Scored", RunScores, Row)


def _of_tasks(scored: Iterable[Scored], tasks: Sequence[str]) -> Iterator[Scored]:
    """What has scores of some tasks, with these alone; all as it is where none are named."""
    for one in scored:
        scores = {task: of for task, of in one.scores.items() if not tasks or task in tasks}
        changes: dict[str, Any] = {"scores": scores}
        if isinstance(one, RunScores) and one.labelled:
            shown = {t: n for t, n in one.labelled.items() if not tasks or t in tasks}
            changes["labelled"] = shown
        if scores or not tasks:
            yield replace(one, **changes)


def _table(
    runs: Sequence[RunScores], request: Request, against: "Sequence[RunScores] | Row"
) -> ScoreTable:
    first, classes = runs[0], _classes(runs)
    baseline, beside, why = _baseline(runs, classes, against)
    baseline, form, remarks = _measured(first.protocol, baseline, why, anyway=request.anyway)
    if baseline is None:
        beside = []
    groups = by_entry(runs)
    if request.paired and not request.baseline:
        _check_two(groups)
    reference = beside or (groups[0] if request.paired and not request.baseline else [])
    resampler = Resampler(request.resamples)
    own = members(run.name for run in beside)
    lines = {common_name([r.name for r in g]): members(r.name for r in g) for g in groups}
    if baseline and lines.get(baseline.name, own) != own:  # other seeds of what is a line, too
        baseline = replace(baseline, name=", ".join(sorted(own)))
    maker = EntryMaker(baseline, reference, resampler, test=request.paired)
    entries = [maker.of_runs(group) for group in groups]
    if baseline and beside and own not in [members(entry.runs) for entry in entries]:
        entries.insert(0, maker.of_baseline(beside, why))
    if request.paired and reference:
        remarks += [*without_pair(runs, reference), *not_tested(entries)]
    if request.published:
        rows, left_out = _rows(runs, request)
        for row, reasons in _against(rows, runs, classes):
            if not reasons or request.anyway:
                entries.append(maker.of_row(row, reasons))
        if left_out:
            remarks.append(left_out)
    if baseline and form:
        counts = uncounted(baseline, _tasks(runs))
        remarks += [*([f"{counts}."] if counts else []), *rows_without_delta(baseline, entries)]
    return ScoreTable(
        first.facts,
        tuple(entries),
        baseline=baseline,
        form=form,
        role=first.role,
        remarks=tuple(remarks),
        unsure=(
            *resting_on_little([*runs, *beside]),
            *without_images(resampler),
            *of_one_image(resampler),
            *over_other_classes([*runs, *beside]),
            *relative_to_nothing(reference),
        ),
    )


def _measured(
    protocol: str, baseline: Baseline | None, why: Sequence[str], *, anyway: bool
) -> tuple[Baseline | None, str | None, list[str]]:
    """The baseline, where delta against it means something, the form of delta, and what to say.

    Args:
        protocol: Of the scores.
        baseline: The one that was asked for.
        why: What speaks against it.
        anyway: Whether it is taken all the same.
    """
    if baseline is None:
        return None, None, []
    remarks = []
    if why and not anyway:
        return None, None, [f"No delta against {baseline.name}: {'; '.join(why)}."]
    if why:
        remarks.append(f"delta means little here: {'; '.join(why)} in {baseline.name}.")
    form = None
    if protocol not in DELTAS:
        remarks.append(
            f"No delta under {protocol}, whose scores it does not count; it goes with "
            f"{', '.join(DELTAS)}."
        )
    else:
        try:  # what lacks a score altogether is refused: it would be a dash in every line
            form = DELTAS[protocol](baseline.scores, baseline).form
        except NothingRelativeError as error:
            remarks.append(f"No delta: {error}")
    return baseline, form, remarks


def _check_two(groups: Sequence[Sequence[RunScores]]) -> None:
    """Refuse to test pairs of more than two lines, of which none is the reference."""
    if len(groups) == 2:
        return
    reason = ""
    if len(groups) > 2:
        reason = f" The last two differ in {first_differences(groups[-2][0], groups[-1][0])}."
    raise UsageError(
        "--paired should be given two runs (or the seeds of two), or a --baseline; found "
        f"{len(groups)}: {', '.join(common_name([r.name for r in g]) for g in groups)}.{reason}"
    )


def _baseline(
    runs: Sequence[RunScores], classes: Mapping[str, int], given: "Sequence[RunScores] | Row"
) -> tuple[Baseline | None, list[RunScores], tuple[str, ...]]:
    """The baseline that is nearest to a table, its runs, and what speaks against it."""
    first, tasks = runs[0], _tasks(runs)
    if isinstance(given, Row):
        ((_, why),) = _against([given], runs, classes)
        return Baseline(given.key, given.scores), [], why
    groups: dict[str, list[RunScores]] = {}
    for run in given:
        groups.setdefault(run.facts.key, []).append(run)
    if not groups:
        return None, [], ()
    beside = min(groups.values(), key=lambda g: len(first.facts.differences(g[0].facts, tasks)))
    why = first.facts.differences(beside[0].facts, tasks)
    if first.facts.key == beside[0].facts.key:
        _classes([*runs, *beside])
    elif not why:  # one of them does not say what the other says
        why = ("one of them does not say what its labels are",)
    if first.split == HOLDOUT and {run.seed for run in runs} != {run.seed for run in beside}:
        why = (*why, "held-out images of other seeds, which are other images")
    return merge(beside), beside, why


def _rows(runs: Sequence[RunScores], request: Request) -> tuple[list[Row], str]:
    """The published rows to look at, each once, and a word on those of other regimes."""
    first = runs[0]
    every = in_tables(published(protocol=first.protocol, dataset=first.dataset), request.tables)
    rows = list(_of_tasks(once(every), request.tasks))
    if not rows:
        named = f" in {', '.join(request.tables)}" if request.tables else ""
        return [], (
            f"No published row{named} is of {first.dataset} under the protocol {first.protocol}."
        )
    regimes = {_drawn_as(run) for run in runs}
    same = [row for row in rows if _regime(row.regime) in regimes]
    if request.all_regimes or len(same) == len(rows):
        return rows, ""
    others = dict.fromkeys(row.regime for row in rows if row not in same)
    return same, (
        f"{len(rows) - len(same)} published rows of other regimes ({', '.join(others)}) are "
        "left out; --all-regimes adds them."
    )


def _drawn_as(run: RunScores) -> str:
    """The regime of a run as a paper would call it: by its kind, whatever name a store has for it.

    Of runs that do not know the kind, `one-3` is a further `one`.
    """
    kind = (run.drawn or {}).get("kind")
    if kind in PLAIN:
        return str(kind)
    ratio = (run.drawn or {}).get("parameters", {}).get("ratio")
    if ratio:
        return "-".join([str(kind), *(f"{10 * share:g}" for share in ratio.values())])
    further = fullmatch(rf"({'|'.join(PLAIN)})-\d+", run.regime)
    return further[1] if further and kind is None else _regime(run.regime)


def _regime(name: str) -> str:
    """`imbalanced 1:9` of a paper is `imbalanced-1-9` of a store."""
    return sub(r"\W+", "-", name)


def _against(
    rows: Sequence[Row], runs: Sequence[RunScores], classes: Mapping[str, int]
) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """Published rows, and why a run of a table may not stand beside each."""
    for row in rows:
        why = runs[0].facts.differences(row.facts, [t for t in _tasks(runs) if t in row.scores])
        if row.classes is not None and classes.get("semantic", row.classes) != row.classes:
            why = (*why, f"{classes['semantic']} classes in place of {row.classes}")
        told = [f"{reason} ({run.name})" for run in runs for reason in run.apart]
        yield row, (*why, *dict.fromkeys(told))


def _tasks(runs: Sequence[RunScores]) -> list[str]:
    return list(dict.fromkeys(task for run in runs for task in run.scores))


def _apart(table: ScoreTable, first: ScoreTable) -> ScoreTable:
    """A table with a word on why its lines are not in the first one."""
    tasks = dict.fromkeys(task for entry in table.entries for task in entry.scores)
    why = table.facts.differences(first.facts, tasks) or ("other units or origins of labels",)
    return replace(
        table, remarks=(f"A table apart from the first: {'; '.join(why)}.", *table.remarks)
    )


def _others(
    groups: Sequence[Sequence[RunScores]], tables: Sequence[ScoreTable], request: Request
) -> list[ScoreTable]:
    """The published rows that may stand beside no run, each kind in a table without delta."""
    if not request.published or request.anyway:
        return []
    maker = EntryMaker(None, (), Resampler(0))
    shown = {entry.name for table in tables for entry in table.entries if entry.published}
    kinds: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
    for runs in groups:
        for row, why in _against(_rows(runs, request)[0], runs, _classes(runs)):
            if row.key not in shown:
                shown.add(row.key)
                kinds.setdefault((row.facts.key, why), []).append(row)
    return [
        ScoreTable(
            rows[0].facts,
            tuple(maker.of_row(row) for row in rows),
            remarks=(
                f"Not beside the runs, whose scores are of something else: {'; '.join(why)}. "
                "--anyway puts them there.",
            ),
        )
        for (_, why), rows in kinds.items()
    ]


def _classes(runs: Sequence[RunScores]) -> dict[str, int]:
    """Number of classes of each task, which all runs of a table have to share."""
    found: dict[str, tuple[int, str]] = {}
    for run in runs:
        for task, metrics in run.scores.items():
            if not isinstance(metrics.get("iou"), list):
                continue
            number, other = found.setdefault(task, (len(metrics["iou"]), run.name))
            if number != len(metrics["iou"]):
                raise UsageError(
                    f"runs to compare should have the same classes of `{task}`; found {number} in "
                    f"{other} and {len(metrics['iou'])} in {run.name}. Compare them apart."
                )
    return {task: number for task, (number, _) in found.items()}
