"""Bad samples, full disks and targets that cannot be: one paragraph, and no half-written store."""

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtdata import atomic
from mtdata.building import assemble, journal
from mtdata.building.build import build
from mtdata.building.target import Mode
from mtdata.errors import DataError, MtdataError, SampleError, UsageError
from mtdata.inspecting.verify import verify
from mtdata.tasks.sample import Sample
from tests.paths import ROOT
from tests.stores.fakes import BrokenSource, FakeSource, Interrupted, stop_after


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "a.h5"


class Given(FakeSource):
    """What it reads has a part of another form, whatever its types say."""

    def __init__(self, changes: Mapping[str, Any], role: Any = "train") -> None:
        super().__init__(missing=0)
        self.changes, self.role = changes, role

    def roles(self) -> Any:
        return {"train": self.role, "test": "test"}

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        sample = super().read(split, key, tasks)
        for field, change in self.changes.items():
            object.__setattr__(sample, field, change(getattr(sample, field)))
        return sample


def as_numbers(masks: Mapping[str, Any]) -> dict[str, Any]:
    return {name: mask.astype(np.uint8) for name, mask in masks.items()}


@pytest.mark.parametrize(
    ("field", "change", "said"),
    [
        ("image", lambda x: x[..., 0], r"uint8 [h, w, 3]; found uint8 [24, 32]"),
        ("image", lambda x: x / np.float32(255), "found float32 [24, 32, 3]"),
        ("image", lambda x: x[..., :1], "found uint8 [24, 32, 1]"),
        ("valid", as_numbers, "validity of `semantic` should be bool [h, w]; found uint8"),
    ],
)
def test_a_sample_of_another_form_is_named(out: Path, field: str, change: Any, said: str) -> None:
    with pytest.raises(SampleError, match="Correct or remove") as caught:
        build(Given({field: change}), out)
    assert said in str(caught.value)
    assert "train/0001" in str(caught.value)
    assert not out.exists()


def test_a_fingerprint_that_is_no_bytes_is_named(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeSource, "fingerprint", lambda *_: "text")
    with pytest.raises(SampleError, match=r"fingerprint of train/0001 should be bytes.*found str"):
        build(FakeSource(), out)


@pytest.mark.parametrize("role", ["training", None])
def test_a_role_that_is_none_is_refused_before_anything_is_read(out: Path, role: Any) -> None:
    with pytest.raises(DataError, match=f"one of train, val, test; fake gives `train`.*{role!r}"):
        build(Given({}, role), out)
    assert not list(out.parent.iterdir())


def test_a_store_that_cannot_be_opened_does_not_take_its_name(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, *_: Any, **__: Any) -> str:
        path.write_bytes(b"no store")
        return ""

    monkeypatch.setattr(assemble, "write_store", broken)
    with pytest.raises(DataError):
        build(FakeSource(), out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("fault", "task", "said"),
    [
        ("class", "semantic", "class ids should be 0..4; found 5..5"),
        ("depth", "depth", "depth should be 0.001..65.535 metres; found 99"),
        ("NaN", "disparity", "found NaN"),
        ("length", "normals", "normals should have unit length"),
        ("binary", "saliency", "values should be 0 or 1; found 7..7"),
        ("size", "rgb", "label `semantic` should have the size of its image, 24x32; found 3x3"),
        ("unreadable", "rgb", "Permission denied"),
        ("bare", "rgb", "should have at least one label"),
        ("void", "rgb", "none with a valid pixel"),
    ],
)
def test_bad_sample_is_named(out: Path, fault: str, task: str, said: str) -> None:
    with pytest.raises(SampleError) as caught:
        build(BrokenSource(fault=fault, missing=0), out)
    text = str(caught.value)
    assert said in text
    assert f"/data/{task}/0003.png" in text
    assert "train/0003" in text
    assert "\n" not in text
    assert caught.value.exit_code == DataError.exit_code
    assert not out.exists()
    assert [file.name for file in out.parent.iterdir()] == ["a.h5.partial"]


def test_error_crosses_from_a_worker(out: Path) -> None:
    with pytest.raises(SampleError, match=r"/data/semantic/0003\.png: label `semantic` of train"):
        build(BrokenSource(fault="class", missing=0), out, jobs=2)
    assert [file.name for file in out.parent.iterdir()] == ["a.h5.partial"]


def test_mended_source_is_resumed(out: Path) -> None:
    class Mended(BrokenSource):
        """The same source, its fault put right."""

        def read(self, *what: object) -> object:  # type: ignore[override]
            return FakeSource.read(self, *what)  # type: ignore[arg-type]

    with pytest.raises(SampleError):
        build(BrokenSource(fault="class", missing=0), out)
    assert build(Mended(fault="class", missing=0), out, mode="resume").resumed == 8


def test_worker_that_is_killed(out: Path) -> None:
    with pytest.raises(MtdataError, match=r"worker process ended.*--resume"):
        build(BrokenSource(fault="exit"), out, jobs=2)
    assert not out.exists()


