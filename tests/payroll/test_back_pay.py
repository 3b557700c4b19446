"""Back pay: a past that is said otherwise pays exactly the difference, once, by the law's own rule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from django.db import DatabaseError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.firm import PAY_DATE, Temp, TestClient, approve_payday, hours_file, set_up, superuser
from tests.payroll import months
from tests.payroll.months import Employee
from tests.payroll.toy import Toyland

from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.approvals.services import ContentChanged
from engineroom.kernel.errors import Conflict, NotFound
from engineroom.payday import steps
from engineroom.payroll import attempts, items, jurisdictions, retro, reversal, schedules, selectors, services
from engineroom.payroll.models import OnSchedule, PaidItem, PayItem, PayRun, RecurringPay
from engineroom.people import employment, terms
from engineroom.people.engine import Agreed
from engineroom.people.selectors import named_person, terms_between
from engineroom.timesheets.models import AssignmentRate

SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER = (date(2026, m, 25) for m in (9, 10, 11, 12))
PAYDAYS = {9: SEPTEMBER, 10: date(2026, 10, 23), 11: NOVEMBER, 12: date(2026, 12, 24)}


def paid(client: TestClient, *paydays: date) -> list[dict[str, dict[str, int]]]:
    return [months.paid(client, day) for day in paydays]


def raise_of(client: TestClient, number: str, salary: int, starts: date) -> None:
    with client.acting():
        person = named_person(number).counterparty_id
        terms.set_terms(person, Agreed("salary", salary, 2250), starts=starts, reason="agreed late")


def found(client: TestClient, **asked: object) -> retro.BackPay:
    with client.acting():
        return retro.back_pay("MONTHLY", **asked)  # type: ignore[arg-type]


def said(of: retro.BackPay) -> list[tuple[str, int, str, int]]:
    return [(d.payroll_number, d.starts.month, d.element, d.amount) for d in of.differences]


def accept(client: TestClient, **asked: object) -> retro.BackPayAccepted:
    looked_at = found(client, **asked).content_hash
    with client.acting():
        return retro.accept_back_pay("MONTHLY", content_hash=looked_at, **asked)  # type: ignore[arg-type]


@pytest.fixture
def one(client: TestClient) -> TestClient:
    """3,000.00 a month, paid for September and October."""
    months.monthly(client, months.people(client, Employee("E1")))
    paid(client, SEPTEMBER, date(2026, 10, 23))
    return client


@pytest.mark.behaviour("PAY-01")
@pytest.mark.behaviour("PAY-02")
def test_a_raise_said_late_is_paid_once_and_the_next_one_is_compared_with_it(one: TestClient) -> None:
    assert found(one).differences == ()
    raise_of(one, "E1", 38_400_00, date(2026, 9, 1))
    assert said(found(one)) == [("E1", 9, "basic_pay", 200_00), ("E1", 10, "basic_pay", 200_00)]
    done = accept(one)
    assert (done.items, done.people, done.amount) == (2, 1, 400_00)
    assert found(one).differences == ()
    raise_of(one, "E1", 39_600_00, date(2026, 10, 1))
    assert said(found(one)) == [("E1", 10, "basic_pay", 100_00)]
    accept(one)
    [november] = paid(one, NOVEMBER)
    assert november["E1"]["basic_pay"] == 3_300_00 + 200_00 + 200_00 + 100_00
    assert found(one).differences == ()
    with one.acting():
        assert PaidItem.objects.filter(client_id=one.id).count() == 3
        first = PayItem.objects.filter(client_id=one.id).earliest("period")
    assert first.reason == "back pay for 1 Sep to 30 Sep 2026: 3,000.00 was paid, 3,200.00 is due"


@pytest.mark.behaviour("PAY-01")
def test_british_back_pay_is_taxed_when_it_is_paid(client: TestClient) -> None:
    """A month 8 payslip of 3,000.00 and 400.00 arrears is that of anybody who is paid 3,400.00 in month 8."""
    people = [Employee("E1"), Employee("E2")]
    months.monthly(client, months.people(client, *people))
    paid(client, SEPTEMBER, date(2026, 10, 23))
    raise_of(client, "E1", 38_400_00, date(2026, 9, 1))
    accept(client)
    with client.acting():
        e2 = named_person("E2").counterparty_id
        items.add_pay_item(e2, "basic_pay", 600_00, period=NOVEMBER, reason="the same, said as an item")
    [november] = paid(client, NOVEMBER)
    assert november["E1"] == november["E2"]


@pytest.mark.behaviour("PAY-02")
def test_a_leaver_gets_theirs_and_a_starter_nothing_for_before(client: TestClient) -> None:
    people = [Employee("E1"), Employee("E2", starts=date(2026, 11, 2))]
    months.monthly(client, months.people(client, *people))
    paid(client, SEPTEMBER, date(2026, 10, 23))
    with client.acting():
        e1 = named_person("E1").counterparty_id
        employment.end_employment(e1, last_day=date(2026, 10, 31), why="resigned")
        OnSchedule.objects.filter(client_id=client.id, person_id=e1).update(ends=date(2026, 10, 31))
    raise_of(client, "E1", 38_400_00, date(2026, 9, 1))
    assert said(found(client)) == [("E1", 9, "basic_pay", 200_00), ("E1", 10, "basic_pay", 200_00)]
    accept(client)
    [november] = paid(client, NOVEMBER)
    assert set(november) == {"E1", "E2"} and november["E1"]["basic_pay"] == 400_00


@pytest.mark.behaviour("PAY-01")
def test_pay_of_every_period_that_is_withdrawn_is_no_back_pay_and_none_that_a_run_may_have_paid_is(
    one: TestClient,
) -> None:
    """So no back pay was ever paid for something that is withdrawn afterwards."""
    with one.acting():
        e1 = named_person("E1").counterparty_id
        late = items.add_recurring_pay(e1, "commission_pay", 50_00, starts=date(2026, 10, 1))
        never = items.add_recurring_pay(e1, "bonus_pay", 70_00, starts=date(2026, 11, 1))
        RecurringPay.objects.filter(id=never.recurring_id).update(withdrawn="never agreed")
    assert said(found(one)) == [("E1", 10, "commission_pay", 50_00)]
    accept(one)
    with pytest.raises(DatabaseError, match="a released run has paid this"), one.acting():
        RecurringPay.objects.filter(id=late.recurring_id).update(withdrawn="never agreed")
    [november] = paid(one, NOVEMBER)
    assert (november["E1"]["bonus_pay"], november["E1"]["commission_pay"]) == (0, 100_00)
    with one.acting():
        items.end_recurring_pay(late.recurring_id, ends=date(2026, 10, 31))
    assert said(found(one)) == [("E1", 11, "commission_pay", -50_00)]


@pytest.mark.behaviour("PAY-01")
def test_who_began_before_they_were_entered_and_who_left_before_it_was_said(one: TestClient) -> None:
    with one.acting():
        e1 = named_person("E1").counterparty_id
        items.add_recurring_pay(e1, "commission_pay", 50_00, starts=date(2026, 10, 1))
        employment.end_employment(e1, last_day=date(2026, 10, 15), why="resigned")
    # 15 of 31 days of 3,000.00, and the commission of October.
    part = 1_451_61 - 3_000_00
    assert said(found(one)) == [("E1", 10, "basic_pay", part), ("E1", 10, "commission_pay", 50_00)]


@pytest.mark.behaviour("PAY-01")
def test_hours_are_rated_anew_by_the_rates_of_their_days(client: TestClient) -> None:
    temps = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Smith")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    approve_payday(client)
    with client.acting("checker"):
        services.release_pay_run(selectors.named_run(1).id)
    with client.acting():
        assert retro.back_pay().differences == ()
        t1 = named_person("T1").counterparty_id
        [old] = AssignmentRate.objects.filter(client_id=client.id, assignment__person_id=t1)
        monday = date(2026, 11, 18)
        AssignmentRate.objects.filter(client_id=client.id, id=old.id).update(ends=date(2026, 11, 17))
        AssignmentRate.objects.create(
            client_id=client.id, assignment_id=old.assignment_id, starts=monday, pay_rate=old.pay_rate + 1_00,
            bill_rate=old.bill_rate, overtime_ppm=old.overtime_ppm, weekend_ppm=old.weekend_ppm,
            weekly_threshold_minutes=old.weekly_threshold_minutes,
        )  # fmt: skip
        [late] = retro.back_pay().differences
        # Wednesday to Friday, eight hours each, at 1.00 more.
        assert (late.payroll_number, late.element, late.amount) == ("T1", "basic_pay", 24_00)
        retro.accept_back_pay(content_hash=retro.back_pay().content_hash)
        assert retro.back_pay().differences == ()


# --- what is taken back and paid anew ---------------------------------------------------------------------


@pytest.mark.behaviour("PAY-02")
def test_what_was_taken_back_is_due_again_unless_it_was_replaced(one: TestClient) -> None:
    raise_of(one, "E1", 38_400_00, date(2026, 9, 1))
    accept(one)
    paid(one, NOVEMBER)
    with one.acting():
        run = PayRun.objects.get(client_id=one.id, pay_date=NOVEMBER)
        opened = reversal.reverse_payslips(run.id, reason="wrong account", replace=True, pay_date=NOVEMBER)
    assert opened.replacement_id is not None
    assert found(one).differences == ()
    months.calculated(one, opened.run_id)
    months.released(one, opened.run_id)
    assert found(one).differences == (), "what waits in the replacement is in the view"
    with one.acting():
        attempts.plan_calculation(opened.replacement_id)
        services.abandon_pay_run(opened.replacement_id, reason="not after all")
        for item in PayItem.objects.filter(client_id=one.id, run_id=opened.replacement_id):
            items.withdraw_pay_item(item.id, reason="not after all")
    assert [d[:2] + d[3:] for d in said(found(one))] == [
        ("E1", 9, 200_00), ("E1", 10, 200_00), ("E1", 11, 3_200_00)
    ]  # fmt: skip


# --- what is asked and refused ----------------------------------------------------------------------------


def test_what_was_looked_at_is_what_is_accepted(one: TestClient) -> None:
    with one.acting(), pytest.raises(Conflict, match="no back pay"):
        retro.accept_back_pay("MONTHLY", content_hash=retro.back_pay("MONTHLY").content_hash)
    raise_of(one, "E1", 38_400_00, date(2026, 9, 1))
    looked_at = found(one).content_hash
    raise_of(one, "E1", 40_800_00, date(2026, 10, 1))
    with one.acting(), pytest.raises(ContentChanged):
        retro.accept_back_pay("MONTHLY", content_hash=looked_at)
    assert said(found(one, since=date(2026, 10, 1))) == [("E1", 10, "basic_pay", 400_00)]
    with one.acting(), pytest.raises(NotFound, match="E9"):
        retro.back_pay("MONTHLY", payroll_numbers=["E9"])
    assert found(one, payroll_numbers=["E1"]).total == 600_00


def test_an_item_withdrawn_is_due_again(one: TestClient) -> None:
    raise_of(one, "E1", 38_400_00, date(2026, 9, 1))
    accept(one)
    with one.acting():
        first = PayItem.objects.filter(client_id=one.id).earliest("period")
        items.withdraw_pay_item(first.id, reason="the letter says October")
    assert said(found(one)) == [("E1", 9, "basic_pay", 200_00)]


# --- properties -------------------------------------------------------------------------------------------

# As much less as a month's pay can bear: pay of a run is not below zero.
salaries = st.integers(33_000_00, 35_999_99) | st.integers(36_000_01, 39_000_00)
changes = st.lists(
    st.tuples(st.integers(9, 12), salaries, st.booleans()),
    min_size=1, max_size=4, unique_by=lambda change: change[1],
)  # fmt: skip


@pytest.mark.behaviour("PAY-01")
@pytest.mark.behaviour("PAY-02")
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(changes)
def test_however_often_the_past_changes_what_is_paid_is_what_is_due(firm, said_late) -> None:  # type: ignore[no-untyped-def]
    """Every month a raise may be said for any month, and be accepted now or later: at last all was paid."""
    client: TestClient = firm.new_client()
    months.monthly(client, months.people(client, Employee("E1")))
    months.paid(client, SEPTEMBER)
    paydays = (PAYDAYS[10], PAYDAYS[11], PAYDAYS[12], date(2027, 1, 25))
    for (starts, salary, is_accepted), payday in zip(said_late, paydays, strict=False):
        raise_of(client, "E1", salary, date(2026, starts, 1))
        if is_accepted and found(client).differences:
            accept(client)
        months.paid(client, payday)
    if found(client).differences:
        accept(client)
    assert found(client).differences == ()
    with client.acting():
        runs = list(PayRun.objects.filter(client_id=client.id).select_related("published"))
        pay = sum(selectors.run_figures(run).totals["basic_pay"] for run in runs)
        waiting = sum(item.amount for item in items.items_waiting())
        e1 = named_person("E1").counterparty_id
        # Every raise is from the first of a month: a month's pay is a twelfth of the one salary in it.
        agreed = [terms_between(e1, e1, run.period_starts, run.period_ends) for run in runs]
    assert all(len(of_month) == 1 for of_month in agreed)
    due = sum((2 * of_month[0].amount + 12) // 24 for of_month in agreed)
    assert pay + waiting == due


# --- a country that taxes each period again ---------------------------------------------------------------


@pytest.fixture
def toyland(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Somebody on 600.00 a month in a country that is known while the test runs."""
    monkeypatch.setitem(jurisdictions._known, "xx", Toyland())
    with superuser() as connection:
        connection.execute("UPDATE foundation_client SET jurisdiction = 'xx' WHERE id = %s", [client.id])
    months.monthly(client, months.people(client, Employee("E1", 7_200_00)))
    yield client


