"""A period's workbook: filled with its people, and taken back into items and recurring pay.

What a workbook brought is what stands of that period's workbooks: a corrected one takes the place of the one
before. An item that is the same stays, another is withdrawn with its reason, and what nobody wrote down any
more is withdrawn too; so the same figures twice change nothing twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation.access.roles import masked
from engineroom.foundation.columns import insert_columns
from engineroom.foundation.imports.models import ImportCommit
from engineroom.foundation.imports.services import Importer, Parsed, importer
from engineroom.foundation.imports.tables import Findings
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotPermitted, Problem
from engineroom.kernel.ids import uuid7s
from engineroom.kernel.money import MAX_MINOR
from engineroom.payroll import workbook as form
from engineroom.payroll.cut_off import CutOff, cut_off_of
from engineroom.payroll.engine.schedules import Period
from engineroom.payroll.inputs import SALARY
from engineroom.payroll.items import MOST_MINUTES, pay_elements, payable
from engineroom.payroll.models import PaidItem, PayItem, PaySchedule, PayWorkbook, RecurringPay
from engineroom.payroll.schedules import find_schedule, paid_on, period_of_day
from engineroom.payroll.workbook import Filled, Heading, Label, Line, Part
from engineroom.people.selectors import TermsRow, terms_between
from engineroom.ui.display import format_count, format_day, format_money, format_period

HOURS_PAY = SALARY
"""The element that hours of whoever is paid by the hour are, as salaries are."""

PEOPLE = """
SELECT DISTINCT p.id, p.payroll_number COLLATE "C" AS number, p.name FROM payroll_onschedule o
JOIN people_employment m ON m.client_id = o.client_id AND m.person_id = o.person_id
  AND m.starts <= %(ends)s AND (m.ends IS NULL OR m.ends >= %(starts)s)
JOIN people_person p ON p.client_id = o.client_id AND p.id = o.person_id
WHERE o.client_id = %(client)s AND o.schedule_id = %(schedule)s AND o.starts <= %(ends)s
  AND (o.ends IS NULL OR o.ends >= %(starts)s)
ORDER BY number
"""


@dataclass(frozen=True)
class Somebody:
    """Who is paid in the period. terms: those of the period, by day."""

    id: UUID
    number: str
    name: str
    terms: tuple[TermsRow, ...]

    @property
    def rates(self) -> set[int]:
        """What an hour of theirs is paid, minor units."""
        return {t.amount for t in self.terms if t.basis == "hourly"}

    def terms_in_words(self, currency: str) -> str:
        a = {"salary": "a year", "hourly": "an hour"}
        found = dict.fromkeys(f"{format_money(t.amount, currency)} {a[t.basis]}" for t in self.terms)
        return "; ".join(found)


@dataclass(frozen=True)
class OfPeriod:
    """A schedule's period and what stands in it before a workbook."""

    schedule: PaySchedule
    period: Period
    currency: str
    people: dict[str, Somebody]
    brought: list[PayItem]
    """By earlier workbooks of the period, and not withdrawn."""
    recurring: dict[tuple[UUID, str], list[RecurringPay]]

    @property
    def words(self) -> str:
        return format_period(self.period.starts, self.period.ends)


def of_period(schedule: PaySchedule, period: Period) -> OfPeriod:
    """Who is paid in the period of a schedule, and what was said of them."""
    client_id = current_client_id()
    with connection.cursor() as cursor:
        asked: dict[str, Any] = {
            "client": client_id, "schedule": schedule.id, "starts": period.starts, "ends": period.ends
        }  # fmt: skip
        cursor.execute(PEOPLE, asked)
        rows = cursor.fetchall()
    terms: dict[UUID, list[TermsRow]] = defaultdict(list)
    if rows:
        ids = [row[0] for row in rows]
        for one in terms_between(min(ids), max(ids), period.starts, period.ends):
            terms[one.person_id].append(one)
    items = PayItem.objects.filter(
        client_id=client_id, withdrawn="", workbook__schedule=schedule,
        workbook__period_starts=period.starts,
    )  # fmt: skip
    recurring: dict[tuple[UUID, str], list[RecurringPay]] = defaultdict(list)
    paid = {row[0] for row in rows}
    for pay in RecurringPay.objects.filter(
        client_id=client_id, withdrawn="", total=None, starts__lte=period.ends
    ).exclude(ends__lt=period.starts):
        if pay.person_id in paid:
            recurring[pay.person_id, pay.element].append(pay)
    return OfPeriod(
        schedule,
        period,
        Client.objects.values_list("currency", flat=True).get(id=client_id),
        {number: Somebody(person, number, name, tuple(terms[person])) for person, number, name in rows},
        list(items.order_by("id")),
        recurring,
    )


