"""`mttrain`: train a network on a store."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.mttrain.asked import Asked
from cli.mttrain.preparing import layers_of, prepared
from cli.mttrain.together import train
from cli.shared.common import entry_point, json_option, paragraph, put_json, say, warn
from cli.shared.completion import encoders, logs, recipes
from cli.shared.groups import GroupedCommand, examples
from cli.shared.members import Member
from cli.shared.options import FILE, NUMBER, NumberRange, device_option, names, runs, size
from cli.shared.plugins import named_plugins_option, trust_option
from mtdata.errors import UsageError
from mtdata.wording import counted
from mtmodels.methods import METHODS
from mtmodels.metrics import METRICS
from mtmodels.networks import NETWORKS
from mtmodels.training.loop import OPTIMISERS, SCHEDULES
from mtmodels.weightings import WEIGHTINGS

if TYPE_CHECKING:
    from mtmodels.training.finish import Finished
    from mtmodels.training.record.runfolder import Mode
    from mtmodels.training.setup.dryrun import Plan

HEADINGS = {
    "Data": (
        "data",
        "size",
        "regime",
        "filled_anyway",
        "tasks",
        "keep_unlabelled",
        "labelled_share",
        "holdout",
        "train_on",
        "select_on",
        "score_on",
        "paper_geometry",
    ),
    "Model": (
        "method",
        "teachers",
        "network",
        "encoder",
        "width",
        "encoder_weights",
        "freeze_norm",
        "weighting",
    ),
    "Methods with task pairs": (
        "conditioning",
        "regulariser",
        "with_ssl",
        "with_geometry",
        "helpful_pairs",
        "mapping_norm",
        "mapping_width",
        "checkpoint_mapping",
    ),
    "Training": (
        "epochs",
        "steps",
        "batch",
        "accumulate",
        "views",
        "optimizer",
        "lr",
        "schedule",
        "gradient_clip",
        "seed",
        "select",
    ),
    "Machine": (
        "precision",
        "device",
        "devices",
        "nodes",
        "sync_norm",
        "workers",
        "cache",
        "compile",
    ),
    "Run": ("out", "resume", "overwrite", "checkpoint_every", "requeue", "log", "dry_run"),
    "Configuration": ("recipe", "scale", "anyway", "assignments", "plugins", "trust_plugins"),
}


@click.command(
    cls=GroupedCommand,
    headings=HEADINGS,
    epilog=examples(
        "mttrain --method xtc",
        "mttrain --recipe nyu-compact --data data/nyu.h5 --method sl --tasks depth",
        "mttrain --method xtc --regime one --holdout 0.1 --set method.options.lambda=0.01",
        "mttrain --method mtpsl --network segnet --regime one",
        "mttrain --method align --epochs 30 --dry-run",
        "mttrain --recipe mtpsl/table2/one/ours --batch 16 --devices 4",
        "mttrain --method sl --cache device --compile auto",
        "mttrain --method xtc --data https://host/nyu.h5 --workers 4",
        "mttrain --out runs/nyu-xtc-unet-resnet18-full-s0 --resume",
    ),
)
@click.version_option(package_name="mtpartial", prog_name="mttrain")
@click.option(
    "--data",
    type=click.Path(),
    metavar="FILE|URL",
    help="Store.  [default: the one in data/, or made-up rooms]",
)
@click.option(
    "--size",
    type=size(),
    metavar="HxW",
    help="Read images smaller than the store has them.  [default: as stored]",
)
@click.option(
    "--regime",
    metavar="NAME|FILE.csv",
    help="Labels that may be seen; +derived, +filled:0.8 behind it: added ones, too.  [default: "
    "the store's]",
)
@click.option(
    "--filled-anyway",
    is_flag=True,
    default=None,
    help="Take filled labels, and teachers, that may have seen what the regime hides.",
)
@click.option("--tasks", type=names, metavar="A,B", help="Tasks.  [default: the method's, or all]")
@click.option(
    "--keep-unlabelled", is_flag=True, default=None, help="Keep images without a visible label."
)
@click.option(
    "--labelled-share",
    type=NUMBER,
    metavar="SHARE",
    help="Of each batch so much shows a label, the rest none.",
)
@click.option(
    "--holdout", type=NUMBER, metavar="SHARE", help="Share of training images to select on."
)
@click.option(
    "--train-on", type=names, metavar="A,B", help="Splits to learn from.  [default: of role train]"
)
@click.option(
    "--select-on", type=names, metavar="A,B", help="Splits to select on.  [default: of role val]"
)
@click.option(
    "--score-on", type=names, metavar="A,B", help="Splits to score.  [default: of role test]"
)
@click.option(
    "--paper-geometry",
    is_flag=True,
    default=None,
    help="Divide disparity by the zoom, as released.",
)
@click.option("--method", type=Member(METHODS, late=True), help="How to learn.  [default: sl]")
@click.option(
    "--teachers",
    type=runs,
    metavar="RUN,…",
    help="Trained runs: for self-training, or, as TASK=RUN,…, for kd.",
)
@click.option("--network", type=Member(NETWORKS, late=True), help="[default: unet]")
@click.option(
    "--encoder",
    metavar="NAME",
    shell_complete=encoders,
    help="Of unet or deeplab.  [default: resnet18; tf_efficientnet_lite0 for images of your own]",
)
@click.option("--width", type=NUMBER, help="Factor on the channels.  [default: 1]")
@click.option(
    "--encoder-weights",
    metavar="imagenet|package|FILE|none",
    help="Pre-trained encoder.  [default: none; package for images of your own, where installed]",
)
@click.option(
    "--freeze-norm",
    is_flag=True,
    default=None,
    help="Batch norm of the encoder keeps its statistics.",
)
@click.option(
    "--weighting", type=Member(WEIGHTINGS, late=True), help="Of the tasks.  [default: equal]"
)
@click.option(
    "--no-condition",
    "conditioning",
    flag_value="none",
    help="A mapping that does not know the pair of tasks.",
)
@click.option(
    "--no-regulariser",
    "regulariser",
    flag_value=0.0,
    type=NUMBER,
    help="Leave the distances to the features out.",
)
@click.option("--with-ssl", is_flag=True, default=None, help="Add the crop consistency of `ssl`.")
@click.option(
    "--with-geometry", is_flag=True, default=None, help="Add the known relations of `geometry`."
)
@click.option(
    "--helpful-pairs",
    is_flag=True,
    default=None,
    help="Keep the pairs that agree with held-out labels.",
)
@click.option(
    "--mapping-norm",
    type=click.Choice(["sample", "pass"]),
    help="Batch norm in the mapping: over each sample or all.  [default: sample]",
)
@click.option("--mapping-width", type=NUMBER, help="Factor on the channels of the mapping.")
@click.option(
    "--checkpoint-mapping",
    is_flag=True,
    default=None,
    help="Compute the mapping again going back: less memory.",
)
@click.option("--epochs", type=int, help="[default: 15, or 600 steps where these are fewer]")
@click.option("--steps", type=int, help="Length in steps, in place of --epochs.")
@click.option("--batch", type=int, help="Images a step.  [default: 8]")
@click.option(
    "--accumulate",
    type=int,
    metavar="PARTS",
    help="Compute a batch in so many parts, for less memory.  [default: 1]",
)
@click.option(
    "--views", type=click.IntRange(min=1), help="Views of an image a step.  [default: the method's]"
)
@click.option("--optimizer", type=Member(OPTIMISERS, late=True), help="[default: adam]")
@click.option("--lr", type=NUMBER, help="Learning rate.  [default: 1e-4]")
@click.option("--schedule", type=Member(SCHEDULES, late=True), help="[default: constant]")
@click.option("--gradient-clip", type=NUMBER, metavar="NORM", help="Largest norm of the gradient.")
@click.option("--seed", type=int, help="Where all draws start.  [default: 0]")
@click.option(
    "--select",
    type=click.Choice(["last", "holdout", "val", "paper"]),
    help="Which epoch counts; paper asks the test split.  [default: val, holdout or last, by what "
    "there is]",
)
@click.option(
    "--protocol", type=Member(METRICS, late=True), help="Of the scores.  [default: mtpsl]"
)
@click.option(
    "--precision", type=click.Choice(["auto", "32", "bf16", "16"]), help="[default: auto]"
)
@click.option(
    "--devices",
    type=int,
    help="Processes of a machine, a card each, that share a batch.  [default: 1]",
)
@click.option("--nodes", type=int, help="Machines, of --devices processes each.  [default: 1]")
@click.option(
    "--sync-norm",
    is_flag=True,
    default=None,
    help="Batch norm of the network is over the images of all devices.",
)
@click.option("--workers", type=int, help="Reading processes.  [default: by the cores]")
@device_option
@click.option(
    "--cache",
    type=click.Choice(["none", "memory", "device"]),
    help="Keep images and visible labels in shared memory, or where the network trains.  [default: "
    "none]",
)
@click.option(
    "--compile",
    type=click.Choice(["auto", "on", "off"]),
    help="Compile the network with torch.compile; auto where steps are faster.  [default: off]",
)
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    shell_complete=recipes,
    help="Start from a recipe; see `mtmodels list recipes`.",
)
@click.option(
    "--scale",
    type=NumberRange(min=0, max=1, min_open=True),
    metavar="FACTOR",
    help="Shrink size, width and length of the recipe; scores are then kept apart.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any key of the configuration; may be repeated.",
)
@click.option(
    "--anyway", is_flag=True, help="Train on a store that is not what the recipe was made for."
)
@named_plugins_option
@trust_option
@click.option(
    "-o", "--out", type=FILE, help="Run folder.  [default: runs/DATA-METHOD-NETWORK-REGIME-sSEED]"
)
@click.option("--resume", is_flag=True, help="Continue the run that is there.")
@click.option("--overwrite", is_flag=True, help="Replace the run that is there.")
@click.option("--checkpoint-every", type=int, metavar="STEPS", help="Save within epochs too.")
@click.option(
    "--requeue",
    is_flag=True,
    help="Put the job of SLURM back into the queue when it is told to end before.",
)
@click.option(
    "--log",
    multiple=True,
    callback=lambda _, __, value: value or None,
    metavar="csv|tensorboard|MODULE:CLASS",
    shell_complete=logs,
    help="Log to RUN/logs as well; may be repeated.",
)
@click.option(
    "--dry-run", is_flag=True, help="Show the plan, measured on two steps; write nothing."
)
@json_option
def mttrain(
    *,
    recipe: str | None,
    scale: float | None,
    assignments: tuple[str, ...],
    plugins: tuple[str, ...],
    trust_plugins: bool,
    anyway: bool,
    out: Path | None,
    resume: bool,
    overwrite: bool,
    requeue: bool,
    dry_run: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Train a network on partly labelled images, score it on the test split, draw what it learnt.

    The options of a method, network or weighting are shown by `mtmodels list methods NAME`; give
    them with --set, for instance --set method.options.lambda=0.01.
    """
    if resume and overwrite:
        raise UsageError("--resume keeps what is there and --overwrite does not: give one of them.")
    of_recipes = {
        "--scale shrinks a recipe": scale is not None,
        "--anyway takes a store that a recipe was not made for": anyway,
    }
    for what, given in of_recipes.items():
        if given and recipe is None:
            raise UsageError(f"{what} and should come with --recipe; found none.")
    if requeue and "SLURM_JOB_ID" not in os.environ:
        raise UsageError(
            "--requeue puts a job of SLURM back into the queue and should be given in one; found "
            "no SLURM_JOB_ID. Leave it out."
        )
    mode: Mode = "resume" if resume else "overwrite" if overwrite else "new"
    if sys.stderr.isatty():
        say("Loading libraries and looking at the data, which takes some seconds.")
    layers = layers_of(recipe, assignments, flags, plugins, trust_plugins=trust_plugins)
    prepare = partial(
        prepared,
        layers,
        flags,
        out=out,
        mode=mode,
        dry_run=dry_run,
        trust_plugins=trust_plugins,
        asked=Asked(recipe, scale, anyway=anyway) if recipe else None,
    )
    if dry_run:
        from mtmodels.training.run import plan

        planned = plan(prepare())
        put_json(planned.to_json()) if as_json else _print_plan(planned)
        return
    finished = train(prepare, layers, out=out, mode=mode, requeue=requeue)
    if finished is None:
        return
    _tell(finished)
    if as_json:
        put_json(finished.summary)


