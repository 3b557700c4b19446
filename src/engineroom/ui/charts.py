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
from typing import Literal, NamedTuple

from engineroom.kernel.money import format_minor
from engineroom.ui.display import printable

_ROW_PX = 38
_BAR_PX = 10
_LABEL_BASELINE_PX = 13
_BAR_TOP_PX = 19

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
    name = "chart-" + hashlib.sha256(f"{title}\0{words}".encode(errors="replace")).hexdigest()[:10]
    scale = _Scale.of(marks)
    rows = "".join(_row(mark, index, scale) for index, mark in enumerate(marks))
    links = "".join(_link(mark, index, scale) for index, mark in enumerate(marks[:-1]) if mark.connects)
    height = max(1, len(marks)) * _ROW_PX
    return (
        f'<svg class="chart" role="img" width="100%" height="{height}" font-size="13" fill="currentColor" '
        f'aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{_text(title)}</title><desc id="{name}-desc">{_text(words)}</desc>'
        f"{links}{rows}</svg>"
    )


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


def _row(mark: _Mark, index: int, scale: _Scale) -> str:
    top = index * _ROW_PX
    left, right = sorted((scale.percent(mark.start), scale.percent(mark.end)))
    weight = ' font-weight="620"' if mark.strong else ""
    aside = f'<tspan fill="{_MUTED}" font-size="11.5"> {_text(mark.aside)}</tspan>' if mark.aside else ""
    baseline, bar_top = top + _LABEL_BASELINE_PX, top + _BAR_TOP_PX
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


def _link(mark: _Mark, index: int, scale: _Scale) -> str:
    """The hairline from where one step ends to where the next begins."""
    x = min(max(scale.percent(mark.end), 0.1), 99.9)
    top = index * _ROW_PX + _BAR_TOP_PX + _BAR_PX
    return (
        f'<line x1="{x:.3f}%" x2="{x:.3f}%" y1="{top}" y2="{top + _ROW_PX - _BAR_PX}" stroke="{_MUTED}" '
        'stroke-dasharray="2 3"/>'
    )


def _text(text: str) -> str:
    return escape(printable(text))
