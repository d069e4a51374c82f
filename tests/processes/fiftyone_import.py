"""Import a dataset with FiftyOne, over a database that is in memory, and tell what it holds.

    python tests/processes/fiftyone_import.py DIR

It is run by a Python that has `fiftyone` and `mongomock`. The database is not that of FiftyOne: all
else is, the importer, the migrations to its own version, the schema, the reading of labels.
"""

import json
import os
import sys
from typing import Any

os.environ |= {
    "FIFTYONE_DATABASE_URI": "mongodb://localhost",
    "FIFTYONE_DO_NOT_TRACK": "true",
    "FIFTYONE_SHOW_PROGRESS_BARS": "false",
}

import mongomock  # type: ignore[import-not-found]
import pymongo  # type: ignore[import-not-found]
from mongomock.store import ServerStore  # type: ignore[import-not-found]

STORE = ServerStore()


class Client(mongomock.MongoClient):  # type: ignore[misc]
    """A client of the one store of this process, of a version that FiftyOne takes."""

    _closed = False

    def __init__(self, *hosts: Any, **options: Any) -> None:
        known = {n: v for n, v in options.items() if n in ("host", "port", "tz_aware")}
        super().__init__(*hosts, **known, _store=STORE)

    def server_info(self) -> dict[str, Any]:
        """As MongoDB 7."""
        return {**super().server_info(), "version": "7.0.0", "versionArray": [7, 0, 0]}


def main() -> None:
    """Import and print as JSON."""
    pymongo.MongoClient = Client
    import fiftyone  # type: ignore[import-not-found]
    from fiftyone.core.labels import Heatmap  # type: ignore[import-not-found]

    dataset = fiftyone.Dataset.from_dir(sys.argv[1], fiftyone.types.FiftyOneDataset, name="here")
    schema = dataset.get_field_schema()
    labels = [n for n in schema if schema[n].description and n not in ("key", "labelled", "hidden")]
    samples = []
    for sample in dataset:
        found = {name: sample[name] for name in labels if sample[name] is not None}
        samples.append(
            {
                "key": sample.key,
                "tags": sample.tags,
                "labelled": sample.labelled,
                "hidden": sample.hidden,
                "size": [sample.metadata.height, sample.metadata.width],
                "there": os.path.isfile(sample.filepath),
                "labels": {
                    name: [
                        type(label).__name__,
                        *(label.map if isinstance(label, Heatmap) else label.mask).shape,
                    ]
                    for name, label in found.items()
                    if (label.import_map if isinstance(label, Heatmap) else label.import_mask)()
                    is None
                },
            }
        )
    told = {
        "version": fiftyone.__version__,
        "targets": {n: list(of.items()) for n, of in dataset.mask_targets.items()},
        "info": dataset.info,
        "samples": samples,
    }
    print("FOUND " + json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
