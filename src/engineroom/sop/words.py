"""Procedures in words: what a step asks for, as text that two versions can be compared by."""

from __future__ import annotations

from engineroom.sop.conditions import write
from engineroom.sop.graph import Evidence, Graph, Step
from engineroom.ui.parts import Change

KIND_WORDS = {
    "start": "start",
    "end": "end",
    "task": "task",
    "command": "command",
    "client_request": "asks the client",
    "wait": "waits for a message",
    "timer": "timer",
    "procedure": "another procedure",
    "choice": "choice",
    "inclusive": "one or several ways",
    "fork": "in parallel",
    "join": "meets again",
    "race": "whatever comes first",
    "escalation": "call",
}


def evidence_words(item: Evidence) -> str:
    kind = item.field.type.replace("yes_no", "yes or no") if item.field else item.kind
    return f"{item.title} ({kind}{'' if item.required else ', may be left out'})"


def rules(step: Step) -> list[str]:
    """What a step asks for, one sentence each."""
    told = [KIND_WORDS[step.kind]]
    told += [f"by {step.role}"] if step.role else []
    told += [f"command {step.command}"] if step.command else []
    told += [f"{name} is {value}" for name, value in step.arguments]
    told += [f"message {step.message}"] if step.message else []
    told += [f"procedure {step.procedure}"] if step.procedure else []
    told += [f"after {step.after}"] if step.after else []
    told += [f"on {step.until}"] if step.until else []
    told += (
        [f"beside {step.attached_to}{', instead of it' if step.interrupting else ''}"]
        if step.attached_to
        else []
    )
    told += [f"within {step.sla}"] if step.sla else []
    told += [f"four eyes{f' ({step.checker})' if step.checker else ''}"] if step.four_eyes else []
    told += [f"not by whoever did {', '.join(step.apart_from)}"] if step.apart_from else []
    told += ["may be skipped"] if step.may_skip else []
    told += [f"evidence: {evidence_words(item)}" for item in step.evidence]
    told += [f"check: {check}" for check in step.checks]
    return told


def ways(graph: Graph, key: str) -> list[str]:
    """Where a step leads, one sentence each."""
    told = []
    for index in graph.outgoing[key]:
        flow = graph.flows[index]
        when = f"if {write(flow.condition)} " if flow.condition else "otherwise " if flow.is_default else ""
        told.append(f"{when}to {graph.by_key[flow.target].title}")
    return told


def step_words(graph: Graph, step: Step) -> str:
    parts = [step.title, "; ".join([*rules(step), *ways(graph, step.key)]), step.text]
    return ". ".join(p for p in parts if p)


def changes(before: Graph, after: Graph) -> list[Change]:
    """Two versions step by step, in the order of the later one; what is gone stands at the end."""
    found = [
        Change("Procedure", _whole(before), _whole(after)),
        *(
            Change(
                step.title,
                step_words(before, before.by_key[step.key]) if step.key in before.by_key else "",
                step_words(after, step),
            )
            for step in after.steps
        ),
        *(Change(s.title, step_words(before, s), "") for s in before.steps if s.key not in after.by_key),
    ]
    return [c for c in found if c.label not in ("Start", "End") or c.changed]


def _whole(graph: Graph) -> str:
    fields = ", ".join(f"{f.title} ({f.type})" for f in graph.fields)
    return ". ".join(p for p in (graph.title, f"Fields: {fields}" if fields else "", graph.text) if p)
