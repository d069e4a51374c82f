"""An image is for training or for testing: stores that disagree are not joined."""

from collections.abc import Mapping, Sequence
from itertools import permutations

from mtdata.errors import DataError
from mtdata.store import Split, Store
from mtdata.wording import listed


def check_roles(stores: Sequence[Store]) -> None:
    """Refuse a split that is for training in one store and to test on in another.

    Raises:
        DataError: naming it.
    """
    roles: dict[str, tuple[str, Store]] = {}
    for store in stores:
        for name, split in store.splits.items():
            role, owner = roles.setdefault(name, (split.role, store))
            if role != split.role:
                raise DataError(
                    f"split {name} should have one role; it has {role} in {owner.path} and "
                    f"{split.role} in {store.path}. Build one of them again."
                )


def check_leaks(stores: Sequence[Store]) -> None:
    """Refuse an image that lies in one split of a store and in another split of another.

    Where some store has the same key in two splits (made-up rooms are numbered in each), a key
    alone says nothing: then only the very same pixels count.

    Raises:
        DataError: naming the images.
    """
    alone = all(_distinct(store) for store in stores)
    for one, other in permutations(stores, 2):
        for name, split in one.splits.items():
            for found, there in other.splits.items():
                # Each pair of splits is met twice, once from either side: once is enough.
                if name < found:
                    _check_pair(one, split, other, there, by_key=alone)


def _distinct(store: Store) -> bool:
    keys = [key for split in store.splits.values() for key in split.keys]
    return len(set(keys)) == len(keys)


def _check_pair(one: Store, split: Split, other: Store, there: Split, *, by_key: bool) -> None:
    images = _images(there)
    both = [
        key
        for key, image in _images(split).items()
        if key in images and (by_key or images[key] == image)
    ]
    if both:
        raise DataError(
            f"an image should be in one split; these are in {split.name} of {one.path} and in "
            f"{there.name} of {other.path}: {listed(both)}. Build one of them again with the "
            "splits of the other: an image trained on must not be tested on."
        )


def _images(split: Split) -> Mapping[str, bytes]:
    digests = (row.tobytes() for row in split.digests[:, 0])
    return dict(zip(split.keys, digests, strict=True))
