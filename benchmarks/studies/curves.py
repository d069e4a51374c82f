"""Training losses of the cells of a study, a panel a task, a line a method, a band over seeds."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def epochs_of(folder: Path) -> dict[str, list[float]]:
    """For each task, the mean training loss of each epoch."""
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["kind"] == "epoch":
            for task, value in row["means"].items():
                found.setdefault(task, []).append(value)
    return found


def draw(folders: Sequence[Path], path: Path) -> None:
    """Draw runs whose names are METHOD-REGIME-sSEED."""
    from matplotlib.figure import Figure

    groups: dict[str, list[dict[str, list[float]]]] = {}
    for folder in folders:
        groups.setdefault(folder.name.rpartition("-s")[0], []).append(epochs_of(folder))
    tasks = list(next(iter(groups.values()))[0])
    figure = Figure(figsize=(3.4 * len(tasks), 3), layout="constrained")
    for axis, task in zip(np.atleast_1d(figure.subplots(1, len(tasks))), tasks, strict=True):
        for name, runs in groups.items():
            values = np.array([run[task] for run in runs])
            epochs = np.arange(1, values.shape[1] + 1)
            axis.plot(epochs, values.mean(0), label=name)
            axis.fill_between(epochs, values.min(0), values.max(0), alpha=0.2)
        axis.set(title=task, xlabel="epoch", ylim=(0, None))
    figure.axes[0].set_ylabel("training loss on visible labels")
    figure.axes[-1].legend()
    figure.savefig(path, dpi=110)
