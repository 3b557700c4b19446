"""What is owed to agencies: by the law's periods, down to payslips, up to the control accounts, to nought."""

from __future__ import annotations

import io
from datetime import date
from uuid import UUID

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from tests.firm import TestClient, connect, enter
from tests.payroll.months import Employee, calculated, figures, monthly, paid, people, released
from tests.web.conftest import signed_in

from engineroom.kernel.errors import InputRefused, NotFound
from engineroom.kernel.ids import uuid7
from engineroom.ledger import selectors as ledger
from engineroom.ledger import services as books
from engineroom.ledger.services import Journal, Line, account_ids, post_journals
from engineroom.openitems import selectors as openitems
from engineroom.openitems.services import ItemColumns, add_items, allocate, counterparty
from engineroom.payroll import items, liabilities, reversal
from engineroom.payroll.great_britain_postings import HMRC, PROVIDER, tax_month
from engineroom.payroll.liabilities import Owed, RunOwed
from engineroom.payroll.models import Liability
from engineroom.payroll.postings import Agency
from engineroom.payroll.selectors import named_run

JUNE, JULY = date(2026, 6, 25), date(2026, 7, 24)
WHY = "as claimed"


def owed(client: TestClient, agency: Agency = HMRC) -> list[Owed]:
    with client.acting("bookkeeper"):
        return liabilities.owed_to(agency)


def tie(client: TestClient, agency: Agency = HMRC) -> liabilities.Tie:
    with client.acting("bookkeeper"):
        return liabilities.tie_of(agency, liabilities.owed_to(agency))


def two_months(client: TestClient) -> dict[str, UUID]:
    ids = people(client, Employee("E1", loan="2"), Employee("E2", 60_000_00))
    monthly(client, ids)
    for day in (JUNE, JULY):
        paid(client, day)
    return ids


def pay_over(client: TestClient, period: Owed) -> None:
    """The bank pays everything that is left of a period: a posting, and its item against the period's."""
    items = [item for item in period.items if item.left]
    total = sum(item.left for item in items)
    subject = ("remittance", uuid7())
    with client.acting("bookkeeper"):
        lines = (Line("2200", total), Line("1200", -total))
        posted = post_journals("remittance", subject, [Journal(period.period.due, "HMRC", lines)])
        ids = add_items(
            "remittance",
            account_ids()["2200"],
            subject[0],
            ItemColumns(
                counterparty=counterparty("agency", "HMRC", "HM Revenue & Customs").id,
                amount=np.array([item.left for item in items], dtype=np.int64),
                due=period.period.due,
                entry=posted.entry_ids[0],
                subject_id=subject[1],
            ),
        )
        for i, item in enumerate(items):
            allocate(item.id, ids[i : i + 1], np.array([item.left], dtype=np.int64), subject=subject)


PENCE = st.integers(-(10**7), 10**7)
SUMS = st.dictionaries(
    st.sampled_from(["paye", "employee_nic", "employer_nic", "student_loan", "postgraduate_loan", "gross"]),
    PENCE,
)


@given(st.lists(SUMS, max_size=6), st.lists(PENCE.filter(bool), max_size=3), st.sets(st.integers(0, 5)))
def test_the_figures_of_a_period_are_what_its_standing_runs_and_words_come_to(
    sums: list[dict[str, int]], said: list[int], gone: set[int]
) -> None:
    runs = [RunOwed(uuid7(), n, JUNE, JUNE, of, HMRC.amount(of)) for n, of in enumerate(sums)]
    rows = [Liability(id=uuid7(), name="employment_allowance", amount=amount) for amount in said]
    reversed_ = {run.id for i, run in enumerate(runs) if i in gone}
    found = liabilities.of_period(HMRC, tax_month(JUNE), runs, rows, [], reversed_, {})
    standing = [run for i, run in enumerate(runs) if i not in gone]
    assert found.due == sum(run.owed for run in standing) + sum(said)
    assert found.due == sum(figure.amount for part in found.parts for figure in part.figures)


