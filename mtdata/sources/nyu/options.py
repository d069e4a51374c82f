"""The options of the source `nyu`, checked, and which of its layouts each belongs to."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtdata.errors import UsageError
from mtdata.sources.base import unlabelled_option
from mtdata.sources.nyu.frame import CLASSES, FRAME, VALID_BOX
from mtdata.sources.reader import Box

NORMALS = ("computed", "given")
DEPTHS = ("filled", "raw")
CROPS = {"default": VALID_BOX, "none": (0, 0, *FRAME)}
LAYOUTS = {
    "folders": ("classes", "normals", "crop"),
    "mat": ("classes", "normals", "depth", "crop"),
    "mtan": ("classes", "normals"),
}
"""The options that each layout knows: what is not here has no meaning there."""


@dataclass(frozen=True)
class NyuOptions:
    """What was asked for; None where nothing was said and it depends on the layout.

    Args:
        classes: 13 or 40.
        normals: "computed" from depth, or "given" in files.
        depth: "filled" or "raw".
        crop: "default", "none", or top, left, height and width as "44,40,427,561".
        layout: "folders", "mat" or "mtan"; None to look what lies there.
        unlabelled: "keep" for frames without any label; else they are refused.
    """

    classes: int = 13
    normals: str | None = None
    depth: str | None = None
    crop: str | None = None
    layout: str | None = None
    unlabelled: str | None = None

    @property
    def box(self) -> Box:
        """The part of the official 480x640 frame that is kept."""
        return _box(self.crop or "default")

    def on(self, layout: str) -> "NyuOptions":
        """The options with every choice made, for a layout.

        Raises:
            UsageError: for one that has no meaning there.
        """
        for name in ("depth", "crop"):
            value = getattr(self, name)
            if value not in (None, "filled", "default") and name not in LAYOUTS[layout]:
                raise UsageError(_misfit(name, str(value), layout))
        if layout == "mtan":
            return self._on_mtan()
        return NyuOptions(
            classes=self.classes,
            normals=self.normals or "computed",
            depth=(self.depth or "filled") if layout == "mat" else None,
            crop=self.crop or "default",
            layout=layout,
            unlabelled=self.unlabelled,
        )

    def to_dict(self) -> dict[str, Any]:
        """The options that were made up; a store keeps them."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def _on_mtan(self) -> "NyuOptions":
        if self.classes != 13:
            raise UsageError(
                f"`classes` should be 13 for the .npy tree that MTAN distributes; "
                f"found {self.classes}."
            )
        if self.normals == "computed":
            raise UsageError(
                "`normals` should be given for the .npy tree that MTAN distributes; found "
                "computed. The camera of these frames, which that takes, is not documented."
            )
        return NyuOptions(classes=13, normals="given", layout="mtan", unlabelled=self.unlabelled)


def parse(options: Mapping[str, Any]) -> NyuOptions:
    """Check the values.

    Raises:
        UsageError: for one that cannot be.
    """
    classes = options.get("classes", 13)
    if classes not in CLASSES:
        raise UsageError(f"`classes` should be 13 or 40 for nyu; found {classes}.")
    crop = options.get("crop")
    return NyuOptions(
        classes=int(classes),
        normals=_one_of("normals", options, NORMALS),
        depth=_one_of("depth", options, DEPTHS),
        crop=None if crop is None else _crop(crop),
        layout=_one_of("layout", options, tuple(LAYOUTS)),
        **unlabelled_option(options),
    )


def _one_of(name: str, options: Mapping[str, Any], known: Sequence[str]) -> str | None:
    value = options.get(name)
    if value is not None and value not in known:
        *first, last = known
        raise UsageError(f"`{name}` should be {', '.join(first)} or {last} for nyu; found {value}.")
    return None if value is None else str(value)


def _crop(value: Any) -> str:
    """The crop in the one way it is written."""
    text = value if isinstance(value, str) else ",".join(map(str, value))
    text = text.replace(" ", "")
    if text in CROPS:
        return text
    if re.fullmatch(r"\d+,\d+,\d+,\d+", text):
        top, left, height, width = _box(text)
        if height and width and top + height <= FRAME[0] and left + width <= FRAME[1]:
            return text
    raise UsageError(
        f"`crop` should be default ({','.join(map(str, VALID_BOX))}), none, or top, left, height "
        f"and width of a box inside the frame of {FRAME[0]}x{FRAME[1]}; found {value}."
    )


def _box(crop: str) -> Box:
    if crop in CROPS:
        return CROPS[crop]
    top, left, height, width = map(int, crop.split(","))
    return top, left, height, width


def _misfit(name: str, value: str, layout: str) -> str:
    where = {
        "folders": "The prepared folders hold one depth, which is used as it is.",
        "mtan": "The .npy tree that MTAN distributes holds one depth and frames already cropped.",
    }
    return (
        f"`{name}` should be left out for the layout `{layout}`; found {value}. {where[layout]} "
        "Give the folder of nyu_depth_v2_labeled.mat for that."
    )
