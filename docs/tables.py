"""Write the tables of recipes into `recipes.md`: `python -m docs.tables`."""

from pathlib import Path

from mtmodels.recipes import Recipe, matching, table_of
from mtmodels.scoring.published import published_row
from mtmodels.training.setup.resolve import resolve

PAGE = Path(__file__).with_name("recipes.md")
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
OURS = "ours"
SHORT = {"nyu": "NYUv2", "cityscapes": "Cityscapes", "pascal": "PASCAL-Context"}


def tables() -> str:
    """A section a table: every row with its name, which `mttrain --recipe` takes."""
    rows: dict[str, list[tuple[str, Recipe]]] = {}
    for name, recipe in matching("").items():
        rows.setdefault(table_of(name), []).append((name, recipe))
    parts = [_section(table, found) for table, found in rows.items() if table != OURS]
    return "\n".join([*parts, _ours(rows[OURS])])


def _ours(rows: list[tuple[str, Recipe]]) -> str:
    lines = [
        f"### {OURS}\n",
        "Of no paper, so that no published number belongs to them.\n",
        "| `mttrain --recipe` | what | length | rate | hold-out | needs |",
        "|---|---|---|---|---|---|",
    ]
    for name, recipe in rows:
        config = resolve(recipe.config)
        length = f"{config.steps} steps" if config.steps else f"{config.epochs} epochs"
        held = f"{config.holdout:g}" if config.holdout else "none"
        cells = (f"`{name}`", recipe.summary, length, f"{config.lr:g}", held, recipe.needs)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _section(table: str, rows: list[tuple[str, Recipe]]) -> str:
    first = rows[0][1]
    size = "x".join(map(str, first.store["size"]))
    keys = [key for name, recipe in rows for key in recipe.rows.values()]
    columns = ", ".join(
        f"{task} {metric}"
        for task, metrics in (published_row(keys[0]).scores.items() if keys else ())
        for metric in metrics
    )
    scores = f"; published are {columns}" if columns else "; the paper prints no scores"
    lines = [
        f"### {table}\n",
        f"{SHORT[first.store['dataset']]} at {size}{scores}.\n",
        "| `mttrain --recipe` | what | published |",
        "|---|---|---|",
    ]
    for name, recipe in rows:
        key = recipe.rows.get(name, recipe.published)
        lines.append(f"| `{name}` | {recipe.summary} | {_scores(key)} |")
    return "\n".join(lines) + "\n"


def _scores(key: str | None) -> str:
    if key is None:
        return "none"
    row = published_row(key)
    return " / ".join(
        f"{value:.{row.decimals[f'{task}.{metric}']}f}"
        for task, metrics in row.scores.items()
        for metric, value in metrics.items()
    )


def written(page: str) -> str:
    """The page with the tables as they should be."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
