"""Who calls, what a token is narrowed to, keys, pages, masking, and how errors read."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.test import Client as Browser
from django.test import override_settings

from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import InputRefused, NotPermitted
from tests.api.conftest import Answer, Caller, Worked, token_for, worked_client
from tests.firm import Firm, TestClient, hours_file, typed

from engineroom.foundation.access import services as access  # isort: skip


@pytest.fixture(scope="module")
def worked(firm: Firm) -> Worked:
    return worked_client(firm, ("owner", "lead", "specialist", "bookkeeper", "auditor"))


def is_problem(answer: Answer, status: int, code: str = "") -> bool:
    body = answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(body) == {"type", "title", "status", "detail", "code", "problems"}
    assert body["status"] == status == answer.status
    assert not code or body["code"] == code, body
    return True


def test_without_a_token_nobody_gets_in(worked: Worked) -> None:
    for token in ("", "er_wrong", "er_\x00"):
        answer = Caller(worked.by_role["lead"].user, token).get("/clients")
        assert is_problem(answer, 401, "NotAuthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_session_cookie_is_no_token(worked: Worked) -> None:
    browser = Browser()
    browser.cookies["sessionid"] = "whatever"
    assert browser.get("/api/clients").status_code == 401


def test_a_revoked_token_is_refused_at_once(firm: Firm, worked: Worked) -> None:
    user = worked.by_role["lead"].user
    with acting(firm.admin, write=firm.house_id):
        issued = access.issue_token(user.id)
    by = Caller(user, issued.token)
    assert by.get("/me").status == 200
    with acting(firm.admin, write=firm.house_id):
        access.revoke_token(issued.token_id)
    assert by.get("/me").status == 401


def test_a_token_reaches_its_clients_only(
    firm: Firm, worked: Worked, other_client: TestClient, caller: Callable[..., Caller]
) -> None:
    lead = worked.by_role["lead"].user
    firm.grant(lead, other_client.id, "lead")
    by = caller(lead, clients=[other_client.id])
    assert [c["code"] for c in by.get("/clients").body["items"]] == [other_client.code]
    assert by.get(f"/clients/{other_client.code}/people").status == 200
    assert is_problem(by.get(f"{worked.at}/people"), 404)
    with pytest.raises(NotPermitted), acting(access.authenticate(by.token), read=[worked.client.id]):
        pass


def test_a_token_does_its_verbs_only(worked: Worked, caller: Callable[..., Caller]) -> None:
    lead = worked.by_role["lead"].user
    lock = {"through": "2000-01-01", "reason": "test"}
    reader = caller(lead, verbs=["read"])
    assert reader.get(f"{worked.at}/people").status == 200
    assert is_problem(reader.post(f"{worked.at}/period-locks", lock), 403, "NotPermitted")
    maker = caller(lead, verbs=["prepare"])
    assert is_problem(maker.get(f"{worked.at}/people"), 403)
    assert is_problem(maker.get("/clients"), 403)
    assert maker.post(f"{worked.at}/period-locks", lock).status == 200
    run = worked.first("/pay-runs")
    approval = {"content_hash": run["content_hash"]}
    assert is_problem(maker.post(f"{worked.at}/pay-runs/{run['id']}/approve", approval), 403)


def test_a_token_never_gives_more_than_the_grants(worked: Worked, caller: Callable[..., Caller]) -> None:
    auditor = caller(worked.by_role["auditor"].user, verbs=["prepare", "approve", "release", "read"])
    lock = {"through": "2000-01-01", "reason": "test"}
    assert is_problem(auditor.post(f"{worked.at}/period-locks", lock), 403)


def test_a_narrowed_token_issues_none_and_grants_nothing(firm: Firm) -> None:
    token = token_for(firm, firm.admin, verbs=["read", "prepare"], clients=[firm.house_id])
    narrowed = access.authenticate(token)
    with acting(narrowed, write=firm.house_id):
        with pytest.raises(NotPermitted):
            access.issue_token(firm.admin.id)
        with pytest.raises(NotPermitted):
            access.create_user("more@firm.example", "More")


def test_limits_that_do_not_exist_are_refused(firm: Firm) -> None:
    for limits in ({"verbs": ["admin"]}, {"verbs": []}, {"clients": []}):
        with pytest.raises(InputRefused):
            token_for(firm, firm.admin, **limits)


def test_a_narrowed_token_is_typed(firm: Firm, worked: Worked) -> None:
    from tests.firm import give_token

    give_token(firm, firm.admin)
    words = ["--as", firm.admin.email, "token", "issue", worked.by_role["lead"].user.email]
    done = typed(*words, "--client", worked.client.code, "--verb", "read")
    assert done.returncode == 0, done.stderr
    by = Caller(worked.by_role["lead"].user, done.stdout.strip())
    assert by.get("/me").body["token_verbs"] == ["read"]


def test_a_command_needs_a_key_and_the_key_is_one_request(worked: Worked) -> None:
    lead = worked.by_role["lead"]
    lock = {"through": "2000-01-01", "reason": "test"}
    path = f"{worked.at}/period-locks"
    assert is_problem(lead.post(path, lock, key=None), 428, "KeyNeeded")
    first = lead.post(path, lock, key="lock-1")
    assert first.status == 200 and lead.post(path, lock, key="lock-1").body == first.body
    other = lead.post(path, {**lock, "reason": "another"}, key="lock-1")
    assert is_problem(other, 409, "KeyReused")
    assert is_problem(lead.post(path, lock, key="x" * 101), 422)


def test_pages_hold_every_row_once(worked: Worked) -> None:
    lead = worked.by_role["lead"]
    for path in ("/people", "/entries", "/time-entries", "/open-items", "/audit-events", "/bank-lines"):
        whole = lead.get(f"{worked.at}{path}", limit=200).body
        assert whole["next"] is None
        seen, cursor = [], None
        while cursor is not None or not seen:
            query = {"limit": 1, **({"cursor": cursor} if cursor else {})}
            page = lead.get(f"{worked.at}{path}", **query).body
            assert len(page["items"]) == 1
            seen += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        ids = [row["id"] for row in seen]
        # Looking is itself on the trail: what was there before is there once, in the same order.
        before = [row["id"] for row in whole["items"]]
        assert [i for i in ids if i in set(before)] == before and len(set(ids)) == len(ids), path


@pytest.mark.parametrize("cursor", ["xx", "W10", "WzEsMl0", "bnVsbA", "WyJhIiwiYiJd"])
def test_a_cursor_of_nowhere_is_refused(worked: Worked, cursor: str) -> None:
    for path in ("/people", "/entries", "/open-items"):
        assert is_problem(worked.by_role["lead"].get(f"{worked.at}{path}", cursor=cursor), 422)


def test_a_nul_is_a_problem_of_its_field(worked: Worked) -> None:
    for path in ("/people?cursor=%00", "/import-previews?kind=a%00b"):
        assert is_problem(worked.by_role["lead"].get(f"{worked.at}{path}"), 422)


def test_limits_of_a_page(worked: Worked) -> None:
    for limit in (0, 201, "many"):
        assert is_problem(worked.by_role["lead"].get(f"{worked.at}/people", limit=limit), 422)


@pytest.mark.behaviour("PRIV-01", part="masking")
def test_what_a_role_masks_is_dots(worked: Worked) -> None:
    person = worked.first("/people")["id"]
    plain = worked.by_role["specialist"].get(f"{worked.at}/people/{person}").body["bank_accounts"][0]
    masked = worked.by_role["auditor"].get(f"{worked.at}/people/{person}").body["bank_accounts"][0]
    assert plain["sort_code"] == "200000" and masked["sort_code"] == masked["account_number"] == "••••"


def test_reads_of_private_data_are_on_the_trail(worked: Worked) -> None:
    reader = worked.by_role["bookkeeper"]
    run = worked.first("/pay-runs")["id"]
    slip = worked.first(f"/pay-runs/{run}/payslips")["id"]
    reader.get(f"{worked.at}/payslips/{slip}")
    with acting(reader.user, read=[worked.client.id]):
        event = AuditEvent.objects.filter(client_id=worked.client.id).order_by("-id").first()
    assert event and (event.verb, event.user_id, str(event.subject_id)) == ("read", reader.user.id, slip)


def test_problems_of_a_file_come_by_row_and_field(worked: Worked) -> None:
    by = worked.by_role["specialist"]
    headings = ("assignment", "payroll_number", "date", "hours", "status", "comment")
    path = worked.client.file("wrong.csv", headings, [("T1-ACME", "T9", "2026-11-31", "8", "approved", "")])
    with path.open("rb") as file:
        seen = by.upload(f"{worked.at}/imports/timesheets", file)
    assert seen.status == 200 and seen.body["errors"] >= 1
    places = {(p["file"] or "wrong.csv", p["row"]) for p in seen.body["problems"]}
    assert places == {("wrong.csv", 2)}
    again = by.get(f"{worked.at}/import-previews/{seen.body['id']}").body
    assert len(again["problems"]) == len(seen.body["problems"])
    with acting(by.user, read=[worked.client.id]):
        read = AuditEvent.objects.filter(client_id=worked.client.id).order_by("-id").first()
    assert read and (read.verb, str(read.subject_id)) == ("read", seen.body["id"])
    taken = by.post(f"{worked.at}/import-previews/{seen.body['id']}/take")
    assert is_problem(taken, 422, "InputRefused") and taken.body["problems"][0]["row"] == 2


def test_a_file_taken_before_says_so(worked: Worked) -> None:
    from tests.api.conftest import TEMPS

    by = worked.by_role["specialist"]
    with hours_file(worked.client, TEMPS, name="hours-2026-11-27.csv").open("rb") as file:
        assert by.upload(f"{worked.at}/imports/timesheets", file).body["taken"]


def test_errors_are_problems_whatever_went_wrong(worked: Worked) -> None:
    lead = worked.by_role["lead"]
    assert is_problem(lead.get("/nowhere"), 404)
    assert is_problem(lead.get(f"{worked.at}/nowhere/at/all"), 404)
    assert is_problem(lead.post(f"{worked.at}/people", {}), 405)
    invalid = lead.post(f"{worked.at}/period-locks", {"through": "soon", "reason": "", "more": 1})
    assert is_problem(invalid, 422, "RequestInvalid")
    fields = {p["field"].split(".")[-1] for p in invalid.body["problems"]}
    assert fields == {"through", "reason", "more"}
    headers = {"Authorization": f"Bearer {lead.token}", "Idempotency-Key": "k"}
    broken = Browser().post(
        f"/api{worked.at}/period-locks", "{", content_type="application/json", headers=headers
    )
    assert broken.status_code == 400 and broken["Content-Type"] == "application/problem+json"


def test_what_nobody_foresaw_says_nothing_of_our_insides(
    worked: Worked, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engineroom.ledger import selectors

    def fail() -> int:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(selectors, "last_seal", fail)
    answer = worked.by_role["lead"].get(f"{worked.at}/trial-balance")
    assert is_problem(answer, 500) and b"secret" not in answer.raw


def test_a_body_too_large_is_not_read(worked: Worked) -> None:
    lead = worked.by_role["lead"]
    big = json.dumps({"reason": "x" * (1 << 21)})
    headers = {"Authorization": f"Bearer {lead.token}", "Idempotency-Key": "big"}
    answer = Browser().post(
        f"/api{worked.at}/period-locks", big, content_type="application/json", headers=headers
    )
    assert answer.status_code == 413


def test_a_token_used_too_often_waits(worked: Worked, caller: Callable[..., Caller]) -> None:
    with override_settings(API_REQUESTS_PER_MINUTE=3):
        by = caller(worked.by_role["lead"].user)
        statuses = [by.get("/me").status for _ in range(5)]
    assert statuses[:3] == [200, 200, 200] and 429 in statuses[3:]
    last = worked.by_role["lead"]
    assert last.get("/me").status == 200, "another token has a bucket of its own"


def test_nothing_is_cached(worked: Worked) -> None:
    assert worked.by_role["lead"].get("/me").headers["Cache-Control"] == "no-store"
