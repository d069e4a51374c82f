"""The terms of the data that a store was made of."""


def licences_of(dataset: str) -> dict[str, str]:
    """The licence of each data set that somebody else publishes; `dataset` may be joined by `+`."""
    from mtdata.sources import SOURCES

    found = {}
    for name in dataset.split("+"):
        source = SOURCES.get(name)
        # Made-up data and one's own have no terms of others.
        if source is not None and source.needs_root and name != "folder":
            found[name] = source.licence
    return found
