"""Hours as workers enter them: from the phone's page to the customer's answer, and what nobody may write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.urls import reverse
from tests.firm import Firm, Temp, TestClient, connect, set_up
from tests.web.conftest import signed_in

from engineroom.foundation import duties
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import Conflict, InputRefused
from engineroom.kernel.periods import week_ending
from engineroom.people import services as people
from engineroom.people.models import Person
from engineroom.timesheets import entered, entering
from engineroom.timesheets.entering import DaySaid, Disputed
from engineroom.timesheets.models import Assignment, Charge, EnteredWeek, Hold, Timesheet

ENDING = week_ending(duties.today()) - timedelta(days=7)
"""The last week that is over, whenever this is run: hours that are still to come are not entered."""
MONDAY = ENDING - timedelta(days=6)


@dataclass
class Placed:
    client: TestClient
    jo: Identity
    al: Identity
    at: dict[str, UUID]
    """Assignments by their code."""

    def as_jo(self) -> Any:
        return acting(self.jo, write=self.client.id)

    def save(self, days: list[DaySaid], code: str = "T1-ACME", ending: date = ENDING) -> entering.WeekKept:
        with self.as_jo():
            return entering.save_week(self.at[code], ending, days)

    def sent(self, days: list[DaySaid], code: str = "T1-ACME", ending: date = ENDING) -> UUID:
        kept = self.save(days, code, ending)
        with self.as_jo():
            entering.send_week(kept.week_id, content=kept.content)
        return kept.week_id

    def url(self, name: str, *args: object) -> str:
        return reverse(f"timesheets:{name}", args=[self.client.code, *args])


def placed(firm: Firm) -> Placed:
    client = firm.new_client()
    set_up(client, [Temp("T1"), Temp("T1", customer="BETA"), Temp("T2", "Al Smith")])
    users = []
    for number in ("T1", "T2"):
        user = firm.new_user("employee")
        firm.grant(user, client.id, "employee")
        with client.acting("lead"):
            person = Person.objects.get(client_id=client.id, payroll_number=number)
            people.give_login(person.counterparty_id, user.id, starts=date(2026, 1, 5))
        users.append(user)
    with client.acting():
        at = dict(Assignment.objects.filter(client_id=client.id).values_list("code", "id"))
    return Placed(client, *users, at)


@pytest.fixture(scope="module")
def shared_place(firm: Firm) -> Placed:
    """Look at it; write only what is refused, or weeks of your own."""
    return placed(firm)


@pytest.fixture
def place(firm: Firm) -> Placed:
    return placed(firm)


def nine_hours(days: int = 5) -> list[DaySaid]:
    """Eight hours and a half with a break, and nine: 45 h over five days."""
    said = [DaySaid(MONDAY, None, time(8), time(17, 30), 30)]
    return said + [DaySaid(MONDAY + timedelta(days=n), 9 * 60) for n in range(1, days)]


def test_a_worker_enters_a_week_sees_what_it_makes_and_sends_it(place: Placed) -> None:
    browser = signed_in(place.jo)
    listed = browser.get(place.url("mine")).content.decode()
    where = place.url("my_week", place.at["T1-ACME"], ENDING)
    assert where in listed and "Nothing entered" in listed and "Al Smith" not in listed
    assert browser.get(where).status_code == 200
    form = {f"{MONDAY}_starts": "08:00", f"{MONDAY}_ends": "17:30", f"{MONDAY}_break": "30"}
    form |= {f"{MONDAY + timedelta(days=n)}_hours": "9" for n in range(1, 5)}
    assert browser.post(place.url("my_week_save", place.at["T1-ACME"], ENDING), form).status_code == 303
    page = browser.get(where).content.decode()
    # 40 basic hours at 15.00 and 5 at time and a half; nothing that is billed.
    assert "600.00" in page and "112.50" in page and "712.50" in page and "21.00" not in page
    with place.as_jo():
        view = entered.week_of(place.at["T1-ACME"], ENDING)
    assert view is not None and view.state == "draft" and view.minutes == 45 * 60
    sent = browser.post(place.url("my_week_send", view.id), {"content": view.content})
    assert sent.status_code == 303
    assert "Take it back" in browser.get(where).content.decode()
    assert "T1-ACME" in signed_in(place.client.staff["specialist"]).get(place.url("sent")).content.decode()


def test_what_is_wrong_is_said_at_its_day_and_nothing_is_kept(shared_place: Placed) -> None:
    tuesday = MONDAY + timedelta(days=1)
    wrong = [
        DaySaid(MONDAY, None, time(8), time(8, 30), 30),
        DaySaid(tuesday, 25 * 60),
        DaySaid(tuesday + timedelta(days=1), 60, time(8), time(9)),
        DaySaid(tuesday + timedelta(days=2), None, time(8), None),
        DaySaid(MONDAY - timedelta(days=1), 60),
    ]
    with pytest.raises(InputRefused) as refused:
        shared_place.save(wrong, "T1-BETA")
    assert [p.field for p in refused.value.problems] == [
        f"{MONDAY}_break", f"{tuesday}_hours", f"{tuesday + timedelta(days=1)}_hours",
        f"{tuesday + timedelta(days=2)}_starts", f"{MONDAY - timedelta(days=1)}_hours",
    ]  # fmt: skip
    browser = signed_in(shared_place.jo)
    where = shared_place.url("my_week", shared_place.at["T1-BETA"], ENDING)
    save = shared_place.url("my_week_save", shared_place.at["T1-BETA"], ENDING)
    back = {"referer": f"http://127.0.0.1{where}"}
    answer = browser.post(save, {f"{MONDAY}_starts": "08:00"}, headers=back)
    assert answer.status_code == 422 and b"start and end go together" in answer.content
    with shared_place.as_jo():
        assert entered.week_of(shared_place.at["T1-BETA"], ENDING) is None


@pytest.mark.parametrize("weeks", [1, -6])
def test_only_weeks_that_are_near_are_entered(shared_place: Placed, weeks: int) -> None:
    this_week = week_ending(duties.today())
    with pytest.raises(InputRefused, match="cannot be entered here now"):
        shared_place.save([], ending=this_week + timedelta(days=7 * weeks))


def test_nobody_works_at_two_places_at_once(place: Placed) -> None:
    place.save([DaySaid(MONDAY, None, time(20), time(4), 0)])
    with pytest.raises(InputRefused, match="you entered 20:00 to 04:00 elsewhere"):
        place.save([DaySaid(MONDAY, None, time(23), time(23, 30))], "T1-BETA")
    with pytest.raises(InputRefused, match="more than 24 hours"):
        place.save([DaySaid(MONDAY, 17 * 60)], "T1-BETA")
    assert place.save([DaySaid(MONDAY, None, time(12), time(20))], "T1-BETA").minutes == 480


def test_a_week_is_sent_as_it_was_seen_and_taken_back_until_it_is_with_the_customer(place: Placed) -> None:
    seen = place.save(nine_hours(1))
    place.save(nine_hours(2))
    with place.as_jo(), pytest.raises(Conflict, match="changed meanwhile"):
        entering.send_week(seen.week_id, content=seen.content)
    week_id = place.sent(nine_hours(2))
    with pytest.raises(Conflict, match="take it back first"):
        place.save(nine_hours(3))
    with place.as_jo():
        assert entering.take_back_week(week_id).state == "draft"
    place.sent(nine_hours(3))
    with place.client.acting():
        EnteredWeek.objects.filter(client_id=place.client.id, id=week_id).update(state="asked")
    with place.as_jo(), pytest.raises(Conflict, match="the customer has this week"):
        entering.take_back_week(week_id)


@pytest.mark.behaviour("BILL-05", part="held")
def test_an_answer_becomes_a_timesheet_and_a_disputed_day_alone_is_held(place: Placed) -> None:
    week_id = place.sent(nine_hours())
    browser = signed_in(place.client.staff["specialist"])
    with place.client.acting():
        view = entered.week(week_id)
    assert view is not None
    page = browser.get(place.url("sent_week", week_id)).content.decode()
    assert "712.50" in page and "Take the answer in" in page
    form = {"content": view.content, "said_by": "Ann Smith, signed sheet"}
    form |= {f"{week_id.hex}_{MONDAY}": "disputed", f"{week_id.hex}_{MONDAY}_reason": "left at noon"}
    without = browser.post(
        place.url("sent_answer", week_id), form | {f"{week_id.hex}_{MONDAY}_reason": ""}, follow=True
    )
    assert "no reason is given" in without.content.decode()
    assert browser.post(place.url("sent_answer", week_id), form).status_code == 303
    with place.client.acting():
        sheet = Timesheet.objects.get(client_id=place.client.id, assignment_id=place.at["T1-ACME"])
        charges = Charge.objects.filter(client_id=place.client.id, time_entry__timesheet=sheet)
        assert sum(c.minutes for c in charges) == 45 * 60 and sum(c.pay_amount for c in charges) == 712_50
        [hold] = Hold.objects.filter(client_id=place.client.id)
        assert hold.charge.time_entry.day == MONDAY and hold.reason == "disputed"
        assert hold.note == "left at noon (Ann Smith, signed sheet)"
        assert sheet.status == "disputed" and "answered by Ann Smith" in sheet.note
        with pytest.raises(Conflict, match="nothing to answer"):
            entering.record_answer(week_id, content=view.content, said_by="Ann", disputed=[])
    shown = signed_in(place.jo).get(place.url("my_week", place.at["T1-ACME"], ENDING)).content.decode()
    assert "Answered" in shown and "Take it back" not in shown
    with pytest.raises(Conflict, match="taken in already"):
        place.save(nine_hours())


def test_an_answer_is_to_what_was_seen_and_disputes_days_that_are_there(place: Placed) -> None:
    week_id = place.sent(nine_hours(1))
    with place.client.acting(), pytest.raises(Conflict, match="changed meanwhile"):
        entering.record_answer(week_id, content="0" * 64, said_by="Ann", disputed=[])
    with place.client.acting():
        view = entered.week(week_id)
    assert view is not None
    with place.client.acting(), pytest.raises(InputRefused, match="is no day of"):
        entering.record_answer(
            week_id, content=view.content, said_by="Ann", disputed=[Disputed(ENDING, "was not here")]
        )


# --- around the application ---------------------------------------------------------------------------


def as_self(db: psycopg.Connection[Any], user: Identity, client: TestClient) -> None:
    db.execute("SELECT app_enter(%s, NULL, 'self', '{}', %s)", [user.id, client.id])


NEW_WEEK = (
    "INSERT INTO timesheets_enteredweek (id, client_id, assignment_id, person_id, week_ending, state) "
    "SELECT %s, client_id, id, person_id, %s, %s FROM timesheets_assignment WHERE code = %s RETURNING id"
)
NEW_DAY = (
    "INSERT INTO timesheets_enteredday "
    "(id, client_id, week_id, person_id, day, break_minutes, minutes, note) "
    "SELECT gen_random_uuid(), client_id, id, person_id, %s, 0, 60, '' "
    "FROM timesheets_enteredweek WHERE id = %s"
)


def test_from_their_own_face_nobody_writes_another_persons_week(shared_place: Placed) -> None:
    with connect() as db:
        as_self(db, shared_place.al, shared_place.client)
        assert db.execute("SELECT count(*) FROM timesheets_enteredweek").fetchone() == (0,)
        assert db.execute(NEW_WEEK, [uuid4(), ENDING, "draft", "T1-ACME"]).fetchone() is None
        with pytest.raises(psycopg.Error, match=r"row-level security|is placed"), db.transaction():
            db.execute(
                "INSERT INTO timesheets_enteredweek (id, client_id, assignment_id, person_id, week_ending, "
                "state) SELECT gen_random_uuid(), client_id, %s, person_id, %s, 'draft' "
                "FROM timesheets_assignment",
                [shared_place.at["T1-ACME"], ENDING],
            )


@pytest.mark.parametrize("state", ["sent", "asked", "answered"])
def test_a_week_begins_as_a_draft_and_its_worker_moves_it_no_further_than_sent(
    shared_place: Placed, state: str
) -> None:
    with connect() as db:
        as_self(db, shared_place.jo, shared_place.client)
        with pytest.raises(psycopg.Error, match="begins as a draft"), db.transaction():
            db.execute(NEW_WEEK, [uuid4(), ENDING - timedelta(days=7), state, "T1-ACME"])
        week = uuid4()
        db.execute(NEW_WEEK, [week, ENDING - timedelta(days=7), "draft", "T1-ACME"])
        refused = "without hours" if state == "sent" else "does not become"
        with pytest.raises(psycopg.Error, match=refused), db.transaction():
            db.execute("UPDATE timesheets_enteredweek SET state = %s WHERE id = %s", [state, week])
        db.rollback()


def test_what_was_sent_stays_as_it_was_sent(shared_place: Placed) -> None:
    with connect() as db:
        as_self(db, shared_place.jo, shared_place.client)
        week = uuid4()
        db.execute(NEW_WEEK, [week, ENDING, "draft", "T1-BETA"])
        db.execute(NEW_DAY, [MONDAY, week])
        with pytest.raises(psycopg.Error, match="is of its week"), db.transaction():
            db.execute(NEW_DAY, [MONDAY - timedelta(days=1), week])
        db.execute("UPDATE timesheets_enteredweek SET state = 'sent' WHERE id = %s", [week])
        for verb in (
            "UPDATE timesheets_enteredday SET minutes = 61 WHERE week_id = %s",
            "DELETE FROM timesheets_enteredday WHERE week_id = %s",
        ):
            with pytest.raises(psycopg.Error, match="stays as it was sent"), db.transaction():
                db.execute(verb, [week])
        with pytest.raises(psycopg.Error, match="stays as it was sent"), db.transaction():
            db.execute(NEW_DAY, [ENDING, week])
        with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction():
            db.execute("DELETE FROM timesheets_enteredweek WHERE id = %s", [week])
        db.rollback()


def test_a_worker_learns_what_their_hour_pays_never_what_it_bills_or_what_others_get(
    shared_place: Placed,
) -> None:
    with connect() as db:
        as_self(db, shared_place.jo, shared_place.client)
        [mine] = db.execute("SELECT * FROM app_pay_rates(%s)", [shared_place.at["T1-ACME"]]).fetchall()
        assert mine[2] == 15_00 and 21_00 not in mine
        assert not db.execute("SELECT * FROM app_pay_rates(%s)", [shared_place.at["T2-ACME"]]).fetchall()
        assert not db.execute("SELECT * FROM timesheets_assignmentrate").fetchall()


def test_another_persons_week_is_not_found_by_its_id(shared_place: Placed) -> None:
    kept = shared_place.save([DaySaid(MONDAY - timedelta(days=14), 60)], ending=ENDING - timedelta(days=14))
    stranger = signed_in(shared_place.al)
    where = shared_place.url("my_week", shared_place.at["T1-ACME"], ENDING)
    assert stranger.get(where).status_code == 404
    answer = stranger.post(
        shared_place.url("my_week_send", kept.week_id), {"content": kept.content}, follow=True
    )
    assert "no such week of yours" in answer.content.decode()
