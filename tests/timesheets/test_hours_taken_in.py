"""Hours as taken in from files: charges, holds, and what PostgreSQL refuses whoever asks."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection
from tests.firm import HOURS_HEADINGS, MONDAY, Firm, Temp, TestClient, connect, enter, hours_file, set_up

from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, Problem
from engineroom.timesheets import services
from engineroom.timesheets.models import Hold, Timesheet

ROWS = """
SELECT a.code, e.day, c.kind, c.minutes, c.pay_rate, c.pay_amount, c.bill_rate, c.bill_amount, h.reason,
  h.note
FROM timesheets_charge c
JOIN timesheets_timeentry e ON e.id = c.time_entry_id
JOIN timesheets_timesheet t ON t.id = e.timesheet_id
JOIN timesheets_assignment a ON a.id = t.assignment_id
LEFT JOIN timesheets_hold h ON h.id = c.id
WHERE c.client_id = %s ORDER BY a.code, e.day, c.kind
"""


def charges(client: TestClient) -> list[tuple[Any, ...]]:
    with client.acting(), connection.cursor() as cursor:
        cursor.execute(ROWS, [client.id])
        return cursor.fetchall()


def held(client: TestClient) -> list[tuple[str, int, str, str]]:
    """(assignment, minutes, reason, note) of every held charge."""
    return [(row[0], row[3], row[8], row[9]) for row in charges(client) if row[8]]


def take(client: TestClient, temps: list[Temp], monday: date = MONDAY) -> None:
    client.take("timesheets", hours_file(client, temps, monday, f"hours-{monday}-{len(temps)}.csv"))


def test_the_order_of_the_rows_of_a_file_does_not_matter(
    client: TestClient, other_client: TestClient
) -> None:
    temps = [Temp("T1", hours=("9", "9", "9", "9", "9", "4")), Temp("T2", customer="BETA", order="PO-1")]
    orders = [("BETA", "PO-1", "2026-01-01", "", "", "21")]
    rows = [
        (t.assignment, t.number, (MONDAY + timedelta(days=d)).isoformat(), h, t.status, "")
        for t in temps
        for d, h in enumerate(t.hours)
    ]
    mixed = random.Random(7).sample(rows, len(rows))
    assert mixed != rows
    for at, lines in ((client, rows), (other_client, mixed)):
        set_up(at, temps, orders)
        at.take("timesheets", at.file("hours.csv", HOURS_HEADINGS, lines))
    assert charges(client) == charges(other_client)
    assert any(row[8] for row in charges(client))


@pytest.mark.behaviour("BILL-05", part="held")
def test_one_disputed_day_holds_the_billable_side_of_its_week_and_no_other(client: TestClient) -> None:
    temps = [Temp("T1", status="disputed"), Temp("T2", customer="BETA")]
    set_up(client, temps)
    take(client, temps)
    assert held(client) == [("T1-ACME", 480, "disputed", "")] * 5
    with client.acting():
        assert Timesheet.objects.get(client_id=client.id, status="disputed").assignment.code == "T1-ACME"


@pytest.mark.behaviour("BILL-05", part="held")
def test_hours_are_billed_up_to_the_order_and_held_beyond_it(client: TestClient) -> None:
    """Day by day, whoever worked: 20 hours of two people's 40 are Monday's 16 and Tuesday's first 4 of 8, so
    16."""
    temps = [
        Temp("T1", order="PO-1", hours=("8", "8", "4")),
        Temp("T2", "Al", order="PO-1", hours=("8", "8", "4")),
    ]
    set_up(client, temps, [("ACME", "PO-1", "2026-01-01", "", "", "24")])
    take(client, temps)
    note = "beyond the limit of order PO-1"
    assert held(client) == [
        ("T1-ACME", 240, "over_order", note),
        ("T2-ACME", 480, "over_order", note),
        ("T2-ACME", 240, "over_order", note),
    ]


def test_a_limit_in_money_counts_what_earlier_weeks_have_used(client: TestClient) -> None:
    """Five days of 8 hours at 21.00 are 840.00: of the order of 1,000.00, 160.00 are left, which are 457
    minutes of the next Monday (159.95; another would be 160.30) and none of the days after it."""
    temps = [Temp("T1", order="PO-1")]
    set_up(client, temps, [("ACME", "PO-1", "2026-01-01", "", "1000", "")])
    take(client, temps)
    assert held(client) == []
    take(client, temps, MONDAY + timedelta(days=7))
    assert [h[1:3] for h in held(client)] == [(23, "over_order"), *[(480, "over_order")] * 4]


def test_an_order_covers_no_day_outside_its_dates(client: TestClient) -> None:
    temps = [Temp("T1", order="PO-1")]
    set_up(client, temps, [("ACME", "PO-1", "2026-11-17", "2026-11-19", "", "")])
    take(client, temps)
    assert held(client) == [("T1-ACME", 480, "over_order", "outside the dates of order PO-1")] * 2
    days = [row[1] for row in charges(client) if row[8]]
    assert days == [MONDAY, MONDAY + timedelta(days=4)]


def test_a_disputed_week_does_not_use_up_an_order(client: TestClient) -> None:
    temps = [Temp("T1", order="PO-1", status="disputed"), Temp("T2", "Al", order="PO-1")]
    set_up(client, temps, [("ACME", "PO-1", "2026-01-01", "", "", "40")])
    take(client, temps)
    assert {h[0] for h in held(client)} == {"T1-ACME"}


def test_a_hold_ends_once_with_a_reason(client: TestClient) -> None:
    temps = [Temp("T1", status="disputed")]
    set_up(client, temps)
    take(client, temps)
    with client.acting():
        sheet = Timesheet.objects.get(client_id=client.id).id
    with client.acting(), pytest.raises(EngineroomError, match="Say why"):
        services.end_holds(sheet, outcome="written_off", reason="  ")
    with client.acting(), pytest.raises(EngineroomError, match="billable"):
        services.end_holds(sheet, outcome="forgotten", reason="signed sheet came")
    with client.acting():
        done = services.end_holds(sheet, outcome="billable", reason="signed sheet came")
    assert (done.charges, done.amount) == (5, 84000)
    with client.acting(), pytest.raises(Conflict, match="nothing of this timesheet is held"):
        services.end_holds(sheet, outcome="written_off", reason="changed our mind")


def test_hours_of_another_customers_file_count_towards_the_same_day(client: TestClient) -> None:
    """Fifteen hours at one customer and ten at another, in two files: nobody's day has 25."""
    temps = [Temp("T1", hours=("15",)), Temp("T1", customer="BETA", hours=("10",))]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps[:1], name="acme.csv"))
    with pytest.raises(InputRefused, match="would work 25 hours on 2026-11-16"):
        client.take("timesheets", hours_file(client, temps[1:], name="beta.csv"))


