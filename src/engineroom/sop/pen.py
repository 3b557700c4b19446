"""What pictures are drawn with: boxes, circles, lines with round corners, marks and letters, as SVG text.

Letters are set by their width as measured, so that what is written fits where it stands. Floats are geometry
and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from html import escape
from itertools import pairwise

from engineroom.ui.display import printable

STATE_WORDS: dict[str, str] = {
    "done": "done",
    "now": "being worked on",
    "waiting": "waiting",
    "skipped": "skipped",
    "late": "late",
}
LETTER_PX, LINE_PX = 12.0, 14.0
WIDEST_WORDS = 128.0
"""Pixels for what is written on a line."""

LONGEST_SIDE = 8_000.0
"""Pixels: a drawing beyond it is scaled down."""

Point = tuple[float, float]


def line(
    points: Sequence[Point],
    title: str,
    kind: str,
    default: bool = False,
    label: tuple[float, float, float, float] | None = None,
) -> str:
    if len(points) < 2:
        return ""
    head = _head(points[-2], points[-1]) if kind != "data" else ""
    drawn = f'<path class="{kind}" d="{path(points, bend=6.0)}"/>{head}'
    if default:
        drawn += _slash(points[0], points[1])
    if not title:
        return drawn
    if label is not None:
        return drawn + label_below(title, label[0] + label[2] / 2, label[1] + 10, label)
    x, y, room = _room_for_words(points)
    return drawn + lines_of(title, x, y, room, 1, anchor="start", classes="on-line")


def without_repeats(points: Sequence[Point]) -> list[Point]:
    kept: list[Point] = []
    for point in points:
        if not kept or abs(point[0] - kept[-1][0]) > 0.05 or abs(point[1] - kept[-1][1]) > 0.05:
            kept.append(point)
    return kept


def _room_for_words(points: Sequence[Point]) -> tuple[float, float, float]:
    """Above the first level stretch of a line that is long enough, from its left end."""
    level = [(a, b) for a, b in pairwise(points) if abs(a[1] - b[1]) < 0.5 and a[0] != b[0]]
    if not level:
        return points[0][0] + 4, points[0][1] - 5, 60.0
    wide = [(a, b) for a, b in level if abs(b[0] - a[0]) >= 34]
    a, b = wide[0] if wide else level[-1]
    left, right = sorted((a[0], b[0]))
    return left + 5, a[1] - 5, min(max(right - left - 12, 34.0), WIDEST_WORDS)


def _head(before: Point, at: Point) -> str:
    """An arrow's head, in the direction of the last stretch."""
    dx, dy = at[0] - before[0], at[1] - before[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    ux, uy = dx / length, dy / length
    back = (at[0] - 8 * ux, at[1] - 8 * uy)
    a = (back[0] - 3.6 * uy, back[1] + 3.6 * ux)
    b = (back[0] + 3.6 * uy, back[1] - 3.6 * ux)
    return f'<path class="head" d="{path([at, a, b])}Z"/>'


def _slash(start: Point, towards: Point) -> str:
    """The mark of a default: the branch when no other holds."""
    way = 1 if towards[0] >= start[0] else -1
    x, y = start[0] + 8 * way, start[1]
    return f'<path class="flow" d="M{px(x - 3)} {px(y + 5)}L{px(x + 3)} {px(y - 5)}"/>'


def path(points: Sequence[Point], bend: float = 0.0) -> str:
    """A line through points; its corners are round where there is room."""
    parts = [f"M{px(points[0][0])} {px(points[0][1])}"]
    for before, at, after in zip(points, points[1:], points[2:], strict=False):
        turn = min(bend, _distance(before, at) / 2, _distance(at, after) / 2)
        if turn > 0.5:
            a, b = _towards(at, before, turn), _towards(at, after, turn)
            parts.append(f"L{px(a[0])} {px(a[1])}Q{px(at[0])} {px(at[1])} {px(b[0])} {px(b[1])}")
        else:
            parts.append(f"L{px(at[0])} {px(at[1])}")
    parts.append(f"L{px(points[-1][0])} {px(points[-1][1])}")
    return "".join(parts)


def _distance(a: Point, b: Point) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def _towards(start: Point, end: Point, far: float) -> Point:
    share = far / (_distance(start, end) or 1.0)
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def box(x: float, y: float, width: float, height: float, classes: str = "") -> str:
    size = f'width="{px(width)}" height="{px(height)}"'
    return f'<rect{classes} x="{px(x)}" y="{px(y)}" {size} rx="{px(min(8.0, height / 4))}"/>'


def circle(x: float, y: float, radius: float, ring: str, dashed: bool) -> str:
    more = " dashed" if dashed else ""
    outer = f'<circle class="{ring}{more}" cx="{px(x)}" cy="{px(y)}" r="{px(radius)}"/>'
    if ring == "middle" and radius > 6:
        outer += f'<circle class="inner{more}" cx="{px(x)}" cy="{px(y)}" r="{px(radius - 3)}"/>'
    return outer


def diamond(x: float, y: float, across: float, down: float) -> str:
    return f'<path d="{path([(x - across, y), (x, y - down), (x + across, y), (x, y + down)])}Z"/>'


MARK_PATHS = {
    "person": "M-3-2a3 3 0 1 1 6 0a3 3 0 1 1-6 0M-6 7c0-4 2.5-6 6-6s6 2 6 6",
    "gear": "M-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M0-6.5v3M0 6.5v-3M-6.5 0h3M6.5 0h-3M-4.6-4.6l2.1 2.1"
    "M4.6 4.6l-2.1-2.1M-4.6 4.6l2.1-2.1M4.6-4.6l-2.1 2.1",
    "letter": "M-7-4.5h14v9h-14ZM-7-4.5l7 5.5l7-5.5",
    "clock": "M-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0M0-4v4l3 2",
    "parts": "M-5.5-5.5h11v11h-11ZM0-3.5v7M-3.5 0h7",
    "cross": "M-6-6l12 12M6-6l-12 12",
    "plus": "M0-9v18M-9 0h18",
    "ring": "M-8 0a8 8 0 1 0 16 0a8 8 0 1 0-16 0",
    "star": "M-8 0a8 8 0 1 0 16 0a8 8 0 1 0-16 0M0-5l4.8 3.5l-1.8 5.6h-6l-1.8-5.6Z",
    "up": "M0-6l6 10h-12Z",
    "bolt": "M-6 5l3-9l4 6l4-8l-3 10l-4-5Z",
    "call": "M0-7l5 12l-5-5l-5 5Z",
    "stop": "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0",
    "lines": "M-5-5h10M-5 0h10M-5 5h10",
    "bars": "M-4-5v10M0-5v10M4-5v10",
    "arrow": "M-7-2.5h7v-3.5l7 6l-7 6v-3.5h-7Z",
    "back": "M0-5v10l-6-5ZM6-5v10l-6-5Z",
    "again": "M4-4a5.5 5.5 0 1 0 1.5 4M4-8v4h-4",
    "eyes": "M-9 0c2-3.5 6-3.5 8 0c-2 3.5-6 3.5-8 0M1 0c2-3.5 6-3.5 8 0c-2 3.5-6 3.5-8 0",
}


def mark(name: str, x: float, y: float, size: float) -> str:
    if not name:
        return ""
    solid = " solid" if name == "stop" else ""
    return (
        f'<path class="mark{solid}" transform="translate({px(x)} {px(y)}) scale({px(size)})" '
        f'd="{MARK_PATHS[name]}"/>'
    )


def state_mark(x: float, y: float, state: str) -> str:
    """A badge at the corner: a tick, a dot, two bars, a stroke, an exclamation mark."""
    marks = {
        "done": "M-3.5 0.3l2.5 2.7l4.5-5",
        "now": "M-1.5 0a1.5 1.5 0 1 0 3 0a1.5 1.5 0 1 0-3 0",
        "waiting": "M-1.8-3v6M1.8-3v6",
        "skipped": "M-3 0h6",
        "late": "M0-4v5M0 3v0.6",
    }
    if state not in marks:
        return ""
    return (
        f'<g class="badge" transform="translate({px(x)} {px(y)})"><circle r="7.5"/>'
        f'<path d="{marks[state]}"/></g>'
    )


def state_words(state: str) -> str:
    return f": {STATE_WORDS[state]}" if state in STATE_WORDS else ""


# --- letters ----------------------------------------------------------------------------------------------


def text_width(text: str, size: float = LETTER_PX) -> float:
    """About as wide as the text is set: measured on the widest of our typefaces (DejaVu Sans)."""
    return sum(_letter(c) for c in text) * size


def _letter(letter: str) -> float:
    if letter in "iljI.,:;'|![]()ft /-r":
        return 0.38
    if letter in "mwMW@%":
        return 0.92
    if ord(letter) > 0x2E80:
        return 1.05
    return 0.7 if letter.isupper() or letter.isdigit() else 0.62


def wrapped(text: str, width: float, lines: int) -> list[str]:
    """The text in at most so many lines; what does not fit ends in an ellipsis."""
    made: list[str] = []
    words = printable(text).split()
    while words and len(made) < lines:
        line = words.pop(0)
        while words and text_width(f"{line} {words[0]}") <= width:
            line = f"{line} {words.pop(0)}"
        if text_width(line) > width and not (len(made) + 1 == lines and words):
            head, rest = _cut(line, width)
            line, words = head, [rest, *words] if rest else words
        made.append(line)
    if words and made:
        last = made[-1]
        while last and text_width(last + "…") > width:
            last = last[:-1]
        made[-1] = last.rstrip() + "…"
    return made


def _cut(word: str, width: float) -> tuple[str, str]:
    at = len(word)
    while at > 1 and text_width(word[:at] + "-") > width:
        at -= 1
    return (word, "") if at == len(word) else (word[:at] + "-", word[at:])


def lines_of(
    text: str, x: float, y: float, width: float, lines: int, *, anchor: str = "middle", classes: str = ""
) -> str:
    """Lines of text from a first baseline."""
    kind = f' class="{classes}"' if classes else ""
    return "".join(
        f'<text{kind} x="{px(x)}" y="{px(y + n * LINE_PX)}" text-anchor="{anchor}">{text_of(line)}</text>'
        for n, line in enumerate(wrapped(text, width, lines))
    )


def centred(text: str, x: float, y: float, width: float, lines: int) -> str:
    count = len(wrapped(text, width, lines))
    return lines_of(text, x, y - (count - 1) * LINE_PX / 2 + 4, width, lines)


def label_below(text: str, x: float, y: float, label: tuple[float, float, float, float] | None) -> str:
    if label is None:
        return lines_of(text, x, y, 104.0, 2)
    lx, ly, width, height = label
    if height < 2 * LINE_PX - 4:  # its author set it in one line
        return lines_of(text, lx + width / 2, ly + 11, max(width * 1.6, 80.0), 1)
    return lines_of(text, lx + width / 2, ly + 11, max(width + 14, 80.0), 3)


def turned(text: str, x: float, y: float, length: float, lines: int) -> str:
    made = wrapped(text, length, lines)
    return "".join(
        f'<text class="lane-name" transform="translate({px(x + 4 + (n - (len(made) - 1) / 2) * LINE_PX)} '
        f'{px(y)}) rotate(-90)" text-anchor="middle">{text_of(line)}</text>'
        for n, line in enumerate(made)
    )


def text_of(text: str) -> str:
    return escape(printable(text))


def px(value: float) -> str:
    """A coordinate: one decimal, no more."""
    return f"{value:.1f}".removesuffix(".0")


def frame(
    title: str, words: str, body: str, width: float, height: float, left: float = 0.0, top: float = 0.0
) -> str:
    """The SVG around what is drawn, with its name, and every step as words."""
    scale = min(1.0, LONGEST_SIDE / max(width, height, 1.0))
    name = "flow-" + hashlib.sha256(f"{title}\0{words}".encode(errors="replace")).hexdigest()[:10]
    box = f"{px(left)} {px(top)} {px(width)} {px(height)}"
    return (
        f'<svg class="flow-chart" role="img" width="{px(width * scale)}" height="{px(height * scale)}" '
        f'viewBox="{box}" aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">'
        f'{text_of(title)}</title><desc id="{name}-desc">{text_of(words)}</desc>{body}</svg>'
    )
