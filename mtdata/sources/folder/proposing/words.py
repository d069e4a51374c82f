"""What names of folders and files tell of what is in them."""

import re

IMAGE_NAMES = (
    "rgb", "image", "images", "img", "imgs", "color", "colour", "leftimg8bit", "jpegimages",
    "photo", "photos", "frame", "frames", "input", "inputs", "picture", "pictures",
)  # fmt: skip
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
    return name.lower() in IMAGE_NAMES


def task_of(name: str) -> str | None:
    """The task that goes by this name, if it is one of ours."""
    plain = name.lower()
    return next((task for task, names in TASK_NAMES.items() if plain in names), None)


def split_of(name: str) -> str | None:
    """The split that goes by this name."""
    plain = name.lower()
    return next((split for split, names in SPLIT_NAMES.items() if plain in names), None)


def hints(name: str) -> set[str]:
    """Tasks that a name speaks of, whatever else is in it: `semantic13`, `gt_depthMM`."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)]
    return {
        task
        for task, names in TASK_NAMES.items()
        if any(word in names or word.startswith(BEGINNINGS[task]) for word in words)
    }


def known(name: str) -> bool:
    """Whether a folder name says what is in it."""
    return is_image(name) or bool(hints(name)) or "mask" in name.lower()


def own_name(text: str) -> str:
    """A name for a task, made of that of a folder."""
    plain = re.sub(r"[^\w-]+", "_", text, flags=re.ASCII).strip("_-").lower()
    return plain if re.match(r"[a-z]", plain) else f"task_{plain}".rstrip("_")
