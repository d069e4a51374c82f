"""Stores that somebody made to do harm: one paragraph, at once, and nothing outside is opened."""

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cli.mtdata import mtdata as command
from cli.shared.common import run
from mtdata.errors import StoreError
from mtdata.inspecting.verify import verify
from mtdata.store import format as layout
from mtdata.store import open_store
from tests.stores.fakes import fake_store
from tests.stores.store_files import reseal

Change = Callable[[h5py.File], object]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_store(tmp_path_factory.mktemp("store"), images=(6, 2))


def instead(name: str, **options: Any) -> Change:
    """Another array in place of one."""

    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **options)

    return change


def _external_link(file: h5py.File) -> None:
    del file["train/image"]
    file["train/image"] = h5py.ExternalLink("trap", "/x")


def _soft_link(file: h5py.File) -> None:
    del file["train/crop"]
    file["train/crop"] = h5py.SoftLink("/test/crop")


def _split_elsewhere(file: h5py.File) -> None:
    file["more"] = h5py.ExternalLink("trap", "/train")


def _virtual(file: h5py.File) -> None:
    shape = file["train/image"].shape
    virtual = h5py.VirtualLayout(shape, np.uint8)
    virtual[:] = h5py.VirtualSource("trap", "x", shape)
    del file["train/image"]
    file.create_virtual_dataset("train/image", virtual)


def _key(text: bytes) -> Change:
    def change(file: h5py.File) -> None:
        keys = file["train/key"][()].astype("S40")
        keys[0] = text
        del file["train/key"]
        file["train"].create_dataset("key", data=keys, chunks=keys.shape, fletcher32=True)

    return change


def _attribute(name: str, value: Any, where: str = "/") -> Change:
    return lambda file: layout.put(file[where].attrs, {name: value})


def _task(**values: Any) -> Change:
    def change(file: h5py.File) -> None:
        tasks = json.loads(file.attrs["tasks"])
        tasks[1] |= values
        layout.put(file.attrs, {"tasks": json.dumps(tasks)})
        for split in file.values():
            for name in {"scale", "offset"} & values.keys():
                split["label/depth"].attrs[name] = values[name]

    return change


def _many(file: h5py.File) -> None:
    for number in range(2_000):
        file["train/regime"].create_group(f"r{number}")


def _bytes(name: str, length: int) -> Change:
    """Chunks that are too short for what would read them."""

    def change(file: h5py.File) -> None:
        array = file[name]
        array.id.write_direct_chunk((0,) * array.ndim, bytes(length))

    return change


HOSTILE: dict[str, Change] = {
    "external link": _external_link,
    "external link to a split": _split_elsewhere,
    "soft link": _soft_link,
    "external storage": instead(
        "train/crop", shape=(6, 4), dtype="i4", external=[("trap", 0, h5py.h5f.UNLIMITED)]
    ),
    "virtual": _virtual,
    "no chunks": instead("train/camera", data=np.ones((6, 4))),
    "complex": instead("train/camera", data=np.ones((6, 4), complex), chunks=(6, 4)),
    "other rows": instead(
        "train/crop", data=np.ones((5, 4), np.int32), chunks=(5, 4), fletcher32=True
    ),
    "absurd table": instead(
        "train/valid_pixels", shape=(6, 10**9), dtype="i4", chunks=(6, 10**7), fletcher32=True
    ),
    "absurd image": instead(
        "train/image", shape=(6, 30_000, 30_000, 3), dtype="u1", chunks=(1, 30_000, 30_000, 3),
        compression="gzip", fletcher32=True,
    ),
    "absurd rows": instead(
        "train/key", shape=(10**12,), dtype="S10", chunks=(10**8,), fletcher32=True
    ),
    "text of any length": instead("train/key", data=["a"] * 6, dtype=h5py.string_dtype()),
    "references": lambda file: file["train"].attrs.create("seen", file["train"].ref),
    "large attribute": _attribute("more", np.zeros(2**20, np.int64), "train"),
    "many members": _many,
    "short chunk": _bytes("train/label/depth", 2),
    "short table": _bytes("train/crop", 2),
    "something else": lambda file: file["train"].create_group("more"),
    "key that leads out": _key(b"../../x"),
    "key that is a path": _key(b"/etc/passwd"),
    "key with a line break": _key(b"a\nb"),
    "key that is no text": _key(b"\xff\xfe"),
    "data set that leads out": _attribute("dataset", "../../x"),
    "default that is a path": _attribute("default_regime", "/etc/passwd"),
    "default that is none": _attribute("default_regime", "two"),
    "task that leads out": _task(name="../x"),
    "scale that is no number": _task(scale=float("nan")),
    "scale of zero": _task(scale=0.0),
    "offset without end": _task(offset=float("inf")),
    "deep JSON": _attribute("options", "[" * 100_000),
    "long number": _attribute("options", "1" * 6_000),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_stores(
    good: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever makes such a store can make its digests match too."""
    path = Path(shutil.copy(good, tmp_path / "bad.h5"))
    trap = tmp_path / "trap"
    with h5py.File(path, "r+", libver=layout.LIBRARY) as file:
        HOSTILE[name](file)
        # What is far from a store has no digests. To read what is absurd takes all memory, and
        # to read what is short ends the interpreter.
        if not name.startswith(("absurd", "short")):
            with suppress(AttributeError, TypeError, ValueError, KeyError, OSError, RuntimeError):
                reseal(file)
    os.mkfifo(trap)  # who opens it waits for ever
    since = time.monotonic()
    with pytest.raises(StoreError) as caught, open_store(path) as store:
        assert list(store.split("train").keys)
    assert "\n" not in str(caught.value)
    assert not verify(path).ok
    assert run(command, ["stats", str(path)]) == 3 or "key" in str(caught.value)
    assert time.monotonic() - since < 10
    assert "Traceback" not in capsys.readouterr().err


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.h5")
    with pytest.raises(StoreError, match="it is a pipe or a device"):
        open_store(tmp_path / "a.h5")
