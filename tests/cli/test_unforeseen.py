"""What no command foresees is told in one paragraph all the same."""

import errno
import os
from pathlib import Path

import click
import pytest

from cli.mtdata import mtdata
from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from cli.shared.common import TRACEBACK, run
from tests.trust.lines import leaves
from tests.trust.trial import foreign

ONES = [
    pytest.param(program, command, path, id=" ".join([str(program.name), *path]))
    for program in (mtdata, mtmodels, mttrain)
    for path, command in leaves(program, ())
]


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (EOFError("Ran out of input"), 1, "ended before it should"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_a_file_that_ends_too_early_is_no_interruption(
    raised: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Click makes the same of both."""
    assert run(raising(raised), []) == code
    told = capsys.readouterr().err
    assert words in told
    assert ("interrupted" in told) == (code == 130)


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (MemoryError(), "it ran out. Give smaller images"),
        (MemoryError("Unable to allocate 9 GiB"), "it ran out. Give smaller images"),
        (ZeroDivisionError(), f"Error: ZeroDivisionError. {TRACEBACK}"),
    ],
)
def test_an_error_without_words_is_told(
    raised: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(raised), []) == 1
    assert words in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Make room"),
        (errno.EROFS, "where files can be written"),
        (errno.EIO, "Check the disk"),
        (errno.ENOTDIR, "Check that path"),
    ],
)
def test_what_the_system_refuses_is_told_of_its_path(
    number: int, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(OSError(number, os.strerror(number), b"some/file")), []) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert told.startswith(f"Error: some/file: the system refuses it ({os.strerror(number)}).")
    assert remedy in told
    assert not foreign(told)


@pytest.mark.parametrize("name", ["itself", "it's", 'a "b"'])
def test_a_link_to_itself_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / name
    link.symlink_to(link.name)

    @click.command()
    def command() -> None:
        link.resolve()
        link.read_bytes()  # from 3.13 on it is this that refuses

    assert run(command, []) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert f"{link}: the system refuses it ({os.strerror(errno.ELOOP)})" in told


@pytest.mark.parametrize(
    "raised",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 37632000000 bytes."
        ),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    ],
)
def test_memory_that_runs_out_is_said_with_what_to_do(
    raised: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(raised), []) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert told.startswith("Error: the memory should hold what is computed at once; it ran out.")
    assert "(--size), fewer at once (--batch)" in told
    assert "alloc" not in told


def test_an_error_without_a_path_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(OSError(errno.EIO, "x")), []) == 1
    assert TRACEBACK.split()[-1] in capsys.readouterr().err


@pytest.mark.parametrize("given", ["x" * 300, "itself", "pipe", "/proc/self/mem"])
@pytest.mark.parametrize(("program", "command", "path"), ONES)
def test_paths_that_are_none_are_refused_in_our_words(
    program: click.Command,
    command: click.Command,
    path: tuple[str, ...],
    given: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("itself").symlink_to("itself")
    os.mkfifo("pipe")
    before = sorted(os.listdir())
    words = [*path]
    for parameter in command.get_params(click.Context(command, **command.context_settings)):
        if isinstance(parameter, click.Argument):
            words.append(given)
        elif parameter.required or "--data" in parameter.opts or "--source" in parameter.opts:
            kind = parameter.type
            choice = kind.choices[0] if isinstance(kind, click.Choice) else given
            words += [parameter.opts[0], str(choice)]
    code = run(program, words)
    told = capsys.readouterr().err
    assert not foreign(told), told
    if code:
        assert "Error:" in told
        assert sorted(os.listdir()) == before


def raising(error: BaseException) -> click.Command:
    """A command that does nothing else."""

    @click.command()
    def command() -> None:
        raise error

    return command
