"""What runs post, owe and print is their country's: it adds up to nought, and shared code names none."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import settings as chances
from hypothesis import strategies as st
from pypdf import PdfReader
from tests.firm import PAY_DATE, Temp, TestClient, hours_file, set_up, superuser
from tests.payroll.months import Employee, calculated, monthly, open_run, people, released
from tests.payroll.toy import Toyland

import engineroom.payroll
from engineroom.foundation import vault
from engineroom.foundation.vault.models import VaultFile
from engineroom.ledger import selectors as ledger
from engineroom.openitems import selectors as openitems
from engineroom.payroll import items, jurisdictions, papers, selectors, services
from engineroom.payroll.great_britain import GB
from engineroom.payroll.great_britain_postings import month_of_deduction, tax_month
from engineroom.payroll.models import PayRun
from engineroom.payroll.postings import Postings

JUNE = date(2026, 6, 25)


@pytest.fixture
def toyland(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setitem(jurisdictions._known, "xx", Toyland())
    with superuser() as connection:
        connection.execute("UPDATE foundation_client SET jurisdiction = 'xx' WHERE id = %s", [client.id])
    yield client


def left_of(postings: Postings, figures: dict[str, int]) -> int:
    """What the entry of these figures is out by."""
    return sum(line.amount(figures) for line in postings.lines())


PENCE = st.integers(0, 10**7)


@chances(max_examples=60, deadline=None)
@given(
    pay=st.fixed_dictionaries(dict.fromkeys(("basic_pay", "overtime_pay", "bonus_pay"), PENCE)),
    beside=st.fixed_dictionaries(dict.fromkeys(("tips_pay", "expenses_paid", "payrolled_benefits"), PENCE)),
    code=st.sampled_from(["1257L", "BR", "0T", "K475", "S1257L", "NT"]),
    relief=st.sampled_from(["", "relief_at_source", "net_pay", "salary_sacrifice"]),
    loan=st.sampled_from(["", "1", "2", "4"]),
    tax_before=st.integers(0, 10**6),
)
def test_of_every_british_payslip_what_it_costs_is_what_somebody_gets(
    pay: dict[str, int], beside: dict[str, int], code: str, relief: str, loan: str, tax_before: int
) -> None:
    given_of: dict[str, Any] = {
        "frequency": "monthly", "tax_period": 3, "tax_code": [code], "ni_category": ["A"],
        "student_loan_plan": [loan], "has_postgraduate_loan": [bool(loan)], "holiday_accrues": [1],
        "pension_member": [int(bool(relief))], "pension_relief": [relief], "minutes_worked": [600],
        "pension_employee_ppm": [50_000], "pension_employer_ppm": [30_000],
        "taxable_pay_to_date_before": [0], "tax_to_date_before": [tax_before],
        **{name: [amount] for name, amount in (pay | beside).items()},
    }  # fmt: skip
    done = GB.calculate(given_of, GB.resolve_tables(JUNE))
    for row in range(len(done.rows)):
        figures = {c: int(done.columns[c][row]) for c in jurisdictions.element_codes(GB)}
        assert left_of(GB.postings, figures) == 0
        earned = sum(line.amount(figures) for line in GB.postings.costs if line.heading == "Gross pay")
        assert earned == figures["gross"]


def test_what_is_owed_is_due_by_the_law_of_each_agency() -> None:
    """3 December is in HMRC's eighth month, which ends on the 5th; of pensions the calendar month counts."""
    day = date(2026, 12, 3)
    assert (tax_month(day).number, tax_month(day).starts, tax_month(day).ends) == (
        8, date(2026, 11, 6), date(2026, 12, 5),
    )  # fmt: skip
    assert tax_month(day).due == date(2026, 12, 22)
    assert month_of_deduction(day).due == date(2027, 1, 22)
    assert tax_month(date(2026, 7, 6)).due == date(2026, 8, 21), "the 22nd is a Saturday"


@given(st.dates(date(2025, 4, 6), date(2028, 4, 5)))
def test_every_day_is_in_exactly_one_period_of_each_agency(day: date) -> None:
    for agency in (*GB.postings.agencies, *Toyland().postings.agencies):
        period = agency.period_of(day)
        assert period.starts <= day <= period.ends < period.due
        assert agency.period_of(period.starts) == agency.period_of(period.ends) == period
        assert period.name != agency.period_of(date.fromordinal(period.ends.toordinal() + 1)).name


def text_of(client: TestClient, run: PayRun, number: str) -> str:
    """Print the run; the text of one person's payslip."""
    with client.acting():
        papers.issue_payslips(run.id)
    with client.acting("lead"):
        (slip,) = (s for s in selectors.payslips(run) if s.payroll_number == number)
        file = VaultFile.objects.get(client_id=client.id, kind=papers.KIND, subject_id=slip.id)
        pdf = PdfReader(io.BytesIO(vault.read(file)))
    return "\n".join(page.extract_text() for page in pdf.pages)


