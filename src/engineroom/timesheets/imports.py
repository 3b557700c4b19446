"""Files of customers, orders, assignments and hours."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from engineroom.foundation.columns import insert_columns
from engineroom.foundation.imports.services import Parsed, importer
from engineroom.foundation.imports.sheets import Column, Sheet
from engineroom.foundation.imports.tables import Findings, TableImporter
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Problem
from engineroom.kernel.ids import uuid7s
from engineroom.kernel.money import format_minor
from engineroom.kernel.periods import week_ending
from engineroom.kernel.rates import PPM, format_ppm
from engineroom.openitems.models import Counterparty
from engineroom.people.models import Person
from engineroom.timesheets.models import (
    Agreement,
    Assignment,
    AssignmentRate,
    PurchaseOrder,
    RateCard,
    TimeEntry,
    Timesheet,
)
from engineroom.timesheets.rates import MAX_RATE, Offer, not_offered
from engineroom.timesheets.services import Hours, record_hours

MINUTES_A_DAY = 24 * 60
RATES = ("pay_rate", "bill_rate", "overtime", "weekend", "weekly_hours")
Cards = dict[tuple[str, str], tuple[UUID, dict[str, list[tuple[date, date | None]]]]]
"""By customer and number of an agreement: its id, and the days of its rate cards by role."""


FOR_E_INVOICES = {
    "city": 100,
    "post_code": 20,
    "country": 2,
    "company_number": 40,
    "endpoint": 100,
    "buyer_reference": 100,
}
"""What an e-invoice says of a customer beyond what is printed, and how long it may be."""

ENDPOINT = re.compile(r"[0-9A-Z]{4}:\S+")


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
        *(Column(name, max_length=longest) for name, longest in FOR_E_INVOICES.items()),
        Column("client", max_length=20),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        found.repeated(sheet.columns["code"], "code", lambda key: f"customer {key}")
        for i, country in enumerate(sheet.columns["country"]):
            if country and not (len(country) == 2 and country.isascii() and country.isupper()):
                found.at(i, "country", f"{country!r} is not a country", "Write two capitals, as in GB")
        for i, endpoint in enumerate(sheet.columns["endpoint"]):
            if endpoint and not ENDPOINT.fullmatch(endpoint):
                problem = f"{endpoint!r} is no electronic address"
                found.at(i, "endpoint", problem, "Write scheme:number, as in 0088:5060012345678")
        for i, days in enumerate(sheet.columns["payment_days"]):
            if days is not None and not 0 <= days <= 365:
                found.at(i, "payment_days", f"{days} days is not a payment term", "Write 0 to 365")
        self._check_clients(found)
        return found.problems

    def _check_clients(self, found: Findings) -> None:
        """A customer of the house may be a client of the firm: what it is billed is then a bill there."""
        named = {i: code for i, code in enumerate(found.sheet.columns["client"]) if code}
        if not named:
            return
        at_home = Client.objects.filter(id=current_client_id(), is_house=True).exists()
        known = (
            set(Client.objects.filter(is_house=False).values_list("code", flat=True)) if at_home else set()
        )
        for i, code in named.items():
            if not at_home:
                remedy = "Leave it empty: only the firm's own customers are its clients"
                found.at(i, "client", f"{code!r} is no client of yours", remedy)
            elif code not in known:
                found.at(
                    i, "client", f"the firm has no client {code!r}", "Write the code of one of its clients"
                )

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        c = parsed.content.columns
        added = 0
        for i, code in enumerate(c["code"]):
            details = {
                "address": c["address"][i] or "",
                "vat_number": c["vat_number"][i] or "",
                "payment_days": 30 if c["payment_days"][i] is None else c["payment_days"][i],
                "email": c["email"][i] or "",
                **{name: c[name][i] for name in (*FOR_E_INVOICES, "client") if c[name][i]},
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
        Column("continues", max_length=40),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        customers = _customers()
        for i, code in enumerate(sheet.columns["customer"]):
            if code is not None and code not in customers:
                found.at(
                    i,
                    "customer",
                    f"there is no customer {code!r}",
                    "Import the customer first, or correct the code",
                )
        keys = list(zip(sheet.columns["customer"], sheet.columns["order_number"], strict=True))
        found.repeated(keys, "order_number", lambda key: f"order {key[1]} of {key[0]}")
        for i, row in enumerate(sheet.rows()):
            if row["until_date"] and row["until_date"] < row["from_date"]:
                problem = f"runs until {row['until_date']} and begins only on {row['from_date']}"
                found.at(i, "until_date", problem, "Correct one of the dates")
            for name in ("limit_amount", "limit_hours"):
                if row[name] is not None and row[name] < 0:
                    found.at(i, name, "a limit is not below zero", "Leave it empty where there is none")
        self._check_chains(found, list(sheet.rows()))
        return found.problems

    @staticmethod
    def _check_chains(found: Findings, rows: list[dict[str, Any]]) -> None:
        """An order goes on in one other, of the same customer, and never in a circle."""
        here = {(row["customer"], row["order_number"]) for row in rows}
        before = _continued()
        before.update({(r["customer"], r["order_number"]): r["continues"] for r in rows if r["continues"]})
        known = here | set(_orders())
        goes_on: dict[tuple[str, str], list[str]] = defaultdict(list)
        for (customer, number), continued in before.items():
            goes_on[customer, continued].append(number)
        for i, row in enumerate(rows):
            customer, number, continued = row["customer"], row["order_number"], row["continues"]
            if not continued:
                continue
            if continued == number:
                found.at(i, "continues", "the order continues itself", "Name the order before it")
            elif (customer, continued) not in known:
                problem = f"{customer} has no order {continued!r}"
                found.at(i, "continues", problem, "Correct the number, or import that order too")
            elif len(goes_on[customer, continued]) > 1:
                problem = (
                    f"two orders continue {continued}: {', '.join(sorted(goes_on[customer, continued]))}"
                )
                found.at(i, "continues", problem, "Let one continue the other")
            elif _in_a_circle(customer, number, before):
                problem = f"order {number} goes on in a circle"
                found.at(i, "continues", problem, "Let the first of them continue none")

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
        numbered = _orders()
        for customer, number, continued in zip(c["customer"], c["order_number"], c["continues"], strict=True):
            if continued:
                rows = PurchaseOrder.objects.filter(
                    client_id=current_scope().client_id, id=numbered[customer, number]
                )
                rows.update(continues_id=numbered[customer, continued])
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
        Column("pay_rate", "money"),
        Column("bill_rate", "money"),
        Column("overtime", "percent"),
        Column("weekend", "percent"),
        Column("weekly_hours", "hours"),
        Column("agreement", max_length=40),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        c = sheet.columns
        people, customers, orders = _people(), _customers(), _orders()
        cards = _cards() if any(c["agreement"]) else {}
        taken = set(
            Assignment.objects.filter(client_id=current_scope().client_id).values_list("code", flat=True)
        )
        found.repeated(c["assignment"], "assignment", lambda key: f"assignment {key}")
        rows = list(sheet.rows())
        refused = self._refused_rates(rows)
        for i, row in enumerate(rows):
            customer, order = row["customer"], row["order_number"]
            if row["assignment"] in taken:
                remedy = "Use a new code, or leave the row out"
                found.at(i, "assignment", f"assignment {row['assignment']!r} exists", remedy)
            if row["payroll_number"] not in people:
                problem = f"there is nobody with payroll number {row['payroll_number']!r}"
                found.at(i, "payroll_number", problem, "Import the person first")
            if customer not in customers:
                found.at(i, "customer", f"there is no customer {customer!r}", "Import the customer first")
            elif order and (customer, order) not in orders:
                found.at(i, "order_number", f"{customer} has no order {order!r}", "Import the order first")
            if row["agreement"]:
                self._check_agreement(found, i, row, cards)
            else:
                self._check_terms(found, i, row, refused.get(i, []))
            self._check_dates(found, i, row)
        return found.problems

    @staticmethod
    def _check_agreement(found: Findings, i: int, row: dict[str, Any], cards: Cards) -> None:
        """Its rates are the agreement's card of the role, from the first day on."""
        said = [name for name in RATES if row[name] is not None]
        if said:
            problem = f"{said[0]} is given beside an agreement, whose rate card says it"
            found.at(i, said[0], problem, "Leave one of the two empty")
        number, role = row["agreement"], row["role"]
        if (row["customer"], number) not in cards:
            problem = f"{row['customer']} has no agreement {number!r}"
            found.at(i, "agreement", problem, "Import its rate cards first, or correct the number")
        elif not _covers(cards[row["customer"], number][1].get(role, []), row["start_date"]):
            problem = f"agreement {number} has no rate card of {role!r} on {row['start_date']}"
            found.at(i, "role", problem, "Correct the role or the day, or import the card first")

    @staticmethod
    def _refused_rates(rows: Sequence[dict[str, Any]]) -> dict[int, list[Problem]]:
        """By row, what other rooms have against its rates, where they are rates and its own."""
        offers = {
            i: Offer(row["customer"], row["role"], row["start_date"], row["pay_rate"], row["bill_rate"])
            for i, row in enumerate(rows)
            if not row["agreement"]
            and all(0 < (row[name] or 0) <= MAX_RATE for name in ("pay_rate", "bill_rate"))
        }
        return dict(zip(offers, not_offered(list(offers.values())), strict=True))

    @staticmethod
    def _check_terms(found: Findings, i: int, row: dict[str, Any], refused: Sequence[Problem]) -> None:
        for name in ("pay_rate", "bill_rate"):
            if row[name] is None:
                remedy = "Write pounds an hour, or name the agreement whose rate card says it"
                found.at(i, name, f"there is no {name}", remedy)
            elif not 0 < row[name] <= MAX_RATE:
                problem = f"{format_minor(row[name])} is not a rate for an hour"
                found.at(i, name, problem, "Write pounds an hour, as 12.71")
        for wrong in refused:
            found.at(i, wrong.field or "bill_rate", wrong.problem, wrong.remedy)
        for name in ("overtime", "weekend"):
            if row[name] is not None and not PPM <= row[name] <= 10 * PPM:
                remedy = "Write what the hour pays of a basic one: 150% is time and a half"
                found.at(i, name, f"{format_ppm(row[name])} of the basic rate cannot be right", remedy)
        if row["weekly_hours"] is not None and not 0 <= row["weekly_hours"] <= 7 * MINUTES_A_DAY:
            problem = f"{row['weekly_hours'] / 60:g} hours are not hours of a week"
            found.at(i, "weekly_hours", problem, "Write 0 to 168")

    @staticmethod
    def _check_dates(found: Findings, i: int, row: dict[str, Any]) -> None:
        if row["end_date"] and row["end_date"] < row["start_date"]:
            problem = f"ends on {row['end_date']} before starting on {row['start_date']}"
            found.at(i, "end_date", problem, "Correct one of the dates")

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        c = parsed.content.columns
        client_id, n = current_scope().client_id, parsed.rows
        people, customers, orders = _people(), _customers(), _orders()
        ids = uuid7s(n)
        order_ids = [
            orders.get((k, o)) if o else None for k, o in zip(c["customer"], c["order_number"], strict=True)
        ]
        cards = _cards() if any(c["agreement"]) else {}
        follows = [
            cards[customer, number][0] if number else None
            for customer, number in zip(c["customer"], c["agreement"], strict=True)
        ]
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
                "agreement_id": follows,
                "follows_from": [
                    day if of else None for day, of in zip(c["start_date"], follows, strict=True)
                ],
            },
            n,
            casts={"ends": "date", "order_id": "uuid", "agreement_id": "uuid", "follows_from": "date"},
        )
        own = [i for i in range(n) if follows[i] is None]

        def of_own(name: str, otherwise: int = 0) -> np.ndarray[Any, np.dtype[np.int64]]:
            return _column([c[name][i] for i in own], otherwise)

        insert_columns(
            AssignmentRate,
            {
                "id": uuid7s(len(own)),
                "client_id": client_id,
                "assignment_id": [ids[i] for i in own],
                "starts": [c["start_date"][i] for i in own],
                "pay_rate": of_own("pay_rate"),
                "bill_rate": of_own("bill_rate"),
                "overtime_ppm": of_own("overtime", 1_500_000),
                "weekend_ppm": of_own("weekend", 1_500_000),
                "weekly_threshold_minutes": of_own("weekly_hours", 40 * 60),
            },
            len(own),
        )
        return {"assignments": n}


