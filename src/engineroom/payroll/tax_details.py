"""How a person is taxed from a day on, said of one person: a coding notice, another category, a pension.

What can be said is the client's country's (`tax_record`). A file says it of many (`imports.py`); what is
wrong with a row is found here for both.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation.commands import command
from engineroom.foundation.imports.sheets import Column, read_sheet
from engineroom.foundation.imports.tables import in_currency
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import InputRefused, NotFound, Problem, errors_of
from engineroom.payroll.jurisdictions import Asked, jurisdiction
from engineroom.payroll.models import TaxDetails
from engineroom.payroll.tax_record import Said, TaxField, TaxRecord, Value, wrong_values
from engineroom.people.models import Person


@dataclass(frozen=True)
class TaxDetailsSet:
    """tax_code: what they are taxed by, in the words of the country."""

    person_id: UUID
    tax_code: str
    starts: date

    @property
    def subject(self) -> str:
        return f"person:{self.person_id}"


def record_here() -> TaxRecord:
    """What the client's country keeps."""
    country = Client.objects.values_list("jurisdiction", flat=True).get(id=current_client_id())
    return jurisdiction(country).tax_record


def currency_here() -> str:
    """The client's."""
    return Client.objects.values_list("currency", flat=True).get(id=current_client_id())


def wrong(record: TaxRecord, said: Said, starts: date, before: date | None) -> list[Problem]:
    """What is to be mended of values that each are good. before: from when the latest details hold."""
    found = []
    if before is not None and starts <= before:
        remedy = "Give a later day: what was used is not changed"
        found.append(Problem(f"details from {before} stand already", remedy, field="from_date"))
    return [*found, *record.wrong(said)]


def column_of(field: TaxField) -> Column:
    """The field as a file has it."""
    if field.unit == "text":
        return Column(field.name, required=field.needed, max_length=field.max_length)
    if field.unit == "choice":
        return Column(field.name, "choice", required=field.needed, choices=field.choices)
    kinds = {"flag": "bool", "money": "money", "percent": "percent", "count": "int", "day": "date"}
    return Column(field.name, kinds[field.unit], required=field.needed)  # type: ignore[arg-type]


def as_typed(cells: Mapping[str, str], currency: str) -> dict[str, Value | None]:
    """What somebody typed, each field as a cell of a file. Raises InputRefused."""
    fields = {one.name: one for one in record_here().fields}
    if unknown := [name for name in cells if name not in fields]:
        remedy = f"Kept are {', '.join(fields)}"
        raise InputRefused([Problem(f"no {name!r} is kept here", remedy, field=name) for name in unknown])
    said: dict[str, Value | None] = dict.fromkeys(cells)
    filled = {name: text for name, text in cells.items() if text.strip()}
    if not filled:
        return said
    columns = in_currency([column_of(fields[name]) for name in filled], currency)
    text = io.StringIO()
    csv.writer(text).writerows([filled.keys(), filled.values()])
    sheet = read_sheet(text.getvalue().encode(), file_name="", columns=columns)
    if problems := errors_of(sheet.problems):
        raise InputRefused([Problem(p.problem, p.remedy, field=p.field) for p in problems])
    return said | {name: sheet.columns[name][0] for name in filled}


def row_of(record: TaxRecord, said: Said) -> dict[str, Any]:
    """The columns of a row of `TaxDetails`, those that the country does not use among them."""
    keys = ("id", "client_id", "person_id", "starts", "ends")
    blank = {f.attname: f.get_default() for f in TaxDetails._meta.concrete_fields if f.attname not in keys}
    return blank | record.kept(said)


@command("payroll.prepare")
def set_tax_details(person_id: UUID, said: Said, *, starts: date) -> TaxDetailsSet:
    """What is said holds from the day on; what stood before ends the day before. Raises InputRefused."""
    client_id, record = current_client_id(), record_here()
    if not Person.objects.filter(client_id=client_id, counterparty_id=person_id).exists():
        raise NotFound(f"there is nobody {person_id} here")
    mine = TaxDetails.objects.filter(client_id=client_id, person_id=person_id)
    before = mine.order_by("-starts").first()
    problems = wrong_values(record.fields, said)
    named = {problem.field for problem in problems}
    more = wrong(record, said, starts, before.starts if before else None)
    if problems := [*problems, *(one for one in more if one.field not in named)]:
        raise InputRefused(problems)
    mine.filter(ends=None).update(ends=starts - timedelta(days=1))
    TaxDetails.objects.create(client_id=client_id, person_id=person_id, starts=starts, **row_of(record, said))
    return TaxDetailsSet(person_id, record.in_words(said), starts)


def standing(person_id: UUID, on: date) -> dict[str, Value] | None:
    """The latest details as they would be said again from a day on."""
    mine = TaxDetails.objects.filter(client_id=current_client_id(), person_id=person_id)
    row = mine.order_by("-starts").first()
    return record_here().again(row, on) if row else None


STATED = """
SELECT d.person_id, d.stated FROM payroll_taxdetails d
WHERE d.client_id = %s AND d.person_id BETWEEN %s AND %s
  AND d.starts <= %s AND (d.ends IS NULL OR d.ends >= %s)
"""


def stated_on(asked: Asked) -> dict[UUID, dict[str, Any]]:
    """The documents of the people asked about, on the payday: what a law without columns goes by."""
    with connection.cursor() as cursor:
        cursor.execute(STATED, [asked.client_id, asked.first, asked.last, asked.pay_date, asked.pay_date])
        return {person: json.loads(stated) for person, stated in cursor.fetchall()}


@dataclass(frozen=True)
class Cell:
    """What stands in a list: on top, and small beneath it. is_money: it is pay, and a number."""

    top: str
    small: str
    is_money: bool


@dataclass(frozen=True)
class Listed:
    """Details in the columns of their country. headings: which are of money, too."""

    headings: list[tuple[str, bool]]
    rows: list[tuple[TaxDetails, list[Cell]]]


def listed(details: Sequence[TaxDetails]) -> Listed:
    """What held when, for people to read."""
    record, currency = record_here(), currency_here()
    fields = {one.name: one for one in record.fields}
    headings = [(one.heading, fields[one.fields[0]].unit == "money") for one in record.shown]
    rows = []
    for row in details:
        said, cells = record.said(row), []
        for column, (_, is_money) in zip(record.shown, headings, strict=True):
            top, *small = (fields[name].in_words(said.get(name), currency) for name in column.fields)
            cells.append(Cell(top, ", ".join(filter(None, small)), is_money))
        rows.append((row, cells))
    return Listed(headings, rows)
