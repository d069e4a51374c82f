"""Every benchmark runs in its smoke mode and prints its figures; their size is for people."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import all as every
from mtdata import SOURCES
from mtdata.building.build import build
from mtmodels.methods import METHODS
from tests.paths import ROOT

NUMBER = r"(-?[\d,]+(?:\.\d+)?|nan|inf)"


def run(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--smoke", *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def figures(text: str, *around: str) -> list[float]:
    """The numbers that stand where `#` stands in these lines; each is finite and above zero."""
    found = []
    for each in around:
        pattern = NUMBER.join(map(re.escape, each.split("#")))
        matches = re.findall(pattern, text)
        assert matches, f"{each!r} is not in:\n{text}"
        for match in matches:
            groups = [match] if isinstance(match, str) else match
            numbers = [float(number.replace(",", "")) for number in groups]
            assert all(math.isfinite(number) and number > 0 for number in numbers), (each, match)
            found += numbers
    return found


def test_figures_are_refused_where_they_are_none() -> None:
    assert figures("0.500 s, 1,024 MB", "# s", "# MB") == [0.5, 1024.0]
    for broken in ("nan s", "inf s", "0.00 s", "-1 s", "some s"):
        with pytest.raises(AssertionError):
            figures(broken, "# s")


@pytest.mark.slow
def test_deep() -> None:
    found = run("data.deep")
    assert "| none | 0 | 0 | 0 |" in found
    assert "| depth 10 times | 5 | 5 | 0 |" in found
    figures(found, "seed 0: # ms an image to measure")


@pytest.mark.slow
def test_intervals() -> None:
    figures(
        run("metrics.intervals"),
        "# MB for each run of # images",
        "ten runs, five pairs of seeds: # s",
    )


@pytest.mark.slow
def test_scoring(tmp_path: Path) -> None:
    """Both ways count the same."""
    path = tmp_path / "a.h5"
    build(SOURCES["rooms"](None, images=(1, 6)), path, size=(48, 64), jobs=1)
    found = run("metrics.scoring", "--data", str(path), "--batch", "3", "--parts")
    scores = re.findall(r"^(\S+ \S+) +numpy +(\S+), ours +(\S+)$", found, re.MULTILINE)
    assert len(scores) == 11
    for name, plain, ours in scores:
        assert float(ours) == pytest.approx(float(plain), rel=1e-3, abs=2e-3), name
    figures(found, "# times as fast")
    figures(found, "# ms an image: angles of normals")


@pytest.mark.slow
def test_step() -> None:
    found = run("training.step")
    first, second = figures(found, "# s a step (median of")
    assert figures(found, "ratio #")[0] == pytest.approx(second / first, rel=0.05, abs=0.01)


@pytest.mark.slow
def test_rates() -> None:
    found = run("training.rates")
    rate = figures(found, "| product of 256x256 | float32 | 0.0336 | | # |")[0]
    rows = [
        figures(line, "| float32 | # | # | # | # |")
        for line in found.splitlines()
        if "| float32 |" in line and "product" not in line
    ]
    assert len(rows) == 5
    for operations, seconds, reached, share in rows:
        assert reached == pytest.approx(operations / seconds, rel=0.3, abs=1)
        assert share == pytest.approx(reached / rate, rel=0.3, abs=0.02)


@pytest.mark.slow
def test_gpu() -> None:
    found = run("gpu", "--device", "cpu")
    for method in METHODS:
        assert re.search(rf"^\| `{method}` \| 0.0e\+00 \| \d\.\de-\d\d \|$", found, re.MULTILINE)
    assert found.splitlines()[-1] == "all as it should be"
    figures(found, "in bf16: # T/s", "resumed and trained to step 8: # s", "* # images a second")
    figures(found, "device: # times the samples a second", "s as it is, # times as fast; # s to")


@pytest.mark.slow
def test_all() -> None:
    found = run("all", "--only", "rooms", "read", "help")
    assert found.count("## ") == 3
    assert "$ python -m benchmarks.data.read --source STORE --smoke" in found
    figures(found, "# ms a sample  ", "processes: # images/s (median)")


def test_every_command_of_all_is_a_benchmark_that_can_be_tried() -> None:
    for command in every.commands(Path("nyuv2"), Path("store.h5")).values():
        name = command.split()[0]
        assert "--smoke" in (ROOT / "benchmarks" / f"{name.replace('.', '/')}.py").read_text(
            encoding="utf-8"
        )


@pytest.mark.slow
def test_layout() -> None:
    found = run("training.layout")
    contiguous, last, ratio = figures(found, "contiguous # s, channels last # s a step, ratio #")[
        :3
    ]
    assert ratio == pytest.approx(contiguous / last, rel=0.05, abs=0.02)


@pytest.mark.slow
def test_soak(tmp_path: Path) -> None:
    found = run("soak", "--plot", str(tmp_path / "soak.png"))
    for part, unit in (("training", "steps"), ("reading", "images"), ("browsing", "answers")):
        rows = [line for line in found.splitlines() if line.startswith(f"{part} ")]
        assert [line.split("  ")[0].strip() for line in rows] == [part] * 4
        assert f"{unit} a second" in rows[-1]
    assert (tmp_path / "soak.png").stat().st_size > 10_000


def test_source_bytes() -> None:
    assert "times its bytes" in run("data.source_bytes")


def test_help() -> None:
    found = run("help")
    alone, *programs = figures(found, "# s (median of 1)")
    assert len(programs) == 3
    assert all(alone < seconds < 30 for seconds in programs)


def test_rooms() -> None:
    figures(
        run("data.rooms"), "processes: # images/s (median), # (best); # ms of processor an image"
    )


@pytest.mark.slow
def test_pairs() -> None:
    figures(
        run("training.pairs", "--part", "memory"),
        "# MB, # s a step",
        ": # times the memory, # times",
    )
    found = run("training.pairs", "--part", "step")
    assert len(figures(found, "# TFLOP a step", "# s a step")) >= 4


def test_read() -> None:
    found = run("data.read")
    figures(found, "# ms a sample  ", "two workers: # times the samples of one")
    read, shown = figures(found, "read # bytes; its images and labels have #")
    assert read == pytest.approx(shown, rel=0.5)


def test_loading() -> None:
    found = run("data.loading", "--workers", "1")
    rates = figures(found, "# samples a second; # ms of processor a sample")
    ratios = figures(found, "device: # times the samples a second (wanted 3), # times less")
    assert ratios[0] == pytest.approx(rates[2] / rates[0], rel=0.05, abs=0.02)


@pytest.mark.slow
def test_checking(tmp_path: Path) -> None:
    """What checks cost has an interval around it: raw and augmented, at first and later."""
    path = tmp_path / "a.h5"
    build(SOURCES["rooms"](None, images=(8, 1)), path, jobs=1, compression="none")
    found = run("data.checking", "--source", str(path))
    assert len(figures(found, "# ms a sample without")) == 4
    intervals = re.findall(rf"add {NUMBER} % \(95 %: {NUMBER} to {NUMBER}\)", found)
    assert len(intervals) == 4
    for added, low, high in intervals:
        assert float(low) <= float(added) <= float(high)


@pytest.mark.real
@pytest.mark.slow
def test_build(shared: Path) -> None:
    found = run("data.build", "--source", str(shared / "data" / "nyuv2"))
    figures(found, "one job takes # (median of rounds")


@pytest.mark.slow
def test_edges() -> None:
    assert "images/s" in run("metrics.edges", "--jobs", "2")
    assert "a flow" in run("metrics.edges", "--matchers")


def test_memory() -> None:
    found = run("data.memory")
    figures(found, "jobs: # MiB")
    assert re.search(r"grows by -?\d+ bytes an image from \d+ to \d+", found)


@pytest.mark.real
@pytest.mark.slow
def test_size(shared: Path) -> None:
    found = figures(run("data.size", "--source", str(shared / "data" / "nyuv2")), "ratio #")
    assert all(ratio < 1 for ratio in found)


def test_regimes() -> None:
    in_place, copied = figures(run("data.regimes"), "# bytes written")
    assert in_place < copied / 2


def test_million() -> None:
    # Of few images what is there once counts most: the larger store takes less an image.
    few, more, shards = figures(run("data.million"), "# bytes an image")
    assert more < few
    assert shards < few


@pytest.mark.slow
def test_networks(tmp_path: Path) -> None:
    names = ["unet-resnet18"]
    plot = tmp_path / "networks.png"
    found = run("training.networks", "--networks", *names, "--plot", str(plot))
    for name in names:
        figures(found, f"| `{name}` | # | # | # | # |")
    assert plot.stat().st_size > 5000


@pytest.mark.slow
def test_weightings() -> None:
    found = run("training.weightings", "--weightings", "adamt", "pcgrad")
    assert figures(found, "| `equal` | # | # |")[1] == 1
    # Back once for each of three tasks, and adamt as an aggregator once for what only one reaches.
    assert [figures(found, f"| `{name}` | # | # |")[0] for name in ("adamt", "pcgrad, last")] == [
        4,
        4,
    ]


@pytest.mark.slow
def test_browse() -> None:
    found = run("data.browse")
    figures(found, "# images: # s from the command", "first page of keys: # ms", "thumbnail: # ms")
    before, after = figures(found, "memory: # MB after 1,000 images, # MB after")
    assert after < before + 20
