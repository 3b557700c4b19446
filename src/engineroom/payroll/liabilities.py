"""What runs owe to each agency, period by period: due, paid and left, down to payslips and up to the books.

An agency's period (a tax month) is the jurisdiction's. Its figures are the payslips of the released runs that
were paid in it, and what was said of it that stands on no payslip (`Liability`). Each is an open item, so
what is left is what the control account holds: the difference is nought, or the page says what it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from django.db import connection

from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, Problem, wrong_reason
from engineroom.kernel.money import MAX_MINOR
from engineroom.ledger import selectors as ledger
from engineroom.ledger.services import Journal, Line, account_ids, post_journals
from engineroom.openitems.services import add_item, counterparty
from engineroom.payroll.account_map import country, map_of
from engineroom.payroll.inputs import STATED
from engineroom.payroll.models import Liability
from engineroom.payroll.postings import Adjustment, Agency, OwedPeriod, Part, SuggestAsked
from engineroom.ui.listing import Order, Slice, read_slice

SUBJECT = "liability"
"""Of the batches and items of what was said beside payslips."""


@dataclass(frozen=True)
class RunOwed:
    """A released run in a period of an agency. sums: every element, added up; owed: what it owes there."""

    id: UUID
    number: int
    pay_date: date
    law_date: date
    sums: Mapping[str, int]
    owed: int


@dataclass(frozen=True)
class Item:
    """An open item of an agency. amount, left: positive is owed to it."""

    id: UUID
    reference: str
    account: str
    due: date
    amount: int
    left: int
    subject_kind: str
    subject_id: UUID
    is_reversed: bool


@dataclass(frozen=True)
class FigureOwed:
    """A figure of a part: an element of the payslips, or what was said beside them. Positive is owed."""

    code: str
    label: str
    amount: int
    is_element: bool


@dataclass(frozen=True)
class PartOwed:
    """A part of what an agency is owed, figure by figure."""

    part: Part
    figures: tuple[FigureOwed, ...]

    @property
    def shown(self) -> list[FigureOwed]:
        """Without what was not said of it."""
        return [figure for figure in self.figures if figure.is_element or figure.amount]

    @property
    def amount(self) -> int:
        return sum(figure.amount for figure in self.figures)


@dataclass(frozen=True)
class Owed:
    """What an agency is owed for one period. due: by the figures; booked: by the open items; left: of them.

    A reversed entry's items count neither as booked nor as paid.
    """

    period: OwedPeriod
    parts: tuple[PartOwed, ...]
    runs: tuple[RunOwed, ...]
    said: tuple[Liability, ...]
    items: tuple[Item, ...]

    @property
    def due(self) -> int:
        return sum(part.amount for part in self.parts)

    @property
    def booked(self) -> int:
        return sum(item.amount for item in self.items if not item.is_reversed)

    @property
    def left(self) -> int:
        return sum(item.left for item in self.items)

    @property
    def paid(self) -> int:
        return self.booked - self.left

    @property
    def difference(self) -> int:
        """What the figures and the books are apart: nought."""
        return self.due - self.booked

    def is_late(self, today: date) -> bool:
        return self.left > 0 and self.period.due < today


# --- reading ----------------------------------------------------------------------------------------------

RUNS = """
SELECT r.id, r.number, r.pay_date, coalesce(r.due, r.pay_date), k.elements, r.totals
FROM payroll_payrun r
JOIN foundation_release x ON x.client_id = r.client_id AND x.subject_kind = 'pay_run' AND x.subject_id = r.id
JOIN payroll_attempt k ON k.client_id = r.client_id AND k.id = r.published_id
WHERE r.client_id = %(client)s AND NOT r.kind = ANY(%(stated)s) ORDER BY r.pay_date, r.number
"""
ITEMS = """
SELECT o.id, o.reference, a.code, o.due, -o.amount,
  -(o.amount - sign(o.amount::numeric) * coalesce(u.used, 0))::bigint, o.subject_kind, o.subject_id,
  EXISTS (SELECT FROM ledger_entry e WHERE e.client_id = o.client_id AND e.reverses_id = o.entry_id)
