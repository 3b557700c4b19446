"""Pages of pay: a run from open to released, what a checker is shown, and a payslip that answers why."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date, timedelta

import pytest
from django.urls import reverse
from tests.firm import (
    MONDAY,
    PAY_DATE,
    Temp,
    TestClient,
    approve_payday,
    connect,
    hours_file,
    run_payday,
    set_up,
)
from tests.web.conftest import signed_in

from engineroom.foundation.access.models import User
from engineroom.foundation.approvals.models import Approval, Release
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.vault.models import VaultFile
from engineroom.payday import steps
from engineroom.payroll import pages as payroll_pages
from engineroom.payroll import papers, review, selectors
from engineroom.payroll.costs import cost_of
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import Attempt, PayRun
from engineroom.settlement.models import PaymentBatch

TEMPS = [Temp("T1", "Jo Bloggs"), Temp("T2", "Ada Lund", pay_rate="20.00", bill_rate="30.00")]
LAST_PAY_DATE = PAY_DATE - timedelta(days=7)


@pytest.fixture
def staffed(client):
    """Two people with a week's hours, not paid yet."""
    set_up(client, TEMPS)
    client.take("timesheets", hours_file(client, TEMPS))
    return client


@pytest.fixture
def calculated(staffed):
    steps.calculate(staffed.staff["specialist"], staffed.id, PAY_DATE)
    return staffed


def page_of(client, role: str, name: str, *args, **asked) -> str:
    answer = signed_in(client.staff[role]).get(reverse(name, args=[client.code, *args]), asked)
    assert answer.status_code == 200, answer.content.decode()
    return answer.content.decode()


def post(client, role: str, name: str, *args, **form):
    where = reverse(name, args=[client.code, *args])
    back = reverse("payroll:runs", args=[client.code])
    browser = signed_in(client.staff[role])
    return browser.post(where, form, headers={"referer": f"http://127.0.0.1{back}"}, follow=True)


def content_hash(client) -> str:
    with client.acting():
        return bytes(PayRun.objects.get(number=1).content_hash).hex()


# --- from open to released ------------------------------------------------------------------------------


def test_a_page_that_was_looked_at_shows_what_happened_since(calculated):
    """What a page keeps between two looks (foundation/kept.py) is gone with every step of the run."""

    def looks() -> str:
        return page_of(calculated, "lead", "payroll:run", 1)

    assert "Calculated, waits for approval" in looks()
    approve_payday(calculated, pay_date=PAY_DATE)
    assert "Checked, waits for release" in looks()
    steps.release(calculated.staff["checker"], calculated.id, PAY_DATE)
    released = looks()
    assert "Released: frozen, and posted to the books" in released and "Issued and frozen" in released


def test_a_client_without_runs_is_told_the_first_step(client):
    assert "No pay run yet" in page_of(client, "specialist", "payroll:runs")


def test_the_pay_date_that_is_proposed_is_a_friday_without_a_run(staffed, client):
    def proposed() -> date:
        page = page_of(client, "specialist", "payroll:runs")
        return date.fromisoformat(re.search(r'name="pay_date" value="([0-9-]{10})"', page)[1])

    first = proposed()
    post(client, "specialist", "payroll:open", pay_date=str(first))
    assert first.weekday() == 4
    with client.acting():
        there = PayRun.objects.filter(pay_date=first).exists()
    assert proposed() == first + timedelta(days=7 * there)


def test_opening_a_run_calculates_it_once_however_often_the_form_is_sent(staffed):
    for _ in range(2):
        answer = post(staffed, "specialist", "payroll:open", pay_date=str(PAY_DATE), form_key="one")
        assert "Run 1 is calculated: 2 payslips." in answer.content.decode()
    with staffed.acting():
        assert PayRun.objects.count() == Attempt.objects.count() == 1
        assert steps.payday_of(PAY_DATE).bill_run is not None  # the invoices of the same weeks follow


