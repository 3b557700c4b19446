"""The thread: how any figure is followed back to the hour and forward to the bank line.

Each room registers what its nodes are and which table links them; a lower room never knows a higher one. A
link is a table with two columns, so it can be walked both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from engineroom.foundation import prepared
from engineroom.kernel.errors import NotFound


@dataclass(frozen=True)
class Node:
    """One thing on the thread, as a person reads it.

    minutes: what an hour has in place of an amount. page: the name of its own page and what stands in the
    address after the client.
    """

    kind: str
    id: UUID
    label: str
    amount_minor: int | None = None
    currency: str = "GBP"
    day: date | None = None
    who: str = ""
    rule: str = ""
    state: str = ""
    minutes: int | None = None
    page: tuple[str, tuple[object, ...]] | None = None


@dataclass(frozen=True)
class Link:
    """`from_kind` leads to `to_kind` through a table of one client. Columns are SQL expressions.

    back: the same table written for those who come from the other side, where the planner goes the long way.
    """

    from_kind: str
    to_kind: str
    table: str
    from_column: str
    to_column: str
    where: str = "true"
    back: str = ""

    def pairs(self, column: str, ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
        """(from, to) pairs where the given side is one of the ids."""
        return _pairs(prepared.answers([self.question(column, ids)])[0])

    def question(self, column: str, ids: Sequence[UUID]) -> prepared.Question:
        """Of which clients, row security says. Said once more here, PostgreSQL would count it twice, take any
        index that begins with the client, and read all that a client of 10,000 people has (15 ms for 0.3).
        """
        table = self.back if self.back and column == self.to_column else self.table
        return prepared.Question(
            f"SELECT DISTINCT {self.from_column}, {self.to_column} FROM {table} "  # noqa: S608 names are ours
            f"WHERE {column} = ANY(%s) AND {self.from_column} IS NOT NULL "
            f"AND {self.to_column} IS NOT NULL AND {self.where} ORDER BY 1, 2",
            [list(ids)],
            # Backwards a plan made without the ids may go over everything there is, but not by a table's key.
            anew=column == self.to_column and not self.back and (column != "id" or " " in self.table),
        )


def _pairs(answer: prepared.Answer) -> list[tuple[UUID, UUID]]:
    return [(source, target) for source, target in answer]


Describe = Callable[[Sequence[UUID]], list[Node]]
Find = Callable[[str], Sequence[UUID]]

LANES = ("Brought in", "Worked", "Became", "On a document", "Owed", "Paid", "At the bank", "In the books")
"""From left to right, what the kinds of things on a thread are."""

LINKS: list[Link] = []
DESCRIBE: dict[str, Describe] = {}
FIND: dict[str, Find] = {}
LANE: dict[str, str] = {}
SHARED: set[str] = set()
ALSO: dict[str, str] = {}


def register_kind(
    kind: str,
    describe: Describe,
    find: Find | None = None,
    *,
    lane: str = LANES[-1],
    shared: bool = False,
    also: Sequence[str] = (),
) -> None:
    """A kind of node: how to describe rows by id, how to find one by what people call it, where it stands.

    shared: it stands under many things that have nothing else to do with each other, as one entry does under
    all payslips of a run: a thread names it and goes no further, unless it begins there. also: what the kind
    is called as a subject, of an audit event, an entry or an item.
    """
    assert lane in LANES, f"there is no lane {lane!r}"
    DESCRIBE[kind] = describe
    LANE[kind] = lane
    if shared:
        SHARED.add(kind)
    ALSO.update(dict.fromkeys(also, kind))
    if find:
        FIND[kind] = find


def register_link(*links: Link) -> None:
    LINKS.extend(links)


def find(reference: str) -> tuple[str, UUID]:
    """The node that a person means: a number, a code, `kind:reference`, or an id. Raises NotFound."""
    kind, _, rest = reference.partition(":")
    kinds = [kind] if rest and kind in FIND else list(FIND)
    text = rest if rest and kind in FIND else reference
    for candidate in kinds:
        if ids := FIND[candidate](text):
            return candidate, ids[0]
    raise NotFound(
        f"nothing here is called {reference!r}; try one of: {', '.join(f'{k}:…' for k in sorted(FIND))}"
    )


def of_subject(kind: str, subject_id: UUID) -> Node | None:
    """What a subject (of an audit event, an entry, an item) is on the thread; None for what is on none."""
    describing = DESCRIBE.get(ALSO.get(kind, kind))
    return next(iter(describing([subject_id])), None) if describing else None


Key = tuple[str, UUID]
"""A node's kind and id."""


