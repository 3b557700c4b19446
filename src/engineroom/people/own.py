"""Questions of somebody about themselves. Who they are is the login's answer, and never an address's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection
from django.utils import timezone

from engineroom.foundation import crypto
from engineroom.foundation.audit import services as audit
from engineroom.foundation.crypto.fields import DOTS, encrypted_field
from engineroom.foundation.dated import lives_on
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.people.models import BankAccount, Employment, Person, PersonLogin


def clients_where_i_am_somebody() -> list[UUID]:
    """Of the clients that are read, those where the acting user is a person today."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT client_id FROM people_personlogin WHERE user_id = %s AND starts <= current_date "
            "AND (ends IS NULL OR ends >= current_date)",
            [current_scope().user.id],
        )
        return [row[0] for row in cursor.fetchall()]


def myself() -> Person | None:
    """Who the acting user is today, at the client that is read; None if nobody."""
    scope = current_scope()
    today = timezone.now().date()
    login = (
        PersonLogin.objects.filter(lives_on(today), client_id=scope.read[0], user_id=scope.user.id)
        .select_related("person")
        .first()
    )
    return login.person if login else None


@dataclass(frozen=True)
class PaidInto:
    """Where somebody is paid, as they recognise it: dots and the last digits."""

    starts: date
    ends: date | None
    account_name: str
    account: str


def my_accounts(me: Person) -> list[PaidInto]:
    """The acting user's own accounts, newest first. The read is logged."""
    rows = list(
        BankAccount.objects.filter(client_id=me.client_id, person_id=me.counterparty_id).order_by("-starts")
    )
    if rows:
        audit.record_read(
            me.client_id,
            subject_kind="bank_account",
            subject_id=me.counterparty_id,
            detail={"purpose": "shown to its owner", "rows": len(rows)},
        )
    return [PaidInto(row.starts, row.ends, row.account_name, _last_digits(row)) for row in rows]


def _last_digits(row: BankAccount) -> str:
    """Opened past the roles, which open nothing here: the row is the reader's own."""
    place = encrypted_field(BankAccount, "account_number").place
    number = crypto.unseal(row.client_id, place, bytes(row.account_number)).decode()
    return f"{DOTS}{number[-4:]}"


def my_employments(me: Person) -> list[Employment]:
    """From when to when, newest first."""
    return list(
        Employment.objects.filter(client_id=me.client_id, person_id=me.counterparty_id).order_by("-starts")
    )
