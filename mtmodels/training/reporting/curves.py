"""The log of a run as figures, one by one."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from markupsafe import Markup

from mtdata.pages.figures import COLOURS, Number, lines
from mtmodels.metrics.scores import HIGHER_IS_BETTER, headline_among
from mtmodels.training.record.plots import AN_EPOCH, Log, part_kind
from mtmodels.training.record.runlog import read_rows

Curve = list[tuple[Number, Number]]
Figure = tuple[str, Markup]


def curves(metrics: Path) -> list[Figure]:
    """Title and figure of each curve; none where there is no log."""
    if not metrics.is_file():
        return []
    return list(_curves(Log(*(read_rows(metrics, kind) for kind in ("step", "epoch", "probe")))))


def _curves(log: Log) -> Iterator[Figure]:
    tasks, auxiliary = log.names("tasks"), log.names("auxiliary")
    for task in tasks:
        field = "labelled" if task in log.names("labelled") else "tasks"
        means = _means(log, field, task)
        series = {"logged steps": _steps(log, field, task)} | (
            {"mean of an epoch": means} if means else {}
        )
        of = ", mean over the images that show it" if field == "labelled" else ""
        yield _drawn(f"{task}: loss{of}", series, faint=["logged steps"] if means else [])
    yield from _many(log, "auxiliary", "terms beside those of the tasks", auxiliary)
    parts = [n for n in log.names("parts") if n not in auxiliary and not n.endswith("/direct")]
    for kind in dict.fromkeys(part_kind(name, tasks) for name in parts):
        of_kind = sorted(name for name in parts if part_kind(name, tasks) == kind)
        title = f"{kind} of each pair, before any weight"
        yield from _many(log, "parts", title, of_kind, said=f"{kind}/")
    asked = sorted({name for row in log.looks for name in row["agreement"]})
    for names in _chunks(asked):
        series = {
            n: [(r["step"], r["agreement"][n]) for r in log.looks if n in r["agreement"]]
            for n in names
        }
        yield _drawn("agreement of pairs with held-out labels", series)
    yield from _many(log, "weights", "weights of the terms", log.names("weights"))
    rates = {"learning rate": [(row["step"], row["lr"]) for row in log.steps]}
    # On a logarithmic axis the warm-up and the end of a cycle hide all that is between.
    yield _drawn("learning rate", rates, linear=True)
    norms = [
        (r["step"], r["gradient_norm"]) for r in log.steps if r.get("gradient_norm") is not None
    ]
    if norms:
        yield _drawn("norm of the gradient", {"norm": norms})
    yield from _scores(log)


def _scores(log: Log) -> Iterator[Figure]:
    """The score that speaks for each task, of what selects, over the epochs."""
    scored = [row for row in log.epochs if row.get("scores")]
    for task in dict.fromkeys(task for row in scored for task in row["scores"]):
        rows = [row for row in scored if task in row["scores"]]
        name = headline_among(rows[0]["scores"][task])
        if name is None:
            continue
        points = [
            (row["epoch"], row["scores"][task][name])
            for row in rows
            if row["scores"][task].get(name) is not None
        ]
        better = "higher" if HIGHER_IS_BETTER[name] else "lower"
        yield _drawn(
            f"{task}: {name} of what selects ({better} is better)", {name: points}, x="epoch"
        )


def _many(
    log: Log, field: str, title: str, names: list[str], *, said: str = ""
) -> Iterator[Figure]:
    """Figures of values that belong together; what their title `said` of a name is left out."""
    chunks = _chunks(names)
    for number, chunk in enumerate(chunks, 1):
        of = f" ({number} of {len(chunks)})" if len(chunks) > 1 else ""
        yield _drawn(title + of, {n.removeprefix(said): _steps(log, field, n) for n in chunk})


def _chunks(names: list[str]) -> list[list[str]]:
    """As many names as there are colours, together."""
    return [names[i : i + COLOURS] for i in range(0, len(names), COLOURS)]


def _steps(log: Log, field: str, name: str) -> Curve:
    return [
        (row["step"], row[field][name])
        for row in log.steps
        if row.get(field, {}).get(name) is not None
    ]


def _means(log: Log, field: str, name: str) -> Curve:
    """The mean of each epoch, in the middle of it."""
    half = log.epochs[0]["step"] / 2 if log.epochs else 0
    key = AN_EPOCH.get(field, field)
    return [
        (row["step"] - half, row[key][name])
        for row in log.epochs
        if row.get(key, {}).get(name) is not None
    ]


def _drawn(
    title: str,
    series: Mapping[str, Curve],
    *,
    x: str = "step",
    faint: list[str] | None = None,
    linear: bool = False,
) -> Figure:
    drawn = lines(series, about=title, x=x, faint=faint or (), counted=True, linear=linear)
    return title, drawn
