"""The deltas of a study: a panel a group, a line a cell, with the deviation over its seeds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROTOCOL = "mtpsl"


def entries_of(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a group that have a delta."""
    table = next(t for t in result["tables"] if t["protocol"] == PROTOCOL)
    return [entry for entry in table["entries"] if entry.get("delta")]


def label(entry: Mapping[str, Any]) -> str:
    """The name of a cell without regime and seed, and how many seeds it has."""
    name = entry["name"].rpartition("-s")[0].removesuffix(f"-{entry['regime']}")
    return f"{name} ({len(entry['seeds'])})"


def draw_deltas(groups: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw what `mtmodels compare --json` says of each group."""
    from matplotlib.figure import Figure

    rows = {title: entries_of(result) for title, result in groups.items()}
    heights = [len(entries) + 1 for entries in rows.values()]
    figure = Figure(figsize=(7.5, 0.26 * sum(heights) + 0.8), layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (title, entries) in zip(axes, rows.items(), strict=True):
        means = [entry["delta"]["mean"] for entry in entries]
        deviations = [entry["delta"]["std"] or 0.0 for entry in entries]
        axis.axvline(0, color="0.7", linewidth=1)
        axis.errorbar(means, range(len(entries)), xerr=deviations, fmt="o", capsize=3)
        axis.set_yticks(range(len(entries)), [label(entry) for entry in entries])
        axis.set(ylim=(len(entries) - 0.5, -0.5), title=title)
    axes[-1].set_xlabel("delta against supervised training, % (in brackets: seeds)")
    figure.savefig(path, dpi=110)
