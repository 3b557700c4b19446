"""From a BPMN model to graphs that can run, and what of it cannot, and why. Pure.

    for verdict in verdicts(model):
        verdict.word          "runs", "runs, with differences" or "does not run"
        verdict.graphs        the process and its sub-procedures
        verdict.notes         each difference and each obstacle, with the line it stands on

BPMN can say more than is good for work done by people; what we make of it:
- every task is a person's, service and script tasks too: nothing in a foreign file is executed;
- conditions in other languages are not evaluated: a person decides, reading the words on the branches;
- a throwing message is a task to send it, a catching one waits until somebody says that it came;
- a sub-process in which one thing happens after the other becomes part of its process; any other one is a
  procedure of its own, so that what stands at its edge can interrupt it;
- what has no equal (compensation, event sub-processes, transactions that cancel) is left out and said.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from engineroom.sop.conditions import Compare, Field
from engineroom.sop.formats import bpmn
from engineroom.sop.formats.bpmn import Element, EventDefinition, Model, Process, SequenceFlow
from engineroom.sop.graph import (
    MOST_STEPS,
    WAITING,
    WORKED,
    Evidence,
    Flow,
    Graph,
    Kind,
    Span,
    SpanRefused,
    Step,
    span,
    unreachable,
)
from engineroom.sop.problems import problems

NoteKind = Literal["cannot", "differs", "left out"]
Word = Literal["runs", "runs, with differences", "does not run"]

LONGEST_KEY = 60
LONGEST_BRANCH = 80
KIND_WORDS = {
    "task": "task", "userTask": "user task", "manualTask": "manual task", "serviceTask": "service task",
    "scriptTask": "script task", "businessRuleTask": "business rule task", "sendTask": "send task",
    "receiveTask": "receive task", "callActivity": "call activity", "subProcess": "sub-process",
    "transaction": "transaction", "adHocSubProcess": "ad-hoc sub-process", "startEvent": "start event",
    "endEvent": "end event", "intermediateCatchEvent": "catching event",
    "intermediateThrowEvent": "throwing event", "implicitThrowEvent": "throwing event",
    "boundaryEvent": "boundary event", "exclusiveGateway": "exclusive gateway",
    "parallelGateway": "parallel gateway", "inclusiveGateway": "inclusive gateway",
    "eventBasedGateway": "event-based gateway", "complexGateway": "complex gateway",
}  # fmt: skip
BY_MACHINE = {
    "serviceTask": "a service",
    "scriptTask": "a script",
    "businessRuleTask": "a table of decisions",
}


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that is not as the model has it. element: what it is about, in words."""

    kind: NoteKind
    element: str
    line: int
    why: str
    remedy: str = ""


@dataclass(frozen=True)
class Verdict:
    """What became of a process. steps_of: the steps made of each of its elements, by the element's id."""

    process: Process
    graphs: tuple[Graph, ...]
    notes: tuple[Note, ...]
    steps_of: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        return bool(self.graphs) and not any(note.kind == "cannot" for note in self.notes)

    @property
    def word(self) -> Word:
        if not self.runs:
            return "does not run"
        return "runs, with differences" if self.notes else "runs"


def verdicts(model: Model) -> list[Verdict]:
    """What of each process of the model can run."""
    taken: dict[str, str] = {}
    for process in model.processes:
        taken[process.id] = _unique(_slug(process.title) or "process", set(taken.values()))
    return [_Translation(model, process, taken).verdict() for process in model.processes]


