"""Plug-ins that a distribution brings: the entry points of the group `mtpartial.plugins`."""

import sys

from mtdata.errors import PluginError
from mtdata.plugins.loading import load_plugin

GROUP = "mtpartial.plugins"
_looked = False


def load_installed() -> None:
    """Load all plug-ins that are installed, once in a process.

    This happens when they are listed, and when a name is asked for that is neither built in nor of
    a plug-in that was named: looking costs time, which `--help` should not take. One that fails is
    told on stderr in one line, and left out.
    """
    global _looked  # noqa: PLW0603  once in the life of a process
    if _looked:
        return
    _looked = True  # first: a plug-in may ask for a name while it is loaded
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        about = ("an unknown distribution", "")
        if point.dist is not None:
            about = (point.dist.name, point.dist.version)
        try:
            load_plugin(point.module, distribution=about)
        except PluginError as error:
            text = " ".join(f"Warning: {' '.join(about)}: {error} Its names are left out.".split())
            sys.stderr.write(f"{text}\n")


def look_again() -> None:
    """Let `load_installed` look once more, after something was installed."""
    global _looked  # noqa: PLW0603
    _looked = False
