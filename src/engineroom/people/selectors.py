"""Questions of people: who is known to the client, and what is dated about one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import F

from engineroom.foundation.access.models import User
from engineroom.foundation.crypto.fields import reveal
from engineroom.foundation.dated import lives_on
from engineroom.foundation.prepared import planned_anew
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import NotFound
from engineroom.people.engine import Agreed, Stretch
from engineroom.people.models import (
    LEAVING,
    AccountDecision,
    AccountPolicy,
    AccountProposal,
    BankAccount,
    Employment,
    EmploymentEnding,
    Person,
    PersonLogin,
    Terms,
    TermsChange,
)
from engineroom.ui.listing import Order, Slice, read_slice

DOTS = "••••"


@dataclass(frozen=True)
class PersonRow:
    """A person in a list. starts, ends: of the latest employment; accounts: how many stand with no end."""

    payroll_number: str
    id: UUID
    name: str
    email: str
    starts: date | None
    ends: date | None
    accounts: int

    def state_on(self, day: date) -> tuple[str, str]:
        """A status kind and its word."""
        if self.starts is None:
            return "open", "Not employed"
        if self.starts > day:
            return "wait", "Starts later"
        if self.ends is not None and self.ends < day:
            return "void", "Left"
        return "done", "Employed"


PEOPLE = """
SELECT p.payroll_number COLLATE "C" AS payroll_number, p.id, p.name, p.email, m.starts, m.ends,
  (SELECT count(*) FROM people_bankaccount b
   WHERE b.client_id = p.client_id AND b.person_id = p.id AND b.ends IS NULL) AS accounts
FROM people_person p
LEFT JOIN LATERAL (
  SELECT starts, ends FROM people_employment e WHERE e.client_id = p.client_id AND e.person_id = p.id
  ORDER BY starts DESC LIMIT 1) m ON true
