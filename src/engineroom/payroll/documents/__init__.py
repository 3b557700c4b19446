"""The payslip as the person receives it: one A4 PDF per person, typeset from figures that are already final.

It states gross pay, each deduction with its purpose, net pay, how each part of it is paid, and the hours paid
for where pay varies with time worked, as the strictest law known here asks (Employment Rights Act 1996 s.8);
what else stands at its head is its jurisdiction's (`itemised`). A payslip whose figures do not add up is
refused here, before anybody receives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.kernel.money import SYMBOLS, format_minor
from engineroom.ui.display import Figure, format_day, format_hours, format_period, format_weekday
from engineroom.ui.typeset import Typesetter


class PayLine(NamedTuple):
    """One line of pay. minutes and rate_minor (per hour) are None where pay does not vary with time."""

    label: str
    minutes: int | None
    rate_minor: int | None
    amount_minor: int


class EarnedTime(NamedTuple):
    """Time that the payslip earned: where it stands, what it is called, how long."""

    heading: str
    label: str
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PayslipDocument:
    """Everything a payslip shows. Amounts are minor units of `currency`, durations minutes.

    facts: label and text of what the law has stand at its head. Identifiers and accounts are shown exactly as
    given: whoever makes the document masks them.
    A deduction below zero is a refund. `payments` splits the net pay when it goes out in more than one way.
    """

    employer_name: str
    person_name: str
    payroll_number: str
    facts: Sequence[tuple[str, str]]
    pay_date: date
    tax_period: str
    period_from: date
    period_to: date
    pay: Sequence[PayLine]
    deductions: Sequence[Figure]
    gross_minor: int
    total_deductions_minor: int
    net_minor: int
    payment_method: str
    bank_account: str
    run_number: str
    rules_hash: str
    payslip_reference: str
    employer_contributions: Sequence[Figure] = ()
    to_date: Sequence[Figure] = ()
    payments: Sequence[Figure] = ()
    earned: EarnedTime | None = None
    notes: Sequence[str] = ()
    currency: str = "GBP"

    def problems(self) -> list[Problem]:
        """What does not add up."""
        return [
            Problem(
                problem=f"{what} says {format_minor(said, self.currency)}, "
                f"its lines make {format_minor(made, self.currency)}",
                remedy="Recalculate the run; a payslip is never edited by hand",
                file=f"payslip {self.payslip_reference}",
                field=what,
            )
            for what, said, made in self._sums()
            if said != made
        ]

    def _sums(self) -> Iterator[tuple[str, int, int]]:
        yield "gross pay", self.gross_minor, sum(line.amount_minor for line in self.pay)
        yield "total deductions", self.total_deductions_minor, sum(amount for _, amount in self.deductions)
        yield "net pay", self.net_minor, self.gross_minor - self.total_deductions_minor
        if self.payments:
            yield "net pay as paid", self.net_minor, sum(amount for _, amount in self.payments)


def render_payslips(documents: Sequence[PayslipDocument]) -> list[bytes]:
    """One PDF for each document, in order. Raises InputRefused, naming every payslip that does not add up."""
    if problems := [problem for document in documents for problem in document.problems()]:
        raise InputRefused(problems, "Payslips that do not add up; none was printed")
    typesetter = Typesetter("payroll/documents/payslip.typ")
    return [typesetter.pdf(_page(document), dated=document.pay_date) for document in documents]


def _page(document: PayslipDocument) -> dict[str, Any]:
    """The document as the template reads it: text only, except the weights that size the bar."""
    currency = document.currency
    return {
        "employer": document.employer_name,
        "person": document.person_name,
        "pay_date": format_weekday(document.pay_date),
        "facts": _facts(document),
        "unit": SYMBOLS.get(currency, currency).strip(),
        "net": format_minor(document.net_minor, currency, symbol=True),
        "sum": _sum_in_words(document),
        "gross": format_minor(document.gross_minor, currency),
        "total_deductions": format_minor(document.total_deductions_minor, currency),
        "payments": _payments(document),
        "pay": [_pay_line(line, currency) for line in document.pay],
        "deductions": [_deduction(label, amount, currency) for label, amount in document.deductions],
        "weights": _weights(document),
        "employer_contributions": _figures(document.employer_contributions, currency),
        "to_date": _figures(document.to_date, currency),
        "earned": (
            {
                "heading": document.earned.heading,
                "label": document.earned.label,
                "amount": format_hours(document.earned.minutes),
            }
            if document.earned
            else None
        ),
        "notes": list(document.notes),
        "reference": document.payslip_reference,
        "run": document.run_number,
        "rules": document.rules_hash,
    }


def _facts(document: PayslipDocument) -> list[list[str]]:
    return [
        ["Payroll number", document.payroll_number],
        *([label, text] for label, text in document.facts if text),
        ["Period", format_period(document.period_from, document.period_to)],
        ["Tax period", document.tax_period],
        ["Pay date", format_day(document.pay_date)],
    ]


def _sum_in_words(document: PayslipDocument) -> str:
    gross = format_minor(document.gross_minor, document.currency)
    deductions = format_minor(abs(document.total_deductions_minor), document.currency)
    if document.total_deductions_minor < 0:
        return f"Gross {gross} plus {deductions} refunded to you after deductions"
    return f"Gross {gross} less deductions {deductions}"


def _payments(document: PayslipDocument) -> list[str]:
    """How the net pay is paid, a sentence for each part (ERA 1996 s.8(2)(d))."""
    if document.payments:
        return [
            f"{format_minor(amount, document.currency, symbol=True)} {how}"
            for how, amount in document.payments
        ]
    where = f" to {document.bank_account}" if document.bank_account else ""
    return [f"Paid by {document.payment_method}{where} on {format_day(document.pay_date)}"]


def _pay_line(line: PayLine, currency: str) -> dict[str, str]:
    return {
        "label": line.label,
        "hours": format_hours(line.minutes) if line.minutes is not None else "",
        "rate": format_minor(line.rate_minor, currency) if line.rate_minor is not None else "",
        "amount": format_minor(line.amount_minor, currency),
    }


def _deduction(label: str, amount_minor: int, currency: str) -> dict[str, str | None]:
    tag = "refunded to you" if amount_minor < 0 else None
    return {"label": label, "amount": format_minor(amount_minor, currency), "tag": tag}


def _figures(figures: Sequence[Figure], currency: str) -> list[dict[str, str]]:
    return [{"label": label, "amount": format_minor(amount, currency)} for label, amount in figures]


def _weights(document: PayslipDocument) -> list[int]:
    """Widths of the gross pay bar, net first; none where a refund makes parts of a whole untrue."""
    parts = [int(document.net_minor), *(int(amount) for _, amount in document.deductions)]
    return parts if min(parts) >= 0 and sum(parts) > 0 else []
