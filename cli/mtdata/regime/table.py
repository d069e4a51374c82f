"""Regimes as a table for people."""

from collections.abc import Mapping
from typing import Any

from cli.shared.common import say
from cli.shared.tables import put_table, uncovered_text


def put_regimes(found: Mapping[str, Mapping[str, Any]], default: str | None = None) -> None:
    """Print one line for each regime.

    Args:
        found: For each split and each regime, what `mtdata info --json` says of it.
        default: The regime that training uses unless told otherwise; it is marked.
    """
    rows: list[list[Any]] = []
    tasks: list[str] = []
    for split, regimes in found.items():
        for name, drawn in regimes.items():
            tasks = list(drawn["labels"])
            several = " ".join(f"{k}:{n}" for k, n in drawn["images_with"].items() if n)
            mark = f"{name} (default)" if name == default else name
            rows.append(
                [split, mark, drawn["kind"], drawn["seed"], *drawn["labels"].values(), several]
            )
    for split, regimes in found.items():
        for name, drawn in regimes.items():
            if drawn.get("later") or drawn.get("uncovered"):
                say(uncovered_text(name, drawn.get("later", 0), drawn["uncovered"], split))
    header = ["split", "regime", "kind", "seed", *tasks, "images with k labels"]
    put_table(header, rows, left=3, key=2)
