"""From runs and published rows to the lines of a table, with deltas and intervals."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mtdata.errors import UsageError
from mtmodels.metrics.scores import LooseScores
from mtmodels.scoring.delta import DELTAS, FORMS, Baseline, Draws, forms_of, of_draws
from mtmodels.scoring.intervals import Estimate, Resampler, interval
from mtmodels.scoring.pairing import by_seed, delta_terms, paired, pairs_of
from mtmodels.scoring.published import Row
from mtmodels.scoring.run_scores import (
    RunScores,
    by_entry,
    common_name,
    joined,
    members,
    over_seeds,
)
from mtmodels.scoring.score_table import FACTS, Entry
from mtmodels.scoring.spread import Spread


class EntryMaker:
    """Makes the lines of one table.

    Args:
        baseline: What deltas are against.
        reference: The runs that seeds are paired with: those of the baseline, or of another line.
        resampler: Draws the images again.
        test: Whether paired differences are tested.
    """

    def __init__(
        self,
        baseline: Baseline | None,
        reference: Sequence[RunScores],
        resampler: Resampler,
        *,
        test: bool = False,
    ) -> None:
        self._baseline, self._reference = baseline, reference
        self._resampler, self._test = resampler, test

    def of_runs(self, runs: Sequence[RunScores]) -> Entry:
        """The line of one run, or of its seeds."""
        first = runs[0]
        means, std = over_seeds(runs)
        deltas = [_delta(run.protocol, run.scores, self._baseline) for run in runs]
        known = [delta for delta in deltas if delta is not None]
        return Entry(
            name=common_name([run.name for run in runs]),
            facts={name: getattr(first, name) for name in FACTS},
            seeds=tuple(run.seed for run in runs),
            scores=means,
            std=std,
            delta=Spread.of(known) if len(known) == len(runs) else None,
            note="; ".join(_note(first)),
            budget=first.budget,
            runs=tuple(run.name for run in runs),
            intervals=self._intervals([runs]),
            deltas=self._deltas(runs),
            paired=paired(pairs_of(runs, self._reference), self._resampler, test=self._test),
            classes=first.classes,
            logs=tuple(path for run in runs for path in run.logs),
        )

    def of_baseline(self, runs: Sequence[RunScores], why: Sequence[str]) -> Entry:
        """The line of a baseline that is not itself among the runs."""
        assert self._baseline is not None
        groups = by_entry(runs)
        first, scores = joined([group[0] for group in groups]), self._baseline.scores
        deltas = {}
        for form in forms_of(first.protocol):
            if terms := delta_terms(form, scores, scores):
                of_seeds = by_seed(runs).values()
                points = [float(of_draws(terms, seed.scores, scores)) for seed in of_seeds]
                deltas[form] = Estimate(0.0, std=Spread.of(points).std)
        shown = DELTAS.get(first.protocol)
        own = next((deltas.get(form) for form, delta in FORMS.items() if delta is shown), None)
        return Entry(
            name=self._baseline.name,
            facts={name: getattr(first, name) for name in FACTS},
            seeds=tuple(dict.fromkeys(run.seed for run in runs)),
            scores=scores,
            std={task: of for group in groups for task, of in over_seeds(group)[1].items()},
            delta=None if own is None else Spread(own.value, own.std),
            note="; ".join([*_note(first), *_beside(why)]),
            budget=first.budget,
            runs=tuple(run.name for run in runs),
            intervals=self._intervals(groups),
            deltas=deltas,
            classes=first.classes,
            logs=tuple(path for run in runs for path in run.logs),
        )

    def of_row(self, row: Row, why: Sequence[str] = ()) -> Entry:
        """The line of a published row."""
        value = _delta(row.protocol, row.scores, self._baseline)
        # Networks of a paper are those that width 1 stands for.
        budget = {"network.width": 1.0} | ({} if row.epochs is None else {"epochs": row.epochs})
        return Entry(
            name=row.key,
            facts={name: getattr(row, name) for name in FACTS},
            seeds=(),
            scores=row.scores,
            std={},
            delta=None if value is None else Spread(value),
            published=True,
            note=" ".join([*_beside(why), *([row.note] if row.note else [])]),
            budget=budget,
            deltas={
                form: Estimate(float(of_draws(terms, row.scores, self._baseline.scores)))
                for form in forms_of(row.protocol)
                if self._baseline
                and (terms := delta_terms(form, row.scores, self._baseline.scores))
            },
        )

    def _intervals(self, groups: Sequence[Sequence[RunScores]]) -> dict[str, dict[str, Any]]:
        """Of every score that has one; of lists one a class."""
        found: dict[str, dict[str, Any]] = {}
        for runs in groups:
            drawn = self._drawn(runs)
            for task, metrics in runs[0].scores.items():
                for name, value in metrics.items():
                    if value is None or any(name not in run.scores[task] for run in runs):
                        continue
                    points = np.array([run.scores[task][name] for run in runs], float)
                    # A metric of a plug-in may have scores beside those that draws can make.
                    of_each = [one[task][name] for one in drawn or () if name in one[task]]
                    draws = np.stack(of_each) if of_each else None
                    one: Any = (
                        [
                            interval(points[:, c], None if draws is None else draws[..., c])
                            for c in range(len(value))
                        ]
                        if isinstance(value, list)
                        else interval(points, draws)
                    )
                    if _known(one):
                        found.setdefault(task, {})[name] = one
        return found

    def _deltas(self, runs: Sequence[RunScores]) -> dict[str, Estimate]:
        """Against the mean of the baseline, whatever its seeds are."""
        if self._baseline is None:
            return {}
        theirs = self._baseline.scores
        drawn, against = self._drawn(runs), self._drawn(self._reference)
        own = members(r.name for r in runs) <= members(r.name for r in self._reference)
        means, bases = over_seeds(runs)[0], by_seed(self._reference).values()
        found = {}
        for form in forms_of(runs[0].protocol):
            every = [delta_terms(form, run.scores, theirs) for run in runs]
            if not all(every):
                continue
            terms = every[0]
            points = [float(of_draws(terms, run.scores, theirs)) for run in runs]
            if own:
                found[form] = Estimate(float(np.mean(points)), std=Spread.of(points).std)
                continue
            draws = None
            if drawn is not None and (against is not None or not self._reference):
                mean = _mean(against) if against else theirs
                draws = np.stack([of_draws(terms, one, mean) for one in drawn])
            other = [float(of_draws(terms, means, base.scores)) for base in bases]
            estimate = interval(points, draws, other=other)
            found[form] = replace(estimate, std=Spread.of(points).std)
        return found

    def _drawn(self, runs: Sequence[RunScores]) -> list[Draws] | None:
        """The draws of all of the runs; None where those of one are missing."""
        drawn = [self._resampler.draws(run) for run in runs]
        known = [one for one in drawn if one is not None]
        return known if known and len(known) == len(runs) else None


def _known(one: Estimate | list[Estimate]) -> bool:
    return any(_known(each) for each in one) if isinstance(one, list) else one.low is not None


def _mean(drawn: Sequence[Draws]) -> dict[str, dict[str, Any]]:
    """The mean over runs of what each draw gives; a task counts where it is there."""
    tasks: dict[str, list[Any]] = {}
    for one in drawn:
        for task, metrics in one.items():
            tasks.setdefault(task, []).append(metrics)
    return {
        task: {name: np.mean([m[name] for m in of_task], axis=0) for name in of_task[0]}
        for task, of_task in tasks.items()
    }


def _note(run: RunScores) -> list[str]:
    """What to know before a run is quoted."""
    apart = [f"apart from published rows: {', '.join(run.apart)}"] if run.apart else []
    return [*([run.note] if run.note else []), *apart]


def _beside(why: Sequence[str]) -> list[str]:
    return [f"not comparable: the runs have {'; '.join(why)}."] if why else []


def _delta(protocol: str, scores: LooseScores, baseline: Baseline | None) -> float | None:
    """Delta over the tasks of the baseline; None where a score of them, or a form, is missing."""
    if baseline is None or protocol not in DELTAS:
        return None
    try:
        return DELTAS[protocol](scores, baseline, tasks=tuple(baseline.scores)).value
    except UsageError:
        return None
