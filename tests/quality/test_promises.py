"""Promises in the product: clocks from the cases' own events, recounted on any change, and the scorecard."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, NotPermitted
from engineroom.kernel.ids import uuid7
from engineroom.quality import clocks, services
from engineroom.quality.clocks import OFFICE, Terms, Told, log_of
from engineroom.quality.models import Promise
from engineroom.quality.scorecard import SHOWS, month_of, scorecard
from engineroom.sop import drafts
from engineroom.sop import services as sop
from engineroom.sop.hours import WorkingHours
from engineroom.sop.models import Case, Task
from engineroom.sop.sla import Clock, Policy, State, recount
from tests.firm import Firm, TestClient, connect
from tests.web.conftest import signed_in

H = 3600
AROUND = WorkingHours("UTC", (((0, 1440),),) * 7, name="around the clock")
TEXT = """---
procedure: promised
title: A promised one
---
What it is for.

## Make
```yaml
who: specialist
```
Make it.

## Ask the client
```yaml
ask:
  - text: What is missing
    key: missing
```
Please tell us what is missing.

## Pay
```yaml
who: lead
four_eyes: checker
```
Pay it.
"""


@pytest.fixture(scope="module")
def key(firm: Firm) -> str:
    with acting(firm.owner, write=firm.house_id):
        return drafts.publish(TEXT).key


@pytest.fixture(scope="module")
def desk(firm: Firm, key: str) -> TestClient:
    client = firm.new_client(with_books=False)
    client.staff["contact"] = firm.new_user("client")
    firm.grant(client.staff["contact"], client.id, "client_finance")
    with client.acting("lead"):
        services.promise("Two hours", 2 * H, procedure_key=key)
        services.set_hours(AROUND.as_dict())
    return client


def open_task(desk: TestClient, case_id: UUID) -> UUID:
    with desk.acting("specialist"):
        return Task.objects.get(client_id=desk.id, case_id=case_id, ended_at=None).id


def start(desk: TestClient, key: str) -> sop.CaseStarted:
    with desk.acting("specialist"):
        return sop.start_case(key)


def make(desk: TestClient, case_id: UUID) -> None:
    at = open_task(desk, case_id)
    with desk.acting("specialist"):
        sop.complete(at)


def answer(desk: TestClient, case_id: UUID) -> None:
    at = open_task(desk, case_id)
    with desk.acting("contact"):
        sop.answer(at, values={"missing": "nothing"})


def pay(desk: TestClient, case_id: UUID, rejections: int = 0) -> None:
    at = open_task(desk, case_id)
    for round_ in range(rejections + 1):
        with desk.acting("lead"):
            sop.complete(at)
        with desk.acting("checker"):
            if round_ < rejections:
                sop.reject(at, reason="the sum is wrong")
            else:
                sop.accept(at)


def clock_of(desk: TestClient, case_id: UUID, now: int | None = None) -> clocks.CaseClock:
    with desk.acting("specialist"):
        found = clocks.clock_of(Case.objects.get(client_id=desk.id, id=case_id), now)
    assert found is not None
    return found


# --- a case's clock is made of its events -----------------------------------------------------------------


@pytest.mark.behaviour("SLA-02")
@pytest.mark.behaviour("FIRM-02", part="clock")
def test_a_client_request_stops_the_clock_and_an_answer_starts_it_again(desk: TestClient, key: str) -> None:
    case = start(desk, key)
    assert clock_of(desk, case.case_id).reading.state is State.RUNNING
    make(desk, case.case_id)
    stopped = clock_of(desk, case.case_id)
    later = int(timezone.now().timestamp()) + 90 * 24 * H
    assert stopped.reading.state is State.PAUSED and stopped.reading.due is None
    assert clock_of(desk, case.case_id, later).reading.elapsed_s == stopped.reading.elapsed_s
    for role, name in (("specialist", "quality:clock"), ("contact", "quality:service_case")):
        page = signed_in(desk.staff[role]).get(reverse(name, args=[desk.code, case.number])).content.decode()
        assert "paused, waiting for: client" in page, role
    answer(desk, case.case_id)
    now = int(timezone.now().timestamp()) + 60
    going = clock_of(desk, case.case_id, now)
    assert going.reading.state is State.RUNNING and len(going.clock.pauses) == 1
    assert going.reading == recount(going.log, now, going.prediction)


@pytest.mark.behaviour("SLA-04")
def test_another_promise_and_corrected_hours_recount_what_runs_and_lose_no_pause(
    firm: Firm, key: str
) -> None:
    desk = firm.new_client(with_books=False)
    desk.staff["contact"] = firm.new_user("client")
    firm.grant(desk.staff["contact"], desk.id, "client_finance")
    case = start(desk, key)
    make(desk, case.case_id)
    with desk.acting("specialist"):
        row = Case.objects.get(client_id=desk.id, id=case.case_id)
        assert clocks.clock_of(row) is None  # nothing is promised yet
    with desk.acting("lead"):
        services.promise("All", 8 * H)
    assert clock_of(desk, case.case_id).clock.policy.budget_s == 8 * H
    with desk.acting("lead"):
        services.promise("Ours", 4 * H, procedure_key=key)
        services.set_hours(AROUND.as_dict(), whole=True, reason="they never close")
    one = clock_of(desk, case.case_id)
    assert (one.clock.policy.name, one.clock.hours.name) == ("Ours", "around the clock")
    assert [p.reason for p in one.clock.pauses] == ["client"]
    with desk.acting("lead"):
        services.end_promise(procedure_key=key, reason="agreed otherwise")
    assert clock_of(desk, case.case_id).clock.policy.name == "All"


def told(kind: str, at: int, task: UUID | None = None, **more: str) -> Told:
    return Told(kind, at, task, more.get("step", ""), more.get("reason", ""))


def case_at(at: int) -> Case:
    return Case(procedure_key="p", started_at=datetime.fromtimestamp(at, UTC))


PROMISED = Terms({"": [(0, Policy("p", 8 * H))]}, [(0, AROUND, False)])


def test_two_requests_at_once_are_one_pause_until_both_are_answered_or_withdrawn() -> None:
    one, two = uuid7(), uuid7()
    events = [
        told("paused", 100, one),
        told("paused", 200, two),
        told("resumed", 300, one),
        told("withdrawn", 400, two),
        told("finished", 500),
    ]
    log = log_of(case_at(0), events, PROMISED)
    assert log is not None
    assert [(e.kind, e.at) for e in log] == [
        ("started", 0),
        ("paused", 100),
        ("resumed", 400),
        ("finished", 500),
    ]
    assert Clock.of(log).reading(900).elapsed_s == 200


def test_a_promise_that_stands_still_for_nobody_counts_while_the_client_is_asked() -> None:
    strict = Terms({"": [(0, Policy("p", 8 * H, ()))]}, [(0, AROUND, False)])
    at = uuid7()
    log = log_of(case_at(0), [told("paused", 100, at), told("resumed", 900, at)], strict)
    assert log is not None and Clock.of(log).elapsed(1000) == 1000


@pytest.mark.behaviour("SOP-05", part="clock")
def test_a_cancelled_case_shows_as_cancelled_with_its_reason() -> None:
    log = log_of(case_at(0), [told("case_cancelled", 99 * H, reason="nobody is paid")], PROMISED)
    assert log is not None and Clock.of(log).reading(100 * H).state is State.CANCELLED
    assert log[-1].reason == "nobody is paid"


def test_hours_of_ones_own_begin_when_they_are_set_and_office_hours_are_before() -> None:
    terms = Terms({"": [(0, Policy("p", 8 * H))]}, [(500, AROUND, False)])
    log = log_of(case_at(100), [], terms)
    assert log is not None and log[0].hours == OFFICE and (log[1].kind, log[1].at) == ("hours_changed", 500)


def test_the_history_of_the_same_step_stands_beside_each_clock(desk: TestClient, key: str) -> None:
    for _ in range(5):
        case = start(desk, key)
        make(desk, case.case_id)
        answer(desk, case.case_id)
        pay(desk, case.case_id)
    case = start(desk, key)
    soon = int(timezone.now().timestamp()) + H
    one = clock_of(desk, case.case_id, soon)
    assert one.prediction is not None and one.prediction.earlier >= 5 and one.waits_at == ["Make"]
    assert one.reading.state is State.RUNNING  # half of its time is used, and nobody took an hour before
    assert clock_of(desk, case.case_id, soon + H - 600).reading.state is State.AT_RISK
    page = signed_in(desk.staff["lead"]).get(reverse("quality:board")).content.decode()
    assert f"case {case.number}" in page and "earlier ones" in page


# --- making promises --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ({"budget_s": 0}, "a second to 400 days"),
        ({"name": " "}, "has a name"),
        ({"warn_percent": 0}, "1 to 100"),
        ({"reason": "x" * 301}, "the reason has 301 letters"),
    ],
)
def test_a_promise_that_cannot_be_is_refused(desk: TestClient, what: dict, says: str) -> None:
    given = {"name": "x", "budget_s": H} | what
    with desk.acting("lead"), pytest.raises(InputRefused, match=says):
        services.promise(given.pop("name"), given.pop("budget_s"), **given)


def test_only_who_may_prepare_quality_promises_and_what_was_agreed_stays(desk: TestClient) -> None:
    with desk.acting("lead"):
        with pytest.raises(NotFound):
            services.promise("x", H, procedure_key="no_such")
        with pytest.raises(InputRefused, match="no working hours"):
            services.set_hours({"zone": "UTC"})
        with pytest.raises(InputRefused, match="needs a reason"):
            services.end_promise(reason=" ")
        with pytest.raises(Conflict, match="nothing is promised there"):
            services.end_promise(procedure_key="no_such", reason="agreed otherwise")
    for role in ("specialist", "contact"):
        with desk.acting(role), pytest.raises(NotPermitted):
            services.promise("x", H)
    with desk.acting("specialist"), pytest.raises(DatabaseError, match="may prepare quality"), _part():
        Promise.objects.create(client_id=desk.id, name="x", budget_s=1, pause_reasons=[], by_user_id=uuid7())
    for table in ("quality_promise", "quality_hours"):
        with connect() as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(f"DELETE FROM {table}")


def _part() -> transaction.Atomic:
    return transaction.atomic()


def test_a_lead_promises_and_sets_hours_on_the_page(firm: Firm, key: str) -> None:
    client = firm.new_client(with_books=False)
    lead = signed_in(client.staff["lead"])
    promise = {
        "promise-procedure": key, "promise-name": "By noon", "promise-hours": "6", "promise-minutes": "30",
        "promise-pauses": "on", "promise-warn": "80",
    }  # fmt: skip
    said = lead.post(
        reverse("quality:promise_make", args=[client.code]), promise, follow=True
    ).content.decode()
    assert "Promised." in said and "By noon" in said and "6 h 30 min" in said
    ended = {"end-procedure": key, "end-reason": "agreed otherwise"}
    ending = reverse("quality:promise_end", args=[client.code])
    said = lead.post(ending, ended, follow=True).content.decode()
    assert "Nothing is promised for" in said and "Nothing is promised yet" in said
    assert "not one of the available choices" in lead.post(ending, ended, follow=True).content.decode()
    hours = {
        "hours-week": "Mon-Thu 08:00-16:00; Fri 08:00-12:00",
        "hours-zone": "Europe/Paris",
        "hours-division": "",
        "hours-closed": "2026-12-24 Christmas Eve",
    }
    said = lead.post(reverse("quality:hours_set", args=[client.code]), hours, follow=True).content.decode()
    assert "Mon-Thu 08:00-16:00; Fri 08:00-12:00, Europe/Paris, closed on 1 named day" in said
    for wrong, says in (({"hours-week": "always"}, "cannot be read"), ({"hours-closed": "soon"}, "is no day"),
                        ({"hours-zone": "Mars/Base"}, "no time zone")):  # fmt: skip
        said = lead.post(reverse("quality:hours_set", args=[client.code]), hours | wrong, follow=True)
        assert says in said.content.decode()


def test_a_cases_page_says_what_is_left_and_whom_it_waits_for(firm: Firm, key: str) -> None:
    desk = firm.new_client(with_books=False)
    desk.staff["contact"] = firm.new_user("client")
    firm.grant(desk.staff["contact"], desk.id, "client_finance")
    case = start(desk, key)

    def page(role: str = "specialist") -> str:
        answer = signed_in(desk.staff[role]).get(reverse("sop:case", args=[desk.code, case.number]))
        return answer.content.decode()

    assert "Why it stands there" not in page()  # nothing is promised
    with desk.acting("lead"):
        services.promise("By noon", 4 * H)
        services.set_hours(AROUND.as_dict(), whole=True, reason="they never close")
    shown = page()
    assert "By noon" in shown and " left" in shown and "Waits for the client" not in shown
    assert reverse("quality:clock", args=[desk.code, case.number]) in shown
    make(desk, case.case_id)
    assert "Waits for the client" in page()
    answer(desk, case.case_id)
    assert "Waits for the client" not in page() and " left" in page()


# --- the scorecard ----------------------------------------------------------------------------------------


@pytest.mark.behaviour("SLA-05", part="explained")
def test_every_figure_of_the_scorecard_is_its_cases_and_the_client_sees_the_same(
    firm: Firm, key: str
) -> None:
    desk = firm.new_client(with_books=False)
    desk.staff["contact"] = firm.new_user("client")
    firm.grant(desk.staff["contact"], desk.id, "client_finance")
    with desk.acting("lead"):
        services.promise("Two hours", 2 * H)
        services.set_hours(AROUND.as_dict())
    numbers = {}
    for what in ("right", "sent back", "cancelled"):
        case = start(desk, key)
        numbers[what] = case.number
        if what == "cancelled":
            with desk.acting("lead"):
                sop.cancel_case(case.case_id, reason="not this month")
            continue
        make(desk, case.case_id)
        answer(desk, case.case_id)
        pay(desk, case.case_id, rejections=2 if what == "sent back" else 0)
    start(desk, key)
    with desk.acting("specialist"):
        card = scorecard(desk.id, *month_of(timezone.now().date()))
    assert (card.started, len(card.cases), card.finished, card.on_time_percent) == (4, 3, 2, 100)
    assert (card.right_percent, card.reworks, card.count("cancelled")) == (50, 2, 1)
    for show in SHOWS:
        pages = [
            signed_in(desk.staff[role]).get(reverse(name, args=[desk.code]), {"show": show}).content.decode()
            for role, name in (("specialist", "quality:scorecard"), ("contact", "quality:service"))
        ]
        for page in pages:
            for what, number in numbers.items():
                shown = f"case {number}</small>" in page
                assert shown == any(c.row.number == number for c in card.of(show)), (show, what)
    past = signed_in(desk.staff["contact"]).get(
        reverse("quality:service", args=[desk.code]), {"month": "2020-02"}
    )
    assert "Nothing ended in this month" in past.content.decode()


def test_nobody_sees_another_clients_clocks(desk: TestClient, firm: Firm, key: str) -> None:
    other = firm.new_client(with_books=False)
    case = start(desk, key)
    address = reverse("quality:clock", args=[desk.code, case.number])
    assert signed_in(other.staff["lead"]).get(address).status_code == 404
    with other.acting("lead"):
        assert clocks.running(desk.id) == []


def test_the_board_asks_once_for_all_clients(firm: Firm, desk: TestClient, key: str) -> None:
    """Two clients more make no question more, and each client's clocks stand as asked for alone."""
    others = [firm.new_client(with_books=False) for _ in range(2)]
    lead = desk.staff["lead"]
    for other in others:
        firm.grant(lead, other.id, "lead")
        with acting(lead, write=other.id):
            services.promise("An hour", H)
        with other.acting("specialist"):
            sop.start_case(key)
    start(desk, key)
    now = int(timezone.now().timestamp())
    questions, numbers = [], []
    for clients in ([desk.id], [desk.id, *(o.id for o in others)]):
        with acting(lead, read=clients), CaptureQueriesContext(connection) as asked:
            found = clocks.running_of(clients, now)
        questions.append(len(asked))
        numbers.append({(one.row.client_id, one.row.number): one.reading for one in found})
    assert questions[0] == questions[1]
    alone = {}
    for client_id in (desk.id, *(o.id for o in others)):
        with acting(lead, read=[client_id]):
            alone |= {(client_id, one.row.number): one.reading for one in clocks.running(client_id, now)}
    assert numbers[1] == alone and len(alone) == len(numbers[0]) + 2
    page = signed_in(lead).get(reverse("quality:board")).content.decode()
    assert all(other.code in page for other in (desk, *others))
