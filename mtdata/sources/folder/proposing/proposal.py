"""A proposal for the `tasks.yaml` of a folder: what was found in it, and why it is taken so."""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtdata.errors import DataError, SampleError, SourceNotFoundError
from mtdata.sources.files.files import list_root
from mtdata.sources.files.imageheader import read_header
from mtdata.sources.folder.proposing.annotated import (
    Annotated,
    find_annotations,
    propose_annotated,
)
from mtdata.sources.folder.proposing.evidence import CLEAR, LOOKED, RULES, sureness
from mtdata.sources.folder.proposing.groups import Group, find_groups, sample
from mtdata.sources.folder.proposing.guesses import Guess, Line, written
from mtdata.sources.folder.proposing.listing import NOTHING_LISTED, Listed, find_lists
from mtdata.sources.folder.proposing.looks import guess, read_each
from mtdata.sources.folder.proposing.pairing import Choice, Pair, choose
from mtdata.sources.folder.proposing.splitting import split_lines
from mtdata.sources.folder.proposing.words import (
    is_image,
    is_plain_image,
    is_weak,
    own_name,
    pictured,
    task_of,
)
from mtdata.sources.folder.splits import Entries, entries_of
from mtdata.wording import counted, listed, sentence

if TYPE_CHECKING:
    from mtdata.sources.folder.source import Folder

WHAT = (
    "Give a folder with images and labels of them: PNG or .npy files, or annotations of "
    "coco-masks, labelme or cvat."
)


PADDED = 2.0
"""How often the mean area the padded one may be; a build refuses more."""
READ = 8
"""Samples that are read as a build would."""


@dataclass(frozen=True)
class Sizes:
    """`text` for a remark; `common` is a height and width to resize to, None if padding will do.

    `notes` tell of images that cannot be read.
    """

    text: str
    common: tuple[int, int] | None
    notes: Sequence[str]


def look_at_sizes(paths: Sequence[Path]) -> Sizes:
    """Read the headers of some images.

    Raises:
        SampleError: where none has one.
    """
    headers, notes = read_each(paths, read_header)
    shapes = [h.size[::-1] if h.orientation > 4 else h.size for h in headers]
    found = np.array(shapes, np.int64)
    low, high = found.min(axis=0), found.max(axis=0)
    if (low == high).all():
        return Sizes(f"all {low[0]}x{low[1]}", None, notes)
    text = f"{low[0]}x{low[1]} to {high[0]}x{high[1]}"
    if high.prod() <= PADDED * found.prod(axis=1).mean():
        return Sizes(f"{text}: padded to the largest", None, notes)
    height, width = (int(np.median(found[:, axis])) for axis in (0, 1))
    return Sizes(f"{text}: too different to be padded, give --size", (height, width), notes)


@dataclass(frozen=True)
class Proposal:
    """A proposed `tasks.yaml`.

    `tasks` counts the images that have a label of each, `confidence` is how sure each is, from 0
    to 1; `left_out` says which files are taken for none, and why; `unpaired` tells what stays
    without a partner or cannot be read, and which lists are not used; `size` is one for all images
    where theirs differ too much to be padded, else None; `problem` is what a build would refuse as
    things are, empty for nothing; `annotations` tells which file of a tool was taken, empty for
    none. Without any task the text is one to be completed.
    """

    text: str
    images: int
    tasks: Mapping[str, int]
    left_out: Mapping[str, str]
    size: tuple[int, int] | None
    problem: str
    confidence: Mapping[str, float] = field(default_factory=dict)
    unpaired: tuple[str, ...] = ()
    annotations: str = ""

    def to_json(self) -> dict[str, Any]:
        """The proposal as JSON."""
        found = {**asdict(self), "size": None if self.size is None else list(self.size)}
        return {**found, "unpaired": list(self.unpaired)}


@dataclass(frozen=True)
class _Judged:
    """A group that matches the images, and what it is taken for."""

    pair: Pair
    guess: Guess


@dataclass(frozen=True)
class _Drawn:
    """Annotations of a tool, and what they are taken for."""

    found: Annotated
    guess: Guess


