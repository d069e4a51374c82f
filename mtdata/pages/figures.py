"""Figures as inline SVG: colours are those of the style sheet, so they follow light and dark."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

Number = float | int
Points = Sequence[tuple[Number, Number]]
WIDTH, HEIGHT = 460, 248
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 24, 40
MOST = 400
"""Points of a curve; neighbours of a longer one become their mean."""
COLOURS = 6
ENLARGED = 1.2
"""How much larger than drawn a matrix may be shown: one of few classes would fill the page."""
READABLE = 24
"""Classes up to which the cells of a matrix have their numbers in them."""


@dataclass(frozen=True)
class Scale:
    """Where the values of an axis are drawn.

    Args:
        low: The value at its beginning; its logarithm where the axis is logarithmic.
        high: That at its end.
        start: Where its beginning is drawn.
        end: Where its end is.
        log: Whether it is logarithmic.
        whole: Whether whole numbers alone have a tick.
        only: The one value there is, which alone has a tick; None where there are more.
    """

    low: Number
    high: Number
    start: Number
    end: Number
    log: bool = False
    whole: bool = False
    only: Number | None = None

    def at(self, value: Number) -> float:
        """Where a value is drawn."""
        return self._at(math.log10(value) if self.log else value)

    def marks(self) -> Iterator[tuple[float, str]]:
        """Where its ticks are drawn, and what they are called."""
        places = log_ticks(self.low, self.high) if self.log else self._ticks()
        return zip(map(self._at, places), tick_texts(places, log=self.log), strict=True)

    def _ticks(self) -> Sequence[Number]:
        if self.only is not None:
            return [self.only]
        return ticks(self.low, self.high, whole=self.whole)

    def _at(self, place: Number) -> float:
        return self.start + (place - self.low) / (self.high - self.low) * (self.end - self.start)


def lines(
    series: Mapping[str, Points],
    *,
    about: str,
    x: str,
    y: str = "",
    faint: Sequence[str] = (),
    limits: tuple[tuple[Number, Number], tuple[Number, Number]] | None = None,
    counted: bool = False,
    linear: bool = False,
    based: bool = False,
) -> Markup:
    """Draw curves over numbers; positive values over a wide range get a logarithmic axis.

    Args:
        series: Points by name; those that are not finite are left out.
        about: What a reader who does not see it is told.
        x: What is along.
        y: What is up.
        faint: Names that are drawn thin and faint.
        limits: From where to where, along and up; None for what the points need.
        counted: Whether what is along is counted: its axis has whole numbers alone.
        linear: Whether the axis of values is linear, however wide their range.
        based: Whether that is, and begins at 0: of shares, which are compared by their heights.
    """
    kept = {name: _finite(points) for name, points in series.items()}
    every = [point for points in kept.values() for point in points]
    if not every:
        return Markup('<p class="quiet">No values.</p>')
    xs, ys = zip(*every, strict=True)
    across, up = limits or (_range(xs), _range(ys))
    if based:
        up = 0.0, max(up[1], 0.0) or 1.0
    wide = limits is None and not (linear or based) and min(ys) > 0
    log = wide and max(ys) > 50 * min(ys)
    if log:
        up = math.log10(min(ys)), math.log10(max(ys))
    right, low = WIDTH - RIGHT, HEIGHT - BOTTOM
    along = Scale(*across, LEFT, right, whole=counted, only=None if limits else _only(xs))
    upwards = Scale(*up, low, TOP, log=log, only=None if limits or based else _only(ys))

    parts = []
    for height, shown in upwards.marks():
        ends = f'x1="{LEFT}" x2="{right}" y1="{height:.1f}" y2="{height:.1f}"'
        parts.append(f'<line class="grid" {ends}/>' + _text(LEFT - 5, height + 4, shown, "end"))
    parts += [_text(at, low + 15, shown, "middle") for at, shown in along.marks()]
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{low}" y2="{low}"/>')
    parts.append(_text((LEFT + right) / 2, HEIGHT - 6, x, "middle"))
    if y:
        parts.append(_text(2, 10, y, "start"))
    for number, (name, points) in enumerate(kept.items()):
        style = f"s{number % COLOURS}" + (" faint" if name in faint else "")
        drawn = [(f"{along.at(at):.1f}", f"{upwards.at(value):.1f}") for at, value in thin(points)]
        if len(drawn) == 1:
            cx, cy = drawn[0]
            parts.append(f'<circle class="{style} dot" cx="{cx}" cy="{cy}" r="3"/>')
        path = " ".join(map(",".join, drawn))
        parts.append(f'<polyline class="{style}" points="{path}"/>')
    return _figure(parts, about, height=HEIGHT) + legend(kept, faint)


def bars(names: Sequence[str], series: Mapping[str, Sequence[Number]], *, about: str) -> Markup:
    """Draw shares in percent as bars that lie, a row for each name."""
    names, thick = _cut(names, 20), 11
    step = thick * len(series) + 7
    most = max((v for values in series.values() for v in values), default=0) or 1
    left = 20 + 6.3 * max(map(len, names), default=1)
    parts = []
    for row, name in enumerate(names):
        top = 4 + row * step
        parts.append(_text(left - 6, top + (step - 7) / 2 + 4, name, "end"))
        for number, values in enumerate(series.values()):
            wide = max(values[row] / most * (WIDTH - left - 58), 0.5)
            at = top + number * thick
            parts.append(
                f'<rect class="s{number % COLOURS} bar" x="{left:.0f}" y="{at}" '
                f'width="{wide:.1f}" height="{thick - 2}"/>'
                + _text(left + wide + 5, at + thick - 2, percent(values[row]), "start")
            )
    return _figure(parts, about, height=8 + len(names) * step) + legend(series)


def spans(
    names: Sequence[str], values: Sequence[tuple[Number, Number | None, Number | None]], *, x: str
) -> Markup:
    """Draw values with their intervals, a row for each name, and where 0 is.

    Args:
        names: What is compared.
        values: Of each the value and the ends of its interval; None where it has none.
        x: What is along, and what a reader who does not see it is told.
    """
    names, step = _cut(names, 34), 20
    every = [0.0, *(end for one in values for end in one if end is not None)]
    left, right = 20 + 6.3 * max(map(len, names), default=1), WIDTH - RIGHT
    bottom = 8 + len(names) * step
    scale = Scale(*_range(every), left, right)
    at = scale.at

    parts = [f'<line class="axis" x1="{at(0):.1f}" x2="{at(0):.1f}" y1="4" y2="{bottom}"/>']
    for place, shown in scale.marks():
        ends = f'x1="{place:.1f}" x2="{place:.1f}" y1="4" y2="{bottom}"'
        parts.append(f'<line class="grid" {ends}/>')
        parts.append(_text(place, bottom + 14, shown, "middle"))
    for row, (name, (value, *interval)) in enumerate(zip(names, values, strict=True)):
        y = 4 + (row + 0.5) * step
        parts.append(_text(left - 6, y + 4, name, "end"))
        known = [end for end in interval if end is not None]
        if len(known) > 1:
            path = " ".join(f"{at(end):.1f},{y}" for end in known)
            parts.append(f'<polyline class="s0" points="{path}"/>')
        parts.append(f'<circle class="s0 dot" cx="{at(value):.1f}" cy="{y}" r="4"/>')
    parts.append(_text((left + right) / 2, bottom + 30, x, "middle"))
    return _figure(parts, x, height=bottom + 36)


def matrix(names: Sequence[str], shares: Sequence[Sequence[Number]], *, about: str) -> Markup:
    """Draw a square table of shares in [0, 1], darker where there is more; NaN stays empty.

    What has no room is said where somebody points: names in full, the share of each cell.
    """
    whole_names, names = names, _cut(names, 14)
    room = 14 + 6.3 * max(map(len, names))
    side = max(8, min(40, 640 / len(names)))
    parts = []
    for row, values in enumerate(shares):
        top = room + row * side
        said = _title(whole_names[row])
        parts.append(_text(room - 5, top + side / 2 + 4, names[row], "end", said=said))
        at = room + (row + 0.5) * side + 4
        turned = f'transform="rotate(-90 {at:.1f} {room - 5:.1f})"'
        parts.append(_text(at, room - 5, names[row], "start", turned, said=said))
        for column, value in enumerate(values):
            if math.isnan(value):
                continue
            left = room + column * side
            cell = f"{whole_names[row]} → {whole_names[column]}: {percent(100 * value)}"
            parts.append(f'<g>{_title(cell)}<rect class="cell" x="{left:.1f}" y="{top:.1f}" '
                         f'width="{side:.1f}" height="{side:.1f}" '
                         f'fill-opacity="{value:.3f}"/>')  # fmt: skip
            if len(names) <= READABLE and value >= 0.005:
                style = f'class="{"dense" if value > 0.5 else ""}"'
                parts.append(_text(left + side / 2, top + side / 2 + 4, f"{100 * value:.0f}",
                                   "middle", style))  # fmt: skip
            parts.append("</g>")
    whole = room + side * len(names) + 4
    return _figure(parts, about, height=whole, width=whole, most=whole * ENLARGED)


def legend(names: Mapping[str, object], faint: Sequence[str] = ()) -> Markup:
    """What the colours are of; nothing for one."""
    if len(names) < 2:
        return Markup()
    entries = [
        Markup('<li><i class="s{} {}"></i>{}</li>').format(
            number % COLOURS, "faint" if name in faint else "", name
        )
        for number, name in enumerate(names)
    ]
    return Markup('<ul class="legend">{}</ul>').format(Markup().join(entries))


def thin(points: Points) -> list[tuple[Number, Number]]:
    """A curve with no more points than can be seen."""
    step = -(-len(points) // MOST) or 1
    groups = [points[i : i + step] for i in range(0, len(points), step)]
    return [(sum(p[0] for p in g) / len(g), sum(p[1] for p in g) / len(g)) for g in groups]


def ticks(low: Number, high: Number, *, whole: bool = False) -> list[Number]:
    """Some round numbers between two: three to seven, fewer where only whole ones are asked for."""
    size = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(size))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= size * (1 - 1e-9))
    step = max(1.0, round(step)) if whole else step
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, first + 12) if n * step <= high + step * 1e-6]


def log_ticks(low: Number, high: Number) -> list[Number]:
    """Logarithms of some round numbers between two logarithms: powers of ten, more where few."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    found = list[Number]()
    for digits in ((1,), (1, 3), (1, 2, 5)):
        every = [power + math.log10(digit) for power in powers for digit in digits]
        found = [one for one in every if low - 1e-9 <= one <= high + 1e-9]
        if len(found) > 2:
            break
    return found[:: -(-len(found) // 7)]


def tick_texts(places: Sequence[Number], *, log: bool = False) -> list[str]:
    """Numbers at an axis, with as many digits as tell neighbours apart; of their logarithms."""
    if log:
        return [short(10**place) for place in places]
    if len(places) < 2:
        return [short(place) for place in places]
    step, most = places[1] - places[0], max(map(abs, places))
    # One more than to the first digit of the step: it may be 2.5.
    digits = max(3, math.floor(math.log10(most)) - math.floor(math.log10(step)) + 2)
    return [short(place, digits, whole=step % 1 == 0) for place in places]


def short(value: Number, digits: int = 3, *, whole: bool = True) -> str:
    """A number at an axis; from a thousand on all of its whole part, and more unless `whole`."""
    return f"{value:,.0f}" if abs(value) >= 1000 and whole else f"{value:,.{digits}g}"


def percent(share: Number) -> str:
    """A share in percent with the digits that mean something."""
    digits = 0 if share >= 99.95 else 1 if share >= 0.995 or share == 0 else 2
    return f"{share:.{digits}f} %"


def _finite(points: Points) -> list[tuple[Number, Number]]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _range(values: Sequence[Number]) -> tuple[Number, Number]:
    low, high = min(values), max(values)
    if _are_one(low, high):
        return low - (abs(low) / 2 or 0.5), high + (abs(high) / 2 or 0.5)
    return low, high


def _only(values: Sequence[Number]) -> Number | None:
    """What all of them are; None where they differ."""
    return values[0] if _are_one(min(values), max(values)) else None


def _are_one(low: Number, high: Number) -> bool:
    """Whether two numbers differ in their last digits at most, between which no tick fits."""
    return math.isclose(low, high, rel_tol=1e-12)


def _cut(names: Sequence[str], length: int) -> list[str]:
    """Names of at most so many letters; those that begin alike are cut in the middle."""
    short = [name if len(name) <= length else f"{name[: length - 1]}…" for name in names]
    half = length // 2
    return [
        f"{name[: length - half - 1]}…{name[-half:]}"
        if len(name) > length and short.count(cut) > 1
        else cut
        for name, cut in zip(names, short, strict=True)
    ]


def _text(x: Number, y: Number, text: str, anchor: str, more: str = "", *, said: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place} {more}>{said}{escape(text)}</text>"


def _title(text: str) -> str:
    """What is said of a part of a figure where somebody points at it."""
    return f"<title>{escape(text)}</title>"


def _figure(
    parts: Sequence[str],
    about: str,
    *,
    height: Number,
    width: Number = WIDTH,
    most: Number | None = None,
) -> Markup:
    """An SVG as wide as its place, or `most` pixels where they are less."""
    capped = f' style="max-width: min(46rem, {most:.0f}px)"' if most else ""
    head = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}"{}>').format(
        round(width), round(height), about, Markup(capped)
    )
    # Every text in the parts was escaped where it was put in.
    return head + Markup("".join(parts)) + Markup("</svg>")
