"""Somebody's own face: their pay and hours, and nobody else's, whatever stands in the address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import pytest
from django.utils.html import escape

from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.tenancy.scope import Identity
from engineroom.payday import steps
from engineroom.payroll import selectors as payroll
from engineroom.payroll import why
from engineroom.payroll.great_britain import GB
from engineroom.payroll.selectors import SlipView
from engineroom.people import services as people
from tests.firm import PAY_DATE, Firm, Temp, TestClient, hours_file, run_payday, set_up
from tests.web.conftest import signed_in


@dataclass
class Two:
    """Jo and Al were paid and each has a login; the week after is calculated and not released."""

    client: TestClient
    jo: Identity
    al: Identity
    slips: dict[str, SlipView]
    later: dict[str, UUID]


@pytest.fixture(scope="module")
def two(firm: Firm) -> Two:
    client = firm.new_client()
    temps = [
        Temp("T1", "Jo Bloggs", pension="relief_at_source", hours=("9", "9", "9", "9", "9")),
        Temp("T2", "Al Smith", customer="BETA", hours=("7", "7", "", "", "")),
    ]
    set_up(client, temps)
    run_payday(client, temps, with_papers=True)
    client.take("timesheets", hours_file(client, temps, PAY_DATE.replace(day=23), "hours-next.csv"))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE.replace(month=12, day=4))
    with client.acting("specialist"):
        slips = {s.payroll_number: s for s in payroll.payslips(payroll.run_of(PAY_DATE))}
        later_run = payroll.run_of(PAY_DATE.replace(month=12, day=4))
        later = {s.payroll_number: s.id for s in payroll.payslips(later_run)}
    users = []
    for number in ("T1", "T2"):
        user = firm.new_user("employee")
        firm.grant(user, client.id, "employee")
        with client.acting("lead"):
            people.give_login(slips[number].person_id, user.id, starts=date(2026, 1, 5))
        users.append(user)
    return Two(client, *users, slips, later)


def amount(minor: int) -> str:
    return f"{minor // 100:,}.{minor % 100:02d}"


def test_they_land_on_their_own_pay_with_hours_and_details(two):
    page = signed_in(two.jo).get("/", follow=True)
    text = page.content.decode()
    assert page.redirect_chain[-1][0] == f"/me/{two.client.code}"
    slip = two.slips["T1"]
    assert amount(slip.figures["net_pay"]) in text and amount(slip.figures["gross"]) in text
    assert "Jo Bloggs" in text and "Al Smith" not in text and "BETA" not in text
    assert "overtime" in text and "Waits to be paid" in text
    assert "••••0001" in text and "00000001" not in text and "20-00-00" not in text


def test_a_payslip_answers_why_with_the_figures_that_it_shows(two):
    """Every answer comes to what stands on the payslip, in the words of the firm's own page."""
    slip = two.slips["T1"]
    text = signed_in(two.jo).get(f"/me/{two.client.code}/payslips/{slip.id}").content.decode()
    with two.client.acting("specialist"):
        answers = why.of_payslip(slip.id)
    comes_to = {a.id: a.steps[-1].value for a in answers}
    for group, element in {
        "why-gross": "gross",
        "why-pension": "employee_pension",
        "why-employer-pension": "employer_pension",
        "why-tax": "paye",
        "why-ni": "employee_nic",
        "why-net": "net_pay",
    }.items():
        assert comes_to[group] == amount(slip.figures[element]), group
        assert re.search(f'id="{group}".*?class="result".*?{re.escape(comes_to[group])}', text, re.DOTALL)
    assert slip.figures["pension_tax_relief"] > 0, "a part of the contribution is not taken from pay"
    for answer in answers:
        for step in answer.steps:
            assert escape(step.label) in text and not step.label.endswith("=")
        assert answer.law is None or escape(answer.law.source) not in text, "sources are the firm's"


def test_pay_that_was_given_up_for_a_pension_is_a_bar_of_its_own(firm, client):
    temp = Temp("T1", pension="salary_sacrifice")
    set_up(client, [temp])
    run_payday(client, [temp])
    user = firm.new_user("employee")
    with client.acting("lead"):
        slip = payroll.payslips(payroll.run_of(PAY_DATE))[0]
        people.give_login(slip.person_id, user.id, starts=date(2026, 1, 5))
        comes_to = {a.id: a.steps[-1].value for a in why.of_payslip(slip.id)}
    firm.grant(user, client.id, "employee")
    given_up, gross = slip.figures["salary_sacrifice"], slip.figures["gross"]
    bars = why.gross_to_net(GB, slip.figures)
    assert [(b.label, b.amount_minor) for b in bars[:3]] == [
        ("Pay earned", gross + given_up),
        ("Salary sacrifice", given_up),
        ("Gross pay", gross),
    ]
    down = sum(b.amount_minor if b.kind == "down" else -b.amount_minor for b in bars if b.kind != "total")
    assert bars[0].amount_minor - down == bars[-1].amount_minor == slip.figures["net_pay"]
    assert comes_to["why-pension"] == amount(given_up)
    for who, url in (
        (user, f"/me/{client.code}/payslips/{slip.id}"),
        (client.staff["lead"], f"/c/{client.code}/runs/1/T1"),
    ):
        text = signed_in(who).get(url).content.decode()
        assert f"-{amount(given_up)}" in text and amount(gross + given_up) in text
        assert "Not explained" not in text


def test_the_pdf_is_theirs_and_its_reading_is_logged(two):
    slip = two.slips["T1"]
    pdf = signed_in(two.jo).get(f"/me/{two.client.code}/payslips/{slip.id}/pdf")
    assert pdf.status_code == 200 and pdf.content.startswith(b"%PDF")
    assert pdf.headers["Cache-Control"] == "no-store"
    with two.client.acting("lead"):
        read = AuditEvent.objects.filter(subject_kind="payslip_pdf", subject_id=slip.id, verb="read")
        assert [event.user_id for event in read] == [two.jo.id]


def test_somebody_elses_payslip_is_not_found_by_its_id(two):
    browser = signed_in(two.jo)
    for slip_id in (two.slips["T2"].id, two.later["T2"], two.slips["T2"].person_id):
        for end in ("", "/pdf"):
            assert browser.get(f"/me/{two.client.code}/payslips/{slip_id}{end}").status_code == 404


def test_a_payslip_is_nobodys_before_its_run_is_released(two):
    browser = signed_in(two.jo)
    assert browser.get(f"/me/{two.client.code}/payslips/{two.later['T1']}").status_code == 404
    assert str(two.later["T1"]) not in browser.get(f"/me/{two.client.code}").content.decode()


def test_another_client_and_another_face_are_not_found(firm, two, other_client):
    assert signed_in(two.jo).get(f"/me/{other_client.code}").status_code == 404
    assert signed_in(two.client.staff["owner"]).get(f"/me/{two.client.code}").status_code == 404
    assert signed_in(two.client.staff["owner"]).get("/me").status_code == 404
    for url in (f"/c/{two.client.code}", f"/portal/{two.client.code}", "/today", "/clients"):
        assert signed_in(two.jo).get(url).status_code == 404, url


def test_without_a_login_there_is_a_calm_word(firm, two):
    for kind, role in (("employee", "employee"), ("worker", "worker")):
        user = firm.new_user(kind)
        firm.grant(user, two.client.id, role)
        assert "Nothing for you here yet" in signed_in(user).get("/me").content.decode()
        assert signed_in(user).get(f"/me/{two.client.code}").status_code == 404
