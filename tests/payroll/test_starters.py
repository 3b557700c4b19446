"""Starters by their statement or P45, leavers with what stands open and a P45's figures, and returns."""

from __future__ import annotations

from datetime import date

import pytest
from django.urls import reverse
from tests.firm import Temp, TestClient, hours_file, run_payday, set_up
from tests.web.conftest import signed_in

from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.crypto.fields import reveal
from engineroom.kernel.errors import Conflict, InputRefused
from engineroom.payday import steps
from engineroom.payroll import starters
from engineroom.payroll.great_britain_leavers import leaver_figures
from engineroom.payroll.models import TaxDetails
from engineroom.payroll.tax_record import Said
from engineroom.people import employment, selectors
from engineroom.people.employment import Starter
from engineroom.people.leaving import open_matters
from engineroom.people.models import Person

BEGINS = date(2026, 11, 2)
TYPED = {
    "payroll_number": "N1", "name": "Nia New", "starts": "2026-11-02", "statement": "A", "ni_category": "A",
    "ni_number": "QQ 12 34 56 C",
}  # fmt: skip


def declares(statement: str, tax_code: str = "", **more: object) -> Said:
    return {"statement": statement, "tax_code": tax_code, "ni_category": "A", **more}  # type: ignore[dict-item]


def start(client: TestClient, declared: Said, number: str = "N1") -> TaxDetails:
    with client.acting():
        who = Starter.of(number, "Nia New", email="", date_of_birth=None, ni_number="QQ123456C")
        done = starters.start_employee(who, declared, starts=BEGINS)
        return TaxDetails.objects.get(client_id=client.id, person_id=done.person_id)


@pytest.mark.parametrize(
    ("statement", "code", "cumulative"), [("A", "1257L", True), ("B", "1257L", False), ("C", "BR", True)]
)
def test_a_statement_gives_the_code_until_a_notice_comes(client, statement, code, cumulative):
    details = start(client, declares(statement, student_loan_plan="2"))
    assert (details.tax_code, details.is_cumulative, details.starts) == (code, cumulative, BEGINS)
    assert (details.student_loan_plan, details.previous_pay) == ("2", 0)


def test_a_p45_of_the_same_tax_year_brings_its_figures(client):
    p45 = declares("P45", "1100l", previous_pay=500_000, previous_tax=40_000, left=date(2026, 10, 30))
    details = start(client, p45)
    assert (details.tax_code, details.previous_pay, details.previous_tax) == ("1100L", 500_000, 40_000)
    old = declares("P45", "1100L", previous_pay=500_000, previous_tax=40_000, left=date(2026, 4, 5))
    assert start(client, old, "N2").previous_pay == 0
    week1 = declares("P45", "1100L", week1=True, previous_pay=9, previous_tax=1, left=date(2026, 10, 30))
    details = start(client, week1, "N3")
    assert (details.is_cumulative, details.previous_pay) == (False, 0)


def test_everything_wrong_with_what_is_declared_is_said_and_nobody_begins(client):
    for declared, fields in (
        (declares("P45", "nonsense", previous_pay=-1), {"tax_code", "left", "previous_pay"}),
        (
            declares("D", ni_category="?", student_loan_plan="9"),
            {"statement", "ni_category", "student_loan_plan"},
        ),
        (declares("A", "1257L"), {"statement"}),
    ):
        with pytest.raises(InputRefused) as refused:
            start(client, declared)
        assert {p.field for p in refused.value.problems} == fields
    with client.acting():
        assert not Person.objects.filter(client_id=client.id).exists()


def test_a_payroll_number_is_one_persons_and_no_private_word_stands_in_the_audit_trail(client):
    start(client, declares("A"))
    with pytest.raises(Conflict, match="somebody's already"):
        start(client, declares("A"))
    with client.acting():
        assert not any("QQ123456C" in str(e.detail) for e in AuditEvent.objects.filter(client_id=client.id))
        [made] = Person.objects.filter(client_id=client.id)
        assert reveal([made], "ni_number", purpose="test") == ["QQ123456C"]


