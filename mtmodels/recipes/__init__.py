"""Recipes: configurations with a name, and the published number that each is about.

A file holds what its recipes share (`base`) and the recipes. Nothing here imports torch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from mtdata import Store
from mtdata.errors import UnknownNameError, UsageError
from mtdata.yaml_text import load_yaml
from mtmodels.training.setup.resolve import merge, read_layer


@dataclass(frozen=True)
class Recipe:
    """A configuration with a name.

    Args:
        name: What `--recipe` is given.
        summary: One sentence.
        needs: What the store has to be.
        config: A part of a configuration.
        published: Key of the published row that it is about; None where there is none.
        store: What of that can be looked up in a store: `dataset`, `classes` (of `semantic`),
            `tasks`, `size` and `units`.
    """

    name: str
    summary: str
    needs: str
    config: Mapping[str, Any]
    published: str | None = None
    store: Mapping[str, Any] = field(default_factory=dict)

    def check(self, store: Store) -> None:
        """Refuse a store that is not what the recipe was made for.

        Raises:
            UsageError: where it is another one.
        """
        found = {
            "dataset": store.dataset_name,
            "classes": next((t.channels for t in store.tasks if t.name == "semantic"), None),
            "size": list(next(iter(store.splits.values())).size),
        }
        told = [
            f"{key} {_text(found[key])} in place of {_text(self.store[key])}"
            for key in found
            if key in self.store and found[key] != self.store[key]
        ]
        units = {task.name: task.kind.units for task in store.tasks}
        wanted = [*self.store.get("tasks", ()), *self.store.get("units", ())]
        told += [f"no {task}" for task in dict.fromkeys(wanted) if task not in units]
        told += [
            f"{task} in {units[task]} in place of {unit}"
            for task, unit in self.store.get("units", {}).items()
            if units.get(task, unit) != unit
        ]
        if told:
            raise UsageError(
                f"recipe `{self.name}` needs {self.needs}; found in {store.path}: "
                f"{'; '.join(told)}. Give another store with --data, or --anyway to train on this "
                "one all the same."
            )


@cache
def all_recipes() -> Mapping[str, Recipe]:
    """Every recipe of this package, by name."""
    found: dict[str, Recipe] = {}
    for file in sorted(files("mtmodels").joinpath("recipes").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".yaml"):
            text = file.read_text(encoding="utf-8")
            found |= {recipe.name: recipe for recipe in _recipes(load_yaml(text))}
    return found


def load_recipe(given: str) -> Recipe:
    """The recipe of a name, or a file of the user's own that holds a configuration.

    Raises:
        UnknownNameError: where there is no recipe and no file of that name.
        UsageError: where the file holds no configuration.
    """
    known = all_recipes()
    if given in known:
        return known[given]
    if Path(given).suffix in (".yaml", ".yml") or Path(given).is_file():
        return Recipe(given, "A file.", "", read_layer(Path(given)))
    raise UnknownNameError("recipe", given, list(known))


def _recipes(document: Mapping[str, Any]) -> Iterator[Recipe]:
    for name, entry in document["recipes"].items():
        unknown = set(entry) - {"summary", "published", "config"}
        if unknown:
            raise UsageError(f"recipe `{name}` should not have {', '.join(sorted(unknown))}.")
        yield Recipe(
            name,
            entry["summary"],
            document["needs"],
            merge(document.get("base", {}), entry.get("config", {})),
            entry.get("published"),
            document.get("store", {}),
        )


def _text(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)


__all__ = ["Recipe", "all_recipes", "load_recipe"]
