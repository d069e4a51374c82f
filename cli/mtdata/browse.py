"""`mtdata browse`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, device_option, store_argument
from cli.shared.plugins import trust_option
from cli.shared.predicted import load_predicted
from mtdata.errors import UsageError

if TYPE_CHECKING:
    from mtdata.browsing.models import Model
    from mtdata.inspecting.show import Predict

PARTS = ("starlette", "uvicorn")
"""What the extra `browse` installs."""


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata browse data/nyu.h5",
        "mtdata browse data/nyu.h5 --port 9000 --no-open",
        "mtdata browse data/nyu.h5 --predictions runs/sl --predictions runs/xtc",
    ),
)
@store_argument
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Where to listen, on this machine alone; 0 takes any.  [default: 8750, or the next free]",
)
@click.option(
    "--predictions",
    "runs",
    multiple=True,
    metavar="RUN",
    type=FILE,
    help="Show what a run predicts beside the labels, and how far it is off; may be repeated.",
)
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@device_option
@trust_option
@json_option
def browse(
    store: Path,
    *,
    port: int | None,
    runs: tuple[Path, ...],
    no_open: bool,
    device: str | None,
    trust_plugins: bool,
    as_json: bool,
) -> None:
    """Look at a store in a web browser: a grid, filters, every label with its values.

    Nothing is written, and no other machine can ask. End it with Ctrl-C.
    """
    check_extra()
    from mtdata.browsing.app import make_app
    from mtdata.browsing.serving import listening, serve

    models = [_model(run, device or "auto", trust=trust_plugins) for run in runs]
    if len({model.name for model in models}) < len(models):
        raise UsageError("--predictions should name each run once; two have one name.")
    with listening(port) as found:
        app, served = make_app(store, models, port=found.getsockname()[1])
        try:
            serve(app, found, ready=partial(_ready, as_json=as_json), browse=not no_open)
        except KeyboardInterrupt:
            say("Ended.")  # the way to end it, and so no failure
        finally:
            served.close()


def check_extra() -> None:
    """Refuse to go on without the extra.

    Raises:
        UsageError: where a package of it is missing.
    """
    from importlib.util import find_spec

    missing = [name for name in PARTS if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the extra `browse` should be installed; there is no package `{missing[0]}` here. "
            "Run: pip install 'mtpartial[browse]'"
        )


def _ready(address: str, *, as_json: bool) -> None:
    put_json({"address": address}) if as_json else click.echo(address)
    say("End with Ctrl-C.")


def _model(run: Path, device: str, *, trust: bool) -> "Model":
    """A run by its folder; its network is loaded, and torch imported, when it is first asked."""
    from mtdata.browsing.models import Model

    name, tasks = _named(run)
    return Model(name, tasks, partial(_load, run, device, trust=trust))


def _named(run: Path) -> tuple[str, tuple[str, ...]]:
    import yaml

    file = run / "config.yaml"
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        return run.resolve().name, tuple(map(str, config["tasks"]))
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise UsageError(
            f"--predictions should be the folder of a run; {file} cannot be read "
            f"({type(error).__name__})."
        ) from error


def _load(run: Path, device: str, *, trust: bool) -> "Predict":
    return load_predicted(run, device, trust=trust).predict
