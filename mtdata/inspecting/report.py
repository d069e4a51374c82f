"""A store on one page that needs no other file: what it is, what its labels are, some of them."""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtdata.inspecting.distribution import Distribution
from mtdata.inspecting.info import info
from mtdata.inspecting.keys import evenly
from mtdata.inspecting.pictures import HIDDEN, MISSING, render, swatches, title, web
from mtdata.inspecting.show import looked_at, looked_through
from mtdata.inspecting.stats import SplitStats, Stats, TaskStats, stats
from mtdata.inspecting.verify import check_tables
from mtdata.pages.figures import bars, lines, percent
from mtdata.pages.page import embedded
from mtdata.pages.page import render as fill_in
from mtdata.progress import Progress
from mtdata.regimes.counting import count_pairs
from mtdata.sources import SOURCES
from mtdata.sources.licences import licences_of
from mtdata.store import Split, Store
from mtdata.store.format import FULL
from mtdata.tasks.kinds import Classes, Normals
from mtdata.tasks.task import Task

TEMPLATES = Path(__file__).parent / "templates"
LIMIT = 200
"""Images of each split whose labels are read for frequencies and ranges, unless told otherwise."""
IMAGES = 6
"""Images that are shown with all of their labels."""
BINS = 60


def report(
    store: Store,
    regime: str | None = None,
    progress: Progress | None = None,
    *,
    split: str | None = None,
    limit: int = LIMIT,
) -> str:
    """The page. A label that the regime hides is not read, neither to count nor to show.

    Args:
        store: What to tell of.
        regime: The regime; None for every label. A split without it shows every label.
        progress: Told about labels read.
        split: The one split to look at; None for all.
        limit: Images of each split, drawn, whose labels are read for frequencies and ranges.

    Raises:
        UnknownNameError: for a regime or a split that the store does not have.
        StoreError: where a label is broken.
    """
    known, found = info(store), stats(store, regime, progress, split=split, sample=limit)
    problems = check_tables(store)
    images = [_image(store, one.split, i, regime) for one, i in _chosen(found)]
    splits = {name: known["splits"][name] for name in found.splits}
    return fill_in(
        "store.html",
        TEMPLATES,
        title=f"{store.dataset_name}: {store.path.name}",
        regime=regime or FULL,
        facts=_facts(store, known),
        licences=licences_of(store.dataset_name),
        tasks=[_task(store, task) for task in store.tasks],
        counts=_counts(splits),
        names=[task.name for task in store.tasks],
        a_label=_labels_an_image(splits, len(store.tasks)),
        most=range(len(store.tasks) + 1),
        pairs={
            name: count_pairs([t.name for t in store.tasks], one.shown)
            for name, one in found.splits.items()
        },
        partial=[n for n, one in found.splits.items() if one.images < len(one.split)],
        limit=limit,
        valid=_valid(found),
        classes=_classes(found),
        ranges=_ranges(found),
        distributions=list(_distributions(found)),
        images=images,
        void=any(one.get("void") for row in images for one in row),
        legends=_legends(store),
        problems=problems,
        sealed=store.sealed,
        commands=_commands(store, regime),
    )


def _facts(store: Store, known: Mapping[str, Any]) -> dict[str, str]:
    images = {name: len(each) for name, each in store.splits.items()}
    sizes = {f"{each.size[0]}x{each.size[1]}" for each in store.splits.values()}
    padded = any(each.padded for each in store.splits.values())
    return {
        "data set": store.dataset_name,
        "source": store.options.get("source_name", store.dataset_name),
        "images": ", ".join(
            f"{store.splits[name].name} {n:,} (role {store.splits[name].role})"
            for name, n in images.items()
        ),
        "size": ", ".join(sorted(sizes)) + (", smaller ones padded" if padded else ""),
        "file": f"{store.path.name}, {known['bytes'] / 1e6:,.1f} MB",
        "regimes": ", ".join(store.regimes) + f"; default {store.default_regime}",
        "built": f"{store.created} with {store.tool}",
        "content": store.content_digest[:12],
        "source digest": store.source_digest[:12],
    }


def _task(store: Store, task: Task) -> list[str]:
    kind = task.kind
    given = store.options.get("source", {}).get(task.name)
    what = kind.name if not isinstance(kind, Classes) else f"classes, {len(kind.names)} of them"
    return [task.name, what + (f", {given}" if isinstance(given, str) else ""), kind.units]


