"""A table of scores about the same thing, for a terminal, for Markdown and as JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtdata.tasks.task import TASK_ORDER
from mtmodels.metrics.scores import HIGHER_IS_BETTER, LooseScores, to_json
from mtmodels.scoring.delta import Baseline
from mtmodels.scoring.facts import Facts
from mtmodels.scoring.spread import Spread

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN = (
    "miou",
    "category_miou",
    "pixel_accuracy",
    "abs_err",
    "rel_err",
    "mean",
    "within_11.25",
    "iou_at_0.5",
    "f_at_0.5",
    "max_f",
    "ods_f",
)
"""Scores that have a column; JSON has all."""

_FOUR_DECIMALS = ("abs_err", "rel_err", "rmse")
_EDGE = 4
"""Columns that the frame of a table takes at its edge, with the space beside it."""
_FACTS = ("name", "method", "network", "weighting", "regime", "seeds")


@dataclass(frozen=True)
class Entry:
    """One line: the seeds of one run, or a published row.

    Args:
        name: What it is called.
        facts: `method`, `network`, `weighting`, `regime`, and what else is known of it.
        seeds: The seeds; empty for a published row.
        scores: Means over seeds.
        std: Sample standard deviations, empty for a single seed.
        delta: Improvement on the baseline in percent, None where it cannot be computed.
        published: Whether the scores are printed in a paper.
        note: What to know before it is quoted.
        budget: What it was trained with, by the names of the configuration.
    """

    name: str
    facts: Mapping[str, Any]
    seeds: tuple[int | None, ...]
    scores: LooseScores
    std: LooseScores
    delta: Spread | None = None
    published: bool = False
    note: str = ""
    budget: Mapping[str, Any] = field(default_factory=dict)

    def spread(self, task: str, metric: str) -> Spread | None:
        """A score over the seeds; None where there is none that is one number."""
        value = self.scores.get(task, {}).get(metric)
        if not isinstance(value, (int, float)):
            return None
        return Spread(float(value), self.std.get(task, {}).get(metric))


@dataclass(frozen=True)
class ScoreTable:
    """Entries that may be compared.

    Args:
        facts: What their scores are of, and how they were made.
        entries: The lines.
        baseline: What every delta is against.
        form: The published form of delta.
        role: What the split is for, where that is known.
        remarks: What a reader has to know: why the table stands apart from others, why there is no
            delta, or why it means nothing; each one sentence.
    """

    facts: Facts
    entries: tuple[Entry, ...]
    baseline: Baseline | None = None
    form: str | None = None
    role: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Task and metric of each column."""
        there = dict.fromkeys(
            (task, metric) for e in self.entries for task in e.scores for metric in e.scores[task]
        )
        tasks = dict.fromkeys([*TASK_ORDER, *(task for task, _ in there)])
        # Of a protocol that a plug-in has: nobody knows here which of them matter.
        others = [
            m
            for t, m in there
            if m not in HIGHER_IS_BETTER and any(e.spread(t, m) for e in self.entries)
        ]
        shown = [*SHOWN, *dict.fromkeys(others)]
        return tuple(
            (task, metric) for task in tasks for metric in shown if (task, metric) in there
        )

    def best(self, task: str, metric: str) -> float | None:
        """The best of the runs; None where fewer than two can be compared."""
        ours = [e.spread(task, metric) for e in self.entries if not e.published]
        return _best(ours, higher=HIGHER_IS_BETTER[metric]) if metric in HIGHER_IS_BETTER else None

    def header(self) -> list[str]:
        """Titles; an arrow points to where better scores are."""
        known = {True: " ↑", False: " ↓", None: ""}
        arrows = [f"{t} {m}{known[HIGHER_IS_BETTER.get(m)]}" for t, m in self.columns]
        return [*_FACTS, *arrows, *(["delta % ↑"] if self.baseline else [])]

    def cells(self, entry: Entry) -> list[tuple[str, bool]]:
        """Text of each cell of a line, and whether it is the best of its column."""
        seeds = "published" if entry.published else _seed_text(entry.seeds)
        known = [str(entry.facts.get(name) or "-") for name in _FACTS[1:-1]]
        cells = [(text, False) for text in (entry.name, *known, seeds)]
        for task, metric in self.columns:
            digits = 4 if metric in _FOUR_DECIMALS else 2
            spread, best = entry.spread(task, metric), self.best(task, metric)
            cells.append(_cell(spread, digits, None if entry.published else best))
        if self.baseline:
            best = _best([e.delta for e in self.entries if not e.published], higher=True)
            cells.append(_cell(entry.delta, 2, None if entry.published else best))
        return cells

    def title(self) -> str:
        """What all lines share."""
        return self.facts.text(self.role)

    def notes(self) -> list[str]:
        """What stands under the table; entries with the same note share a line."""
        about: dict[str, list[str]] = {}
        for entry in self.entries:
            if entry.note:
                about.setdefault(entry.note, []).append(entry.name)
        notes = [*self.remarks]
        if self.baseline:
            notes.append(f"delta ({self.form}) is against {self.baseline.name}.")
        if differs := self.differs():
            told = [f"{key} ({_each(values)})" for key, values in differs.items()]
            notes.append(f"The lines differ in {'; '.join(told)}.")
        return [*notes, *(f"{', '.join(names)}: {note}" for note, names in about.items())]

    def differs(self) -> dict[str, dict[str, list[str]]]:
        """Settings in which the lines differ: for each its values, and the lines that have them.

        Settings that a run lacks are options of another method or network, which has its column.
        """
        runs = [entry for entry in self.entries if not entry.published]
        shared = [k for k in (runs[0].budget if runs else {}) if all(k in e.budget for e in runs)]
        found: dict[str, dict[str, list[str]]] = {}
        for key in shared:
            values: dict[str, list[str]] = {}
            for entry in self.entries:
                if key in entry.budget:
                    names = values.setdefault(_short(key, entry.budget[key]), [])
                    name = "published" if entry.published else entry.name
                    names += [name] if name not in names else []
            if len(values) > 1:
                found[key] = values
        return found

    def to_markdown(self) -> str:
        """The table in Markdown, with its title above and its notes below."""
        lines = [f"**{self.title()}**", "", _line(self.header())]
        lines.append(
            _line(["---" if i < len(_FACTS) else "--:" for i in range(len(self.header()))])
        )
        lines += [
            _line([f"**{text}**" if bold else text for text, bold in self.cells(entry)])
            for entry in self.entries
        ]
        for note in self.notes():
            lines += ["", note]
        return "\n".join(lines) + "\n"

    def to_rich(self, width: int) -> "RenderableType":
        """The table for a terminal of some columns.

        Facts that all lines share stand above it; where it is wider than the terminal, its columns
        go on in a second table below: a number is never cut.
        """
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        header, lines = self.header(), [self.cells(entry) for entry in self.entries]
        one = [i for i in range(1, len(_FACTS)) if len({line[i][0] for line in lines}) == 1]
        shared = ", ".join(f"{header[i]} {lines[0][i][0]}" for i in one if lines[0][i][0] != "-")
        parts: list[RenderableType] = [Text(self.title(), style="bold")]
        if shared:
            parts.append(Text(f"All lines: {shared}"))
        columns = [i for i in range(1, len(header)) if i not in one]
        wide = [_wide(header[i], [line[i][0] for line in lines]) for i in range(len(header))]
        name = min(wide[0], max(12, width // 3))
        for block in _blocks(columns, wide, width - name - _EDGE):
            table = Table()
            table.add_column("name", width=name, overflow="fold")
            for i in block:
                left = i < len(_FACTS)
                title = Text(header[i].replace(" ", "\n", 1) if not left else header[i])
                at_least = min(wide[i], width - name - 2 * _EDGE)
                table.add_column(
                    title,
                    justify="left" if left else "right",
                    min_width=at_least,
                    overflow="fold",
                )
            for line in lines:
                cells = [line[0], *(line[i] for i in block)]
                table.add_row(*(Text(text, style="bold" if bold else "") for text, bold in cells))
            parts.append(table)
        return Group(*parts, *(Text(note) for note in self.notes()))

    def to_json(self) -> dict[str, Any]:
        """The table with all scores; NaN is None."""
        base = self.baseline
        value = {
            **self.facts.to_json(),
            "role": self.role,
            "remarks": list(self.remarks),
            "differs": self.differs(),
            "delta": self.form,
            "baseline": {"name": base.name, "scores": base.scores} if base else None,
            "entries": [self._entry_json(entry) for entry in self.entries],
        }
        return dict(to_json(value))

    def _entry_json(self, entry: Entry) -> dict[str, Any]:
        delta = entry.delta
        return {
            "name": entry.name,
            **{name: entry.facts.get(name) for name in _FACTS[1:-1]},
            "seeds": list(entry.seeds),
            "published": entry.published,
            "scores": entry.scores,
            "std": entry.std,
            "delta": {"mean": delta.mean, "std": delta.std} if delta else None,
            "note": entry.note,
        }


def _best(spreads: Sequence[Spread | None], *, higher: bool) -> float | None:
    values = [s.mean for s in spreads if s is not None and math.isfinite(s.mean)]
    if len(values) < 2:
        return None
    return max(values) if higher else min(values)


def _cell(spread: Spread | None, decimals: int, best: float | None) -> tuple[str, bool]:
    if spread is None:
        return "-", False
    return spread.text(decimals), spread.mean == best


def _seed_text(seeds: Sequence[int | None]) -> str:
    return ", ".join("-" if seed is None else str(seed) for seed in seeds)


def _line(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def _wide(title: str, cells: Sequence[str]) -> int:
    """How wide a column is whose title may break behind its first word."""
    first, _, rest = title.partition(" ")
    return max(map(len, (first, rest, *cells)))


def _blocks(columns: Sequence[int], wide: Sequence[int], room: int) -> list[list[int]]:
    """Columns in their order, as many beside each other as there is room for; at least one."""
    blocks: list[list[int]] = [[]]
    used = 0
    for i in columns:
        if blocks[-1] and used + wide[i] + 3 > room:
            blocks.append([])
            used = 0
        blocks[-1].append(i)
        used += wide[i] + 3
    return blocks


def _each(values: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"{value}: {' and '.join(names)}" for value, names in values.items())


def _short(key: str, value: Any) -> str:
    """A setting; of digests the beginning."""
    if key in ("store", "labels") and isinstance(value, str):
        return value[:8]
    return "none" if value is None else str(value)
