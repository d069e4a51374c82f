"""Files of annotation tools among those of a folder: which there are, and what they speak of."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.sources.folder.annotations import FORMATS
from mtdata.sources.folder.annotations.base import WholeFormat, read_annotations
from mtdata.sources.folder.annotations.reading import drawing_of, paths_of, split_up
from mtdata.sources.folder.annotations.shapes import ForeignError
from mtdata.sources.folder.proposing.evidence import LOOKED, RULES
from mtdata.sources.folder.proposing.groups import SUFFIXES, find_groups, sample
from mtdata.sources.folder.proposing.guesses import Guess, Line
from mtdata.sources.folder.proposing.listing import IGNORED
from mtdata.sources.folder.proposing.pairing import Choice, partners
from mtdata.sources.folder.proposing.words import words
from mtdata.wording import counted

TRIED = 32
"""Files that are read to see whether they are of many images."""
BACKGROUND = "background"
BACKGROUNDS = (BACKGROUND, "bg")
MOST = 254
PREFERRED = "instances"
"""How files of COCO are called that say what is where; others there hold captions and joints."""


@dataclass
class Annotated:
    """Annotations of one format.

    `files` is what `tasks.yaml` says of them, `images` how many images have a shape, `bare` how
    many are named and have none; `empty` are the files of one image each that say nothing.
    `labels` counts shapes by name, `skipped` what has no area, in the annotations of up to 64
    images where `looked` is fewer than `images`.
    """

    format: str
    files: str
    images: int = 0
    bare: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    looked: int = 0
    empty: set[Path] = field(default_factory=set)

    @property
    def told(self) -> str:
        """A sentence on what was found."""
        number = sum(self.labels.values())
        return (
            f"{self.format} at {self.files}: {counted(number, 'shape')} on "
            f"{counted(self.images, 'image')}"
        )

    @property
    def told_skipped(self) -> str:
        """A sentence on what covers no pixels; empty for nothing."""
        if not self.skipped:
            return ""
        each = ", ".join(f"{count} {name}" for name, count in sorted(self.skipped.items()))
        looked = counted(self.looked, "image")
        part = "" if self.looked == self.images else f" (of {looked} looked at)"
        return f"annotations that have no area are skipped{part}: {each}"


@dataclass(frozen=True)
class Candidates:
    """All annotations that speak of the images, the likeliest first; why others cannot be used."""

    found: Sequence[Annotated]
    refused: Mapping[str, str]


def find_annotations(root: Path, choice: Choice, wanted: str | None) -> Candidates:
    """Look for annotations of the images.

    Args:
        root: The folder.
        choice: Its images.
        wanted: The only format to look for; None for all.

    Raises:
        SourceNotFoundError: where there are none of the format that is wanted.
    """
    names = [wanted] if wanted else list(FORMATS)
    endings = {FORMATS[name].suffix for name in names}
    # Together with all other files only where there are some: their scenes are told by those.
    listed = find_groups(root, SUFFIXES | endings) if find_groups(root, endings) else []
    groups = [each for each in listed if each.suffix in endings]
    found: list[Annotated] = []
    refused: dict[str, SampleError] = {}
    of_one: set[Path] = set()
    for name in (name for name in names if not issubclass(FORMATS[name], WholeFormat)):
        for pair in partners(choice, groups):
            paths = list(pair.group.files.values())
            made = _of_one(name, pair.pattern, paths, refused)
            if made is not None:
                found.append(made)
                of_one |= {*paths}
                refused.pop(f"{name} {pair.pattern}", None)  # the build tells these
    for name in (name for name in names if issubclass(FORMATS[name], WholeFormat)):
        every = [path for group in groups for path in group.files.values()]
        paths = [p for p in every if p not in of_one and p.suffix.lower() == FORMATS[name].suffix]
        paths.sort(key=lambda path: (not path.name.startswith(PREFERRED), len(path.parts), path))
        found += _of_many(root, choice, name, paths[:TRIED], refused)
    if wanted and not found:
        why = (
            "; ".join(map(str, refused.values()))
            or "no file is of that format, or none of its images here"
        )
        raise SourceNotFoundError(
            f"{root} should hold annotations of the format {wanted} for its images; {why}"
        )
    found.sort(key=lambda each: (PREFERRED not in each.files, -each.images))
    # What is plainly something else is worth a word only where it was asked for.
    told = {
        files: f"{'' if files.endswith(error.path.name) else f'{error.path.name}: '}"
        f"{error.problem} {error.remedy}".removesuffix(".")
        for files, error in refused.items()
        if not isinstance(error.__cause__, ForeignError)
    }
    return Candidates(found, told)


def propose_annotated(each: Annotated, count: int) -> Guess:
    """The lines that describe annotations; a guess without a kind where they cannot be taken."""
    found = sorted(label for label in each.labels if label and label.isprintable())
    void = [label for label in found if any(word in IGNORED for word in words(label))]
    names = [label for label in found if label not in void]
    under = next((name for name in names if name.lower().strip("_") in BACKGROUNDS), BACKGROUND)
    classes = names if under in names else [under, *names]
    if not 2 <= len(classes) <= MOST:
        return RULES["unclear"].ask(f"{len(classes)} classes, where 2 to {MOST} can be told apart")
    order = FORMATS[each.format].order
    lines = [
        Line("format", each.format, each.told),
        Line("files", each.files, f"shapes on {each.images} of {counted(count, 'image')}"),
        Line("classes", classes,
             f"{counted(len(names), 'label')}, sorted by name{_alike(names, each.labels)}"),
        Line("uncovered", under, "what no shape covers; `void` if not everything was drawn"),
        Line("unannotated", "missing",
             f"{counted(each.bare, 'image')} without a shape; `uncovered` if nothing is there"),
        Line("order", order, "what lies over what: `listed` or `larger-first`"),
    ]  # fmt: skip
    if void:
        lines.insert(3, Line("void", void, "by their names they mean nothing"))
    return RULES["annotations"].take("classes", each.told, lines)


def _alike(names: Sequence[str], shapes: Mapping[str, int]) -> str:
    """Which labels may be one class that was spelled in several ways, and what to write then."""
    spellings: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: -shapes[name]):
        spellings.setdefault(" ".join(name.split()).casefold(), []).append(name)
    several = [each for each in spellings.values() if len(each) > 1]
    if not several:
        return ""
    kept = {other: first for first, *others in several for other in others}
    told = "; ".join(" and ".join(map(json.dumps, each)) for each in several)
    return (
        f"; {told} differ in case or blanks alone: to make them one, leave out "
        f"{' and '.join(map(json.dumps, kept))} and write `labels: {json.dumps(kept)}`"
    )


def _of_one(
    form: str, files: str, paths: Sequence[Path], refused: dict[str, SampleError]
) -> Annotated | None:
    """Files of one image each; what cannot be read of many is told by the build."""
    made, wrong = Annotated(form, files), 0
    for path in paths:
        try:
            drawing = drawing_of(form, path, read_annotations(path))
        except SampleError as error:
            wrong += 1
            refused.setdefault(f"{form} {files}", error)
            if wrong > made.looked + 3:
                return None
            continue
        made.looked += 1
        made.images += bool(drawing.shapes)
        made.bare += not drawing.shapes
        made.empty |= set() if drawing.shapes else {path}
        made.labels.update(shape.label for shape in drawing.shapes)
        made.skipped.update(drawing.skipped)
    made.looked = made.images
    return made if made.images else None


def _of_many(
    root: Path, choice: Choice, form: str, paths: Sequence[Path], refused: dict[str, SampleError]
) -> list[Annotated]:
    """Files of many images: those that differ in the folder of a split are one."""
    folders = sorted({split for split, _, _ in choice.images.files if split})
    images = {(place[0], str(path)): path for place, path in choice.images.files.items()}
    found: dict[str, Annotated] = {}
    for path in paths:
        text = path.relative_to(root).as_posix()
        folder = max((each for each in folders if each in text), key=len, default="")
        files = text.replace(folder, "{split}") if folder else text
        if files.count("{split}") > 1:
            folder, files = "", text
        names = paths_of({at: p for at, p in images.items() if not folder or at[0] == folder}, root)
        try:
            contents = split_up(form, path)
        except SampleError as error:
            refused[f"{form} {text}"] = error
            continue
        here = [each for name, each in contents.items() if names.place(name, contents) is not None]
        shaped = [content for content in here if content.labels]
        if not shaped:
            such = next((f" ({name}, ...)" for name in contents), "")
            refused[f"{form} {text}"] = SampleError(
                path,
                f"should name images of this folder that have a shape; it names none{such}.",
                "Correct its paths.",
            )
            continue
        made = found.setdefault(files, Annotated(form, files))
        made.images += len(shaped)
        made.bare += len(here) - len(shaped)
        for content in shaped:
            made.labels.update(content.labels)
        for content in sample(shaped, LOOKED):
            made.looked += 1
            try:
                made.skipped.update(drawing_of(form, path, content.text).skipped)
            except SampleError:  # the build tells all of these
                continue
    return list(found.values())
