"""The way back from a change, which tells whether the way there was right."""

from mtdata.reading.geometry import Change, Crop, Flip, Paste, Rotate


def undoing(change: Change) -> Change:
    """What takes each pixel back, as far as it is left."""
    match change:
        case Crop(scale, top, left):
            return Paste(scale, top, left)
        case Paste(scale, top, left):
            return Crop(scale, top, left)
        case Rotate(degrees):
            return Rotate(-degrees)
    assert isinstance(change, Flip)
    return change
