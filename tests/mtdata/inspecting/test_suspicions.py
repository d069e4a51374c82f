"""Each fault that is planted is found and named, and nothing else is."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.data.deep import Measurer, stored
from benchmarks.data.faults import DOUBLES, FAULTS, PlantedRooms, copied, put, scale, turn
from mtdata import CHECKS, Check, Sample, Store, Suspicion, open_store
from mtdata.building.build import build
from mtdata.errors import UnknownNameError, UsageError
from mtdata.inspecting.suspicions.base import FEW, Images, Place, Spread
from mtdata.inspecting.suspicions.drawing import MOST, chosen, draw
from mtdata.inspecting.suspicions.looking import Suspicions, suspect
from tests.asserts import labels_of_training, note_reads, shown_labels
from tests.stores.fakes import TASKS, FakeSource, fake_store
from tests.stores.planted import CLEAN, PLANTED

IMAGES = 48
ROW = 3


@pytest.fixture(scope="module")
def clean(planted: Path) -> Measurer:
    return stored(planted / CLEAN)


@pytest.fixture(scope="module")
def store(planted: Path) -> Store:
    return open_store(planted / PLANTED)


@pytest.fixture(scope="module")
def found(store: Store) -> Suspicions:
    return suspect(store)


def _named(found: tuple[Suspicion, ...]) -> set[tuple[str, str]]:
    return {(each.where, each.kind) for each in found}


def test_rooms_without_a_fault_are_not_suspected(clean: Measurer) -> None:
    assert clean.suspicions({}) == ()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_named(clean: Measurer, name: str) -> None:
    fault = FAULTS[name]
    sample = fault.change(clean.samples[ROW], np.random.default_rng(3))
    (found,) = [each for each in clean.suspicions({ROW: sample}) if each.kind == fault.kind]
    assert found.place == Place(*clean.places[ROW])
    assert found.task == fault.task
    assert found.score is not None
    assert found.score > 2


@pytest.mark.parametrize("name", DOUBLES)
def test_a_copy_is_found_beside_what_it_is_of(clean: Measurer, name: str) -> None:
    kind, mirrored = DOUBLES[name]
    first, again = ROW, IMAGES - 1 if "across" in name else ROW + 1
    image = copied(clean.samples[first].image, np.random.default_rng(0), mirrored=mirrored)
    changed = {again: put(clean.samples[again], "image", image)}
    (found,) = [each for each in clean.suspicions(changed) if each.kind.startswith("duplicate")]
    assert found.kind == kind
    assert (found.place, found.beside) == (clean.places[again], clean.places[first])
    assert ("mirrored" in found.what) == mirrored


def test_what_was_done_is_said(clean: Measurer) -> None:
    sample = clean.samples[ROW]
    labels = {
        **sample.labels,
        "semantic": np.roll(sample.labels["semantic"], (0, 7), (0, 1)),
        "depth": sample.labels["depth"] / 1000,
        "normals": turn(2, 1, 3)(sample, np.random.default_rng()).labels["normals"],
    }
    said = {s.task: s.what for s in clean.suspicions({ROW: replace(sample, labels=labels)})}
    assert "7 pixels left from where they are" in said["semantic"]
    assert "is 1000 times smaller than that of the others" in said["depth"]
    assert "fits with (y, x, z) in place of (x, y, z)" in said["normals"]


def test_a_whole_split_in_another_unit_is_one_suspicion(clean: Measurer) -> None:
    rng = np.random.default_rng(0)
    rows = [row for row, place in enumerate(clean.places) if place[0] == "test"]
    found = clean.suspicions({row: scale(0.001)(clean.samples[row], rng) for row in rows})
    assert _named(found) == {("test/depth", "depth unit")}
    assert "is 1000 times smaller than that of the other splits" in found[0].what


def test_a_split_with_other_axes_is_one_suspicion(clean: Measurer) -> None:
    rng = np.random.default_rng(0)
    rows = [row for row, place in enumerate(clean.places) if place[0] == "test"]
    found = clean.suspicions({row: turn(1, -2, -3)(clean.samples[row], rng) for row in rows})
    assert _named(found) == {("test/normals", "axes of normals")}


def test_of_few_images_nobody_says_what_is_usual(store: Store) -> None:
    """The same faults are found among all, and here it is said why they are not."""
    found = suspect(store, split="train", limit=FEW - 1)
    assert {each.kind for each in found.found} <= {"image dark"}
    assert [note.partition(":")[0] for note in found.notes] == ["semantic", "depth", "normals"]


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_leaves_the_sample_and_gives_numbers_of_one_length(
    clean: Measurer, name: str
) -> None:
    check: Check = CHECKS[name](PlantedRooms.tasks())
    assert check.name == name
    assert check.summary
    widths: dict[str, set[Any]] = {}
    for sample in clean.samples[:6]:
        before = sample.image.tobytes(), {n: v.tobytes() for n, v in sample.labels.items()}
        for part in _parts(sample):
            for of, numbers in check.measure(part).items():
                widths.setdefault(of, set()).add((numbers.shape, numbers.dtype))
                assert numbers.ndim == 1
                # Small: a store has many images.
                assert numbers.nbytes < 1024
        assert before == (
            sample.image.tobytes(),
            {n: v.tobytes() for n, v in sample.labels.items()},
        )
    assert all(len(each) == 1 for each in widths.values())


def _parts(sample: Sample) -> list[Sample]:
    """With all labels, with each alone and with none."""
    names = [*([name] for name in sample.labels), []]
    return [
        sample,
        *(
            replace(
                sample,
                labels={name: sample.labels[name] for name in part},
                valid={name: sample.valid[name] for name in part},
            )
            for part in names
        ),
    ]


def test_a_store_with_faults(found: Suspicions) -> None:
    wanted = {
        ("train/000001/depth", "depth unit"),
        ("train/000002/normals", "axes of normals"),
        ("train/000003/semantic", "label shifted"),
        ("train/000004/image", "image dark"),
        ("test/000001/depth", "label constant"),
        ("test/000002/image", "duplicate across splits"),
    }
    # An image that is that of another has labels that do not fit it: that may be told too.
    assert wanted <= _named(found.found)
    others = {where for where, _ in _named(found.found) - wanted}
    assert others <= {f"test/000002/{what}" for what in ("image", "semantic", "depth", "normals")}
    assert found.images == 30
    assert found.kinds["depth unit"] == 1
    assert found.notes == ()


def test_any_number_of_jobs_finds_the_same(store: Store, found: Suspicions) -> None:
    told: list[tuple[int, int, str]] = []
    again = suspect(store, None, lambda *what: told.append(what), jobs=2)
    assert again == found
    assert told[-1][:2] == (30, 30)
    assert [done for done, _, _ in told] == sorted({done for done, _, _ in told})


def test_hidden_labels_are_not_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read = note_reads(monkeypatch)
    found = suspect(store, "one", split="train")
    shown = shown_labels(store, "one")
    assert labels_of_training(read) == shown
    everything = [Place("train", key) for key in store.split("train").keys]
    draw(store, [Suspicion(each, "image", "odd", "", None) for each in everything[:8]], "one")
    assert labels_of_training(read) == shown
    assert all(each.task == "image" or _is_shown(store, each) for each in found.found)
    assert any("to look at, too few" in note for note in found.notes)


def _is_shown(store: Store, suspicion: Suspicion) -> bool:
    split = store.split(suspicion.place.split)
    column = [task.name for task in store.tasks].index(suspicion.task)
    return bool(split.visible("one")[split.index(suspicion.place.key), column])


def test_padding_is_no_part_of_an_image(tmp_path: Path) -> None:
    build(FakeSource(sizes=((10, 12), (12, 10)), images=(6, 2)), tmp_path / "a.h5", size=None)
    with open_store(tmp_path / "a.h5") as padded:
        assert suspect(padded).images == 8


def test_labels_of_all_kinds_with_void_pixels(tmp_path: Path) -> None:
    with open_store(fake_store(tmp_path, images=(24, 2))) as noise:
        assert {task.name for task in noise.tasks} == {task.name for task in TASKS}
        assert suspect(noise).found == ()


def test_what_cannot_be_asked_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="found 1 and 0"):
        suspect(store, limit=0)
    with pytest.raises(UsageError, match="found 0 and None"):
        suspect(store, jobs=0)
    with pytest.raises(UnknownNameError, match="no regime `on`"):
        suspect(store, "on")
    with pytest.raises(UnknownNameError, match=r"no check `shifts`. Did you mean `shift`"):
        suspect(store, checks=["shifts"])
    with pytest.raises(UnknownNameError, match="no split"):
        suspect(store, split="tests")


def test_only_the_checks_that_are_asked_for(store: Store) -> None:
    assert suspect(store, checks=["unit"], limit=20).kinds == {"depth unit": 1}


def test_the_sheet_has_a_row_for_each(store: Store, found: Suspicions) -> None:
    figure = draw(store, found.found)
    titles = [axes.get_title() for axes in figure.axes if not axes.axison]  # no bars
    assert sum(title.startswith("depth unit (") for title in titles) == 1
    assert "000001  (train)" in titles
    assert "000010  (train)" in titles
    # The image, two pictures of labels, the reason; of a copy the other image.
    assert len(titles) == sum(4 - (each.beside is not None) for each in found.found)


def test_a_sheet_has_the_surest_of_every_kind() -> None:
    many = [
        Suspicion(Place("train", str(i)), "image", kind, "", float(-i))
        for kind, count in (("often", 500), ("rare", 2))
        for i in range(count)
    ]
    drawn = chosen(many)
    assert len(drawn) == MOST
    assert [each.place.key for each in drawn if each.kind == "rare"] == ["0", "1"]
    assert [each.place.key for each in drawn][:3] == ["0", "1", "2"]


def test_images_know_their_places() -> None:
    images = Images({"train": ["a", "b"], "empty": [], "test": ["c"]})
    assert [str(images.place(row)) for row in range(3)] == ["train/a", "train/b", "test/c"]
    assert images.split(np.arange(3)).tolist() == [0, 0, 2]


def test_a_tenth_of_wrong_values_moves_no_spread() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=900)
    right = Spread.of(values, least=0.0)
    wrong = Spread.of(np.append(values, np.full(100, 1e6)), least=0.0)
    assert right is not None
    assert wrong is not None
    assert right.middle == pytest.approx(0, abs=0.1)
    assert right.scale == pytest.approx(1, abs=0.1)
    assert wrong.scale < 1.5
    assert Spread.of(values[: FEW - 1], least=0.0) is None
    assert Spread.of(np.full(99, np.nan), least=0.0) is None


def test_a_check_of_a_plugin_is_asked(store: Store) -> None:
    class Odd(Check):
        name = "odd"
        summary = "odd keys"

        def measure(self, sample: Sample) -> Mapping[str, Any]:
            return {"image": np.array([int(sample.key)])}

        def judge(self, images: Images, found: Mapping[str, Any]) -> Any:
            for row, (key,) in zip(*found["image"], strict=True):
                if key == 5:
                    yield Suspicion(images.place(row), "image", "odd key", "is odd", None)

    CHECKS.add("odd", Odd, origin="a test")
    try:
        found = suspect(store, checks=["odd"]).found
    finally:
        CHECKS.remove("odd")
    assert [e.where[:-6] for e in found] == ["train/000005", "test/000005"]
