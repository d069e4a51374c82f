"""Put runs into tables: one a protocol, data set and split; seeds together; against a baseline."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mtdata.errors import UnknownNameError, UsageError
from mtmodels.metrics.scores import LooseScores
from mtmodels.scoring.delta import DELTAS, Baseline
from mtmodels.scoring.published import Row, published
from mtmodels.scoring.run_scores import RunScores, by_entry, common_name, over_seeds
from mtmodels.scoring.score_table import Entry, ScoreTable
from mtmodels.scoring.spread import Spread

_FACTS = ("method", "network", "weighting", "regime")
_PUBLISHED_UNITS = {"cityscapes": {"depth": "disparity"}}
"""Units of the published tables, where a store of that data set may have others."""

BaselineSource = Sequence[Mapping[str, Any]] | Row
"""Runs, as `RunScores.from_json` reads them, or a published row."""


def compare(
    runs: Iterable[Mapping[str, Any]],
    *,
    baseline: BaselineSource = (),
    with_published: bool = False,
) -> list[ScoreTable]:
    """Make one table a protocol, data set, split, size and units of the store.

    Args:
        runs: What `RunScores.from_json` reads.
        baseline: A published row, or runs in the same form; several runs, one a task, are one
            baseline, and seeds of one run are averaged.
        with_published: Add the published rows of the same protocol, data set and classes.

    Raises:
        UsageError: where runs or baseline differ in the number of classes, or the baseline fits no
            table, has two different runs of a task, or lacks a score that delta counts.
    """
    tables: dict[tuple[str, ...], list[RunScores]] = {}
    for run in map(RunScores.from_json, runs):
        tables.setdefault(run.table, []).append(run)
    found = [_table(group, baseline, with_published) for group in tables.values()]
    if baseline and not any(table.baseline for table in found):
        raise UsageError(
            "the baseline should share protocol, data set, split, size and units with a run; found "
            f"none that does among {', '.join(t.title() for t in found) or 'no runs'}. "
            "Score both under one protocol with `mtmodels eval`."
        )
    return found


def merge(runs: Sequence[RunScores]) -> Baseline:
    """Make one baseline of several runs, say one single-task network a task.

    Raises:
        UsageError: where two runs that are not seeds of one entry have the same task.
    """
    scores: dict[str, Mapping[str, Any]] = {}
    for group in by_entry(runs):
        means, _ = over_seeds(group)
        for task, metrics in means.items():
            if task in scores:
                raise UsageError(
                    f"the baseline should have one run of `{task}`, or seeds of one; found two "
                    f"different ones among {', '.join(run.name for run in runs)}. Leave one out."
                )
            scores[task] = metrics
    return Baseline(" + ".join(common_name([r.name for r in g]) for g in by_entry(runs)), scores)


def _table(runs: Sequence[RunScores], given: BaselineSource, with_published: bool) -> ScoreTable:
    first = runs[0]
    beside = _fitting(first, given)
    classes = _classes([*runs, *beside])
    if isinstance(given, Row):
        baseline = _row_baseline(first, given, classes.get("semantic"))
    else:
        baseline = merge(beside) if beside else None
    form = _form(baseline, first.protocol) if baseline else None
    entries = [_entry(group, baseline) for group in by_entry(runs)]
    if baseline and beside and baseline.name not in {entry.name for entry in entries}:
        entries.insert(0, _baseline_entry(beside, baseline))
    if with_published and first.split == "test" and _has_published_units(first):
        rows = published(protocol=first.protocol, dataset=first.dataset)
        same = [row for row in rows if classes.get("semantic", row.classes) == row.classes]
        entries += [_published_entry(row, baseline) for row in same]
    return ScoreTable(
        first.protocol, first.dataset, first.split, tuple(entries), baseline=baseline, form=form
    )


def _fitting(run: RunScores, given: BaselineSource) -> list[RunScores]:
    """The runs of the baseline that may share a table with a run."""
    if isinstance(given, Row):
        return []
    return [one for one in map(RunScores.from_json, given) if one.table == run.table]


def _has_published_units(run: RunScores) -> bool:
    """Whether published scores of this data set may stand beside a run; unknown units may not."""
    wanted = _PUBLISHED_UNITS.get(run.dataset, {})
    units = run.units or {}
    return all(units.get(task) == unit for task, unit in wanted.items() if task in run.scores)


def _row_baseline(run: RunScores, row: Row, classes: int | None) -> Baseline | None:
    """A published row as baseline of the table that a run is in."""
    if (row.protocol, row.dataset, "test") != (run.protocol, run.dataset, run.split):
        return None
    if not _has_published_units(run):
        return None
    if classes is not None and row.classes != classes:
        raise UsageError(
            f"the baseline should have the classes of the runs, {classes}; found {row.classes} "
            f"in {row.key}. Choose another row, or train on a store with {row.classes} classes."
        )
    return Baseline(row.key, row.scores)


def _form(baseline: Baseline, protocol: str) -> str:
    """The form of delta that goes with a protocol.

    A baseline that lacks a score is refused here, where it would be a dash in every line.
    """
    if protocol not in DELTAS:
        raise UnknownNameError("form of delta for protocol", protocol, DELTAS)
    return DELTAS[protocol](baseline.scores, baseline).form


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


def _baseline_entry(runs: Sequence[RunScores], baseline: Baseline) -> Entry:
    """The line of a baseline that is not itself among the runs."""
    first = runs[0]
    return Entry(
        name=baseline.name,
        facts={name: getattr(first, name) for name in _FACTS},
        seeds=tuple(dict.fromkeys(run.seed for run in runs)),
        scores=baseline.scores,
        std={},
        delta=Spread(0.0),
        note=first.note,
    )


def _entry(runs: Sequence[RunScores], baseline: Baseline | None) -> Entry:
    first = runs[0]
    means, std = over_seeds(runs)
    deltas = [_delta(run.protocol, run.scores, baseline) for run in runs]
    known = [delta for delta in deltas if delta is not None]
    return Entry(
        name=common_name([run.name for run in runs]),
        facts={name: getattr(first, name) for name in _FACTS},
        seeds=tuple(run.seed for run in runs),
        scores=means,
        std=std,
        delta=Spread.of(known) if len(known) == len(runs) else None,
        note=first.note,
    )


def _published_entry(row: Row, baseline: Baseline | None) -> Entry:
    value = _delta(row.protocol, row.scores, baseline)
    return Entry(
        name=row.key,
        facts={name: getattr(row, name) for name in _FACTS},
        seeds=(),
        scores=row.scores,
        std={},
        delta=None if value is None else Spread(value),
        published=True,
        note=row.note,
    )


def _delta(protocol: str, scores: LooseScores, baseline: Baseline | None) -> float | None:
    """Delta over the tasks of the baseline; None where a score of them is missing."""
    if baseline is None:
        return None
    try:
        return DELTAS[protocol](scores, baseline, tasks=tuple(baseline.scores)).value
    except UsageError:
        return None
