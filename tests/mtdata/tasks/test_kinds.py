"""What labels of every kind must do."""

import numpy as np
import pytest

from mtdata.tasks.kinds import Normals
from mtdata.tasks.task import Task
from tests.stores.fakes import TASKS, random_label


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_distance(task: Task) -> None:
    rng = np.random.default_rng(0)
    (a, _), (b, _) = (random_label(task.kind, (9, 11), rng) for _ in range(2))
    apart = task.kind.distance(a, b)
    equal = (a == b).reshape(9, 11, -1).all(axis=-1)
    assert apart.shape == (9, 11)
    assert np.array_equal(apart, task.kind.distance(b, a))
    assert np.array_equal(apart == 0, equal)
    assert not task.kind.distance(a, a).any()


def test_every_code_of_a_normal_comes_back() -> None:
    kind, line = Normals(), np.arange(-32767, 32768, dtype=np.int16)
    for value in (-32767, -32766, -16384, -1, 0, 1, 777, 16383, 32766, 32767):
        fixed = np.full_like(line, value)
        for codes in (np.stack([fixed, line], -1), np.stack([line, fixed], -1)):
            assert np.array_equal(kind.encode(*kind.decode(codes[None])), codes[None])
