"""What is wrong with a graph, each with where it stands and what to do. Pure.

An error keeps a procedure from being published; a warning is worth a look.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from engineroom.kernel.errors import Problem
from engineroom.sop.conditions import Field, faults
from engineroom.sop.graph import (
    ATTACHABLE,
    BRANCHING,
    KEY,
    MOST_STEPS,
    WAITING,
    WORKED,
    Graph,
    Step,
    leads_nowhere,
    unreachable,
)
from engineroom.sop.machine import explore

LONGEST_TITLE = 200
"""Letters of a title that tasks and lists show."""


@dataclass(frozen=True)
class Surroundings:
    """What a graph may name. None: not known here, so nothing is said about such names.

    commands: the arguments of each registered command, by name: (name, whether it must be given).
    """

    roles: Collection[str] | None = None
    commands: Mapping[str, Collection[tuple[str, bool]]] | None = None
    procedures: Collection[str] | None = None


def problems(
    graph: Graph, surroundings: Surroundings | None = None, *, file: str | None = None
) -> list[Problem]:
    """Everything wrong with a graph, by line; the ways through it are tried once its parts are right."""
    report = Report(file)
    around = surroundings or Surroundings()
    _whole(graph, report)
    if report.found:
        return report.found
    _titles(graph, report)
    for step in graph.steps:
        _shape(graph, step, report)
        _content(graph, step, around, report)
    for step in graph.steps:
        if step.kind in BRANCHING:
            _branches(graph, step, report)
    _flows(graph, report)
    if not any(p.severity == "error" for p in report.found):
        _ways(graph, report)
    return sorted(report.found, key=lambda p: p.row or 0)


class Report:
    """Problems of one text, as they are found."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self.found: list[Problem] = []

    def error(self, line: int | None, problem: str, remedy: str, field: str | None = None) -> None:
        self.found.append(Problem(problem, remedy, self.file, line, field))

    def warning(self, line: int | None, problem: str, remedy: str) -> None:
        self.found.append(Problem(problem, remedy, self.file, line, severity="warning"))


def _titles(graph: Graph, report: Report) -> None:
    named = [("the procedure", graph.title, None), *((s.key, s.title, s.line) for s in graph.steps)]
    for what, title, line in named:
        if len(title) > LONGEST_TITLE:
            report.warning(
                line,
                f"the title of {what} has {len(title)} letters",
                f"lists show the first {LONGEST_TITLE}: say the rest in its text",
            )


def _whole(graph: Graph, report: Report) -> None:
    """What must hold before anything else can be asked."""
    seen: set[str] = set()
    for step in graph.steps:
        if not KEY.match(step.key):
            report.error(
                step.line,
                f"{step.key!r} cannot be a step's key",
                "use small letters, digits and underscores, a letter first, 60 at most",
            )
        if step.key in seen:
            report.error(
                step.line, f"two steps are called {step.key}", "give one of them another title or key"
            )
        seen.add(step.key)
    if len(graph.steps) > MOST_STEPS:
        report.error(
            None, f"{len(graph.steps)} steps", f"at most {MOST_STEPS}: make sub-procedures of its parts"
        )
    for flow in graph.flows:
        for end in (flow.source, flow.target):
            if end not in seen:
                report.error(flow.line, f"there is no step {end}", f"name one of the steps: {_some(seen)}")
    for step in graph.steps:
        if step.attached_to and step.attached_to not in seen:
            report.error(step.line, f"there is no step {step.attached_to}", f"name one of: {_some(seen)}")
    starts = [s for s in graph.steps if s.kind == "start"]
    if len(starts) != 1:
        line = starts[1].line if len(starts) > 1 else None
        report.error(
            line, f"{len(starts)} starts" if starts else "no start", "a procedure has exactly one start"
        )
    if not any(s.kind == "end" for s in graph.steps):
        report.error(None, "no end", "add an end step and lead the last step to it")


def _some(keys: Collection[str]) -> str:
    listed = sorted(keys)
    return ", ".join(listed[:12]) + (f" and {len(listed) - 12} more" if len(listed) > 12 else "")


