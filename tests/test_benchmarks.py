"""Every benchmark runs in its smoke mode; what it measures is for people, not for a test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT


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


def test_step() -> None:
    assert "ratio" in run("step")


def test_layout() -> None:
    assert "channels last" in run("layout")


def test_help() -> None:
    assert "mttrain --help" in run("help")


def test_rooms() -> None:
    assert "images/s" in run("rooms")


def test_pairs() -> None:
    found = run("pairs", "--part", "memory")
    assert "times the memory" in found
    assert "one pass" in run("pairs", "--part", "step")


def test_read() -> None:
    assert "two workers" in run("read")


@pytest.mark.real
def test_build(shared: Path) -> None:
    assert "times the bare work" in run("build", "--source", str(shared / "data" / "nyuv2"))


def test_edges() -> None:
    assert "images/s" in run("edges", "--jobs", "2")
    assert "a flow" in run("edges", "--matchers")


def test_memory() -> None:
    assert "bytes an image" in run("memory")


@pytest.mark.real
def test_size(shared: Path) -> None:
    assert "ratio 0." in run("size", "--source", str(shared / "data" / "nyuv2"))