def let_out(client: TestClient, payday: date) -> dict[str, int]:
    """Calculated, approved and released; posting is another matter."""
    run_id = months.open_run(client, payday)
    digest = bytes.fromhex(months.calculated(client, run_id).content_hash)
    with client.acting("lead"):
        approvals.approve("pay_run", run_id, digest)
    with client.acting("checker"):
        approvals.release("pay_run", run_id, digest)
    return months.figures(client, run_id)["E1"]


def tithes(*earned: int) -> list[int]:
    """Each month's tithe, of what was earned in the months of a year: a tenth of what is over 1,000.00."""
    found: list[int] = []
    for month in range(1, len(earned) + 1):
        found.append(max(sum(earned[:month]) - 1_000_00, 0) // 10 - sum(found))
    return found


@pytest.mark.behaviour("PAY-01")
def test_another_country_taxes_each_period_again(toyland: TestClient) -> None:
    """The tithe begins in the second month. What comes late for the first two is tithed as if paid then."""
    first, second = let_out(toyland, SEPTEMBER), let_out(toyland, PAYDAYS[10])
    assert [first["tithe"], second["tithe"]] == tithes(600_00, 600_00) == [0, 20_00]
    raise_of(toyland, "E1", 10_800_00, date(2026, 9, 1))
    assert said(found(toyland)) == [("E1", 9, "basic_pay", 300_00), ("E1", 10, "basic_pay", 300_00)]
    accept(toyland)
    third = let_out(toyland, NOVEMBER)
    now = tithes(900_00, 900_00, 900_00)
    assert third["basic_pay"] == 900_00 + 600_00 and third["tithe"] == sum(now) - 20_00
    assert found(toyland).differences == ()
    raise_of(toyland, "E1", 12_000_00, date(2026, 10, 1))
    assert [d[1:] for d in said(found(toyland))] == [(10, "basic_pay", 100_00), (11, "basic_pay", 100_00)]
    accept(toyland)
    fourth = let_out(toyland, PAYDAYS[12])
    assert fourth["basic_pay"] == 1_000_00 + 200_00
    assert fourth["tithe"] == sum(tithes(900_00, 1_000_00, 1_000_00, 1_000_00)) - sum(now)
    january = let_out(toyland, date(2027, 1, 25))
    assert (january["basic_pay"], january["tithe"]) == (1_000_00, 0), "another year begins anew"
    with toyland.acting("lead"):
        assert all(selectors.recheck(r).ok for r in PayRun.objects.filter(client_id=toyland.id))


@pytest.mark.behaviour("PAY-01")
def test_back_pay_of_a_period_without_a_payslip_is_not_lost(toyland: TestClient) -> None:
    """Somebody entered late: their first month has nothing that could be taxed again, and that is said."""
    let_out(toyland, SEPTEMBER)
    ids = months.people(toyland, Employee("E2", 7_200_00))
    with toyland.acting():
        schedules.put_on_schedule(ids["E2"], "MONTHLY", starts=date(2026, 1, 5))
    assert ("E2", 9) in [d[:2] for d in said(found(toyland))]
    accept(toyland)
    run_id = months.open_run(toyland, PAYDAYS[10])
    months.calculated(toyland, run_id)
    assert ("E2", "back pay") in months.blocked(toyland, run_id)
