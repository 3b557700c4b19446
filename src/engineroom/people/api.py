"""People for programs: who is known to a client, employed from when to when, paid to which account."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from ninja import Field, Query, Schema
from pydantic import StringConstraints

from engineroom.foundation.api import (
    NO_NUL,
    Asked,
    ContentAsked,
    Day,
    Page,
    PageAsked,
    Reason,
    ReasonAsked,
    Room,
    Text,
    cut,
    hides,
    log_read,
    one,
)
from engineroom.foundation.crypto.fields import reveal
from engineroom.foundation.tenancy.models import Client
from engineroom.people import accounts, employment, selectors, terms
from engineroom.people.engine import MONDAY_TO_FRIDAY, Agreed
from engineroom.people.leaving import open_matters
from engineroom.people.models import BankAccount, Employment, Person

router = Room("people")


class PersonOut(Schema):
    """A human known to the client."""

    id: UUID
    payroll_number: str
    name: str
    email: str


class EmploymentOut(Schema):
    """Dated terms. ends: null while it lasts."""

    id: UUID
    starts: date
    ends: date | None


class BankAccountOut(Schema):
    """Where the person is paid, from a day on; dots where the caller's role does not see it."""

    id: UUID
    starts: date
    ends: date | None
    account_name: str
    sort_code: str
    account_number: str


class PersonDetailOut(PersonOut):
    """A person with their terms. Identity and bank data are dots, or absent, where the role masks them."""

    date_of_birth: date | None
    ni_number: str | None
    employments: list[EmploymentOut]
    bank_accounts: list[BankAccountOut]


def _person(row: Person) -> PersonOut:
    return PersonOut(
        id=row.counterparty_id, payroll_number=row.payroll_number, name=row.name, email=row.email
    )


@router.read("/people", Page[PersonOut], "People by payroll number")
def people(client: Client, page: Query[PageAsked]) -> Page[PersonOut]:
    """Everybody known to the client, without private data."""
    rows, onward = cut(Person.objects.filter(client_id=client.id), page, by="payroll_number")
    return Page(items=[_person(row) for row in rows], next=onward)


@router.read("/people/{person_id}", PersonDetailOut, "One person")
def person(client: Client, person_id: UUID) -> PersonDetailOut:
    """A person with employments and bank accounts. The read is logged."""
    row = one(Person.objects.all(), "person", person_id)
    mine = {"client_id": client.id, "person_id": row.counterparty_id}
    accounts = list(BankAccount.objects.filter(**mine).order_by("starts", "id"))
    sort_codes = reveal(accounts, "sort_code", purpose="api")
    numbers = reveal(accounts, "account_number", purpose="api")
    return PersonDetailOut(
        **_person(row).dict(),
        date_of_birth=None if hides("identity") else row.date_of_birth,
        ni_number=reveal([row], "ni_number", purpose="api")[0],
        employments=[
            EmploymentOut(id=e.id, starts=e.starts, ends=e.ends)
            for e in Employment.objects.filter(**mine).order_by("starts", "id")
        ],
        bank_accounts=[
            BankAccountOut(
                id=a.id,
                starts=a.starts,
                ends=a.ends,
                account_name=a.account_name,
                sort_code=sort_code or "",
                account_number=number or "",
            )
            for a, sort_code, number in zip(accounts, sort_codes, numbers, strict=True)
        ],
    )


# --- terms ----------------------------------------------------------------------------------------------


class EmploymentTermsOut(Schema):
    """Terms, as said by one change. ends: null while neither they nor the employment have a last day.

    amount_minor: a year of salary, or an hour. working_days: bits, Monday 1 to Sunday 64. unsaid_at:
    when they were taken back; null while they stand. continues: the rest of terms that the change shortened.
    """

    id: UUID
    starts: date
    ends: date | None
    basis: str
    amount_minor: int | None
    currency: str
    minutes_per_week: int
    working_days: int
    title: str
    cost_centre: str
    continues: bool
    change: int
    said_at: datetime
    said_by: str
    reason: str
    unsaid_at: datetime | None