WHERE p.client_id = %(client)s {where}
"""

BY_NUMBER = Order((("payroll_number", "text"), ("id", "uuid")))


def people(*, text: str = "", cursor: str = "") -> Slice[PersonRow]:
    """People by payroll number. text: any part of a name, or the beginning of a number, in any case."""
    where = (
        "AND (starts_with(lower(p.payroll_number), lower(%(text)s)) OR EXISTS ("
        "SELECT FROM unnest(%(spelled)s::text[]) s WHERE strpos(lower(p.name), lower(s)) > 0))"
        if text
        else ""
    )
    # The database's lower() knows A to Z alone (its locale is C everywhere); Python knows the others.
    spelled = list({text, text.lower(), text.upper(), text.title()})
    values = {"client": current_client_id(), "text": text, "spelled": spelled}
    return read_slice(PEOPLE.format(where=where), values, BY_NUMBER, cursor, PersonRow)


def person_numbered(payroll_number: str) -> Person | None:
    return Person.objects.filter(client_id=current_client_id(), payroll_number=payroll_number).first()


def named_person(payroll_number: str) -> Person:
    """Whom an address or a command names. Raises NotFound."""
    found = person_numbered(payroll_number.replace("\x00", "").strip())
    if found is None:
        raise NotFound(f"there is nobody with payroll number {payroll_number!r}")
    return found


@dataclass(frozen=True)
class Account:
    """Where a person is paid, from when to when; dots where it is not asked for or not to be seen."""

    starts: date
    ends: date | None
    account_name: str
    sort_code: str
    account_number: str


@dataclass(frozen=True)
class PersonView:
    """A person with what is dated about them, newest first. ni_number: dots where the role masks it."""

    person: Person
    added_at: datetime
    ni_number: str
    employments: Sequence[Employment]
    accounts: Sequence[Account]


def person_view(person: Person, *, show_bank: bool, purpose: str) -> PersonView:
    """Reads the national identifier, and the bank accounts only when asked; each read is logged."""
    mine = {"client_id": person.client_id, "person_id": person.counterparty_id}
    accounts = list(BankAccount.objects.filter(**mine).order_by("-starts", "-id"))
    ni_number = reveal([person], "ni_number", purpose=purpose)[0] if person.ni_number else ""
    return PersonView(
        person,
        person.added_at,
        ni_number or "",
        list(Employment.objects.filter(**mine).order_by("-starts", "-id")),
        _opened(accounts, purpose) if show_bank else _dotted(accounts),
    )


def _dotted(accounts: list[BankAccount]) -> list[Account]:
    return [Account(a.starts, a.ends, a.account_name, DOTS, DOTS) for a in accounts]


def _opened(accounts: list[BankAccount], purpose: str) -> list[Account]:
    sort_codes = reveal(accounts, "sort_code", purpose=purpose)
    numbers = reveal(accounts, "account_number", purpose=purpose)
    return [
        Account(a.starts, a.ends, a.account_name, sort_code or "", number or "")
        for a, sort_code, number in zip(accounts, sort_codes, numbers, strict=True)
    ]


def employment_on(person_id: UUID, day: date) -> Employment | None:
    """The employment that the day lies in."""
    mine = {"client_id": current_client_id(), "person_id": person_id}
    return Employment.objects.filter(lives_on(day), **mine).first()


def standing_terms(employment_ids: Sequence[UUID]) -> dict[UUID, tuple[Stretch, ...]]:
    """The terms that stand now, by employment, the earliest first; whole, past its last day too."""
    rows = Terms.objects.filter(
        client_id=current_client_id(), employment_id__in=employment_ids, unsaid=None
    ).order_by("starts")
    found: dict[UUID, list[Stretch]] = {}
    for row in rows:
        found.setdefault(row.employment_id, []).append(
            Stretch(row.starts, row.ends, agreed_of(row), row.id, row.continues)
        )
    return {employment_id: tuple(stretches) for employment_id, stretches in found.items()}


def agreed_of(row: Terms) -> Agreed:
    return Agreed(
        row.basis, row.amount, row.minutes_per_week, row.working_days, row.title, row.cost_centre
    )  # fmt: skip


@dataclass(frozen=True)
class TermsSeen:
    """Terms as a person looks at them. ends: the employment's last day where that is earlier.

    said_*: the change that said them. unsaid_at, unsaid_why: when and why they were taken back, if they were.
    """

    id: UUID
    starts: date
    ends: date | None
    agreed: Agreed
    continues: bool
    said: int
    said_at: datetime
    said_by: str
    why: str
    unsaid_at: datetime | None
    unsaid_why: str

    @property
    def stands(self) -> bool:
        return self.unsaid_at is None

    @property
    def key(self) -> str:
        """Names the row within a page."""
        return self.id.hex


def terms_of(person_id: UUID) -> list[TermsSeen]:
    """All that was ever said of a person's terms: what stands, then what was taken back; latest first."""
    client_id = current_client_id()
    rows = list(
        Terms.objects.filter(client_id=client_id, person_id=person_id)
        .select_related("employment")
        .order_by(F("unsaid").desc(nulls_first=True), "-starts", "-said")
    )
    numbers = {n for r in rows for n in (r.said, r.unsaid) if n is not None}
    changes = {c.number: c for c in TermsChange.objects.filter(client_id=client_id, number__in=numbers)}
    names = dict(
        User.objects.filter(id__in={c.by_user_id for c in changes.values()}).values_list("id", "name")
    )
    return [_seen(row, changes, names) for row in rows]


def _seen(row: Terms, changes: dict[int, TermsChange], names: dict[UUID, str]) -> TermsSeen:
    said, unsaid = changes[row.said], changes.get(row.unsaid or 0)
    last = min((d for d in (row.ends, row.employment.ends) if d), default=None)
    return TermsSeen(
        row.id,
        row.starts,
        last,
        agreed_of(row),
        row.continues,
        row.said,
        said.at,
        names.get(said.by_user_id, ""),
        said.reason,
        unsaid.at if unsaid else None,
        unsaid.reason if unsaid else "",
    )


