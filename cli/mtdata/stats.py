"""`mtdata stats`."""

from pathlib import Path
from typing import Any

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.options import (
    FILE,
    given,
    jobs_option,
    limit_option,
    regime_name,
    seed_option,
    split_name,
    store_argument,
)
from mtdata.errors import UsageError
from mtdata.urls import StorePath
from mtdata.wording import counted

SAMPLE = 1_000
"""Images of a split that a picture is drawn from, which takes a minute where they are large."""
RANGE = ("min", "p1", "median", "mean", "p99", "max")


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata stats data/nyu.h5 --plot stats.png --jobs 2",
        "mtdata stats data/nyu.h5 --plot one.pdf --regime one --all",
        "mtdata stats data/nyu.h5 --split train --limit 100",
        "mtdata stats data/nyu.h5 --regime one --json",
        "mtdata stats s3://bucket/nyu.h5",
    ),
)
@store_argument
@regime_name(help="Only the labels that it shows.  [default: all]")
@split_name(help="Only this split.  [default: all]")
@limit_option
@jobs_option
@click.option(
    "-o", "--plot", type=FILE, help="Draw it too, into a .png, .svg or .pdf: with this, values are "
    f"those of at most {SAMPLE:,} images of a split, drawn by --seed.",
)  # fmt: skip
@click.option("--all", "every", is_flag=True, help="With --plot: read every image of big splits.")
@seed_option
@json_option
def stats(
    store: StorePath,
    *,
    regime: str | None,
    split: str | None,
    limit: int | None,
    jobs: int,
    plot: Path | None,
    every: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Read all labels once: class frequencies, ranges, valid pixels, labels that go together."""
    from cli.shared.progress import progress_bar
    from mtdata.inspecting.figures import PLOTS, check_path, save
    from mtdata.inspecting.stats import stats as measure
    from mtdata.store import open_store

    for option, is_given in (("--all", every), ("--seed", given("seed"))):
        if is_given and plot is None:
            raise UsageError(
                f"{option} should go with --plot FILE, which is drawn from some of the images; "
                "found it without: all are read. Leave it out."
            )
    if plot is not None:
        check_path(plot, PLOTS)
    sample = None if plot is None or every else SAMPLE
    with open_store(store) as opened:
        with progress_bar("labels") as report:
            found = measure(
                opened, regime, report, split=split, limit=limit, sample=sample, seed=seed,
                jobs=jobs,
            )  # fmt: skip
        if plot is not None:
            from mtdata.inspecting.stats_plot import plot as draw
            from mtdata.inspecting.stats_plot import read_of

            save(draw(found), plot)
            say(f"Drew {plot}. {read_of(found)}".rstrip())
        put_json(found.to_json()) if as_json else _print(found.to_json())


def _print(found: dict[str, Any]) -> None:
    from cli.shared.tables import put_table

    rows = [
        [
            split,
            each["role"],
            regime,
            name,
            one["images"],
            _percent(one["valid_fraction"]),
            *numbers,
        ]
        for split, each in found["splits"].items()
        for regime, tasks in ((each["regime"], each["tasks"]), *each["added"].items())
        for task, one in tasks.items()
        for name, numbers in _ranges(task, one)
    ]
    put_table(["split", "role", "regime", "task", "images", "valid", *RANGE], rows, left=4, key=4)
    for split, each in found["splits"].items():
        for task, one in each["added"].get("filled", {}).items():
            if "confidence" in one:
                mean, median = one["confidence"]["mean"], one["confidence"]["median"]
                click.echo(
                    f"{split}: filled {task} has a confidence of {mean:.3f} in the mean, "
                    f"{median:.3f} in the median."
                )
        if each["unlabelled"]:
            click.echo(
                f"Without a label: {each['unlabelled']:,} of {counted(each['images'], 'image')} "
                f"of {split}."
            )
    _print_classes(found)
    pairs = {split: each["pairs"] for split, each in found["splits"].items()}
    names = next(iter(pairs.values()))
    if names:
        shown = [[name, *(pairs[split][name] for split in pairs)] for name in names]
        put_table(["images that show both", *pairs], shown)


def _ranges(task: str, one: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    """What to print of a task in one line, or in three for x, y and z."""
    if "min" not in one:
        return [(task, [None] * len(RANGE))]
    if isinstance(one["min"], list):
        return [
            (f"{task} {axis}", [one[name][i] for name in RANGE]) for i, axis in enumerate("xyz")
        ]
    return [(task, [one[name] for name in RANGE])]


def _print_classes(found: dict[str, Any]) -> None:
    from cli.shared.tables import put_table

    splits = found["splits"]
    for task, first in next(iter(splits.values()))["tasks"].items():
        if "pixels" not in first:
            continue
        counts = {split: each["tasks"][task]["pixels"] for split, each in splits.items()}
        totals = {split: max(sum(count.values()), 1) for split, count in counts.items()}
        rows = [
            [name, *(_percent(counts[split][name] / totals[split]) for split in splits)]
            for name in first["pixels"]
        ]
        put_table([f"{task}: share of valid pixels", *splits], rows)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
