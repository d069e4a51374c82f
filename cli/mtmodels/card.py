"""`mtmodels card`."""

from pathlib import Path

import click

from cli.shared.common import json_option, put_json, say, warn_of_unfinished
from cli.shared.groups import Command, examples
from cli.shared.options import FILE


@click.command(
    cls=Command,
    epilog=examples(
        "mtmodels card runs/nyu-xtc-unet-resnet18-full-s0",
        "mtmodels card runs/nyu-xtc-unet-resnet18-full-s0 -o README.md --overwrite",
        "mtmodels card RUN --json",
    ),
)
@click.argument("run", type=FILE)
@click.option(
    "-o", "--out", type=FILE, metavar="CARD.md", help="File to write.  [default: to stdout]"
)
@click.option("--overwrite", is_flag=True, help="Replace CARD.md.")
@json_option
def card(run: Path, *, out: Path | None, overwrite: bool, as_json: bool) -> None:
    """Write a model card: what a run predicts, its data, training, scores and limits.

    Markdown, with the head in YAML that model hubs read. All of it is from the run folder, and from
    the store where that is there; what is not known is said to be unknown.
    """
    from cli.shared.progress import progress_bar
    from mtdata.atomic import check_new
    from mtmodels.inspecting.card import card as put_together
    from mtmodels.training.record.runfolder import write_text

    if out is not None:
        check_new(out, overwrite=overwrite)
    with progress_bar("labels") as report:
        made = put_together(run, progress=report)
    warn_of_unfinished(run, "this is a card")
    if out is not None:
        write_text(out, made.markdown())
        say(f"Card: {out}")
    if as_json:
        put_json({**made.to_json(), **({} if out is None else {"out": str(out)})})
    elif out is None:
        click.echo(made.markdown(), nl=False)
