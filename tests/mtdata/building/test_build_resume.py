"""A build that ends early can be continued, and ends in the same store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtdata.building import request
from mtdata.building.build import RegimeSpec, build
from mtdata.building.journal import difference
from mtdata.building.target import partial_path
from mtdata.errors import DataError, SampleError, UsageError
from mtdata.inspecting.verify import verify
from mtdata.sources.folder.source import Folder
from mtdata.tasks.sample import Sample
from tests.quick import few
from tests.stores.fakes import FakeSource, Interrupted, stop_after
from tests.trees.folder import KEYS, depth, save, write_folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "a.h5"


def interrupt(out: Path, samples: int) -> None:
    with pytest.raises(Interrupted):
        build(FakeSource(), out, progress=stop_after(samples))


@pytest.mark.parametrize("samples", [1, 4, 9])
def test_resume_after_an_interruption(out: Path, tmp_path: Path, samples: int) -> None:
    whole = build(FakeSource(), tmp_path / "whole.h5")
    interrupt(out, samples)
    assert not out.exists()
    assert partial_path(out).exists()
    summary = build(FakeSource(), out, mode="resume")
    assert (summary.resumed, summary.changed) == (samples, 0)
    assert summary.content_digest == whole.content_digest
    assert verify(out).ok
    assert not partial_path(out).exists()


def test_resume_starts_where_there_is_none(out: Path) -> None:
    assert build(FakeSource(), out, mode="resume").resumed == 0


def test_resume_of_a_whole_store_changes_nothing(out: Path) -> None:
    specs = [RegimeSpec("one")]
    build(FakeSource(), out, regimes=specs)
    before = out.read_bytes()
    summary = build(FakeSource(), out, regimes=specs, mode="resume")
    assert summary.resumed == 9
    assert out.read_bytes() == before
    assert [file.name for file in out.parent.iterdir()] == ["a.h5"]


def test_resume_of_a_whole_store_with_other_wishes(out: Path) -> None:
    build(FakeSource(), out)
    with pytest.raises(UsageError, match="limit is null there and 2 now"):
        build(FakeSource(), out, limit=2, mode="resume")
    with pytest.raises(UsageError, match=r"tasks is .* there and depth now"):
        build(FakeSource(), out, tasks=["depth"], mode="resume")
    with pytest.raises(UsageError, match="has no regime 'one'"):
        build(FakeSource(), out, regimes=[RegimeSpec("one")], mode="resume")


class Changing(FakeSource):
    """A source whose second image is another one from some time on."""

    salt = ""

    def rng(self, split: str, key: str) -> np.random.Generator:
        return super().rng(split, key + self.salt if key == "0002" else key)

    def fingerprint(self, split: str, key: str) -> bytes:
        return super().fingerprint(split, key + self.salt if key == "0002" else key)


def test_sample_that_changed_meanwhile_is_done_again(out: Path, tmp_path: Path) -> None:
    source = Changing()
    with pytest.raises(Interrupted):
        build(source, out, progress=stop_after(4))
    source.salt = "x"
    summary = build(source, out, mode="resume")
    assert (summary.resumed, summary.changed) == (4, 1)
    assert summary.content_digest == build(source, tmp_path / "b.h5").content_digest
    source.salt = "y"
    with pytest.raises(DataError, match="source has changed since"):
        build(source, out, mode="resume")


def test_partial_build_with_other_options_is_refused(out: Path) -> None:
    interrupt(out, 3)
    with pytest.raises(UsageError, match=r"size is \[12, 16\] there and \[6, 8\] now"):
        build(FakeSource(), out, size=(6, 8), mode="resume")
    with pytest.raises(UsageError, match="seed is null there and 3 now"):
        build(FakeSource(seed=3), out, mode="resume")
    assert build(FakeSource(), out, mode="resume").resumed == 3


def test_no_build_continues_what_another_version_prepared(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(out, 3)
    now = request.PREPARATION
    monkeypatch.setattr(request, "PREPARATION", now + 1)
    said = rf"version in which mtdata.* {now} there and {now + 1} now.*--overwrite"
    with pytest.raises(UsageError, match=said):
        build(FakeSource(), out, mode="resume")
    monkeypatch.undo()
    assert build(FakeSource(), out, mode="resume").resumed == 3
    monkeypatch.setattr(request, "PREPARATION", now + 1)
    with pytest.raises(UsageError, match=r"is complete.*version in which mtdata"):
        build(FakeSource(), out, mode="resume")


class Rewriting(Folder):
    """A folder in which somebody writes a label while its image is read for the first time."""

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        sample = super().read(split, key, tasks)
        path = self.locate(split, key, "depth")
        if key == KEYS[2] and not (self.home / "done").exists():
            (self.home / "done").touch()
            save(Path(path), depth(7))
        return sample

    @property
    def home(self) -> Path:
        assert self.root is not None
        return self.root.parent


@pytest.mark.parametrize("jobs", [1, 2])
def test_source_that_changes_while_it_is_read(out: Path, tmp_path: Path, jobs: int) -> None:
    source = Rewriting(write_folder(tmp_path / "mine"))
    said = rf"depth/.*{KEYS[2]}\.png: should stay as it is while its image is read.*--resume"
    with pytest.raises(SampleError, match=said):
        build(source, out, jobs=jobs)
    assert not out.exists()
    summary = build(source, out, mode="resume", jobs=jobs)
    wanted = build(Folder(tmp_path / "mine"), tmp_path / "b.h5")
    assert summary.content_digest == wanted.content_digest


def test_new_refuses_what_is_there(out: Path) -> None:
    interrupt(out, 2)
    with pytest.raises(UsageError, match=r"not finished.*--resume.*--overwrite"):
        build(FakeSource(), out)
    build(FakeSource(), out, mode="resume")
    before = out.read_bytes()
    with pytest.raises(UsageError, match=r"is a file.*--overwrite"):
        build(FakeSource(seed=1), out)
    assert out.read_bytes() == before
    with pytest.raises(UsageError, match="is a folder"):
        build(FakeSource(), out.parent, mode="overwrite")


def test_overwrite_keeps_the_old_store_until_the_new_one_is_whole(out: Path) -> None:
    old = build(FakeSource(), out).content_digest
    before = out.read_bytes()
    with pytest.raises(Interrupted):
        build(FakeSource(seed=1), out, mode="overwrite", progress=stop_after(5))
    assert out.read_bytes() == before
    summary = build(FakeSource(seed=1), out, mode="resume")
    assert summary.resumed == 5
    assert summary.content_digest != old


def test_two_builds_of_one_target(out: Path) -> None:
    def second(done: int, total: int, what: str) -> None:
        with pytest.raises(UsageError, match="another process"):
            build(FakeSource(), out, mode="resume")
        raise Interrupted

    with pytest.raises(Interrupted):
        build(FakeSource(), out, progress=second)


OPTIONS: dict[str, Any] = {"images": (2, 1), "sizes": ((3, 4),), "missing": 0}


def killed_after(out: Path, samples: int) -> dict[str, bytes]:
    """The files that a kill leaves after so many samples."""
    found = {}

    def copy(done: int, total: int, what: str) -> None:
        if done == samples:
            found.update({file.name: file.read_bytes() for file in out.parent.iterdir()})
            raise Interrupted

    with pytest.raises(Interrupted):
        build(FakeSource(**OPTIONS), out, size=None, progress=copy)
    partial_path(out).unlink()
    return found


@pytest.mark.parametrize("suffix", few(["", "-wal"], ["-wal"]))
def test_cut_off_anywhere(out: Path, tmp_path: Path, suffix: str) -> None:
    """A torn tail, as a kill or a full disk leaves it, and a database that lost its end."""
    wanted = build(FakeSource(**OPTIONS), tmp_path / "b.h5", size=None).content_digest
    (tmp_path / "b.h5").unlink()
    if suffix:
        left = killed_after(out, 2)
    else:
        with pytest.raises(Interrupted):
            build(FakeSource(**OPTIONS), out, size=None, progress=stop_after(2))
        left = {partial_path(out).name: partial_path(out).read_bytes()}
    cut_off = partial_path(out).name + suffix
    resumed = set()
    for cut in np.linspace(0, len(left[cut_off]) - 1, 25).astype(int):
        for name, content in left.items():
            out.with_name(name).write_bytes(content[:cut] if name == cut_off else content)
        summary = build(FakeSource(**OPTIONS), out, size=None, mode="resume")
        assert summary.content_digest == wanted
        resumed.add(summary.resumed)
        assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]
        out.unlink()
    assert resumed == {0, 1}


def test_what_a_kill_leaves_is_whole(out: Path) -> None:
    for name, content in killed_after(out, 2).items():
        out.with_name(name).write_bytes(content)
    assert build(FakeSource(**OPTIONS), out, size=None, mode="resume").resumed == 2


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_overwritten_in_the_middle(out: Path, tmp_path: Path, share: float) -> None:
    wanted = build(FakeSource(), tmp_path / "b.h5").content_digest
    interrupt(out, 9)
    content = bytearray(partial_path(out).read_bytes())
    place = int(len(content) * share)
    content[place : place + 32768] = bytes(range(256)) * 128
    partial_path(out).write_bytes(content)
    summary = build(FakeSource(), out, mode="resume")
    assert summary.content_digest == wanted
    assert summary.resumed < 9


def test_kill_between_rename_and_clean_up(out: Path) -> None:
    """Store and journal both whole: the next build ends well and cleans up."""
    interrupt(out, 9)
    journal = partial_path(out).read_bytes()
    first = build(FakeSource(), out, mode="resume")
    partial_path(out).write_bytes(journal)
    assert build(FakeSource(), out, mode="resume").content_digest == first.content_digest
    assert not partial_path(out).exists()


def test_left_over_temporary_file_is_no_hindrance(out: Path) -> None:
    out.with_name("a.h5.0123abcd.tmp").write_bytes(b"half a store")
    build(FakeSource(), out)
    assert [file.name for file in out.parent.iterdir()] == ["a.h5"]


def test_what_differs_in_a_description_is_named_by_its_path() -> None:
    def identity(void: list[int], names: list[str], **more: Any) -> dict[str, Any]:
        masks = {"kind": "classes", "void": void, "classes": {name: [0, 0, 0] for name in names}}
        description = {"images": "a/{stem}.png", "tasks": {"masken": masks}}
        return {
            "dataset": "folder",
            "options": {"source": {"description": description}, "size": None, **more},
            "tasks": [{"name": "masken", "kind": "classes", "names": names}],
        }

    before = identity([255], ["wall", "floor"])
    said = difference(before, identity([255, 7], ["wall", "floor"], limit=2))
    assert said.split("; ") == [
        "tasks.masken.void is [255] there and [255, 7] now",
        "limit is null there and 2 now",
    ]
    # The keys of a description have no order in a store; those of the task have.
    said = difference(before, identity([255], ["floor", "wall"]))
    assert said == ('tasks.masken.names is ["wall", "floor"] there and ["floor", "wall"] now')
    long = [f"class number {number}" for number in range(100)]
    said = difference(identity([255], long), identity([255], [*long[:-1], "x" * 200]))
    assert "tasks.masken.classes.class number 99 is [0, 0, 0] there and null now" in said
    assert len(said) < 400
