"""Questions of timesheets: weeks with their state, a timesheet with its entries and charges, placements."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, get_args
from uuid import UUID

from django.db import connection

from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.kernel.errors import Problem
from engineroom.openitems.models import Counterparty
from engineroom.timesheets.dated_rates import RATES_NOW
from engineroom.ui.listing import Order, Slice, read_slice

State = Literal["waiting", "in_run", "disputed", "held"]
STATES: tuple[str, ...] = get_args(State)


@dataclass
class _Payer:
    """What pays timesheets: a table with client_id, timesheet_id, number; and the name of the run's page."""

    table: str = "(SELECT NULL::uuid AS client_id, NULL::uuid AS timesheet_id, 0 AS number WHERE false)"
    url_name: str = ""


_payer = _Payer()


def register_payer(table: str, url_name: str) -> None:
    """A higher room says which of its runs pays a timesheet, and which page shows that run."""
    _payer.table, _payer.url_name = table, url_name


def run_page() -> str:
    return _payer.url_name


def payer_table() -> str:
    return _payer.table


@dataclass
class _Biller:
    """What bills charges: a table with client_id, charge_id, number (of the invoice)."""

    table: str = "(SELECT NULL::uuid AS client_id, NULL::uuid AS charge_id, '' AS number WHERE false)"


_biller = _Biller()


def register_biller(table: str) -> None:
    """A higher room says on which of its invoices a charge stands."""
    _biller.table = table


def biller_table() -> str:
    return _biller.table


@dataclass(frozen=True)
class TimesheetRow:
    """A timesheet in a list. minutes: of all its days; held_charges: not billable yet; run: who pays it."""

    week_ending: date
    id: UUID
    status: str
    note: str
    assignment: str
    payroll_number: str
    name: str
    customer_code: str
    customer: str
    minutes: int
    held_charges: int
    run: int | None

    @property
    def pay_state(self) -> tuple[str, str]:
        """A status kind and its word."""
        return ("wait", "Waits for a run") if self.run is None else ("run", f"In run {self.run}")

    @property
    def bill_state(self) -> tuple[str, str]:
        if self.held_charges:
            return "held", "Disputed" if self.status == "disputed" else "Held"
        return "done", "Dispute ended" if self.status == "disputed" else "Billable"


# The figures stand in the list of what is selected: PostgreSQL asks for them for the rows it shows alone.
TIMESHEETS = """
SELECT t.week_ending, t.id, t.status, t.note, a.code, p.payroll_number, p.name, k.code, k.name,
  (SELECT coalesce(sum(e.minutes), 0)::bigint FROM timesheets_timeentry e
   WHERE e.client_id = t.client_id AND e.timesheet_id = t.id) AS minutes,
  ({held_of_it} SELECT count(*) FROM held) AS held_charges,
  r.number
FROM timesheets_timesheet t
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
JOIN people_person p ON p.client_id = a.client_id AND p.id = a.person_id
JOIN openitems_counterparty k ON k.client_id = a.client_id AND k.id = a.customer_id
LEFT JOIN {payer} r ON r.client_id = t.client_id AND r.timesheet_id = t.id
WHERE t.client_id = %(client)s {where}
"""

HELD_OF_IT = """
WITH held AS (
  SELECT c.id FROM timesheets_timeentry e
  JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
  JOIN timesheets_hold h ON h.client_id = c.client_id AND h.id = c.id
  LEFT JOIN timesheets_holdend x ON x.client_id = h.client_id AND x.id = h.id
  WHERE e.client_id = t.client_id AND e.timesheet_id = t.id AND x.id IS NULL)
"""

STATE_FILTERS = {
    "waiting": "AND r.number IS NULL",
    "in_run": "AND r.number IS NOT NULL",
    "disputed": "AND t.status = 'disputed'",
    "held": f"AND EXISTS ({HELD_OF_IT} SELECT FROM held)",
}

NEWEST_WEEK_FIRST = Order((("week_ending", "date"), ("id", "uuid")), latest_first=True)


