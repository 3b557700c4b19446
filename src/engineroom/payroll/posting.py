"""A released run in the books: costs per customer, obligations per agency, and an open item per payee.

A run posts per dimension, never per person: nothing private stands in the journal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
from django.db import connection

from engineroom.kernel.calendar import calendar
from engineroom.kernel.ids import uuids_to_column
from engineroom.kernel.periods import gb_tax_month_end
from engineroom.kernel.rounding import largest_remainder
from engineroom.ledger.services import Journal, Line, account_ids, post_journals
from engineroom.openitems.services import ItemColumns, add_item, add_items, counterparty
from engineroom.payroll import accounts
from engineroom.payroll.inputs import STATED
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import PayRun
from engineroom.payroll.withheld import owed_to_creditors

HMRC_PAYMENT_DAY = 22
"""Electronic payment reaches HMRC by the 22nd after the tax month (facts/gb.md section 2.1)."""


@dataclass(frozen=True)
class PostedRun:
    batch_id: UUID | None
    """None when everything in the run is zero: then there is nothing to book."""
    payslips: int
    net: int


@dataclass(frozen=True)
class Slip:
    """What posting needs of a payslip, minor units."""

    person_id: UUID
    payroll_number: str
    figures: dict[str, int]


def post_pay_run(run: PayRun) -> PostedRun:
    """Post the run as one entry on its pay date, and make its open items. Once per run: the batch is
    unique."""
    slips = payslips_of(run)
    if run.kind in STATED:  # what the figures come from was booked where it was paid
        return PostedRun(None, len(slips), 0)
    assert run.published is not None, "only a published run is released"
    totals = {code: sum([slip.figures[code] for slip in slips]) for code in run.published.elements}
    lines = [*_cost_lines(_by_customer(run, slips)), *_obligation_lines(totals), *_order_lines(run, totals)]
    if not any(line.amount for line in lines):
        return PostedRun(None, len(slips), 0)
    narrative = f"Pay run {run.number}, tax week {run.tax_period} of {run.tax_year}"
    posted = post_journals("pay_run", ("pay_run", run.id), [Journal(run.pay_date, narrative, tuple(lines))])
    _open_items(run, slips, totals, posted.entry_ids[0])
    return PostedRun(posted.batch_id, len(slips), totals["net_pay"])


def payslips_of(run: PayRun) -> list[Slip]:
    """The published payslips by payroll number."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.person_id, p.payroll_number, s.amounts FROM payroll_payslip s
            JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
            WHERE s.client_id = %s AND s.attempt_id = %s ORDER BY p.payroll_number COLLATE "C"
            """,
            [run.client_id, run.published_id],
        )
        elements = run.published.elements if run.published else []
        return [
            Slip(person, number, dict(zip(elements, amounts, strict=True)))
            for person, number, amounts in cursor
        ]


COSTS: dict[str, Callable[[dict[str, int]], int]] = {
    accounts.WAGES: lambda f: f["gross"],
    accounts.EMPLOYER_NIC: lambda f: f["employer_nic"],
    accounts.EMPLOYER_PENSION: lambda f: f["employer_pension"] + f["salary_sacrifice"],
    accounts.HOLIDAY_COST: lambda f: f["holiday_accrued_pay"],
}
"""What a payslip costs, by account. A sacrificed contribution is the employer's to pay."""