class EmploymentTermsAsked(Asked):
    """Terms from a day on; with `ends`, in the place of what stands up to it. A past day needs a reason."""

    starts: Day
    ends: Day | None = None
    basis: Literal["salary", "hourly"]
    amount_minor: int = Field(ge=0, le=10**15)
    minutes_per_week: int = Field(ge=0, le=terms.WEEK_MINUTES)
    working_days: int = Field(MONDAY_TO_FRIDAY, ge=0, le=127)
    title: Text = ""
    cost_centre: Text = ""
    reason: Reason | None = None


@router.read("/people/{person_id}/terms", list[EmploymentTermsOut], "Terms of a person")
def terms_of_person(client: Client, person_id: UUID) -> list[EmploymentTermsOut]:
    """All that was ever said: what stands first, then what was taken back. The read is logged."""
    row = one(Person.objects.all(), "person", person_id)
    log_read("person", row.counterparty_id, "terms")
    return [_terms_out(client, seen) for seen in selectors.terms_of(row.counterparty_id)]


def _terms_out(client: Client, seen: selectors.TermsSeen) -> EmploymentTermsOut:
    agreed = seen.agreed
    return EmploymentTermsOut(
        id=seen.id,
        starts=seen.starts,
        ends=seen.ends,
        basis=agreed.basis,
        amount_minor=None if hides("pay") else agreed.amount,
        currency=client.currency,
        minutes_per_week=agreed.minutes_per_week,
        working_days=agreed.working_days,
        title=agreed.title,
        cost_centre=agreed.cost_centre,
        continues=seen.continues,
        change=seen.said,
        said_at=seen.said_at,
        said_by=seen.said_by,
        reason=seen.why,
        unsaid_at=seen.unsaid_at,
    )


@router.command("/people/{person_id}/terms", terms.TermsSaid, "Set terms", permission="people.prepare")
def set_terms(client: Client, person_id: UUID, asked: EmploymentTermsAsked) -> terms.TermsSaid:
    """Those before end the day before; what was known of them stays to be asked."""
    agreed = Agreed(
        asked.basis,
        asked.amount_minor,
        asked.minutes_per_week,
        asked.working_days,
        asked.title,
        asked.cost_centre,
    )
    return terms.set_terms(person_id, agreed, starts=asked.starts, ends=asked.ends, reason=asked.reason or "")


@router.command("/terms/{terms_id}/withdraw", terms.TermsSaid, "Take terms back", permission="people.prepare")
def withdraw_terms(client: Client, terms_id: UUID, asked: ReasonAsked) -> terms.TermsSaid:
    """Terms that should not have been said: those before them hold in their place."""
    return terms.withdraw_terms(terms_id, reason=asked.reason)


# --- leaving, and coming back -----------------------------------------------------------------------------

Why = Literal[
    "resigned", "dismissed", "redundant", "end_of_contract", "retired", "died", "transferred", "other"
]  # fmt: skip


class EndingOut(Schema):
    """What was said of the end of an employment: by whom, and why in words."""

    last_day: date
    why: str
    note: str
    by: str
    at: datetime


class OpenMatterOut(Schema):
    """What still stands open of somebody who leaves, and what to do about it."""

    what: str
    how_much: str
    remedy: str


class LeavingOut(Schema):
    """The end of somebody's latest employment. last_day: null while it has none. said: all that was said of
    it, the latest first."""

    last_day: date | None
    said: list[EndingOut]
    open_matters: list[OpenMatterOut]


class LeavingAsked(Asked):
    """The last day of the employment, and why. Said again with another day, it is moved."""

    last_day: Day
    why: Why
    note: Annotated[str, StringConstraints(max_length=300, pattern=NO_NUL)] = ""


class EmployedAgainAsked(Asked):
    """The first day of a new employment of somebody who had left."""

    starts: Day


@router.read("/people/{person_id}/leaving", LeavingOut, "The end of a person's employment")
def leaving(client: Client, person_id: UUID) -> LeavingOut:
    """When, why, and what stands open then. The read is logged."""
    row = one(Person.objects.all(), "person", person_id)
    log_read("person", row.counterparty_id, "leaving")
    employments = selectors.employments_of(row.counterparty_id)
    last_day = employments[0].ends if employments else None
    return LeavingOut(
        last_day=last_day,
        said=[
            EndingOut(last_day=e.last_day, why=e.why, note=e.note, by=e.by, at=e.at)
            for e in selectors.endings_of(row.counterparty_id)
        ],
        open_matters=[
            OpenMatterOut(what=m.what, how_much=m.how_much, remedy=m.remedy)
            for m in (open_matters(row, last_day) if last_day else ())
        ],
    )


