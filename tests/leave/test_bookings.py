"""Leave is asked for, decided by another person, stands day by day in one ledger, and is taken back whole."""

from __future__ import annotations

from datetime import date, timedelta

import psycopg
import pytest
from django.utils import timezone

from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, NotPermitted
from engineroom.leave import entitling, selectors, services
from engineroom.leave.models import Booking, LeaveEntry
from engineroom.leave.services import Stretch
from engineroom.people import own, terms
from tests.firm import Firm, connect, enter
from tests.leave.conftest import DAY, THREE_DAYS, Office

MONDAY, FRIDAY = date(2026, 8, 3), date(2026, 8, 7)
NEXT_YEAR = timezone.now().date() + timedelta(days=7)


def asked_by_jo(office: Office, stretch: Stretch, code: str = "annual") -> services.Booked:
    with acting(office.jo, write=office.client.id):
        return services.ask(office.kind(code).id, stretch)


@pytest.mark.behaviour("HR-02")
def test_leave_in_hours_and_days_is_two_views_of_one_ledger(office: Office):
    """A day of a full week and of a short one are as long; what a year gives differs by the week."""
    with office.client.acting("specialist"):
        services.record(office.ids["J1"], office.kind("annual").id, Stretch(MONDAY, FRIDAY))
        services.record(office.ids["B1"], office.kind("annual").id, Stretch(MONDAY, FRIDAY))
        services.record(
            office.ids["J1"],
            office.kind("dependants").id,
            Stretch(date(2026, 9, 1), date(2026, 9, 1), minutes=90),
        )
        jo = selectors.balance(office.ids["J1"], office.kind("annual"), FRIDAY)
        bo = selectors.balance(office.ids["B1"], office.kind("annual"), FRIDAY)
        assert (jo.given, jo.taken, jo.left) == (28 * DAY, 5 * DAY, 23 * DAY)
        assert (jo.days(jo.given), jo.days(jo.left)) == (28_00, 23_00)
        assert (bo.given, bo.taken) == (7_560, 3 * DAY)  # 16.8 days
        assert (bo.days(bo.given), bo.days(bo.left)) == (16_80, 13_80)
        hours = selectors.balance(office.ids["J1"], office.kind("dependants"), date(2026, 9, 1))
        assert hours.taken == 90 and hours.days(hours.taken) == 20
        before = selectors.balance(office.ids["J1"], office.kind("annual"), MONDAY)
        assert (before.taken, before.booked, before.available) == (DAY, 4 * DAY, 23 * DAY)


def test_a_request_waits_and_another_person_approves_it(office: Office):
    booked = asked_by_jo(office, Stretch(MONDAY, FRIDAY))
    assert booked.state == "asked" and booked.minutes == 5 * DAY
    with office.client.acting("lead"):
        waiting = selectors.balance(office.ids["J1"], office.kind("annual"), FRIDAY)
        assert (waiting.taken, waiting.asked, waiting.available) == (0, 5 * DAY, 23 * DAY)
        services.approve(booked.booking_id)
        assert office.left("J1", FRIDAY) == 23 * DAY
    with office.client.acting("lead"), pytest.raises(Conflict, match="approved already"):
        services.approve(booked.booking_id)


def test_a_refusal_says_why_and_frees_the_days(office: Office):
    booked = asked_by_jo(office, Stretch(MONDAY, FRIDAY))
    with office.client.acting("lead"):
        with pytest.raises(InputRefused, match="no reason"):
            services.refuse(booked.booking_id, reason=" ")
        services.refuse(booked.booking_id, reason="the year end closes that week")
        assert office.left("J1", FRIDAY) == 28 * DAY
    assert asked_by_jo(office, Stretch(MONDAY, FRIDAY)).state == "asked"


def test_nobody_decides_of_what_they_asked_for_themselves(office: Office):
    with office.client.acting("lead"):
        booked = services.ask_for(office.ids["A1"], office.kind("annual").id, Stretch(MONDAY, FRIDAY))
        with pytest.raises(NotPermitted, match="maker is not checker"):
            services.approve(booked.booking_id)
    with office.client.acting("owner"):
        assert services.approve(booked.booking_id).state == "approved"


