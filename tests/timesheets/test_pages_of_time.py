"""Pages of time: what they show is what the selectors say, and who may do what on them."""

from __future__ import annotations

import pytest
from django.urls import reverse
from tests.firm import PAY_DATE, WEEK_ENDS, Temp, hours_file, set_up
from tests.web.conftest import signed_in

from engineroom.foundation.commands.models import CommandRun
from engineroom.foundation.imports.models import ImportCommit
from engineroom.payday import steps
from engineroom.timesheets import selectors
from engineroom.timesheets.models import HoldEnd, Timesheet

TEMPS = [Temp("T1", "Jo Bloggs"), Temp("T2", "Ada Lund", customer="BOLT", status="disputed")]


@pytest.fixture
def staffed(client):
    """Two weeks of hours: one agreed, one disputed by its customer."""
    set_up(client, TEMPS)
    client.take("timesheets", hours_file(client, TEMPS))
    return client


def listing(client, **asked) -> str:
    browser = signed_in(client.staff["specialist"])
    answer = browser.get(reverse("timesheets:list", args=[client.code]), asked)
    assert answer.status_code == 200
    return answer.content.decode()


def sheet_of(client, number: str) -> selectors.TimesheetView:
    with client.acting():
        row = selectors.timesheets(person=number).rows[0]
        view = selectors.timesheet(row.id)
    assert view is not None
    return view


def test_the_list_shows_each_week_with_its_hours_and_states(staffed):
    page = listing(staffed)
    assert "Jo Bloggs" in page and "Ada Lund" in page
    assert page.count("Waits for a run</span>") == 2
    assert "Disputed" in page and "Billable" in page and "40.00" in page


@pytest.mark.parametrize(
    ("asked", "shown", "left_out"),
    [
        ({"state": "held"}, "Ada Lund", "Jo Bloggs"),
        ({"state": "disputed"}, "Ada Lund", "Jo Bloggs"),
        ({"customer": "ACME"}, "Jo Bloggs", "Ada Lund"),
        ({"person": "T2"}, "Ada Lund", "Jo Bloggs"),
    ],
)
def test_a_filtered_list_says_what_it_leaves_out(staffed, asked, shown, left_out):
    page = listing(staffed, **asked)
    assert shown in page and left_out not in page and "Filtered:" in page


def test_a_week_that_a_run_took_in_says_which(staffed):
    steps.calculate(staffed.staff["specialist"], staffed.id, PAY_DATE)
    assert "In run 1" in listing(staffed, state="in_run")
    assert "No such timesheets" in listing(staffed, state="waiting")


def test_other_weeks_and_states_find_nothing_and_nonsense_is_not_found(staffed):
    assert "No such timesheets" in listing(staffed, week="2020-01-05")
    browser = signed_in(staffed.staff["specialist"])
    for wrong in ("week=soon", "at=abc", "at=" + "A" * 400):
        assert browser.get(f"/c/{staffed.code}/time?{wrong}").status_code == 404


def test_a_client_without_hours_is_told_the_first_step(client):
    page = listing(client)
    assert "No hours yet" in page and reverse("imports", args=[client.code]) in page


def test_a_timesheet_shows_every_charge_that_the_selector_knows(staffed):
    view = sheet_of(staffed, "T2")
    answer = signed_in(staffed.staff["lead"]).get(
        reverse("timesheets:timesheet", args=[staffed.code, view.row.id])
    )
    page = answer.content.decode()
    assert len(view.charges) == 5 == page.count("Held: disputed")
    assert f"£{view.bill_minor / 100:,.2f}" in page and "hours.csv" in page


def test_a_hold_ends_once_with_its_reason(staffed):
    view = sheet_of(staffed, "T2")
    browser = signed_in(staffed.staff["specialist"])
    where = reverse("timesheets:end_holds", args=[staffed.code, view.row.id])
    form = {"outcome": "billable", "reason": "they agreed by phone", "form_key": "one"}
    for _ in range(2):
        assert browser.post(where, form).status_code == 303
    with staffed.acting():
        assert HoldEnd.objects.filter(reason="they agreed by phone").count() == len(view.charges)
        assert CommandRun.objects.filter(name="timesheets.end_holds").count() == 1
    page = browser.get(reverse("timesheets:timesheet", args=[staffed.code, view.row.id])).content.decode()
    assert "Was held (disputed), billable" in page and "they agreed by phone" in page


