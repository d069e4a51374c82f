"""Every fault beside every source that it can occur in, and what becomes of it.

A row says what is expected: refused, in one paragraph that names the file; converted, with a note
before the build; or accepted as it is meant. Where a fault cannot occur, the row says why. What a
single source alone can have wrong is in the tests of that source.
"""

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.errors import DataError
from mtdata.sources.base import Source
from mtdata.sources.files.imagefile import read_label
from mtdata.sources.locate import open_source
from mtdata.sources.nyu.matfile import FILE as MAT
from tests.trees import damage, mtan
from tests.trees.cityscapes import FOLDERS, TRAIN, file, pack, write_cityscapes
from tests.trees.folder import FILE as YAML
from tests.trees.folder import write_folder
from tests.trees.nyu import write_normals, write_nyu
from tests.trees.nyu_mat import arrays, write_mat, write_splits
from tests.trees.pascal import TRAIN as PASCAL
from tests.trees.pascal import write_pascal

Damage = Callable[[Path], object]
CITY, KEY = TRAIN[0], PASCAL[0]


class Kind(NamedTuple):
    """A source in one of its layouts."""

    dataset: str
    write: Callable[[Path], Path]
    options: dict[str, Any]
    tasks: tuple[str, ...] = ()


def _nyu(root: Path) -> Path:
    write_normals(write_nyu(root), 8)
    return root


KINDS = {
    "nyu": Kind("nyu", _nyu, {"normals": "given"}),
    "nyu .mat": Kind("nyu", write_mat, {}, ("semantic", "depth")),
    "nyu .npy": Kind("nyu", mtan.write_nyu_mtan, {}),
    "cityscapes": Kind("cityscapes", write_cityscapes, {}),
    "cityscapes .zip": Kind("cityscapes", write_cityscapes, {}),
    "pascal": Kind("pascal", write_pascal, {}),
    "folder": Kind("folder", write_folder, {}),
}


class Refused(NamedTuple):
    """Ends with a message that says this."""

    damage: Damage
    text: str


class Noted(NamedTuple):
    """Is read, with a note that says this; empty for none."""

    damage: Damage
    text: str


class Never(NamedTuple):
    """Cannot occur."""

    reason: str


Row = Refused | Noted | Never
NPY = Never("arrays, not images")
FRAMES = Never("HDF5 arrays, not images")
NUMBERS = Never("keys are numbers")
INTEGERS = Never("integers without a sign")
NO_DEPTH = Never("no depth")
NO_LIST = Never("no lists: folders are splits")


def _at(name: str, change: Callable[..., object], *arguments: object) -> Damage:
    """Change one file below the root."""
    return lambda root: change(root / name, *arguments)


def _also(*changes: Damage) -> Damage:
    """One after another."""

    def change(root: Path) -> None:
        for each in changes:
            each(root)

    return change


def _in(folder: str, change: Callable[..., object], *arguments: object) -> Damage:
    """Change the file of the first image in a folder of Cityscapes."""
    return lambda root: change(file(root, folder, CITY), *arguments)


def _link(name: str) -> Damage:
    return lambda root: damage.link_out(root / name, root)


def _mat(name: str, value: float) -> Damage:
    def change(root: Path) -> None:
        array = arrays()[name]
        array[0, 300, 200] = value
        write_mat(root, {name: array})

    return change


def _frames(root: Path, train: tuple[float, ...]) -> None:
    savemat(root / "splits.mat", {"trainNdxs": np.array(train), "testNdxs": np.array([3])})


def _lists(root: Path) -> None:
    (root / "train.txt").write_text("0001\nnobody\n")
    (root / "tasks.yaml").write_text(f"{YAML}splits: {{lists: {{train: train.txt}}}}\n")


def _floats(value: float) -> Damage:
    """Depth of a folder in `.npy`, with a wrong pixel."""

    def change(root: Path) -> None:
        for path in (root / "depth").iterdir():
            metres = read_label(path, "uint16").astype(np.float32) / 1000
            np.save(path.with_suffix(".npy"), metres)
        damage.array(root / "depth/0001.npy", value)
        text = YAML.replace("depth/{stem}.png\n    scale: 0.001", "depth/{stem}.npy")
        (root / "tasks.yaml").write_text(text)

    return change


