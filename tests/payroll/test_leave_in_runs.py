"""Leave and sickness in runs: what salary does not pay, and what is paid in its place."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.firm import TestClient, connect, enter
from tests.payroll.months import Employee, blocked, calculated, figures, monthly, open_run, paid, people
from tests.web.conftest import signed_in

from engineroom.kernel.errors import InputRefused
from engineroom.leave import entitling
from engineroom.leave import services as leave
from engineroom.leave.selectors import in_lieu
from engineroom.payroll import claims, items, selectors, services
from engineroom.payroll.absences import paid_of
from engineroom.payroll.models import ClaimPaid
from engineroom.payroll.sickness import FIRST, LAST

JUNE, JULY = date(2026, 6, 25), date(2026, 7, 24)
MONDAY_TO_FRIDAY = 31


def kinds(client: TestClient) -> None:
    with client.acting():
        entitling.offer_ready_kinds()


def away(client: TestClient, person: UUID, kind: str, starts: date, ends: date, **more: object) -> UUID:
    with client.acting():
        found = leave.kind_coded(kind)
        return leave.record(person, found.id, leave.Stretch(starts, ends, **more)).booking_id


# --- the rule ---------------------------------------------------------------------------------------------

DAYS = [date(2026, 6, 1) + timedelta(days=n) for n in range(30)]


@given(
    pay=st.integers(0, 10**7),
    weekdays=st.integers(1, 127),
    minutes=st.integers(0, 3000),
    lost=st.dictionaries(st.sampled_from(DAYS), st.integers(0, 100), max_size=30),
    basis=st.sampled_from(["calendar_days", "working_days", "hours", "260ths"]),
)
def test_what_is_left_of_a_salary_is_between_all_of_it_and_nothing(
    pay: int, weekdays: int, minutes: int, lost: dict[date, int], basis: str
) -> None:
    stretch = (DAYS[0], DAYS[-1])
    of_lost = {day: (part * minutes // 100, part) for day, part in lost.items()}
    left = paid_of(pay, stretch, weekdays, minutes, of_lost, basis)
    assert 0 <= left <= pay
    assert paid_of(pay, stretch, weekdays, minutes, {}, basis) == pay
    everything = dict.fromkeys(DAYS, (24 * 60 * 7, 100))
    assert paid_of(pay, stretch, weekdays, minutes, everything, basis) == 0


def test_half_of_the_working_days_or_of_the_hours_is_half_of_the_pay() -> None:
    june = (date(2026, 6, 1), date(2026, 6, 30))  # 22 working days
    away = {DAYS[n]: (450, 100) for n in range(11) if DAYS[n].weekday() < 5}  # 9 of them
    assert paid_of(2_200_00, june, MONDAY_TO_FRIDAY, 2250, away, "working_days") == 1_300_00
    # Three long days and a short one: an hour of them weighs the same on whichever day it is.
    half = {DAYS[0]: (225, 50)}
    assert paid_of(2_200_00, june, MONDAY_TO_FRIDAY, 2250, half, "hours") == 2_150_00


# --- in runs ----------------------------------------------------------------------------------------------


@pytest.mark.behaviour("HR-02")
def test_unpaid_leave_shortens_a_salary_and_annual_leave_does_not(client: TestClient) -> None:
    ids = people(client, Employee(), Employee("E2"), Employee("E3"))
    monthly(client, ids, proration="working_days")
    kinds(client)
    away(client, ids["E1"], "unpaid", date(2026, 6, 29), date(2026, 7, 1))
    away(client, ids["E2"], "annual", date(2026, 6, 8), date(2026, 6, 12))
    june = paid(client, JUNE)
    assert june["E1"]["basic_pay"] == 3_000_00 - round(3_000_00 * 2 / 22)
    assert (june["E2"]["basic_pay"], june["E3"]["basic_pay"]) == (3_000_00, 3_000_00)
    assert paid(client, JULY)["E1"]["basic_pay"] == 3_000_00 - round(3_000_00 / 23)


def test_leave_recorded_after_the_calculation_makes_the_run_stale(client: TestClient) -> None:
    ids = people(client, Employee())
    monthly(client, ids)
    kinds(client)
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    away(client, ids["E1"], "unpaid", date(2026, 6, 1), date(2026, 6, 30))
    assert [field for _, field in blocked(client, run_id)] == ["inputs"]
    calculated(client, run_id)
    assert figures(client, run_id)["E1"]["gross"] == 0


# --- sickness ---------------------------------------------------------------------------------------------


def sick_after(client: TestClient, *paydays: date, **employee: object) -> UUID:
    """Somebody on 36,000.00 a year who was paid on these paydays."""
    since = min((*paydays, date(2026, 1, 31))).replace(day=1)
    ids = people(client, Employee(**employee), tax_from=str(since))  # type: ignore[arg-type]
    monthly(client, ids, since=since, proration="working_days")
    kinds(client)
    for day in paydays:
        paid(client, day)
    return ids["E1"]


APRIL, MAY = date(2026, 4, 24), date(2026, 5, 22)


@pytest.mark.behaviour("PAY-08")
def test_recorded_sickness_is_paid_as_ssp_in_place_of_salary(client: TestClient) -> None:
    """Five working days from the first on (no waiting days since 6 April 2026): a week's 123.25."""
    person = sick_after(client, date(2026, 3, 25), APRIL, MAY)
    away(client, person, "sickness", date(2026, 6, 8), date(2026, 6, 12))
    run_id = open_run(client, JUNE)
    assert calculated(client, run_id).blockers == 0
    slip = figures(client, run_id)["E1"]
    assert slip["statutory_sick_pay"] == 123_25
    assert slip["basic_pay"] == 3_000_00 - round(3_000_00 * 5 / 22)
    assert slip["gross"] == slip["basic_pay"] + 123_25
    with client.acting("lead"):
        (claim,) = claims.claims()
        run = services.find_run(run_id)
        (one,) = selectors.payslips(run)
        told = [str(line) for line in selectors.explain(one.id) if line.group == "claims"]
        assert selectors.recheck(run).ok
    # The paydays of 25 March (after it) to 25 May: two months of 3,000.00.
    assert (claim.row.first_day, claim.row.period_from, claim.row.period_until) == (
        date(2026, 6, 8), date(2026, 3, 26), date(2026, 5, 25)
    )  # fmt: skip
    assert claim.row.figures["relevant_earnings"] == 6_000_00
    assert (claim.paid, claim.days) == (123_25, 5)
    assert any("5 of 5 days of a week's 123.25" in line for line in told), told
    assert any("average earnings 692.30 a week" in line for line in told), told