def _counts(splits: Mapping[str, Any]) -> list[list[str]]:
    """Labels of each task, a row for each split and regime."""
    return [
        [split, name, *(_part(n, each["images"]) for n in regime["labels"].values())]
        for split, each in splits.items()
        for name, regime in each["regimes"].items()
    ]


def _part(count: int, of: int) -> str:
    return f"{count:,} ({percent(100 * count / max(of, 1))})"


def _labels_an_image(splits: Mapping[str, Any], tasks: int) -> list[list[str]]:
    return [
        [split, name, *(f"{regime['images_with'].get(str(k), 0):,}" for k in range(tasks + 1))]
        for split, each in splits.items()
        for name, regime in each["regimes"].items()
    ]


def _sums(found: Stats, task: Task) -> dict[str, TaskStats]:
    """Those of the splits that show a label of the task."""
    each = {name: split.tasks[task.name] for name, split in found.splits.items()}
    return {name: one for name, one in each.items() if one.images}


def _valid(found: Stats) -> list[list[str]]:
    return [
        [task.name, name, f"{one.images:,}", percent(100 * one.valid / max(one.pixels, 1))]
        for task in found.store.tasks
        for name, one in _sums(found, task).items()
    ]


def _classes(found: Stats) -> list[tuple[str, Any]]:
    drawn = []
    for task in found.store.tasks:
        shares = {
            name: (100 * one.classes / max(int(one.classes.sum()), 1)).tolist()
            for name, one in _sums(found, task).items()
            if one.classes is not None
        }
        if isinstance(task.kind, Classes) and shares:
            about = f"Share of the valid pixels of each class of {task.name}"
            drawn.append((f"{task.name}: share of valid pixels",
                          bars(task.kind.names, shares, about=about)))  # fmt: skip
    return drawn


def _ranges(found: Stats) -> list[list[str]]:
    rows = []
    for task in found.store.tasks:
        for name, one in _sums(found, task).items():
            for channel, each in enumerate(one.distributions):
                axis = f" {'xyz'[channel]}" if len(one.distributions) == 3 else ""
                values = each.to_json()
                told = (values[n] for n in ("min", "p1", "median", "mean", "p99", "max"))
                rows.append(
                    [task.name + axis, name, *("" if v is None else _short(v, each) for v in told)]
                )
    return rows


def _short(value: float, of: Distribution) -> str:
    """A number with three digits of the range that it is in."""
    span = of.maximum - of.minimum
    digits = max(0, 2 - math.floor(math.log10(span))) if 0 < span < math.inf else 3
    places = min(digits, 6)
    return f"{round(value, places) + 0.0:.{places}f}"  # no -0.00


def _distributions(found: Stats) -> Any:
    """Of depth a curve for each split, of normals one for each axis in each split."""
    for task in found.store.tasks:
        sums, kind = _sums(found, task), task.kind
        if not sums or isinstance(kind, Classes) or kind.name == "binary":
            continue
        if isinstance(kind, Normals):
            for name, one in sums.items():
                edges = np.linspace(-1, 1, BINS + 1)
                drawn = {
                    axis: _curve(d, edges) for axis, d in zip("xyz", one.distributions, strict=True)
                }
                yield (f"{task.name}, {name}: components of the directions",
                       lines(drawn, about=f"Distribution of x, y, z of {task.name} in {name}",
                             x="component", y="% of valid pixels", based=True))  # fmt: skip
            continue
        filled = {name: one.distributions[0] for name, one in sums.items() if one.valid}
        top = max((d.quantile(0.999) for d in filled.values()), default=1.0) or 1.0
        edges = np.linspace(0, top, BINS + 1)
        yield (f"{task.name}: distribution, up to the 99.9th percentile",
               lines({name: _curve(d, edges) for name, d in filled.items()},
                     about=f"Distribution of {task.name}", x=kind.units,
                     y="% of valid pixels", based=True))  # fmt: skip


def _curve(distribution: Any, edges: Any) -> list[tuple[float, float]]:
    shares = 100 * distribution.histogram(edges) / max(distribution.count, 1)
    return list(zip(((edges[1:] + edges[:-1]) / 2).tolist(), shares.tolist(), strict=True))