def timesheets(
    *,
    week: date | None = None,
    customer: str = "",
    person: str = "",
    state: str = "",
    cursor: str = "",
) -> Slice[TimesheetRow]:
    """Timesheets, newest week first. customer, person: by code and payroll number."""
    conditions = [
        "AND t.week_ending = %(week)s" if week else "",
        "AND k.code = %(customer)s" if customer else "",
        "AND p.payroll_number = %(person)s" if person else "",
        STATE_FILTERS.get(state, ""),
    ]
    sql = TIMESHEETS.format(payer=_payer.table, held_of_it=HELD_OF_IT, where=" ".join(conditions))
    values = {"client": current_client_id(), "week": week, "customer": customer, "person": person}
    return read_slice(sql, values, NEWEST_WEEK_FIRST, cursor, TimesheetRow)


@dataclass(frozen=True)
class Week:
    """The newest weeks at a glance. minutes and amounts of all their charges; held: billable and held."""

    week_ending: date
    timesheets: int
    waiting: int
    disputed: int
    minutes: int
    bill_minor: int
    held_minor: int


WEEKS = """
SELECT t.week_ending, count(*), count(*) FILTER (WHERE r.number IS NULL),
  count(*) FILTER (WHERE t.status = 'disputed'), sum(f.minutes)::bigint, sum(f.bill)::bigint,
  sum(f.held)::bigint
FROM timesheets_timesheet t
LEFT JOIN {payer} r ON r.client_id = t.client_id AND r.timesheet_id = t.id
JOIN LATERAL (
  SELECT coalesce(sum(c.minutes), 0) AS minutes, coalesce(sum(c.bill_amount), 0) AS bill,
    coalesce(sum(c.bill_amount) FILTER (WHERE h.id IS NOT NULL AND x.id IS NULL), 0) AS held
  FROM timesheets_timeentry e
  JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
  LEFT JOIN timesheets_hold h ON h.client_id = c.client_id AND h.id = c.id
  LEFT JOIN timesheets_holdend x ON x.client_id = h.client_id AND x.id = h.id
  WHERE e.client_id = t.client_id AND e.timesheet_id = t.id) f ON true
WHERE t.client_id = %(client)s AND t.week_ending = %(week)s
GROUP BY t.week_ending
"""


def recent_weeks(limit: int = 12) -> list[date]:
    """Week endings that have timesheets, newest first: a walk along the index, not a count of all rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE w AS (
              (SELECT week_ending, 1 AS n FROM timesheets_timesheet WHERE client_id = %(client)s
               ORDER BY week_ending DESC LIMIT 1)
              UNION ALL
              SELECT (SELECT t.week_ending FROM timesheets_timesheet t WHERE t.client_id = %(client)s
                AND t.week_ending < w.week_ending ORDER BY t.week_ending DESC LIMIT 1), w.n + 1
              FROM w WHERE w.week_ending IS NOT NULL AND w.n < %(limit)s)
            SELECT week_ending FROM w WHERE week_ending IS NOT NULL
            """,
            {"client": current_client_id(), "limit": limit},
        )
        return [row[0] for row in cursor.fetchall()]


def week(week_ending: date) -> Week | None:
    with connection.cursor() as cursor:
        cursor.execute(WEEKS.format(payer=_payer.table), {"client": current_client_id(), "week": week_ending})
        row = cursor.fetchone()
    return Week(*row) if row else None


