"""The bar of long work: quiet without a terminal, and telling on one."""

import io
import sys

import pytest

from cli.mttrain.watching import BarWatcher, LineWatcher, watching
from cli.shared.progress import progress_bar


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Not a fixture: pytest puts its own stream back between setting up and the test."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return made


def test_a_bar_tells_what_and_how_far(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    with progress_bar("pages") as report:
        assert report is not None
        for done in (3, 4, 5):
            report(done, 5, "reading")
        report(1, 2, "writing")
    text = terminal.getvalue()
    for word in ("reading", "5/5", "writing", "1/2"):
        assert word in text


def test_without_a_terminal_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar() as report:
        assert report is None
    with watching() as watcher:
        assert isinstance(watcher, LineWatcher)


def test_a_training_has_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    with watching() as watcher:
        assert isinstance(watcher, BarWatcher)
        watcher.say("Run: here")
    assert "Run: here" in terminal.getvalue()
