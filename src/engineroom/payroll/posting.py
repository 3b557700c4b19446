"""A released run in the books: costs per customer, obligations per agency, and an open item per payee.

What is posted and owed is the jurisdiction's (`postings`). A run posts per dimension, never per person:
nothing private stands in the journal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.ids import uuids_to_column
from engineroom.kernel.rounding import largest_remainder
from engineroom.ledger.services import Journal, Line, account_ids, post_journals
from engineroom.openitems.services import ItemColumns, add_items, counterparty
from engineroom.payroll.account_map import AccountMap, keep, map_of, map_of_run
from engineroom.payroll.inputs import REVERSAL, STATED
from engineroom.payroll.jurisdictions import Jurisdiction, jurisdiction, period_in_words
from engineroom.payroll.models import PayRun
from engineroom.payroll.postings import NET, Agency, Figures, Posted
from engineroom.payroll.withheld import owed_to_creditors

NET_PAY, NET_PAY_BACK = "net_pay", "net_pay_back"
"""Kinds of open item: what a person is to be paid, and what they owe of pay that was taken back."""


@dataclass(frozen=True)
class PostedRun:
    batch_id: UUID | None
    """None when everything in the run is zero: then there is nothing to book."""
    payslips: int
    net: int


def post_pay_run(run: PayRun) -> PostedRun:
    """Post the run as one entry on its pay date, and make its open items. Once per run: the batch is
    unique."""
    if run.kind in STATED:  # what the figures come from was booked where it was paid
        return PostedRun(None, run.payslips, 0)
    law = jurisdiction(run.jurisdiction)
    totals = totals_of(run)
    taken_back = run.corrects if run.kind == REVERSAL else None
    accounts = map_of_run(taken_back) if taken_back else map_of(run.pay_date)
    currency = Client.objects.values_list("currency", flat=True).get(id=run.client_id)
    lines = _lines(run, law, accounts, totals, currency)
    if not any(line.amount for line in lines):
        return PostedRun(None, run.payslips, 0)
    narrative = _narrative(run)
    keep(run, accounts, law.postings)
    posted = post_journals("pay_run", ("pay_run", run.id), [Journal(run.pay_date, narrative, tuple(lines))])
    owed = _Owed(run, accounts, posted.entry_ids[0], currency, account_ids())
    for agency in law.postings.agencies:
        _owed_to(agency, owed, totals)
    _owed_to_creditors(law, owed)
    _owed_to_people(law, owed)
    return PostedRun(posted.batch_id, run.payslips, totals.get(NET, 0))


def _narrative(run: PayRun) -> str:
    if run.corrects is not None:
        does = "takes payslips back of" if run.kind == REVERSAL else "replaces what was taken back by"
        return f"Pay run {run.number} {does} pay run {run.corrects.number}"
    return f"Pay run {run.number}, {period_in_words(run)} of {run.tax_year}"


def _lines(
    run: PayRun, law: Jurisdiction, accounts: AccountMap, totals: Figures, currency: str
) -> list[Line]:
    """The entry: costs by customer and account, then what is owed and put aside."""
    costs: dict[UUID | None, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (customer, _), of in costs_of(
        run, law, totals, accounts.account_of, centres=accounts.has_centres
    ).items():
        for account, amount in of.items():
            costs[customer][account] += amount
    return [
        *(
            Line(account, amount, customer, currency)
            for customer in sorted(costs, key=lambda c: c.int if c else 0)
            for account, amount in sorted(costs[customer].items())
        ),
        *(
            Line(accounts.account_of(line), line.amount(totals), currency=currency)
            for line in (*law.postings.owed, *law.postings.aside)
        ),
    ]


GroupOf = Callable[[Posted, str], str]
"""In which group a line of a cost centre is added up: its account, its heading, itself."""

Bearer = tuple[UUID | None, str]
"""Who bears a cost: the customer, none for the client's own people, and the cost centre, empty where none."""


