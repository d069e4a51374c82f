"""Recipes: configurations with a name, and the published number that each is about.

The name of a row is `paper/table/row`; a row that tables repeat has a name for each of them. A file
holds what its recipes share (`base`, `store`) and the recipes. Nothing here imports torch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from mtdata import Store
from mtdata.errors import UnknownNameError, UsageError
from mtdata.yaml_text import load_yaml
from mtmodels.training.setup.resolve import merge, read_layer

RELEASED = {
    "nyuv2_onelabel.pth": "757b3a95e1bc5145c1e72a783a489539f4c52004de338cb9798d8e227df6f389",
    "nyuv2_randomlabels.pth": "54e7bcbb739bb071d097fd77e4654ab830daeea41730fadaf0a4741ac7436a12",
    "cityscapes_onelabel.pth": "3ded35572b875fc36865354418b7f3c1ef23628d00987f8b5d260de8f0aa90d0",
    "pascal_onelabel.npy": "527915d7728b4e9c39ec3651a54c68c1a37851108024e5f715150b049d62681e",
    "pascal_randomlabels.npy": "65247182ffdcc79e6c6be54ad2332cd4a2fa3b1d013305a02dd204b0e3f68a79",
}
"""SHA-256 of the assignments that MTPSL released; JTR has the same."""
BY_ROW = ".pth"
"""Released files that count rows in MTAN's arrays; others name the images."""

