"""The margin, from the ledger: income and cost posted for customers, by month, customer and assignment.

Every figure is the ledger's. What an account says of a customer in a month is spread over the assignments
that brought it: income by the lines of invoices issued in the month, cost by the pay of the runs of its pay
dates. What no assignment brought stands beside them by its customer, and what is posted to the same accounts
for no customer stands on a line of its own, so that the sum is the accounts' own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from django.db import connection

from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.rates import PPM, format_ppm
from engineroom.kernel.rounding import half_up, largest_remainder
from engineroom.payroll.accounts import WAGES

By = Literal["customer", "assignment", "month"]
BYS: tuple[By, ...] = ("customer", "assignment", "month")
NOBODY = "for no customer"


@dataclass(frozen=True)
class Margin:
    """What a month, customer or assignment brought and cost. Minor units; minutes as paid."""

    month: date
    customer_code: str
    customer: str
    assignment: str
    minutes: int
    income: int
    wages: int
    on_costs: int

    @property
    def before(self) -> int:
        return self.income - self.wages

    @property
    def after(self) -> int:
        return self.before - self.on_costs

    @property
    def after_ppm(self) -> int | None:
        """Of the income."""
        return self.after * PPM // self.income if self.income > 0 else None

    @property
    def share_words(self) -> str:
        """The same as a percentage, towards minus infinity; empty where nothing came in."""
        return "" if self.after_ppm is None else format_ppm(self.after_ppm // 1_000 * 1_000)

    @property
    def after_an_hour(self) -> int | None:
        """Minor units an hour paid."""
        return half_up(self.after * 60, self.minutes) if self.minutes > 0 else None


# The accounts of the margin: income and expense to which anything was ever posted for a customer.
POSTED = """
WITH accounts AS (
  SELECT a.id, a.code, a.type FROM ledger_account a
  WHERE a.client_id = %(client)s AND a.type IN ('income', 'expense') AND EXISTS (
    SELECT FROM ledger_posting p JOIN openitems_counterparty k
      ON k.client_id = p.client_id AND k.id = p.dimension AND k.kind = 'customer'
    WHERE p.client_id = a.client_id AND p.account_id = a.id))
SELECT date_trunc('month', p.day)::date, k.id, coalesce(k.code, ''), coalesce(k.name, ''),
  CASE WHEN a.type = 'income' THEN 'income' WHEN a.code = %(wages)s THEN 'wages' ELSE 'on_costs' END,
  (CASE WHEN a.type = 'income' THEN -1 ELSE 1 END * sum(p.amount))::bigint
FROM accounts a
JOIN ledger_posting p ON p.client_id = %(client)s AND p.account_id = a.id AND p.currency = %(currency)s
  AND p.day BETWEEN %(first)s AND %(last)s
LEFT JOIN openitems_counterparty k
  ON k.client_id = p.client_id AND k.id = p.dimension AND k.kind = 'customer'
GROUP BY 1, 2, 3, 4, 5, a.type
"""

INVOICED = """
SELECT date_trunc('month', i.issue_date)::date, i.customer_id, a.code, sum(l.net)::bigint
FROM billing_invoice i JOIN billing_invoiceline l ON l.client_id = i.client_id AND l.invoice_id = i.id
JOIN timesheets_assignment a ON a.client_id = l.client_id AND a.id = l.assignment_id
WHERE i.client_id = %(client)s AND i.issue_date BETWEEN %(first)s AND %(last)s GROUP BY 1, 2, 3
"""

PAID = """
SELECT date_trunc('month', r.pay_date)::date, a.customer_id, a.code, sum(c.pay_amount)::bigint,
  sum(c.minutes)::bigint
FROM payroll_payrun r
JOIN foundation_release f ON f.client_id = r.client_id AND f.subject_kind = 'pay_run' AND f.subject_id = r.id
JOIN payroll_paidtimesheet p ON p.client_id = r.client_id AND p.run_id = r.id
JOIN timesheets_timesheet t ON t.client_id = p.client_id AND t.id = p.id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
WHERE r.client_id = %(client)s AND r.pay_date BETWEEN %(first)s AND %(last)s GROUP BY 1, 2, 3
"""

Key = tuple[date, UUID | None]
Weights = dict[Key, dict[str, int]]


def margins(first: date, last: date, *, by: By, currency: str) -> list[Margin]:
    """By customer, by customer and assignment, or by month: the most margin first, months in their order."""
    values = {
        "client": current_client_id(),
        "first": first,
        "last": last,
        "currency": currency,
        "wages": WAGES,
    }
    invoiced, paid, minutes = _weights(values)
    rows: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    names: dict[UUID | None, tuple[str, str]] = {None: ("", NOBODY)}
    for month, customer, code, name, side, amount in _rows(POSTED, values):
        names[customer] = (code, name) if customer else names[None]
        weights = (invoiced if side == "income" else paid).get((month, customer), {})
        for assignment, share in _spread(amount, weights):
            rows[month, customer, assignment][side] += share
    for (month, customer), of in minutes.items():
        for assignment, worked in of.items():
            rows[month, customer, assignment]["minutes"] += worked
    found = [
        Margin(
            month,
            *names.get(customer, ("", "")),
            assignment,
            of["minutes"],
            of["income"],
            of["wages"],
            of["on_costs"],
        )
        for (month, customer, assignment), of in rows.items()
    ]
    return _grouped(found, by, first)


def _weights(values: dict[str, Any]) -> tuple[Weights, Weights, Weights]:
    invoiced: Weights = defaultdict(dict)
    paid: Weights = defaultdict(dict)
    minutes: Weights = defaultdict(dict)
    for month, customer, assignment, amount in _rows(INVOICED, values):
        invoiced[month, customer][assignment] = amount
    for month, customer, assignment, amount, worked in _rows(PAID, values):
        paid[month, customer][assignment] = amount
        minutes[month, customer][assignment] = worked
    return invoiced, paid, minutes


def _spread(amount: int, weights: dict[str, int]) -> Iterable[tuple[str, int]]:
    """Over assignments in proportion, to the penny; whole where none brought it."""
    named = sorted(code for code, weight in weights.items() if weight > 0)
    if not named:
        return [("", amount)]
    return zip(named, largest_remainder(amount, [weights[code] for code in named]), strict=True)


def _grouped(rows: Sequence[Margin], by: By, first: date) -> list[Margin]:
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        key = {
            "month": (row.month, "", "", ""),
            "customer": (first, row.customer_code, row.customer, ""),
            "assignment": (first, row.customer_code, row.customer, row.assignment),
        }[by]
        for at, value in enumerate((row.minutes, row.income, row.wages, row.on_costs)):
            sums[key][at] += value
    found = [Margin(*key, *values) for key, values in sums.items()]
    if by == "month":
        return sorted(found, key=lambda m: m.month)
    return sorted(found, key=lambda m: (-m.after, m.customer_code, m.assignment))


def total(rows: Sequence[Margin], first: date) -> Margin:
    """The client's: all of it."""
    return Margin(
        first,
        "",
        "",
        "",
        sum(r.minutes for r in rows),
        sum(r.income for r in rows),
        sum(r.wages for r in rows),
        sum(r.on_costs for r in rows),
    )


def _rows(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
