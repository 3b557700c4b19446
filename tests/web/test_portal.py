"""The client's portal: what waits, the yes to exactly what was seen, invoices; by role and by company."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest

from engineroom.billing import selectors as billing
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.ledger import selectors as ledger
from engineroom.payday import steps
from engineroom.payroll import selectors as payroll
from engineroom.payroll import services
from engineroom.payroll.costs import cost_of
from tests.firm import PAY_DATE, Firm, Temp, TestClient, hours_file, run_payday, set_up
from tests.payroll import months
from tests.web.conftest import signed_in

NEXT_PAY_DATE = PAY_DATE.replace(month=12, day=4)


@dataclass
class Company:
    client: TestClient
    finance: Identity
    approver: Identity


@pytest.fixture(scope="module")
def company(firm: Firm) -> Company:
    """Paid and billed once, with a second run that waits."""
    client = firm.new_client()
    temps = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Smith", customer="BETA")]
    set_up(client, temps)
    run_payday(client, temps, with_papers=True)
    client.take("timesheets", hours_file(client, temps, PAY_DATE.replace(day=23), "hours-next.csv"))
    steps.calculate(client.staff["specialist"], client.id, NEXT_PAY_DATE)
    made = {}
    for role in ("client_finance", "client_approver"):
        made[role] = firm.new_user("client")
        firm.grant(made[role], client.id, role)
    return Company(client, made["client_finance"], made["client_approver"])


def text(user: Identity, url: str, status: int = 200) -> str:
    page = signed_in(user).get(url, follow=True)
    assert page.status_code == status, (url, page.status_code, page.content.decode()[:2000])
    return page.content.decode()


def run_number(company: Company, pay_date=NEXT_PAY_DATE) -> int:
    with company.client.acting("specialist"):
        run = payroll.run_of(pay_date)
        assert run is not None
        return run.number


def test_a_contact_of_one_company_lands_on_it_and_sees_what_waits(company):
    page = text(company.approver, "/")
    assert f"Check pay run {run_number(company)}" in page and "Yours" in page
    assert "What customers owe you" in page and "Cost of the run" in page
    assert "A colleague" in text(company.finance, f"/portal/{company.client.code}")


def test_what_a_run_cost_is_what_its_release_posted(firm, client):
    """A contribution given up for a pension, and holiday put aside, cost the client too."""
    temps = [Temp("T1", pension="salary_sacrifice"), Temp("T2", "Al Smith", pension="relief_at_source")]
    set_up(client, temps)
    day = run_payday(client, temps)
    user = firm.new_user("client")
    firm.grant(user, client.id, "client_finance")
    with client.acting("specialist"):
        lines = ledger.journal(subjects=[day.run.id])
        costs = sum(line.amount for line in lines if line.account_code.startswith("50"))
        assert costs == cost_of(day.run).total > 0
        assert payroll.run_figures(day.run).totals["salary_sacrifice"] > 0
    shown = f"£{costs // 100:,}.{costs % 100:02d}"
    assert shown in text(user, f"/portal/{client.code}")
    assert shown in text(user, f"/portal/{client.code}/runs/{day.run.number}")


def test_a_contact_of_two_companies_chooses(firm, company, other_client):
    user = firm.new_user("client")
    firm.grant(user, company.client.id, "client_finance")
    firm.grant(user, other_client.id, "client_finance")
    page = text(user, "/portal")
    assert f"/portal/{company.client.code}" in page and f"/portal/{other_client.code}" in page
    assert "No pay runs yet" in text(user, f"/portal/{other_client.code}/runs")
    assert "No invoices yet" in text(user, f"/portal/{other_client.code}/invoices")
    assert "Nothing waits for you" in text(user, f"/portal/{other_client.code}")


def test_a_run_shows_its_people_and_totals_and_no_private_data(company):
    number = run_number(company)
    page = text(company.finance, f"/portal/{company.client.code}/runs/{number}")
    with company.client.acting("specialist"):
        run = payroll.run_numbered(number)
        figures = payroll.run_figures(run)
    for amount in (figures.totals["gross"], figures.totals["net_pay"]):
        assert f"{amount // 100:,}.{amount % 100:02d}" in page
    assert "Jo Bloggs" in page and "Al Smith" in page
    assert "20-00-00" not in page and "00000001" not in page
    assert "approve-ask" not in page and "Approve exactly this" not in page, "finance reads"


def test_a_run_without_figures_is_opened_from_the_list_and_says_how_far_it_is(firm, client):
    """Opened and never calculated, and given up: neither has a total, and neither page breaks."""
    user = firm.new_user("client")
    firm.grant(user, client.id, "client_approver")
    months.monthly(client, months.people(client, months.Employee()))
    months.open_run(client, date(2026, 6, 25), "bonus")
    given_up = months.open_run(client, date(2026, 6, 25))
    months.calculated(client, given_up)
    with client.acting():
        services.abandon_pay_run(given_up, reason="wrong payday")
    listed = text(user, f"/portal/{client.code}/runs")
    assert "Open" in listed and "Given up" in listed
    never = text(user, f"/portal/{client.code}/runs/1")
    assert "Not calculated yet" in never and "Net pay" not in never
    assert "It pays nobody" in text(user, f"/portal/{client.code}/runs/2")


def test_an_approval_binds_what_was_seen_and_is_given_once(company):
    number = run_number(company)
    url = f"/portal/{company.client.code}/runs/{number}"
    browser = signed_in(company.approver)
    assert "Approve exactly this" in browser.get(url).content.decode()
    stale = browser.post(f"{url}/approve", {"content_hash": "00" * 32, "form_key": "a"}, follow=True)
    assert "look again" in stale.content.decode()
    with company.client.acting("specialist"):
        run = payroll.run_numbered(number)
        seen = bytes(run.content_hash).hex()
    for _ in range(2):
        done = browser.post(f"{url}/approve", {"content_hash": seen, "form_key": "b"}, follow=True)
        assert done.status_code == 200 and "is approved as you saw it" in done.content.decode()
    with company.client.acting("specialist"):
        approval = approvals.standing("pay_run", run.id)
        assert approval is not None and approval.user_id == company.approver.id
    assert "Approve exactly this" not in browser.get(url).content.decode()


def test_finance_cannot_approve_and_is_told(company):
    url = f"/portal/{company.client.code}/runs/{run_number(company)}/approve"
    assert signed_in(company.finance).post(url, {"content_hash": "00"}).status_code == 403


def test_an_approver_who_prepared_the_hours_cannot_approve(firm):
    client = firm.new_client()
    set_up(client, [Temp("T1")])
    approver = firm.new_user("client")
    firm.grant(approver, client.id, "client_approver")
    steps.import_files(approver, client.id, "timesheets", [hours_file(client, [Temp("T1")])])
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    with client.acting("specialist"):
        run = payroll.run_of(PAY_DATE)
    url = f"/portal/{client.code}/runs/{run.number}"
    browser = signed_in(approver)
    page = browser.get(url).content.decode()
    assert "a colleague of yours approves it" in page and "Approve exactly this" not in page
    form = {"content_hash": bytes(run.content_hash).hex(), "form_key": "x"}
    refused = browser.post(f"{url}/approve", form, HTTP_REFERER=f"http://127.0.0.1{url}", follow=True)
    assert "maker is not checker" in refused.content.decode()
    with client.acting("specialist"):
        assert approvals.standing("pay_run", run.id) is None


def test_invoices_are_listed_shown_and_printed(company):
    code = company.client.code
    with acting(company.finance, read=[company.client.id]):
        [newest, *_] = billing.invoices().rows
    page = text(company.finance, f"/portal/{code}/invoices")
    assert newest.number in page
    one = text(company.finance, f"/portal/{code}/invoices/{newest.number}")
    assert "Why this VAT" in one and "Operative" in one
    pdf = signed_in(company.finance).get(f"/portal/{code}/invoices/{newest.number}/pdf")
    assert pdf.status_code == 200 and pdf.content.startswith(b"%PDF")
    filtered = text(company.finance, f"/portal/{code}/invoices?state=paid")
    assert "No invoice is like that" in filtered
    text(company.finance, f"/portal/{code}/invoices/INV-999999", 404)


def test_a_bill_run_is_approved_here_too(company):
    with company.client.acting("specialist"):
        from engineroom.billing import services as bills

        made = bills.prepare_bill_run(NEXT_PAY_DATE, PAY_DATE.replace(day=29))
    url = f"/portal/{company.client.code}/bills/{made.number}"
    browser = signed_in(company.approver)
    page = browser.get(url).content.decode()
    assert "Approve exactly these" in page and "ACME Ltd" in page
    with company.client.acting("specialist"):
        seen = billing.bill_run(made.number).content_hash
    done = browser.post(f"{url}/approve", {"content_hash": seen, "form_key": "c"}, follow=True)
    assert f"Bill run {made.number} is approved as you saw it" in done.content.decode()


@pytest.mark.parametrize("path", ["", "/runs", "/invoices", "/runs/1"])
def test_no_other_company_and_no_other_face_gets_in(firm, company, other_client, path):
    url = f"/portal/{other_client.code}{path}"
    assert signed_in(company.finance).get(url).status_code == 404
    assert signed_in(other_client.staff["owner"]).get(url).status_code == 404, "the firm has its own pages"
    employee = firm.new_user("employee")
    firm.grant(employee, other_client.id, "employee")
    assert signed_in(employee).get(url).status_code == 404
