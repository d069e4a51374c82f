"""What is implausible in the data of a build that is done, so far as its journal tells.

Void pixels and missing labels are counted over all images. Values are looked at in `LOOKED` labels
of a task, evenly spread; classes are looked for until all were seen, in `SEARCHED` at most.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.building.journal import Journal
from mtdata.building.request import Request
from mtdata.store import format as layout
from mtdata.store.codec import decode, filters
from mtdata.store.digest import shared_images
from mtdata.tasks.kinds import Binary, Classes, Depth
from mtdata.tasks.task import Task
from mtdata.wording import counted, listed

LOOKED = 60
SEARCHED = 500
FAR, NEAR = 100.0, 0.001
"""Metres beyond which, and below which, depth is doubted."""
MOSTLY = 0.5
TOLD = 0.01
NAMES = 8
Place = tuple[str, str]


@dataclass(frozen=True)
class Doubts:
    """Sentences on what is hardly meant, and the share of each task's pixels that mean nothing.

    `void` has the tasks whose share is a hundredth or more. `absent` are sentences on classes that
    never occur in a part of a data set: there it is no wonder, in the whole it is implausible.
    """

    implausible: tuple[str, ...]
    void: dict[str, float]
    absent: tuple[str, ...] = ()


def doubts_of(request: Request, journal: Journal) -> Doubts:
    """Look through the finished samples of a build."""
    places = [(split, key) for split, keys in request.keys.items() for key in keys]
    said: list[str] = [*_shared(request, journal)]
    absent: list[str] = []
    void: dict[str, float] = {}
    for column, task in enumerate(request.tasks):
        labelled = [at for at in places if journal.entries[at].valid_pixels[column] > 0]
        if not labelled:
            said.append(f"`{task.name}` has no label with a valid pixel")
            continue
        pixels = sum(_pixels(journal, at) for at in labelled)
        valid = sum(journal.entries[at].valid_pixels[column] for at in labelled)
        share = 1 - valid / pixels
        if share >= TOLD:
            void[task.name] = share
        if share > MOSTLY:
            said.append(f"{100 * share:.3g} % of the pixels of `{task.name}` are void")
        if isinstance(task.kind, Classes):
            missing = _classes(request, journal, labelled, column, task.kind, task.name)
            (absent if is_excerpt(request) else said).extend(missing)
        elif isinstance(task.kind, Binary):
            said += _binary(_values(request, journal, labelled, column), task.name)
        elif isinstance(task.kind, Depth) and task.kind.unit == "m":
            said += _metres(_values(request, journal, labelled, column), task.name)
    return Doubts(tuple(said), void, tuple(absent))


def _shared(request: Request, journal: Journal) -> Iterator[str]:
    roles = request.source.roles()
    splits = [
        (split, roles[split], keys, [journal.entries[split, key].image for key in keys])
        for split, keys in request.keys.items()
    ]
    found = [f"{one} is {other}" for one, other in shared_images(splits).items()]
    if found:
        yield (
            f"{counted(len(found), 'image')} of one split in another that is for something else, "
            f"pixel by pixel the same, so that what is trained on is tested on: {listed(found, 3)}"
        )


def is_excerpt(request: Request) -> bool:
    """Whether a build takes fewer images than its data set is known to have."""
    official = request.source.official.items()
    return request.limit is not None or any(
        len(request.keys.get(split, ())) < count for split, count in official
    )


def _pixels(journal: Journal, at: Place) -> int:
    height, width = journal.entries[at].size
    return height * width


def _spread(places: Sequence[Place], count: int) -> Sequence[Place]:
    return places[:: max(1, -(-len(places) // count))]


def _values(
    request: Request, journal: Journal, places: Sequence[Place], column: int, count: int = LOOKED
) -> Iterator[NDArray[Any]]:
    """The valid values of some labels, decoded."""
    task: Task = request.tasks[column]
    for at in _spread(places, count):
        row = journal.read(*at)
        chunk = row.cells[1 + column].chunk
        if chunk is None:
            continue
        shape, dtype = layout.stored_form(task.kind, row.size)
        options = filters(request.compression, dtype, image=False)
        label, valid = task.kind.decode(decode(chunk, shape, dtype, options))
        yield label[valid]


def _classes(
    request: Request, journal: Journal, places: Sequence[Place], column: int, kind: Classes,
    name: str,
) -> Iterator[str]:  # fmt: skip
    seen = np.zeros(len(kind.names), np.bool_)
    for values in _values(request, journal, places, column, SEARCHED):
        seen |= np.bincount(values, minlength=seen.size) > 0
        if seen.all():
            return
    absent = [each for each, there in zip(kind.names, seen, strict=True) if not there]
    shown = ", ".join(absent[:NAMES]) + (", ..." if len(absent) > NAMES else "")
    looked = len(_spread(places, SEARCHED))
    among = "" if looked == len(places) else f" in the {counted(looked, 'label')} looked at"
    yield f"of the classes of `{name}`, {len(absent)} never occur{among}: {shown}"


def _binary(found: Iterator[NDArray[Any]], name: str) -> Iterator[str]:
    ones = [(int((values > 0).sum()), values.size) for values in found]
    empty = sum(on == 0 for on, _ in ones)
    full = sum(on == size for on, size in ones)
    for count, what in ((empty, "empty"), (full, "on everywhere")):
        if count > MOSTLY * len(ones):
            yield f"{count} of {len(ones)} masks of `{name}` are {what}"


def _metres(found: Iterator[NDArray[Any]], name: str) -> Iterator[str]:
    ends = [(float(values.min()), float(values.max())) for values in found if values.size]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if high > FAR:
        yield f"depth of `{name}` reaches {high:.4g} m, beyond {FAR:g} m"
    if low < 0:
        yield f"depth of `{name}` is down to {low:.4g} m, below 0"
    if high < NEAR * FAR:
        yield f"depth of `{name}` is nowhere more than {high:.3g} m"


def refusal(doubts: Doubts) -> str:
    """What to say where a strict build refuses them."""
    return (
        f"data should be plausible with --strict; {'; '.join(doubts.implausible)}. Correct the "
        "files or what describes them, or build without --strict."
    )
