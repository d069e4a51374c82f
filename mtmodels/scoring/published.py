"""The tables of the papers, with the errors in them put right and named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

from mtdata.errors import UnknownNameError, named
from mtdata.yaml_text import load_yaml
from mtmodels.scoring.facts import Facts

_FOLDER = "published_tables"
_FIELDS = ("dataset", "protocol", "regime", "method", "network", "weighting", "classes",
           "split", "images", "size", "units", "origin", "epochs", "selection", "marks",
           "trained")  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One row of a published table.

    Args:
        paper: The paper ("xtasc-net").
        table: The table, as it is numbered there.
        name: The row; `paper/table/name` is its key.
        dataset: The data set.
        protocol: How the scores were made. Not every one is a key of `METRICS`.
        scores: The scores, corrected where `printed` says so; shares in percent.
        decimals: Digits after the point that are printed, for each `task.metric`.
        printed: What is printed where it is corrected, for each `task.metric`.
        regime: Which labels were seen.
        method: The method, by the name it has here or in the paper.
        network: The network, likewise; empty where it is not stated.
        weighting: The weighting, likewise; empty where it is not stated.
        classes: Classes of the semantic task.
        split: What everybody tests on: `val` of Cityscapes and PASCAL.
        images: How many images that are.
        size: Height and width that the network saw, and was scored at unless the protocol says
            otherwise; None where the paper does not say.
        units: Units of depth.
        origin: Where labels come from that can come from several places.
        epochs: Of the training, where they are stated.
        selection: Which epoch is scored; empty where the paper does not say.
        marks: What the caption says of the row, and what of that is unclear.
        trained: Whether the paper trained it itself; false where it quotes another one.
        parameters: Number of parameters, where it is printed.
        delta: The printed delta, in percent; of a row without scores all that is printed.
        baseline: Key of the row that the delta is against; None where no table has it.
        note: What to know before it is quoted.
    """

    paper: str
    table: str
    name: str
    dataset: str
    protocol: str
    scores: Mapping[str, Mapping[str, float]]
    decimals: Mapping[str, int]
    printed: Mapping[str, float] = field(default_factory=dict)
    regime: str = ""
    method: str = ""
    network: str = ""
    weighting: str = ""
    classes: int | None = None
    split: str = "test"
    images: int | None = None
    size: tuple[int, int] | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    epochs: int | None = None
    selection: str = ""
    marks: str = ""
    trained: bool = True
    parameters: int | None = None
    delta: float | None = None
    baseline: str | None = None
    note: str = ""

    @property
    def key(self) -> str:
        """What the row is called on the command line."""
        return f"{self.paper}/{self.table}/{self.name}"

    def to_json(self) -> dict[str, Any]:
        """All that is known of it, as plain values."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        size = None if self.size is None else list(self.size)
        return {"key": self.key, **values, "size": size}

    @property
    def facts(self) -> Facts:
        """What its scores are of."""
        return Facts(
            self.protocol,
            self.dataset,
            self.split,
            images=self.images,
            size=self.size,
            units=self.units,
            origin=self.origin,
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have a score."""
        return tuple(self.scores)


@cache
def all_rows() -> tuple[Row, ...]:
    """Every row of every table."""
    found = []
    for file in sorted(files("mtmodels.scoring").joinpath(_FOLDER).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".yaml"):
            found += list(_rows(load_yaml(file.read_text(encoding="utf-8"))))
    return tuple(found)


def published(**wanted: str | int) -> tuple[Row, ...]:
    """The rows whose fields have the given values: `published(dataset="nyu", protocol="xtasc")`.

    Raises:
        UnknownNameError: for a field that rows do not have.
    """
    for name in wanted:
        if name not in Row.__dataclass_fields__:
            raise UnknownNameError("field of a published row", name, Row.__dataclass_fields__)
    return tuple(
        row
        for row in all_rows()
        if all(getattr(row, name) == value for name, value in wanted.items())
    )


def in_tables(rows: Sequence[Row], tables: Sequence[str]) -> tuple[Row, ...]:
    """The rows of some papers (`mtpsl`), tables (`mtpsl/2`) or with some keys; of all without any.

    Raises:
        UnknownNameError: for a table that no paper has.
    """
    places = {
        place: None for row in all_rows() for place in (row.paper, f"{row.paper}/{row.table}")
    }
    for name in tables:
        if name not in places and not any(row.key == name for row in all_rows()):
            raise UnknownNameError("published table", name, places)
    return tuple(
        row
        for row in rows
        if not tables or {row.paper, f"{row.paper}/{row.table}", row.key} & set(tables)
    )


def matching(pattern: str) -> tuple[Row, ...]:
    """The rows that hold every word of a pattern, in their key or in a field.

    Args:
        pattern: Words such as `nyu one`; `*` and `?` stand for what they do in names of files.
    """
    exact = tuple(row for row in all_rows() if row.key == pattern)
    if exact:
        return exact
    words = [word.lower() for word in pattern.split()]

    def holds(row: Row, word: str) -> bool:
        fields = (row.dataset, row.protocol, row.regime, row.method, row.network, row.weighting)
        places = [row.key.lower(), *map(str.lower, fields)]
        return any(fnmatchcase(place, f"*{word}*" if at == 0 else word)
                   for at, place in enumerate(places))  # fmt: skip

    return tuple(row for row in all_rows() if all(holds(row, word) for word in words))


def once(rows: Sequence[Row]) -> list[Row]:
    """The rows, those that tables repeat only once; the note says where else they stand."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        same = (row.facts.key, row.regime, row.method, row.network, row.weighting)
        groups.setdefault(repr((*same, row.classes, row.scores)), []).append(row)
    found = []
    for first, *others in groups.values():
        also = f"Also {', '.join(row.key for row in others)}." if others else ""
        note = " ".join(part for part in (first.note, also) if part)
        found.append(replace(first, note=note))
    return found


def published_row(key: str) -> Row:
    """The row called `paper/table/name`.

    Raises:
        UnknownNameError: where there is none.
    """
    return named("published row", key, {row.key: row for row in all_rows()})


def _rows(paper: Mapping[str, Any]) -> Iterator[Row]:
    for table in paper["tables"]:
        for row in table["rows"]:
            yield _row(paper, table, row)


def _row(paper: Mapping[str, Any], table: Mapping[str, Any], row: Mapping[str, Any]) -> Row:
    given = {**_common(paper), **_common(table), **_common(row)}
    scores: dict[str, dict[str, float]] = {}
    for column, value in zip(table["columns"], row["scores"], strict=True):
        task, metric = column.split(".", 1)
        scores.setdefault(task, {})[metric] = float(value)
    return Row(
        paper=paper["paper"],
        table=table["table"],
        name=row["name"],
        scores=scores,
        decimals=dict(zip(table["columns"], table["decimals"], strict=True)),
        printed=row.get("printed", {}),
        parameters=row.get("parameters"),
        delta=row.get("delta"),
        baseline=_baseline(paper["paper"], table)
        if "delta" in row and "baseline" in table
        else None,
        note=" ".join(x for x in (row.get("note"), table.get("note")) if x),
        **given,
    )


def _common(level: Mapping[str, Any]) -> dict[str, Any]:
    """What a paper or a table may say for all its rows."""
    found = {name: level[name] for name in _FIELDS if name in level}
    if "size" in found:
        found["size"] = tuple(found["size"])
    return found


def _baseline(paper: str, table: Mapping[str, Any]) -> str:
    """A row of the same table, or `table/row` of another one."""
    name = table["baseline"]
    return f"{paper}/{name}" if "/" in name else f"{paper}/{table['table']}/{name}"
