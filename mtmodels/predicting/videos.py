"""Frames of video files, by PyAV, which is an extra."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError, UsageError

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
MISSING = 0.5
"""Seconds that may lack at the end of a video: what containers say of its length is rounded."""


class Frame(NamedTuple):
    """A frame.

    Args:
        number: Its place in the video, from 0.
        seconds: When it is shown.
        pixels: RGB `[h, w, 3]`, the way up that a player shows it.
    """

    number: int
    seconds: float
    pixels: NDArray[np.uint8]


def is_video(path: Path) -> bool:
    """Whether a file is one by its name."""
    return path.suffix.lower() in SUFFIXES


def count(path: Path, every: int) -> int:
    """About how many frames `frames` gives; 0 where the file does not say.

    Raises:
        SampleError: as of `frames`.
        UsageError: likewise.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        length = _length(container, stream)
        known = stream.frames or round(length * float(stream.average_rate or 0))
    return -(-known // every)


def frames(path: Path, every: int) -> Iterator[Frame]:
    """Every so-many-th frame, as it is decoded: memory does not grow with the video.

    Args:
        path: The file.
        every: 1 for all frames.

    Raises:
        SampleError: at once where it is no video; behind the last frame where some were damaged or
            the end is missing.
        UsageError: where PyAV is not installed.
    """
    av = _library(path)
    damaged, number, seconds = 0, -1, 0.0
    with _opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        length = _length(container, stream)
        step = 1 / float(stream.average_rate or 25)
        why = ""
        decoded = container.decode(stream)
        while True:
            try:
                frame = next(decoded, None)
            except av.error.FFmpegError as error:
                why = f"ffmpeg says: {error.strerror}"
                break
            if frame is None:
                break
            number, seconds = number + 1, float(frame.time or (number + 1) * step)
            if frame.is_corrupt:
                damaged += 1
            elif number % every == 0:
                yield Frame(number, seconds, _upright(frame))
    if why or length - seconds - step > MISSING:
        why = f" ({why})" if why else ""
        raise SampleError(
            path,
            f"should go on for {length:.1f} s; it can be read until {seconds:.1f} s{why}.",
            "What came before is predicted. Copy the file again.",
        )
    if damaged:
        raise SampleError(
            path,
            f"should be whole; {damaged} of {number + 1} frames are damaged.",
            "The others are predicted. Copy the file again.",
        )


def _opened(path: Path) -> Any:
    av = _library(path)
    try:
        container = av.open(str(path))
    except av.error.FFmpegError as error:
        raise SampleError(
            path, f"should be a video; ffmpeg says: {error.strerror}.", "Give another."
        ) from None
    if not container.streams.video:
        container.close()
        raise SampleError(path, "should be a video; it has no pictures.", "Give another.")
    return container


def _library(path: Path) -> Any:
    try:
        import av
    except ImportError:
        raise UsageError(
            f"{path} is a video, which needs PyAV; found no `av` here. Run: pip install "
            "'mtpartial[video]'"
        ) from None
    return av


def _length(container: Any, stream: Any) -> float:
    """Seconds, as the file says; 0 where it does not."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / 1e6


def _upright(frame: Any) -> NDArray[np.uint8]:
    """A frame as it is shown: phones write them as the sensor lies, and by how much to turn."""
    pixels: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
