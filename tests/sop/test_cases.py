"""Cases and tasks: who may do what, with which evidence, twice at once, and the timeline that is the case."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from uuid import UUID

import psycopg
import pytest
from django.db import connections

from engineroom.foundation import vault
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotPermitted
from engineroom.kernel.ids import uuid7
from engineroom.sop import drafts, running, services
from engineroom.sop.graph import Span
from engineroom.sop.models import Case, CaseEvent, Task, TaskEvidence
from tests.firm import Firm, TestClient, connect, enter
from tests.sop.writing import procedure_text


@pytest.fixture(scope="module")
def short(firm: Firm) -> str:
    """A published procedure: collect, ask the client, count and pay beside each other, finish."""
    with acting(firm.owner, write=firm.house_id):
        return drafts.publish(procedure_text("short_case")).key


@pytest.fixture(scope="module")
def desk(firm: Firm) -> TestClient:
    """A client without books, for everything here that does not count its cases."""
    client = firm.new_client(with_books=False)
    client.staff["contact"] = firm.new_user("client")
    firm.grant(client.staff["contact"], client.id, "client_finance")
    client.staff["second"] = firm.new_user()
    firm.grant(client.staff["second"], client.id, "specialist")
    return client


def started(desk: TestClient, procedure: str, **values: str) -> services.CaseStarted:
    with desk.acting("specialist"):
        return services.start_case(procedure, values=values or {"day": "2026-11-27"})


def task(desk: TestClient, case_id: UUID, step: str) -> Task:
    """The newest task of that step."""
    with desk.acting("specialist"):
        return Task.objects.filter(client_id=desk.id, case_id=case_id, step=step).order_by("-id")[0]


def open_steps(desk: TestClient, case_id: UUID) -> list[str]:
    with desk.acting("specialist"):
        rows = Task.objects.filter(client_id=desk.id, case_id=case_id, ended_at=None)
        return sorted(rows.values_list("step", flat=True))


def collect(desk: TestClient, case_id: UUID, role: str = "specialist") -> services.TaskDone:
    at = task(desk, case_id, "collect").id
    with desk.acting(role):
        file = vault.store(b"the list", name="list.csv", kind="sop.evidence", subject_id=at)
        return services.complete(at, checks=[1], files={"list": file.id})


def answer(desk: TestClient, case_id: UUID) -> services.TaskDone:
    at = task(desk, case_id, "ask_the_client").id
    with desk.acting("contact"):
        return services.answer(at, values={"missing": "nothing"})


def do(desk: TestClient, case_id: UUID, step: str, role: str, **what: object) -> services.TaskDone:
    at = task(desk, case_id, step).id
    with desk.acting(role):
        return services.complete(at, **what)


def until_both(desk: TestClient, procedure: str) -> UUID:
    case_id = started(desk, procedure).case_id
    collect(desk, case_id)
    answer(desk, case_id)
    return case_id


def test_a_case_goes_from_its_start_to_its_end(desk: TestClient, short: str) -> None:
    case_id = started(desk, short).case_id
    assert open_steps(desk, case_id) == ["collect"]
    collect(desk, case_id)
    assert open_steps(desk, case_id) == ["ask_the_client"]
    answer(desk, case_id)
    assert open_steps(desk, case_id) == ["count", "pay"]
    assert do(desk, case_id, "count", "specialist", values={"total": "-1"}).state == "done"
    assert open_steps(desk, case_id) == ["count", "pay"]
    do(desk, case_id, "count", "specialist", values={"total": "12.50"})
    assert do(desk, case_id, "pay", "lead", values={"reference": "R1"}).state == "check"
    at = task(desk, case_id, "pay").id
    with desk.acting("checker"):
        services.accept(at)
    assert open_steps(desk, case_id) == ["finish", "finish_escalate"]
    assert do(desk, case_id, "finish", "lead").case_state == "done"
    with desk.acting("specialist"):
        row = Case.objects.get(client_id=desk.id, id=case_id)
        shown = TaskEvidence.objects.get(client_id=desk.id, task__case_id=case_id, key="list").file_id
        said = {"day": "2026-11-27", "missing": "nothing", "total": "12.50", "reference": "R1"}
        assert (row.state, row.values) == ("done", said | {"list": str(shown)})


def test_a_case_does_not_begin_without_its_fields(desk: TestClient, short: str) -> None:
    for values, said in (
        ({}, "Day is missing"),
        ({"day": "soon"}, "is no date"),
        ({"day": "2026-11-27", "x": "1"}, "no field x"),
    ):
        with desk.acting("specialist"), pytest.raises(InputRefused, match=said):
            services.start_case(short, values=values)


@pytest.mark.behaviour("SOP-03")
def test_a_step_is_not_done_without_its_evidence_not_even_by_raw_sql(desk: TestClient, short: str) -> None:
    case_id = started(desk, short).case_id
    at = task(desk, case_id, "collect").id
    with (
        desk.acting("specialist"),
        pytest.raises(services.EvidenceMissing, match="list, Everything is there"),
    ):
        services.complete(at)
    with desk.acting("specialist"), pytest.raises(services.EvidenceMissing, match=r"missing: The list$"):
        services.complete(at, checks=[1])
    with connect() as raw:
        enter(raw, desk.staff["specialist"], read=[desk.id], write=desk.id)
        with pytest.raises(psycopg.Error, match="evidence is missing") as refused:
            raw.execute("UPDATE sop_task SET state = 'done', ended_at = now() WHERE id = %s", [at])
        assert refused.value.sqlstate == "ER422"
    assert collect(desk, case_id).state == "done"


def test_the_call_that_writes_cases_goes_around_no_guard(desk: TestClient, short: str, firm: Firm) -> None:
    """It runs as whoever calls it: without evidence nothing ends, of another client nothing is touched."""
    at = task(desk, started(desk, short).case_id, "collect").id
    other = firm.new_client(with_books=False)
    ended = json.dumps({"ended": [{"id": str(at), "state": "done", "reason": ""}]})
    write = "SELECT app_write_cases(%s, now())"
    with connect() as raw:
        enter(raw, desk.staff["specialist"], read=[desk.id], write=desk.id)
        with pytest.raises(psycopg.Error) as refused:
            raw.execute(write, [ended])
        assert refused.value.sqlstate == "ER422"
    shown = {"id": str(uuid7()), "task_id": str(at), "key": "list", "kind": "file", "value": "x"}
    with connect() as raw:
        enter(raw, other.staff["specialist"], read=[other.id], write=other.id)
        raw.execute(write, [ended])
        with pytest.raises(psycopg.Error) as refused:
            raw.execute(write, [json.dumps({"evidence": [shown]})])
        assert refused.value.sqlstate == "ER409"
    with connect() as raw, pytest.raises(psycopg.Error) as refused:
        raw.execute(write, [json.dumps({"evidence": [shown]})])
    assert refused.value.sqlstate in ("23502", "42501", "ER409")
    with desk.acting("specialist"):
        assert Task.objects.get(client_id=desk.id, id=at).state == "open"


def test_evidence_of_the_wrong_kind_is_refused_with_every_problem(desk: TestClient, short: str) -> None:
    case_id = until_both(desk, short)
    at = task(desk, case_id, "count").id
    with desk.acting("specialist"), pytest.raises(InputRefused) as refused:
        services.complete(at, values={"total": "many", "other": "x"})
    assert {p.field for p in refused.value.problems} == {"total", "other"}
    assert open_steps(desk, case_id) == ["count", "pay"]


@pytest.mark.behaviour("SOP-04")
def test_a_rejection_goes_back_to_the_same_maker_with_its_reason_and_counts_as_rework(
    desk: TestClient, short: str
) -> None:
    case_id = until_both(desk, short)
    do(desk, case_id, "pay", "lead", values={"reference": "R1"})
    at = task(desk, case_id, "pay").id
    with desk.acting("checker"), pytest.raises(InputRefused, match="reason"):
        services.reject(at, " ")
    with desk.acting("checker"):
        services.reject(at, "the reference is last week's")
    row = task(desk, case_id, "pay")
    assert (row.state, row.assignee_id, row.reworks) == ("open", desk.staff["lead"].id, 1)
    assert row.reason == "the reference is last week's"
    do(desk, case_id, "pay", "lead", values={"reference": "R2"})
    with desk.acting("checker"):
        services.accept(at)
        shown = TaskEvidence.objects.filter(client_id=desk.id, task_id=at).order_by("id")
        assert [e.value for e in shown] == ["R1", "R2"], "what was shown first is kept"


@pytest.mark.behaviour("SOP-05", part="cases")
def test_skips_and_cancellations_need_a_reason_and_say_it(desk: TestClient, short: str) -> None:
    case_id = until_both(desk, short)
    at = task(desk, case_id, "count").id
    with desk.acting("specialist"), pytest.raises(InputRefused, match="reason"):
        services.skip(at, "")
    with desk.acting("specialist"), pytest.raises(NotPermitted, match="not one that may be skipped"):
        services.skip(at, "no time")
    with desk.acting("lead"):
        services.skip(at, "counted by the bank")
    with desk.acting("lead"), pytest.raises(InputRefused, match="reason"):
        services.cancel_case(case_id, "")
    with desk.acting("lead"):
        services.cancel_case(case_id, "the client left")
        assert Task.objects.get(client_id=desk.id, id=at).reason == "counted by the bank"
        events = CaseEvent.objects.filter(
            client_id=desk.id, case_id=case_id, kind__in=["skipped", "case_cancelled"]
        )
        assert [e.data["reason"] for e in events.order_by("seq")] == [
            "counted by the bank",
            "the client left",
        ]
    with connect() as raw:
        enter(raw, desk.staff["lead"], read=[desk.id], write=desk.id)
        other = started(desk, short)
        with pytest.raises(psycopg.errors.CheckViolation):
            raw.execute(
                "UPDATE sop_task SET state = 'cancelled', ended_at = now(), reason = '' WHERE case_id = %s",
                [other.case_id],
            )


@pytest.mark.behaviour("SOP-06")
def test_of_two_who_finish_one_step_one_gets_one_clear_conflict(desk: TestClient, short: str) -> None:
    case_id = until_both(desk, short)
    at = task(desk, case_id, "count").id
    together = Barrier(2)

    def finish(role: str) -> str:
        try:
            together.wait()
            with desk.acting(role):
                services.complete(at, values={"total": "1"})
            return "done"
        except EngineroomError as error:
            return f"{type(error).__name__} {error.status}: {error}"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(finish, ["specialist", "second"]))
    winner = task(desk, case_id, "count").ended_by_id
    name = next(u.name for u in desk.staff.values() if u.id == winner)
    assert said == [f"AnotherFinished 409: {name} finished 'Count' already; look at the case again", "done"]
    with desk.acting("specialist"):
        assert (
            CaseEvent.objects.filter(client_id=desk.id, case_id=case_id, kind="done", step="count").count()
            == 1
        )


def test_of_two_who_claim_one_has_it(desk: TestClient, short: str) -> None:
    case_id = started(desk, short).case_id
    at = task(desk, case_id, "collect").id
    with desk.acting("specialist"):
        services.claim(at)
    with desk.acting("second"), pytest.raises(Conflict, match="has 'Collect' already"):
        services.claim(at)
    with desk.acting("second"), pytest.raises(services.NotYours):
        services.complete(at)
    with desk.acting("specialist"):
        services.release(at)
    with desk.acting("second"):
        assert services.claim(at).state == "open"


def test_a_task_is_for_its_role_and_is_delegated_to_it_alone(desk: TestClient, short: str) -> None:
    case_id = started(desk, short).case_id
    at = task(desk, case_id, "collect").id
    with desk.acting("bookkeeper"), pytest.raises(services.NotYours, match="is for a specialist"):
        services.claim(at)
    with desk.acting("specialist"), pytest.raises(Conflict, match="no specialist"):
        services.delegate(at, desk.staff["bookkeeper"].id, "busy")
    with desk.acting("specialist"):
        services.delegate(at, desk.staff["second"].id, "busy")
    assert task(desk, case_id, "collect").assignee_id == desk.staff["second"].id
    with desk.acting("specialist"):
        services.escalate(at, "owner", "needs a word with the bank")
    assert task(desk, case_id, "collect").escalated_to == "owner"


@pytest.mark.behaviour("SOP-08")
def test_nobody_gets_a_check_by_calling_a_role_to_it(desk: TestClient, firm: Firm) -> None:
    """A check that is the lead's: a specialist can neither call their own role to it nor use such a call."""
    with acting(firm.owner, write=firm.house_id):
        checked = drafts.publish(procedure_text("called").replace("four_eyes: checker", "four_eyes: lead"))
    case_id = until_both(desk, checked.key)
    at = task(desk, case_id, "pay").id
    for role, to, error in (
        ("specialist", "specialist", InputRefused),
        ("specialist", "bookkeeper", InputRefused),
        ("lead", "lead", NotPermitted),
    ):
        with desk.acting(role), pytest.raises(error):
            services.escalate(at, to, "quickly")
    with connect() as raw:
        enter(raw, desk.staff["specialist"], read=[desk.id], write=desk.id)
        raw.execute("UPDATE sop_task SET escalated_to = 'specialist' WHERE id = %s", [at])
        raw.commit()
    do(desk, case_id, "pay", "specialist", values={"reference": "R1"})
    with desk.acting("second"), pytest.raises(services.NotYours, match="is for a lead"):
        services.accept(at)
    with desk.acting("lead"):
        assert services.accept(at).state == "done"


