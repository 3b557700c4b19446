"""The workbook of a period: downloaded, filled in, brought in, corrected; and when inputs close."""

from __future__ import annotations

import io
import re
import time
import zipfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from tests.firm import Firm, TestClient, connect, enter
from tests.payroll.months import Employee, calculated, figures, monthly, open_run, paid, people
from tests.payroll.workbooks import Cells, typed
from tests.web.conftest import signed_in

from engineroom.foundation import duties
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotPermitted
from engineroom.payday import steps
from engineroom.payroll import cut_off, items, schedules, services, workbook, workbook_imports
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.engine.schedules import Period
from engineroom.payroll.inputs import Missing
from engineroom.payroll.models import PaidItem, PayItem, PaySchedule, PayWorkbook, RecurringPay
from engineroom.payroll.workbook import Heading, Label, Line
from engineroom.people import terms
from engineroom.people.engine import Agreed
from engineroom.people.models import Person

JUNE, JULY = date(2026, 6, 25), date(2026, 7, 24)
BONUS = Heading("Bonus", "one-off", "bonus_pay")
EXPENSES = Heading("Expenses paid back, every period", "recurring", "expenses_paid")


def downloaded(client: TestClient, pay_date: date = JUNE, *, role: str = "specialist") -> Path:
    with acting(client.staff[role], read=[client.id]):
        name, content, _ = workbook_imports.workbook_of("MONTHLY", pay_date)
    path = client.folder / name
    path.write_bytes(content)
    return path


def label_of(path: Path) -> Label:
    found = workbook.read_label(path)
    assert found is not None
    return found[0]


def filled(client: TestClient, path: Path, cells: Cells, name: str = "") -> Path:
    return typed(path, client.folder / (name or f"filled-{path.name}"), cells)


def take(client: TestClient, path: Path, role: str = "specialist") -> dict[str, int]:
    return client.take("workbook", path, role=role).taken[0].counts


def paid_to_both(client: TestClient) -> None:
    """June, released: E2 has something to be paid for."""
    with client.acting():
        person = Person.objects.get(client_id=client.id, payroll_number="E2").counterparty_id
        items.add_pay_item(person, "basic_pay", 100_00, period=date(2026, 6, 30), reason="a day's work")
    paid(client, JUNE)


def refused(client: TestClient, path: Path) -> list[tuple[int | None, str | None, str]]:
    with pytest.raises(InputRefused) as error:
        take(client, path)
    return [(p.row, p.field, p.problem) for p in error.value.problems]


@pytest.fixture
def two(client: TestClient) -> TestClient:
    """E1 on a salary and E2 by the hour, both paid by the month; E1 has expenses every month."""
    ids = people(client, Employee(), Employee("E2", None))
    monthly(client, ids)
    with client.acting():
        terms.set_terms(ids["E2"], Agreed("hourly", 14_50, 2250), starts=date(2026, 1, 5), reason="agreed")
        items.add_recurring_pay(ids["E1"], "expenses_paid", 40_00, starts=date(2026, 1, 1))
    return client


# --- out and in -------------------------------------------------------------------------------------------


def test_a_workbook_is_filled_with_the_periods_people_and_comes_back_as_pay(two: TestClient) -> None:
    path = downloaded(two)
    found = workbook.read_filled(path, path.name)
    assert found is not None
    rows = list(found.sheet.rows())
    assert [(r["payroll_number"], r["name"], r["terms"]) for r in rows] == [
        ("E1", "Person E1", "£36,000.00 a year"), ("E2", "Person E2", "£14.50 an hour")
    ]  # fmt: skip
    assert rows[0][EXPENSES.text] == 40_00
    cells: Cells = {
        ("E1", "Bonus"): 250, ("E1", "reason"): "sales", ("E2", "hours"): 37.5, ("E2", "Commission"): "12.34"
    }  # fmt: skip
    assert take(two, filled(two, path, cells)) == {
        "new items": 3, "unchanged": 0, "taken back": 0, "changes of recurring pay": 0
    }  # fmt: skip
    run_id = open_run(two, JUNE)
    assert calculated(two, run_id).blockers == 0
    slips = figures(two, run_id)
    assert (slips["E1"]["bonus_pay"], slips["E1"]["expenses_paid"]) == (250_00, 40_00)
    assert (slips["E2"]["basic_pay"], slips["E2"]["minutes_worked"]) == (543_75, 2250)
    assert slips["E2"]["commission_pay"] == 12_34
    with two.acting():
        bonus = PayItem.objects.get(client_id=two.id, element="bonus_pay")
    assert (bonus.reason, bonus.source, bonus.period) == ("sales", "workbook", date(2026, 6, 1))


