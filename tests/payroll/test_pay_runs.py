"""Pay runs: what is calculated, what blocks, what is bound by an approval, what is frozen, what is posted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import psycopg
import pytest
from tests.firm import (
    PAY_DATE,
    Temp,
    TestClient,
    approve_accounts,
    approve_payday,
    connect,
    enter,
    hours_file,
    run_payday,
    set_up,
    superuser,
)

from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict, InputRefused
from engineroom.ledger import selectors as ledger
from engineroom.openitems import selectors as openitems
from engineroom.payday import steps
from engineroom.payroll import attempts, selectors, services
from engineroom.payroll.engine.gb import gross_to_net as gb
from engineroom.payroll.models import Attempt, AttemptChunk, PayRun, Payslip

WEEK = timedelta(days=7)
Figures = dict[str, dict[str, int]]


def figures(client: TestClient, pay_date: date = PAY_DATE) -> Figures:
    """Every published payslip's elements, by payroll number."""
    with client.acting("lead"):
        run = selectors.run_of(pay_date)
        assert run is not None
        return {slip.payroll_number: slip.figures for slip in selectors.payslips(run)}


def run_of(client: TestClient, pay_date: date = PAY_DATE) -> PayRun:
    with client.acting("lead"):
        run = selectors.run_of(pay_date)
        assert run is not None
        return run


def take_hours(client: TestClient, temps: Sequence[Temp], pay_date: date = PAY_DATE, name: str = "") -> None:
    monday = pay_date - timedelta(days=11)
    client.take("timesheets", hours_file(client, temps, monday, name or f"hours-{pay_date}.csv"))


def prepare(client: TestClient, temps: Sequence[Temp], pay_date: date = PAY_DATE) -> steps.Calculated:
    """Hours in and calculated; not approved."""
    take_hours(client, temps, pay_date)
    return calculate(client, pay_date)


def calculate(client: TestClient, pay_date: date = PAY_DATE) -> steps.Calculated:
    return steps.calculate(client.staff["specialist"], client.id, pay_date)


def approve(client: TestClient, pay_date: date = PAY_DATE) -> steps.ApprovedBoth:
    return approve_payday(client, pay_date=pay_date)


def release(client: TestClient, pay_date: date = PAY_DATE) -> steps.Released:
    return steps.release(client.staff["checker"], client.id, pay_date)


TAX_HEADINGS = (
    "payroll_number", "from_date", "tax_code", "basis", "ni_category", "previous_pay", "previous_tax",
)  # fmt: skip


def tax_details(client: TestClient, *rows: tuple[str, ...], name: str = "more-tax.csv") -> None:
    client.take("tax-details", client.file(name, TAX_HEADINGS, rows))


def booked(client: TestClient) -> dict[str, int]:
    with client.acting("bookkeeper"):
        assert all(c.ok for c in ledger.verify())
        assert all(c.ok for c in openitems.controls())
        return {b.code: b.balance for b in ledger.trial_balance()}


# --- what is calculated -------------------------------------------------------------------------------


def test_a_payslip_is_what_the_engine_alone_says(client: TestClient) -> None:
    temp = Temp("T1", hours=("9", "9", "9", "9", "9", "4"), loan="2", pension="net_pay", pay_rate="21.50")
    set_up(client, [temp])
    prepare(client, [temp])
    alone = gb.calculate(
        {
            "frequency": "weekly",
            "tax_period": 34,
            "minutes_worked": [49 * 60],
            "basic_pay": [40 * 2150],
            "overtime_pay": [5 * 3225],
            "weekend_pay": [4 * 3225],
            "tax_code": ["1257L"],
            "ni_category": ["A"],
            "student_loan_plan": ["2"],
            "pension_member": [1],
            "pension_relief": ["net_pay"],
            "pension_employee_ppm": [50_000],
            "pension_employer_ppm": [30_000],
            "holiday_accrues": 1,
        },
        gb.resolve_tables(PAY_DATE),
    )
    assert figures(client) == {"T1": {e.code: int(alone.columns[e.code][0]) for e in gb.ELEMENTS}}


