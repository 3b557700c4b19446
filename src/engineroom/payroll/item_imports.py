"""Files of items, recurring pay, places on schedules and figures carried in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from engineroom.foundation.columns import insert_columns
from engineroom.foundation.imports.services import Parsed, importer
from engineroom.foundation.imports.sheets import Column
from engineroom.foundation.imports.tables import Findings, TableImporter
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import LONGEST_REASON, Problem
from engineroom.kernel.ids import uuid7s
from engineroom.payroll import account_map, items
from engineroom.payroll.models import CarriedIn, OnSchedule, PayItem, PaySchedule, RecurringPay
from engineroom.people.models import Person

NUMBER = Column("payroll_number", required=True, max_length=20)
ELEMENT = Column("element", required=True, max_length=40)
AMOUNT = Column("amount", "money", required=True)
REASON = Column("reason", required=True, max_length=LONGEST_REASON)


def _people() -> dict[str, UUID]:
    rows = Person.objects.filter(client_id=current_client_id())
    return dict(rows.values_list("payroll_number", "counterparty_id"))


class AboutPeople(TableImporter):
    """Rows that name people. `known`: which elements a row may have; None where it has none."""

    permission = "payroll.prepare"

    def elements(self, row: dict[str, Any]) -> list[str] | None:
        """What the row's element may be."""
        return None

    def check_row(self, row: dict[str, Any]) -> list[Problem]:
        """What else is wrong with a row whose person is known."""
        return []

    def check(self, parsed: Parsed) -> list[Problem]:
        found = Findings(parsed.content)
        people = _people()
        for i, row in enumerate(parsed.content.rows()):
            number = row["payroll_number"]
            if number not in people:
                problem = f"there is nobody with payroll number {number!r}"
                found.at(i, "payroll_number", problem, "Import the person first")
                continue
            wrong = self.check_row(row | {"person_id": people[number]})
            if "element" in row and (known := self.elements(row)) is not None:
                wrong = [
                    *items.wrong_element(row["element"], known),
                    *items.wrong_amount(row["amount"]),
                    *wrong,
                ]
            for said in wrong:
                found.at(i, said.field or "payroll_number", said.problem, said.remedy)
        return found.problems

    @staticmethod
    def people_of(parsed: Parsed) -> list[UUID]:
        people = _people()
        return [people[number] for number in parsed.content.columns["payroll_number"]]


@importer
class PayItems(AboutPeople):
    """One-off pay of a period: bonuses, commission, expenses, corrections below zero."""

    kind = "pay-items"
    summary = "one-off pay: an amount of an element, for a period, with its reason"
    columns = (
        NUMBER, ELEMENT, AMOUNT, Column("hours", "hours"), Column("period", "date", required=True), REASON,
    )  # fmt: skip

    def elements(self, row: dict[str, Any]) -> list[str]:
        return items.payable(row["period"])

    def check_row(self, row: dict[str, Any]) -> list[Problem]:
        return items.wrong_minutes(row["hours"] or 0)

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        c, n = parsed.content.columns, parsed.rows
        insert_columns(
            PayItem,
            {
                "id": uuid7s(n),
                "client_id": current_scope().client_id,
                "person_id": self.people_of(parsed),
                "element": c["element"],
                "amount": c["amount"],
                "minutes": [minutes or 0 for minutes in c["hours"]],
                "period": c["period"],
                "reason": c["reason"],
                "source": parsed.content.file_name[:40],
                "withdrawn": "",
            },
            n,
        )
        return {"items": n}


@importer
class Recurring(AboutPeople):
    """Pay of every period, from a day on."""

    kind = "recurring-pay"
    summary = "pay of every period: an amount of an element, until a day or up to a total"
    columns = (
        NUMBER, ELEMENT, AMOUNT, Column("from_date", "date", required=True), Column("until_date", "date"),
        Column("reason", max_length=LONGEST_REASON), Column("total", "money"),
    )  # fmt: skip

    def elements(self, row: dict[str, Any]) -> list[str]:
        return items.payable(row["from_date"])

    def check_row(self, row: dict[str, Any]) -> list[Problem]:
        if wrong := items.wrong_total(row["amount"], row["total"]):
            return wrong
        if row["until_date"] and row["until_date"] < row["from_date"]:
            problem = f"ends on {row['until_date']}, before {row['from_date']}"
            return [Problem(problem, "Correct one of the days", field="until_date")]
        return []

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        c, n = parsed.content.columns, parsed.rows
        insert_columns(
            RecurringPay,
            {
                "id": uuid7s(n),
                "client_id": current_scope().client_id,
                "person_id": self.people_of(parsed),
                "element": c["element"],
                "amount": c["amount"],
                "starts": c["from_date"],
                "ends": c["until_date"],
                "total": c["total"],
                "reason": [reason or "" for reason in c["reason"]],
            },
            n,
            casts={"ends": "date", "total": "bigint"},
        )
        return {"recurring pay": n}


