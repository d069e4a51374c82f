"""Plug-ins that a distribution brings: the entry points of the group `mtpartial.plugins`."""

import sys
from contextlib import suppress

from mtdata.errors import PluginError
from mtdata.plugins.loading import load_plugin

GROUP = "mtpartial.plugins"
_looked = False


def load_installed() -> None:
    """Load all plug-ins that are installed, once in a process.

    This happens when they are listed, and when a name is asked for that is neither built in nor of
    a plug-in that was named: looking costs time, which `--help` should not take. One that fails, in
    whatever way, is told on stderr in one line, and left out.
    """
    global _looked  # noqa: PLW0603  once in the life of a process
    if _looked:
        return
    _looked = True  # first: a plug-in may ask for a name while it is loaded
    from importlib.metadata import distributions

    seen = set[str]()
    for distribution in distributions():
        whose = "an unknown distribution"
        try:
            points = distribution.entry_points.select(group=GROUP)
            if not points or distribution.name in seen:  # one before it on the path hides it
                continue
            about = distribution.name, distribution.version
        except Exception as error:
            with suppress(Exception):
                whose = distribution.name
            _leave_out(whose, f"its entry points cannot be read: {_said(error)}")
            continue
        seen.add(distribution.name)
        for point in points:
            try:
                load_plugin(point.module, distribution=about)
            except PluginError as error:
                _leave_out(" ".join(about), str(error))
            except Exception as error:
                told = f"its `{point.name} = {point.value}` cannot be loaded: {_said(error)}"
                _leave_out(" ".join(about), told)


def _leave_out(whose: str, problem: str) -> None:
    """Tell in one line why names are not there."""
    text = " ".join(f"Warning: {whose}: {problem} Its names are left out.".split())
    sys.stderr.write(f"{text}\n")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}."


def look_again() -> None:
    """Let `load_installed` look once more, after something was installed."""
    global _looked  # noqa: PLW0603
    _looked = False
