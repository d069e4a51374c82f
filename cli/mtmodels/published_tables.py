"""The tables of the papers, for people: what `mtmodels list published` prints."""

from collections.abc import Iterator, Sequence

import click

from cli.shared.tables import put_lines, put_table
from mtdata.wording import counted
from mtmodels.scoring.facts import size_text
from mtmodels.scoring.published import Row


def put_rows(rows: Sequence[Row]) -> None:
    """Print rows by table: what all share above it, what some have beside or below."""
    tables: dict[str, list[Row]] = {}
    for row in rows:
        tables.setdefault(f"{row.paper}/{row.table}", []).append(row)
    for number, (name, found) in enumerate(tables.items()):
        if number:
            click.echo()
        _put_table(name, found)


def _put_table(name: str, rows: Sequence[Row]) -> None:
    facts = [_facts(row) for row in rows]
    shared = [what for what in facts[0] if len({one[what] for one in facts}) == 1]
    beside = [what for what in facts[0] if what not in shared]
    put_lines(f"{name}: {', '.join(facts[0][w] for w in shared if facts[0][w])}", hanging=2)
    scores = [f"{task}.{metric}" for task, metrics in rows[0].scores.items() for metric in metrics]
    delta = ["delta %"] if any(row.delta is not None for row in rows) else []
    put_table(
        [f"{name}/...", *beside, *(score.replace(".", "\n") for score in scores), *delta],
        [
            [
                row.name,
                *(fact[what].replace(what, "").strip() for what in beside),
                *_numbers(row, scores, delta),
            ]
            for row, fact in zip(rows, facts, strict=True)
        ],
        left=1 + len(beside),
    )
    for what, texts in (
        ("marks", {row.name: row.marks for row in rows}),
        ("note", {row.name: row.note for row in rows}),
    ):
        told = dict.fromkeys(text for text in texts.values() if text)
        for text in told:
            names = [name for name, own in texts.items() if own == text]
            of = "" if len(names) == len(rows) else f" of {', '.join(names)}"
            put_lines(f"{what}{of}: {text}", indent=2, hanging=2)


def _facts(row: Row) -> dict[str, str]:
    """What a row is of, by what it would be called as a column."""
    images = "" if row.images is None else f"{counted(row.images, 'image')} of "
    return {
        "data": row.dataset,
        "regime": f"regime {row.regime}",
        "images": f"{images}{size_text(row.size)}",
        "classes": "" if row.classes is None else f"{row.classes} classes",
        "protocol": f"protocol {row.protocol}",
        "origin": ", ".join(f"{task} {how}" for task, how in row.origin.items()),
        "epochs": counted(row.epochs, "epoch") if row.epochs else "",
        "epoch": f"epoch: {row.selection or 'which is not stated'}",
    }


def _numbers(row: Row, scores: Sequence[str], delta: Sequence[str]) -> Iterator[str]:
    for score in scores:
        task, metric = score.split(".", 1)
        yield f"{row.scores[task][metric]:.{row.decimals[score]}f}"
    if delta:
        yield "-" if row.delta is None else f"{row.delta:g}"
