"""BPMN 2.0 models as other tools write them: the XML, into records of what is in it. Pure.

    model = read(data, "onboarding.bpmn")      raises InputRefused with lines and reasons
    model.processes                            what is to be done: elements and flows of each process
    model.drawings                             how it was drawn: boxes and lines with their coordinates
    model.problems                             what the file itself has wrong, and was left out for it

Nothing is judged here: which of it can run is `engineroom.sop.translation`'s to say. Vendors' own elements
(Signavio's, Camunda's, Trisotech's and others') are passed over, apart from the few that say who does a task.

Nothing in the file makes us fetch or expand anything: a DOCTYPE is refused by name, entities are not
resolved, the network is off, and size, number of elements and depth have limits.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from engineroom.kernel.errors import InputRefused, Problem

Xml = Any
"""An element of lxml, whose type stubs know neither its lines nor its parents."""

MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_ELEMENTS = 100_000
MAX_DEPTH = 60
"""Sub-processes in sub-processes, with what stands between; real models have some ten levels of XML."""

MAX_TITLE = 200
MAX_TEXT = 4_000
MAX_PROBLEMS = 100
FARTHEST = 1_000_000.0
"""A coordinate beyond this is no drawing."""

MODEL: Final = (
    "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "http://schema.omg.org/spec/BPMN/2.0",  # before the standard's adoption
)
DRAWN: Final = ("http://www.omg.org/spec/BPMN/20100524/DI", "http://schema.omg.org/spec/BPMNDI/1.0")
EXPORT_AGAIN = "Export the model again as BPMN 2.0 XML"

TASKS = frozenset(
    {"task", "userTask", "manualTask", "serviceTask", "scriptTask"}
    | {"businessRuleTask", "sendTask", "receiveTask"}
)
EVENTS = frozenset(
    {"startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent"}
    | {"implicitThrowEvent"}
)
GATEWAYS = frozenset(
    ("exclusiveGateway", "parallelGateway", "inclusiveGateway", "eventBasedGateway", "complexGateway")
)
CONTAINERS = frozenset(("subProcess", "transaction", "adHocSubProcess"))
NODES = TASKS | EVENTS | GATEWAYS | CONTAINERS | {"callActivity"}
SHOWN_ONLY = {
    "dataObject": "",  # the reference to it is what is drawn
    "dataObjectReference": "data object",
    "dataStoreReference": "data store",
    "dataInput": "",
    "dataOutput": "",
    "textAnnotation": "annotation",
    "group": "group",
    "association": "",
}
"""Artifacts: shown in the drawing, run by nobody; by what they are called."""

OTHER_NOTATIONS = {
    "choreography": "a choreography: who sends what to whom, and nothing that is done",
    "globalChoreographyTask": "a choreography task",
    "conversation": "a conversation",
}


@dataclass(frozen=True, slots=True)
class EventDefinition:
    """What triggers an event: message, timer, signal, ... name: of the message, signal, error or link.

    timer: date, duration or cycle; text: when, or the condition, as written.
    """

    kind: str
    name: str = ""
    timer: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Element:
    """A flow node. parent: the id of the process or sub-process it stands in; lane: the innermost one's name.

    loop: standard, parallel or sequential. called: of a call activity, the element it calls.
    """

    id: str
    tag: str
    title: str
    line: int
    parent: str
    lane: str = ""
    text: str = ""
    events: tuple[EventDefinition, ...] = ()
    attached_to: str = ""
    interrupting: bool = True
    default: str = ""
    loop: str = ""
    for_compensation: bool = False
    called: str = ""
    by_event: bool = False
    instantiates: bool = False
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SequenceFlow:
    """From one flow node to another. condition: as written in its language, None where there is none."""

    id: str
    source: str
    target: str
    title: str
    parent: str
    line: int
    condition: str | None = None


@dataclass(frozen=True)
class Process:
    """What one participant does. shown: how many artifacts of which kind it has."""

    id: str
    title: str
    line: int
    participant: str = ""
    elements: tuple[Element, ...] = ()
    flows: tuple[SequenceFlow, ...] = ()
    shown: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shape:
    """A box of a drawing. expanded: a sub-process whose inside is drawn; horizontal: of pools and lanes."""

    element: str
    tag: str
    title: str
    x: float
    y: float
    width: float
    height: float
    label: tuple[float, float, float, float] | None = None
    expanded: bool = False
    horizontal: bool = True
    trigger: str = ""
    throws: bool = False
    interrupting: bool = True
    loop: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a drawing: sequence, message, association or data."""

    element: str
    kind: str
    title: str
    points: tuple[tuple[float, float], ...]
    label: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Drawing:
    title: str
    shapes: tuple[Shape, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Model:
    """A file. tasks: global tasks by id, with their titles; other: what it holds that is no process."""

    name: str
    exporter: str
    processes: tuple[Process, ...]
    drawings: tuple[Drawing, ...]
    tasks: dict[str, str]
    message_flows: int
    other: tuple[str, ...]
    problems: tuple[Problem, ...]


def read(data: bytes, file_name: str = "the model") -> Model:
    """What a BPMN file holds. Raises InputRefused for what is no BPMN, broken, hostile or too large."""
    root = _root(data, file_name)
    reader = _Reader(root, file_name)
    model = reader.model()
    if not model.processes and not model.other:
        raise _refused(file_name, None, "the model has no process", "Draw one and export it again")
    return model


def _refused(file: str, line: int | None, problem: str, remedy: str) -> InputRefused:
    return InputRefused([Problem(problem, remedy, file, line)])


def _root(data: bytes, file: str) -> Xml:
    if len(data) > MAX_FILE_BYTES:
        raise _refused(
            file, None, f"the file has more than {MAX_FILE_BYTES // 1024 // 1024} MB", "Split the model"
        )
    if not data.strip():
        raise _refused(file, None, "the file is empty", EXPORT_AGAIN)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True,
        remove_pis=True,
    )  # fmt: skip
    _feed(parser, data, file)
    try:
        root = parser.close()
    except etree.XMLSyntaxError as error:
        raise _broken(file, error, parser) from None
    info: Any = root.getroottree().docinfo
    if info.doctype:
        raise _no_doctype(file)
    name = etree.QName(root)
    if name.namespace not in MODEL or name.localname != "definitions":
        said = f"{name.localname} of {name.namespace}" if name.namespace else name.localname
        hint = " (XPDL)" if "xpdl" in (name.namespace or "").lower() or name.localname == "Package" else ""
        raise _refused(
            file, _line(root), f"this is no BPMN 2.0 model: its root is {said}{hint}", EXPORT_AGAIN
        )
    return root


