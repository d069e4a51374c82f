"""The page in a real browser: what a person does, by mouse and by keys, and what goes wrong."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.store import open_store
from tests.processes.pages import CHECKS, WIDTHS, browsing, check_tabs, opening, serving
from tests.stores.fakes import TASKS, fake_store

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
NAMES = [task.name for task in TASKS]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    return fake_store(folder, images=(40, 5), sizes=((24, 32),))


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "fake.h5"
    shutil.copy(original, copy)
    return copy


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as found:
        yield found


@pytest.fixture
def address(path: Path) -> Iterator[str]:
    with serving("mtdata", "browse", str(path)) as found:
        yield found


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    with opening(browser, address) as opened:
        opened.wait_for_selector("#tiles img[src]")
        yield opened


def counts(page: Any, text: str) -> None:
    """Wait for that to be told; what is evaluated from text, the page forbids."""
    expect(page.locator("#count")).to_have_text(text)


def test_a_regime_keeps_its_name_and_its_threshold(page: Any, address: str, path: Path) -> None:
    """A filter that is chosen leaves all else of the address as it is."""
    assert run(mtdata, ["regime", "add", str(path), "--kind", "one", "--name", "one+v2"]) == 0
    page.goto(f"{address}?regime=one%2Bv2")
    page.locator("select[name=task-depth]").select_option("labelled")
    page.wait_for_url("**labelled=depth**")
    assert parse_qs(urlsplit(page.url).query)["regime"] == ["one+v2"]


def test_filter_and_go_back(page: Any, address: str, path: Path) -> None:
    with open_store(path) as store:
        split = store.splits["train"]
        hidden = split.labelled[:, 1] & ~split.visible("one")[:, 1]
        first = split.keys[int(np.flatnonzero(hidden)[0])]
    count = page.locator("#count")
    assert count.inner_text() == "45 images"
    page.get_by_label("Regime").select_option("one")
    page.locator("select[name=task-depth]").select_option("hidden")
    counts(page, f"{hidden.sum()} images")
    assert page.url == f"{address}?regime=one&hidden=depth"
    assert page.locator("#tiles a .key").first.inner_text() == first
    page.get_by_label("Key contains").fill("nowhere")
    page.get_by_text("No image fits these filters.").wait_for()
    assert page.locator("#tiles li").count() == 0
    page.locator("#empty-clear").click()
    counts(page, "45 images")
    page.go_back()
    counts(page, "0 images")
    page.go_back()
    counts(page, f"{hidden.sum()} images")
    assert page.locator("select[name=task-depth]").input_value() == "hidden"
    assert page.get_by_label("Key contains").input_value() == ""


def test_open_and_read_values(page: Any, address: str, path: Path) -> None:
    with open_store(path) as store:
        split = store.splits["train"]
        index = int(np.flatnonzero(split.labelled.all(axis=1))[0])
        sample = split.read(index, NAMES)
        key = split.keys[index]
    y, x = np.argwhere(np.all(list(sample.valid.values()), axis=0))[3].tolist()
    page.locator(f"#tiles a[title='{key} (train)']").click()
    assert f"image=train%2F{key}&at={index + 1}" in page.url
    canvas = page.locator("canvas").nth(2)
    canvas.wait_for()
    _height, width = sample.image.shape[:2]
    box = canvas.bounding_box()
    scale = box["width"] / width
    page.mouse.move(box["x"] + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale)
    for each in page.locator(".value").all():
        expect(each).not_to_have_text("")
    assert page.locator(".where").inner_text() == f"x {x}, y {y}"
    told = page.locator(".value").all_inner_texts()
    red, green, blue = sample.image[y, x]
    assert told[0] == f"red {red}, green {green}, blue {blue}"
    chosen = int(sample.labels["semantic"][y, x])
    assert told[1] == f"{chosen} {TASKS[0].kind.to_json()['names'][chosen]}"
    depth = sample.labels["depth"][y, x]
    assert re.fullmatch(r"[\d.]+ metres", told[2])
    assert np.float32(told[2].split()[0]) == depth
    vector = [np.float32(part.split()[1]) for part in told[3].split(", ")]
    assert np.array_equal(vector, sample.labels["normals"][y, x])
    # By keys, one pixel on; and linked zoom: all panels show the same part.
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    assert page.locator(".where").inner_text() == f"x {x}, y {y}"
    before = canvas.screenshot()
    other = page.locator("canvas").nth(0).screenshot()
    page.keyboard.press("+")
    page.wait_for_timeout(150)
    assert canvas.screenshot() != before
    assert page.locator("canvas").nth(0).screenshot() != other
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    page.locator("#tiles").wait_for()
    assert page.url == address
    assert page.evaluate("document.activeElement.title") == f"{key} (train)"


def test_a_view_has_a_link(page: Any, address: str, browser: Any) -> None:
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.locator("canvas").first.wait_for()
    page.keyboard.press("2")
    page.locator("#detail input[type=range]").fill("80")
    link = page.url
    assert "mode=blend&task=depth&opacity=80" in link
    other = browser.new_context().new_page()
    other.goto(link)
    other.locator("#detail input[type=range]").wait_for()
    assert other.locator("#detail input[type=range]").input_value() == "80"
    assert other.locator("figcaption b").all_inner_texts() == ["depth"]
    title = other.locator("#detail h2").inner_text()
    other.locator("#next:enabled").click()
    expect(other.locator("#detail h2")).not_to_have_text(title)
    other.locator("#back").click()
    other.locator("#tiles li").first.wait_for()
    other.context.close()
    page.go_back()
    page.locator("#tiles li").first.wait_for()


def test_keys_and_help(page: Any) -> None:
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    page.keyboard.press("3")
    page.locator("#tiles img[src*='what=normals']").first.wait_for()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "text"
    page.keyboard.type("0007")
    counts(page, "1 image")


def test_a_hidden_label_is_shown_only_when_asked(page: Any, address: str, path: Path) -> None:
    with open_store(path) as store:
        split = store.splits["train"]
        hidden = split.labelled[:, 0] & ~split.visible("one")[:, 0]
        key = split.keys[int(np.flatnonzero(hidden)[0])]
    page.goto(f"{address}?regime=one&image=train/{key}")
    semantic = page.locator("figure").nth(1)
    assert "hidden by the regime" in semantic.inner_text()
    semantic.locator("canvas").hover()
    expect(page.locator(".value").first).not_to_have_text("")
    page.wait_for_timeout(200)
    assert semantic.locator(".value").inner_text() == ""
    page.locator("#detail").get_by_label("Show hidden labels too").check()
    page.get_by_text("hidden by the regime, shown as you asked").first.wait_for()
    assert "reveal=1" in page.url


def test_marks_are_saved(page: Any) -> None:
    page.locator("#tiles input").nth(1).check()
    page.get_by_label("Tick as").select_option("out")
    page.locator("#tiles input").nth(3).check()
    assert page.locator("#marked").inner_text() == "2 images are marked."
    with page.expect_download() as waiting:
        page.locator("#save-marks").click()
    assert waiting.value.suggested_filename == "fake-marks.csv"
    lines = Path(waiting.value.path()).read_text().splitlines()
    assert lines == ["split,key,mark", "train,0002,to look at again", "train,0004,to leave out"]
    page.reload()
    page.locator("#tiles input").nth(3).wait_for()
    assert page.locator("#tiles input").nth(3).is_checked()


def test_a_store_that_goes(page: Any, path: Path) -> None:
    away = path.with_suffix(".away")
    path.rename(away)
    page.get_by_label("Split").select_option("test")
    page.locator("#banner").wait_for()
    assert "no such file any more" in page.locator("#problem").inner_text()
    away.rename(path)
    page.locator("#anew").click()
    counts(page, "5 images")
    assert not page.locator("#banner").is_visible()


def test_a_store_that_is_replaced(page: Any, path: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = fake_store(tmp_path / "other", regimes=(), images=(2, 1), seed=3)
    os.replace(other, path)
    page.get_by_label("Key contains").fill("0")
    page.locator("#banner").wait_for()
    assert "changed or replaced" in page.locator("#problem").inner_text()
    page.get_by_label("Key contains").fill("")
    page.locator("#anew").click()
    counts(page, "3 images")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_everybody_can_use_it(page: Any, address: str, scheme: str, width: int) -> None:
    """Names, contrast, order of Tab, and nothing wider than the window, in every view."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    views = {
        "?regime=one": "#tiles img[src]",
        "?regime=one&image=train/0001&at=1": "canvas",
        "?image=train/0002&mode=blend": "canvas",
        "?text=nowhere": "#empty",
    }
    for view, there in views.items():
        page.goto(address + view)
        page.locator(there).first.wait_for()
        if view == "?regime=one" and width < 700:
            assert page.evaluate(CHECKS) == []
            page.locator("#filter-button").click()
        assert page.evaluate(CHECKS) == [], view
        check_tabs(page)
