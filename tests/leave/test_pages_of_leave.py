"""Leave on pages: asked on one's own, decided by another, health kept from whoever may not see it."""

from __future__ import annotations

import re
from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from engineroom.foundation import duties
from engineroom.foundation.tenancy.scope import acting
from engineroom.leave import selectors, services
from engineroom.leave.models import Booking, Evidence
from engineroom.leave.services import Stretch
from tests.firm import Firm
from tests.leave.conftest import DAY, Office, make_office
from tests.web.conftest import signed_in

MONDAY, FRIDAY = date(2026, 8, 3), date(2026, 8, 7)


@pytest.fixture(scope="module")
def office(firm: Firm) -> Office:
    return make_office(firm)


def text_of(office: Office, role: str, page: str) -> str:
    response = signed_in(office.client.staff[role]).get(f"/c/{office.client.code}/leave{page}")
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def asked_on_own_page(office: Office, code: str, **typed: str) -> str:
    browser = signed_in(office.jo)
    with office.client.acting("specialist"):
        kind = office.kind(code).id
    mine = f"/me/{office.client.code}/leave"
    back = {"referer": f"http://127.0.0.1{mine}"}
    done = browser.post(f"{mine}/ask", {"kind": kind, **typed}, follow=True, headers=back)
    return re.sub(r"\s+", " ", done.content.decode())


def test_leave_is_asked_for_seen_decided_and_shown_to_whoever_asked(office: Office):
    mine = f"/me/{office.client.code}/leave"
    assert "28 days" in signed_in(office.jo).get(mine).content.decode()
    said = asked_on_own_page(office, "annual", starts="2026-08-03", ends="2026-08-07", half="until_noon")
    assert "33.75 h. It waits" in said
    with office.client.acting("lead"):
        [waiting] = selectors.requests()
        [task] = [t for t in duties.tasks() if t.duty.subject == ("leave_booking", waiting.id)]
        assert task.state == "mine" and "Jo Bloggs" in task.duty.what
    with office.client.acting("bookkeeper"):
        [task] = [t for t in duties.tasks() if t.duty.subject == ("leave_booking", waiting.id)]
        assert task.state == "colleague"
    seen = text_of(office, "lead", "?month=2026-08")
    assert "23.5 days" in seen and "of 28 days" in seen, "what it leaves, and of how much"
    assert "Waits for a decision" in seen and "Jo Bloggs" in seen and "Annual leave, asked for" in seen
    where = f"/c/{office.client.code}/leave/bookings/{waiting.id}"
    lead = signed_in(office.client.staff["lead"])
    refused = lead.post(f"{where}/refuse", {"reason": " "}, follow=True)
    assert "Say why" in refused.content.decode()
    lead.post(f"{where}/approve")
    own = signed_in(office.jo).get(mine).content.decode()
    assert "Stands" in own and "23.5 days" in own
    assert "Annual leave, part of the day" in text_of(office, "owner", "?month=2026-08")


def test_more_than_is_left_is_said_on_ones_own_page(office: Office):
    said = asked_on_own_page(office, "annual", starts="2026-09-01", ends="2026-12-24")
    assert "are left of the year" in said
    with office.client.acting("specialist"):
        assert not Booking.objects.filter(client_id=office.client.id, starts=date(2026, 9, 1)).exists()