@pytest.mark.behaviour("SOP-08")
def test_what_waits_for_a_second_person_is_not_skipped_by_its_maker(desk: TestClient, short: str) -> None:
    case_id = until_both(desk, short)
    do(desk, case_id, "pay", "lead", values={"reference": "R1"})
    at = task(desk, case_id, "pay").id
    with desk.acting("lead"), pytest.raises(NotPermitted, match="maker is not checker"):
        services.skip(at, "no time")
    skip = "UPDATE sop_task SET state = 'skipped', ended_at = now(), reason = 'x' WHERE id = %s"
    for before in ("SELECT 1", "UPDATE sop_task SET state = 'open', assignee_id = NULL WHERE id = %s"):
        with connect() as raw:
            enter(raw, desk.staff["lead"], read=[desk.id], write=desk.id)
            raw.execute(before, [at] if "%s" in before else None)
            with pytest.raises(psycopg.Error, match="maker is not checker") as refused:
                raw.execute(skip, [at])
            assert refused.value.sqlstate == "ER403"
    with desk.acting("owner"):
        assert services.skip(at, "paid by the client").state == "skipped"


@pytest.mark.behaviour("SOP-08")
def test_a_step_does_not_become_an_easier_one_by_raw_sql(desk: TestClient, short: str, firm: Firm) -> None:
    case_id = until_both(desk, short)
    at = task(desk, case_id, "pay").id
    with acting(firm.owner, write=firm.house_id):
        other = drafts.publish(procedure_text(short, title="Another title"))
    move = (
        "INSERT INTO sop_casemove "
        "(id, client_id, case_id, from_version_id, to_version_id, batch, plan, before, reason) "
        "SELECT gen_random_uuid(), client_id, id, version_id, %s, gen_random_uuid(), "
        "'{\"pay\": \"pay\"}', '{}', 'x' FROM sop_case WHERE id = %s"
    )
    for role, moved, change, state in (
        ("specialist", False, "step = 'finish', state = 'done', ended_at = now()", "ER409"),
        ("specialist", False, "step = 'finish'", "ER409"),
        ("specialist", True, "step = 'finish'", "ER403"),
        ("lead", True, "step = 'finish'", "ER409"),
    ):
        with connect() as raw:
            enter(raw, desk.staff[role], read=[desk.id], write=desk.id)
            with pytest.raises(psycopg.Error) as refused:
                if moved:
                    raw.execute(move, [other.version_id, case_id])
                raw.execute(f"UPDATE sop_task SET {change} WHERE id = %s", [at])
            assert refused.value.sqlstate == state
    assert task(desk, case_id, "pay").state == "open"