def propose(root: Path, annotations: str | None = None) -> Proposal:
    """Look at a folder.

    Args:
        root: The folder.
        annotations: The format of annotations to look for, a name of `FORMATS`; None for all.

    Raises:
        SourceNotFoundError: where it is none, or holds no images, or no labels of them, or several
            groups of files that may be the images, or no annotations of that format.
        SampleError: where a link leads out of it, or no image can be read.
    """
    list_root(root, WHAT)
    groups = find_groups(root)
    choice = choose(groups)
    if choice is None:
        raise SourceNotFoundError(
            f"{root} should hold images: JPEG files, or colour PNG files; found none"
            f"{_files(groups)}. {WHAT}"
        )
    _check_rivals(root, choice)
    taken, unclear = _judge(root, choice.pairs)
    left_out = {each.pair.pattern: _asked(each.guess) for each in unclear}
    matched = {each.group.pattern() for each in choice.pairs}
    for group in choice.others:
        if group.pattern() not in matched:
            left_out[group.pattern()] = _unmatched(choice, group)
    drawn = _annotated(root, choice, annotations, left_out)
    if not taken and drawn is None and not any(each.guess.write for each in unclear):
        raise SourceNotFoundError(_nothing(root, choice, left_out))
    return _finish(root, choice, taken, unclear, left_out, drawn)


def _annotated(
    root: Path, choice: Choice, wanted: str | None, left_out: dict[str, str]
) -> _Drawn | None:
    """The likeliest annotations; one task is made of them, so all others are left out."""
    best: _Drawn | None = None
    candidates = find_annotations(root, choice, wanted)
    left_out |= candidates.refused
    for each in candidates.found:
        guess = propose_annotated(each, len(choice.images.files))
        if not guess.kind:
            left_out[each.files] = guess.why
        elif best is None:
            best = _Drawn(each, guess)
        else:
            left_out[each.files] = f"{each.told}; one file of annotations was taken already"
    return best


def _unmatched(choice: Choice, group: Group) -> str:
    """That names match no image, with one of each side, and what to write."""
    start, end = choice.around
    if group.folders == choice.images.folders and group.ending == choice.images.ending:
        every = replace(choice.images, suffix=".*").pattern(start, end)
        return (
            "they lie beside the images under other names. Write `images: "
            f"{every}` if they are images too"
        )
    keys = sorted(stem[len(start) : len(stem) - len(end)] for _, _, stem in choice.images.files)
    own = min(stem for _, _, stem in group.files)
    image = max((key for key in keys if key in own), key=len, default=keys[0])
    before, found, after = own.partition(image)
    how = (
        f"Write `files: {group.pattern(before, after)}` if these belong together"
        if found
        else "Rename them: in `files`, {stem} stands for what an image is called, and what is "
        "around it is the same in all"
    )
    return f"its names match none of the images: {own} here, {image} there. {how}"


def _asked(guess: Guess) -> str:
    """Why files are left out, and what to write."""
    return f"{sentence(guess.why)} Write {guess.write}" if guess.write else guess.why


def _check_rivals(root: Path, choice: Choice) -> None:
    if choice.rivals:
        names = [group.pattern() for group in (choice.images, *choice.rivals)]
        remedy = "Call the folder of the images `images`"
        if is_plain_image(choice.images.name):
            remedy = "Move or rename those that are not meant"
        raise SourceNotFoundError(
            f"{root} should hold one kind of images; {' and '.join(names)} may be them alike. "
            f"{remedy}, or write `images` into a tasks.yaml yourself."
        )


def _judge(root: Path, pairs: Sequence[Pair]) -> tuple[dict[str, _Judged], list[_Judged]]:
    """The pairs that are labels by name of the task, and those that are left out."""
    found = []
    for one in pairs:
        paths = list(one.group.files.values())
        around = [at for at in list(paths[0].parents)[:2] if at.is_relative_to(root)]
        lists = find_lists(root, around)
        try:
            best = _best(sample(paths, LOOKED), one.group.name, lists)
        except SampleError as error:
            best = RULES["unclear"].ask(str(error))
        name = one.group.name
        if not best.kind and is_image(name) and not is_weak(name):
            best = RULES["unclear"].ask("by its name it holds images, and others were taken")
        if one.group.suffix == ".*":
            best = RULES["unclear"].ask("its files end in several ways: save all as one type")
        found.append(_Judged(one, best))
    found = [_unless_picture(each, found) for each in found]
    taken: dict[str, _Judged] = {}
    unclear = []
    for each in found:
        if each.guess.kind and each.guess.confidence >= CLEAR:
            taken[_name(each.pair.group, taken)] = each
        else:
            unclear.append(each)
    return taken, unclear