def _shape(graph: Graph, step: Step, report: Report) -> None:
    incoming, outgoing = graph.incoming[step.key], graph.outgoing[step.key]
    if step.kind == "start" and incoming:
        report.error(step.line, "a flow leads into the start", "lead it to the step after the start")
    if step.kind == "end" and outgoing:
        report.error(
            step.line, f"a flow leads out of the end {step.title!r}", "make it a task, or drop the flow"
        )
    calls_only = step.kind == "escalation"
    if step.kind != "end" and not outgoing and not calls_only:
        report.error(step.line, f"nothing follows {step.title!r}", "say what is next, or make it an end")
    if step.attached_to:
        if step.kind not in ATTACHABLE:
            report.error(
                step.line,
                f"a {step.kind} stands beside {step.attached_to}",
                "only timers, waits and escalations can",
            )
        if incoming:
            report.error(
                step.line,
                f"a flow leads to {step.title!r}, which stands beside another step",
                "it begins when that step opens: drop the flow",
            )
        if graph.by_key[step.attached_to].kind not in WAITING or graph.by_key[step.attached_to].attached_to:
            report.error(
                step.line,
                f"{step.attached_to} never waits, so nothing can stand beside it",
                "attach it to a task, request, wait, command or sub-procedure",
            )
    elif step.kind == "escalation":
        report.error(step.line, f"{step.title!r} stands beside no step", "attach it to the step it watches")
    if step.kind == "race":
        for index in outgoing:
            target = graph.by_key[graph.flows[index].target]
            if target.kind not in WAITING or len(graph.incoming[target.key]) > 1:
                report.error(
                    step.line,
                    f"{target.title!r} cannot take part in a race",
                    "a race leads to waits, timers, requests or tasks that nothing else leads to",
                )


def _content(graph: Graph, step: Step, around: Surroundings, report: Report) -> None:
    known = _field_keys(graph)
    if step.kind in WORKED and around.roles is not None:
        needed = [step.role] if step.kind != "client_request" or step.role else []
        for role in [*needed, *([step.checker] if step.checker else [])]:
            if role not in around.roles:
                report.error(
                    step.line,
                    f"there is no role {role!r}" if role else "nobody is named who does it",
                    f"who: one of {_some(around.roles)}",
                    "who",
                )
    if step.four_eyes and step.kind not in ("task", "client_request"):
        report.error(
            step.line,
            f"a {step.kind} has no four eyes",
            "only a task or a client request is checked",
            "four_eyes",
        )
    for other in step.apart_from:
        if other not in graph.by_key or graph.by_key[other].kind not in WORKED:
            report.error(
                step.line,
                f"apart from {other!r}: no such step is worked by anybody",
                f"name one of: {_some([s.key for s in graph.steps if s.kind in WORKED])}",
                "apart_from",
            )
    _evidence(step, report)
    if step.kind == "command":
        _command(graph, step, around, known, report)
    if step.kind in ("timer", "escalation"):
        _timer(graph, step, report)
    if step.kind == "wait" and not step.message:
        report.error(step.line, "it waits for no message", "message: the name it is sent under", "message")
    if step.kind == "procedure":
        if not step.procedure:
            report.error(
                step.line, "no procedure is named", "procedure: the key of the one to start", "procedure"
            )
        elif around.procedures is not None and step.procedure not in around.procedures:
            report.error(
                step.line,
                f"there is no published procedure {step.procedure!r}",
                f"publish it first, or name one of: {_some(around.procedures)}",
                "procedure",
            )
        elif step.procedure == graph.key:
            report.error(step.line, "a procedure that starts itself never ends", "use a loop", "procedure")
    if step.kind == "client_request" and not step.evidence:
        report.error(
            step.line, "the client is asked for nothing", "evidence: what they are to send", "evidence"
        )


def _field_keys(graph: Graph) -> dict[str, Field]:
    """Fields by key; what a command's receipt fills, and nobody declared, is a text."""
    known = dict(graph.all_fields)
    for step in graph.steps:
        for key, _ in step.keeps:
            known.setdefault(key, Field(key, key.replace("_", " "), required=False))
    return known


def _evidence(step: Step, report: Report) -> None:
    seen: set[str] = set()
    for item in step.evidence:
        if item.key in seen or not KEY.match(item.key):
            report.error(
                step.line,
                f"evidence {item.key!r} is named twice or is no key",
                "use small letters, digits and underscores, each once",
                "evidence",
            )
        if (item.kind == "field") != (item.field is not None):
            report.error(
                step.line,
                f"evidence {item.key!r} is no field and has a type",
                "only fields have types",
                "evidence",
            )
        seen.add(item.key)