# --- out --------------------------------------------------------------------------------------------------


def workbook_of(schedule: str, pay_date: date) -> tuple[str, bytes, int]:
    """The workbook of the period paid on a day: its file name, its bytes, and of how many people it is.

    Filled with what stands of earlier workbooks, so that a correction begins from them. Raises NotFound,
    NoSuchPayday, Conflict; NotPermitted where the role does not see pay.
    """
    if "pay" in masked(current_scope().roles.get(current_client_id(), frozenset())):
        raise NotPermitted("the workbook shows pay, which your role does not see")
    row = find_schedule(schedule)
    period = paid_on(row, pay_date)
    of = of_period(row, period)
    if not of.people:
        raise Conflict(f"nobody is on {row} in {of.words}; put people on it first")
    client = Client.objects.get(id=current_client_id())
    label = Label(
        client.code, row.code, period.starts.isoformat(), period.ends.isoformat(), period.paid.isoformat(),
        client.currency, _headings(of),
    )  # fmt: skip
    content = form.written(label, client.id, [_line(of, one) for one in of.people.values()])
    name = f"{client.code}-{row.code}-{period.paid}.xlsx"
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name), content, len(of.people)


def _headings(of: OfPeriod) -> tuple[Heading, ...]:
    """The fixed columns; hours, where anybody is paid by the hour; every element once, and those that anybody
    has every period a second time."""
    labels = {e.code: e.label for e in pay_elements(of.period.due)}
    every = {element for _, element in of.recurring}
    return (
        form.NUMBER,
        form.NAME,
        form.TERMS,
        *((form.HOURS,) if any(one.rates for one in of.people.values()) else ()),
        *(Heading(label, "one-off", code) for code, label in labels.items()),
        *(
            Heading(f"{label}, every period", "recurring", code)
            for code, label in labels.items()
            if code in every
        ),
        form.REASON,
    )


def _line(of: OfPeriod, one: Somebody) -> Line:
    labels = {e.code: e.label for e in pay_elements(of.period.due)}
    mine = [item for item in of.brought if item.person_id == one.id]
    hours = [item.minutes for item in mine if item.minutes]
    amounts: dict[Heading, int] = {}
    for item in mine:
        if not item.minutes and item.element in labels:
            heading = Heading(labels[item.element], "one-off", item.element)
            amounts[heading] = amounts.get(heading, 0) + item.amount
    for (person, element), rows in of.recurring.items():
        if person == one.id and element in labels:
            heading = Heading(f"{labels[element]}, every period", "recurring", element)
            amounts[heading] = sum(row.amount for row in rows)
    reasons = {item.reason for item in mine if item.reason != _reason(of)}
    return Line(
        one.number,
        one.name,
        one.terms_in_words(of.currency),
        sum(hours) if hours else None,
        amounts,
        reasons.pop() if len(reasons) == 1 else "",
    )


def _reason(of: OfPeriod) -> str:
    return f"in the workbook of {of.words}"


# --- in ---------------------------------------------------------------------------------------------------


Key = tuple[UUID, str, Part]


@dataclass(frozen=True)
class Wanted:
    """What a cell says of a person: an item, or an amount of every period. minutes: of an item of hours."""

    part: Part
    person: Somebody
    element: str
    amount: int
    minutes: int
    reason: str

    @property
    def key(self) -> Key:
        return self.person.id, self.element, self.part


def _key_of(item: PayItem) -> Key:
    return item.person_id, item.element, "hours" if item.minutes else "one-off"