@pytest.mark.behaviour("PAY-08")
def test_sickness_of_the_year_before_waits_three_days_and_linked_stretches_wait_once(
    client: TestClient,
) -> None:
    """2025-26: three waiting days, 118.75 a week; 18 days lie between the two stretches."""
    person = sick_after(client, date(2025, 10, 24), date(2025, 11, 25), date(2025, 12, 24),
                        starts=date(2025, 9, 1))  # fmt: skip
    away(client, person, "sickness", date(2026, 1, 5), date(2026, 1, 9))
    away(client, person, "sickness", date(2026, 1, 28), date(2026, 2, 4))
    january = paid(client, date(2026, 1, 23))["E1"]
    # 2 of the first 5 days, and Wednesday to Friday of the linked stretch.
    assert january["statutory_sick_pay"] == 47_50 + 71_25
    february = paid(client, date(2026, 2, 25))["E1"]
    assert february["statutory_sick_pay"] == 71_25  # Monday to Wednesday
    with client.acting("lead"):
        (claim,) = claims.claims()
    assert (claim.row.first_day, claim.days) == (date(2026, 1, 5), 8)


@pytest.mark.behaviour("PAY-08")
def test_who_was_not_paid_long_enough_waits_until_somebody_states_their_earnings(client: TestClient) -> None:
    person = sick_after(client, MAY)
    away(client, person, "sickness", date(2026, 6, 8), date(2026, 6, 8))
    run_id = open_run(client, JUNE)
    assert calculated(client, run_id).payslips == 0
    assert blocked(client, run_id) == [("E1", "sick pay")]
    stated = {"relevant_earnings": 800_00, "relevant_periods": 8}
    with client.acting(), pytest.raises(InputRefused) as refused:
        claims.state_claim(person, "smpp", date(2026, 6, 8), {"relevant_pay": 1}, reason="")
    assert {p.field for p in refused.value.problems} == {"reason", "payment", "relevant_pay"}
    with client.acting():
        claims.state_claim(person, "ssp", date(2026, 6, 8), stated, reason="from the bureau before")
    assert calculated(client, run_id).blockers == 0
    assert figures(client, run_id)["E1"]["statutory_sick_pay"] == 16_00  # 80% of 100.00 a week, a fifth


def test_a_parents_leave_without_a_claim_waits_for_it_or_for_an_item(client: TestClient) -> None:
    person = sick_after(client)
    away(client, person, "maternity", date(2026, 6, 1), date(2026, 12, 31))
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    assert blocked(client, run_id) == [("E1", "statutory pay")]
    with client.acting():
        items.add_pay_item(person, "statutory_parental_pay", 800_00, period=JUNE, reason="by hand")
    assert calculated(client, run_id).blockers == 0
    slip = figures(client, run_id)["E1"]
    assert (slip["basic_pay"], slip["statutory_parental_pay"]) == (0, 800_00)


