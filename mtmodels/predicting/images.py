"""Which images to predict: files as they are given, videos too, and all images below a folder."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py

from mtdata.errors import SampleError, UsageError
from mtdata.sources.files.imageheader import read_header
from mtdata.sources.folder.matching import IMAGE_SUFFIXES
from mtmodels.predicting.videos import is_video


@dataclass(frozen=True)
class Image:
    """An image to predict, or a video whose frames are images.

    Args:
        name: What its predictions are called: the file without its suffix, where no other has the
            same name then; below a folder that was given with the folders between them.
        path: The file.
    """

    name: str
    path: Path


def readable_images(given: Sequence[Path], out: Path) -> tuple[list[Image], list[SampleError]]:
    """The images of files and folders, in the order given; those of a folder are sorted.

    A file that is given twice counts once. Hidden files, and what lies in `out`, are no images of a
    folder.

    Returns:
        The images, and what is wrong with files whose headers are not those of a photo.

    Raises:
        UsageError: where there is no such file, no image in a folder, two of one name, or where one
            lies in `out`.
    """
    found: dict[Path, Image] = {}
    for path in given:
        if _inside(path, out):
            raise UsageError(
                f"images should lie outside of the folder that is written, {out}; found {path}. "
                "Give another folder with -o."
            )
        for image in _images(path, out):
            found.setdefault(image.path.absolute(), image)
    named = _with_endings([*found.values()])
    _check_names(named)
    images, bad = [], []
    for image in named:
        try:
            if not is_video(image.path):
                read_header(image.path)
        except SampleError as error:
            bad.append(error)
        else:
            images.append(image)
    return images, bad


def passed_over(given: Sequence[Path], out: Path) -> dict[str, int]:
    """How many files of folders are no images by their ending, the most frequent ending first."""
    files = {file.absolute() for path in given if path.is_dir() for file in _below(path, out)}
    return dict(
        Counter(
            file.suffix.lower() or "no ending" for file in sorted(files) if not _is_image(file)
        ).most_common()
    )


def _images(path: Path, out: Path) -> list[Image]:
    if path.is_dir():
        images = [Image(_name(file, path), file) for file in _below(path, out) if _is_image(file)]
        if not images:
            others = endings_text(passed_over([path], out))
            raise UsageError(
                f"{path} should hold images that end in {', '.join(IMAGE_SUFFIXES)}; found "
                f"{f'{others}. Convert photos among them' if others else 'none'}."
            )
        return images
    if not path.is_file():
        raise UsageError(
            f"{path} should be an image, a video or a folder of images; there is none."
        )
    if h5py.is_hdf5(path):
        quoted = shlex.quote(str(path))
        raise UsageError(
            f"{path} should be an image, a video or a folder of images; found HDF5, as stores "
            f"are. A store is scored by `mtmodels eval RUN --data {quoted}`, and looked at by "
            f"`mtdata show {quoted} --predictions RUN`."
        )
    return [Image(path.stem, path)]


def _below(folder: Path, out: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or _inside(file, out):
            continue
        if not any(part.startswith(".") for part in file.relative_to(folder).parts):
            yield file


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in IMAGE_SUFFIXES


def endings_text(counts: Mapping[str, int]) -> str:
    """What was passed over, as a sentence has it: `3 .heic, 1 .txt`."""
    return ", ".join(f"{number} {ending}" for ending, number in counts.items())


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _with_endings(images: Sequence[Image]) -> list[Image]:
    """The same images, those that are called alike by their endings, too."""
    names = Counter(image.name.casefold() for image in images)
    return [
        replace(image, name=image.name + image.path.suffix)
        if names[image.name.casefold()] > 1
        else image
        for image in images
    ]


def _check_names(images: Sequence[Image]) -> None:
    videos = {image.name.casefold(): image.path for image in images if is_video(image.path)}
    for image in images:
        folder = next((str(p) for p in Path(image.name.casefold()).parents if str(p) in videos), "")
        if folder:
            raise UsageError(
                f"images should differ in name, which their predictions are called by; found "
                f"{image.path}, and frames of {videos[folder]}, which are called by numbers below "
                "its name. Predict them into folders of their own, with -o."
            )
    seen: dict[str, Path] = {}
    for image in images:
        # Some file systems do not tell a capital from a small letter.
        other = seen.setdefault(image.name.casefold(), image.path)
        if other != image.path:
            # A folder tells images apart that lie in different folders of it, and no others.
            how = (
                "Predict them into folders of their own, with -o, or rename one."
                if _folder(other) == _folder(image.path)
                else "Give a folder that holds both: names then keep its subfolders."
            )
            raise UsageError(
                f"images should differ in name, which their predictions are called by; found "
                f"{other} and {image.path}. {how}"
            )


def _folder(file: Path) -> str:
    return str(file.absolute().parent).casefold()
