"""Plug-ins on the command line: those that are named, and the copies that runs keep."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from cli.shared.common import paragraph, say

HELP = "File of members of your own, whose code is run; may be repeated."


def _load(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Any:
    """Load what was named, before any other option is looked at."""
    if value:
        from mtdata.plugins import load_plugin

        for given in value:
            load_plugin(given)
    return value


plugin_option = click.option(
    "--plugin",
    multiple=True,
    metavar="FILE.py|MODULE",
    is_eager=True,
    expose_value=False,
    callback=_load,
    help=HELP,
)
named_plugins_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="FILE.py|MODULE",
    is_eager=True,
    callback=_load,
    help=HELP,
)
"""As `plugin_option`, for a command that writes down what was named."""
trust_option = click.option(
    "--trust-plugins",
    is_flag=True,
    help="Run the plug-ins that the run brings along, though it is not from here.",
)


def tell_plugins(given: Sequence[str]) -> None:
    """Load the plug-ins that a configuration names, and say so of those that no option named."""
    from mtdata.plugins import load_plugin, loaded_plugins

    for name in given:
        before = loaded_plugins()
        plugin = load_plugin(name)
        if plugin not in before:
            say(paragraph(f"Plug-in: {plugin.given}, named by the configuration."))


def use_copies(run: Path, *, trust: bool, named: Sequence[str] | None = None) -> None:
    """Load the plug-ins of a run from the copies in its folder, and say so.

    Args:
        run: The run.
        trust: Whether the user trusts what it brings along.
        named: What the user named for a run that goes on: it has to be what the run has. None for
            a run that is used as it is, where other code of a module is told.

    Raises:
        PluginError: where they are not to be trusted, or cannot be loaded.
    """
    from mtmodels.training.record.plugin_copies import check_named, load_copies, notes
    from mtmodels.training.record.runfolder import RunFolder

    folder = RunFolder(run)
    if named is not None:
        check_named(folder, named)
    for plugin in load_copies(folder, trust=trust):
        of = "the copy of this run" if plugin.path else "the module that this run was made with"
        say(paragraph(f"Plug-in: {plugin.given}, {of}."))
    for note in notes(folder) if named is None else ():
        say(paragraph(f"Plug-in: {note}"))
