"""Pictures of labels, and sheets of them."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from mtdata.errors import PictureWarning, UsageError
from mtdata.inspecting import figures
from mtdata.inspecting.figures import _note_letters, save
from mtdata.inspecting.pictures import (
    HATCH,
    HIDDEN,
    MISSING,
    Swatch,
    absent_panel,
    blank,
    hatched,
    labelled_panel,
    render,
    sheet,
    swatches,
    title,
)
from mtdata.tasks.facts import SEMANTIC13
from mtdata.tasks.kinds import Binary, Classes, Depth, Normals
from mtdata.tasks.task import Task
from tests.stores.fakes import TASKS, random_label

SIZE = (12, 16)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_void_is_hatched_and_nothing_else_is(task: Task) -> None:
    label, valid = random_label(task.kind, SIZE, np.random.default_rng(0))
    picture = render(task, label, valid)
    assert picture.shape == (*SIZE, 3)
    assert picture.dtype == np.uint8
    assert (picture[~valid] == hatched(*SIZE)[~valid]).all()
    assert not (picture[valid] == hatched(*SIZE)[valid]).all(-1).any()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_what_void_hides_does_not_show(task: Task) -> None:
    label, valid = random_label(task.kind, SIZE, np.random.default_rng(1))
    other = label.copy()
    other[~valid] = 99
    assert (render(task, label, valid) == render(task, other, valid)).all()


def test_classes_take_their_colours() -> None:
    label = np.arange(12, dtype=np.uint8).reshape(3, 4)
    picture = render(Task("semantic", SEMANTIC13), label)
    assert (picture.reshape(-1, 3) == SEMANTIC13.palette[:12]).all()


@pytest.mark.parametrize(("unit", "near"), [("m", 1.0), ("1/m", 9.0)])
def test_near_is_bright(unit: str, near: float) -> None:
    label = np.array([[1.0, 5.0, 9.0]], np.float32)
    picture = render(Task("depth", Depth(unit=unit)), label, limits=(1.0, 9.0))
    brightness = dict(zip(label[0].tolist(), picture[0].sum(-1).tolist(), strict=True))
    assert max(brightness, key=brightness.__getitem__) == near


def test_limits_make_depths_comparable() -> None:
    task = Task("depth", Depth())
    low, high = np.full(SIZE, 2.0, np.float32), np.full(SIZE, 4.0, np.float32)
    same = render(task, low, limits=(0.0, 10.0)) == render(task, high, limits=(0.0, 10.0))
    assert not same.all(-1).any()


def test_normals_and_binary() -> None:
    up = np.zeros((2, 2, 3), np.float32)
    up[..., 1] = 1
    assert (render(Task("normals", Normals()), up) == (128, 255, 128)).all()
    binary = render(Task("edges", Binary()), np.array([[0, 1]], np.uint8))
    assert binary.tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_depth_without_a_valid_pixel() -> None:
    nothing = np.zeros(SIZE, bool)
    task = Task("depth", Depth())
    assert (render(task, np.zeros(SIZE), nothing) == hatched(*SIZE)).all()
    assert title(task, np.zeros(SIZE), nothing) == "depth  0 to 1 metres, 0 is bright"


def test_swatches_are_of_the_classes_that_occur() -> None:
    task = Task("semantic", SEMANTIC13)
    found = swatches(task, [np.array([4, 11]), np.array([4, 0])])
    assert [entry.name for entry in found] == ["bed", "floor", "wall"]
    assert swatches(Task("depth", Depth()), [np.ones(3)]) == []


def test_a_sheet_shows_its_panels_and_legend(tmp_path: Path) -> None:
    red = np.zeros((30, 40, 3), np.uint8)
    red[..., 0] = 255
    kind = SEMANTIC13
    assert isinstance(kind, Classes)
    rows = [[("first", red), ("second", blank(30, 40))], [("third", red)]]
    entries = swatches(Task("semantic", kind), [np.arange(13)])
    figure = sheet(rows, legend=entries)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*kind.names]
    assert [axes.get_title() for axes in figure.axes] == ["first", "second", "third"]
    save(figure, tmp_path / "new" / "sheet.png")
    pixels = matplotlib.image.imread(tmp_path / "new" / "sheet.png")[..., :3]
    assert ((pixels == (1, 0, 0)).all(-1)).mean() > 0.2


@pytest.mark.parametrize("letters", [1, 20, 32, 90])
def test_a_legend_is_as_wide_as_its_picture(letters: int) -> None:
    names = [f"{'Wardrobe with a mirror ' * 9}"[: letters - 1] + chr(65 + i) for i in range(20)]
    figure = sheet([[("", blank(30, 40))] * 2], legend=[Swatch(name, (9, 9, 9)) for name in names])
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box, whole = legend.get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0 < box.x1 <= whole.x1
    assert whole.y0 <= box.y0 < box.y1 <= whole.y1
    told = [text.get_text() for text in legend.get_texts()]
    assert len({*told}) == 20
    assert told == names or all("…" in one for one in told)


@pytest.mark.parametrize("wanted", [[5], [7], [6, 5], [7, 6]])
def test_the_rows_of_a_legend_are_alike(wanted: list[int]) -> None:
    entries = swatches(Task("semantic", SEMANTIC13), [np.arange(sum(wanted))])
    figure = sheet([[("", blank(30, 40))] * 3], legend=entries)
    figure.draw_without_rendering()
    heights = [round(patch.get_window_extent().y0) for patch in figure.legends[0].get_patches()]
    assert [heights.count(height) for height in sorted(set(heights), reverse=True)] == wanted


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_legend_has_void_where_some_panel_has(task: Task) -> None:
    label, valid = random_label(task.kind, SIZE, np.random.default_rng(2))
    everywhere = np.ones(SIZE, bool)
    whole, part = (labelled_panel(task, label, v) for v in (everywhere, valid))
    assert (whole.void, part.void) == (False, True)
    assert (part.picture == render(task, label, valid)).all()
    assert part.title == task.name
    assert (part.bar is not None) == isinstance(task.kind, Depth)
    entries = swatches(task, [label])
    names = [entry.name for entry in entries]
    for panels, more in (([whole], []), ([whole, part], ["void"])):
        legends = sheet([panels], legend=entries).legends
        told = [text.get_text() for legend in legends for text in legend.get_texts()]
        assert told == [*names, *more]


def test_hidden_and_missing_are_striped_apart() -> None:
    """Three things that are no label differ in colour, in direction and in the legend."""
    panels = [absent_panel("depth", 24, 36, why) for why in (HIDDEN, MISSING)]
    assert [panel.note for panel in panels] == ["hidden", "no label"]
    colours = [{tuple(c) for c in p.picture.reshape(-1, 3).tolist()} for p in panels]
    colours.append({tuple(c) for c in hatched(24, 36).reshape(-1, 3).tolist()})
    assert [len(each) for each in colours] == [2, 2, 2]
    assert len(set.union(*colours)) == 6
    one, other = (panel.picture for panel in panels)
    # A step down and to the left stays on a stripe of the one, down and to the right of the other.
    assert (one[1:, :-1] == one[:-1, 1:]).all()
    assert (other[1:, 1:] == other[:-1, :-1]).all()
    assert not (other[1:, :-1] == other[:-1, 1:]).all()
    legend = sheet([panels]).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [HIDDEN, MISSING]
    assert [handle.get_hatch()[0] for handle in legend.get_patches()] == ["/", "\\"]
    assert not sheet([[("image", one)]]).legends


def test_paths_that_cannot_be_drawn_to(tmp_path: Path) -> None:
    figure = sheet([[("a", blank(4, 4))]])
    with pytest.raises(UsageError, match=r"end in a format .* found \.xyz"):
        save(figure, tmp_path / "a.xyz")
    with pytest.raises(UsageError, match="no suffix"):
        save(figure, tmp_path / "a")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="should be writable"):
        save(figure, tmp_path / "file" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError, match="should be writable"):
        save(figure, tmp_path / "folder.png")


def test_a_dollar_is_one_of_a_name_and_no_mathematics(tmp_path: Path) -> None:
    names = ("a$b_0^$", "$x", "$ $")
    figure = sheet([[(name, blank(4, 4)) for name in names]], legend=[Swatch("^{$ $", (1, 2, 3))])
    axes = figure.axes[0]
    axes.set_axis_on()
    axes.set_xticks((0, 1), ("$^$", "$b"))
    axes.set_ylim(1, 1000)
    axes.set_yscale("log")
    save(figure, tmp_path / "a.png")
    written = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    assert all(
        text.get_parse_math() == text.get_text().startswith(r"$\mathdefault{10")
        for text in written
        if "$" in text.get_text()
    )
    assert any(text.get_text().startswith(r"$\mathdefault{10") for text in written)


def test_letters_that_a_font_lacks_are_one_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _note_letters.cache_clear()
    first, second = (sheet([[("\ue000 a\ue001", blank(4, 4))]]) for _ in range(2))
    with pytest.warns(PictureWarning, match="Install a font"):
        save(first, tmp_path / "first.png")
    save(second, tmp_path / "second.png")  # warnings are errors
    _note_letters.cache_clear()
    monkeypatch.setattr(figures, "FALLBACKS", ("No Such Font", "STIXGeneral"))
    save(sheet([[("\u20dd", blank(4, 4))]]), tmp_path / "there.png")


def test_a_full_disk_leaves_a_picture_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(figure: Figure, file: Path, **options: object) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    figure = sheet([[("a", blank(4, 4))]])
    save(figure, tmp_path / "there.png")
    before = (tmp_path / "there.png").read_bytes()
    monkeypatch.setattr(Figure, "savefig", full)
    for name in ("there", "new"):
        with pytest.raises(UsageError, match=rf"{name}.png` should be writable.*No space left"):
            save(figure, tmp_path / f"{name}.png")
    assert [file.name for file in tmp_path.iterdir()] == ["there.png"]
    assert (tmp_path / "there.png").read_bytes() == before


def test_hatching_has_both_greys() -> None:
    assert {tuple(c) for c in hatched(8, 8).reshape(-1, 3).tolist()} == set(HATCH)
