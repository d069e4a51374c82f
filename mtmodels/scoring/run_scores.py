"""The scores of runs, and which of them are seeds of one entry."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mtdata.errors import UsageError
from mtdata.tasks.task import TASK_ORDER
from mtmodels.metrics.scores import LooseScores, from_json
from mtmodels.scoring.facts import Facts
from mtmodels.scoring.spread import Spread

JOINT = " + "
"""What stands between the names, and the settings, of runs that are one."""
_REQUIRED = ("name", "protocol", "dataset", "scores")


@dataclass(frozen=True)
class RunScores:
    """The scores of one run under one protocol.

    Args:
        name: What the run is called.
        protocol: The protocol of the scores.
        dataset: The data set.
        scores: The scores; None stands for NaN.
        split: The split.
        role: What the split is for, where it is known.
        images: How many images were scored, where it is known.
        labelled: How many of them show each task, likewise.
        size: Height and width of the images, where it is known.
        units: Units of the tasks of the store, where they are known.
        origin: Where the labels of a task come from, likewise; see `Facts`.
        method: The method.
        network: The network.
        weighting: The weighting.
        regime: Which labels were seen.
        drawn: Kind and parameters of the regime, where they are known.
        seed: The seed.
        note: What to know before it is quoted (a selection on the split that is scored).
        steps: The steps of the training, where they are known.
        apart: Why the scores do not stand for the published row that the run was about.
        samples: Files of what each image adds to the scores; none where they were not kept.
        classes: Names of the classes of each task that has some, where they are known.
        logs: Files of what was logged in training.
        folder: Where it is, where that is known: runs in several places may be called alike.
        settings: All else that seeds of one entry share: the digest of the store, epochs, batch.
    """

    name: str
    protocol: str
    dataset: str
    scores: LooseScores
    split: str = "test"
    role: str = ""
    images: int | None = None
    labelled: Mapping[str, int] | None = None
    size: Sequence[int] | None = None
    units: Mapping[str, str] | None = None
    origin: Mapping[str, str] | None = None
    method: str = ""
    network: str = ""
    weighting: str = ""
    regime: str = ""
    drawn: Mapping[str, Any] | None = None
    seed: int | None = None
    note: str = ""
    steps: int | None = None
    apart: Sequence[str] = ()
    samples: Sequence[str] = ()
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    logs: Sequence[str] = ()
    folder: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RunScores":
        """Read a run; keys that are no field are settings.

        Raises:
            UsageError: where the name, protocol, data set or scores are missing.
        """
        missing = [name for name in _REQUIRED if name not in value]
        if missing:
            raise UsageError(
                f"a run to compare should have {', '.join(_REQUIRED)}; {value.get('name', 'one')} "
                f"lacks {', '.join(missing)}. Score it with `mtmodels eval`."
            )
        names = {f.name for f in fields(cls)} - {"settings"}
        known = {name: item for name, item in value.items() if name in names}
        rest = {name: item for name, item in value.items() if name not in names}
        return cls(**known | {"scores": from_json(value["scores"])}, settings=rest)

    @property
    def facts(self) -> Facts:
        """Runs that differ in this do not share a table."""
        size = None if self.size is None else (int(self.size[0]), int(self.size[1]))
        return Facts(
            self.protocol,
            self.dataset,
            self.split,
            images=self.images,
            size=size,
            units=self.units,
            origin=self.origin,
        )

    @property
    def budget(self) -> dict[str, Any]:
        """The settings that may differ from line to line, by the names of the configuration."""
        values = {} if self.steps is None else {"steps": self.steps}
        for name, value in self.settings.items():
            values |= _flat(name.removesuffix("_options"), value)
        if values.get("views.count") == 1:  # how others are made says nothing of one
            values = {n: v for n, v in values.items() if n not in ("views.scales", "views.flip")}
        return values

    @property
    def entry(self) -> tuple[str, ...]:
        """Runs of a table that agree in this are seeds of one entry."""
        facts = (self.method, self.network, self.weighting, self.regime, self.note)
        return (
            *facts,
            repr(list(self.apart)),
            repr(sorted(self.scores)),
            repr(sorted(self.settings.items())),
        )


def by_entry(runs: Sequence[RunScores]) -> list[list[RunScores]]:
    """Seeds of one entry together; the same seed a second time starts another entry."""
    groups: dict[tuple[Any, ...], list[RunScores]] = {}
    times: dict[tuple[Any, ...], int] = {}
    for run in runs:
        again = times.setdefault((run.entry, run.seed), 0)
        times[run.entry, run.seed] += 1
        groups.setdefault((run.entry, again), []).append(run)
    return list(groups.values())


def first_differences(one: RunScores, other: RunScores) -> str:
    """In what two runs that are no seeds of one entry differ: the first settings, with values."""
    names = ("method", "network", "weighting", "regime", "note", "apart")
    a, b = ({name: getattr(run, name) for name in names} | run.budget for run in (one, other))
    found = [
        f"{name} ({_brief(a.get(name))} in {one.name}, {_brief(b.get(name))} in {other.name})"
        for name in dict.fromkeys([*a, *b])
        if repr(a.get(name)) != repr(b.get(name))
    ]
    if not found:
        return f"nothing, and both are of seed {one.seed}"
    more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    return f"{', '.join(found[:MOST])}{more}"


MOST = 2
"""Settings that are named of those in which two runs differ."""
TOGETHER = ("tasks", "labels")
"""Settings that differ between networks of one task each, though all else is the same."""


def joined(runs: Sequence[RunScores]) -> RunScores:
    """Runs of different tasks as one, say one network a task; settings that differ stand together.

    In whatever order they are given, they stand in that of their tasks.

    Raises:
        UsageError: where two have the same task.
    """
    runs = sorted(runs, key=task_place)
    first = runs[0]
    if len(runs) == 1:
        return first
    scores: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        for task in run.scores:
            if task in scores:
                raise UsageError(
                    f"runs to join should have a task each; found `{task}` twice among "
                    f"{', '.join(r.name for r in runs)}. Leave one out."
                )
        scores |= run.scores
    settings = {
        name: _together([run.settings.get(name) for run in runs])
        for name in dict.fromkeys(name for run in runs for name in run.settings)
    }
    labelled = {task: n for run in runs for task, n in (run.labelled or {}).items()}
    steps = {run.steps for run in runs}
    named = ("method", "network", "weighting", "regime")
    return replace(
        first,
        **{name: _together([getattr(run, name) for run in runs]) for name in named},
        name=JOINT.join(run.name for run in runs),
        scores=scores,
        labelled=labelled or None,
        steps=steps.pop() if len(steps) == 1 else None,
        samples=[path for run in runs for path in run.samples],
        classes={task: names for run in runs for task, names in run.classes.items()},
        logs=[path for run in runs for path in run.logs],
        settings=settings,
    )


def task_place(run: RunScores) -> tuple[int, str]:
    """Where a run stands among others of other tasks."""
    order = [*TASK_ORDER, *(task for task in run.scores if task not in TASK_ORDER)]
    return min(((order.index(task), task) for task in run.scores), default=(0, ""))


def members(names: Iterable[str]) -> frozenset[str]:
    """The names of all runs of a line, those that were joined one by one."""
    return frozenset(part for name in names for part in name.split(JOINT))


def join_single(runs: Sequence[RunScores]) -> list[RunScores]:
    """Runs of one task each that agree in all but the task joined, seed by seed; others as given.

    Raises:
        UsageError: where there is nothing to join.
    """
    groups: dict[tuple[Any, ...], list[RunScores]] = {}
    for at, run in enumerate(runs):
        settings = {k: v for k, v in run.settings.items() if k not in TOGETHER}
        same = (run.method, run.network, run.weighting, run.regime, run.seed, run.note)
        key = (*same, run.facts.key, repr(list(run.apart)), repr(sorted(settings.items())))
        group = groups.setdefault(key if len(run.scores) == 1 else (at,), [])
        if any(run.scores.keys() == other.scores.keys() for other in group):
            raise UsageError(
                f"runs to join should have a task each; found two of {', '.join(run.scores)} that "
                f"are alike, {run.name} and another. Leave one out."
            )
        group.append(run)
    if all(len(group) == 1 for group in groups.values()):
        raise UsageError(
            "--join should be given runs of one task each that agree in all else (seed, regime, "
            f"network, epochs); found none among {', '.join(run.name for run in runs)}. Leave it "
            "out, or see in what they differ without it."
        )
    return [joined(group) for group in groups.values()]


def _together(values: Sequence[Any]) -> Any:
    """The one value, or all of them; of digests enough to tell them apart."""
    if all(value == values[0] for value in values):
        return values[0]
    texts = [", ".join(map(str, v)) if isinstance(v, (list, tuple)) else str(v) for v in values]
    return JOINT.join(_brief(text) for text in texts)


def _brief(value: Any) -> str:
    """A value as text; of a digest enough to tell it apart."""
    text = str(value)
    return text[:8] if len(text) == 64 else text or "none"


def told_apart(*sides: Sequence[RunScores]) -> list[list[RunScores]]:
    """The same runs, those that are called alike by as much of their paths as tells them apart."""
    folders: dict[str, set[str]] = {}
    for run in (run for side in sides for run in side):
        folders.setdefault(run.name, set()).add(run.folder)
    names = {}
    for name, alike in folders.items():
        parts = [Path(folder).parts for folder in alike]
        for length in range(1, 1 + max(map(len, parts), default=0)):
            short = [str(Path(*each[-length:])) if each else name for each in parts]
            if len({*short}) == len(short):
                break
        for folder, each in zip(alike, short if len(alike) > 1 else [name], strict=True):
            names[name, folder] = each
    return [[replace(run, name=names[run.name, run.folder]) for run in side] for side in sides]


def over_seeds(runs: Sequence[RunScores]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Means and sample standard deviations of every score; of lists the means alone."""
    means: dict[str, dict[str, Any]] = {}
    std: dict[str, dict[str, float]] = {}
    for task, metrics in runs[0].scores.items():
        means[task] = {}
        for metric, value in metrics.items():
            values = [run.scores[task].get(metric, float("nan")) for run in runs]
            if isinstance(value, list):
                columns = zip(*values, strict=True)
                means[task][metric] = [Spread.of(column).mean for column in columns]
                continue
            spread = Spread.of(values)
            means[task][metric] = spread.mean
            if spread.std is not None:
                std.setdefault(task, {})[metric] = spread.std
    return means, std


def common_name(names: Sequence[str]) -> str:
    """The name of one run, or what the names of several begin with and a star.

    Of runs that are joined each part has its star.
    """
    if len(names) == 1:
        return names[0]
    parts = [name.split(JOINT) for name in names]
    if len(parts[0]) > 1 and len({len(each) for each in parts}) == 1:
        return JOINT.join(common_name(each) for each in zip(*parts, strict=True))
    first, last = min(names), max(names)
    same = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first)
    )
    return f"{first[:same]}*"


def _flat(name: str, value: Any) -> dict[str, Any]:
    """`{"network": {"width": 1}}` as `{"network.width": 1}`."""
    if not isinstance(value, Mapping):
        return {name: value}
    return {k: v for key, inner in value.items() for k, v in _flat(f"{name}.{key}", inner).items()}
