"""`mtmodels fill`."""

from pathlib import Path
from typing import Any

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.completion import of_store
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, checkpoint_option, device_option, names, tasks_option
from cli.shared.plugins import plugin_option, trust_option, use_copies


@click.command(
    cls=Command,
    epilog=examples(
        "mtmodels fill runs/mine-sl-unet-resnet18-full-s0 data/mine.h5",
        "mtmodels fill runs/nyu-sl-unet-resnet18-one-s0 data/nyu.h5 --hidden-by one -o filled.h5",
        "mttrain --method sl --data filled.h5 --regime one+filled:0.8",
    ),
)
@click.argument("run", type=FILE)
@click.argument("store", type=FILE)
@click.option("-o", "--out", type=FILE, help="Write a copy.  [default: the store is changed]")
@click.option(
    "--split",
    type=names,
    metavar="A,B",
    shell_complete=of_store("splits"),
    help="Only these training splits.  [default: all]",
)
@tasks_option
@click.option(
    "--hidden-by",
    metavar="REGIME",
    shell_complete=of_store("regimes"),
    help="Predict what this regime hides, too.  [default: only what the source lacks]",
)
@checkpoint_option
@click.option(
    "--batch", type=click.IntRange(min=1), help="Images at once.  [default: that of the run]"
)
@device_option
@click.option("--overwrite", is_flag=True, help="Replace filled labels of these tasks, and OUT.")
@plugin_option
@trust_option
@json_option
def fill(
    run: Path,
    store: Path,
    *,
    device: str | None,
    trust_plugins: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Predict labels that a store lacks, and keep them in it with their confidence.

    They lie beside the labels of the source, marked as filled, and no regime shows them unless
    asked to, as `mttrain --regime one+filled:0.8`. A killed command goes on where it was.
    """
    from cli.shared.progress import progress_bar
    from mtmodels.predicting.fill import fill as run_fill
    from mtmodels.predicting.fill import foretell

    use_copies(run, trust=trust_plugins)
    if told := foretell(run, store, options["hidden_by"]):
        say(told)
    with progress_bar("images") as progress:
        summary = run_fill(
            run,
            store,
            device=device or "auto",
            trust_plugins=trust_plugins,
            progress=progress,
            **options,
        )
    put_json(summary.to_json()) if as_json else say(summary.text())
