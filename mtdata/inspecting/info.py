"""What a store holds, as JSON."""

from typing import Any

from mtdata.store import Split, Store
from mtdata.store.format import ORIGINS


def info(store: Store) -> dict[str, Any]:
    """The fields of `mtdata info --json`; nothing of it needs pixels."""
    return {
        "path": str(store.path),
        "format_version": store.format_version,
        "dataset": store.dataset_name,
        "tasks": {
            task.name: {
                "kind": task.kind.name,
                "channels": task.channels,
                "units": task.kind.units,
            }
            for task in store.tasks
        },
        "splits": {name: _split(split) for name, split in store.splits.items()},
        "content_digest": store.content_digest,
        "bytes": store.length,
    }


def _added(split: Split, origin: str) -> dict[str, Any]:
    """Labels beside those of the source, by task: of how many images, and where they are from."""
    return {
        task: {"images": int(added.there().sum()), **added.about, "sha256": added.sha256}
        for (of, task), added in split.added.items()
        if of == origin
    }


def _split(split: Split) -> dict[str, Any]:
    labels = split.labelled.sum(0)
    return {
        "role": split.role,
        "images": len(split),
        "unlabelled": int((~split.labelled.any(1)).sum()),
        "size": list(split.size),
        **({"shards": len(split.shards)} if split.shards is not None else {}),
        "labels": {t.name: int(n) for t, n in zip(split.tasks, labels, strict=True)},
        "added": {origin: _added(split, origin) for origin in ORIGINS if _added(split, origin)},
        "regimes": {
            name: {
                "kind": regime.kind,
                "seed": regime.seed,
                "labels": regime.counts,
                "images_with": {str(k): n for k, n in regime.images_with.items()},
                "uncovered": regime.uncovered,
                "later": regime.later,
            }
            for name, regime in split.regimes.items()
        },
    }