_ENTRY = {
    "summary", "published", "config", "also", "aliases", "teachers", "store", "needs", "fits"
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """A configuration with a name.

    Args:
        name: What `--recipe` is given.
        summary: One sentence; says where the paper is silent and the choice is ours.
        needs: What the store has to be.
        config: A part of a configuration.
        published: Key of the published row that it is about; None where there is none.
        store: What of that can be looked up in a store: `dataset`, `images` to train on,
            `classes` (of `semantic`), `tasks`, `size`, `units`, `origin` of labels and, by regime,
            the `released` file that it was read from.
        also: The names of the same row in other tables, and the keys that it has there.
        aliases: Names of before.
        teachers: For each task the recipe of the run that has to be given as its teacher.
        fits: Whether it reads images at a size that the network takes, where the store has another
            one or is large.
    """

    name: str
    summary: str
    needs: str
    config: Mapping[str, Any]
    published: str | None = None
    store: Mapping[str, Any] = field(default_factory=dict)
    also: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    teachers: Mapping[str, str] = field(default_factory=dict)
    fits: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that it has."""
        return self.name, *self.also, *self.aliases

    @property
    def rows(self) -> dict[str, str]:
        """The published rows that it is about, by its name in their table."""
        return ({self.name: self.published} if self.published else {}) | dict(self.also)

    def check(
        self, store: Store, regime: str | None = None, *, size: Sequence[int] | None = None
    ) -> None:
        """Refuse a store that is not what the recipe was made for.

        Args:
            store: The store.
            regime: The regime of the run; None for that of the recipe.
            size: Another height and width that will do, as the run reads at it.

        Raises:
            UsageError: where it is another one.
        """
        if told := self.misfits(store, regime, size=size):
            raise UsageError(
                f"recipe `{self.name}` needs {self.needs}; found in {store.path}: "
                f"{'; '.join(told)}. Give another store with --data, or --anyway to train on this "
                "one all the same: scores are then kept apart from the published row."
            )

    def misfits(
        self, store: Store, regime: str | None = None, *, size: Sequence[int] | None = None
    ) -> tuple[str, ...]:
        """In what a store is not what the recipe was made for; arguments are those of `check`."""
        trains = [split for split in store.splits.values() if split.role == "train"]
        found = {
            "dataset": store.dataset_name,
            "images": sum(map(len, trains)),
            "classes": next((t.channels for t in store.tasks if t.name == "semantic"), None),
            "size": list(next(iter(store.splits.values())).size),
        }
        if size is not None and found["size"] == list(size):
            del found["size"]
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
        source = store.options.get("source", {})
        told += [
            f"{task} {source[task]} in place of {origin}"
            for task, origin in self.store.get("origin", {}).items()
            if isinstance(source.get(task), str) and source[task] != origin
        ]
        file = self.store.get("released", {}).get(self.config.get("regime"))
        if file is not None:
            told += _not_released(store, regime or self.config["regime"], file)
        return tuple(told)


@cache
def all_recipes() -> Mapping[str, Recipe]:
    """Every recipe of this package, by the first of its names."""
    found: dict[str, Recipe] = {}
    for file in sorted(files("mtmodels").joinpath("recipes").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".yaml"):
            text = file.read_text(encoding="utf-8")
            found |= {recipe.name: recipe for recipe in _recipes(load_yaml(text))}
    return found


@cache
def by_any_name() -> Mapping[str, Recipe]:
    """Every recipe, by each of its names."""
    return {name: recipe for recipe in all_recipes().values() for name in recipe.names}


def matching(pattern: str) -> Mapping[str, Recipe]:
    """The recipes whose name, or data set, regime, method, network and so on hold every word.

    Rows of several tables are there under each of their names, in the order of the tables; names of
    before are not.

    Args:
        pattern: Words such as `nyu one`; `*` and `?` stand for what they do in names of files.
    """
    words = [word.lower() for word in pattern.split()]

    def holds(name: str, recipe: Recipe, word: str) -> bool:
        parts = [recipe.config.get(key) for key in ("method", "network", "weighting")]
        places = [part["name"] for part in parts if isinstance(part, Mapping) and "name" in part]
        places += [recipe.store.get("dataset", ""), recipe.config.get("regime", "")]
        places += [recipe.config.get("protocol", "")]
        return fnmatchcase(name, f"*{word}*") or any(fnmatchcase(one, word) for one in places)

    named = [(one, r) for r in all_recipes().values() for one in (r.name, *r.also)]
    found = [(n, r) for n, r in named if all(holds(n, r, word) for word in words)]
    order = list(dict.fromkeys(table_of(name) for name, _ in sorted(found, key=lambda f: f[0])))
    return dict(sorted(found, key=lambda f: order.index(table_of(f[0]))))


def table_of(name: str) -> str:
    """The table of a row: `mtpsl/table2` of `mtpsl/table2/one/ours`; others are `ours`."""
    return "/".join(name.split("/")[:2]) if "/" in name else "ours"


def load_recipe(given: str) -> Recipe:
    """The recipe of a name, or a file of the user's own that holds a configuration.

    Raises:
        UnknownNameError: where there is no recipe and no file of that name.
        UsageError: where the file holds no configuration.
    """
    known = by_any_name()
    if given in known:
        return known[given]
    if Path(given).suffix in (".yaml", ".yml") or Path(given).is_file():
        return Recipe(given, "A file.", "", read_layer(Path(given)))
    raise UnknownNameError("recipe", given, list(known))


def _recipes(document: Mapping[str, Any]) -> Iterator[Recipe]:
    for name, entry in document["recipes"].items():
        unknown = set(entry) - _ENTRY
        if unknown:
            raise UsageError(f"recipe `{name}` should not have {', '.join(sorted(unknown))}.")
        config = merge(document.get("base", {}), entry.get("config", {}))
        store = {**document.get("store", {}), **entry.get("store", {})}
        teachers = entry.get("teachers", {})
        yield Recipe(
            name,
            entry["summary"],
            _needs(entry.get("needs", document["needs"]), config, store, teachers),
            config,
            entry.get("published"),
            store,
            entry.get("also", {}),
            tuple(entry.get("aliases", ())),
            teachers,
            entry.get("fits", False),
        )


def _needs(
    text: str, config: Mapping[str, Any], store: Mapping[str, Any], teachers: Mapping[str, str]
) -> str:
    """What a store has to be, and with it what is said elsewhere in the file."""
    parts = [text.strip()]
    if origin := store.get("origin"):
        parts.append(", ".join(f"{task} {how}" for task, how in origin.items()))
    if file := store.get("released", {}).get(config.get("regime")):
        rows = " on MTAN's arrays, whose rows it counts" if file.endswith(BY_ROW) else ""
        parts.append(
            f"the regime `{config['regime']}` as MTPSL released it (`mtdata regime add STORE "
            f"--from {file} --name {config['regime']}`){rows}"
        )
    if teachers:
        runs = ",".join(f"{task}=RUN" for task in teachers)
        told = " and ".join(f"`{recipe}`" for recipe in teachers.values())
        parts.append(f"the runs of {told}: `--teachers {runs}`")
    return "; ".join(parts)


def _not_released(store: Store, regime: str, file: str) -> Iterator[str]:
    """Whether a regime is a released assignment, and its rows mean the images that they meant."""
    infos = [s.regimes[regime] for s in store.splits.values() if regime in s.regimes]
    read = [i for i in infos if i.parameters.get("sha256") == RELEASED[file]]
    if not read:
        drawn = f"{infos[0].origin}" if infos else "not in the store"
        yield f"regime `{regime}` ({drawn}) in place of {file}"
    elif file.endswith(BY_ROW) and store.options.get("source", {}).get("layout") != "mtan":
        layout = store.options.get("source", {}).get("layout", "unknown")
        yield f"the rows of {file} on images of layout {layout} in place of mtan"


def _text(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)


__all__ = [
    "RELEASED",
    "Recipe",
    "all_recipes",
    "by_any_name",
    "load_recipe",
    "matching",
    "table_of",
]