def _feed(parser: etree.XMLParser, data: bytes, file: str) -> None:
    """The bytes, in pieces, so that a limit is met before the memory is used."""
    for start in range(0, len(data), 65_536):
        piece = data[start : start + 65_536]
        if b"<!DOCTYPE" in data[max(0, start - 16) : start + 65_536] or b"<!ENTITY" in piece:
            raise _no_doctype(file, data[: data.find(b"<!")].count(b"\n") + 1)
        try:
            parser.feed(piece)
        except etree.XMLSyntaxError as error:
            raise _broken(file, error, parser) from None


def _broken(file: str, error: Any, parser: Any) -> InputRefused:
    """The first thing that went wrong; what the parser raises is sometimes only what followed from it."""
    first = next(iter(parser.error_log), None)
    line, words = (first.line, first.message) if first is not None else (error.lineno, error.msg)
    return _refused(file, line or None, f"the XML is broken: {_clean(words)}", EXPORT_AGAIN)


def _no_doctype(file: str, line: int = 1) -> InputRefused:
    return _refused(
        file, line, "the file declares a document type (DOCTYPE), which no BPMN model needs", EXPORT_AGAIN
    )


def _local(element: Xml) -> str:
    """The name of an element of BPMN, else nothing."""
    if not isinstance(element.tag, str):
        return ""
    name = etree.QName(element)
    return name.localname if name.namespace in MODEL else ""


def _children(element: Xml, *names: str) -> Iterator[Xml]:
    for child in element:
        if _local(child) in names:
            yield child


def _child_text(element: Xml, *names: str) -> str:
    for child in _children(element, *names):
        return _clean("".join(str(t) for t in child.itertext()), MAX_TEXT)
    return ""