def test_somebody_new_is_begun_on_a_page(client):
    browser = signed_in(client.staff["specialist"])
    done = browser.post(reverse("payroll:starter_begin", args=[client.code]), TYPED)
    assert done.status_code == 303 and done["Location"].endswith("/people/N1")
    page = browser.get(done["Location"]).content.decode()
    assert "Nia New" in page and "1257L" in page
    assert "N1" in browser.get(reverse("people:list", args=[client.code])).content.decode()


# --- leavers --------------------------------------------------------------------------------------------

TEMP = Temp("T1", "Jo Bloggs")


@pytest.fixture
def paid(client: TestClient) -> TestClient:
    set_up(client, [TEMP])
    run_payday(client, [TEMP])
    return client


def jo(client: TestClient) -> Person:
    return Person.objects.get(client_id=client.id, payroll_number="T1")


def test_a_leavers_p45_has_the_figures_of_the_payslips(paid):
    with paid.acting():
        assert leaver_figures(jo(paid)) is None
        employment.end_employment(jo(paid).counterparty_id, last_day=date(2026, 11, 27), why="resigned")
        figures = leaver_figures(jo(paid))
    assert figures is not None
    assert (figures.last_day, figures.tax_code, figures.pay_here) == (date(2026, 11, 27), "1257L", 60_000)
    assert figures.total_pay == 60_000 and figures.total_tax == figures.tax_here
    where = reverse("people:person", args=[paid.code, "T1"])
    page = signed_in(paid.staff["checker"]).get(where).content.decode()
    assert "P45 figures" in page and "£600.00" in page


def test_a_payslip_that_may_still_change_is_on_no_p45(paid):
    with paid.acting():
        employment.end_employment(jo(paid).counterparty_id, last_day=date(2026, 12, 31), why="resigned")
    paid.take("timesheets", hours_file(paid, [TEMP], date(2026, 11, 23), "next.csv"))
    steps.calculate(paid.staff["specialist"], paid.id, date(2026, 12, 4))
    with paid.acting():
        figures = leaver_figures(jo(paid))
    assert figures is not None and figures.pay_here == 60_000


def test_what_is_not_paid_yet_stands_open_when_somebody_leaves(paid):
    paid.take("timesheets", hours_file(paid, [TEMP], date(2026, 11, 23), "last.csv"))
    browser = signed_in(paid.staff["specialist"])
    typed = {"last_day": "2026-11-29", "why": "resigned", "note": "moves away"}
    assert browser.post(reverse("people:leaving_end", args=[paid.code, "T1"]), typed).status_code == 303
    with paid.acting():
        [matter] = open_matters(jo(paid), date(2026, 11, 29))
    assert matter.how_much.startswith("40") and "1 week" in matter.how_much
    page = browser.get(reverse("people:leaving", args=[paid.code, "T1"])).content.decode()
    assert "Hours not paid yet" in page and "moves away" in page and "Resigned" in page


def test_somebody_who_left_comes_back_in_another_employment(client):
    set_up(client, [TEMP])
    with client.acting():
        who = jo(client).counterparty_id
        with pytest.raises(Conflict, match="no last day"):
            employment.re_employ(who, starts=date(2026, 9, 1))
        employment.end_employment(who, last_day=date(2026, 5, 31), why="end_of_contract")
        employment.end_employment(who, last_day=date(2026, 6, 30), why="end_of_contract", note="stayed on")
        with pytest.raises(InputRefused, match="ends on 2026-06-30"):
            employment.re_employ(who, starts=date(2026, 6, 30))
        employment.re_employ(who, starts=date(2026, 9, 1))
        assert [(e.starts, e.ends) for e in selectors.employments_of(who)] == [
            (date(2026, 9, 1), None),
            (date(2026, 1, 5), date(2026, 6, 30)),
        ]
        assert [e.note for e in selectors.endings_of(who)] == ["stayed on", ""]


def test_a_last_day_lies_within_the_employment_and_has_a_known_reason(client):
    set_up(client, [TEMP])
    with client.acting(), pytest.raises(InputRefused) as refused:
        employment.end_employment(jo(client).counterparty_id, last_day=date(2025, 1, 1), why="bored")
    assert {p.field for p in refused.value.problems} == {"last_day", "why"}
