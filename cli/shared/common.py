"""What all commands share: errors as one paragraph, exit codes, JSON on stdout, talk on stderr.

Nothing here imports torch: `--help` has to be quick.
"""

import json
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import click

from mtdata.errors import MtdataError

TRACEBACK = "Add --debug for the traceback."


def say(text: str) -> None:
    """Talk to the person: on stderr."""
    click.echo(text, err=True)


def paragraph(text: str) -> str:
    """Break a long sentence into lines, but no path or option in it."""
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def put_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    click.echo(json.dumps(value, allow_nan=False))


def _fail(text: str) -> None:
    say(paragraph(f"Error: {text}"))


def run(command: click.Command, arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code.

    0 done, 1 failed, 2 wrong usage, 3 bad data, 130 interrupted. An error is one paragraph, never
    a traceback, unless `--debug` stands among the arguments.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [a for a in given if a != "--debug"]
    try:
        result = command.main(given, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        if debug:
            raise
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        # click makes the same of a file that ends too early as of Ctrl-C.
        if isinstance(error.__cause__, EOFError):
            if debug:
                raise
            _fail(f"a file ended before it should ({error.__cause__}). {TRACEBACK}")
            return 1
        _fail("interrupted.")
        return 130
    except MtdataError as error:
        if debug:
            raise
        _fail(str(error))
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        _fail(f"{type(error).__name__}: {error}. {TRACEBACK}")
        return 1


def entry_point(command: click.Command) -> Callable[[], None]:
    """Make the function that a console script calls."""

    def main() -> None:
        sys.exit(run(command))

    return main


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
