"""A table of scores under one protocol, for a terminal, for Markdown and as JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtdata.tasks.task import TASK_ORDER
from mtmodels.metrics.scores import HIGHER_IS_BETTER, LooseScores, to_json
from mtmodels.scoring.delta import Baseline
from mtmodels.scoring.spread import Spread

if TYPE_CHECKING:
    from rich.table import Table

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
    """

    name: str
    facts: Mapping[str, Any]
    seeds: tuple[int | None, ...]
    scores: LooseScores
    std: LooseScores
    delta: Spread | None = None
    published: bool = False
    note: str = ""

    def spread(self, task: str, metric: str) -> Spread | None:
        """A score over the seeds; None where there is none that is one number."""
        value = self.scores.get(task, {}).get(metric)
        if not isinstance(value, (int, float)):
            return None
        return Spread(float(value), self.std.get(task, {}).get(metric))


@dataclass(frozen=True)
class ScoreTable:
    """Entries that may be compared: one protocol, one data set, one split.

    `baseline` is what every delta is against, `form` the published form of delta.
    """

    protocol: str
    dataset: str
    split: str
    entries: tuple[Entry, ...]
    baseline: Baseline | None = None
    form: str | None = None

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
        """What the table holds."""
        return f"{self.dataset}, {self.split} split, protocol {self.protocol}"

    def notes(self) -> list[str]:
        """What stands under the table; entries with the same note share a line."""
        about: dict[str, list[str]] = {}
        for entry in self.entries:
            if entry.note:
                about.setdefault(entry.note, []).append(entry.name)
        notes = [f"{', '.join(names)}: {note}" for note, names in about.items()]
        if self.baseline:
            notes.insert(0, f"delta ({self.form}) is against {self.baseline.name}.")
        return notes

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

    def to_rich(self) -> "Table":
        """The table for a terminal."""
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=self.title(), caption="\n".join(self.notes()) or None, caption_justify="left"
        )
        for number, name in enumerate(self.header()):
            table.add_column(Text(name), justify="left" if number < len(_FACTS) else "right")
        for entry in self.entries:
            cells = self.cells(entry)
            table.add_row(*(Text(text, style="bold" if bold else "") for text, bold in cells))
        return table

    def to_json(self) -> dict[str, Any]:
        """The table with all scores; NaN is None."""
        base = self.baseline
        value = {
            "protocol": self.protocol,
            "dataset": self.dataset,
            "split": self.split,
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
