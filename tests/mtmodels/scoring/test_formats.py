"""What tables look like: names, captions, labels, and LaTeX that compiles."""

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mtmodels.scoring.compare import Request, compare
from mtmodels.scoring.formats import csv_text, latex, markdown
from mtmodels.scoring.layout import NAMES, layouts
from tests.mtmodels.scoring.test_compare import only, run
from tests.mtmodels.scoring.test_intervals import parts, seeds
from tests.mtmodels.scoring.test_intervals import run as kept


def labels(runs: list[dict[str, Any]], request: Request | None = None) -> list[str]:
    return [line.label for line in layouts(only(compare(runs, request)))[0].lines]


def test_rows_are_called_by_what_differs() -> None:
    assert labels([run("a"), run("b", method="xtc")]) == ["sl", "xtc"]
    both = [run("a", regime="one"), run("b", regime="one", method="xtc"), run("c", method="xtc")]
    assert labels(both) == ["sl one", "xtc one", "xtc full"]
    assert labels([run("a", lr=0.1), run("b", lr=0.2)]) == ["lr 0.1", "lr 0.2"]
    assert labels([run("a"), run("b")]) == ["a", "b"]
    mixed = [run("a", lr=0.1), run("b", lr=0.2), run("c", lr=0.1, method="xtc")]
    assert labels(mixed) == ["sl lr 0.1", "sl lr 0.2", "xtc"]
    assert labels([run("a")]) == ["a"]
    alike = [run("a", lr=0.1), run("b", lr=0.1), run("c", lr=0.2), run("d", method="xtc", lr=0.1)]
    assert labels(alike) == ["sl (a)", "sl (b)", "sl lr 0.2", "xtc"]


def test_the_caption_has_what_all_rows_share() -> None:
    layout = layouts(only(compare([run("a"), run("b", method="xtc")])))[0]
    assert layout.caption == (
        "nyu, test split (role test), 654 images of 288x384, protocol xtasc. "
        "All rows: network unet-resnet18, weighting equal, regime full, seed 0."
    )
    assert layout.titles == (
        "", "mIoU ↑", "Pix. Acc. ↑", "Abs. Err., m ↓", "Rel. Err. ↓",
    )  # fmt: skip
    assert layout.groups == (("Semantic seg.", 2), ("Depth", 2))


def test_both_deltas_have_a_column(tmp_path: Path) -> None:
    base = seeds(tmp_path, "sl", 0.0)
    table = only(compare(seeds(tmp_path, "xtc", 0.1, method="xtc"), Request(base)))
    layout = layouts(table)[0]
    assert layout.titles[-2:] == ("Δ tasks, % ↑", "Δ metrics, % ↑")
    found = layout.lines[1]
    assert found.label == "xtc"
    assert all(cell.startswith("+5.00 ± ") for cell in found.cells[-2:])
    assert re.fullmatch(r"\[-?[0-9.]+, [0-9.]+\]", found.below[-1])
    assert found.below[0] == ""
    assert layouts(table, intervals=True)[0].lines[1].below[0].startswith("[")
    assert "against sl." in layout.notes[-2] or "against sl." in layout.notes[0]


def hard(folder: Path) -> list[str]:
    """LaTeX of tables with all that may stand in one."""
    name = "a_b & 50% #1 {x} ~ ^ \\\\ $5 <n>"
    a, b = kept(folder, "a", parts(1)), kept(folder, "b", parts(2), method=name, note=name)
    tables = compare([a, b], Request([a], paired=True))
    scored = run("d", protocol="common")
    scored["scores"] = {"depth": dict.fromkeys(NAMES, 1.0)}
    tables += compare([scored], Request())
    published = run("c", regime="one", protocol="mtpsl", origin={"normals": "given"})
    tables += compare([published], Request(published=True, anyway=True))
    return [latex(layout) for table in tables for layout in layouts(table, intervals=True)]


def test_latex_is_well_formed(tmp_path: Path) -> None:
    """As far as a parser of a page can tell: rows of one length, rules, nothing unescaped."""
    found = hard(tmp_path)
    assert len(found) == 4
    assert r"\textbf{" in found[0]
    assert r"$\uparrow$" in found[0]
    for one in found:
        for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
            assert rule in one
        begun = re.findall(r"\\begin\{(\w+)\}", one)
        assert sorted(begun) == sorted(re.findall(r"\\end\{(\w+)\}", one))
        columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", one)
        assert columns
        for line in one.splitlines():
            if line.endswith(r" \\"):
                spans = [int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line)]
                cells = len(re.findall(r"(?<!\\)&", line)) + 1 + sum(spans)
                assert cells == len(columns[1]), line
        body = one.split("\n", 1)[1]
        assert body.isascii(), set(filter(lambda c: not c.isascii(), body))
        bare = re.sub(r"\\[&%$#_{}]", "", body)
        assert bare.count("{") == bare.count("}")
        assert not re.search(r"[#~]|(?<!\\)%", bare)
        assert bare.count("$") % 2 == 0


@pytest.mark.skipif(
    not (shutil.which("pdflatex") or shutil.which("tectonic")), reason="needs a LaTeX"
)
def test_latex_compiles(tmp_path: Path) -> None:
    tables = "\n".join(hard(tmp_path))
    text = (
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}\begin{document}"
        f"\n{tables}\n" + r"\end{document}"
    )
    (tmp_path / "a.tex").write_text(text, encoding="utf-8")
    command = (
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "a.tex"]
        if shutil.which("pdflatex")
        else ["tectonic", "a.tex"]
    )
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "a.pdf").stat().st_size > 1000


def test_csv_has_all_digits_and_what_they_are_of(tmp_path: Path) -> None:
    a, b = kept(tmp_path, "a", parts(1)), kept(tmp_path, "b", parts(2), method="xtc")
    tables = compare([a, b, run("c", protocol="xtasc")], Request([a], paired=True))
    rows = list(csv.DictReader(io.StringIO(csv_text(tables))))
    assert [row["name"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["protocol"] == "mtpsl"
    assert rows[2]["protocol"] == "xtasc"
    assert float(rows[1]["depth.abs_err"]) == b["scores"]["depth"]["abs_err"]
    low, high = (float(rows[1][f"semantic.miou.{end}"]) for end in ("low", "high"))
    assert low < b["scores"]["semantic"]["miou"] < high
    assert 0 < float(rows[1]["paired.depth.abs_err.p"]) <= 1
    assert rows[2]["size"] == "288x384"


def test_a_test_has_a_table_of_its_own(tmp_path: Path) -> None:
    a, b = kept(tmp_path, "a", parts(1)), kept(tmp_path, "b", parts(2), method="xtc")
    table = only(compare([a, b], Request(paired=True)))
    main, tested = layouts(table)
    assert [line.label for line in main.lines] == ["sl", "xtc"]
    assert tested.caption == "xtc less a: one pair of runs (seed 0)."
    assert tested.titles == ("", "difference", "95 %", "p")
    text = markdown(tested)
    assert "Depth: Abs. Err. ↓ | " in text
    assert "by chance" in text