def test_what_stands_in_a_cell_is_the_exact_amount(two: TestClient) -> None:
    """As it is written in the file: no float is between the pennies and the cell."""
    expenses = Heading("Expenses paid back, every period", "recurring", "expenses_paid")
    label = Label(
        two.code, "MONTHLY", "2026-06-01", "2026-06-30", "2026-06-25", "GBP",
        (workbook.NUMBER, workbook.NAME, workbook.HOURS, BONUS, expenses),
    )  # fmt: skip
    amounts = {BONUS: 9_007_199_254_740_993, expenses: -40_10}
    content = workbook.written(label, two.id, [Line("E1", "Person E1", "", 2250, amounts)])
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    numbers = re.findall(r'<c r="[A-Z]2" s="\d+"><v>([^<]*)</v></c>', sheet)
    assert numbers == ["37.5", "90071992547409.93", "-40.10"]


def test_a_formula_counts_as_its_value_and_a_failed_one_is_named(two: TestClient) -> None:
    path = downloaded(two)
    take(two, filled(two, path, {("E1", "Bonus"): ("=200+50", 250)}))
    with two.acting():
        assert PayItem.objects.get(client_id=two.id).amount == 250_00
    wrong = filled(two, path, {("E1", "Bonus"): ("=1/0", "#DIV/0!")}, "failed.xlsx")
    assert [(row, column) for row, column, _ in refused(two, wrong)] == [(2, "Bonus")]


def test_everything_wrong_is_said_at_once_with_sheet_row_and_column(two: TestClient) -> None:
    path = downloaded(two)
    cells: Cells = {
        ("E1", "name"): "Person E2", ("E2", "Bonus"): "lots", ("E2", "hours"): "8:75",
    }  # fmt: skip
    with pytest.raises(InputRefused) as error:
        take(two, filled(two, path, cells))
    assert {(p.sheet, p.row, p.field) for p in error.value.problems} == {
        ("Pay", 2, "name"), ("Pay", 3, "Bonus"), ("Pay", 3, "hours")
    }  # fmt: skip
    assert "sheet Pay, row 3, Bonus" in str(error.value)
    hours = filled(two, path, {("E1", "hours"): 10}, "hours.xlsx")
    assert refused(two, hours) == [(2, "hours", "Person E1 is not paid by the hour")]
    strange = filled(two, path, {("E2", "payroll_number"): "E9"}, "strange.xlsx")
    assert (
        refused(two, strange)[0][2] == "nobody with payroll number 'E9' is on MONTHLY in 1 Jun to 30 Jun 2026"
    )
    double = filled(two, path, {("E2", "payroll_number"): "E1", ("E2", "name"): "Person E1"}, "double.xlsx")
    assert refused(two, double)[0][2] == "payroll number E1 stands in row 2 already"
    with two.acting():
        assert not PayItem.objects.filter(client_id=two.id).exists()


def test_a_workbook_of_another_client_or_period_or_with_another_label_is_refused(
    two: TestClient, firm: Firm
) -> None:
    other = firm.new_client()
    monthly(other, people(other, Employee(), Employee("E2")))
    theirs = downloaded(other)
    assert refused(two, theirs)[0][2].startswith(f"this is the workbook of client {other.code}, and not of")
    mine = downloaded(two)
    found = workbook.read_label(mine)
    assert found is not None
    label, seal = found
    for changed in (replace(label, starts="2026-07-01"), replace(label, client=two.code, currency="EUR")):
        forged = two.folder / f"forged-{changed.starts}-{changed.currency}.xlsx"
        lines = [Line("E1", "Person E1", "", None, {BONUS: 1_00})]
        forged.write_bytes(workbook.written(changed, other.id, lines))
        assert refused(two, forged)[0][2] == "what this workbook says that it is of was changed"
    plain = two.file("plain.csv", ("payroll_number", "Bonus"), [("E1", "1")])
    assert refused(two, plain)[0][2] == "this is no workbook that was downloaded here"
    assert seal != label.seal(other.id)
    paid_to_both(two)
    assert refused(two, mine)[0][2] == "inputs of 1 Jun to 30 Jun 2026 are closed: pay run 1 is released"


# --- again, corrected -------------------------------------------------------------------------------------


def test_the_same_figures_twice_change_nothing_twice(two: TestClient) -> None:
    path = downloaded(two)
    cells: Cells = {("E1", "Bonus"): 250, ("E1", EXPENSES.text): 45}
    one = filled(two, path, cells, "one.xlsx")
    take(two, one)
    assert two.take("workbook", one).taken[0].again
    saved_anew = filled(two, downloaded(two), {("E1", "Bonus"): "250.00"}, "two.xlsx")
    assert take(two, saved_anew) == {
        "new items": 0, "unchanged": 1, "taken back": 0, "changes of recurring pay": 0
    }  # fmt: skip
    with two.acting():
        assert PayItem.objects.filter(client_id=two.id).count() == 1


