"""`nyu_depth_v2_labeled.mat`: MATLAB 7.3, that is HDF5 with the axes in reverse order."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.lazy_file import LazyFile
from mtdata.sources.files.files import open_plain
from mtdata.sources.files.hdf5_chunks import check_chunks
from mtdata.sources.files.once import note
from mtdata.sources.nyu.frame import FRAME

if TYPE_CHECKING:
    import h5py

FILE = "nyu_depth_v2_labeled.mat"
AGAIN = f"Download {FILE} (2.8 GB) again."
CHANNELS = {"images": (3,), "depths": (), "rawDepths": (), "labels": ()}
TYPES = {"images": "u", "depths": "f", "rawDepths": "f", "labels": "u"}


class MatFile(LazyFile["h5py.File"]):
    """Frames of the file, one at a time: of each array one frame is in memory, never more.

    Args:
        path: The file.
        arrays: Which of its arrays are used, "images" first.
    """

    def __init__(self, path: Path, arrays: tuple[str, ...]) -> None:
        super().__init__()
        self.path = path
        self.arrays = arrays
        self._index = -1
        self._held: dict[str, NDArray[Any]] = {}

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return int(self.file["images"].shape[0])

    def frame(self, name: str, index: int) -> NDArray[Any]:
        """One frame of an array, [480, 640] or [480, 640, 3]; `index` counts from 1.

        It is held until another frame is asked for: the fingerprint of a frame and its labels take
        one read.

        Raises:
            SampleError: where it cannot be read.
        """
        note(self.path)
        if index != self._index:
            self._index, self._held = index, {}
        if name not in self._held:
            check_chunks(self.file[name], index - 1, self.path)
            try:
                found = self.file[name][index - 1]
            except (OSError, RuntimeError) as error:
                raise SampleError(
                    self.path, f"`{name}` of frame {index} cannot be read ({error}).", AGAIN
                ) from error
            self._held[name] = np.ascontiguousarray(found.T)
        return self._held[name]

    def _open(self) -> "h5py.File":
        import h5py

        open_plain(self.path).close()  # HDF5 would wait for a pipe
        try:
            file = h5py.File(self.path, "r")
        except OSError as error:
            raise SampleError(
                self.path,
                f"should be a whole MATLAB 7.3 file; it cannot be opened ({error}).",
                AGAIN,
            ) from error
        try:
            for name in self.arrays:
                self._check(file, name)
        except BaseException:
            file.close()
            raise
        return file

    def _check(self, file: "h5py.File", name: str) -> None:
        self._check_inside(file, name)
        found = file.get(name)
        if found is None or not hasattr(found, "shape"):
            known = ", ".join(sorted(key for key in file if not key.startswith("#"))) or "nothing"
            raise SampleError(self.path, f"should hold `{name}`; found {known}.", AGAIN)
        wanted = (file["images"].shape[0], *CHANNELS[name], *FRAME[::-1])
        if found.shape != wanted or found.dtype.kind != TYPES[name]:
            kind = {"u": "unsigned integers", "f": "floats"}[TYPES[name]]
            raise SampleError(
                self.path,
                f"`{name}` should be {kind} {list(wanted)}; "
                f"found {found.dtype} {list(found.shape)}.",
                AGAIN,
            )

    def _check_inside(self, file: "h5py.File", name: str) -> None:
        """Refuse numbers that HDF5 would fetch from another file."""
        import h5py

        outside = isinstance(file.get(name, getlink=True), (h5py.ExternalLink, h5py.SoftLink))
        if not outside and isinstance(found := file.get(name), h5py.Dataset):
            outside = bool(found.external) or found.is_virtual
        if outside:
            raise SampleError(
                self.path, f"should hold `{name}` itself; it refers to it elsewhere.", AGAIN
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_index": -1, "_held": {}}
