"""The loader: what a batch holds is a function of (seed, epoch, step)."""

import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from mtdata import Sample, Task
from mtdata.errors import MtdataError, SampleError, UsageError
from mtdata.reading.augment import Augmentation
from mtdata.reading.batch import Batch
from mtdata.reading.dataset import Dataset
from mtdata.reading.loader import Loader
from mtdata.reading.photometric import Photometric
from tests.stores.fake_split import TASKS, make_split


def make(n: int = 10, *, share: float = 0.5, transform: Any = None) -> Dataset:
    split = make_split(n, share=share)
    return Dataset(split, TASKS, split.labels, transform)


def equal(a: Batch, b: Batch) -> bool:
    same = a.keys == b.keys and torch.equal(a.image, b.image) and a.labels.keys() == b.labels.keys()
    return same and all(
        torch.equal(a.labels[t], b.labels[t])
        and torch.equal(a.valid[t], b.valid[t])
        and torch.equal(a.rows[t], b.rows[t])
        for t in a.labels
    )


def all_equal(a: Sequence[Batch], b: Sequence[Batch]) -> bool:
    return len(a) == len(b) and all(map(equal, a, b))


def test_the_same_batches_with_any_number_of_workers_and_whatever_ran_before() -> None:
    data = make(transform=Augmentation(photometric=Photometric()))
    here = Loader(data, 4, seed=3, shuffle=True)
    expected = {epoch: list(here.epoch(epoch)) for epoch in (0, 1)}
    assert [len(batch) for batch in expected[0]] == [4, 4, 2]
    for workers in (1, 2):
        loader = Loader(data, 4, seed=3, shuffle=True, workers=workers)
        next(iter(loader.epoch(5)))  # an epoch that is left early
        assert all_equal(list(loader.epoch(1)), expected[1])
        assert all_equal(list(loader.epoch(0)), expected[0])
        assert all_equal(list(loader.epoch(1, start_step=2)), expected[1][2:])


def test_order() -> None:
    data = make(32)

    def order(seed: int, epoch: int) -> list[str]:
        loader = Loader(data, 5, seed=seed, shuffle=True)
        return [key for batch in loader.epoch(epoch) for key in batch.keys]

    assert sorted(order(0, 0)) == sorted(data.keys)
    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)
    straight = Loader(data, 5)
    assert [key for batch in straight.epoch(3) for key in batch.keys] == list(data.keys)


@pytest.mark.parametrize("labelled", [2, 5, 9])
@pytest.mark.parametrize("shuffle", [True, False])
def test_a_share_of_each_batch_shows_labels_and_all_come_round_alike(
    labelled: int, shuffle: bool
) -> None:
    data = few(labelled)
    loader = Loader(data, 4, seed=1, shuffle=shuffle, drop_last=True, labelled=0.75)
    assert len(loader) == 3
    shows = dict(zip(data.keys, (data.labelled.sum(1) > 0).tolist(), strict=True))
    count, images = Counter[str](), []
    for epoch in range(30):
        batches = list(loader.epoch(epoch))
        assert [sum(shows[key] for key in batch.keys) for batch in batches] == [3, 3, 3]
        assert all_equal(list(loader.epoch(epoch, start_step=1)), batches[1:])
        count.update(key for batch in batches for key in batch.keys)
        images += [
            (key, image) for b in batches for key, image in zip(b.keys, b.image, strict=True)
        ]
    for kind in (True, False):
        times = [n for key, n in count.items() if shows[key] is kind]
        assert len(times) == sum(of is kind for of in shows.values())
        assert max(times) - min(times) <= 1
    key = next(key for key in data.keys if shows[key])
    views = {tuple(image.flatten().tolist()) for k, image in images if k == key}
    assert len(views) > 10, "each time it is cropped in another way"


def test_a_share_of_each_batch_is_the_same_with_workers() -> None:
    data = few(3)
    here, there = (
        Loader(data, 4, shuffle=True, labelled=0.5, workers=workers) for workers in (0, 2)
    )
    for epoch in (0, 7):
        assert all_equal(list(here.epoch(epoch)), list(there.epoch(epoch)))
    parts = [
        Loader(data, 4, shuffle=True, drop_last=True, labelled=0.5, part=(i, 2)) for i in range(2)
    ]
    for whole, *two in zip(here.epoch(7), *(p.epoch(7) for p in parts), strict=True):
        assert [key for part in two for key in part.keys] == list(whole.keys)
        assert all(len(part.rows["depth"]) == 1 for part in two), "some of both kinds in each"


@pytest.mark.parametrize("labelled", [None, 0.75])
def test_a_step_in_parts_has_the_images_of_the_whole(labelled: float | None) -> None:
    data = few(5)
    how: dict[str, Any] = {"shuffle": True, "drop_last": True, "labelled": labelled}
    whole, halves = (Loader(data, 4, accumulate=n, **how) for n in (1, 2))
    first, second = (Loader(data, 4, accumulate=2, part=(i, 2), **how) for i in range(2))
    assert len(whole) == len(halves) == len(first) == 3
    for start in (0, 2):
        expected = [[*batch.keys] for batch in whole.epoch(7, start)]
        assert [[*a.keys, *b.keys] for a, b in halves.steps(7, start)] == expected
        shared = zip(first.steps(7, start), second.steps(7, start), strict=True)
        assert [[*a.keys, *c.keys, *b.keys, *d.keys] for (a, b), (c, d) in shared] == expected
    if labelled is None:
        assert all_equal(list(halves.epoch(3)), list(Loader(data, 2, **how).epoch(3)))