def test_a_corrected_workbook_takes_the_place_of_the_one_before_and_history_stays(
    two: TestClient,
) -> None:
    first = filled(
        two, downloaded(two), {("E1", "Bonus"): 250, ("E2", "hours"): 10, ("E1", EXPENSES.text): 45}
    )
    take(two, first)
    run_id = open_run(two, JUNE)
    calculated(two, run_id)
    corrected = filled(
        two,
        downloaded(two),
        {("E1", "Bonus"): 300, ("E2", "hours"): 12, ("E1", EXPENSES.text): 50},
        "new.xlsx",
    )
    assert take(two, corrected) == {
        "new items": 2, "unchanged": 0, "taken back": 2, "changes of recurring pay": 1
    }  # fmt: skip
    with two.acting("lead"):
        assert [b.field for b in blockers_of(services.find_run(run_id))] == ["inputs"]
        rows = PayItem.objects.filter(client_id=two.id).order_by("id").values_list("amount", "withdrawn")
        assert [(amount, bool(gone)) for amount, gone in rows] == [
            (250_00, True), (145_00, True), (300_00, False), (174_00, False)
        ]  # fmt: skip
        every = RecurringPay.objects.filter(client_id=two.id).order_by("id")
        assert [(r.amount, r.starts, r.ends, bool(r.withdrawn)) for r in every] == [
            (40_00, date(2026, 1, 1), date(2026, 5, 31), False),
            (45_00, date(2026, 6, 1), None, True),
            (50_00, date(2026, 6, 1), None, False),
        ]
        assert PayWorkbook.objects.filter(client_id=two.id).count() == 2
    calculated(two, run_id)
    slips = figures(two, run_id)
    assert (slips["E1"]["bonus_pay"], slips["E1"]["expenses_paid"]) == (300_00, 50_00)
    assert slips["E2"]["basic_pay"] == 174_00
    with pytest.raises(Conflict, match="another took its place"):
        take(two, first)


def test_recurring_pay_ends_at_nought_and_stays_where_its_cell_is_empty(two: TestClient) -> None:
    path = downloaded(two)
    take(two, filled(two, path, {("E1", EXPENSES.text): ""}, "empty.xlsx"))
    with two.acting():
        assert RecurringPay.objects.get(client_id=two.id).ends is None
    take(two, filled(two, path, {("E1", EXPENSES.text): 0}, "nought.xlsx"))
    with two.acting():
        assert RecurringPay.objects.get(client_id=two.id).ends == date(2026, 5, 31)


def test_recurring_pay_that_a_released_run_has_paid_is_withdrawn_by_nobody(two: TestClient) -> None:
    paid_to_both(two)
    with connect() as app:
        enter(app, two.staff["specialist"], write=two.id)
        with pytest.raises(psycopg.errors.Error, match="a released run has paid this"):
            app.execute("UPDATE payroll_recurringpay SET withdrawn = 'no' WHERE client_id = %s", [two.id])


# --- who, how many, until when ----------------------------------------------------------------------------


def test_a_contact_of_the_client_brings_it_in_and_cannot_approve_the_run(two: TestClient, firm: Firm) -> None:
    contact = firm.new_user("client")
    firm.grant(contact, two.id, "client_approver")
    path = filled(two, downloaded(two), {("E1", "Bonus"): 250, ("E2", "hours"): 10})
    steps.import_files(contact, two.id, "workbook", [path])
    run_id = open_run(two, JUNE)
    done = calculated(two, run_id)
    with acting(contact, write=two.id), pytest.raises(NotPermitted, match="made part"):
        services.approve_pay_run(run_id, content_hash=done.content_hash)


def test_all_errors_of_five_thousand_rows_come_in_one_answer(two: TestClient) -> None:
    path = downloaded(two)
    label = label_of(path)
    many = [Line(f"X{n:05d}", f"Nobody {n}", "", None, {BONUS: 1_00}) for n in range(5_000)]
    large = two.folder / "large.xlsx"
    large.write_bytes(workbook.written(label, two.id, many))
    started = time.monotonic()
    problems = refused(two, large)
    assert len({row for row, _, _ in problems}) == 5_000
    assert time.monotonic() - started < 60, "a guard against hanging, and no measure"


def an_open_period(client: TestClient) -> tuple[date, date]:
    """A weekly schedule whose inputs of some period are over today and whose pay day is ahead: its pay day,
    and the first day of the period."""
    today = duties.today()
    with client.acting():
        schedules.add_pay_schedule(
            "WEEKS", "Weekly", frequency="weekly", anchor=date(2026, 1, 5), pay_rule="days_after",
            pay_day=14, cut_off_days=15,
        )  # fmt: skip
        row = schedules.find_schedule("WEEKS")
        for period in schedules.periods_from(row, today - timedelta(days=30), 10):
            if period.cut_off < today < period.paid:
                return period.paid, period.starts
    raise AssertionError("a week has such a period")