FROM openitems_openitem o
JOIN ledger_account a ON a.client_id = o.client_id AND a.id = o.account_id
LEFT JOIN LATERAL (
  SELECT sum(l.amount) AS used FROM openitems_allocation l
  WHERE l.client_id = o.client_id AND (l.item_a_id = o.id OR l.item_b_id = o.id)) u ON true
WHERE o.client_id = %(client)s AND o.kind = %(kind)s ORDER BY o.due, o.id
"""


def agency_called(code: str) -> Agency:
    """Raises NotFound."""
    found = country().postings.agency(code)
    if found is None:
        raise NotFound(f"runs of this client owe nothing to {code!r}")
    return found


def owed_to(agency: Agency) -> list[Owed]:
    """Every period of the agency in which something was paid or said, the latest first."""
    runs: dict[OwedPeriod, list[RunOwed]] = defaultdict(list)
    for run in _runs(agency):
        runs[agency.period_of(run.law_date)].append(run)
    said: dict[OwedPeriod, list[Liability]] = defaultdict(list)
    for row in Liability.objects.filter(client_id=current_client_id(), agency=agency.code).order_by(
        "at", "id"
    ):
        said[_period_of(agency, row)].append(row)
    items = _items(agency)
    reversed_ = {item.subject_id for item in items if item.is_reversed}
    periods = sorted({*runs, *said}, key=lambda period: period.starts, reverse=True)
    labels = {element.code: element.label for element in country().elements}
    return [of_period(agency, p, runs[p], said[p], items, reversed_, labels) for p in periods]


def owed_for(agency: Agency, year: str, number: int) -> Owed:
    """Raises NotFound."""
    for owed in owed_to(agency):
        if (owed.period.year, owed.period.number) == (year, number):
            return owed
    raise NotFound(f"nothing is owed to {agency.name} for period {number} of {year}")


def _period_of(agency: Agency, row: Liability) -> OwedPeriod:
    return agency.period_of(row.day)


def _runs(agency: Agency) -> list[RunOwed]:
    with connection.cursor() as cursor:
        cursor.execute(RUNS, {"client": current_client_id(), "stated": list(STATED)})
        found = []
        for id_, number, pay_date, law_date, elements, totals in cursor.fetchall():
            sums = dict(zip(elements, totals or (), strict=False))
            found.append(RunOwed(id_, number, pay_date, law_date, sums, agency.amount(sums)))
        return found


def _items(agency: Agency) -> list[Item]:
    with connection.cursor() as cursor:
        cursor.execute(ITEMS, {"client": current_client_id(), "kind": agency.items})
        return [Item(*row) for row in cursor.fetchall()]


def of_period(
    agency: Agency,
    period: OwedPeriod,
    runs: Sequence[RunOwed],
    said: Sequence[Liability],
    items: Sequence[Item],
    reversed_: set[UUID],
    labels: Mapping[str, str],
) -> Owed:
    """Runs and liabilities whose entry was reversed in the books owe nothing any more."""
    standing = [run for run in runs if run.id not in reversed_]
    kept = [row for row in said if row.id not in reversed_]
    subjects = {run.id for run in runs} | {row.id for row in said}
    sums = added_up(run.sums for run in standing)
    parts = []
    for part in agency.parts:
        figures = [FigureOwed(e, labels.get(e, e), sums.get(e, 0), True) for e in part.elements]
        for adjustment in agency.adjustments:
            if adjustment.part == part.name:
                amount = sum(row.amount for row in kept if row.name == adjustment.name)
                figures.append(FigureOwed(adjustment.name, adjustment.label, amount, False))
        parts.append(PartOwed(part, tuple(figures)))
    mine = tuple(item for item in items if item.subject_id in subjects)
    return Owed(period, tuple(parts), tuple(standing), tuple(kept), mine)


def added_up(of: Iterable[Mapping[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for figures in of:
        for code, amount in figures.items():
            sums[code] += amount
    return sums


# --- the proof --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tie:
    """An agency's periods beside the control accounts that hold them, in minor units owed.

    beside: what these accounts hold of others. difference: what is left without a reason: nought.
    """

    accounts: tuple[str, ...]
    ledger: int
    left: int
    beside: int
    unaccounted: int = field(default=0)

    @property
    def difference(self) -> int:
        return self.ledger - self.left - self.beside

    @property
    def ok(self) -> bool:
        return self.difference == 0 and self.unaccounted == 0


OTHERS = """
SELECT coalesce(-sum(o.amount - sign(o.amount::numeric) * coalesce(u.used, 0)), 0)::bigint
FROM openitems_openitem o
JOIN ledger_account a ON a.client_id = o.client_id AND a.id = o.account_id
LEFT JOIN LATERAL (
  SELECT sum(l.amount) AS used FROM openitems_allocation l
  WHERE l.client_id = o.client_id AND (l.item_a_id = o.id OR l.item_b_id = o.id)) u ON true
