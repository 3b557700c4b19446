"""What a leave year gives, carries and loses; what a leaver is owed; what payroll is told of sickness."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from engineroom.kernel.errors import Conflict, InputRefused
from engineroom.kernel.rates import ppm
from engineroom.leave import entitling, selectors, services
from engineroom.leave.selectors import FIRST_ID, LAST_ID
from engineroom.leave.services import Stretch
from engineroom.people import terms
from tests.firm import Firm
from tests.leave.conftest import BEGAN, DAY, FULL_TIME, THREE_DAYS, Office

YEAR_END = date(2026, 12, 31)


def test_a_year_is_given_once_and_changed_terms_give_the_difference(office: Office):
    with office.client.acting("specialist"):
        annual = office.kind("annual")
        assert entitling.grant_year(annual.id, BEGAN).people == 0
        terms.set_terms(office.ids["J1"], THREE_DAYS, starts=date(2026, 7, 1), reason="agreed")
        done = entitling.grant_year(annual.id, date(2026, 7, 1))
        assert done.people == 1
        exact = (28 * DAY * 181 + 7_560 * 184) / 365
        assert exact <= office.left("J1", date(2026, 7, 1)) < exact + 1
        assert office.left("J1", date(2026, 6, 30)) == 28 * DAY, "as it stood before"


def test_by_the_month_a_twelfth_comes_on_each_months_first_day(office: Office):
    with office.client.acting("specialist"):
        annual = office.kind("annual")
        entitling.set_policy(
            annual.id, date(2027, 1, 1), weeks_ppm=ppm("5.6"), most_days=28, accrual="monthly"
        )
        entitling.grant_year(annual.id, date(2027, 3, 15))
        march = selectors.balance(office.ids["J1"], annual, date(2027, 3, 15))
        assert (march.given, march.to_come, march.available) == (7 * DAY, 21 * DAY, 28 * DAY)
        entitling.grant_year(annual.id, date(2027, 4, 1))
        assert office.left("J1", date(2027, 4, 1)) == 28 * DAY // 3


def test_a_person_has_an_entitlement_of_their_own_before_the_clients(office: Office):
    with office.client.acting("specialist"):
        annual = office.kind("annual")
        entitling.set_policy(annual.id, BEGAN, weeks_ppm=ppm("6"), person_id=office.ids["A1"])
        entitling.grant_year(annual.id, BEGAN)
        assert (office.left("A1", BEGAN), office.left("J1", BEGAN)) == (30 * DAY, 28 * DAY)
        with pytest.raises(Conflict, match="give a later day"):
            entitling.set_policy(annual.id, BEGAN, weeks_ppm=ppm("7"), person_id=office.ids["A1"])
        with pytest.raises(InputRefused, match="no balance"):
            entitling.set_policy(office.kind("jury").id, BEGAN, weeks_ppm=ppm("1"))


def closing(office: Office, monkeypatch: pytest.MonkeyPatch, today: date) -> None:
    """The day on which somebody sits before it."""

    class Clock:
        @staticmethod
        def now():
            from datetime import UTC, datetime

            return datetime(today.year, today.month, today.day, tzinfo=UTC)

    monkeypatch.setattr(entitling, "timezone", Clock)


def test_a_year_that_is_over_carries_up_to_the_limit_and_loses_the_rest(office: Office, monkeypatch):
    with office.client.acting("specialist"):
        annual = office.kind("annual")
        services.record(office.ids["J1"], annual.id, Stretch(date(2026, 8, 3), date(2026, 8, 28)))
        with pytest.raises(Conflict, match="after that day"):
            entitling.close_year(annual.id, YEAR_END)
        closing(office, monkeypatch, date(2027, 1, 4))
        assert entitling.close_year(annual.id, YEAR_END).people == 3
        new = date(2027, 1, 1)
        assert office.left("J1", YEAR_END) == 0 and office.left("J1", new) == 8 * DAY
        assert office.left("A1", new) == 8 * DAY and office.left("B1", new) == 8 * 3 * DAY // 5
        assert entitling.close_year(annual.id, YEAR_END).people == 0, "closed again it writes nothing"


def test_carried_leave_lapses_after_its_last_day_but_for_what_was_used(office: Office, monkeypatch):
    with office.client.acting("specialist"):
        annual = office.kind("annual")
        entitling.set_policy(
            annual.id,
            date(2026, 12, 1),
            weeks_ppm=ppm("5.6"),
            most_days=28,
            carry_ppm=ppm("1.6"),
            carry_months=3,
        )
        closing(office, monkeypatch, date(2027, 4, 10))
        entitling.close_year(annual.id, YEAR_END)
        services.record(office.ids["J1"], annual.id, Stretch(date(2027, 2, 1), date(2027, 2, 3)))
        entitling.lapse_carried(annual.id, date(2027, 4, 10))
        entitling.lapse_carried(annual.id, date(2027, 4, 10))
        assert office.left("J1", date(2027, 3, 31)) == 5 * DAY and office.left("J1", date(2027, 4, 1)) == 0
        assert office.left("A1", date(2027, 4, 1)) == 0


def test_a_leaver_is_owed_the_part_of_the_year_that_was_worked(office: Office):
    last = date(2026, 3, 31)
    headings = ("payroll_number", "name", "start_date", "leave_date")
    left = office.client.file("left.csv", headings, [("J1", "Jo Bloggs", "2026-01-01", last.isoformat())])
    office.client.take("people", left)
    with office.client.acting("specialist"):
        services.record(
            office.ids["J1"], office.kind("annual").id, Stretch(date(2026, 2, 2), date(2026, 2, 4))
        )
        [owed] = selectors.in_lieu(FIRST_ID, LAST_ID, date(2026, 3, 1), last)
        due = -(-28 * DAY * 90 // 365) - 3 * DAY
        assert (owed.person_id, owed.element, owed.last_day) == (office.ids["J1"], "holiday_pay", last)
        assert owed.minutes == due and owed.days == round(due / DAY * 100)
        entitling.pay_in_lieu(owed.person_id, owed.kind_id, last, owed.minutes, reason="paid in March")
        assert selectors.in_lieu(FIRST_ID, LAST_ID, date(2026, 3, 1), last) == []


def test_what_is_given_by_hand_says_why(office: Office):
    with office.client.acting("specialist"):
        with pytest.raises(InputRefused, match="no reason"):
            entitling.adjust(office.ids["J1"], office.kind("annual").id, BEGAN, DAY, reason="")
        entitling.adjust(office.ids["J1"], office.kind("annual").id, BEGAN, DAY, reason="long service")
        assert office.left("J1", BEGAN) == 29 * DAY


@pytest.mark.behaviour("PAY-08", part="leave side")
def test_payroll_is_told_of_linked_spells_and_the_days_before(office: Office):
    """Two stretches with 56 days between them are one chain; the third, a day further, begins another."""
    first = (date(2026, 2, 2), date(2026, 2, 6))
    second = first[1] + timedelta(days=57), first[1] + timedelta(days=62)
    third = second[1] + timedelta(days=58), second[1] + timedelta(days=65)
    with office.client.acting("specialist"):
        sick = office.kind("sickness").id
        ids = [
            services.record(office.ids["J1"], sick, Stretch(*days)).booking_id
            for days in (first, second, third)
        ]
        services.record(office.ids["A1"], sick, Stretch(*first))
        found = selectors.taken_between(FIRST_ID, LAST_ID, date(2026, 1, 1), YEAR_END)
        jo = [t for t in found if t.person_id == office.ids["J1"]]
        assert [t.booking_id for t in jo] == ids
        assert [t.spell_id for t in jo] == [ids[0], ids[0], ids[2]]
        assert jo[1].linked_days_before == jo[0].days == 5_00 and jo[2].linked_days_before == 0
        assert {t.element for t in jo} == {"statutory_sick_pay"} and {t.payment for t in jo} == {"ssp"}
        assert all(t.spell_counts for t in jo)


def test_payroll_is_told_the_days_inside_the_period_and_nothing_that_was_cancelled(office: Office):
    with office.client.acting("specialist"):
        annual = office.kind("annual").id
        kept = services.record(office.ids["J1"], annual, Stretch(date(2026, 7, 30), date(2026, 8, 4)))
        gone = services.record(office.ids["A1"], annual, Stretch(date(2026, 7, 6), date(2026, 7, 8)))
        services.cancel(gone.booking_id, reason="moved")
        july = selectors.taken_between(FIRST_ID, LAST_ID, date(2026, 7, 1), date(2026, 7, 31))
        [row] = july
        assert (row.booking_id, row.days, row.minutes) == (kept.booking_id, 2_00, 2 * DAY)
        assert [d for d, _, _ in row.dates] == [date(2026, 7, 30), date(2026, 7, 31)]
        one = selectors.taken_between(office.ids["A1"], office.ids["A1"], date(2026, 7, 1), YEAR_END)
        assert one == []


def test_parental_leave_takes_calendar_days_and_the_hours_that_would_have_been_worked(office: Office):
    with office.client.acting("specialist"):
        kind = office.kind("maternity").id
        weeks = services.record(office.ids["B1"], kind, Stretch(date(2026, 3, 2), date(2026, 3, 15)))
        [row] = selectors.taken_between(FIRST_ID, LAST_ID, date(2026, 3, 1), date(2026, 3, 31))
        assert row.days == 14_00 and weeks.minutes == 6 * DAY


def test_people_whose_terms_are_in_another_client_get_nothing_here(firm: Firm, office: Office):
    other = firm.new_client()
    with other.acting("specialist"):
        entitling.offer_ready_kinds()
        kind = selectors.kind_coded("annual")
        assert kind is not None and entitling.grant_year(kind.id, BEGAN).people == 0
        assert selectors.taken_between(FIRST_ID, LAST_ID, BEGAN, YEAR_END) == []
        offered = entitling.offer_ready_kinds()
        assert offered.added == [] and "annual" in offered.known


def test_a_full_time_week_is_what_the_tests_say():
    assert FULL_TIME.minutes_per_week == 5 * DAY