def customers() -> list[tuple[str, str]]:
    """(code, name) of everybody with whom people are placed, by name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT k.code, k.name FROM openitems_counterparty k WHERE k.client_id = %(client)s AND EXISTS ("
            "SELECT FROM timesheets_assignment a WHERE a.client_id = k.client_id AND a.customer_id = k.id) "
            "ORDER BY k.name, k.code",
            {"client": current_client_id()},
        )
        return [(code, name) for code, name in cursor.fetchall()]


def all_customers() -> list[tuple[str, str]]:
    """(code, name) of every customer, by name."""
    rows = Counterparty.objects.filter(client_id=current_client_id(), kind="customer")
    return list(rows.order_by("name", "code").values_list("code", "name"))


def no_assignment(code: str) -> Problem:
    return Problem(f"there is no assignment {code!r}", "Correct the code", field="assignment")


@dataclass(frozen=True)
class ChargeLine:
    """What part of a day became. Rates are minor units an hour. hold, outcome: empty where there is none."""

    id: UUID
    kind: str
    minutes: int
    pay_rate: int
    pay_minor: int
    bill_rate: int
    bill_minor: int
    hold: str
    hold_note: str
    outcome: str
    outcome_reason: str

    @property
    def is_held(self) -> bool:
        return bool(self.hold) and not self.outcome

    @property
    def hold_words(self) -> str:
        return f"Held: {self.hold.replace('_', ' ')}"

    @property
    def outcome_kind(self) -> str:
        return "done" if self.outcome == "billable" else "void"

    @property
    def outcome_words(self) -> str:
        became = "billable" if self.outcome == "billable" else "written off"
        return f"Was held ({self.hold.replace('_', ' ')}), {became}"


@dataclass
class Day:
    """A time entry with its charges."""

    id: UUID
    day: date
    minutes: int
    charges: list[ChargeLine] = field(default_factory=list)


@dataclass(frozen=True)
class TimesheetView:
    """A timesheet with everything under it."""

    row: TimesheetRow
    revision: int
    role: str
    order_number: str
    import_file: str
    preview_id: UUID
    import_id: UUID
    taken_at: Any
    taken_by: str
    days: list[Day]

    @property
    def charges(self) -> list[ChargeLine]:
        return [charge for day in self.days for charge in day.charges]

    @property
    def pay_minor(self) -> int:
        return sum(c.pay_minor for c in self.charges)

    @property
    def bill_minor(self) -> int:
        return sum(c.bill_minor for c in self.charges)

    @property
    def held_minor(self) -> int:
        return sum(c.bill_minor for c in self.charges if c.is_held)


ABOUT = """
SELECT t.revision, a.role, coalesce(o.number, ''), f.name, v.id, i.id, i.at, coalesce(u.name, '')
FROM timesheets_timesheet t
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
LEFT JOIN timesheets_purchaseorder o ON o.client_id = a.client_id AND o.id = a.order_id
JOIN foundation_importcommit i ON i.client_id = t.client_id AND i.id = t.taken_in_id
JOIN foundation_importpreview v ON v.client_id = i.client_id AND v.id = i.preview_id
JOIN foundation_vaultfile f ON f.client_id = v.client_id AND f.id = v.file_id
LEFT JOIN foundation_user u ON u.id = v.by_user_id
WHERE t.client_id = %(client)s AND t.id = %(id)s
"""

ENTRIES = """
SELECT e.id, e.day, e.minutes, c.id, c.kind, c.minutes, c.pay_rate, c.pay_amount, c.bill_rate, c.bill_amount,
  coalesce(h.reason, ''), coalesce(h.note, ''), coalesce(x.outcome, ''), coalesce(x.reason, '')
