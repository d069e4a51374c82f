"""A run folder is refused, continued or replaced; nothing else is ever deleted."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from mtdata.errors import DataError
from mtdata.inspecting.figures import save
from mtmodels.errors import FullDiskError, RunFolderError
from mtmodels.training.record.manifest import command_line, manifest, without_home
from mtmodels.training.record.runfolder import (
    FORMAT,
    Mode,
    RunFolder,
    room_for,
    write_bytes,
    write_json,
)
from mtmodels.training.record.runlog import RunLog, read_rows


def make_run(path: Path) -> RunFolder:
    folder = RunFolder(path)
    folder.create()
    write_json(folder.manifest, {"format": FORMAT})
    folder.config.write_text("epochs: 1\n")
    folder.predictions.mkdir()
    (folder.predictions / "a.png").write_bytes(b"")
    return folder


def test_a_new_or_empty_folder_is_taken(tmp_path: Path) -> None:
    modes: tuple[Mode, ...] = ("new", "resume", "overwrite")
    for mode in modes:
        assert RunFolder(tmp_path / "none").check(mode) is False
        assert RunFolder(tmp_path).check(mode) is False


def test_a_run_is_refused_unless_resumed_or_overwritten(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    with pytest.raises(RunFolderError, match=r"--resume.*--overwrite") as caught:
        folder.check("new")
    assert caught.value.exit_code == 2
    assert folder.check("resume") is True
    assert folder.check("overwrite") is False


def test_a_run_without_its_configuration_is_not_resumed(tmp_path: Path) -> None:
    """It would be trained by the defaults."""
    folder = make_run(tmp_path / "run")
    folder.config.unlink()
    with pytest.raises(RunFolderError, match=r"config.yaml should say.*--overwrite"):
        folder.check("resume")
    assert folder.check("overwrite") is False


def test_what_a_killed_beginning_left_is_free(tmp_path: Path) -> None:
    modes: tuple[Mode, ...] = ("new", "resume", "overwrite")
    (tmp_path / "config.yaml").write_text("")
    for mode in modes:
        with pytest.raises(RunFolderError, match="left alone"):  # somebody's own, say
            RunFolder(tmp_path).check(mode)
    (tmp_path / ".lock").touch()
    for mode in modes:
        assert RunFolder(tmp_path).check(mode) is False


def test_a_lock_that_another_process_removes_meanwhile_is_not_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, taken = RunFolder(tmp_path), list[int]()

    def lock(file: int, how: int) -> None:
        if not taken:
            folder.lock.unlink()
        taken.append(file)

    monkeypatch.setattr("fcntl.lockf", lock)
    with folder.held():
        assert len(taken) == 2
        assert folder.lock.is_file()


@pytest.mark.parametrize("mode", ["new", "resume", "overwrite"])
def test_what_is_no_run_is_left_alone(tmp_path: Path, mode: Mode) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "manifest.json").write_text('{"format": "of something else"}')
    with pytest.raises(RunFolderError, match="left alone"):
        RunFolder(tmp_path).check(mode)
    with pytest.raises(RunFolderError, match="found a file"):
        RunFolder(tmp_path / "thesis.tex").check(mode)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("mode", ["new", "resume", "overwrite"])
def test_a_manifest_that_cannot_be_read_is_no_other_thing(tmp_path: Path, mode: Mode) -> None:
    make_run(tmp_path).manifest.write_text("{")
    with pytest.raises(
        DataError, match=r"manifest\.json should .*line 1.*Copy the run again, or g"
    ):
        RunFolder(tmp_path).check(mode)


def test_clearing_removes_what_a_run_writes_and_nothing_else(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    folder.clear()
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot be written"):
        RunFolder(tmp_path / "file" / "run").create()


def test_the_manifest_says_what_a_result_depends_on(tmp_path: Path) -> None:
    value = manifest(
        arguments=["--data", str(Path.home() / "data" / "a.h5")],
        store={"content_digest": "ab"},
        size=(96, 128),
        regime="one",
        labels="cd",
        seed=3,
        created="2024-01-01T00:00:00+00:00",
        store_at={"absolute": "~/data/a.h5", "relative": "../a.h5"},
    )
    text = json.dumps(value)
    assert value["format"] == FORMAT
    assert value["store"] == {"content_digest": "ab"}
    assert {"torch", "python"} <= value["versions"].keys()
    assert value["host"]["cores"] >= 1
    assert str(Path.home()) not in text
    assert value["arguments"][1].startswith("~")
    assert without_home("--lr") == "--lr"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("/home/al", "~"),
        ("/home/al/a.h5", "~/a.h5"),
        ("--data=/home/al/a.h5", "--data=~/a.h5"),
        ("method.options.teachers=[/home/al/a, /home/al/b]", "method.options.teachers=[~/a, ~/b]"),
        ("runs/a,/home/al/b", "runs/a,~/b"),
        ("/home/alice/a.h5", "/home/alice/a.h5"),
        ("/mnt/home/al/a.h5", "/mnt/home/al/a.h5"),
    ],
)
def test_the_home_folder_is_left_out_where_a_path_begins_with_it(
    said: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/al")
    assert without_home(said) == written


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("home", ["/home/al", "/home/al and b"])
def test_a_shell_reads_a_command_as_it_was_given(home: str, shell: str) -> None:
    """Where a home folder was left out as well."""
    words = [
        *("--data", f"{home}/a.h5", f"--data={home}/a.h5", home, f"{home}/", f"{home}/my 'runs'/a"),
        *(f"semantic={home}/a,depth={home}/b", f"{home}/a,{home}/b", f"teachers=[{home}/a, 'b']"),
        *(
            "",
            "$HOME",
            "steps=~",
            "log=[~, ~]",
            "a~/b",
            "x/~/y",
            f"'{home}/a'",
            f"{home}/~/a",
            '\u00e9 \\ "`',
        ),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", home)
        written = command_line([without_home(word) for word in words])
        done = subprocess.run(
            [shell, "-c", f"printf '%s\\0' {written}"], capture_output=True, check=True
        )
    assert done.stdout.decode().split("\0")[:-1] == words


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    """The picture of an image with a long key, at the end of hours."""
    for suffix in ("png", "pdf"):
        path = tmp_path / f"{'n' * 251}.{suffix}"
        write_bytes(path, b"x") if suffix == "png" else save(Figure(), path)
        assert path.stat().st_size > 0
    assert len(list(tmp_path.iterdir())) == 2


def test_the_log_goes_back_to_where_a_checkpoint_was(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "metrics.jsonl")
    log.write("step", {"loss": 1.0, "bad": float("nan"), "list": [float("inf"), 1]})
    mark = log.position()
    log.write("step", {"loss": 2.0})
    log.close()
    again = RunLog(tmp_path / "metrics.jsonl")
    again.rewind(mark)
    again.write("epoch", {"loss": 3.0})
    again.close()
    rows = read_rows(log.path)
    assert [row["loss"] for row in rows] == [1.0, 3.0]
    assert rows[0]["bad"] is None
    assert rows[0]["list"] == [None, 1]
    assert read_rows(log.path, "epoch") == [{"kind": "epoch", "loss": 3.0}]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"kind": "step", "loss": 1}\n{"kind": "st')
    assert len(read_rows(path)) == 1


@pytest.mark.parametrize(
    ("saved", "told"), [(True, "The last checkpoint is as it was"), (False, "Nothing is saved yet")]
)
def test_a_full_disk_is_told_with_the_way_out(tmp_path: Path, saved: bool, told: str) -> None:
    folder = RunFolder(tmp_path / "runs" / "a")
    if saved:
        folder.last.mkdir(parents=True)
    with (
        pytest.raises(FullDiskError, match=rf"is full, .* MB are left.*{told}.*--resume"),
        room_for(folder.path),
        Path("/dev/full").open("w", buffering=1) as file,
    ):
        file.write("a row\n")


def test_a_run_that_the_disk_has_no_room_for_leaves_its_folder_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    folder = RunFolder(tmp_path / "run")
    folder.create()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_json(folder.manifest, {})
    assert not folder.check("new")
