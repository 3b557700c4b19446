"""The top of a run's page: what it comes to, each figure beside the last run's, and who is to act next."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from engineroom.foundation.access.selectors import holders_of
from engineroom.foundation.approvals.models import Approval
from engineroom.foundation.approvals.selectors import Signatures
from engineroom.payroll.costs import total_cost
from engineroom.payroll.inputs import Missing
from engineroom.payroll.models import PayRun
from engineroom.payroll.review import Variance
from engineroom.payroll.selectors import RunFigures, RunRow
from engineroom.people.models import Person
from engineroom.ui.display import format_duration, format_money

NAMES_SHOWN = 4


@dataclass(frozen=True)
class Sum:
    """A figure of a run in minor units, and how it differs from the last run's, in words."""

    label: str
    amount: int
    note: str


def sums(run: PayRun, figures: RunFigures, change: Variance | None, currency: str) -> list[Sum]:
    """Gross pay, what the employer pays for it, and what people get."""
    now = figures.totals
    before = change.before_figures.totals if change else {}
    of = (
        ("Gross pay", now.get("gross", 0), before.get("gross", 0)),
        ("Employer's cost", total_cost(run, now), total_cost(run, before) if before else 0),
        ("Net pay", now.get("net_pay", 0), before.get("net_pay", 0)),
    )
    number = change.before.number if change else None
    return [Sum(label, amount, _beside(amount - last, number, currency)) for label, amount, last in of]


def _beside(change: int, number: int | None, currency: str) -> str:
    if number is None:
        return ""
    if not change:
        return f"as in run {number}"
    return f"{format_money(abs(change), currency)} {'more' if change > 0 else 'less'} than run {number}"


def people_note(figures: RunFigures, change: Variance | None) -> str:
    """ "2 joined, 1 not in it; 312.50 h"."""
    said = []
    if change and change.joined:
        said.append(f"{change.joined:,} joined")
    if change and change.left:
        said.append(f"{change.left:,} not in it")
    minutes = figures.totals.get("minutes_worked", 0)
    return "; ".join(filter(None, [", ".join(said), format_duration(minutes) if minutes else ""]))


def who_acts(row: RunRow, signed: Signatures, approval: Approval | None) -> str:
    """Colleagues by name who could take the next step now: none who made what they would approve, none who
    approved what they would release."""
    permission = row.state.permission
    kept: Collection[UUID | None] = ()
    if permission == "payroll.approve":
        kept = [maker.user_id for maker in signed.makers]
    elif permission == "payroll.release" and approval is not None:
        kept = [approval.user_id, approval.on_behalf_id]
    if not permission:
        return ""
    names = [
        user.name
        for user in holders_of(permission, row.client_id)
        if user.id not in kept and (user.kind == "client" or row.state.code != "waits-for-client")
    ]
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Blocked:
    """What keeps the run, and whom: name is empty where it is nobody's."""

    number: str
    name: str
    field: str
    problem: str
    remedy: str


def blocked(run: PayRun, blockers: Sequence[Missing]) -> list[Blocked]:
    numbers = {one.payroll_number for one in blockers}
    people = Person.objects.filter(client_id=run.client_id, payroll_number__in=numbers)
    names = dict(people.values_list("payroll_number", "name")) if numbers else {}
    return [
        Blocked(
            one.payroll_number,
            names.get(one.payroll_number, ""),
            one.field.replace("_", " "),
            one.problem,
            one.remedy,
        )
        for one in blockers
    ]


def head(
    run: PayRun, row: RunRow, figures: RunFigures, change: Variance | None, signed: Signatures,
    approval: Approval | None, currency: str,
) -> dict[str, Any]:  # fmt: skip
    return {
        "sums": sums(run, figures, change, currency),
        "people_note": people_note(figures, change),
        "acting": who_acts(row, signed, approval),
    }