@dataclass
class Changes:
    """What taking a workbook does. moved: what is paid every period is another amount, and what stood."""

    add: list[Wanted] = field(default_factory=list)
    kept: int = 0
    withdrawn: list[PayItem] = field(default_factory=list)
    moved: list[tuple[Wanted, list[RecurringPay]]] = field(default_factory=list)


@importer
class Workbooks(Importer):
    """The workbook of a schedule's period, as it was downloaded and filled in."""

    kind = "workbook"
    permission = "timesheets.prepare"
    limit_bytes = 20 * 1024 * 1024
    summary = "the workbook of a period's inputs, downloaded here and filled in"

    def parse(self, path: Path, file_name: str) -> Parsed:
        filled = form.read_filled(path, file_name)
        if filled is None:
            remedy = "Download the workbook of the period, fill that one in, and keep all of its sheets"
            return Parsed(
                None, 0, [Problem("this is no workbook that was downloaded here", remedy, file_name)]
            )
        rows = len(filled.sheet.row_numbers) + filled.sheet.rows_refused
        return Parsed(filled, rows, list(filled.sheet.problems))

    def check(self, parsed: Parsed) -> list[Problem]:
        if parsed.content is None:
            return []
        filled: Filled = parsed.content
        of, wrong = _is_of(filled)
        if of is None:
            return [Problem(problem, remedy, filled.sheet.file_name) for problem, remedy in wrong]
        return _read(of, filled)[1]

    def brings(self, parsed: Parsed) -> list[tuple[str, str]]:
        if parsed.content is None or parsed.problems:
            return []
        of, _ = _is_of(parsed.content)
        return _in_words(of, parsed.content) if of is not None else []

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        filled: Filled = parsed.content
        # Of two workbooks of a period at once, the second sees what the first brought.
        PaySchedule.objects.select_for_update().get(
            client_id=current_scope().client_id, code=filled.label.schedule
        )
        of, _ = _is_of(filled)
        assert of is not None, "it was checked in this transaction"
        return _take(of, _changes(of, _read(of, filled)[0]), commit_id)

    def again(self, commit: ImportCommit) -> str:
        mine = PayWorkbook.objects.filter(client_id=commit.client_id, commit=commit).first()
        if mine is None:
            return ""
        later = PayWorkbook.objects.filter(
            client_id=mine.client_id, schedule_id=mine.schedule_id, period_starts=mine.period_starts,
            at__gt=mine.at,
        ).order_by("-at").first()  # fmt: skip
        if later is None:
            return ""
        return (
            f"this very file was taken before, and another took its place on {format_day(later.at.date())}; "
            "to go back to it, save it anew and bring it in again"
        )


def _is_of(filled: Filled) -> tuple[OfPeriod | None, list[tuple[str, str]]]:
    """The period that a workbook is of, where it may be taken; or why not, and what to do."""
    label = filled.label
    client = Client.objects.get(id=current_client_id())
    again = "Download the workbook of the period anew, and fill that one in"
    if label.client != client.code:
        return None, [(f"this is the workbook of client {label.client}, and not of {client.code}", again)]
    if label.seal(client.id) != filled.seal:
        return None, [("what this workbook says that it is of was changed", again)]
    starts = form.iso(label.starts)
    schedule = PaySchedule.objects.filter(client_id=client.id, code=label.schedule).first()
    if schedule is None or starts is None:
        return None, [(f"there is no pay schedule {label.schedule!r}", again)]
    period = period_of_day(schedule, starts)
    cut_off = cut_off_of(schedule, period)
    if wrong := _too_late(period, cut_off):
        return None, [wrong]
    return of_period(schedule, period), []


def _too_late(period: Period, cut_off: CutOff) -> tuple[str, str] | None:
    words = format_period(period.starts, period.ends)
    if cut_off.run is not None:
        remedy = "Download the workbook of the next period"
        return f"inputs of {words} are closed: {cut_off.run} is released", remedy
    if cut_off.state == "closed" and cut_off.closes is not None:
        remedy = "Put them into the workbook of the next period, or have a lead at the bureau let them in"
        return f"inputs of {words} closed on {format_day(cut_off.closes)}", remedy
    return None


