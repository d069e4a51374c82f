"""Compressing many samples of few forms: the file in memory that HDF5 compresses into is kept."""

import threading
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.store.codec import Chunk, in_memory

FORMS = 32
"""Datasets that are kept; images of ever new sizes must not fill the memory."""


class Encoder:
    """Makes the same chunks as `mtdata.store.codec.encode`, without making a file for each.

    Making and closing a file and a dataset takes half a millisecond; a sample has several arrays.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._datasets: dict[tuple[Any, ...], h5py.Dataset] = {}
        self._file: h5py.File | None = None

    def __call__(self, array: NDArray[Any], options: Mapping[str, Any]) -> Chunk:
        """Compress one sample.

        Args:
            array: What the file will hold of it.
            options: Of `mtdata.store.codec.filters`.
        """
        # Two builds in two threads share the datasets.
        with self._lock:
            dataset = self._dataset(array.shape, array.dtype, options)
            dataset[0] = array
            mask, data = dataset.id.read_direct_chunk((0,) * dataset.ndim)
        return Chunk(mask, bytes(data))

    def _dataset(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], options: Mapping[str, Any]
    ) -> h5py.Dataset:
        form = (shape, dtype.str, repr(sorted(options.items())))
        if form not in self._datasets:
            if self._file is None or len(self._datasets) == FORMS:
                self._renew()
            assert self._file is not None
            name, full = str(len(self._datasets)), (1, *shape)
            self._datasets[form] = self._file.create_dataset(
                name, shape=full, dtype=dtype, chunks=full, **options
            )
        return self._datasets[form]

    def _renew(self) -> None:
        if self._file is not None:
            self._file.close()
        self._datasets.clear()
        # Without a cache of chunks, what is assigned is compressed at once.
        self._file = in_memory(rdcc_nbytes=0)


encode = Encoder()
"""The one of this process."""
