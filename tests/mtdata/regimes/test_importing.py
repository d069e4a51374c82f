"""Assignments from files: every form, what is left out, and what is refused without being run."""

import json
import os
import pickle
import resource
import struct
import sys
import zipfile
from collections import OrderedDict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mtdata.errors import DataError, UsageError
from mtdata.regimes.drawing import draw
from mtdata.regimes.importing import Imported, import_table
from mtdata.regimes.importing.json_file import write_json
from mtdata.regimes.importing.pth import LIMIT
from mtdata.regimes.table import RegimeTable, write_table

KEYS = ("2008_000001", "2008_000002", "2009_000003", "2009_000004")
TASKS = ("semantic", "depth", "normals")
WEIGHTS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]], np.float32)
TORCH_FORMS = pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])


def _import(path: Path, available: NDArray[np.bool_] | None = None) -> Imported:
    there = np.ones((4, 3), np.bool_) if available is None else available
    return import_table(path, KEYS, TASKS, there)


def _save(path: Path, content: Any, *, old: bool) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    return path


@TORCH_FORMS
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8", "bool"])
def test_pth(tmp_path: Path, old: bool, dtype: str) -> None:
    weights = torch.from_numpy(WEIGHTS).to(getattr(torch, dtype))
    path = _save(tmp_path / "a.pth", {"labels_weights": weights}, old=old)
    found = _import(path)
    np.testing.assert_array_equal(found.table.labels, WEIGHTS == 1)
    assert (found.table.kind, found.table.seed) == ("import", None)
    assert found.table.parameters["file"] == "a.pth"
    assert "row i of the file is the i-th image" in found.table.origin
    assert "trainNdxs" in found.notes[0]


@TORCH_FORMS
def test_pth_of_a_part_of_a_tensor(tmp_path: Path, old: bool) -> None:
    more = torch.cat([torch.zeros(2, 3), torch.from_numpy(WEIGHTS), torch.ones(1, 3)])
    wide = torch.cat([torch.zeros(4, 1), torch.from_numpy(WEIGHTS)], 1).half()
    for part in (more[2:6], wide[:, 1:], torch.from_numpy(WEIGHTS.T.copy()).t()):
        found = _import(_save(tmp_path / "a.pth", part, old=old))
        np.testing.assert_array_equal(found.table.labels, WEIGHTS == 1)


def test_pth_of_two_columns_has_no_normals(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.pth", torch.from_numpy(WEIGHTS[:, :2].copy()), old=False)
    found = _import(path)
    assert found.table.counts == {"semantic": 1, "depth": 2, "normals": 0}
    assert "no image shows `normals`" in found.notes[1]


@TORCH_FORMS
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (torch.ones(3, 3), "a row for each of the 4 images of the split; found 3"),
        (torch.full((4, 3), 0.5), "values from 0.5 to 0.5"),
        (torch.ones(4, 5), r"found \[4, 5\]"),
        (torch.ones(12), "found something else"),
        (torch.ones(4, 1).expand(4, 3), "something else"),
        (torch.ones(4, 3).to_sparse(), "something else|cannot read it"),
        (torch.ones(4, 3, dtype=torch.complex64), "something else"),
        ({"a": torch.ones(4, 3), "b": torch.ones(4, 3)}, "something else|number of tensors"),
        ([1, 2], "something else|number of tensors"),
        (torch.zeros(0, 3), "no values"),
        (torch.ones(4, 3, device="meta"), "something else|cannot read it"),
    ],
    ids=[
        "rows",
        "values",
        "columns",
        "axes",
        "repeated",
        "sparse",
        "complex",
        "two",
        "list",
        "empty",
        "nowhere",
    ],
)
def test_other_tensors_are_refused(tmp_path: Path, content: Any, said: str, old: bool) -> None:
    with pytest.raises(DataError, match=said):
        _import(_save(tmp_path / "a.pth", content, old=old))


@TORCH_FORMS
@pytest.mark.parametrize("share", [0, 0.02, 0.3, 0.9, 0.99])
def test_a_broken_pth_is_refused(tmp_path: Path, old: bool, share: float) -> None:
    path = _save(tmp_path / "a.pth", {"labels_weights": torch.from_numpy(WEIGHTS)}, old=old)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"a\.pth should hold a tensor"):
        _import(path)


