"""The answer of every figure of a payslip: its lines of the explanation, and the law it was made under.

The firm's page and a person's own show the same answers, so both say the same figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from engineroom.kernel.money import format_minor
from engineroom.kernel.tables import Version
from engineroom.payroll import selectors
from engineroom.payroll.engine.lines import Line
from engineroom.payroll.itemised import Explained
from engineroom.payroll.jurisdictions import Jurisdiction, jurisdiction
from engineroom.payroll.models import Payslip
from engineroom.ui.charts import Bar
from engineroom.ui.parts import TraceStep


@dataclass(frozen=True)
class Law:
    """The version of a dated table that a calculation used. unverified: values known only from memory."""

    table: str
    starts: str
    source: str
    confidence: str
    unverified: tuple[str, ...]

    @property
    def since(self) -> date:
        return date.fromisoformat(self.starts)


@dataclass(frozen=True)
class Answer:
    """Why one group of figures is what it is; `id` is where on the page it stands."""

    id: str
    title: str
    steps: Sequence[TraceStep]
    law: Law | None


def of_payslip(payslip_id: UUID) -> list[Answer]:
    """The answers of a payslip that the caller may see."""
    slip = Payslip.objects.select_related("attempt__run").get(id=payslip_id)
    run, attempt = slip.attempt.run, slip.attempt
    law = jurisdiction(run.jurisdiction)
    versions = law.resolve_tables(run.law_date).versions
    laws = {rule["table"]: _law(rule, run.frequency, versions.get(rule["table"])) for rule in attempt.rules}
    figures = dict(zip(attempt.elements, slip.amounts, strict=True))
    return answers(law.explained, selectors.explain(payslip_id), laws, figures)


def answers(
    explained: Explained, lines: Sequence[Line], laws: Mapping[str, Law], figures: Mapping[str, int]
) -> list[Answer]:
    """The lines of an explanation, by group; groups that say nothing are left out."""
    by_group: dict[str, list[Line]] = {}
    for line in lines:
        by_group.setdefault(line.group, []).append(line)
    found = [
        Answer(f"why-{name}", title, _steps(by_group[name]), _as_used(laws.get(table or ""), by_group[name]))
        for name, (title, table) in explained.groups.items()
        if name in by_group
    ]
    taken = {f"why-{name}": elements for name, elements in explained.taken.items()}
    return [_with_what_is_taken(a, taken[a.id], figures) if a.id in taken else a for a in found]


def _as_used(law: Law | None, lines: Sequence[Line]) -> Law | None:
    """The law with those of its unverified values that played a part in the lines."""
    if law is None:
        return None
    used = {name.replace("_", " ") for line in lines for name in line.unverified}
    return replace(law, unverified=tuple(name for name in law.unverified if name in used))


def _with_what_is_taken(answer: Answer, elements: Sequence[str], figures: Mapping[str, int]) -> Answer:
    """Of a contribution the provider may reclaim a part as tax: what is taken from pay is the rest."""
    taken = format_minor(sum(figures.get(element, 0) for element in elements))
    if answer.steps[-1].value == taken:
        return answer
    before = [step._replace(result=False) for step in answer.steps]
    return replace(answer, steps=[*before, TraceStep("Taken from pay", taken, result=True)])


def gross_to_net(law: Jurisdiction, figures: Mapping[str, int]) -> list[Bar]:
    """What was earned, what was given up, what was taken, what is left; a refund is added."""
    gross = figures["gross"]
    given_up = [(e.label, figures[e.code]) for e in law.elements if e.kind == "reduction" and figures[e.code]]
    bars = [Bar("Gross pay", gross, "total")]
    if given_up:
        earned = gross + sum(amount for _, amount in given_up)
        bars = [
            Bar("Pay earned", earned, "total"),
            *(Bar(label.partition(",")[0], amount, "down") for label, amount in given_up),
            *bars,
        ]
    taken = [(e.label, figures[e.code]) for e in law.elements if e.kind == "deduction" and figures[e.code]]
    bars += [Bar(label, abs(amount), "down" if amount > 0 else "up") for label, amount in taken]
    return [*bars, Bar("Net pay", figures["net_pay"], "total")]


def anchor(law: Jurisdiction, element: str, found: Sequence[Answer]) -> str:
    """Where on the page a figure is answered; empty where the explanation does not speak of it."""
    place = f"why-{law.explained.of_element.get(element, '')}"
    return f"#{place}" if any(answer.id == place for answer in found) else ""


def _steps(lines: Sequence[Line]) -> list[TraceStep]:
    """Each line with its figure set apart; the last line is what they come to."""
    last = len(lines) - 1
    return [
        TraceStep(
            f"{line.about} = {line.expression}" if line.expression else line.about,
            line.written,
            rule="; ".join(part for part in (line.rounding, line.note, line.rule) if part),
            result=i == last,
        )
        for i, line in enumerate(lines)
    ]


def _law(rule: Mapping[str, Any], frequency: str, version: Version | None) -> Law:
    return Law(
        rule["table"].replace("_", " "),
        rule["from"],
        rule["source"],
        rule["confidence"].replace("_", " "),
        tuple(name.replace("_", " ") for name in rule["unverified"] if _applies(name, frequency, version)),
    )


def _applies(name: str, frequency: str, version: Version | None) -> bool:
    """Whether a value plays a part in pay of this frequency: how others are worked out does not."""
    if name != "other_frequencies" or version is None or name not in version.values:
        return True
    return frequency in version[name]
