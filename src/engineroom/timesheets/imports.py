"""Files of customers, orders, assignments and hours."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
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
from engineroom.kernel.periods import week_ending
from engineroom.openitems.models import Counterparty
from engineroom.people.models import Person
from engineroom.timesheets.models import Assignment, AssignmentRate, PurchaseOrder, Timesheet
from engineroom.timesheets.services import Hours, record_hours

MINUTES_A_DAY = 24 * 60


@importer
class Customers(TableImporter):
    """Customers that the client places people with."""

    kind = "customers"
    permission = "timesheets.prepare"
    summary = "customers with their address, VAT number and terms"
    columns = (
        Column("code", required=True, max_length=40),
        Column("name", required=True, max_length=200),
        Column("address", max_length=500),
        Column("vat_number", max_length=20),
        Column("payment_days", "int"),
        Column("email", max_length=254),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        found.repeated(sheet.columns["code"], "code", lambda key: f"customer {key}")
        for i, days in enumerate(sheet.columns["payment_days"]):
            if days is not None and not 0 <= days <= 365:
                found.at(i, "payment_days", f"{days} days is not a payment term", "Write 0 to 365")
        return found.problems

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        c = parsed.content.columns
        added = 0
        for i, code in enumerate(c["code"]):
            details = {
                "address": c["address"][i] or "",
                "vat_number": c["vat_number"][i] or "",
                "payment_days": 30 if c["payment_days"][i] is None else c["payment_days"][i],
                "email": c["email"][i] or "",
            }
            _, made = Counterparty.objects.update_or_create(
                client_id=current_scope().client_id,
                kind="customer",
                code=code,
                defaults={"name": c["name"][i], "details": details},
            )
            added += made
        return {"customers": added, "changed": parsed.rows - added}


@importer
class Orders(TableImporter):
    """Customers' purchase orders with their limits."""

    kind = "orders"
    permission = "timesheets.prepare"
    summary = "purchase orders with limits in money and hours"
    columns = (
        Column("customer", required=True, max_length=40),
        Column("order_number", required=True, max_length=40),
        Column("from_date", "date", required=True),
        Column("until_date", "date"),
        Column("limit_amount", "money"),
        Column("limit_hours", "hours"),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        customers = _customers()
        for i, code in enumerate(sheet.columns["customer"]):
            if code is not None and code not in customers:
                found.at(i, "customer", f"there is no customer {code!r}", "Import the customer first, or correct the code")
        keys = list(zip(sheet.columns["customer"], sheet.columns["order_number"], strict=True))
        found.repeated(keys, "order_number", lambda key: f"order {key[1]} of {key[0]}")
        return found.problems

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        c = parsed.content.columns
        customers = _customers()
        for i, number in enumerate(c["order_number"]):
            PurchaseOrder.objects.update_or_create(
                client_id=current_scope().client_id,
                customer_id=customers[c["customer"][i]],
                number=number,
                defaults={
                    "starts": c["from_date"][i],
                    "ends": c["until_date"][i],
                    "limit_minor": c["limit_amount"][i],
                    "limit_minutes": c["limit_hours"][i],
                },
            )
        return {"orders": parsed.rows}


@importer
class Assignments(TableImporter):
    """People placed with customers, and their rates."""

    kind = "assignments"
    permission = "timesheets.prepare"
    summary = "assignments: who works where, at what pay and bill rate"
    columns = (
        Column("assignment", required=True, max_length=20),
        Column("payroll_number", required=True, max_length=20),
        Column("customer", required=True, max_length=40),
        Column("order_number", max_length=40),
        Column("role", required=True, max_length=100),
        Column("start_date", "date", required=True),
        Column("end_date", "date"),
        Column("pay_rate", "money", required=True),
        Column("bill_rate", "money", required=True),
        Column("overtime", "percent"),
        Column("weekend", "percent"),
        Column("weekly_hours", "hours"),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        c = sheet.columns
        people, customers, orders = _people(), _customers(), _orders()
        taken = set(
            Assignment.objects.filter(client_id=current_scope().client_id).values_list("code", flat=True)
        )
        found.repeated(c["assignment"], "assignment", lambda key: f"assignment {key}")
        for i in range(len(sheet.row_numbers)):
            if c["assignment"][i] in taken:
                found.at(i, "assignment", f"assignment {c['assignment'][i]!r} exists", "Use a new code, or leave the row out")
            if c["payroll_number"][i] not in people:
                found.at(i, "payroll_number", f"there is nobody with payroll number {c['payroll_number'][i]!r}", "Import the person first")
            if c["customer"][i] not in customers:
                found.at(i, "customer", f"there is no customer {c['customer'][i]!r}", "Import the customer first")
            elif c["order_number"][i] and (c["customer"][i], c["order_number"][i]) not in orders:
                found.at(i, "order_number", f"{c['customer'][i]} has no order {c['order_number'][i]!r}", "Import the order first")
            for name in ("pay_rate", "bill_rate"):
                if c[name][i] is not None and c[name][i] <= 0:
                    found.at(i, name, "a rate is above zero", "Write pounds an hour, as 12.71")
        return found.problems

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        c = parsed.content.columns
        client_id, n = current_scope().client_id, parsed.rows
        people, customers, orders = _people(), _customers(), _orders()
        ids = uuid7s(n)
        order_ids = [orders.get((k, o)) if o else None for k, o in zip(c["customer"], c["order_number"], strict=True)]
        insert_columns(
            Assignment,
            {
                "id": ids,
                "client_id": client_id,
                "code": c["assignment"],
                "person_id": [people[p] for p in c["payroll_number"]],
                "customer_id": [customers[k] for k in c["customer"]],
                "order_id": order_ids,
                "role": c["role"],
                "starts": c["start_date"],
                "ends": c["end_date"],
            },
            n,
            casts={"ends": "date", "order_id": "uuid"},
        )
        insert_columns(
            AssignmentRate,
            {
                "id": uuid7s(n),
                "client_id": client_id,
                "assignment_id": ids,
                "starts": c["start_date"],
                "pay_rate": _column(c["pay_rate"], 0),
                "bill_rate": _column(c["bill_rate"], 0),
                "overtime_ppm": _column(c["overtime"], 1_500_000),
                "weekend_ppm": _column(c["weekend"], 1_500_000),
                "weekly_threshold_minutes": _column(c["weekly_hours"], 40 * 60),
            },
            n,
        )
        return {"assignments": n}


@importer
class Timesheets(TableImporter):
    """Hours, one row a day, as the customer answered for them."""

    kind = "timesheets"
    permission = "timesheets.prepare"
    summary = "hours worked: one row per assignment and day"
    columns = (
        Column("assignment", required=True, max_length=20),
        Column("payroll_number", required=True, max_length=20, aliases=("person",)),
        Column("date", "date", required=True),
        Column("hours", "hours", required=True),
        Column("status", "choice", choices=("approved", "disputed")),
        Column("comment", max_length=500),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        assignments = _assignments(set(sheet.columns["assignment"]))
        c = sheet.columns
        minutes_a_day: dict[tuple[str, date], int] = defaultdict(int)
        for i, (code, number, day, minutes) in enumerate(
            zip(c["assignment"], c["payroll_number"], c["date"], c["hours"], strict=True)
        ):
            assignment = assignments.get(code)
            if assignment is None:
                found.at(i, "assignment", f"there is no assignment {code!r}", "Import the assignment first, or correct the code")
            else:
                self._check_row(found, i, assignment, number, day)
            if minutes < 0:
                found.at(i, "hours", "hours are below zero", "Leave the row out; correct accepted hours with a correction file")
            minutes_a_day[number, day] += minutes
            if minutes_a_day[number, day] > MINUTES_A_DAY:
                total = minutes_a_day[number, day]
                found.at(i, "hours", f"{number} would work {total / 60:g} hours on {day}", "A day has 24 hours; correct the rows of that day")
        keys = list(zip(c["assignment"], c["date"], strict=True))
        found.repeated(keys, "date", lambda key: f"{key[0]} on {key[1]}")
        self._check_weeks(found, assignments, keys)
        return found.problems

    @staticmethod
    def _check_row(found: Findings, i: int, assignment: dict[str, Any], number: str, day: date) -> None:
        if assignment["person__payroll_number"] != number:
            found.at(i, "payroll_number", f"assignment {assignment['code']} is not {number}'s", f"It is {assignment['person__payroll_number']}'s; correct one of the two")
        if day < assignment["starts"] or (assignment["ends"] and day > assignment["ends"]):
            until = f" to {assignment['ends']}" if assignment["ends"] else ""
            found.at(i, "date", f"{day} lies outside the assignment, which runs from {assignment['starts']}{until}", "Correct the date, or extend the assignment")

    @staticmethod
    def _check_weeks(found: Findings, assignments: dict[str, dict[str, Any]], keys: list[tuple[str, date]]) -> None:
        """A week that was taken before is not taken again by another file: that would pay it twice."""
        weeks = {(code, week_ending(day)) for code, day in keys if code in assignments}
        taken = set(
            Timesheet.objects.filter(
                client_id=current_scope().client_id,
                week_ending__in={week for _, week in weeks},
                assignment_id__in=[assignments[code]["id"] for code, _ in weeks],
            ).values_list("assignment__code", "week_ending")
        )
        said = set()
        for i, (code, day) in enumerate(keys):
            key = (code, week_ending(day))
            if key in taken and key not in said:
                said.add(key)
                found.at(i, "date", f"{code} for the week ending {key[1]} was taken in already", "Leave these rows out; send changes as a correction")

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        c = parsed.content.columns
        kept = [i for i, minutes in enumerate(c["hours"]) if minutes]
        assignments = _assignments(set(c["assignment"]))
        hours = Hours(
            assignment_id=[assignments[c["assignment"][i]]["id"] for i in kept],
            code=[c["assignment"][i] for i in kept],
            order_id=[assignments[c["assignment"][i]]["order_id"] for i in kept],
            day=np.array([c["date"][i] for i in kept], dtype="datetime64[D]"),
            minutes=np.array([c["hours"][i] for i in kept], dtype=np.int64),
            disputed=[c["status"][i] == "disputed" for i in kept],
            comment=[c["comment"][i] or "" for i in kept],
        )
        return record_hours(hours, commit_id)


def _column(values: list[int | None], default: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([default if v is None else v for v in values], dtype=np.int64)


def _customers() -> dict[str, UUID]:
    rows = Counterparty.objects.filter(client_id=current_scope().client_id, kind="customer")
    return dict(rows.values_list("code", "id"))


def _people() -> dict[str, UUID]:
    return dict(Person.objects.filter(client_id=current_scope().client_id).values_list("payroll_number", "counterparty_id"))


def _orders() -> dict[tuple[str, str], UUID]:
    rows = PurchaseOrder.objects.filter(client_id=current_scope().client_id)
    return {(customer, number): id for customer, number, id in rows.values_list("customer__code", "number", "id")}


def _assignments(codes: set[str]) -> dict[str, dict[str, Any]]:
    rows = Assignment.objects.filter(client_id=current_scope().client_id, code__in=codes)
    fields = ("id", "code", "starts", "ends", "order_id", "person__payroll_number")
    return {row["code"]: row for row in rows.values(*fields)}