def _clean(text: str | None, longest: int = MAX_TITLE) -> str:
    """A line of text: white space once, at most so long."""
    line = " ".join((text or "").split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _line(element: Xml) -> int:
    return element.sourceline or 0


def _ref(text: str | None) -> str:
    """The local part of a reference: `ns:id` names the same thing as `id`."""
    return _clean(text).rpartition(":")[2]


def _is(text: str | None) -> bool:
    return (text or "").strip().lower() in ("true", "1")


class _Reader:
    """One pass over the model, one over the drawing."""

    def __init__(self, root: Xml, file: str) -> None:
        self.root, self.file = root, file
        self.problems: list[Problem] = []
        self.by_id: dict[str, Xml] = {}
        self._index()

    def wrong(self, line: int, problem: str, remedy: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(problem, remedy, self.file, line, severity="warning"))

    def _index(self) -> None:
        for count, element in enumerate(self.root.iter()):
            if count > MAX_ELEMENTS:
                raise _refused(
                    self.file, _line(element), f"more than {MAX_ELEMENTS:,} elements", "Split the model"
                )
            if not isinstance(element.tag, str):
                raise _refused(
                    self.file, _line(element.getparent()), "an entity that nothing defines", EXPORT_AGAIN
                )
            own = _ref(element.get("id")) if _local(element) else ""
            if own and own in self.by_id:
                self.wrong(_line(element), f"two elements have the id {own}", "Give one of them another id")
            elif own:
                self.by_id[own] = element

    def model(self) -> Model:
        participants = {
            _ref(p.get("processRef")): _clean(p.get("name"))
            for p in self.root.iter()
            if _local(p) == "participant" and p.get("processRef")
        }
        processes = tuple(
            self._process(element, participants.get(_ref(element.get("id")), ""))
            for element in _children(self.root, "process")
        )
        tasks = {
            _ref(e.get("id")): _clean(e.get("name"))
            for e in self.root
            if _local(e).startswith("global") and _local(e).endswith("Task")
        }
        other = tuple(
            f"line {_line(e)}: {OTHER_NOTATIONS[_local(e)]}"
            for e in self.root.iter()
            if _local(e) in OTHER_NOTATIONS
        )
        drawings = tuple(d for d in self._drawings() if d.shapes)
        exporter = _clean(
            " ".join(filter(None, (self.root.get("exporter"), self.root.get("exporterVersion"))))
        )
        return Model(
            _clean(self.root.get("name")) or self.file,
            exporter,
            tuple(p for p in processes if p.elements),
            drawings,
            tasks,
            sum(1 for e in self.root.iter() if _local(e) == "messageFlow"),
            other,
            tuple(self.problems),
        )

    # --- what is to be done ---------------------------------------------------------------------------

    def _process(self, element: Xml, participant: str) -> Process:
        elements: list[Element] = []
        flows: list[SequenceFlow] = []
        shown: Counter[str] = Counter()
        self._walk(element, elements, flows, shown, self._lanes(element), 0)
        known = {e.id for e in elements}
        kept = [f for f in flows if self._joins(f, known)]
        own = _ref(element.get("id"))
        title = (
            _clean(element.get("name")) or participant or _clean(self.root.get("name")) or own or "process"
        )
        return Process(own, title, _line(element), participant, tuple(elements), tuple(kept), dict(shown))

    def _walk(
        self,
        container: Xml,
        elements: list[Element],
        flows: list[SequenceFlow],
        shown: Counter[str],
        lanes: dict[str, str],
        depth: int,
    ) -> None:
        if depth > MAX_DEPTH:
            raise _refused(self.file, _line(container), f"sub-processes {MAX_DEPTH} deep", "Make it flatter")
        parent = self._id(container)
        for child in container:
            tag = _local(child)
            if tag in NODES:
                own = self._element(child, tag, parent, lanes)
                elements.append(own)
                if tag in CONTAINERS:
                    inner = {**dict.fromkeys(self._nodes_in(child), own.lane), **self._lanes(child)}
                    self._walk(child, elements, flows, shown, {**lanes, **inner}, depth + 1)
            elif tag == "sequenceFlow":
                flows.append(self._flow(child, parent))
            elif SHOWN_ONLY.get(tag):
                shown[SHOWN_ONLY[tag]] += 1

    def _nodes_in(self, container: Xml) -> list[str]:
        return [self._id(child) for child in container if _local(child) in NODES]

    def _id(self, element: Xml) -> str:
        """Its id; one without has its place in the file."""
        own = _ref(element.get("id"))
        return own if own and self.by_id.get(own) is element else f"{_local(element)}-at-{_path(element)}"

    def _lanes(self, process: Xml) -> dict[str, str]:
        """The innermost lane's name, by the id of what stands in it."""
        found: dict[str, str] = {}
        for lane_set in _children(process, "laneSet"):
            for lane in lane_set.iter():  # outer before inner: the inner one is written over it
                if _local(lane) == "lane" and _clean(lane.get("name")):
                    for ref in _children(lane, "flowNodeRef"):
                        found[_ref(ref.text)] = _clean(lane.get("name"))
        return found

    def _element(self, element: Xml, tag: str, parent: str, lanes: dict[str, str]) -> Element:
        own = self._id(element)
        attached = _ref(element.get("attachedToRef"))
        interrupting = (
            element.get("cancelActivity") if tag == "boundaryEvent" else element.get("isInterrupting")
        )
        return Element(
            own,
            tag,
            _clean(element.get("name")),
            _line(element),
            parent,
            lanes.get(own) or lanes.get(attached, ""),
            _child_text(element, "documentation"),
            tuple(self._events(element)),
            attached,
            interrupting is None or _is(interrupting),
            _ref(element.get("default")),
            _loop(element),
            _is(element.get("isForCompensation")),
            _ref(element.get("calledElement")) or _child_text(element, "calledElement"),
            _is(element.get("triggeredByEvent")),
            _is(element.get("instantiate")),
            tuple(self._owners(element)),
        )

    def _events(self, element: Xml) -> Iterator[EventDefinition]:
        if _local(element) == "receiveTask":
            yield EventDefinition("message", self._name_of(element, "messageRef"))
            return
        for child in element:
            tag = _local(child)
            if tag == "eventDefinitionRef" and (found := self.by_id.get(_ref(child.text))) is not None:
                child, tag = found, _local(found)
            if not tag.endswith("EventDefinition"):
                continue
            kind = tag.removesuffix("EventDefinition")
            name = _clean(child.get("name")) or self._name_of(child, f"{kind}Ref")
            timer, text = "", _child_text(child, "condition")
            for which in ("timeDate", "timeDuration", "timeCycle"):
                if said := list(_children(child, which)):
                    timer = which.removeprefix("time").lower()
                    text = _clean("".join(str(t) for t in said[0].itertext()))
            yield EventDefinition(kind, name, timer, text)

    def _name_of(self, element: Xml, reference: str) -> str:
        """The name of the message, signal, ... that is referred to."""
        found = self.by_id.get(_ref(element.get(reference)))
        return _clean(found.get("name")) if found is not None else ""

    def _owners(self, element: Xml) -> Iterator[str]:
        """Who does it: BPMN's potential owners, else a vendor's attribute of that meaning."""
        for owner in _children(element, "potentialOwner", "performer", "humanPerformer"):
            ref = _child_text(owner, "resourceRef")
            if (resource := self.by_id.get(_ref(ref))) is not None and resource.get("name"):
                yield _clean(resource.get("name"))
            elif said := _child_text(owner, "resourceAssignmentExpression"):
                yield said
        for name, value in element.attrib.items():
            if etree.QName(str(name)).localname in ("candidateGroups", "assignee") and value:
                yield _clean(str(value))

    def _flow(self, element: Xml, parent: str) -> SequenceFlow:
        condition = next(_children(element, "conditionExpression"), None)
        return SequenceFlow(
            _ref(element.get("id")),
            _ref(element.get("sourceRef")),
            _ref(element.get("targetRef")),
            _clean(element.get("name")),
            parent,
            _line(element),
            None if condition is None else _clean("".join(str(t) for t in condition.itertext()), MAX_TEXT),
        )

    def _joins(self, flow: SequenceFlow, known: set[str]) -> bool:
        """Whether both ends are there; else it is said and the flow left out."""
        lost = [end or "nothing" for end in (flow.source, flow.target) if end not in known]
        if lost:
            self.wrong(
                flow.line,
                f"the flow {flow.id or flow.title or 'without an id'} joins {' and '.join(lost)}, "
                "which is no step of this process",
                "Draw it again from step to step",
            )
        return not lost

    # --- how it was drawn -------------------------------------------------------------------------------

    def _drawings(self) -> Iterator[Drawing]:
        for diagram in self.root:
            if not isinstance(diagram.tag, str) or not _is_drawn(diagram, "BPMNDiagram"):
                continue
            shapes: list[Shape] = []
            lines: list[Line] = []
            plane_of = ""
            for element in diagram.iter():
                if _is_drawn(element, "BPMNPlane"):
                    plane_of = _ref(element.get("bpmnElement"))
                elif _is_drawn(element, "BPMNShape") and (shape := self._shape(element)):
                    shapes.append(shape)
                elif _is_drawn(element, "BPMNEdge") and (line := self._edge(element)):
                    lines.append(line)
            named = self.by_id.get(plane_of)
            title = _clean(diagram.get("name")) or (_clean(named.get("name")) if named is not None else "")
            yield Drawing(title, tuple(shapes), tuple(lines))

    def _shape(self, element: Xml) -> Shape | None:
        bounds = _bounds(element)
        about = self.by_id.get(_ref(element.get("bpmnElement")))
        if bounds is None or about is None or not _local(about) or bounds[2] <= 0 or bounds[3] <= 0:
            return None
        tag = _local(about)
        events = list(self._events(about)) if tag in EVENTS else []
        is_bound = tag == "boundaryEvent"
        stops = about.get("cancelActivity") if is_bound else about.get("isInterrupting")
        return Shape(
            self._id(about),
            tag,
            self._title_of(about),
            *bounds,
            _label(element),
            _is(element.get("isExpanded")) or (tag in CONTAINERS and element.get("isExpanded") is None),
            element.get("isHorizontal") is None or _is(element.get("isHorizontal")),
            "multiple" if len(events) > 1 else events[0].kind if events else "",
            tag in ("intermediateThrowEvent", "endEvent"),
            stops is None or _is(stops),
            _loop(about),
        )

    def _title_of(self, about: Xml) -> str:
        """What is written into the box: an annotation's text, a group's category, else the name."""
        tag = _local(about)
        if tag == "textAnnotation":
            return _child_text(about, "text")
        if tag == "group":
            found = self.by_id.get(_ref(about.get("categoryValueRef")))
            return _clean(found.get("value")) if found is not None else ""
        if not about.get("name") and tag in ("dataObjectReference", "dataStoreReference"):
            found = self.by_id.get(_ref(about.get("dataObjectRef") or about.get("dataStoreRef")))
            return _clean(found.get("name")) if found is not None else ""
        return _clean(about.get("name"))

    def _edge(self, element: Xml) -> Line | None:
        points = [p for child in element if (p := _point(child)) is not None]
        about = self.by_id.get(_ref(element.get("bpmnElement")))
        if len(points) < 2 or about is None:
            return None
        kind = {"sequenceFlow": "sequence", "messageFlow": "message", "association": "association"}.get(
            _local(about), "data"
        )
        return Line(
            _ref(element.get("bpmnElement")), kind, _clean(about.get("name")), tuple(points), _label(element)
        )


def _path(element: Xml) -> str:
    """Where an element without an id stands: the positions that lead to it."""
    places: list[str] = []
    at: Xml | None = element
    while at is not None and (above := at.getparent()) is not None:
        places.append(str(above.index(at)))
        at = above
    return "-".join(reversed(places))


def _loop(element: Xml) -> str:
    for child in _children(element, "multiInstanceLoopCharacteristics"):
        return "sequential" if _is(child.get("isSequential")) else "parallel"
    return "standard" if next(_children(element, "standardLoopCharacteristics"), None) is not None else ""


def _is_drawn(element: Xml, name: str) -> bool:
    if not isinstance(element.tag, str):
        return False
    found = etree.QName(element)
    return found.localname == name and found.namespace in DRAWN


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) <= FARTHEST else None


def _bounds(element: Xml) -> tuple[float, float, float, float] | None:
    for child in element:
        if isinstance(child.tag, str) and etree.QName(child).localname == "Bounds":
            found = [_number(child.get(name)) for name in ("x", "y", "width", "height")]
            x, y, width, height = found
            if x is None or y is None or width is None or height is None:
                return None
            return x, y, width, height
    return None


def _label(element: Xml) -> tuple[float, float, float, float] | None:
    for child in element:
        if _is_drawn(child, "BPMNLabel"):
            return _bounds(child)
    return None


def _point(element: Xml) -> tuple[float, float] | None:
    if not isinstance(element.tag, str) or etree.QName(element).localname != "waypoint":
        return None
    x, y = _number(element.get("x")), _number(element.get("y"))
    return (x, y) if x is not None and y is not None else None