def test_a_run_with_nothing_to_pay_is_refused_in_words_and_not_opened(client):
    answer = post(client, "specialist", "payroll:open", pay_date=str(PAY_DATE))
    assert "no approved hours wait" in answer.content.decode()
    with client.acting():
        assert not PayRun.objects.exists()


def test_more_people_than_a_page_waits_for_are_calculated_in_the_background(staffed, monkeypatch):
    monkeypatch.setattr(payroll_pages, "PEOPLE_AT_ONCE", 1)
    answer = post(staffed, "specialist", "payroll:open", pay_date=str(PAY_DATE))
    page = answer.content.decode()
    assert "is being calculated for 2 people" in page and "0 of 2" in page and "hx-get" in page
    assert "0 of 2" in page_of(staffed, "specialist", "payroll:progress", 1)
    steps.calculate(staffed.staff["specialist"], staffed.id, PAY_DATE)
    over = signed_in(staffed.staff["lead"]).get(reverse("payroll:progress", args=[staffed.code, 1]))
    assert over.headers["HX-Refresh"] == "true" and "hx-get" not in over.content.decode()


def test_payslips_are_printed_in_the_background_with_live_progress_and_then_downloaded(staffed, monkeypatch):
    """A part a transaction; the button once more while they are printed makes none twice."""
    steps.calculate(staffed.staff["specialist"], staffed.id, PAY_DATE)
    approve_payday(staffed)
    steps.release(staffed.staff["checker"], staffed.id, PAY_DATE)
    monkeypatch.setattr(papers, "RENDER_AT_ONCE", 1)
    for _ in range(2):
        answer = post(staffed, "specialist", "payroll:issue", 1)
        assert "2 payslips are being printed." in answer.content.decode()
    assert queued(staffed) == 1, "what is queued is not queued again"
    page = answer.content.decode()
    assert "0 of 2" in page and "hx-get" in page and "Print the payslips" not in page
    assert "0 of 2" in page_of(staffed, "specialist", "payroll:printing", 1)
    assert "Payslips of pay run 1" in signed_in(staffed.staff["specialist"]).get("/jobs").content.decode()
    with staffed.acting():
        assert not VaultFile.objects.filter(kind=papers.KIND).exists()
    run_worker(wait=False)
    with staffed.acting():
        assert VaultFile.objects.filter(kind=papers.KIND).count() == 2
        maker = AuditEvent.objects.filter(verb="payroll.issue_payslips")
        assert {event.on_behalf_id for event in maker} == {staffed.staff["specialist"].id}
    specialist = signed_in(staffed.staff["specialist"])
    over = specialist.get(reverse("payroll:printing", args=[staffed.code, 1]))
    assert over.headers["HX-Refresh"] == "true"
    assert "2 payslips" in specialist.get("/jobs").content.decode()
    where = reverse("payroll:papers", args=[staffed.code, 1, 1])
    assert where in page_of(staffed, "specialist", "payroll:run", 1)
    with zipfile.ZipFile(io.BytesIO(specialist.get(where).content)) as packed:
        assert len(packed.namelist()) == 2
        assert all(packed.read(name).startswith(b"%PDF") for name in packed.namelist())
    assert specialist.get(reverse("payroll:papers", args=[staffed.code, 1, 2])).status_code == 404


def queued(client: TestClient) -> int:
    with connect() as app:
        return app.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s AND args->>'client_id' = %s",
            [papers.JOB, str(client.id)],
        ).fetchone()[0]


def test_a_print_that_stopped_says_so_and_is_tried_again(staffed):
    steps.calculate(staffed.staff["specialist"], staffed.id, PAY_DATE)
    approve_payday(staffed)
    steps.release(staffed.staff["checker"], staffed.id, PAY_DATE)
    post(staffed, "specialist", "payroll:issue", 1)
    with connect() as app:
        app.execute(
            "UPDATE procrastinate_jobs SET status = 'failed', attempts = 1 "
            "WHERE task_name = %s AND args->>'client_id' = %s",
            [papers.JOB, str(staffed.id)],
        )
    browser = signed_in(staffed.staff["specialist"])
    assert "2 of 2 payslips are not printed; try again" in browser.get("/jobs").content.decode()
    with staffed.acting():
        run = selectors.run_numbered(1)
    again = reverse("job_again", args=[staffed.code, "payslips", run.id])
    assert signed_in(staffed.staff["checker"]).post(again).status_code == 403
    assert "in the queue again" in browser.post(again, {"form_key": "k"}, follow=True).content.decode()
    run_worker(wait=False)
    assert "try again" not in browser.get("/jobs").content.decode().lower()


