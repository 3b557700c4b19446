"""Cases by programs: begun, worked and checked with tokens; clients answer what they are asked, no more."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engineroom.foundation import vault
from engineroom.foundation.tenancy.scope import acting
from engineroom.sop import drafts
from tests.api.conftest import Answer, Caller, token_for
from tests.firm import Firm, TestClient
from tests.sop.writing import procedure_text


@pytest.fixture(scope="module")
def by(firm: Firm, desk: TestClient) -> Callable[[str], Caller]:
    callers = {role: Caller(user, token_for(firm, user)) for role, user in desk.staff.items()}
    return callers.__getitem__


@pytest.fixture(scope="module")
def procedure(firm: Firm) -> str:
    with acting(firm.owner, write=firm.house_id):
        return drafts.publish(procedure_text("by_api")).key


@pytest.fixture
def begun(desk: TestClient, by: Callable[[str], Caller], procedure: str) -> str:
    """The address of a case that stands at its first step."""
    body = {"procedure": procedure, "title": "November", "values": {"day": "2026-11-27"}}
    answer = by("specialist").post(f"/clients/{desk.code}/cases", body)
    assert answer.status == 200, answer.body
    return f"/clients/{desk.code}/cases/{answer.body['case_id']}"


def open_task(by: Caller, case: str, step: str) -> dict[str, Any]:
    tasks = by.get(case).body["tasks"]
    found: dict[str, Any] = next(t for t in tasks if t["step"] == step and t["state"] in ("open", "check"))
    return found


def done(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return answer.body


def collect(desk: TestClient, by: Caller, case: str) -> None:
    at = f"/clients/{desk.code}/tasks/{open_task(by, case, 'collect')['id']}"
    file = done(by.upload(f"{at}/files", io.BytesIO(b"the list"), key="k1"))["file_id"]
    done(by.post(f"{at}/complete", {"checks": [1], "files": {"list": file}}))


def test_a_case_is_begun_worked_sent_back_and_finished_by_programs(
    desk: TestClient, by: Callable[[str], Caller], begun: str
) -> None:
    here = f"/clients/{desk.code}"
    assert by("specialist").get(f"{here}/tasks").body["items"][0]["step"] == "collect"
    collect(desk, by("specialist"), begun)
    [asked] = by("contact").get(f"{here}/requests").body["items"]
    assert [w["key"] for w in asked["wants"]] == ["missing"]
    done(by("contact").post(f"{here}/requests/{asked['task_id']}/answer", {"values": {"missing": "none"}}))
    for step, role, values in (
        ("count", "specialist", {"total": "12"}),
        ("pay", "lead", {"reference": "R1"}),
    ):
        task = open_task(by(role), begun, step)
        done(by(role).post(f"{here}/tasks/{task['id']}/claim"))
        done(by(role).post(f"{here}/tasks/{task['id']}/complete", {"values": values}))
    pay = open_task(by("checker"), begun, "pay")
    assert pay["state"] == "check"
    assert by("lead").post(f"{here}/tasks/{pay['id']}/accept").status == 403  # maker is not checker
    done(by("checker").post(f"{here}/tasks/{pay['id']}/reject", {"reason": "the wrong reference"}))
    done(by("lead").post(f"{here}/tasks/{pay['id']}/complete", {"values": {"reference": "R2"}}))
    done(by("checker").post(f"{here}/tasks/{pay['id']}/accept"))
    finish = open_task(by("lead"), begun, "finish")
    assert by("lead").post(f"{here}/tasks/{finish['id']}/skip", {"reason": "all is well"}).status == 200
    case = by("lead").get(begun).body
    assert (case["state"], case["values"]["reference"]) == ("done", "R2")
    [again] = [t for t in case["tasks"] if t["step"] == "pay"]
    assert again["reworks"] == 1
    [back] = [e for e in by("lead").get(f"{begun}/events").body["items"] if e["kind"] == "rejected"]
    assert (back["data"]["reason"], back["task_id"]) == ("the wrong reference", again["id"])


def test_the_timeline_is_whole_in_pages(desk: TestClient, by: Callable[[str], Caller], begun: str) -> None:
    collect(desk, by("specialist"), begun)
    done(by("specialist").post(f"{begun}/comment", {"text": "the list is short"}))
    kinds, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = done(by("lead").get(f"{begun}/events", limit=2, **more))
        kinds += [e["kind"] for e in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert kinds[0] == "started" and kinds[-1] == "commented" and kinds.index("done") < kinds.index("paused")
    seen = [
        c["number"] for c in done(by("lead").get(f"/clients/{desk.code}/cases", state="running"))["items"]
    ]
    assert seen == sorted(seen, reverse=True) and seen


@pytest.mark.behaviour("SOP-03")
def test_what_is_missing_is_named_by_its_title_and_nothing_is_kept(
    desk: TestClient, by: Callable[[str], Caller], begun: str
) -> None:
    task = open_task(by("specialist"), begun, "collect")
    refused = by("specialist").post(f"/clients/{desk.code}/tasks/{task['id']}/complete", {"checks": [1]})
    assert refused.status == 422 and refused.body["code"] == "EvidenceMissing"
    assert refused.body["detail"].endswith("evidence is missing: The list")
    assert open_task(by("specialist"), begun, "collect")["evidence"] == []


def test_the_same_key_does_it_once(desk: TestClient, by: Callable[[str], Caller], procedure: str) -> None:
    body = {"procedure": procedure, "values": {"day": "2026-11-27"}}
    first, second = (by("specialist").post(f"/clients/{desk.code}/cases", body, key="once") for _ in range(2))
    assert done(first) == done(second)
    other = by("specialist").post(f"/clients/{desk.code}/cases", body | {"title": "Another"}, key="once")
    assert other.status == 409 and other.body["code"] == "KeyReused"
    case = f"/clients/{desk.code}/cases/{first.body['case_id']}"
    at = f"/clients/{desk.code}/tasks/{open_task(by('lead'), case, 'collect')['id']}/files"
    kept = [done(by("specialist").upload(at, io.BytesIO(b"same"), key="file"))["file_id"] for _ in range(2)]
    assert kept[0] == kept[1]


def test_of_two_who_finish_a_step_one_is_told(
    desk: TestClient, by: Callable[[str], Caller], begun: str
) -> None:
    task = open_task(by("specialist"), begun, "collect")
    collect(desk, by("specialist"), begun)
    late = by("lead").post(f"/clients/{desk.code}/tasks/{task['id']}/complete", {"checks": [1]})
    assert late.status == 409 and late.body["code"] == "AnotherFinished"
    assert "finished 'Collect' already" in late.body["detail"]


def test_no_other_paper_of_the_client_is_shown_as_evidence(
    desk: TestClient, by: Callable[[str], Caller], begun: str
) -> None:
    """Who may work on a case could otherwise read a payslip by showing it."""
    with desk.acting("lead"):
        paper = vault.store(b"%PDF", name="payslip.pdf", kind="payroll.payslip")
    task = open_task(by("specialist"), begun, "collect")
    refused = by("specialist").post(
        f"/clients/{desk.code}/tasks/{task['id']}/complete", {"checks": [1], "files": {"list": str(paper.id)}}
    )
    assert refused.status == 404 and "was not kept as evidence" in refused.body["detail"]


def test_a_file_comes_back_as_it_was_and_says_nothing_of_itself(
    desk: TestClient, by: Callable[[str], Caller], begun: str
) -> None:
    collect(desk, by("specialist"), begun)
    [task] = [t for t in by("lead").get(begun).body["tasks"] if t["step"] == "collect"]
    [shown] = [e for e in task["evidence"] if e["file_id"]]
    file = by("lead").get(f"{begun}/files/{shown['file_id']}")
    assert (file.status, file.raw) == (200, b"the list")
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert file.headers["Content-Disposition"].startswith("attachment")


def test_a_client_sees_what_it_is_asked_and_no_case(
    desk: TestClient, by: Callable[[str], Caller], begun: str
) -> None:
    collect(desk, by("specialist"), begun)
    for address in (begun, f"{begun}/events", f"/clients/{desk.code}/cases", f"/clients/{desk.code}/tasks"):
        assert by("contact").get(address).status == 403, address
    asked = by("contact").get(f"/clients/{desk.code}/requests").body["items"]
    assert {a["title"] for a in asked} == {"Ask the client"}
    late = by("specialist").post(f"/clients/{desk.code}/requests/{asked[0]['task_id']}/answer", {})
    assert late.status == 403


def test_a_token_that_works_does_nothing_else(
    desk: TestClient, caller: Callable[..., Caller], by: Callable[[str], Caller], begun: str
) -> None:
    worker = caller(desk.staff["specialist"], verbs=["work"])
    task = open_task(by("specialist"), begun, "collect")
    assert worker.get(begun).status == 403
    assert done(worker.post(f"/clients/{desk.code}/tasks/{task['id']}/claim"))["state"] == "open"
    reader = caller(desk.staff["specialist"], verbs=["read"])
    assert reader.get(begun).status == 200
    assert reader.post(f"/clients/{desk.code}/tasks/{task['id']}/release", {}).status == 403


def test_a_task_is_due_at_another_moment_and_says_why(
    desk: TestClient, by: Callable[[str], Caller], begun: str
) -> None:
    at = f"/clients/{desk.code}/tasks/{open_task(by('specialist'), begun, 'collect')['id']}/due"
    moment = (datetime.now(UTC) + timedelta(days=9)).replace(microsecond=0)
    for due in ("2026-12-01T16:00:00", "2020-01-01T16:00:00Z", "9999-12-31T23:59:59-14:00"):
        assert by("specialist").post(at, {"due_at": due, "reason": "x"}).status == 422, due
    done(by("specialist").post(at, {"due_at": moment.isoformat(), "reason": "the office is closed"}))
    due = datetime.fromisoformat(open_task(by("specialist"), begun, "collect")["due_at"])
    assert due == moment
    [told] = [e for e in by("lead").get(f"{begun}/events").body["items"] if e["kind"] == "due_moved"]
    assert told["data"]["reason"] == "the office is closed"