def test_a_hold_without_a_reason_stays_and_the_page_says_why(staffed):
    view = sheet_of(staffed, "T2")
    browser = signed_in(staffed.staff["specialist"])
    where = reverse("timesheets:timesheet", args=[staffed.code, view.row.id])
    answer = browser.post(
        f"{where}/end-holds",
        {"outcome": "billable", "reason": " "},
        headers={"referer": f"http://127.0.0.1{where}"},
        follow=True,
    )
    assert "Say why, in a sentence" in answer.content.decode()
    assert sheet_of(staffed, "T2").held_minor


def test_who_only_checks_does_not_end_holds(staffed):
    view = sheet_of(staffed, "T2")
    browser = signed_in(staffed.staff["checker"])
    where = reverse("timesheets:timesheet", args=[staffed.code, view.row.id])
    assert "End the hold" not in browser.get(where).content.decode()
    assert browser.post(f"{where}/end-holds", {"outcome": "billable", "reason": "x"}).status_code == 403


def test_another_clients_timesheet_is_not_there(staffed, other_client):
    view = sheet_of(staffed, "T1")
    stranger = signed_in(other_client.staff["specialist"])
    assert stranger.get(f"/c/{staffed.code}/time/{view.row.id}").status_code == 404
    assert stranger.get(f"/c/{other_client.code}/time/{view.row.id}").status_code == 404


def test_the_list_goes_on_and_comes_back(staffed, monkeypatch):
    with staffed.acting():
        all_rows = [row.id for row in selectors.timesheets().rows]
        monkeypatch.setitem(selectors.read_slice.__kwdefaults__, "rows", 1)
        first = selectors.timesheets()
        second = selectors.timesheets(cursor=first.next)
        back = selectors.timesheets(cursor=second.previous)
    assert [first.rows[0].id, second.rows[0].id] == all_rows
    assert not first.previous and not second.next and back == first


# --- bringing a file in -------------------------------------------------------------------------------


def bring(client, path, kind="timesheets", role="specialist"):
    browser = signed_in(client.staff[role])
    with path.open("rb") as file:
        answer = browser.post(
            reverse("import_preview", args=[client.code]), {"kind": kind, "file": file}, follow=True
        )
    return browser, answer


def test_a_file_is_read_first_and_taken_once(client):
    set_up(client, TEMPS)
    browser, answer = bring(client, hours_file(client, TEMPS))
    where = answer.redirect_chain[0][0]
    assert "Nothing is wrong with it" in answer.content.decode()
    with client.acting():
        assert not Timesheet.objects.exists()
    for _ in range(2):
        assert browser.post(f"{where}/take", {"form_key": "k"}).status_code == 303
    with client.acting():
        assert Timesheet.objects.count() == 2
        assert ImportCommit.objects.filter(kind="timesheets").count() == 1
    assert "Taken" in browser.get(where).content.decode()
    _, again = bring(client, hours_file(client, TEMPS, name="again.csv"))
    page = again.content.decode()
    assert "again.csv was taken before, to the byte" in page and "Taken" in page
    assert "Nothing of it is taken yet" not in page


def test_every_problem_stands_with_file_row_field_and_remedy(client):
    set_up(client, TEMPS)
    wrong = [*TEMPS, Temp("T9", hours=("25",))]
    browser, answer = bring(client, hours_file(client, wrong, name="wrong.csv"))
    page = answer.content.decode()
    assert "wrong.csv" in page and "T9-ACME" in page and "What to do" in page
    assert "Take it" not in page
    where = answer.redirect_chain[0][0]
    assert browser.post(f"{where}/take", {"form_key": "k"}).status_code == 422
    with client.acting():
        assert not Timesheet.objects.exists()


def test_who_may_not_prepare_is_told_so(client):
    set_up(client, TEMPS)
    page = signed_in(client.staff["checker"]).get(reverse("imports", args=[client.code])).content.decode()
    assert "Not yours to see or do" in page
    _, answer = bring(client, hours_file(client, TEMPS), role="checker")
    assert "may not import timesheets here" in answer.content.decode()


def test_no_file_is_said_in_words(client):
    browser = signed_in(client.staff["specialist"])
    answer = browser.post(reverse("import_preview", args=[client.code]), {"kind": "people"})
    assert answer.status_code == 422 and "There is no file" in answer.content.decode()


def test_the_kinds_of_file_show_their_columns(client):
    page = signed_in(client.staff["specialist"]).get(reverse("imports", args=[client.code])).content.decode()
    assert "payroll_number" in page and "sort_code" in page and "a day: 2026-11-27" in page
    assert str(WEEK_ENDS.year) == "2026"