class TermsRow(NamedTuple):
    """Terms of a person on the days asked about. ends: the last day, the employment's where that is earlier;
    None while neither has one. amount: minor units a year (salary) or an hour (hourly)."""

    person_id: UUID
    starts: date
    ends: date | None
    basis: str
    amount: int
    minutes_per_week: int
    working_days: int
    title: str
    cost_centre: str
    employment_id: UUID
    employed_from: date
    employed_until: date | None
    terms_id: UUID
    said: int


TERMS_BETWEEN = """
SELECT t.person_id, t.starts, least(t.ends, m.ends), t.basis, t.amount, t.minutes_per_week, t.working_days,
  t.title, t.cost_centre, t.employment_id, m.starts, m.ends, t.id, t.said
FROM people_terms t
JOIN people_employment m ON m.client_id = t.client_id AND m.id = t.employment_id
WHERE t.client_id = %(client)s AND t.person_id BETWEEN %(first)s AND %(last)s
  AND {known} AND t.starts <= %(ends)s AND (t.ends IS NULL OR t.ends >= %(starts)s)
  AND (m.ends IS NULL OR m.ends >= greatest(%(starts)s::date, t.starts))
ORDER BY t.person_id, t.starts
"""
NOW = "t.unsaid IS NULL"
AT_A_CHANGE = "t.said <= %(known)s AND (t.unsaid IS NULL OR t.unsaid > %(known)s)"


def terms_between(
    first_person: UUID,
    last_person: UUID,
    starts: date,
    ends: date,
    *,
    known_at: int | datetime | None = None,
) -> list[TermsRow]:
    """Terms of the people from one id to another that touch the days, by person and day; never overlapping.

    known_at: as they stood at that change (see terms_known), or at what had been said by that time; None is
    now. A number is exact; a time misses what was being said just then. The last day of an employment is
    always today's knowledge. Rows have their whole days, which the caller cuts to the period.
    """
    if isinstance(known_at, datetime):
        known_at = terms_known(known_at)
    question = TERMS_BETWEEN.format(known=NOW if known_at is None else AT_A_CHANGE)
    asked: dict[str, Any] = {
        "client": current_client_id(), "first": first_person, "last": last_person,
        "starts": starts, "ends": ends, "known": known_at,
    }  # fmt: skip
    with planned_anew(), connection.cursor() as cursor:
        cursor.execute(question, asked)
        return [TermsRow(*row) for row in cursor.fetchall()]


def terms_known(at: datetime | None = None) -> int:
    """The number of the last change of terms that is seen, or that had been said by a time; 0 before any.

    What a calculation keeps, to ask later what has been said since.
    """
    changes = TermsChange.objects.filter(client_id=current_client_id())
    if at is not None:
        changes = changes.filter(at__lte=at)
    return changes.order_by("-number").values_list("number", flat=True).first() or 0


def employments_of(person_id: UUID) -> list[Employment]:
    """From when to when, newest first."""
    mine = Employment.objects.filter(client_id=current_client_id(), person_id=person_id)
    return list(mine.order_by("-starts", "-id"))


@dataclass(frozen=True)
class EndingSeen:
    """What was said of the end of an employment. why: in words."""

    last_day: date
    why: str
    note: str
    by: str
    at: datetime


def endings_of(person_id: UUID) -> list[EndingSeen]:
    """All that was said of a person's leaving, the latest first."""
    rows = list(
        EmploymentEnding.objects.filter(
            client_id=current_client_id(), employment__person_id=person_id
        ).order_by("-at", "-id")
    )
    names = dict(User.objects.filter(id__in={r.by_user_id for r in rows}).values_list("id", "name"))
    return [EndingSeen(r.last_day, LEAVING[r.why], r.note, names.get(r.by_user_id, ""), r.at) for r in rows]


@dataclass(frozen=True)
class HeldAccount:
    """An account that waits for a second person, beside the one that stands; dots where it is not opened."""

    proposal_id: UUID
    person_id: UUID
    payroll_number: str
    name: str
    starts: date
    account: Account
    standing: Account | None
    content_hash: str
    reason: str
    by: str
    at: datetime


