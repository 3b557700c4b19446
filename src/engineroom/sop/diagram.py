"""Procedures as pictures: inline SVG from left to right, with lanes by role and the state of a running case.

    svg(graph)                                   laid out here: layers, lanes, lines that bend in the gaps
    svg(graph, state={"check": "done"})          the same, as a case stands: done, now, waiting, skipped, late
    svg_of_drawing(drawing)                      a BPMN model as its author drew it, with its own coordinates
    svg_of_process(process)                      a BPMN process without a drawing

Colours are classes of ui's stylesheet (components/diagram.css), so a picture follows the theme and needs no
style of its own. A picture has its natural size and scrolls inside its box (`{% diagram %}` of ui); letters
keep theirs. State is a word, a line and a mark, never colour alone. Floats are geometry and nothing else.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise
from typing import Literal

from engineroom.sop.formats import bpmn
from engineroom.sop.formats.bpmn import Drawing, Line, Process, Shape
from engineroom.sop.graph import Graph, Step
from engineroom.ui.display import printable

State = Literal["done", "now", "waiting", "skipped", "late"]
STATE_WORDS: dict[str, str] = {
    "done": "done",
    "now": "being worked on",
    "waiting": "waiting",
    "skipped": "skipped",
    "late": "late",
}

TASK_WIDTH, TASK_HEIGHT = 136.0, 54.0
EVENT_RADIUS, GATEWAY_RADIUS, BESIDE_RADIUS = 15.0, 21.0, 11.0
ROW_HEIGHT = 92.0
LANE_TITLE_WIDTH = 36.0
MARGIN = 12.0
SMALLEST_GAP, WIDEST_GAP = 44.0, 128.0
LETTER_PX, LINE_PX = 12.0, 14.0
MOST_SHAPES = 2_000
"""A drawing of more is no picture; the rest is left out and the picture says so."""

LONGEST_SIDE = 8_000.0
"""Pixels: a drawing beyond it is scaled down."""

Point = tuple[float, float]


@dataclass(frozen=True)
class _Item:
    """Something drawn: a box, a circle or a diamond. mark: what is in it; ring: of a circle."""

    key: str
    title: str
    form: Literal["task", "event", "gateway"]
    mark: str = ""
    ring: Literal["start", "middle", "end"] = "middle"
    lane: str = ""
    attached_to: str = ""
    dashed: bool = False
    checked: bool = False


@dataclass(frozen=True)
class _Way:
    source: str
    target: str
    title: str = ""
    default: bool = False


FORMS: dict[str, tuple[Literal["task", "event", "gateway"], str]] = {
    "start": ("event", ""),
    "end": ("event", ""),
    "task": ("task", "person"),
    "command": ("task", "gear"),
    "client_request": ("task", "letter"),
    "procedure": ("task", "parts"),
    "wait": ("event", "letter"),
    "timer": ("event", "clock"),
    "escalation": ("event", "call"),
    "choice": ("gateway", "cross"),
    "inclusive": ("gateway", "ring"),
    "fork": ("gateway", "plus"),
    "join": ("gateway", "plus"),
    "race": ("gateway", "star"),
}


def svg(graph: Graph, *, state: Mapping[str, str] | None = None) -> str:
    """The procedure as a picture. state: how a case stands, by step."""
    items = [_item_of(step, _passed(graph, step)) for step in graph.steps]
    ways = [_Way(f.source, f.target, f.title or _said(f), f.is_default) for f in graph.flows]
    return _laid_out(graph.title, items, ways, state or {})


def _said(flow: object) -> str:
    """What stands on a branch without a title: its condition, or that it is the other one."""
    from engineroom.sop.conditions import write

    condition = getattr(flow, "condition", None)
    if condition is not None:
        return str(write(condition))
    return "otherwise" if getattr(flow, "is_default", False) else ""


def _passed(graph: Graph, step: Step) -> bool:
    """Whether a choice has nothing to choose from: a place that is passed, drawn as an event."""
    single = len(graph.outgoing[step.key]) < 2 and len(graph.incoming[step.key]) < 2
    return step.kind == "choice" and single


def _item_of(step: Step, passed: bool) -> _Item:
    form, mark = FORMS["start"] if passed else FORMS[step.kind]
    ring: Literal["start", "middle", "end"] = "middle"
    if step.kind in ("start", "end"):
        ring = "start" if step.kind == "start" else "end"
        mark = "stop" if step.terminates else ""
    lane = "Client" if step.kind == "client_request" and not step.role else step.role
    return _Item(
        step.key, step.title, form, mark, ring, lane.replace("_", " "), step.attached_to,
        bool(step.attached_to) and not step.interrupting, step.four_eyes,
    )  # fmt: skip


def svg_of_process(process: Process, *, state: Mapping[str, str] | None = None) -> str:
    """A BPMN process that nobody drew. What is inside of sub-processes is not shown."""
    inside = {e.id for e in process.elements}
    top = [e for e in process.elements if e.parent not in inside]
    known = {e.id for e in top}
    items = [
        _Item(
            e.id, e.title, _form_of(e.tag), _mark_of(e.tag, e.events[0].kind if e.events else "", e.loop),
            _ring_of(e.tag), e.lane, e.attached_to if e.attached_to in known else "",
            e.tag == "boundaryEvent" and not e.interrupting,
        )
        for e in top
    ]  # fmt: skip
    ways = [_Way(f.source, f.target, f.title) for f in process.flows if {f.source, f.target} <= known]
    return _laid_out(process.title, items[:MOST_SHAPES], ways, state or {})


def _form_of(tag: str) -> Literal["task", "event", "gateway"]:
    if tag in bpmn.GATEWAYS:
        return "gateway"
    return "event" if tag in bpmn.EVENTS else "task"


def _ring_of(tag: str) -> Literal["start", "middle", "end"]:
    return {"startEvent": "start", "endEvent": "end"}.get(tag, "middle")  # type: ignore[return-value]


MARKS = {
    "userTask": "person", "manualTask": "person", "serviceTask": "gear", "scriptTask": "gear",
    "businessRuleTask": "gear", "sendTask": "letter", "receiveTask": "letter", "callActivity": "parts",
    "subProcess": "parts", "transaction": "parts", "adHocSubProcess": "parts",
    "exclusiveGateway": "cross", "parallelGateway": "plus", "inclusiveGateway": "ring",
    "eventBasedGateway": "star", "complexGateway": "star",
}  # fmt: skip
TRIGGERS = {
    "message": "letter", "timer": "clock", "signal": "up", "error": "bolt", "escalation": "call",
    "terminate": "stop", "conditional": "lines", "link": "arrow", "compensate": "back", "cancel": "cross",
    "multiple": "star",
}  # fmt: skip


def _mark_of(tag: str, trigger: str, loop: str) -> str:
    return TRIGGERS.get(trigger, "") if tag in bpmn.EVENTS else MARKS.get(tag, "")


# --- the layout -----------------------------------------------------------------------------------------


@dataclass
class _Cell:
    """Where an item stands: its layer, its row of the whole picture, its centre. Passages have no item."""

    layer: int
    lane: int
    row: int = 0
    x: float = 0.0
    y: float = 0.0


def _laid_out(title: str, items: Sequence[_Item], ways: Sequence[_Way], state: Mapping[str, str]) -> str:
    by_key = {item.key: item for item in items}
    free = [item for item in items if item.attached_to not in by_key]
    ways = [w for w in ways if w.source in by_key and w.target in by_key]
    layers = _layers(free, ways, by_key)
    lanes = _lanes_of(free, ways, by_key)
    names = list(dict.fromkeys(lanes[i.key] for i in sorted(free, key=lambda item: layers[item.key])))
    cells = {i.key: _Cell(layers[i.key], names.index(lanes[i.key])) for i in free}
    chains = _passages(ways, by_key, cells)
    rows = _set_rows(free, ways, chains, cells, len(names), by_key)
    gaps = _gaps(ways, by_key, cells)
    left = MARGIN + (LANE_TITLE_WIDTH + 14 if any(names) else 0.0)
    widths = _columns(free, cells, gaps, left)
    top = MARGIN + 14.0 * len(_backward(ways, by_key, cells))
    for cell in cells.values():
        cell.x = widths[cell.layer]
        cell.y = top + (cell.row + 0.5) * ROW_HEIGHT
    width = max([c.x for c in cells.values()], default=0.0) + TASK_WIDTH / 2 + MARGIN + 24
    height = top + sum(rows) * ROW_HEIGHT + MARGIN
    places = _places(items, cells, by_key)
    lines = _lines(ways, by_key, cells, chains, places, gaps, top)
    drawn = [*_drawn_lanes(names, rows, top, width), *lines]
    drawn += [_drawn_item(item, places[item.key], state.get(item.key, "")) for item in items]
    return _frame(title, _words(items, state), "".join(drawn), width, height)


def _host(key: str, by_key: Mapping[str, _Item]) -> str:
    """What stands beside another item is where that one is."""
    attached = by_key[key].attached_to
    return attached if attached in by_key else key


def _layers(free: Sequence[_Item], ways: Sequence[_Way], by_key: Mapping[str, _Item]) -> dict[str, int]:
    """The longest way from a beginning, once the ways that lead back are taken out."""
    following: dict[str, list[str]] = {item.key: [] for item in free}
    for way in ways:
        source, target = _host(way.source, by_key), _host(way.target, by_key)
        if source != target:
            following[source].append(target)
    order, back = _in_order([i.key for i in free], following)
    layer = dict.fromkeys(following, 0)
    for key in order:
        for target in following[key]:
            if (key, target) not in back:
                layer[target] = max(layer[target], layer[key] + 1)
    return layer


def _in_order(
    keys: Sequence[str], following: Mapping[str, Sequence[str]]
) -> tuple[list[str], set[tuple[str, str]]]:
    """Keys so that each comes before what follows it, and the ways that lead back. Without recursion."""
    seen: dict[str, int] = {}  # 1 while it is being walked, 2 when it is done
    done: list[str] = []
    back: set[tuple[str, str]] = set()
    entered = {target for targets in following.values() for target in targets}
    for first in [*(k for k in keys if k not in entered), *keys]:
        if first in seen:
            continue
        seen[first] = 1
        walk = [(first, iter(following[first]))]
        while walk:
            key, targets = walk[-1]
            target = next(targets, None)
            if target is None:
                seen[key] = 2
                done.append(key)
                walk.pop()
            elif target not in seen:
                seen[target] = 1
                walk.append((target, iter(following[target])))
            elif seen[target] == 1:
                back.add((key, target))
    return done[::-1], back


def _lanes_of(free: Sequence[_Item], ways: Sequence[_Way], by_key: Mapping[str, _Item]) -> dict[str, str]:
    """Who has no lane stands in the lane of what comes before it, else of what follows."""
    lanes = {item.key: item.lane for item in free}
    pairs = [(_host(w.source, by_key), _host(w.target, by_key)) for w in ways]
    for _ in range(len(free)):
        changed = False
        for source, target in [*pairs, *((b, a) for a, b in pairs)]:
            if not lanes[target] and lanes[source]:
                lanes[target], changed = lanes[source], True
        if not changed:
            break
    return lanes


def _passages(
    ways: Sequence[_Way], by_key: Mapping[str, _Item], cells: dict[str, _Cell]
) -> dict[int, list[str]]:
    """A way over several layers gets an empty place in each, so that no line runs through a box."""
    chains: dict[int, list[str]] = {}
    for number, way in enumerate(ways):
        source, target = cells[_host(way.source, by_key)], cells[_host(way.target, by_key)]
        chain = []
        for layer in range(source.layer + 1, target.layer):
            key = f"\0{number}-{layer}"
            cells[key] = _Cell(layer, target.lane)
            chain.append(key)
        chains[number] = chain
    return chains


def _set_rows(
    free: Sequence[_Item],
    ways: Sequence[_Way],
    chains: Mapping[int, Sequence[str]],
    cells: dict[str, _Cell],
    lanes: int,
    by_key: Mapping[str, _Item],
) -> list[int]:
    """Rows within each lane, layer by layer: as near as can be to what leads there. Returns rows per lane."""
    before: dict[str, list[str]] = defaultdict(list)
    for number, way in enumerate(ways):
        walk = [_host(way.source, by_key), *chains[number], _host(way.target, by_key)]
        for a, b in pairwise(walk):
            if cells[a].layer < cells[b].layer:
                before[b].append(a)
    used = [1] * lanes
    order = {item.key: n for n, item in enumerate(free)}
    last = max((c.layer for c in cells.values()), default=0)
    for layer in range(last + 1):
        for lane in range(lanes):
            here = [k for k, c in cells.items() if c.layer == layer and c.lane == lane]
            wanted = {k: _wanted_row(k, before[k], cells, lane) for k in here}
            here.sort(key=lambda k: (wanted[k], k.startswith("\0"), order.get(k, 0)))
            taken: set[int] = set()
            for key in here:
                row = _nearest_free(wanted[key], taken)
                taken.add(row)
                cells[key].row = row
                used[lane] = max(used[lane], row + 1)
    tops = [sum(used[:lane]) for lane in range(lanes)]
    for cell in cells.values():
        cell.row += tops[cell.lane]
    return used


def _wanted_row(key: str, before: Sequence[str], cells: Mapping[str, _Cell], lane: int) -> int:
    rows = sorted(cells[b].row for b in before if cells[b].lane == lane)
    return rows[(len(rows) - 1) // 2] if rows else 0


def _nearest_free(wanted: int, taken: set[int]) -> int:
    for away in range(len(taken) + 1):
        for row in (wanted + away, wanted - away):
            if row >= 0 and row not in taken:
                return row
    return wanted + len(taken)


def _backward(ways: Sequence[_Way], by_key: Mapping[str, _Item], cells: Mapping[str, _Cell]) -> list[int]:
    """Ways to the same layer or an earlier one: they go round above everything."""
    return [
        n
        for n, w in enumerate(ways)
        if cells[_host(w.target, by_key)].layer <= cells[_host(w.source, by_key)].layer
    ]


def _gaps(ways: Sequence[_Way], by_key: Mapping[str, _Item], cells: Mapping[str, _Cell]) -> dict[int, float]:
    """The room after each layer: for the words on the ways that leave it, and for their bends."""
    gaps: dict[int, float] = defaultdict(lambda: SMALLEST_GAP)
    bends: dict[int, set[str]] = defaultdict(set)
    for way in ways:
        layer = cells[_host(way.source, by_key)].layer
        for passed in range(layer, max(cells[_host(way.target, by_key)].layer, layer + 1)):
            bends[passed].add(way.source)
        if way.title:
            gaps[layer] = max(gaps[layer], min(WIDEST_GAP, _text_width(way.title) + 30))
    for layer, sources in bends.items():
        gaps[layer] = max(gaps[layer], SMALLEST_GAP - 10 + 7.0 * len(sources))
    return gaps


def _columns(
    free: Sequence[_Item], cells: Mapping[str, _Cell], gaps: Mapping[int, float], left: float
) -> dict[int, float]:
    """The centre of each layer."""
    widest: dict[int, float] = defaultdict(float)
    for item in free:
        wide = TASK_WIDTH if item.form == "task" else 96.0
        widest[cells[item.key].layer] = max(widest[cells[item.key].layer], wide)
    centres: dict[int, float] = {}
    at = left
    for layer in range(max((c.layer for c in cells.values()), default=0) + 1):
        wide = widest[layer] or 40.0
        centres[layer] = at + wide / 2
        at += wide + gaps.get(layer, SMALLEST_GAP)
    return centres


@dataclass(frozen=True)
class _Place:
    """A centre, and how far the shape reaches to each side of it."""

    x: float
    y: float
    across: float
    down: float


def _places(
    items: Sequence[_Item], cells: Mapping[str, _Cell], by_key: Mapping[str, _Item]
) -> dict[str, _Place]:
    reach = {
        "task": (TASK_WIDTH / 2, TASK_HEIGHT / 2),
        "event": (EVENT_RADIUS, EVENT_RADIUS),
        "gateway": (GATEWAY_RADIUS, GATEWAY_RADIUS),
    }
    places = {i.key: _Place(cells[i.key].x, cells[i.key].y, *reach[i.form]) for i in items if i.key in cells}
    beside: dict[str, int] = defaultdict(int)
    for item in items:
        if item.key not in places:
            host = places[item.attached_to]
            number = beside[item.attached_to]
            beside[item.attached_to] += 1
            x = host.x + host.across - 18 - number * (2 * BESIDE_RADIUS + 8)
            places[item.key] = _Place(x, host.y + host.down, BESIDE_RADIUS, BESIDE_RADIUS)
    return places


def _lines(
    ways: Sequence[_Way],
    by_key: Mapping[str, _Item],
    cells: Mapping[str, _Cell],
    chains: Mapping[int, Sequence[str]],
    places: Mapping[str, _Place],
    gaps: Mapping[int, float],
    top: float,
) -> list[str]:
    """Every way as a line: out to the right, a bend in the gap, in from the left."""
    back = {number: n for n, number in enumerate(_backward(ways, by_key, cells))}
    tracks: dict[int, list[str]] = defaultdict(list)

    def bend_of(layer: int, source: str) -> float:
        """Where lines of one source turn in the gap after a layer: each source has a track of its own."""
        if source not in tracks[layer]:
            tracks[layer].append(source)
        return _right_edge(layer, cells, places) + 12 + 7.0 * tracks[layer].index(source)

    drawn = []
    for number, way in enumerate(ways):
        start, end = places[way.source], places[way.target]
        layer = cells[_host(way.source, by_key)].layer
        bend = bend_of(layer, way.source)
        beside = by_key[way.source].attached_to in by_key
        if number in back:
            points = _round_above(start, end, top - 10 - 14 * back[number], bend, beside=beside)
        else:
            points = [(start.x + start.across, start.y)]
            if beside:
                points = [(start.x, start.y + start.down), (start.x, start.y + start.down + 9)]
            for key in chains[number]:
                cell = cells[key]
                points += _step_over(points[-1], bend, cell.y)
                points.append((cell.x, cell.y))
                bend = bend_of(cell.layer, way.source)
            points += _step_over(points[-1], bend, end.y)
            points.append((end.x - end.across, end.y))
        drawn.append(_drawn_line(_without_repeats(points), way.title, "flow", way.default))
    return drawn


def _right_edge(layer: int, cells: Mapping[str, _Cell], places: Mapping[str, _Place]) -> float:
    here = [p.x + max(p.across, 0) for k, p in places.items() if k in cells and cells[k].layer == layer]
    passing = [c.x for c in cells.values() if c.layer == layer]
    return max([*here, *passing])


def _step_over(at: Point, bend: float, y: float) -> list[Point]:
    return [] if abs(at[1] - y) < 0.5 else [(bend, at[1]), (bend, y)]


def _round_above(start: _Place, end: _Place, y: float, bend: float, *, beside: bool) -> list[Point]:
    first = [(start.x + start.across, start.y), (bend, start.y)]
    if beside:
        low = start.y + start.down + 9
        first = [(start.x, start.y + start.down), (start.x, low), (bend, low)]
    return [*first, (bend, y), (end.x, y), (end.x, end.y - end.down)]


def _without_repeats(points: Sequence[Point]) -> list[Point]:
    kept: list[Point] = []
    for point in points:
        if not kept or abs(point[0] - kept[-1][0]) > 0.05 or abs(point[1] - kept[-1][1]) > 0.05:
            kept.append(point)
    return kept


# --- a drawing with its own coordinates -------------------------------------------------------------------


def svg_of_drawing(drawing: Drawing, *, state: Mapping[str, str] | None = None) -> str:
    """A BPMN drawing as its author drew it. state: by element."""
    shapes = drawing.shapes[:MOST_SHAPES]
    lines = drawing.lines[: 2 * MOST_SHAPES]
    xs = [v for s in shapes for v in (s.x, s.x + s.width)] + [p[0] for ln in lines for p in ln.points]
    ys = [v for s in shapes for v in (s.y, s.y + s.height)] + [p[1] for ln in lines for p in ln.points]
    for shape in shapes:
        if shape.label:
            x, y, w, h = shape.label
            xs += [x, x + w]
            ys += [y, y + h]
    left, top = min(xs, default=0.0) - MARGIN, min(ys, default=0.0) - MARGIN
    width, height = max(xs, default=0.0) - left + MARGIN, max(ys, default=0.0) - top + MARGIN + LINE_PX
    known = state or {}
    shapes = tuple(_as_drawn(shape, shapes) for shape in shapes)
    order = sorted(shapes, key=lambda s: (_depth(s), -s.width * s.height))
    drawn = [_drawn_shape(s, known.get(s.element, "")) for s in order if _depth(s) < 2]
    drawn += [_drawn_edge(line) for line in lines]
    drawn += [_drawn_shape(s, known.get(s.element, "")) for s in order if _depth(s) >= 2]
    names = [f"{s.title}{_state_words(known.get(s.element, ''))}" for s in order if s.title]
    if len(drawing.shapes) > len(shapes):
        names.append(f"{len(drawing.shapes) - len(shapes):,} more are not drawn")
    return _frame(drawing.title, "; ".join(names), "".join(drawn), width, height, left, top)


def _as_drawn(shape: Shape, shapes: Sequence[Shape]) -> Shape:
    """A sub-process or call is open when something is drawn inside of it, whatever the file says."""
    if shape.tag not in bpmn.CONTAINERS and shape.tag != "callActivity":
        return shape
    right, bottom = shape.x + shape.width, shape.y + shape.height
    inside = any(
        shape.x < s.x and s.x + s.width < right and shape.y < s.y and s.y + s.height < bottom
        for s in shapes if s.tag in bpmn.NODES
    )  # fmt: skip
    return replace(shape, expanded=inside)


def _is_open(shape: Shape) -> bool:
    return shape.expanded and (shape.tag in bpmn.CONTAINERS or shape.tag == "callActivity")


def _depth(shape: Shape) -> int:
    """What is drawn first: pools, lanes, then open sub-processes and groups, then all the rest."""
    if shape.tag in ("participant", "lane"):
        return 0
    return 1 if shape.tag == "group" or _is_open(shape) else 2


def _drawn_edge(line: Line) -> str:
    kind = {"sequence": "flow", "message": "message"}.get(line.kind, "data")
    return _drawn_line(_without_repeats(line.points), line.title, kind, label=line.label)


def _drawn_shape(shape: Shape, state: str) -> str:
    x, y, w, h = shape.x, shape.y, shape.width, shape.height
    if shape.tag in ("participant", "lane"):
        return _pool(shape)
    classes = f"node {state}".strip()
    inside = _outline(shape)
    title = f"<title>{_text((shape.title or shape.tag) + _state_words(state))}</title>"
    if shape.tag in bpmn.EVENTS | bpmn.GATEWAYS or shape.tag in ("dataObjectReference", "dataStoreReference"):
        words = _label_below(shape.title, x + w / 2, y + h + 12, shape.label)
    elif shape.tag == "group" or _is_open(shape):
        words = _lines_of(shape.title, x + 8, y + 15, w - 16, 1, anchor="start")
    elif shape.tag == "textAnnotation":
        words = _lines_of(shape.title, x + 6, y + 13, w - 8, max(1, int(h // LINE_PX)), anchor="start")
    else:
        words = _centred(shape.title, x + w / 2, y + h / 2, w - 10, max(1, int((h - 6) // LINE_PX)))
    done = _state_mark(x + w - 4, y + 4, state)
    return f'<g class="{classes}">{title}{inside}{words}{done}</g>'


def _pool(shape: Shape, band: float = 24.0) -> str:
    x, y, w, h = shape.x, shape.y, shape.width, shape.height
    band = min(band, (w if shape.horizontal else h) / 2)
    box = f'<rect class="pool" x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}"/>'
    if shape.horizontal:
        words = _turned(shape.title, x + band / 2, y + h / 2, h - 8, max(1, int(band // LINE_PX)))
        edge = _path([(x + band, y), (x + band, y + h)])
    else:
        words = _centred(shape.title, x + w / 2, y + band / 2, w - 8, 1)
        edge = _path([(x, y + band), (x + w, y + band)])
    line = f'<path class="pool" d="{edge}"/>' if shape.title else ""
    return f'<g class="lane-box"><title>{_text(shape.title)}</title>{box}{line}{words}</g>'


def _outline(shape: Shape) -> str:
    x, y, w, h = shape.x, shape.y, shape.width, shape.height
    cx, cy = x + w / 2, y + h / 2
    if shape.tag in bpmn.EVENTS:
        return _circle(cx, cy, min(w, h) / 2, _ring_of(shape.tag), not shape.interrupting) + _mark(
            TRIGGERS.get(shape.trigger, ""), cx, cy, min(w, h) / 36
        )
    if shape.tag in bpmn.GATEWAYS:
        return _diamond(cx, cy, w / 2, h / 2) + _mark(MARKS[shape.tag], cx, cy, min(w, h) / 42)
    if shape.tag == "dataObjectReference":
        fold = min(10.0, w / 3)
        page = [(x, y), (x + w - fold, y), (x + w, y + fold), (x + w, y + h), (x, y + h)]
        return f'<path d="{_path(page)}Z"/>'
    if shape.tag == "dataStoreReference":
        curve = min(8.0, h / 4)
        rim = f"c0 {_n(curve)} {_n(w)} {_n(curve)} {_n(w)} 0"
        back = f"c0 {_n(-curve)} {_n(w)} {_n(-curve)} {_n(w)} 0"
        below = f"c0 {_n(curve)} {_n(-w)} {_n(curve)} {_n(-w)} 0"
        start = f"M{_n(x)} {_n(y + curve)}"
        return f'<path d="{start}{back}v{_n(h - 2 * curve)}{below}Z{start}{rim}"/>'
    if shape.tag == "textAnnotation":
        return f'<path class="open" d="{_path([(x + 10, y), (x, y), (x, y + h), (x + 10, y + h)])}"/>'
    classes = {"group": ' class="group"', "callActivity": ' class="thick"'}.get(shape.tag, "")
    box = _box(x, y, w, h, classes)
    lines = len(_wrapped(shape.title, w - 10, max(1, int((h - 6) // LINE_PX))))
    if shape.tag in bpmn.TASKS and MARKS.get(shape.tag) and h - lines * LINE_PX > 26:
        box += _mark(MARKS[shape.tag], x + 11, y + 11, 0.8)
    if shape.tag in bpmn.CONTAINERS and not shape.expanded:
        box += _mark("parts", cx, y + h - 9, 0.8)
    if shape.loop:
        how = {"standard": "again", "parallel": "bars", "sequential": "lines"}[shape.loop]
        box += _mark(how, cx - (14 if shape.tag in bpmn.CONTAINERS else 0), y + h - 9, 0.8)
    return box


# --- pieces -------------------------------------------------------------------------------------------------


def _drawn_lanes(names: Sequence[str], rows: Sequence[int], top: float, width: float) -> list[str]:
    if not any(names):
        return []
    drawn, at = [], top
    for name, count in zip(names, rows, strict=True):
        high = count * ROW_HEIGHT
        shape = Shape("", "lane", name, MARGIN / 2, at, width - MARGIN, high)
        drawn.append(_pool(shape, LANE_TITLE_WIDTH - 2))
        at += high
    return drawn


def _drawn_item(item: _Item, place: _Place, state: str) -> str:
    title = item.title or item.key
    classes = f"node {item.form} {state}".strip()
    words = f"<title>{_text(title + _state_words(state))}</title>"
    if item.form == "task":
        x, y = place.x - place.across, place.y - place.down
        inside = _box(x, y, 2 * place.across, 2 * place.down)
        inside += _mark(item.mark, x + 12, y + 12, 0.8)
        inside += _centred(item.title, place.x + 5, place.y, 2 * place.across - 28, 3)
        if item.checked:
            inside += _mark("eyes", x + 2 * place.across - 14, y + 2 * place.down - 9, 0.8)
        return (
            f'<g class="{classes}">{words}{inside}{_state_mark(x + 2 * place.across - 4, y + 4, state)}</g>'
        )
    if item.form == "gateway":
        inside = _diamond(place.x, place.y, place.across, place.down)
        inside += _mark(item.mark, place.x, place.y, 1)
    else:
        inside = _circle(place.x, place.y, place.across, item.ring, item.dashed)
        inside += _mark(item.mark, place.x, place.y, place.across / 18)
    if item.attached_to:
        inside += _lines_of(
            item.title, place.x - place.across - 4, place.y + place.down + 8, TASK_WIDTH - 34, 1, anchor="end"
        )
    else:
        inside += _label_below(item.title, place.x, place.y + place.down + 13, None)
    mark = _state_mark(place.x + place.across, place.y - place.down, state)
    return f'<g class="{classes}">{words}{inside}{mark}</g>'


def _drawn_line(
    points: Sequence[Point],
    title: str,
    kind: str,
    default: bool = False,
    label: tuple[float, float, float, float] | None = None,
) -> str:
    if len(points) < 2:
        return ""
    head = _head(points[-2], points[-1]) if kind != "data" else ""
    drawn = f'<path class="{kind}" d="{_path(points, bend=6.0)}"/>{head}'
    if default:
        drawn += _slash(points[0], points[1])
    if not title:
        return drawn
    if label is not None:
        return drawn + _label_below(title, label[0] + label[2] / 2, label[1] + 10, label)
    x, y, room = _room_for_words(points)
    return drawn + _lines_of(title, x, y, room, 1, anchor="start", classes="on-line")


def _room_for_words(points: Sequence[Point]) -> tuple[float, float, float]:
    """Above the first level stretch of a line that is long enough, from its left end."""
    level = [(a, b) for a, b in pairwise(points) if abs(a[1] - b[1]) < 0.5 and a[0] != b[0]]
    if not level:
        return points[0][0] + 4, points[0][1] - 5, 60.0
    wide = [(a, b) for a, b in level if abs(b[0] - a[0]) >= 34]
    a, b = wide[0] if wide else level[-1]
    left, right = sorted((a[0], b[0]))
    return left + 5, a[1] - 5, min(max(right - left - 12, 34.0), WIDEST_GAP)


def _head(before: Point, at: Point) -> str:
    """An arrow's head, in the direction of the last stretch."""
    dx, dy = at[0] - before[0], at[1] - before[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    ux, uy = dx / length, dy / length
    back = (at[0] - 8 * ux, at[1] - 8 * uy)
    a = (back[0] - 3.6 * uy, back[1] + 3.6 * ux)
    b = (back[0] + 3.6 * uy, back[1] - 3.6 * ux)
    return f'<path class="head" d="{_path([at, a, b])}Z"/>'


def _slash(start: Point, towards: Point) -> str:
    """The mark of a default: the branch when no other holds."""
    way = 1 if towards[0] >= start[0] else -1
    x, y = start[0] + 8 * way, start[1]
    return f'<path class="flow" d="M{_n(x - 3)} {_n(y + 5)}L{_n(x + 3)} {_n(y - 5)}"/>'


def _path(points: Sequence[Point], bend: float = 0.0) -> str:
    """A line through points; its corners are round where there is room."""
    parts = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for before, at, after in zip(points, points[1:], points[2:], strict=False):
        turn = min(bend, _distance(before, at) / 2, _distance(at, after) / 2)
        if turn > 0.5:
            a, b = _towards(at, before, turn), _towards(at, after, turn)
            parts.append(f"L{_n(a[0])} {_n(a[1])}Q{_n(at[0])} {_n(at[1])} {_n(b[0])} {_n(b[1])}")
        else:
            parts.append(f"L{_n(at[0])} {_n(at[1])}")
    parts.append(f"L{_n(points[-1][0])} {_n(points[-1][1])}")
    return "".join(parts)


def _distance(a: Point, b: Point) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def _towards(start: Point, end: Point, far: float) -> Point:
    share = far / (_distance(start, end) or 1.0)
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _box(x: float, y: float, width: float, height: float, classes: str = "") -> str:
    size = f'width="{_n(width)}" height="{_n(height)}"'
    return f'<rect{classes} x="{_n(x)}" y="{_n(y)}" {size} rx="{_n(min(8.0, height / 4))}"/>'


def _circle(x: float, y: float, radius: float, ring: str, dashed: bool) -> str:
    more = " dashed" if dashed else ""
    outer = f'<circle class="{ring}{more}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"/>'
    if ring == "middle" and radius > 6:
        outer += f'<circle class="inner{more}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius - 3)}"/>'
    return outer


def _diamond(x: float, y: float, across: float, down: float) -> str:
    return f'<path d="{_path([(x - across, y), (x, y - down), (x + across, y), (x, y + down)])}Z"/>'


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


def _mark(name: str, x: float, y: float, size: float) -> str:
    if not name:
        return ""
    solid = " solid" if name == "stop" else ""
    return (
        f'<path class="mark{solid}" transform="translate({_n(x)} {_n(y)}) scale({_n(size)})" '
        f'd="{MARK_PATHS[name]}"/>'
    )


def _state_mark(x: float, y: float, state: str) -> str:
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
        f'<g class="badge" transform="translate({_n(x)} {_n(y)})"><circle r="7.5"/>'
        f'<path d="{marks[state]}"/></g>'
    )


