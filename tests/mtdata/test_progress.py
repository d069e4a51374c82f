"""Telling about long work."""

from mtdata.progress import telling


def test_items_are_handed_on_and_counted() -> None:
    seen: list[tuple[int, int, str]] = []
    told = telling(lambda *what: seen.append(what), 3, "work")
    assert [told(item) for item in "abc"] == ["a", "b", "c"]
    assert seen == [(1, 3, "work"), (2, 3, "work"), (3, 3, "work")]
    assert telling(None, 1, "work")("a") == "a"
