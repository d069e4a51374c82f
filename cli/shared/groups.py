"""Commands and groups of commands: examples, headings of options, imports that wait."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click

from cli.shared.common import warn_of_namesake
from cli.shared.general import Habits, general


def examples(*lines: str) -> str:
    """The epilog of a command, one example a line."""
    # A backspace alone on a line tells click not to wrap what follows.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


class Command(Habits):
    """A command: all of them have the general options."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; where --verbose was given, say first by what, and let libraries talk."""
        warn_of_namesake()
        if general().verbose:
            import logging
            import platform
            from importlib.metadata import version

            ours = f"mtpartial {version('mtpartial')}, Python {platform.python_version()}"
            click.echo(f"{ours}, {platform.platform()}.", err=True)
            logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
        return super().invoke(ctx)


class GroupedCommand(Command):
    """Lists options under headings; those that no heading names come last.

    Args:
        headings: For each heading, the names of its parameters.
    """

    def __init__(self, *args: Any, headings: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.headings = headings

    def sections(self, ctx: click.Context) -> Iterator[tuple[str, list[click.Parameter]]]:
        """The options, a section a heading."""
        left = {str(parameter.name): parameter for parameter in self.params}
        for heading, names in self.headings.items():
            yield heading, [left.pop(name) for name in names]
        yield "Others", list(left.values())
        yield from list(super().sections(ctx))[1:]


class Lazy(NamedTuple):
    """Where a command is (`module:attribute`), and what the group's help says of it."""

    target: str
    summary: str


class LazyGroup(Habits, click.Group):
    """A group whose `--help` imports none of its commands.

    Args:
        lazy: The commands by name, in the order in which help lists them.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None for a name that there is not."""
        if cmd_name not in self.lazy:
            return None
        module, attribute = self.lazy[cmd_name].target.split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; raises UsageError that names the nearest for one that there is not."""
        if args and args[0] not in self.lazy and not args[0].startswith("-"):
            from mtdata.errors import UnknownNameError

            raise click.UsageError(str(UnknownNameError("command", args[0], self.lazy)), ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options and then the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.lazy.items()])