@pytest.mark.behaviour("SOP-08")
def test_whoever_did_a_step_does_not_accept_it_as_lead_delegate_or_by_raw_sql(
    desk: TestClient, short: str
) -> None:
    """The lead may do anything here but this; and a delegate of the maker is the maker."""
    case_id = until_both(desk, short)
    do(desk, case_id, "pay", "lead", values={"reference": "R1"})
    at = task(desk, case_id, "pay").id
    with desk.acting("lead"), pytest.raises(NotPermitted, match="maker is not checker"):
        services.accept(at)
    with desk.acting("lead"), pytest.raises(NotPermitted, match="maker is not checker"):
        services.reject(at, "mine")
    with (
        acting(desk.staff["checker"], write=desk.id, on_behalf=desk.staff["lead"]),
        pytest.raises(NotPermitted, match="maker is not checker"),
    ):
        services.accept(at)
    with connect() as raw:
        enter(raw, desk.staff["lead"], read=[desk.id], write=desk.id)
        with pytest.raises(psycopg.Error, match="maker is not checker"):
            raw.execute("UPDATE sop_task SET state = 'done', ended_at = now() WHERE id = %s", [at])
    with connect() as raw:
        enter(raw, desk.staff["lead"], read=[desk.id], write=desk.id)
        other = until_both(desk, short)
        again = task(desk, other, "pay").id
        raw.execute(
            "INSERT INTO sop_taskevidence (id, client_id, task_id, key, kind, value) "
            "VALUES (gen_random_uuid(), %s, %s, 'reference', 'field', 'x')",
            [desk.id, again],
        )
        with pytest.raises(psycopg.Error, match="needs a second person"):
            raw.execute("UPDATE sop_task SET state = 'done', ended_at = now() WHERE id = %s", [again])