def _short(root: Path, name: str) -> None:
    """Normals of half their length."""
    path = root / name
    with Image.open(path) as opened:
        size = (opened.height, opened.width, 3)
    assert cv2.imwrite(str(path), np.full(size, 170, np.uint8))


def _external(root: Path) -> None:
    with h5py.File(root / MAT, "r+") as opened:
        with h5py.File(root.parent / "other.mat", "w") as other:
            opened.copy("depths", other)
        del opened["depths"]
        opened["depths"] = h5py.ExternalLink(str(root.parent / "other.mat"), "depths")


def _endless_chunk(root: Path) -> None:
    """A chunk that goes on for 300 MiB after its frame."""
    with h5py.File(root / MAT, "r+") as opened:
        opened["images"].id.write_direct_chunk((0, 0, 0, 0), damage.endless())


def _zip(folder: str, name: str) -> Damage:
    def change(root: Path) -> None:
        pack(root, *FOLDERS)
        damage.add_member(root / f"{folder}_trainvaltest.zip", name)

    return change


def _big_member(root: Path) -> None:
    name = file(Path(), "gtFine", "aachen_000009_000019").as_posix()
    pack(root, *FOLDERS)
    damage.add_member(root / "gtFine_trainvaltest.zip", name, bytes(65 * 2**20))


def _case(folder: str, path: Callable[[Path], Path], name: str) -> Damage:
    """A second file whose name differs in case."""
    return lambda root: damage.copy(path(root), name)


def _form(form: str, note: str) -> dict[str, Row]:
    """An image in another form: what is noted of it."""
    change = partial(damage.rewritten, form=form)
    png = Never("PNG files") if form == "cmyk" else Noted(_in("leftImg8bit", change), note)
    return {
        "nyu": Noted(_at("rgb/0001.jpg", change), note),
        "nyu .mat": FRAMES,
        "nyu .npy": NPY,
        "cityscapes": png,
        "cityscapes .zip": png,
        "pascal": Noted(_at(f"JPEGImages/{KEY}.jpg", change), note),
        # There the labels may be of either: the user has to say.
        "folder": Refused(_at("rgb/0001.jpg", change), "fits it both ways")
        if form == "exif"
        else Noted(_at("rgb/0001.jpg", change), note),
    }