def _read(of: OfPeriod, filled: Filled) -> tuple[list[Wanted], list[Problem]]:
    """What the cells say, and everything that is wrong with it."""
    found = Findings(filled.sheet)
    wanted: list[Wanted] = []
    numbers = filled.sheet.columns[form.NUMBER.text]
    found.repeated(numbers, form.NUMBER.text, lambda number: f"payroll number {number}")
    known = set(payable(of.period.due))
    for i, row in enumerate(filled.sheet.rows()):
        number, name = row[form.NUMBER.text], row[form.NAME.text]
        person = of.people.get(number)
        if person is None:
            problem = f"nobody with payroll number {number!r} is on {of.schedule} in {of.words}"
            remedy = "Take the row out, or put the person on the schedule first"
            found.at(i, form.NUMBER.text, problem, remedy)
        elif _plain(name) != _plain(person.name):
            problem = f"the row says {name!r}, but {number} is {person.name}"
            remedy = "Sort whole rows only; else download the workbook anew"
            found.at(i, form.NAME.text, problem, remedy)
        else:
            wanted += _of_row(of, filled.label, found, known, i, row, person)
    return wanted, [replace(p, sheet=form.TABLE) for p in found.problems]


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _of_row(
    of: OfPeriod,
    label: Label,
    found: Findings,
    known: set[str],
    i: int,
    row: dict[str, Any],
    person: Somebody,
) -> list[Wanted]:
    """The cells of a row that say something. Nought is nothing, but of what is paid every period its end."""
    reason = row.get(form.REASON.text) or _reason(of)
    wanted = []
    for heading in label.headings:
        value = row.get(heading.text)
        if value is None or heading.part in ("fixed", "reason"):
            continue
        if heading.part == "hours":
            paid = _paid_for(found, i, person, value, heading.text)
            if paid is not None:
                wanted.append(Wanted("hours", person, HOURS_PAY, paid, value, reason))
        elif heading.element not in known:
            found.at(i, heading.text, "this is paid no more", "Download the workbook anew")
        elif abs(value) > MAX_MINOR:
            found.at(i, heading.text, "the amount is more than can be paid", "Check its decimal point")
        elif value or heading.part == "recurring":
            wanted.append(Wanted(heading.part, person, heading.element, value, 0, reason))
    return wanted


def _paid_for(found: Findings, i: int, person: Somebody, minutes: int, column: str) -> int | None:
    """What the hours are paid, rounded half up once; None where they are nought or cannot be paid."""
    if minutes < 0 or minutes > MOST_MINUTES:
        found.at(i, column, "hours of a period are between 0 and 8,784", "Check the decimal point")
    elif minutes and not person.rates:
        problem = f"{person.name} is not paid by the hour"
        found.at(i, column, problem, "Pay it as an amount, or say the person's terms first")
    elif minutes and len(person.rates) > 1:
        problem = f"{person.name} has {len(person.rates)} rates in the period"
        found.at(i, column, problem, "Give the pay of each rate as an amount of basic pay")
    elif minutes:
        return (minutes * min(person.rates) * 2 + 60) // 120
    return None


def _changes(of: OfPeriod, wanted: Sequence[Wanted]) -> Changes:
    """What the workbook changes in what stands."""
    changes = Changes()
    said = {one.key: one for one in wanted if one.part != "recurring"}
    for item in of.brought:
        one = said.get(_key_of(item))
        stands = (item.amount, item.minutes, item.reason)
        if one is not None and (one.amount, one.minutes, one.reason) == stands:
            del said[one.key]
            changes.kept += 1
        else:
            changes.withdrawn.append(item)
    changes.add = list(said.values())
    for one in wanted:
        standing = of.recurring.get((one.person.id, one.element), [])
        if one.part == "recurring" and sum(row.amount for row in standing) != one.amount:
            changes.moved.append((one, standing))
    return changes


def _in_words(of: OfPeriod, filled: Filled) -> list[tuple[str, str]]:
    wanted, problems = _read(of, filled)
    if problems:
        return []
    changes = _changes(of, wanted)
    lines = []
    for element in pay_elements(of.period.due):
        those = [one.amount for one in changes.add if one.element == element.code]
        if those:
            lines.append((f"{element.label}, new", _counted(those, "person,people", of.currency)))
        more = [
            one.amount - sum(row.amount for row in standing)
            for one, standing in changes.moved
            if one.element == element.code
        ]
        if more:
            words = _counted(more, "person,people", of.currency)
            lines.append((f"{element.label}, every period, more or less", words))
    if changes.withdrawn:
        gone = [item.amount for item in changes.withdrawn]
        lines.append(("Brought before, taken back", _counted(gone, "item,items", of.currency)))
    if changes.kept:
        lines.append(("Brought before, unchanged", format_count(changes.kept, "item")))
    return lines


