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

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from engineroom.sop import pen
from engineroom.sop.formats import bpmn
from engineroom.sop.formats.bpmn import Drawing, Line, Process, Shape
from engineroom.sop.graph import Graph, Step
from engineroom.sop.layout import LANE_TITLE_WIDTH, MARGIN, ROW_HEIGHT, TASK_WIDTH, Item, Place, Way, laid_out

State = Literal["done", "now", "waiting", "skipped", "late"]

MOST_SHAPES = 2_000
"""A drawing of more is no picture; the rest is left out and the picture says so."""

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
    ways = [Way(f.source, f.target, f.title or _said(f), f.is_default) for f in graph.flows]
    return _drawn(graph.title, items, ways, state or {})


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


def _item_of(step: Step, passed: bool) -> Item:
    form, mark = FORMS["start"] if passed else FORMS[step.kind]
    ring: Literal["start", "middle", "end"] = "middle"
    if step.kind in ("start", "end"):
        ring = "start" if step.kind == "start" else "end"
        mark = "stop" if step.terminates else ""
    lane = "Client" if step.kind == "client_request" and not step.role else step.role
    return Item(
        step.key, step.title, form, mark, ring, lane.replace("_", " "), step.attached_to,
        bool(step.attached_to) and not step.interrupting, step.four_eyes,
    )  # fmt: skip


def svg_of_process(process: Process, *, state: Mapping[str, str] | None = None) -> str:
    """A BPMN process that nobody drew. What is inside of sub-processes is not shown."""
    inside = {e.id for e in process.elements}
    top = [e for e in process.elements if e.parent not in inside]
    known = {e.id for e in top}
    items = [
        Item(
            e.id, e.title, _form_of(e.tag), _mark_of(e.tag, e.events[0].kind if e.events else "", e.loop),
            _ring_of(e.tag), e.lane, e.attached_to if e.attached_to in known else "",
            e.tag == "boundaryEvent" and not e.interrupting,
        )
        for e in top
    ]  # fmt: skip
    ways = [Way(f.source, f.target, f.title) for f in process.flows if {f.source, f.target} <= known]
    return _drawn(process.title, items[:MOST_SHAPES], ways, state or {})


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


def _drawn(title: str, items: Sequence[Item], ways: Sequence[Way], state: Mapping[str, str]) -> str:
    """Lanes below, then the lines, then what they join."""
    made = laid_out(items, ways)
    drawn = _drawn_lanes(made.lanes, made.top, made.width)
    drawn += [pen.line(points, way.title, "flow", way.default) for way, points in made.routes]
    drawn += [_drawn_item(item, made.places[item.key], state.get(item.key, "")) for item in items]
    return pen.frame(title, _words(items, state), "".join(drawn), made.width, made.height)


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
    width, height = max(xs, default=0.0) - left + MARGIN, max(ys, default=0.0) - top + MARGIN + pen.LINE_PX
    known = state or {}
    shapes = tuple(_as_drawn(shape, shapes) for shape in shapes)
    order = sorted(shapes, key=lambda s: (_depth(s), -s.width * s.height))
    drawn = [_drawn_shape(s, known.get(s.element, "")) for s in order if _depth(s) < 2]
    drawn += [_drawn_edge(line) for line in lines]
    drawn += [_drawn_shape(s, known.get(s.element, "")) for s in order if _depth(s) >= 2]
    names = [f"{s.title}{pen.state_words(known.get(s.element, ''))}" for s in order if s.title]
    if len(drawing.shapes) > len(shapes):
        names.append(f"{len(drawing.shapes) - len(shapes):,} more are not drawn")
    return pen.frame(drawing.title, "; ".join(names), "".join(drawn), width, height, left, top)


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
    return pen.line(pen.without_repeats(line.points), line.title, kind, label=line.label)


