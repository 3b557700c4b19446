"""What a procedure says is done, as a graph: steps, and the flows from one to the next. Pure.

A case holds tokens. A token stands on a step until the step is done, then goes along its flows:

    start           begins here; one per graph
    task            waits for a person with the step's role
    command         waits for a registered command, run by a person with the step's role
    client_request  waits for the client; the clock of the case pauses
    wait            waits for a message by name
    timer           waits for a span of time, or for the day in a field
    procedure       waits for a case of another procedure
    choice          goes along the first flow whose condition holds, else along the default
    inclusive       goes along every flow whose condition holds, else along the default; where such branches
                    meet, it waits for those that are still under way
    fork            goes along every flow at once
    join            waits for a token on every incoming flow, then goes on along every outgoing one (so a
                    parallel gateway of BPMN with several incoming flows is a join)
    race            waits with all that follow it; the first to happen wins, the others are withdrawn
    escalation      stands beside a step, and calls its role when the time is over
    end             is used up; one that `terminates` withdraws all others

Any other step sends a token along every outgoing flow, and takes tokens one by one. A timer, wait or
escalation that is attached to a step stands beside it while it is open; an interrupting one withdraws it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from engineroom.kernel.errors import EngineroomError
from engineroom.sop.conditions import Condition, Field, write

Kind = Literal[
    "start",
    "end",
    "task",
    "command",
    "client_request",
    "wait",
    "timer",
    "procedure",
    "choice",
    "inclusive",
    "fork",
    "join",
    "race",
    "escalation",
]
WORKED: tuple[Kind, ...] = ("task", "command", "client_request")
"""Somebody has to do something: these stand in an inbox."""
WAITING: tuple[Kind, ...] = (*WORKED, "wait", "timer", "procedure", "escalation")
"""A token stays here until something happens; through every other kind it passes."""
ATTACHABLE: tuple[Kind, ...] = ("timer", "wait", "escalation")
BRANCHING: tuple[Kind, ...] = ("choice", "inclusive")

MOST_STEPS = 500
"""A procedure nobody can read is no procedure; and it bounds the search for branches that never meet."""

KEY = re.compile(r"[a-z][a-z0-9_]{0,59}\Z")

Unit = Literal["minutes", "hours", "days", "working_hours", "working_days"]
UNITS: tuple[Unit, ...] = ("minutes", "hours", "days", "working_hours", "working_days")
SPAN = re.compile(r"(\d{1,5}) (working )?(minute|hour|day)s?\Z")


class SpanRefused(EngineroomError):
    """A span of time that cannot be read."""

    status = 422


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time. Working hours and days are counted in the client's calendar (see sla)."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        unit = self.unit.replace("_", " ")
        return f"{self.count} {unit[:-1] if self.count == 1 else unit}"


def span(text: str) -> Span:
    """Reads "30 minutes", "4 working hours", "2 days", "1 working day". Raises SpanRefused."""
    match = SPAN.match(text.strip())
    if match is None or (match[2] and match[3] == "minute"):
        raise SpanRefused(
            f"{text!r} is no span of time; write it like 30 minutes, 4 hours, 4 working hours, 2 working days"
        )
    unit = f"{'working_' if match[2] else ''}{match[3]}s"
    return Span(int(match[1]), unit)  # type: ignore[arg-type]  # the pattern holds these alone


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a step asks for before it is done. field: only of kind `field`."""

    key: str
    kind: Literal["file", "field", "link", "hash"]
    title: str
    required: bool = True
    field: Field | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step. line: where it stands in its source, and no part of what the step is.

    role: who does it (a role of the firm), or the lane's name as its source has it. checks: what has to be
    ticked. four_eyes: what one person did is looked at by another (checker: that one's role). apart_from:
    steps whose doers may not do this one. command: a registered command; arguments: its arguments, each a
    literal or `$field`; keeps: fields of the case filled from the command's receipt.
    after, or until (the key of a date field): of a timer and an escalation. attached_to, interrupting: of
    what stands beside another step. procedure: the key of the procedure that a `procedure` step starts.
    """

    key: str
    title: str
    kind: Kind
    role: str = ""
    text: str = ""
    evidence: tuple[Evidence, ...] = ()
    checks: tuple[str, ...] = ()
    sla: Span | None = None
    four_eyes: bool = False
    checker: str = ""
    apart_from: tuple[str, ...] = ()
    may_skip: bool = False
    command: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    keeps: tuple[tuple[str, str], ...] = ()
    message: str = ""
    after: Span | None = None
    until: str = ""
    procedure: str = ""
    attached_to: str = ""
    interrupting: bool = True
    terminates: bool = False
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Flow:
    """From one step to the next, by their keys. condition: None goes always; title: as drawn."""

    source: str
    target: str
    condition: Condition | None = None
    is_default: bool = False
    title: str = ""
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Graph:
    """Steps and flows in the order of their source. fields: what a case of it carries."""

    key: str
    title: str
    steps: tuple[Step, ...]
    flows: tuple[Flow, ...]
    fields: tuple[Field, ...] = ()
    text: str = ""

    @cached_property
    def by_key(self) -> dict[str, Step]:
        return {step.key: step for step in self.steps}

    @cached_property
    def outgoing(self) -> dict[str, tuple[int, ...]]:
        """Indexes into `flows` by the step they leave."""
        return self._indexed("source")

    @cached_property
    def incoming(self) -> dict[str, tuple[int, ...]]:
        return self._indexed("target")

    def _indexed(self, end: str) -> dict[str, tuple[int, ...]]:
        found: dict[str, list[int]] = {step.key: [] for step in self.steps}
        for index, flow in enumerate(self.flows):
            found.setdefault(getattr(flow, end), []).append(index)
        return {key: tuple(indexes) for key, indexes in found.items()}

    @cached_property
    def attached(self) -> dict[str, tuple[Step, ...]]:
        """What stands beside each step."""
        found: dict[str, list[Step]] = {}
        for step in self.steps:
            if step.attached_to:
                found.setdefault(step.attached_to, []).append(step)
        return {key: tuple(steps) for key, steps in found.items()}

    @cached_property
    def start(self) -> Step:
        return next(step for step in self.steps if step.kind == "start")

    @cached_property
    def all_fields(self) -> dict[str, Field]:
        """Declared fields of the case, and the fields that steps ask for, by key."""
        found = {f.key: f for f in self.fields}
        for step in self.steps:
            for item in step.evidence:
                if item.field is not None:
                    found.setdefault(item.field.key, item.field)
        return found

    @cached_property
    def reaches(self) -> dict[str, frozenset[str]]:
        """The steps that a token on a step can still come to; what stands beside it is its own."""
        following: dict[str, set[str]] = {step.key: set() for step in self.steps}
        for flow in self.flows:
            following.setdefault(flow.source, set()).add(flow.target)
        for step in self.steps:
            if step.attached_to:
                following.setdefault(step.attached_to, set()).add(step.key)
        return {key: frozenset(_closure(key, following)) for key in following}

    @cached_property
    def upstream(self) -> dict[int, frozenset[str]]:
        """For each flow into a meeting of inclusive branches: the steps from which a token can come along it
        without going through the meeting before."""
        found: dict[int, frozenset[str]] = {}
        for step in self.steps:
            if step.kind == "inclusive":
                before = self._preceding_without(step.key)
                for index in self.incoming[step.key]:
                    source = self.flows[index].source
                    found[index] = frozenset({source} | _closure(source, before)) - {step.key}
        return found

    def _preceding_without(self, key: str) -> dict[str, set[str]]:
        before: dict[str, set[str]] = {step.key: set() for step in self.steps}
        for flow in self.flows:
            if flow.source != key:
                before[flow.target].add(flow.source)
        for step in self.steps:
            if step.attached_to:
                before[step.key].add(step.attached_to)
        return before


def _closure(key: str, following: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(following[key])
    while waiting:
        at = waiting.pop()
        if at not in seen:
            seen.add(at)
            waiting.extend(following.get(at, ()))
    return seen


def canonical(graph: Graph) -> bytes:
    """The one way to write a graph down: JSON, keys sorted, what has its default left out, texts in NFC.

    Lines are no part of it, so a procedure that says the same thing has the same hash wherever it stands.
    """
    return json.dumps(_plain(graph), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def hash_of(graph: Graph) -> str:
    """SHA-256 of the canonical bytes, in hex."""
    return hashlib.sha256(canonical(graph)).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Span):
            return str(value)
        return {f.name: _entry(value, f.name) for f in fields(value) if _told(value, f)}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    return f"{value:f}" if isinstance(value, Decimal) else value


def _entry(owner: Any, name: str) -> Any:
    value = getattr(owner, name)
    return write(value) if name == "condition" else _plain(value)


def _told(owner: Any, f: dataclasses.Field[Any]) -> bool:
    return f.name != "line" and bool(getattr(owner, f.name) != f.default)


def read_canonical(data: bytes) -> Graph:
    """The graph that `canonical` wrote."""
    from engineroom.sop.conditions import parse

    raw = json.loads(data)
    return Graph(
        key=raw["key"],
        title=raw["title"],
        text=raw.get("text", ""),
        fields=tuple(_field(f) for f in raw.get("fields", ())),
        steps=tuple(_step(s) for s in raw["steps"]),
        flows=tuple(
            Flow(**{**f, "condition": parse(f["condition"]) if "condition" in f else None})
            for f in raw["flows"]
        ),
    )


def _field(raw: dict[str, Any]) -> Field:
    return Field(**{**raw, "options": tuple(raw.get("options", ()))})


def _step(raw: dict[str, Any]) -> Step:
    given = dict(raw)
    for name in ("sla", "after"):
        if name in given:
            given[name] = span(given[name])
    for name in ("checks", "apart_from"):
        given[name] = tuple(given.get(name, ()))
    for name in ("arguments", "keeps"):
        given[name] = tuple((a, b) for a, b in given.get(name, ()))
    given["evidence"] = tuple(
        Evidence(**{**e, "field": _field(e["field"]) if "field" in e else None})
        for e in given.get("evidence", ())
    )
    return Step(**given)


def unreachable(graph: Graph) -> Iterator[Step]:
    """Steps no token ever comes to."""
    starts = [s.key for s in graph.steps if s.kind == "start"]
    seen = {key for start in starts for key in (start, *graph.reaches[start])}
    yield from (step for step in graph.steps if step.key not in seen)


def leads_nowhere(graph: Graph) -> Iterator[Step]:
    """Steps from which no end is ever reached: whoever comes there never finishes.

    An escalation without a flow only calls somebody; it goes nowhere on purpose.
    """
    ends = {s.key for s in graph.steps if s.kind == "end"}
    for step in graph.steps:
        calls_only = step.kind == "escalation" and not graph.outgoing[step.key]
        if step.key not in ends and not calls_only and not ends & graph.reaches[step.key]:
            yield step