def _state_words(state: str) -> str:
    return f": {STATE_WORDS[state]}" if state in STATE_WORDS else ""


def _words(items: Iterable[_Item], state: Mapping[str, str]) -> str:
    return "; ".join(f"{i.title or i.key}{_state_words(state.get(i.key, ''))}" for i in items)


# --- letters ----------------------------------------------------------------------------------------------


def _text_width(text: str, size: float = LETTER_PX) -> float:
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


def _wrapped(text: str, width: float, lines: int) -> list[str]:
    """The text in at most so many lines; what does not fit ends in an ellipsis."""
    made: list[str] = []
    words = printable(text).split()
    while words and len(made) < lines:
        line = words.pop(0)
        while words and _text_width(f"{line} {words[0]}") <= width:
            line = f"{line} {words.pop(0)}"
        if _text_width(line) > width and not (len(made) + 1 == lines and words):
            head, rest = _cut(line, width)
            line, words = head, [rest, *words] if rest else words
        made.append(line)
    if words and made:
        last = made[-1]
        while last and _text_width(last + "…") > width:
            last = last[:-1]
        made[-1] = last.rstrip() + "…"
    return made


def _cut(word: str, width: float) -> tuple[str, str]:
    at = len(word)
    while at > 1 and _text_width(word[:at] + "-") > width:
        at -= 1
    return (word, "") if at == len(word) else (word[:at] + "-", word[at:])