def test_disk_full_while_samples_are_kept(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FakeSource(images=(30, 10), missing=0)
    monkeypatch.setattr(journal, "PRAGMAS", (*journal.PRAGMAS, "max_page_count = 5"))
    with pytest.raises(MtdataError, match=r"is full: about .* MB are needed and .* MB are left"):
        build(source, out)
    assert [file.name for file in out.parent.iterdir()] == ["a.h5.partial"]
    monkeypatch.undo()
    summary = build(source, out, mode="resume")
    assert 0 < summary.resumed < 40
    assert verify(out).ok


def test_disk_full_while_the_store_is_written(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic, "_reserve", full)
    with pytest.raises(MtdataError, match="is full"):
        build(FakeSource(), out)
    assert [file.name for file in out.parent.iterdir()] == ["a.h5.partial"]
    monkeypatch.undo()
    assert build(FakeSource(), out, mode="resume").resumed == 9


LIMITED = """
import resource, sys
from pathlib import Path
from mtdata.building.build import build
from mtdata.errors import MtdataError
from mtdata import atomic
from tests.stores.fakes import FakeSource
if sys.argv[3] == "late":
    atomic._reserve = lambda path, size: None

def limit(done, total, what):
    if sys.argv[3] == "early" or what == "writing the store":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)

try:
    build(FakeSource(images=(12, 6), missing=0), Path(sys.argv[1]), progress=limit)
except MtdataError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def limited(out: Path, size: int, when: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(out), str(size), when],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


@pytest.mark.parametrize(
    ("when", "share"),
    [("early", 0.5), ("late", 0.02), ("late", 0.3), ("late", 0.5), ("late", 0.54)],
)
def test_system_that_writes_no_more(out: Path, when: str, share: float) -> None:
    """A real limit of the system: while the journal grows, and wherever HDF5 has got to."""
    source = FakeSource(images=(12, 6), missing=0)
    with pytest.raises(Interrupted):
        build(source, out, progress=stop_after(18))
    size = out.with_name("a.h5.partial").stat().st_size
    out.with_name("a.h5.partial").unlink()
    done = limited(out, int(size * share), when)
    assert done.returncode == 1, done.stderr
    assert "is full" in done.stdout
    assert done.stdout.count("\n") == 1
    left = {file.name for file in out.parent.iterdir()}
    assert left - {"a.h5.partial-wal"} == {"a.h5.partial"}
    summary = build(source, out, mode="resume")
    assert 0 < summary.resumed <= 18
    assert verify(out).ok


def test_target_that_cannot_be(out: Path) -> None:
    out.write_text("a file")
    with pytest.raises(MtdataError, match="should be writable") as caught:
        build(FakeSource(), out / "b.h5")
    assert "--out" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(MtdataError, match="permission denied"):
        build(FakeSource(), tmp_path / "a.h5")


def test_partial_file_that_is_something_else(out: Path) -> None:
    out.with_name("a.h5.partial").write_text("my own notes")
    for mode in ("resume", "overwrite"):
        with pytest.raises(UsageError, match="another kind of file"):
            build(FakeSource(), out, mode=mode)
    assert out.with_name("a.h5.partial").read_text() == "my own notes"


@pytest.mark.parametrize("mode", ["resume", "overwrite"])
def test_partial_build_of_an_earlier_version(out: Path, mode: Mode) -> None:
    """It was no database: refused in words, and replaced only where that is asked for."""
    before = b"mtdata partial build 1\n" + bytes(100)
    out.with_name("a.h5.partial").write_bytes(before)
    if mode == "resume":
        with pytest.raises(UsageError, match=r"of an earlier version of mtdata.*--overwrite"):
            build(FakeSource(), out, mode=mode)
        assert out.with_name("a.h5.partial").read_bytes() == before
    else:
        assert build(FakeSource(), out, mode=mode).resumed == 0
        assert [file.name for file in out.parent.iterdir()] == ["a.h5"]


def test_a_database_of_somebody_else(out: Path) -> None:
    with closing(sqlite3.connect(out.with_name("a.h5.partial"))) as database:
        database.execute("CREATE TABLE notes (text TEXT)")
    for mode in ("resume", "overwrite"):
        with pytest.raises(UsageError, match="another kind of file"):
            build(FakeSource(), out, mode=mode)
    with closing(sqlite3.connect(out.with_name("a.h5.partial"))) as database:
        assert database.execute("SELECT count(*) FROM notes").fetchone() == (0,)


def test_a_flipped_bit_costs_the_sample_that_it_is_in(out: Path, tmp_path: Path) -> None:
    source, partial = FakeSource(missing=0), out.with_name("a.h5.partial")
    with pytest.raises(Interrupted):
        build(source, out, progress=stop_after(9))
    with closing(sqlite3.connect(partial)) as database:
        (chunks,) = database.execute("SELECT chunks FROM sample WHERE place = 3").fetchone()
    content = bytearray(partial.read_bytes())
    content[content.index(chunks[:64])] ^= 1
    partial.write_bytes(content)
    summary = build(source, out, mode="resume")
    assert (summary.resumed, summary.changed) == (8, 0)
    assert summary.content_digest == build(source, tmp_path / "b.h5").content_digest


def test_unknown_errors_are_not_hidden(out: Path) -> None:
    with pytest.raises(RuntimeError, match="mine"), atomic.disk_errors(out):
        raise RuntimeError("mine")
    with pytest.raises(OSError, match="Interrupted"), atomic.disk_errors(out):
        raise OSError(errno.EINTR, "Interrupted")
