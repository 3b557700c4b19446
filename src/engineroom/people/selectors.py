"""Questions of people: who is known to the client, and what is dated about one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from engineroom.foundation.crypto.fields import reveal
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.people.models import BankAccount, Employment, Person, PersonLogin
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