def _slug(text: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if words and not words[0].isalpha():
        words = f"n_{words}"
    return words[: LONGEST_KEY - 6].rstrip("_")


def _unique(key: str, taken: Iterable[str]) -> str:
    used, number, found = set(taken), 2, key
    while found in used:
        found, number = f"{key}_{number}", number + 1
    return found


class _Translation:
    """One process: itself and its sub-processes."""

    def __init__(self, model: Model, process: Process, keys: dict[str, str]) -> None:
        self.model, self.process, self.keys = model, process, keys
        self.notes: list[Note] = []
        self.graphs: list[Graph] = []
        self.steps_of: dict[str, tuple[str, ...]] = {}
        self.inside: dict[str, list[Element]] = defaultdict(list)
        self.by_id = {e.id: e for e in process.elements}
        for element in process.elements:
            self.inside[element.parent].append(element)
        self.edges: dict[str, list[Element]] = defaultdict(list)
        for element in process.elements:
            if element.tag == "boundaryEvent":
                self.edges[element.attached_to].append(element)

    def verdict(self) -> Verdict:
        key = self.keys[self.process.id]
        top = {e.parent for e in self.process.elements} - set(self.by_id)
        self.graph_of(next(iter(top)), key, self.process.title, self.process.line)
        self.graphs.sort(key=lambda g: g.key != key)
        for graph in self.graphs:
            self.judge(graph)
        notes = sorted(dict.fromkeys(self.notes), key=lambda n: (n.line, n.element))
        return Verdict(self.process, tuple(self.graphs), tuple(notes), self.steps_of)

    def graph_of(self, container: str, key: str, title: str, line: int) -> str:
        scope = _Scope(self, container)
        graph = scope.graph(key, title)
        if graph is None:
            self.note("cannot", title, line, "there is nothing in it that can be done", "Draw its tasks")
        else:
            self.graphs.append(graph)
        return key

    def judge(self, graph: Graph) -> None:
        """What our own check of procedures says of the result."""
        for problem in problems(graph):
            kind: NoteKind = "cannot" if problem.severity == "error" else "differs"
            self.note(kind, graph.title, problem.row or 0, problem.problem, problem.remedy)

    def note(self, kind: NoteKind, element: str, line: int, why: str, remedy: str = "") -> None:
        self.notes.append(Note(kind, element, line, why, remedy))

    def about(self, kind: NoteKind, element: Element, why: str, remedy: str = "") -> None:
        self.note(kind, _called(element), element.line, why, remedy)

    def is_one_after_the_other(self, element: Element) -> bool:
        """Whether a sub-process only ever has one token: it can then be part of what it stands in."""
        inner = self.inside[element.id]
        if self.edges[element.id] or element.loop or element.tag != "subProcess" or not inner:
            return False
        entered = {f.target for f in self.process.flows}
        begins = [e for e in inner if e.id not in entered and e.tag != "boundaryEvent" and not _never_runs(e)]
        leaving: dict[str, int] = defaultdict(int)
        for flow in self.process.flows:
            leaving[flow.source] += 1
        splits = any(
            (e.tag in ("parallelGateway", "inclusiveGateway", "complexGateway") and leaving[e.id] > 1)
            or (e.tag not in bpmn.GATEWAYS and leaving[e.id] > 1)
            or (e.tag == "boundaryEvent" and not e.interrupting)
            or any(d.kind in ("error", "escalation", "terminate") for d in e.events)
            for e in inner
        )
        subs = [e for e in inner if e.tag in bpmn.CONTAINERS]
        return len(begins) == 1 and not splits and not subs


def _called(element: Element) -> str:
    kind = KIND_WORDS.get(element.tag, element.tag)
    return f"{kind} {element.title!r}" if element.title else f"{kind} {element.id}"


def _never_runs(element: Element) -> bool:
    return element.by_event or element.for_compensation


@dataclass
class _Placed:
    """The steps of one element: where flows come in, and where they go out."""

    entry: str
    exit: str


class _Scope:
    """One container and the sub-processes that became part of it, on the way to one graph."""

    def __init__(self, whole: _Translation, container: str) -> None:
        self.whole, self.container = whole, container
        self.steps: dict[str, Step] = {}
        self.flows: list[Flow] = []
        self.fields: list[Field] = []
        self.placed: dict[str, _Placed] = {}
        self.elements: list[Element] = []
        self.ends_inside: dict[str, str] = {}
        self._gather(container)
        here = {e.id for e in self.elements}
        self.sequence = [
            f for f in whole.process.flows if f.source in here and f.target in here and self._allowed(f)
        ]
        self.leaving: dict[str, list[SequenceFlow]] = defaultdict(list)
        self.coming: dict[str, list[SequenceFlow]] = defaultdict(list)
        for flow in self.sequence:
            self.leaving[flow.source].append(flow)
            self.coming[flow.target].append(flow)

    def _gather(self, container: str) -> None:
        for element in self.whole.inside[container]:
            if self._is_left_out(element):
                continue
            self.elements.append(element)
            if self.whole.is_one_after_the_other(element):
                self._gather(element.id)

    def _is_left_out(self, element: Element) -> bool:
        if element.by_event:
            self.whole.about(
                "left out", element, "no event starts a part of a case by itself",
                "Make it a procedure of its own, started by hand",
            )  # fmt: skip
        elif element.for_compensation or any(
            d.kind in ("compensate", "cancel") for d in element.events if element.tag == "boundaryEvent"
        ):
            self.whole.about(
                "left out", element, "nothing done is undone by the procedure",
                "Draw what is to be done to put it right",
            )  # fmt: skip
        elif element.tag == "boundaryEvent" and not self._host_is_here(element):
            self.whole.about(
                "left out", element, f"it stands at {element.attached_to or 'nothing'}, which is not here",
                "Attach it to an activity",
            )  # fmt: skip
        else:
            return False
        return True

    def _host_is_here(self, element: Element) -> bool:
        host = self.whole.by_id.get(element.attached_to)
        return (
            host is not None
            and host.parent == element.parent
            and host.tag not in bpmn.EVENTS | bpmn.GATEWAYS
            and not _never_runs(host)
        )

    def _allowed(self, flow: SequenceFlow) -> bool:
        source, target = self.whole.by_id[flow.source], self.whole.by_id[flow.target]
        if source.parent == target.parent:
            return True
        self.whole.note(
            "left out", f"flow {flow.title or flow.id!r}", flow.line,
            "it crosses the edge of a sub-process", "Lead it to the sub-process itself",
        )  # fmt: skip
        return False

    # --- the graph ----------------------------------------------------------------------------------------

    def graph(self, key: str, title: str) -> Graph | None:
        for element in self.elements:
            if element.tag != "boundaryEvent":
                self._place(element)
        for element in self.elements:
            if element.tag == "boundaryEvent":
                self._place_beside(element)
        if not self.steps:
            return None
        for element in self.elements:
            self._connect(element)
        self._links()
        self._begin()
        self._end()
        self._meet_in_races()
        for element_id, placed in self.placed.items():
            self.whole.steps_of[element_id] = tuple(dict.fromkeys((placed.entry, placed.exit)))
        ordered = sorted(self.steps.values(), key=lambda s: s.kind != "start")
        whole = Graph(key, title, tuple(ordered), tuple(self._flows_once()), tuple(self.fields))
        return self._without_what_nothing_leads_to(whole)

    def _flows_once(self) -> list[Flow]:
        """One flow between two steps: a second one that says nothing else adds nothing to do."""
        found: dict[tuple[str, str], Flow] = {}
        for flow in self.flows:
            pair = (flow.source, flow.target)
            if pair in found and (flow.condition is not None or found[pair].condition is not None):
                middle = self._step(f"{flow.title or 'branch'}", "choice", None)
                found[(flow.source, middle)] = replace(flow, target=middle)
                found[(middle, flow.target)] = Flow(middle, flow.target)
            elif pair not in found:
                found[pair] = flow
        return list(found.values())

    def _without_what_nothing_leads_to(self, graph: Graph) -> Graph:
        if len(graph.steps) > MOST_STEPS:
            return graph
        lost = {s.key for s in unreachable(graph)}
        for step in graph.steps:
            if step.key in lost and not step.attached_to:
                self.whole.note(
                    "left out", f"{step.title!r}", step.line or 0, "nothing leads to it", "Draw a flow to it"
                )
        return replace(
            graph,
            steps=tuple(s for s in graph.steps if s.key not in lost),
            flows=tuple(f for f in graph.flows if f.source not in lost and f.target not in lost),
        )

    def _step(self, title: str, kind: Kind, element: Element | None, **more: object) -> str:
        key = _unique(_slug(title) or kind, self.steps)
        role = ""
        if element is not None and kind in WORKED:
            owner = element.owners[0] if element.owners else ""
            role = element.lane or owner or self.whole.process.participant or self.whole.process.title
        step = Step(key, title, kind, role, line=element.line if element else None)
        if element is not None and element.text and kind in WAITING:
            step = replace(step, text=element.text)
        self.steps[key] = replace(step, **more)  # type: ignore[arg-type]
        return key

    def _flow(self, source: str, target: str, title: str = "", line: int | None = None) -> None:
        self.flows.append(Flow(source, target, title=title, line=line))

    # --- elements to steps --------------------------------------------------------------------------------

    def _place(self, element: Element) -> None:
        if element.tag in bpmn.GATEWAYS:
            entry, leave = self._gateway(element)
        elif element.tag in bpmn.EVENTS:
            entry = leave = self._event(element)
        elif element.tag in bpmn.CONTAINERS or element.tag == "callActivity":
            entry, leave = self._activity_of_parts(element)
        else:
            entry = leave = self._task(element)
        if element.loop:
            how = {"standard": "again and again", "sequential": "one after the other"}.get(
                element.loop, "at the same time"
            )
            self.whole.about(
                "differs", element, f"it is to be done several times, {how}; here it is one piece of work",
                "Whoever does it does all of them",
            )  # fmt: skip
        self.placed[element.id] = _Placed(entry, leave)

    def _task(self, element: Element) -> str:
        title = element.title or KIND_WORDS[element.tag].capitalize()
        if element.tag == "receiveTask":
            return self._wait(element, element.events[0] if element.events else EventDefinition("message"))
        if element.tag in BY_MACHINE:
            self.whole.about(
                "differs", element, f"{BY_MACHINE[element.tag]} was to do it; a person does",
                "Name one of our commands in the procedure",
            )  # fmt: skip
        return self._step(title, "task", element)

    def _activity_of_parts(self, element: Element) -> tuple[str, str]:
        title = element.title or KIND_WORDS[element.tag].capitalize()
        if element.tag == "callActivity":
            key = self._call(element, title)
            return key, key
        inner = [e for e in self.whole.inside[element.id] if not _never_runs(e)]
        if element.tag == "adHocSubProcess":
            checks = tuple(e.title for e in inner if e.title and e.tag not in bpmn.EVENTS | bpmn.GATEWAYS)
            self.whole.about(
                "differs", element, "its activities have no order; here they are one task's checks"
            )
            key = self._step(title, "task", element, checks=checks)
            return key, key
        if not inner:
            self.whole.about(
                "differs", element, "it is drawn closed and says nothing more; here it is a task"
            )
            key = self._step(title, "task", element)
            return key, key
        if element.tag == "transaction":
            self.whole.about("differs", element, "nothing undoes it as a whole; here it is a sub-procedure")
        if self.whole.is_one_after_the_other(element):
            return self._unfold(element, title)
        own = _unique(
            f"{self.whole.keys[self.whole.process.id][:28]}_{_slug(title)[:28]}", self.whole.keys.values()
        )
        self.whole.keys[f"sub:{element.id}"] = own
        self.whole.graph_of(element.id, own, title, element.line)
        key = self._step(title, "procedure", element, procedure=own)
        return key, key

    def _unfold(self, element: Element, title: str) -> tuple[str, str]:
        """The edge of a sub-process that became part of this graph: passed on the way in and out."""
        entry = self._step(title, "choice", element)
        leave = self._step(f"{title} done", "choice", element)
        self.ends_inside[element.id] = leave
        return entry, leave

    def _call(self, element: Element, title: str) -> str:
        called = element.called
        if called in self.whole.model.tasks or not called:
            if not called:
                self.whole.about(
                    "differs", element, "it does not say which procedure it calls; a person does it"
                )
            return self._step(title, "task", element)
        if (key := self.whole.keys.get(called)) is None:
            key = _slug(called) or "called"
            self.whole.about(
                "differs", element, f"it calls {called}, which is not in this file",
                f"Publish a procedure with the key {key} first",
            )  # fmt: skip
        return self._step(title, "procedure", element, procedure=key)

    def _event(self, element: Element) -> str:
        kinds = {d.kind for d in element.events}
        title = element.title or next((d.name for d in element.events if d.name), "")
        if element.tag == "startEvent":
            return self._start(element, title)
        if element.tag == "endEvent":
            return self._end_event(element, title, kinds)
        if element.tag == "intermediateCatchEvent":
            return self._catch(element)
        return self._throw(element, title, kinds)

    def _start(self, element: Element, title: str) -> str:
        if element.events:
            trigger = element.events[0]
            what = {
                "timer": "its time comes",
                "message": "its message comes",
                "signal": "its signal is given",
            }
            nested = element.parent != self.container
            if not nested:
                self.whole.about(
                    "differs", element,
                    f"it was to start when {what.get(trigger.kind, f'its {trigger.kind} happens')}; "
                    "a case is started by a person or a program",
                )  # fmt: skip
        # The start of the graph is made in _begin: a process may have several starts, or none.
        return self._step(title or "Start", "choice", element)

    def _end_event(self, element: Element, title: str, kinds: set[str]) -> str:
        inside = self.ends_inside.get(element.parent)
        if kinds & {"compensate", "cancel"}:
            self.whole.about("left out", element, "nothing done is undone by the procedure; it only ends")
        elif kinds - {"terminate"}:
            self.whole.about("differs", element, f"nobody is told ({', '.join(sorted(kinds))}); it only ends")
        if inside is not None:
            key = self._step(title or "End", "choice", element)
            self._flow(key, inside)
            return key
        return self._step(
            title or "End", "end", element, terminates=bool(kinds & {"terminate", "error", "cancel"})
        )

    def _throw(self, element: Element, title: str, kinds: set[str]) -> str:
        if "message" in kinds:
            words = title or "the message"
            self.whole.about("differs", element, "messages are not sent by themselves; a person sends it")
            return self._step(f"Send: {words}", "task", element)
        if kinds & {"compensate"}:
            self.whole.about("left out", element, "nothing done is undone by the procedure")
        elif kinds - {"link"}:
            self.whole.about("differs", element, f"nobody is told ({', '.join(sorted(kinds))}); it is passed")
        return self._step(title or "Passed", "choice", element)

    def _catch(self, element: Element) -> str:
        definition = element.events[0] if element.events else EventDefinition("message")
        if definition.kind == "link":
            return self._step(element.title or definition.name or "Link", "choice", element)
        if len(element.events) > 1:
            self.whole.about(
                "differs", element, "it waits for one of several things; here for the first of them"
            )
        return self._wait(element, definition)

    def _place_beside(self, element: Element) -> None:
        host = self.placed.get(element.attached_to)
        if host is None or self.steps[host.entry].kind not in WAITING:
            self.whole.about(
                "left out", element, "what it stands beside never waits here", "Attach it to an activity"
            )
            return
        definition = element.events[0] if element.events else EventDefinition("message")
        key = self._wait(element, definition)
        self.steps[key] = replace(self.steps[key], attached_to=host.entry, interrupting=element.interrupting)
        self.placed[element.id] = _Placed(key, key)

    def _wait(self, element: Element, definition: EventDefinition) -> str:
        title = element.title or definition.name or f"Wait for {definition.kind}"
        if definition.kind == "timer":
            return self._timer(element, definition, title)
        if definition.kind not in ("message", "signal"):
            self.whole.about(
                "differs", element, f"nothing notices it ({definition.kind}); a person says that it happened"
            )
        message = _slug(definition.name or element.title or element.id) or "message"
        return self._step(title, "wait", element, message=message)

    def _timer(self, element: Element, definition: EventDefinition, title: str) -> str:
        length = _duration(definition.text) or _in_words(title)
        if definition.timer == "cycle":
            self.whole.about("differs", element, "it was to come again and again; here it comes once")
        if length is not None and definition.timer != "date":
            return self._step(title, "timer", element, after=length)
        key = self._step(title, "timer", element)
        due = _unique(f"{key}_on"[-LONGEST_KEY:], (f.key for f in self.fields))
        said = f" ({definition.text})" if definition.text else ""
        self.whole.about("differs", element, f"its time{said} is a date that whoever starts the case gives")
        self.fields.append(Field(due, f"{title}: on which day", "date"))
        self.steps[key] = replace(self.steps[key], until=due)
        return key

    def _gateway(self, element: Element) -> tuple[str, str]:
        goes, comes = len(self.leaving[element.id]), len(self.coming[element.id])
        title = element.title or "Which way"
        if element.tag == "parallelGateway":
            key = self._step(
                element.title or ("Together" if goes < 2 else "At once"),
                "join" if comes > 1 else "fork",
                element,
            )
            return key, key
        if element.tag == "eventBasedGateway":
            if goes < 2:
                self.whole.about("differs", element, "there is nothing to choose from")
            key = self._step(element.title or "Whatever comes first", "race" if goes else "choice", element)
            return key, key
        if element.tag == "complexGateway":
            self.whole.about(
                "differs",
                element,
                "its own rule is not read: branches are chosen by a person, and wait for each other",
            )
        inclusive = element.tag in ("inclusiveGateway", "complexGateway")
        if goes < 2:
            key = self._step(
                element.title or "Together", "inclusive" if inclusive and comes > 1 else "choice", element
            )
            return key, key
        return self._decision(element, title, inclusive=inclusive, meets=comes > 1)

    # --- decisions ----------------------------------------------------------------------------------------

    def _decision(
        self, element: Element, title: str, *, inclusive: bool, meets: bool = False
    ) -> tuple[str, str]:
        """A person decides, in a task of its own; then the branches. Its flows follow in `_connect`."""
        words = {f.condition for f in self.leaving[element.id] if f.condition}
        if words:
            self.whole.about(
                "differs", element, "conditions of other languages are not evaluated; a person decides"
            )
        ask = self._step(f"Decide: {title}", "task", element)
        split = self._step(title, "inclusive" if inclusive else "choice", element)
        self._flow(ask, split)
        if inclusive and meets:
            gather = self._step(f"{title}: all here", "inclusive", element)
            self._flow(gather, ask)
            return gather, split
        return ask, split

    def _branches(self, element: Element, split: str, flows: list[SequenceFlow]) -> None:
        """The flows of a decision: each is an answer to what the person is asked."""
        titles: list[str] = []
        for flow in flows:
            target = self.whole.by_id[flow.target]
            said = flow.title or flow.condition or f"to {target.title or KIND_WORDS[target.tag]}"
            titles.append(_unique(_short(said), titles))
        inclusive = self.steps[split].kind == "inclusive"
        ask = next(f.source for f in self.flows if f.target == split)
        default = next((f for f in flows if f.id and f.id == element.default), None)
        evidence: list[Evidence] = []
        if inclusive:
            for flow, title in zip(flows, titles, strict=True):
                key = self._field_key(f"{split}_{_slug(title)}")
                self.flows.append(self._branch(flow, split, title, Compare(key, "=", True)))
                evidence.append(Evidence(key, "field", title, True, Field(key, title, "yes_no")))
            self.flows.append(Flow(split, ask, is_default=True, title="none: decide again"))
        else:
            key = self._field_key(f"{split}_is")
            default = default or flows[-1]
            for flow, title in zip(flows, titles, strict=True):
                if flow is default:
                    self.flows.append(replace(self._branch(flow, split, title, None), is_default=True))
                else:
                    self.flows.append(self._branch(flow, split, title, Compare(key, "=", title)))
            asked = Field(key, self.steps[split].title, "choice", options=tuple(titles))
            evidence.append(Evidence(key, "field", self.steps[split].title, True, asked))
        self.steps[ask] = replace(self.steps[ask], evidence=tuple(evidence))

    def _field_key(self, wanted: str) -> str:
        used = {e.key for s in self.steps.values() for e in s.evidence} | {f.key for f in self.fields}
        return _unique(wanted[:LONGEST_KEY].rstrip("_"), used)

    def _branch(self, flow: SequenceFlow, split: str, title: str, condition: Compare | None) -> Flow:
        return Flow(split, self.placed[flow.target].entry, condition, title=title, line=flow.line)

    # --- flows ----------------------------------------------------------------------------------------------

    def _connect(self, element: Element) -> None:
        placed = self.placed.get(element.id)
        flows = [f for f in self.leaving[element.id] if f.target in self.placed]
        if placed is None or not flows or self.steps[placed.exit].kind == "end":
            return
        step = self.steps[placed.exit]
        decides = len(flows) > 1 and element.tag in bpmn.GATEWAYS and step.kind in ("choice", "inclusive")
        if decides:
            self._branches(element, placed.exit, flows)
            return
        open_ways = [f for f in flows if f.condition is not None]
        if open_ways and element.tag not in bpmn.GATEWAYS and len(flows) > 1:
            self._conditional(element, placed, flows)
            return
        if len(flows) > 1 and step.kind == "choice":
            fork = self._step("At once", "fork", element)
            self._flow(placed.exit, fork)
            placed.exit = fork
        for flow in flows:
            self._flow(placed.exit, self.placed[flow.target].entry, flow.title, flow.line)

    def _conditional(self, element: Element, placed: _Placed, flows: list[SequenceFlow]) -> None:
        """Conditions drawn on the flows of an activity: an inclusive decision without its gateway."""
        ask, split = self._decision(element, f"after {element.title or 'this'}", inclusive=True)
        self._flow(placed.exit, ask)
        placed.exit = split
        self._branches(element, split, flows)

    def _links(self) -> None:
        """A throwing link goes on at the catching one of its name."""
        catching = {
            d.name or e.title: e
            for e in self.elements if e.tag == "intermediateCatchEvent"
            for d in e.events if d.kind == "link"
        }  # fmt: skip
        for element in self.elements:
            for definition in element.events:
                if definition.kind != "link" or element.tag == "intermediateCatchEvent":
                    continue
                target = catching.get(definition.name or element.title)
                if target is None:
                    self.whole.about(
                        "cannot", element, "no link of its name takes it up", "Name both links alike"
                    )
                elif element.id in self.placed:
                    self._flow(self.placed[element.id].exit, self.placed[target.id].entry)

    def _begin(self) -> None:
        """One start: before the only one of the model's, or before the question which of several it is."""
        entered = {f.target for f in self.flows}
        begins = [
            e
            for e in self.elements
            if e.parent == self.container and e.id in self.placed and e.tag != "boundaryEvent"
            and self.placed[e.id].entry not in entered
        ]  # fmt: skip
        for element in self.elements:
            if element.id in self.ends_inside:
                self._begin_inside(element)
        events = [e for e in begins if e.tag == "startEvent" or e.instantiates]
        chosen = events or begins
        if not chosen:
            chosen = [e for e in self.elements if e.tag == "startEvent"] or self.elements[:1]
        if len(chosen) == 1:
            self._start_at(self.placed[chosen[0].id].entry, chosen[0])
        elif events:
            self._choose_start(events)
        else:
            start = self._step("Start", "start", chosen[0])
            fork = self._step("At once", "fork", chosen[0])
            self._flow(start, fork)
            for element in chosen:
                self._flow(fork, self.placed[element.id].entry)

    def _begin_inside(self, element: Element) -> None:
        inner = [e for e in self.elements if e.parent == element.id and e.tag != "boundaryEvent"]
        entered = {f.target for f in self.flows}
        for inside in inner:
            if inside.id in self.placed and self.placed[inside.id].entry not in entered:
                self._flow(self.placed[element.id].entry, self.placed[inside.id].entry)
        leaves = {f.source for f in self.flows}
        for inside in inner:
            placed = self.placed.get(inside.id)
            if placed and placed.exit not in leaves:
                self._flow(placed.exit, self.ends_inside[element.id])

    def _start_at(self, entry: str, element: Element) -> None:
        step = self.steps[entry]
        if element.tag == "startEvent" and step.kind == "choice":
            self.steps[entry] = replace(step, kind="start", role="")
            return
        self._flow(self._step("Start", "start", element), entry)

    def _choose_start(self, events: list[Element]) -> None:
        self.whole.about(
            "differs", events[0], f"there are {len(events)} ways to start; whoever starts says which"
        )
        start = self._step("Start", "start", None)
        ask = self._step("Decide: how it starts", "task", events[0])
        split = self._step("How it starts", "choice", None)
        self._flow(start, ask)
        self._flow(ask, split)
        titles: list[str] = []
        for event in events:
            titles.append(
                _unique(_short(event.title or f"{KIND_WORDS[event.tag]} {len(titles) + 1}"), titles)
            )
        key = self._field_key("start_is")
        for event, title in zip(events, titles, strict=True):
            last = event is events[-1]
            condition = None if last else Compare(key, "=", title)
            self.flows.append(Flow(split, self.placed[event.id].entry, condition, last, title, event.line))
        asked = Field(key, "How it starts", "choice", options=tuple(titles))
        self.steps[ask] = replace(
            self.steps[ask], evidence=(Evidence(key, "field", "How it starts", True, asked),)
        )

    def _end(self) -> None:
        """What leads nowhere ends there."""
        leaves = {f.source for f in self.flows}
        loose = [s for s in self.steps.values() if s.key not in leaves and s.kind != "end"]
        if not loose:
            return
        end = self._step("End", "end", None)
        for step in loose:
            self._flow(step.key, end)

    def _meet_in_races(self) -> None:
        """What takes part in a race is entered by it alone: another way to it gets a step of its own."""
        for race in [s for s in self.steps.values() if s.kind == "race"]:
            for flow in [f for f in self.flows if f.source == race.key]:
                if self.steps[flow.target].kind not in WAITING:
                    self.whole.note(
                        "cannot", f"{race.title!r}", race.line or 0,
                        f"{self.steps[flow.target].title!r} is nothing one can wait for",
                        "Lead an event-based gateway to catching events",
                    )  # fmt: skip


def _short(text: str) -> str:
    line = " ".join(text.replace('"', "'").split())
    return line if len(line) <= LONGEST_BRANCH else line[: LONGEST_BRANCH - 1] + "…"


_ISO = re.compile(
    r"P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,6})(?:\.\d+)?S)?)?"
)


def _duration(text: str) -> Span | None:
    """A length of time as ISO 8601 writes it (P3D, PT2H30M), also inside an expression; else None.

    A year is 365 days and a month 30: lengths, not dates. Seconds are rounded up to a minute.
    """
    found = next((m for m in _ISO.finditer(text) if any(m.groups())), None)
    if found is None:
        return None
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    whole_days = years * 365 + months * 30 + weeks * 7 + days
    total = whole_days * 1440 + hours * 60 + minutes + -(-seconds // 60)
    for unit, size in (("days", 1440), ("hours", 60), ("minutes", 1)):
        if total % size == 0 and 0 < total // size <= 99_999:
            return Span(total // size, unit)  # type: ignore[arg-type]
    return None


def _in_words(title: str) -> Span | None:
    """Many models say when in the event's name alone: "7 days"."""
    try:
        return span(title.lower())
    except SpanRefused:
        return None
