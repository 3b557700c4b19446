"""Somebody new: employed, and taxed by what they declare, as their country asks it (`tax_record`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import InputRefused
from engineroom.payroll.models import TaxDetails
from engineroom.payroll.tax_details import record_here, row_of
from engineroom.payroll.tax_record import Said, wrong_values
from engineroom.people.employment import Starter, begin_person


@dataclass(frozen=True)
class Started:
    """taxed_by: in the words of the country."""

    person_id: UUID
    taxed_by: str

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


@command("payroll.prepare")
def start_employee(starter: Starter, declared: Said, *, starts: date) -> Started:
    """A new person with an employment, and the tax details that follow from what they declare."""
    record = record_here()
    problems = wrong_values(record.starting, declared)
    named = {problem.field for problem in problems}
    more = [one for one in record.wrong_start(declared, starts) if one.field not in named]
    if problems := [*problems, *more]:
        raise InputRefused(problems)
    details = record.begins(declared, starts)
    begun = begin_person(starter, starts=starts)
    TaxDetails.objects.create(
        client_id=current_scope().client_id,
        person_id=begun.person_id,
        starts=starts,
        **row_of(record, details),
    )
    return Started(begun.person_id, record.in_words(details))
