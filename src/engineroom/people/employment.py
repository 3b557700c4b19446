"""Beginning to work for a client, leaving, and coming back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import IntegrityError, transaction

from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, Problem, too_long
from engineroom.people.imports import add_people
from engineroom.people.models import LEAVING, Employment, EmploymentEnding, Person


@dataclass(frozen=True)
class Starter:
    """Somebody new, as a command is given them: the audit trail sees a hash of what is private."""

    payroll_number: str
    name: str
    email: str
    said: str

    date_of_birth = None
    ni_number = ""

    @classmethod
    def of(
        cls, payroll_number: str, name: str, *, email: str, date_of_birth: date | None, ni_number: str
    ) -> Starter:
        said = hashlib.sha256(f"{current_scope().client_id}|{date_of_birth}|{ni_number}".encode()).hexdigest()
        made = cls(payroll_number.strip(), name.strip(), email.strip(), said)
        object.__setattr__(made, "date_of_birth", date_of_birth)
        object.__setattr__(made, "ni_number", ni_number.replace(" ", "").upper())
        return made


@dataclass(frozen=True)
class Employed:
    person_id: UUID
    employment_id: UUID

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("people.prepare")
def begin_person(starter: Starter, *, starts: date) -> Employed:
    """Somebody new, employed from a day on. Raises InputRefused, or Conflict where the number is taken."""
    wrong = [
        Problem(f"the {word} is empty", "Write it", field=field)
        for word, field, text in (
            ("payroll number", "payroll_number", starter.payroll_number),
            ("name", "name", starter.name),
        )
        if not text
    ]
    wrong += too_long("payroll_number", starter.payroll_number, 20) + too_long("name", starter.name, 200)
    if wrong:
        raise InputRefused(wrong)
    client_id = current_scope().client_id
    if Person.objects.filter(client_id=client_id, payroll_number=starter.payroll_number).exists():
        raise Conflict(
            f"payroll number {starter.payroll_number} is somebody's already; a return is their own"
        )
    row = {
        "payroll_number": starter.payroll_number, "name": starter.name, "email": starter.email,
        "date_of_birth": starter.date_of_birth, "ni_number": starter.ni_number or None,
        "start_date": starts, "leave_date": None, "sort_code": None,
    }  # fmt: skip
    add_people(client_id, [row])
    employment = Employment.objects.get(client_id=client_id, person__payroll_number=starter.payroll_number)
    return Employed(employment.person_id, employment.id)


@command("people.prepare")
def end_employment(person_id: UUID, *, last_day: date, why: str, note: str = "") -> Employed:
    """The last day of the employment, and why. Said again with another day, it is moved."""
    wrong = too_long("note", note, 300)
    if why not in LEAVING:
        wrong.append(Problem(f"there is no reason {why!r}", f"Use one of: {', '.join(LEAVING)}", field="why"))
    employment = _latest(person_id)
    if last_day < employment.starts:
        problem = f"the employment begins on {employment.starts}"
        wrong.append(Problem(problem, "Give that day or a later one", field="last_day"))
    if wrong:
        raise InputRefused(wrong)
    employment.ends = last_day
    employment.save(update_fields=["ends"])
    EmploymentEnding.objects.create(
        client_id=employment.client_id,
        employment=employment,
        last_day=last_day,
        why=why,
        note=note.strip(),
        by_user_id=current_scope().user.id,
    )
    return Employed(person_id, employment.id)


@command("people.prepare")
def re_employ(person_id: UUID, *, starts: date) -> Employed:
    """A new employment of somebody who had left, from a day on: terms and tax details are given anew."""
    before = _latest(person_id)
    if before.ends is None:
        raise Conflict(f"the employment since {before.starts} has no last day: end it first")
    if starts <= before.ends:
        problem = f"the employment before ends on {before.ends}"
        raise InputRefused([Problem(problem, "Begin after that day", field="starts")])
    try:
        with transaction.atomic():
            made = Employment.objects.create(client_id=before.client_id, person_id=person_id, starts=starts)
    except IntegrityError as error:
        raise Conflict("another employment of this person has these days") from error
    return Employed(person_id, made.id)


def _latest(person_id: UUID) -> Employment:
    found = (
        Employment.objects.filter(client_id=current_scope().client_id, person_id=person_id)
        .order_by("-starts")
        .first()
    )
    if found is None:
        raise NotFound(f"there is no employment of a person {person_id}")
    return found