TABLE: dict[str, dict[str, Row]] = {
    "two files for one key": {
        "nyu": Refused(
            lambda r: damage.copy(r / "rgb/0001.jpg", "0001.png"), "second file of frame 0001"
        ),
        "nyu .mat": Never("one file"),
        "nyu .npy": Refused(
            lambda r: damage.copy(r / "train/image/1.npy", "01.npy"), "second file of number 1"
        ),
        "cityscapes": Refused(
            lambda r: shutil.copytree(r / "gtFine/train/aachen", r / "gtFine/train/bern"),
            "only file of its name",
        ),
        "cityscapes .zip": Refused(
            lambda r: shutil.copytree(r / "gtFine/train/aachen", r / "gtFine/train/bern"),
            "only file of its name",
        ),
        "pascal": Refused(
            lambda r: damage.copy(r / f"JPEGImages/{KEY}.jpg", f"{KEY}.jpeg"), "have one file"
        ),
        "folder": Refused(
            lambda r: damage.copy(r / "rgb/0001.jpg", "0001.png"), "second file for `0001`"
        ),
    },
    "keys that differ in case": {
        "nyu": NUMBERS,
        "nyu .mat": NUMBERS,
        "nyu .npy": NUMBERS,
        "cityscapes": Refused(
            lambda r: damage.copy(
                file(r, "gtFine", CITY), f"{CITY.title()}_gtFine_labelIds.png"
            ),
            "in whatever case",
        ),
        "cityscapes .zip": Refused(
            lambda r: damage.copy(
                file(r, "gtFine", CITY), f"{CITY.title()}_gtFine_labelIds.png"
            ),
            "in whatever case",
        ),
        "pascal": Refused(
            lambda r: (r / "ImageSets/Context/train.txt").write_text("a_1\nA_1\n"),
            "differ in case only",
        ),
        "folder": Refused(
            _also(*(_at("rgb/0001.jpg", damage.copy, name) for name in ("b.jpg", "B.jpg"))),
            "differ in capital letters only",
        ),
    },
    "a split of unknown images": {
        "nyu": Refused(lambda r: _frames(r, (1, 1450)), "frames 1 to 1449 .* found 1450"),
        "nyu .mat": Refused(lambda r: write_splits(r, (1, 4), (2,)), "as many as .* found 4"),
        "nyu .npy": NO_LIST,
        "cityscapes": NO_LIST,
        "cityscapes .zip": NO_LIST,
        "pascal": Noted(
            lambda r: (r / "ImageSets/Context/train.txt").write_text(f"{KEY}\nnobody\n"),
            "1 of the 2 images that .* names are not in this copy",
        ),
        "folder": Refused(_lists, "1 of 2 are not: nobody"),
    },
    "a split of no numbers": {
        "nyu": Refused(lambda r: _frames(r, (1.5, np.nan)), r"found 1\.5 and 1 more"),
        "nyu .mat": Refused(lambda r: _frames(r, (np.inf,)), "found inf"),
        "nyu .npy": NO_LIST,
        "cityscapes": NO_LIST,
        "cityscapes .zip": NO_LIST,
        "pascal": Refused(
            lambda r: (r / "ImageSets/Context/train.txt").write_bytes(b"\xff\xfe"),
            "text in UTF-8",
        ),
        "folder": Refused(
            _also(_lists, _at("train.txt", Path.write_bytes, b"\xff")), "text in UTF-8"
        ),
    },
    **{
        f"{name} depth": {
            "nyu": INTEGERS,
            "nyu .mat": Refused(_mat("depths", value), f"finite metres; found {value:g}"),
            "nyu .npy": Refused(
                _at("train/depth/0.npy", damage.array, value), f"found {value:g}"
            ),
            "cityscapes": INTEGERS,
            "cityscapes .zip": INTEGERS,
            "pascal": NO_DEPTH,
            "folder": Refused(_floats(value), f"finite and above 0 .* 1 {name}"),
        }
        for name, value in (("NaN", np.nan), ("infinite", np.inf), ("negative", -2.0))
    },
    "normals that are not unit": {
        "nyu": Refused(partial(_short, name="normals/0001.png"), "unit length"),
        "nyu .mat": Never("computed from depth, or given as for folders"),
        "nyu .npy": Refused(_at("train/normal/0.npy", damage.array, 0.9), "unit length"),
        "cityscapes": Never("no normals"),
        "cityscapes .zip": Never("no normals"),
        "pascal": Refused(partial(_short, name=f"normals_distill/{KEY}.png"), "unit length"),
        "folder": Refused(partial(_short, name="normals/0001.png"), "unit length"),
    },
    "an image of 16 bits": _form("16", "16 bits a channel: they are scaled to 8"),
    "an image with alpha": _form("alpha", "have an alpha channel: it is dropped"),
    "an image with a palette": _form("palette", "have a palette: its colours are taken"),
    "a CMYK image": _form("cmyk", "are CMYK: they are converted to RGB"),
    "an image with an orientation": _form("exif", "carry an EXIF orientation: it is ignored"),
    "classes of 16 bits": {
        "nyu": Refused(_at("semantic13/0001.png", damage.wide), "found 1 of uint16"),
        "nyu .mat": FRAMES,
        "nyu .npy": NPY,
        "cityscapes": Refused(_in("gtFine", damage.wide), "found 1 of uint16"),
        "cityscapes .zip": Refused(_in("gtFine", damage.wide), "found 1 of uint16"),
        "pascal": Noted(_at(f"semseg/pascal-context/{PASCAL[2]}.png", damage.wide), ""),
        "folder": Noted(_at("semantic/0001.png", damage.wide), ""),
    },
    "classes with a palette": {
        "nyu": Refused(_at("semantic13/0001.png", damage.indexed), "found 3 of uint8"),
        "nyu .mat": FRAMES,
        "nyu .npy": NPY,
        "cityscapes": Refused(_in("gtFine", damage.indexed), "found 3 of uint8"),
        "cityscapes .zip": Refused(_in("gtFine", damage.indexed), "found 3 of uint8"),
        "pascal": Noted(_at(f"semseg/pascal-context/{PASCAL[2]}.png", damage.indexed), ""),
        "folder": Noted(_at("semantic/0001.png", damage.indexed), ""),
    },
    "classes with alpha": {
        "nyu": Refused(_at("semantic13/0001.png", damage.translucent), "found 4 of uint8"),
        "nyu .mat": FRAMES,
        "nyu .npy": NPY,
        "cityscapes": Refused(_in("gtFine", damage.translucent), "found 4 of uint8"),
        "cityscapes .zip": Refused(_in("gtFine", damage.translucent), "found 4 of uint8"),
        "pascal": Refused(
            _at(f"semseg/pascal-context/{PASCAL[2]}.png", damage.translucent), "found 4 of"
        ),
        "folder": Refused(_at("semantic/0001.png", damage.translucent), "found 4 of uint8"),
    },
    "a link of a file": {
        "nyu": Refused(_link("rgb/0001.jpg"), "outside of it"),
        "nyu .mat": Refused(_link(MAT), "outside of it"),
        "nyu .npy": Refused(_link("train/depth/0.npy"), "outside of it"),
        "cityscapes": Refused(
            lambda r: damage.link_out(file(r, "gtFine", CITY), r), "outside of it"
        ),
        "cityscapes .zip": Refused(
            lambda r: damage.link_out(pack(r, *FOLDERS) / "gtFine_trainvaltest.zip", r),
            "outside of it",
        ),
        "pascal": Refused(_link(f"human_parts/{KEY}.mat"), "outside of it"),
        "folder": Refused(_link("rgb/0001.jpg"), "outside of it"),
    },
    "a named pipe": {
        "nyu": Refused(_at("rgb/0001.jpg", damage.pipe), "it is a named pipe"),
        "nyu .mat": Refused(_at(MAT, damage.pipe), "it is a named pipe"),
        "nyu .npy": Refused(_at("train/depth/0.npy", damage.pipe), "it is a named pipe"),
        "cityscapes": Refused(_in("gtFine", damage.pipe), "it is a named pipe"),
        "cityscapes .zip": Refused(
            lambda r: damage.pipe(pack(r, *FOLDERS) / "gtFine_trainvaltest.zip"),
            "it is a named pipe",
        ),
        "pascal": Refused(_at(f"human_parts/{KEY}.mat", damage.pipe), "it is a named pipe"),
        "folder": Refused(_at("tasks.yaml", damage.pipe), "it is a named pipe"),
    },
    "a socket": {
        "nyu": Refused(_at("splits.mat", damage.socket), "it is a socket"),
        "nyu .mat": Refused(_at("splits.mat", damage.socket), "it is a socket"),
        "nyu .npy": Refused(_at("train/image/0.npy", damage.socket), "it is a socket"),
        "cityscapes": Refused(_in("disparity", damage.socket), "it is a socket"),
        "cityscapes .zip": Never("see a named pipe"),
        "pascal": Refused(_at("ImageSets/Context/train.txt", damage.socket), "it is a socket"),
        "folder": Refused(_at("depth/0001.png", damage.socket), "it is a socket"),
    },
    "a link to itself": {
        "nyu": Refused(_at("depth/0001.png", damage.link_to_itself), "leads to itself"),
        "nyu .mat": Refused(_at(MAT, damage.link_to_itself), "leads to itself"),
        "nyu .npy": Refused(_at("train/depth/0.npy", damage.link_to_itself), "leads to itself"),
        "cityscapes": Refused(_in("gtFine", damage.link_to_itself), "leads to itself"),
        "cityscapes .zip": Never("see a named pipe"),
        "pascal": Refused(_at(f"human_parts/{KEY}.mat", damage.link_to_itself), "to itself"),
        "folder": Refused(_at("depth/0001.png", damage.link_to_itself), "leads to itself"),
    },
    "a link of a folder": {
        "nyu": Refused(_link("semantic13"), "outside of it"),
        "nyu .mat": Never("no folders"),
        "nyu .npy": Refused(_link("train"), "outside of it"),
        "cityscapes": Refused(_link("gtFine/train"), "outside of it"),
        "cityscapes .zip": Never("a zip file; links in it are refused"),
        "pascal": Refused(_link("human_parts"), "outside of it"),
        "folder": Refused(_link("depth"), "outside of it"),
    },
    "a link of a list": {
        "nyu": Refused(_link("splits.mat"), "outside of it"),
        "nyu .mat": Refused(_link("classMapping40.mat"), "outside of it"),
        "nyu .npy": NO_LIST,
        "cityscapes": NO_LIST,
        "cityscapes .zip": NO_LIST,
        "pascal": Refused(_link("ImageSets/Context/train.txt"), "outside of it"),
        "folder": Refused(_link("tasks.yaml"), "outside of it"),
    },
    "data of another file": {
        "nyu": Never("plain files"),
        "nyu .mat": Refused(_external, "`depths` itself; it refers to it elsewhere"),
        "nyu .npy": Never("plain files"),
        "cityscapes": Never("plain files"),
        "cityscapes .zip": Refused(
            _zip("gtFine", "../gtFine/train/a/b.png"), "leads out of the archive"
        ),
        "pascal": Never("plain files"),
        "folder": Never("plain files"),
    },
    "inflates without end": {
        "nyu": Refused(
            _at("splits.mat", damage.endless_mat), "256 MiB at most"
        ),
        "nyu .mat": Refused(_endless_chunk, "`images` should inflate .* without end"),
        "nyu .npy": Never("not compressed; its length is checked"),
        "cityscapes": Refused(_in("leftImg8bit", damage.huge), "at most 67108864 pixels"),
        "cityscapes .zip": Refused(_big_member, "should inflate to 64 MiB at most"),
        "pascal": Refused(
            _at(f"human_parts/{KEY}.mat", damage.endless_mat), "inflate to 256 MiB at most"
        ),
        "folder": Refused(_at("depth/0001.png", damage.huge), "at most 67108864 pixels"),
    },
    "an image that claims a huge size": {
        "nyu": Refused(_at("rgb/0001.jpg", damage.huge), "at most 67108864 pixels"),
        "nyu .mat": Never("the size of a frame is checked"),
        "nyu .npy": Never("the length of a file is checked"),
        "cityscapes": Refused(_in("leftImg8bit", damage.huge), "at most 67108864 pixels"),
        "cityscapes .zip": Refused(_in("leftImg8bit", damage.huge), "at most 67108864 pixels"),
        "pascal": Refused(_at(f"JPEGImages/{KEY}.jpg", damage.huge), "at most 67108864"),
        "folder": Refused(_at("rgb/0001.jpg", damage.huge), "at most 67108864 pixels"),
    },
    "a pickle": {
        "nyu": Refused(_at("splits.mat", damage.pickled), "whole MATLAB file"),
        "nyu .mat": Refused(_at(MAT, damage.pickled), "MATLAB 7.3"),
        "nyu .npy": Refused(_at("train/depth/0.npy", damage.objects), "never loaded"),
        "cityscapes": Refused(_in("gtFine", damage.pickled), "should be a JPEG, PNG"),
        "cityscapes .zip": Refused(_in("gtFine", damage.pickled), "should be a JPEG, PNG"),
        "pascal": Refused(_at(f"human_parts/{KEY}.mat", damage.pickled), "whole MATLAB file"),
        "folder": Refused(
            _also(_floats(1.0), _at("depth/0001.npy", damage.objects)), "never loaded"
        ),
    },
    "a truncated file": {
        "nyu": Refused(_at("depth/0001.png", damage.cut), "truncated"),
        "nyu .mat": Refused(_at(MAT, damage.cut), "truncated"),
        "nyu .npy": Refused(_at("train/depth/0.npy", damage.cut), "damaged"),
        "cityscapes": Refused(_in("disparity", damage.cut), "truncated"),
        "cityscapes .zip": Refused(
            lambda r: damage.cut(pack(r, *FOLDERS) / "disparity_trainvaltest.zip"), "whole zip"
        ),
        "pascal": Refused(_at(f"human_parts/{KEY}.mat", damage.cut), "whole MATLAB"),
        "folder": Refused(_at("mask/0001.png", damage.cut), "truncated"),
    },
    "damage in the middle": {
        "nyu": Refused(_at("rgb/0001.jpg", damage.noise), "whole JPEG; it is damaged"),
        "nyu .mat": Never("see test_a_damaged_frame_leaves_the_others"),
        "nyu .npy": Never("no checksum: values are checked, and the source digest tells"),
        "cityscapes": Refused(_in("leftImg8bit", damage.bad_check), "checksum"),
        "cityscapes .zip": Refused(_in("leftImg8bit", damage.bad_check), "checksum"),
        "pascal": Refused(_at(f"JPEGImages/{KEY}.jpg", damage.noise), "it is damaged"),
        "folder": Refused(_at("rgb/0001.jpg", damage.noise), "it is damaged"),
    },
}  # fmt: skip