# --- around the application ---------------------------------------------------------------------------


@pytest.fixture
def entry(client: TestClient) -> tuple[UUID, UUID, UUID]:
    """(timesheet, entry, charge) of a Monday of eight basic hours."""
    temps = [Temp("T1", hours=("8",))]
    set_up(client, temps)
    take(client, temps)
    with client.acting(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.timesheet_id, e.id, c.id FROM timesheets_timeentry e "
            "JOIN timesheets_charge c ON c.time_entry_id = e.id WHERE e.client_id = %s",
            [client.id],
        )
        return cursor.fetchone()


INSERT_CHARGE = (
    "INSERT INTO timesheets_charge (id, client_id, time_entry_id, kind, "
    "minutes, pay_rate, pay_amount, bill_rate, "
    "bill_amount) VALUES (%s, %s, %s, 'basic', %s, 1500, %s, 2100, %s)"
)
INSERT_ENTRY = (
    "INSERT INTO timesheets_timeentry (id, client_id, timesheet_id, day, "
    "minutes) VALUES (%s, %s, %s, '2026-11-18', 60)"
)


@pytest.mark.behaviour("PAY-09", part="weekly")
@pytest.mark.parametrize(
    ("minutes", "pay", "bill"),
    [(60, 1500, 2100), (-60, -1500, -2100), (0, 0, 0), (480, 12000, 16800)],
    ids=["more", "less", "none", "the same again"],
)
def test_no_further_charge_fits_an_hour_that_is_charged(
    client: TestClient, entry: tuple[UUID, UUID, UUID], minutes: int, pay: int, bill: int
) -> None:
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.Error, match="add to its minutes"):
            db.execute(INSERT_CHARGE, [uuid4(), client.id, entry[1], minutes, pay, bill])


def test_two_further_charges_that_cancel_out_do_not_fit_either(
    client: TestClient, entry: tuple[UUID, UUID, UUID]
) -> None:
    one = "(%s, %s, %s, 'basic', %s, 1500, %s, 2100, %s)"
    sql = INSERT_CHARGE.replace("(%s, %s, %s, 'basic', %s, 1500, %s, 2100, %s)", f"{one}, {one}")
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.Error, match="add to its minutes"):
            db.execute(
                sql,
                [
                    uuid4(),
                    client.id,
                    entry[1],
                    60,
                    1500,
                    2100,
                    uuid4(),
                    client.id,
                    entry[1],
                    -60,
                    -1500,
                    -2100,
                ],
            )


