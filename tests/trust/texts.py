"""Single bits of the texts that a store has as attributes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.trust.stores import content, judged, texts, variants
from tests.trust.trial import Trial


def trials(folder: Path, count: int, seed: int) -> Iterator[Trial]:
    """Flip one bit of one text, in each kind of store in turn."""
    rng, path = np.random.default_rng(seed), folder / "damaged.h5"
    stores = [(n, p.read_bytes(), texts(p), content(p)) for n, p in variants(folder).items()]
    for number in range(count):
        name, whole, found, truth = stores[number % len(stores)]
        start, length = found[int(rng.integers(len(found)))]
        data = bytearray(whole)
        data[start + int(rng.integers(length))] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        yield Trial(f"{name}: {whole[start : start + length][:40]!r}", *judged(path, whole, truth))
