"""What rows have to share for their scores to be about the same thing."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

UNKNOWN = "unknown"
HOLDOUT = "holdout"
"""What scores of a hold-out are called where others have the name of a split; each seed keeps
images of its own away."""

FEW = 10
"""Images of which a score says little, where they are fewer."""


@dataclass(frozen=True)
class Facts:
    """What scores are of, and how they were made. None is what nobody wrote down.

    Args:
        protocol: The protocol of the scores.
        dataset: The data set.
        split: The split that was scored.
        images: How many images that were.
        size: Their height and width.
        units: Units of the tasks.
        origin: Where the labels of a task come from, for tasks that can have them from several
            places: normals `given` or `computed`.
    """

    protocol: str
    dataset: str
    split: str
    images: int | None = None
    size: tuple[int, int] | None = None
    units: Mapping[str, str] | None = None
    origin: Mapping[str, str] | None = None

    @property
    def key(self) -> str:
        """The same for the same facts."""
        return json.dumps(asdict(self), sort_keys=True)

    def differences(self, other: "Facts", tasks: Iterable[str]) -> tuple[str, ...]:
        """Why scores of these facts mean nothing beside scores of others; empty where they may.

        Args:
            other: The facts to stand beside.
            tasks: The tasks that both have scores of.
        """
        found = [
            f"{what} {ours} in place of {theirs}"
            for what, ours, theirs in (
                ("protocol", self.protocol, other.protocol),
                ("data set", self.dataset, other.dataset),
                ("split", self.split, other.split),
            )
            if ours != theirs
        ]
        if self.images != other.images:
            found.append(f"{_text(self.images)} images in place of {_text(other.images)}")
        if self.size != other.size:
            found.append(f"images of {size_text(self.size)} in place of {size_text(other.size)}")
        for what, ours, theirs in (
            ("in", self.units, other.units),
            ("labels", self.origin, other.origin),
        ):
            for task in tasks:
                a, b = _of(ours, task), _of(theirs, task)
                if a and b and a != b:
                    found.append(f"{task} {what} {a} in place of {b}")
        return tuple(found)

    def text(self, role: str = "") -> str:
        """A line that names them.

        Args:
            role: What the split is for, where that is known.
        """
        split = f"{self.split} split" + (f" (role {role})" if role else "")
        images = f"{_text(self.images)} images of {size_text(self.size)}"
        labels = [f"{task} {how}" for task, how in (self.origin or {}).items()]
        where = f", labels: {', '.join(labels)}" if labels else ""
        return f"{self.dataset}, {split}, {images}, protocol {self.protocol}{where}"

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def size_text(size: tuple[int, int] | None) -> str:
    """Height x width."""
    return "unknown size" if size is None else f"{size[0]}x{size[1]}"


def _of(values: Mapping[str, str] | None, task: str) -> str | None:
    """A value of a task; None where there is nothing to tell of it."""
    return UNKNOWN if values is None else values.get(task)


def _text(number: int | None) -> str:
    return UNKNOWN if number is None else str(number)


def rests_on(split: str, images: int | None, labelled: Mapping[str, int] | None) -> str:
    """What to say of how many labels scores rest on; empty where there is nothing to say.

    Args:
        split: What was scored.
        images: How many were scored; None where that is not known.
        labelled: How many of them show each task; None for scores of before, which leave out the
            tasks that none shows.
    """
    if labelled is None:
        return ""
    told = [text] if (text := unscored(split, labelled)) else []
    shown = {task: n for task, n in labelled.items() if n}
    fewer = [f"{task} {n:,}" for task, n in shown.items() if n != images]
    told += [f"Images that show a task, where they are fewer: {', '.join(fewer)}."] if fewer else []
    few = [task for task, n in shown.items() if n < FEW]
    told += [f"A score of fewer than {FEW} images says little: {', '.join(few)}."] if few else []
    return " ".join(told)


def unscored(split: str, labelled: Mapping[str, int]) -> str:
    """What to say of tasks that no image of a split shows; empty where there are none."""
    bare = [task for task, n in labelled.items() if not n]
    return f"No image of {split} shows {' or '.join(bare)}: not scored." if bare else ""
