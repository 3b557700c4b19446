"""Customers answer for hours by a link in a mail: once, without an account, day by day; silence is chased."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import psycopg
import pytest
from django.urls import reverse
from django.utils import timezone

from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict, InputRefused
from engineroom.timesheets import asking, entered
from engineroom.timesheets.asking import Answers
from engineroom.timesheets.entering import DaySaid
from engineroom.timesheets.models import Charge, EnteredWeek, Hold, RequestStep, Timesheet
from engineroom.web import hours_pages
from tests.firm import Firm, connect, enter
from tests.timesheets.test_entered_weeks import ENDING, MONDAY, Placed, nine_hours, placed
from tests.web.conftest import letters, link_in, new_browser, signed_in

pytestmark = pytest.mark.usefixtures("outbox")


@pytest.fixture
def place(firm: Firm) -> Placed:
    """Jo's week at ACME is sent, and ACME has somebody who answers; addresses are this client's own."""
    made = placed(firm)
    made.sent(nine_hours())
    with made.client.acting():
        asking.set_answer_policy("ACME", answers(made), starts=date(2026, 1, 5))
    return made


def ann(place: Placed) -> str:
    return f"ann-{place.client.code.lower()}@acme.example"


def bob(place: Placed) -> str:
    return f"bob-{place.client.code.lower()}@acme.example"


def answers(place: Placed, **more: int) -> Answers:
    return Answers("Ann Smith", ann(place), "Bob Ray", bob(place), **more)


def asked(place: Placed) -> UUID:
    with place.client.acting():
        return hours_pages.ask_customer("ACME", ENDING).request_id


def view_of(place: Placed) -> entered.WeekView:
    with place.client.acting():
        view = entered.week_of(place.at["T1-ACME"], ENDING)
    assert view is not None
    return view


@pytest.mark.behaviour("BILL-05", part="held")
def test_a_link_opens_exactly_that_week_and_takes_one_answer(place: Placed) -> None:
    place.sent([DaySaid(MONDAY - timedelta(days=7), 300)], ending=ENDING - timedelta(days=7))
    place.sent([DaySaid(ENDING, 300)], "T1-BETA")
    priya = signed_in(place.client.staff["specialist"])
    where = reverse("hours_ask", args=[place.client.code])
    assert priya.post(where, {"customer": "ACME", "week": str(ENDING)}).status_code == 303
    [letter] = letters(ann(place))
    assert "Jo Bloggs" in letter and "45.00 hours" in letter and "21.00" not in letter
    browser, link = new_browser(), link_in(letter)
    for _ in range(2):  # looking does not use it up
        page = browser.get(link).content.decode()
    assert page.count("<select") == 5 and "15.00" not in page and "21.00" not in page
    view = view_of(place)
    assert view.state == "asked"
    field = f"{view.id.hex}_{MONDAY}"
    refused = browser.post(link, {field: "disputed"})
    assert refused.status_code == 422 and b"no reason is given" in refused.content
    assert b"selected" in refused.content, "what was chosen is kept"
    assert view_of(place).state == "asked"
    done = browser.post(link, {field: "disputed", f"{field}_reason": "left at noon"})
    assert done.status_code == 200 and b"not billed until" in done.content
    assert browser.get(link).status_code == 410 and browser.post(link, {}).status_code == 410
    with place.client.acting():
        [sheet] = Timesheet.objects.filter(client_id=place.client.id)
        [hold] = Hold.objects.filter(client_id=place.client.id)
        assert hold.note == f"left at noon (Ann Smith <{ann(place)}>, by link)"
        assert Charge.objects.filter(client_id=place.client.id).count() == 6
        assert sheet.taken_in.preview.file.name.startswith("answer-ACME")
        states = EnteredWeek.objects.filter(client_id=place.client.id).values_list("state", flat=True)
        assert sorted(states) == ["answered", "sent", "sent"]


@pytest.mark.behaviour("BILL-08")
def test_silence_is_chased_by_the_dated_policy_each_step_once_and_either_link_answers(place: Placed) -> None:
    request_id = asked(place)
    start = timezone.now()

    def chased(hours: float) -> list[str]:
        hours_pages.chase_all(start + timedelta(hours=hours))
        with place.client.acting():
            return [step.what for step in asking.find_request(request_id).steps]

    assert chased(23) == ["asked"]
    assert chased(25) == chased(26) == ["asked", "reminded"]
    assert chased(49) == ["asked", "reminded", "backup"]
    assert chased(73) == chased(200) == ["asked", "reminded", "backup", "escalated"]
    first, reminder = letters(ann(place))
    [to_backup] = letters(bob(place))
    [late] = letters(place.client.staff["lead"].email)
    assert "has not answered" in late and link_in(first) != link_in(reminder)
    assert new_browser().post(link_in(to_backup), {}).status_code == 200
    for link in (first, reminder):
        assert new_browser().post(link_in(link), {}).status_code == 410
    with place.client.acting():
        sheet = Timesheet.objects.get(client_id=place.client.id)
        assert "Bob Ray" in sheet.note and sheet.status == "approved"
    assert chased(500)[-1] == "answered"


def test_the_system_answers_for_whoever_asked_and_they_are_a_maker(place: Placed) -> None:
    asked(place)
    [letter] = letters(ann(place))
    assert new_browser().post(link_in(letter), {}).status_code == 200
    with connect("default") as db:
        enter(db, place.client.staff["lead"], read=[place.client.id])
        makers = db.execute(
            "SELECT DISTINCT on_behalf_id FROM foundation_contribution WHERE subject_kind = 'import' "
            "AND subject_id IN (SELECT taken_in_id FROM timesheets_timesheet WHERE client_id = %s)",
            [place.client.id],
        ).fetchall()
    assert (place.client.staff["specialist"].id,) in makers


def test_a_request_taken_back_opens_nothing_and_its_weeks_are_sent_again(place: Placed) -> None:
    request_id = asked(place)
    with place.client.acting(), pytest.raises(Conflict, match="wait to be put to it"):
        hours_pages.ask_customer("ACME", ENDING)
    with place.client.acting():
        asking.withdraw_request(request_id, reason="Jo wants to correct it")
    assert view_of(place).state == "sent"
    [letter] = letters(ann(place))
    assert new_browser().get(link_in(letter)).status_code == 410
    assert asked(place) != request_id


def test_nobody_is_asked_where_nobody_answers_and_a_policy_is_said_whole(place: Placed) -> None:
    place.sent([DaySaid(ENDING, 300)], "T1-BETA")
    with place.client.acting(), pytest.raises(Conflict, match="nobody is named"):
        hours_pages.ask_customer("BETA", ENDING)
    wrong = Answers("", "ann", "Bob", "", remind_hours=48, backup_hours=24, escalate_hours=1000)
    with place.client.acting(), pytest.raises(InputRefused) as refused:
        asking.set_answer_policy("BETA", wrong, starts=date(2026, 1, 5))
    fields = [p.field for p in refused.value.problems]
    assert fields == [
        "approver_name", "backup_email", "approver_email", "backup_hours", "escalate_hours", "backup_hours",
    ]  # fmt: skip
    with place.client.acting(), pytest.raises(Conflict, match="said already"):
        asking.set_answer_policy("ACME", answers(place), starts=date(2026, 1, 5))
    browser = signed_in(place.client.staff["specialist"])
    where = reverse("timesheets:answerers", args=[place.client.code])
    form = {
        "customer": "BETA",
        "starts": "2026-01-05",
        "approver_name": "Cy",
        "approver_email": "cy@b.example",
    }
    form |= {"remind_hours": "24", "backup_hours": "0", "escalate_hours": "72"}
    assert browser.post(f"{where}/set", form).status_code == 303
    assert "cy@b.example" in browser.get(where).content.decode()


def test_what_was_asked_and_done_is_history_and_a_request_ends_once(place: Placed) -> None:
    request_id = asked(place)
    with connect() as db:
        enter(db, place.client.staff["lead"], write=place.client.id)
        step = (
            "INSERT INTO timesheets_requeststep (id, client_id, request_id, what, whom) "
            "VALUES (gen_random_uuid(), app_write(), %s, %s, '')"
        )
        db.execute(step, [request_id, "answered"])
        with pytest.raises(psycopg.errors.UniqueViolation), db.transaction():
            db.execute(step, [request_id, "withdrawn"])
        for table in ("answerrequest", "requestedweek", "requeststep"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction():
                db.execute(f"DELETE FROM timesheets_{table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction():
            db.execute("UPDATE timesheets_answerpolicy SET approver_email = 'me@me.example'")
        db.rollback()
    with acting(place.jo, read=[place.client.id]):
        assert not RequestStep.objects.filter(client_id=place.client.id).exists()
