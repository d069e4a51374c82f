"""The ablation of XTasC-Net (its tables I and III) on real NYUv2 at 96x128.

Two tasks, full labels, and the setting of `labels`: `unet` on EfficientNet-Lite0 with
ImageNet weights, the same steps of the same batches in every cell. A network a task (`single`), one
for both (`sl`), alignment, cross-task consistency with lambda as on NYUv2 in the paper (1e-4), as
on Cityscapes (0.01), and more; what learns both tasks weighs them by uncertainty, as the paper
does. A seed is one of the weights and of the batches. Transfer networks have a quarter of the
published channels.

Each cell is the `mttrain` command that is printed; one that was interrupted resumes. The results
file is added to: a cell that it holds is not trained again.

    python -m benchmarks.studies.xtasc --data data/nyu-96x128.h5 --out runs/xtasc-nyu-bf16 \
        --precision bf16
"""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.studies.cells import Cell, run_all, study_parser, told
from benchmarks.studies.labels import SHARED, STEPS
from benchmarks.studies.scores import SINGLE, Column, Results, draw, markdown

TASKS = ("semantic", "depth")
PROTOCOL = "xtasc"
COLUMNS: tuple[Column, ...] = (
    ("mIoU ↑", "semantic", "miou", 2),
    ("pixel accuracy ↑", "semantic", "pixel_accuracy", 2),
    ("abs. error, m ↓", "depth", "abs_err", 4),
    ("rel. error ↓", "depth", "rel_err", 4),
)
TRANSFER = "--set method.options.transfer_width=0.25"
XTC = f"--method xtc --weighting uncertainty {TRANSFER} --set method.options.lambda="
METHODS: Mapping[str, str] = {
    SINGLE: "--method sl",
    "sl": "--method sl --weighting uncertainty",
    "align": f"--method align --weighting uncertainty {TRANSFER}",
    "xtc": f"{XTC}1e-4",
    "xtc-0.01": f"{XTC}0.01",
    "xtc-0.1": f"{XTC}0.1",
    "xtc-0.3": f"{XTC}0.3",
}
"""The options of each cell, in the order in which they are trained."""


def trainings(method: str, seed: int, budget: str) -> list[Cell]:
    """What a cell is trained by: one run, or one a task."""
    words = f"{SHARED} {budget} {METHODS[method]} --regime full --protocol {PROTOCOL}"
    if method == SINGLE:
        return [Cell(f"{method}-{task}", f"{words} --tasks {task}", seed) for task in TASKS]
    return [Cell(method, f"{words} --tasks {','.join(TASKS)}", seed)]


def main() -> None:
    """Run what is missing, write the scores, print the table."""
    parser = study_parser(__doc__, runs="runs/study-xtasc")
    parser.add_argument("--plot", type=Path, help="a picture of the deltas")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--precision", default="32", choices=["32", "bf16", "16"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    given = parser.parse_args()
    budget = f"--precision {given.precision} --steps {given.steps}"
    results = Results(
        given.out, steps=given.steps, precision=given.precision, tasks=TASKS, protocol=PROTOCOL
    )

    def show() -> None:
        rows = [row for name in METHODS if (row := results.row((name,), name, SINGLE)) is not None]
        if given.plot is not None and rows:
            draw(rows, "a network for each task, of the same seed", given.plot)
        print(markdown(rows, ("cell",), COLUMNS), flush=True)

    def note(folders: list[Path]) -> None:
        for folder in folders:
            results.add(folder)
        show()

    show()
    cells = [
        cell
        for seed in given.seeds
        for name in given.methods
        if not results.has(name, seed)
        for cell in trainings(name, seed, budget)
    ]
    run_all(cells, **told(given), done=note)


if __name__ == "__main__":
    main()
