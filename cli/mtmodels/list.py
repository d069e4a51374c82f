"""`mtmodels list`."""

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from cli.shared.common import json_option, put_json
from cli.shared.completion import of_family
from cli.shared.groups import Command, examples
from cli.shared.plugins import plugin_option
from cli.shared.tables import put_described
from mtdata.errors import UnknownNameError
from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtmodels.metrics.base import Metric
    from mtmodels.metrics.protocols import Protocol

FAMILIES = (
    "methods",
    "relations",
    "networks",
    "encoders",
    "weightings",
    "schedules",
    "optimisers",
    "recipes",
    "metrics",
    "published",
)

COUNTED = 20
"""Encoders of timm that are counted: each takes up to a second."""


@click.command(
    "list",
    cls=Command,
    epilog=examples(
        "mtmodels list methods",
        "mtmodels list methods xtc",
        "mtmodels list recipes nyu-compact --json",
        "mtmodels list networks mine --plugin mine.py",
        "mtmodels list recipes mtpsl/table5",
        "mtmodels list encoders 'mobilenetv3*'",
        "mtmodels list published 'nyu one'",
    ),
)
@click.argument("family", type=click.Choice(FAMILIES))
@click.argument("name", required=False, metavar="[NAME|PATTERN]", shell_complete=of_family)
@plugin_option
@json_option
def list_(family: str, name: str | None, *, as_json: bool) -> None:
    """List what there is of a family, or explain one member with its options and their defaults.

    Of recipes and published rows, PATTERN holds words of the name, data set, protocol, regime,
    method, network or weighting; a star stands for anything. Of encoders, it finds those of timm.
    """
    from mtdata.plugins import load_installed

    if family == "published":
        _published(name or "", as_json=as_json)
        return
    load_installed()
    if family == "recipes":
        _list_recipes(name, as_json=as_json)
        return
    known = _describe(family)
    if family == "encoders" and name is not None and name not in known:
        _timm(name, as_json=as_json)
        return
    if name is None:
        if as_json:
            put_json({member: entry["summary"] for member, entry in known.items()})
        else:
            _print_all(known)
        return
    if name not in known:
        raise UnknownNameError(family.removesuffix("s"), name, list(known))
    put_json({"name": name, **known[name]}) if as_json else _print_one(name, known[name])


def _describe(family: str) -> dict[str, dict[str, Any]]:
    """What is told of each member of a family."""
    from mtdata.plugins.families import FAMILIES as REGISTRIES

    if family == "metrics":
        return _metrics()
    registry = REGISTRIES[family.upper()].registry
    described = _members(registry)
    for name, entry in described.items():
        member = registry[name]
        if family == "methods":
            entry["tasks"] = list(member.default_tasks) or "all of the store"
        elif family == "relations":
            entry["needs"] = member.needs
            entry["unless named"] = "taken" if member.usual else "left out"
        elif family == "networks":
            entry["sizes"] = f"height and width divisible by {member.stride}"
    return described


def _members(members: Registry[Any]) -> dict[str, dict[str, Any]]:
    """Summary, reference, text and options of the members of a family."""
    from mtmodels.options import about, explained, options_of

    return {
        name: {
            "summary": member.summary,
            "reference": getattr(member, "reference", None),
            "options": {key: _plain(value) for key, value in options_of(member).items()},
            "explained": explained(member),
            "about": about(member),
            "origin": members.origins.get(name),
        }
        for name, member in members.items()
    }


def _list_recipes(pattern: str | None, *, as_json: bool) -> None:
    """The recipes that a pattern finds, by table; of one name all that is known."""
    from mtmodels.recipes import by_any_name, matching, table_of
    from mtmodels.scoring.published import published_row

    known = by_any_name()
    if pattern is not None and pattern in known:
        recipe = known[pattern]
        row = recipe.rows.get(pattern, recipe.published)
        entry = {
            "summary": recipe.summary,
            "needs": recipe.needs,
            "names": [one for one in recipe.names if one != pattern] or None,
            "teachers": dict(recipe.teachers) or None,
            "published": row,
            "published_scores": None if row is None else published_row(row).scores,
            "config": dict(recipe.config),
        }
        put_json({"name": pattern, **entry}) if as_json else _print_one(pattern, entry)
        return
    found = matching(pattern or "")
    if not found:
        raise UnknownNameError("recipe", str(pattern), list(known))
    if as_json:
        put_json({name: recipe.summary for name, recipe in found.items()})
        return
    tables: dict[str, dict[str, str]] = {}
    for name, recipe in found.items():
        same = "" if name == recipe.name else f" (as {recipe.name})"
        tables.setdefault(table_of(name), {})[name] = f"{recipe.summary}{same}"
    for number, (table, described) in enumerate(tables.items()):
        click.echo("\n" * (number > 0) + table)
        put_described(described, indent=2, wide=max(map(len, found)))