def held_accounts(*, person_id: UUID | None = None, show_bank: bool = False) -> list[HeldAccount]:
    """What is held at this client, the oldest first. Opening the accounts is logged."""
    client_id = current_client_id()
    decided = AccountDecision.objects.filter(client_id=client_id).values("proposal_id")
    held = AccountProposal.objects.filter(client_id=client_id).exclude(id__in=decided)
    if person_id is not None:
        held = held.filter(person_id=person_id)
    rows = list(held.select_related("person").order_by("at", "id"))
    people = [row.person_id for row in rows]
    accounts = list(BankAccount.objects.filter(client_id=client_id, person_id__in=people, ends=None))
    purpose = "held accounts"
    new = _opened_proposals(rows, purpose) if show_bank else _dotted_proposals(rows)
    old = _opened(accounts, purpose) if show_bank else _dotted(accounts)
    standing = {row.person_id: account for row, account in zip(accounts, old, strict=True)}
    names = dict(User.objects.filter(id__in={r.by_user_id for r in rows}).values_list("id", "name"))
    return [
        HeldAccount(
            row.id, row.person_id, row.person.payroll_number, row.person.name, row.starts, account,
            standing.get(row.person_id), bytes(row.content_hash).hex(), row.reason,
            names.get(row.by_user_id, ""), row.at,
        )
        for row, account in zip(rows, new, strict=True)
    ]  # fmt: skip


def _dotted_proposals(rows: list[AccountProposal]) -> list[Account]:
    return [Account(r.starts, None, r.account_name, DOTS, DOTS) for r in rows]


def _opened_proposals(rows: list[AccountProposal], purpose: str) -> list[Account]:
    sort_codes = reveal(rows, "sort_code", purpose=purpose)
    numbers = reveal(rows, "account_number", purpose=purpose)
    return [
        Account(r.starts, None, r.account_name, sort_code or "", number or "")
        for r, sort_code, number in zip(rows, sort_codes, numbers, strict=True)
    ]


def holds_first_accounts() -> bool:
    """Whether the client's policy holds first accounts, too. Any other account always waits."""
    policies = AccountPolicy.objects.filter(client_id=current_client_id()).order_by("-at", "-id")
    latest = policies.first()
    return latest is not None and latest.hold_first


@dataclass(frozen=True)
class DecidedAccount:
    """What became of an account that was held."""

    payroll_number: str
    name: str
    outcome: str
    reason: str
    by: str
    at: datetime


def decided_accounts(limit: int = 50) -> list[DecidedAccount]:
    """What was decided last."""
    rows = list(
        AccountDecision.objects.filter(client_id=current_client_id())
        .select_related("proposal__person")
        .order_by("-at", "-proposal_id")[:limit]
    )
    names = dict(User.objects.filter(id__in={r.by_user_id for r in rows}).values_list("id", "name"))
    return [
        DecidedAccount(
            r.proposal.person.payroll_number, r.proposal.person.name, r.outcome, r.reason,
            names.get(r.by_user_id, ""), r.at,
        )
        for r in rows
    ]  # fmt: skip


@dataclass(frozen=True)
class PersonWarning:
    """Something odd about somebody, and what to look at. It blocks nothing by itself."""

    person_id: UUID
    payroll_number: str
    name: str
    kind: str
    problem: str
    remedy: str