def test_what_a_run_shows_is_what_its_selectors_say(calculated):
    with calculated.acting():
        run = selectors.run_numbered(1)
        totals = selectors.run_figures(run).totals
    page = page_of(calculated, "checker", "payroll:run", 1)
    for code in ("gross", "net_pay"):
        assert f"£{totals[code] / 100:,.2f}" in page
    assert "Calculated, waits for approval" in page and "Jo Bloggs" in page and "Ada Lund" in page
    assert content_hash(calculated)[:16] in page
    listed = page_of(calculated, "checker", "payroll:runs")
    assert f"£{totals['net_pay'] / 100:,.2f}" in listed and "Calculated, waits for approval" in listed


def test_a_maker_sees_why_they_cannot_approve_and_cannot(calculated):
    maker = calculated.staff["lead"]
    calculated.take(
        "timesheets",
        hours_file(calculated, [Temp("T1", hours=("1",))], MONDAY - timedelta(7), "l.csv"),
        role="lead",
    )
    steps.calculate(maker, calculated.id, PAY_DATE)
    page = page_of(calculated, "lead", "payroll:run", 1)
    assert "so you cannot approve it" in page and 'id="approve"' not in page
    assert "You made part of this run (" in page and "pay_run" not in page and "import_" not in page
    assert "Calculate again" in page and "You will have made this run" not in page
    answer = post(calculated, "lead", "payroll:approve", 1, content_hash=content_hash(calculated))
    assert "maker is not checker" in answer.content.decode()
    with calculated.acting():
        assert not Approval.objects.filter(subject_kind="pay_run").exists()


def test_who_could_approve_a_run_is_not_led_to_make_it(calculated):
    """To calculate again is to make: it is not offered beside Approve, and asked first where it is."""
    page = page_of(calculated, "lead", "payroll:run", 1)
    assert 'id="approve"' in page and "Calculate again" not in page
    maker = page_of(calculated, "specialist", "payroll:run", 1)
    assert 'data-confirm="Calculate again?' in maker and "cannot approve it" not in maker


def test_an_approval_binds_what_was_looked_at(calculated):
    answer = post(calculated, "checker", "payroll:approve", 1, content_hash="00" * 32)
    assert "recalculated since you looked" in answer.content.decode()
    looked_at = content_hash(calculated)
    for _ in range(2):
        answer = post(calculated, "checker", "payroll:approve", 1, content_hash=looked_at, form_key="k")
        assert "Run 1 is approved as it stands" in answer.content.decode()
    with calculated.acting():
        assert Approval.objects.filter(subject_kind="pay_run").count() == 1
    assert "Checked, waits for release" in page_of(calculated, "lead", "payroll:run", 1)
    assert "somebody else releases it" in page_of(calculated, "checker", "payroll:run", 1)


def approve(client, role: str = "lead") -> None:
    post(client, role, "payroll:approve", 1, content_hash=content_hash(client))


def test_a_release_freezes_posts_and_writes_the_payment_file_once(calculated):
    approve(calculated)
    post(calculated, "lead", "payroll:release", 1)  # whoever approved it does not release it
    with calculated.acting():
        assert not Release.objects.filter(subject_kind="pay_run").exists()
    for _ in range(2):
        answer = post(calculated, "checker", "payroll:release", 1, form_key="k")
        assert "Payment file" in answer.content.decode()
    with calculated.acting():
        assert Release.objects.filter(subject_kind="pay_run").count() == 1
        assert PaymentBatch.objects.count() == 1
    page = page_of(calculated, "checker", "payroll:run", 1)
    assert "Issued and frozen" in page and "Released, in the payment file" in page
    assert "Calculate again" not in page_of(calculated, "specialist", "payroll:run", 1)