@pytest.mark.behaviour("SOP-08")
def test_whoever_showed_evidence_for_somebody_elses_step_does_not_accept_it(
    desk: TestClient, short: str
) -> None:
    case_id = until_both(desk, short)
    at = task(desk, case_id, "pay").id
    with acting(desk.staff["lead"], write=desk.id, on_behalf=desk.staff["checker"]):
        services.add_evidence(at, "reference", "R1")
    do(desk, case_id, "pay", "lead")
    with desk.acting("checker"), pytest.raises(NotPermitted, match="maker is not checker"):
        services.accept(at)


@pytest.mark.behaviour("SOP-08")
def test_a_step_apart_from_another_is_not_done_by_its_doer(desk: TestClient, short: str) -> None:
    case_id = until_both(desk, short)
    do(desk, case_id, "count", "lead", values={"total": "1"})
    do(desk, case_id, "pay", "lead", values={"reference": "R"})
    with desk.acting("checker"):
        services.accept(task_id=Task.objects.get(client_id=desk.id, case_id=case_id, step="pay").id)
    with pytest.raises(NotPermitted, match="has to be apart from"):
        do(desk, case_id, "finish", "lead")
    with desk.acting("owner"):
        at = Task.objects.get(client_id=desk.id, case_id=case_id, step="finish").id
        assert services.complete(at).case_state == "done"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sop_caseevent SET data = '{}'",
        "DELETE FROM sop_caseevent",
        "UPDATE sop_taskevidence SET value = 'x'",
        "DELETE FROM sop_taskevidence",
        "DELETE FROM sop_task",
        "DELETE FROM sop_case",
        "UPDATE sop_task SET case_id = gen_random_uuid()",
        "UPDATE sop_case SET number = number + 1000",
    ],
)
def test_history_is_only_added_to(desk: TestClient, short: str, statement: str) -> None:
    started(desk, short)
    with connect() as raw:
        enter(raw, desk.staff["lead"], read=[desk.id], write=desk.id)
        with pytest.raises(psycopg.Error) as refused:
            raw.execute(statement)
        assert refused.value.sqlstate in ("42501", "ER409")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO sop_caseevent (id, client_id, case_id, seq, kind, step, data) "
        "VALUES (gen_random_uuid(), %(client)s, %(case)s, 99, 'commented', '', '{}')",
        "INSERT INTO sop_task (id, client_id, case_id, step, kind, title, role, state, escalated_to, "
        "reworks, reason) VALUES (gen_random_uuid(), %(client)s, %(case)s, 'later', 'timer', 'Later', '', "
        "'open', '', 0, '')",
    ],
)
def test_an_event_and_a_step_are_of_a_case_of_their_own_client(
    desk: TestClient, client: TestClient, short: str, statement: str
) -> None:
    """No key says so (decision 006): the guard of new rows looks the case up."""
    ours, theirs = started(desk, short).case_id, started(client, short).case_id
    for case_id, refused in ((ours, False), (theirs, True), (uuid7(), True)):
        with connect() as raw:
            enter(raw, desk.staff["lead"], read=[desk.id], write=desk.id)
            if refused:
                with pytest.raises(psycopg.Error, match="of a case of its own client") as error:
                    raw.execute(statement, {"client": desk.id, "case": case_id})
                assert error.value.sqlstate == "ER422"
            else:
                assert raw.execute(statement, {"client": desk.id, "case": case_id}).rowcount == 1