def _by_task(path: Path, content: Any) -> Path:
    np.save(path, content, allow_pickle=True)
    return path


def test_npy_as_released(tmp_path: Path) -> None:
    # As in the released files, ids are texts of numpy; tasks have the names that MTPSL uses.
    content = {
        "semseg": [np.str_(KEYS[0])], "sal": [np.str_(KEYS[1])], "normals": list(KEYS[2:]),
        "edge": [],
    }  # fmt: skip
    found = _import(_by_task(tmp_path / "a.npy", content))
    assert found.table.counts == {"semantic": 1, "depth": 0, "normals": 2}
    assert found.table.labels[2:, 2].all()
    assert found.notes == (
        "left out: 1 x `saliency`, a task that the store does not have.",
        "no image shows `depth`; train without it (mttrain --tasks).",
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"semseg": ["2008_999999", KEYS[0]]}, "found `2008_999999` and 0 more .* out of 2"),
        ({"semseg": [1, 2]}, "found `1` for `semseg`"),
        ({"semseg": [np.int64(1)]}, "numpy values of type i8"),
        ({"semseg": [KEYS[0], KEYS[0]]}, "found `2008_000001` 2 times for `semseg`"),
        ({"semseg": KEYS[:1], "semantic": KEYS[:1]}, "found a tuple for `semseg`"),
        ({"semseg": [KEYS[0]], "semantic": [KEYS[1]]}, "`semantic` is there by two names"),
        ({"colour": [KEYS[0]]}, "There is no task `colour`"),
        ({"edge": [KEYS[0]]}, "shows no label that the split has"),
        ({}, "found an empty dict"),
        (np.array([1], object), "found `1`"),
    ],
)
def test_other_npy_are_refused(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        _import(_by_task(tmp_path / "a.npy", content))


def test_a_plain_array_and_a_text_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", WEIGHTS)
    with pytest.raises(DataError, match="found an array of float32"):
        _import(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_text("hello")
    with pytest.raises(DataError, match=r"a file of numpy\.save"):
        _import(tmp_path / "a.npy")


@pytest.mark.parametrize("share", [0, 0.3, 0.6, 0.99])
def test_a_broken_npy_is_refused(tmp_path: Path, share: float) -> None:
    path = _by_task(tmp_path / "a.npy", {"semseg": list(KEYS)})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"a\.npy should"):
        _import(path)


class Evil:
    """Pickles into a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _numpy(content: Any, protocol: int) -> bytes:
    """What numpy.save writes, with another protocol of pickle."""
    file = BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    return file.getvalue() + pickle.dumps(np.array(content, object), protocol)


def _old_torch(content: Any, protocol: int) -> bytes:
    parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, content, ["0"])
    return b"".join(pickle.dumps(part, protocol) for part in parts)


def _zip_torch(content: Any, protocol: int) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps(content, protocol))
        archive.writestr("a/version", "3")
    return file.getvalue()


def _lie(path: Path, numbers: int, *, old: bool, compression: int = zipfile.ZIP_STORED) -> Path:
    """A tensor of 12 numbers whose storage is said to have more or fewer."""
    said = b"J" + struct.pack("<i", numbers)
    content = _save(path, torch.ones(4, 3), old=old).read_bytes()
    if old:
        path.write_bytes(content.replace(b"K\x0c", said))
        return path
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data.replace(b"K\x0c", said) if "pkl" in name else data)
    return path


@TORCH_FORMS
@pytest.mark.parametrize("numbers", [1, 11, 13, 1200, 2**31 - 1])
def test_a_pth_that_lies_about_its_size(tmp_path: Path, numbers: int, old: bool) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = _lie(tmp_path / "a.pth", numbers, old=old, compression=compression)
        if old and numbers < 12:  # it says the right number once more, and that one counts
            assert _import(path).table.labels.all()
            continue
        with pytest.raises(DataError, match=r"torch cannot read it|something else"):
            _import(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kilobytes


def test_a_pth_that_asks_for_all_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    for content in (Evil(bytearray, 2**45), [Evil(bytearray, 2**45)]):
        path.write_bytes(_zip_torch(content, 2))
        with pytest.raises(DataError, match=r"cannot read it|would run code"):
            _import(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("form", "suffix"), [(_numpy, ".npy"), (_old_torch, ".pth"), (_zip_torch, ".pth")]
)
def test_code_is_refused_and_not_run(tmp_path: Path, form: Any, suffix: str, protocol: int) -> None:
    made = tmp_path / "made"
    calls = [
        Evil(os.system, f"touch {made}"),
        Evil(os.mkdir, str(made)),
        Evil(eval, f"open({str(made)!r}, 'w')"),
        Evil(exec, f"open({str(made)!r}, 'w')"),
        Evil(open, str(made), "w"),
        Evil(getattr, OrderedDict, "fromkeys"),
        Evil(np.load, str(made)),
        Evil(torch.save, 1, str(made)),
        Evil(np.array, [1]),
    ]
    # torch reads protocol 2 alone, and says no more of the others.
    said = "which would run code. Nothing of it was run"
    if suffix == ".pth":
        said += "|cannot read it, and nothing of it was run"
    path = tmp_path / f"evil{suffix}"
    for call in calls:
        for content in (call, {"semseg": call}, {"semseg": [KEYS[0], call]}):
            path.write_bytes(form(content, protocol))
            with pytest.raises(DataError, match=said):
                _import(path)
            assert not made.exists()


def test_the_trap_works(tmp_path: Path) -> None:
    made = tmp_path / "made"
    pickle.loads(pickle.dumps(Evil(os.mkdir, str(made))))
    assert made.exists()


def _stack_global(module: str, name: str, *arguments: str) -> bytes:
    """Protocol 4: the name of a function is put together on the stack."""
    text = "".join(f"V{argument}\n" for argument in arguments)
    return b"\x80\x04" + f"V{module}\nV{name}\n".encode() + b"\x93(" + text.encode() + b"tR."


@pytest.mark.parametrize(
    "code",
    [
        _stack_global("posix", "system", "touch made"),
        _stack_global("numpy.core.multiarray", "_reconstruct.__globals__"),
        _stack_global("numpy", "ndarray.__init_subclass__"),
        b"cnumpy\nload\n(Vmade\ntR.",
        b"(S'touch made'\niposix\nsystem\n.",
        b"(cposix\nsystem\nS'touch made'\no.",
        b"cbuiltins\neval\n.",
    ],
)
def test_other_ways_to_name_code(
    tmp_path: Path, code: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    head = _numpy(1, 4)[:128]
    Path("evil.npy").write_bytes(head + code)
    with pytest.raises(DataError, match="which would run code"):
        _import(Path("evil.npy"))
    assert os.listdir() == ["evil.npy"]


def test_stand_ins_cannot_be_changed(tmp_path: Path) -> None:
    """A pickle may set attributes of what it has been given; of functions that would last."""
    from mtdata.regimes.importing.npy import NAMES

    before = dict(NAMES)
    state = b"(N}V__defaults__\n(I1\ntst"  # (None, {"__defaults__": (1,)})
    code = b"\x80\x02cnumpy\ndtype\n" + state + b"b."
    path = tmp_path / "evil.npy"
    path.write_bytes(_numpy(1, 4)[:128] + code)
    with pytest.raises(DataError, match="cannot be read"):
        _import(path)
    assert before == NAMES


def test_a_pickle_cannot_ask_for_all_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.npy"
    head = _numpy(1, 4)[:128]
    path.write_bytes(head + b"\x80\x02]r" + struct.pack("<I", 2**31 - 1) + b".")
    with pytest.raises(DataError, match="remembers an object in place 2147483647"):
        _import(path)
    path.write_bytes(head + b"\x80\x04\x8e" + struct.pack("<Q", 2**50) + b"abc.")
    with pytest.raises(DataError, match="cannot be read"):
        _import(path)


def test_an_archive_that_inflates_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * (LIMIT + 1))
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="unpack to at most 64 MB"):
        _import(path)


def test_only_pth_needs_torch(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "a.csv").write_text("key,task\na,depth\n")
    code = (
        "import sys, pathlib, numpy\nfrom mtdata.regimes.importing import import_table\n"
        f"path = pathlib.Path({str(tmp_path / 'a.csv')!r})\n"
        "import_table(path, ['a'], ['depth'], numpy.ones((1, 1), bool))\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(("suffix", "write"), [(".csv", write_table), (".json", write_json)])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str, write: Any) -> None:
    table = draw("random", KEYS, TASKS, np.ones((4, 3), np.bool_))
    write(table, tmp_path / f"a{suffix}")
    found = _import(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(found.table.labels, table.labels)
    assert found.notes == ()
    assert len(found.table.parameters["sha256"]) == 64


def test_json_both_ways(tmp_path: Path) -> None:
    by_key = {KEYS[0]: ["semantic"], KEYS[1]: ["depth", "normals"], KEYS[2]: []}
    by_task = {"semantic": [KEYS[0]], "depth": [KEYS[1]], "normals": [KEYS[1]], "edges": []}
    path, tables = tmp_path / "a.json", []
    for content in (by_key, by_task):
        path.write_text(json.dumps(content))
        found = _import(path)
        assert found.notes == ()
        tables.append(found.table.labels)
    np.testing.assert_array_equal(tables[0], tables[1])


@pytest.mark.parametrize(
    ("suffix", "text", "said"),
    [
        (".json", "", "line 1, column 1 is no JSON"),
        (".json", "[1]", "found a list"),
        (".json", '{"2008_000001": "depth"}', "found `depth` for `2008_000001`"),
        (".json", '{"2008_000001": [], "2008_000001": ["depth"]}', "is there twice"),
        (".json", '{"2008_000001": ["depth", "depth"]}', "found `depth` 2 times"),
        (".json", '{"2008_000009": ["depth"]}', "found `2008_000009`"),
        (".json", "[" * 100_000, "too deep|found a list"),
        (".json", '{"2008_000001": []}', "no label that the split has"),
        (".json", "\udc80", "its byte 0 is of no text in UTF-8"),
        (".json", "9" * 5000, "a number has too many digits"),
        (".csv", "", "first line should be `key,task`"),
        (".csv", "key,task\n2008_000001\n", "line 2: should be a key and a task"),
        (".csv", "key,task\n2008_000001,dpeth\n", "Did you mean `depth`"),
        (".csv", "key,task\n2010_000001,depth\n", "found `2010_000001` and 0 more"),
    ],
)
def test_broken_texts_are_refused(tmp_path: Path, suffix: str, text: str, said: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=said):
        _import(path)


def test_labels_without_valid_pixels_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_table(RegimeTable("full", KEYS, (*TASKS, "parts"), np.ones((4, 4), np.bool_)), path)
    available = np.ones((4, 3), np.bool_)
    available[:3, 2] = False
    found = _import(path, available)
    np.testing.assert_array_equal(found.table.labels, available)
    assert found.notes == (
        "left out: 4 x `parts`, a task that the store does not have.",
        "left out: 3 x a label that has no valid pixel in the store.",
    )


def test_paths_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.csv, \.json, \.npy, \.pt, \.pth; found"):
        _import(tmp_path / "a.mat")
    with pytest.raises(UsageError, match="there is no file"):
        _import(tmp_path / "a.csv")
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(64_000_001)
    with pytest.raises(DataError, match="should have at most 64 MB"):
        _import(large)


def test_images_that_a_smaller_store_does_not_have(tmp_path: Path) -> None:
    rows = _save(tmp_path / "a.pth", torch.from_numpy(WEIGHTS), old=False)
    there = np.ones((2, 3), np.bool_)
    with pytest.raises(DataError, match="--missing skip"):
        import_table(rows, KEYS[:2], TASKS, there)
    found = import_table(rows, KEYS[:2], TASKS, there, skip=True)
    np.testing.assert_array_equal(found.table.labels, WEIGHTS[:2] == 1)
    assert "left out: 2 of 4 images" in found.notes[1]
    assert "the first of the whole split" in found.notes[1]
    named = tmp_path / "a.csv"
    named.write_text("key,task\n" + "".join(f"{key},depth\n" for key in KEYS))
    with pytest.raises(DataError, match="--missing skip"):
        import_table(named, KEYS[1:3], TASKS, there)
    found = import_table(named, KEYS[1:3], TASKS, there, skip=True)
    assert found.table.counts == {"semantic": 0, "depth": 2, "normals": 0}
    assert "first of the whole split" not in " ".join(found.notes)


def test_fewer_rows_than_images_are_refused_all_the_same(tmp_path: Path) -> None:
    rows = _save(tmp_path / "a.pth", torch.from_numpy(WEIGHTS[:3]), old=False)
    with pytest.raises(DataError, match="a row for each of the 4 images"):
        import_table(rows, KEYS, TASKS, np.ones((4, 3), np.bool_), skip=True)
