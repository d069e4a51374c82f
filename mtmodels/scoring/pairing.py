"""Differences between runs of the same seed, on the same images."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mtdata.errors import UsageError
from mtmodels.scoring.delta import FORMS, Baseline, Draws, forms_of, of_draws
from mtmodels.scoring.intervals import (
    Estimate,
    Resampler,
    interval,
    p_of_images,
    p_of_seeds,
)
from mtmodels.scoring.run_scores import RunScores, by_entry, common_name, joined
from mtmodels.scoring.score_table import Paired

Pair = tuple[RunScores, RunScores]
Quantity = Callable[[Any, Any], Any]
"""A number from the scores of two runs, or many from those of many draws."""


def pairs_of(ours: Sequence[RunScores], theirs: Sequence[RunScores]) -> list[Pair]:
    """Each run with that of the same seed on the other side, where there is one.

    Runs of one task each on the other side are one together. Under one regime and with the same
    tasks both must have seen the same labels: a regime that was drawn anew is another seed.
    """
    bases = by_seed(theirs)
    pairs = [(run, bases[run.seed]) for run in ours if run.seed in bases]
    return [(run, base) for run, base in pairs if not _drawn_anew(run, base)]


def without_pair(ours: Sequence[RunScores], theirs: Sequence[RunScores]) -> list[str]:
    """A sentence on the runs that have no partner, by the reason; those of the other side aside."""
    bases, own = by_seed(theirs), {run.name for run in theirs}
    alone: list[str] = []
    anew: list[str] = []
    for run in (run for run in ours if run.name not in own):
        if run.seed not in bases:
            alone.append(f"{run.name} (seed {run.seed})")
        elif _drawn_anew(run, bases[run.seed]):
            anew.append(run.name)
    seeds = ", ".join(map(str, bases)) or "none that all of its runs have"
    told = [f"the other side has no run of that seed, but of {seeds}: {', '.join(alone)}"]
    told += [f"they saw other labels under a regime of the same name: {', '.join(anew)}"]
    return [
        f"Not tested, as {why}." for why, names in zip(told, (alone, anew), strict=True) if names
    ]


def by_seed(runs: Sequence[RunScores]) -> dict[int, RunScores]:
    """The runs of each seed as one; a seed that one of the entries lacks is left out."""
    sides = [{run.seed: run for run in group} for group in by_entry(runs)]
    return {
        seed: joined([side[seed] for side in sides])
        for seed in (sides[0] if sides else ())
        if seed is not None and all(seed in side for side in sides)
    }


def paired(pairs: Sequence[Pair], resampler: Resampler, *, test: bool = False) -> Paired | None:
    """The mean differences of all pairs; None where there is no pair of two different runs.

    Args:
        pairs: Of one line and one reference.
        resampler: Draws the images again.
        test: Whether to test each difference.
    """
    pairs = [(ours, theirs) for ours, theirs in pairs if ours.name != theirs.name]
    if not pairs:
        return None
    estimate = _Estimator(pairs, resampler, test=test)
    scores: dict[str, dict[str, Estimate]] = {}
    for task, metrics in pairs[0][0].scores.items():
        for name in metrics:
            if all(_is_number(run, task, name) for pair in pairs for run in pair):
                scores.setdefault(task, {})[name] = estimate(_difference(task, name))
    deltas = {}
    for form in forms_of(pairs[0][0].protocol):
        every = {delta_terms(form, ours.scores, base.scores) for ours, base in pairs}
        terms = every.pop()
        if terms and not every:  # the same of all pairs
            deltas[form] = estimate(improvement(terms))
    names = list(dict.fromkeys(base.name for _, base in pairs))
    seeds = tuple(int(run.seed or 0) for run, _ in pairs)
    return Paired(common_name(names), seeds, scores, deltas)


def delta_terms(form: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[str, ...]:
    """What a form of delta counts; empty where a score of it is missing."""
    try:
        return tuple(FORMS[form](ours, Baseline("", theirs), tasks=tuple(theirs)).terms)
    except UsageError:
        return ()


def improvement(terms: Sequence[str]) -> Quantity:
    """The delta of some terms."""
    return lambda ours, theirs: of_draws(terms, ours, theirs)


def _is_number(run: RunScores, task: str, name: str) -> bool:
    """Whether a run has a score that is one number, of a class none."""
    return isinstance(run.scores.get(task, {}).get(name), (int, float))


def _difference(task: str, name: str) -> Quantity:
    return lambda ours, theirs: ours[task][name] - theirs[task][name]


class _Estimator:
    def __init__(self, pairs: Sequence[Pair], resampler: Resampler, *, test: bool) -> None:
        self._pairs = pairs
        drawn = [(resampler.draws(ours), resampler.draws(theirs)) for ours, theirs in pairs]
        self._drawn = [(a, b) for a, b in drawn if a is not None and b is not None]
        self._test = test
        self._null: tuple[Draws, Draws] | None = None
        if test and len(pairs) == 1:
            self._null = resampler.swapped(*pairs[0])

    def __call__(self, quantity: Quantity) -> Estimate:
        points = [float(quantity(ours.scores, theirs.scores)) for ours, theirs in self._pairs]
        whole = len(self._drawn) == len(points)
        draws = np.stack([quantity(*both) for both in self._drawn]) if whole else None
        found = interval(points, draws)
        if not self._test:
            return found
        if self._null is not None:
            p: float | None = p_of_images(points[0], quantity(*self._null))
        else:
            p = p_of_seeds(points, draws)
        return Estimate(found.value, found.low, found.high, p)


def _drawn_anew(a: RunScores, b: RunScores) -> bool:
    """Whether one regime showed other labels of the same tasks, where the digests can tell."""
    digests = str(a.settings.get("labels")), str(b.settings.get("labels"))
    alike = a.regime == b.regime and a.settings.get("tasks") == b.settings.get("tasks")
    return alike and digests[0] != digests[1]
