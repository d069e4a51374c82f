"""`mtmodels eval`."""

from pathlib import Path
from typing import Any

import click

from cli.shared.common import json_option, paragraph, put_json, warn, warn_of_unfinished
from cli.shared.groups import Command, examples
from cli.shared.members import Member, check_members
from cli.shared.options import FILE, STORE, checkpoint_option, device_option
from cli.shared.plugins import plugin_option, trust_option, use_copies
from mtdata.urls import StorePath
from mtdata.wording import counted
from mtmodels.metrics import METRICS


@click.command(
    "eval",
    cls=Command,
    epilog=examples(
        "mtmodels eval runs/nyu-xtc-unet-resnet18-full-s0",
        "mtmodels eval runs/nyu-xtc-unet-resnet18-full-s0 --protocol xtasc --json",
        "mtmodels eval runs/nyu-xtc-unet-resnet18-full-s0 --data elsewhere/nyu.h5",
        "mtmodels eval runs/pascal-sl-deeplab-resnet18-one-s0 --protocol pascal --jobs 8",
    ),
)
@click.argument("run", type=FILE)
@click.option(
    "--split",
    metavar="NAME",
    help="Split of the store, or `holdout`.  [default: those of role test]",
)
@click.option(
    "--protocol",
    type=Member(METRICS, late=True),
    help="How scores are made.  [default: that of the run]",
)
@click.option("--data", type=STORE, help="Store.  [default: the one that the run was trained on]")
@checkpoint_option
@click.option(
    "--precision",
    type=click.Choice(["auto", "32", "bf16", "16"]),
    help="[default: that of the run]",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    help="Processes that match edges.  [default: the --workers of the run]",
)
@click.option(
    "--thresholds",
    type=click.IntRange(min=1, max=254),
    help="Of edges under pascal; fewer are faster.  [default: 99, as published]",
)
@device_option
@plugin_option
@trust_option
@json_option
def eval_(
    run: Path,
    *,
    split: str | None,
    protocol: str | None,
    data: StorePath | None,
    which: Any,
    precision: str | None,
    jobs: int | None,
    thresholds: int | None,
    device: str | None,
    trust_plugins: bool,
    as_json: bool,
) -> None:
    """Score a run on the splits of role test, and keep the scores in RUN/scores.

    With --data, --checkpoint, --precision or --thresholds they are shown only.

    All labels of a split count, whatever the regime of the training was.
    """
    from cli.shared.progress import progress_bar
    from mtmodels.scoring.facts import rests_on
    from mtmodels.training.record.texts import plain_scores
    from mtmodels.training.rescore import rescore

    use_copies(run, trust=trust_plugins)
    check_members()
    with progress_bar("batches") as report:
        found = rescore(
            run,
            split=split,
            protocol=protocol,
            data=data,
            which=which,
            precision=precision,
            jobs=jobs,
            thresholds=thresholds,
            device=device or "auto",
            progress=report,
        )
    warn_of_unfinished(run, "these are scores")
    for one in found:
        if one["split"] in one.get("selected_on", "").split("+"):
            warn(
                f"the epoch of this run was chosen on the {one['split']} split: do not compare its "
                "scores there with runs that were not."
            )
    for unkept in dict.fromkeys(one["unkept"] for one in found if "unkept" in one):
        warn(f"the scores are shown and not kept: {unkept}.")
    for apart in {(one["recipe"], *one["apart"]) for one in found if one.get("apart")}:
        warn(f"these are no scores of the recipe `{apart[0]}`: {'; '.join(apart[1:])}.")
    if as_json:
        put_json(found[0] if len(found) == 1 else {"run": found[0]["run"], "splits": found})
        return
    for one in found:
        click.echo(
            f"{one['run']}: {counted(one['images'], 'image')} of {one['split']} "
            f"(role {one['role']}){of_them(one)}, protocol {one['protocol']}"
        )
        click.echo(plain_scores(one["scores"]))
        if rests := rests_on(one["split"], one["images"], one["labelled"]):
            click.echo(paragraph(rests))


def of_them(one: dict[str, Any]) -> str:
    """How many of the images training did not see, and how many show no label."""
    held = f"{one['held_out']} held out of training" if "held_out" in one else ""
    bare = f"{one['unlabelled']} without a label" if "unlabelled" in one else ""
    told = " and ".join(part for part in (held, bare) if part)
    return f", of them {told}" if told else ""
