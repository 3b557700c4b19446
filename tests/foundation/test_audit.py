"""The audit trail: sealed in an order nobody gets in front of, and whole or known not to be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier
from uuid import UUID

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from tests.firm import Firm, TestClient, connect, enter, superuser

from engineroom.foundation.access import services as access
from engineroom.foundation.audit import services as audit
from engineroom.foundation.audit.models import AuditEvent, AuditSeal, AuditUnsealed
from engineroom.foundation.crypto.fields import reveal
from engineroom.foundation.jobs import tasks
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.ids import uuid7
from engineroom.people.models import BankAccount


@pytest.fixture
def quiet(firm: Firm) -> TestClient:
    """A client on which nothing has happened yet."""
    return firm.new_client(with_books=False)


def happen(client: TestClient, *verbs: str, role: str = "lead") -> None:
    with client.acting(role):
        for verb in verbs:
            audit.record(verb, detail={"n": 1, "text": "é{", "nested": {"b": 2, "a": [1.5, None]}})


def seal(client: TestClient) -> int:
    with acting(access.system_user(), write=client.id):
        return audit.seal()


def verify(client: TestClient) -> audit.Verdict:
    with acting(client.staff["owner"], read=[client.id]):
        return audit.verify()


def sealed_verbs(client: TestClient) -> list[str]:
    with superuser() as look:
        return [
            verb
            for (verb,) in look.execute(
                "SELECT e.verb FROM foundation_auditseal s "
                "JOIN foundation_auditevent e USING (client_id, id) "
                "WHERE s.client_id = %s ORDER BY s.seal_no",
                [client.id],
            )
        ]


def test_events_are_chained_in_order_and_once(quiet):
    happen(quiet, "one", "two")
    happen(quiet, "three")
    assert (seal(quiet), seal(quiet)) == (3, 0)
    happen(quiet, "four")
    assert verify(quiet) == audit.Verdict(sealed=3, unsealed=1, broken=None)
    assert seal(quiet) == 1
    assert sealed_verbs(quiet) == ["one", "two", "three", "four"]
    assert verify(quiet) == audit.Verdict(sealed=4, unsealed=0, broken=None)


def test_a_client_without_events_is_whole(quiet):
    assert verify(quiet) == audit.Verdict(0, 0, None)


def test_nothing_is_sealed_while_an_older_transaction_may_still_commit_in_front_of_it(quiet):
    with connect() as slow:
        enter(slow, quiet.staff["lead"], write=quiet.id)
        insert_raw(slow, quiet, "slow")
        happen(quiet, "fast")
        assert seal(quiet) == 0, "the slow one began before and may still commit"
        slow.commit()
    assert seal(quiet) == 2
    assert sealed_verbs(quiet) == ["slow", "fast"]


def test_an_older_transaction_that_wrote_nothing_holds_nobody_up_once_it_ends(quiet):
    with connect() as other:
        other.execute("SELECT pg_current_xact_id()")  # a transaction of somebody else's
        happen(quiet, "mine")
        assert seal(quiet) == 0
        other.rollback()
    assert seal(quiet) == 1


def insert_raw(app: psycopg.Connection, client: TestClient, verb: str) -> UUID:
    event = uuid7()
    app.execute(
        "INSERT INTO foundation_auditevent (id, client_id, user_id, verb, subject_kind, detail, xact, at) "
        "VALUES (%s, %s, %s, %s, '', '{}', 1, '2001-01-01')",
        [event, client.id, client.staff["owner"].id, verb],
    )
    return event


def test_who_when_and_in_which_transaction_is_the_databases_word(quiet):
    lead, checker = quiet.staff["lead"], quiet.staff["checker"]
    with connect() as app:
        app.execute("SELECT app_enter(%s, %s, 'firm', '{}', %s)", [lead.id, checker.id, quiet.id])
        event = insert_raw(app, quiet, "forged")
        xact = app.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    with acting(lead, read=[quiet.id]):
        row = AuditEvent.objects.get(id=event)
    assert (row.user_id, row.on_behalf_id, row.xact) == (lead.id, checker.id, xact[0])
    assert abs(row.at - timezone.now()) < timedelta(minutes=1)


def test_nothing_is_recorded_without_a_scope(quiet):
    with connect() as app, pytest.raises(psycopg.Error):
        insert_raw(app, quiet, "nobody")


def test_sealers_at_the_same_time_make_one_chain(quiet):
    happen(quiet, *(f"e{i}" for i in range(40)))
    together = Barrier(4)

    def work(_: int) -> int:
        try:
            together.wait(timeout=10)
            return seal(quiet)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        counts = sorted(pool.map(work, range(4)))
    assert sum(counts) == 40
    with superuser() as look:
        numbers = look.execute(
            "SELECT array_agg(seal_no ORDER BY seal_no) FROM foundation_auditseal WHERE client_id = %s",
            [quiet.id],
        )
        assert numbers.fetchone() == (list(range(1, 41)),)
    assert verify(quiet).ok


def test_chains_are_of_one_client_each(quiet, other_client):
    happen(quiet, "mine")
    happen(other_client, "theirs")
    seal(quiet)
    with acting(other_client.staff["lead"], read=[other_client.id]):
        assert not AuditSeal.objects.exists() and AuditUnsealed.objects.exists()
    assert verify(other_client).sealed == 0


# --- tampering ----------------------------------------------------------------------------------------


@contextmanager
def tampering():
    """As a superuser with every trigger off: what only an audit chain can find out."""
    with superuser() as anybody:
        anybody.execute("SET session_replication_role = replica")
        yield anybody


@pytest.fixture
def sealed(quiet: TestClient) -> tuple[TestClient, list[UUID]]:
    happen(quiet, *(f"e{i}" for i in range(1, 6)))
    seal(quiet)
    with superuser() as look:
        rows = look.execute(
            "SELECT id FROM foundation_auditseal WHERE client_id = %s ORDER BY seal_no", [quiet.id]
        )
        return quiet, [row[0] for row in rows]


@pytest.mark.parametrize(
    "change",
    [
        "verb = 'x'",
        "user_id = gen_random_uuid()",
        "on_behalf_id = gen_random_uuid()",
        "at = at + interval '1 microsecond'",
        "subject_kind = 'x'",
        "subject_id = gen_random_uuid()",
        "detail = jsonb_set(detail, '{nested,a,0}', '1.51')",
    ],
)
def test_a_changed_event_is_named(sealed, change):
    client, events = sealed
    with tampering() as anybody:
        anybody.execute(f"UPDATE foundation_auditevent SET {change} WHERE id = %s", [events[2]])
    verdict = verify(client)
    assert not verdict.ok and verdict.sealed == 2
    assert verdict.broken is not None and "seal 3 " in verdict.broken and str(events[2]) in verdict.broken


def test_the_first_of_several_broken_links_is_named(sealed):
    client, events = sealed
    with tampering() as anybody:
        anybody.execute(
            "UPDATE foundation_auditevent SET verb = 'x' WHERE id = ANY(%s)", [[events[1], events[3]]]
        )
    assert "seal 2 " in (verify(client).broken or "")


def test_a_deleted_event_is_named(sealed):
    client, events = sealed
    with tampering() as anybody:
        anybody.execute("DELETE FROM foundation_auditevent WHERE id = %s", [events[3]])
    assert verify(client).broken == f"seal 4 seals event {events[3]}, which is gone"


def test_a_deleted_event_whose_seal_went_too_leaves_a_gap(sealed):
    client, events = sealed
    with tampering() as anybody:
        anybody.execute("DELETE FROM foundation_auditevent WHERE id = %s", [events[1]])
        anybody.execute("DELETE FROM foundation_auditseal WHERE id = %s", [events[1]])
    assert verify(client).broken == "seal 2 is missing: the next one found is 3"


def test_a_chain_closed_over_a_gap_does_not_fit(sealed):
    client, events = sealed
    with tampering() as anybody:
        anybody.execute("DELETE FROM foundation_auditevent WHERE id = %s", [events[1]])
        anybody.execute("DELETE FROM foundation_auditseal WHERE id = %s", [events[1]])
        anybody.execute(
            "UPDATE foundation_auditseal SET seal_no = -seal_no WHERE client_id = %s AND seal_no > 2",
            [client.id],
        )
        anybody.execute(
            "UPDATE foundation_auditseal SET seal_no = -seal_no - 1 WHERE client_id = %s AND seal_no < 0",
            [client.id],
        )
    assert "seal 2 does not fit" in (verify(client).broken or "")


def test_two_events_that_changed_places_do_not_fit(sealed):
    client, events = sealed
    with tampering() as anybody:
        anybody.execute("UPDATE foundation_auditseal SET seal_no = 100 WHERE id = %s", [events[0]])
        anybody.execute("UPDATE foundation_auditseal SET seal_no = 1 WHERE id = %s", [events[1]])
        anybody.execute("UPDATE foundation_auditseal SET seal_no = 2 WHERE id = %s", [events[0]])
    assert "seal 1 does not fit" in (verify(client).broken or "")


def test_a_seal_taken_off_the_end_is_found_because_its_event_waits_for_none(sealed):
    client, events = sealed
    with tampering() as anybody:
        anybody.execute("DELETE FROM foundation_auditseal WHERE id = %s", [events[4]])
    verdict = verify(client)
    assert (verdict.sealed, verdict.unsealed) == (4, 1)
    assert (
        verdict.broken is not None
        and str(events[4]) in verdict.broken
        and "waits for no seal" in verdict.broken
    )


def test_an_event_slipped_in_past_the_queue_is_found(sealed):
    client, _ = sealed
    with tampering() as anybody:
        event = insert_raw(anybody, client, "slipped in")
    assert str(event) in (verify(client).broken or "")


def test_what_is_only_not_sealed_yet_is_not_broken(sealed):
    client, _ = sealed
    happen(client, "new")
    assert verify(client) == audit.Verdict(sealed=5, unsealed=1, broken=None)


def test_events_of_a_restored_backup_are_sealed_though_their_transactions_are_not_of_this_server(quiet):
    """A dump moved to a new cluster: its transaction numbers lie in this one's future."""
    happen(quiet, "before the move")
    with tampering() as anybody:
        anybody.execute(
            "UPDATE foundation_auditevent SET xact = xact + 1000000 WHERE client_id = %s", [quiet.id]
        )
    assert seal(quiet) == 1
    assert verify(quiet).ok


