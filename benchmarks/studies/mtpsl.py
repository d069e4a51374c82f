"""Learning from partial labels (tables 2 and 6 of MTPSL) on real NYUv2, small enough for a laptop.

Three tasks, one network, one budget for all cells; see the recipes `nyu-partial-*`. Each cell is
the `mttrain` command that is printed; a cell that is done is not run again, and one that was
interrupted resumes. `--variations` are trials that change one thing of `ssl` or `mtpsl` under
`one`. All that is done is kept in one small JSON file, written anew after each cell.

    python -m benchmarks.studies.mtpsl --data data/nyu-study.h5 --out runs/mtpsl-nyu
"""

from pathlib import Path
from typing import Any

from benchmarks.studies.cells import (
    Cell,
    compare,
    finished,
    run_all,
    study_parser,
    told,
    write_results,
)
from benchmarks.studies.curves import draw
from benchmarks.studies.deltas import draw_deltas
from mtmodels.recipes import all_recipes

PREFIX = "nyu-partial-"
METHODS = tuple(n.removeprefix(PREFIX) for n in all_recipes() if n.startswith(PREFIX))
REGIMES = ("one", "random", "full")
VARIATIONS = {
    "mtpsl-norm-pass": ("mtpsl", "--mapping-norm pass"),
    "mtpsl-features-8": ("mtpsl", "--set network.options.feature_stride=8"),
    "mtpsl-rate-3": (
        "mtpsl",
        "--set method.options.mapping_rate=3.0 --set method.options.film_rate=3.0",
    ),
    "mtpsl-weight-0.5": ("mtpsl", "--set method.options.consistency_weight=0.5"),
    "mtpsl-regulariser-2": ("mtpsl", "--set method.options.regulariser=2.0"),
    "mtpsl-into-features": ("mtpsl", "--set method.options.detach_features=false"),
    "mtpsl-mapping-only": ("mtpsl", "--set method.options.detach_predictions=true"),
    "mtpsl-ramp": ("mtpsl", "--set method.options.ramp_up=0.5"),
    "mtpsl-width-0.5": ("mtpsl", "--mapping-width 0.5"),
    "sl-no-zoom": ("sl", "--set views.scales=[1.0] --set views.flip=0.5"),
    "ssl-no-zoom": ("ssl", "--set views.scales=[1.0] --set views.flip=0.5"),
    "ssl-weight-0.2": ("ssl", "--set method.options.ssl_weight=0.2"),
    "sl-20-epochs": ("sl", "--epochs 20"),
    "ssl-20-epochs": ("ssl", "--epochs 20"),
    "mtpsl-20-epochs": ("mtpsl", "--epochs 20"),
}
"""The recipe, and what is different."""
LONG = "-20-epochs"


def cell(name: str, regime: str, seed: int) -> Cell:
    """A method or a variation under one regime."""
    recipe, options = VARIATIONS.get(name, (name, ""))
    words = f"--recipe {PREFIX}{recipe} --regime {regime} {options}"
    return Cell(f"{name}-{regime}", words.strip(), seed)


def tables(runs: Path) -> dict[str, Any]:
    """All that is done: by regime and for the variations, each against the supervised runs."""
    done: dict[str, dict[str, list[Path]]] = {}
    for name in (*METHODS, *VARIATIONS):
        for regime in REGIMES:
            if folders := finished(runs, f"{name}-{regime}"):
                done.setdefault(regime, {})[name] = folders
    one = done.get("one", {})
    short = [name for name in VARIATIONS if not name.endswith(LONG)]
    # What a variation changed shows against runs with its seed; all labels, against some.
    groups = {
        "one": ({name: one.get(name, []) for name in METHODS}, one.get("sl", [])),
        "random": (done.get("random", {}), done.get("random", {}).get("sl", [])),
        "full": (done.get("full", {}), one.get("sl", [])),
        "variations": (
            {name: one.get(name, [])[:1] for name in ("ssl", "mtpsl", *short)},
            one.get("sl", [])[:1],
        ),
        "20 epochs": (
            {name: one.get(name, []) for name in VARIATIONS if name.endswith(LONG)},
            one.get(f"sl{LONG}", []),
        ),
    }
    return {
        title: compare([folder for folders in cells.values() for folder in folders], baseline)
        for title, (cells, baseline) in groups.items()
        if baseline and any(cells.values())
    }


def main() -> None:
    """Run what is missing and write the tables."""
    parser = study_parser(__doc__, runs="runs/study-mtpsl")
    parser.add_argument("--plot", type=Path, help="a picture of the deltas")
    parser.add_argument("--curves", type=Path, help="a picture of the training losses")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=["one"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["sl", "ssl", "mtpsl"])
    parser.add_argument("--variations", nargs="*", choices=VARIATIONS, default=[])
    arguments = parser.parse_args()
    cells = [
        cell(method, regime, seed)
        for regime in arguments.regimes
        for seed in arguments.seeds
        for method in arguments.methods
    ]
    cells += [cell(name, "one", arguments.seeds[0]) for name in arguments.variations]

    def note(folders: list[Path]) -> None:
        results = tables(arguments.runs)
        write_results(arguments.out, {"groups": results})
        if arguments.plot is not None:
            draw_deltas(results, arguments.plot)
        if arguments.curves is not None:
            draw(folders, arguments.curves)

    run_all(
        cells,
        **told(arguments),
        done=note,
    )


if __name__ == "__main__":
    main()