NOT_CORRECTED = (
    "accepted hours cannot be corrected here yet: settle the difference with the person and the customer "
    "outside, and keep a note of it"
)
"""See docs/limits.md. What was taken in stays as it is, whoever finds it wrong."""


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
        Column("status", "choice", choices=("approved", "disputed", "day disputed")),
        Column("comment", max_length=500),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        c = sheet.columns
        assignments = _assignments(set(c["assignment"]))
        numbers = set(c["payroll_number"])
        employed = _employments(numbers)
        unknown = numbers - set(_people())
        rows = zip(c["assignment"], c["payroll_number"], c["date"], c["hours"], strict=True)
        for i, (code, number, day, minutes) in enumerate(rows):
            if (assignment := assignments.get(code)) is None:
                remedy = "Import the assignment first, or correct the code"
                found.at(i, "assignment", f"there is no assignment {code!r}", remedy)
            else:
                self._check_row(found, i, assignment, day)
            if number in unknown:
                self._check_unknown(found, i, number, assignment)
            elif assignment and number != assignment["person__payroll_number"]:
                remedy = f"It is {assignment['person__payroll_number']}'s; correct one of the two"
                found.at(i, "payroll_number", f"assignment {code} is not {number}'s", remedy)
            if minutes and number in employed and not _covers(employed[number], day):
                remedy = "Correct the date, or the start or leave date in the file of people"
                found.at(i, "date", f"{number} is not employed on {day}", remedy)
            if minutes < 0:
                found.at(i, "hours", "hours are below zero", f"Leave the row out; {NOT_CORRECTED}")
        self._check_days(found, c["payroll_number"], c["date"], c["hours"])
        keys = list(zip(c["assignment"], c["date"], strict=True))
        found.repeated(keys, "date", lambda key: f"{key[0]} on {key[1]}")
        self._check_weeks(found, assignments, keys)
        return found.problems

    @staticmethod
    def _check_unknown(found: Findings, i: int, number: str, assignment: dict[str, Any] | None) -> None:
        """A number that is nobody's is most likely mistyped; the assignment says whose it should be."""
        remedy = "Import the person first, or correct the number"
        if assignment:
            whose = assignment["person__payroll_number"]
            remedy = f"Correct the number: assignment {assignment['code']} is {whose}'s"
        found.at(i, "payroll_number", f"there is nobody with payroll number {number!r}", remedy)

    @staticmethod
    def _check_row(found: Findings, i: int, assignment: dict[str, Any], day: date) -> None:
        if day < assignment["starts"] or (assignment["ends"] and day > assignment["ends"]):
            until = f" to {assignment['ends']}" if assignment["ends"] else ""
            problem = f"{day} lies outside the assignment, which runs from {assignment['starts']}{until}"
            found.at(i, "date", problem, "Correct the date, or extend the assignment")

    @staticmethod
    def _check_days(found: Findings, numbers: list[str], days: list[date], minutes: list[int]) -> None:
        """Nobody works more than a day has, whatever the number of files and customers."""
        total: dict[tuple[str, date], int] = defaultdict(int, _minutes_taken(numbers, days))
        for i, (number, day, worked) in enumerate(zip(numbers, days, minutes, strict=True)):
            total[number, day] += worked
            if worked and total[number, day] > MINUTES_A_DAY:
                problem = f"{number} would work {total[number, day] / 60:g} hours on {day}"
                found.at(i, "hours", problem, "A day has 24 hours; correct the rows of that day")

    @staticmethod
    def _check_weeks(
        found: Findings, assignments: dict[str, dict[str, Any]], keys: list[tuple[str, date]]
    ) -> None:
        """A week that was taken before is not taken again by another file: that would pay it twice."""
        ends = {day: week_ending(day) for _, day in keys}
        weeks = {(code, ends[day]) for code, day in keys if code in assignments}
        taken = weeks & _weeks_taken({week for _, week in weeks})
        said = set()
        for i, (code, day) in enumerate(keys):
            key = (code, ends[day])
            if key in taken and key not in said:
                said.add(key)
                found.at(
                    i,
                    "date",
                    f"{code} for the week ending {key[1]} was taken in already",
                    f"Leave these rows out; {NOT_CORRECTED}",
                )

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
            day_disputed=[c["status"][i] == "day disputed" for i in kept],
            comment=[c["comment"][i] or "" for i in kept],
            file_row=np.array([parsed.content.row_numbers[i] for i in kept], dtype=np.int32),
        )
        return record_hours(hours, commit_id)