WHERE o.client_id = %(client)s AND a.code = ANY(%(accounts)s) AND NOT o.id = ANY(%(mine)s)
"""


def tie_of(agency: Agency, periods: Sequence[Owed]) -> Tie:
    """What is left of every period, beside the balances of the accounts."""
    mine = [item for owed in periods for item in owed.items]
    accounts = tuple(sorted({item.account for item in mine}))
    if not accounts:
        return Tie((), 0, 0, 0)
    balances = {b.code: b.balance for b in ledger.trial_balance()}
    with connection.cursor() as cursor:
        cursor.execute(
            OTHERS,
            {"client": current_client_id(), "accounts": list(accounts), "mine": [item.id for item in mine]},
        )
        beside = int(cursor.fetchone()[0])
    return Tie(
        accounts,
        -sum(balances.get(account, 0) for account in accounts),
        sum(owed.left for owed in periods),
        beside,
        sum(owed.difference for owed in periods),
    )


# --- down to payslips -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SlipFigure:
    """One payslip's part of a figure."""

    run: int
    number_key: str
    payroll_number: str
    name: str
    amount: int


SLIPS = """
SELECT r.number::bigint AS run, p.payroll_number COLLATE "C" AS number_key, p.payroll_number, p.name,
  s.amounts[array_position(k.elements, %(element)s)]
FROM payroll_payrun r
JOIN payroll_attempt k ON k.client_id = r.client_id AND k.id = r.published_id
JOIN payroll_payslip s ON s.client_id = k.client_id AND s.attempt_id = k.id
JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
WHERE r.client_id = %(client)s AND r.id = ANY(%(runs)s)
  AND s.amounts[array_position(k.elements, %(element)s)] <> 0
"""


def slips_of(owed: Owed, element: str, cursor: str = "", rows: int = 50) -> Slice[SlipFigure]:
    """The payslips whose sum a figure is, by run and payroll number. Raises NotFound for any other."""
    if not any(f.is_element and f.code == element for part in owed.parts for f in part.figures):
        raise NotFound(f"{element!r} is no figure of {owed.period.name} that payslips have")
    values = {"client": current_client_id(), "runs": [run.id for run in owed.runs], "element": element}
    order = Order((("run", "bigint"), ("number_key", "text")))
    return read_slice(SLIPS, values, order, cursor, SlipFigure, rows=rows)


# --- what stands on no payslip ----------------------------------------------------------------------------


