"""Draw the pictures of `docs/architecture.md` from the code: `python -m docs.draw [FOLDER]`.

A tiny build and a tiny training are run and watched. The chosen steps are drawn in the order of
their first call, each under the step that called it; one that is called no more is an error. Levels
are those that import-linter keeps, arrows the imports that there are.
"""

import ast
import io
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from html import escape
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).absolute().parents[1]
COLOURS = {"cli": "#8a8a8a", "mtmodels": "#c8641e", "mtdata": "#1f6fb2"}
ASIDE = "mtmodels/training/loop/engine.py:Engine._try"
"""What is called below it looks at something once, and is no part of the step that is drawn."""
WIDTH, ROW, INDENT, TOP = 800, 44, 16, 62

BUILD = "mtdata build --dataset rooms --images 8,2 --tasks semantic,depth --regime one --jobs 1"
BUILD_STEPS: Mapping[str, str] = {
    "cli/shared/common.py:run": "an error becomes an exit code here",
    "cli/mtdata/build.py:build": "",
    "mtdata/sources/locate.py:open_source": "",
    "mtdata/building/build.py:build": "",
    "mtdata/building/request.py:make_request": "",
    "mtdata/building/journal.py:Journal.__init__": "a build resumes here",
    "mtdata/building/sampling.py:fill": "",
    "mtdata/building/workers.py:Workers.map": "",
    "mtdata/building/sampling.py:work": "",
    "mtdata/building/prepare.py:prepare": "",
    "mtdata/sources/rooms/source.py:Rooms.read": "a new source goes here",
    "mtdata/building/prepare.py:cell": "",
    "mtdata/building/journal.py:Journal.append": "",
    "mtdata/building/assemble.py:draw_all": "",
    "mtdata/regimes/drawing.py:draw": "",
    "mtdata/regimes/one.py:One.choose": "a new regime goes here",
    "mtdata/building/assemble.py:assemble": "",
    "mtdata/atomic.py:replacing": "",
    "mtdata/store/writer.py:write_store": "",
    "mtdata/building/journal.py:Journal.read": "",
    "mtdata/store/regime.py:write_regime": "",
    "mtdata/building/journal.py:Journal.remove": "",
}
"""Which functions are drawn, and what a reader may be looking for at each."""

TRAIN = "mttrain --method ssl --network unet --regime one --epochs 1"
TRAIN_STEPS: Mapping[str, str] = {
    "cli/shared/common.py:run": "an error becomes an exit code here",
    "cli/mttrain/__init__.py:mttrain": "",
    "mtmodels/training/run.py:prepare": "",
    "mtmodels/training/setup/resolve.py:resolve": "",
    "mtmodels/training/setup/data.py:open_data": "",
    "mtdata/reading/shown.py:make_dataset": "",
    "mtdata/store/split.py:Split.visible": "the regime says what is hidden",
    "mtmodels/training/run.py:train": "",
    "mtmodels/training/run.py:fit": "a run resumes here",
    "mtmodels/training/setup/setup.py:assemble": "",
    "mtmodels/training/setup/making.py:make_method": "",
    "mtmodels/training/loop/trainer.py:Trainer.fit": "",
    "mtdata/reading/loader.py:Loader.epoch": "",
    "mtdata/reading/dataset.py:Dataset.read": "a hidden label is hidden here",
    "mtdata/reading/augment.py:sample_rng": "",
    "mtdata/store/split.py:Split.fetch": "",
    "mtdata/reading/augment.py:Augmentation.from_stored": "",
    "mtdata/reading/batch.py:collate": "",
    "mtmodels/training/loop/engine.py:Engine.step": "",
    "mtmodels/training/loop/viewing.py:ViewMaker.__call__": "",
    "mtmodels/methods/ssl.py:SSL.forward": "a new method goes here",
    "mtmodels/methods/views.py:Views.predict": "",
    "mtmodels/networks/unet.py:UNet.forward": "a new network goes here",
    "mtmodels/methods/parts/crop_consistency.py:crop_terms": "",
    "mtmodels/methods/parts/supervision.py:Supervision.terms": "",
    "mtmodels/methods/parts/supervision.py:Supervision.loss": "no label, no loss",
    "mtmodels/losses/classes.py:cross_entropy": "",
    "mtmodels/losses/pixel.py:masked_label": "",
    "mtmodels/losses/pixel.py:masked": "a loss is masked here",
    "mtmodels/weightings/total.py:TotalWeighting.backward": "",
    "mtmodels/weightings/fixed.py:Equal.scale": "a new weighting goes here",
    "mtmodels/training/loop/trainer.py:Trainer.save": "",
    "mtmodels/training/finish.py:finish": "",
    "mtmodels/scoring/evaluate.py:evaluate_under": "",
    "mtmodels/metrics/classes.py:PooledClasses.update": "a new metric goes here",
}


