"""Every network and every weighting on real NYUv2, with one budget small enough for a laptop.

Three tasks, full labels, `sl`. First all networks with equal weights, then all weightings on
`unet-resnet18`, each list in the order of the papers' tables. Every cell takes the same steps of
the same batches; networks are a quarter as wide as published, the compact one half, which each row
says. Each cell is the `mttrain` command that is printed; one that was interrupted resumes. The
results file is added to: a cell that it holds is not trained again.

    python -m benchmarks.studies.systems --data data/nyu-96x128.h5 --out runs/systems-nyu
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.studies.cells import Cell, run_all, study_parser, told
from benchmarks.studies.scores import COLUMNS, Results, Row, markdown
from mtmodels import NETWORKS, WEIGHTINGS

BASE = "unet-resnet18"
"""What weightings are compared on, and what both tables are measured against."""
STEPS = 350
TASKS = ("semantic", "depth", "normals")
PAPERS = (
    *("unet-resnet18", "segnet", "segnet-stan", "segnet-dense", "segnet-cross-stitch"),
    *("segnet-mtan", "xtasc-resnet18", "xtasc-resnet34", "xtasc-resnet50", "mt-unet", "st-unet"),
    *("uncertainty", "dwa", "gradnorm", "mgda", "adaptive-variance"),
)
"""Rows of MTAN, XTasC-Net, MT-UNet; weightings of MTAN, MTPSL and MT-UNet. The others follow."""


def in_order(names: list[str]) -> list[str]:
    """The names that tables of the papers have, then the others as they are registered."""
    return sorted(names, key=lambda name: PAPERS.index(name) if name in PAPERS else len(PAPERS))


def network_names() -> list[str]:
    """All networks."""
    return in_order(list(NETWORKS))


def weighting_names() -> list[str]:
    """All weightings but those of the base: `equal`, and `fixed`, whose weights are one's own."""
    return in_order([name for name in WEIGHTINGS if name not in ("equal", "fixed")])


def network_cell(name: str, seed: int, *, steps: int = STEPS) -> Cell:
    """A network with equal weights."""
    width = 0.5 if NETWORKS[name].compact else 0.25
    words = f"{_budget(steps)} --network {name} --width {width} --weighting equal"
    return Cell(f"{name}-width-{width}-full", words, seed)


def weighting_cell(name: str, seed: int, *, steps: int = STEPS) -> Cell:
    """A weighting on the base."""
    base = network_cell(BASE, seed, steps=steps)
    return Cell(f"{name}-full", base.options.replace("equal", name), seed)


def tables(
    networks: Sequence[str], weightings: Sequence[str], seed: int, *, steps: int = STEPS
) -> dict[str, list[Cell]]:
    """The cells of both, each with the base first."""
    base = network_cell(BASE, seed, steps=steps)
    others = [network_cell(n, seed, steps=steps) for n in networks if n != BASE]
    weighed = [weighting_cell(n, seed, steps=steps) for n in weightings]
    return {"networks": [base, *others], "weightings": [base, *weighed]}


def results_of(out: Path, *, steps: int = STEPS) -> Results:
    """What the study has found so far."""
    return Results(out, steps=steps, precision="32", tasks=TASKS, protocol="mtpsl")


def rows_of(results: Results, cells: Sequence[Cell]) -> list[Row]:
    """The cells that are known, each against the first."""
    names = {cell.name: cell.name.removesuffix("-full") for cell in cells}
    found = [results.row((title,), name, cells[0].name) for name, title in names.items()]
    return [row for row in found if row is not None]


def main() -> None:
    """Run what is missing, write the scores and print the tables."""
    parser = study_parser(__doc__, runs="runs/study-systems")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--networks", nargs="*", choices=network_names(), default=network_names())
    parser.add_argument(
        "--weightings", nargs="*", choices=weighting_names(), default=weighting_names()
    )
    given = parser.parse_args()
    results = results_of(given.out, steps=given.steps)
    shown = tables(network_names(), weighting_names(), given.seed, steps=given.steps)
    wanted = tables(given.networks, given.weightings, given.seed, steps=given.steps)

    def show() -> None:
        for title, cells in shown.items():
            print(
                f"{title}\n\n{markdown(rows_of(results, cells), ('cell',), COLUMNS)}\n", flush=True
            )

    def note(folders: list[Path]) -> None:
        for folder in folders:
            results.add(folder)
        show()

    show()
    cells = dict.fromkeys(cell for each in wanted.values() for cell in each)
    missing = [cell for cell in cells if not results.has(cell.name, cell.seed)]
    run_all(missing, **told(given), done=note)


def _budget(steps: int) -> str:
    """What all cells share."""
    return (
        f"--method sl --regime full --tasks {','.join(TASKS)} --steps {steps} --batch 8 "
        "--lr 1e-3 --schedule onecycle --gradient-clip 5 --select last --precision 32"
    )


if __name__ == "__main__":
    main()
