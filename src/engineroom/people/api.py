"""People for programs: who is known to a client, employed from when to when, paid to which account."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from ninja import Query, Schema

from engineroom.foundation.api import Page, PageAsked, Room, cut, hides, one
from engineroom.foundation.crypto.fields import reveal
from engineroom.foundation.tenancy.models import Client
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