def test_after_the_cut_off_inputs_wait_for_the_next_period_or_a_lead_lets_them_in(client: TestClient) -> None:
    ids = people(client, Employee(starts=date(2026, 1, 5)))
    pay_date, starts = an_open_period(client)
    with client.acting():
        schedules.put_on_schedule(ids["E1"], "WEEKS", starts=date(2026, 1, 5))
        items.add_pay_item(ids["E1"], "bonus_pay", 10_00, period=starts, reason="late")
        items.add_recurring_pay(ids["E1"], "commission_pay", 5_00, starts=starts)
        name, content, _ = workbook_imports.workbook_of("WEEKS", pay_date)
    path = client.folder / name
    path.write_bytes(content)
    assert "closed on" in refused(client, path)[0][2]
    run_id = open_run(client, pay_date, schedule="WEEKS")
    calculated(client, run_id)
    with client.acting():
        number = services.find_run(run_id).number
        assert (
            cut_off.items_too_late(*named("WEEKS", pay_date), cut_off.closes(services.find_run(run_id))) == 1
        )
    slip = figures(client, run_id)["E1"]
    assert (slip["bonus_pay"], slip["commission_pay"]) == (0, 0)
    let_in = {"until": duties.today(), "reason": "their bank holiday"}
    with client.acting(), pytest.raises(NotPermitted):
        cut_off.let_late_inputs_in("WEEKS", pay_date, **let_in)  # type: ignore[arg-type]
    with client.acting("lead"):
        with pytest.raises(EngineroomError, match="give a later day"):
            cut_off.let_late_inputs_in(
                "WEEKS", pay_date, until=duties.today() - timedelta(days=90), reason="no"
            )
        cut_off.let_late_inputs_in("WEEKS", pay_date, **let_in)  # type: ignore[arg-type]
    assert [b.field for b in blockers(client, run_id)] == ["inputs"]
    for address in (f"runs/{number}", f"inputs/WEEKS/{pay_date}"):
        shown = signed_in(client.staff["specialist"]).get(f"/c/{client.code}/{address}").content.decode()
        assert "their bank holiday" in shown
    take(client, path)
    calculated(client, run_id)
    slip = figures(client, run_id)["E1"]
    assert (slip["bonus_pay"], slip["commission_pay"]) == (10_00, 5_00)
    with client.acting():
        assert PaidItem.objects.filter(client_id=client.id, run_id=run_id).count() == 1


def named(schedule: str, pay_date: date) -> tuple[PaySchedule, Period]:
    row = schedules.find_schedule(schedule)
    return row, schedules.paid_on(row, pay_date)


def blockers(client: TestClient, run_id: object) -> list[Missing]:
    with client.acting("lead"):
        return blockers_of(services.find_run(run_id))  # type: ignore[arg-type]


def test_inputs_of_a_schedule_without_cut_off_are_let_in_by_nobody(two: TestClient) -> None:
    with two.acting("lead"), pytest.raises(Conflict, match="has no cut-off"):
        cut_off.let_late_inputs_in("MONTHLY", JULY, until=JULY, reason="no")


def test_it_is_downloaded_and_brought_in_on_the_portal_and_another_periods_is_refused(
    two: TestClient, firm: Firm
) -> None:
    contact = firm.new_user("client")
    firm.grant(contact, two.id, "client_finance")
    browser = signed_in(contact)
    at = f"/portal/{two.code}/inputs"
    with two.acting():
        row = schedules.find_schedule("MONTHLY")
        first, second = schedules.periods_from(row, duties.today(), 2)
    assert f"{at}/MONTHLY/{second.paid}" in browser.get(at).content.decode()
    answer = browser.get(f"{at}/MONTHLY/{second.paid}/workbook")
    path = two.folder / "mine.xlsx"
    path.write_bytes(answer.content)
    assert "Download the workbook" in browser.get(f"{at}/MONTHLY/{second.paid}").content.decode()
    mine = filled(two, path, {("E1", "Bonus"): 250}, "brought.xlsx")
    with mine.open("rb") as file:
        no = browser.post(f"{at}/MONTHLY/{first.paid}/bring", {"file": file}, follow=True).content.decode()
    assert "this is the workbook of MONTHLY" in no
    with mine.open("rb") as file:
        seen = browser.post(f"{at}/MONTHLY/{second.paid}/bring", {"file": file}, follow=True)
    shown = seen.content.decode()
    assert "What taking it changes" in shown and "1 person, £250.00" in shown
    browser.post(f"{seen.redirect_chain[0][0]}/take", {"form_key": "k"})
    assert "Stands" in browser.get(f"{at}/MONTHLY/{second.paid}").content.decode()
    with two.acting():
        assert PayItem.objects.get(client_id=two.id).period == second.starts
