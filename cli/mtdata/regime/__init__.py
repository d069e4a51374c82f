"""`mtdata regime`: which labels of the training split may be seen."""

import click

from cli.shared.groups import Lazy, LazyGroup, examples

COMMANDS = {
    "add": Lazy("cli.mtdata.regime.add:add", "Draw a regime, or read one from a file."),
    "list": Lazy("cli.mtdata.regime.list:list_", "List the regimes of a store."),
    "show": Lazy("cli.mtdata.regime.show:show", "All about one regime, with a picture."),
    "export": Lazy("cli.mtdata.regime.export:export", "Write a regime to a CSV or JSON file."),
    "default": Lazy("cli.mtdata.regime.default:default", "Choose what training shows by default."),
    "remove": Lazy("cli.mtdata.regime.remove:remove", "Remove a regime from a store."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog=examples(
        "mtdata regime add data/nyu.h5 --kind one --seed 1 --name one-1",
        "mtdata regime list data/nyu.h5",
    ),
)
def regime() -> None:
    """Draw, read, look at and write which labels of the training split may be seen."""
