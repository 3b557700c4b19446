"""Files of tax details."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from engineroom.foundation.columns import insert_columns
from engineroom.foundation.imports.services import Parsed, importer
from engineroom.foundation.imports.sheets import Column, Sheet
from engineroom.foundation.imports.tables import Findings, TableImporter
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Problem
from engineroom.kernel.ids import uuid7s
from engineroom.payroll.models import TaxDetails
from engineroom.payroll.tax_details import column_of, record_here, row_of, wrong
from engineroom.payroll.tax_record import Said, TaxRecord
from engineroom.people.models import Person


@importer
class TaxDetailsFile(TableImporter):
    """How people are taxed from a day on. A later day ends what stood before it."""

    kind = "tax-details"
    permission = "payroll.prepare"
    summary = "how people are taxed from a day on, as their country keeps it"
    columns = (
        Column("payroll_number", required=True, max_length=20),
        Column("from_date", "date", required=True),
    )

    def columns_here(self) -> Sequence[Column]:
        return [*self.columns, *(column_of(field) for field in record_here().fields)]

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        c = sheet.columns
        people = _people()
        found.repeated(c["payroll_number"], "payroll_number", lambda key: f"payroll number {key}")
        latest, record = _latest(), record_here()
        for i, (number, starts) in enumerate(zip(c["payroll_number"], c["from_date"], strict=True)):
            if number not in people:
                found.at(
                    i,
                    "payroll_number",
                    f"there is nobody with payroll number {number!r}",
                    "Import the person first",
                )
            before = latest.get(people[number]) if number in people else None
            for one in wrong(record, _said(record, c, i), starts, before):
                found.at(i, one.field or "", one.problem, one.remedy)
        return found.problems

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        c = parsed.content.columns
        client_id, n = current_scope().client_id, parsed.rows
        people = _people()
        ids = [people[number] for number in c["payroll_number"]]
        known = _latest()
        changed = 0
        for person_id, starts in zip(ids, c["from_date"], strict=True):
            if person_id in known:
                before = TaxDetails.objects.filter(client_id=client_id, person_id=person_id, ends=None)
                changed += before.update(ends=starts - timedelta(days=1))
        record = record_here()
        rows = [row_of(record, _said(record, c, i)) for i in range(n)]
        columns = {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
        given = {"id": uuid7s(n), "client_id": client_id, "person_id": ids, "starts": c["from_date"]}
        insert_columns(TaxDetails, given | columns, n)
        return {"tax details": n, "superseded": changed}


def _said(record: TaxRecord, c: Mapping[str, Sequence[Any]], i: int) -> Said:
    return {one.name: c[one.name][i] for one in record.fields if c[one.name][i] is not None}


def _people() -> dict[str, UUID]:
    return dict(
        Person.objects.filter(client_id=current_scope().client_id).values_list(
            "payroll_number", "counterparty_id"
        )
    )


def _latest() -> dict[UUID, date]:
    """The start of everybody's latest tax details."""
    rows = TaxDetails.objects.filter(client_id=current_scope().client_id).order_by("starts")
    return dict(rows.values_list("person_id", "starts"))