def _command(
    graph: Graph, step: Step, around: Surroundings, known: Mapping[str, Field], report: Report
) -> None:
    if not step.command:
        report.error(step.line, "no command is named", "command: the name of a registered one", "command")
        return
    files = {item.key for other in graph.steps for item in other.evidence if item.kind == "file"}
    for _name, value in step.arguments:
        if value.startswith("$") and value[1:] not in known and value[1:] not in files:
            report.error(
                step.line,
                f"the field {value[1:]} is not declared",
                f"declare it, or use one of: {_some(known)}",
                "with",
            )
    if around.commands is None:
        return
    if step.command not in around.commands:
        near = [c for c in around.commands if c.split(".")[0] == step.command.split(".")[0]]
        report.error(
            step.line,
            f"there is no command {step.command!r}",
            f"name one of: {_some(near or around.commands)}",
            "command",
        )
        return
    takes = dict(around.commands[step.command])
    given = {name for name, _ in step.arguments}
    for name in sorted(given - set(takes)):
        report.error(step.line, f"{step.command} takes no {name}", f"it takes: {_some(takes)}", "with")
    for name in sorted(n for n, needed in takes.items() if needed and n not in given):
        report.error(step.line, f"{step.command} needs {name}", f"with: {name}: $field, or a value", "with")


def _timer(graph: Graph, step: Step, report: Report) -> None:
    if (step.after is None) == (not step.until):
        report.error(
            step.line,
            f"{step.title!r} says not when",
            "after: a span of time, or until: a date field",
            "after",
        )
    elif step.until:
        declared = graph.all_fields.get(step.until)
        if declared is None or declared.type != "date":
            dates = [f.key for f in graph.all_fields.values() if f.type == "date"]
            report.error(
                step.line,
                f"{step.until} is no date field",
                f"name one of: {_some(dates) or 'none yet'}",
                "until",
            )


def _branches(graph: Graph, step: Step, report: Report) -> None:
    flows = [graph.flows[i] for i in graph.outgoing[step.key]]
    defaults = [f for f in flows if f.is_default]
    if len(flows) < 2:
        return
    if len(defaults) > 1:
        report.error(step.line, f"{step.title!r} has {len(defaults)} defaults", "keep one")
    if not defaults:
        report.error(
            step.line,
            f"{step.title!r} has no default",
            "say which branch is taken when none holds: otherwise",
        )
    for flow in flows:
        if flow.condition is None and not flow.is_default:
            report.error(
                flow.line or step.line,
                f"the branch of {step.title!r} to {flow.target} has no condition",
                "say when it is taken, or make it the default",
            )


def _flows(graph: Graph, report: Report) -> None:
    known = _field_keys(graph)
    seen: set[tuple[str, str]] = set()
    for flow in graph.flows:
        source = graph.by_key[flow.source]
        if (flow.source, flow.target) in seen:
            report.error(
                flow.line,
                f"two flows lead from {flow.source} to {flow.target}",
                "join their conditions with or",
            )
        seen.add((flow.source, flow.target))
        if flow.condition is not None:
            if source.kind not in BRANCHING:
                report.error(
                    flow.line,
                    f"{source.title!r} decides nothing, but a flow of it has a condition",
                    "put a choice after it",
                )
            for fault in faults(flow.condition, known):
                report.error(flow.line or source.line, fault, f"the fields are: {_some(known) or 'none yet'}")


def _ways(graph: Graph, report: Report) -> None:
    lost = {s.key for s in unreachable(graph)}
    for step in graph.steps:
        if step.key in lost:
            report.error(step.line, f"nothing leads to {step.title!r}", "lead a step to it, or remove it")
    for step in leads_nowhere(graph):
        if step.key not in lost:
            report.error(step.line, f"no end is ever reached from {step.title!r}", "lead it to an end")
    if report.found and any(p.severity == "error" for p in report.found):
        return
    found = explore(graph)
    for key, way in found.stuck.items():
        step = graph.by_key[key]
        path = ", ".join(graph.by_key[k].title for k in way[-6:]) or "the start"
        report.error(
            step.line,
            f"{step.title!r} can wait for ever for a branch that never comes (after {path})",
            "join only what was forked, or meet with an inclusive step",
        )
    for message in sorted(found.circles):
        report.error(None, message, "put a task, a timer or a wait into the circle")
    for key in sorted(found.doubled):
        step = graph.by_key[key]
        report.warning(step.line, f"{step.title!r} can be open twice at once", "join the branches before it")
    if not found.tried_all:
        report.warning(None, "too many ways to try them all", "make sub-procedures of the parallel parts")