def _weeks_taken(weeks: set[date]) -> set[tuple[str, date]]:
    """(assignment's code, end of the week) of every timesheet of these weeks."""
    rows = Timesheet.objects.filter(client_id=current_scope().client_id, week_ending__in=weeks)
    return set(rows.values_list("assignment__code", "week_ending"))


def _column(values: list[int | None], default: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([default if v is None else v for v in values], dtype=np.int64)


def _customers() -> dict[str, UUID]:
    rows = Counterparty.objects.filter(client_id=current_scope().client_id, kind="customer")
    return dict(rows.values_list("code", "id"))


def _people() -> dict[str, UUID]:
    return dict(
        Person.objects.filter(client_id=current_scope().client_id).values_list(
            "payroll_number", "counterparty_id"
        )
    )


def _orders() -> dict[tuple[str, str], UUID]:
    rows = PurchaseOrder.objects.filter(client_id=current_scope().client_id)
    return {
        (customer, number): id for customer, number, id in rows.values_list("customer__code", "number", "id")
    }


def _continued() -> dict[tuple[str, str], str]:
    """By customer and number of an order: the one that it continues."""
    rows = PurchaseOrder.objects.filter(client_id=current_scope().client_id, continues__isnull=False)
    return {
        (customer, number): continued
        for customer, number, continued in rows.values_list("customer__code", "number", "continues__number")
    }


def _in_a_circle(customer: str, number: str, before: dict[tuple[str, str], str]) -> bool:
    seen: set[str] = set()
    at: str | None = number
    while at is not None and at not in seen:
        seen.add(at)
        at = before.get((customer, at))
    return at is not None


def _employments(numbers: set[str]) -> dict[str, list[tuple[date, date | None]]]:
    """From when to when people are employed, by payroll number."""
    found: dict[str, list[tuple[date, date | None]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.payroll_number, m.starts, m.ends FROM people_employment m "
            "JOIN people_person p ON p.client_id = m.client_id AND p.id = m.person_id "
            "WHERE m.client_id = %s AND p.payroll_number = ANY(%s)",
            [current_scope().client_id, list(numbers)],
        )
        for number, starts, ends in cursor.fetchall():
            found[number].append((starts, ends))
    return found


def _cards() -> Cards:
    client_id = current_scope().client_id
    found: Cards = {}
    for g in Agreement.objects.filter(client_id=client_id).select_related("customer"):
        found[g.customer.code, g.number] = (g.id, defaultdict(list))
    rows = RateCard.objects.filter(client_id=client_id)
    for customer, number, role, starts, ends in rows.values_list(
        "agreement__customer__code", "agreement__number", "role", "starts", "ends"
    ):
        found[customer, number][1][role].append((starts, ends))
    return found


def _covers(periods: list[tuple[date, date | None]], day: date) -> bool:
    return any(starts <= day and (ends is None or day <= ends) for starts, ends in periods)


def _minutes_taken(numbers: list[str], days: list[date]) -> dict[tuple[str, date], int]:
    """Minutes of accepted hours, by payroll number and day, over the weeks of a file.

    Table by table, not as one join: right after a first large file PostgreSQL has no statistics to plan a
    join with.
    """
    weeks = {week_ending(day) for day in set(days)}
    client_id = current_scope().client_id
    sheets = Timesheet.objects.filter(client_id=client_id, week_ending__in=weeks)
    assignment_of = dict(sheets.values_list("id", "assignment_id"))
    if not assignment_of:
        return {}
    wanted = set(numbers)
    number_of = {person_id: number for number, person_id in _people().items() if number in wanted}
    person_of = dict(Assignment.objects.filter(client_id=client_id).values_list("id", "person_id"))
    entries = TimeEntry.objects.filter(client_id=client_id, timesheet_id__in=list(assignment_of))
    total: dict[tuple[str, date], int] = defaultdict(int)
    for sheet_id, day, minutes in entries.values_list("timesheet_id", "day", "minutes"):
        if number := number_of.get(person_of[assignment_of[sheet_id]]):
            total[number, day] += minutes
    return total


def _assignments(codes: set[str]) -> dict[str, dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.code, a.id, a.starts, a.ends, a.order_id, p.payroll_number "
            "FROM timesheets_assignment a "
            "JOIN people_person p ON p.client_id = a.client_id AND p.id = a.person_id "
            "WHERE a.client_id = %s AND a.code = ANY(%s)",
            [current_scope().client_id, [code for code in codes if code]],
        )
        fields = ("code", "id", "starts", "ends", "order_id", "person__payroll_number")
        return {row[0]: dict(zip(fields, row, strict=True)) for row in cursor.fetchall()}
