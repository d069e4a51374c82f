"""`report.html`: a run on one page that needs no other file."""

import base64
import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtmodels.metrics.scores import HIGHER_IS_BETTER, LooseScores, Scores

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem;
       color: #1c1c1c; background: #fff }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; margin: .6rem 0 } img { max-width: 100%; height: auto }
th, td { border-bottom: 1px solid #ddd; padding: .25rem .8rem; text-align: left }
td.n { text-align: right; font-variant-numeric: tabular-nums }
pre { background: #f5f5f3; padding: .8rem; overflow-x: auto; font-size: 13px }
.warn { background: #fff3d6; border-left: 4px solid #c98b1b; padding: .5rem .8rem }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #191919 }
  pre { background: #262626 } th, td { border-color: #444 } .warn { background: #443a1e } }
"""

WHY_SEVERAL = (
    "The same predictions have a table for each split and protocol: a protocol says how pixels and "
    "images are pooled, so compare numbers of one protocol and one split alone."
)


def page(
    *,
    title: str,
    summary: Mapping[str, Any],
    scores: Mapping[str, Scores],
    config: str,
    curves: Path,
    pictures: Sequence[Path],
    classes: Mapping[str, Sequence[str]],
    command: str,
    warning: str | None = None,
    looks: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Write the page.

    Args:
        title: Name of the run.
        summary: Facts to list first.
        scores: The scores, each under what they are of.
        config: The configuration as YAML.
        curves: A PNG.
        pictures: PNGs of predictions beside labels.
        classes: Names of the classes of each task that has some.
        command: What does the run again.
        warning: What a reader has to know before believing a number.
        looks: What was asked of held-out labels, look by look.
    """
    parts = [f"<h1>{html.escape(title)}</h1>"]
    if warning:
        parts.append(f'<p class="warn">{html.escape(warning)}</p>')
    parts.append(_facts(summary))
    if len(scores) > 1:
        parts.append(f"<p>{WHY_SEVERAL}</p>")
    for what, rows in scores.items():
        parts += [f"<h2>Scores of {html.escape(what)}</h2>", score_table(rows)]
        parts += [class_table(task, rows[task], classes[task]) for task in rows if task in classes]
    parts += ["<h2>Curves</h2>", _image(curves, "training curves")]
    if looks:
        parts.append(look_table(looks))
    if pictures:
        parts.append("<h2>Predictions beside labels</h2>")
        parts += [_image(picture, f"image {picture.stem}") for picture in pictures]
    parts.append(f"<h2>To do it again</h2><pre>{html.escape(command)}</pre>")
    parts.append(f"<h2>Configuration</h2><pre>{html.escape(config)}</pre>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def score_table(scores: Scores) -> str:
    """The scores as an HTML table; values a class have one of their own."""
    rows = [
        f"<tr><td>{html.escape(task)}</td><td>{name} {arrow(name)}</td>"
        f'<td class="n">{number(value)}</td></tr>'
        for task, values in scores.items()
        for name, value in values.items()
        if not isinstance(value, list)
    ]
    return f"<table><tr><th>task</th><th>score</th><th>value</th></tr>{''.join(rows)}</table>"


def class_table(task: str, values: Mapping[str, Any], names: Sequence[str]) -> str:
    """The scores of each class as an HTML table; empty where there are none."""
    lists = {
        name: value
        for name, value in values.items()
        if isinstance(value, list) and len(value) == len(names)
    }
    if not lists:
        return ""
    head = "".join(f"<th>{html.escape(name)} {arrow(name)}</th>" for name in lists)
    rows = "".join(
        f"<tr><td>{html.escape(each)}</td>"
        + "".join(f'<td class="n">{number(value[at])}</td>' for value in lists.values())
        + "</tr>"
        for at, each in enumerate(names)
    )
    return f"<table><tr><th>class of {html.escape(task)}</th>{head}</tr>{rows}</table>"


def look_table(looks: Sequence[Mapping[str, Any]]) -> str:
    """Which pairs of tasks went on and why, as an HTML table with its heading.

    Args:
        looks: The rows of the log that say it, in order.
    """
    rows = []
    for name, agreement in sorted(looks[-1]["agreement"].items()):
        kept = [look["kept"][name] for look in looks if name in look["kept"]]
        rows.append(
            f'<tr><td>{html.escape(name)}</td><td class="n">{agreement:+.3f}</td>'
            f'<td class="n">{sum(kept)} of {len(kept)}</td>'
            f"<td>{'goes on' if kept[-1] else 'rests'}</td></tr>"
        )
    return (
        "<h2>Pairs of tasks that help</h2><p>The agreement is the cosine between the gradient of "
        "the consistency of a pair and that of held-out labels, a running mean; below "
        f"{looks[-1]['threshold']:g} a pair rests until the next look.</p>"
        "<table><tr><th>pair</th><th>agreement</th><th>kept after looks</th><th>at the end</th>"
        f"</tr>{''.join(rows)}</table>"
    )


def plain_scores(scores: LooseScores) -> str:
    """The scores as lines of text, a task a line."""
    lines = []
    for task, values in scores.items():
        told = "  ".join(
            f"{name} {number(value)}"
            for name, value in values.items()
            if not isinstance(value, list)
        )
        lines.append(f"  {task:<10}{told}")
    return "\n".join(lines)


def number(value: Any) -> str:
    """A score for people: four significant digits."""
    return "n/a" if value is None or math.isnan(value) else f"{value:.4g}"


def arrow(name: str) -> str:
    """Whether a score is better high or low; empty where nobody knows."""
    return {True: "↑", False: "↓", None: ""}[HIGHER_IS_BETTER.get(name)]


def _facts(summary: Mapping[str, Any]) -> str:
    rows = [
        f"<tr><td>{html.escape(key.replace('_', ' '))}</td>"
        f"<td>{html.escape(_fact(value))}</td></tr>"
        for key, value in summary.items()
    ]
    return f"<table>{''.join(rows)}</table>"


def _fact(value: Any) -> str:
    """A fact for people: three significant digits or whole numbers, not all that a float has."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _image(path: Path, text: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<p><img alt="{html.escape(text)}" src="data:image/png;base64,{data}"></p>'