@importer
class Carried(AboutPeople):
    """Figures of the tax year so far, from the bureau before."""

    kind = "carried-in"
    summary = "figures of the tax year so far, element by element, from the bureau before"
    columns = (NUMBER, Column("tax_year", required=True, max_length=7), ELEMENT, AMOUNT, REASON)

    def elements(self, row: dict[str, Any]) -> list[str]:
        return items.stated_elements()

    def check(self, parsed: Parsed) -> list[Problem]:
        found = Findings(parsed.content)
        keys = [(r["payroll_number"], r["tax_year"], r["element"]) for r in parsed.content.rows()]
        found.repeated(keys, "element", lambda key: f"{key[2]} of {key[0]} in {key[1]}")
        return [*super().check(parsed), *found.problems]

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        c, n = parsed.content.columns, parsed.rows
        insert_columns(
            CarriedIn,
            {
                "id": uuid7s(n),
                "client_id": current_scope().client_id,
                "person_id": self.people_of(parsed),
                "tax_year": c["tax_year"],
                "element": c["element"],
                "amount": c["amount"],
                "reason": c["reason"],
            },
            n,
        )
        return {"figures": n}


@importer
class Places(AboutPeople):
    """Who is paid on which schedule, from a day on; the schedule before ends the day before."""

    kind = "on-schedule"
    summary = "who is paid on which pay schedule, from a day on"
    columns = (
        NUMBER, Column("schedule", required=True, max_length=20), Column("from_date", "date", required=True)
    )  # fmt: skip

    def check(self, parsed: Parsed) -> list[Problem]:
        found = Findings(parsed.content)
        found.repeated(
            parsed.content.columns["payroll_number"], "payroll_number", lambda key: f"payroll number {key}"
        )
        self._schedules, self._latest = _schedules(), _latest()
        return [*super().check(parsed), *found.problems]

    def check_row(self, row: dict[str, Any]) -> list[Problem]:
        wrong = []
        if row["schedule"] not in self._schedules:
            known = ", ".join(self._schedules) or "none yet: add one first"
            problem = f"there is no schedule {row['schedule']!r}"
            wrong.append(Problem(problem, f"Schedules are {known}", field="schedule"))
        before = self._latest.get(row["person_id"])
        if before and row["from_date"] <= before:
            problem = f"the person is on a schedule from {before} already"
            wrong.append(Problem(problem, "Give a later day", field="from_date"))
        return wrong

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        c, n = parsed.content.columns, parsed.rows
        client_id, people, schedules = current_scope().client_id, self.people_of(parsed), _schedules()
        latest, ended = _latest(), 0
        standing = OnSchedule.objects.filter(client_id=client_id)
        for person, starts in zip(people, c["from_date"], strict=True):
            if person in latest:
                eve = starts - timedelta(days=1)
                ended += standing.filter(person_id=person, ends=None).update(ends=eve)
                ended += standing.filter(person_id=person, ends__gt=eve).update(ends=eve)
        insert_columns(
            OnSchedule,
            {
                "id": uuid7s(n),
                "client_id": client_id,
                "person_id": people,
                "schedule_id": [schedules[code] for code in c["schedule"]],
                "starts": c["from_date"],
            },
            n,
        )
        return {"people on schedules": n, "ended before": ended}


def _schedules() -> dict[str, UUID]:
    rows = PaySchedule.objects.filter(client_id=current_client_id(), ends=None)
    return dict(rows.order_by("code").values_list("code", "id"))


def _latest() -> dict[UUID, Any]:
    rows = OnSchedule.objects.filter(client_id=current_client_id()).order_by("starts")
    return dict(rows.values_list("person_id", "starts"))


@importer
class AccountMapFile(TableImporter):
    """Where runs are posted, line by line: one version of the account map."""

    kind = "account-map"
    summary = "where runs are posted: the account of a line, by cost centre, from a payday on"
    permission = "ledger.prepare"
    columns = (
        Column("line", required=True, max_length=60), Column("account", max_length=20),
        Column("from_date", "date", required=True), Column("cost_centre", max_length=40),
    )  # fmt: skip

    def check(self, parsed: Parsed) -> list[Problem]:
        found = Findings(parsed.content)
        rows = self._mapped(parsed)
        for i, row in enumerate(rows):
            for said in account_map.wrong_row(row, rows[:i]):
                found.at(i, said.field or "line", said.problem, said.remedy)
        return found.problems

    @staticmethod
    def _mapped(parsed: Parsed) -> list[account_map.Mapped]:
        return [
            account_map.Mapped(r["line"], r["account"] or "", r["from_date"], r["cost_centre"] or "")
            for r in parsed.content.rows()
        ]

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        file = parsed.content.file_name
        account_map.write_version(self._mapped(parsed), f"as the file {file} says"[:LONGEST_REASON], file)
        return {"lines": parsed.rows}
