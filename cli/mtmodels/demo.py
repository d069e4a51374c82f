"""`mtmodels demo`."""

from pathlib import Path

import click

from cli.shared.common import json_option
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, device_option
from cli.shared.plugins import plugin_option, trust_option, use_copies
from cli.shared.serving import check_extra, no_open_option, port_option, serve_app


@click.command(
    cls=Command,
    epilog=examples(
        "mtmodels demo runs/nyu-xtc-unet-resnet18-full-s0",
        "mtmodels demo RUN --examples photos/",
        "mtmodels demo RUN --port 9000 --no-open --device cpu",
    ),
)
@click.argument("run", type=FILE)
@port_option
@click.option(
    "--examples",
    "folder",
    metavar="FOLDER",
    type=FILE,
    help="Photos that the page offers to begin with: the first 24 of a folder.",
)
@no_open_option
@device_option
@plugin_option
@trust_option
@json_option
def demo(
    run: Path,
    *,
    port: int | None,
    folder: Path | None,
    no_open: bool,
    device: str | None,
    trust_plugins: bool,
    as_json: bool,
) -> None:
    """Predict photos in a web browser: drop one, and see all tasks with their values.

    Photos stay on this machine and in memory: nothing is written, and no other machine can ask. End
    it with Ctrl-C.
    """
    check_extra()
    from mtdata.serving.listening import listening
    from mtmodels.demo.examples import Examples

    offered = Examples(folder)
    with listening(port) as found:
        from mtmodels.demo.app import make_demo

        use_copies(run, trust=trust_plugins)
        app = make_demo(
            run,
            port=found.getsockname()[1],
            device=device or "auto",
            examples=offered,
            trust_plugins=trust_plugins,
        )
        serve_app(app, found, no_open=no_open, as_json=as_json)