def test_sickness_is_away_to_whoever_sees_no_health_data(office: Office):
    with office.client.acting("specialist"):
        kind = office.kind("sickness").id
        booked = services.record(office.ids["A1"], kind, Stretch(date(2026, 10, 5), date(2026, 10, 9)))
    browser = signed_in(office.client.staff["specialist"])
    note = SimpleUploadedFile("note.pdf", b"%PDF-1.7 not fit for work", "application/pdf")
    typed = {"what": "fit_note", "covers_from": "2026-10-05", "covers_until": "2026-10-09", "file": note}
    browser.post(f"/c/{office.client.code}/leave/bookings/{booked.booking_id}/evidence", typed)
    with office.client.acting("specialist"):
        kept = Evidence.objects.get(client_id=office.client.id, booking_id=booked.booking_id)
    file = f"/c/{office.client.code}/leave/evidence/{kept.id}"
    assert browser.get(file).content == b"%PDF-1.7 not fit for work"
    for page in ("?month=2026-10", "/people/A1"):
        assert "Sickness" in text_of(office, "specialist", page)
        for role in ("lead", "owner", "checker"):
            rows = re.sub("<select.*?</select>", "", text_of(office, role, page))
            assert "Away" in rows and "Sickness" not in rows, (role, page)
            assert signed_in(office.client.staff[role]).get(file).status_code == 404
    assert "fit note" in text_of(office, "specialist", "/people/A1").lower()


def test_leave_is_recorded_cancelled_and_changed_by_hand_with_reasons(office: Office):
    browser = signed_in(office.client.staff["specialist"])
    base = f"/c/{office.client.code}/leave"
    with office.client.acting("specialist"):
        kind = office.kind("annual").id
    typed = {"number": "B1", "kind": kind, "starts": "2026-11-02", "ends": "2026-11-03", "half": ""}
    done = browser.post(f"{base}/record", typed, follow=True)
    assert "14.8 days" in done.content.decode()
    with office.client.acting("specialist"):
        row = Booking.objects.get(client_id=office.client.id, starts=date(2026, 11, 2))
    browser.post(f"{base}/bookings/{row.id}/cancel", {"reason": "the children were ill"})
    browser.post(
        f"{base}/people/B1/adjust",
        {"kind": kind, "day": "2026-11-02", "hours": "7.5", "reason": "long service"},
    )
    shown = text_of(office, "specialist", "/people/B1")
    assert "Cancelled" in shown and "the children were ill" in shown and "17.8 days" in shown
    wrong = browser.post(f"{base}/record", {**typed, "ends": "2026-11-01"}, follow=True)
    assert "before the first" in wrong.content.decode()
    nobody = browser.post(f"{base}/record", {**typed, "number": "XX"}, follow=True)
    assert "nobody with payroll number" in nobody.content.decode()


def test_kinds_are_offered_and_entitlements_are_set_on_one_page(firm: Firm):
    client = firm.new_client()
    browser = signed_in(client.staff["specialist"])
    base = f"/c/{client.code}/leave"
    assert "No kinds of leave yet" in browser.get(base).content.decode()
    browser.post(f"{base}/kinds/offer")
    page = browser.get(f"{base}/kinds").content.decode()
    assert "Annual leave" in page and "Statutory sick pay" in page and "5.6" in page
    with client.acting("specialist"):
        annual = selectors.kind_coded("annual")
        assert annual is not None
    rule = {"kind": annual.id, "starts": "2027-01-01", "weeks": "6", "most_days": "0", "year_month": "4"}
    more = {"accrual": "monthly", "carry_weeks": "1", "carry_months": "3", "number": ""}
    browser.post(f"{base}/kinds/entitle", {f"rule-{k}": v for k, v in (rule | more).items()})
    page = browser.get(f"{base}/kinds").content.decode()
    assert "a twelfth a month" in page and "for 3 months" in page
    year = {"year-kind": annual.id, "year-day": "2027-05-01", "year-what": "grant"}
    done = browser.post(f"{base}/kinds/year", year, follow=True)
    assert "Nothing was left to write" in done.content.decode()


def test_a_person_shows_what_is_left_and_their_own_page_nobody_elses(office: Office):
    page = signed_in(office.client.staff["lead"]).get(f"/c/{office.client.code}/people/A1").content.decode()
    assert 'id="leave"' in page and "Annual leave" in page
    with acting(office.jo, read=[office.client.id]):
        assert {row.person_id for row in selectors.bookings_of(office.ids["A1"])} == set()
    assert DAY == 450