def test_tax_to_date_is_carried_from_week_to_week(client: TestClient) -> None:
    """Nothing was earned before week 34, so free pay of 33 weeks is left: no tax in either week. K and BR pay
    theirs."""
    temps = [
        Temp("T1"),
        Temp("T2", "Kay", tax_code="K100"),
        Temp("T3", "Bea", tax_code="BR"),
        Temp("T4", "Wim", basis="week1"),
    ]
    set_up(client, temps)
    run_payday(client, temps)
    run_payday(client, temps, PAY_DATE + WEEK)
    first, second = figures(client), figures(client, PAY_DATE + WEEK)
    for number in ("T1", "T2", "T3", "T4"):
        one, two = first[number], second[number]
        assert two["taxable_pay_to_date"] == one["taxable_pay"] + two["taxable_pay"] == 120000
        assert two["tax_to_date"] == one["paye"] + two["paye"]
    assert first["T1"]["paye"] == second["T1"]["paye"] == 0
    assert first["T3"]["paye"] == second["T3"]["paye"] == 12000
    assert first["T4"]["paye"] == second["T4"]["paye"] > 0


def test_figures_of_an_earlier_employer_count_from_the_first_payslip(client: TestClient) -> None:
    """P45: 16,000.00 paid and 1,512.00 taxed by week 33; 600.00 more is taxed as a usual week of
    16,600.00."""
    set_up(client, [Temp("T1")])
    tax_details(client, ("T1", "2026-11-02", "1257L", "cumulative", "A", "16000.00", "1512.00"))
    run_payday(client, [Temp("T1")])
    slip = figures(client)["T1"]
    expected = gb.calculate(
        {
            "frequency": "weekly", "tax_period": 34, "basic_pay": [60000],
            "tax_code": ["1257L"], "ni_category": ["A"],
            "taxable_pay_to_date_before": [1600000], "tax_to_date_before": [151200],
        },
        gb.resolve_tables(PAY_DATE),
    )  # fmt: skip
    assert slip["paye"] == int(expected.columns["paye"][0])
    assert slip["taxable_pay_to_date"] == 1660000


def test_a_p45_that_comes_after_the_first_payslip_is_not_lost(client: TestClient) -> None:
    set_up(client, [Temp("T1", basis="week1")])
    run_payday(client, [Temp("T1")])
    tax_details(client, ("T1", "2026-11-30", "1257L", "cumulative", "A", "16000.00", "1512.00"))
    run_payday(client, [Temp("T1")], PAY_DATE + WEEK)
    slip = figures(client, PAY_DATE + WEEK)["T1"]
    assert slip["taxable_pay_to_date"] == 1600000 + 60000 + 60000
    assert slip["tax_to_date"] == 151200 + figures(client)["T1"]["paye"] + slip["paye"]