def costs_of(
    run: PayRun, law: Jurisdiction, totals: Figures, group_of: GroupOf, *, centres: bool
) -> dict[Bearer, dict[str, int]]:
    """What the run costs, its lines added up in groups. Who worked for several customers has each group split
    by the pay earned at each. centres: whether cost centres are told apart; else all are the empty one."""

    def grouped(figures: Figures, centre: str) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        for line in law.postings.costs:
            found[group_of(line, centre)] += line.amount(figures)
        return found

    shares = _pay_per_customer(run) if run.schedule_id is None else {}
    elements = sorted({element for line in law.postings.costs for element, _ in line.sums})
    if not shares:
        by_centre = _by_centre(run, elements) if centres else {"": totals}
        return {(None, centre): grouped(figures, centre) for centre, figures in by_centre.items()}
    centre_of = dict(_centres(run)) if centres else {}
    costs: dict[Bearer, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for person, figures in _figures_of(run, set(elements)):
        earned: Sequence[tuple[UUID | None, int]] = shares.get(person) or [(None, 1)]
        centre, weights = centre_of.get(person, ""), [pay for _, pay in earned]
        for group, amount in grouped(figures, centre).items():
            for (customer, _), part in zip(earned, largest_remainder(amount, weights), strict=True):
                costs[customer, centre][group] += part
    return costs


# A person's cost centre is that of the terms that hold when the period ends, or held last.
CENTRES = """
SELECT DISTINCT ON (t.person_id) t.person_id, t.cost_centre FROM people_terms t
WHERE t.client_id = %(client)s AND t.unsaid IS NULL AND t.starts <= %(ends)s
ORDER BY t.person_id, t.starts DESC
"""
BY_CENTRE = """
SELECT coalesce(c.cost_centre, ''), {sums}
FROM payroll_payslip s LEFT JOIN ({centres}) c ON c.person_id = s.person_id
WHERE s.client_id = %(client)s AND s.attempt_id = %(attempt)s GROUP BY 1 ORDER BY 1
"""


def _centres(run: PayRun) -> list[tuple[UUID, str]]:
    with connection.cursor() as cursor:
        cursor.execute(CENTRES, {"client": run.client_id, "ends": run.period_ends})
        return [(person, centre) for person, centre in cursor]


def _by_centre(run: PayRun, elements: Sequence[str]) -> dict[str, Figures]:
    """The elements added up per cost centre, by PostgreSQL."""
    assert run.published is not None
    there = [code for code in elements if code in run.published.elements]
    places = [run.published.elements.index(code) + 1 for code in there]
    sums = ", ".join(f"coalesce(sum(s.amounts[{int(place)}]), 0)::bigint" for place in places)
    asked: dict[str, Any] = {"client": run.client_id, "ends": run.period_ends, "attempt": run.published_id}
    with connection.cursor() as cursor:
        cursor.execute(BY_CENTRE.format(sums=sums, centres=CENTRES), asked)
        return {row[0]: dict(zip(there, row[1:], strict=True)) for row in cursor.fetchall()}


def _figures_of(run: PayRun, elements: set[str]) -> list[tuple[UUID, dict[str, int]]]:
    """Of every published payslip, by payroll number, those elements that are not nought."""
    assert run.published is not None
    places = [(code, i) for i, code in enumerate(run.published.elements) if code in elements]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.person_id, s.amounts FROM payroll_payslip s
            JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
            WHERE s.client_id = %s AND s.attempt_id = %s ORDER BY p.payroll_number COLLATE "C"
            """,
            [run.client_id, run.published_id],
        )
        return [
            (person, {code: amounts[i] for code, i in places if amounts[i]}) for person, amounts in cursor
        ]


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
            [run.client_id, run.stands_for.id],  # which took the hours in
        )
        shares: dict[UUID, list[tuple[UUID, int]]] = defaultdict(list)
        for person, customer, pay in cursor:
            shares[person].append((customer, pay))
        return shares


def totals_of(run: PayRun) -> dict[str, int]:
    """Every element of a calculated run, added up."""
    assert run.published is not None, "only a calculated run has figures"
    return dict(zip(run.published.elements, run.totals or (), strict=False))


def costs_per_customer(run: PayRun) -> dict[UUID | None, dict[str, int]]:
    """What a published run costs, per customer and heading."""
    law = jurisdiction(run.jurisdiction)
    found = costs_of(run, law, totals_of(run), lambda line, _: line.heading, centres=False)
    return {customer: of for (customer, _), of in found.items()}


@dataclass(frozen=True)
class _Owed:
    """What every item of a run has alike. ids: of the book's accounts, by code."""

    run: PayRun
    accounts: AccountMap
    entry_id: UUID
    currency: str
    ids: Mapping[str, UUID]

    def add(
        self,
        kind: str,
        account: str,
        counterparties: Any,
        amounts: Sequence[int],
        due: date,
        references: Sequence[str],
    ) -> None:
        items = ItemColumns(
            counterparty=counterparties,
            amount=np.array(amounts, dtype=np.int64),
            due=due,
            entry=self.entry_id,
            subject_id=self.run.id,
            reference=references,
            currency=self.currency,
        )
        add_items(kind, self.ids[account], "pay_run", items)


def _owed_to(agency: Agency, owed: _Owed, totals: Figures) -> None:
    """An item per part owed to it, or one of all (a run that refunds more than it takes is owed to us)."""
    who = None
    due = agency.period_of(owed.run.law_date).due
    for account, items in _items_of(agency, owed.accounts, totals).items():
        who = who or counterparty(agency.kind, agency.code, agency.name)
        references = [_of_run(label, owed.run) for label, _ in items]
        owed.add(agency.items, account, who.id, [amount for _, amount in items], due, references)


def _items_of(agency: Agency, accounts: AccountMap, totals: Figures) -> Mapping[str, list[tuple[str, int]]]:
    """Label and amount as posted of each item, by account; none that comes to nought."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for part in agency.parts:
        found[accounts.account_of(part.posted)].append((part.label, part.posted.amount(totals)))
    if agency.one_item:
        found = defaultdict(
            list, {a: [(agency.one_item, sum(amount for _, amount in of))] for a, of in found.items()}
        )
    return {a: kept for a, of in found.items() if (kept := [item for item in of if item[1]])}


def _owed_to_creditors(law: Jurisdiction, owed: _Owed) -> None:
    """An item per order, due on the day of payment: what was taken is not the employer's for a day."""
    run = owed.run
    taken = owed_to_creditors(run)
    if not taken or law.postings.creditors is None:
        return
    owed.add(
        "attachment_order",
        owed.accounts.account_of(law.postings.creditors),
        uuids_to_column([one.creditor_id for one in taken]),
        [-one.deduction for one in taken],
        run.pay_date,
        [_of_run(one.reference, run) for one in taken],
    )


def _owed_to_people(law: Jurisdiction, owed: _Owed) -> None:
    """Everybody's net pay is an item, due on the pay date."""
    run = owed.run
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.person_id, p.payroll_number, s.amounts[array_position(k.elements, %s)]
            FROM payroll_payslip s
            JOIN payroll_attempt k ON k.client_id = s.client_id AND k.id = s.attempt_id
            JOIN people_person p ON p.client_id = s.client_id AND p.id = s.person_id
            WHERE s.client_id = %s AND s.attempt_id = %s ORDER BY p.payroll_number COLLATE "C"
            """,
            [NET, run.client_id, run.published_id],
        )
        paid = [row for row in cursor if row[2]]
    if not paid:
        return
    owed.add(
        NET_PAY_BACK if run.kind == REVERSAL else NET,
        law.postings.net.account,
        uuids_to_column([person for person, _, _ in paid]),
        [-net for _, _, net in paid],
        run.pay_date,
        [f"{_of_payslips(run)}{number}" for _, number, _ in paid],
    )


# --- what an item's reference says ------------------------------------------------------------------------


def _of_run(what: str, run: PayRun) -> str:
    return f"{what}, pay run {run.number}"


def what_for(reference: str, run: PayRun) -> str:
    """What an item of a run is for, the same of every run."""
    return reference.removesuffix(_of_run("", run))


def _of_payslips(run: PayRun) -> str:
    return f"{run.number}/"


def is_of_a_payslip(reference: str, run: PayRun) -> bool:
    """Whether an item is net pay of the run, also where it came back from the bank."""
    return reference.startswith(_of_payslips(run))
