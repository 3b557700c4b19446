"""Recurring pay up to a total: ends when it is reached, the last period less; reversed, it is paid later."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.conftest import Cli, cli  # noqa: F401 a fixture
from tests.firm import Firm, TestClient, connect, enter, give_token
from tests.payroll.months import Employee, calculated, figures, monthly, open_run, paid, people, released
from tests.web.conftest import signed_in

from engineroom.kernel.errors import InputRefused
from engineroom.kernel.ids import uuid7
from engineroom.payroll import items, retro, reversal
from engineroom.payroll.models import Attempt, PayRun, RecurringPaid, RecurringPay

START, MAY = date(2026, 4, 1), date(2026, 5, 22)


@pytest.fixture
def e1(client: TestClient) -> UUID:
    ids = people(client, Employee())
    monthly(client, ids, pay_day=22)
    return ids["E1"]


def add(client: TestClient, person: UUID, each: int = 50_00, total: int | None = 120_00) -> UUID:
    with client.acting():
        return items.add_recurring_pay(person, "commission_pay", each, starts=START, total=total).recurring_id


def commission(client: TestClient, *months: int) -> list[int]:
    return [paid(client, date(2026, month, 22))["E1"].get("commission_pay", 0) for month in months]


def test_the_last_period_pays_what_is_left_and_then_it_is_over(client: TestClient, e1: UUID) -> None:
    one = add(client, e1)
    with client.acting():
        items.add_recurring_pay(e1, "commission_pay", 1_00, starts=START)
    assert commission(client, 4, 5, 6, 7) == [51_00, 51_00, 21_00, 1_00]
    with client.acting("lead"):
        assert one not in {seen.row.id for seen in items.recurring_pay(START)}
        rows = RecurringPaid.objects.filter(client_id=client.id, recurring_id=one).order_by("id")
        assert [row.amount for row in rows] == [50_00, 50_00, 20_00]
        assert retro.back_pay("MONTHLY").differences == (), "what a total paid is no back pay"


def test_what_is_taken_back_is_paid_later_and_what_is_paid_anew_counts(client: TestClient, e1: UUID) -> None:
    add(client, e1)
    assert commission(client, 4, 5) == [50_00, 50_00]
    with client.acting():
        april = PayRun.objects.get(client_id=client.id, number=1)
        done = reversal.reverse_payslips(april.id, reason="wrong", replace=True, pay_date=MAY)
    calculated(client, done.run_id)
    released(client, done.run_id)
    assert done.replacement_id is not None
    calculated(client, done.replacement_id)
    assert figures(client, done.replacement_id)["E1"]["commission_pay"] == 50_00
    released(client, done.replacement_id)
    with client.acting():
        may = PayRun.objects.get(client_id=client.id, number=2)
        again = reversal.reverse_payslips(may.id, reason="never worked", pay_date=MAY)
    calculated(client, again.run_id)
    released(client, again.run_id)
    assert commission(client, 6, 7, 9) == [50_00, 20_00, 0], "120 in all, of which the replacement paid 50"


def test_calculated_again_it_pays_the_same(client: TestClient, e1: UUID) -> None:
    add(client, e1, total=70_00)
    assert commission(client, 4) == [50_00]
    may = open_run(client, MAY)
    first, again = calculated(client, may), calculated(client, may)
    assert first.content_hash == again.content_hash
    assert figures(client, may)["E1"]["commission_pay"] == 20_00


@given(each=st.integers(-500, 500).filter(bool), total=st.integers(-3_000, 3_000))
def test_a_total_has_the_sign_of_the_amount_and_is_no_less(each: int, total: int) -> None:
    fine = (total > 0) == (each > 0) and abs(total) >= abs(each)
    assert (items.wrong_total(each, total) == []) == fine and items.wrong_total(each, None) == []


def test_postgresql_pays_no_more_than_the_total_and_only_to_whom_it_is(client: TestClient, e1: UUID) -> None:
    one = add(client, e1, each=50_00, total=60_00)
    with client.acting(), pytest.raises(InputRefused, match="less than one period"):
        items.add_recurring_pay(e1, "commission_pay", 50_00, starts=START, total=-60_00)
    assert commission(client, 4) == [50_00]
    may = open_run(client, MAY)
    calculated(client, may)
    with client.acting():
        last = Attempt.objects.filter(client_id=client.id, run_id=may).latest("number")
        other = RecurringPay.objects.create(
            client_id=client.id, person_id=e1, element="commission_pay", amount=1_00, starts=START
        )
    insert = (
        "INSERT INTO payroll_recurringpaid (id, client_id, run_id, attempt_id, person_id, recurring_id,"
        " amount) VALUES (%s, %s, %s, %s, %s, %s, %s)"
    )
    attempt = uuid7()
    with connect() as raw:
        enter(raw, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.errors.Error, match="whose it is"), raw.transaction():
            raw.execute(insert, [uuid7(), client.id, may, last.id, e1, other.id, 1_00])
        raw.execute(
            "INSERT INTO payroll_attempt (id, client_id, run_id, number, engine_version, elements,"
            " rules_hash, rules) SELECT %s, client_id, run_id, number + 1, engine_version, elements,"
            " rules_hash, rules FROM payroll_attempt WHERE client_id = %s AND id = %s",
            [attempt, client.id, last.id],
        )
        raw.execute(insert, [uuid7(), client.id, may, attempt, e1, one, 50_00])
        with pytest.raises(psycopg.errors.Error, match="than its total"), raw.transaction():
            raw.execute(
                "UPDATE payroll_payrun SET published_id = %s WHERE client_id = %s AND id = %s",
                [attempt, client.id, may],
            )
        with pytest.raises(psycopg.errors.Error, match="recurring_total_of_its_sign"):
            raw.execute(
                "INSERT INTO payroll_recurringpay (id, client_id, person_id, element, amount, total, starts,"
                " reason) VALUES (%s, %s, %s, 'commission_pay', 5, -5, current_date, '')",
                [uuid7(), client.id, e1],
            )


def test_it_is_said_on_the_page_by_file_and_at_the_command_line(
    firm: Firm,
    client: TestClient,
    e1: UUID,
    cli: Cli,  # noqa: F811
) -> None:
    code, browser = client.code, signed_in(client.staff["specialist"])
    asked = {
        "payroll_number": "E1", "element": "commission_pay", "amount": "50.00", "starts": "2026-04-01",
        "ends": "", "total": "120.00", "reason": "",
    }  # fmt: skip
    shown = browser.post(f"/c/{code}/recurring-pay/do/add", asked, follow=True).content.decode()
    assert "In all" in shown and "120.00" in shown
    wrong = browser.post(f"/c/{code}/recurring-pay/do/add", asked | {"total": "20.00"})
    assert "less than one period" in wrong.content.decode()
    headings = ("payroll_number", "element", "amount", "from_date", "until_date", "reason", "total")
    rows = [
        ("E1", "bonus_pay", "10", "2026-04-01", "", "", "25"),
        ("E1", "bonus_pay", "3", "2026-04-01", "", "", ""),
    ]
    client.take("recurring-pay", client.file("r.csv", headings, rows))
    give_token(firm, client.staff["specialist"])
    who = client.staff["specialist"].email
    added = cli(
        "payroll", "recurring-add", code, "E1", "expenses_paid", "5.00", "--from", "2026-04-01",
        "--total", "12.00", who=who,
    )  # fmt: skip
    assert added.code == 0 and "12.00 in all" in added.out, added.err
    listed = cli("payroll", "items", code, who=who).out
    assert all(text in listed for text in ("120.00", "25.00", "12.00", "in all"))
    assert (
        "4 are paid every period"
        in cli("payroll", "recurring-end", code, 9, "--ends", "2026-04-30", who=who).err
    )
    with client.acting():
        found = [one.row.element for one in items.recurring_pay(START)]
    ended = cli(
        "payroll", "recurring-end", code, found.index("expenses_paid") + 1, "--ends", "2026-04-30", who=who
    )
    assert ended.code == 0 and "is paid last on 2026-04-30" in ended.out, ended.err
    with client.acting():
        assert RecurringPay.objects.get(client_id=client.id, element="expenses_paid").ends == date(
            2026, 4, 30
        )
