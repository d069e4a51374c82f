"""The members of a family as the values of an option: checked, listed by help, completed."""

from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from cli.shared.completion import beginning
from mtdata.errors import UnknownNameError
from mtdata.registry import Registry


class Member(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2 alone
    """The name of a member; nothing is imported to check it.

    The names are looked up when they are asked for: a plug-in may have added some.

    Args:
        registry: The family.
        also: Names that the command takes beside them.
        late: Whether the command looks at the names itself, by `check_members`, as it first loads
            plug-ins that no option names: those of a run, or of a recipe.
    """

    name = "name"

    def __init__(
        self, registry: Registry[Any], *, also: Sequence[str] = (), late: bool = False
    ) -> None:
        self.registry = registry
        self.also = tuple(also)
        self.late = late

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """All names, as the help shows them."""
        return f"[{'|'.join([*self.registry, *self.also])}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; refused with the nearest one where there is none such."""
        return str(value) if self.late else self.check(value, param, ctx)

    def check(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As `convert`, at once."""
        if value not in self.also and value not in self.registry:
            known = (*self.registry, *self.also)
            self.fail(str(UnknownNameError(self.registry.family, str(value), known)), param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that begin so."""
        return beginning(incomplete, [*self.registry, *self.also])


def check_members() -> None:
    """Refuse the names that were given to this command and are none, where that was put off."""
    context = click.get_current_context()
    for parameter in context.command.params:
        value = context.params.get(str(parameter.name))
        if isinstance(parameter.type, Member) and value is not None:
            parameter.type.check(value, parameter, context)