@router.command(
    "/people/{person_id}/end-employment", employment.Employed, "End an employment",
    permission="people.prepare",
)  # fmt: skip
def end_employment(client: Client, person_id: UUID, asked: LeavingAsked) -> employment.Employed:
    """Pay of the last period goes up to that day; what stands open then, `leaving` says."""
    return employment.end_employment(person_id, last_day=asked.last_day, why=asked.why, note=asked.note)


@router.command(
    "/people/{person_id}/re-employ", employment.Employed, "Employ somebody again", permission="people.prepare"
)
def re_employ(client: Client, person_id: UUID, asked: EmployedAgainAsked) -> employment.Employed:
    """Under the same payroll number; terms and tax details are given anew."""
    return employment.re_employ(person_id, starts=asked.starts)


# --- accounts that wait for a second person ---------------------------------------------------------------


class HeldAccountOut(Schema):
    """An account that waits for a second person. content_hash: what an approval names. Dots where masked."""

    id: UUID
    person_id: UUID
    payroll_number: str
    name: str
    starts: date
    account_name: str
    sort_code: str
    account_number: str
    content_hash: str
    reason: str
    proposed_by: str
    proposed_at: datetime


class AccountProposed(Asked):
    """Where a person is paid from a day on. reason: how it is known."""

    starts: Day
    account_name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")
    sort_code: str = Field(max_length=8, pattern=r"^[0-9 -]+$")
    account_number: str = Field(max_length=8, pattern=r"^[0-9 -]+$")
    reason: Reason


@router.read("/held-accounts", list[HeldAccountOut], "Accounts that wait for a second person")
def held_accounts(client: Client) -> list[HeldAccountOut]:
    """The oldest first. The read is logged."""
    log_read("account_change", None, "held accounts")
    return [
        HeldAccountOut(
            id=row.proposal_id,
            person_id=row.person_id,
            payroll_number=row.payroll_number,
            name=row.name,
            starts=row.starts,
            account_name=row.account.account_name,
            sort_code=row.account.sort_code,
            account_number=row.account.account_number,
            content_hash=row.content_hash,
            reason=row.reason,
            proposed_by=row.by,
            proposed_at=row.at,
        )
        for row in selectors.held_accounts(show_bank=True)
    ]


@router.command(
    "/people/{person_id}/account", accounts.AccountAsked, "Propose an account", permission="people.prepare"
)
def propose_account(client: Client, person_id: UUID, asked: AccountProposed) -> accounts.AccountAsked:
    """The first is written, unless the client's policy holds it; another one waits for a second person."""
    payee = accounts.Payee.of(asked.account_name, asked.sort_code, asked.account_number)
    return accounts.propose_account(person_id, payee, starts=asked.starts, reason=asked.reason)


@router.command(
    "/held-accounts/{proposal_id}/approve",
    accounts.AccountDecided,
    "Approve a held account",
    permission="people.approve",
)
def approve_account(client: Client, proposal_id: UUID, asked: ContentAsked) -> accounts.AccountDecided:
    """Exactly the account that the hash names. Whoever proposed it may not."""
    return accounts.approve_account(proposal_id, content_hash=asked.content_hash)


@router.command(
    "/held-accounts/{proposal_id}/refuse",
    accounts.AccountDecided,
    "Refuse a held account",
    permission="people.approve",
)
def refuse_account(client: Client, proposal_id: UUID, asked: ReasonAsked) -> accounts.AccountDecided:
    """The account on file stands."""
    return accounts.refuse_account(proposal_id, reason=asked.reason)


@router.command(
    "/held-accounts/{proposal_id}/withdraw",
    accounts.AccountDecided,
    "Take back a proposed account",
    permission="people.prepare",
)
def withdraw_account(client: Client, proposal_id: UUID, asked: ReasonAsked) -> accounts.AccountDecided:
    """What was proposed and not approved yet."""
    return accounts.withdraw_account(proposal_id, reason=asked.reason)