def _best(paths: Sequence[Path], name: str, lists: Sequence[Listed]) -> Guess:
    """The guess with that list beside the data which fits, or else without one."""
    fitting = [found for listed in lists if (found := guess(paths, name, listed)).kind]
    with_names = [found for found in fitting if any("from " in line.why for line in found.lines)]
    if with_names:
        return with_names[0]
    return fitting[0] if fitting else guess(paths, name, next(iter(lists), NOTHING_LISTED))


def _unless_picture(each: _Judged, all_found: Sequence[_Judged]) -> _Judged:
    """Nothing, for files that by their name picture classes which are there themselves."""
    name = each.pair.group.name
    others = [
        other.pair.group.name for other in all_found
        if other is not each and other.guess.kind in ("classes", "binary")
        and not pictured(other.pair.group.name)
    ]  # fmt: skip
    if each.guess.kind not in ("classes", "binary") or not pictured(name) or not others:
        return each
    return _Judged(
        each.pair, RULES["picture"].ask(f"by its name it pictures the labels of {others[0]}")
    )


def _drawn_name(taken: Mapping[str, object]) -> str:
    return next(name for name in ("semantic", "annotations", "drawn") if name not in taken)


def _name(group: Group, taken: Mapping[str, object]) -> str:
    """A name for a task: ours if the folder has one of ours, else that of the folder."""
    own = own_name(group.name or "label")
    parts = (task_of(part) for part in re.split(r"[_.-]", group.name))
    for name in (task_of(group.name) or next(filter(None, parts), own), own):
        if name not in taken:
            return name
    return next(f"{own}_{n}" for n in range(2, len(taken) + 3) if f"{own}_{n}" not in taken)


def _files(groups: Sequence[Group]) -> str:
    """Which files were found, and how their names were read."""
    return f" among {listed([_read_as(group) for group in groups])}" if groups else ""


def _read_as(group: Group, start: str = "", end: str = "") -> str:
    scenes = sorted({scene for _, scene, _ in group.files if scene})
    told = f" ({{scene}}: {listed(scenes, 3)})" if scenes else ""
    return f"{group.pattern(start, end)}{told}"


def _nothing(root: Path, choice: Choice, left_out: Mapping[str, str]) -> str:
    images = _read_as(choice.images, *choice.around)
    told = [f"{pattern}: {why.removesuffix('.')}" for pattern, why in left_out.items()]
    reasons = "; ".join(told) or "no other file"
    return f"{root} should hold labels of the images at {images}; found none ({reasons}). {WHAT}"


def _tasks(taken: Mapping[str, _Judged], drawn: _Drawn | None, count: int) -> Line:
    tasks = []
    if drawn is not None:
        lines = (Line("kind", drawn.guess.kind, drawn.guess.why), *drawn.guess.lines)
        tasks.append(Line(_drawn_name(taken), lines, "what was drawn"))
    for name, (each) in taken.items():
        lines = (
            Line("kind", each.guess.kind, each.guess.why),
            Line("files", each.pair.pattern, f"of {each.pair.images} of {counted(count, 'image')}"),
            *each.guess.lines,
        )
        tasks.append(Line(name, lines, f"by the name {each.pair.group.name or 'label'}"))
    return Line("tasks", tuple(tasks), "what matches the images by its names")


