"""The invoice as the customer receives it: one PDF, typeset from amounts that are already final.

What it must state is regulation 14(1) of the VAT Regulations 1995 (HMRC VATREC5010; facts in billing's VAT
table): number, time of supply, date of issue, both parties with the supplier's registration number, and for
each line its description, quantity, unit price, rate of VAT and net amount; the total net, any cash discount,
the VAT in sterling for each rate, and the reason wherever no VAT is charged. An invoice that lacks one of
these, or does not add up, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from engineroom.kernel.errors import InputRefused, Problem
from engineroom.kernel.money import SYMBOLS, format_minor
from engineroom.kernel.rates import format_ppm
from engineroom.ui.display import format_day, format_duration, format_period
from engineroom.ui.typeset import Typesetter


class InvoiceLine(NamedTuple):
    """One line of the supply. vat_rate_ppm None is exempt; 0 is zero-rated.

    minutes is None for what is not sold by the hour: then `quantity` counts, and rate_minor is the price of
    one.
    """

    person: str
    description: str
    kind: str
    minutes: int | None
    rate_minor: int
    net_minor: int
    vat_rate_ppm: int | None
    quantity: int = 1


class VatLine(NamedTuple):
    """The VAT of one rate over the whole invoice; `reason` says why where none is charged."""

    rate_ppm: int | None
    net_minor: int
    vat_minor: int
    reason: str = ""


class PaymentDetail(NamedTuple):
    """One fact the customer needs to pay: sort code, account number, IBAN, reference."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDocument:
    """Everything an invoice shows. Amounts are minor units of `currency`; addresses one line each.

    vat_sterling_minor is the total VAT in sterling, which an invoice in another currency must also state.
    """

    supplier_name: str
    supplier_address: Sequence[str]
    supplier_vat_number: str
    customer_name: str
    customer_address: Sequence[str]
    invoice_number: str
    issue_date: date
    tax_point: date
    due_date: date
    period_from: date
    period_to: date
    lines: Sequence[InvoiceLine]
    vat: Sequence[VatLine]
    net_minor: int
    vat_minor: int
    gross_minor: int
    order_number: str = ""
    customer_vat_number: str = ""
    pay_to: Sequence[PaymentDetail] = ()
    cash_discount: str = ""
    held_note: str = ""
    notes: Sequence[str] = ()
    title: str = "Invoice"
    currency: str = "GBP"
    vat_sterling_minor: int | None = None

    def problems(self) -> list[Problem]:
        """What the law requires and is not there, and what does not add up."""
        return [*self._missing(), *self._wrong_sums()]

    def _missing(self) -> Iterator[Problem]:
        required = {
            "invoice number": self.invoice_number,
            "supplier name": self.supplier_name,
            "supplier address": "".join(self.supplier_address),
            "supplier VAT number": self.supplier_vat_number,
            "customer name": self.customer_name,
            "customer address": "".join(self.customer_address),
            "lines": self.lines,
            "VAT summary": self.vat,
        }
        for what, value in required.items():
            if not value or (isinstance(value, str) and not value.strip()):
                yield self._problem(what, f"an invoice must show the {what}", "Complete the master data")
        for line in self.vat:
            if not line.rate_ppm and not line.reason.strip():
                problem = "no VAT is charged and no reason is given"
                yield self._problem("VAT summary", problem, "Give the reason in law")
        if self.currency != "GBP" and self.vat_sterling_minor is None:
            problem = "the invoice is not in sterling"
            yield self._problem("VAT in sterling", problem, "Give the total VAT in sterling")

    def _wrong_sums(self) -> Iterator[Problem]:
        for what, said, made in self._sums():
            if said != made:
                shown = format_minor(said, self.currency), format_minor(made, self.currency)
                problem = f"{what} says {shown[0]}, its parts make {shown[1]}"
                yield self._problem(what, problem, "Bill it again")

    def _sums(self) -> Iterator[tuple[str, int, int]]:
        yield "net", self.net_minor, sum(line.net_minor for line in self.lines)
        yield "VAT", self.vat_minor, sum(line.vat_minor for line in self.vat)
        yield "gross", self.gross_minor, self.net_minor + self.vat_minor
        rates = {line.vat_rate_ppm for line in self.lines} | {line.rate_ppm for line in self.vat}
        for rate in sorted(rates, key=lambda rate: -1 if rate is None else rate):
            said = sum(line.net_minor for line in self.vat if line.rate_ppm == rate)
            made = sum(line.net_minor for line in self.lines if line.vat_rate_ppm == rate)
            yield f"net at {_rate(rate)}", said, made

    def _problem(self, field: str, problem: str, remedy: str) -> Problem:
        return Problem(problem, remedy, file=f"invoice {self.invoice_number}", field=field)


