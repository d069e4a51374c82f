"""The tables of the studies on the pages that show them, made from the files in `docs/results`.

What stands between `<!-- table: NAME -->` and `<!-- end -->` is a table of `TABLES`, so that no
number on a page is typed.

    python -m benchmarks.studies.page
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.studies import labels, steps, systems, xtasc
from benchmarks.studies.scores import COLUMNS, SINGLE, Results, Row, markdown, told

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "results"
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")
TABLE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
TITLES: Mapping[str, str] = {
    "sl": "`sl`",
    "sl-views": "`sl-views`",
    "sl-long": "`sl-long`",
    SINGLE: "`single`: a network for each task",
    "self-training-single": "`self-training`, taught by `single`",
    "self-training": "`self-training`, taught by three like `sl`",
    "self-training-one": "`self-training`, taught by that `sl`",
    "self-training-one-all": "`self-training`, taught by that `sl`, `taught=all`",
    "self-training-one-geometry": "`self-training`, taught by that `sl`, `--with-geometry`",
    "self-training-geometry": "the same, and `--with-geometry`",
    "teacher": "`teacher`",
    "ssl": "`ssl`",
    "mtpsl": "`mtpsl`",
    "mtpsl-no-condition": "without conditioning",
    "mtpsl-no-regulariser": "without the regulariser",
    "direct-map": "`direct-map`",
    "perceptual-map": "`perceptual-map`",
    "contrastive": "`contrastive`",
    "discriminator": "`discriminator`",
    "jtr": "`jtr`",
    "geometry": "`geometry`",
    "geometry-all": "`geometry`, from predictions too",
}
"""What a cell of `labels` is called on a page."""
MAIN = (
    "sl",
    "sl-views",
    "ssl",
    "mtpsl",
    "teacher",
    "geometry-all",
    "geometry",
    "jtr",
    "self-training",
    "self-training-geometry",
    "sl-long",
    "self-training-single",
    SINGLE,
)
FIRST = ("sl", SINGLE, "self-training-single")
HELD = (
    "sl",
    "self-training-one",
    "self-training-one-all",
    "self-training-one-geometry",
    "self-training",
    SINGLE,
    "self-training-single",
)
REGIMES = {
    "one label an image": ("labels-nyu-bf16", "one"),
    "one or two": ("labels-nyu-bf16", "random"),
    "an eighth of the images with all, the others none": ("labels-nyu-bf16", "eighth"),
    "a store that lacks labels": ("labels-nyu-lacking", "own"),
}
"""The columns of the table of all regimes: the results file and the name of each."""
OF_MTPSL = (
    "sl-views",
    "mtpsl",
    "mtpsl-no-condition",
    "mtpsl-no-regulariser",
    "perceptual-map",
    "discriminator",
    "direct-map",
    "contrastive",
)


def known(file: str, tasks: Sequence[str] = labels.TASKS) -> Results:
    """What a file of `labels` holds."""
    return labels.results_of(FOLDER / file, labels.Plan(labels.STEPS, "bf16", Path("runs"), tasks))


def rows(
    results: Results, regime: str, cells: Sequence[str], *, base: str = labels.BASE
) -> list[Row]:
    """The known cells under a regime, each against the base of the same seed."""
    found = [results.row((TITLES[name],), f"{name}-{regime}", f"{base}-{regime}") for name in cells]
    return [row for row in found if row is not None]


def of_one(file: str, cells: Sequence[str]) -> str:
    """Scores and deltas with one label an image; of all labels too where they are known."""
    results = known(file)
    all_labels = results.row(("`sl`, all labels",), f"{labels.BASE}-full", f"{labels.BASE}-one")
    found = [*rows(results, "one", cells), *([] if all_labels is None else [all_labels])]
    return markdown(found, ("cell",), COLUMNS)


def all_regimes() -> str:
    """The delta of each cell under each regime."""
    found = {
        title: {
            row.names[0]: told([*row.deltas.values()]) for row in rows(known(file), regime, MAIN)
        }
        for title, (file, regime) in REGIMES.items()
    }
    names = [TITLES[name] for name in MAIN]
    names = [name for name in names if sum(name in column for column in found.values()) > 1]
    lines = [f"| delta, % ↑ | {' | '.join(found)} |", "|---|" + "--:|" * len(found)]
    lines += [
        f"| {name} | {' | '.join(c.get(name, '') for c in found.values())} |" for name in names
    ]
    return "\n".join(lines)


def of_mtpsl() -> str:
    """Its ablations and alternatives, seed 0, against the labels of the same views."""
    found = rows(known("labels-nyu-bf16"), "one", OF_MTPSL, base="sl-views")
    first = [
        replace(row, scores={"0": row.scores["0"]}, deltas={"0": row.deltas["0"]}) for row in found
    ]
    return markdown(first, ("cell",), COLUMNS)


def imbalance() -> str:
    """Few labels of one of two tasks."""
    tasks = ("semantic", "depth")
    results = known("labels-rooms", tasks)
    found = [
        replace(row, names=(title, *row.names))
        for title, regime in (
            ("1:9, few classes", "few-classes"),
            ("9:1, few depths", "few-depths"),
        )
        for row in rows(results, regime, FIRST)
    ]
    columns = [column for column in COLUMNS if column[1] in tasks]
    return markdown(found, ("labels", "cell"), columns)


def over_steps() -> str:
    """Held-out scores of trainings of several lengths."""
    results = Results(
        FOLDER / "steps-holdout", precision="bf16", tasks=labels.TASKS, protocol="mtpsl"
    )
    return markdown(steps.rows_of(results, steps.BUDGETS), ("labels", "steps"), COLUMNS)


def of_systems(which: str) -> str:
    """Networks, or weightings, at one small budget."""
    cells = systems.tables(systems.network_names(), systems.weighting_names(), 0)[which]
    return markdown(
        systems.rows_of(systems.results_of(FOLDER / "systems-nyu"), cells), ("cell",), COLUMNS
    )


def of_xtasc() -> str:
    """XTasC-Net's ablation, against a network a task."""
    results = Results(
        FOLDER / "xtasc-nyu-bf16",
        steps=labels.STEPS,
        precision="bf16",
        tasks=xtasc.TASKS,
        protocol=xtasc.PROTOCOL,
    )
    names = {
        SINGLE: TITLES[SINGLE],
        "sl": "one network (`sl`)",
        "align": "alignment (`align`)",
        "xtc": "cross-task consistency (`xtc`), lambda 1e-4",
        "xtc-0.01": "lambda 0.01, as in the paper on Cityscapes",
        "xtc-0.1": "lambda 0.1",
        "xtc-0.3": "lambda 0.3",
    }
    found = [results.row((title,), name, SINGLE) for name, title in names.items()]
    return markdown([row for row in found if row is not None], ("cell",), xtasc.COLUMNS)


TABLES: Mapping[str, Callable[[], str]] = {
    "one": partial(of_one, "labels-nyu-bf16", MAIN),
    "readme": partial(of_one, "labels-nyu-bf16", FIRST),
    "regimes": all_regimes,
    "of-mtpsl": of_mtpsl,
    "imbalance": imbalance,
    "128x160": partial(of_one, "labels-nyu-128x160", FIRST),
    "holdout": partial(of_one, "labels-holdout", HELD),
    "steps": over_steps,
    "networks": partial(of_systems, "networks"),
    "weightings": partial(of_systems, "weightings"),
    "xtasc": of_xtasc,
}


def written(page: str) -> str:
    """A page with the tables as they should be.

    Raises:
        KeyError: for a name that is not in `TABLES`.
    """
    return TABLE.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", page)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