def test_an_hour_and_its_charges_stay_in_their_client(
    client: TestClient, other_client: TestClient, entry: tuple[UUID, UUID, UUID]
) -> None:
    """Their time entry or timesheet under our client, and one that nobody has."""
    with connect() as db:
        enter(db, other_client.staff["specialist"], write=other_client.id)
        for hour in (entry[1], uuid4()):
            with pytest.raises(psycopg.Error, match="add to its minutes"), db.transaction():
                db.execute(INSERT_CHARGE, [uuid4(), other_client.id, hour, 480, 12000, 16800])
        for sheet in (entry[0], uuid4()):
            with pytest.raises(psycopg.Error, match="takes no further hour"), db.transaction():
                db.execute(INSERT_HOUR, {"hour": uuid4(), "sheet": sheet, "day": "2026-11-20"})


def test_an_hour_without_charges_is_refused(client: TestClient, entry: tuple[UUID, UUID, UUID]) -> None:
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.Error, match="written with its charges"):
            db.execute(INSERT_ENTRY, [uuid4(), client.id, entry[0]])


INSERT_SHEET = (
    "INSERT INTO timesheets_timesheet (id, client_id, assignment_id, week_ending, revision, status, note, "
    "taken_in_id, entry_count) SELECT %(sheet)s, client_id, assignment_id, week_ending, 2, status, note, "
    "taken_in_id, %(count)s FROM timesheets_timesheet WHERE id = %(like)s"
)
INSERT_HOUR = (
    "WITH e AS (INSERT INTO timesheets_timeentry (id, client_id, timesheet_id, day, minutes) "
    "VALUES (%(hour)s, app_write(), %(sheet)s, %(day)s, 60)) "
    "INSERT INTO timesheets_charge (id, client_id, time_entry_id, kind, minutes, pay_rate, pay_amount, "
    "bill_rate, bill_amount) "
    "VALUES (gen_random_uuid(), app_write(), %(hour)s, 'basic', 60, 1500, 1500, 2100, 2100)"
)


def test_a_timesheet_takes_no_further_hour(client: TestClient, entry: tuple[UUID, UUID, UUID]) -> None:
    """Once paid, an hour slipped in would be billed and paid to nobody."""
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.Error, match="takes no further hour"):
            db.execute(INSERT_HOUR, {"hour": uuid4(), "sheet": entry[0], "day": "2026-11-20"})


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_timesheet_does_not_wait_for_its_hours(
    client: TestClient, entry: tuple[UUID, UUID, UUID], count: int
) -> None:
    values = {"sheet": uuid4(), "like": entry[0], "hour": uuid4(), "day": "2026-11-20", "count": count}
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.Error, match=r"written whole|timesheet_has_entries"), db.transaction():
            db.execute(INSERT_SHEET, values)
        both = f"{INSERT_HOUR[:4]} t AS ({INSERT_SHEET}), {INSERT_HOUR[5:]}"
        if count == 1:
            db.execute(both, values)
            with pytest.raises(psycopg.Error, match="takes no further hour"):
                db.execute(INSERT_HOUR, values | {"hour": uuid4(), "day": "2026-11-19"})
        else:
            with pytest.raises(psycopg.Error, match=r"written whole|timesheet_has_entries"):
                db.execute(both, values)


def test_who_ended_a_hold_is_the_databases_word(client: TestClient) -> None:
    temps = [Temp("T1", hours=("8",), status="disputed")]
    set_up(client, temps)
    take(client, temps)
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        (by,) = db.execute(
            "INSERT INTO timesheets_holdend (id, client_id, outcome, reason, by_user_id) "
            "SELECT id, client_id, 'billable', 'x', gen_random_uuid() FROM timesheets_hold "
            "RETURNING by_user_id"
        ).fetchone() or (None,)
        assert by == client.staff["specialist"].id


@pytest.mark.parametrize(
    ("minutes", "message"), [(60, None), (59, "add to its minutes"), (61, "add to its minutes")]
)
def test_charges_written_with_their_hour_add_to_it(
    client: TestClient, entry: tuple[UUID, UUID, UUID], minutes: int, message: str | None
) -> None:
    new, sheet = uuid4(), uuid4()
    sheets = INSERT_SHEET % {"sheet": f"'{sheet}'", "like": f"'{entry[0]}'", "count": 1}
    sql = f"WITH t AS ({sheets}), e AS ({INSERT_ENTRY}) {INSERT_CHARGE}"
    pay, bill = round(minutes * 1500 / 60), round(minutes * 2100 / 60)
    values = [new, client.id, sheet, uuid4(), client.id, new, minutes, pay, bill]
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        if message is None:
            db.execute(sql, values)
        else:
            with pytest.raises(psycopg.Error, match=message):
                db.execute(sql, values)


