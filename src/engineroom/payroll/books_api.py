"""Pay in the books, for programs: the account map, runs' journals, what is owed to agencies."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from django.utils import timezone
from ninja import Query, Schema
from pydantic import Field, StringConstraints

from engineroom.foundation.api import (
    NO_NUL,
    Asked,
    Day,
    Name,
    Page,
    PageAsked,
    ReasonAsked,
    Room,
    log_read,
    one,
    refuse_masked,
)
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.tenancy.models import Client
from engineroom.payroll import (
    account_map,
    journal,
    liabilities,
)
from engineroom.payroll.models import PayRun

router = Room("payroll")


class AccountLineOut(Schema):
    """A line of runs' entries with its account. wrong: why it cannot be posted there; empty where it can."""

    line: str
    label: str
    side: Literal["cost", "owed", "aside"]
    cost_centre: str
    account: str
    account_name: str
    is_default: bool
    wrong: str


class AccountMapOut(Schema):
    """Where runs of a payday are posted. version: 0 while the client has said nothing."""

    day: date
    version: int
    lines: list[AccountLineOut]


class AccountMapAsked(Schema):
    """Of which payday; today where it is left out."""

    day: Day | None = None


@router.read("/account-map", AccountMapOut, "Where runs are posted", permission="ledger.read")
def account_map_of(client: Client, asked: Query[AccountMapAsked]) -> AccountMapOut:
    """Every line and cost centre of the client's law, for a payday."""
    day = asked.day or timezone.now().date()
    known, rows = account_map.lines_on(day)
    lines = [
        AccountLineOut(
            line=r.code, label=r.label, side=r.side, cost_centre=r.cost_centre, account=r.account,
            account_name=r.account_name, is_default=r.is_default, wrong=r.wrong,
        )
        for r in rows
    ]  # fmt: skip
    return AccountMapOut(day=day, version=known.version, lines=lines)


class MappedIn(Asked):
    """A line goes to an account, for paydays from a day on. account: empty puts the law's own back."""

    line: Annotated[Name, StringConstraints(max_length=60)]
    account: Annotated[str, StringConstraints(max_length=20, pattern=NO_NUL)] = ""
    starts: Day
    cost_centre: Annotated[str, StringConstraints(max_length=40, pattern=NO_NUL)] = ""


class MapAccountsAsked(ReasonAsked):
    """One version of the map, at once."""

    lines: list[MappedIn]


@router.command(
    "/account-map", account_map.AccountsMapped, "Say where runs are posted", permission="ledger.prepare"
)
def map_accounts(client: Client, asked: MapAccountsAsked) -> account_map.AccountsMapped:
    """A further version of the map; runs that are released stay as they were posted."""
    rows = [account_map.Mapped(r.line, r.account, r.starts, r.cost_centre) for r in asked.lines]
    return account_map.map_accounts(rows, reason=asked.reason, source="api")


class JournalLineOut(Schema):
    """A line of a run's journal. amount_minor: debit positive."""

    account: str
    account_name: str
    line: str
    label: str
    cost_centre: str
    customer: str
    amount_minor: int


class RunJournalOut(Schema):
    """What a run posts. version: of the account map. is_posted: whether it is in the books."""

    run_id: UUID
    number: int
    pay_date: date
    currency: str
    version: int
    is_posted: bool
    lines: list[JournalLineOut]


@router.read(
    "/pay-runs/{run_id}/journal", RunJournalOut, "The journal of a pay run", permission="ledger.read"
)
def run_journal(client: Client, run_id: UUID) -> RunJournalOut:
    """By account, cost centre and customer; before the release, what it would post now."""
    refuse_masked("pay", "a journal of pay")
    run = one(PayRun.objects.select_related("published"), "pay run", run_id)
    known, rows = journal.journal_of(run)
    lines = [
        JournalLineOut(
            account=r.account, account_name=r.account_name, line=r.line, label=r.label,
            cost_centre=r.cost_centre, customer=r.customer, amount_minor=r.amount,
        )
        for r in rows
    ]  # fmt: skip
    return RunJournalOut(
        run_id=run.id, number=run.number, pay_date=run.pay_date, currency=client.currency,
        version=known.version,
        is_posted=approvals.released("pay_run", run.id) is not None, lines=lines,
    )  # fmt: skip


class OwedFigureOut(Schema):
    """A figure of what is owed: an element of payslips, or what was said beside them."""

    code: str
    label: str
    part: str
    amount_minor: int
    is_element: bool


