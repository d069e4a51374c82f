"""What names of folders and files tell of what is in them."""

import re
import unicodedata

IMAGE_NAMES = (
    "rgb", "image", "images", "img", "imgs", "color", "colour", "leftimg8bit", "jpegimages",
    "photo", "photos", "frame", "frames", "input", "inputs", "picture", "pictures", "jpeg",
)  # fmt: skip
WEAK = ("color", "colour", "frame", "frames", "input", "inputs")
"""Of these, words that pictures of labels go by as well."""
INSTANCES = (
    "instance",
    "instances",
    "inst",
    "insts",
    "instanceids",
    "panoptic",
    "segmentationobject",
)
PICTURES = (
    "color", "colors", "colour", "colours", "colored", "coloured", "colorized", "viz", "vis",
    "visual", "visualization", "visualisation", "visualizations", "overlay", "overlays", "preview",
    "previews", "watershed", "colormap", "pretty",
)  # fmt: skip
MASKS = ("mask", "masks", "matte", "alpha")
TASK_NAMES = {
    "semantic": ("semantic", "semantics", "seg", "segmentation", "semseg", "label", "labels",
                 "class", "classes", "gtfine", "gt"),
    "depth": ("depth", "depths", "disp", "disparity", "disparities"),
    "normals": ("normal", "normals", "norm", "surfacenormals"),
    "parts": ("part", "parts", "humanparts", "human_parts"),
    "saliency": ("sal", "saliency"),
    "edges": ("edge", "edges", "boundary", "boundaries"),
}  # fmt: skip
BEGINNINGS = {
    "semantic": ("semantic", "segment"), "depth": ("depth", "disparit"), "normals": ("normal",),
    "parts": ("humanpart",), "saliency": ("salien",), "edges": ("boundar",),
}  # fmt: skip
SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


def is_image(name: str) -> bool:
    """Whether a folder or an ending of that name holds images."""
    found = words(name)
    if name.lower() in IMAGE_NAMES:
        return True
    return any(word in IMAGE_NAMES for word in found) and not (labels(name) or pictured(name))


def is_plain_image(name: str) -> bool:
    """Whether the name is one of images, and no more."""
    return name.lower() in IMAGE_NAMES and not is_weak(name)


def is_weak(name: str) -> bool:
    """Whether the name is one of images, and pictures of labels may go by it as well."""
    return all(word in WEAK for word in words(name) if word in IMAGE_NAMES)


def words(name: str) -> list[str]:
    """The words of a name, in small letters: `gt_depthMM` has gt, depth, mm."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def task_of(name: str) -> str | None:
    """The task that goes by this name, if it is one of ours."""
    plain = name.lower()
    return next((task for task, names in TASK_NAMES.items() if plain in names), None)


def split_of(name: str) -> str | None:
    """The split that goes by this name."""
    plain = re.sub(r"(?<=[a-z])[_-]?(19|20)\d\d$", "", name.lower())  # train2017
    return next((split for split, names in SPLIT_NAMES.items() if plain in names), None)


def hints(name: str) -> set[str]:
    """Tasks that a name speaks of, whatever else is in it: `semantic13`, `gt_depthMM`."""
    found = words(name)
    return {
        task
        for task, names in TASK_NAMES.items()
        if any(word in names or word.startswith(BEGINNINGS[task]) for word in found)
    }


def labels(name: str) -> bool:
    """Whether a name speaks of labels of some kind."""
    return bool(hints(name)) or is_mask(name) or is_instances(name)


def is_mask(name: str) -> bool:
    """Whether a name speaks of masks."""
    return any(word in MASKS or "mask" in word for word in words(name))


def is_instances(name: str) -> bool:
    """Whether a name speaks of objects that are numbered."""
    return any(word in INSTANCES for word in (*words(name), name.lower()))


def pictured(name: str) -> bool:
    """Whether a name speaks of pictures that were made of labels."""
    return any(word in PICTURES for word in words(name))


def known(name: str) -> bool:
    """Whether a folder name says what is in it."""
    return is_image(name) or labels(name) or pictured(name)


def plain(text: str) -> str:
    """A name in the one form of Unicode in which names are compared."""
    return unicodedata.normalize("NFC", text)


def own_name(text: str) -> str:
    """A name for a task, made of that of a folder."""
    plain = re.sub(r"[^\w-]+", "_", text, flags=re.ASCII).strip("_-").lower()
    return plain if re.match(r"[a-z]", plain) else f"task_{plain}".rstrip("_")
