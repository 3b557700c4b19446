"""How tokens move through a graph: the rules of `graph`, as one pure function from marking to marking.

Rows in PostgreSQL are a marking kept: an open task is a place, and what came to a join and waits there is an
arrival. The same function checks a graph before it is published, by trying every way through it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from engineroom.kernel.errors import Conflict
from engineroom.sop.conditions import Value, evaluate
from engineroom.sop.graph import BRANCHING, WAITING, Graph, Step

LONGEST_PASSAGE = 2_000
"""Steps passed in one move. More is a circle in which nothing ever waits."""


class NoWayOn(Conflict):
    """No branch of a choice holds and it has no default; or the way goes round without ever waiting."""


@dataclass(frozen=True, slots=True)
class Place:
    """A token that waits on a step. host: the place it stands beside; race: what it competes with."""

    id: str
    step: str
    host: str = ""
    race: str = ""


@dataclass(frozen=True, slots=True)
class Marking:
    """Where the tokens of one case are. arrived: indexes of the flows on which a join has got a token."""

    places: tuple[Place, ...] = ()
    arrived: tuple[int, ...] = ()

    @property
    def is_finished(self) -> bool:
        return not self.places and not self.arrived

    @property
    def is_stuck(self) -> bool:
        """Something waits at a join, and nothing is left that could come to it."""
        return not self.places and bool(self.arrived)

    def place(self, id: str) -> Place:
        found = next((p for p in self.places if p.id == id), None)
        if found is None:
            raise Conflict("this step is not open any more; look at the case again")
        return found


@dataclass(frozen=True, slots=True)
class Move:
    """What one move changed. opened and withdrawn: places, in order. passed: steps gone through, in order."""

    marking: Marking
    opened: tuple[Place, ...]
    withdrawn: tuple[Place, ...]
    passed: tuple[str, ...]


Decide = Callable[[Graph, Step], Sequence[int]]
"""The flows that a choice (one) or inclusive step (one or more) goes along."""


def by_values(values: Mapping[str, Value | None]) -> Decide:
    """Decides as the conditions say for the values of a case. Raises NoWayOn."""

    def decide(graph: Graph, step: Step) -> Sequence[int]:
        flows = graph.outgoing[step.key]
        holding = [i for i in flows if _holds(graph, i, values)]
        if not holding:
            holding = [i for i in flows if graph.flows[i].is_default]
        if not holding:
            raise NoWayOn(f"no branch of {step.title!r} holds for this case, and it has no default")
        return holding if step.kind == "inclusive" else holding[:1]

    return decide


def _holds(graph: Graph, index: int, values: Mapping[str, Value | None]) -> bool:
    flow = graph.flows[index]
    if flow.is_default:
        return False
    return flow.condition is None or evaluate(flow.condition, values)


def begin(graph: Graph, decide: Decide, new_id: Callable[[], str]) -> Move:
    """The first tokens of a case."""
    mover = _Mover(graph, Marking(), decide, new_id)
    mover.emit(graph.start)
    return mover.settle()


def leave(graph: Graph, marking: Marking, id: str, decide: Decide, new_id: Callable[[], str]) -> Move:
    """The token of one place goes on: its step is done, its timer fired, its message came."""
    mover = _Mover(graph, marking, decide, new_id)
    mover.lift(marking.place(id))
    return mover.settle()


def enter(graph: Graph, marking: Marking, step: str, new_id: Callable[[], str]) -> Move:
    """A token is put on a waiting step from outside: when a case moves between versions."""
    mover = _Mover(graph, marking, lambda _g, _s: (), new_id)
    mover.open(graph.by_key[step])
    return mover.settle()


def withdraw(graph: Graph, marking: Marking, id: str, new_id: Callable[[], str]) -> Move:
    """A token is taken away, with what stands beside it."""
    mover = _Mover(graph, marking, lambda _g, _s: (), new_id)
    mover.take(marking.place(id))
    return mover.settle()


class _Mover:
    """One move. Flows still to be walked wait in a queue; when it is empty, joins that may fire do."""

    def __init__(self, graph: Graph, marking: Marking, decide: Decide, new_id: Callable[[], str]) -> None:
        self.graph, self.decide, self.new_id = graph, decide, new_id
        self.places = {p.id: p for p in marking.places}
        self.arrived = Counter(marking.arrived)
        self.queue: deque[int] = deque()
        self.opened: list[Place] = []
        self.withdrawn: list[Place] = []
        self.passed: list[str] = []

    def settle(self) -> Move:
        while True:
            while self.queue:
                self.arrive(self.queue.popleft())
            ready = next((s for s in self.waiting_meetings() if self.nobody_comes(s)), None)
            if ready is None:
                break
            self.fire(ready)
        still_open = [p for p in self.opened if p.id in self.places]
        gone = [p for p in self.withdrawn if p not in self.opened]
        arrived = tuple(sorted(self.arrived.elements()))
        marking = Marking(tuple(self.places.values()), arrived)
        return Move(marking, tuple(still_open), tuple(gone), tuple(self.passed))

    def lift(self, place: Place) -> None:
        step = self.graph.by_key[place.step]
        self.remove(place)
        if place.host:
            host = self.places.get(place.host)
            if step.interrupting and host is not None:
                self.take(host)
        self.take_beside(place)
        self.take_rivals(place)
        self.emit(step)

    def take(self, place: Place) -> None:
        self.remove(place)
        self.withdrawn.append(place)
        self.take_beside(place)
        self.take_rivals(place)

    def take_beside(self, place: Place) -> None:
        for other in [p for p in self.places.values() if p.host == place.id]:
            self.remove(other)
            self.withdrawn.append(other)

    def take_rivals(self, place: Place) -> None:
        for other in [p for p in self.places.values() if place.race and p.race == place.race]:
            self.remove(other)
            self.withdrawn.append(other)
            self.take_beside(other)

    def remove(self, place: Place) -> None:
        self.places.pop(place.id, None)

    def emit(self, step: Step) -> None:
        """A token leaves a step, along one flow or several."""
        if step.kind in BRANCHING:
            self.queue.extend(self.decide(self.graph, step))
        else:
            self.queue.extend(self.graph.outgoing[step.key])

    def arrive(self, index: int) -> None:
        step = self.graph.by_key[self.graph.flows[index].target]
        if step.kind in WAITING:
            self.open(step)
            return
        self.passed.append(step.key)
        if len(self.passed) > LONGEST_PASSAGE:
            raise NoWayOn(f"the way through {step.title!r} goes round without a step that waits")
        if step.kind == "end":
            if step.terminates:
                self.finish_all()
        elif step.kind == "race":
            self.start_race(step)
        elif step.kind == "join":
            self.meet(step, index)
        elif step.kind == "inclusive" and len(self.graph.incoming[step.key]) > 1:
            self.arrived[index] += 1
        else:
            self.emit(step)

    def open(self, step: Step, race: str = "") -> None:
        place = Place(self.new_id(), step.key, race=race)
        self.places[place.id] = place
        self.opened.append(place)
        for beside in self.graph.attached.get(step.key, ()):
            companion = Place(self.new_id(), beside.key, host=place.id)
            self.places[companion.id] = companion
            self.opened.append(companion)

    def start_race(self, step: Step) -> None:
        race = self.new_id()
        for index in self.graph.outgoing[step.key]:
            self.open(self.graph.by_key[self.graph.flows[index].target], race)

    def meet(self, step: Step, index: int) -> None:
        self.arrived[index] += 1
        incoming = self.graph.incoming[step.key]
        if all(self.arrived[i] for i in incoming):
            self.fire(step)

    def waiting_meetings(self) -> list[Step]:
        keys = dict.fromkeys(self.graph.flows[i].target for i in sorted(self.arrived.elements()))
        return [s for s in (self.graph.by_key[k] for k in keys) if s.kind == "inclusive"]

    def nobody_comes(self, step: Step) -> bool:
        """Whether no token elsewhere has to be waited for where inclusive branches meet.

        One that can come along a flow that has no token yet is waited for, unless it can also come along one
        that has (BPMN 2.0, table 13.3): in a circle, two meetings would wait for each other for ever.
        """
        incoming = self.graph.incoming[step.key]
        missing = _steps_before(self.graph, [i for i in incoming if not self.arrived[i]])
        present = _steps_before(self.graph, [i for i in incoming if self.arrived[i]])
        coming = {p.step for p in self.places.values()}
        coming |= {self.graph.flows[i].target for i in self.arrived.elements()} - {step.key}
        return not any(key in missing and key not in present for key in coming)

    def fire(self, step: Step) -> None:
        for index in self.graph.incoming[step.key]:
            if self.arrived[index]:
                self.arrived[index] -= 1
        self.arrived += Counter()  # drops what is zero
        self.emit(step)

    def finish_all(self) -> None:
        self.withdrawn.extend(self.places.values())
        self.places.clear()
        self.arrived.clear()
        self.queue.clear()


def _steps_before(graph: Graph, flows: Sequence[int]) -> frozenset[str]:
    return frozenset().union(*(graph.upstream[i] for i in flows))


MOST_MARKINGS = 4_000
"""How many ways of standing are tried before the search says that it has not tried all."""


@dataclass(frozen=True, slots=True)
class Explored:
    """What a search of all ways found. stuck: joins that may wait for ever, with the way that leads there.

    doubled: steps on which two tokens may stand at once. circles: messages of ways that never wait.
    """

    stuck: dict[str, tuple[str, ...]]
    doubled: frozenset[str]
    circles: frozenset[str]
    tried_all: bool


def explore(graph: Graph, most: int = MOST_MARKINGS) -> Explored:
    """Tries every way through a graph, whatever its choices decide, and looks for what never ends."""
    search = _Search(graph)
    search.try_all(lambda decide, new_id: begin(graph, decide, new_id), ())
    while search.waiting and len(search.seen) < most:
        marking, way = search.waiting.popleft()
        for place in marking.places:
            search.try_all(
                lambda decide, new_id, m=marking, p=place: leave(graph, m, p.id, decide, new_id),  # type: ignore[misc]
                (*way, place.step),
            )
    return Explored(search.stuck, frozenset(search.doubled), frozenset(search.circles), not search.waiting)


class _Search:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.seen: set[object] = set()
        self.waiting: deque[tuple[Marking, tuple[str, ...]]] = deque()
        self.stuck: dict[str, tuple[str, ...]] = {}
        self.doubled: set[str] = set()
        self.circles: set[str] = set()

    def try_all(self, move: Callable[[Decide, Callable[[], str]], Move], way: tuple[str, ...]) -> None:
        """Makes one move once for every combination of decisions it asks for."""
        scripts: deque[tuple[int, ...]] = deque([()])
        while scripts and len(scripts) < MOST_MARKINGS:
            script = _Script(scripts.popleft())
            ids = iter(range(1_000_000))
            try:
                moved = move(script.decide, lambda i=ids: f"n{next(i)}")  # type: ignore[misc]
            except NoWayOn as error:
                self.circles.add(str(error))
                continue
            scripts.extend(script.alternatives())
            self.note(moved.marking, way)

    def note(self, marking: Marking, way: tuple[str, ...]) -> None:
        marking, shape = _named(marking)
        if shape in self.seen:
            return
        self.seen.add(shape)
        if marking.is_stuck:
            for index in marking.arrived:
                self.stuck.setdefault(self.graph.flows[index].target, way)
        twice = {s for s, n in Counter(p.step for p in marking.places).items() if n > 1}
        waits_twice = {self.graph.flows[i].target for i, n in Counter(marking.arrived).items() if n > 1}
        self.doubled |= twice | waits_twice
        if marking.places and not twice and not waits_twice:
            self.waiting.append((marking, way))


def _named(marking: Marking) -> tuple[Marking, object]:
    """Ids by where things stand, so that two ways to the same standing are the same."""
    ordered = sorted(marking.places, key=lambda p: (p.step, p.host, p.race))
    names = {p.id: f"p{i}" for i, p in enumerate(ordered)}
    races: dict[str, str] = {"": ""}
    for p in ordered:
        races.setdefault(p.race, f"r{len(races)}")
    places = tuple(
        replace(p, id=names[p.id], host=names.get(p.host, ""), race=races[p.race]) for p in ordered
    )
    return Marking(places, marking.arrived), (places, marking.arrived)


class _Script:
    """Decisions to be taken, in order; where it ends the first option is taken and the others remembered."""

    def __init__(self, given: tuple[int, ...]) -> None:
        self.given, self.taken, self.options = given, list[int](), list[int]()

    def decide(self, graph: Graph, step: Step) -> Sequence[int]:
        flows = graph.outgoing[step.key]
        several = step.kind == "inclusive" and len(flows) > 1
        options = (1 << min(len(flows), 6)) - 1 if several else max(len(flows), 1)
        at = len(self.taken)
        chosen = self.given[at] if at < len(self.given) else 0
        self.taken.append(chosen)
        self.options.append(options)
        if len(self.taken) > LONGEST_PASSAGE // 10:
            raise NoWayOn(f"the way through {step.title!r} goes round without a step that waits")
        if several:
            return [flow for bit, flow in enumerate(flows) if (chosen + 1) >> bit & 1]
        return flows[chosen : chosen + 1]

    def alternatives(self) -> list[tuple[int, ...]]:
        found = []
        for at in range(len(self.given), len(self.taken)):
            found += [(*self.taken[:at], other) for other in range(1, self.options[at])]
        return found