ROWS = [
    pytest.param(name, fault, id=f"{name}: {fault}")
    for fault, rows in TABLE.items()
    for name, row in rows.items()
    if not isinstance(row, Never)
]


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("originals")
    return {name: kind.write(folder / name / "raw") for name, kind in KINDS.items()}


def _prepare(originals: dict[str, Path], name: str, damaged: Damage, folder: Path) -> Path:
    """A copy, damaged; the zip files of Cityscapes are made of what is still a folder."""
    root = Path(shutil.copytree(originals[name], folder / "raw" / originals[name].name))
    damaged(root)
    if name == "cityscapes .zip":
        pack(root, *(each for each in FOLDERS if (root / each).is_dir()))
    return root


def _open(name: str, root: Path) -> Source:
    return open_source(KINDS[name].dataset, root, **KINDS[name].options)


def _read(name: str, source: Source) -> tuple[str, ...]:
    """Read training images, the damaged one first; returns the notes."""
    kind = KINDS[name]
    tasks = kind.tasks or tuple(task.name for task in source.tasks(**source.options))
    keys = source.splits()["train"][:3]
    notes = source.remarks()
    for key in keys:
        source.read("train", key, tasks)
    return notes


def test_every_source_has_a_row_for_every_fault() -> None:
    for fault, rows in TABLE.items():
        assert rows.keys() == KINDS.keys(), fault


