"""Files of tax details."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from engineroom.foundation.columns import insert_columns
from engineroom.foundation.imports.services import Parsed, importer
from engineroom.foundation.imports.sheets import Column, Sheet
from engineroom.foundation.imports.tables import Findings, TableImporter
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Problem
from engineroom.kernel.ids import uuid7s
from engineroom.payroll.engine.gb.nic import DIRECTOR_METHODS, WEEKS_OF_A_DIRECTOR
from engineroom.payroll.engine.gb.pension import RELIEFS
from engineroom.payroll.models import TaxDetails
from engineroom.payroll.tax_details import CATEGORIES, LOAN_PLANS, TaxSaid, as_kept, wrong
from engineroom.people.models import Person


@importer
class TaxDetailsFile(TableImporter):
    """How people are taxed from a day on. A later day ends what stood before it."""

    kind = "tax-details"
    permission = "payroll.prepare"
    summary = "tax codes, NI categories, loans, pension, directors, and figures of earlier employment"
    columns = (
        Column("payroll_number", required=True, max_length=20),
        Column("from_date", "date", required=True),
        Column("tax_code", required=True, max_length=12),
        Column("basis", "choice", choices=("cumulative", "week1")),
        Column("ni_category", "choice", required=True, choices=CATEGORIES),
        Column("student_loan_plan", "choice", choices=LOAN_PLANS),
        Column("postgraduate_loan", "bool"),
        Column("pension_relief", "choice", choices=RELIEFS[1:]),
        Column("pension_employee", "percent"),
        Column("pension_employer", "percent"),
        Column("director", "choice", choices=DIRECTOR_METHODS[1:]),
        Column("director_weeks", "int"),
        Column("previous_pay", "money"),
        Column("previous_tax", "money"),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        c = sheet.columns
        people = _people()
        found.repeated(c["payroll_number"], "payroll_number", lambda key: f"payroll number {key}")
        latest = _latest()
        for i, (number, starts) in enumerate(zip(c["payroll_number"], c["from_date"], strict=True)):
            if number not in people:
                found.at(
                    i,
                    "payroll_number",
                    f"there is nobody with payroll number {number!r}",
                    "Import the person first",
                )
            before = latest.get(people[number]) if number in people else None
            for one in wrong(_said(c, i), starts, before):
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
        insert_columns(
            TaxDetails,
            {
                "id": uuid7s(n),
                "client_id": client_id,
                "person_id": ids,
                "starts": c["from_date"],
                "tax_code": [as_kept(code) for code in c["tax_code"]],
                "is_cumulative": np.array([basis != "week1" for basis in c["basis"]], dtype=bool),
                "ni_category": c["ni_category"],
                "student_loan_plan": [plan or "" for plan in c["student_loan_plan"]],
                "postgraduate_loan": np.array([bool(v) for v in c["postgraduate_loan"]], dtype=bool),
                "pension_relief": [relief or "" for relief in c["pension_relief"]],
                "pension_employee_ppm": _column(c["pension_employee"]),
                "pension_employer_ppm": _column(c["pension_employer"]),
                "director_method": [method or "" for method in c["director"]],
                "director_weeks": np.array([w or WEEKS_OF_A_DIRECTOR for w in c["director_weeks"]], np.int32),
                "previous_pay": _column(c["previous_pay"]),
                "previous_tax": _column(c["previous_tax"]),
            },
            n,
        )
        return {"tax details": n, "superseded": changed}


def _said(c: Any, i: int) -> TaxSaid:
    """What a row says that only its several columns together, or the engine, can find wrong."""
    return TaxSaid(
        c["tax_code"][i],
        pension_relief=c["pension_relief"][i] or "",
        pension_employee=c["pension_employee"][i],
        director_weeks=c["director_weeks"][i],
    )


def _column(values: list[int | None]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([v or 0 for v in values], dtype=np.int64)


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
