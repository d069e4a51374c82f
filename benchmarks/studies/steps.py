"""How long `sl` gets better: scores on held-out frames of trainings of more and more steps.

Everything as in `labels`, on frames that are no test frames (`benchmarks.studies.holdout`), with
one label an image and with all. Every number of steps is a training of its own, whose rate falls to
the end of it: within one long training, scores before the end are those of a high rate.

    python -m benchmarks.studies.steps --data data/nyu-holdout.h5 --out runs/steps-holdout
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from benchmarks.studies.cells import Cell, run_all, study_parser, told
from benchmarks.studies.labels import BASE, STEPS, TASKS, Plan, draw_regimes, trainings
from benchmarks.studies.scores import COLUMNS, Results, Row, markdown

BUDGETS = (STEPS // 4, STEPS // 2, STEPS, 2 * STEPS, 4 * STEPS)
REGIMES = ("one", "full")


def cell(regime: str, steps: int, seed: int, *, precision: str, runs: Path) -> Cell:
    """The training of so many steps."""
    (found,) = trainings(BASE, regime, seed, plan=Plan(steps, precision, runs))
    return replace(found, name=name_of(regime, steps))


def name_of(regime: str, steps: int) -> str:
    """Of a cell."""
    return f"{BASE}-{regime}-{steps}"


def rows_of(results: Results, budgets: Sequence[int]) -> list[Row]:
    """What is known, with delta against one label an image and the steps of the study."""
    base = name_of(REGIMES[0], STEPS)
    found = [
        results.row((regime, str(steps)), name_of(regime, steps), base)
        for regime, steps in product(REGIMES, budgets)
    ]
    return [row for row in found if row is not None]


def draw(rows: Sequence[Row], path: Path) -> None:
    """A panel a score, a line a regime, over the steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 2.8), layout="constrained")
    for axes, (title, task, metric, _) in zip(figure.subplots(1, 3), COLUMNS, strict=True):
        for regime, colour in zip(REGIMES, ("#c8641e", "#3b6ea5"), strict=True):
            steps, values = [], []
            for row in rows:
                if row.names[0] == regime:
                    each = [scores[task][metric] for scores in row.scores.values()]
                    steps.append(int(row.names[1]))
                    values.append(sum(each) / len(each))
            name = "one label an image" if regime == "one" else "all labels"
            axes.plot(steps, values, "o-", color=colour, markersize=4, label=name)
        axes.set_xscale("log", base=2)
        axes.set_xticks(steps := sorted({int(row.names[1]) for row in rows}), map(str, steps))
        axes.minorticks_off()
        axes.set(title=title, xlabel="steps")
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run what is missing, write the scores, print the table."""
    parser = study_parser(__doc__, runs="runs/study-steps")
    parser.add_argument("--plot", type=Path, help="a picture of the scores over the steps")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS, help="steps")
    parser.add_argument("--precision", default="32", choices=["32", "bf16", "16"])
    given = parser.parse_args()
    results = Results(given.out, precision=given.precision, tasks=TASKS, protocol="mtpsl")
    draw_regimes(given.data, REGIMES, given.seeds)

    def show() -> None:
        rows = rows_of(results, sorted(given.budgets))
        if given.plot is not None and rows:
            draw(rows, given.plot)
        print(markdown(rows, ("regime", "steps"), COLUMNS), flush=True)

    def note(folders: list[Path]) -> None:
        for folder in folders:
            results.add(folder)
        show()

    show()
    cells = [
        cell(regime, steps, seed, precision=given.precision, runs=given.runs)
        for steps, seed, regime in product(given.budgets, given.seeds, REGIMES)
        if not results.has(name_of(regime, steps), seed)
    ]
    run_all(cells, **told(given), done=note)


if __name__ == "__main__":
    main()