@dataclass(frozen=True)
class Hop:
    """The other side of a thing, at another client of the firm: its kind and id there.

    there: none while it is not written yet. forward: the thing leads to it, and does not come from it.
    """

    here: Key
    client_id: UUID
    kind: str
    there: UUID | None
    forward: bool


HOPS: dict[str, Callable[[Sequence[UUID]], list[Hop]]] = {}


def register_hops(kind: str, ask: Callable[[Sequence[UUID]], list[Hop]]) -> None:
    """Things of a kind may have another side at another client. Only rows of the client at hand are asked:
    who may see the other side, and what it says, is for the face to find out there.
    """
    HOPS[kind] = ask


def hops(keys: Iterable[Key]) -> list[Hop]:
    """The other sides of things on a thread, one question a kind."""
    by_kind: dict[str, list[UUID]] = {}
    for kind, node_id in keys:
        by_kind.setdefault(kind, []).append(node_id)
    return [hop for kind, ask in HOPS.items() if kind in by_kind for hop in ask(by_kind[kind])]


@dataclass(frozen=True)
class Tree:
    """A node and what lies beyond it in one direction."""

    node: Node
    branches: tuple[Tree, ...]
    more: int = 0
    """Branches not followed because the limit was reached; never silently dropped."""
    again: bool = False
    """The node stands elsewhere on this tree, with its branches; here it is only named."""


def walk(kind: str, node_id: UUID, *, forward: bool, limit: int = 12) -> Tree:
    """The tree of everything the node leads to (forward) or comes from (back).

    A node is followed once, where it is first reached, and only named (`again`) wherever else it belongs; at
    most `limit` branches of one kind per node are shown.
    """
    start = (kind, node_id)
    seen: set[Key] = set()

    def expand(kind: str, node_id: UUID) -> Tree:
        if (kind, node_id) in seen:
            return Tree(describe(kind, node_id), (), again=True)
        seen.add((kind, node_id))
        branches: list[Tree] = []
        more = 0
        for link in LINKS:
            if (link.from_kind if forward else link.to_kind) != kind:
                continue
            if kind in SHARED and (kind, node_id) != start:
                continue
            column = link.from_column if forward else link.to_column
            other = link.to_kind if forward else link.from_kind
            pairs = link.pairs(column, [node_id])
            found = list(dict.fromkeys(pair[1] if forward else pair[0] for pair in pairs))
            branches += [expand(other, i) for i in found[:limit]]
            more += max(0, len(found) - limit)
        return Tree(describe(kind, node_id), tuple(branches), more)

    return expand(kind, node_id)


def describe(kind: str, node_id: UUID) -> Node:
    nodes = DESCRIBE[kind]([node_id])
    if not nodes:
        raise NotFound(_nothing(kind, node_id))
    return nodes[0]


def _nothing(kind: str, node_id: UUID) -> str:
    return f"there is no {kind.replace('_', ' ')} {node_id} here"


@dataclass(frozen=True)
class Graph:
    """A node with everything it comes from and leads to, each thing once.

    edges: (from, to) keys of nodes. more: by kind, how many were left out because the limit was reached.
    """

    start: Key
    nodes: dict[Key, Node]
    edges: tuple[tuple[Key, Key], ...]
    more: dict[str, int]