def test_raw_sql_moves_no_state_and_approves_nothing_of_ones_own(office: Office):
    with office.client.acting("lead") as scope:
        maker = scope.user
        booked = services.ask_for(office.ids["A1"], office.kind("annual").id, Stretch(MONDAY, FRIDAY))
    decide = (
        "INSERT INTO leave_decision (id, client_id, booking_id, person_id, what, reason, by_user_id) "
        "VALUES (gen_random_uuid(), %s, %s, %s, %s, '', %s)"
    )
    row = [office.client.id, booked.booking_id, office.ids["A1"]]
    with connect() as app:
        enter(app, maker, write=office.client.id)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
            app.execute("UPDATE leave_booking SET state = 'approved' WHERE id = %s", [booked.booking_id])
        with pytest.raises(psycopg.Error, match="maker is not checker"), app.transaction():
            app.execute(decide, [*row, "approved", office.client.staff["owner"].id])
    with connect() as app:
        enter(app, office.client.staff["owner"], write=office.client.id)
        app.execute(decide, [*row, "approved", maker.id])
        with pytest.raises(psycopg.Error, match="takes 2250 minutes, and the ledger has 0"):
            app.commit()


def test_raw_sql_writes_no_day_that_is_not_approved_and_takes_nothing_back_by_halves(office: Office):
    booked = asked_by_jo(office, Stretch(MONDAY, FRIDAY))
    line = (
        "INSERT INTO leave_leaveentry (id, client_id, person_id, kind_id, what, day, year_starts, minutes, "
        "part, booking_id, undoes_id, reason, by_user_id) "
        "SELECT gen_random_uuid(), client_id, person_id, kind_id, %s, %s, '2026-01-01', %s, 100, id, %s, '', "
        "asked_by_id FROM leave_booking WHERE id = %s"
    )
    with connect() as app:
        enter(app, office.client.staff["specialist"], write=office.client.id)
        with pytest.raises(psycopg.Error, match="no day of approved leave"):
            app.execute(line, ["taken", MONDAY, -DAY, None, booked.booking_id])
    with office.client.acting("lead"):
        services.approve(booked.booking_id)
        first = LeaveEntry.objects.get(client_id=office.client.id, booking_id=booked.booking_id, day=MONDAY)
    with connect() as app:
        enter(app, office.client.staff["specialist"], write=office.client.id)
        with pytest.raises(psycopg.Error, match="taken back whole"):
            app.execute(line, ["undone", MONDAY, DAY, first.id, booked.booking_id])


