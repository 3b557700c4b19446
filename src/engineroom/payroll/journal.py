"""The journal of a run, for the client's books: each line with its account, cost centre and customer.

Of a released run it is what was posted, by the accounts that the run kept; before that it is what a release
would post now. Its sums by account are the entry's, to the penny.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from engineroom.foundation.imports.sheets import write_csv
from engineroom.kernel.errors import Conflict
from engineroom.kernel.money import format_minor
from engineroom.openitems.models import Counterparty
from engineroom.payroll.account_map import AccountMap, book, map_of_run
from engineroom.payroll.inputs import STATED
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import PayRun
from engineroom.payroll.posting import costs_of, totals_of
from engineroom.payroll.postings import Posted


@dataclass(frozen=True)
class JournalRow:
    """A line. amount: minor units, debit positive. line: its code in the account map."""

    account: str
    account_name: str
    line: str
    label: str
    cost_centre: str
    customer: str
    amount: int

    @property
    def debit(self) -> int:
        return max(self.amount, 0)

    @property
    def credit(self) -> int:
        return max(-self.amount, 0)


def journal_of(run: PayRun) -> tuple[AccountMap, list[JournalRow]]:
    """The accounts it goes by, and its lines: costs by account, cost centre and customer, then what is owed
    and put aside. Raises Conflict where the run is not calculated."""
    if run.published is None:
        raise Conflict(f"{run} is not calculated yet: it has no journal")
    accounts = map_of_run(run)
    if run.kind in STATED:
        return accounts, []
    law, totals, names = jurisdiction(run.jurisdiction), totals_of(run), book().accounts

    def row(line: Posted, amount: int, centre: str = "", customer: str = "") -> JournalRow:
        account = accounts.account_of(line, centre)
        name = names.get(account, ("not in the book", False))[0]
        return JournalRow(account, name, line.code, line.label, centre, customer, amount)

    lines = {line.code: line for line in law.postings.costs}
    costs = costs_of(run, law, totals, lambda line, _: line.code, centres=True)
    customers = _names({customer for customer, _ in costs if customer})
    split = [
        row(lines[code], amount, centre, customers.get(customer, "") if customer else "")
        for (customer, centre), of in costs.items()
        for code, amount in of.items()
    ]
    split.sort(key=lambda r: (r.account, r.customer, r.cost_centre))
    rest = [row(line, line.amount(totals)) for line in (*law.postings.owed, *law.postings.aside)]
    return accounts, [r for r in (*split, *rest) if r.amount]


def _names(ids: set[UUID]) -> dict[UUID, str]:
    return dict(Counterparty.objects.filter(id__in=ids).values_list("id", "name"))


def sums_by_account(rows: list[JournalRow]) -> dict[str, int]:
    """What each account is posted, debit positive."""
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        sums[row.account] += row.amount
    return {account: amount for account, amount in sums.items() if amount}


HEADERS = (
    "pay run", "date", "account", "account name", "line", "description", "cost centre", "customer",
    "currency", "debit", "credit",
)  # fmt: skip


def as_csv(run: PayRun, rows: list[JournalRow], currency: str) -> bytes:
    """The journal as a file that a bookkeeping program reads: a line each, amounts without separators."""

    def written(amount: int) -> str:
        return format_minor(amount, currency, grouped=False) if amount else ""

    return write_csv(
        HEADERS,
        [
            (
                run.number, run.pay_date, r.account, r.account_name, r.line, r.label, r.cost_centre,
                r.customer, currency, written(r.debit), written(r.credit),
            )
            for r in rows
        ],
    )  # fmt: skip
