"""A sheet of suspects: each image, the label or other image that it is about, and the reason."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mtdata.inspecting.pictures import Panel, blank, labelled_panel, sheet, swatches
from mtdata.inspecting.suspicions.base import IMAGE, Place, Suspicion
from mtdata.inspecting.suspicions.looking import without_padding
from mtdata.inspecting.suspicions.shift import label_edges
from mtdata.store import Store
from mtdata.tasks.sample import Sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mtdata.inspecting.pictures import Swatch

MOST = 60
"""Rows that a sheet has at most: what can be written and looked at."""
BORDER = (255, 40, 40)
LETTERS = 40


def draw(store: Store, found: Sequence[Suspicion]) -> "Figure":
    """A row for each suspicion, the first `MOST`, those of one kind together.

    Of a label: the image, the label, its borders in the image. Of a whole split: the first image
    of it that was looked at.
    """
    legend: dict[str, Swatch] = {}
    rows = [_row(store, each, legend) for each in chosen(found)]
    return sheet(rows, legend=list(legend.values()))


def chosen(found: Sequence[Suspicion]) -> list[Suspicion]:
    """Those that are drawn: of each kind equally many, the surest, as far as there are rows."""
    turns: dict[str, int] = {}
    ranked = []
    for number, each in enumerate(found):
        turn = turns[each.kind] = turns.get(each.kind, -1) + 1
        ranked.append((turn, number))
    return [found[number] for number in sorted(n for _, n in sorted(ranked)[:MOST])]


def _row(store: Store, suspicion: Suspicion, legend: "dict[str, Swatch]") -> list[Panel]:
    task, place, other = suspicion.task, suspicion.place, suspicion.beside
    if not place.key and other is not None:
        place, other = other, None
    sample = _read(store, place, task)
    shape = sample.image.shape
    panels = [Panel(f"{sample.key}  ({place.split})", sample.image)]
    if other is not None:
        panels.append(Panel(f"{other.key}  ({other.split})", _read(store, other, IMAGE).image))
    elif task != IMAGE:
        of, label, valid = store.task(task), sample.labels[task], sample.valid[task]
        panels.append(labelled_panel(of, label, valid))
        edges = label_edges(of.kind, label, valid) > 0.5
        picture = np.where(edges[..., None], np.array(BORDER, np.uint8), sample.image)
        panels.append(Panel(f"borders of {task}", picture))
        legend |= {each.name: each for each in swatches(of, [label[valid]])}
    sure = "" if suspicion.score is None else f" ({suspicion.score:.0f} spreads)"
    said = textwrap.fill(suspicion.what, LETTERS)
    reason = Panel(f"{suspicion.kind}{sure}", blank(*shape[:2]), note=said)
    return [*panels, *([Panel("", blank(*shape[:2]))] * (3 - len(panels))), reason]


def _read(store: Store, place: Place, task: str) -> Sample:
    split = store.split(place.split)
    return without_padding(split.read(split.index(place.key), [] if task == IMAGE else [task]))
