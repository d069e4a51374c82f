"""What a shell completes, beside files, members of families and choices.

A shell asks at every press of a key: nothing here imports torch, and what cannot be read quickly or
at all is not completed.
"""

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def beginning(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    """The names that begin so."""
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class Known(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2 alone
    """Words, or whole numbers, that data sets know; the data set says which of them it takes.

    Others are handed on: the data set of a plug-in may know more.
    """

    def __init__(self, *words: str | int) -> None:
        self.words = words
        self.base = click.INT if isinstance(words[0], int) else click.STRING
        self.name = self.base.name

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """All words, as the help shows them."""
        return f"[{'|'.join(map(str, self.words))}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The word or the number."""
        return self.base.convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The words that begin so."""
        return beginning(incomplete, map(str, self.words))


def of_store(what: str) -> Completer:
    """Complete by the `splits`, `regimes` or `tasks` of the store before, if it can be read."""

    def complete(
        ctx: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from mtdata.errors import MtdataError
        from mtdata.store import open_store

        # Behind an option that still lacks its value, click has not yet given words their names.
        path = ctx.params.get("store") or next(iter(ctx.args), None)
        if path is None or "://" in str(path):  # a server takes longer than a key
            return []
        try:
            with open_store(path) as store:
                found = getattr(store, what)
                return beginning(incomplete, (getattr(each, "name", each) for each in found))
        except (OSError, MtdataError):
            return []

    return complete


def recipes(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The recipes of this package, and files."""
    return [*beginning(incomplete, _recipes()), CompletionItem(incomplete, type="file")]


def encoders(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The encoders of this package; those of timm are too many, and take torch to know."""
    from mtmodels.networks.encoders import ENCODERS

    return beginning(incomplete, ENCODERS)


LOGS = ("csv", "tensorboard")
"""Those of this package; any other goes by its import name."""


def logs(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The logs of this package."""
    return beginning(incomplete, LOGS)


def of_family(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The members of the family that stands before."""
    from mtdata.plugins.families import FAMILIES

    family = str(ctx.params.get("family"))
    if family == "recipes":
        return beginning(incomplete, _recipes())
    named = FAMILIES.get(family.upper())
    return beginning(incomplete, named.registry if named else ())


def _recipes() -> list[str]:
    from importlib.resources import files

    import yaml

    # `mtmodels.recipes` knows them too, but checks configurations, which takes long to import.
    found = sorted(files("mtmodels").joinpath("recipes").iterdir(), key=lambda file: file.name)
    texts = [file.read_text(encoding="utf-8") for file in found if file.name.endswith(".yaml")]
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    recipes = [item for text in texts for item in yaml.load(text, loader)["recipes"].items()]
    return [
        one
        for name, entry in recipes
        for one in (name, *entry.get("also", ()), *entry.get("aliases", ()))
    ]