def run_of(client: TestClient, run_id: Any) -> PayRun:
    with client.acting("lead"):
        return PayRun.objects.select_related("published").get(client_id=client.id, id=run_id)


def test_another_country_posts_owes_and_prints_by_the_same_services(toyland: TestClient) -> None:
    """70 hours at 15.00, 30 of them overtime: a tenth of what is over 1,000.00 is for the barn."""
    set_up(toyland, [Temp("T1", hours=("10",) * 7)])
    toyland.take("timesheets", hours_file(toyland, [Temp("T1", hours=("10",) * 7)], date(2026, 11, 16)))
    with toyland.acting():
        run_id = services.open_pay_run(PAY_DATE).run_id
    calculated(toyland, run_id)
    released(toyland, run_id)
    run = run_of(toyland, run_id)
    with toyland.acting("lead"):
        (slip,) = selectors.payslips(run)
        tithe = slip.figures["tithe"]
        lines = {(line.account_code, line.amount) for line in ledger.journal(subjects=[run_id])}
        assert tithe > 0
        assert ("2200", -tithe) in lines and ("5000", slip.figures["basic_pay"]) in lines
        assert ("5010", slip.figures["overtime_pay"] + slip.figures["weekend_pay"]) in lines
        (owed,) = openitems.open_items(kind="tithe")
        assert (owed.counterparty, owed.amount, owed.due) == ("The tithe barn", -tithe, date(2027, 1, 11))
        assert all(check.ok for check in (*ledger.verify(), *openitems.verify()))
        assert {line.narrative for line in ledger.journal(subjects=[run_id])} == {
            f"Pay run {run.number}, moon 48 of 2026"
        }
    text = text_of(toyland, run, "T1")
    for said in ("Paid in", "grain", "Moon 48", "Tithe", "Paid by Cart", f"{tithe / 100:.2f}"):
        assert said in text
    for british in ("PAYE", "National Insurance", "Tax code"):
        assert british not in text


def test_the_payslip_of_a_salary_itemises_every_element_and_no_hours(client: TestClient) -> None:
    ids = people(client, Employee(loan="2"))
    monthly(client, ids)
    with client.acting():
        items.add_pay_item(ids["E1"], "bonus_pay", 250_00, period=JUNE, reason="the quarter's")
        items.add_pay_item(ids["E1"], "expenses_paid", 40_00, period=JUNE, reason="train")
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    released(client, run_id)
    run = run_of(client, run_id)
    text = text_of(client, run, "E1")
    for said in (
        "Basic pay", "3,000.00", "Bonus", "250.00", "Expenses paid back", "40.00", "3,290.00",
        "Income tax (PAYE)", "National Insurance", "Student loan", "Tax month 3",
        "1257L cumulative", "Paid by Bacs",
    ):  # fmt: skip
        assert said in text
    assert "Rate" not in text and "Hours" not in text
    with client.acting("lead"):
        (slip,) = selectors.payslips(run)
        assert sum(line.amount_minor for line in papers.pay_lines(GB, slip, [])) == slip.figures["gross"]


def test_a_payslip_lies_encrypted_on_disk_and_is_printed_once(client: TestClient) -> None:
    monthly(client, people(client, Employee("E1"), Employee("E2"), Employee("E3")))
    run_id = open_run(client, JUNE)
    calculated(client, run_id)
    released(client, run_id)
    with client.acting():
        first = papers.issue_payslips(run_id, at_most=2)
        rest = papers.issue_payslips(run_id)
        again = papers.issue_payslips(run_id)
    assert [(p.payslips, p.left) for p in (first, rest, again)] == [(2, 1), (1, 0), (0, 0)]
    with client.acting("lead"):
        files = list(VaultFile.objects.filter(client_id=client.id, kind=papers.KIND))
        read = [vault.read(file) for file in files]
    assert len(files) == 3 and all(pdf.startswith(b"%PDF") for pdf in read)
    for file in files:
        name = bytes(file.sha256).hex()
        raw = (Path(settings.VAULT_DIR) / str(client.id) / name[:2] / name).read_bytes()
        assert len(raw) > file.size and not any(
            word in raw for word in (b"%PDF", b"/Type", b"stream", b"Person", b"Basic pay")
        )


SHARED = ("posting", "postings", "papers", "itemised", "why", "pages", "own", "duties", "jurisdictions")


@pytest.mark.parametrize("name", SHARED)
def test_what_posts_prints_and_explains_names_no_country(name: str) -> None:
    path = Path(engineroom.payroll.__file__).with_name(f"{name}.py")
    assert not re.search(r"engine\.gb|great_britain|HMRC|\bPAYE\b|employee_nic|tax_week", path.read_text())
