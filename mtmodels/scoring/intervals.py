"""How sure a score is: images drawn again, seeds, and tests of a difference."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError
from mtmodels.metrics import METRICS
from mtmodels.scoring.delta import Draws
from mtmodels.scoring.run_scores import RunScores
from mtmodels.scoring.samples import Samples, States

CONFIDENCE = 0.95
RESAMPLES = 2000
ROUNDING = 1e-12
"""What a difference of equal scores may come to: sums are added in another order."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with what it may be as well.

    Args:
        value: The number.
        low: Where its interval begins; None where there is none.
        high: Where it ends.
        p: How likely a difference at least as large would be if there were none; None where that
            was not asked.
        std: Sample standard deviation over seeds, of a delta that has several.
    """

    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    std: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """As plain values."""
        known = {
            name: value for name, value in (("p", self.p), ("std", self.std)) if value is not None
        }
        return {"value": self.value, "low": self.low, "high": self.high, **known}


class Resampler:
    """Scores of the images of a split drawn again, with the same draws for all runs.

    What fewer than two images have a value of is no number in any draw: drawn again, one image is
    the same. `alone` has the tasks of each run that this is true of, `reasons` why a run has no
    draws.

    Args:
        resamples: How many draws; 0 for no interval from images.
        seed: Where the draws start.
    """

    def __init__(self, resamples: int = RESAMPLES, seed: int = 0) -> None:
        self.resamples, self._seed = resamples, seed
        self.reasons: dict[str, str] = {}
        self.alone: dict[str, tuple[str, ...]] = {}
        self._keys: list[str] = []
        self._files: dict[str, Samples] = {}
        self._draws: dict[tuple[str, ...], Draws | None] = {}
        self._weights: Floats = np.zeros((0, 0))

    def draws(self, run: RunScores) -> Draws | None:
        """The scores of each draw; None, with a reason kept, where the run has no such files."""
        if not self.resamples:
            return None
        key = (run.protocol, *run.samples)
        if key not in self._draws or not run.samples:
            self._draws[key] = self._drawn(run)
        return self._draws[key]

    def swapped(self, ours: RunScores, theirs: RunScores) -> tuple[Draws, Draws] | None:
        """Scores of both with images at random exchanged between them, as if they were alike."""
        if self.draws(ours) is None or self.draws(theirs) is None:
            return None
        rng = np.random.default_rng(self._seed + 1)
        swap = rng.integers(0, 2, (self.resamples, len(self._keys))).astype(float)
        a, b = self._states(ours), self._states(theirs)
        common = {task: a[task].keys() for task in a if task in b}
        moved = {t: {n: _flat(b[t][n]) - _flat(a[t][n]) for n in common[t]} for t in common}
        sides: list[Draws] = []
        for states, sign in ((a, 1), (b, -1)):
            sums = {
                t: {
                    n: (_flat(states[t][n]).sum(0) + sign * (swap @ moved[t][n])).reshape(
                        -1, *states[t][n].shape[1:]
                    )
                    for n in common[t]
                }
                for t in common
            }
            sides.append(_scores(ours.protocol, self._kinds(ours), sums))
        return sides[0], sides[1]

    def _drawn(self, run: RunScores) -> Draws | None:
        try:
            found = self._of(run)
        except DataError as error:
            self.reasons[run.name] = str(error)
            return None
        if isinstance(found, str):
            self.reasons[run.name] = found
            return None
        return found

    def _of(self, run: RunScores) -> Draws | str:
        if not run.samples:
            return "what each image adds to the scores was not kept; `mtmodels eval` keeps it"
        if run.protocol not in METRICS:
            return f"the protocol {run.protocol} is not known here"
        states, keys = self._states(run), self._read(run)[0].keys
        if not self._keys:
            self._keys = sorted(keys)
            n, rng = len(keys), np.random.default_rng(self._seed)
            drawn = rng.multinomial(n, np.full(n, 1 / n), self.resamples).astype(float)
            # The first draw is every image once: the scores themselves.
            self._weights = np.concatenate([np.ones((1, n)), drawn])
        if any(sorted(one.keys) != self._keys for one in self._read(run)):
            return "other images than those of the first run"
        sums = {
            task: {
                name: (self._weights @ _flat(array)).reshape(-1, *array.shape[1:])
                for name, array in of_task.items()
            }
            for task, of_task in states.items()
        }
        found = _scores(run.protocol, self._kinds(run), sums)
        for task, of_task in found.items():
            for name, values in of_task.items():
                if not _same(values[0], run.scores.get(task, {}).get(name), name):
                    return f"`{name}` of `{task}` is not what the images that were kept add up to"
        each = _each(run.protocol, self._kinds(run), states)
        few = {
            t: {name: np.isfinite(values).sum(0) < 2 for name, values in m.items()}
            for t, m in each.items()
        }
        self.alone[run.name] = tuple(
            t for t, m in few.items() if all(one.all() for one in m.values())
        )
        return {
            t: {name: np.where(few[t][name], np.nan, values[1:]) for name, values in m.items()}
            for t, m in found.items()
        }

    def _read(self, run: RunScores) -> list[Samples]:
        for path in run.samples:
            if path not in self._files:
                self._files[path] = Samples.read(Path(path))
        return [self._files[path] for path in run.samples]

    def _kinds(self, run: RunScores) -> dict[str, str]:
        return {task: kind for one in self._read(run) for task, kind in one.kinds.items()}

    def _states(self, run: RunScores) -> dict[str, dict[str, NDArray[Any]]]:
        """What each image adds, in the order of their keys."""
        found: dict[str, dict[str, NDArray[Any]]] = {}
        for one in self._read(run):
            order = np.argsort(np.array(one.keys))
            for task, states in one.states.items():
                if task in run.scores:
                    found[task] = {name: array[order] for name, array in states.items()}
        return found


def interval(
    points: Sequence[float] | Floats, draws: Floats | None, *, other: Sequence[float] = ()
) -> Estimate:
    """The mean of one or more seeds with its 95 % interval.

    Of one seed the 2.5th and 97.5th percentile over draws of the images. Of several it reaches
    sqrt(t^2 a + z^2 b) to either side: a is the variance of their mean as the seeds vary, with
    Student's t for as many seeds, b that over draws of the images, which all seeds share, with the
    normal z. (Seeds drawn again would give too little: three have only ten different draws.)

    Args:
        points: The number of each seed.
        draws: The same for each draw of the images, `[seeds, draws]`; None where there are none.
            Draws without a number (a class that occurs in none of its images) are left out, and
            where that are more than half, all are.
        other: The number for each seed of what it is measured against, where these are not paired.
            Where one of them is none, how they vary is not known, and there is no interval.
    """
    if not np.isfinite(points).all():
        return Estimate(math.nan)
    mean, known = float(np.mean(points)), _finite(draws)
    if len(points) == 1 and len(other) < 2:
        if known is None:
            return Estimate(mean)
        tail = 50 * (1 - CONFIDENCE)
        low, high = np.percentile(known[0], (tail, 100 - tail))
        return Estimate(mean, float(low), float(high))
    if not np.isfinite(other).all():
        return Estimate(mean)
    reach = _reach(_variances(points, known, other), 1 - CONFIDENCE)
    return Estimate(mean, mean - reach, mean + reach)


def p_of_seeds(points: Sequence[float], draws: Floats | None) -> float | None:
    """Two-sided p of a mean difference over seeds: at which its interval just reaches 0.

    None of what is no number, and of differences without any variance, which tell nothing of it.
    """
    if len(points) < 2 or not np.isfinite(points).all():
        return None
    mean, low, high = abs(float(np.mean(points))), 0.0, 1.0
    if mean <= ROUNDING:
        return 1.0
    variances = _variances(points, _finite(draws), ())
    if _reach(variances, 1 - CONFIDENCE) <= 1e-9 * mean + ROUNDING:
        return None
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _reach(variances, middle) > mean else (low, middle)
    return high


def p_of_images(found: float, null: Floats) -> float | None:
    """Two-sided p of a difference: the share of exchanges of images that give as large a one.

    None of a difference that is no number.
    """
    if not np.isfinite(found):
        return None
    # What differs in the last digits is as large.
    reached = np.abs(null) >= abs(found) * (1 - 1e-9) - ROUNDING
    return (1 + int(reached.sum())) / (1 + len(null))


def _finite(draws: Floats | None) -> Floats | None:
    """The draws that gave a number, where those are most."""
    if draws is None:
        return None
    finite = np.isfinite(draws).all(0)
    return draws[:, finite] if 2 * finite.sum() > finite.size else None


def _variances(
    points: Sequence[float] | Floats, draws: Floats | None, other: Sequence[float]
) -> list[tuple[float, float]]:
    """The variance of a mean from each source, with its degrees of freedom."""
    found = [
        (float(np.var(values, ddof=1)) / len(values), len(values) - 1.0)
        for values in (points, other)
        if len(values) > 1
    ]
    return found if draws is None else [*found, (float(draws.mean(0).var(ddof=1)), math.inf)]


def _reach(variances: Sequence[tuple[float, float]], alpha: float) -> float:
    """How far an interval of confidence 1 - alpha reaches."""
    from scipy.special import ndtri, stdtrit

    square = 0.0
    for variance, freedom in variances:
        t = ndtri(1 - alpha / 2) if freedom == math.inf else stdtrit(freedom, 1 - alpha / 2)
        square += float(t) ** 2 * variance if variance else 0.0
    return math.sqrt(square)


def per_image(samples: Samples) -> dict[str, dict[str, Floats]]:
    """The scores of each image alone, by what it adds; NaN for one that does not show the task."""
    return _each(samples.protocol, samples.kinds, samples.states)


def _each(
    protocol: str, kinds: Mapping[str, str], states: Mapping[str, States]
) -> dict[str, dict[str, Floats]]:
    floats = {
        task: {name: array.astype(np.float64) for name, array in of_task.items()}
        for task, of_task in states.items()
    }
    return _scores(protocol, kinds, floats)


def _flat(array: NDArray[Any]) -> Floats:
    return array.reshape(len(array), -1).astype(np.float64)


def _scores(
    protocol: str, kinds: Mapping[str, str], sums: Mapping[str, Mapping[str, Floats]]
) -> dict[str, dict[str, Floats]]:
    """The scores of many sums over images, by the same code that scores a split.

    Raises:
        DataError: where the metric of a plug-in does not take what images added to another.
    """
    import torch

    found = {}
    for task, states in sums.items():
        try:
            metric = METRICS[protocol].find(kinds[task], task)
            scores = metric.scores({n: torch.from_numpy(array) for n, array in states.items()})
            found[task] = {name: value.numpy() for name, value in scores.items()}
        except Exception as error:
            if protocol not in METRICS.origins:
                raise
            raise DataError(
                f"the metric of `{task}` in {METRICS.origins[protocol]} fails on what images added "
                f"when they were scored ({type(error).__name__}: {error}); score the run again "
                "with `mtmodels eval` where it has changed"
            ) from error
    return found


def _same(ours: Any, kept: Any, name: str) -> bool:
    """Whether what images add up to is the score that was kept; a median is too rough to tell."""
    if name == "median":
        return True
    if kept is None or np.shape(ours) != np.shape(kept):
        return False
    return bool(np.allclose(ours, kept, rtol=1e-6, atol=1e-9, equal_nan=True))