class OwedOut(Schema):
    """What an agency is owed for one of its periods. difference_minor: figures less open items: nought."""

    period: str
    year: str
    number: int
    starts: date
    ends: date
    due_on: date
    due_minor: int
    paid_minor: int
    left_minor: int
    difference_minor: int
    figures: list[OwedFigureOut]
    run_ids: list[UUID]
    item_ids: list[UUID]


class TieOut(Schema):
    """An agency's periods beside the control accounts that hold them."""

    accounts: list[str]
    ledger_minor: int
    left_minor: int
    beside_minor: int
    difference_minor: int
    ok: bool


class AgencyOwedOut(Schema):
    """An agency with every period in which something was paid, the latest first."""

    code: str
    name: str
    source: str
    currency: str
    periods: list[OwedOut]
    tie: TieOut


@router.read("/liabilities", list[AgencyOwedOut], "What is owed to each agency")
def liabilities_of(client: Client) -> list[AgencyOwedOut]:
    """By period: due, paid and left; and what ties it to the control accounts. The read is logged."""
    refuse_masked("pay", "what is owed of pay")
    log_read("pay_run", None, "liabilities")
    found = []
    for agency in account_map.country().postings.agencies:
        periods = liabilities.owed_to(agency)
        tie = liabilities.tie_of(agency, periods)
        found.append(
            AgencyOwedOut(
                code=agency.code,
                name=agency.name,
                source=agency.source,
                currency=client.currency,
                periods=[_owed(owed) for owed in periods],
                tie=TieOut(
                    accounts=list(tie.accounts),
                    ledger_minor=tie.ledger,
                    left_minor=tie.left,
                    beside_minor=tie.beside,
                    difference_minor=tie.difference,
                    ok=tie.ok,
                ),
            )
        )
    return found


def _owed(owed: liabilities.Owed) -> OwedOut:
    return OwedOut(
        period=owed.period.name,
        year=owed.period.year,
        number=owed.period.number,
        starts=owed.period.starts,
        ends=owed.period.ends,
        due_on=owed.period.due,
        due_minor=owed.due,
        paid_minor=owed.paid,
        left_minor=owed.left,
        difference_minor=owed.difference,
        figures=[
            OwedFigureOut(
                code=f.code, label=f.label, part=p.part.name, amount_minor=f.amount, is_element=f.is_element
            )
            for p in owed.parts
            for f in p.figures
        ],
        run_ids=[run.id for run in owed.runs],
        item_ids=[item.id for item in owed.items],
    )


class SlipFigureOut(Schema):
    """One payslip's part of a figure."""

    run: int
    payroll_number: str
    amount_minor: int


class OwedSlipsAsked(PageAsked):
    """Which figure: an element, of a period of an agency."""

    agency: Name
    year: Name
    number: Annotated[int, Field(ge=1, le=400)]
    element: Name


@router.read("/liabilities/payslips", Page[SlipFigureOut], "The payslips that a figure is of")
def owed_payslips(client: Client, asked: Query[OwedSlipsAsked]) -> Page[SlipFigureOut]:
    """By run and payroll number; their sum is the figure. The read is logged."""
    refuse_masked("pay", "what is owed of pay")
    owed = liabilities.owed_for(liabilities.agency_called(asked.agency), asked.year, asked.number)
    part = liabilities.slips_of(owed, asked.element, asked.cursor or "", rows=asked.limit)
    if part.rows:
        log_read("payslip", None, "what is owed", len(part.rows))
    items = [
        SlipFigureOut(run=r.run, payroll_number=r.payroll_number, amount_minor=r.amount) for r in part.rows
    ]
    return Page(items=items, next=part.next or None)


class LiabilityAsked(ReasonAsked):
    """What changes an agency's due of the period that the day is in."""

    agency: Name
    name: Name
    amount_minor: int
    day: Day


@router.command(
    "/liabilities", liabilities.LiabilitySaid, "Say what stands on no payslip",
    permission="ledger.prepare",
)  # fmt: skip
def say_liability(client: Client, asked: LiabilityAsked) -> liabilities.LiabilitySaid:
    """An allowance, a levy: posted at once, and an open item of the agency."""
    return liabilities.say_liability(
        asked.agency, asked.name, asked.amount_minor, day=asked.day, reason=asked.reason
    )
