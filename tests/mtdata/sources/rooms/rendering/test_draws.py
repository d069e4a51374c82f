"""Draws are the same everywhere, and fair enough."""

from collections import Counter

from mtdata.sources.rooms.rendering.draws import Draws


def test_pinned_draws() -> None:
    draws = Draws("rooms", 0, "train")
    assert [draws.integer(1000) for _ in range(6)] == [940, 520, 821, 761, 71, 654]
    assert [draws.between(-1.0, 3.0) for _ in range(4)] == [
        2.3251953125,
        2.8837890625,
        1.4931640625,
        1.033203125,
    ]


def test_streams_depend_on_all_their_names() -> None:
    streams = [Draws("a", 1), Draws("a", 1), Draws("a", 2), Draws("b", 1)]
    first, again, *others = [[s.integer(1 << 30) for _ in range(3)] for s in streams]
    assert first == again
    assert first not in others


def test_a_stream_goes_on_after_its_first_block() -> None:
    draws = Draws("long")
    values = [draws.integer(1 << 32) for _ in range(5000)]
    assert len(set(values)) > 4990


def test_draws_cover_their_ranges() -> None:
    draws = Draws("ranges")
    counts = Counter(draws.integer(5) for _ in range(5000))
    assert sorted(counts) == [0, 1, 2, 3, 4]
    assert min(counts.values()) > 850
    numbers = [draws.between(2.0, 3.0) for _ in range(2000)]
    assert 2.0 <= min(numbers) < 2.01
    assert 2.99 < max(numbers) <= 3.0
    assert 0.22 < sum(draws.chance(0.25) for _ in range(4000)) / 4000 < 0.28


def test_extremes_of_chance() -> None:
    draws = Draws("chance")
    assert not any(draws.chance(0.0) for _ in range(500))
    assert all(draws.chance(1.0) for _ in range(500))


def test_shuffled_keeps_everything() -> None:
    draws = Draws("shuffle")
    orders = {tuple(draws.shuffled("abc")) for _ in range(200)}
    assert len(orders) == 6
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)


def test_turns_are_unit() -> None:
    draws = Draws("turn")
    for _ in range(100):
        cosine, sine = draws.turn(0.5)
        assert abs(cosine**2 + sine**2 - 1) < 1e-15
        assert abs(sine) <= 0.8 + 1e-15  # tan(a / 2) = 0.5 is sin(a) = 0.8
