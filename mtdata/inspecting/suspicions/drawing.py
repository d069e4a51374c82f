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
LETTERS = 36


def draw(store: Store, found: Sequence[Suspicion], regime: str | None = None) -> "Figure":
    """A row for each suspicion, the first `MOST`, those of one kind together.

    Of a label: the image, the label, its borders in the image. Of an image: the borders of two
    labels, or the other image that it is like. Of a whole split: the example of it.

    Args:
        store: What was looked at.
        found: What was found.
        regime: Under which regime: no label is read that it hides.
    """
    legend: dict[str, Swatch] = {}
    rows = [_row(store, each, regime, legend) for each in chosen(found)]
    return sheet(rows, legend=list(legend.values()))


def chosen(found: Sequence[Suspicion]) -> list[Suspicion]:
    """Those that are drawn: of each kind equally many, the surest, as far as there are rows."""
    turns: dict[str, int] = {}
    ranked = []
    for number, each in enumerate(found):
        turn = turns[each.kind] = turns.get(each.kind, -1) + 1
        ranked.append((turn, number))
    return [found[number] for number in sorted(n for _, n in sorted(ranked)[:MOST])]


def _row(
    store: Store, suspicion: Suspicion, regime: str | None, legend: "dict[str, Swatch]"
) -> list[Panel]:
    task, place, other = suspicion.task, suspicion.place, suspicion.beside
    if not place.key and other is not None:
        place, other = other, None
    sample = _read(store, place, regime)
    panels = [Panel(f"{sample.key}  ({place.split})", sample.image)]
    if other is not None:
        image = _read(store, other, regime).image
        panels.append(Panel(f"{other.key}  ({other.split})", image))
    elif task == IMAGE:
        panels += [_borders(store, sample, name) for name in [*sample.labels][:2]]
    else:
        of, label, valid = store.task(task), sample.labels[task], sample.valid[task]
        panels += [labelled_panel(of, label, valid), _borders(store, sample, task)]
        legend |= {each.name: each for each in swatches(of, [label[valid]])}
    sure = "" if suspicion.score is None else f" ({suspicion.score:.0f} spreads)"
    said = textwrap.fill(suspicion.what, LETTERS)
    return [*panels, Panel(f"{suspicion.kind}{sure}", blank(*sample.image.shape[:2]), note=said)]


def _borders(store: Store, sample: Sample, task: str) -> Panel:
    edges = label_edges(store.task(task).kind, sample.labels[task], sample.valid[task]) > 0.5
    picture = np.where(edges[..., None], np.array(BORDER, np.uint8), sample.image)
    return Panel(f"borders of {task}", picture)


def _read(store: Store, place: Place, regime: str | None) -> Sample:
    split = store.split(place.split)
    index = split.index(place.key)
    shown = split.visible(split.regime_or_full(regime))[index]
    names = [task.name for task, yes in zip(store.tasks, shown, strict=True) if yes]
    return without_padding(split.read(index, names))
