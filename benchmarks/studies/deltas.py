"""The results of a study as Markdown tables, and their deltas as a picture.

python -m benchmarks.studies.deltas docs/results/mtpsl-nyu.json [--plot FILE.png]
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROTOCOL = "mtpsl"
COLUMNS = (
    ("mIoU ↑", "semantic", "miou", 2),
    ("abs. error, m ↓", "depth", "abs_err", 3),
    ("mean angle, degrees ↓", "normals", "mean", 2),
)


def entries_of(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a group that have a delta."""
    table = next(t for t in result["tables"] if t["protocol"] == PROTOCOL)
    return [entry for entry in table["entries"] if entry.get("delta")]


def labels(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of cells without seed, and without the regime that they share; how many seeds."""
    names = [entry["name"].rpartition("-s")[0] for entry in entries]
    if len({entry["regime"] for entry in entries}) == 1:
        names = [name.removesuffix(f"-{entries[0]['regime']}") for name in names]
    counts = [len(entry["seeds"]) for entry in entries]
    return [f"{name} ({count})" for name, count in zip(names, counts, strict=True)]


def reach(entry: Mapping[str, Any]) -> tuple[float, float, float]:
    """A delta with its 95 % interval, of pairs of seeds where there are some.

    Of results from before there were intervals, one standard deviation to either side.
    """
    found = (entry.get("paired") or entry).get("deltas", {}).get(PROTOCOL)
    if found and found["low"] is not None:
        return found["value"], found["low"], found["high"]
    mean, std = entry["delta"]["mean"], entry["delta"]["std"] or 0.0
    return mean, mean - std, mean + std


def draw_deltas(groups: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw what `mtmodels compare --json` says of each group."""
    from matplotlib.figure import Figure

    rows = {title: entries_of(result) for title, result in groups.items()}
    heights = [len(entries) + 1 for entries in rows.values()]
    figure = Figure(figsize=(7.5, 0.26 * sum(heights) + 0.8), layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (title, entries) in zip(axes, rows.items(), strict=True):
        axis.axvline(0, color="0.7", linewidth=1)
        for at, (value, low, high) in enumerate(map(reach, entries)):
            axis.errorbar(
                [value], [at], xerr=[[value - low], [high - value]], fmt="o", color="C0", capsize=3
            )
        axis.set_yticks(range(len(entries)), labels(entries))
        axis.set(ylim=(len(entries) - 0.5, -0.5), title=title)
    axes[-1].set_xlabel("delta against supervised training, % (in brackets: seeds)")
    figure.savefig(path, dpi=110)


def number(mean: float, deviation: float | None, decimals: int, *, sign: str = "") -> str:
    """A mean, with its deviation where there are several seeds."""
    spread = "" if deviation is None else f" ± {deviation:.{decimals}f}"
    return f"{mean:{sign}.{decimals}f}{spread}"


def markdown(entries: list[dict[str, Any]]) -> str:
    """A table of cells: one score a task, and delta."""
    titles = [title for title, *_ in COLUMNS]
    lines = [
        "| cell (seeds) | " + " | ".join([*titles, "delta, % ↑"]) + " |",
        "|---|" + "--:|" * (len(titles) + 1),
    ]
    for name, entry in zip(labels(entries), entries, strict=True):
        scores, deviations = entry["scores"], entry.get("std") or {}
        cells = [
            number(scores[task][metric], deviations.get(task, {}).get(metric), decimals)
            for _, task, metric, decimals in COLUMNS
        ]
        delta = entry["delta"]
        cells.append(number(delta["mean"], delta["std"], 2, sign="+"))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--plot", type=Path, help="a picture of the deltas")
    arguments = parser.parse_args()
    groups = json.loads(arguments.results.read_text(encoding="utf-8"))["groups"]
    for title, result in groups.items():
        print(f"{title}\n\n{markdown(entries_of(result))}\n")
    if arguments.plot is not None:
        draw_deltas(groups, arguments.plot)


if __name__ == "__main__":
    main()
