"""What every command takes: how much it says, whether it draws bars, whether it shows tracebacks.

They stand on groups and on commands alike: `mtdata -q info FILE` is `mtdata info FILE -q`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click


@dataclass
class General:
    """What was asked for of the general options; `failure` is an exit code for every error."""

    quiet: bool = False
    verbose: bool = False
    no_progress: bool = False
    debug: bool = False
    failure: int | None = None


OPTIONS = tuple(
    click.Option(names, is_flag=True, expose_value=False, help=text)
    for names, text in (
        (["-q", "--quiet"], "Say only results, warnings and errors."),
        (["-v", "--verbose"], "Say more: versions, the time taken, what libraries log."),
        (["--no-progress"], "Draw no bars, on a terminal neither."),
        (["--debug"], "Show the traceback of an error."),
    )
)
GIVEN = "cli.given"
"""Where the context of a command keeps its arguments as they came."""
NAMES = tuple(str(option.name) for option in OPTIONS)


def general() -> General:
    """What was asked for of the command that runs; nothing where none does."""
    context = click.get_current_context(silent=True)
    return General() if context is None else context.ensure_object(General)


class Habits(click.Command):
    """A command or a group with `-h` and the general options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings.setdefault("help_option_names", ["-h", "--help"])
        self.context_settings.setdefault("max_content_width", 100)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own parameters, the general ones, and help."""
        own = super().get_params(ctx)
        return [*own[: len(self.params)], *OPTIONS, *own[len(self.params) :]]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the general options before any value is looked at, which may fail."""
        ctx.meta[GIVEN] = list(args)
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        asked = ctx.ensure_object(General)
        for name in NAMES:
            if given.get(name):
                setattr(asked, name, True)
        return super().parse_args(ctx, args)

    def sections(self, ctx: click.Context) -> Iterator[tuple[str, list[click.Parameter]]]:
        """The options under their headings, general ones last."""
        yield "Options", self.params
        yield "General options", self.get_params(ctx)[len(self.params) :]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, a section a heading."""
        for heading, parameters in self.sections(ctx):
            options = [one for one in parameters if isinstance(one, click.Option)]
            records = [each for one in options if (each := one.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
