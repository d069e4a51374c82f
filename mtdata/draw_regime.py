"""Draw a regime on the training split of a store that exists, and keep it there."""

from pathlib import Path

from mtdata.errors import UsageError
from mtdata.regimes import RegimeTable, draw
from mtdata.store import add_regime, open_store


def draw_regime(
    path: Path, kind: str, *, name: str | None = None, seed: int = 0
) -> tuple[str, RegimeTable]:
    """Draw over the labels that have valid pixels.

    Args:
        path: The store; it is replaced by a copy with the regime.
        kind: A name of `REGIMES`.
        name: What to call it; None for its kind.
        seed: The only source of randomness.

    Returns:
        The name of the split, and what was drawn.

    Raises:
        UnknownNameError: where there is no such regime.
        UsageError: where the name is taken, or the store has not exactly one training split.
        DataError: where a task gets no label.
    """
    with open_store(path) as store:
        splits = [split for split in store.splits.values() if split.role == "train"]
        if len(splits) != 1:
            raise UsageError(
                f"{path} should have one training split; found {len(splits)}. A regime says what "
                "may be seen in training."
            )
        split = splits[0]
        tasks = [task.name for task in split.tasks]
        table = draw(kind, split.keys, tasks, split.valid_pixels > 0, seed=seed)
    add_regime(path, name or kind, table, split=split.name)
    return split.name, table