@pytest.mark.behaviour("PAY-15", part="liabilities")
def test_every_month_is_due_paid_and_left_down_to_payslips_and_ties_to_the_books(client: TestClient) -> None:
    two_months(client)
    july, june = owed(client)
    assert (june.period.name, june.period.due) == ("tax month 3 of 2026-27", date(2026, 7, 22))
    assert (july.period.number, july.period.due) == (4, date(2026, 8, 21))
    slips = figures(client, june.runs[0].id)
    elements = ("paye", "employee_nic", "employer_nic", "student_loan", "postgraduate_loan")
    assert june.due == sum(slip[code] for slip in slips.values() for code in elements)
    assert (june.paid, june.left, june.difference) == (0, june.due, 0)
    for part in june.parts:
        for figure in part.figures:
            if figure.is_element:
                with client.acting("bookkeeper"):
                    rows = liabilities.slips_of(june, figure.code).rows
                assert sum(row.amount for row in rows) == figure.amount
                assert all(slips[row.payroll_number][figure.code] == row.amount for row in rows)
    assert tie(client) == liabilities.Tie(("2200",), june.due + july.due, june.due + july.due, 0, 0)
    pay_over(client, june)
    july, june = owed(client)
    assert (june.paid, june.left) == (june.due, 0) and july.left == july.due
    assert tie(client).ok and tie(client).ledger == july.due
    with client.acting("bookkeeper"):
        assert all(check.ok for check in (*ledger.verify(), *openitems.verify()))


@pytest.mark.behaviour("PAY-15", part="liabilities")
def test_what_stands_on_no_payslip_is_suggested_posted_and_owed(client: TestClient) -> None:
    two_months(client)
    (allowance,) = (a for a in HMRC.adjustments if a.name == "employment_allowance")
    (levy,) = (a for a in HMRC.adjustments if a.name == "apprenticeship_levy")

    def suggested() -> list[int | None]:
        with client.acting("bookkeeper"):
            periods = liabilities.owed_to(HMRC)
            june = next(o for o in periods if o.period.number == 3)
            return [liabilities.suggested(HMRC, a, june, periods) for a in (allowance, levy)]

    _, before = owed(client)
    nic = sum(run.sums["employer_nic"] for run in before.runs)
    assert suggested() == [nic, 0], "a pay bill below the levy's allowance owes none"
    with client.acting("bookkeeper"):
        liabilities.say_liability("HMRC", "employment_allowance", nic, day=date(2026, 7, 1), reason=WHY)
        liabilities.say_liability("HMRC", "apprenticeship_levy", 12_34, day=date(2026, 7, 1), reason=WHY)
    assert suggested() == [0, -12_34]
    _, june = owed(client)
    assert (june.due, june.difference) == (before.due - nic + 12_34, 0)
    assert tie(client).ok
    with client.acting("bookkeeper"):
        balances = {b.code: b.balance for b in ledger.trial_balance()}
        july_nic = sum(run.sums["employer_nic"] for run in liabilities.owed_to(HMRC)[0].runs)
        assert balances["5010"] == july_nic + 12_34
    with client.acting("bookkeeper"), pytest.raises(InputRefused, match="changes nothing at"):
        liabilities.say_liability("HMRC", "charity", 1, day=JUNE, reason=WHY)
    with client.acting("bookkeeper"), pytest.raises(InputRefused, match="the amount is nought"):
        liabilities.say_liability("HMRC", "employment_allowance", 0, day=JUNE, reason=WHY)
    with client.acting("bookkeeper"), pytest.raises(NotFound, match="owe nothing to 'BARN'"):
        liabilities.say_liability("BARN", "employment_allowance", 1, day=JUNE, reason=WHY)


def test_an_entry_reversed_in_the_books_is_neither_due_nor_paid(client: TestClient) -> None:
    two_months(client)
    july, june = owed(client)
    with client.acting("bookkeeper"):
        said = liabilities.say_liability(
            "HMRC", "employment_allowance", 5_00, day=date(2026, 7, 1), reason=WHY
        )
        books.reverse_entry(said.entry_id, day=date(2026, 7, 2), reason="not claimed after all")
    assert [(o.due, o.paid, o.left, o.difference) for o in owed(client)] == [
        (o.due, 0, o.due, 0) for o in (july, june)
    ]
    assert tie(client).ok


def test_raw_sql_neither_changes_nor_signs_for_another_what_was_said(client: TestClient) -> None:
    insert = (
        "INSERT INTO payroll_liability "
        "(id, client_id, agency, year, period, name, amount, day, reason, by_user_id) "
        "VALUES (%s, %s, 'HMRC', '2026-27', 3, 'x', 1, '2026-06-25', 'r', %s)"
    )
    bea, priya = client.staff["bookkeeper"], client.staff["specialist"]
    with connect() as raw:
        enter(raw, bea, write=client.id)
        raw.execute(insert, [uuid7(), client.id, priya.id])
        row = raw.execute("SELECT by_user_id FROM payroll_liability").fetchone()
        assert row == (bea.id,)
    for sql in ("UPDATE payroll_liability SET amount = 2", "DELETE FROM payroll_liability"):
        with connect() as raw, pytest.raises(psycopg.Error):
            enter(raw, bea, write=client.id)
            raw.execute(sql)


