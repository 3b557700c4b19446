"""Procedures by programs: checked, kept and published at home; running cases moved, and moved back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import Caller, token_for
from tests.api.test_cases import done
from tests.firm import Firm, TestClient
from tests.sop.writing import procedure_text

AT_HOME = "/clients/HOUSE"
LONGER = """
## File it
```yaml
who: specialist
```
"""


@pytest.fixture(scope="module")
def by(firm: Firm, desk: TestClient) -> Callable[[str], Caller]:
    """Somebody of the desk; its lead leads at home too, where procedures are written."""
    firm.grant(desk.staff["lead"], firm.house_id, "lead")
    callers = {role: Caller(user, token_for(firm, user)) for role, user in desk.staff.items()}
    return callers.__getitem__


def published(lead: Caller, text: str, **more: str) -> dict[str, Any]:
    found: dict[str, Any] = done(lead.post(f"{AT_HOME}/procedures/publish", {"text": text, **more}))
    return found


def test_a_text_is_checked_kept_and_published_and_two_writers_are_kept_apart(
    by: Callable[[str], Caller], desk: TestClient
) -> None:
    lead, text = by("lead"), procedure_text("written_by_api")
    wrong = done(lead.post(f"{AT_HOME}/procedures/check", {"text": text.replace("who: lead", "who: king")}))
    assert not wrong["can_be_published"]
    assert any("king" in p["problem"] and p["row"] for p in wrong["problems"]), wrong
    seen = done(lead.post(f"{AT_HOME}/procedures/check", {"text": text}))
    assert (seen["key"], seen["can_be_published"]) == ("written_by_api", True)
    assert lead.get(f"{AT_HOME}/procedures/written_by_api").status == 404, "checking keeps nothing"

    broken = {"text": text.replace("who: lead", "who: king")}
    assert done(lead.post(f"{AT_HOME}/procedures/save", broken))["errors"] > 0
    refused = lead.post(f"{AT_HOME}/procedures/publish", broken)
    assert refused.status == 422 and refused.body["problems"], "with every error it has"
    draft = done(lead.get(f"{AT_HOME}/procedures/written_by_api"))
    assert draft["text"] == broken["text"] and draft["versions"] == []
    first = published(lead, text, note="The first", begun_from=draft["mark"])
    assert (first["number"], first["sha256"]) == (1, seen["sha256"])
    late = lead.post(f"{AT_HOME}/procedures/save", {"text": text + LONGER, "begun_from": draft["mark"]})
    assert late.status == 409, "another text was kept meanwhile"
    [version] = done(lead.get(f"{AT_HOME}/procedures/written_by_api"))["versions"]
    assert (version["number"], version["note"]) == (1, "The first")
    assert by("lead").post(f"/clients/{desk.code}/procedures/publish", {"text": text}).status == 403
    assert by("specialist").post(f"{AT_HOME}/procedures/check", {"text": text}).status == 404


def test_running_cases_are_rehearsed_moved_and_moved_back(
    by: Callable[[str], Caller], desk: TestClient
) -> None:
    lead, text = by("lead"), procedure_text("moved_by_api")
    published(lead, text)
    at = f"/clients/{desk.code}"
    begun = [
        done(
            by("specialist").post(
                f"{at}/cases", {"procedure": "moved_by_api", "values": {"day": "2026-11-27"}}
            )
        )
        for _ in range(2)
    ]
    numbers = [case["number"] for case in begun]
    published(lead, text.replace("## Collect", "## Gather") + LONGER)
    between = {"from_version": 1, "to_version": 2}
    moves = f"{at}/procedures/moved_by_api"
    rehearsed = done(lead.post(f"{moves}/rehearse", between))["plans"]
    assert [(p["case_number"], p["verdict"], p["undecided"]) for p in rehearsed] == [
        (n, "needs a decision", ["collect"]) for n in numbers
    ]
    assert done(lead.get(f"{moves}/moves"))["items"] == [], "a rehearsal moves nothing"
    decided = {**between, "decisions": {"collect": "gather"}, "reason": "a better word"}
    one = done(lead.post(f"{moves}/moves", {**decided, "numbers": numbers[:1]}))
    assert (one["moved"], one["left"]) == (numbers[:1], {})
    both = done(lead.post(f"{moves}/moves", decided))
    assert both["moved"] == numbers[1:]
    versions = {
        c["number"]: c["version"] for c in done(lead.get(f"{at}/cases?procedure=moved_by_api"))["items"]
    }
    assert versions == dict.fromkeys(numbers, 2)
    back = done(lead.post(f"{at}/moves/{one['batch']}/back", {"reason": "not yet"}))
    assert back["moved"] == numbers[:1]
    again = done(lead.post(f"{at}/moves/{one['batch']}/back", {"reason": "not yet"}))
    assert again["moved"] == [] and list(again["left"]) == [str(numbers[0])]
    listed = done(lead.get(f"{moves}/moves"))["items"]
    assert [(m["cases"], m["is_back"], m["was_taken_back"]) for m in listed] == [
        (1, False, True), (1, False, False), (1, True, False)
    ]  # fmt: skip
    assert by("specialist").post(f"{moves}/rehearse", between).status == 403
    assert lead.post(f"{moves}/rehearse", {"from_version": 1, "to_version": 9}).status == 404


def test_a_client_is_asked_by_mail_from_a_program(by: Callable[[str], Caller], desk: TestClient) -> None:
    published(
        by("lead"),
        """---
procedure: asked_by_api
title: Asked
---
One question.

## The question
```yaml
ask:
  - text: What it is
    key: it
```
Please tell us.
""",
    )
    at = f"/clients/{desk.code}"
    case = done(by("specialist").post(f"{at}/cases", {"procedure": "asked_by_api"}))
    [task] = done(by("specialist").get(f"{at}/cases/{case['case_id']}"))["tasks"]
    asked = done(by("specialist").post(f"{at}/tasks/{task['id']}/ask", {}))
    assert (asked["case_id"], asked["asked"]) == (case["case_id"], 1)
    kinds = [e["kind"] for e in done(by("specialist").get(f"{at}/cases/{case['case_id']}/events"))["items"]]
    assert kinds[-1] == "asked"
    done(by("contact").post(f"{at}/requests/{task['id']}/answer", {"values": {"it": "a lease"}}))
    assert by("specialist").post(f"{at}/tasks/{task['id']}/ask", {}).status in (404, 409)
