"""Every network and every weighting on real NYUv2, with one budget small enough for a laptop.

Three tasks, full labels, `sl`. First all networks with equal weights, then all weightings on
`unet-resnet18`, each list in the order of the papers' tables. Every cell takes the same steps of
the same batches; networks are a quarter as wide as published, the compact one half, which each row
says. Each cell is the `mttrain` command that is printed; a cell that is done is not run again, and
one that was interrupted resumes. The scores are kept in one small JSON file, written anew after
each cell.

    python -m benchmarks.studies.systems --data data/nyu-96x128.h5 --out runs/systems-nyu
"""

from pathlib import Path

from benchmarks.studies.cells import Cell, compare, run_all, study_parser, told, write_results
from benchmarks.studies.deltas import entries_of, markdown
from mtmodels import NETWORKS, WEIGHTINGS

BASE = "unet-resnet18"
"""What weightings are compared on, and what both tables are measured against."""
STEPS = 350
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


def main() -> None:
    """Run what is missing, write the scores and print the tables."""
    parser = study_parser(__doc__, runs="runs/study-systems")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--networks", nargs="*", choices=network_names(), default=network_names())
    parser.add_argument(
        "--weightings", nargs="*", choices=weighting_names(), default=weighting_names()
    )
    arguments = parser.parse_args()
    seed, steps = arguments.seed, arguments.steps
    base = network_cell(BASE, seed, steps=steps)
    networks = [network_cell(n, seed, steps=steps) for n in arguments.networks if n != BASE]
    weightings = [weighting_cell(n, seed, steps=steps) for n in arguments.weightings]
    groups = {"networks": [base, *networks], "weightings": [base, *weightings]}

    def note(folders: list[Path]) -> None:
        against = [arguments.runs / base.folder]
        if against[0] not in folders:
            return
        found = {
            title: compare(
                [f for c in cells if (f := arguments.runs / c.folder) in folders], against
            )
            for title, cells in groups.items()
        }
        write_results(arguments.out, {"groups": found})
        for title, result in found.items():
            print(f"{title}\n\n{markdown(entries_of(result))}\n", flush=True)

    run_all(
        [base, *networks, *weightings],
        **told(arguments),
        done=note,
    )


def _budget(steps: int) -> str:
    """What all cells share."""
    return (
        f"--method sl --regime full --tasks semantic,depth,normals --steps {steps} --batch 8 "
        "--lr 1e-3 --schedule onecycle --gradient-clip 5 --select last"
    )


if __name__ == "__main__":
    main()
