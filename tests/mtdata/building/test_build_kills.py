"""Builds that are killed, at any moment and again while they resume, end in the same store."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mtdata.building.build import build
from mtdata.inspecting.verify import verify
from tests.paths import ROOT
from tests.quick import few
from tests.stores.fakes import SlowSource

SCRIPT = """
import sys, time
from pathlib import Path
from mtdata.building.build import build
from tests.stores.fakes import SlowSource

def slowly(*what):
    print(*what, flush=True)
    if what[2] == "writing the store":
        time.sleep(0.01)

if __name__ == "__main__":
    print("ready", flush=True)
    summary = build(SlowSource(images=(20, 10)), Path(sys.argv[1]), jobs=int(sys.argv[2]),
                    mode="resume", progress=slowly)
    print("done", summary.content_digest)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of a build that nobody disturbs."""
    out = tmp_path_factory.mktemp("whole") / "a.h5"
    return build(SlowSource(images=(20, 10), pause=0), out).content_digest


def start(script: Path, out: Path, jobs: int) -> "subprocess.Popen[str]":
    """Start or resume the build; it is past its imports when this returns."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(script), str(out), str(jobs)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(script: Path, out: Path, jobs: int) -> tuple[str, float]:
    """Let the build end; returns its digest and how long it took."""
    process, began = start(script, out, jobs), time.perf_counter()
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return text.split()[-1], time.perf_counter() - began


def kill(script: Path, out: Path, jobs: int, wait: float) -> None:
    """Start or resume the build and kill it so many seconds later."""
    process = start(script, out, jobs)
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if out.exists():
        assert verify(out).ok


def check_end(script: Path, out: Path, jobs: int, wanted: str) -> None:
    """Resume to the end: the same store, and nothing else is left."""
    assert finish(script, out, jobs)[0] == wanted
    assert verify(out).ok
    assert sorted(file.name for file in out.parent.iterdir()) == [out.name, script.name]
    out.unlink()


WAITS = [(1, (0.1, 0.25, 0.4)), (2, (0.9, 0.3))]


@pytest.mark.parametrize(("jobs", "waits"), few(WAITS, WAITS[1:]))
def test_killed_builds_end_in_the_same_store(
    tmp_path: Path, script: Path, wanted: str, jobs: int, waits: Sequence[float]
) -> None:
    """Five kills; all but the first of each are while the build resumes."""
    for wait in waits:
        kill(script, tmp_path / "a.h5", jobs, wait)
    check_end(script, tmp_path / "a.h5", jobs, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_fifty_random_moments(tmp_path: Path, script: Path, wanted: str, jobs: int) -> None:
    """Each from the start of a build to its end; every third resume is killed as well."""
    out = tmp_path / "a.h5"
    _, whole = finish(script, out, jobs)
    out.unlink()
    rng = np.random.default_rng(jobs)
    for number, wait in enumerate(rng.uniform(0, whole, 50)):
        kill(script, out, jobs, wait)
        if number % 3 == 0:
            kill(script, out, jobs, rng.uniform(0, whole))
        check_end(script, out, jobs, wanted)
