"""Labels of one's own, decoded as `tasks.yaml` says, checked pixel by pixel."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.files import read_file
from mtdata.sources.files.imagefile import JPEG_START, decode_rgb, read_indices, read_label
from mtdata.sources.files.imageheader import PNG_START, form_of, read_header
from mtdata.sources.files.normals_file import OFF_UNIT, read_vectors, unit
from mtdata.sources.files.npyfile import ARRAYS, read_array
from mtdata.sources.files.otherforms import check_lossless
from mtdata.sources.folder.tasks import (
    AXES,
    ArrayFile,
    BinaryFile,
    ClassesFile,
    DepthFile,
    NormalsFile,
)
from mtdata.tasks.sample import Decoded
from mtdata.wording import listed

SHOWN = 8
"""Values that an error lists."""
NUMBERS = "uint8|uint16|float32|float64"
"""What an image of depth or of a mask may hold."""
VOID, UNKNOWN = -1, -2
FLOATING = ("TIFF", "EXR")
ROUNDED = 1e-6
"""By how much of it a float may be another number than the one that was written."""
RGB = 2
"""The colour type of PNG, at byte 25, whose three channels may all hold the ids."""


def decode(task: ArrayFile, path: Path, *, turn: bool = True) -> Decoded:
    """A label and where it is valid.

    Args:
        task: What `tasks.yaml` says of it.
        path: The file.
        turn: Whether it is turned as its own header says, as an image is.

    Raises:
        SampleError: where the file is broken or holds what `tasks.yaml` does not account for.
    """
    if not isinstance(task, NormalsFile) and not _told_otherwise(task):
        _check_lossless(path)
    if isinstance(task, ClassesFile):
        return _classes(task, path, turn=turn)
    if isinstance(task, BinaryFile):
        return _binary(task, path, turn=turn)
    if isinstance(task, DepthFile):
        return _depth(task, path, turn=turn)
    return _normals(task, path, turn=turn)


def _told_otherwise(task: ArrayFile) -> bool:
    """Whether a JPEG is refused elsewhere (colours), or does no harm (a threshold)."""
    coded = isinstance(task, ClassesFile) and task.encoding == "colours"
    return coded or (isinstance(task, BinaryFile) and task.threshold is not None)


def _check_lossless(path: Path) -> None:
    """Refuse a JPEG that was given the name of a PNG: its ids and depths are not what they were."""
    with suppress(OSError), path.open("rb") as file:
        if file.read(len(JPEG_START)) == JPEG_START:
            raise SampleError(
                path,
                f"should be a {path.suffix}; it is a JPEG of that name, and compression has "
                "changed the values.",
                "Save the label as a real PNG, from before it was compressed.",
            )


def _classes(task: ClassesFile, path: Path, *, turn: bool) -> Decoded:
    coded, table = task.encoding == "colours", task.table()
    if task.void is None and not coded:
        table = {255: VOID} | table  # void where nothing is said of it
    table |= dict.fromkeys(task.void or (), VOID)
    if coded:
        codes = {_code(colour): number for colour, number in table.items()}
        return _looked_up(_colours(path, turn=turn), codes, task, path)
    return _looked_up(_integers(path, turn=turn), table, task, path)


def _looked_up(
    stored: NDArray[Any], table: Mapping[int, int], task: ClassesFile, path: Path
) -> Decoded:
    values, place = np.unique(stored, return_inverse=True)
    found = np.array([table.get(int(value), UNKNOWN) for value in values], np.int16)
    unknown = values[found == UNKNOWN]
    if unknown.size and task.unlisted == "refuse":
        raise SampleError(path, _unknown(unknown, task), _remedy(task))
    label = found[place].reshape(stored.shape)
    valid = label >= 0
    return np.where(valid, label, 0).astype(np.uint8), valid


def _unknown(values: NDArray[Any], task: ClassesFile) -> str:
    coded = task.encoding == "colours"
    shown = listed([f"#{int(v):06x}" if coded else str(v) for v in values], SHOWN)
    wanted = f"0..{len(task.names) - 1}" if not coded and task.ids is None else "those listed"
    return f"{'colours' if coded else 'class ids'} should be {wanted} or void; found {shown}."


def _remedy(task: ClassesFile) -> str:
    mapped = task.colours if task.encoding == "colours" else task.ids
    listed = f"`{task.encoding}`, and new classes under `classes`" if mapped else "`classes`"
    return (
        f"List them in tasks.yaml, under {listed}, or under `void` where they mean nothing, or say "
        "`unlisted: void`."
    )


def _colours(path: Path, *, turn: bool) -> NDArray[np.int64]:
    content = read_file(path)
    check_lossless(content, path)
    return _codes(decode_rgb(content, path, turn=turn))


def _codes(rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = rgb.astype(np.int64) @ np.array((1 << 16, 1 << 8, 1))
    return codes


def _code(colour: tuple[int, int, int]) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def _integers(path: Path, *, turn: bool) -> NDArray[Any]:
    """Whole numbers: of one channel, of three that are the same, or of floats without fractions."""
    head = read_file(path)[:26]
    if path.suffix.lower() in ARRAYS:
        stored = _plane(path)
    elif form_of(head) in FLOATING and read_header(path).mode == "F":
        stored = read_label(path, "float32|float64", turn=turn)
    elif _coloured(path, head):
        return _equal_channels(path, turn=turn)
    else:
        return read_indices(path, turn=turn)
    if stored.dtype.kind == "f":
        nothing = _not_finite(stored)
        if nothing:
            raise SampleError(
                path,
                f"should hold whole numbers; found {stored.dtype} with pixels: {nothing}.",
                "Write a whole number in their place that is `void`, such as 255, and save it as "
                "uint8.",
            )
        whole = stored.astype(np.int64, copy=True)
        if (whole == stored).all():
            return whole
    if stored.dtype.kind not in "bui":
        raise SampleError(
            path, f"should hold whole numbers; found {stored.dtype}.", "Save it as uint8."
        )
    return stored


def _not_finite(values: NDArray[Any]) -> str:
    """How many are no numbers; empty for none."""
    return _counts(
        {"NaN": int(np.isnan(values).sum()), "infinite": int(np.isinf(values).sum())}
    )  # fmt: skip


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _coloured(path: Path, head: bytes) -> bool:
    if form_of(head):
        header = read_header(path)
        return header.mode == "RGB" and header.bits == 8
    return head.startswith(PNG_START) and head[24:] == bytes((8, RGB))


def _equal_channels(path: Path, *, turn: bool) -> NDArray[Any]:
    """Some tools write ids into red, green and blue alike."""
    rgb = decode_rgb(read_file(path), path, turn=turn)
    if (rgb != rgb[..., :1]).any():
        raise SampleError(
            path,
            "should have one channel, or three that are the same; found colours.",
            "If colours stand for classes, say `encoding: colours` in tasks.yaml.",
        )
    return rgb[..., 0]


def _plane(path: Path) -> NDArray[Any]:
    """The array of a file, [h, w]; an axis of length one before or after them is dropped."""
    stored = read_array(path)
    shape = stored.shape
    if len(shape) == 3 and 1 in (shape[0], shape[2]):
        stored = stored[0] if shape[0] == 1 else stored[..., 0]
    if stored.ndim != 2:
        raise SampleError(
            path,
            f"should have the shape [height, width]; found {list(shape)}.",
            "Save one value a pixel.",
        )
    return stored


def _is_void(stored: NDArray[Any], void: Sequence[int | float]) -> NDArray[np.bool_]:
    """Where a file has one of the values that mean nothing, as its type writes them."""
    if stored.dtype.kind != "f":
        return np.isin(stored, void)
    # A decimal is another number in single precision than as `tasks.yaml` has it.
    found = np.zeros(stored.shape, np.bool_)
    for value in void:
        found |= np.abs(stored - value) <= max(ROUNDED, np.finfo(stored.dtype).eps) * abs(value)
    return found


def _binary(task: BinaryFile, path: Path, *, turn: bool) -> Decoded:
    if task.threshold is not None:
        array = path.suffix.lower() in ARRAYS
        stored = _plane(path) if array else read_label(path, NUMBERS, turn=turn)
        # A mask that is no number there says neither yes nor no.
        void = _is_void(stored, task.void) | np.isnan(stored)
        return (~void & (stored >= task.threshold)).astype(np.uint8), ~void
    stored = _integers(path, turn=turn)
    on, off, void = (np.isin(stored, v) for v in (task.ones, task.zeros, task.void))
    strange = np.unique(stored[~(on | off | void)])
    if strange.size:
        raise SampleError(
            path,
            f"values should be among `ones` {task.ones}, `zeros` {task.zeros} and `void` "
            f"{task.void}; found {', '.join(map(str, strange[:SHOWN]))}.",
            "List them in tasks.yaml, or give a `threshold`.",
        )
    return on.astype(np.uint8), ~void


def _depth(task: DepthFile, path: Path, *, turn: bool) -> Decoded:
    array = path.suffix.lower() in ARRAYS
    stored = _plane(path) if array else read_label(path, NUMBERS, turn=turn)
    if task.scale is None and stored.dtype.kind in "iu":
        raise SampleError(
            path,
            f"whole numbers ({stored.dtype}) should have a `scale`, units a step; there is none.",
            "Say in tasks.yaml what a step is: 0.001 for millimetres, 1 for metres.",
        )
    void = _is_void(stored, task.void)
    value = stored.astype(np.float64) * (task.scale or 1.0) + task.offset
    # Metres of zero mean that nothing was measured; a disparity of zero is infinitely far.
    low = value <= 0 if task.units == "m" else value < 0
    bad = ~void & (~np.isfinite(value) | low)
    if bad.any() and task.invalid == "refuse":
        raise SampleError(path, _invalid(value[bad], task.units), _DEPTH_REMEDY)
    valid = ~void & ~bad
    return np.where(valid, value, 0).astype(np.float32), valid


_DEPTH_REMEDY = "Say `invalid: void` in tasks.yaml if they mean that nothing was measured."


def _invalid(values: NDArray[np.float64], units: str) -> str:
    finite = values[np.isfinite(values)]
    counts = {
        "zero": int((finite == 0).sum()),
        f"negative (down to {finite.min(initial=0):g})": int((finite < 0).sum()),
    }
    found = ", ".join(filter(None, (_not_finite(values), _counts(counts))))
    wanted = "finite and above 0" if units == "m" else "finite and not negative"
    return f"depth should be {wanted} where it is not void; found pixels: {found}."


def _normals(task: NormalsFile, path: Path, *, turn: bool) -> Decoded:
    given, valid = read_vectors(path, turn=turn)
    if task.invalid == "void":
        length = np.sqrt(np.einsum("...c,...c->...", given, given))
        valid = valid & (np.abs(length - 1) < OFF_UNIT)
    given = unit(path, given, valid)
    vector = np.empty_like(given)
    for channel, name in enumerate(task.axes):
        axis, sign = AXES[name]
        vector[..., axis] = sign * given[..., channel]
    return vector, valid
