"""What all commands share: errors as one paragraph, exit codes, JSON on stdout, talk on stderr.

Nothing here imports torch: `--help` has to be quick.
"""

import errno
import json
import os
import re
import shlex
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from cli.shared.general import General, general
from mtdata.errors import MtdataError, PictureWarning

REMEDIES = {
    errno.ENAMETOOLONG: "Give a shorter one",
    errno.ELOOP: "Give a path that leads to a file; this link leads to itself",
    errno.ENOSPC: "Make room there and try again",
    errno.EACCES: "Change its permissions, or give another path",
    errno.EPERM: "Change its permissions, or give another path",
    errno.EROFS: "Give a path where files can be written",
    errno.EIO: "Check the disk that it lies on",
}
"""What to do where the system refuses a path, by its number of the error."""
NO_MEMORY = re.compile(
    r"(can(no|')t|failed to|unable to) allocate|(out of|insufficient|not enough) memory",
    re.IGNORECASE,
)
"""What libraries say where memory is short, of which some have no class for it."""
LOOP = "Symlink loop from "
"""What `Path.resolve` says of a link to itself, before the path in quotes."""
TRACEBACK = "Add --debug for the traceback."


def say(text: str) -> None:
    """Talk to the person, on stderr; not where --quiet was given."""
    if not general().quiet:
        click.echo(text, err=True)


def training_command(path: Path, regime: str | None = None) -> str:
    """How a store is trained on, to begin with: as the tutorial does, or the quickstart.

    Args:
        path: The store.
        regime: What training should show; None for its default.
    """
    from mtdata import open_store

    options = [] if regime is None else ["--regime", regime]
    with open_store(path) as store:
        own = store.options.get("source_name", store.dataset_name) == "folder"
        # One task is consistent with nothing, and a recipe says its own method.
        given = ["--recipe", "own-small"] if own else ["--method", "xtc"]
        if len(store.tasks) == 1 and not own:
            given = ["--method", "sl"]
        shown = [
            split.visible(regime).any(1)
            for split in store.splits.values()
            if regime is not None and split.role == "train" and regime in split.regimes
        ]
        if given[-1] == "xtc" and any(not each.all() for each in shown):
            options.append("--keep-unlabelled")
    return shlex.join(["mttrain", *given, "--data", str(path), *options])


def warn(text: str) -> None:
    """Say as one paragraph what makes a result worth less; --quiet does not silence it."""
    click.echo(paragraph(f"Warning: {text}"), err=True)


def warn_of_unfinished(run: Path, made: str) -> None:
    """Say so where a run is not done.

    Args:
        run: Its folder.
        made: What was made of it, such as "these are scores".
    """
    from mtmodels.training.record.runfolder import RunFolder

    if not RunFolder(run).is_complete():
        warn(
            f"the training of this run is not done: {made} of what it was at its last "
            f"checkpoint. Go on with it: mttrain --out {shlex.quote(str(run))} --resume"
        )


def paragraph(text: str) -> str:
    """Break a long sentence into lines, but no path or option in it."""
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def warn_of_namesake() -> None:
    """Say so where the tool of the same name on PyPI is installed beside this one."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("mtdata")
    except PackageNotFoundError:
        return
    warn(
        f"the distribution mtdata {found} is installed too; it is another tool with the same "
        "package and command names. This is mtdata of mtpartial. Where one of them misbehaves, "
        "give each its own environment."
    )


def put_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    click.echo(json.dumps(value, allow_nan=False))


def _fail(text: str) -> None:
    # A list of what is wrong has a line for each.
    click.echo("\n".join(paragraph(line) for line in f"Error: {text}".splitlines()), err=True)


def run(command: click.Command, arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code.

    0 done, 1 failed, 2 wrong usage, 3 bad data, 130 interrupted. An error is one paragraph, never
    a traceback, unless the option `--debug` is given.
    """
    asked = General()
    try:
        with _telling(asked):
            result = command.main(arguments, standalone_mode=False, obj=asked)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        if asked.debug:
            raise
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        # click takes the end of a file for that of the terminal's input.
        if isinstance(error.__cause__, EOFError):
            return _unforeseen(error.__cause__, asked)
        _fail("interrupted.")
        return 130
    except MtdataError as error:
        if asked.debug:
            raise
        _fail(str(error))
        return asked.failure or error.exit_code
    except Exception as error:
        return _unforeseen(error, asked)


def _unforeseen(error: Exception, asked: General) -> int:
    if asked.debug:
        raise error
    if told := _of_system(error):
        _fail(told)
    elif isinstance(error, MemoryError) or NO_MEMORY.search(str(error)):
        _fail(
            "the memory should hold what is computed at once; it ran out. Give smaller images "
            "(--size), fewer at once (--batch) or a narrower network (--width), as far as the "
            f"command has these, or take a machine with more. {TRACEBACK}"
        )
    else:
        short = isinstance(error, EOFError)
        what = "a file ended before it should" if short else type(error).__name__
        from mtdata.plugins.blame import place_of

        said = str(error).rstrip(".")
        _fail(f"{place_of(error)}{what}{f': {said}' if said else ''}. {TRACEBACK}")
    return asked.failure or 1


def _of_system(error: Exception) -> str | None:
    """What the system says of a path; None of anything else."""
    if isinstance(error, RuntimeError) and str(error).startswith(LOOP):  # until 3.13
        path = str(error).removeprefix(LOOP)[1:-1]
        error = OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    if not isinstance(error, OSError) or error.filename is None or not error.strerror:
        return None
    remedy = REMEDIES.get(error.errno or 0, "Check that path")
    return f"{os.fsdecode(error.filename)}: the system refuses it ({error.strerror}). {remedy}."


@contextmanager
def _telling(asked: General) -> Iterator[None]:
    """Around a command: notes on pictures, and with --verbose the time that it took."""
    started = time.perf_counter()
    plain = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *rest: Any, **others: Any) -> None:
        if issubclass(category, PictureWarning):
            say(paragraph(f"Note: {message}"))
        else:
            plain(message, category, *rest, **others)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = plain
        if asked.verbose:
            click.echo(f"Took {time.perf_counter() - started:.1f} s.", err=True)


def entry_point(command: click.Command) -> Callable[[], None]:
    """Make the function that a console script calls."""

    def main() -> None:
        sys.exit(run(command))

    return main


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
