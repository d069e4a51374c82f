"""`mtdata regime add`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.shared.common import json_option, paragraph, put_json, say, training_command
from cli.shared.groups import Command, examples
from cli.shared.members import Member
from cli.shared.options import (
    FILE,
    changed_store_argument,
    given,
    regime_options,
    seed_option,
    set_option,
    split_name,
)
from cli.shared.plugins import plugin_option
from mtdata.errors import UsageError
from mtdata.regimes import REGIMES

if TYPE_CHECKING:
    from mtdata.regimes.table import RegimeTable

IMPORT = "import"


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata regime add data/nyu.h5 --kind random",
        "mtdata regime add data/nyu.h5 --kind one --seed 1 --name one-1",
        "mtdata regime add data/cityscapes.h5 --kind imbalanced --ratio semantic=0.9,depth=0.1",
        "mtdata regime add data/nyu.h5 --kind fraction --share 0.1 --stable",
        "mtdata regime add data/nyu.h5 --from nyuv2_onelabel.pth",
        "mtdata regime add small.h5 --from nyuv2_onelabel.pth --missing skip",
    ),
)
@changed_store_argument
@click.option(
    "--kind",
    type=Member(REGIMES, also=[IMPORT]),
    metavar="KIND",
    help="full, one (a label an image), random (1 to K - 1), imbalanced (one an image, in a given "
    "--ratio), fraction (all labels of a --share of the images), one of a plug-in, or import, "
    "which --from means.",
)
@click.option("--name", help="What to call it.  [default: its kind, or the name of the file]")
@regime_options
@set_option
@click.option(
    "--from",
    "file",
    type=FILE,
    metavar="PATH",
    help="import: CSV (key,task), JSON, or .pth and .npy as MTPSL released them. No code in it is "
    "run.",
)
@click.option(
    "--missing",
    type=click.Choice(["refuse", "skip"]),
    help="import: what to do with images that the store does not have.  [default: refuse]",
)
@split_name(help="Only on this split.  [default: all to train on; with --from there has to be one]")
@seed_option
@plugin_option
@json_option
def add(
    store: Path,
    *,
    kind: str | None,
    name: str | None,
    file: Path | None,
    missing: str | None,
    split: str | None,
    seed: int,
    assignments: tuple[tuple[str, Any], ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Draw a regime on the training splits, or read one from a file, and keep it in the store."""
    chosen = {option: value for option, value in options.items() if value} | dict(assignments)
    if missing is not None and file is None:
        raise UsageError("--missing says how to read --from PATH. Leave it out.")
    if file is None:
        if kind is None or kind == IMPORT:
            raise UsageError("Give --kind and how to draw it, or --from PATH to read a regime.")
        from mtdata.store.regime_add import draw_regime

        drawn = draw_regime(store, kind, name=name, seed=seed, split=split, **chosen)
        _tell(store, name or kind, drawn, as_json=as_json)
        return
    if kind not in (None, IMPORT):
        raise UsageError(f"--kind {kind} is drawn, --from PATH is read: give one of the two.")
    for option in (*chosen, *(("seed",) if given("seed") else ())):
        raise UsageError(f"`{option}` is no option of the regime `import`. Leave it out.")
    from mtdata.store.regime_add import import_regime

    of, found = import_regime(store, file, name=name, skip=missing == "skip", split=split)
    _tell(store, name or file.stem, {of: found.table}, found.notes, as_json=as_json)


def _tell(
    store: Path,
    name: str,
    tables: "Mapping[str, RegimeTable]",
    notes: Sequence[str] = (),
    *,
    as_json: bool,
) -> None:
    from cli.mtdata.regime.table import put_regimes
    from mtdata.regimes.table import together

    table = together(list(tables.values()))
    if as_json:
        put_json({"name": name, **_facts(table), "notes": list(notes)})
    else:
        put_regimes({split: {name: _facts(each)} for split, each in tables.items()})
    if table.kind == "random" and len(table.tasks) == 2:
        # From one label to one less than there are tasks.
        notes = [*notes, "of two tasks, random shows one label of each image, as the kind one does"]
    for note in notes:
        say(paragraph(f"Note: {note}{'' if note.endswith('.') else '.'}"))
    say(f"Next: {training_command(store, name)}")


def _facts(table: "RegimeTable") -> dict[str, Any]:
    return {
        "kind": table.kind,
        "parameters": dict(table.parameters),
        "seed": table.seed,
        "labels": table.counts,
        "images_with": {str(k): n for k, n in table.images_with.items()},
    }