def test_a_run_that_is_given_up_gives_its_hours_back(calculated):
    assert "Say why" in post(calculated, "specialist", "payroll:abandon", 1, reason=" ").content.decode()
    answer = post(calculated, "specialist", "payroll:abandon", 1, reason="wrong date")
    assert "2 timesheets wait for another run" in answer.content.decode()
    page = page_of(calculated, "specialist", "payroll:run", 1)
    assert "This run was given up" in page
    assert "Given up" in page_of(calculated, "specialist", "payroll:runs")


@pytest.mark.parametrize(
    ("role", "verb", "status"),
    [
        ("specialist", "approve", 403),
        ("specialist", "release", 403),
        ("checker", "calculate", 403),
        ("checker", "abandon", 403),
        ("bookkeeper", "approve", 403),
        ("owner", "issue", 403),
    ],
)
def test_each_step_belongs_to_its_role(calculated, role, verb, status):
    browser = signed_in(calculated.staff[role])
    assert browser.post(reverse(f"payroll:{verb}", args=[calculated.code, 1])).status_code == status


def test_runs_and_payslips_of_another_client_are_not_there(calculated, other_client):
    stranger = signed_in(other_client.staff["lead"])
    assert stranger.get(f"/c/{calculated.code}/runs/1").status_code == 404
    assert stranger.get(f"/c/{other_client.code}/runs/1").status_code == 404
    own = signed_in(calculated.staff["lead"])
    for nothing in ("runs/2", "runs/99999999999", "runs/1/T9", "runs?at=zz"):
        assert own.get(f"/c/{calculated.code}/{nothing}").status_code == 404


# --- what a checker is shown ----------------------------------------------------------------------------


def two_weeks(client, first, second):
    """The last week paid, this week calculated."""
    set_up(client, [*{t.number: t for t in [*first, *second]}.values()])
    run_payday(client, first, LAST_PAY_DATE)
    client.take("timesheets", hours_file(client, second, MONDAY, "this.csv"))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    with client.acting():
        run = selectors.run_numbered(2)
        return run, review.variance(run, review.run_before(run))


@pytest.mark.behaviour("PAY-10", part="page")
def test_the_variance_on_the_last_run_is_said_in_words_and_adds_up(client):
    before = [Temp("T1", "Jo"), Temp("T2", "Ada", pay_rate="10.00"), Temp("T3", "Gone", pay_rate="12.00")]
    now = [
        Temp("T1", "Jo", hours=("8",) * 4),
        Temp("T2", "Ada", pay_rate="10.00"),
        Temp("T4", "New", pay_rate="20.00"),
    ]
    _, v = two_weeks(client, before, now)
    assert (v.joined, v.left, v.minutes) == (1, 1, -8 * 60)
    assert (v.joined_minor, v.left_minor, v.hours_minor, v.rate_minor) == (80000, -48000, -12000, 0)
    assert v.joined_minor + v.left_minor + v.hours_minor + v.rate_minor == v.change == 20000
    words = review.in_words(v, "GBP")
    assert words == (
        "Gross up 13.5 % on run 1 (+£200.00), because 1 person more (+£800.00), 1 person fewer (-£480.00), "
        "8.00 fewer hours of the others (-£120.00)."
    )
    page = page_of(client, "checker", "payroll:run", 2)
    assert words in page and "Not explained" not in page


