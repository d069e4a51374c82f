"""A table of scores made ready to be printed: captions, names as papers write them, cells."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtmodels.metrics.scores import HIGHER_IS_BETTER
from mtmodels.scoring.intervals import Estimate
from mtmodels.scoring.score_table import FACTS, Entry, ScoreTable
from mtmodels.scoring.spread import Spread

NAMES = {
    "miou": "mIoU", "category_miou": "cat. mIoU", "pixel_accuracy": "Pix. Acc.",
    "class_accuracy": "Mean Acc.", "iou": "IoU",
    "abs_err": "Abs. Err.", "rel_err": "Rel. Err.", "rmse": "RMSE", "rmse_log": "RMSE log",
    "delta1": "δ < 1.25", "delta2": "δ < 1.25²", "delta3": "δ < 1.25³", "mean": "Mean",
    "median": "Median", "within_11.25": "< 11.25°", "within_22.5": "< 22.5°",
    "within_30": "< 30°", "iou_at_0.5": "IoU", "f_at_0.5": "F1", "max_f": "maxF", "ods_f": "odsF",
}  # fmt: skip
"""Scores as papers write them."""
TASKS = {
    "semantic": "Semantic seg.", "depth": "Depth", "normals": "Normals", "parts": "Human parts",
    "saliency": "Saliency", "edges": "Edges",
}  # fmt: skip
"""Tasks likewise."""
FORM_TITLES = {"mtpsl": "Δ tasks", "xtasc": "Δ metrics"}
"""What a table calls each form of delta."""
WHAT = {
    "mtpsl": "Δ tasks: mean relative improvement over tasks, one score each (MTPSL)",
    "xtasc": "Δ metrics: the same over two scores a task (XTasC-Net)",
}
_ARROWS = {True: " ↑", False: " ↓", None: ""}
_UNITS = {"metres": "m", "disparity": "", "1/metres": "1/m", "unit vector, camera frame": "°"}
_FOUR_DECIMALS = ("abs_err", "rel_err", "rmse_log")


@dataclass(frozen=True)
class Line:
    """A row: its label, its cells, which of them are the best, and what stands below them."""

    label: str
    cells: tuple[str, ...]
    best: tuple[bool, ...]
    below: tuple[str, ...] = ()
    published: bool = False


@dataclass(frozen=True)
class Layout:
    """What every format prints.

    Args:
        caption: What all rows share.
        groups: Names over the columns of numbers, each with how many it spans.
        titles: The title of each column, the labels first.
        lines: The rows.
        notes: What stands under the table, a sentence each.
        left: How many columns are text.
    """

    caption: str
    groups: tuple[tuple[str, int], ...]
    titles: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    left: int = 1


def layouts(table: ScoreTable, *, intervals: bool = False) -> list[Layout]:
    """The table, and one for each line that was tested against another.

    Args:
        table: The scores.
        intervals: Whether each score has its interval below it; deltas always have.
    """
    labels = label_entries(table)
    return [_main(table, labels, intervals=intervals), *_tests(table, labels)]


def label_entries(table: ScoreTable) -> list[str]:
    """What each row is called: by what differs between the runs, or by its name."""
    ours = [entry for entry in table.entries if not entry.published]
    facts = [name for name in FACTS if len({entry.facts.get(name) for entry in ours}) > 1]
    labels = {entry.name: [str(entry.facts.get(n) or "-") for n in facts] for entry in ours}
    for entry in ours:
        if " + " in str(entry.budget.get("tasks", "")):
            labels[entry.name].append("single-task")
    bare = {name: list(words) for name, words in labels.items()}
    for key, values in table.differs().items():
        clash = _clashing(labels)
        of = {name: value for value, names in values.items() for name in names if name in clash}
        if key in ("store", "labels", "tasks") or any(len(value) > 16 for value in of.values()):
            continue
        # A count says nothing without what is counted: `views.count`.
        what = key.removesuffix(".count").rpartition(".")[2]
        told = {name: f"{what} {value}" for name, value in of.items()}
        before = {name: list(labels[name]) for name in told}
        for name, word in told.items():
            alike = [n for n in told if before[n] == before[name]]
            labels[name] += [word] if len({told[n] for n in alike}) > 1 else []
    clash = _clashing(labels)
    found = []
    for entry in table.entries:
        # What did not tell a row apart is left out where its name does.
        words = (bare if entry.name in clash else labels).get(entry.name, [])
        plain = entry.published or not words or len(ours) == 1
        found.append(entry.name if plain else " ".join(words))
        if not plain and entry.name in clash:
            found[-1] += f" ({entry.name})"
    return found


def titles(table: ScoreTable, task: str, metric: str) -> str:
    """A score as papers write it, with its unit and an arrow to where better ones are."""
    units = (table.facts.units or {}).get(task, "")
    unit = ""
    if metric in ("abs_err", "rmse") and _UNITS.get(units):
        unit = f", {_UNITS[units]}"
    elif metric in ("mean", "median"):
        unit = ", °"
    return f"{NAMES.get(metric, metric)}{unit}{_ARROWS[HIGHER_IS_BETTER.get(metric)]}"


def _main(table: ScoreTable, labels: Sequence[str], *, intervals: bool) -> Layout:
    ours = [entry for entry in table.entries if not entry.published]
    seeds = len({entry.seeds for entry in ours}) > 1
    columns = [_Column(table, task, metric) for task, metric in table.columns]
    deltas = [_DeltaColumn(table, form) for form in FORM_TITLES if _counts(table, form)]
    pairs = [_PairColumn(table, form) for form in FORM_TITLES if _pairs_differ(table, form)]
    lines = []
    for label, entry in zip(labels, table.entries, strict=True):
        all_columns: list[_Column | _DeltaColumn | _PairColumn] = [*columns, *deltas, *pairs]
        cells = [column.cell(entry) for column in all_columns]
        below = [
            column.below(entry) if intervals or column not in columns else ""
            for column in all_columns
        ]
        text = (_seed_text(entry),) if seeds else ()
        lines.append(
            Line(
                label,
                (*text, *(cell for cell, _ in cells)),
                (*(False for _ in text), *(best for _, best in cells)),
                (*("" for _ in text), *below) if any(below) else (),
                published=entry.published,
            )
        )
    titles_of = [*(c.title for c in columns), *(c.title for c in deltas)]
    titles_of += [c.title for c in pairs]
    spans: dict[str, int] = {}
    for column in columns:
        spans[column.group] = spans.get(column.group, 0) + 1
    if deltas or pairs:
        spans[""] = len(deltas) + len(pairs)
    return Layout(
        _caption(table, ours, lines, seeds=seeds),
        tuple(spans.items()),
        ("", *(("seeds",) if seeds else ()), *titles_of),
        tuple(lines),
        tuple(_notes(table, labels, deltas=[c.form for c in deltas], pairs=bool(pairs))),
        left=2 if seeds else 1,
    )


class _Column:
    """The cells of one score."""

    def __init__(self, table: ScoreTable, task: str, metric: str) -> None:
        self.task, self.metric = task, metric
        self.group, self.title = TASKS.get(task, task), titles(table, task, metric)
        self._digits = 4 if metric in _FOUR_DECIMALS else 2
        ours = [entry.spread(task, metric) for entry in table.entries if not entry.published]
        known = metric in HIGHER_IS_BETTER
        self._best = _best(ours, higher=HIGHER_IS_BETTER[metric]) if known else None

    def cell(self, entry: Entry) -> tuple[str, bool]:
        """Its text, and whether it is the best of the runs."""
        spread = entry.spread(self.task, self.metric)
        if spread is None:
            return "-", False
        return spread.text(self._digits), not entry.published and spread.mean == self._best

    def below(self, entry: Entry) -> str:
        """Its interval."""
        return _brackets(entry.intervals.get(self.task, {}).get(self.metric), self._digits)


class _DeltaColumn:
    """The cells of one form of delta against the mean of the baseline."""

    def __init__(self, table: ScoreTable, form: str) -> None:
        self.form = form
        self.title = f"{FORM_TITLES[form]}, % ↑"
        ours = [Spread(e.deltas[form].value) for e in table.entries if form in e.deltas
                and not e.published]  # fmt: skip
        self._best = _best(ours, higher=True)

    def cell(self, entry: Entry) -> tuple[str, bool]:
        """Its text, and whether it is the best of the runs."""
        found = entry.deltas.get(self.form)
        if found is None or not math.isfinite(found.value):
            return "-", False
        text = _signed(found.value, 2) + ("" if found.std is None else f" ± {found.std:.2f}")
        return text, not entry.published and found.value == self._best

    def below(self, entry: Entry) -> str:
        """Its interval."""
        return _brackets(entry.deltas.get(self.form), 2)


class _PairColumn:
    """The cells of one form of delta between runs of the same seed."""

    def __init__(self, table: ScoreTable, form: str) -> None:
        self.form = form
        self.title = f"{FORM_TITLES[form]} paired, % ↑"

    def cell(self, entry: Entry) -> tuple[str, bool]:
        """Its text; what is best stands in the column of the means."""
        found = entry.paired.deltas.get(self.form) if entry.paired else None
        return ("-" if found is None else _signed(found.value, 2)), False

    def below(self, entry: Entry) -> str:
        """Its interval."""
        return _brackets(entry.paired.deltas.get(self.form) if entry.paired else None, 2)


def _tests(table: ScoreTable, labels: Sequence[str]) -> list[Layout]:
    """For each line with tested differences a table of them."""
    found = []
    for label, entry in zip(labels, table.entries, strict=True):
        if entry.paired is None or not entry.paired.tested:
            continue
        rows = [
            (f"{TASKS.get(task, task)}: {titles(table, task, metric)}",
             entry.paired.scores[task][metric], 4 if metric in _FOUR_DECIMALS else 2)
            for task, metric in table.columns
            if metric in entry.paired.scores.get(task, {})
        ]  # fmt: skip
        rows += [(f"{FORM_TITLES[f]}, % ↑", e, 2) for f, e in entry.paired.deltas.items()]
        seeds = entry.paired.seeds
        count = f"{len(seeds)} pairs of seeds ({', '.join(map(str, seeds))})"
        one = f"one pair of runs (seed {seeds[0]})"
        found.append(
            Layout(
                f"{label} less {entry.paired.against}: {count if len(seeds) > 1 else one}.",
                (),
                ("", "difference", "95 %", "p"),
                tuple(
                    Line(
                        name,
                        (_signed(one.value, digits), _brackets(one, digits) or "-", _p(one.p)),
                        (False, False, False),
                    )
                    for name, one, digits in rows
                ),
                (
                    "p: two-sided, "
                    + ("Student's t over seeds and draws of the images"
                       if len(seeds) > 1 else "the images exchanged between both at random")
                    + "; of many scores some fall below 0.05 by chance.",
                ),
            )
        )  # fmt: skip
    return found


def _caption(
    table: ScoreTable, ours: Sequence[Entry], lines: Sequence[Line], *, seeds: bool
) -> str:
    shared = [
        f"{name} {ours[0].facts[name]}"
        for name in FACTS
        if ours and len({e.facts.get(name) for e in ours}) == 1 and ours[0].facts.get(name)
    ]
    if ours and not seeds and ours[0].seeds:
        text = _seed_text(ours[0])
        shared.append(f"{'seed' if len(ours[0].seeds) == 1 else 'seeds'} {text}")
    who = "All runs" if len(ours) < len(lines) else "All rows"
    parts = [f"{table.title()}."]
    if len(ours) == 1 and shared:
        parts.append(f"The run: {', '.join(shared)}.")
    elif shared:
        parts.append(f"{who}: {', '.join(shared)}.")
    if any("±" in cell for line in lines for cell in line.cells):
        parts.append("Mean ± standard deviation over seeds.")
    if any(line.below for line in lines):
        parts.append("In brackets: 95 % intervals.")
    return " ".join(parts)


def _notes(
    table: ScoreTable, labels: Sequence[str], *, deltas: Sequence[str], pairs: bool
) -> list[str]:
    names = dict(zip([entry.name for entry in table.entries], labels, strict=True))
    notes = list(table.remarks)
    if table.baseline and deltas:
        against = names.get(table.baseline.name, table.baseline.name)
        what = "; ".join(WHAT[form] for form in deltas)
        notes.append(f"{what}; against {against}.")
    if pairs:
        told = {
            names[e.name]: e.paired.seeds for e in table.entries if e.paired and e.paired.deltas
        }
        each = [f"{name}: {', '.join(map(str, seeds))}" for name, seeds in told.items()]
        notes.append(f"Paired: each run less the baseline's of the same seed ({'; '.join(each)}).")
    differs = table.differs()
    if "labels" in differs and _other_cells(table):
        del differs["labels"]
    if differs:
        each = [f"{key} ({_each(values, names)})" for key, values in differs.items()]
        notes.append(f"The rows differ in {'; '.join(each)}.")
    about: dict[str, list[str]] = {}
    for entry in table.entries:
        if entry.note:
            about.setdefault(entry.note, []).append(names[entry.name])
    notes += [f"{', '.join(who)}: {note}" for note, who in about.items()]
    notes += table.unsure
    renamed = [f"{label} is {name}" for name, label in names.items() if label != name]
    return [*notes, *([f"Runs: {'; '.join(renamed)}."] if renamed else [])]


def _other_cells(table: ScoreTable) -> bool:
    """Whether regimes and tasks say already which rows saw other labels."""
    seen: dict[str, set[str]] = {}
    for entry in table.entries:
        if "labels" in entry.budget:
            why = f"{entry.facts.get('regime')} {entry.budget.get('tasks')}"
            seen.setdefault(why, set()).add(str(entry.budget["labels"]))
    return all(len(labels) == 1 for labels in seen.values())


def _each(values: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> str:
    told = {value: [names.get(name, name) for name in who] for value, who in values.items()}
    return ", ".join(f"{value}: {' and '.join(who)}" for value, who in told.items())


def _counts(table: ScoreTable, form: str) -> bool:
    return bool(table.baseline) and any(form in entry.deltas for entry in table.entries)


def _pairs_differ(table: ScoreTable, form: str) -> bool:
    """Whether pairs say another number than the means; of single seeds both are one."""
    return bool(table.baseline) and any(
        form in e.paired.deltas and abs(e.paired.deltas[form].value - e.deltas[form].value) > 1e-6
        for e in table.entries
        if e.paired and form in e.deltas
    )


def _clashing(labels: Mapping[str, Sequence[str]]) -> set[str]:
    """The names whose label another one has, too."""
    texts = [" ".join(words) for words in labels.values()]
    return {name for name, words in labels.items() if texts.count(" ".join(words)) > 1}


def _best(spreads: Sequence[Spread | None], *, higher: bool) -> float | None:
    values = [s.mean for s in spreads if s is not None and math.isfinite(s.mean)]
    if len(values) < 2:
        return None
    return max(values) if higher else min(values)


def _brackets(found: object, digits: int) -> str:
    if not isinstance(found, Estimate) or found.low is None or found.high is None:
        return ""
    return f"[{found.low:.{digits}f}, {found.high:.{digits}f}]"


def _signed(value: float, digits: int) -> str:
    """With its sign; zero is positive, and no number a dash."""
    if not math.isfinite(value):
        return "-"
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _seed_text(entry: Entry) -> str:
    if entry.published:
        return "published"
    return ", ".join("-" if seed is None else str(seed) for seed in entry.seeds)
