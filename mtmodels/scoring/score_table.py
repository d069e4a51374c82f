"""A table of scores about the same thing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtdata.tasks.task import TASK_ORDER
from mtmodels.metrics.scores import HIGHER_IS_BETTER, LooseScores, to_json
from mtmodels.scoring.delta import Baseline
from mtmodels.scoring.facts import Facts
from mtmodels.scoring.intervals import Estimate
from mtmodels.scoring.spread import Spread

SHOWN = (
    "miou",
    "category_miou",
    "pixel_accuracy",
    "class_accuracy",
    "abs_err",
    "rel_err",
    "mean",
    "median",
    "rmse",
    "rmse_log",
    "delta1",
    "delta2",
    "delta3",
    "within_11.25",
    "within_22.5",
    "within_30",
    "iou_at_0.5",
    "f_at_0.5",
    "max_f",
    "ods_f",
)
"""Scores that have a column; JSON has all."""
COMMON_ALONE = ("rmse", "median", "within_22.5", "within_30")
"""Of these, what only tables of protocol `common` show: those of the two papers lack it."""

FACTS = ("method", "network", "weighting", "regime")


@dataclass(frozen=True)
class Paired:
    """Differences between runs of the same seed, on the same images.

    Args:
        against: What the differences are to.
        seeds: The seeds that both have.
        scores: The difference of each score, ours less theirs.
        deltas: The improvement in either published form.
    """

    against: str
    seeds: tuple[int, ...]
    scores: Mapping[str, Mapping[str, Estimate]]
    deltas: Mapping[str, Estimate]

    @property
    def tested(self) -> bool:
        """Whether a difference of a score has a p."""
        return any(one.p is not None for of in self.scores.values() for one in of.values())

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "against": self.against,
            "seeds": list(self.seeds),
            "scores": {t: {m: e.to_json() for m, e in s.items()} for t, s in self.scores.items()},
            "deltas": {form: estimate.to_json() for form, estimate in self.deltas.items()},
        }


@dataclass(frozen=True)
class Entry:
    """One line: the seeds of one run, or a published row.

    Args:
        name: What it is called.
        facts: `method`, `network`, `weighting`, `regime`, and what else is known of it.
        seeds: The seeds; empty for a published row.
        scores: Means over seeds.
        std: Sample standard deviations, empty for a single seed.
        delta: Improvement on the baseline in percent, None where it cannot be computed.
        published: Whether the scores are printed in a paper.
        note: What to know before it is quoted.
        budget: What it was trained with, by the names of the configuration.
        runs: The names of its runs.
        intervals: The 95 % interval of each score; of one a class a list.
        deltas: The improvement in either published form, with its interval.
        paired: What the same seeds of the baseline say.
        classes: Names of the classes of each task that has some.
        logs: Files of what was logged in training.
    """

    name: str
    facts: Mapping[str, Any]
    seeds: tuple[int | None, ...]
    scores: LooseScores
    std: LooseScores
    delta: Spread | None = None
    published: bool = False
    note: str = ""
    budget: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[str, ...] = ()
    intervals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    deltas: Mapping[str, Estimate] = field(default_factory=dict)
    paired: "Paired | None" = None
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    logs: Sequence[str] = ()

    def spread(self, task: str, metric: str) -> Spread | None:
        """A score over the seeds; None where there is none that is one number."""
        value = self.scores.get(task, {}).get(metric)
        if not isinstance(value, (int, float)):
            return None
        return Spread(float(value), self.std.get(task, {}).get(metric))


@dataclass(frozen=True)
class ScoreTable:
    """Entries that may be compared.

    Args:
        facts: What their scores are of, and how they were made.
        entries: The lines.
        baseline: What every delta is against.
        form: The published form of delta.
        role: What the split is for, where that is known.
        remarks: What a reader has to know: why the table stands apart from others, why there is no
            delta, or why it means nothing; each one sentence.
        unsure: On how little scores rest, which intervals lack what, and why; likewise.
    """

    facts: Facts
    entries: tuple[Entry, ...]
    baseline: Baseline | None = None
    form: str | None = None
    role: str = ""
    remarks: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """All that a run has a score of."""
        ours = [entry for entry in self.entries if not entry.published]
        return tuple(dict.fromkeys(task for entry in ours for task in entry.scores))

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Task and metric of each column."""
        there = dict.fromkeys(
            (task, metric) for e in self.entries for task in e.scores for metric in e.scores[task]
        )
        tasks = dict.fromkeys([*TASK_ORDER, *(task for task, _ in there)])
        # Of a protocol that a plug-in has: nobody knows here which of them matter.
        others = [
            m
            for t, m in there
            if m not in HIGHER_IS_BETTER and any(e.spread(t, m) for e in self.entries)
        ]
        shown = [*SHOWN, *dict.fromkeys(others)]
        return tuple(
            (task, metric)
            for task in tasks
            for metric in shown
            if (task, metric) in there
            and (metric not in COMMON_ALONE or self.facts.protocol == "common")
        )

    def title(self) -> str:
        """What all lines share."""
        return self.facts.text(self.role)

    def differs(self) -> dict[str, dict[str, list[str]]]:
        """Settings in which the lines differ: for each its values, and the lines that have them.

        Settings that a run lacks are options of another method or network, which has its column.
        """
        runs = [entry for entry in self.entries if not entry.published]
        shared = [k for k in (runs[0].budget if runs else {}) if all(k in e.budget for e in runs)]
        found: dict[str, dict[str, list[str]]] = {}
        for key in shared:
            values: dict[str, list[str]] = {}
            for entry in self.entries:
                if key in entry.budget:
                    names = values.setdefault(_short(key, entry.budget[key]), [])
                    name = "published" if entry.published else entry.name
                    names += [name] if name not in names else []
            if len(values) > 1:
                found[key] = values
        return found

    def to_json(self) -> dict[str, Any]:
        """The table with all scores; NaN is None."""
        base = self.baseline
        value = {
            **self.facts.to_json(),
            "role": self.role,
            "remarks": list(self.remarks),
            "unsure": list(self.unsure),
            "differs": self.differs(),
            "delta": self.form,
            "baseline": {"name": base.name, "scores": base.scores} if base else None,
            "entries": [self._entry_json(entry) for entry in self.entries],
        }
        return dict(to_json(value))

    def _entry_json(self, entry: Entry) -> dict[str, Any]:
        delta = entry.delta
        return {
            "name": entry.name,
            **{name: entry.facts.get(name) for name in FACTS},
            "seeds": list(entry.seeds),
            "published": entry.published,
            "scores": entry.scores,
            "std": entry.std,
            "delta": {"mean": delta.mean, "std": delta.std} if delta else None,
            "deltas": {form: one.to_json() for form, one in entry.deltas.items()},
            "intervals": {
                task: {name: _bounds(one) for name, one in of_task.items()}
                for task, of_task in entry.intervals.items()
            },
            "paired": None if entry.paired is None else entry.paired.to_json(),
            "runs": list(entry.runs),
            "note": entry.note,
        }


def _bounds(one: Any) -> list[Any]:
    """An interval as two numbers, of each class two."""
    return [one.low, one.high] if isinstance(one, Estimate) else [_bounds(each) for each in one]


def _short(key: str, value: Any) -> str:
    """A setting; of digests the beginning."""
    if key in ("store", "labels") and isinstance(value, str):
        return value if " + " in value else value[:8]
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
