"""What labels are worth, and what gains where they are short, on real NYUv2 at 96x128.

Three tasks, `unet` on EfficientNet-Lite0 with ImageNet weights (the extra `weights`), 20 epochs.
Every seed is one of the weights and of the draw of the regime, which is drawn into the store where
that lacks it. Cells with two views see an image twice a step, mirrored or not; `sl-views` is what
they are to be compared with at equal views. `single` is a network a task. The teachers of
`self-training` are the cell `sl` and others like it with other weights and the same labels, those
of `self-training-single` the three networks of `single`; `sl-long` has the steps of all of them.

Each cell is the `mttrain` command that is printed; one that was interrupted resumes. The results
file is added to: a cell that it holds is not trained again, so a study can go on elsewhere.

    python -m benchmarks.study_labels --data data/nyu-96x128.h5 --out docs/results/labels-nyu
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from scipy.stats import t

import mtmodels
from benchmarks.cells import Cell, run_all, write_results
from benchmarks.deltas import COLUMNS
from benchmarks.machine import describe
from mtmodels.scoring.delta import Baseline, delta_mtpsl
from mtmodels.training.record.runfolder import RunFolder, read_facts

TASKS = ("semantic", "depth", "normals")
SHARED = (
    "--network unet --encoder tf_efficientnet_lite0 "
    "--encoder-weights package --batch 8 --lr 1e-3 --schedule onecycle --gradient-clip 5 "
    "--select last"
)
STEPS = 1980
TWO = "--views 2 --set views.flip=0.5 --set views.scales=[1]"
"""The further view: as the first, mirrored or not."""
LONG = 4
"""How many times the steps `sl-long` has: those of three teachers and their pupil."""
METHODS: Mapping[str, str] = {
    "sl": "--method sl",
    "sl-views": f"--method sl {TWO}",
    "sl-long": "--method sl",
    "single": "--method sl",
    "self-training-single": "--method self-training",
    "self-training": "--method self-training",
    "self-training-one": "--method self-training",
    "self-training-geometry": "--method self-training --with-geometry",
    "teacher": f"--method teacher {TWO} --set method.options.mix=boxes",
    "ssl": f"--method ssl {TWO}",
    "mtpsl": f"--method mtpsl {TWO} --mapping-width 0.25",
    "jtr": "--method jtr",
    "geometry": "--method geometry",
    "teacher-geometry": f"--method teacher {TWO} --set method.options.mix=boxes --with-geometry",
}
"""The options of each cell, in the order in which they are trained."""
REGIMES: Mapping[str, Sequence[str]] = {
    "one": ("--kind", "one"),
    "random": ("--kind", "random"),
    "eighth": ("--kind", "fraction", "--share", "0.125"),
    "full": (),
}
"""How each is drawn."""
BASE = "sl"
SINGLE = "single"
TEACHERS = {"self-training": 3, "self-training-one": 1, "self-training-geometry": 3}
"""How many runs like `sl` teach a cell."""


def name_of(regime: str, seed: int) -> str:
    """A regime of its own for each seed."""
    return regime if regime == "full" else f"{regime}-{seed}"


def trainings(method: str, regime: str, seed: int, *, plan: "Plan") -> list[Cell]:
    """What a cell is trained by, with a regime drawn with its seed: one run, or one a task."""
    steps = plan.steps * (LONG if method == "sl-long" else 1)
    words = [SHARED, f"--precision {plan.precision} --steps {steps}", METHODS[method]]
    words.append(f"--regime {name_of(regime, seed)}")
    name = METHODS[method].split()[1]
    if regime == "eighth" and mtmodels.METHODS[name].uses_unlabelled:
        words.append("--labelled-share 0.5")
    if taught := teachers(method, regime, seed, plan=plan):
        runs = ",".join(str(plan.runs / one.folder) for one in taught)
        words.append(f"--teachers {runs}")
    if method == SINGLE:
        return [
            Cell(f"{method}-{task}-{regime}", " ".join([*words, f"--tasks {task}"]), seed)
            for task in TASKS
        ]
    return [Cell(f"{method}-{regime}", " ".join([*words, f"--tasks {','.join(TASKS)}"]), seed)]


def teachers(method: str, regime: str, seed: int, *, plan: "Plan") -> list[Cell]:
    """The trainings that teach a cell; all have its labels."""
    if method == f"self-training-{SINGLE}":
        return trainings(SINGLE, regime, seed, plan=plan)
    if method not in TEACHERS:
        return []
    own = trainings(BASE, regime, seed, plan=plan)
    others = [
        Cell(f"{BASE}-more-{regime}", own[0].options, 1000 * n + seed)
        for n in range(1, TEACHERS[method])
    ]
    return [*own, *others]


@dataclass(frozen=True)
class Plan:
    """What all cells of a study share.

    Args:
        steps: Of a training.
        precision: As `mttrain` takes it.
        runs: Where the run folders are.
    """

    steps: int
    precision: str
    runs: Path


def draw_regimes(data: Path, regimes: Sequence[str], seeds: Sequence[int]) -> None:
    """Draw what the store lacks of the regimes of all seeds."""
    for regime in regimes:
        for seed in seeds if REGIMES[regime] else ():
            name = name_of(regime, seed)
            if name not in _mtdata("regime", "list", data, "--json"):
                how = (*REGIMES[regime], "--seed", seed, "--name", name)
                _mtdata("regime", "add", data, *how)


def _mtdata(*arguments: object) -> str:
    words = ["mtdata", *map(str, arguments)]
    code = f"import sys; sys.argv = {words!r}; from cli.mtdata import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


class Results:
    """What a study has found so far: a file of scores, by cell and seed.

    Args:
        out: The file, without its suffix.
        plan: Of every cell.

    Raises:
        SystemExit: where the file is of cells of another length or precision.
    """

    def __init__(self, out: Path, plan: Plan) -> None:
        self.out = out
        path = out.with_suffix(".json")
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.same = {"steps": plan.steps, "precision": plan.precision}
        found = {"precision": "32"} | {name: known[name] for name in self.same if name in known}
        if known and found != self.same:
            raise SystemExit(
                f"{path} should hold cells of {plan.steps} steps in precision {plan.precision}; "
                f"found {found['steps']} in {found['precision']}. Give another --out, or the "
                "--steps and --precision of the file."
            )
        self.cells: dict[str, dict[str, Any]] = known.get("cells", {})

    def has(self, name: str, seed: int) -> bool:
        """Whether the scores of a cell, `sl-one` say, are known."""
        return len(self._scores(name, str(seed))) == len(TASKS)

    def add(self, folder: Path) -> None:
        """Keep the scores of a run that is whole, and write the file.

        What only teaches is no cell, and one that is known stays as it is.
        """
        name, _, seed = folder.name.rpartition("-s")
        if f"{BASE}-more-" in name:
            return
        for task in TASKS:
            name = name.replace(f"{SINGLE}-{task}-", f"{SINGLE}-")
        known = self._scores(name, seed)
        found = read_facts(RunFolder(folder).scores / "test-mtpsl.json")["scores"]
        scores = {task: known.get(task, found.get(task)) for task in TASKS}
        scores = {task: each for task, each in scores.items() if each is not None}
        if scores == known:
            return
        self.cells.setdefault(name, {})[seed] = {"machine": describe(), "scores": scores}
        write_results(self.out, {**self.same, "cells": self.cells})

    def _scores(self, name: str, seed: str) -> dict[str, Any]:
        """The scores that are known of a cell, by task."""
        found: dict[str, Any] = self.cells.get(name, {}).get(seed, {}).get("scores", {})
        return found

    def rows(self, regimes: Sequence[str]) -> list[dict[str, Any]]:
        """Of each cell the scores by seed, and delta against `sl` of the same seed and labels.

        Under `full`, delta is against `sl` under the first of the regimes: what all labels are
        worth.
        """
        found = []
        for regime in regimes:
            base = self.cells.get(BASE + "-" + (regimes[0] if regime == "full" else regime), {})
            for method in METHODS:
                known = self.cells.get(f"{method}-{regime}", {})
                seeds = {
                    seed: {
                        "scores": one["scores"],
                        "delta": delta_mtpsl(
                            one["scores"], Baseline(BASE, base[seed]["scores"])
                        ).value,
                    }
                    for seed, one in sorted(known.items(), key=lambda item: int(item[0]))
                    if seed in base and len(one["scores"]) == len(TASKS)
                }
                if seeds:
                    found.append({"regime": regime, "method": method, "seeds": seeds})
        return found


def interval(values: Sequence[float]) -> tuple[float, float | None]:
    """A mean, and half of its 95 % interval by Student's t; None of one value."""
    mean, count = statistics.fmean(values), len(values)
    if count < 2:
        return mean, None
    half = float(t.ppf(0.975, count - 1)) * statistics.stdev(values) / math.sqrt(count)
    return mean, half


