"""Charts: inline SVG made on the server, readable by eye, by screen reader and on paper, without any script.

Two tricks keep them small and sharp. Widths are percentages and heights are pixels, with no viewBox: a chart
fills its place from a phone to a wall while its letters keep their size. Colours are presentation attributes
holding the design's custom properties, with `currentColor` behind them: a chart follows the theme and needs
no style of its own.

The figures printed are the integers given; floats appear only in geometry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import Literal, NamedTuple

from engineroom.kernel.money import format_minor
from engineroom.ui.display import printable

_ROW_PX = 38
_BAR_PX = 10
_LABEL_BASELINE_PX = 13
_BAR_TOP_PX = 19
_ASIDE_PX = 16

_ACCENT, _BRASS, _ALARM = (
    "var(--accent, currentColor)",
    "var(--brass, currentColor)",
    "var(--alarm, currentColor)",
)
_HALO = 'paint-order="stroke" stroke="var(--panel, transparent)" stroke-width="4" stroke-linejoin="round"'
"""Keeps a label readable where a connecting line runs behind it."""
_LINE, _MUTED = "var(--line, currentColor)", "var(--muted, currentColor)"


class Bar(NamedTuple):
    """A step of a waterfall. `total` states where the money stands; `up` adds its amount, `down` takes it
    away.

    A refund is a `down` below zero: it rises, and says so.
    """

    label: str
    amount_minor: int
    kind: Literal["total", "up", "down"]


class Item(NamedTuple):
    """A bar of a comparison; `variance` is its difference from what it is compared with, in the same unit."""

    label: str
    value: int
    variance: int | None = None


class _Mark(NamedTuple):
    """One drawn row: where its bar starts and ends, what it says, how it is coloured."""

    label: str
    figure: str
    start: int
    end: int
    fill: str
    strong: bool = False
    aside: str = ""
    tick: int | None = None
    connects: bool = False


def waterfall(
    steps: Sequence[Bar], currency: str = "GBP", *, title: str = "From one total to the next"
) -> str:
    """An SVG that walks from total to total. What the steps do not explain is a step of its own, in alarm."""
    return _chart(title, list(_waterfall_marks(steps, currency)))


def _waterfall_marks(steps: Sequence[Bar], currency: str) -> Iterator[_Mark]:
    level: int | None = None
    for step in steps:
        amount = int(step.amount_minor)
        if step.kind == "total":
            if level is not None and level != amount:
                figure = _signed(amount - level, currency)
                yield _Mark("Not explained by the steps", figure, level, amount, _ALARM, connects=True)
            yield _Mark(
                step.label, format_minor(amount, currency), 0, amount, _ACCENT, strong=True, connects=True
            )
            level = amount
        else:
            change = amount if step.kind == "up" else -amount
            start = level or 0
            level = start + change
            yield _Mark(step.label, _signed(change, currency), start, level, _BRASS, connects=True)


def bars(
    items: Sequence[Item], currency: str | None = "GBP", *, title: str = "Comparison", versus: str = ""
) -> str:
    """An SVG of one bar for each item; a tick stands where the bar would end without its variance.

    currency None: plain counts. versus: what variances are against, such as "last week".
    """
    return _chart(title, [_item_mark(item, currency, versus) for item in items])


def _item_mark(item: Item, currency: str | None, versus: str) -> _Mark:
    value = int(item.value)
    figure = format_minor(value, currency) if currency else f"{value:,}"
    if item.variance is None:
        return _Mark(item.label, figure, 0, value, _ACCENT)
    variance = int(item.variance)
    aside = " on ".join(filter(None, (_signed(variance, currency), versus)))
    return _Mark(item.label, figure, 0, value, _ACCENT, aside=aside, tick=value - variance)


def _signed(change: int, currency: str | None) -> str:
    text = format_minor(change, currency) if currency else f"{change:,}"
    return f"+{text}" if change > 0 else text


def _chart(title: str, marks: Sequence[_Mark]) -> str:
    words = "; ".join(" ".join(filter(None, (mark.label, mark.figure, mark.aside))) for mark in marks)
    scale = _Scale.of(marks)
    lead = _ASIDE_PX if any(mark.aside for mark in marks) else 0  # a line of its own: narrow screens
    tops = [index * (_ROW_PX + lead) for index in range(len(marks) + 1)]
    rows = "".join(_row(mark, top, lead, scale) for mark, top in zip(marks, tops, strict=False))
    links = "".join(
        _link(mark, top + lead, scale) for mark, top in zip(marks[:-1], tops, strict=False) if mark.connects
    )
    return _frame(title, words, links + rows, max(_ROW_PX, tops[-1]))


def _frame(title: str, words: str, body: str, height: int) -> str:
    """The SVG around what is drawn, with its name and all its figures as words."""
    name = _name(title, words)
    return (
        f'<svg class="chart" role="img" width="100%" height="{height}" font-size="13" fill="currentColor" '
        f'aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{_text(title)}</title><desc id="{name}-desc">{_text(words)}</desc>'
        f"{body}</svg>"
    )


def _name(title: str, words: str) -> str:
    return "chart-" + hashlib.sha256(f"{title}\0{words}".encode(errors="replace")).hexdigest()[:10]


class _Scale(NamedTuple):
    """Amounts to percentages of the width; zero is always in view."""

    low: int
    high: int

    @classmethod
    def of(cls, marks: Sequence[_Mark]) -> _Scale:
        ends = [0, *(end for mark in marks for end in (mark.start, mark.end, mark.tick or 0))]
        return cls(min(ends), max(ends))

    def percent(self, amount: int) -> float:
        return 100.0 * (amount - self.low) / ((self.high - self.low) or 1)


def _row(mark: _Mark, top: int, lead: int, scale: _Scale) -> str:
    left, right = sorted((scale.percent(mark.start), scale.percent(mark.end)))
    weight = ' font-weight="620"' if mark.strong else ""
    aside = ""
    if mark.aside:
        aside = f' <tspan x="0" dy="{_ASIDE_PX}" fill="{_MUTED}" font-size="11.5">{_text(mark.aside)}</tspan>'
    baseline, bar_top = top + _LABEL_BASELINE_PX, top + lead + _BAR_TOP_PX
    letters = f'fill="{_ALARM if mark.fill == _ALARM else "currentColor"}" {_HALO}{weight}'
    # A bar is at least half a pixel on any screen we know: an amount that is not zero is never invisible.
    width = max(right - left, 0.15)
    tick = ""
    if mark.tick is not None:
        x = scale.percent(mark.tick)
        tick = (
            f'<line x1="{x:.3f}%" x2="{x:.3f}%" y1="{bar_top - 3}" y2="{bar_top + _BAR_PX + 3}" '
            'stroke="currentColor" stroke-width="1.5"/>'
        )
    return (
        f'<text x="0" y="{baseline}" {letters}>{_text(mark.label)}{aside}</text>'
        f'<text x="100%" y="{baseline}" text-anchor="end" {letters}>{_text(mark.figure)}</text>'
        f'<line x1="0" x2="100%" y1="{bar_top + _BAR_PX / 2}" y2="{bar_top + _BAR_PX / 2}" stroke="{_LINE}"/>'
        f'<rect x="{min(left, 99.85):.3f}%" y="{bar_top}" width="{width:.3f}%" height="{_BAR_PX}" rx="1.5" '
        f'fill="{mark.fill}"/>{tick}'
    )


def _link(mark: _Mark, above: int, scale: _Scale) -> str:
    """The hairline from where one step ends to where the next begins."""
    x = min(max(scale.percent(mark.end), 0.1), 99.9)
    top = above + _BAR_TOP_PX + _BAR_PX
    return (
        f'<line x1="{x:.3f}%" x2="{x:.3f}%" y1="{top}" y2="{top + _ROW_PX - _BAR_PX}" stroke="{_MUTED}" '
        'stroke-dasharray="2 3"/>'
    )


def _text(text: str) -> str:
    return escape(printable(text))


class Chart(NamedTuple):
    """A drawing with the table behind it: what `{% chart %}` shows. Rows hold figures as text."""

    title: str
    svg: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Aged(NamedTuple):
    """Who owes, and how much of it in each bucket of age, youngest first, in minor units."""

    label: str
    amounts_minor: Sequence[int]


class Point(NamedTuple):
    """A moment of a line; low and high bound what was expected there."""

    label: str
    value: int
    low: int | None = None
    high: int | None = None


def waterfall_chart(steps: Sequence[Bar], currency: str = "GBP", *, title: str) -> Chart:
    """A waterfall with its steps as a table."""
    rows = [(mark.label, mark.figure) for mark in _waterfall_marks(steps, currency)]
    return Chart(title, waterfall(steps, currency, title=title), ("Step", f"Amount, {currency}"), rows)


def bars_chart(items: Sequence[Item], currency: str | None = "GBP", *, title: str, versus: str = "") -> Chart:
    """Bars with their variances as a table."""
    unit = f"Amount, {currency}" if currency else "Count"
    marks = [_item_mark(item, currency, "") for item in items]
    svg = bars(items, currency, title=title, versus=versus)
    if all(item.variance is None for item in items):
        return Chart(title, svg, ("", unit), [(m.label, m.figure) for m in marks])
    change = f"Change on {versus}" if versus else "Change"
    return Chart(title, svg, ("", unit, change), [(m.label, m.figure, m.aside) for m in marks])


_BUCKET_FILLS = (
    (_ACCENT, "0.35"),
    (_ACCENT, "0.7"),
    (_BRASS, "0.7"),
    (_BRASS, "1"),
    (_ALARM, "1"),
)
"""Calm where money is young, alarm where it may be lost; each segment is also told by its place and table."""


def ageing_chart(
    buckets: Sequence[str], aged: Sequence[Aged], currency: str = "GBP", *, title: str = "Owed, by age"
) -> Chart:
    """One stacked bar for each debtor on one scale. Amounts below zero (credits) are listed, not drawn."""
    totals = [sum(int(a) for a in row.amounts_minor) for row in aged]
    figures = [
        (row.label, *(format_minor(int(a), currency) for a in row.amounts_minor), format_minor(t, currency))
        for row, t in zip(aged, totals, strict=True)
    ]
    sums = [sum(int(row.amounts_minor[i]) for row in aged) for i in range(len(buckets))]
    all_of_it = ("All", *(format_minor(s, currency) for s in sums), format_minor(sum(sums), currency))
    scale = max([1, *(sum(max(0, int(a)) for a in row.amounts_minor) for row in aged)])
    body = _ageing_key(buckets) + "".join(
        _aged_row(row, _ROW_PX * (i + 1), scale, figures[i][-1]) for i, row in enumerate(aged)
    )
    words = "; ".join(
        f"{row[0]} " + ", ".join(f"{b} {f}" for b, f in zip(buckets, row[1:], strict=False))
        for row in (*figures, all_of_it)
    )
    svg = _frame(title, words, body, _ROW_PX * (len(aged) + 1))
    return Chart(title, svg, ("", *buckets, "Total"), [*figures, all_of_it])


def _fill(index: int, count: int) -> str:
    """The fill of a bucket: the oldest is always alarm."""
    place = len(_BUCKET_FILLS) - 1 if index == count - 1 else min(index, len(_BUCKET_FILLS) - 2)
    colour, opacity = _BUCKET_FILLS[place]
    return f'fill="{colour}" fill-opacity="{opacity}"'


def _ageing_key(buckets: Sequence[str]) -> str:
    step = 100 / max(1, len(buckets))
    return "".join(
        f'<rect x="{i * step:.3f}%" y="2" width="{step - 0.6:.3f}%" height="4" {_fill(i, len(buckets))}/>'
        f'<text x="{i * step:.3f}%" y="20" font-size="11.5" fill="{_MUTED}">{_text(bucket)}</text>'
        for i, bucket in enumerate(buckets)
    )


def _aged_row(row: Aged, top: int, scale: int, figure: str) -> str:
    x, parts = 0.0, []
    for i, amount in enumerate(row.amounts_minor):
        width = 100 * max(0, int(amount)) / scale
        if width:
            fill = _fill(i, len(row.amounts_minor))
            parts.append(
                f'<rect x="{x:.3f}%" y="{top + _BAR_TOP_PX}" width="{width:.3f}%" '
                f'height="{_BAR_PX}" {fill} stroke="var(--panel, transparent)" stroke-width="1"/>'
            )
        x += width
    y = top + _LABEL_BASELINE_PX
    return (
        f'<text x="0" y="{y}" fill="currentColor">{_text(row.label)}</text>'
        f'<text x="100%" y="{y}" text-anchor="end" fill="currentColor">{_text(figure)}</text>'
        + "".join(parts)
    )


_LINE_PX, _LINE_TOP_PX = 120, 14


def line_chart(
    points: Sequence[Point], currency: str | None = "GBP", *, title: str, floor_at_zero: bool = False
) -> Chart:
    """A line through the points over the band of what was expected; a point outside it is marked in alarm.

    floor_at_zero draws the line of nothing (cash runway).
    """
    ends = [v for p in points for v in (int(p.value), p.low, p.high) if v is not None]
    if floor_at_zero:
        ends.append(0)
    low, high = min(ends, default=0), max(ends, default=1)
    heights = _Heights(low, high if high > low else low + 1)
    xs = [100 * (i + 0.5) / max(1, len(points)) for i in range(len(points))]
    body = (
        _band(points, xs, heights)
        + (_zero_line(heights) if floor_at_zero else "")
        + _joined([(x, heights.px(int(p.value))) for x, p in zip(xs, points, strict=True)])
        + "".join(_dot(p, x, heights) for x, p in zip(xs, points, strict=True))
        + _line_letters(points, currency)
    )
    rows = [_point_row(p, currency) for p in points]
    words = "; ".join(" ".join(filter(None, row)) for row in rows)
    columns = ("", f"Amount, {currency}" if currency else "Count", "Expected", "")
    return Chart(title, _frame(title, words, body, _LINE_TOP_PX + _LINE_PX + 28), columns, rows)


class _Heights(NamedTuple):
    low: int
    high: int

    def px(self, value: int) -> float:
        return _LINE_TOP_PX + _LINE_PX * (1 - (value - self.low) / (self.high - self.low))


def _amount(value: int, currency: str | None) -> str:
    return format_minor(value, currency) if currency else f"{value:,}"


def _outside(point: Point) -> bool:
    return (point.low is not None and point.value < point.low) or (
        point.high is not None and point.value > point.high
    )


def _point_row(point: Point, currency: str | None) -> tuple[str, str, str, str]:
    expected = (
        f"{_amount(point.low, currency)} to {_amount(point.high, currency)}"
        if point.low is not None and point.high is not None
        else ""
    )
    return (
        point.label,
        _amount(int(point.value), currency),
        expected,
        "outside" if _outside(point) else "",
    )


def _band(points: Sequence[Point], xs: Sequence[float], heights: _Heights) -> str:
    known = [(x, p.low, p.high) for x, p in zip(xs, points, strict=True)]
    upper = [
        f"{x:.3f},{heights.px(high):.1f}" for x, low, high in known if low is not None and high is not None
    ]
    lower = [
        f"{x:.3f},{heights.px(low):.1f}" for x, low, high in known if low is not None and high is not None
    ]
    if not upper:
        return ""
    height = _LINE_TOP_PX + _LINE_PX + 28
    return (
        f'<svg width="100%" height="{height}" viewBox="0 0 100 {height}" preserveAspectRatio="none">'
        f'<polygon points="{" ".join([*upper, *reversed(lower)])}" fill="{_ACCENT}" fill-opacity="0.12"/>'
        "</svg>"
    )


def _zero_line(heights: _Heights) -> str:
    y = heights.px(0)
    return f'<line x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--rule, currentColor)"/>'


def _joined(places: Sequence[tuple[float, float]], colour: str = _ACCENT) -> str:
    return "".join(
        f'<line x1="{x1:.3f}%" y1="{y1:.1f}" x2="{x2:.3f}%" y2="{y2:.1f}" stroke="{colour}" '
        'stroke-width="2" stroke-linecap="round"/>'
        for (x1, y1), (x2, y2) in pairwise(places)
    )


def _dot(point: Point, x: float, heights: _Heights) -> str:
    """A small disc; a larger ring where the point is outside what was expected: a shape, not colour alone."""
    y = heights.px(int(point.value))
    if _outside(point):
        return (
            f'<circle cx="{x:.3f}%" cy="{y:.1f}" r="5.5" fill="var(--panel, none)" '
            f'stroke="{_ALARM}" stroke-width="2.5"/>'
        )
    return f'<circle cx="{x:.3f}%" cy="{y:.1f}" r="2.5" fill="{_ACCENT}"/>'


def _line_letters(points: Sequence[Point], currency: str | None) -> str:
    """The first and the last moment with their figures; the table has those between."""
    if not points:
        return ""
    first, last = (f"{p.label}: {_amount(int(p.value), currency)}" for p in (points[0], points[-1]))
    y = _LINE_TOP_PX + _LINE_PX + 22
    return (
        f'<text x="0" y="{y}" font-size="11.5" fill="{_MUTED}">{_text(first)}</text>'
        f'<text x="100%" y="{y}" text-anchor="end" font-size="11.5" fill="currentColor">{_text(last)}</text>'
    )


def sparkline(values: Sequence[int], *, title: str, currency: str | None = None) -> str:
    """A line as small as a word, for a cell of a table; its desc holds the figures."""
    low, high = min(values, default=0), max(values, default=1)
    span = (high - low) or 1
    last = len(values) - 1
    places = [(4 + 88 * i / max(1, last), 3 + 18 * (1 - (int(v) - low) / span)) for i, v in enumerate(values)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dot = (
        f'<circle cx="{places[-1][0]:.1f}" cy="{places[-1][1]:.1f}" r="2.5" fill="{_BRASS}"/>'
        if places
        else ""
    )
    words = ", ".join(_amount(int(v), currency) for v in values)
    name = _name(title, words)
    return (
        f'<svg class="spark" role="img" width="96" height="24" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{_text(title)}</title><desc id="{name}-desc">{_text(words)}</desc>'
        f'<polyline points="{points}" fill="none" stroke="{_MUTED}" stroke-width="1.5" '
        f'stroke-linejoin="round"/>{dot}</svg>'
    )


def strip_chart(days: Sequence[Item], *, title: str, now: int = 0) -> Chart:
    """What falls on each of the next days, as columns hanging from their labels; `now` is today's place."""
    tallest = max([1, *(int(day.value) for day in days)])
    step = 100 / max(1, len(days))
    body = "".join(
        f'<text x="{(i + 0.5) * step:.3f}%" y="11" text-anchor="middle" font-size="11" '
        + ('font-weight="700" fill="currentColor">' if i == now else f'fill="{_MUTED}">')
        + f"{_text(day.label)}</text>"
        f'<rect x="{i * step + 0.7:.3f}%" y="18" width="{step - 1.4:.3f}%" '
        f'height="{max(3, 48 * int(day.value) // tallest)}" rx="2" fill="{_BRASS}" '
        f'fill-opacity="{"0.85" if day.value else "0.25"}"/>'
        for i, day in enumerate(days)
    )
    words = "; ".join(f"{day.label} {day.value:,}" for day in days)
    return Chart(
        title, _frame(title, words, body, 70), ("Day", "Due"), [(day.label, f"{day.value:,}") for day in days]
    )


def clock(used: int, allowed: int, *, late: bool = False) -> str:
    """How much of a promise's time is used: a bar beside words that say it, so it is hidden from readers."""
    share = min(100.0, max(0.0, 100 * used / allowed)) if allowed > 0 else 100.0
    return (
        '<svg class="burn" aria-hidden="true" width="100%" height="6">'
        f'<rect width="100%" height="6" rx="3" fill="{_LINE}"/>'
        f'<rect width="{share:.1f}%" height="6" rx="3" fill="{_ALARM if late else _BRASS}"/></svg>'
    )
