"""`mtmodels report`."""

from pathlib import Path

import click

from cli.shared.common import json_option, paragraph, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, STORE, check_page, device_option
from cli.shared.plugins import plugin_option, trust_option, use_copies
from mtdata.urls import StorePath


@click.command(
    cls=Command,
    epilog=examples(
        "mtmodels report runs/nyu-xtc-unet-resnet18-full-s0 --overwrite",
        "mtmodels report runs/nyu-xtc-unet-resnet18-full-s0 -o xtc.html --open",
        "mtmodels report RUN --data elsewhere/nyu.h5 -o run.html",
    ),
)
@click.argument("run", type=FILE)
@click.option(
    "-o",
    "--out",
    type=FILE,
    metavar="PAGE.html",
    callback=check_page,
    help="File to write.  [default: RUN/report.html]",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace PAGE.html.")
@click.option("--open", "opens", is_flag=True, help="Open it in a browser.")
@click.option("--data", type=STORE, help="Where the store of the run is now.")
@device_option
@plugin_option
@trust_option
@json_option
def report(
    run: Path,
    *,
    out: Path | None,
    overwrite: bool,
    opens: bool,
    data: StorePath | None,
    device: str | None,
    trust_plugins: bool,
    as_json: bool,
) -> None:
    """Write a run as one page to print or send: data, scores, curves, best and worst images.

    mttrain writes it at the end of a run. A run that is not done says so on its page; without its
    store there are no images.
    """
    from mtdata.atomic import check_new
    from mtmodels.training.record.runfolder import RunFolder, write_text
    from mtmodels.training.reporting.report import make_report

    use_copies(run, trust=trust_plugins)
    page = out or RunFolder(run).report
    if out is not None or RunFolder(run).is_run():
        check_new(page, overwrite=overwrite)
    text = make_report(
        run,
        data=data,
        device=device or "auto",
        trust_plugins=trust_plugins,
        say=lambda why: say(paragraph(why)),
    )
    write_text(page, text)
    if as_json:
        put_json({"run": str(run), "path": str(page), "bytes": len(text.encode())})
    say(f"Report: {page}")
    if opens:
        click.launch(str(page))