def test_who_and_when_of_an_event_are_not_the_writers_to_say(desk: TestClient, short: str) -> None:
    case_id = started(desk, short).case_id
    with connect() as raw:
        enter(raw, desk.staff["lead"], read=[desk.id], write=desk.id)
        for column, value in (("by_id", desk.staff["owner"].id), ("at", datetime(2020, 1, 1, tzinfo=UTC))):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), raw.transaction():
                raw.execute(
                    f"INSERT INTO sop_caseevent (id, client_id, case_id, seq, kind, step, data, {column}) "
                    "VALUES (gen_random_uuid(), %s, %s, 99, 'commented', '', '{}', %s)",
                    [desk.id, case_id, value],
                )


@pytest.mark.behaviour("SOP-01")
def test_a_case_keeps_its_version_whatever_is_published_later(desk: TestClient, firm: Firm) -> None:
    with acting(firm.owner, write=firm.house_id):
        first = drafts.publish(procedure_text("kept_version"))
    case_id = started(desk, "kept_version").case_id
    with acting(firm.owner, write=firm.house_id):
        second = drafts.publish(
            procedure_text("kept_version").replace(
                "## Collect", "## Gather\n```yaml\nwho: lead\n```\n\n## Collect"
            )
        )
    assert open_steps(desk, case_id) == ["collect"]
    collect(desk, case_id)
    with desk.acting("specialist"):
        assert Case.objects.get(client_id=desk.id, id=case_id).version_id == first.version_id
    with connect() as raw:
        enter(raw, desk.staff["lead"], read=[desk.id], write=desk.id)
        with pytest.raises(psycopg.Error, match="keeps its version"):
            raw.execute("UPDATE sop_case SET version_id = %s WHERE id = %s", [second.version_id, case_id])


