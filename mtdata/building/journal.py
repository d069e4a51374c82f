"""The finished samples of a build that is not finished."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtdata.building import record
from mtdata.building.frames import Frames
from mtdata.errors import UsageError
from mtdata.store.format import canonical
from mtdata.store.row import Row

PREPARED = "another version of mtdata, which prepares pixels otherwise"
"""What is said of two versions of `mtdata.building.request.PREPARATION`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a finished sample lies in the journal, and what is asked of it before assembly.

    `lost` are the labels that had valid pixels in the source and have none at this size.
    """

    start: int
    length: int
    fingerprint: bytes
    size: tuple[int, int]
    valid_pixels: tuple[int, ...]
    lost: tuple[str, ...]


class Journal:
    """Finished samples on the disk; the first record names what is built.

    Args:
        path: The file; it is made where there is none.
        identity: What is built; another build's journal is refused.
        fresh: Forget what the file holds.

    Raises:
        UsageError: where another build runs, or the file belongs to another one.
        OSError: where the file cannot be written.
    """

    def __init__(self, path: Path, identity: dict[str, Any], *, fresh: bool) -> None:
        self.path = path
        self.entries: dict[tuple[str, str], Entry] = {}
        self._common: dict[Any, Any] = {}
        self._frames = Frames(path)
        try:
            if fresh:
                self._frames.clear()
            self._load(canonical(identity))
        except BaseException:
            self._frames.close()
            raise

    def append(self, split: str, row: Row, fingerprint: bytes) -> None:
        """Add a finished sample; of two with the same key the later one counts.

        Raises:
            OSError: where the disk is full; the journal then keeps what it had.
        """
        payload = record.pack(split, row, fingerprint)
        self._note(self._frames.append(payload), payload)

    def read(self, split: str, key: str) -> Row:
        """A finished sample."""
        entry = self.entries[split, key]
        return record.unpack(self._frames.read(entry.start, entry.length))

    @property
    def length(self) -> int:
        """Length of the file."""
        return self._frames.end

    def close(self) -> None:
        """Close the file; it stays, and a later build continues it."""
        self._frames.close()

    def remove(self) -> None:
        """Delete the file: its store is whole."""
        self.path.unlink(missing_ok=True)
        self._frames.close()

    def _load(self, identity: str) -> None:
        records = self._frames.scan()
        first = next(records, None)
        if first is None:
            self._frames.append(identity.encode())
            return
        if first[1].decode() != identity:
            raise UsageError(
                f"{self.path} is a partial build with other options ("
                f"{difference(json.loads(first[1]), json.loads(identity))}). Build with the same "
                "options to continue it, or with --overwrite to start anew."
            )
        for start, payload in records:
            self._note(start, payload)

    def _note(self, start: int, payload: bytes) -> None:
        said = record.describe(payload)
        size, valid = tuple(said["size"]), tuple(cell[1] for cell in said["cells"][1:])
        # There is an entry for every image: what many have in common is kept once.
        self.entries[sys.intern(said["split"]), said["key"]] = Entry(
            start,
            len(payload),
            bytes.fromhex(said["fingerprint"]),
            self._common.setdefault(size, size),
            self._common.setdefault(valid, valid),
            tuple(said["lost"]),
        )


def difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Name the options in which two builds differ, for people."""
    flat = [{**value, **value["options"]} for value in (found, wanted)]
    names = [name for name in {**flat[0], **flat[1]} if name != "options"]
    told = []
    for name in names:
        if flat[0].get(name) == flat[1].get(name):
            continue
        if name == "tasks":
            sets = [",".join(task["name"] for task in value["tasks"]) for value in flat]
        else:
            sets = [json.dumps(value.get(name)) for value in flat]
        label = PREPARED if name == "preparation" else name
        told.append(f"{label}: {sets[0]} there, {sets[1]} now")
    return "; ".join(told)
