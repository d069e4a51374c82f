"""Commands and groups of commands: examples, headings of options, imports that wait."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click


def examples(*lines: str) -> str:
    """The epilog of a command, one example a line."""
    # A backspace alone on a line tells click not to wrap what follows.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


class GroupedCommand(click.Command):
    """Lists options under headings; those that no heading names come last.

    Args:
        headings: For each heading, the names of its parameters.
    """

    def __init__(self, *args: Any, headings: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.headings = headings

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, a section a heading."""
        records = {
            str(parameter.name): record
            for parameter in self.get_params(ctx)
            if (record := parameter.get_help_record(ctx)) is not None
        }
        for heading, names in self.headings.items():
            with formatter.section(heading):
                formatter.write_dl([records.pop(name) for name in names])
        with formatter.section("Others"):
            formatter.write_dl(list(records.values()))


class Lazy(NamedTuple):
    """Where a command is (`module:attribute`), and what the group's help says of it."""

    target: str
    summary: str


class LazyGroup(click.Group):
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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.lazy.items()])
