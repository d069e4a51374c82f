"""What labels are worth, and what gains where they are short, on real NYUv2 at 96x128.

Three tasks or those of --tasks, `unet` on EfficientNet-Lite0 with ImageNet weights (the extra
`weights`), 20 epochs.
Every seed is one of the weights and of the draw of the regime, which is drawn into the store where
that lacks it. Cells with two views see an image twice a step, mirrored or not; `sl-views` is what
they are to be compared with at equal views. `single` is a network a task. The teachers of
`self-training` are the cell `sl` and others like it with other weights and the same labels, those
of `self-training-single` the three networks of `single`; `sl-long` has the steps of all of them.

Each cell is the `mttrain` command that is printed; one that was interrupted resumes. The results
file is added to: a cell that it holds is not trained again, so a study can go on elsewhere.

    python -m benchmarks.studies.labels --data data/nyu-96x128.h5 --out runs/labels-nyu
"""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import mtmodels
from benchmarks.studies.cells import Cell, run_all, study_parser
from benchmarks.studies.scores import COLUMNS, SINGLE, Results, Row, draw, markdown
from mtmodels.training.record.runfolder import RunFolder

TASKS = ("semantic", "depth", "normals")
SHARED = (
    "--network unet --encoder tf_efficientnet_lite0 "
    "--encoder-weights package --batch 8 --lr 1e-3 --schedule onecycle --gradient-clip 5 "
    "--select last"
)
STEPS = 1980
TWO = "--views 2 --set views.flip=0.5 --set views.scales=[1]"
"""The further view: as the first, mirrored or not."""
ALL = "--set method.options.geometry_given=all"
"""Relations between predictions, too."""
MTPSL = f"--method mtpsl {TWO} --mapping-width 0.25"
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
    "self-training-one-all": "--method self-training --set method.options.taught=all",
    "self-training-one-geometry": "--method self-training --with-geometry",
    "self-training-geometry": f"--method self-training --with-geometry {ALL}",
    "teacher": f"--method teacher {TWO} --set method.options.mix=boxes",
    "ssl": f"--method ssl {TWO}",
    "mtpsl": MTPSL,
    "mtpsl-no-condition": f"{MTPSL} --set method.options.conditioning=none",
    "mtpsl-no-regulariser": f"{MTPSL} --set method.options.regulariser=0.0",
    "direct-map": f"--method direct-map {TWO} --mapping-width 0.125",
    "perceptual-map": f"--method perceptual-map {TWO} --mapping-width 0.125",
    "contrastive": f"--method contrastive {TWO} --mapping-width 0.25",
    "discriminator": f"--method discriminator {TWO} --mapping-width 0.25",
    "jtr": "--method jtr --set method.options.auto_encoder_width=0.25",
    "geometry": "--method geometry",
    "geometry-all": f"--method geometry {ALL}",
    "teacher-geometry": f"--method teacher {TWO} --set method.options.mix=boxes --with-geometry",
}
"""The options of each cell, in the order in which they are trained."""
REGIMES: Mapping[str, Sequence[str]] = {
    "one": ("--kind", "one"),
    "random": ("--kind", "random"),
    "eighth": ("--kind", "fraction", "--share", "0.125"),
    "few-classes": ("--kind", "imbalanced", "--ratio", "semantic=0.1,depth=0.9"),
    "few-depths": ("--kind", "imbalanced", "--ratio", "semantic=0.9,depth=0.1"),
    "full": (),
    "own": (),
}
"""How each is drawn. `full` and `own` are all labels of the store; `own` is of one that lacks some,
and has all cells. The ratios are those of MTPSL on Cityscapes, with `--tasks semantic,depth`."""
BASE = "sl"
TEACHERS = {
    "self-training": 3,
    "self-training-one": 1,
    "self-training-one-all": 1,
    "self-training-one-geometry": 1,
    "self-training-geometry": 3,
}
"""How many runs like `sl` teach a cell."""


def name_of(regime: str, seed: int) -> str:
    """A regime of its own for each seed."""
    return f"{regime}-{seed}" if REGIMES[regime] else "full"


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
            for task in plan.tasks
        ]
    words.append(f"--tasks {','.join(plan.tasks)}")
    return [Cell(f"{method}-{regime}", " ".join(words), seed)]


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
        tasks: What is learned.
    """

    steps: int
    precision: str
    runs: Path
    tasks: Sequence[str] = TASKS


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


def results_of(out: Path, plan: Plan) -> Results:
    """What the study has found so far."""
    return Results(
        out, steps=plan.steps, precision=plan.precision, tasks=plan.tasks, protocol="mtpsl"
    )


def rows_of(results: Results, regimes: Sequence[str]) -> list[Row]:
    """Each cell that is known, with delta against `sl` of the same seed and labels.

    Under `full`, delta is against `sl` under the first of the regimes: what all labels are worth.
    """
    found = []
    for regime in regimes:
        base = f"{BASE}-{regimes[0] if regime == 'full' else regime}"
        rows = [results.row((regime, name), f"{name}-{regime}", base) for name in METHODS]
        found += [row for row in rows if row is not None]
    return found


def main() -> None:
    """Run what is missing, write the scores, print the table."""
    parser = study_parser(__doc__, runs="runs/study-labels")
    parser.add_argument("--plot", type=Path, help="a picture of the deltas")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--precision", default="32", choices=["32", "bf16", "16"])
    parser.add_argument("--tasks", default=",".join(TASKS), help="those of the store")
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=["one"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    arguments = parser.parse_args()
    tasks = arguments.tasks.split(",")
    plan = Plan(arguments.steps, arguments.precision, arguments.runs, tasks)
    columns = [column for column in COLUMNS if column[1] in tasks]
    until = time.monotonic() + 60 * arguments.limit_time
    results = results_of(arguments.out, plan)
    draw_regimes(arguments.data, arguments.regimes, arguments.seeds)

    def note(folders: list[Path]) -> None:
        for folder in folders:
            if f"{BASE}-more-" not in folder.name:  # what only teaches is no cell
                results.add(folder)
        show()

    def show() -> None:
        rows = rows_of(results, arguments.regimes)
        if arguments.plot is not None and rows:
            draw(rows, f"`{BASE}` with the same labels and seed", arguments.plot)
        print(markdown(rows, ("regime", "cell"), columns), flush=True)

    show()
    for seed, regime in product(arguments.seeds, arguments.regimes):
        methods = arguments.methods if regime != "full" else [BASE]
        missing = [name for name in methods if not results.has(f"{name}-{regime}", seed)]
        if not missing:
            print(f"Nothing to train of {regime}, seed {seed}: {arguments.out}.json holds it.")
            continue
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
        for each in filter(None, (list(dict.fromkeys([*alone, *before])), pupils)):
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