@pytest.mark.parametrize("seed", range(6))
def test_what_stands_is_the_sum_of_the_events(desk: TestClient, short: str, seed: int) -> None:
    """Whatever is done, in whatever order, refused or not: the timeline alone says the same as the rows."""
    chance = random.Random(seed)
    case_id = started(desk, short).case_id
    for _ in range(14):
        with desk.acting("lead"):
            rows = list(Task.objects.filter(client_id=desk.id, case_id=case_id, ended_at=None))
        if not rows:
            break
        at = chance.choice(rows)
        role = chance.choice(["specialist", "lead", "checker", "owner"])
        verb = chance.choice(
            ["complete", "complete", "complete", "accept", "reject", "skip", "claim", "release", "comment"]
        )
        try:
            with desk.acting(role):
                if verb == "complete" and at.step == "collect":
                    file = vault.store(b"x", name="x.csv", kind="sop.evidence")
                    services.complete(at.id, files={"list": file.id}, checks=[1])
                elif verb == "complete":
                    given = {"count": {"total": chance.choice(["-1", "5"])}, "pay": {"reference": "R"}}
                    services.complete(
                        at.id, values=given.get(at.step, {"missing": "-"} if "client" in at.step else {})
                    )
                elif verb == "comment":
                    services.comment(case_id, "hm")
                elif verb in ("reject", "skip"):
                    getattr(services, verb)(at.id, "because")
                else:
                    getattr(services, verb)(at.id)
        except EngineroomError:
            pass
        _same(desk, case_id)


