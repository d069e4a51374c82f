"""What lies in a folder of one's own: the image and the labels of each key."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.sources.folder.annotations.reading import Part, WholeFound, find_parts
from mtdata.sources.folder.matching import IMAGE_SUFFIXES, LABEL_SUFFIXES, Pattern, Place
from mtdata.sources.folder.splits import assign
from mtdata.sources.folder.tasks import AnnotatedFile, TaskFile, TasksFile
from mtdata.wording import counted

Files = Mapping[Place, Path]
"""Files by what `{split}` stands for and key."""
Keyed = Mapping[tuple[str, str], Path]
"""Files by split and key."""


@dataclass(frozen=True)
class Layout:
    """The files of a folder.

    `images` and `labels[task]` are files by split and key, `splits` the keys, sorted. `parts[task]`
    are what a file of annotations says of each image, where one file is of many. `unlisted`
    images are in no split, `unlabelled` ones have no label (in `splits` with `unlabelled: keep`),
    `orphans[task]` names labels without an image, `absent` what the lists of splits name and is not
    there.
    """

    splits: Mapping[str, tuple[str, ...]]
    images: Keyed
    labels: Mapping[str, Keyed]
    parts: Mapping[str, Mapping[tuple[str, str], Part]]
    unlisted: tuple[str, ...]
    unlabelled: tuple[str, ...]
    orphans: Mapping[str, tuple[str, ...]]
    absent: tuple[str, ...]


def scan(root: Path, file: TasksFile) -> Layout:
    """List the folder once.

    Raises:
        SourceNotFoundError: where there are no images, or no label of a task.
        SampleError: for two files of one key, a link out of the folder, a wrong list, and images
            without labels unless the file says `unlabelled: skip` or `keep`.
    """
    files, whole, found = _listed(root, file)
    folders = (file.splits and file.splits.folders) or {}
    assigned, absent = assign(files, file.splits, root)
    images = {
        (split, key): files[folders.get(split, ""), key]
        for split, keys in assigned.items()
        for key in keys
    }
    parts = {name: _parts(each, images, folders) for name, each in whole.items()}
    labels = {
        name: {at: part.path for at, part in parts[name].items()}
        if name in whole
        else _labels(file, name, images, found[name], folders)
        for name in file.tasks
    }
    _check_some(root, file, files, found, labels, whole)
    bare = {at for at in images if not any(at in each for each in labels.values())}
    _check_labelled(file, [images[at] for at in sorted(bare)])
    used = set(images.values())
    out = set() if file.unlabelled == "keep" else bare
    return Layout(
        splits={s: tuple(k for k in keys if (s, k) not in out) for s, keys in assigned.items()},
        images=images,
        labels=labels,
        parts=parts,
        unlisted=tuple(key for (_, key), path in files.items() if path not in used),
        unlabelled=tuple(key for _, key in sorted(bare)),
        orphans={
            name: tuple(whole[name].strays) if name in whole else _orphans(found[name], files)
            for name in file.tasks
        },
        absent=tuple(absent),
    )


def _listed(
    root: Path, file: TasksFile
) -> tuple[Files, Mapping[str, WholeFound], Mapping[str, Files]]:
    """The images; by task, what files of many images say, and the files of one each."""
    files = Pattern(file.images).find(root, IMAGE_SUFFIXES)
    if not files:
        raise SourceNotFoundError(
            f"{root} should hold images at {file.images}; found none. "
            "Correct `images` in tasks.yaml."
        )
    whole = {
        name: find_parts(root, name, task, files)
        for name, task in file.tasks.items()
        if isinstance(task, AnnotatedFile) and task.whole
    }
    found = {
        name: Pattern(task.files).find(root, _suffixes(task))
        for name, task in file.tasks.items()
        if name not in whole
    }
    _check_cases(files, found)
    return files, whole, found


def _suffixes(task: TaskFile) -> tuple[str, ...]:
    return (Pattern(task.files).suffix,) if isinstance(task, AnnotatedFile) else LABEL_SUFFIXES


def _parts(
    whole: WholeFound, images: Keyed, folders: Mapping[str, str]
) -> Mapping[tuple[str, str], Part]:
    """What files of many images say of each, by split and key."""
    places = {at: (folders.get(at[0], ""), at[1]) for at in images}
    return {at: whole.parts[place] for at, place in places.items() if place in whole.parts}


def _labels(
    file: TasksFile, name: str, images: Keyed, found: Files, folders: Mapping[str, str]
) -> Keyed:
    """The labels of a task by split and key; a pattern without `{split}` serves all splits."""
    if "split" in Pattern(file.tasks[name].files).fields:
        folder = {at: (folders[at[0]], at[1]) for at in images}
    else:
        folder = {at: ("", at[1]) for at in images}
        count = Counter(key for _, key in images)
        twice = sorted(key for _, key in found if count[key] > 1)
        if twice:
            key = twice[0]
            raise SampleError(
                found["", key],
                f"this label of `{name}` belongs to one image; the key `{key}` is in two splits.",
                "Put {split} into its pattern in tasks.yaml, or rename the images.",
            )
    return {at: found[place] for at, place in folder.items() if place in found}


def _check_cases(images: Files, found: Mapping[str, Files]) -> None:
    """Refuse a label whose name differs from that of its image in capital letters only."""
    keys = {key for _, key in images}
    folded = {key.casefold(): key for key in keys}
    for files in found.values():
        for (_, key), path in files.items():
            image = folded.get(key.casefold(), key)
            if image != key and key not in keys:
                raise SampleError(
                    path,
                    f"the keys `{image}` (an image) and `{key}` differ in capital letters only.",
                    "Rename one of them.",
                )


def _check_some(
    root: Path, file: TasksFile, images: Files, found: Mapping[str, Files],
    labels: Mapping[str, Keyed], whole: Mapping[str, WholeFound],
) -> None:  # fmt: skip
    """Refuse a task that no image has a label of: its pattern is wrong."""
    for name, task in file.tasks.items():
        if labels[name]:
            continue
        if name in whole:
            such = "".join(f" ({stray}, ...)" for stray in whole[name].strays[:1])
            raise SourceNotFoundError(
                f"{root} should hold annotations of `{name}` for the images at {file.images}; "
                f"{task.files} names none of them{such}, or none with a shape that has an area. "
                "Correct its paths, or that in tasks.yaml, or remove the task."
            )
        if not found[name]:
            raise SourceNotFoundError(
                f"{root} should hold labels of `{name}` at {task.files}; found none. "
                "Correct or remove the task in tasks.yaml."
            )
        (_, label), (_, image) = next(iter(found[name])), next(iter(images))
        raise SourceNotFoundError(
            f"{root} should hold labels of `{name}` for its images; the keys of {task.files} "
            f"(`{label}`, ...) match none of {file.images} (`{image}`, ...). "
            "Correct the patterns in tasks.yaml."
        )


def _check_labelled(file: TasksFile, bare: Sequence[Path]) -> None:
    if bare and file.unlabelled == "refuse":
        others = f", and {counted(len(bare) - 1, 'more image')}" if len(bare) > 1 else ""
        raise SampleError(
            bare[0],
            f"this image{others} should have a label of {' or '.join(file.tasks)}; found none.",
            "Add a label (one is enough), or say in tasks.yaml `unlabelled: keep`, for methods "
            "that learn from such images, or `unlabelled: skip`.",
        )


def _orphans(found: Files, images: Files) -> tuple[str, ...]:
    keys = {key for _, key in images}
    return tuple(path.name for (_, key), path in found.items() if key not in keys)