def suggested(agency: Agency, adjustment: Adjustment, owed: Owed, periods: Sequence[Owed]) -> int | None:
    """What the law makes of an adjustment, as a positive amount in its own direction; None: it cannot say."""
    year = [o for o in periods if o.period.year == owed.period.year and o.period.number <= owed.period.number]
    told = [row for o in year for row in o.said if row.name == adjustment.name]
    earlier = [row for row in told if _period_of(agency, row) != owed.period]
    sign = -1 if adjustment.reduces else 1
    here = sum(sign * row.amount for row in told) - sum(sign * row.amount for row in earlier)
    asked = SuggestAsked(
        owed.period,
        added_up(run.sums for run in owed.runs),
        added_up(run.sums for o in year for run in o.runs),
        sum(sign * row.amount for row in earlier),
    )
    amount = adjustment.suggest(asked)
    return None if amount is None else amount - here


@dataclass(frozen=True)
class LiabilitySaid:
    liability_id: UUID
    amount: int
    entry_id: UUID

    @property
    def subject(self) -> str:
        return f"liability:{self.liability_id}"


@command("ledger.prepare")
def say_liability(agency_code: str, name: str, amount: int, *, day: date, reason: str) -> LiabilitySaid:
    """Post what changes an agency's due of the period that a day is in, and make its open item.

    amount: positive in the adjustment's own direction (an allowance lessens what is owed); below zero it
    takes back what was said. Raises InputRefused with everything wrong, PeriodLocked.
    """
    client_id = current_scope().client_id
    agency = agency_called(agency_code)
    adjustment = _adjustment(agency, name, amount, reason)
    owed = -amount if adjustment.reduces else amount
    period = agency.period_of(day)
    row = Liability.objects.create(
        client_id=client_id,
        agency=agency.code,
        year=period.year,
        period=period.number,
        name=name,
        amount=owed,
        day=day,
        reason=reason.strip(),
        by_user_id=current_scope().user.id,
    )
    entry_id = _post(agency, adjustment, row, period)
    return LiabilitySaid(row.id, owed, entry_id)


def _adjustment(agency: Agency, name: str, amount: int, reason: str) -> Adjustment:
    found = next((a for a in agency.adjustments if a.name == name), None)
    problems = wrong_reason(reason)
    if found is None:
        known = ", ".join(a.name for a in agency.adjustments) or "none"
        problems.append(
            Problem(f"{name!r} changes nothing at {agency.name}", f"Known are {known}", field="name")
        )
    if amount == 0 or abs(amount) > MAX_MINOR:
        problems.append(Problem("the amount is nought, or too large", "Give an amount", field="amount"))
    if problems or found is None:
        raise InputRefused(problems, "Nothing was posted")
    return found


def _post(agency: Agency, adjustment: Adjustment, row: Liability, period: OwedPeriod) -> UUID:
    """The entry and its item, in the accounts of that day's map."""
    postings, accounts = country().postings, map_of(row.day)
    lines = {line.code: line for line in postings.lines()}
    part = next(part for part in agency.parts if part.name == adjustment.part)
    owed_account, cost_account = accounts.account_of(part.posted), accounts.account_of(lines[adjustment.cost])
    currency = Client.objects.values_list("currency", flat=True).get(id=row.client_id)
    there = account_ids()
    if missing := [code for code in (owed_account, cost_account) if code not in there]:
        raise Conflict(f"the book has no account {', '.join(missing)}: add it, or map the line to another")
    what = f"{adjustment.label}, {period.name}"
    posted = post_journals(
        SUBJECT,
        (SUBJECT, row.id),
        [
            Journal(
                row.day,
                what,
                (
                    Line(cost_account, row.amount, currency=currency),
                    Line(owed_account, -row.amount, currency=currency),
                ),
            )
        ],
    )
    add_item(
        agency.items,
        counterparty_id=counterparty(agency.kind, agency.code, agency.name).id,
        account_id=there[owed_account],
        amount=-row.amount,
        due=period.due,
        entry_id=posted.entry_ids[0],
        subject=(SUBJECT, row.id),
        reference=what[:100],
        currency=currency,
    )
    return posted.entry_ids[0]