def main() -> None:
    """Draw all pictures into a folder, `docs/images` unless another is given."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    with tempfile.TemporaryDirectory() as place:
        store = f"{place}/rooms.h5"
        built = traced(f"{BUILD} --size 32x64 --out {store}", BUILD_STEPS)
        small = f"--width 0.125 --batch 8 --workers 0 --data {store} --out {place}/run"
        trained = traced(f"{TRAIN} {small}", TRAIN_STEPS)
    pictures = {
        "flow-build": flow("How a build flows", BUILD, BUILD_STEPS, built),
        "flow-train": flow("How a training step flows", TRAIN, TRAIN_STEPS, trained),
        "rooms-of-code": rooms(),
    }
    for name, picture in pictures.items():
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")


def traced(command: str, steps: Iterable[str]) -> dict[str, str | None]:
    """Run a command and watch it: each step with its caller, in the order of their first calls.

    Raises:
        RuntimeError: where the command fails.
        LookupError: where a step was not called.
    """
    from cli.mtdata import mtdata
    from cli.mttrain import mttrain
    from cli.shared.common import run

    name, *arguments = command.split()
    wanted, found, here = set(steps), dict[str, str | None](), f"{ROOT}/"

    def watch(frame: FrameType, *_: Any) -> None:
        if frame.f_code.co_filename.startswith(here) and (step := _step(frame)) not in found:
            if step not in wanted:
                return
            above = frame.f_back
            while above is not None and _step(above) not in found:
                if _step(above) == ASIDE:
                    return
                above = above.f_back
            found[step] = None if above is None else _step(above)

    said, before = io.StringIO(), sys.gettrace()
    with redirect_stderr(said), redirect_stdout(said):
        sys.settrace(watch)
        try:
            code = run({"mtdata": mtdata, "mttrain": mttrain}[name], arguments)
        finally:
            sys.settrace(before)
    if code:
        raise RuntimeError(said.getvalue())
    if missing := [step for step in wanted if step not in found]:
        raise LookupError(f"these steps are called no more: {', '.join(sorted(missing))}")

    def below(caller: str | None) -> Iterator[str]:
        for step in [step for step, above in found.items() if above == caller]:
            yield step
            yield from below(step)

    return {step: found[step] for step in below(None)}


def _step(frame: FrameType) -> str:
    """A function by the file it is in: `mtdata/store/split.py:Split.read`."""
    code = frame.f_code
    return f"{code.co_filename.removeprefix(f'{ROOT}/')}:{code.co_qualname}"


def purpose(step: str) -> str:
    """The first line of the docstring of a function; of its class, for a constructor.

    Raises:
        LookupError: where there is no such function.
    """
    path, _, name = step.partition(":")
    node: ast.AST = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for part in name.removesuffix(".__init__").split(".") if name else ():
        inner: Iterable[Any] = getattr(node, "body", ())
        named = [n for n in inner if getattr(n, "name", None) == part]
        if not named:
            raise LookupError(f"{path} has no `{name}`")
        node = named[-1]
    assert isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    return (ast.get_docstring(node) or "").partition("\n")[0]


def flow(
    title: str, command: str, notes: Mapping[str, str], callers: Mapping[str, str | None]
) -> str:
    """Steps from top to bottom, each further right than the step that called it."""
    depths, parts = dict[str, int](), list[str]()
    places = {step: TOP + i * ROW for i, step in enumerate(callers)}
    for step, caller in callers.items():
        depths[step] = 0 if caller is None else depths[caller] + 1
        x, y = 12 + depths[step] * INDENT, places[step]
        path, _, name = step.partition(":")
        colour, short = COLOURS[path.partition("/")[0]], name.removesuffix(".__init__")
        if caller is not None:
            start, middle = places[caller] + ROW - 6, y + (ROW - 6) / 2
            parts.append(f'<path d="M{x - 11} {start}V{middle}H{x}" fill="none" stroke="#999"/>')
        parts += [
            f'<rect x="{x}" y="{y}" width="{WIDTH - x - 12}" height="{ROW - 6}" rx="4" '
            f'fill="{colour}" fill-opacity="0.09" stroke="{colour}"/>',
            _text(x + 9, y + 16, short, "name", fill=colour),
            _text(x + 17 + 8 * len(short), y + 16, path, "path"),
            _text(x + 9, y + 32, purpose(step), "text"),
            _text(WIDTH - 20, y + 16, notes[step], "note", anchor="end") if notes[step] else "",
        ]
    head = [_text(12, 24, title, "title"), _text(12, 46, f"$ {command}", "path")]
    return _svg(WIDTH, TOP + len(callers) * ROW + 8, [*head, *parts])


def levels() -> list[list[str]]:
    """The rooms of the code, highest level first, as import-linter keeps them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    kept = {c["name"]: c["layers"] for c in contracts["tool"]["importlinter"]["contracts"]}
    found = list[list[str]]()
    for package in kept["packages"]:
        found.append([package])
        for level in kept.get(f"levels of {package}", ()):
            found.append([f"{package}.{room.strip()}" for room in level.split("|")])
    return found