def _same(desk: TestClient, case_id: UUID) -> None:
    with desk.acting("lead"):
        row = Case.objects.get(client_id=desk.id, id=case_id)
        events = CaseEvent.objects.filter(client_id=desk.id, case_id=case_id).order_by("seq")
        told = running.replay((e.kind, e.task_id, e.step, e.data) for e in events)
        rows = Task.objects.filter(client_id=desk.id, case_id=case_id, ended_at=None)
        assert told.open == {(t.id, t.step) for t in rows}
        assert (told.state, list(told.arrived), dict(told.values)) == (row.state, row.arrived, row.values)
        assert [e.seq for e in events] == list(range(1, row.seq + 1))


@pytest.mark.behaviour("SOP-07")
def test_days_are_days_of_the_calendar_whatever_the_clocks_do() -> None:
    """29 March 2026: London's clocks go forward at 01:00."""
    before = datetime(2026, 3, 28, 9, 0, tzinfo=UTC)
    assert running.after(before, Span(1, "days")) == datetime(2026, 3, 29, 8, 0, tzinfo=UTC)
    assert running.after(before, Span(24, "hours")) == datetime(2026, 3, 29, 9, 0, tzinfo=UTC)
    thursday = datetime(2026, 4, 2, 16, 0, tzinfo=UTC)  # 17:00 by London's clock, before Good Friday
    assert running.after(thursday, Span(1, "working_hours")) == datetime(2026, 4, 7, 8, 30, tzinfo=UTC)


def test_another_client_sees_nothing_of_a_case(
    desk: TestClient, short: str, other_client: TestClient
) -> None:
    case_id = started(desk, short).case_id
    at = task(desk, case_id, "collect").id
    with other_client.acting("lead"), pytest.raises(EngineroomError, match="no such task"):
        services.claim(at)
    with other_client.acting("lead"):
        assert not CaseEvent.objects.filter(case_id=case_id).exists()


TOO_LONG = "the {} has {:,} letters"


def test_what_does_not_fit_is_refused_and_nothing_of_it_is_kept(desk: TestClient, short: str) -> None:
    case_id = started(desk, short).case_id
    at, second = task(desk, case_id, "collect").id, desk.staff["second"].id
    attempts = (
        (services.comment, (case_id, "x" * 4_001), "text", 4_001),
        (services.delegate, (at, second, "x" * 501), "reason", 501),
        (services.escalate, (at, "owner", "x" * 501), "reason", 501),
        (services.release, (at, "x" * 501), "reason", 501),
        (services.skip, (at, "x" * 501), "reason", 501),
        (services.cancel_case, (case_id, "x" * 501), "reason", 501),
        (services.start_case, (short, "x" * 201, {"day": "2026-11-27"}), "title", 201),
        (services.start_case, (short, "", {"day": "x" * 4_001}), "day", 4_001),
    )
    with desk.acting("specialist"):
        before = CaseEvent.objects.filter(client_id=desk.id).count()
    for verb, given, field, letters in attempts:
        with desk.acting("specialist"), pytest.raises(InputRefused, match=TOO_LONG.format(field, letters)):
            verb(*given)
    with desk.acting("specialist"):
        assert CaseEvent.objects.filter(client_id=desk.id).count() == before


def test_what_just_fits_is_kept_whole(desk: TestClient, short: str) -> None:
    with desk.acting("specialist"):
        case_id = services.start_case(short, "t" * 200, {"day": "2026-11-27"}).case_id
        assert Case.objects.get(client_id=desk.id, id=case_id).title == "t" * 200
    with desk.acting("specialist"):
        services.comment(case_id, " " + "c" * 4_000 + " ")
    with desk.acting("specialist"):
        services.cancel_case(case_id, "r" * 500)
    with desk.acting("specialist"):
        told = {e.kind: e.data for e in CaseEvent.objects.filter(client_id=desk.id, case_id=case_id)}
        assert told["commented"]["text"] == "c" * 4_000
        assert Case.objects.get(client_id=desk.id, id=case_id).reason == "r" * 500