def test_a_charge_pays_its_minutes_at_its_rate_and_nothing_else(
    client: TestClient, entry: tuple[UUID, UUID, UUID]
) -> None:
    new = uuid4()
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.errors.CheckViolation, match="charge_amounts"):
            db.execute(
                f"WITH e AS ({INSERT_ENTRY}) {INSERT_CHARGE}",
                [new, client.id, entry[0], uuid4(), client.id, new, 60, 150000, 2100],
            )


@pytest.mark.parametrize("table", ["timesheet", "timeentry", "charge", "hold", "holdend"])
@pytest.mark.parametrize("verb", ["UPDATE timesheets_{} SET id = id", "DELETE FROM timesheets_{}"])
def test_what_was_recorded_is_not_changed(firm: Firm, client: TestClient, table: str, verb: str) -> None:
    with connect() as db:
        enter(db, client.staff["lead"], write=client.id)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(verb.format(table))


def test_a_hold_ends_only_for_a_charge_that_is_held(
    client: TestClient, entry: tuple[UUID, UUID, UUID]
) -> None:
    with client.acting():
        assert not Hold.objects.filter(client_id=client.id).exists()
    with connect() as db:
        enter(db, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            db.execute(
                "INSERT INTO timesheets_holdend (id, client_id, outcome, reason, "
                "by_user_id) VALUES (%s, %s, 'billable', 'x', %s)",
                [entry[2], client.id, client.staff["specialist"].id],
            )


def refused(client: TestClient, *rows: tuple[str, ...]) -> list[Problem]:
    """What is wrong with a file of (assignment, payroll number, day of November 2026, hours)."""
    lines = [(code, number, f"2026-11-{day}", hours, "", "") for code, number, day, hours in rows]
    with pytest.raises(InputRefused) as error:
        client.take("timesheets", client.file("wrong.csv", HOURS_HEADINGS, lines))
    return list(error.value.problems)


def test_a_number_that_is_nobodys_is_said_to_be_nobodys(client: TestClient) -> None:
    set_up(client, [Temp("T1"), Temp("T2")])
    mistyped, swapped, neither = refused(
        client,
        ("T1-ACME", "N9999", "16", "8"),
        ("T1-ACME", "T2", "17", "8"),
        ("T1-ACME", "T1", "18", "8"),
        ("X", "N9998", "19", "8"),
    )[:3]
    assert (mistyped.row, mistyped.problem) == (2, "there is nobody with payroll number 'N9999'")
    assert mistyped.remedy == "Correct the number: assignment T1-ACME is T1's"
    assert (swapped.row, swapped.problem) == (3, "assignment T1-ACME is not T2's")
    assert swapped.remedy == "It is T1's; correct one of the two"
    assert (neither.row, neither.problem) == (5, "there is no assignment 'X'")


def test_a_number_that_is_nobodys_on_no_assignment_asks_for_the_person(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    found = refused(client, ("X", "N9998", "19", "8"))
    assert [(p.row, p.field) for p in found] == [(2, "assignment"), (2, "payroll_number")]
    assert found[1].remedy == "Import the person first, or correct the number"


def test_problems_stand_in_the_order_of_the_rows_whatever_found_them(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    found = refused(
        client,
        ("T1-ACME", "T1", "16", "8"),
        ("T1-ACME", "T1", "17", "25"),  # of a day's hours
        ("T1-ACME", "T1", "16", "8"),  # stands twice
        ("X", "T1", "18", "8"),
        ("T1-ACME", "T1", "soon", "8"),  # cannot be read
        ("T1-ACME", "N9", "19", "8"),
    )
    assert [p.row for p in found] == sorted(p.row or 0 for p in found)
    assert {p.row for p in found} >= {3, 4, 5, 6, 7}


def test_what_is_said_of_accepted_hours_can_be_done_today(client: TestClient) -> None:
    """There is no correction file; nobody is sent to make one."""
    temps = [Temp("T1")]
    set_up(client, temps)
    take(client, temps)
    below, again = refused(client, ("T1-ACME", "T1", "16", "-1"), ("T1-ACME", "T1", "17", "9"))
    assert (below.problem, again.row) == ("hours are below zero", 2)
    assert "was taken in already" in again.problem
    for problem in (below, again):
        assert problem.remedy.startswith("Leave ") and "cannot be corrected here yet" in problem.remedy