@pytest.mark.parametrize(
    ("labelled", "share", "said"),
    [(0, 0.5, "all 12 show none"), (12, 0.5, "all 12 show a label"), (5, 0.1, "which is 0"),
     (5, 0.95, "which is 4")],
)  # fmt: skip
def test_a_share_that_leaves_no_place_is_refused(labelled: int, share: float, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Loader(few(labelled), 4, labelled=share)


def few(labelled: int) -> Dataset:
    """Twelve images of which so many show their labels."""
    data = make(12, share=1.0, transform=Augmentation())
    visible = data.visible.copy()
    visible[labelled:] = False
    return replace(data, visible=visible)


@pytest.mark.parametrize(("drop_last", "steps"), [(True, 3), (False, 4)])
def test_length(drop_last: bool, steps: int) -> None:
    loader = Loader(make(), 3, drop_last=drop_last, shuffle=True)
    assert len(loader) == steps
    assert len(list(loader.epoch(0))) == steps
    assert len(list(loader.epoch(0, start_step=2))) == steps - 2
    assert len(loader) == steps
    assert list(loader.epoch(0, start_step=steps)) == []


def test_labels_lie_where_they_belong() -> None:
    data = make()
    for batch in Loader(data, 4).epoch(0):
        for task, rows in batch.rows.items():
            for label, row in zip(batch.labels[task], rows, strict=True):
                sample = data[data.keys.index(batch.keys[int(row)])]
                expected = np.asarray(sample.labels[task]).reshape(24, 32, -1).transpose(2, 0, 1)
                np.testing.assert_array_equal(label, expected)


def test_global_generators_are_left_alone() -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    numpy_before = str(np.random.get_state())  # noqa: NPY002
    list(Loader(make(), 4, shuffle=True, workers=1).epoch(0))
    list(Loader(make(), 4, shuffle=True).epoch(0))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert str(np.random.get_state()) == numpy_before  # noqa: NPY002


@dataclass
class Failing:
    def __call__(self, sample: Sample, rng: np.random.Generator, tasks: Sequence[Task]) -> Sample:
        raise SampleError("image.png", "it is cut off.", "Download it again.")


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_arrive_as_they_were_raised(workers: int) -> None:
    loader = Loader(make(transform=Failing()), 4, workers=workers)
    with pytest.raises(SampleError, match=r"^image\.png: it is cut off\. Download it again\.$"):
        list(loader.epoch(0))


def test_workers_stay() -> None:
    loader = Loader(make(transform=Whose()), 4, workers=1)
    workers = {
        tuple(batch.image[0, :, 0, 0].tolist()) for e in range(3) for batch in loader.epoch(e)
    }
    assert len(workers) == 1


@dataclass
class Whose:
    """Writes the process and its threads into the image."""

    def __call__(self, sample: Sample, rng: np.random.Generator, tasks: Sequence[Task]) -> Sample:
        import os

        import cv2

        assert cv2.getNumThreads() == 1
        assert torch.get_num_threads() == 1
        image = sample.image.copy()
        image[0, 0] = np.frombuffer(os.getpid().to_bytes(4), np.uint8)[1:]
        return Sample(sample.key, image, sample.labels, sample.valid)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 11, "drop_last": True}, "at most the number of images; found 11 of 10"),
        ({"batch": 0}, "`batch` should be 1 or more and `workers` 0 or more; found 0 and 0"),
        ({"workers": -1}, "found 8 and -1"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Loader(make(), **options)


def test_an_empty_dataset_is_refused() -> None:
    with pytest.raises(MtdataError, match="of 0 images"):
        Loader(make().subset(np.zeros(10, np.bool_)), 4)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that "
         "dataloader's workers are out of shared memory.", "/dev/shm.*--workers 0.*--shm-size"),
        ("unable to write to file </torch_7>: No space left on device (28)", "/dev/shm"),
        ("DataLoader worker (pid 7) is killed by signal: Killed. ", "say. Go on with --resume"),
        ("DataLoader worker (pid 7) is killed by signal: Segmentation fault. ",
         r"one ended by a signal \(Segmentation fault\)\. Go on with --resume.*--workers 0"),
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", r"one ended\. Go on with --resume"),
        ("unable to mmap 9 bytes from file </torch_7_1>: Cannot allocate memory", "--workers 0"),
        ("received 0 items of ancdata", "ulimit -n"),
        ("[Errno 24] Too many open files", "ulimit -n"),
    ],
)  # fmt: skip
def test_a_lack_of_memory_or_files_is_told_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, said: str, words: str
) -> None:
    def ends(self: object) -> object:
        raise RuntimeError(said)

    monkeypatch.setattr("torch.utils.data.DataLoader.__iter__", ends)
    with pytest.raises(MtdataError, match=words):
        list(Loader(make(4), 2).epoch(0))
    said = "something else"
    with pytest.raises(RuntimeError, match="something else"):
        list(Loader(make(4), 2).epoch(0))


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGKILL, "fewer --workers"), (signal.SIGSEGV, "Go on with")]
)
def test_a_reader_that_ends_is_told_wherever_this_process_is(number: int, words: str) -> None:
    """Torch raises by a signal, as likely in a step of a training as while that waits for data."""
    batches = Loader(make(), 2, workers=1).epoch(0)
    next(batches)
    reader = psutil.Process().children()[-1]

    def step() -> None:
        reader.send_signal(number)
        time.sleep(60)

    with pytest.raises(MtdataError, match=words):
        step()
