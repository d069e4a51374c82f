"""The habits of all commands of all three programs: help, examples, options by their names."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from cli.mtdata import mtdata
from cli.mtmodels import mtmodels
from cli.mttrain import mttrain
from cli.shared.common import run, say, warn
from cli.shared.general import General, general
from cli.shared.groups import Command, LazyGroup
from cli.shared.options import Number
from cli.shared.progress import progress_bar
from mtdata.errors import DataError, MtdataError

PROGRAMS: tuple[click.Command, ...] = (mtdata, mttrain, mtmodels)
Captured = pytest.CaptureFixture[str]
WRITTEN = ("--out", "--plot")
"""Options that name what is written."""


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[Any]:
    """A command and all below it, each with the names that lead there."""
    path = (*path, str(command.name)) if path else (str(command.name),)
    yield pytest.param(command, path, id=" ".join(path))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            assert below.name == name
            yield from _commands(below, path)


ALL = [each for program in PROGRAMS for each in _commands(program)]
ONES = [each for each in ALL if not isinstance(each.values[0], click.Group)]
every = pytest.mark.parametrize(("command", "path"), ALL)
each_one = pytest.mark.parametrize(("command", "path"), ONES)


def _options(command: click.Command) -> list[click.Option]:
    parameters = command.get_params(click.Context(command, **command.context_settings))
    return [each for each in parameters if isinstance(each, click.Option)]


def _program(path: tuple[str, ...]) -> click.Command:
    return next(each for each in PROGRAMS if each.name == path[0])


def test_all_are_found() -> None:
    names = [each.id for each in ALL]
    assert {"mtdata", "mtdata regime add", "mttrain", "mtmodels compare"} <= set(names)
    assert len(names) == len(set(names))


@every
def test_help_has_examples(command: click.Command, path: tuple[str, ...], capsys: Captured) -> None:
    assert run(_program(path), [*path[1:], "-h"]) == 0
    short = capsys.readouterr().out
    assert run(_program(path), [*path[1:], "--help"]) == 0
    assert capsys.readouterr().out == short
    _, _, examples = short.partition("Examples:\n")
    assert f"    {' '.join(path)} " in examples


@every
def test_general_options(command: click.Command, path: tuple[str, ...]) -> None:
    taken = {name for option in _options(command) for name in option.opts}
    assert {"-h", "--help", "-q", "--quiet", "-v", "--verbose"} <= taken
    assert {"--no-progress", "--debug"} <= taken


@every
def test_no_name_is_taken_twice(command: click.Command, path: tuple[str, ...]) -> None:
    names = [name for option in _options(command) for name in option.opts + option.secondary_opts]
    assert len(names) == len(set(names))


@each_one
def test_each_tells_json(command: click.Command, path: tuple[str, ...]) -> None:
    assert "--json" in {name for option in _options(command) for name in option.opts}


@each_one
def test_what_is_written_is_o(command: click.Command, path: tuple[str, ...]) -> None:
    for option in _options(command):
        if set(option.opts) & set(WRITTEN):
            assert "-o" in option.opts
        if "-o" in option.opts:
            assert isinstance(option.type, click.Path)
        if "--jobs" in option.opts:
            assert "-j" in option.opts


@click.command(cls=Command)
@click.option("--set", "assignment")
@click.option("--fail", is_flag=True)
@click.argument("words", nargs=-1)
def probe(assignment: str | None, words: tuple[str, ...], *, fail: bool) -> None:
    """Tell what it was given."""
    say("talk")
    warn("doubt")
    click.echo(f"{assignment} {' '.join(words)} {general()}")
    with progress_bar() as report:
        click.echo(f"bar: {report is not None}")
    if fail:
        raise DataError("bad data.")


@click.command("group", cls=LazyGroup, lazy={})
def empty() -> None:
    """A group."""


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> click.Command:
    """A group of the one command `probe`."""
    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: probe)
    monkeypatch.setattr(LazyGroup, "resolve_command", click.Group.resolve_command)
    return empty


@pytest.mark.parametrize(
    "given",
    [["-q", "probe"], ["probe", "-q"], ["probe", "--quiet", "x"], ["--quiet", "probe", "-q"]],
)
def test_quiet_says_results_warnings_errors(
    group: click.Command, given: list[str], capsys: Captured
) -> None:
    assert run(group, [*given, "--fail"]) == 3
    told = capsys.readouterr()
    assert told.err == "Warning: doubt\nError: bad data.\n"
    assert "quiet=True" in told.out


def test_without_quiet_there_is_talk(group: click.Command, capsys: Captured) -> None:
    assert run(group, ["probe"]) == 0
    assert capsys.readouterr().err == "talk\nWarning: doubt\n"


def test_verbose_names_versions_and_time(
    group: click.Command, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    assert run(group, ["-v", "probe"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("mtpartial ")
    assert lines[-1].startswith("Took ")


@pytest.mark.parametrize("given", [[], ["--no-progress"], ["-q"]])
def test_bars(
    group: click.Command, given: list[str], capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert run(group, ["probe", *given]) == 0
    assert f"bar: {not given}" in capsys.readouterr().out


@pytest.mark.parametrize("given", [["--debug", "probe"], ["probe", "--debug"]])
def test_debug_raises(group: click.Command, given: list[str]) -> None:
    with pytest.raises(DataError, match="bad data"):
        run(group, [*given, "--fail"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--set", "--debug"], "--debug  "),
        (["--set=--debug"], "--debug  "),
        (["--", "--debug"], "None --debug "),
    ],
)
def test_debug_is_no_debug_where_it_is_a_value(
    group: click.Command, given: list[str], told: str, capsys: Captured
) -> None:
    assert run(group, ["probe", "--fail", *given]) == 3
    assert capsys.readouterr().out.startswith(f"{told}{General()}")


def test_debug_shows_what_a_plugin_raised_before_any_option(tmp_path: Path) -> None:
    """Plug-ins are loaded first of all; --debug stands behind them."""
    plugin = tmp_path / "mine.py"
    plugin.write_text("1 / 0\n")
    arguments = ["list", "methods", "--plugin", str(plugin)]
    assert run(mtmodels, arguments) == 2
    with pytest.raises(Exception, match="division by zero"):
        run(mtmodels, [*arguments, "--debug"])


def test_the_end_of_a_file_is_no_interruption(capsys: Captured) -> None:
    @click.command(cls=Command)
    def ends() -> None:
        raise EOFError("ran out of input")

    assert run(ends, []) == 1
    assert "ran out of input" in capsys.readouterr().err


OPEN = {
    "assignments", "baselines", "crop", "encoder_weights", "images", "name", "pattern", "plugins",
    "ratio", "regime", "size", "split", "tasks", "how", "keys", "plugin", "recipe", "train_on",
    "select_on", "score_on", "teachers", "published", "scheduler", "only", "parameters",
}  # fmt: skip
"""Parameters whose values nobody can list: sizes, names of one's own, keys of images, tables."""


