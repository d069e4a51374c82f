"""Properties of every regime, and what each promises on its own."""

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mtdata.errors import DataError, UnknownNameError, UsageError
from mtdata.regimes import REGIMES
from mtdata.regimes.base import Regime
from mtdata.regimes.drawing import draw

TASKS = ("semantic", "depth", "normals", "parts", "edges")
STABLE = ("one", "random", "imbalanced", "fraction")
PINNED = {
    ("full", False): "111 111 111 111 111 111 111 111 111 111",
    ("one", False): "100 001 010 100 001 010 001 010 100 010",
    ("random", False): "001 011 010 001 101 100 101 110 100 110",
    ("one", True): "001 001 010 100 001 010 001 001 100 010",
    ("random", True): "101 101 011 100 001 110 001 001 100 011",
    ("imbalanced", False): "100 001 010 010 100 100 100 100 100 010",
    ("imbalanced", True): "100 010 010 100 010 100 100 100 010 010",
    ("fraction", False): "000 111 000 111 000 000 111 111 111 000",
    ("fraction", True): "000 111 000 111 000 000 111 111 111 000",
}
tables = st.integers(1, 5).flatmap(
    lambda t: st.integers(1, 12).flatmap(lambda n: arrays(np.bool_, (n, t)))
)
RATIOS: dict[int, list[float]] = {
    1: [1.0],
    2: [0.9, 0.1],
    3: [0.6, 0.3, 0.1],
    4: [0.4, 0.3, 0.2, 0.1],
    5: [0.2] * 5,
}
every_regime = pytest.mark.parametrize("name", REGIMES)
every_form = pytest.mark.parametrize(
    ("name", "stable"),
    [(name, stable) for name in REGIMES for stable in (False, True)[: 1 + (name != "full")]],
)


def _regime(name: str, tasks: int, *, stable: bool = False) -> Regime:
    """A regime with the options that it needs."""
    options: dict[str, Any] = {"stable": True} if stable else {}
    if name == "imbalanced":
        options["ratio"] = dict(zip(TASKS, RATIOS[tasks], strict=False))
    if name == "fraction":
        options["share"] = 0.5
    return REGIMES[name](**options)


def _names(available: NDArray[np.bool_]) -> tuple[list[str], list[str]]:
    return [f"k{i}" for i in range(len(available))], list(TASKS[: available.shape[1]])


@every_form
@given(available=tables, seed=st.integers(0, 5))
@settings(max_examples=40)
def test_never_a_label_that_is_not_there(
    name: str, stable: bool, available: NDArray[np.bool_], seed: int
) -> None:
    regime = _regime(name, available.shape[1], stable=stable)
    labels = regime.assign(*_names(available), available, seed=seed)
    assert not (labels & ~available).any()
    if name != "fraction":
        assert (labels.any(1) == available.any(1)).all()


@every_form
@given(available=tables, data=st.data())
@settings(max_examples=40)
def test_the_order_of_images_and_tasks_does_not_matter(
    name: str, stable: bool, available: NDArray[np.bool_], data: st.DataObject
) -> None:
    keys, tasks = _names(available)
    rows = data.draw(st.permutations(range(len(keys))))
    columns = data.draw(st.permutations(range(len(tasks))))
    regime = _regime(name, len(tasks), stable=stable)
    straight = regime.assign(keys, tasks, available, seed=3)
    turned = regime.assign(
        [keys[i] for i in rows],
        [tasks[t] for t in columns],
        available[np.ix_(rows, columns)],
        seed=3,
    )
    np.testing.assert_array_equal(turned, straight[np.ix_(rows, columns)])


@pytest.mark.parametrize("name", STABLE)
@given(available=tables, data=st.data())
@settings(max_examples=40)
def test_a_stable_regime_stays_when_images_are_added(
    name: str, available: NDArray[np.bool_], data: st.DataObject
) -> None:
    keys, tasks = _names(available)
    some = sorted(data.draw(st.sets(st.integers(0, len(keys) - 1), min_size=1)))
    regime = _regime(name, len(tasks), stable=True)
    whole = regime.assign(keys, tasks, available, seed=3)
    part = regime.assign([keys[i] for i in some], tasks, available[some], seed=3)
    np.testing.assert_array_equal(part, whole[some])


