"""`mtdata browse` on a store of a hundred thousand images: start, first grid, scrolling, memory.

Frames are those of a real browser that scrolls through the whole list; without one (playwright and
chromium) the figures of the server alone are told.

    python -m benchmarks.data.browse [--images 100000] [--smoke]
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.data.million import write
from benchmarks.machine import describe

PAGE = 200
SCROLL = """async ([seconds]) => {
  const scroller = document.getElementById("scroller");
  const frames = [], end = performance.now() + 1000 * seconds;
  const step = scroller.scrollHeight / (60 * seconds);
  let last = performance.now();
  await new Promise((done) => {
    const tick = (now) => {
      frames.push(now - last);
      last = now;
      scroller.scrollTop += step;
      if (now < end) requestAnimationFrame(tick);
      else done();
    };
    requestAnimationFrame(tick);
  });
  return frames.slice(1);
}"""
GRID = "#tiles img[src]"
LOADED = f"""() => {{
  const found = [...document.querySelectorAll("{GRID}")];
  return found.length > 3 && found.every((each) => each.complete && each.naturalWidth);
}}"""


def get(connection: HTTPConnection, where: str) -> bytes:
    """One answer of the server."""
    connection.request("GET", where)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{where}: {answer.status} {content[:200]!r}")
    return content


def resident(process: subprocess.Popen[str]) -> float:
    """MB that a process has in memory."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1000


def server(path: Path) -> tuple[subprocess.Popen[str], str, float]:
    """Start it; the address, and the seconds until it answered."""
    code = (
        f"import sys; sys.argv = ['mtdata', 'browse', {str(path)!r}, '--no-open', '--port', '0',"
        "'--quiet']; from cli.mtdata import main; main()"
    )
    since = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    get(HTTPConnection(urlsplit(address).netloc), "/")
    return process, address, time.perf_counter() - since


def lists(address: str, images: int) -> Iterator[str]:
    """How long the server takes for lists and pictures."""
    connection = HTTPConnection(urlsplit(address).netloc)
    asked = {
        "first page of keys": "",
        "another page": f"&start={images // 2}",
        "filter by labels and text": "&regime=one&hidden=depth&text=99",
        "order by key": "&sort=key&down=1",
    }
    for name, more in asked.items():
        since = time.perf_counter()
        get(connection, f"/api/images?count={PAGE}{more}")
        yield f"{name}: {1e3 * (time.perf_counter() - since):.1f} ms"
    times = []
    for index in range(100):
        since = time.perf_counter()
        key = f"{index * (images // 100):07}"
        get(connection, f"/picture?split=train&key={key}&what=photo&size=small")
        times.append(time.perf_counter() - since)
    yield f"a thumbnail: {1e3 * statistics.median(times):.1f} ms (median of 100)"


def walk(address: str, images: int, process: subprocess.Popen[str]) -> Iterator[str]:
    """What the server has in memory before and after looking at very many images."""
    connection = HTTPConnection(urlsplit(address).netloc)

    def turn(begin: int) -> float:
        for start in range(begin, images, max(1, images // 50)):
            get(connection, f"/api/images?start={start}&count={PAGE}&regime=one")
            for index in range(start, min(start + 20, images)):
                given = f"split=train&key={index:07}&size=small"
                get(connection, f"/picture?{given}&what=photo")
                get(connection, f"/picture?{given}&what=depth")
        return resident(process)

    first, second = turn(0), turn(1)
    yield f"memory: {first:.1f} MB after 1,000 images, {second:.1f} MB after 1,000 others"


def frames(address: str, seconds: float) -> Iterator[str]:
    """First grid and scrolling in a browser."""
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        browser = None
    if browser is None:
        yield "no browser: frames were not measured"
        return
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 1280, "height": 800})
        since = time.perf_counter()
        page.goto(address)
        while not page.evaluate(LOADED):
            time.sleep(0.02)
        yield f"first grid, all pictures in sight: {time.perf_counter() - since:.2f} s"
        found = sorted(page.evaluate(SCROLL, [seconds]))
        late = found[int(0.99 * len(found))]
        yield (
            f"scrolling through all in {seconds:g} s: {len(found)} frames, median "
            f"{statistics.median(found):.1f} ms, 99 in 100 below {late:.1f} ms, "
            f"longest {found[-1]:.1f} ms"
        )
        opened.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--smoke", action="store_true", help="two thousand images")
    arguments = parser.parse_args()
    images = 2_000 if arguments.smoke else arguments.images
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.h5"
        write(path, images, filled=images)
        print(describe())
        process, address, seconds = server(path)
        try:
            print(f"{images:,} images: {seconds:.2f} s from the command to the first answer")
            for line in lists(address, images):
                print(line)
            for line in frames(address, 2 if arguments.smoke else 10):
                print(line)
            for line in walk(address, images, process):
                print(line)
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
