"""Commands on a mount that nobody can write, and on a store of very many images."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.data.million import write
from tests.paths import ROOT
from tests.stores.fakes import fake_store

MOUNT = "mount --bind {0} {0} && mount -o remount,ro,bind {0} && "
COMMANDS = {
    "build": (["build", "--dataset", "rooms", "--images", "2,1", "-o", "{0}/new.h5"],
              "should be writable; found: read-only file system"),
    "regime add": (["regime", "add", "{0}/fake.h5", "--kind", "random"],
                   "should be writable; found: read-only file system"),
    "info": (["info", "{0}/fake.h5"], ""),
    "verify": (["verify", "{0}/fake.h5"], ""),
}  # fmt: skip


def _mtdata(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.argv = {['mtdata', *arguments]!r}; from cli.mtdata import main; main()"
    command = [sys.executable, "-c", code]
    if before:
        command = ["unshare", "-m", "sh", "-c", before + 'exec "$0" "$@"', *command]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_mount_that_is_read_only(tmp_path: Path, name: str) -> None:
    mount = MOUNT.format(tmp_path)
    probe = ["unshare", "-m", "sh", "-c", f"{mount}! touch {tmp_path}/x 2> /dev/null"]
    if (
        not shutil.which("unshare")
        or subprocess.run(probe, capture_output=True, check=False).returncode
    ):
        pytest.skip("this user may not mount a folder read-only")
    fake_store(tmp_path)
    arguments, told = COMMANDS[name]
    done = _mtdata(*(word.format(tmp_path) for word in arguments), before=mount)
    said = " ".join(done.stderr.split())
    assert done.returncode == (1 if told else 0), said
    assert told in said
    assert "Traceback" not in said


def test_a_hundred_thousand_images(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path, 100_000)
    listed = _mtdata("keys", str(path))
    assert listed.stdout.split() == [f"{number:07}" for number in range(100_000)]
    assert _mtdata("regime", "add", str(path), "--kind", "random").returncode == 0
    split = json.loads(_mtdata("info", str(path), "--json").stdout)["splits"]["train"]
    assert split["images"] == 100_000
    assert split["regimes"]["random"]["labels"]["depth"] > 0
    some = json.loads(_mtdata("stats", str(path), "--limit", "20", "--json").stdout)
    assert some["splits"]["train"]["images"] == 20