FROM timesheets_timeentry e
JOIN timesheets_charge c ON c.client_id = e.client_id AND c.time_entry_id = e.id
LEFT JOIN timesheets_hold h ON h.client_id = c.client_id AND h.id = c.id
LEFT JOIN timesheets_holdend x ON x.client_id = h.client_id AND x.id = h.id
WHERE e.client_id = %(client)s AND e.timesheet_id = %(id)s
ORDER BY e.day, array_position(ARRAY['basic', 'overtime', 'weekend'], c.kind::text)
"""


def timesheet(timesheet_id: UUID) -> TimesheetView | None:
    values = {"client": current_client_id(), "id": timesheet_id}
    sql = TIMESHEETS.format(payer=_payer.table, held_of_it=HELD_OF_IT, where="AND t.id = %(id)s")
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        head = cursor.fetchone()
        if head is None:
            return None
        cursor.execute(ABOUT, values)
        about = cursor.fetchone()
        cursor.execute(ENTRIES, values)
        days: dict[UUID, Day] = {}
        for entry_id, worked, minutes, *charge in cursor.fetchall():
            days.setdefault(entry_id, Day(entry_id, worked, minutes)).charges.append(ChargeLine(*charge))
    revision, role, order_number, file, preview_id, import_id, at, by = about
    return TimesheetView(
        TimesheetRow(*head),
        revision,
        role,
        order_number,
        file,
        preview_id,
        import_id,
        at,
        by,
        list(days.values()),
    )


@dataclass(frozen=True)
class HourTaken:
    """An hour as it came in with a file."""

    id: UUID
    file_row: int | None
    day: date
    minutes: int
    payroll_number: str
    name: str
    customer: str
    timesheet_id: UUID


# One line more than is shown says whether there are more.
HOURS_OF_IMPORT = """
SELECT e.id, e.file_row, e.day, e.minutes, p.payroll_number, p.name, k.name, t.id
FROM timesheets_timesheet t
JOIN timesheets_timeentry e ON e.client_id = t.client_id AND e.timesheet_id = t.id
JOIN timesheets_assignment a ON a.client_id = t.client_id AND a.id = t.assignment_id
JOIN people_person p ON p.client_id = a.client_id AND p.id = a.person_id
JOIN openitems_counterparty k ON k.client_id = a.client_id AND k.id = a.customer_id
WHERE t.client_id = %(client)s AND t.taken_in_id = %(import)s AND coalesce(e.file_row, 0) > %(after)s
ORDER BY e.file_row, e.id LIMIT %(most)s
"""


def hours_of_import(import_id: UUID, *, after: int = 0, most: int = 50) -> tuple[list[HourTaken], int | None]:
    """Hours that came in with a file, in its order; and the row to go on after, where there are more."""
    asked: dict[str, Any] = {
        "client": current_client_id(),
        "import": import_id,
        "after": after if after else -1,
        "most": most + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(HOURS_OF_IMPORT, asked)
        found = [HourTaken(*row) for row in cursor.fetchall()]
    return found[:most], found[most - 1].file_row if len(found) > most else None


@dataclass(frozen=True)
class DatedRate:
    """What an hour of an assignment pays and bills on some days: its own, or its agreement's card's."""

    starts: date
    ends: date | None
    pay_rate: int
    bill_rate: int
    overtime_ppm: int
    weekend_ppm: int
    weekly_threshold_minutes: int


def rates_of(assignment_id: UUID) -> list[DatedRate]:
    """By day."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.starts, r.ends, r.pay_rate, r.bill_rate, r.overtime_ppm, r.weekend_ppm, "  # noqa: S608
            f"r.weekly_threshold_minutes FROM {RATES_NOW} r "
            "WHERE r.client_id = %s AND r.assignment_id = %s ORDER BY r.starts",
            [current_client_id(), assignment_id],
        )
        return [DatedRate(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Placement:
    """An assignment with the rates that hold on its last day so far."""

    code: str
    customer: str
    role: str
    order_number: str
    starts: date
    ends: date | None
    rate_starts: date | None
    pay_rate: int | None
    bill_rate: int | None


def placements(person_id: UUID) -> list[Placement]:
    """A person's assignments with every rate, newest first: dated rows, none of them changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.code, k.name, a.role, coalesce(o.number, ''), a.starts, a.ends, r.starts, r.pay_rate, "  # noqa: S608
            "r.bill_rate FROM timesheets_assignment a "
            "JOIN openitems_counterparty k ON k.client_id = a.client_id AND k.id = a.customer_id "
            "LEFT JOIN timesheets_purchaseorder o ON o.client_id = a.client_id AND o.id = a.order_id "
            f"LEFT JOIN {RATES_NOW} r ON r.client_id = a.client_id AND r.assignment_id = a.id "
            "WHERE a.client_id = %(client)s AND a.person_id = %(person)s "
            "ORDER BY a.starts DESC, a.code, r.starts DESC",
            {"client": current_client_id(), "person": person_id},
        )
        return [Placement(*row) for row in cursor.fetchall()]
