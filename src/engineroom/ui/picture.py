"""The thread as one picture: where each node stands in a grid, and the lines that join them.

All rows of the grid are equally high and all lanes equally wide (thread.css), so a node's centre is known as
a share of the whole before any browser has measured it: the lines can be drawn on the server, and no style
or script is needed. A lane counts in half rows, so that one node can stand between the two it became.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from engineroom.ui.parts import Edge, Node, Thread

MAX_ROWS = 20
"""Nodes of one lane in one picture: more is a list, not a picture, and thread.css has places for so many."""

MAX_LANES = 8

_UNIT = 100
_BEND = 7
"""Hundredths of a lane on each side of its border in which a line changes height: the gap between nodes."""


class Placed(NamedTuple):
    """A node and its first half row, counted from 1."""

    node: Node
    half_row: int


class Lane(NamedTuple):
    """A column of the picture, counted from 1."""

    number: int
    label: str
    placed: Sequence[Placed]


class Picture(NamedTuple):
    """What the component draws. lines are the paths' `d` in a box of width by height units."""

    lanes: Sequence[Lane]
    lines: Sequence[tuple[str, bool]]
    half_rows: int
    width: int
    height: int
    more: str


def picture_of(thread: Thread) -> Picture:
    """Lay the thread out. Nodes past MAX_ROWS of a lane are left out and counted in `more`."""
    labels = list(thread.lanes)[:MAX_LANES]
    by_lane = {label: [n for n in thread.nodes if n.lane == label] for label in labels}
    left_out = len(thread.nodes) - sum(min(len(nodes), MAX_ROWS) for nodes in by_lane.values())
    shown = {label: nodes[:MAX_ROWS] for label, nodes in by_lane.items()}
    edges = _with_passages(shown, thread.edges)
    half_rows = 2 * max([1, *(len(nodes) for nodes in shown.values())])
    starts = _half_rows_of(shown, edges, half_rows)
    lanes = [
        Lane(
            i,
            label,
            sorted((Placed(n, starts[n.id]) for n in nodes if n.what), key=lambda p: p.half_row),
        )
        for i, (label, nodes) in enumerate(shown.items(), start=1)
    ]
    centres = {
        node.id: (i * _UNIT - _UNIT // 2, starts[node.id] * _UNIT // 2)
        for i, nodes in enumerate(shown.values(), start=1)
        for node in nodes
    }
    lines = [
        (_line(centres[edge.start], centres[edge.end]), edge.pending)
        for edge in edges
        if edge.start in centres and edge.end in centres
    ]
    words = [thread.more] if thread.more else []
    if left_out:
        words.append(f"{left_out} more not drawn")
    return Picture(lanes, lines, half_rows, len(lanes) * _UNIT, half_rows * _UNIT // 2, "; ".join(words))


def _with_passages(shown: dict[str, list[Node]], edges: Sequence[Edge]) -> list[Edge]:
    """Edges cut where they cross a lane, each crossing with an empty place of its own in that lane.

    Otherwise a line would run behind a node there, and seem to come from it. A full lane gets no more.
    """
    labels = list(shown)
    lane_of = {node.id: i for i, nodes in enumerate(shown.values()) for node in nodes}
    cut: list[Edge] = []
    for edge in edges:
        ends = sorted((edge.start, edge.end), key=lambda name: lane_of.get(name, 0))
        before = ends[0]
        for i in range(lane_of.get(ends[0], 0) + 1, lane_of.get(ends[1], 0)):
            lane = shown[labels[i]]
            if edge.start not in lane_of or edge.end not in lane_of or len(lane) >= MAX_ROWS:
                continue
            passage = Node(f"{edge.start} to {edge.end} past {labels[i]}", labels[i], "")
            if passage.id not in {node.id for node in lane}:
                lane.append(passage)
            cut.append(Edge(before, passage.id, edge.pending))
            before = passage.id
        cut.append(Edge(before, ends[1], edge.pending))
    return cut


def _half_rows_of(shown: dict[str, list[Node]], edges: Sequence[Edge], half_rows: int) -> dict[str, int]:
    """Each node's first half row: the fullest lane sets the rows; the others stand beside what they join."""
    neighbours: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        neighbours[edge.start].append(edge.end)
        neighbours[edge.end].append(edge.start)
    order = list(shown)
    fullest = max(range(len(order)), key=lambda i: len(shown[order[i]]), default=0)
    outward = sorted(range(len(order)), key=lambda i: (abs(i - fullest), i))
    starts: dict[str, int] = {}
    for index in outward:
        nodes = shown[order[index]]
        spread = [1 + round((i + 0.5) * half_rows / len(nodes) - 1) for i in range(len(nodes))]
        wanted = [
            _middle([starts[other] for other in neighbours[node.id] if other in starts], spread[i])
            for i, node in enumerate(nodes)
        ]
        for node, start in zip(nodes, _without_overlap(wanted, half_rows), strict=True):
            starts[node.id] = start
    return starts


def _middle(values: Sequence[int], otherwise: int) -> int:
    return (min(values) + max(values)) // 2 if values else otherwise


def _without_overlap(wanted: Sequence[int], half_rows: int) -> list[int]:
    """As near to what is wanted as can be, each node two half rows high, all inside the grid."""
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    placed = [0] * len(wanted)
    free = 1
    for i in order:
        placed[i] = max(wanted[i], free)
        free = placed[i] + 2
    limit = half_rows - 1
    for i in reversed(order):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - 2
    return placed


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    """From centre to centre, behind the nodes; the height changes in the gap before the last lane."""
    (x1, y1), (x2, y2) = sorted((start, end))
    if x1 == x2:
        return f"M{x1} {y1}V{y2}"
    border = x2 - _UNIT // 2
    return f"M{x1} {y1}H{border - _BEND}C{border} {y1} {border} {y2} {border + _BEND} {y2}H{x2}"