def _by_customer(run: PayRun, slips: list[Slip]) -> dict[UUID | None, dict[str, int]]:
    """Costs per customer and account. Who worked for several has each cost split by the pay earned at
    each; who worked for none, the client's own people, has them without a customer."""
    shares = _pay_per_customer(run)
    costs: dict[UUID | None, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for slip in slips:
        earned: Sequence[tuple[UUID | None, int]] = shares.get(slip.person_id) or [(None, 1)]
        if len(earned) == 1:
            for account, cost_of in COSTS.items():
                costs[earned[0][0]][account] += cost_of(slip.figures)
            continue
        weights = [pay for _, pay in earned]
        for account, cost_of in COSTS.items():
            for (customer, _), part in zip(
                earned, largest_remainder(cost_of(slip.figures), weights), strict=True
            ):
                costs[customer][account] += part
    return costs


def _pay_per_customer(run: PayRun) -> dict[UUID, list[tuple[UUID, int]]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.person_id, a.customer_id, sum(c.pay_amount)::bigint
            FROM payroll_paidtimesheet pt
            JOIN timesheets_timesheet t ON t.client_id = pt.client_id AND t.id = pt.id
            JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
            JOIN openitems_counterparty k ON k.client_id = a.client_id AND k.id = a.customer_id
            JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
            JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
            WHERE pt.client_id = %s AND pt.run_id = %s
            GROUP BY a.person_id, a.customer_id, k.code ORDER BY a.person_id, k.code COLLATE "C"
            """,
            [run.client_id, run.id],
        )
        shares: dict[UUID, list[tuple[UUID, int]]] = defaultdict(list)
        for person, customer, pay in cursor:
            shares[person].append((customer, pay))
        return shares


def _cost_lines(costs: dict[UUID | None, dict[str, int]]) -> list[Line]:
    return [
        Line(account, amount, customer)
        for customer in sorted(costs, key=lambda c: c.int if c else 0)
        for account, amount in sorted(costs[customer].items())
    ]


def hmrc_parts(totals: dict[str, int]) -> list[tuple[str, str, int]]:
    """What is owed to HMRC: (kind of item, label, pence)."""
    return [
        ("paye", "Income tax (PAYE)", totals["paye"]),
        ("nic", "National Insurance", totals["employee_nic"] + totals["employer_nic"]),
        (
            "student_loan",
            "Student and postgraduate loans",
            totals["student_loan"] + totals["postgraduate_loan"],
        ),
    ]


def pension_due(totals: dict[str, int]) -> int:
    return totals["employee_pension"] + totals["employer_pension"] + totals["salary_sacrifice"]


def _obligation_lines(totals: dict[str, int]) -> list[Line]:
    return [
        *(Line(accounts.HMRC, -amount) for _, _, amount in hmrc_parts(totals)),
        Line(accounts.PENSION_PROVIDER, -pension_due(totals)),
        Line(accounts.HOLIDAY_PROVISION, -totals["holiday_accrued_pay"]),
        Line(accounts.NET_WAGES, -totals["net_pay"]),
    ]


def _order_lines(run: PayRun, totals: dict[str, int]) -> list[Line]:
    """What attachment orders took is owed to their creditors; the charge for them is the employer's."""
    rules = jurisdiction(run.jurisdiction).orders
    if rules is None:
        return []
    taken, charged = (sum(totals[code] for code in codes) for codes in (rules.takes, rules.charges))
    lines = [Line(accounts.ORDERS, -taken), Line(accounts.ORDER_CHARGES, -charged)]
    return [line for line in lines if line.amount]


def _owed_to_creditors(run: PayRun, entry_id: UUID) -> None:
    """An item per order, due on the day of payment: what was taken is not the employer's for a day."""
    owed = owed_to_creditors(run)
    if not owed:
        return
    add_items(
        "attachment_order",
        account_ids()[accounts.ORDERS],
        "pay_run",
        ItemColumns(
            counterparty=uuids_to_column([one.creditor_id for one in owed]),
            amount=np.array([-one.deduction for one in owed], dtype=np.int64),
            due=run.pay_date,
            entry=entry_id,
            subject_id=run.id,
            reference=[f"{one.reference}, pay run {run.number}" for one in owed],
        ),
    )


def _due_to_hmrc(pay_date: date) -> date:
    """The 22nd after the tax month, or the banking day before it: cleared funds must be there by then."""
    return calendar("ENG").on_or_before(gb_tax_month_end(pay_date).replace(day=HMRC_PAYMENT_DAY))


def _open_items(run: PayRun, slips: list[Slip], totals: dict[str, int], entry_id: UUID) -> None:
    _owed_to_agencies(run, totals, entry_id)
    _owed_to_creditors(run, entry_id)
    paid = [slip for slip in slips if slip.figures["net_pay"]]
    if not paid:
        return
    add_items(
        "net_pay",
        account_ids()[accounts.NET_WAGES],
        "pay_run",
        ItemColumns(
            counterparty=uuids_to_column([slip.person_id for slip in paid]),
            amount=np.array([-slip.figures["net_pay"] for slip in paid], dtype=np.int64),
            due=run.pay_date,
            entry=entry_id,
            subject_id=run.id,
            reference=[f"{run.number}/{slip.payroll_number}" for slip in paid],
        ),
    )


def _owed_to_agencies(run: PayRun, totals: dict[str, int], entry_id: UUID) -> None:
    """An item per part owed to HMRC (a refund week owes us), and one to the pension provider."""
    codes = account_ids()
    parts = [p for p in hmrc_parts(totals) if p[2]]
    if parts:
        add_items(
            "hmrc",
            codes[accounts.HMRC],
            "pay_run",
            ItemColumns(
                counterparty=counterparty("agency", "HMRC", "HM Revenue & Customs").id,
                amount=np.array([-amount for _, _, amount in parts], dtype=np.int64),
                due=_due_to_hmrc(run.law_date),
                entry=entry_id,
                subject_id=run.id,
                reference=[f"{label}, pay run {run.number}" for _, label, _ in parts],
            ),
        )
    if pension_due(totals):
        add_item(
            "pension",
            counterparty_id=counterparty("supplier", "PENSION", "Workplace pension provider").id,
            account_id=codes[accounts.PENSION_PROVIDER],
            amount=-pension_due(totals),
            due=_due_to_hmrc(run.law_date),
            entry_id=entry_id,
            subject=("pay_run", run.id),
            reference=f"Pension, pay run {run.number}",
        )