def _drawn_shape(shape: Shape, state: str) -> str:
    x, y, w, h = shape.x, shape.y, shape.width, shape.height
    if shape.tag in ("participant", "lane"):
        return _pool(shape)
    classes = f"node {state}".strip()
    inside = _outline(shape)
    title = f"<title>{pen.text_of((shape.title or shape.tag) + pen.state_words(state))}</title>"
    if shape.tag in bpmn.EVENTS | bpmn.GATEWAYS or shape.tag in ("dataObjectReference", "dataStoreReference"):
        words = pen.label_below(shape.title, x + w / 2, y + h + 12, shape.label)
    elif shape.tag == "group" or _is_open(shape):
        words = pen.lines_of(shape.title, x + 8, y + 15, w - 16, 1, anchor="start")
    elif shape.tag == "textAnnotation":
        words = pen.lines_of(shape.title, x + 6, y + 13, w - 8, max(1, int(h // pen.LINE_PX)), anchor="start")
    else:
        words = pen.centred(shape.title, x + w / 2, y + h / 2, w - 10, max(1, int((h - 6) // pen.LINE_PX)))
    done = pen.state_mark(x + w - 4, y + 4, state)
    return f'<g class="{classes}">{title}{inside}{words}{done}</g>'


def _pool(shape: Shape, band: float = 24.0) -> str:
    x, y, w, h = shape.x, shape.y, shape.width, shape.height
    band = min(band, (w if shape.horizontal else h) / 2)
    box = f'<rect class="pool" x="{pen.px(x)}" y="{pen.px(y)}" width="{pen.px(w)}" height="{pen.px(h)}"/>'
    if shape.horizontal:
        words = pen.turned(shape.title, x + band / 2, y + h / 2, h - 8, max(1, int(band // pen.LINE_PX)))
        edge = pen.path([(x + band, y), (x + band, y + h)])
    else:
        words = pen.centred(shape.title, x + w / 2, y + band / 2, w - 8, 1)
        edge = pen.path([(x, y + band), (x + w, y + band)])
    line = f'<path class="pool" d="{edge}"/>' if shape.title else ""
    return f'<g class="lane-box"><title>{pen.text_of(shape.title)}</title>{box}{line}{words}</g>'


def _outline(shape: Shape) -> str:
    x, y, w, h = shape.x, shape.y, shape.width, shape.height
    cx, cy = x + w / 2, y + h / 2
    if shape.tag in bpmn.EVENTS:
        return pen.circle(cx, cy, min(w, h) / 2, _ring_of(shape.tag), not shape.interrupting) + pen.mark(
            TRIGGERS.get(shape.trigger, ""), cx, cy, min(w, h) / 36
        )
    if shape.tag in bpmn.GATEWAYS:
        return pen.diamond(cx, cy, w / 2, h / 2) + pen.mark(MARKS[shape.tag], cx, cy, min(w, h) / 42)
    if shape.tag == "dataObjectReference":
        fold = min(10.0, w / 3)
        page = [(x, y), (x + w - fold, y), (x + w, y + fold), (x + w, y + h), (x, y + h)]
        return f'<path d="{pen.path(page)}Z"/>'
    if shape.tag == "dataStoreReference":
        curve = min(8.0, h / 4)
        rim = f"c0 {pen.px(curve)} {pen.px(w)} {pen.px(curve)} {pen.px(w)} 0"
        back = f"c0 {pen.px(-curve)} {pen.px(w)} {pen.px(-curve)} {pen.px(w)} 0"
        below = f"c0 {pen.px(curve)} {pen.px(-w)} {pen.px(curve)} {pen.px(-w)} 0"
        start = f"M{pen.px(x)} {pen.px(y + curve)}"
        return f'<path d="{start}{back}v{pen.px(h - 2 * curve)}{below}Z{start}{rim}"/>'
    if shape.tag == "textAnnotation":
        return f'<path class="open" d="{pen.path([(x + 10, y), (x, y), (x, y + h), (x + 10, y + h)])}"/>'
    classes = {"group": ' class="group"', "callActivity": ' class="thick"'}.get(shape.tag, "")
    box = pen.box(x, y, w, h, classes)
    lines = len(pen.wrapped(shape.title, w - 10, max(1, int((h - 6) // pen.LINE_PX))))
    if shape.tag in bpmn.TASKS and MARKS.get(shape.tag) and h - lines * pen.LINE_PX > 26:
        box += pen.mark(MARKS[shape.tag], x + 11, y + 11, 0.8)
    if shape.tag in bpmn.CONTAINERS and not shape.expanded:
        box += pen.mark("parts", cx, y + h - 9, 0.8)
    if shape.loop:
        how = {"standard": "again", "parallel": "bars", "sequential": "lines"}[shape.loop]
        box += pen.mark(how, cx - (14 if shape.tag in bpmn.CONTAINERS else 0), y + h - 9, 0.8)
    return box


def _drawn_lanes(lanes: Sequence[tuple[str, int]], top: float, width: float) -> list[str]:
    if not any(name for name, _ in lanes):
        return []
    drawn, at = [], top
    for name, rows in lanes:
        high = rows * ROW_HEIGHT
        shape = Shape("", "lane", name, MARGIN / 2, at, width - MARGIN, high)
        drawn.append(_pool(shape, LANE_TITLE_WIDTH - 2))
        at += high
    return drawn


def _drawn_item(item: Item, place: Place, state: str) -> str:
    title = item.title or item.key
    classes = f"node {item.form} {state}".strip()
    words = f"<title>{pen.text_of(title + pen.state_words(state))}</title>"
    if item.form == "task":
        x, y = place.x - place.across, place.y - place.down
        inside = pen.box(x, y, 2 * place.across, 2 * place.down)
        inside += pen.mark(item.mark, x + 12, y + 12, 0.8)
        inside += pen.centred(item.title, place.x + 5, place.y, 2 * place.across - 28, 3)
        if item.checked:
            inside += pen.mark("eyes", x + 2 * place.across - 14, y + 2 * place.down - 9, 0.8)
        badge = pen.state_mark(x + 2 * place.across - 4, y + 4, state)
        return f'<g class="{classes}">{words}{inside}{badge}</g>'
    if item.form == "gateway":
        inside = pen.diamond(place.x, place.y, place.across, place.down)
        inside += pen.mark(item.mark, place.x, place.y, 1)
    else:
        inside = pen.circle(place.x, place.y, place.across, item.ring, item.dashed)
        inside += pen.mark(item.mark, place.x, place.y, place.across / 18)
    if item.attached_to:
        inside += pen.lines_of(
            item.title, place.x - place.across - 4, place.y + place.down + 8, TASK_WIDTH - 34, 1, anchor="end"
        )
    else:
        inside += pen.label_below(item.title, place.x, place.y + place.down + 13, None)
    mark = pen.state_mark(place.x + place.across, place.y - place.down, state)
    return f'<g class="{classes}">{words}{inside}{mark}</g>'


def _words(items: Iterable[Item], state: Mapping[str, str]) -> str:
    return "; ".join(f"{i.title or i.key}{pen.state_words(state.get(i.key, ''))}" for i in items)
