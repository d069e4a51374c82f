"""Digests change with what they are about, and with nothing else."""

import hashlib

import numpy as np

from mtdata.store.digest import cell_digest, content_digest, source_digest
from tests.stores.fakes import TASKS


def cells(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (2, 1 + len(TASKS), 32), np.uint8)


def test_cell_digest_is_sha256_of_type_shape_and_values() -> None:
    array = np.arange(6, dtype=np.uint16).reshape(2, 3)
    assert cell_digest(array) == hashlib.sha256(b"<u2[2, 3]" + array.tobytes()).digest()


def test_cell_digest_sees_type_and_shape_but_not_layout() -> None:
    array = np.arange(6, dtype=np.uint16).reshape(2, 3)
    assert cell_digest(array) == cell_digest(np.asfortranarray(array))
    assert cell_digest(array) == cell_digest(array.astype(">u2"))
    assert cell_digest(array) != cell_digest(array.reshape(3, 2))
    assert cell_digest(array) != cell_digest(array.astype(np.int16))


def test_content_digest_sees_tasks_names_roles_keys_and_cells() -> None:
    base = content_digest(TASKS, [("train", "train", ["a", "b"], cells())])
    others = [
        content_digest(TASKS[:1], [("train", "train", ["a", "b"], cells())]),
        content_digest(TASKS, [("other", "train", ["a", "b"], cells())]),
        content_digest(TASKS, [("train", "test", ["a", "b"], cells())]),
        content_digest(TASKS, [("train", "train", ["ab", ""], cells())]),
        content_digest(TASKS, [("train", "train", ["a", "b"], cells(1))]),
    ]
    assert len({base, *others}) == 6


def test_content_digest_ignores_the_order_of_splits() -> None:
    train, test = ("train", "train", ["a", "b"], cells()), ("test", "test", ["c", "d"], cells(1))
    assert content_digest(TASKS, [train, test]) == content_digest(TASKS, [test, train])


def test_source_digest_ignores_order_and_sees_fingerprints() -> None:
    rows = [("train", "a", b"1"), ("test", "b", b"2")]
    assert source_digest("x", rows) == source_digest("x", rows[::-1])
    assert source_digest("x", rows) != source_digest("x", [rows[0], ("test", "b", b"3")])
    assert source_digest("x", rows) != source_digest("y", rows)