def test_the_top_of_a_run_says_what_it_costs_how_that_differs_and_who_acts_next(client):
    run, v = two_weeks(client, [Temp("T1", "Jo")], [Temp("T1", "Jo", hours=("8",) * 6), Temp("T2", "Ada")])
    with client.acting():
        cost = cost_of(run).total
        costs = jurisdiction(run.jurisdiction).postings.costs
        assert cost == sum(line.amount(v.now_figures.totals) for line in costs) > v.gross
        names = {
            role: User.objects.get(id=client.staff[role].id).name
            for role in ("checker", "specialist", "lead")
        }
    page = page_of(client, "checker", "payroll:run", 2)
    assert f"£{cost / 100:,.2f}" in page and f"£{v.change / 100:,.2f} more than run 1" in page
    assert "1 joined; 88.00 h" in page
    next_step = re.search(r"<p><strong>Next:.*?</p>", page, re.DOTALL)[0]
    acting = next_step.partition("made no part of it: ")[2]
    assert names["checker"] in acting and names["specialist"] not in re.split(r", |\.</p>", acting)
    approve_payday(client, pay_date=PAY_DATE)
    released_by = re.search(r"<p><strong>Next: release.*?</p>", page_of(client, "lead", "payroll:run", 2))[0]
    assert names["lead"] not in re.split(r", |: |\.</p>", released_by), "who approved it does not release it"


def test_a_run_equal_to_the_last_says_so(client):
    _, v = two_weeks(client, TEMPS, TEMPS)
    assert review.in_words(v, "GBP") == "Gross pay is what it was on run 1."


def test_a_rate_that_changed_is_told_apart_from_hours(client):
    before, now = [Temp("T1", hours=("8",) * 5)], [Temp("T1", hours=("8",) * 4 + ("", "8"))]
    _, v = two_weeks(client, before, now)  # a Friday's hours worked on Saturday, at the weekend's rate
    assert v.minutes == 0 and v.hours_minor == 0 and v.rate_minor == v.change > 0
    assert "other rates and kinds of hour" in review.in_words(v, "GBP")


@pytest.mark.behaviour("PAY-10", part="page")
def test_an_account_that_several_people_share_is_a_warning_with_their_names(client):
    temps = [Temp("T1", "Jo", account="12345678"), Temp("T2", "Ada", account="12345678"), Temp("T3", "Kim")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    with client.acting():
        found = review.oddities(selectors.run_numbered(1))
    assert [(o.kind, o.people) for o in found] == [("account", (("T1", "Jo"), ("T2", "Ada")))]
    assert "2 people are paid into one account" in page_of(client, "checker", "payroll:run", 1)


@pytest.mark.behaviour("PAY-10", part="page")
def test_pay_without_hours_in_the_period_and_pay_after_leaving_are_warnings(client):
    temps = [Temp("T1", "Late"), Temp("T2", "Left"), Temp("T3", "Right")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps[:1], MONDAY - timedelta(days=7), "late.csv"))
    client.take("timesheets", hours_file(client, temps[1:]))
    headings = ("payroll_number", "name", "start_date", "leave_date")
    client.take("people", client.file("left.csv", headings, [("T2", "Left", "2026-01-05", str(MONDAY))]))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    with client.acting():
        found = review.oddities(selectors.run_numbered(1))
    assert [(o.kind, o.people) for o in found] == [
        ("no_hours", (("T1", "Late"),)),
        ("left", (("T2", "Left"),)),
    ]
    page = page_of(client, "checker", "payroll:run", 1)
    assert "paid without hours in the period" in page and "paid for days outside employment" in page


@pytest.mark.behaviour("PAY-10", part="page")
def test_blockers_stand_on_the_page_with_what_to_do_and_nobody_can_approve(calculated):
    headings = ("payroll_number", "from_date", "tax_code", "ni_category")
    rows = [("T1", str(PAY_DATE - timedelta(days=2)), "BR", "A")]
    calculated.take("tax-details", calculated.file("t.csv", headings, rows))
    page = page_of(calculated, "checker", "payroll:run", 1)
    assert "Calculate the run again" in page and 'id="approve"' not in page
    answer = post(calculated, "checker", "payroll:approve", 1, content_hash=content_hash(calculated))
    assert answer.status_code == 409 and "Calculate the run again" in answer.content.decode()


