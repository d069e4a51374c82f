"""`mtdata browse`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.shared.common import json_option
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, device_option, store_argument
from cli.shared.plugins import trust_option
from cli.shared.predicted import load_predicted, names_of
from cli.shared.serving import check_extra, no_open_option, port_option, serve_app
from mtdata.errors import UsageError
from mtdata.urls import StorePath

if TYPE_CHECKING:
    from mtdata import Task
    from mtdata.browsing.models import Model
    from mtdata.inspecting.show import Predict


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata browse data/nyu.h5",
        "mtdata browse data/nyu.h5 --port 9000 --no-open",
        "mtdata browse data/nyu.h5 --predictions runs/sl --predictions runs/xtc",
    ),
)
@store_argument
@port_option
@click.option(
    "--predictions",
    "runs",
    multiple=True,
    metavar="RUN",
    type=FILE,
    help="Show what a run predicts beside the labels, and how far it is off; may be repeated.",
)
@no_open_option
@device_option
@trust_option
@json_option
def browse(
    store: StorePath,
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
    from mtdata.serving.listening import listening

    models = [
        _model(run, name, store, device or "auto", trust=trust_plugins)
        for run, name in zip(runs, names_of(runs), strict=True)
    ]
    with listening(port) as found:
        app, served = make_app(store, models, port=found.getsockname()[1])
        try:
            serve_app(app, found, no_open=no_open, as_json=as_json)
        finally:
            served.close()


def _model(run: Path, called: str, store: StorePath, device: str, *, trust: bool) -> "Model":
    """A run by its folder; its network is loaded, and torch imported, when it is first asked."""
    from mtdata import open_store
    from mtdata.browsing.models import Model
    from mtdata.inspecting.show import check_meaning
    from mtdata.serving.answers import printable

    name, tasks = printable(called), _tasks(run)
    with open_store(store) as opened:
        check_meaning(name, tasks, opened)
    # Another training in the same folder is another run, though its name is the same.
    digests = (run / "checkpoints").glob("*/digests.json")
    state = [(file.parent.name, file.read_bytes()) for file in sorted(digests)]
    names = tuple(task.name for task in tasks)
    return Model(name, names, partial(_load, run, name, device, trust=trust), state=repr(state))


def _tasks(run: Path) -> "tuple[Task, ...]":
    """What a run predicts, without importing torch."""
    import json

    import yaml

    from mtdata import Task

    try:
        config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
        known = {task["name"]: task for task in manifest["store"]["tasks"]}
        return tuple(Task.from_json(known[str(name)]) for name in config["tasks"])
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError) as error:
        raise UsageError(
            f"--predictions should be the folder of a run; the configuration and manifest of {run} "
            f"cannot be read ({type(error).__name__})."
        ) from error


def _load(run: Path, name: str, device: str, *, trust: bool) -> "Predict":
    return load_predicted(run, name, device, trust=trust).predict
