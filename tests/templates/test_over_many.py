"""One template over many clients, by jobs and at the command line: a result for each; none stops another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from engineroom.foundation.access import services as access
from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import Conflict, NotPermitted
from engineroom.kernel.ids import uuid7
from engineroom.payroll.models import PaySchedule
from engineroom.people.accounts import set_account_policy
from engineroom.people.selectors import holds_first_accounts
from engineroom.templates import batch, drafts, selectors, services
from engineroom.templates.models import Outcome
from tests.firm import Firm, TestClient, give_token, typed
from tests.templates.writing import changed, published, text_of

STARTS = date(2026, 12, 1)


@pytest.fixture(scope="module")
def version(firm: Firm) -> drafts.Published:
    return published(firm)


@pytest.fixture
def three(firm: Firm) -> list[TestClient]:
    """The one in the middle has no book, so no account can be added to it."""
    return [firm.new_client(with_books=n != 1) for n in range(3)]


@pytest.fixture
def lead(firm: Firm, three: list[TestClient]) -> Identity:
    user = firm.new_user()
    for client in three:
        firm.grant(user, client.id, "lead")
    return user


def asked(version: drafts.Published, user: Identity, action: str = "follow") -> batch.Asked:
    return batch.Asked(action, version.version_id, STARTS, user)


def results(user: Identity, clients: list[TestClient], batch_id: UUID) -> list[batch.Part]:
    with acting(user, read=[c.id for c in clients]):
        found = {part.client_id: part for part in batch.batch_parts(batch_id)}
    return [found[client.id] for client in clients]


@pytest.mark.behaviour("PAY-13")
def test_each_client_has_its_result_and_one_that_cannot_stops_none(
    three: list[TestClient], lead: Identity, version: drafts.Published
) -> None:
    batch_id = uuid7()
    ids = [client.id for client in three]
    with acting(lead, write=ids[0], read=ids):
        assert batch.start(batch_id, ids, asked(version, lead)) == 3
    assert [part.outcome for part in results(lead, three, batch_id)] == ["queued"] * 3
    run_worker(wait=False)
    found = results(lead, three, batch_id)
    assert [part.outcome for part in found] == ["done", "partly", "done"]
    assert any("Accounts 7100" in line for line in found[1].cannot)
    assert any("Pay schedules MONTHLY: new" in line for line in found[1].changed)
    with acting(lead, read=ids):
        assert set(selectors.following()) == set(ids)
        assert PaySchedule.objects.filter(client_id__in=ids).count() == 3


def test_a_defect_is_that_clients_result_and_leaves_nothing(
    three: list[TestClient], lead: Identity, version: drafts.Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = services.apply_template

    def broken(*given, **more):
        if services.current_scope().client_id == three[1].id:
            raise RuntimeError("a defect")
        return apply(*given, **more)

    monkeypatch.setattr(services, "apply_template", broken)
    batch_id = uuid7()
    for client in three:
        batch.run_part(batch_id, client.id, asked(version, lead))
    found = results(lead, three, batch_id)
    assert [part.outcome for part in found] == ["done", "failed", "done"]
    assert "defect" in found[1].words
    with acting(lead, read=[three[1].id]):
        assert selectors.followed() is None, "it went back with what failed"


def test_a_part_done_twice_is_done_once(
    three: list[TestClient], lead: Identity, version: drafts.Published
) -> None:
    batch_id = uuid7()
    for _ in range(2):
        batch.run_part(batch_id, three[0].id, asked(version, lead))
    with acting(lead, read=[three[0].id]):
        assert Outcome.objects.filter(client_id=three[0].id).count() == 1


def test_a_rehearsal_over_many_changes_none(
    three: list[TestClient], lead: Identity, version: drafts.Published
) -> None:
    batch_id = uuid7()
    for client in three:
        batch.run_part(batch_id, client.id, asked(version, lead, "rehearse"))
    found = results(lead, three, batch_id)
    assert [part.outcome for part in found] == ["done", "partly", "done"]
    with acting(lead, read=[c.id for c in three]):
        assert not selectors.following()
        assert not PaySchedule.objects.filter(client_id__in=[c.id for c in three]).exists()
        assert not any(c.applied_at for c in selectors.compared({three[0].id: version.version_id}).values())


def test_one_key_begins_one_batch(three: list[TestClient], lead: Identity, version: drafts.Published) -> None:
    ids = [client.id for client in three[:2]]
    with acting(lead, write=ids[0], read=ids):
        first = batch.begin("monday", ids, asked(version, lead))
        assert batch.begin("monday", ids, asked(version, lead)) == first
        with pytest.raises(Conflict, match="another batch"):
            batch.begin("monday", ids, asked(version, lead, "rehearse"))
    later = replace(asked(version, lead), starts=date(2027, 1, 1))
    for _ in ("while it is queued", "once it is done"):
        with acting(lead, write=ids[0], read=ids):
            assert batch.begin("monday", ids, asked(version, lead)) == first
            with pytest.raises(Conflict, match="another batch"):
                batch.begin("monday", ids, later)
        run_worker(wait=False)


def test_whoever_lost_the_role_meanwhile_changes_nothing(
    firm: Firm, three: list[TestClient], version: drafts.Published
) -> None:
    specialist, batch_id = three[0].staff["specialist"], uuid7()
    batch.run_part(batch_id, three[0].id, asked(version, specialist))
    [found] = results(specialist, three[:1], batch_id)
    assert found.outcome == "failed" and "templates.prepare" in found.words


@pytest.mark.slow
def test_a_template_is_written_followed_and_kept_to_at_the_command_line(
    firm: Firm, three: list[TestClient], lead: Identity, tmp_path: Path
) -> None:
    """Nine processes, which is what takes the time."""
    firm.grant(lead, firm.house_id, "lead")
    give_token(firm, lead)

    def said(*words: object, code: int = 0) -> str:
        done = typed("--as", lead.email, "templates", *words)
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout + done.stderr

    file = tmp_path / "typed.md"
    file.write_text(text_of("typed", {"Wages": {"a": {"b": "c"}}}))
    assert "says nothing of 'Wages'" in said("check", file, code=1)
    file.write_text(text_of("typed", changed()))
    assert "version 1 is published" in said("publish", file)
    codes = ",".join(client.code for client in three)
    assert "nothing was changed" in said("rehearse", "typed", "--clients", codes, "--starts", "2026-12-01")
    assert "Pay schedules MONTHLY: new" in said("move", "typed", "--clients", codes, "--starts", "2026-12-01")
    why = "agreed with them"
    said("otherwise", three[0].code, "promises", "all_others", "minutes", "1440", "--reason", why)
    assert why in said("compare", three[0].code)
    assert "minutes 1440, was 960" in said(
        "apply", "typed", "--clients", three[0].code, "--starts", "2026-12-02"
    )
    assert three[2].code in said("clients", "typed")


def test_two_who_bring_a_client_into_line_at_once_add_everything_once(
    three: list[TestClient], lead: Identity, version: drafts.Published
) -> None:
    client, ids = three[0], [uuid7(), uuid7()]
    with acting(lead, write=client.id):
        services.follow(version.key, reason="as agreed")

    def part(batch_id: UUID) -> None:
        try:
            batch.run_part(batch_id, client.id, asked(version, lead, "apply"))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(part, ids))
    found = sorted(results(lead, [client], one)[0].outcome for one in ids)
    assert found == ["done", "nothing"]
    with acting(lead, read=[client.id]):
        assert PaySchedule.objects.filter(client_id=client.id).count() == 1


def test_hundreds_of_clients_are_compared_by_as_many_questions_as_one(
    three: list[TestClient], lead: Identity, version: drafts.Published
) -> None:
    ids = [client.id for client in three]
    for client in three:
        batch.run_part(uuid7(), client.id, asked(version, lead))
    asked_for = []
    for these in (ids[:1], ids):
        with acting(lead, read=ids), CaptureQueriesContext(connection) as queries:
            found = selectors.compared(dict.fromkeys(these, version.version_id))
        assert set(found) == set(these)
        asked_for.append(len(queries))
    assert asked_for[0] == asked_for[1]


def test_a_narrowed_token_does_no_more_by_a_job_than_by_hand(
    firm: Firm, three: list[TestClient], lead: Identity, version: drafts.Published
) -> None:
    client = three[0]
    with acting(firm.admin, write=firm.house_id):
        token = access.issue_token(lead.id, clients=[client.id], verbs=["read", "prepare"]).token
    answer = Browser().post(
        "/api/template-batches",
        {"template": version.key, "action": "follow", "starts": STARTS.isoformat(), "clients": [client.code]},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "narrow"},
    )
    assert answer.status_code == 200, answer.content
    run_worker(wait=False)
    [found] = results(lead, [client], UUID(answer.json()["batch_id"]))
    assert found.outcome == "partly" and any("Pay schedules MONTHLY: new" in line for line in found.changed)
    [refused] = found.cannot
    assert "Account holds" in refused and "permission people.approve" in refused
    narrowed = access.authenticate(token)
    with acting(narrowed, write=client.id), pytest.raises(NotPermitted):
        set_account_policy(True, reason="by hand")
    with acting(lead, read=[client.id]):
        assert not holds_first_accounts()


def test_a_narrowed_token_reaches_no_other_client_by_a_job(
    three: list[TestClient], lead: Identity, version: drafts.Published
) -> None:
    narrowed = replace(lead, clients=frozenset({three[0].id}))
    for user, on_behalf in ((narrowed, None), (access.system_user(), narrowed)):
        beyond = acting(user, write=three[1].id, on_behalf=on_behalf)
        with pytest.raises(NotPermitted, match="not for that client"), beyond:
            pass
    assert access.identity(lead.id, narrowed.limits) == narrowed
    assert access.identity(lead.id, lead.limits) == lead