def test_what_was_paid_of_a_claim_is_never_changed_nor_added_to_a_released_run(client: TestClient) -> None:
    person = sick_after(client, date(2026, 3, 25), APRIL, MAY)
    away(client, person, "sickness", date(2026, 6, 8), date(2026, 6, 12))
    paid(client, JUNE)
    with client.acting():
        row = ClaimPaid.objects.get(client_id=client.id)
    insert = (
        "INSERT INTO payroll_claimpaid (id, client_id, run_id, attempt_id, person_id, claim_id, amount, "
        "figures) VALUES (%s, %s, %s, %s, %s, %s, 1, '{}')"
    )
    late = [uuid4(), client.id, row.run_id, row.attempt_id, row.person_id, row.claim_id]
    for sql, values, words in [
        ("UPDATE payroll_claimpaid SET amount = 0 WHERE id = %s", [row.id], "permission"),
        ("DELETE FROM payroll_claim WHERE id = %s", [row.claim_id], "permission"),
        (insert, late, "claim_paid_once|released"),
    ]:
        with connect() as connection:
            enter(connection, client.staff["specialist"], write=client.id)
            with pytest.raises(psycopg.Error, match=words):
                connection.execute(sql, values)


def test_sickness_is_shown_to_who_may_see_health_and_stated_on_the_page(client: TestClient) -> None:
    person = sick_after(client, MAY)
    away(client, person, "sickness", date(2026, 6, 8), date(2026, 6, 8))
    browser = signed_in(client.staff["specialist"])
    at = f"/c/{client.code}/statutory-pay"
    said = {
        "payroll_number": "E1", "payment": "ssp", "first_day": "2026-06-08", "relevant_earnings": "800.00",
        "relevant_periods": "8", "reason": "from the bureau before",
    }  # fmt: skip
    assert browser.post(f"{at}/do/state", said).status_code == 303
    assert "from the bureau before" in browser.get(at).content.decode()
    masked = signed_in(client.staff["lead"]).get(at).content.decode()
    assert "Health is dots" in masked and "from the bureau before" not in masked


# --- leavers ----------------------------------------------------------------------------------------------


def test_what_leave_entitles_to_is_an_input_of_a_leavers_run(client: TestClient) -> None:
    ids = people(client, Employee(ends=date(2026, 6, 30)))
    monthly(client, ids)
    kinds(client)
    with client.acting():
        annual = leave.kind_coded("annual")
        entitling.grant_year(annual.id, date(2026, 1, 5))
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    before = figures(client, run_id)["E1"]["holiday_pay"]
    with client.acting():
        entitling.set_policy(annual.id, date(2026, 1, 5), weeks_ppm=7_000_000, person_id=ids["E1"])
    assert [field for _, field in blocked(client, run_id)] == ["inputs"]
    calculated(client, run_id)
    assert figures(client, run_id)["E1"]["holiday_pay"] > before


def test_leave_that_a_leaver_has_left_is_paid_once_by_their_last_run(client: TestClient) -> None:
    """28 days a year; two are left. A day of 36,000.00 a year and five days a week is 138.46."""
    ids = people(client, Employee(ends=date(2026, 6, 30)), Employee("E2"))
    monthly(client, ids)
    kinds(client)
    with client.acting():
        annual = leave.kind_coded("annual")
        entitling.grant_year(annual.id, date(2026, 1, 5))
        (left,) = in_lieu(FIRST, LAST, date(2026, 6, 1), date(2026, 6, 30))
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    slips = figures(client, run_id)
    assert slips["E1"]["holiday_pay"] == round(36_000_00 / 52 / 2250 * left.minutes) > 0
    assert slips["E2"]["holiday_pay"] == 0
    away(client, ids["E1"], "annual", date(2026, 6, 1), date(2026, 6, 2))
    assert [field for _, field in blocked(client, run_id)] == ["inputs"]
    calculated(client, run_id)
    again = figures(client, run_id)["E1"]
    assert again["holiday_pay"] == round(36_000_00 / 52 / 2250 * (left.minutes - 900))
    assert again["basic_pay"] == 3_000_00
    final = open_run(client, date(2026, 6, 29), "final")
    with client.acting():
        items.add_pay_item(ids["E1"], "bonus_pay", 10_00, period=JUNE, reason="farewell", run_id=final)
    calculated(client, final)
    assert figures(client, final)["E1"]["gross"] == 10_00
