"""The scores of a study, by cell and seed: kept in one file, then a table and a picture."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import t

from benchmarks.machine import describe
from benchmarks.studies.cells import write_results
from mtmodels.scoring.delta import DELTAS, Baseline
from mtmodels.training.record.runfolder import RunFolder, read_facts

SINGLE = "single"
"""The cell of a network a task, which is trained by as many runs: `single-depth-one-s0` is one."""

LEAST = 3
"""The fewest seeds that an interval is told of: Student's t of two is 12 times the error."""

Column = tuple[str, str, str, int]
"""A title, the task and the metric that stand under it, and how many decimals."""

COLUMNS: tuple[Column, ...] = (
    ("mIoU ↑", "semantic", "miou", 2),
    ("abs. error, m ↓", "depth", "abs_err", 3),
    ("mean angle, degrees ↓", "normals", "mean", 2),
)
"""Those of three tasks."""


@dataclass(frozen=True)
class Row:
    """A cell in the table.

    Args:
        names: What the table calls it: the regime and the method, say.
        scores: By seed, task and metric.
        deltas: By seed, against the baseline of that seed, in percent.
    """

    names: tuple[str, ...]
    scores: Mapping[str, Mapping[str, Any]]
    deltas: Mapping[str, float]


class Results:
    """What a study has found so far: a file of scores, by cell and seed.

    Args:
        out: The file, without its suffix.
        steps: Of a training; None where the name of a cell says it.
        precision: As `mttrain` takes it.
        tasks: Those that a cell is whole with.
        protocol: Whose scores, and whose form of delta.

    Raises:
        SystemExit: where the file is of cells of another length or precision.
    """

    def __init__(
        self,
        out: Path,
        *,
        steps: int | None = None,
        precision: str,
        tasks: Sequence[str],
        protocol: str,
    ) -> None:
        self.out, self.tasks, self.protocol = out, tasks, protocol
        path = out.with_suffix(".json")
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.same = {"steps": steps, "precision": precision}
        found = {"precision": "32"} | {name: known[name] for name in self.same if name in known}
        if known and found != self.same:
            raise SystemExit(
                f"{path} should hold cells of {steps} steps in precision {precision}; "
                f"found {found.get('steps')} in {found['precision']}. Give another --out, or the "
                "--steps and --precision of the file."
            )
        self.cells: dict[str, dict[str, Any]] = known.get("cells", {})

    def has(self, name: str, seed: int) -> bool:
        """Whether the scores of a cell, `sl-one` say, are known."""
        return len(self._scores(name, str(seed))) == len(self.tasks)

    def add(self, folder: Path) -> None:
        """Keep the scores of a run that is whole, and write the file.

        What is known stays as it is.
        """
        name, _, seed = folder.name.rpartition("-s")
        for task in self.tasks:
            name = name.replace(f"{SINGLE}-{task}", SINGLE)
        known = self._scores(name, seed)
        found = read_facts(RunFolder(folder).scores / f"test-{self.protocol}.json")["scores"]
        scores = {task: known.get(task, found.get(task)) for task in self.tasks}
        scores = {task: each for task, each in scores.items() if each is not None}
        if scores == known:
            return
        self.cells.setdefault(name, {})[seed] = {"machine": describe(), "scores": scores}
        write_results(self.out, {**self.same, "cells": self.cells})

    def row(self, names: tuple[str, ...], cell: str, baseline: str) -> Row | None:
        """The seeds of a cell that are whole as the same seed of the baseline is; None of none."""
        seeds = [
            seed
            for seed in sorted(self.cells.get(cell, {}), key=int)
            if self.has(cell, int(seed)) and self.has(baseline, int(seed))
        ]
        if not seeds:
            return None
        delta = DELTAS[self.protocol]
        scores = {seed: self._scores(cell, seed) for seed in seeds}
        against = {seed: Baseline(baseline, self._scores(baseline, seed)) for seed in seeds}
        return Row(names, scores, {s: delta(scores[s], against[s]).value for s in seeds})

    def _scores(self, name: str, seed: str) -> dict[str, Any]:
        """The scores that are known of a cell, by task."""
        found: dict[str, Any] = self.cells.get(name, {}).get(seed, {}).get("scores", {})
        return found


def interval(values: Sequence[float]) -> tuple[float, float | None]:
    """A mean, and half of its 95 % interval by Student's t; None of one value."""
    mean, count = statistics.fmean(values), len(values)
    if count < 2:
        return mean, None
    half = float(t.ppf(0.975, count - 1)) * statistics.stdev(values) / math.sqrt(count)
    return mean, half


def told(deltas: Sequence[float]) -> str:
    """Deltas of some seeds: of three and more the mean with its 95 % interval, else each."""
    if not any(deltas):
        return "0"
    if len(deltas) < LEAST:
        return ", ".join(f"{one:+.1f}" for one in deltas)
    mean, half = interval(deltas)
    assert half is not None
    return f"{mean:+.1f} ({mean - half:.1f} to {mean + half:.1f})"


def markdown(rows: Sequence[Row], heads: Sequence[str], columns: Sequence[Column]) -> str:
    """One table: mean scores over the seeds, and deltas."""
    titles = [*heads, "seeds", *(title for title, *_ in columns), "delta, % ↑ (95 %)"]
    each_too = any(len(row.deltas) >= LEAST for row in rows)
    if each_too:
        titles.append("each seed")
    lines = [
        "| " + " | ".join(titles) + " |",
        "|" + "---|" * len(heads) + "--:|" * (len(titles) - len(heads)),
    ]
    for row in rows:
        scores = [
            f"{statistics.fmean(each[task][metric] for each in row.scores.values()):.{decimals}f}"
            for _, task, metric, decimals in columns
        ]
        deltas = [*row.deltas.values()]
        cells = [*row.names, str(len(deltas)), *scores, told(deltas)]
        if each_too:
            many = len(deltas) >= LEAST and any(deltas)
            cells.append(", ".join(f"{one:.1f}" for one in deltas) if many else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(rows: Sequence[Row], against: str, path: Path) -> None:
    """Delta of every cell: a dot a seed, and the mean with its interval."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 0.3 * len(rows) + 1), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="0.7", linewidth=1)
    for place, row in enumerate(rows):
        deltas = [*row.deltas.values()]
        mean, half = interval(deltas)
        axes.plot(deltas, [place] * len(deltas), "o", color="0.7", markersize=4)
        axes.errorbar([mean], [place], xerr=half or 0, fmt="o", capsize=3, color="#c8641e")
    same = len({row.names[:-1] for row in rows}) == 1
    titles = [row.names[-1:] if same else row.names[::-1] for row in rows]
    names = [f"{', '.join(t)} ({len(row.deltas)})" for t, row in zip(titles, rows, strict=True)]
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"delta against {against}, % (in brackets: seeds)")
    figure.savefig(path, dpi=110)
