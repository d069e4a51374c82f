"""Ways to damage the files of a source, for the tests of what becomes of them."""

import os
import pickle
import shutil
import stat
import struct
import zlib
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import cv2
import numpy as np
from PIL import Image

START = b"\x89PNG\r\n\x1a\n"


class Bomb:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def pickled(path: Path) -> None:
    """Replace a file by a pickle that would write `went-off` beside the source."""
    path.write_bytes(pickle.dumps(Bomb(path.parents[2] / "went-off")))


def objects(path: Path) -> None:
    """Replace a `.npy` by one of Python objects."""
    held = np.empty(3, object)
    held[:] = Bomb(path.parents[2] / "went-off")
    np.save(path, held, allow_pickle=True)


def cut(path: Path) -> None:
    """Truncate a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def noise(path: Path) -> None:
    """Write a JPEG with bytes in its middle that were overwritten; its end is whole."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (120, 160, 3), np.uint8)
    content = bytearray(cv2.imencode(".jpg", picture)[1].tobytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(20) + rng.bytes(20)
    path.write_bytes(content)


def bad_check(path: Path) -> None:
    """Change a byte in the middle of a PNG."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def write_png(path: Path, size: tuple[int, int], bits: int, rows: bytes, colour: int = 0) -> None:
    """Write a PNG chunk by chunk; `colour` 0 is grey, 2 RGB."""
    head = struct.pack(">IIBBBBB", size[1], size[0], bits, colour, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    path.write_bytes(START + b"".join(map(_chunk, chunks)))


def huge(path: Path) -> None:
    """Write a PNG of some bytes that claims 100000 x 100000 pixels."""
    write_png(path, (100_000, 100_000), 8, b"", colour=2)


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    name, data = chunk
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def link_out(path: Path, root: Path) -> None:
    """Leave a link, out of `root`, to where a file or folder was moved."""
    outside = root.parent / "outside"
    outside.mkdir(exist_ok=True)
    target = shutil.move(path, outside / path.name)
    path.symlink_to(target)


def pipe(path: Path) -> None:
    """Put a named pipe in the place of a file: whoever opens it waits for a writer."""
    path.unlink()
    os.mkfifo(path)


def socket(path: Path) -> None:
    """Put a socket in the place of a file."""
    path.unlink()
    os.mknod(path, stat.S_IFSOCK | 0o644)


def link_to_itself(path: Path) -> None:
    """Put a link that names itself in the place of a file."""
    path.unlink()
    path.symlink_to(path.name)


def copy(path: Path, name: str) -> None:
    """A second file beside another."""
    shutil.copy(path, path.with_name(name))


def rewritten(path: Path, form: str) -> None:
    """Write an image again: "16", "alpha", "palette", "cmyk", or turned by a tag ("exif")."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    options: dict[str, Any] = {"format": "JPEG" if form in ("cmyk", "exif") else "PNG"}
    if form == "16":
        wide = np.array(image)[..., ::-1].astype(np.uint16) * 257
        path.write_bytes(cv2.imencode(".png", wide)[1].tobytes())
        return
    if form == "exif":
        exif = Image.Exif()
        exif[0x0112] = 3
        options["exif"] = exif
    elif form == "alpha":
        image.putalpha(9)
    else:
        image = image.quantize(16) if form == "palette" else image.convert("CMYK")
    buffer = BytesIO()
    image.save(buffer, **options)
    path.write_bytes(buffer.getvalue())


def wide(path: Path) -> None:
    """Make 16 bits of the 8 of a label."""
    label = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert label is not None
    assert cv2.imwrite(str(path), np.asarray(label).astype(np.uint16))


def indexed(path: Path) -> None:
    """Give a label a palette; its ids are the indices."""
    with Image.open(path) as opened:
        label = np.array(opened)
    image = Image.fromarray(label)
    image.putpalette([value // 3 for value in range(768)])
    image.save(path)


def translucent(path: Path) -> None:
    """Add an alpha channel to a label."""
    with Image.open(path) as opened:
        image = opened.convert("RGBA")
    image.save(path)


def array(path: Path, value: float) -> None:
    """Change a pixel of a `.npy`."""
    changed = np.load(path).astype(np.float32)
    changed[5, 5] = value
    np.save(path, changed)


@cache
def endless() -> bytes:
    """A deflated stream of zeros that inflates to 300 MiB."""
    stream, zeros = zlib.compressobj(1), bytes(2**20)
    return b"".join(stream.compress(zeros) for _ in range(300)) + stream.flush()


def endless_mat(path: Path) -> None:
    """A MATLAB file of a megabyte that inflates to 300."""
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    path.write_bytes(head + struct.pack("<II", 15, len(endless())) + endless())


def add_member(path: Path, name: str, content: bytes = b"x") -> None:
    """Add a member to a zip file."""
    with ZipFile(path, "a", ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
