"""`mtmodels export`."""

from pathlib import Path
from typing import Any

import click

from cli.shared.common import json_option, paragraph, put_json, say, warn_of_unfinished
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, STORE, checkpoint_option
from cli.shared.plugins import plugin_option, trust_option, use_copies


@click.command(
    cls=Command,
    epilog=examples(
        "mtmodels export runs/nyu-xtc-unet-resnet18-full-s0 -o nyu.onnx",
        "mtmodels export runs/nyu-xtc-unet-resnet18-full-s0 -o nyu.pt2",
    ),
)
@click.argument("run", type=FILE)
@click.option(
    "--format",
    "form",
    type=click.Choice(["onnx", "torch"]),
    help="onnx, which takes the extra `export`, or a program of torch.export.  [default: by the "
    "ending of FILE, .onnx or .pt2]",
)
@click.option("-o", "--out", required=True, type=FILE, metavar="FILE", help="File to write.")
@checkpoint_option
@click.option(
    "--data",
    type=STORE,
    help="Store that knows the tasks; only runs of older versions need one.  [default: the one "
    "that the run was trained on]",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE.")
@plugin_option
@trust_option
@json_option
def export(run: Path, *, out: Path, trust_plugins: bool, as_json: bool, **options: Any) -> None:
    """Write the network of a run as a file that predicts without this package.

    It takes RGB in [0, 1] of any batch and size (a multiple that the file says), normalises it
    itself, and gives each task by its name. Tasks, classes, units, data, licence and run are in
    it. It is compared with the network before it takes its name.
    """
    from cli.shared.tables import size_text
    from mtmodels.exporting import export as write

    use_copies(run, trust=trust_plugins)
    made = write(run, out, trust_plugins=trust_plugins, **options)
    warn_of_unfinished(run, "this is the network")
    if as_json:
        put_json(made.to_json())
    else:
        multiple = made.facts["input"]["multiple"]
        worst = max(made.difference.values())
        say(
            paragraph(
                f"{made.path}: {', '.join(made.facts['outputs'])}, for images whose height and "
                f"width are divisible by {multiple}; {size_text(made.bytes)}. It predicts as the "
                f"network does, to {worst:.1g}."
            )
        )
    for name, text in made.facts["data"]["licences"].items():
        say(paragraph(f"Licence of {name}: {text} It holds for this file too."))
