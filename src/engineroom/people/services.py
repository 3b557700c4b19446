"""Who of the users is which person: given by somebody who may grant, dated, and ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import transaction
from django.db.utils import DatabaseError

from engineroom.foundation.access.services import switched_off
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, NotPermitted
from engineroom.people.models import Person, PersonLogin


@dataclass(frozen=True)
class LoginGiven:
    login_id: UUID
    person_id: UUID
    user_id: UUID

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("foundation.grant")
def give_login(person_id: UUID, user_id: UUID, *, starts: date) -> LoginGiven:
    """Let a user be this person: they see the person's pay, hours and details, and nobody else's.

    Who may grant may give it, since that is what it is. The user also needs the role employee on the client.
    """
    client_id = current_scope().client_id
    if not Person.objects.filter(client_id=client_id, counterparty_id=person_id).exists():
        raise NotFound(f"there is no person {person_id}")
    if problems := switched_off(user_id):
        raise InputRefused(problems)
    login = PersonLogin(client_id=client_id, person_id=person_id, user_id=user_id, starts=starts)
    login.given_by_id = current_scope().user.id
    try:
        with transaction.atomic():
            login.save(force_insert=True)
    except DatabaseError as error:
        raise _explained(error) from error
    return LoginGiven(login.id, person_id, user_id)


@command("foundation.grant")
def end_login(login_id: UUID, *, ends: date) -> LoginGiven:
    """The user is that person through a day, and no longer: its first day, where it has not begun."""
    login = PersonLogin.objects.filter(client_id=current_scope().client_id, id=login_id).first()
    if login is None:
        raise NotFound(f"there is no login {login_id}")
    ends = max(ends, login.starts)
    if login.ends is not None and ends > login.ends:
        raise Conflict(f"this login ends on {login.ends} already; more time is a new one")
    login.ends = ends
    login.save(update_fields=["ends"])
    return LoginGiven(login.id, login.person_id, login.user_id)


def _explained(error: DatabaseError) -> Exception:
    """PostgreSQL's refusal as a sentence; anything unforeseen as it came."""
    state = getattr(error.__cause__, "sqlstate", None)
    if state == "ER403":
        return NotPermitted(str(error.__cause__).splitlines()[0])
    if state in ("23P01", "23505"):
        return Conflict(
            "this person has a login already, or this user is somebody here already; end that one"
        )
    return error
