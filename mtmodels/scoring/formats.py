"""Tables of scores as text for a terminal, Markdown, LaTeX and CSV."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mtmodels.metrics.scores import to_json
from mtmodels.scoring.intervals import Estimate
from mtmodels.scoring.layout import Layout, Line
from mtmodels.scoring.score_table import FACTS, Entry, ScoreTable

if TYPE_CHECKING:
    from rich.console import RenderableType

_EDGE = 4
"""Columns that the frame of a table takes at its edge, with the space beside it."""
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": "$<$", ">": "$>$", "|": "$|$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "±": r"$\pm$",
    "°": r"$^\circ$", "Δ": r"$\Delta$", "δ": r"$\delta$", "²": "$^2$",
    "³": "$^3$",
}  # fmt: skip


def markdown(layout: Layout) -> str:
    """Markdown, with the caption above and the notes below."""
    header = [
        f"{group} {title}".strip()
        for group, title in zip(_over(layout), layout.titles, strict=True)
    ]
    rules = ["---" if i < layout.left else "--:" for i in range(len(header))]
    lines = [f"**{layout.caption}**", "", _row(header), _row(rules)]
    for line in layout.lines:
        cells = [
            f"**{cell}**" if best else cell
            for cell, best in zip(line.cells, line.best, strict=True)
        ]
        lines.append(_row([line.label, *cells]))
        if line.below:
            lines.append(_row(["", *line.below]))
    for note in layout.notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def latex(layout: Layout) -> str:
    """A `table` with rules of booktabs, arrows and bold best ones."""
    columns = "l" * layout.left + "r" * (len(layout.titles) - layout.left)
    lines = [
        "% in the preamble: \\usepackage{booktabs}",
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{_tex(layout.caption)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
    ]
    if layout.groups:
        lines += _spans(layout)
    lines += [_tex_row([_tex(title) for title in layout.titles]), r"\midrule"]
    for at, line in enumerate(layout.lines):
        if at and line.published and not layout.lines[at - 1].published:
            lines.append(r"\midrule")
        cells = [
            rf"\textbf{{{_tex(cell)}}}" if best else _tex(cell)
            for cell, best in zip(line.cells, line.best, strict=True)
        ]
        lines.append(_tex_row([_tex(line.label), *cells]))
        if line.below:
            small = [rf"{{\scriptsize {_tex(cell)}}}" if cell else "" for cell in line.below]
            lines.append(_tex_row(["", *small]))
    lines += [r"\bottomrule", r"\end{tabular}"]
    if layout.notes:
        lines += ["", r"\smallskip", r"\begin{minipage}{\linewidth}\footnotesize"]
        lines += [rf"{_tex(note)}\par" for note in layout.notes]
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def csv_text(tables: Sequence[ScoreTable]) -> str:
    """All rows of all tables, what they are of in columns, numbers with all their digits."""
    rows = [_flat_row(table, entry) for table in tables for entry in table.entries]
    header = list(dict.fromkeys(name for row in rows for name in row))
    first = [name for name in header if not _of_numbers(name)]
    out = io.StringIO()
    writer = csv.DictWriter(out, [*first, *(n for n in header if n not in first)])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def text(layout: Layout, width: int) -> "RenderableType":
    """For a terminal of some columns.

    Where the table is wider than that, its columns go on in another one below: no number is cut.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    titles = list(layout.titles)
    columns = [[line.label for line in layout.lines]]
    columns += [
        [cell for line in layout.lines for cell in (line.cells[i], *line.below[i : i + 1])]
        for i in range(len(titles) - 1)
    ]
    over = _over(layout)
    wide = [
        max(map(len, (title, group, *cells)))
        for title, group, cells in zip(titles, over, columns, strict=True)
    ]
    name = min(wide[0], max(12, width // 3))
    parts: list[RenderableType] = [Text(layout.caption, style="bold")]
    for block in _blocks(range(1, len(titles)), wide, width - name - _EDGE):
        table = Table()
        table.add_column("", width=name, overflow="fold")
        for i in block:
            title = Text("\n".join(part for part in (over[i], titles[i]) if part))
            at_least = min(wide[i], width - name - 2 * _EDGE)
            justify: Any = "left" if i < layout.left else "right"
            table.add_column(title, justify=justify, min_width=at_least, overflow="fold")
        for line in layout.lines:
            table.add_row(*_text_row(line, block, Text))
        parts.append(table)
    return Group(*parts, *(Text(note) for note in layout.notes))


def _text_row(line: Line, block: Sequence[int], make: Callable[..., Any]) -> list[Any]:
    cells = [make(line.label)]
    for i in block:
        below = f"\n{line.below[i - 1]}" if line.below and line.below[i - 1] else ""
        cell = make(line.cells[i - 1], style="bold" if line.best[i - 1] else "")
        cells.append(cell.append(below, style="not bold dim") if below else cell)
    return cells


def _over(layout: Layout) -> list[str]:
    """The group that each column belongs to; empty for labels."""
    groups = [group for group, span in layout.groups for _ in range(span)]
    return [""] * (len(layout.titles) - len(groups)) + groups


def _row(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def _spans(layout: Layout) -> list[str]:
    """The row of groups with a rule under each."""
    cells, rules, at = [""] * layout.left, [], layout.left + 1
    for group, span in layout.groups:
        cells.append(rf"\multicolumn{{{span}}}{{c}}{{{_tex(group)}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{at}-{at + span - 1}}}")
        at += span
    return [_tex_row(cells), " ".join(rules)]


def _tex(words: str) -> str:
    return re.sub("|".join(map(re.escape, _LATEX)), lambda found: _LATEX[found[0]], words)


def _tex_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _flat_row(table: ScoreTable, entry: Entry) -> dict[str, Any]:
    facts = {
        name: getattr(table.facts, name) for name in ("dataset", "split", "images", "protocol")
    }
    size = "" if table.facts.size is None else "x".join(map(str, table.facts.size))
    row: dict[str, Any] = {
        **facts,
        "size": size,
        "name": entry.name,
        **{name: entry.facts.get(name) for name in FACTS},
        "seeds": " ".join(map(str, entry.seeds)),
        "published": entry.published,
        "baseline": table.baseline.name if table.baseline else "",
        "note": " ".join([*table.remarks, *([entry.note] if entry.note else []), *table.unsure]),
    }
    for task, metrics in entry.scores.items():
        for name in metrics:
            if (spread := entry.spread(task, name)) is None:
                continue
            row[f"{task}.{name}"] = spread.mean
            row[f"{task}.{name}.std"] = spread.std
            _bounds(row, f"{task}.{name}", entry.intervals.get(task, {}).get(name))
    for form, one in entry.deltas.items():
        row[f"delta.{form}"] = one.value
        row[f"delta.{form}.std"] = one.std
        _bounds(row, f"delta.{form}", one)
    if entry.paired:
        pairs = {f"delta.{form}": one for form, one in entry.paired.deltas.items()} | {
            f"{task}.{name}": one
            for task, metrics in entry.paired.scores.items()
            for name, one in metrics.items()
        }
        for name, one in pairs.items():
            row[f"paired.{name}"] = one.value
            _bounds(row, f"paired.{name}", one)
            row[f"paired.{name}.p"] = one.p
    return dict(to_json(row))


def _bounds(row: dict[str, Any], name: str, one: object) -> None:
    if isinstance(one, Estimate):
        row[f"{name}.low"], row[f"{name}.high"] = one.low, one.high


def _of_numbers(name: str) -> bool:
    return "." in name


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
