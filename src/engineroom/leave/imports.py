"""Files of leave: what was booked, what people had left elsewhere, and the hours that earn leave."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation.imports.services import Parsed, importer
from engineroom.foundation.imports.sheets import Column, Sheet
from engineroom.foundation.imports.tables import Findings, TableImporter
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import EngineroomError, InputRefused, Problem
from engineroom.kernel.rounding import half_up
from engineroom.leave import engine, selectors
from engineroom.leave.entitling import Line, write_lines
from engineroom.leave.models import LeaveEntry, LeaveKind
from engineroom.leave.services import Counted, Stretch, count, write_bookings
from engineroom.people.models import Person

HALVES = ("from noon", "until noon")


class OfPeople(TableImporter):
    """What these files share: people by payroll number, kinds by code."""

    permission = "leave.prepare"

    def known(self, sheet: Sheet, found: Findings) -> tuple[dict[str, UUID], dict[str, LeaveKind]]:
        """Who and what the file names; a problem for every row that names nobody or no kind."""
        numbers = set(sheet.columns["payroll_number"])
        rows = Person.objects.filter(client_id=current_client_id(), payroll_number__in=numbers)
        people = {p.payroll_number: p.counterparty_id for p in rows}
        kinds = {kind.code: kind for kind in selectors.kinds() if kind.ends is None}
        for i, row in enumerate(sheet.rows()):
            if row["payroll_number"] not in people:
                problem = f"nobody has payroll number {row['payroll_number']}"
                found.at(i, "payroll_number", problem, "Bring the people in first, or correct it")
            if row["kind"] not in kinds:
                problem = f"there is no kind of leave {row['kind']}"
                found.at(i, "kind", problem, f"Use {', '.join(sorted(kinds)) or 'none: offer kinds first'}")
        return people, kinds


@importer
class Bookings(OfPeople):
    """Leave as it was agreed elsewhere: it stands at once. A row that stands already, day for day, is passed
    over, so that a file may be brought in again with more in it."""

    kind = "leave"
    summary = "leave that was agreed or taken, a row a stretch"
    columns = (
        Column("payroll_number", required=True, max_length=20),
        Column("kind", required=True, max_length=30),
        Column("from_date", "date", required=True),
        Column("until_date", "date", required=True),
        Column("half_day", "choice", choices=HALVES),
        Column("hours", "hours"),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        found = Findings(parsed.content)
        self._counted(parsed.content, found)
        return found.problems

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        rows = self._counted(parsed.content, Findings(parsed.content))
        if rows:
            write_bookings(rows, "recorded", "brought in by a file")
        return {"bookings": len(rows), "known": len(parsed.content) - len(rows)}

    def _counted(self, sheet: Sheet, found: Findings) -> list[Counted]:
        people, kinds = self.known(sheet, found)
        rows, earlier = [], dict[UUID, list[tuple[int, Stretch]]]()
        for i, row in enumerate(sheet.rows()):
            if row["payroll_number"] not in people or row["kind"] not in kinds:
                continue
            person_id, kind = people[row["payroll_number"]], kinds[row["kind"]]
            stretch = _stretch(row)
            if _stands(person_id, kind, stretch):
                continue
            for j, other in earlier.get(person_id, []):
                if other.starts <= stretch.ends and stretch.starts <= other.ends:
                    problem = f"row {sheet.row_numbers[j]} has some of these days already"
                    found.at(i, "from_date", problem, "Make one row of them, or correct the days")
            earlier.setdefault(person_id, []).append((i, stretch))
            try:
                rows.append(count(kind, person_id, stretch))
            except InputRefused as error:
                for p in error.problems:
                    found.at(i, "from_date", p.problem, p.remedy)
            except EngineroomError as error:
                found.at(i, "from_date", str(error), "Cancel what stands, or correct the days")
        return rows


def _stretch(row: dict[str, Any]) -> Stretch:
    half = row["half_day"]
    return Stretch(row["from_date"], row["until_date"], half == HALVES[0], half == HALVES[1], row["hours"])


def _stands(person_id: UUID, kind: LeaveKind, stretch: Stretch) -> bool:
    return any(
        (b.kind_id, b.starts, b.ends, b.from_noon, b.until_noon, b.minutes_given, b.state)
        == (
            kind.id,
            stretch.starts,
            stretch.ends,
            stretch.from_noon,
            stretch.until_noon,
            stretch.minutes,
            "approved",
        )
        for b in selectors.overlapping(person_id, stretch.starts, stretch.ends)
    )


class LinesOfLeave(OfPeople):
    """Files whose rows become lines of the ledger."""

    counted: str
    """What the lines are called where they are counted."""

    @abstractmethod
    def lines(self, sheet: Sheet, found: Findings) -> list[tuple[LeaveKind, Line]]:
        """The lines of the rows that are right; a problem for each of the others."""

    def check(self, parsed: Parsed) -> list[Problem]:
        found = Findings(parsed.content)
        self.lines(parsed.content, found)
        return found.problems

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        lines = self.lines(parsed.content, Findings(parsed.content))
        for kind in {kind.id: kind for kind, _ in lines}.values():
            write_lines(kind, [line for of, line in lines if of.id == kind.id])
        return {self.counted: len(lines)}


@importer
class OpeningBalances(LinesOfLeave):
    """What people had left when the client came, once each: in hours, or in days of their own week."""

    kind = "leave-balances"
    counted = "balances"
    summary = "leave that people had left when they came, in hours or days"
    columns = (
        Column("payroll_number", required=True, max_length=20),
        Column("kind", required=True, max_length=30),
        Column("as_at", "date", required=True),
        Column("hours", "hours"),
        Column("days", max_length=10),
    )

    def lines(self, sheet: Sheet, found: Findings) -> list[tuple[LeaveKind, Line]]:
        people, kinds = self.known(sheet, found)
        c = sheet.columns
        keys = list(zip(c["payroll_number"], c["kind"], strict=True))
        found.repeated(keys, "payroll_number", lambda key: f"{key[1]} of {key[0]}")
        opened = set(
            LeaveEntry.objects.filter(client_id=current_client_id(), what="opening").values_list(
                "person_id", "kind_id"
            )
        )
        rules = selectors.Policies([kind.id for kind in kinds.values()])
        lines = []
        for i, row in enumerate(sheet.rows()):
            person_id, kind = people.get(row["payroll_number"]), kinds.get(row["kind"])
            if person_id is None or kind is None:
                continue
            if not kind.entitles:
                found.at(i, "kind", f"{kind.label} has no balance", "Remove the row")
            elif (person_id, kind.id) in opened:
                found.at(i, "kind", "an opening balance stands already", "Adjust it by hand, with the reason")
            elif (minutes := _minutes(i, row, person_id, found)) is not None:
                year = rules.year_of(kind.id, person_id, row["as_at"])
                said = "opening balance, brought in by a file"
                lines.append((kind, Line(person_id, "opening", row["as_at"], year.starts, minutes, said)))
        return lines


def _minutes(i: int, row: dict[str, Any], person_id: UUID, found: Findings) -> int | None:
    if (row["hours"] is None) == (not row["days"]):
        found.at(i, "hours", "give hours or days, one of them", "Leave the other cell empty")
        return None
    if row["hours"] is not None:
        return int(row["hours"])
    whole, _, rest = row["days"].partition(".")
    digits = (whole.removeprefix("-") or "0") + (rest + "00")[:2]
    if len(rest) > 2 or not (digits.isascii() and digits.isdigit()) or len(digits) > 5:
        found.at(i, "days", f"{row['days']!r} is no number of days", "Write it as 12.5")
        return None
    pattern = selectors.pattern_now(
        selectors.patterns_of([person_id], row["as_at"], row["as_at"]).get(person_id, []), row["as_at"]
    )
    if pattern is None or not pattern.minutes or not pattern.days_a_week:
        problem = f"no terms say how long a day of theirs is on {row['as_at']}"
        found.at(i, "days", problem, "Bring the terms in first, or give hours")
        return None
    sign = -1 if whole.startswith("-") else 1
    return sign * half_up(int(digits) * pattern.minutes, pattern.days_a_week * engine.FULL)


WORKED = """
SELECT person_id, kind_id, day FROM leave_leaveentry
WHERE client_id = %s AND what = 'accrual' AND person_id = ANY(%s)
"""


@importer
class HoursWorked(LinesOfLeave):
    """Hours worked in a pay period, by which irregular workers earn leave (12.07% by law). A period of a
    person earns once."""

    kind = "leave-hours"
    counted = "accruals"
    summary = "hours worked, by which people without fixed hours earn leave"
    columns = (
        Column("payroll_number", required=True, max_length=20),
        Column("kind", required=True, max_length=30),
        Column("period_ends", "date", required=True),
        Column("hours", "hours", required=True),
    )

    def lines(self, sheet: Sheet, found: Findings) -> list[tuple[LeaveKind, Line]]:
        people, kinds = self.known(sheet, found)
        rules = selectors.Policies([kind.id for kind in kinds.values()])
        with connection.cursor() as cursor:
            cursor.execute(WORKED, [current_client_id(), list(people.values())])
            earned = set(cursor.fetchall())
        c = sheet.columns
        keys = list(zip(c["payroll_number"], c["kind"], c["period_ends"], strict=True))
        found.repeated(keys, "payroll_number", lambda key: f"{key[0]} up to {key[2]}")
        lines = []
        for i, row in enumerate(sheet.rows()):
            person_id, kind, day = (
                people.get(row["payroll_number"]),
                kinds.get(row["kind"]),
                row["period_ends"],
            )
            if person_id is None or kind is None:
                continue
            policy = rules.of(kind.id, person_id, day)
            if policy is None or policy.accrual != "hours":
                problem = f"{kind.label} is not earned by hours on {day}"
                found.at(i, "kind", problem, "Entitle the person by hours worked first")
            elif (person_id, kind.id, day) in earned:
                found.at(i, "period_ends", f"the period up to {day} earned already", "Remove the row")
            else:
                minutes = engine.accrued_by_hours(policy.rule, row["hours"])
                year = rules.year_of(kind.id, person_id, day)
                said = f"of {row['hours']} minutes worked"
                lines.append((kind, Line(person_id, "accrual", day, year.starts, minutes, said)))
        return lines
