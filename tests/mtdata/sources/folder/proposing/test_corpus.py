"""`mtdata init`, then `mtdata build`, on folders as people have them: read right, or asked about.

`python -m tests.mtdata.sources.folder.proposing.test_corpus` prints the figure of the docs.
"""

import re
import tempfile
from pathlib import Path

import click
import numpy as np
import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.store import open_store
from tests.corpus.layouts import LAYOUTS, renamed
from tests.corpus.making import Layout
from tests.paths import ROOT

PAGE = ROOT / "docs" / "sources" / "folder.md"


def outcome(layout: Layout, root: Path) -> str:
    """`right`, `asked` where nothing is proposed and it is told why, else what is wrong."""
    layout.write(root / "mine")
    if layout.name == "Unicode":
        for old, new in renamed().items():
            (root / "mine" / old).rename(root / "mine" / new)
    code = run(mtdata, ["init", str(root / "mine")])
    file = root / "mine" / "tasks.yaml"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    used = re.sub(r"#.*", "", text)
    for part in layout.asked:
        if part in re.sub(r"images:.*", "", used):
            return f"{part} should be left out"
        if text and "# left out" not in text:
            return f"{part} should be explained"
    if not layout.tasks:
        return "asked" if code == 3 else f"nothing should be proposed; exit code {code}:\n{text}"
    if code != 0:
        return f"init ended with {code}"
    out = root / "out.h5"
    code = run(mtdata, ["build", "--dataset", "folder", "--source", str(root / "mine"), "--jobs",
                        "1", "--out", str(out)])  # fmt: skip
    return _compare(layout, out) or "right" if code == 0 else f"build ended with {code}:\n{text}"


def _compare(layout: Layout, out: Path) -> str:
    with open_store(out) as store:
        kinds = {task.name: task.kind.name for task in store.tasks}
        if kinds != layout.tasks:
            return f"tasks are {kinds}"
        counts = {name: len(split.keys) for name, split in store.splits.items()}
        wanted = len(layout.keys) if layout.images is None else layout.images
        if sum(counts.values()) != wanted or layout.splits not in (None, counts):
            return f"images are {counts}"
        for task in store.tasks:
            names = layout.classes.get(task.name)
            if names is not None and list(task.kind.names) != list(names):  # type: ignore[attr-defined]
                return f"classes are {task.kind}"
        split = next(iter(store.splits.values()))
        for name, make in layout.values.items():
            key = split.keys[0]
            number = next(n for n, k in enumerate(layout.keys) if k.replace("/", "_") == key)
            sample = split.read(0, [name])
            valid = sample.valid[name]
            read = sample.labels[name].astype(np.float64)
            label = np.where(valid if read.ndim == 2 else valid[..., None], read, -1)
            if not np.allclose(label, make(number), rtol=1e-3, atol=2e-3):
                return f"{name} of {key} is not what the file means"
    return ""


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name.replace(" ", "-"))
def test_read_right_or_asked_about(layout: Layout, tmp_path: Path) -> None:
    assert outcome(layout, tmp_path) == ("right" if layout.tasks else "asked")


def figure() -> str:
    """The sentence of the docs, by what the layouts state, which the test above asserts."""
    right = sum(bool(layout.tasks) for layout in LAYOUTS)
    return (
        f"Of {len(LAYOUTS)} folders in layouts that people use, {right} are read right, "
        f"{len(LAYOUTS) - right} are asked about, and none is read wrong"
    )


def test_the_figure_of_the_docs() -> None:
    assert len(LAYOUTS) >= 60
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)
    assert figure() in " ".join(PAGE.read_text(encoding="utf-8").split())


if __name__ == "__main__":
    bad = []
    for each in LAYOUTS:
        with tempfile.TemporaryDirectory() as folder:
            found = outcome(each, Path(folder))
        if found != ("right" if each.tasks else "asked"):
            bad.append(f"{each.name}: {found}")
    click.echo("\n".join(bad) or f"{figure()}.")