# --- reads --------------------------------------------------------------------------------------------


def reads(client: TestClient) -> list[AuditEvent]:
    with acting(client.staff["owner"], read=[client.id]):
        return list(AuditEvent.objects.filter(client_id=client.id, verb="read").order_by("at"))


@pytest.fixture
def with_accounts(quiet: TestClient) -> TestClient:
    people = quiet.file(
        "people.csv",
        ("payroll_number", "name", "start_date", "sort_code", "account_number"),
        [(f"T{i}", f"Person {i}", "2026-01-05", "20-00-00", f"1234567{i}") for i in (1, 2)],
    )
    quiet.take("people", people)
    return quiet


def test_a_read_of_a_private_column_is_logged_with_its_purpose_also_from_a_scope_that_writes_nothing(
    firm, with_accounts
):
    client = with_accounts
    auditor = firm.new_user()
    firm.grant(auditor, client.id, "auditor", ends=timezone.now().date())
    for user in (client.staff["specialist"], auditor):
        with acting(user, read=[client.id]):
            reveal(list(BankAccount.objects.all()), "account_number", purpose="a question")
    first, second = reads(client)
    assert (first.user_id, second.user_id) == (client.staff["specialist"].id, auditor.id)
    assert first.detail == {
        "column": "people_bankaccount.account_number",
        "rows": 2,
        "purpose": "a question",
        "masked": False,
    }
    assert second.detail["masked"] is True
    seal(client)
    assert verify(client).ok