def test_pages_show_agencies_months_figures_and_payslips(client: TestClient) -> None:
    two_months(client)
    browser, at = signed_in(client.staff["bookkeeper"]), f"/c/{client.code}/liabilities"
    _, june = owed(client)
    everybody = browser.get(at).content.decode()
    assert "HM Revenue &amp; Customs" in everybody and "Ties to the books" in everybody
    year = browser.get(f"{at}/HMRC").content.decode()
    assert "Tax month 3 of 2026-27" in year and "Agrees" in year
    month = browser.get(f"{at}/HMRC/2026-27/3").content.decode()
    assert "National Insurance" in month and "Employment Allowance" in month
    slips = browser.get(f"{at}/HMRC/2026-27/3/employee_nic").content.decode()
    assert "Person E1" in slips and "Person E2" in slips
    assert browser.get(f"{at}/HMRC/2026-27/3/gross").status_code == 404
    assert browser.get(f"{at}/BARN").status_code == 404
    posted = browser.post(
        f"{at}/HMRC/do/say",
        {"name": "employment_allowance", "amount": "10.00", "day": "2026-07-01", "reason": WHY},
    )
    assert posted.status_code == 303 and posted["Location"].endswith("/HMRC/2026-27/3")
    file = browser.get(f"{at}/HMRC/2026-27.xlsx")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(file.content)).get_sheet_by_name("Periods").to_python()
    assert rows[1][0] == "tax month 3 of 2026-27" and rows[1][-1] == (june.due - 10_00) / 100


def with_a_pension(client: TestClient, number: str) -> None:
    headings = ("payroll_number", "from_date", "tax_code", "ni_category", "pension_relief",
                "pension_employee", "pension_employer")  # fmt: skip
    row = (number, "2026-06-01", "1257L", "A", "net_pay", "5%", "3%")
    client.take("tax-details", client.file("pension.csv", headings, [row]))


@pytest.mark.behaviour("PAY-15", part="liabilities")
@pytest.mark.parametrize("is_paid_over", [False, True])
def test_what_is_taken_back_in_a_later_month_amends_the_month_in_which_it_was_paid(
    client: TestClient, is_paid_over: bool
) -> None:
    """July stays as it is; June is what its payslips that stand come to. A corrected FPS does the same."""
    ids = people(client, Employee("E1", loan="2"), Employee("E2", 60_000_00))
    with_a_pension(client, "E1")
    monthly(client, ids)
    june_slips = paid(client, JUNE)
    paid(client, JULY)
    july_before, june_before = owed(client)
    if is_paid_over:
        pay_over(client, june_before)
    with client.acting():
        opened = reversal.reverse_payslips(
            named_run(1).id, reason="never worked", payroll_numbers=["E1"], replace=True, pay_date=JULY
        )
        items.add_pay_item(
            ids["E1"], "bonus_pay", 500_00, period=JUNE, reason="forgotten", run_id=opened.replacement_id
        )
    assert opened.replacement_id is not None
    calculated(client, opened.run_id)
    released(client, opened.run_id)
    elements = {
        HMRC.code: ("paye", "employee_nic", "employer_nic", "student_loan", "postgraduate_loan"),
        PROVIDER.code: ("employee_pension", "employer_pension"),
    }
    for agency in (HMRC, PROVIDER):
        july, june = owed(client, agency)
        assert june.due == sum(june_slips["E2"][code] for code in elements[agency.code])
        assert (june.difference, july.difference) == (0, 0) and tie(client, agency).ok
        if agency is HMRC:
            assert july.due == july_before.due and june.due < june_before.due
            was_paid = june_before.due if is_paid_over else 0
            assert (june.left, june.period.due) == (june.due - was_paid, date(2026, 7, 22))
    calculated(client, opened.replacement_id)
    released(client, opened.replacement_id)
    anew = figures(client, opened.replacement_id)["E1"]
    for agency in (HMRC, PROVIDER):
        july, june = owed(client, agency)
        slips = (june_slips["E2"], anew)
        assert june.due == sum(slip[code] for slip in slips for code in elements[agency.code])
        assert [run.number for run in june.runs] == [1, 3, 4] and june.difference == 0
        assert tie(client, agency).ok
    for number, numbers in ((4, ["E1"]), (1, ["E2"])):
        with client.acting():
            back = reversal.reverse_payslips(
                named_run(number).id, reason="all of it", payroll_numbers=numbers, pay_date=JULY
            )
        calculated(client, back.run_id)
        released(client, back.run_id)
    july, june = owed(client)
    assert (june.due, june.left, june.difference) == (0, -june_before.due if is_paid_over else 0, 0)
    assert july.due == july_before.due and tie(client).ok
    with client.acting("bookkeeper"):
        assert all(check.ok for check in (*ledger.verify(), *openitems.verify()))
