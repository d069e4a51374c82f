"""Zip files are read in place, and what an honest one never holds is refused."""

import io
import multiprocessing
import os
import pickle
import stat
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

import pytest

from mtdata.errors import SampleError
from mtdata.sources.files.archive import Archive

HEADER = 30
"""Bytes before the name of a member."""
CONTENT = {f"a/train/x/{i}.png": os.urandom(3000) + bytes(3000) for i in range(4)}


def _write(path: Path, members: dict[str, bytes], method: int = ZIP_DEFLATED) -> Archive:
    with ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return Archive(path)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return _write(tmp_path / "a.zip", {"license.txt": b"terms", **CONTENT, "a/val/y/0.png": b"v"})


def _read_all(archive: Archive) -> dict[str, bytes]:
    return {name: archive.read(name) for name in archive.names("a/train/*/*.png")}


@pytest.mark.parametrize("method", [ZIP_STORED, ZIP_DEFLATED])
def test_members_are_what_was_written(tmp_path: Path, method: int) -> None:
    archive = _write(tmp_path / "a.zip", CONTENT, method)
    assert _read_all(archive) == CONTENT
    assert archive.path("a/b") == tmp_path / "a.zip" / "a" / "b"


def test_a_star_stops_at_a_slash(archive: Archive) -> None:
    assert archive.names("a/train/*/*.png") == sorted(CONTENT)
    assert archive.names("a/*/*.png") == []
    assert archive.names("a/val/*/*.png") == ["a/val/y/0.png"]
    assert archive.names("license*") == ["license.txt"]


def test_survives_pickling_while_open(archive: Archive) -> None:
    _read_all(archive)
    assert _read_all(pickle.loads(pickle.dumps(archive))) == CONTENT


def _compare(archive: Archive, times: int) -> None:
    for _ in range(times):
        if _read_all(archive) != CONTENT:
            os._exit(1)


def test_a_forked_process_opens_its_own(archive: Archive) -> None:
    _read_all(archive)
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=_compare, args=(archive, 20)) for _ in range(2)]
    for other in others:
        other.start()
    _compare(archive, 20)
    for other in others:
        other.join()
        assert other.exitcode == 0


@pytest.mark.parametrize(
    "name", ["/etc/a.png", "../a.png", "a/../../b.png", "a/..", "C:/a.png", "a\\..\\b.png"]
)
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    archive = _write(tmp_path / "a.zip", {**CONTENT, name: b"x"})
    with pytest.raises(SampleError, match="leads out of the archive"):
        archive.names("*")


def test_names_that_only_look_so(tmp_path: Path) -> None:
    archive = _write(tmp_path / "a.zip", {"a..b/c...png": b"x", "a/.hidden": b"y"})
    assert archive.read("a..b/c...png") == b"x"


def test_links(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        link = ZipInfo("a/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(SampleError, match=r"'a/link.png' is a link"):
        Archive(tmp_path / "a.zip").names("*")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/b.png", b"one")
        archive.writestr("a/b.png", b"two")
    with pytest.raises(SampleError, match="there twice"):
        Archive(tmp_path / "a.zip").read("a/b.png")


@pytest.mark.parametrize("method", [ZIP_BZIP2, ZIP_LZMA])
def test_methods_that_cannot_be_bounded(tmp_path: Path, method: int) -> None:
    archive = _write(tmp_path / "a.zip", CONTENT, method)
    with pytest.raises(SampleError, match="stored or deflated"):
        archive.names("*")


def test_what_is_encrypted(tmp_path: Path) -> None:
    _write(tmp_path / "a.zip", {"a.png": b"x"})
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(SampleError, match="is encrypted"):
        Archive(tmp_path / "a.zip").names("*")


def test_what_inflates_beyond_the_limit(tmp_path: Path) -> None:
    _write(tmp_path / "a.zip", {"a.png": bytes(2**21 + 1)})
    assert (tmp_path / "a.zip").stat().st_size < 10_000
    with pytest.raises(SampleError, match="1 MiB at most; it says 2097153"):
        Archive(tmp_path / "a.zip", limit=2**20).names("*")
    with pytest.raises(SampleError, match="at most"):
        Archive(tmp_path / "a.zip", limit=2**21).read("a.png")
    assert len(Archive(tmp_path / "a.zip", limit=2**21 + 1).read("a.png")) == 2**21 + 1


def test_a_size_that_is_a_lie_costs_no_memory(tmp_path: Path) -> None:
    """A member that inflates to 64 MiB and says 1000 bytes, in every place that says so."""
    path = tmp_path / "a.zip"
    real = bytes(2**26)
    _write(path, {"a.png": real})
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(mark) + place
        assert struct.unpack_from("<I", content, at)[0] == len(real)
        struct.pack_into("<I", content, at, 1000)
        struct.pack_into("<I", content, at - 8, zlib.crc32(bytes(1000)))
    path.write_bytes(content)
    tracemalloc.start()
    try:
        # What was declared is given, or an error; never what lies behind it.
        assert Archive(path).read("a.png") == bytes(1000)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def _flip(content: bytearray) -> None:
    content[200] ^= 0x40


def _no_bytes(content: bytearray) -> None:
    content.clear()


DAMAGE: dict[str, Callable[[bytearray], None]] = {
    "cut": lambda content: content.__delitem__(slice(len(content) // 2, None)),
    "empty": _no_bytes,
    "text": lambda content: content.__setitem__(slice(None), b"hello" * 100),
    "a bit": _flip,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found(archive: Archive, name: str) -> None:
    content = bytearray(archive.file.read_bytes())
    DAMAGE[name](content)
    archive.file.write_bytes(content)
    with pytest.raises(SampleError, match="again") as caught:
        _read_all(archive)
    assert "\n" not in str(caught.value)
    assert "a.zip" in str(caught.value)


def test_what_is_not_there(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=r"a.zip/a/none.png: cannot be read"):
        archive.read("a/none.png")
    with pytest.raises(SampleError, match=r"none.zip: cannot be read"):
        Archive(tmp_path / "none.zip").names("*")


def test_every_changed_byte_of_a_member_is_found(archive: Archive) -> None:
    name = next(iter(CONTENT))
    content = archive.file.read_bytes()
    with ZipFile(io.BytesIO(content)) as whole:
        info = whole.getinfo(name)
    start = info.header_offset + HEADER + len(name)
    for place in range(start, start + info.compress_size, 97):
        changed = bytearray(content)
        changed[place] ^= 0x11
        archive.file.write_bytes(changed)
        with pytest.raises(SampleError):
            Archive(archive.file).read(name)