def markdown(found: Sequence[Mapping[str, Any]]) -> str:
    """One table: mean scores, and delta with its interval over the seeds."""
    titles = [title for title, *_ in COLUMNS]
    lines = [
        "| regime | cell | seeds | " + " | ".join(titles) + " | delta, % ↑ (95 %) |",
        "|---|---|--:|" + "--:|" * (len(titles) + 1),
    ]
    for row in found:
        seeds = list(row["seeds"].values())
        scores = [
            f"{statistics.fmean(s['scores'][task][metric] for s in seeds):.{decimals}f}"
            for _, task, metric, decimals in COLUMNS
        ]
        mean, half = interval([s["delta"] for s in seeds])
        spread = "" if half is None else f" ± {half:.2f}"
        cells = [row["regime"], row["method"], str(len(seeds)), *scores, f"{mean:+.2f}{spread}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(found: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Delta of every cell: a dot a seed, and the mean with its interval."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 0.3 * len(found) + 1), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="0.7", linewidth=1)
    for place, row in enumerate(found):
        deltas = [seed["delta"] for seed in row["seeds"].values()]
        mean, half = interval(deltas)
        axes.plot(deltas, [place] * len(deltas), "o", color="0.7", markersize=4)
        axes.errorbar([mean], [place], xerr=half or 0, fmt="o", capsize=3, color="#c8641e")
    names = [f"{row['method']}, {row['regime']} ({len(row['seeds'])})" for row in found]
    axes.set_yticks(range(len(found)), names)
    axes.invert_yaxis()
    axes.set_xlabel("delta against `sl` with the same labels and seed, % (in brackets: seeds)")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run what is missing, write the scores, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/study-labels"))
    parser.add_argument("--out", type=Path, required=True, help="results, without a suffix")
    parser.add_argument("--plot", type=Path, help="a picture of the deltas")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--precision", default="32", choices=["32", "bf16", "16"])
    parser.add_argument("--jobs", type=int, default=1, help="cells at a time")
    parser.add_argument(
        "--threads", type=int, help="of each cell; the cores shared out unless given"
    )
    parser.add_argument(
        "--limit-time", type=float, default=math.inf, help="minutes after which no cell is begun"
    )
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=["one"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    arguments = parser.parse_args()
    plan = Plan(arguments.steps, arguments.precision, arguments.runs)
    results, until = Results(arguments.out, plan), time.monotonic() + 60 * arguments.limit_time
    draw_regimes(arguments.data, arguments.regimes, arguments.seeds)

    def note(folders: list[Path]) -> None:
        for folder in folders:
            results.add(folder)
        show()

    def show() -> None:
        found = results.rows(arguments.regimes)
        if arguments.plot is not None and found:
            draw(found, arguments.plot)
        print(markdown(found), flush=True)

    show()
    for seed, regime in product(arguments.seeds, arguments.regimes):
        methods = arguments.methods if regime != "full" else [BASE]
        missing = [name for name in methods if not results.has(f"{name}-{regime}", seed)]
        every = {name: trainings(name, regime, seed, plan=plan) for name in missing}
        before = [
            one
            for name in missing
            for one in teachers(name, regime, seed, plan=plan)
            if not RunFolder(plan.runs / one.folder).is_complete()
        ]
        taught = {name for name in missing if teachers(name, regime, seed, plan=plan)}
        alone = [one for name in missing if name not in taught for one in every[name]]
        pupils = [one for name in missing if name in taught for one in every[name]]
        for each in (list(dict.fromkeys([*alone, *before])), pupils):
            run_all(
                each,
                data=arguments.data,
                runs=plan.runs,
                jobs=arguments.jobs,
                threads=arguments.threads,
                limit=until - time.monotonic(),
                done=note,
            )


if __name__ == "__main__":
    main()