@pytest.mark.parametrize("name", STABLE)
def test_a_regime_that_is_not_stable_changes_when_images_are_added(name: str) -> None:
    available = np.ones((60, 3), np.bool_)
    keys, tasks = _names(available)
    regime = _regime(name, 3)
    whole = regime.assign(keys, tasks, available, seed=3)
    assert (regime.assign(keys[:50], tasks, available[:50], seed=3) != whole[:50]).any()


@every_regime
def test_inputs_stay_as_they_are(name: str) -> None:
    available = np.eye(4, 3, dtype=np.bool_)
    before = available.copy()
    _regime(name, 3).assign(*_names(available), available, seed=0)
    np.testing.assert_array_equal(available, before)


@every_regime
def test_an_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="`ratoi` is no option of the regime"):
        REGIMES[name](ratoi=1)


def test_full_is_stable_as_it_is() -> None:
    with pytest.raises(UsageError, match="`stable` is no option of the regime `full`"):
        REGIMES["full"](stable=True)


@every_form
def test_the_seed_matters(name: str, stable: bool) -> None:
    available = np.ones((40, 3), np.bool_)
    regime, names = _regime(name, 3, stable=stable), _names(available)
    first, other = (regime.assign(*names, available, seed=seed) for seed in (0, 1))
    assert (first != other).any() == (name != "full")


@every_form
def test_assignments_stay_as_they_are_from_version_to_version(name: str, stable: bool) -> None:
    available = np.ones((10, 3), np.bool_)
    labels = _regime(name, 3, stable=stable).assign(*_names(available), available, seed=0)
    found = " ".join("".join(str(int(x)) for x in row) for row in labels)
    assert found == PINNED[name, stable]


@given(available=st.integers(1, 3).flatmap(lambda t: arrays(np.bool_, (6, t))))
@settings(max_examples=100)
def test_one_is_as_even_as_any_assignment(available: NDArray[np.bool_]) -> None:
    labels = REGIMES["one"]().assign(*_names(available), available, seed=0)
    has = available.any(1)
    assert (labels.sum(1) == has).all()
    choices = [np.flatnonzero(row).tolist() for row in available[has]]
    loads = [np.bincount(c, minlength=available.shape[1]) for c in product(*choices) if c]
    if loads:
        mine = labels.sum(0)
        assert (mine**2).sum() == min((load**2).sum() for load in loads)
        assert mine.max() == min(load.max() for load in loads)
        assert mine.min() == max(load.min() for load in loads)


def test_one_moves_earlier_images_where_that_evens_the_counts() -> None:
    available = np.zeros((60, 3), np.bool_)
    available[:20] = True  # the only ones with depth or normals
    available[20:, 0] = True
    assert REGIMES["one"]().assign(*_names(available), available, seed=0).sum(0).tolist() == [
        40,
        10,
        10,
    ]


def test_one_spreads_scarce_images_over_the_other_tasks() -> None:
    """As in the assignments released for PASCAL: parts first, what is left equally to the rest."""
    rng = np.random.default_rng(0)
    available = np.ones((500, 5), np.bool_)
    available[:, 3] = rng.random(500) < 0.343
    people = np.zeros(5)
    for seed in range(8):
        labels = REGIMES["one"]().assign(*_names(available), available, seed=seed)
        assert labels.sum(0).tolist() == [100] * 5
        people += labels[available[:, 3]].sum(0)
    others = people[[0, 1, 2, 4]]
    # Were one task tied to images without people, its share would be far from the mean.
    assert np.abs(others - others.mean()).max() < 0.25 * others.mean()