def render_invoices(documents: Sequence[InvoiceDocument]) -> list[bytes]:
    """One PDF for each document, in order. Raises InputRefused, naming every invoice that is not right."""
    if problems := [problem for document in documents for problem in document.problems()]:
        raise InputRefused(problems, "Invoices that lack something or do not add up; none was printed")
    typesetter = Typesetter("billing/documents/invoice.typ")
    return [typesetter.pdf(_page(document), dated=document.issue_date) for document in documents]


def _page(document: InvoiceDocument) -> dict[str, Any]:
    """The document as the template reads it: text only."""
    currency = document.currency
    return {
        "title": document.title,
        "number": document.invoice_number,
        "unit": SYMBOLS.get(currency, currency).strip(),
        "supplier": {
            "name": document.supplier_name,
            "lines": list(document.supplier_address),
            "vat_number": document.supplier_vat_number,
        },
        "customer": {
            "name": document.customer_name,
            "lines": list(document.customer_address),
            "vat_number": document.customer_vat_number,
        },
        "facts": _facts(document),
        "groups": _groups(document.lines, currency),
        "vat": [_vat_line(line, currency) for line in document.vat],
        "net": format_minor(document.net_minor, currency),
        "vat_total": format_minor(document.vat_minor, currency),
        "gross": format_minor(document.gross_minor, currency, symbol=True),
        "owed": (
            f"To pay by {format_day(document.due_date)}"
            if document.gross_minor >= 0
            else "Credited to your account"
        ),
        "vat_sterling": (
            format_minor(document.vat_sterling_minor, "GBP", symbol=True)
            if document.vat_sterling_minor is not None
            else None
        ),
        "cash_discount": document.cash_discount or "none offered",
        "pay_to": [list(detail) for detail in document.pay_to],
        "held": document.held_note,
        "notes": list(document.notes),
    }


def _facts(document: InvoiceDocument) -> list[list[str]]:
    facts = [
        ["Issued", format_day(document.issue_date)],
        ["Tax point", format_day(document.tax_point)],
        ["Period", format_period(document.period_from, document.period_to)],
        ["Your order", document.order_number],
        ["Payment due", format_day(document.due_date) if document.gross_minor >= 0 else ""],
    ]
    return [fact for fact in facts if fact[1]]


def _groups(lines: Sequence[InvoiceLine], currency: str) -> list[dict[str, Any]]:
    """Lines gathered by person, people in the order they first appear."""
    by_person: dict[str, list[InvoiceLine]] = {}
    for line in lines:
        by_person.setdefault(line.person, []).append(line)
    return [
        {
            "person": person,
            "net": format_minor(sum(line.net_minor for line in theirs), currency),
            "lines": [_line(line, currency) for line in theirs],
        }
        for person, theirs in by_person.items()
    ]


def _line(line: InvoiceLine, currency: str) -> dict[str, str]:
    return {
        "description": ", ".join(filter(None, (line.description, line.kind))),
        "quantity": format_duration(line.minutes) if line.minutes is not None else f"{line.quantity:,}",
        "rate": format_minor(line.rate_minor, currency),
        "vat_rate": _rate(line.vat_rate_ppm),
        "net": format_minor(line.net_minor, currency),
    }


def _vat_line(line: VatLine, currency: str) -> dict[str, str]:
    return {
        "rate": _rate(line.rate_ppm),
        "reason": line.reason,
        "net": format_minor(line.net_minor, currency),
        "vat": format_minor(line.vat_minor, currency),
    }


def _rate(rate_ppm: int | None) -> str:
    return "exempt" if rate_ppm is None else format_ppm(rate_ppm)