@pytest.mark.behaviour("PAY-10", part="page")
def test_what_was_issued_is_frozen_and_says_so(calculated):
    approve(calculated)
    post(calculated, "checker", "payroll:release", 1)
    for verb in ("calculate", "abandon"):
        answer = post(calculated, "specialist", f"payroll:{verb}", 1, reason="change it")
        assert "frozen" in answer.content.decode()
    assert "It cannot change" in page_of(calculated, "checker", "payroll:payslip", 1, "T1")


def test_payslips_are_searched_and_sorted_by_the_size_of_their_change(client):
    two_weeks(client, TEMPS, [Temp("T1", hours=("8",) * 2), TEMPS[1]])
    page = page_of(client, "checker", "payroll:run", 2, sort="change")
    assert page.index("<small>T1</small>") < page.index("<small>T2</small>")
    page = page_of(client, "checker", "payroll:run", 2, q="ada")
    assert "Filtered:" in page and "<small>T1</small>" not in page
    assert "Nobody in this run is called that" in page_of(client, "checker", "payroll:run", 2, q="zz")


# --- one payslip ----------------------------------------------------------------------------------------


def test_a_payslip_shows_its_figures_and_answers_every_one(calculated):
    with calculated.acting():
        run = selectors.run_numbered(1)
        slip = selectors.payslip_of(run, "T2")
        lines = selectors.explain(slip.id)
    page = page_of(calculated, "lead", "payroll:payslip", 1, "T2")
    for code in ("gross", "net_pay", "employee_nic", "employer_nic"):
        assert f"£{slip.figures[code] / 100:,.2f}" in page
    for group in ("gross", "tax", "ni", "net"):
        assert f'id="why-{group}"' in page and f'href="#why-{group}"' in page
    assert "Under income tax from 2026-04-06" in page
    assert "rounding" in page and "other frequencies" not in page, "of a week, only what plays a part in it"
    assert any(line.about.startswith("National Insurance") for line in lines)
    with calculated.acting():
        read = AuditEvent.objects.filter(subject_kind="payslip", subject_id=slip.id)
        assert read.count() == 1


def test_the_year_to_date_adds_up_the_payslips_of_the_year(client):
    run, _ = two_weeks(client, TEMPS, TEMPS)
    with client.acting():
        first, second = (selectors.payslip_of(selectors.run_numbered(n), "T1") for n in (1, 2))
        sums = selectors.year_to_date(run, second.person_id)
    assert sums["gross"] == first.figures["gross"] + second.figures["gross"]
    assert f"£{sums['gross'] / 100:,.2f}" in page_of(client, "lead", "payroll:payslip", 2, "T1")


def test_the_pdf_is_there_once_printed_and_only_for_who_may_see_all_it_shows(client, firm):
    set_up(client, TEMPS)
    run_payday(client, TEMPS)
    with client.acting():
        slip = selectors.payslip_of(selectors.run_numbered(1), "T1")
    where = reverse("payroll:paper", args=[client.code, slip.id])
    lead = signed_in(client.staff["lead"])
    assert lead.get(where).status_code == 404
    post(client, "specialist", "payroll:issue", 1)
    run_worker(wait=False)
    answer = lead.get(where)
    assert answer.content.startswith(b"%PDF")
    auditor = firm.new_user()
    firm.grant(auditor, client.id, "auditor", ends=date(2099, 1, 1))
    assert signed_in(auditor).get(where).status_code == 403
    together = reverse("payroll:papers", args=[client.code, 1, 1])
    assert signed_in(auditor).get(together).status_code == 403
    assert together not in signed_in(auditor).get(f"/c/{client.code}/runs/1").content.decode()


def test_a_person_shows_how_they_are_taxed_and_their_payslips(calculated):
    page = page_of(calculated, "lead", "people:person", "T1")
    assert "Tax details" in page and "1257L" in page
    assert reverse("payroll:payslip", args=[calculated.code, 1, "T1"]) in page