def _chosen(found: Stats) -> list[tuple[SplitStats, int]]:
    """Images evenly spread over the splits."""
    each = max(1, IMAGES // len(found.splits))
    return [(one, place) for one in found.splits.values() for place in evenly(len(one.split), each)]


def _image(store: Store, split: Split, index: int, regime: str | None) -> list[dict[str, Any]]:
    """An image and all of its labels that may be seen."""
    seen = looked_at(split, looked_through(store, regime))
    names = [t.name for t, yes in zip(store.tasks, seen.labelled[index], strict=True) if yes]
    sample = seen.read(index, names).trimmed()
    height, width = sample.image.shape[:2]
    key = split.keys[index]
    row: list[dict[str, Any]] = [
        {"uri": embedded(sample.image, "JPEG"), "photo": True,
         "title": f"{key} ({split.name})", "alt": f"image {key} of {split.name}"}
    ]  # fmt: skip
    for column, task in enumerate(store.tasks):
        if task.name not in sample.labels:
            why = HIDDEN if split.labelled[index, column] else MISSING
            row.append({"uri": "", "shape": width / height, "title": task.name, "alt": why})
            continue
        label, valid = sample.labels[task.name], sample.valid[task.name]
        origin = seen.origin(index, column)
        row.append(
            {"uri": embedded(render(task, label, valid)), "photo": False,
             "title": title(task, label, valid) + (f" ({origin})" if origin else ""),
             "alt": f"{task.name} of {key}", "void": not valid.all()}
        )  # fmt: skip
    return row


def _legends(store: Store) -> dict[str, list[tuple[str, str]]]:
    """Names and colours of the classes of each task that has some."""
    found = {}
    for task in store.tasks:
        if isinstance(task.kind, Classes):
            every = swatches(task, [np.arange(len(task.kind.names))])
            found[task.name] = [(each.name, web(each.colour)) for each in every]
    return found


def _commands(store: Store, regime: str | None) -> Sequence[str]:
    """What builds it again; the folder of the source, which no store knows, is to be filled in."""
    options, file = store.options, shlex.quote(store.path.name)
    source = options.get("source_name", store.dataset_name)
    build = ["mtdata", "build", "--dataset", source]
    made_by = SOURCES.get(source)  # None: a plug-in, which is not loaded
    if made_by is None or made_by.needs_root:
        build += ["--source", "FOLDER"]
    if source != store.dataset_name:
        build += ["--name", store.dataset_name]
    size = options.get("size")
    build += ["--size", f"{size[0]}x{size[1]}" if isinstance(size, (list, tuple)) else "native"]
    if options.get("limit"):
        build += ["--limit", str(options["limit"])]
    if options.get("compression"):
        build += ["--compression", options["compression"]]
    build += _source_options(made_by.takes if made_by else (), options.get("source", {}))
    build += ["--tasks", ",".join(task.name for task in store.tasks)]
    build += ["--strict"] if options.get("strict") else []
    if seed := options.get("source", {}).get("seed"):  # of pictures that are made
        build += ["--seed", str(seed)]
    look = ["mtdata", "report", store.path.name, *(["--regime", regime] if regime else [])]
    return (
        *([] if "merged" in options else [f"{shlex.join(build)} -o {file}", *_regimes(store)]),
        f"mtdata verify {file}",
        f"{shlex.join(look)} -o report.html",
    )


def _regimes(store: Store) -> Iterator[str]:
    """What draws its regimes again, each with a seed of its own; those of files are not drawn."""
    drawn = {
        one.name: one
        for split in store.splits.values()
        for one in split.stored.values()
        if one.origin == "drawn"
    }
    for name, one in sorted(drawn.items()):
        add = ["mtdata", "regime", "add", store.path.name, "--kind", one.kind]
        add += [] if name == one.kind else ["--name", name]
        add += ["--seed", str(one.seed)] if one.seed else []
        if ratio := one.parameters.get("ratio"):
            add += ["--ratio", ",".join(f"{task}={part}" for task, part in ratio.items())]
        if share := one.parameters.get("share"):
            add += ["--share", str(share)]
        add += ["--stable"] if one.parameters.get("stable") else []
        yield shlex.join(add)
    if store.default_regime in drawn:
        yield shlex.join(["mtdata", "regime", "default", store.path.name, store.default_regime])


def _source_options(takes: Sequence[str], given: Mapping[str, Any]) -> Iterator[str]:
    """The options of the source as a build takes them; some hang on what lies in its folder."""
    # A description is a file of the folder, but for what may have been said in its place.
    chosen = {"unlabelled": given.get("description", {}).get("unlabelled"), **given}
    for name in takes:
        value = chosen.get(name)
        if name in ("description", "seed", "size"):  # a file, and flags of every build
            continue
        if value is not None and (name, value) != ("unlabelled", "refuse"):
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            yield from (f"--{name}", text)