def arrows(names: Sequence[str]) -> set[tuple[str, str]]:
    """Which room imports which."""
    from grimp import build_graph

    graph = build_graph("cli", "mtmodels", "mtdata", cache_dir=None)

    def room(module: str) -> str:
        return next(n for n in reversed(names) if f"{module}.".startswith(f"{n}."))

    ends = [(m, n) for m in graph.modules for n in graph.find_modules_directly_imported_by(m)]
    return {(room(m), room(n)) for m, n in ends if room(m) != room(n)}


def rooms() -> str:
    """A row a room, by level; a mark for each room that it imports, hollow where that is above."""
    rows, found = levels(), list[str]()
    names = [name for level in rows for name in level]
    there, left, top, size = arrows(names), 120, 150, 21
    for i, name in enumerate(names):
        package, _, short = name.partition(".")
        x, y, colour = left + i * size, top + i * size, COLOURS[package]
        square = f'width="{size}" height="{size}" fill="{colour}" fill-opacity="0.35"'
        head = _text(0, 0, short or name, "name", fill=colour)
        found += [
            f'<rect x="{x}" y="{y}" {square}/>',
            _text(28 if short else 12, y + 15, short or name, "name", fill=colour),
            f'<g transform="translate({x + 15} {top - 6}) rotate(-60)">{head}</g>',
        ]
        for j, other in enumerate(names):
            if (name, other) in there:
                fill = colour if j > i else "none"
                place = f'cx="{left + j * size + size / 2}" cy="{y + size / 2}" r="5"'
                found.append(f'<circle {place} stroke="{colour}" fill="{fill}"/>')
    end, y = left + len(names) * size, top
    for level in rows:
        found.append(f'<path d="M12 {y}H{end}" stroke="#bbb"/>')
        y += size * len(level)
    told = f"{len(names)} rooms on {len(rows)} levels, {len(there)} arrows"
    found += [_text(12, 24, "Which room imports which", "title"), _text(12, 46, told, "path")]
    return _svg(end + 60, y + 12, found)


def _text(x: float, y: float, text: str, kind: str, *, fill: str = "", anchor: str = "") -> str:
    more = (f' fill="{fill}"' if fill else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x}" y="{y}" class="{kind}"{more}>{escape(text)}</text>'


def _svg(width: int, height: int, parts: Iterable[str]) -> str:
    style = (
        "text{font:12px DejaVu Sans,Verdana,sans-serif}.text{fill:#333}.title{font-size:18px}"
        ".name,.path{font-family:DejaVu Sans Mono,Menlo,Consolas,monospace}.path{fill:#666}"
        ".name,.note{font-weight:bold}.note{fill:#b00020}"
    )
    size = f'width="{width}" height="{height}"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size}>'
    back = f'<rect {size} fill="#fff"/>'
    return "\n".join([start, f"<style>{style}</style>", back, *filter(None, parts), "</svg>\n"])


if __name__ == "__main__":
    main()
