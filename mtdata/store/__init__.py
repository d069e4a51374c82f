"""The store: one HDF5 file with images, labels, regimes and checksums."""

from mtdata.store.codec import COMPRESSIONS, Compression
from mtdata.store.edit import add_regime, remove_regime, set_default_regime
from mtdata.store.reader import Store, open_store
from mtdata.store.regime import RegimeInfo
from mtdata.store.split import Split

__all__ = [
    "COMPRESSIONS",
    "Compression",
    "RegimeInfo",
    "Split",
    "Store",
    "add_regime",
    "open_store",
    "remove_regime",
    "set_default_regime",
]
