"""The plan of a sweep: a YAML file from which every training follows."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mtdata.errors import SampleError, UsageError, should_be
from mtdata.sources.files.files import read_text
from mtdata.yaml_text import YamlError, load_yaml

SEED = "seed"
"""The axis that is varied last, and that tables take the mean over."""
MOST = 10_000
"""Trainings that a plan may have."""
UNSAFE = re.compile(r"[^A-Za-z0-9_.+-]+")
Scalar = bool | int | float | str
Options = Mapping[str, Any]
"""Options of `mttrain` without the dashes; `set` is a mapping from keys to values."""


class PlanFile(BaseModel):
    """What a plan may say."""

    model_config = ConfigDict(extra="forbid", strict=True)

    out: str
    """The folder of the run folders; beside the plan where it is relative."""
    always: dict[str, Any] = Field(default_factory=dict)
    """Options of every training."""
    grid: dict[str, list[Scalar] | dict[str, dict[str, Any]]] = Field(default_factory=dict)
    """For each axis its values: of the option of that name, or names of several options."""
    without: list[dict[str, Scalar]] = Field(default_factory=list)
    """Values of some axes that are not trained together."""
    baseline: dict[str, Scalar] = Field(default_factory=dict)
    """Values of some axes: what the others are measured against."""


@dataclass(frozen=True)
class Cell:
    """One training.

    Args:
        name: Of its run folder.
        options: Of `mttrain`, but for the folder.
        labels: For each axis the value that it has here, as text.
    """

    name: str
    options: Options
    labels: Mapping[str, str]

    def has(self, labels: Mapping[str, str]) -> bool:
        """Whether it has all of these values."""
        return all(self.labels[axis] == label for axis, label in labels.items())


@dataclass(frozen=True)
class Plan:
    """All trainings, in the order in which they are begun.

    Args:
        out: The folder of the run folders.
        cells: The trainings: one seed of everything before the next seed.
        baseline: The values of what the others are measured against; empty for no such thing.
    """

    out: Path
    cells: tuple[Cell, ...]
    baseline: Mapping[str, str]

    def tables(self) -> Iterator[tuple[str, list[Cell], list[Cell]]]:
        """What stands beside each other: a title, the cells, and which of them are the baseline.

        Axes that the baseline does not name part the tables, as it is another one there.
        """
        axes = [a for a in self.cells[0].labels if a != SEED and a not in self.baseline]
        groups: dict[tuple[str, ...], list[Cell]] = {}
        for cell in self.cells:
            key = tuple(cell.labels[axis] for axis in axes) if self.baseline else ()
            groups.setdefault(key, []).append(cell)
        for key, cells in groups.items():
            title = ", ".join(f"{axis} {label}" for axis, label in zip(axes, key, strict=False))
            yield title, cells, [c for c in cells if self.baseline and c.has(self.baseline)]


def read_plan(path: Path) -> Plan:
    """Read a plan and make its trainings.

    Args:
        path: A YAML file, of the form of `PlanFile`.

    Raises:
        UsageError: where it cannot be read, has another form, names an axis or value that there is
            not, or has two trainings of one name or more than `MOST`.
    """
    given = _read(path)
    axes = {
        name: {label: _checked(path, some) for label, some in _values(name, values)}
        for name, values in _checked(path, given.grid).items()
    }
    if any(not values for values in axes.values()) or not axes:
        raise UsageError(f"{path}: `grid` should have axes with a value each, such as seed: [0].")
    if (count := math.prod(map(len, axes.values()))) > MOST:
        raise UsageError(f"{path}: `grid` should make at most {MOST:,} trainings; found {count:,}.")
    always = _checked(path, given.always)
    without = [_labels(path, "without", one, axes) for one in given.without]
    cells: dict[str, Cell] = {}
    for labels in _combinations(axes):
        options = dict(always)
        for axis, label in labels.items():
            options = _merged(options, axes[axis][label])
        cell = Cell(_name(labels), options, labels)
        if any(cell.has(one) for one in without):
            continue
        if cell.name in cells:
            raise UsageError(
                f"{path}: every training should have a folder of its own; found two of the name "
                f"{cell.name}. Name the values: `axis: {{name: {{option: value}}}}`."
            )
        cells[cell.name] = cell
    if not cells:
        raise UsageError(f"{path}: `without` should leave something to train; found nothing left.")
    baseline = _labels(path, "baseline", given.baseline, axes)
    if not any(cell.has(baseline) for cell in cells.values()):
        raise UsageError(f"{path}: `baseline` should be trained; `without` leaves none of it.")
    return Plan(path.parent / Path(given.out).expanduser(), tuple(cells.values()), baseline)


def _read(path: Path) -> PlanFile:
    try:
        content = load_yaml(read_text(path))
        return PlanFile.model_validate(content)
    except SampleError as error:
        raise UsageError(str(error)) from None
    except YamlError as error:
        raise UsageError(error.at(path)) from None
    except ValidationError as error:
        # Of a union all members complain; the first says enough.
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(
            f"{path}: `{where}` {should_be(first)}. A plan has `out`, `always`, `grid`, "
            "`without` and `baseline`: see docs/sweep.md."
        ) from None


def _values(
    axis: str, values: list[Scalar] | dict[str, dict[str, Any]]
) -> Iterator[tuple[str, Options]]:
    """The options behind each value of an axis, by the name of the value."""
    if isinstance(values, dict):
        yield from values.items()
        return
    for value in values:
        yield str(value), {axis: value}


def _spelt(name: str) -> str:
    """An option or an axis, which may be written with `-` or with `_`, in one spelling."""
    return name.replace("-", "_")


def _checked(path: Path, options: Options) -> dict[str, Any]:
    """Options in one spelling; refuses what would get lost where they come together.

    Raises:
        UsageError: for an option that is there twice, and a `set` that is no mapping.
    """
    found = {_spelt(name): value for name, value in options.items()}
    if len(found) < len(options):
        twice = next(name for name in options if _spelt(name) != name and _spelt(name) in options)
        raise UsageError(
            f"{path}: an option should be given once; found `{twice}` and `{_spelt(twice)}`. Leave "
            "one out."
        )
    if not isinstance(found.get("set", {}), Mapping | None):
        raise UsageError(
            f"{path}: `set` should be a mapping, as in `set: {{lr: 0.01}}`; found {found['set']}. "
            "Write it so."
        )
    return found


def _combinations(axes: Mapping[str, Mapping[str, Options]]) -> Iterator[dict[str, str]]:
    """All of them: the last axis changes fastest, the seed slowest."""
    order = sorted(axes, key=lambda axis: axis != SEED)
    for values in itertools.product(*(axes[axis] for axis in order)):
        found = dict(zip(order, values, strict=True))
        yield {axis: found[axis] for axis in axes}


def _merged(options: Options, further: Options) -> dict[str, Any]:
    """Later ones win, but keys of `set` come together."""
    merged = {**options, **further}
    both = [one["set"] for one in (options, further) if isinstance(one.get("set"), Mapping)]
    if len(both) > 1:
        merged["set"] = {**both[0], **both[1]}
    return merged


def _name(labels: Mapping[str, str]) -> str:
    """Of a run folder: the values, and the seed at the end."""
    parts = [label for axis, label in labels.items() if axis != SEED]
    parts += [f"s{labels[SEED]}"] if SEED in labels else []
    return UNSAFE.sub("_", "-".join(parts)).strip(".") or "run"


def _labels(
    path: Path, what: str, given: Mapping[str, Scalar], axes: Mapping[str, Mapping[str, Options]]
) -> dict[str, str]:
    """Values of some axes as text; refuses what there is not."""
    labels = {_spelt(axis): str(value) for axis, value in given.items()}
    for axis, label in labels.items():
        known = axes.get(axis, {})
        if label not in known:
            found = f"{axis}: {label}"
            there = ", ".join(known) if known else f"the axes {', '.join(axes)}"
            raise UsageError(
                f"{path}: `{what}` should name values of axes ({there}); found {found}. Correct it."
            )
    return labels