@each_one
def test_closed_sets_have_types(command: click.Command, path: tuple[str, ...]) -> None:
    for parameter in command.params:
        if getattr(parameter, "is_flag", False):
            continue
        free = isinstance(parameter.type, (click.types.StringParamType, click.types.FuncParamType))
        completed = parameter._custom_shell_complete is not None
        assert not free or completed or str(parameter.name) in OPEN, parameter.name


@each_one
def test_numbers_are_finite(command: click.Command, path: tuple[str, ...]) -> None:
    for parameter in command.params:
        if isinstance(parameter.type, click.types.FloatParamType):
            assert isinstance(parameter.type, Number), parameter.name
            for value in ("nan", "inf", "-inf", "1e400"):
                with pytest.raises(click.BadParameter):
                    parameter.type.convert(value, parameter, None)


def test_names_that_are_written_down_twice() -> None:
    """Choices whose sets live in modules that take long to import."""
    from cli.mtdata.export import export
    from cli.shared.options import COMPRESSIONS as LISTED
    from mtdata.export import EXPORTS
    from mtdata.store import COMPRESSIONS

    form = next(each for each in export.params if each.name == "form").type
    assert isinstance(form, click.Choice)
    assert list(form.choices) == list(EXPORTS)
    assert set(LISTED) == set(COMPRESSIONS)
    from cli.mtmodels.export import export as export_network
    from mtmodels.exporting import FORMS

    form = next(each for each in export_network.params if each.name == "form").type
    assert isinstance(form, click.Choice)
    assert list(form.choices) == list(FORMS)
    from cli.mtdata.derive import derive
    from mtdata.merging.derive import RULES

    rule = next(each for each in derive.params if each.name == "rule").type
    assert isinstance(rule, click.Choice)
    assert list(rule.choices) == [each.name for each in RULES]
    from cli.shared.completion import LOGS
    from mtmodels.training.record.logs import CSV, TENSORBOARD

    assert LOGS == (CSV, TENSORBOARD)


def test_completed_words_of_data_sets_are_taken_by_them(tmp_path: Path) -> None:
    """Each word that a shell offers passes the check of some data set."""
    from cli.mtdata.build import build
    from cli.shared.completion import Known
    from mtdata.sources import SOURCES

    words = {p.name: p.type.words for p in build.params if isinstance(p.type, Known)}
    assert set(words) == {"classes", "depth", "normals", "layout", "edges"}
    for name, known in words.items():
        nonsense = 9999 if isinstance(known[0], int) else "nonsense"
        for word in known:
            told = []
            for source in SOURCES.values():
                if name in source.takes:
                    refused = _refusal(source, tmp_path, {name: nonsense})
                    assert refused.count(str(nonsense)) == 1
                    told.append(refused.replace(str(nonsense), str(word)))
                    told.append(_refusal(source, tmp_path, {name: word}))
            # Some data set says something else of this word than of one that it does not know.
            pairs = zip(told[::2], told[1::2], strict=True)
            assert any(one != other for one, other in pairs), (name, word)


def _refusal(source: Any, root: Path, options: dict[str, Any]) -> str:
    try:
        source(root, **options)
    except MtdataError as error:
        return str(error)
    return ""