def test_published_counts() -> None:
    keys, tasks = [f"{i:04d}" for i in range(1, 796)], TASKS[:3]
    available = np.ones((795, 3), np.bool_)
    one = draw("one", keys, tasks, available)
    assert one.counts == {"semantic": 265, "depth": 265, "normals": 265}
    assert one.images_with == {1: 795}
    random = draw("random", keys, tasks, available)
    assert set(random.images_with) == {1, 2}
    assert abs(random.images_with[1] - random.images_with[2]) <= 1
    patterns = Counter(map(tuple, random.labels.tolist()))
    assert len(patterns) == 6
    assert max(patterns.values()) - min(patterns.values()) <= 1
    two = draw("one", keys, TASKS[:2], available[:, :2])
    assert sorted(two.counts.values()) == [397, 398]


@given(available=tables)
@settings(max_examples=60)
def test_random_shows_at_least_one_label_and_never_all(available: NDArray[np.bool_]) -> None:
    labels = REGIMES["random"]().assign(*_names(available), available, seed=0)
    there, shown = available.sum(1), labels.sum(1)
    assert (shown[there > 0] >= 1).all()
    assert (shown[there > 1] < there[there > 1]).all()


def test_random_draws_numbers_uniformly_where_availability_varies() -> None:
    available = np.ones((1000, 5), np.bool_)
    available[300:, 3] = False
    labels = REGIMES["random"]().assign(*_names(available), available, seed=1)
    assert Counter(labels[:300].sum(1).tolist()) == {1: 75, 2: 75, 3: 75, 4: 75}
    assert set(Counter(labels[300:].sum(1).tolist()).values()) <= {233, 234}


@every_regime
def test_a_task_without_any_label_is_named(name: str) -> None:
    available = np.ones((9, 2), np.bool_)
    available[:, 1] = False
    options = _regime(name, 2).parameters
    with pytest.raises(DataError, match=r"the regime `\w+` gives the task `depth` no label"):
        draw(name, *_names(available), available, **options)


def test_too_few_images_for_the_tasks() -> None:
    with pytest.raises(DataError, match="no label: found one on 2 of 2 images"):
        draw("one", *_names(np.ones((2, 3), np.bool_)), np.ones((2, 3), np.bool_))


def test_an_unknown_regime_and_equal_keys() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean `random`"):
        draw("randon", ["a"], ["depth"], np.ones((1, 1), np.bool_))
    with pytest.raises(DataError, match="found `a` twice"):
        draw("one", ["a", "b", "a"], ["depth"], np.ones((3, 1), np.bool_))


def test_what_is_drawn_says_where_it_is_from() -> None:
    table = draw("one", ["a", "b"], ["depth"], np.ones((2, 1), np.bool_), seed=7)
    assert (table.kind, table.seed, table.parameters) == ("one", 7, {})


@pytest.mark.parametrize("wrong", [lambda m: m[:3], lambda m: ~m], ids=["fewer", "others"])
def test_a_regime_that_chooses_what_is_not_there_is_named(wrong: Any) -> None:
    full: Any = REGIMES["full"]

    class Own(full):  # type: ignore[misc]
        name = "own"

        def choose(self, keys: Any, tasks: Any, available: Any, *, seed: int) -> Any:
            return wrong(available)

    available = np.array([[True, False]] * 5)
    with pytest.raises(DataError, match=r"regime `own` should choose.*booleans \[5, 2\]"):
        Own().assign([*"abcde"], ["depth", "semantic"], available, seed=0)


class Beyond(Regime):
    """Chooses a column that is not there."""

    name = "beyond"
    summary = "a column that is not there"

    def choose(
        self, keys: Any, tasks: Any, available: NDArray[np.bool_], *, seed: int
    ) -> NDArray[np.bool_]:
        return available

    def choose_alone(self, key: str, tasks: Any, has: Any, *, seed: int) -> list[int]:
        return [5]


def test_columns_that_are_not_there_are_refused() -> None:
    keys, tasks = _names(available := np.ones((3, 2), np.bool_))
    with pytest.raises(
        DataError, match=r"`beyond` should choose among the columns.*\[0, 1\]; foun"
    ):
        Beyond(stable=True).assign(keys, tasks, available, seed=0)