# One statement for all the people of a run. Accounts are compared by fingerprints, which say nothing else.
# Who is twice is counted in one pass over all of them: a join of everybody with everybody is the plan that
# PostgreSQL takes where it thinks a client small.
PERSON_WARNINGS = """
WITH paid AS MATERIALIZED (
  SELECT b.person_id, b.fingerprint, b.starts, p.payroll_number, p.name,
    count(*) OVER (PARTITION BY b.fingerprint) AS many
  FROM people_bankaccount b JOIN people_person p ON p.client_id = b.client_id AND p.id = b.person_id
  WHERE b.client_id = %(client)s AND b.starts <= %(day)s AND (b.ends IS NULL OR b.ends >= %(day)s)),
twice AS MATERIALIZED (
  SELECT * FROM (
    SELECT p.id, p.payroll_number, p.name, p.ni_fingerprint,
      count(*) OVER (PARTITION BY p.ni_fingerprint) AS many
    FROM people_person p WHERE p.client_id = %(client)s AND p.ni_fingerprint IS NOT NULL) numbered
  WHERE many > 1)
SELECT p.id, p.payroll_number, p.name, 'held account', NULL, h.starts FROM people_accountproposal h
JOIN people_person p ON p.client_id = h.client_id AND p.id = h.person_id
WHERE h.client_id = %(client)s AND h.person_id BETWEEN %(first)s AND %(last)s
  AND NOT EXISTS (SELECT FROM people_accountdecision d WHERE d.client_id = h.client_id AND d.id = h.id)
UNION ALL
SELECT m.person_id, m.payroll_number, m.name, 'shared account',
  (SELECT string_agg(o.payroll_number, ', ' ORDER BY o.payroll_number COLLATE "C") FROM paid o
   WHERE o.fingerprint = m.fingerprint AND o.person_id <> m.person_id), NULL
FROM paid m WHERE m.many > 1 AND m.person_id BETWEEN %(first)s AND %(last)s
UNION ALL
SELECT m.person_id, m.payroll_number, m.name, 'leaver''s account', NULL, m.starts FROM paid m
CROSS JOIN LATERAL (SELECT e.client_id, e.ends FROM people_employment e WHERE e.person_id = m.person_id
  ORDER BY e.starts DESC LIMIT 1) last
WHERE m.person_id BETWEEN %(first)s AND %(last)s AND last.client_id = %(client)s AND m.starts > last.ends
UNION ALL
SELECT w.id, w.payroll_number, w.name, 'number twice',
  (SELECT string_agg(o.payroll_number, ', ' ORDER BY o.payroll_number COLLATE "C") FROM twice o
   WHERE o.ni_fingerprint = w.ni_fingerprint AND o.id <> w.id), NULL
FROM twice w WHERE w.id BETWEEN %(first)s AND %(last)s
ORDER BY 2, 4
"""


def person_warnings(first_person: UUID, last_person: UUID, day: date) -> list[PersonWarning]:
    """What is odd about the people from one id to another if they are paid on that day: a held change of
    account, one account for two, one identity number for two, a leaver paid into a later account."""
    asked: dict[str, Any] = {
        "client": current_client_id(),
        "first": first_person,
        "last": last_person,
        "day": day,
    }
    with planned_anew(), connection.cursor() as cursor:
        cursor.execute(PERSON_WARNINGS, asked)
        return [
            PersonWarning(person_id, number, name, kind, *_warned(kind, others, since))
            for person_id, number, name, kind, others, since in cursor.fetchall()
        ]


def _warned(kind: str, others: str | None, since: date | None) -> tuple[str, str]:
    if kind == "held account":
        problem = f"another account from {since} waits for a second person; the one on file is paid"
        return problem, "Approve or refuse it before the run is approved"
    if kind == "shared account":
        return f"is paid into the same account as {others}", "Ask both; one of them may not exist"
    if kind == "leaver's account":
        return f"left before the account of {since} was given", "Ask the person by another way"
    return f"has the same National Insurance number as {others}", "Look at both; one of them may not exist"


@dataclass(frozen=True)
class LoginRow:
    """Which user is which person, from when to when."""

    id: UUID
    user_id: UUID
    payroll_number: str
    name: str
    starts: date
    ends: date | None


def logins() -> list[LoginRow]:
    """Every login that was given here: those that stand first, then by name."""
    rows = PersonLogin.objects.filter(client_id=current_client_id()).select_related("person")
    found = [
        LoginRow(r.id, r.user_id, r.person.payroll_number, r.person.name, r.starts, r.ends) for r in rows
    ]
    return sorted(found, key=lambda r: (r.ends is not None, r.name, r.starts))
