"""What a step tells: its terms as plain numbers, of all parts and processes."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from mtmodels.methods.terms import Terms
from mtmodels.training.loop.everywhere import Told, Values, joined_owners

Numbers = Mapping[str, float | int]


@dataclass(frozen=True)
class StepResult:
    """What a step tells the log.

    Args:
        lr: The learning rate.
        loss: What went backwards; None where the batch gave no term.
        tasks: The terms of tasks.
        auxiliary: The terms beside them.
        parts: What the terms are made of.
        gradient_norm: Before clipping.
        images: See `Terms.images`; an int where it is a whole number.
        labelled: The direct loss of each task as a mean over these images.
        owners: See `Terms.owners`.
        counts: See `Terms.counts`.
    """

    lr: float
    loss: float | None
    tasks: Mapping[str, float]
    auxiliary: Mapping[str, float]
    parts: Mapping[str, float]
    gradient_norm: float
    images: Mapping[str, float | int] = field(default_factory=dict)
    labelled: Mapping[str, float] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, float] = field(default_factory=dict)


def together(parts: Sequence[StepResult]) -> StepResult:
    """What a step tells that was done in parts of equal size: terms are those of all its images."""
    share = 1 / len(parts)
    told = joined_owners(
        [Told({"tasks": {**p.tasks}, "auxiliary": {**p.auxiliary}}, p.owners, ()) for p in parts]
    )
    parts = [
        replace(part, tasks=one.values["tasks"], auxiliary=one.values["auxiliary"])
        for part, one in zip(parts, told, strict=True)
    ]

    def of_batch(field: str) -> dict[str, float]:
        return _summed(
            {name: share * value for name, value in getattr(part, field).items()} for part in parts
        )

    images = _counts(_summed(part.images for part in parts))
    labelled = _means([(part.labelled, part.images) for part in parts])
    losses = [part.loss for part in parts if part.loss is not None]
    return StepResult(
        lr=0.0,
        loss=share * sum(losses) if losses else None,
        tasks=of_batch("tasks"),
        auxiliary=of_batch("auxiliary"),
        parts=of_batch("parts") | _means([(part.parts, part.counts) for part in parts]),
        gradient_norm=0.0,
        images=images,
        labelled={name: labelled[name] for name in images if name in labelled},
        owners={name: task for one in told for name, task in one.owners.items()},
        counts=_summed(part.counts for part in parts),
    )


def _counts(images: Mapping[str, float]) -> Numbers:
    """Whole numbers as such; only pasted parts of labels make others."""
    return {name: int(n) if n.is_integer() else n for name, n in images.items()}


def _summed(each: Iterable[Numbers]) -> dict[str, float]:
    found: dict[str, float] = {}
    for named in each:
        for name, value in named.items():
            found[name] = found.get(name, 0.0) + value
    return found


def _means(each: Sequence[tuple[Numbers, Numbers]]) -> dict[str, float]:
    """Means of values that are means of so many each; what has no such number is left out."""
    there = [({n: x for n, x in values.items() if n in of}, of) for values, of in each]
    counts = _summed({n: of[n] for n in values} for values, of in there)
    totals = _summed({n: x * of[n] for n, x in values.items()} for values, of in there)
    return {name: total / counts[name] for name, total in totals.items()}


def read_terms(terms: Terms) -> Values:
    """Bring all terms and counts to the processor in one go."""
    scalars = terms.scalars()
    flat = [(family, name) for family, named in scalars.items() for name in named]
    numbers = [scalars[family][name].detach().double() for family, name in flat]
    values: Values = {family: {} for family in scalars}
    for (family, name), value in zip(
        flat, torch.stack(numbers).tolist() if numbers else [], strict=True
    ):
        values[family][name] = value
    return values


def unfinite(values: Values) -> Iterator[str]:
    """The terms that are not finite; the parts first, as they name the culprit best."""
    for family in ("parts", "auxiliary", "tasks"):
        for name, value in values[family].items():
            if not math.isfinite(value):
                yield name


def result_of(told: Told) -> StepResult:
    """What the terms of a part tell, before anything is learnt of them."""
    images = _counts(told.values["images"])
    rest = {field: named for field, named in told.values.items() if field != "images"}
    return StepResult(0.0, None, **rest, gradient_norm=0.0, images=images, owners=told.owners)
