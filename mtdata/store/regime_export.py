"""Write a regime of a store to a file."""

from collections.abc import Callable
from pathlib import Path

from mtdata.errors import UsageError
from mtdata.regimes.importing.json_file import write_json
from mtdata.regimes.table import RegimeTable, write_table
from mtdata.store import open_store
from mtdata.store.atomic import replacing
from mtdata.store.regime_summary import regime_table

WRITERS: dict[str, Callable[[RegimeTable, Path], None]] = {".csv": write_table, ".json": write_json}


def export_regime(path: Path, name: str, out: Path) -> RegimeTable:
    """Write the labels that a regime shows of the training split; the file is whole or absent.

    Args:
        path: The store.
        name: The regime.
        out: The file; its suffix says the form, `.csv` or `.json`.

    Raises:
        UsageError: where the suffix says neither, or the store has not exactly one training split.
        UnknownNameError: where there is no such regime.
        MtdataError: where the disk is full or the file cannot be written.
    """
    if out.suffix.lower() not in WRITERS:
        raise UsageError(f"`out` should end in {' or '.join(WRITERS)}; found {out}.")
    with open_store(path) as store:
        table = regime_table(store, name)
    with replacing(out) as temporary:
        WRITERS[out.suffix.lower()](table, temporary)
    return table