def test_a_read_of_two_clients_is_logged_with_each(with_accounts, firm):
    here, there = with_accounts, firm.new_client(with_books=False)
    people = there.file(
        "people.csv",
        ("payroll_number", "name", "start_date", "sort_code", "account_number"),
        [("T9", "Person 9", "2026-01-05", "20-00-00", "12345679")],
    )
    there.take("people", people)
    user = firm.new_user()
    firm.grant(user, here.id, "specialist")
    firm.grant(user, there.id, "auditor", ends=timezone.now().date())
    with acting(user, read=[there.id], write=here.id):
        rows = list(BankAccount.objects.order_by("id"))
        texts = reveal(rows, "account_number", purpose="both")
    assert texts == ["12345671", "12345672", "••••"], "masked where the role there says so"
    assert [e.detail["rows"] for e in reads(here)] == [2]
    assert [e.detail["rows"] for e in reads(there)] == [1]


def test_a_read_is_logged_only_where_the_scope_reads_and_only_as_a_read(quiet, other_client):
    with connect() as app:
        call = "SELECT app_record_read(gen_random_uuid(), %s, 'x', NULL, '{}')"
        with pytest.raises(psycopg.DatabaseError, match="that the scope reads"), app.transaction():
            app.execute(call, [quiet.id])
        enter(app, quiet.staff["lead"], read=[quiet.id])
        app.execute(call, [quiet.id])
        with pytest.raises(psycopg.DatabaseError, match="that the scope reads"):
            app.execute(call, [other_client.id])


# --- the job ------------------------------------------------------------------------------------------


def test_the_periodic_job_seals_every_client_and_one_that_fails_does_not_keep_the_others_waiting(
    quiet, other_client, monkeypatch
):
    happen(quiet, "mine")
    happen(other_client, "theirs")
    unsealed = access.clients_with_unsealed_events()
    assert {quiet.id, other_client.id} <= set(unsealed)

    def trouble() -> int:
        from engineroom.foundation.tenancy.scope import current_scope

        if current_scope().client_id == min(quiet.id, other_client.id):
            raise ZeroDivisionError
        return 0

    monkeypatch.setattr(tasks, "SEALERS", [trouble, audit.seal])
    with pytest.raises(ZeroDivisionError):
        tasks.seal_all()
    well, ill = (other_client, quiet) if quiet.id < other_client.id else (quiet, other_client)
    assert verify(well).unsealed == 0 and verify(ill).unsealed > 0
    monkeypatch.undo()
    tasks.seal_all()
    assert verify(ill).unsealed == 0
    assert not set(access.clients_with_unsealed_events()) & {quiet.id, other_client.id}