def _metrics() -> dict[str, dict[str, Any]]:
    from mtmodels.metrics import METRICS

    return {
        protocol: {
            "summary": member.summary,
            "origin": METRICS.origins.get(protocol),
            "metrics": {
                kind: {
                    name: "higher is better" if better else "lower is better"
                    for name, better in metric.better.items()
                }
                for kind, metric in _by_name(member).items()
            },
        }
        for protocol, member in METRICS.items()
    }


def _by_name(protocol: "Protocol") -> dict[str, "type[Metric]"]:
    """The metric of each kind, and of each task that is scored otherwise than its kind."""
    return {**protocol, **{task: metric for (_, task), metric in protocol.named.items()}}


def _timm(pattern: str, *, as_json: bool) -> None:
    """The encoders of timm that a pattern finds; of a few, how many parameters they have."""
    from mtmodels.networks.encoders import ENCODERS
    from mtmodels.networks.encoders.timm_encoder import matching, parameters_of

    names = matching(pattern)
    if not names:
        raise UnknownNameError("encoder", pattern, [*ENCODERS, *matching("*")])
    counts = {name: parameters_of(name) if len(names) <= COUNTED else None for name in names}
    if as_json:
        put_json({"encoders": counts})
        return
    wide = max(map(len, names))
    for name, count in counts.items():
        click.echo(name if count is None else f"{name:<{wide}}  {count:>13,} parameters")


def _published(pattern: str, *, as_json: bool) -> None:
    """The rows of the papers that a pattern finds, by table; of one row all that is known."""
    from cli.mtmodels.published_tables import put_rows
    from mtmodels.scoring.published import all_rows, matching

    rows = matching(pattern)
    if not rows:
        raise UnknownNameError("published row", pattern, [row.key for row in all_rows()])
    if as_json:
        put_json({"rows": [row.to_json() for row in rows]})
        return
    if len(rows) == 1:
        known = {
            k: v for k, v in rows[0].to_json().items() if k != "key" and v not in (None, "", {})
        }
        click.echo(f"{rows[0].key}\n")
        click.echo(_yaml(known))
        return
    put_rows(rows)


def _plain(value: Any) -> Any:
    """A default as JSON has it; an option without one is needed."""
    if value is inspect.Parameter.empty:
        return "(needed)"
    return list(value) if isinstance(value, tuple) else value


def _print_all(known: Mapping[str, Mapping[str, Any]]) -> None:
    put_described(
        {
            name: entry["summary"] + (f" ({entry['origin']})" if entry.get("origin") else "")
            for name, entry in known.items()
        }
    )


def _print_one(name: str, entry: Mapping[str, Any]) -> None:
    click.echo(f"{name}: {entry['summary']}\n")
    if entry.get("about"):
        click.echo(entry["about"] + "\n")
    if entry.get("explained"):
        click.echo(_options(entry["options"], entry["explained"]))
    told = ("summary", "about", "explained", *(["options"] if entry.get("explained") else []))
    rest = {k: v for k, v in entry.items() if k not in told and v not in (None, {})}
    if rest:
        click.echo(_yaml(rest))


def _yaml(value: Mapping[str, Any]) -> str:
    """Values for people."""
    import yaml

    return str(yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True)).rstrip()


def _options(defaults: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """The options with their defaults and what they do."""
    import json

    formatter = click.HelpFormatter(max_width=100)
    with formatter.section("Options, with their defaults"):
        formatter.write_dl(
            [(f"{k}={json.dumps(value)}", texts.get(k, "")) for k, value in defaults.items()]
        )
    return formatter.getvalue()