def _counted(amounts: Sequence[int], noun: str, currency: str) -> str:
    return f"{format_count(len(amounts), *noun.split(','))}, {format_money(sum(amounts), currency)}"


def _take(of: OfPeriod, changes: Changes, commit_id: UUID) -> dict[str, int]:
    client_id = current_scope().client_id
    book = PayWorkbook.objects.create(
        client_id=client_id, schedule=of.schedule, period_starts=of.period.starts, commit_id=commit_id,
        by_user_id=current_scope().user.id,
    )  # fmt: skip
    _withdraw(client_id, changes.withdrawn)
    _move(of, changes, book)
    add = changes.add
    n = len(add)
    if n:
        insert_columns(
            PayItem,
            {
                "id": uuid7s(n),
                "client_id": client_id,
                "person_id": [one.person.id for one in add],
                "element": [one.element for one in add],
                "amount": [one.amount for one in add],
                "minutes": [one.minutes for one in add],
                "period": of.period.starts,
                "reason": [one.reason for one in add],
                "source": "workbook",
                "withdrawn": "",
                "workbook_id": book.id,
            },
            n,
        )
    counts = {"new items": n, "unchanged": changes.kept, "taken back": len(changes.withdrawn)}
    return counts | {"changes of recurring pay": len(changes.moved)}


REPLACED = "another workbook of the period took its place"


def _withdraw(client_id: UUID, items: Sequence[PayItem]) -> None:
    """Give back what an unreleased run has taken, and withdraw it: that run is calculated again."""
    ids = [item.id for item in items]
    PaidItem.objects.filter(client_id=client_id, item_id__in=ids).delete()
    PayItem.objects.filter(client_id=client_id, id__in=ids).update(withdrawn=REPLACED)


def _move(of: OfPeriod, changes: Changes, book: PayWorkbook) -> None:
    """Recurring pay of another amount: what stood ends the day before the period, or never was to be paid."""
    eve = of.period.starts - timedelta(days=1)
    for one, standing in changes.moved:
        rows = RecurringPay.objects.filter(client_id=book.client_id)
        for row in standing:
            if row.starts <= eve:
                rows.filter(id=row.id).update(ends=eve)
            else:
                rows.filter(id=row.id).update(withdrawn=REPLACED)
        lasts = [row.ends for row in standing if row.ends is not None]
        if one.amount:
            RecurringPay.objects.create(
                client_id=book.client_id,
                person_id=one.person.id,
                element=one.element,
                amount=one.amount,
                starts=of.period.starts,
                ends=max(lasts) if lasts and len(lasts) == len(standing) else None,
                reason=one.reason,
                withdrawn="",
                workbook=book,
            )


# --- what was taken ---------------------------------------------------------------------------------------


def workbooks_taken(schedule: PaySchedule, period: Period) -> list[PayWorkbook]:
    """Those of a period, the one that stands first."""
    rows = PayWorkbook.objects.filter(
        client_id=schedule.client_id, schedule=schedule, period_starts=period.starts
    ).select_related("commit__preview__file")
    return list(rows.order_by("-at", "-id"))


def require_period(path: Path, schedule: PaySchedule, period: Period) -> None:
    """Refuse a workbook that says that it is of another schedule or period. One without a label is refused
    when it is read."""
    found = form.read_label(path)
    if found is None or (found[0].schedule, found[0].starts) == (schedule.code, period.starts.isoformat()):
        return
    label = found[0]
    problem = f"this is the workbook of {label.schedule}, {label.starts} to {label.ends}"
    words = format_period(period.starts, period.ends)
    remedy = f"Choose the one of {schedule}, {words}, or bring this one in on its own page"
    raise InputRefused([Problem(problem, remedy, path.name, field="file")])