def graph(kind: str, node_id: UUID, *, limit: int = 20, came_from: Key | None = None) -> Graph:
    """The whole thread of a node, a level at a time: one question per link and one per kind of thing.

    Follows what it comes from backwards and what it leads to forwards, never a sister's: of a bank line that
    paid sixty, `limit` of each kind are shown and the others counted. came_from: a thing whose own thread
    leads here; it and the way from it are among those shown.
    """
    start = (kind, node_id)
    wanted = _way(came_from, start, limit) if came_from and came_from != start else set()
    edges: dict[tuple[Key, Key], None] = {}
    kept: dict[str, dict[UUID, None]] = {kind: {node_id: None}}
    more: dict[str, int] = {}
    with prepared.planned_by_key():
        for forward in (False, True):
            _spread(start, forward, limit, wanted, kept, edges, more)
        nodes = {
            (each, node.id): node for each, ids in kept.items() for node in DESCRIBE[each](list(ids)) if ids
        }
    if start not in nodes:
        raise NotFound(_nothing(kind, node_id))
    known = tuple(edge for edge in edges if edge[0] in nodes and edge[1] in nodes)
    return Graph(start, nodes, known, more)


def _spread(
    start: Key,
    forward: bool,
    limit: int,
    wanted: set[Key],
    kept: dict[str, dict[UUID, None]],
    edges: dict[tuple[Key, Key], None],
    more: dict[str, int],
) -> None:
    level: dict[str, list[UUID]] = {start[0]: [start[1]]}
    done: set[Key] = {start}
    while level:
        following: dict[str, list[UUID]] = {}
        for link, pairs in _onward(level, forward):
            other = link.to_kind if forward else link.from_kind
            for source, target in pairs:
                found = target if forward else source
                place = kept.setdefault(other, {})
                if found not in place and not _has_room(other, found, place, limit, wanted):
                    more[other] = more.get(other, 0) + 1
                    continue
                place[found] = None
                edges[(link.from_kind, source), (link.to_kind, target)] = None
                if (other, found) not in done and other not in SHARED:
                    done.add((other, found))
                    following.setdefault(other, []).append(found)
        level = following


def _onward(level: dict[str, list[UUID]], forward: bool) -> list[tuple[Link, list[tuple[UUID, UUID]]]]:
    """Every link that leads on from a level, with where it leads: asked together."""
    links = [link for link in LINKS if level.get(link.from_kind if forward else link.to_kind)]
    questions = [
        link.question(link.from_column, level[link.from_kind])
        if forward
        else link.question(link.to_column, level[link.to_kind])
        for link in links
    ]
    return [(link, _pairs(answer)) for link, answer in zip(links, prepared.answers(questions), strict=True)]


def _has_room(kind: str, node_id: UUID, place: dict[UUID, None], limit: int, wanted: set[Key]) -> bool:
    """Whether one more of a kind is drawn: places stay free for those that are wanted."""
    if (kind, node_id) in wanted:
        return True
    awaited = sum(each == kind and wanted_id not in place for each, wanted_id in wanted)
    return len(place) + awaited < limit


def _way(source: Key, target: Key, limit: int) -> set[Key]:
    """What stands on the way from one thing to another, both with it, as the first one's thread has it."""
    try:
        edges = graph(*source, limit=limit).edges
    except NotFound:
        return set()
    for forward in (True, False):
        reached: dict[Key, Key] = {source: source}
        waiting = [source]
        for here in waiting:
            for edge in edges:
                near, far = edge if forward else edge[::-1]
                if near == here and far not in reached:
                    reached[far] = here
                    waiting.append(far)
        if target in reached:
            way = {target}
            while source not in way:
                target = reached[target]
                way.add(target)
            return way
    return set()


def joined(kind: str, found: Graph) -> list[UUID]:
    """The things of one kind that something on the thread is joined to, whether they are drawn or not."""
    ids: dict[UUID, None] = {node_id: None for each, node_id in found.nodes if each == kind}
    questions = [
        link.question(link.to_column, beside)
        for link in LINKS
        if link.from_kind == kind
        and (beside := [node_id for each, node_id in found.nodes if each == link.to_kind])
    ]
    for answer in prepared.answers(questions):
        ids.update((source, None) for source, _ in _pairs(answer))
    return list(ids)
