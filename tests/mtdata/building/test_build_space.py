"""Disks that are too small or fill up: told early, nothing half-written, continued with room."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mtdata.building.build import build, plan
from mtdata.errors import MtdataError
from mtdata.inspecting.verify import verify
from tests.paths import ROOT
from tests.stores.fakes import FakeSource

SOURCE = FakeSource(images=(40, 10), missing=0)


def test_too_little_room_is_told_after_a_few_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, seen = tmp_path / "a.h5", list[int]()
    small = SimpleNamespace(total=10**9, used=10**9, free=20_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: small)
    with pytest.raises(MtdataError, match=r"should have room .* 0\.0 MB are left") as caught:
        build(SOURCE, out, progress=lambda done, *_: seen.append(done))
    assert max(seen) == 15
    assert caught.value.exit_code == 1
    assert "--resume" in str(caught.value)
    with pytest.raises(MtdataError, match="should have room"):
        build(SOURCE, out, mode="resume")
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5.partial"]
    monkeypatch.undo()
    assert build(SOURCE, out, mode="resume").resumed >= 16


def test_a_plan_tells_what_the_disk_must_hold(tmp_path: Path) -> None:
    planned = plan(SOURCE, tmp_path / "new" / "folder" / "a.h5")
    assert planned.peak == 2 * planned.bytes
    assert planned.free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    assert list(tmp_path.iterdir()) == []


FULL = """
import os, sys
from pathlib import Path
from mtdata.building.build import build
from mtdata.errors import MtdataError
from mtdata.inspecting.verify import verify
from tests.stores.fakes import FakeSource

folder, when = Path(sys.argv[1]), sys.argv[2]
out, ballast = folder / "a.h5", folder / "ballast"
source = FakeSource(images=(40, 10), missing=0)


def fill_up(done, total, what):
    # Somebody else takes the rest of the disk: in the middle, or when all samples are there.
    if done == (25 if when == "journal" else total) and not ballast.exists():
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass


try:
    build(source, out, progress=fill_up)
except MtdataError as error:
    print(error.exit_code, error)
print(sorted(file.name for file in folder.iterdir()))
ballast.unlink()
summary = build(source, out, mode="resume")
print(summary.resumed, summary.content_digest, verify(out).ok)
print(sorted(file.name for file in folder.iterdir()))
"""

MOUNT = 'mount -t tmpfs -o size=2m none "$1" && exec "$2" -c "$3" "$1" "$4"'
"""In a namespace of its own, which takes the mount away when it ends."""


@pytest.mark.parametrize("when", ["journal", "store"])
def test_a_disk_that_fills_up(tmp_path: Path, when: str) -> None:
    """A real one, of two megabytes."""
    command = ["unshare", "--mount", "--user", "--map-root-user", "sh", "-c"]
    try:
        trial = [*command, 'mount -t tmpfs none "$1"', "sh", str(tmp_path)]
        subprocess.run(trial, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system lets nobody mount a small disk")
    done = subprocess.run(
        [*command, MOUNT, "sh", str(tmp_path), sys.executable, FULL, when],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    error, left, resumed, right = done.stdout.splitlines()
    assert error.startswith("1 The disk of")
    assert "is full: about" in error
    assert "--resume" in error
    assert left.replace(" 'a.h5.partial-wal',", "") == "['a.h5.partial', 'ballast']"
    wanted = build(SOURCE, tmp_path / "b.h5")
    assert verify(tmp_path / "b.h5").ok
    assert int(resumed.split()[0]) in (range(25, 30) if when == "journal" else [50])
    assert resumed.split()[1:] == [wanted.content_digest, "True"]
    assert right == "['a.h5']"
