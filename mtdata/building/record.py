"""One finished sample as bytes: a line of JSON, then the chunks one after the other."""

import json
from typing import Any

from mtdata.store.codec import Chunk
from mtdata.store.format import canonical
from mtdata.store.row import NO_CAMERA, Cell, Row


def pack(split: str, row: Row, fingerprint: bytes) -> bytes:
    """A record; `unpack` and `describe` read it."""
    chunks = [cell.chunk for cell in row.cells if cell.chunk is not None]
    text = canonical(
        {
            "split": split,
            "key": row.key,
            "fingerprint": fingerprint.hex(),
            "size": row.size,
            "source_size": row.source_size,
            "crop": row.crop,
            "camera": None if row.camera[0] != row.camera[0] else row.camera,
            "cells": [_pack_cell(cell) for cell in row.cells],
            "lost": row.lost,
        }
    )
    return b"".join((text.encode(), b"\n", *(chunk.data for chunk in chunks)))


def describe(record: bytes) -> dict[str, Any]:
    """What a record says about its sample."""
    found: dict[str, Any] = json.loads(record[: record.index(b"\n")])
    return found


def unpack(record: bytes) -> Row:
    """The row that was packed."""
    said = describe(record)
    start = record.index(b"\n") + 1
    cells = []
    for digest, valid_pixels, mask, length in said["cells"]:
        chunk = None if length is None else Chunk(mask, record[start : start + length])
        cells.append(Cell(bytes.fromhex(digest), valid_pixels, chunk))
        start += length or 0
    camera = NO_CAMERA if said["camera"] is None else tuple(said["camera"])
    return Row(
        key=said["key"],
        size=tuple(said["size"]),
        source_size=tuple(said["source_size"]),
        crop=tuple(said["crop"]),
        camera=camera,
        cells=tuple(cells),
        lost=tuple(said["lost"]),
    )


def _pack_cell(cell: Cell) -> tuple[str, int, int, int | None]:
    if cell.chunk is None:
        return cell.digest.hex(), cell.valid_pixels, 0, None
    return cell.digest.hex(), cell.valid_pixels, cell.chunk.mask, len(cell.chunk.data)