def test_figures_of_a_later_coding_notice_stand_in_place_of_the_first(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    tax_details(client, ("T1", "2026-11-02", "1257L", "cumulative", "A", "16000.00", "1512.00"))
    tax_details(
        client, ("T1", "2026-11-16", "1100L", "cumulative", "A", "17000.00", "1700.00"), name="p6.csv"
    )
    prepare(client, [Temp("T1")])
    assert figures(client)["T1"]["taxable_pay_to_date"] == 1700000 + 60000


def test_a_leaver_is_paid_for_the_days_worked_and_not_again(client: TestClient) -> None:
    leaver, stayer = Temp("T1", hours=("8", "8", "8")), Temp("T2", "Al Smith")
    set_up(client, [leaver, stayer])
    left = ("T1", "Jo Bloggs", "2026-01-05", "2026-11-18", "20-00-00", "00000001")
    headings = ("payroll_number", "name", "start_date", "leave_date", "sort_code", "account_number")
    client.take("people", client.file("leavers.csv", headings, [left]))
    with pytest.raises(InputRefused, match="T1 is not employed on 2026-11-19"):
        take_hours(client, [replace(leaver, hours=("8", "8", "8", "8"))], name="too-long.csv")
    run_payday(client, [leaver, stayer])
    assert figures(client)["T1"]["gross"] == 24 * 1500
    run_payday(client, [stayer], PAY_DATE + WEEK)
    assert list(figures(client, PAY_DATE + WEEK)) == ["T2"]


def test_a_week_of_tax_paid_too_much_is_a_refund(client: TestClient) -> None:
    """A code raised in November gives tax back: net is above gross, and HMRC owes part of it."""
    temps = [Temp("T1", hours=("8",))]
    set_up(client, temps)
    tax_details(client, ("T1", "2026-11-02", "1257L", "cumulative", "A", "16000.00", "3000.00"))
    run_payday(client, temps)
    slip = figures(client)["T1"]
    assert slip["paye"] < 0
    assert slip["net_pay"] > slip["gross"]
    balances = booked(client)
    assert balances["2200"] == -(slip["paye"] + slip["employee_nic"] + slip["employer_nic"]) > 0
    with client.acting("bookkeeper"):
        owed = {i.reference: i.amount for i in openitems.open_items(kind="hmrc")}
    assert owed == {
        "Income tax (PAYE), pay run 1": -slip["paye"],
        "National Insurance, pay run 1": -slip["employer_nic"],
    }


def test_a_run_in_which_everything_is_zero_can_be_released(client: TestClient) -> None:
    """A minute at a penny an hour rounds to nothing: no entry, no payment file, and no run stands in the
    way."""
    temps = [Temp("T1", hours=("0:01",), pay_rate="0.01", bill_rate="0.01")]
    set_up(client, temps)
    prepare(client, temps)
    approve(client)
    done = release(client)
    assert done.run is not None
    assert (done.run.batch_id, done.run.net, done.batch) == (None, 0, None)
    with client.acting("specialist"):
        assert steps.is_released(PAY_DATE)
    prepare(client, [Temp("T1")], PAY_DATE + WEEK)
    approve(client, PAY_DATE + WEEK)


@pytest.mark.parametrize(("chunk", "chunks"), [(1, 5), (2, 3)])
def test_chunks_of_any_size_give_the_same_pennies(
    client: TestClient, other_client: TestClient, monkeypatch: pytest.MonkeyPatch, chunk: int, chunks: int
) -> None:
    temps = [
        Temp(f"T{n}", f"P{n}", pay_rate=f"{14 + n}.37", tax_code=code, pension=pension, loan=loan)
        for n, (code, pension, loan) in enumerate(
            [
                ("1257L", "", ""),
                ("BR", "net_pay", "1"),
                ("K100", "", ""),
                ("S1257L", "salary_sacrifice", "2"),
                ("D0", "", ""),
            ]
        )
    ]
    for at in (client, other_client):
        set_up(at, temps)
    prepare(client, temps)
    monkeypatch.setattr(attempts, "CHUNK_PEOPLE", chunk)
    prepare(other_client, temps)
    assert figures(client) == figures(other_client)
    with other_client.acting():
        assert AttemptChunk.objects.filter(client_id=other_client.id).count() == chunks
        run = selectors.run_of(PAY_DATE)
        assert run is not None
        assert selectors.recheck(run).ok
    assert approve(other_client).run.run_id == run.id


def test_workers_in_the_background_give_the_same_pennies(
    client: TestClient, other_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    temps = [Temp("T1"), Temp("T2", "Al", tax_code="BR"), Temp("T3", "Bo", pension="net_pay")]
    for at in (client, other_client):
        set_up(at, temps)
        take_hours(at, temps)
    calculate(client)
    monkeypatch.setattr(attempts, "CHUNK_PEOPLE", 2)
    with other_client.acting():
        run = services.open_pay_run(PAY_DATE)
        plan = attempts.plan_calculation(run.run_id, in_background=True)
    assert plan.chunks == 2
    run_worker(wait=False)
    assert figures(other_client) == figures(client)
    with (
        pytest.raises(approvals.MakerIsNotChecker),
        acting(other_client.staff["specialist"], write=other_client.id),
    ):
        approvals.approve("pay_run", run.run_id, b"x")


# --- what blocks --------------------------------------------------------------------------------------


def test_who_lacks_tax_details_or_an_account_blocks_the_run_by_name(client: TestClient) -> None:
    temps = [Temp("T1"), Temp("T2", "Al"), Temp("T3", "Bo")]
    set_up(client, temps[:1])
    headings = ("payroll_number", "name", "start_date", "sort_code", "account_number")
    more = [("T2", "Al", "2026-01-05", "20-00-00", "00000002"), ("T3", "Bo", "2026-01-05", "", "")]
    client.take("people", client.file("more.csv", headings, more))
    tax_details(client, ("T3", "2026-04-06", "1257L", "cumulative", "A", "", ""))
    headings = ("assignment", "payroll_number", "customer", "role", "start_date", "pay_rate", "bill_rate")
    rows = [(f"{n}-ACME", n, "ACME", "Operative", "2026-01-05", "15.00", "21.00") for n in ("T2", "T3")]
    client.take("assignments", client.file("more-assignments.csv", headings, rows))
    done = prepare(client, temps)
    assert done.published is not None
    assert done.published.blockers == 2
    with pytest.raises(services.PayRunNotReady) as refused:
        approve(client)
    assert {(b.payroll_number, b.field) for b in refused.value.blockers} == {
        ("T2", "tax details"),
        ("T3", "bank account"),
    }
    assert "T2: there are no tax details on the pay date. Import the person's tax details" in str(
        refused.value
    )


def test_a_run_waits_for_the_one_before_it(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    prepare(client, [Temp("T1")])
    prepare(client, [Temp("T1")], PAY_DATE + WEEK)
    with pytest.raises(services.PayRunNotReady, match=r"pay run 1 of 2026-11-27 is not released"):
        approve(client, PAY_DATE + WEEK)
    approve(client)
    release(client)
    approve(client, PAY_DATE + WEEK)


def test_a_pay_date_without_hours_leaves_no_run_behind(client: TestClient) -> None:
    """A mistyped date would else stand in the way of every later run."""
    set_up(client, [Temp("T1")])
    with pytest.raises(attempts.NothingToPay, match="import timesheets first"):
        calculate(client, PAY_DATE - WEEK)
    with client.acting():
        assert not PayRun.objects.filter(client_id=client.id).exists()
    prepare(client, [Temp("T1")])
    approve(client)
    assert run_of(client).number == 1


@pytest.mark.parametrize("what", ["tax", "account", "earlier run"])
def test_what_changed_since_the_calculation_blocks_until_it_is_calculated_again(
    client: TestClient, what: str
) -> None:
    set_up(client, [Temp("T1"), Temp("T2", "Al")])
    if what == "earlier run":
        prepare(client, [Temp("T1")], PAY_DATE - WEEK)
    prepare(client, [Temp("T1")])
    if what == "tax":
        tax_details(client, ("T1", "2026-11-23", "BR", "cumulative", "A", "", ""))
    elif what == "account":
        change_account(client)
    else:
        late = replace(Temp("T1"), customer="ACME", hours=("", "", "", "", "", "8"))
        with pytest.raises(InputRefused, match="taken in already"):
            take_hours(client, [late], PAY_DATE - WEEK, "late.csv")
        tax_details(client, ("T1", "2026-11-20", "BR", "cumulative", "A", "", ""))
        calculate(client, PAY_DATE - WEEK)
        approve(client, PAY_DATE - WEEK)
        release(client, PAY_DATE - WEEK)
    with pytest.raises(services.PayRunNotReady, match=r"changed after it was calculated\. Calculate"):
        approve(client)
    calculate(client)
    approve(client)


def change_account(client: TestClient, role: str = "specialist") -> None:
    headings = ("payroll_number", "name", "start_date", "sort_code", "account_number", "account_from")
    row = ("T1", "Jo Bloggs", "2026-01-05", "20-00-00", "99999999", "2026-11-20")
    client.take("people", client.file("moved.csv", headings, [row]), role=role)
    assert approve_accounts(client) == 1


# --- what an approval binds ---------------------------------------------------------------------------


def test_a_recalculation_to_the_same_bytes_keeps_the_approval(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    before = prepare(client, [Temp("T1")]).published
    approve(client)
    again = calculate(client).published
    assert before is not None
    assert again is not None
    assert again.attempt_id != before.attempt_id
    assert (again.content_hash, again.approval_voided) == (before.content_hash, False)
    release(client)


def test_more_hours_void_the_approval(client: TestClient) -> None:
    set_up(client, [Temp("T1"), Temp("T2", "Al", customer="BETA")])
    prepare(client, [Temp("T1")])
    approve(client)
    take_hours(client, [Temp("T2", "Al", customer="BETA")], name="late.csv")
    again = calculate(client)
    assert again.published is not None
    assert again.published.approval_voided
    assert again.bill_run is not None
    assert again.bill_run.approval_voided
    with pytest.raises(approvals.NotApproved):
        release(client)
    approve(client)
    release(client)


def test_an_account_changed_after_the_approval_is_not_paid(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    prepare(client, [Temp("T1")])
    approve(client)
    change_account(client)
    with pytest.raises(approvals.ContentChanged, match="changed after it was approved"):
        release(client)
    with client.acting("lead"):
        assert not approvals.released("pay_run", run_of_here().id)


def run_of_here() -> PayRun:
    run = selectors.run_of(PAY_DATE)
    assert run is not None
    return run


def test_who_prepared_hours_or_run_does_not_approve_it(client: TestClient) -> None:
    """A lead who imports the hours is a maker of the run, though somebody else calculated it."""
    set_up(client, [Temp("T1")])
    client.take("timesheets", hours_file(client, [Temp("T1")]), role="lead")
    calculate(client)
    with pytest.raises(approvals.MakerIsNotChecker):
        approve(client)
    approve_payday(client, "owner")


# --- what is frozen -----------------------------------------------------------------------------------


@pytest.mark.behaviour("PAY-11")
def test_the_law_used_is_on_the_run_and_a_re_run_gives_the_same_pennies(client: TestClient) -> None:
    temps = [Temp("T1", loan="2", pay_rate="25.00"), Temp("T2", "Al")]
    set_up(client, temps)
    run_payday(client, temps)
    run_payday(client, temps, PAY_DATE + WEEK)
    for pay_date in (PAY_DATE, PAY_DATE + WEEK):
        with client.acting("lead"):
            run = selectors.run_of(pay_date)
            assert run is not None
            assert run.published is not None
            assert run.published.rules_hash == gb.resolve_tables(pay_date).hash
            assert {r["table"] for r in run.published.rules} == set(gb.TABLES)
            again = selectors.recheck(run)
        assert (again.ok, again.payslips, again.same_rules) == (True, 2, True)


@pytest.mark.behaviour("PAY-11")
def test_a_re_run_under_other_tables_says_how_many_differ_and_which_version(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last year's loan thresholds touch who has a loan; a new engine with the same numbers touches nobody."""
    temps = [Temp("T1", loan="2", pay_rate="25.00"), Temp("T2", "Al")]
    set_up(client, temps)
    run_payday(client, temps)
    now, before = gb.resolve_tables(PAY_DATE), gb.resolve_tables(PAY_DATE.replace(year=2025))
    mixed = replace(
        now,
        versions={**now.versions, "student_loan": before.versions["student_loan"]},
        parameters={**now.parameters, "student_loan": before.parameters["student_loan"]},
    )
    monkeypatch.setattr(gb, "ENGINE_VERSION", 7)
    with client.acting("lead"):
        newer = selectors.recheck(run_of_here())
        monkeypatch.setattr(gb, "resolve_tables", lambda day, further=(): mixed)
        other = selectors.recheck(run_of_here())
    assert (newer.ok, newer.engine_then, newer.engine_now) == (True, 1, 7)
    assert (other.different, other.payslips, other.same_rules) == (1, 2, False)
    assert other.rules_then != other.rules_now


FROZEN = {
    "the run": "UPDATE payroll_payrun SET published_id = NULL WHERE id = %(run)s",
    "another attempt": "INSERT INTO payroll_attempt (id, client_id, run_id, number, "
    "engine_version, elements, rules_hash, rules) "
    "VALUES (%(new)s, %(client)s, %(run)s, 9, 1, '{}', '', '[]')",
    "a chunk": "UPDATE payroll_attemptchunk SET problems = '[]' WHERE run_id = %(run)s",
    "a chunk away": "DELETE FROM payroll_attemptchunk WHERE run_id = %(run)s",
    "a chunk to another run": "UPDATE payroll_attemptchunk SET run_id = %(new)s WHERE run_id = %(run)s",
    "a payslip more": "INSERT INTO payroll_payslip (id, client_id, run_id, attempt_id, chunk, "
    "row, person_id, tax_code, "
    "ni_category, amounts) SELECT %(new)s, client_id, run_id, attempt_id, chunk, 5, "
    "(SELECT p.id FROM people_person p WHERE p.payroll_number = 'T9'), "
    "'BR', 'A', amounts FROM payroll_payslip "
    "WHERE run_id = %(run)s",
    "a timesheet more": "INSERT INTO payroll_paidtimesheet (id, client_id, run_id) SELECT t.id, "
    "t.client_id, %(run)s "
    "FROM timesheets_timesheet t WHERE NOT EXISTS (SELECT FROM payroll_paidtimesheet p WHERE p.id = t.id)",
    "a timesheet less": "DELETE FROM payroll_paidtimesheet WHERE run_id = %(run)s",
}


def test_a_released_run_is_frozen_whoever_asks(client: TestClient) -> None:
    temps = [Temp("T1"), Temp("T9", "Ivy", customer="BETA")]
    set_up(client, temps)
    run_payday(client, temps[:1])
    take_hours(client, temps[1:], name="late.csv")
    run = run_of(client)
    values = {"run": run.id, "client": client.id, "new": uuid4()}
    with connect() as db:
        enter(db, client.staff["lead"], write=client.id)
        for what, sql in FROZEN.items():
            with pytest.raises(psycopg.Error) as refused, db.transaction():
                done = db.execute(sql, values).rowcount
                pytest.fail(f"{what}: {done} rows")
            assert refused.value.sqlstate == "ER409", what
        for table in ("payroll_payslip", "payroll_attempt"):
            for sql in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction():
                    db.execute(sql)
    with client.acting(), pytest.raises(Conflict, match="frozen; correct it in another run"):
        attempts.plan_calculation(run.id)
    with client.acting("checker"), pytest.raises(Conflict, match="released already"):
        services.release_pay_run(run.id)


def test_nothing_moves_into_a_released_run_either(client: TestClient) -> None:
    """Hours bound to a later run, then moved back: they would count as paid and never be."""
    temps = [Temp("T1"), Temp("T9", "Ivy", customer="BETA")]
    set_up(client, temps)
    run_payday(client, temps[:1])
    released = run_of(client)
    prepare(client, temps[1:], PAY_DATE + WEEK)
    for table in ("payroll_paidtimesheet", "payroll_attemptchunk"):
        with connect() as db:
            enter(db, client.staff["specialist"], write=client.id)
            with pytest.raises(psycopg.Error, match="is released: what was issued is frozen"):
                db.execute(f"UPDATE {table} SET run_id = %s WHERE run_id <> %s", [released.id] * 2)


def test_another_name_on_the_account_after_the_approval_is_not_paid(client: TestClient) -> None:
    """The name goes into the payment file; the approval binds it like the account itself."""
    set_up(client, [Temp("T1")])
    prepare(client, [Temp("T1")])
    approve(client)
    with superuser() as db:
        db.execute("SET session_replication_role = replica")
        db.execute("UPDATE people_bankaccount SET account_name = 'X' WHERE client_id = %s", [client.id])
    with pytest.raises(approvals.ContentChanged, match="changed after it was approved"):
        release(client)


def test_a_step_done_twice_is_done_once(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    run_payday(client, [Temp("T1")])
    before = booked(client)
    again = calculate(client)
    assert (again.published, again.bill_run) == (None, None)
    approve(client)
    assert release(client) == steps.Released(None, None)
    posted = steps.post(client.staff["checker"], client.id, PAY_DATE, with_papers=False)
    assert posted.invoices is None
    assert booked(client) == before
    with client.acting():
        assert Attempt.objects.filter(client_id=client.id).count() == 1


# --- what is posted -----------------------------------------------------------------------------------


def costs_by_customer(client: TestClient) -> dict[str, dict[str, int]]:
    """Per account, minor units by customer code."""
    with client.acting("bookkeeper"):
        from engineroom.openitems.models import Counterparty

        names = dict(
            Counterparty.objects.filter(client_id=client.id, kind="customer").values_list("id", "code")
        )
        found: dict[str, dict[str, int]] = {}
        for line in ledger.journal():
            if line.batch_kind == "pay_run" and line.dimension:
                found.setdefault(line.account_code, {})[names[line.dimension]] = line.amount
        return found


def test_who_works_for_two_customers_costs_each_its_share(client: TestClient) -> None:
    """24 hours at 15.00 and 16 at 17.00: 360.00 and 272.00; every other cost in that proportion, to the
    penny."""
    temps = [
        Temp("T1", hours=("8", "8", "8"), pension="net_pay"),
        Temp("T1", hours=("", "", "", "8", "8"), customer="BETA", pay_rate="17.00", pension="net_pay"),
    ]
    set_up(client, temps)
    run_payday(client, temps)
    slip, costs = figures(client)["T1"], costs_by_customer(client)
    assert costs["5000"] == {"ACME": 36000, "BETA": 27200}
    for account, element in (
        ("5010", "employer_nic"),
        ("5020", "employer_pension"),
        ("5030", "holiday_accrued_pay"),
    ):
        assert sum(costs[account].values()) == slip[element]
        assert abs(costs[account]["ACME"] - slip[element] * 360 / 632) < 1


def test_sacrificed_pay_is_the_employers_pension_cost_and_is_owed_to_the_provider(client: TestClient) -> None:
    temps = [Temp("T1", pension="salary_sacrifice"), Temp("T2", "Al")]
    set_up(client, temps)
    run_payday(client, temps)
    slips, balances = figures(client), booked(client)
    given_up = slips["T1"]["salary_sacrifice"]
    assert given_up > 0
    assert balances["5000"] == 120000 - given_up == sum(s["gross"] for s in slips.values())
    assert balances["5020"] == given_up + slips["T1"]["employer_pension"] == -balances["2220"]
    assert sum(balances.values()) == 0


def test_what_is_owed_says_to_whom_and_when(client: TestClient) -> None:
    """Paid on 27 November: tax month 8 ends on 5 December, and HMRC is due on the 22nd. Net pay is due on the
    day."""
    temps = [Temp("T1", tax_code="BR", loan="1", pension="net_pay", pay_rate="30.00")]
    set_up(client, temps)
    prepare(client, temps)
    approve(client)
    release(client)
    slip = figures(client)["T1"]
    with client.acting("bookkeeper"):
        items = openitems.open_items(include_closed=True)
    owed = {(i.kind, i.counterparty, i.reference): (-i.amount, i.due) for i in items if i.amount < 0}
    due = date(2026, 12, 22)
    hmrc = "HM Revenue & Customs"
    assert {k: v for k, v in owed.items() if k[0] in ("hmrc", "pension", "net_pay")} == {
        ("hmrc", hmrc, "Income tax (PAYE), pay run 1"): (slip["paye"], due),
        ("hmrc", hmrc, "National Insurance, pay run 1"): (slip["employee_nic"] + slip["employer_nic"], due),
        ("hmrc", hmrc, "Student and postgraduate loans, pay run 1"): (slip["student_loan"], due),
        ("pension", "Workplace pension provider", "Pension, pay run 1"): (
            slip["employee_pension"] + slip["employer_pension"],
            due,
        ),
        ("net_pay", "Jo Bloggs", "1/T1"): (slip["net_pay"], PAY_DATE),
    }


def test_no_private_figure_stands_in_the_journal(client: TestClient) -> None:
    temps = [Temp("T1"), Temp("T2", "Al Smith", pay_rate="22.00")]
    set_up(client, temps)
    run_payday(client, temps)
    with client.acting("bookkeeper"):
        lines = [line for line in ledger.journal() if line.batch_kind == "pay_run"]
    assert not any("Bloggs" in line.narrative or "T1" in line.narrative for line in lines)
    nets = {s["net_pay"] for s in figures(client).values()}
    assert not any(abs(line.amount) in nets for line in lines)


def test_every_payslip_of_an_attempt_is_of_one_person(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    prepare(client, [Temp("T1")])
    sql = (
        "INSERT INTO payroll_payslip (id, client_id, run_id, attempt_id, chunk, "
        "row, person_id, tax_code, ni_category, "
        "amounts) SELECT %s, client_id, run_id, attempt_id, chunk, 5, "
        "person_id, 'BR', 'A', amounts FROM payroll_payslip"
    )
    with connect() as db:
        enter(db, client.staff["lead"], write=client.id)
        with pytest.raises(psycopg.errors.UniqueViolation):
            db.execute(sql, [uuid4()])
    with client.acting():
        assert Payslip.objects.filter(client_id=client.id).count() == 1


def test_the_run_says_why_a_payslip_is_what_it_is(client: TestClient) -> None:
    temps = [Temp("T1", pay_rate="25.00", loan="2")]
    set_up(client, temps)
    prepare(client, temps)
    with client.acting("lead"):
        (slip,) = selectors.payslips(run_of_here())
        text = "\n".join(selectors.explanation(slip.id))
    assert f"Net pay {slip.figures['net_pay'] / 100:,.2f} = 1,000.00 gross pay - " in text
    assert "1257L week 34: free pay 241.92 = 2 x 96.16 + 49.60 (PAYE routines, period 1)" in text
    assert "Student loan plan 2" in text


# --- what the reviews found ---------------------------------------------------------------------------


def test_hours_taken_into_a_run_but_not_on_its_payslips_keep_it_from_being_released(
    client: TestClient,
) -> None:
    """A calculation cut off after it took in late hours: the figures published before do not pay them."""
    temps = [Temp("T1"), Temp("T2", "Al Smith")]
    set_up(client, temps)
    prepare(client, temps[:1])
    take_hours(client, temps[1:], name="late.csv")
    with client.acting():
        attempts.plan_calculation(run_of_here().id)  # and then the process is killed
    with pytest.raises(services.PayRunNotReady, match="T2: 2400 minutes were taken in, the payslip pays 0"):
        approve(client)
    calculate(client)
    approve(client)
    released = release(client)
    assert released.run is not None and released.run.payslips == 2


def test_an_older_attempt_is_not_published_over_a_later_one(client: TestClient) -> None:
    temps = [Temp("T1"), Temp("T2", "Al Smith")]
    set_up(client, temps)
    first = prepare(client, temps[:1])
    take_hours(client, temps[1:], name="late.csv")
    calculate(client)
    with client.acting(), pytest.raises(Conflict, match="a later attempt has begun"):
        attempts.publish_attempt(first.published.attempt_id)


def test_a_tax_week_has_one_regular_run(client: TestClient) -> None:
    """Two would give everybody the week's National Insurance thresholds twice."""
    set_up(client, [Temp("T1")])
    prepare(client, [Temp("T1")])
    with client.acting(), pytest.raises(Conflict, match="is the run of tax week 34"):
        services.open_pay_run(PAY_DATE - timedelta(days=1))


def test_no_run_is_opened_before_a_released_one(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    run_payday(client, [Temp("T1")])
    with client.acting(), pytest.raises(Conflict, match="no run can be opened before it"):
        services.open_pay_run(PAY_DATE - timedelta(days=7))


def test_whoever_entered_the_bank_accounts_does_not_approve_their_pay(client: TestClient) -> None:
    set_up(client, [Temp("T1")])
    change_account(client, role="lead")
    prepare(client, [Temp("T1")])
    with pytest.raises(approvals.MakerIsNotChecker):
        approve(client)
    approve_payday(client, "owner")


def test_an_abandoned_run_gives_its_hours_back(client: TestClient) -> None:
    """A mistyped pay date: the right one then pays the hours."""
    set_up(client, [Temp("T1")])
    wrong = PAY_DATE + timedelta(days=28)
    client.take("timesheets", hours_file(client, [Temp("T1")]))
    assert steps.calculate(client.staff["specialist"], client.id, wrong) is not None
    with client.acting():
        mistyped = selectors.run_of(wrong)
        assert mistyped is not None
        assert services.abandon_pay_run(mistyped.id, reason="wrong month").timesheets == 1
    done = calculate(client)
    assert done.published.payslips == 1
    approve(client)
    release(client)


def test_a_runs_sums_are_postgresqls_own_and_nobody_writes_others(client: TestClient) -> None:
    """The figures of a run's page are taken from its payslips at publication, whatever is written beside."""
    temps = [Temp("T1"), Temp("T2", hours=("9", "8", "8", "8", "8"))]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    with client.acting("specialist"):
        run = selectors.run_of(PAY_DATE)
        assert run is not None
        slips = selectors.payslips(run)
        expected = {code: sum(s.figures[code] for s in slips) for code in slips[0].figures}
        assert selectors.run_figures(run) == selectors.RunFigures(2, expected)
        PayRun.objects.filter(id=run.id).update(totals=[1, 2, 3], payslips=99)
        run.refresh_from_db()
        assert selectors.run_figures(run) == selectors.RunFigures(2, expected)
