"""Pages in a real browser: the server of a command, and what no page may do."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from tests.paths import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (390, 1280)
CHECKS = (ROOT / "tests" / "processes" / "checks.js").read_text(encoding="utf-8")
FOCUS = """(() => {
  const e = document.activeElement, s = getComputedStyle(e);
  return [e.tagName, e.matches(':focus-visible') && s.outlineStyle != 'none',
    [...document.querySelectorAll('*')].indexOf(e)];
})()"""


@contextmanager
def browsing() -> Iterator[Any]:
    """A browser that is there; without one the test is skipped."""
    from playwright import sync_api

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_api.sync_playwright() as driver:
        try:
            # None is what playwright itself downloaded, where somebody had it do so.
            opened = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"no browser (`make browser`): {str(error).splitlines()[0]}")
        yield opened
        opened.close()


@contextmanager
def serving(program: str, *arguments: str) -> Iterator[str]:
    """The address of a page that a command serves: `mtdata browse`, `mtmodels demo`."""
    given = [program, *arguments, "--no-open", "--port", "0"]
    code = f"import sys; sys.argv = {given!r}; from cli.{program} import main; main()"
    server = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


@contextmanager
def opening(browser: Any, address: str) -> Iterator[Any]:
    """A page that makes no error, asks nobody else, and does nothing that it forbids itself."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    told: list[str] = []
    asked: list[str] = []
    opened.on("pageerror", lambda error: told.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))

    def console(message: Any) -> None:
        if "Content Security" in message.text:
            told.append(message.text)

    opened.on("console", console)
    opened.goto(address)
    yield opened
    context.close()
    assert told == []
    assert [url for url in asked if not url.startswith((address, "blob:" + address[:-1]))] == []


def check_tabs(page: Any) -> None:
    """Tab goes through all there is once, in its order, and shows where it is."""
    steps = []
    for _ in range(40):
        page.keyboard.press("Tab")
        step = page.evaluate(FOCUS)
        if step[0] == "BODY":
            break
        steps.append(step)
    assert len(steps) >= 3
    assert all(seen for _, seen, _ in steps), steps
    order = [place for _, _, place in steps]
    turned = sum(after < before for before, after in pairwise(order))
    assert turned <= 1  # from the end to the beginning, at most
