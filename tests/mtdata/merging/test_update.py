"""An update adds what a source has since: the store is then what a new build would have made."""

import errno
import json
import os
from pathlib import Path
from signal import SIGKILL
from typing import Any

import numpy as np
import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata import open_store
from mtdata.building import sampling
from mtdata.building.build import RegimeSpec, build
from mtdata.errors import DataError, MtdataError, SampleError, UsageError
from mtdata.inspecting.info import info
from mtdata.inspecting.verify import verify
from mtdata.merging.derive import derive
from mtdata.merging.update import update
from mtdata.sources.cityscapes.source import Cityscapes
from mtdata.sources.folder.source import Folder
from mtdata.store import format as layout
from tests.quick import few
from tests.stores.changed import ChangedSource, changed_store
from tests.stores.fakes import Interrupted, stop_after
from tests.stores.store_files import editing, reseal
from tests.trees import damage
from tests.trees.cityscapes import TRAIN, file, write_cityscapes
from tests.trees.folder import FILE, KEYS, depth, mask, picture, save, semantic, write_folder

SPECS = [RegimeSpec("one"), RegimeSpec("random")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "mine")


@pytest.fixture
def store(root: Path, tmp_path: Path) -> Path:
    build(Folder(root), tmp_path / "a.h5", regimes=SPECS)
    return tmp_path / "a.h5"


def grow(root: Path) -> None:
    """Two new images, one before all others, and a label for one that had none."""
    for number, key in enumerate(("0000a", "zz")):
        save(root / "rgb" / f"{key}.jpg", picture(20 + number))
        save(root / "mask" / f"{key}.png", mask(20 + number))
    save(root / "depth" / "0003.png", depth(3))


class Counting(Folder):
    """Counts the samples that are read."""

    reads = 0

    def read(self, *what: Any) -> Any:
        self.reads += 1
        return super().read(*what)


def digest(root: Path, tmp_path: Path, **options: Any) -> str:
    return build(Folder(root), tmp_path / "new.h5", mode="overwrite", **options).content_digest


@pytest.mark.parametrize("jobs", [1, 2])
def test_new_images_and_labels_are_added_and_only_they_are_read(
    root: Path, store: Path, tmp_path: Path, jobs: int
) -> None:
    with open_store(store) as before:
        shown = {name: before.splits["train"].visible(name) for name in ("one", "random")}
        keys = before.splits["train"].keys
    grow(root)
    source = Counting(root)
    summary = update(store, source, jobs=jobs)
    assert (summary.images, dict(summary.labels), summary.read) == (2, {"depth": 1}, 3)
    assert jobs > 1 or source.reads == 3
    assert summary.content_digest == digest(root, tmp_path)
    assert verify(store).ok
    assert sorted(path.name for path in tmp_path.iterdir() if "a.h5" in path.name) == ["a.h5"]
    with open_store(store) as after:
        split = after.splits["train"]
        assert after.default_regime == "one"
        for name, table in shown.items():
            place = [split.index(key) for key in keys]
            np.testing.assert_array_equal(split.regimes[name].labels[place], table)
            added = [split.index("0000a"), split.index("zz")]
            assert not split.visible(name)[added].any()
            assert info(after)["splits"]["train"]["regimes"][name]["uncovered"] == 2
        assert dict(summary.uncovered) == {"one": 2, "random": 2}
        assert dict(summary.later) == {"one": 3, "random": 3}
        assert "depth" in split.read(split.index("0003"), ["depth"]).labels


