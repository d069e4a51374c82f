"""The sentences under a table of scores: what a number in it does not say, or rests on."""

import math
from collections.abc import Iterator, Sequence

from mtdata.wording import listed
from mtmodels.scoring.delta import Baseline, nothing_relative_to
from mtmodels.scoring.facts import rests_on
from mtmodels.scoring.intervals import Resampler
from mtmodels.scoring.pairing import by_seed
from mtmodels.scoring.run_scores import RunScores
from mtmodels.scoring.score_table import Entry


def not_tested(entries: Sequence[Entry]) -> Iterator[str]:
    """A sentence on the lines that have pairs, of which none could be tested."""
    for several, why in (
        (False, "one pair of runs is tested by what each image adds to the scores of both"),
        (True, "their differences vary neither over seeds nor over images, or are no number"),
    ):
        names = [
            entry.name
            for entry in entries
            if entry.paired and not entry.paired.tested and several == (len(entry.paired.seeds) > 1)
        ]
        if names:
            yield f"Not tested, as {why}: {', '.join(names)}."


def rows_without_delta(baseline: Baseline, entries: Sequence[Entry]) -> Iterator[str]:
    """A sentence on the published rows that lack a task which delta counts."""
    rows: dict[str, list[str]] = {}
    for entry in (entry for entry in entries if entry.published):
        lacking = [task for task in baseline.scores if task not in entry.scores]
        if lacking:
            rows.setdefault(", ".join(lacking), []).append(entry.name)
    for tasks, names in rows.items():
        yield f"No delta of published rows without {tasks}: {', '.join(names)}."


def without_images(resampler: Resampler) -> list[str]:
    """A sentence on runs whose intervals do not know of the images."""
    about: dict[str, list[str]] = {}
    for name, reason in resampler.reasons.items():
        about.setdefault(reason, []).append(name)
    return [
        f"Intervals of {', '.join(names)} know of seeds alone, not of images: {reason}."
        for reason, names in about.items()
    ]


def resting_on_little(runs: Sequence[RunScores]) -> list[str]:
    """What scores rest on, where it is little; with names where runs differ in it."""
    about: dict[str, list[str]] = {}
    for run in runs:
        about.setdefault(rests_on(run.split, run.images, run.labelled), []).append(run.name)
    if len(about) == 1:
        return [text for text in about if text]
    return [f"{', '.join(dict.fromkeys(names))}: {text}" for text, names in about.items() if text]


def of_one_image(resampler: Resampler) -> list[str]:
    """A sentence on each task that one image alone shows."""
    about: dict[str, list[str]] = {}
    for name, tasks in resampler.alone.items():
        for task in tasks:
            about.setdefault(task, []).append(name)
    return [
        f"Intervals of {task}, and of deltas that count it, know nothing of images in "
        f"{', '.join(names)}: fewer than two show it."
        for task, names in about.items()
    ]


def over_other_classes(runs: Sequence[RunScores]) -> Iterator[str]:
    """A sentence on each task whose mean IoU is over other classes in one run than in another."""
    counted: dict[str, dict[str, list[bool]]] = {}
    for run in runs:
        for task, metrics in run.scores.items():
            if isinstance(metrics.get("iou"), list) and "miou" in metrics:
                finite = [math.isfinite(value) for value in metrics["iou"]]
                counted.setdefault(task, {})[run.name] = finite
    names = {task: list(of) for run in runs for task, of in run.classes.items()}
    for task, of in counted.items():
        some = [at for at, each in enumerate(zip(*of.values(), strict=True)) if len({*each}) > 1]
        if some:
            called = names.get(task, [str(at) for at in range(len(next(iter(of.values()))))])
            told = [
                f"{called[at]} in {listed([name for name, finite in of.items() if finite[at]], 3)}"
                for at in some
            ]
            yield (
                f"The mIoU of {task} is not over the same classes in all runs: one that no label "
                f"shows counts where it is predicted, with 0. Counted: {listed(told, 3)}."
            )


def relative_to_nothing(reference: Sequence[RunScores]) -> Iterator[str]:
    """A sentence on each seed of a reference that a delta cannot be relative to."""
    for seed, run in by_seed(reference).items():
        found = [f"`{name}` of `{task}`" for task, name in nothing_relative_to(run.scores)]
        if found:
            yield (
                f"Nothing is relative to what is 0 or no number in {run.name} (seed {seed}): "
                f"{', '.join(found)}. Deltas of pairs, and intervals of deltas, that need it are "
                "left out."
            )
