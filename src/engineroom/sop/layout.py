"""Where the steps of a procedure stand when nobody drew it: layers from left to right, lanes by role, and
lines that bend in the gaps. Geometry alone; `diagram` draws it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from engineroom.sop.pen import WIDEST_WORDS, Point, text_width, without_repeats

TASK_WIDTH, TASK_HEIGHT = 136.0, 54.0
EVENT_RADIUS, GATEWAY_RADIUS, BESIDE_RADIUS = 15.0, 21.0, 11.0
ROW_HEIGHT = 92.0
LANE_TITLE_WIDTH = 36.0
MARGIN = 12.0
SMALLEST_GAP = 44.0


@dataclass(frozen=True)
class Item:
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
class Way:
    source: str
    target: str
    title: str = ""
    default: bool = False


@dataclass
class _Cell:
    """Where an item stands: its layer, its row of the whole picture, its centre. Passages have no item."""

    layer: int
    lane: int
    row: int = 0
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Place:
    """A centre, and how far the shape reaches to each side of it."""

    x: float
    y: float
    across: float
    down: float


@dataclass(frozen=True)
class Layout:
    """Where everything stands. lanes: each with its rows, from `top` down; routes: the points of each way."""

    places: dict[str, Place]
    routes: list[tuple[Way, list[Point]]]
    lanes: list[tuple[str, int]]
    top: float
    width: float
    height: float


def laid_out(items: Sequence[Item], ways: Sequence[Way]) -> Layout:
    """Places for the items, and lines for those of the ways whose two ends are among them."""
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
    centres = _columns(free, cells, gaps, left)
    top = MARGIN + 14.0 * len(_backward(ways, by_key, cells))
    for cell in cells.values():
        cell.x = centres[cell.layer]
        cell.y = top + (cell.row + 0.5) * ROW_HEIGHT
    width = max([c.x for c in cells.values()], default=0.0) + TASK_WIDTH / 2 + MARGIN + 24
    height = top + sum(rows) * ROW_HEIGHT + MARGIN
    places = _places(items, cells, by_key)
    routes = _routes(ways, by_key, cells, chains, places, top)
    return Layout(places, routes, list(zip(names, rows, strict=True)), top, width, height)


def _host(key: str, by_key: Mapping[str, Item]) -> str:
    """What stands beside another item is where that one is."""
    attached = by_key[key].attached_to
    return attached if attached in by_key else key


def _layers(free: Sequence[Item], ways: Sequence[Way], by_key: Mapping[str, Item]) -> dict[str, int]:
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


def _lanes_of(free: Sequence[Item], ways: Sequence[Way], by_key: Mapping[str, Item]) -> dict[str, str]:
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
    ways: Sequence[Way], by_key: Mapping[str, Item], cells: dict[str, _Cell]
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
    free: Sequence[Item],
    ways: Sequence[Way],
    chains: Mapping[int, Sequence[str]],
    cells: dict[str, _Cell],
    lanes: int,
    by_key: Mapping[str, Item],
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


def _backward(ways: Sequence[Way], by_key: Mapping[str, Item], cells: Mapping[str, _Cell]) -> list[int]:
    """Ways to the same layer or an earlier one: they go round above everything."""
    return [
        n
        for n, w in enumerate(ways)
        if cells[_host(w.target, by_key)].layer <= cells[_host(w.source, by_key)].layer
    ]


def _gaps(ways: Sequence[Way], by_key: Mapping[str, Item], cells: Mapping[str, _Cell]) -> dict[int, float]:
    """The room after each layer: for the words on the ways that leave it, and for their bends."""
    gaps: dict[int, float] = defaultdict(lambda: SMALLEST_GAP)
    bends: dict[int, set[str]] = defaultdict(set)
    for way in ways:
        layer = cells[_host(way.source, by_key)].layer
        for passed in range(layer, max(cells[_host(way.target, by_key)].layer, layer + 1)):
            bends[passed].add(way.source)
        if way.title:
            gaps[layer] = max(gaps[layer], min(WIDEST_WORDS, text_width(way.title) + 30))
    for layer, sources in bends.items():
        gaps[layer] = max(gaps[layer], SMALLEST_GAP - 10 + 7.0 * len(sources))
    return gaps


def _columns(
    free: Sequence[Item], cells: Mapping[str, _Cell], gaps: Mapping[int, float], left: float
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


def _places(
    items: Sequence[Item], cells: Mapping[str, _Cell], by_key: Mapping[str, Item]
) -> dict[str, Place]:
    reach = {
        "task": (TASK_WIDTH / 2, TASK_HEIGHT / 2),
        "event": (EVENT_RADIUS, EVENT_RADIUS),
        "gateway": (GATEWAY_RADIUS, GATEWAY_RADIUS),
    }
    places = {i.key: Place(cells[i.key].x, cells[i.key].y, *reach[i.form]) for i in items if i.key in cells}
    beside: dict[str, int] = defaultdict(int)
    for item in items:
        if item.key not in places:
            host = places[item.attached_to]
            number = beside[item.attached_to]
            beside[item.attached_to] += 1
            x = host.x + host.across - 18 - number * (2 * BESIDE_RADIUS + 8)
            places[item.key] = Place(x, host.y + host.down, BESIDE_RADIUS, BESIDE_RADIUS)
    return places


def _routes(
    ways: Sequence[Way],
    by_key: Mapping[str, Item],
    cells: Mapping[str, _Cell],
    chains: Mapping[int, Sequence[str]],
    places: Mapping[str, Place],
    top: float,
) -> list[tuple[Way, list[Point]]]:
    """Every way as a line: out to the right, a bend in the gap, in from the left."""
    back = {number: n for n, number in enumerate(_backward(ways, by_key, cells))}
    tracks: dict[int, list[str]] = defaultdict(list)

    def bend_of(layer: int, source: str) -> float:
        """Where lines of one source turn in the gap after a layer: each source has a track of its own."""
        if source not in tracks[layer]:
            tracks[layer].append(source)
        return _right_edge(layer, cells, places) + 12 + 7.0 * tracks[layer].index(source)

    routes = []
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
        routes.append((way, without_repeats(points)))
    return routes


def _right_edge(layer: int, cells: Mapping[str, _Cell], places: Mapping[str, Place]) -> float:
    here = [p.x + max(p.across, 0) for k, p in places.items() if k in cells and cells[k].layer == layer]
    passing = [c.x for c in cells.values() if c.layer == layer]
    return max([*here, *passing])


def _step_over(at: Point, bend: float, y: float) -> list[Point]:
    return [] if abs(at[1] - y) < 0.5 else [(bend, at[1]), (bend, y)]


def _round_above(start: Place, end: Place, y: float, bend: float, *, beside: bool) -> list[Point]:
    first = [(start.x + start.across, start.y), (bend, start.y)]
    if beside:
        low = start.y + start.down + 9
        first = [(start.x, start.y + start.down), (start.x, low), (bend, low)]
    return [*first, (bend, y), (end.x, y), (end.x, end.y - end.down)]
