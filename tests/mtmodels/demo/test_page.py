"""The page in a real browser: photos that are given, values, pictures over the photo, files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import mtmodels
from tests.processes.pages import CHECKS, WIDTHS, browsing, check_tabs, opening, serving
from tests.runs.small_run import all_tasks, small_run

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
pytestmark = pytest.mark.slow
LONG = 60_000
"""Milliseconds that a prediction may take where others work too."""
DROP = """async ([name, bytes]) => {
  const given = new DataTransfer();
  given.items.add(new File([new Uint8Array(bytes)], name));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: given, bubbles: true }));
}"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return small_run(tmp_path_factory.mktemp("runs"), **all_tasks())


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for seed, name in enumerate(("one.png", "two.png")):
        pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def address(trained: Path, photos: Path) -> Iterator[str]:
    given = (str(trained), "--examples", str(photos), "--device", "cpu")
    with serving("mtmodels", "demo", *given) as found:
        yield found


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    with opening(browser, address) as opened:
        opened.get_by_role("button", name="one.png").wait_for()
        yield opened


def predicted(page: Any, name: str) -> None:
    expect(page.locator("#said")).to_contain_text(f"{name}: predicted in ", timeout=LONG)


def number(text: str) -> float:
    """The number that a value ends with, or has before its unit."""
    return float(next(part for part in reversed(text.split()) if part[-1].isdigit()))


def test_an_example_with_its_values(page: Any, trained: Path, photos: Path) -> None:
    pixels = np.asarray(Image.open(photos / "one.png"))
    expected = mtmodels.load(trained, device="cpu")(pixels)
    page.get_by_role("button", name="one.png").click()
    predicted(page, "one.png")
    titles = page.locator("figcaption b").all_inner_texts()
    assert titles == ["photo", "semantic", "depth", "normals", "saliency", "disparity"]
    canvas = page.locator("canvas").nth(1)
    box = canvas.bounding_box()
    x, y = 20, 11
    scale = box["width"] / 64
    page.mouse.move(box["x"] + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale)
    for each in page.locator(".value").all():
        expect(each).not_to_have_text("")
    assert page.locator(".where").inner_text() == f"x {x}, y {y}"
    told = dict(zip(titles, page.locator(".value").all_inner_texts(), strict=True))
    red, green, blue = pixels[y, x]
    assert told["photo"] == f"red {red}, green {green}, blue {blue}"
    chosen = expected["semantic"][y, x]
    names = ("bed", "floor", "sofa", "table", "wall")
    assert told["semantic"].startswith(f"{chosen} {names[chosen]}, probability 0.")
    assert told["depth"].endswith(" metres")
    assert number(told["depth"]) == pytest.approx(expected["depth"][y, x], rel=1e-3)
    vector = [number(part) for part in told["normals"].split(", ")]
    assert vector == pytest.approx(expected["normals"][y, x].tolist(), abs=1e-3)
    assert number(told["saliency"]) == pytest.approx(expected["saliency"][y, x], rel=1e-3)
    # By keys, one pixel on.
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".where")).to_have_text(f"x {x + 1}, y {y}")
    red, green, blue = pixels[y, x + 1]
    expect(page.locator(".value").first).to_have_text(f"red {red}, green {green}, blue {blue}")


def test_over_the_photo_and_saved(page: Any, trained: Path, photos: Path) -> None:
    page.locator("#file").set_input_files(photos / "two.png")
    predicted(page, "two.png")
    page.get_by_label("Predictions").select_option("blend")
    page.get_by_label("Task").select_option("depth")
    assert page.locator("figcaption b").all_inner_texts() == ["depth"]
    canvas = page.locator("canvas")
    page.wait_for_timeout(500)
    page.get_by_label("Opacity").fill("0")
    page.wait_for_timeout(200)
    photo = canvas.screenshot()
    page.get_by_label("Opacity").fill("90")
    page.wait_for_timeout(200)
    assert canvas.screenshot() != photo
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Save depth as .npy").click()
    assert waiting.value.suggested_filename == "two-depth.npy"
    pixels = np.asarray(Image.open(photos / "two.png"))
    expected = mtmodels.load(trained, device="cpu")(pixels)["depth"]
    assert np.array_equal(np.load(waiting.value.path()), expected)
    # How it is looked at lasts from photo to photo.
    page.get_by_role("button", name="one.png").click()
    predicted(page, "one.png")
    assert page.locator("figcaption b").all_inner_texts() == ["depth"]
    page.locator("canvas").focus()
    page.keyboard.press("0")
    expect(page.locator("canvas")).to_have_count(6)


def test_what_is_dropped(page: Any, photos: Path) -> None:
    page.evaluate(DROP, ["broken.png", list(b"no photo")])
    page.locator("#banner").wait_for()
    told = page.locator("#problem").inner_text()
    assert told.startswith("broken.png: should be a JPEG, PNG, TIFF, BMP or WebP")
    expect(page.locator("#said")).to_have_text("broken.png is not predicted.")
    assert not page.locator("#result").is_visible()
    page.evaluate(DROP, ["a <b>photo.png", list((photos / "one.png").read_bytes())])
    predicted(page, "a <b>photo.png")
    assert not page.locator("#banner").is_visible()
    page.evaluate("document.body.dispatchEvent(new DragEvent('drop', "
                  "{ dataTransfer: new DataTransfer(), bubbles: true }))")  # fmt: skip
    expect(page.locator("#problem")).to_contain_text("what was dropped is none")
    page.locator("#dismiss").click()
    assert not page.locator("#banner").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_everybody_can_use_it(page: Any, scheme: str, width: int) -> None:
    """Names, contrast, order of Tab, and nothing wider than the window, in every view."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate(CHECKS) == []
    page.get_by_role("button", name="one.png").focus()
    page.keyboard.press("Enter")
    predicted(page, "one.png")
    assert page.evaluate(CHECKS) == []
    check_tabs(page)
    page.get_by_label("Predictions").select_option("blend")
    assert page.evaluate(CHECKS) == []
    check_tabs(page)
