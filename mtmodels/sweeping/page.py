"""A sweep as text and as one page: its tables, its deltas drawn, and how each training ended."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from mtdata.pages.figures import spans
from mtdata.pages.page import render
from mtdata.urls import without_secrets
from mtmodels.scoring import formats
from mtmodels.scoring.layout import WHAT, Layout, label_entries, layouts
from mtmodels.scoring.score_table import ScoreTable
from mtmodels.sweeping.running import Job, Outcome

TEMPLATES = Path(__file__).parent / "templates"
Tables = Sequence[tuple[str, Sequence[ScoreTable]]]
"""For each baseline a title, and what is compared with it."""


def markdown(tables: Tables, notes: Sequence[str], outcomes: Mapping[str, Outcome]) -> str:
    """The tables, and what is in none of them."""
    parts = ["# Sweep"]
    for title, some in tables:
        parts += [f"## {title}"] if title else []
        parts += [formats.markdown(layout) for layout in _layouts(some)]
    left = [f"{name} ({one.state})" for name, one in outcomes.items() if one.state != "done"]
    parts += [f"Not in the tables: {', '.join(left)}."] if left else []
    parts += notes
    return "\n\n".join(parts) + "\n"


def page(
    name: str,
    tables: Tables,
    notes: Sequence[str],
    jobs: Sequence[Job],
    outcomes: Mapping[str, Outcome],
) -> str:
    """One file to look at, to print or to send; it needs no other.

    Args:
        name: What the sweep is called.
        tables: What is compared.
        notes: What is to be said of them.
        jobs: All trainings.
        outcomes: How each ended, by its name.
    """
    done = sum(one.state == "done" for one in outcomes.values())
    return render(
        "sweep.html",
        TEMPLATES,
        title=name,
        said=f"{done} of {len(jobs)} trainings are done.",
        parts=[(title, _layouts(some), list(_drawn(some))) for title, some in tables],
        notes=notes,
        trainings=[
            (job.name, one.state, f"{one.seconds / 60:.1f} min" if one.seconds else "", one.why)
            for job in jobs
            for one in [outcomes[job.name]]
        ],
        commands=[without_secrets(shlex.join(["mttrain", *job.command])) for job in jobs],
    )


def _layouts(tables: Sequence[ScoreTable]) -> list[Layout]:
    return [layout for table in tables for layout in layouts(table, intervals=False)]


def _drawn(tables: Sequence[ScoreTable]) -> Iterator[tuple[str, Markup]]:
    """The deltas of each table, in the form that its protocol has."""
    for table in tables:
        form, labels = table.form or table.facts.protocol, label_entries(table)
        entries = [
            (label, entry.deltas[form])
            for label, entry in zip(labels, table.entries, strict=True)
            if form in entry.deltas
        ]
        if len(entries) > 1:
            values = [(one.value, one.low, one.high) for _, one in entries]
            names = [label for label, _ in entries]
            yield (
                f"protocol {table.facts.protocol}: {WHAT[form].partition(':')[2].strip()}",
                spans(names, values, x="delta, % (95 % interval)"),
            )
