"""Labels that follow from others exactly, by a rule, added to a store."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError, UnknownNameError, UsageError
from mtdata.merging.adding import Addition, AddSummary, Made, NewLabel, add_labels
from mtdata.progress import Progress
from mtdata.sources.thinning import thin
from mtdata.store import Split, Store
from mtdata.store import format as layout
from mtdata.tasks.kinds import Binary, Classes, Depth, Kind, Normals
from mtdata.tasks.normals_from_depth import normals_from_depth, window_of
from mtdata.tasks.sample import Camera
from mtdata.tasks.task import Task

Label = NDArray[Any]
Mask = NDArray[np.bool_]
Apply = Callable[[Kind, Label, Mask, Camera | None], tuple[Label, Mask]]
PERSON = "person"


@dataclass(frozen=True)
class Rule:
    """How one label follows from another.

    Args:
        name: What it is called.
        says: What it does, for people.
        fits: Whether it makes the kind of a task from the kind of another.
        names: The tasks that it makes, and makes them from, unless it is asked for; empty for any:
            what is known of kinds alone does not say that it holds.
        apply: From a label, its validity and the camera to those of the new one.
        parameters: What it depends on, given the heights of the images.
        camera: Whether it needs the camera of the image.
    """

    name: str
    says: str
    fits: Callable[[Kind, Kind], bool]
    apply: Apply
    parameters: Callable[[Iterable[int]], Mapping[str, Any]]
    camera: bool = False
    names: tuple[str, str] = ("", "")

    def holds(self, new: Task, old: Task) -> bool:
        """Whether it is known to make one task from another."""
        pairs = zip(self.names, (new.name, old.name), strict=True)
        return self.fits(new.kind, old.kind) and all(name in ("", of) for name, of in pairs)


def _normals(_: Kind, depth: Label, valid: Mask, camera: Camera | None) -> tuple[Label, Mask]:
    assert camera is not None
    return normals_from_depth(depth, valid, camera)


def _windows(heights: Iterable[int]) -> dict[str, Any]:
    """One number, or all of them where images differ in height."""
    found = sorted({window_of(height) for height in heights})
    return {"window": found[0] if len(found) == 1 else found}


def _inverse(_: Kind, depth: Label, valid: Mask, _camera: Camera | None) -> tuple[Label, Mask]:
    seen = valid & (depth > 0)
    return np.divide(1.0, depth, out=np.zeros(depth.shape), where=seen), seen


def _boundaries(_: Kind, ids: Label, valid: Mask, _camera: Camera | None) -> tuple[Label, Mask]:
    border, known = np.zeros(ids.shape, np.bool_), valid.copy()
    for axis in (0, 1):
        one, other = _neighbours(axis)
        differs = ids[one] != ids[other]
        both = valid[one] & valid[other]
        border[one] |= differs & both
        border[other] |= differs & both
        # Beside what is void nobody can say whether there is a boundary.
        known[one] &= valid[other]
        known[other] &= valid[one]
    return thin(border).astype(np.uint8), known


def _neighbours(axis: int) -> tuple[Any, Any]:
    before, after = slice(None, -1), slice(1, None)
    return ((before, ...), (after, ...)) if axis == 0 else ((..., before), (..., after))


def _person(kind: Kind, ids: Label, valid: Mask, _: Camera | None) -> tuple[Label, Mask]:
    assert isinstance(kind, Classes)
    # What is no part may still be a person that nobody took apart: that stays void.
    return np.full(ids.shape, kind.names.index(PERSON), np.uint8), valid & (ids > 0)


RULES = (
    Rule(
        "normals-from-depth",
        "normals from depth in metres and the camera: a plane through the points around each pixel",
        lambda new, old: isinstance(new, Normals) and isinstance(old, Depth) and not old.inverse,
        _normals,
        _windows,
        camera=True,
    ),
    Rule(
        "inverse",
        "depth in metres from disparity in 1/metres, or the other way",
        lambda new, old: (
            isinstance(new, Depth)
            and isinstance(old, Depth)
            and {new.unit, old.unit} == {"m", "1/m"}
        ),
        _inverse,
        lambda heights: {},
    ),
    Rule(
        "class-boundaries",
        "edges where one of the four neighbours is of another class, thinned to one pixel",
        lambda new, old: isinstance(new, Binary) and isinstance(old, Classes),
        _boundaries,
        lambda heights: {"neighbours": 4, "thinned": True},
        names=("edges", ""),
    ),
    Rule(
        "person-from-parts",
        "the class `person` wherever a part of one is; all else is void",
        lambda new, old: (
            isinstance(new, Classes) and PERSON in new.names and isinstance(old, Classes)
            and PERSON not in old.names and old.names[0] == "background"
        ),
        _person,
        lambda heights: {},
        names=("", "parts"),
    ),
)  # fmt: skip
"""In this order: the first that is known to make one task from the other is taken."""


def derive(
    path: Path,
    task: str,
    parent: str,
    *,
    out: Path | None = None,
    split: Sequence[str] | None = None,
    rule: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> AddSummary:
    """Add labels that follow from others, to images of training splits that lack them.

    Labels that the store has, or that a regime hides, are made too: which of them is shown is
    decided by the regime, and it never is where the label that it follows from is hidden.

    Args:
        path: The store.
        task: Of which labels are made.
        parent: From which label.
        out: A copy to write; None to change the store itself.
        split: Which training splits; None for all.
        rule: The rule, where the names of the tasks do not tell it: that your task is what it makes
            is yours to know.
        overwrite: As in `add_labels`.
        progress: Told about images.

    Raises:
        UnknownNameError: for a task, split or rule that there is not.
        UsageError: where no rule leads from one task to the other.
        DataError: where no image has what the rule needs.
        MtdataError: as `add_labels`.
    """
    summary = add_labels(
        path,
        lambda store: plan(store, task, parent, split, rule),
        out=out,
        overwrite=overwrite,
        progress=progress,
    )
    if not summary.written:
        raise DataError(
            f"{path} should have images with a label of {parent} that {task} follows from; found "
            f"none with a pixel that tells. `mtdata stats "
            f"{shlex.quote(str(path))}` says what there is."
        )
    return summary


def plan(
    store: Store,
    task: str,
    parent: str,
    split: Sequence[str] | None = None,
    name: str | None = None,
) -> Addition:
    """What is to be derived; see `derive`."""
    new, old = store.task(task), store.task(parent)
    rule = _rule(new, old, name)
    splits = splits_to_add_to(store, split)
    column = store.tasks.index(old)
    wanted = {}
    for each in splits:
        there = each.labelled[:, column].copy()
        if rule.camera:
            there &= ~np.isnan(each.cameras).any(1)
        wanted[each.name] = there[:, None]
    if not any(table.any() for table in wanted.values()):
        needs = " and a camera" if rule.camera else ""
        raise DataError(
            f"{store.path} should have images with a label of {parent}{needs}, which {task} "
            "follows from; found none. Give a camera when the store is built, or derive another "
            "task."
        )

    def make(
        source: Split, indices: Sequence[int], tasks: Sequence[Sequence[str]]
    ) -> Iterator[Made]:
        for index in indices:
            sample = source.read(index, [parent]).trimmed()
            label, valid = sample.labels[parent], sample.valid[parent]
            yield {task: NewLabel(*rule.apply(new.kind, label, valid, sample.camera))}

    heights = {int(h) for each in splits for h in each.sizes[wanted[each.name][:, 0], 0]}
    about = {"rule": rule.name, "parent": parent, "parameters": dict(rule.parameters(heights))}
    return Addition(layout.DERIVED, {new: about}, wanted, make)


def splits_to_add_to(store: Store, names: Sequence[str] | None) -> list[Split]:
    """The splits that labels may be added to: those that are learnt from.

    Raises:
        UnknownNameError: for a split that there is not.
        UsageError: for one that is scored.
    """
    found = [store.split(name) for name in dict.fromkeys(names or ())]
    for split in found:
        if split.role != "train":
            raise UsageError(
                f"`split` should have the role train; {split.name} has the role {split.role}, and "
                "scores compare with labels of the source alone. Name another split."
            )
    found = found or [split for split in store.splits.values() if split.role == "train"]
    if not found:
        raise UsageError(f"{store.path} should have a split with the role train; it has none.")
    return found


def _rule(new: Task, old: Task, name: str | None) -> Rule:
    names = [rule.name for rule in RULES]
    if name is not None and name not in names:
        raise UnknownNameError("rule", name, names)
    fit = [rule for rule in RULES if new.name != old.name and rule.fits(new.kind, old.kind)]
    for rule in fit:
        if rule.name == name or (name is None and rule.holds(new, old)):
            return rule
    could = [rule.name for rule in fit]
    more = f" Where you know that it does, say --rule {' or '.join(could)}." if could else ""
    raise UsageError(
        f"`{new.name}` should follow from `{old.name}` exactly; no rule says how. There are: "
        f"{'; '.join(f'{rule.name} ({rule.says})' for rule in RULES)}.{more}"
    )
