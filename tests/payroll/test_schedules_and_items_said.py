"""Schedules and items as pages, files and programs say them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest
from tests.firm import TestClient
from tests.payroll.months import Employee, calculated, figures, monthly, open_run, people
from tests.web.conftest import signed_in

from engineroom.kernel.errors import InputRefused
from engineroom.payroll import items
from engineroom.payroll.models import OnSchedule, PayItem, PayRun, RecurringPay

JUNE = date(2026, 6, 25)


def brought(client: TestClient, kind: str, headings: str, *rows: Sequence[object]) -> None:
    client.take(kind, client.file(f"{kind}-{len(rows)}.csv", headings.split(), rows))


def test_files_of_items_recurring_pay_schedules_and_figures_are_taken_in(client: TestClient) -> None:
    ids = people(client, Employee(), Employee("E2"))
    monthly(client, {"E1": ids["E1"]})
    brought(client, "on-schedule", "payroll_number schedule from_date", ("E2", "MONTHLY", "2026-06-01"))
    headings = "payroll_number element amount period reason"
    brought(client, "pay-items", headings, ("E1", "bonus_pay", "250.00", "2026-06-30", "sales"),
            ("E2", "basic_pay", "-50.00", "2026-06-30", "a day unpaid"))  # fmt: skip
    headings = "payroll_number element amount from_date until_date"
    brought(client, "recurring-pay", headings, ("E1", "expenses_paid", "40", "2026-06-01", ""))
    headings = "payroll_number tax_year element amount reason"
    brought(client, "carried-in", headings, ("E1", "2026-27", "taxable_pay", "6000.00", "Old Bureau"))
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    slips = figures(client, run_id)
    one, two = slips["E1"], slips["E2"]
    assert (one["bonus_pay"], one["expenses_paid"], two["basic_pay"]) == (250_00, 40_00, 2_950_00)
    assert one["taxable_pay_to_date"] == 6_000_00 + 3_250_00


def test_every_row_of_a_file_that_is_wrong_says_where_and_what_to_do(client: TestClient) -> None:
    monthly(client, people(client, Employee()))
    headings = "payroll_number element amount period reason"
    wrong = [("E9", "bonus_pay", "1", "2026-06-30", "x"), ("E1", "gold", "1", "2026-06-30", "x"),
             ("E1", "bonus_pay", "0", "2026-06-30", "x"), ("E1", "bonus_pay", "1", "soon", "x")]  # fmt: skip
    with pytest.raises(InputRefused) as refused:
        brought(client, "pay-items", headings, *wrong)
    assert {(p.row, p.field) for p in refused.value.problems} == {
        (2, "payroll_number"), (3, "element"), (4, "amount"), (5, "period")
    }  # fmt: skip
    headings = "payroll_number schedule from_date"
    with pytest.raises(InputRefused, match="Schedules are MONTHLY"):
        brought(client, "on-schedule", headings, ("E1", "YEARLY", "2026-07-01"))
    with client.acting():
        assert not PayItem.objects.filter(client_id=client.id).exists()


def test_a_schedule_is_added_people_put_on_and_a_run_opened_on_the_page(client: TestClient) -> None:
    people(client, Employee())
    browser = signed_in(client.staff["specialist"])
    at = f"/c/{client.code}"
    made = browser.post(
        f"{at}/schedules/do/add",
        {
            "code": "MONTHLY", "name": "Staff", "frequency": "monthly", "anchor": "2026-01-01",
            "pay_rule": "day_of_month", "pay_day": "25", "proration": "working_days",
        },
    )  # fmt: skip
    assert made.status_code == 303
    put = {"payroll_number": "E1", "schedule": "MONTHLY", "starts": "2026-01-05"}
    assert browser.post(f"{at}/schedules/do/put", put).status_code == 303
    with client.acting():
        assert OnSchedule.objects.get(client_id=client.id).schedule.proration == "working_days"
    shown = browser.get(f"{at}/schedules").content.decode()
    assert "MONTHLY" in shown and "Open a run" in shown
    wrong = browser.post(
        f"{at}/schedules/do/open", {"schedule": "MONTHLY", "pay_date": "2026-06-24", "kind": "regular"},
        follow=True,
    )  # fmt: skip
    assert "its paydays are" in wrong.content.decode()
    opened = browser.post(
        f"{at}/schedules/do/open", {"schedule": "MONTHLY", "pay_date": "2026-06-25", "kind": "regular"},
        follow=True,
    )  # fmt: skip
    assert "is calculated: 1 payslip" in opened.content.decode()


def test_items_and_recurring_pay_are_added_shown_withdrawn_and_ended_on_the_page(client: TestClient) -> None:
    monthly(client, people(client, Employee()))
    browser = signed_in(client.staff["specialist"])
    at = f"/c/{client.code}"
    item = {
        "payroll_number": "E1", "element": "bonus_pay", "amount": "250.00", "period": "2026-06-30",
        "reason": "a good quarter",
    }  # fmt: skip
    assert browser.post(f"{at}/pay-items/do/add", item).status_code == 303
    refused = browser.post(f"{at}/pay-items/do/add", {**item, "payroll_number": "E9"}, follow=True)
    assert "nobody with payroll number" in refused.content.decode()
    recurring = {
        "payroll_number": "E1",
        "element": "expenses_paid",
        "amount": "40.00",
        "starts": "2026-06-01",
    }
    assert browser.post(f"{at}/recurring-pay/do/add", recurring).status_code == 303
    shown = browser.get(f"{at}/pay-items").content.decode()
    assert "a good quarter" in shown and "250.00" in shown and "Expenses paid back" in shown
    with client.acting():
        row = PayItem.objects.get(client_id=client.id)
        pay = RecurringPay.objects.get(client_id=client.id)
    browser.post(f"{at}/pay-items/{row.id}/withdraw", {"reason": "entered twice"})
    browser.post(f"{at}/recurring-pay/{pay.id}/end", {"ends": "2026-06-30"})
    with client.acting():
        assert items.items_waiting() == []
        assert RecurringPay.objects.get(client_id=client.id).ends == date(2026, 6, 30)


def test_a_run_of_another_kind_is_opened_empty_and_takes_its_own_items(client: TestClient) -> None:
    monthly(client, people(client, Employee()))
    browser = signed_in(client.staff["specialist"])
    at = f"/c/{client.code}"
    asked = {"schedule": "MONTHLY", "pay_date": "2026-06-29", "kind": "bonus"}
    assert "add its items" in browser.post(f"{at}/schedules/do/open", asked, follow=True).content.decode()
    with client.acting():
        run = PayRun.objects.get(client_id=client.id, kind="bonus")
    item = {
        "payroll_number": "E1", "element": "bonus_pay", "amount": "100.00", "period": "2026-06-29",
        "reason": "thanks", "run": str(run.number),
    }  # fmt: skip
    assert browser.post(f"{at}/pay-items/do/add", item).status_code == 303
    done = browser.post(f"{at}/runs/{run.number}/do/calculate", follow=True).content.decode()
    assert "is calculated: 1 payslip" in done
    assert figures(client, run.id)["E1"]["gross"] == 100_00
