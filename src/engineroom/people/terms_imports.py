"""Files of terms: a rise for everybody, or the terms of those who begin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.utils import timezone

from engineroom.foundation.imports.services import Parsed, importer
from engineroom.foundation.imports.sheets import Column, Sheet
from engineroom.foundation.imports.tables import Findings, TableImporter
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import LONGEST_REASON, Problem
from engineroom.people import terms
from engineroom.people.engine import BASES, MONDAY_TO_FRIDAY, Agreed, Stretch, agree, days_of
from engineroom.people.models import Employment
from engineroom.people.selectors import standing_terms


@importer
class TermsFile(TableImporter):
    """Terms of employment from a day on, a row each. The whole file is one change, said at once.

    Without a last day they hold until the next terms that stand. What stands already in the same words is no
    change.
    """

    kind = "terms"
    permission = "people.prepare"
    summary = "terms of employment: salary or hourly pay, hours a week, title, cost centre"
    columns = (
        Column("payroll_number", required=True, max_length=20),
        Column("from_date", "date", required=True),
        Column("until_date", "date"),
        Column("basis", "choice", required=True, choices=BASES),
        Column("amount", "money", required=True, aliases=("salary", "rate")),
        Column("hours_per_week", "hours", required=True),
        Column("working_days", max_length=60),
        Column("title", max_length=terms.LONGEST_TITLE),
        Column("cost_centre", max_length=terms.LONGEST_COST_CENTRE),
        Column("reason", max_length=200),
    )

    def check(self, parsed: Parsed) -> list[Problem]:
        sheet: Sheet = parsed.content
        found = Findings(sheet)
        keys = list(zip(sheet.columns["payroll_number"], sheet.columns["from_date"], strict=True))
        found.repeated(keys, "from_date", lambda key: f"{key[0]} from {key[1]}")
        employments = _employments(sheet.columns["payroll_number"])
        for i, row in enumerate(sheet.rows()):
            self._check_row(found, i, row, employments.get(row["payroll_number"]))
        return found.problems

    @staticmethod
    def _check_row(found: Findings, i: int, row: dict[str, Any], known: list[Employment] | None) -> None:
        number, starts, ends = row["payroll_number"], row["from_date"], row["until_date"]
        if known is None:
            problem = f"there is nobody with payroll number {number!r}"
            found.at(i, "payroll_number", problem, "Import the person first")
        elif (employment := _on(known, starts)) is None:
            problem = f"{number} is not employed on {starts}"
            found.at(i, "from_date", problem, "Give a day of an employment")
        elif ends and employment.ends and ends > employment.ends:
            problem = f"the employment ends on {employment.ends}"
            found.at(i, "until_date", problem, "Leave it empty: terms end with the employment")
        if ends and ends < starts:
            found.at(i, "until_date", f"{ends} is before {starts}", "Correct one of the days")
        if row["working_days"] and days_of(row["working_days"]) is None:
            problem = f"{row['working_days']!r} names no days"
            found.at(i, "working_days", problem, "Write Mon-Fri, or Mon, Wed")
        if starts < timezone.now().date() and not row["reason"]:
            found.at(i, "reason", f"{starts} is past, and no reason is given", "Say why it is said only now")
        for wrong in terms.wrong_with(_agreed(row)):
            found.at(i, wrong.field or "", wrong.problem, wrong.remedy)

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        terms.one_at_a_time()
        rows = list(parsed.content.rows())
        known = _employments([row["payroll_number"] for row in rows])
        asked: dict[UUID, list[dict[str, Any]]] = {}
        employments: dict[UUID, Employment] = {}
        for row in sorted(rows, key=lambda r: r["from_date"]):
            employment = _on(known[row["payroll_number"]], row["from_date"])
            assert employment is not None, "check() has looked"
            employments[employment.id] = employment
            asked.setdefault(employment.id, []).append(row)
        standing = standing_terms(list(asked))
        changed = []
        for employment_id, wanted in asked.items():
            before = standing.get(employment_id, ())
            after = _painted(before, wanted)
            if not terms.same_days(before, after):
                changed.append(terms.Changed(employments[employment_id], before, after))
        if not changed:
            return {"terms": 0, "superseded": 0, "people": 0}
        done = terms.say(changed, _reasons(rows))
        return {"terms": done.said, "superseded": done.taken_back, "people": len(changed)}


def _painted(before: Sequence[Stretch], rows: Sequence[dict[str, Any]]) -> Sequence[Stretch]:
    """What stands after the rows of one employment. Later rows end the ones before, whichever the file has
    first: they are given in the order of their days."""
    after: Sequence[Stretch] = before
    for row in rows:
        after = agree(after, row["from_date"], row["until_date"], _agreed(row))
    return after


def _agreed(row: dict[str, Any]) -> Agreed:
    days = days_of(row["working_days"]) if row["working_days"] else MONDAY_TO_FRIDAY
    title, cost_centre = row["title"] or "", row["cost_centre"] or ""
    return Agreed(
        row["basis"], row["amount"], row["hours_per_week"], days or MONDAY_TO_FRIDAY, title, cost_centre
    )


def _employments(numbers: Sequence[str]) -> dict[str, list[Employment]]:
    """By payroll number, those who are known, with their employments."""
    found: dict[str, list[Employment]] = {}
    rows = Employment.objects.filter(
        client_id=current_scope().client_id, person__payroll_number__in=set(numbers)
    ).select_related("person")
    for row in rows:
        found.setdefault(row.person.payroll_number, []).append(row)
    return found


def _on(employments: Sequence[Employment], day: date) -> Employment | None:
    return next((e for e in employments if e.starts <= day and (e.ends is None or e.ends >= day)), None)


def _reasons(rows: Sequence[dict[str, Any]]) -> str:
    """The reasons that the file gives, each once; its first few where there are many."""
    given = list(dict.fromkeys(row["reason"] for row in rows if row["reason"]))
    said = "; ".join(given)
    return said if len(said) <= LONGEST_REASON else f"{given[0]}, and {len(given) - 1} more reasons"