def _finish(
    root: Path,
    choice: Choice,
    taken: Mapping[str, _Judged],
    unclear: Sequence[_Judged],
    left_out: dict[str, str],
    drawn: _Drawn | None,
) -> Proposal:
    """Write the proposal, and try it."""
    images, pattern = choice.images, choice.images.pattern(*choice.around)
    count = len(images.files)
    sizes = look_at_sizes(sample(list(images.files.values()), 200))
    named = f"named {images.name}" if images.name else "of this folder"
    entries, problem = _entries(root, pattern)
    splits = split_lines(root, images, entries)
    head = [
        Line("images", pattern, f"{counted(count, 'image')} {named}, {sizes.text}"),
        Line("splits", splits.lines, "which images to train and which to test on"),
    ]
    tasks = [_tasks(taken, drawn, count)] if taken or drawn else []
    tried = _Tried(problem=problem)
    if tasks and not problem:
        text = _text([*head, Line("unlabelled", "skip"), *tasks], [], {})
        tried = _try(root, text, set() if drawn is None else drawn.found.empty, count)
    why = f"to leave out images without a label: {tried.bare} of {count}"
    middle = [Line("unlabelled", "skip", why)] if tried.bare else []
    confidence = {name: each.guess.confidence for name, each in taken.items()}
    told = [*splits.told, *(f"images: {note}" for note in sizes.notes)]
    told += [f"{name}: {note}" for name, each in taken.items() for note in each.guess.notes]
    if drawn is not None:
        confidence = {_drawn_name(taken): drawn.guess.confidence} | confidence
        told += [drawn.found.told_skipped] if drawn.found.skipped else []
    return Proposal(
        text=_text([*head, *middle, *tasks], unclear, left_out),
        images=count,
        tasks=tried.labels,
        left_out=left_out,
        size=sizes.common,
        problem=tried.problem,
        confidence=confidence,
        unpaired=(*told, *tried.told),
        annotations="" if drawn is None else drawn.found.told,
    )


def _entries(root: Path, pattern: str) -> tuple[Entries, str]:
    """What lists of splits may name, and what a build would refuse of it."""
    from mtdata.sources.folder.matching import IMAGE_SUFFIXES, Pattern

    try:
        return entries_of(Pattern(pattern).find(root, IMAGE_SUFFIXES)), ""
    except DataError as error:
        return {}, str(error)


@dataclass(frozen=True)
class _Tried:
    """What a build would find of a proposal: its labels, images without any, what it refuses."""

    labels: Mapping[str, int] = field(default_factory=dict)
    bare: int = 0
    told: Sequence[str] = ()
    problem: str = ""


def _try(root: Path, text: str, empty: Container[Path], count: int) -> _Tried:
    """Read a proposal as a build would, and count; files of `empty` hold no label."""
    from mtdata.sources.folder.file import parse
    from mtdata.sources.folder.source import Folder

    try:
        source = Folder(root, description=parse(text, "the proposal").model_dump(mode="json"))
        layout = source.layout
    except DataError as error:
        return _Tried(problem=str(error))
    labels = {
        name: {at for at, path in found.items() if path not in empty}
        for name, found in layout.labels.items()
    }
    bare = len(layout.images.keys() - set().union(*labels.values()))
    told = _unpaired(layout.orphans, layout.unlisted, count, bare)
    counts = {name: len(found) for name, found in labels.items()}
    return _Tried(counts, bare, told, _unreadable(source))


def _unreadable(source: "Folder") -> str:
    """What a build would say of a few samples, spread over all; empty for nothing."""
    places = [(split, key) for split, keys in source.splits().items() for key in keys]
    problems: list[DataError] = []
    looked = sample(places, READ)
    for split, key in looked:
        try:
            source.read(split, key, list(source.file.tasks))
        except DataError as error:
            problems.append(error)
    number = f"{len(problems)} of {counted(len(looked), 'image')} looked at"
    more = f" It refuses {number}." if problems[1:] else ""
    return f"{problems[0]}{more}" if problems else ""


def _unpaired(
    orphans: Mapping[str, Sequence[str]], unlisted: Sequence[str], count: int, bare: int
) -> list[str]:
    told = [
        f"{counted(len(names), 'label')} of {task} without an image, such as {names[0]}"
        for task, names in orphans.items()
        if names
    ]
    if bare:
        told.append(f"{bare} of {counted(count, 'image')} without a label")
    if unlisted:
        told.append(
            f"{len(unlisted)} of {counted(count, 'image')} in no list, such as {unlisted[0]}"
        )
    return told


def _text(
    lines: Sequence[Line], unclear: Sequence[_Judged], left_out: Mapping[str, str]
) -> str:  # fmt: skip
    begin = [
        "# Proposed by `mtdata init` from what lies in this folder. Each remark says why; correct",
        "# what is wrong, name the classes, then build.",
    ]
    sure = {each.pair.pattern: f" {sureness(each.guess.confidence)}" for each in unclear}
    rest = [
        f"# left out{sure.get(pattern, '')}: {pattern}: {' '.join(why.split())}"
        for pattern, why in left_out.items()
    ]
    return "\n".join([*begin, *written(lines), *rest, ""])