@pytest.mark.parametrize("name", KINDS)
def test_what_is_whole_is_read_without_a_note_on_its_images(
    originals: dict[str, Path], name: str
) -> None:
    notes = _read(name, _open(name, originals[name]))
    assert not [note for note in notes if "of the images" in note]


@pytest.mark.parametrize(("name", "fault"), ROWS)
def test_what_becomes_of_it(
    originals: dict[str, Path], name: str, fault: str, tmp_path: Path
) -> None:
    row = TABLE[fault][name]
    assert not isinstance(row, Never)
    root = _prepare(originals, name, row.damage, tmp_path)
    if isinstance(row, Refused):
        with pytest.raises(DataError, match=row.text) as caught:
            _read(name, _open(name, root))
        assert caught.value.exit_code == 3
        assert "\n" not in str(caught.value)
        assert str(tmp_path) in str(caught.value)
    else:
        assert re.search(row.text, " ".join(_read(name, _open(name, root))))
    assert not list(tmp_path.rglob("went-off"))


COMMAND = {
    "nyu": "damage in the middle",
    "nyu .mat": "NaN depth",
    "nyu .npy": "a pickle",
    "cityscapes": "an image that claims a huge size",
    "cityscapes .zip": "inflates without end",
    "pascal": "inflates without end",
    "folder": "a link of a folder",
}
"""For each source, a fault that is shown to the real command."""


@pytest.mark.parametrize("name", KINDS)
def test_a_build_ends_with_3_and_leaves_no_store(
    originals: dict[str, Path], name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    row = TABLE[COMMAND[name]][name]
    assert isinstance(row, Refused)
    root, kind = _prepare(originals, name, row.damage, tmp_path), KINDS[name]
    arguments = ["build", "--dataset", kind.dataset, "--source", str(root), "--jobs", "1"]
    if kind.tasks:
        arguments += ["--tasks", ",".join(kind.tasks), "--size", "48x64"]
    assert run(mtdata, [*arguments, "--out", str(tmp_path / "a.h5")]) == 3
    told = capfd.readouterr()
    assert re.search(row.text, " ".join(told.err.split()))
    assert "Traceback" not in told.err
    assert "lib" not in told.err.replace(str(tmp_path), "")
    assert not told.out
    assert not (tmp_path / "a.h5").exists()