def _tell(finished: "Finished") -> None:
    """Name the scores and the files."""
    from mtmodels.scoring.facts import rests_on
    from mtmodels.training.record.texts import plain_scores

    summary = finished.summary
    say(f"\nScores of {summary['split']} (role {summary['role']}), protocol {summary['protocol']}:")
    say(plain_scores(summary["scores"]))
    if rests := rests_on(summary["split"], summary["images"], summary["labelled"]):
        say(paragraph(rests))
    if summary["split"] in summary.get("selected_on", "").split("+"):
        warn(
            f"the epoch was chosen on {summary['split']}: do not compare these scores with runs "
            "that were not."
        )
    if summary.get("apart"):
        warn(
            f"these are no scores of the recipe `{summary['recipe']}`: "
            f"{'; '.join(summary['apart'])}."
        )
    for what, path in finished.files.items():
        say(f"{what:<12}{path}")


def _print_plan(plan: "Plan") -> None:
    from cli.mttrain.watching import clock

    labels = ", ".join(f"{task} {n}" for task, n in plan.labels.items())
    apart = f"{plan.held_out} held out, {plan.left_out} without a label left out"
    a_step = f"{plan.seconds_per_step:.2f} s each"
    before = "".join(
        f"{stage.name} {stage.steps:,}, {stage.seconds_per_step:.2f} s each; then "
        for stage in plan.stages
    )
    rows = {
        "method": f"{plan.method}, network {plan.network}, weighting {plan.weighting}",
        "labels": f"{counted(plan.images, 'image')} ({labels}); {apart}",
        "size": f"{plan.size[0]}x{plan.size[1]}, precision {plan.precision}",
        "parameters": f"{plan.parameters:,}; {plan.parameters_inference:,} of them predict",
        "steps": f"{before}{plan.steps:,} ({plan.steps_per_epoch} an epoch), {a_step}",
        "time": f"{clock(plan.seconds)} without scoring",
        "memory": f"{plan.memory_mb:.0f} MB",
    }
    for what, text in rows.items():
        click.echo(f"{what:<12}{text}")
    for note in plan.notes:
        say(paragraph(note))


main = entry_point(mttrain)