def test_nothing_new_leaves_the_file_as_it_is(root: Path, store: Path) -> None:
    before = store.stat()
    summary = update(store, Folder(root))
    assert (summary.written, summary.read) == (False, 0)
    assert (store.stat().st_ino, store.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_that_was_only_touched_changes_no_content(root: Path, store: Path) -> None:
    with open_store(store) as opened:
        before = opened.content_digest
    os.utime(root / "rgb" / "0002.jpg", (1, 1))
    source = Counting(root)
    assert update(store, source).content_digest == before
    assert source.reads == 0
    with open_store(store) as opened:
        assert opened.contents == (before,)  # there was no other before
    assert update(store, Counting(root)).read == 0


def test_two_updates_add_up_in_what_regimes_do_not_cover(root: Path, store: Path) -> None:
    for number in (1, 2):
        save(root / "rgb" / f"x{number}.jpg", picture(30 + number))
        save(root / "mask" / f"x{number}.png", mask(30 + number))
        assert update(store, Folder(root)).uncovered["one"] == number


def test_regimes_show_nothing_of_a_new_training_split(tmp_path: Path) -> None:
    store, keys = tmp_path / "a.h5", {"train": ("a", "b", "c", "d", "e"), "test": ("t",)}
    changed_store(store, keys=keys, regimes=SPECS, missing=0)
    source = ChangedSource(keys={**keys, "more": ("m", "n")}, missing=0)
    labels = 2 * len(source.tasks())
    summary = update(store, source)
    assert dict(summary.uncovered) == {"one": 2, "random": 2}
    assert dict(summary.later) == {"one": labels, "random": labels}
    with open_store(store) as opened:
        found = opened.splits["more"].regimes["one"]
        assert (found.uncovered, found.later) == (2, labels)
        assert not found.labels.any()
        assert set(opened.dataset(["train", "more"]).drop_unlabelled()[0].keys) == {*keys["train"]}
    assert verify(store).ok


def test_a_first_label_is_told_as_a_new_image_is(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(root / "rgb" / "x.jpg", picture(30))
    store = tmp_path / "a.h5"
    build(Folder(root, unlabelled="keep"), store, regimes=SPECS)
    save(root / "mask" / "x.png", mask(30))
    save(root / "rgb" / "bare.jpg", picture(31))
    save(root / "depth" / "0003.png", depth(3))
    summary = update(store, Folder(root, unlabelled="keep"))
    assert (summary.uncovered["one"], summary.later["one"]) == (1, 2)
    for command, told in (
        (["info"], "after it was drawn: 2 labels and 1 image of train"),
        (["regime", "list"], "after it was drawn: 2 labels and 1 image of train"),
    ):
        assert run(mtdata, [*command, str(store)]) == 0
        said = capsys.readouterr()
        assert told in f"{said.out} {said.err}"


def test_what_has_changed_is_refused_kept_or_followed(
    root: Path, store: Path, tmp_path: Path
) -> None:
    with open_store(store) as opened:
        before = opened.content_digest
    save(root / "semantic" / "0001.png", semantic(9))
    (root / "depth" / "0002.png").unlink()
    for folder in ("rgb", "semantic", "depth", "normals", "mask"):
        next((root / folder).glob("0008.*")).unlink()
    with pytest.raises(DataError, match=r"1 are others .* 2 are gone.*0001/semantic") as told:
        update(store, Folder(root))
    assert "0002/depth" in str(told.value)
    assert "--on-change keep" in str(told.value)
    assert update(store, Folder(root), on_change="keep").content_digest == before
    # What was kept is told again.
    with pytest.raises(DataError, match="0001/semantic"):
        update(store, Folder(root))
    followed = update(store, Folder(root), on_change="follow")
    assert followed.content_digest == digest(root, tmp_path)
    assert followed.splits["train"].images == 9
    assert verify(store).ok


def test_labels_that_a_regime_showed_and_that_are_gone_are_told(
    root: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(store) as opened:
        split, tasks = opened.splits["train"], [task.name for task in opened.tasks]
        shown = {name: split.visible(name) for name in ("one", "random")}
        rows = {key: split.index(key) for key in ("0001", "0002", "0008")}
    for folder in ("rgb", "semantic", "depth", "normals", "mask"):
        next((root / folder).glob("0008.*")).unlink()
    (root / "depth" / "0002.png").unlink()
    (root / "semantic" / "0001.png").unlink()
    wanted = {}
    for name, table in shown.items():
        lost = {task: int(table[rows["0008"], i]) for i, task in enumerate(tasks)}
        lost["depth"] += int(table[rows["0002"], tasks.index("depth")])
        lost["semantic"] += int(table[rows["0001"], tasks.index("semantic")])
        wanted[name] = {task: n for task, n in lost.items() if n}
    assert all(wanted.values())
    assert not update(store, Folder(root), on_change="keep").lost
    arguments = ["update", str(store), "--source", str(root), "--on-change", "follow"]
    assert run(mtdata, [*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lost"] == wanted
    for folder in ("rgb", "semantic", "depth", "normals", "mask"):
        next((root / folder).glob("0007.*")).unlink()
    assert run(mtdata, arguments) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "The regime `one` showed labels that are gone from the source: " in told


def test_an_image_that_moved_to_another_split_is_not_kept_in_both(root: Path, store: Path) -> None:
    """It would be trained on and tested on."""
    (root / "tasks.yaml").write_text(
        FILE + "splits:\n  lists: {train: train.txt, test: test.txt}\n"
    )

    def lists(tested: int) -> None:
        (root / "train.txt").write_text("\n".join(KEYS[:-tested]))
        (root / "test.txt").write_text("\n".join(KEYS[-tested:]))

    lists(2)
    build(Folder(root), store, regimes=SPECS, mode="overwrite")
    before = store.read_bytes()
    lists(3)
    with pytest.raises(DataError, match=rf"one split.*train/{KEYS[-3]}.*--on-change follow"):
        update(store, Folder(root), on_change="keep")
    assert store.read_bytes() == before
    assert update(store, Folder(root), on_change="follow").splits["test"].images == 3


def test_a_camera_is_told_of_as_a_label_is(tmp_path: Path) -> None:
    """Normals that are derived from depth hang on it, and no pixel tells of it."""
    root, store = write_cityscapes(tmp_path / "city"), tmp_path / "a.h5"
    place = file(root, "camera", TRAIN[0])
    before = place.read_text()

    def cameras() -> Any:
        with open_store(store) as opened:
            return opened.splits["train"].cameras[0].tolist()

    place.unlink()
    build(Cityscapes(root), store)
    assert np.isnan(cameras()).all()
    place.write_text(before)
    assert update(store, Cityscapes(root)).written
    known = cameras()
    assert known[0] > 0
    facts = json.loads(before)
    facts["intrinsic"]["fx"] *= 2
    place.write_text(json.dumps(facts))
    with pytest.raises(DataError, match=r"camera \(changed"):
        update(store, Cityscapes(root))
    assert update(store, Cityscapes(root), on_change="keep").altered
    assert cameras() == known
    assert update(store, Cityscapes(root), on_change="follow").altered
    assert cameras()[0] == 2 * known[0]
    assert update(store, Cityscapes(root)).read == 0


def test_images_that_came_and_went_are_not_uncovered(root: Path, store: Path) -> None:
    grow(root)
    assert update(store, Folder(root)).uncovered["one"] == 2
    for key in ("0000a", "zz"):
        (root / "rgb" / f"{key}.jpg").unlink()
        (root / "mask" / f"{key}.png").unlink()
    assert update(store, Folder(root), on_change="follow").uncovered["one"] == 0


def test_many_bad_new_files_are_left_out_where_that_is_wanted(
    root: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "HOPELESS", 2)
    for number in range(3):
        save(root / "rgb" / f"a{number}.jpg", picture(40))
        save(root / "mask" / f"a{number}.png", mask(40))
        damage.cut(root / "rgb" / f"a{number}.jpg")
    save(root / "rgb" / "b.jpg", picture(50))
    save(root / "mask" / "b.png", mask(50))
    made = update(store, Folder(root), on_error="skip")
    assert (made.images, len(made.skipped)) == (1, 3)


def test_a_kept_row_gets_its_new_labels(root: Path, store: Path) -> None:
    save(root / "semantic" / "0003.png", semantic(9))
    save(root / "depth" / "0003.png", depth(3))
    with open_store(store) as opened:
        split = opened.splits["train"]
        old = split.read(split.index("0003"), ["semantic"]).labels["semantic"]
    summary = update(store, Folder(root), on_change="keep")
    assert summary.labels == {"depth": 1}
    assert summary.later["one"] == 1
    with open_store(store) as opened:
        split = opened.splits["train"]
        sample = split.read(split.index("0003"), ["semantic", "depth"])
        np.testing.assert_array_equal(sample.labels["semantic"], old)
        assert "depth" in sample.labels
        had, shown = split.labelled, split.visible("one")
        assert split.regimes["one"].later == 1
        assert (had & ~shown).any()
    assert verify(store).ok


def test_bad_new_files_leave_the_old_store_or_are_skipped(root: Path, store: Path) -> None:
    grow(root)
    damage.cut(root / "rgb" / "zz.jpg")
    before = store.read_bytes()
    with pytest.raises(SampleError, match="zz"):
        update(store, Folder(root))
    assert store.read_bytes() == before
    summary = update(store, Folder(root), on_error="skip")
    assert (summary.images, [each.key for each in summary.skipped]) == (1, ["zz"])
    save(root / "rgb" / "zz.jpg", picture(21))
    assert update(store, Folder(root)).images == 1


def test_a_new_class_is_told_to_need_a_build(root: Path, store: Path) -> None:
    again = r"--on-error skip.* after a change there, build the store again with `mtdata build"
    for key in ("0000a", "zz"):
        save(root / "rgb" / f"{key}.jpg", picture(20))
        save(root / "semantic" / f"{key}.png", semantic(20) + 1)
        with pytest.raises(SampleError, match=f"(?s){again}"):
            update(store, Folder(root))
    save(root / "rgb" / "bare.jpg", picture(20))
    with pytest.raises(SampleError, match=r"`unlabelled: keep`.* after a change there, build"):
        update(store, Folder(root))


@pytest.mark.parametrize("calls", few([1, 11, 14, 16, 20, 26], [14, 20]))
def test_an_update_that_is_killed_leaves_the_old_store_whole(
    root: Path, store: Path, tmp_path: Path, calls: int
) -> None:
    grow(root)
    before = store.read_bytes()
    with pytest.raises(Interrupted):
        update(store, Folder(root), progress=KilledAt(calls))
    assert store.read_bytes() == before
    assert verify(store).ok
    assert update(store, Folder(root)).content_digest == digest(root, tmp_path)


@pytest.mark.parametrize("calls", [12, 15, 20])
def test_an_update_that_is_killed_for_good_leaves_nothing_in_the_way(
    root: Path, store: Path, tmp_path: Path, calls: int
) -> None:
    grow(root)
    before = store.read_bytes()
    process = os.fork()
    if process == 0:
        update(store, Folder(root), progress=KilledAt(calls, by=SIGKILL))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -SIGKILL
    assert store.read_bytes() == before
    assert update(store, Folder(root)).content_digest == digest(root, tmp_path)
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith("a.h5")]
    assert left == ["a.h5"]


class KilledAt:
    """Ends an update at the so-manieth word of its progress, whatever it is about."""

    def __init__(self, calls: int, *, by: int = 0) -> None:
        self.left, self.by = calls, by

    def __call__(self, done: int, total: int, what: str) -> None:
        self.left -= 1
        if not self.left and self.by:
            os.kill(os.getpid(), self.by)
        if not self.left:
            raise Interrupted


def test_a_store_without_prints_is_read_as_a_whole(root: Path, store: Path) -> None:
    import h5py

    with h5py.File(store, "r+") as file:
        del file["train/source"]
        reseal(file)
    grow(root)
    source = Counting(root)
    assert update(store, source).images == 2
    assert source.reads == 12
    assert update(store, Counting(root)).read == 0


def test_other_options_and_parts_are_refused(root: Path, store: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="built with other options"):
        update(store, Folder(root, unlabelled="keep"))
    build(Folder(root), tmp_path / "part.h5", limit=3)
    with pytest.raises(UsageError, match="--limit 3"):
        update(tmp_path / "part.h5", Folder(root))


def test_a_larger_image_does_not_fit(root: Path, store: Path) -> None:
    save(root / "rgb" / "big.jpg", picture(1, (48, 40)))
    save(root / "mask" / "big.png", mask(1, (48, 40)))
    with pytest.raises(DataError, match="stored at 24x36; big, which is new, has 48x40"):
        update(store, Folder(root))
    for path in (root / "rgb" / "big.jpg", root / "mask" / "big.png"):
        path.unlink()
    save(root / "rgb" / "small.jpg", picture(1, (20, 30)))
    save(root / "mask" / "small.png", mask(1, (20, 30)))
    assert update(store, Folder(root)).images == 1
    assert verify(store).ok


def test_the_command(root: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow(root)
    arguments = ["update", str(store), "--source", str(root)]
    assert run(mtdata, [*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["images"], told["labels"], told["uncovered"]["one"]) == (2, {"depth": 1}, 2)
    assert run(mtdata, ["regime", "list", str(store)]) == 0
    assert "The regime `one` shows nothing of what was added" in capsys.readouterr().err
    (root / "tasks.yaml").write_text((root / "tasks.yaml").read_text().replace("lamp", "light"))
    assert run(mtdata, arguments) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "tasks.yaml has changed" in told
    assert "draw its regimes and train its runs anew" in told


@pytest.mark.parametrize("where", ["mtdata.atomic.sync", "mtdata.building.journal._pack"])
def test_a_disk_that_takes_nothing_is_told_by_what_an_update_can_do(
    root: Path, store: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(root)

    def refuse(*given: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(where, refuse)
    with pytest.raises(
        MtdataError, match=r"should be writable.*Copy it to where it can be"
    ) as told:
        update(store, Folder(root))
    assert "--out" not in str(told.value)


COLOURED = """images: rgb/{stem}.jpg
tasks:
  zones:
    kind: classes
    files: zones/{stem}.png
    encoding: colours
    classes: {wall: '#000000', floor: '#0000ff', art: '#ff0000'}
  blobs:
    kind: binary
    files: mask/{stem}.png
"""
"""Neither tasks nor classes are in the order of the alphabet."""


def test_coloured_classes_keep_their_ids(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "tasks.yaml").write_text(COLOURED)
    colours = np.array([(0, 0, 0), (0, 0, 255), (255, 0, 0)], np.uint8)

    def paint(number: int, key: str) -> None:
        save(root / "zones" / f"{key}.png", colours[semantic(number) % 3])

    for number in range(9):
        paint(number, f"{number:04}")
    store = tmp_path / "coloured.h5"
    build(Folder(root), store)
    # As every version has written it: a description has the order of the alphabet in there.
    with editing(store) as file:
        options = json.loads(file.attrs["options"])
        layout.put(file.attrs, {"options": json.dumps(options, sort_keys=True)})
    with open_store(store) as opened:
        described = opened.options["source"]["description"]["tasks"]
        assert list(described) == ["blobs", "zones"]
        assert list(described["zones"]["classes"]) == ["art", "floor", "wall"]
    save(root / "rgb" / "0010.jpg", picture(10))
    paint(10, "0010")
    paint(9, "0009")
    arguments = ["update", str(store), "--source", str(root)]
    assert run(mtdata, [*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["images"], told["labels"]) == (1, {"zones": 1})
    assert told["content_digest"] == digest(root, tmp_path)
    with open_store(store) as opened:
        split = opened.splits["train"]
        found = split.read(split.index("0010"), ["zones"]).labels["zones"]
        np.testing.assert_array_equal(found, semantic(10) % 3)

    other = COLOURED.replace(
        "wall: '#000000', floor: '#0000ff'", "floor: '#0000ff', wall: '#000000'"
    )
    (root / "tasks.yaml").write_text(other)
    assert run(mtdata, arguments) == 2
    assert "tasks.yaml has changed" in " ".join(capsys.readouterr().err.split())
    said = r'zones\.names is \["wall", "floor", "art"\] there and \["floor".*`mtdata build \.\.\.'
    with pytest.raises(UsageError, match=said):
        update(store, Folder(root))


def test_labels_that_were_added_are_left_out_and_named(
    root: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(store) as opened:
        kinds = {task.kind.name: task.name for task in opened.tasks}
    with pytest.raises(UsageError, match="say --rule class-boundaries"):
        derive(store, kinds["binary"], kinds["classes"])
    derive(store, kinds["binary"], kinds["classes"], rule="class-boundaries")
    before = store.read_bytes()
    assert update(store, Folder(root)).left_out == ()  # there is nothing to do
    assert store.read_bytes() == before
    grow(root)
    assert run(mtdata, ["update", str(store), "--source", str(root)]) == 0
    assert f"train/derived/{kinds['binary']}" in " ".join(capsys.readouterr().err.split())
    with open_store(store) as opened:
        assert opened.format_version == 1
        assert not any(split.added for split in opened.splits.values())


def test_labels_that_a_killed_command_added_before_an_update_are_told_as_such(
    root: Path, store: Path
) -> None:
    with open_store(store) as opened:
        kinds = {task.kind.name: task.name for task in opened.tasks}
    rule = kinds["binary"], kinds["classes"]
    with pytest.raises(Interrupted):
        derive(store, *rule, rule="class-boundaries", progress=stop_after(2))
    grow(root)
    update(store, Folder(root))
    with pytest.raises(UsageError, match=r"had derived of other images.*update.*--overw") as told:
        derive(store, *rule, rule="class-boundaries")
    assert "build" not in str(told.value)
    summary = derive(store, *rule, rule="class-boundaries", overwrite=True)
    assert summary.resumed == 0
    assert verify(store).ok


def test_a_label_that_moved_to_the_folder_of_another_task_is_seen(
    root: Path, store: Path, tmp_path: Path
) -> None:
    """Its name, size and time are those that it had."""
    (root / "mask" / "0002.png").rename(root / "semantic" / "0002.png")
    with pytest.raises(DataError, match=r"0002/(mask|semantic)"):
        update(store, Folder(root))
    found = update(store, Folder(root), on_change="follow")
    assert found.content_digest == digest(root, tmp_path)
