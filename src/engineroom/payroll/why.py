"""The answer of every figure of a payslip: its lines of the explanation, and the law it was made under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engineroom.ui.parts import TraceStep


@dataclass(frozen=True)
class Law:
    """The version of a dated table that a calculation used. unverified: values known only from memory."""

    table: str
    starts: str
    source: str
    confidence: str
    unverified: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """Why one group of figures is what it is; `id` is where on the page it stands."""

    id: str
    title: str
    steps: Sequence[TraceStep]
    law: Law | None


GROUPS = {
    "gross": ("Gross pay", None),
    "pension": ("Pension", "pension_auto_enrolment"),
    "employer-pension": ("Employer's pension", "pension_auto_enrolment"),
    "tax": ("Income tax", "income_tax"),
    "ni": ("National Insurance", "ni_class1"),
    "employer-ni": ("Employer's National Insurance", "ni_class1"),
    "loans": ("Student loans", "student_loan"),
    "holiday": ("Holiday", "holiday"),
    "net": ("Net pay", None),
}
"""The groups in the order of the law, with the table each is made under."""

BEGINNINGS = {
    "Gross pay": "gross",
    "Qualifying earnings": "pension",
    "Pension": "pension",
    "Employer's pension": "employer-pension",
    "National Insurance": "ni",
    "Employer's National Insurance": "employer-ni",
    "Student loan": "loans",
    "Postgraduate loan": "loans",
    "Holiday earned": "holiday",
    "Net pay": "net",
    "Under ": "law",
}
"""How lines of `engine.gb.explain` begin; those that begin otherwise speak of tax."""

GROUP_OF_ELEMENT = {
    **dict.fromkeys(
        ("basic_pay", "overtime_pay", "weekend_pay", "bonus_pay", "holiday_pay", "gross", "minutes_worked"),
        "gross",
    ),
    **dict.fromkeys(
        ("paye", "taxable_pay", "taxable_pay_to_date", "tax_to_date", "payrolled_benefits"), "tax"
    ),
    **dict.fromkeys(
        (
            "employee_nic",
            "niable_pay",
            "earnings_at_lel",
            "earnings_lel_to_pt",
            "earnings_pt_to_uel",
        ),
        "ni",
    ),
    **dict.fromkeys(("student_loan", "postgraduate_loan"), "loans"),
    **dict.fromkeys(
        (
            "employee_pension",
            "qualifying_earnings",
            "pension_tax_relief",
            "salary_sacrifice",
        ),
        "pension",
    ),
    **dict.fromkeys(("holiday_accrued_minutes", "holiday_accrued_pay"), "holiday"),
    "employer_nic": "employer-ni",
    "employer_pension": "employer-pension",
    "net_pay": "net",
}


def answers(lines: Sequence[str], rules: Sequence[Mapping[str, Any]]) -> list[Answer]:
    """The lines of an explanation, by group; groups that say nothing are left out."""
    laws = {rule["table"]: _law(rule) for rule in rules}
    by_group: dict[str, list[str]] = {}
    for line in lines:
        by_group.setdefault(_group(line), []).append(line)
    return [
        Answer(f"why-{name}", title, _steps(by_group[name]), laws.get(table or ""))
        for name, (title, table) in GROUPS.items()
        if name in by_group
    ]


def anchor(element: str, found: Sequence[Answer]) -> str:
    """Where on the page a figure is answered; empty where the explanation does not speak of it."""
    place = f"why-{GROUP_OF_ELEMENT.get(element, '')}"
    return f"#{place}" if any(answer.id == place for answer in found) else ""


def _group(line: str) -> str:
    longest = max((b for b in BEGINNINGS if line.startswith(b)), key=len, default="")
    return BEGINNINGS.get(longest, "tax")


def _steps(lines: Sequence[str]) -> list[TraceStep]:
    """Each sentence, its last figure set apart; the last sentence is what they come to."""
    last = len(lines) - 1
    return [_step(line, result=i == last) for i, line in enumerate(lines)]


def _step(line: str, *, result: bool) -> TraceStep:
    for mark in (" = ", ": "):
        said, _, value = line.rpartition(mark)
        if said and _is_figure(value):
            return TraceStep(said, value, result=result)
    return TraceStep(line, "", result=result)


def _is_figure(text: str) -> bool:
    return bool(text) and text.lstrip("-").replace(",", "").replace(".", "").isdigit()


def _law(rule: Mapping[str, Any]) -> Law:
    return Law(
        rule["table"].replace("_", " "),
        rule["from"],
        rule["source"],
        rule["confidence"].replace("_", " "),
        tuple(name.replace("_", " ") for name in rule["unverified"]),
    )
