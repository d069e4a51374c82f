"""A proposal for the `tasks.yaml` of a folder: what was found in it, and why it is taken so."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtdata.errors import DataError, SampleError, SourceNotFoundError
from mtdata.sources.files.files import list_root
from mtdata.sources.files.imageheader import read_header
from mtdata.sources.folder.proposing.groups import Group, find_groups
from mtdata.sources.folder.proposing.guesses import Guess, Line, written
from mtdata.sources.folder.proposing.looks import guess
from mtdata.sources.folder.proposing.pairing import Affixes, Pair, choose_images, pair, sample
from mtdata.sources.folder.proposing.splitting import class_names, split_lines
from mtdata.sources.folder.proposing.words import own_name, task_of

LOOKED = 48
"""Label files of a group that are looked at."""
WHAT = "Give a folder with images and labels of them, in PNG, JPEG or .npy files."


PADDED = 2.0
"""How often the mean area the padded one may be; a build refuses more."""


@dataclass(frozen=True)
class Sizes:
    """`text` for a remark; `common` is a height and width to resize to, None if padding will do."""

    text: str
    common: tuple[int, int] | None


def look_at_sizes(paths: Sequence[Path]) -> Sizes:
    """Read the headers of some images.

    Raises:
        SampleError: for a file that has none.
    """
    headers = [read_header(path) for path in paths]
    shapes = [h.size[::-1] if h.orientation > 4 else h.size for h in headers]
    found = np.array(shapes, np.int64)
    low, high = found.min(axis=0), found.max(axis=0)
    if (low == high).all():
        return Sizes(f"all {low[0]}x{low[1]}", None)
    text = f"{low[0]}x{low[1]} to {high[0]}x{high[1]}"
    if high.prod() <= PADDED * found.prod(axis=1).mean():
        return Sizes(f"{text}: padded to the largest", None)
    height, width = (int(np.median(found[:, axis])) for axis in (0, 1))
    return Sizes(f"{text}: too different to be padded, give --size", (height, width))


@dataclass(frozen=True)
class Proposal:
    """A proposed `tasks.yaml`.

    `tasks` counts the images that have a label of each; `left_out` says which files are taken for
    none, and why; `size` is one for all images where theirs differ too much to be padded, else
    None; `problem` is what a build would refuse as things are, empty for nothing.
    """

    text: str
    images: int
    tasks: Mapping[str, int]
    left_out: Mapping[str, str]
    size: tuple[int, int] | None
    problem: str

    def to_json(self) -> dict[str, Any]:
        """The proposal as JSON."""
        return {**asdict(self), "size": None if self.size is None else list(self.size)}


def propose(root: Path) -> Proposal:
    """Look at a folder.

    Raises:
        SourceNotFoundError: where it is none, or holds no images, or no labels of them.
        SampleError: where a link leads out of it, or an image cannot be read.
    """
    list_root(root, WHAT)
    groups = find_groups(root)
    images = choose_images(groups)
    if images is None:
        raise SourceNotFoundError(
            f"{root} should hold images: JPEG files, or colour PNG files; found none. {WHAT}"
        )
    taken = set(images.files.values())
    others = [group for group in groups if not taken.issuperset(group.files.values())]
    around, pairs = pair(images, others)
    judged, left_out = _judge(root, pairs)
    matched = {each.group.pattern() for each in pairs}
    for group in others:
        if group.pattern() not in matched:
            left_out[group.pattern()] = "its names match none of the images"
    if not judged:
        raise SourceNotFoundError(_nothing(root, images.pattern(*around), left_out))
    sizes = look_at_sizes(sample(list(images.files.values()), 200))
    head = _head(root, images, around, sizes)
    return _finish(root, head, _tasks(judged, len(images.files)), images, left_out, sizes)


def _judge(
    root: Path, pairs: Sequence[Pair]
) -> tuple[dict[str, tuple[Pair, Guess]], dict[str, str]]:
    """The pairs that are labels by name of the task, and why the others are not."""
    judged: dict[str, tuple[Pair, Guess]] = {}
    left_out: dict[str, str] = {}
    names = class_names(root)
    for each in pairs:
        paths = list(each.group.files.values())
        try:
            found = guess(sample(paths, LOOKED), each.group.name, names)
        except SampleError as error:
            found = Guess("", str(error))
        if each.group.suffix == ".*":
            found = Guess("", "its files end in capital and small letters: rename them")
        if found.kind:
            judged[_name(each.group, judged)] = each, found
        else:
            left_out[each.pattern] = found.why
    return judged, left_out


def _name(group: Group, taken: Mapping[str, object]) -> str:
    """A name for a task: ours if the folder has one of ours, else that of the folder."""
    own = own_name(group.name or "label")
    for name in (task_of(group.name) or own, own):
        if name not in taken:
            return name
    return next(f"{own}_{n}" for n in range(2, len(taken) + 3) if f"{own}_{n}" not in taken)


def _nothing(root: Path, images: str, left_out: Mapping[str, str]) -> str:
    reasons = "; ".join(f"{pattern}: {why}" for pattern, why in left_out.items()) or "no other file"
    return f"{root} should hold labels of the images at {images}; found none ({reasons}). {WHAT}"


def _head(root: Path, images: Group, around: Affixes, sizes: Sizes) -> list[Line]:
    keys = {f"{place[1]}_{place[2]}" if place[1] else place[2] for place in images.files}
    name = f"named {images.name}" if images.name else "of this folder"
    pattern = images.pattern(*around)
    return [
        Line("images", pattern, f"{len(images.files)} images {name}, {sizes.text}"),
        Line(
            "splits",
            split_lines(root, images, keys),
            "which images to train and which to test on",
        ),
    ]


def _tasks(judged: Mapping[str, tuple[Pair, Guess]], count: int) -> Line:
    tasks = []
    for name, (found, taken) in judged.items():
        lines = (
            Line("kind", taken.kind, taken.why),
            Line("files", found.pattern, f"{found.images} of {count} images have one"),
            *taken.lines,
        )
        tasks.append(Line(name, lines, f"by the name {found.group.name or 'label'}"))
    return Line("tasks", tuple(tasks), "what matches the images by its names")


def _finish(
    root: Path,
    head: list[Line],
    tasks: Line,
    images: Group,
    left_out: dict[str, str],
    sizes: Sizes,
) -> Proposal:
    """Read the proposal as a build would, and count."""
    from mtdata.sources.folder.file import parse
    from mtdata.sources.folder.layout import scan

    text = _text([*head, Line("unlabelled", "skip"), tasks], left_out)
    try:
        layout = scan(root, parse(text, "the proposal"))
    except DataError as error:
        counts: dict[str, int] = {}
        problem, bare = str(error), 0
    else:
        counts = {name: len(found) for name, found in layout.labels.items()}
        problem, bare = "", len(layout.unlabelled)
    why = f"{bare} of {len(images.files)} images have no label: leave them out"
    middle = [Line("unlabelled", "skip", why)] if bare else []
    return Proposal(
        text=_text([*head, *middle, tasks], left_out),
        images=len(images.files),
        tasks=counts,
        left_out=left_out,
        size=sizes.common,
        problem=problem,
    )


def _text(lines: Sequence[Line], left_out: Mapping[str, str]) -> str:
    begin = [
        "# Proposed by `mtdata init` from what lies in this folder. Each remark says why; correct",
        "# what is wrong, name the classes, then build.",
    ]
    rest = [f"# left out: {pattern}: {why}" for pattern, why in left_out.items()]
    return "\n".join([*begin, *written(lines), *rest, ""])