def test_the_ledger_is_history_and_an_employee_gives_themselves_nothing(office: Office):
    with connect() as app:
        enter(app, office.client.staff["specialist"], write=office.client.id)
        for change in ("UPDATE leave_leaveentry SET minutes = 0", "DELETE FROM leave_decision"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
                app.execute(change)
    with connect() as app:
        app.execute("SELECT app_enter(%s, NULL, 'self', '{}', %s)", [office.jo.id, office.client.id])
        with pytest.raises(psycopg.Error, match="may write grant"):
            app.execute(
                "INSERT INTO leave_leaveentry (id, client_id, person_id, kind_id, what, day, year_starts, "
                "minutes, part, reason, by_user_id) "
                "SELECT gen_random_uuid(), %s, %s, id, 'grant', current_date, '2026-01-01', 4500, 0, '', %s "
                "FROM leave_leavekind WHERE code = 'annual'",
                [office.client.id, office.ids["J1"], office.jo.id],
            )


def test_from_ones_own_face_only_ones_own_leave_is_there(office: Office):
    with office.client.acting("specialist"):
        for who in ("J1", "A1"):
            services.record(office.ids[who], office.kind("annual").id, Stretch(MONDAY, FRIDAY))
    for table in ("leave_booking", "leave_decision", "leave_leaveentry"):
        with connect() as app:
            app.execute("SELECT app_enter(%s, NULL, 'self', %s, NULL)", [office.jo.id, [office.client.id]])
            mine = app.execute(f"SELECT DISTINCT person_id FROM {table}").fetchall()
            assert mine == [(office.ids["J1"],)], table
    with connect() as app:
        app.execute("SELECT app_enter(%s, NULL, 'self', '{}', %s)", [office.jo.id, office.client.id])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(
                "INSERT INTO leave_booking (id, client_id, kind_id, person_id, starts, ends, from_noon, "
                "until_noon, minutes, state, asked_by_id) SELECT gen_random_uuid(), %s, id, %s, "
                "'2026-12-01', '2026-12-01', false, false, 450, 'asked', %s "
                "FROM leave_leavekind WHERE code = 'annual'",
                [office.client.id, office.ids["A1"], office.jo.id],
            )


def test_half_days_meet_at_noon_and_anything_more_overlaps(office: Office):
    annual = Stretch(MONDAY, MONDAY, until_noon=True)
    with office.client.acting("specialist"):
        kind = office.kind("annual").id
        assert services.record(office.ids["J1"], kind, annual).minutes == 225
        services.record(office.ids["J1"], kind, Stretch(MONDAY, FRIDAY, from_noon=True))
        with pytest.raises(Conflict, match="stands on 3 Aug"):
            services.record(office.ids["J1"], office.kind("unpaid").id, Stretch(FRIDAY, FRIDAY))
        assert office.left("J1", FRIDAY) == 23 * DAY


def test_postgresql_refuses_an_overlap_that_nobody_looked_for(office: Office):
    with office.client.acting("specialist"):
        kind = office.kind("annual")
        days = services.count(kind, office.ids["J1"], Stretch(MONDAY, FRIDAY))
        services.write_bookings([days], "")
        again = services.Counted(
            kind, days.person_id, Stretch(FRIDAY, FRIDAY), days.days[-1:], services.uuid7()
        )
        with pytest.raises(Conflict, match="already"):
            services.write_bookings([again], "")


def test_cancelled_leave_is_undone_day_by_day_with_its_reason(office: Office):
    booked = asked_by_jo(office, Stretch(MONDAY, FRIDAY))
    with office.client.acting("lead"):
        services.approve(booked.booking_id)
        services.cancel(booked.booking_id, reason="the customer moved the visit")
        lines = LeaveEntry.objects.filter(client_id=office.client.id, booking_id=booked.booking_id)
        assert lines.count() == 10 and sum(lines.values_list("minutes", flat=True)) == 0
        assert office.left("J1", FRIDAY) == 28 * DAY
        services.record(office.ids["J1"], office.kind("annual").id, Stretch(MONDAY, FRIDAY))


def test_one_takes_back_ones_own_request_and_leave_that_has_not_begun(office: Office):
    request = asked_by_jo(office, Stretch(MONDAY, FRIDAY))
    with acting(office.jo, write=office.client.id):
        assert services.withdraw(request.booking_id).state == "withdrawn"
    begun = asked_by_jo(office, Stretch(MONDAY, FRIDAY))
    with office.client.acting("lead"):
        services.approve(begun.booking_id)
    with acting(office.jo, write=office.client.id), pytest.raises(NotPermitted, match="has begun"):
        services.withdraw(begun.booking_id)


def test_what_is_not_left_cannot_be_asked_for_and_may_be_recorded(office: Office):
    long = Stretch(date(2026, 2, 2), date(2026, 3, 31))
    with pytest.raises(InputRefused, match="210 h are left of the year from 2026-01-01"):
        asked_by_jo(office, long)
    with office.client.acting("specialist"):
        services.record(office.ids["J1"], office.kind("annual").id, long)
        assert office.left("J1", date(2026, 4, 1)) < 0


@pytest.mark.parametrize(
    ("stretch", "said"),
    [
        (Stretch(FRIDAY, MONDAY), "before the first"),
        (Stretch(date(2026, 8, 8), date(2026, 8, 9)), "none of these days is worked"),
        (Stretch(MONDAY, MONDAY, from_noon=True, until_noon=True), "nothing of the day"),
        (Stretch(MONDAY, FRIDAY, minutes=60), "hours are of one day"),
        (Stretch(date(2025, 12, 30), date(2026, 1, 6)), "no terms say what is worked on 30 Dec 2025"),
        (Stretch(MONDAY, MONDAY + timedelta(days=500)), "at most 400 days"),
    ],
)
def test_what_cannot_be_booked_is_said_with_what_to_do(office: Office, stretch: Stretch, said: str):
    with office.client.acting("specialist"), pytest.raises(InputRefused, match=said):
        services.record(office.ids["J1"], office.kind("annual").id, stretch)
    with office.client.acting("specialist"):
        assert not Booking.objects.filter(client_id=office.client.id).exists()


def test_leave_that_was_asked_for_under_other_terms_is_not_approved_as_it_was(office: Office):
    booked = asked_by_jo(office, Stretch(MONDAY, FRIDAY))
    with office.client.acting("specialist"):
        terms.set_terms(office.ids["J1"], THREE_DAYS, starts=date(2026, 8, 1), reason="agreed")
    with office.client.acting("lead"), pytest.raises(Conflict, match="ask again"):
        services.approve(booked.booking_id)


def test_staff_of_another_client_and_kinds_of_another_client_are_not_found(firm: Firm, office: Office):
    other = firm.new_client()
    with other.acting("specialist"):
        entitling.offer_ready_kinds()
        kind = selectors.kind_coded("annual")
        assert kind is not None
        with pytest.raises(NotFound):
            services.record(office.ids["J1"], kind.id, Stretch(MONDAY, FRIDAY))


def test_without_a_login_there_is_nobody_to_ask_for(firm: Firm, office: Office):
    user = firm.new_user("employee")
    firm.grant(user, office.client.id, "employee")
    with acting(user, write=office.client.id):
        assert own.myself() is None and not selectors.kinds()