def _lines_of(
    text: str, x: float, y: float, width: float, lines: int, *, anchor: str = "middle", classes: str = ""
) -> str:
    """Lines of text from a first baseline."""
    kind = f' class="{classes}"' if classes else ""
    return "".join(
        f'<text{kind} x="{_n(x)}" y="{_n(y + n * LINE_PX)}" text-anchor="{anchor}">{_text(line)}</text>'
        for n, line in enumerate(_wrapped(text, width, lines))
    )


def _centred(text: str, x: float, y: float, width: float, lines: int) -> str:
    count = len(_wrapped(text, width, lines))
    return _lines_of(text, x, y - (count - 1) * LINE_PX / 2 + 4, width, lines)


def _label_below(text: str, x: float, y: float, label: tuple[float, float, float, float] | None) -> str:
    if label is None:
        return _lines_of(text, x, y, 104.0, 2)
    lx, ly, width, height = label
    if height < 2 * LINE_PX - 4:  # its author set it in one line
        return _lines_of(text, lx + width / 2, ly + 11, max(width * 1.6, 80.0), 1)
    return _lines_of(text, lx + width / 2, ly + 11, max(width + 14, 80.0), 3)


def _turned(text: str, x: float, y: float, length: float, lines: int) -> str:
    made = _wrapped(text, length, lines)
    return "".join(
        f'<text class="lane-name" transform="translate({_n(x + 4 + (n - (len(made) - 1) / 2) * LINE_PX)} '
        f'{_n(y)}) rotate(-90)" text-anchor="middle">{_text(line)}</text>'
        for n, line in enumerate(made)
    )


def _text(text: str) -> str:
    return escape(printable(text))


def _n(number: float) -> str:
    """A coordinate: one decimal, no more."""
    return f"{number:.1f}".removesuffix(".0")


def _frame(
    title: str, words: str, body: str, width: float, height: float, left: float = 0.0, top: float = 0.0
) -> str:
    """The SVG around what is drawn, with its name, and every step as words."""
    scale = min(1.0, LONGEST_SIDE / max(width, height, 1.0))
    name = "flow-" + hashlib.sha256(f"{title}\0{words}".encode(errors="replace")).hexdigest()[:10]
    box = f"{_n(left)} {_n(top)} {_n(width)} {_n(height)}"
    return (
        f'<svg class="flow-chart" role="img" width="{_n(width * scale)}" height="{_n(height * scale)}" '
        f'viewBox="{box}" aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{_text(title)}'
        f'</title><desc id="{name}-desc">{_text(words)}</desc>{body}</svg>'
    )
