"""Terms as people set them: pages with a preview, files, programs and the command line."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from tests.firm import TestClient
from tests.people.test_people_files import person, take
from tests.people.test_terms import read
from tests.web.conftest import signed_in

from engineroom.foundation.audit.models import AuditEvent
from engineroom.kernel.errors import InputRefused
from engineroom.people.engine import days_of, days_said
from engineroom.people.models import TermsChange
from engineroom.ui.fields import minutes_of

BEGAN = date(2026, 1, 5)
TYPED = {
    "starts": "2026-01-05", "basis": "salary", "amount": "24,000.00", "hours_per_week": "37:30",
    "working_days": "Mon-Fri", "title": "Fitter", "reason": "first terms",
}  # fmt: skip


@pytest.fixture
def staffed(client: TestClient) -> TestClient:
    take(client, person(), person(payroll_number="T2", name="Al Green", account_number="00000002"))
    return client


@pytest.mark.parametrize(
    ("text", "bits", "said"),
    [("Mon-Fri", 31, "Mon-Fri"), ("mon, Wed", 5, "Mon, Wed"), ("Sat-Mon", 97, "Mon, Sat, Sun"),
     ("sunday", 64, "Sun"), ("Mo", None, ""), ("", None, ""), ("Mon-Tue-Wed", None, "")],
)  # fmt: skip
def test_days_are_read_as_people_write_them(text, bits, said):
    assert days_of(text) == bits
    if bits:
        assert days_said(bits) == said and days_of(said) == bits


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("37.5", 2250),
        ("37:30", 2250),
        ("0", 0),
        ("37:70", None),
        ("-1", None),
        ("x", None),
        ("nan", None),
        ("1e9999", None),
    ],
)
def test_hours_are_read_as_people_write_them(text, minutes):
    assert minutes_of(text) == minutes


def post(client: TestClient, role: str, name: str, *args: object, **given: str):
    browser = signed_in(client.staff[role])
    where = reverse("people:terms", args=[client.code, "T1"])
    return browser.post(
        reverse(name, args=[client.code, "T1", *args]),
        given,
        headers={"Referer": f"http://testserver{where}"},
    )


def terms_page(client: TestClient, role: str = "specialist") -> str:
    where = reverse("people:terms", args=[client.code, "T1"])
    return signed_in(client.staff[role]).get(where).content.decode()


@pytest.mark.behaviour("HR-01", part="terms")
def test_terms_are_looked_at_before_they_are_said(staffed):
    seen = post(staffed, "specialist", "people:terms_preview", **TYPED)
    assert seen.status_code == 200 and "Set these terms" in seen.content.decode()
    assert read(staffed) == []
    assert post(staffed, "specialist", "people:terms_set", **TYPED).status_code == 303
    rise = TYPED | {"starts": "2026-07-01", "amount": "26,000", "reason": "a rise"}
    preview = post(staffed, "specialist", "people:terms_preview", **rise).content.decode()
    assert "shortened or gone on" in preview and "£26,000.00" in preview and "£24,000.00" in preview
    assert read(staffed) == [(BEGAN, None, 24_000)]
    post(staffed, "specialist", "people:terms_set", **rise)
    assert read(staffed) == [(BEGAN, date(2026, 6, 30), 24_000), (date(2026, 7, 1), None, 26_000)]


@pytest.mark.behaviour("HR-01", part="terms")
def test_a_person_shows_what_stands_and_the_page_of_terms_all_that_was_said(staffed):
    post(staffed, "specialist", "people:terms_set", **TYPED)
    post(staffed, "specialist", "people:terms_set", **TYPED | {"amount": "25,000", "reason": "a slip"})
    page = terms_page(staffed, "checker")
    assert "What was said before" in page and "£24,000.00" in page and "a slip" in page
    assert "Show what changes" not in page and "Take back" not in page
    where = reverse("people:person", args=[staffed.code, "T1"])
    shown = signed_in(staffed.staff["checker"]).get(where).content.decode()
    assert "£25,000.00" in shown and "£24,000.00" not in shown
    with staffed.acting():
        assert AuditEvent.objects.filter(subject_kind="person", detail__terms=True).count() == 1


def test_what_is_wrong_stands_beside_its_field(staffed):
    refused = post(
        staffed, "specialist", "people:terms_preview", **TYPED | {"reason": "", "working_days": "x"}
    )
    assert refused.status_code == 422 and "write Mon-Fri" in refused.content.decode()
    refused = post(staffed, "specialist", "people:terms_preview", **TYPED | {"reason": ""})
    assert "Say why it is said only now" in refused.content.decode()


def test_terms_are_taken_back_from_their_page(staffed):
    post(staffed, "specialist", "people:terms_set", **TYPED)
    with staffed.acting():
        from engineroom.people.models import Terms

        row = Terms.objects.get(client_id=staffed.id)
    assert post(staffed, "specialist", "people:terms_withdraw", row.id, reason="a slip").status_code == 303
    assert read(staffed) == [] and "a slip" in terms_page(staffed)


# --- files -------------------------------------------------------------------------------------------------

HEADINGS = (
    "payroll_number",
    "from_date",
    "until_date",
    "basis",
    "amount",
    "hours_per_week",
    "working_days",
    "reason",
)


def bring(client: TestClient, *rows: tuple[str, ...], name: str = "terms.csv") -> dict[str, int]:
    return client.take("terms", client.file(name, HEADINGS, rows)).taken[0].counts


def test_a_file_of_terms_is_one_change(staffed):
    rows = [
        ("T1", "2026-07-01", "", "salary", "26,000", "37.5", "", "rise"),
        ("T1", "2026-01-05", "", "salary", "24,000", "37.5", "", "first terms"),
        ("T2", "2026-01-05", "", "hourly", "12.50", "16:00", "Mon, Wed", "first terms"),
    ]
    assert bring(staffed, *rows) == {"terms": 3, "superseded": 0, "people": 2}
    assert read(staffed)[:2] == [(BEGAN, date(2026, 6, 30), 24_000), (date(2026, 7, 1), None, 26_000)]
    with staffed.acting():
        assert TermsChange.objects.get(client_id=staffed.id).reason == "rise; first terms"
    assert bring(staffed, rows[2], name="again.csv") == {"terms": 0, "superseded": 0, "people": 0}


def test_every_row_that_is_wrong_is_said_with_its_remedy(staffed):
    tomorrow = str(timezone.now().date() + timedelta(days=1))
    with pytest.raises(InputRefused) as refused:
        bring(
            staffed,
            ("T9", tomorrow, "", "salary", "1", "1", "", ""),
            ("T1", "2025-01-01", "", "salary", "1", "1", "", "late"),
            ("T1", "2026-02-01", "2026-01-31", "salary", "1", "1", "someday", ""),
            ("T2", tomorrow, "", "weekly", "-1", "200", "", ""),
            ("T2", tomorrow, "", "salary", "-1", "200", "", ""),
        )
    assert {(p.row, p.field) for p in refused.value.problems} == {
        (2, "payroll_number"), (3, "from_date"), (4, "until_date"), (4, "working_days"), (4, "reason"),
        (5, "basis"), (6, "amount"), (6, "hours_per_week"),
    }  # fmt: skip
    assert read(staffed) == []
