"""Kept answers are the fresh ones, in whatever order transactions write, commit and roll back; and they take
nobody past their grants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.firm import Firm, TestClient, connect, enter

from engineroom.foundation import kept, prepared
from engineroom.foundation.access import services as access
from engineroom.foundation.audit import services as audit
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import OutsideActing, acting
from engineroom.kernel.errors import NotPermitted
from engineroom.kernel.ids import uuid7

EVENTS = "SELECT count(*) FROM foundation_auditevent WHERE client_id = %s AND verb <> 'read'"


class Counter:
    """Counts a client's events, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[UUID] = []

    def __call__(self, clients: Sequence[UUID]) -> dict[UUID, int]:
        self.asked += clients
        found = {}
        with connection.cursor() as cursor:
            for client in clients:
                cursor.execute(EVENTS, [client])
                found[client] = cursor.fetchone()[0]
        return found


@command("ledger.prepare", name="test.note_for_kept")
def note(words: str) -> str:
    return words


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    kept.forget()
    yield
    kept.forget()


def asked(counter: Counter, *clients: TestClient, role: str = "lead") -> dict[UUID, int]:
    with acting(clients[0].staff[role], read=[c.id for c in clients]):
        return kept.by_client("events", [c.id for c in clients], counter)


def write(on: psycopg.Connection[Any], client: TestClient, verb: str = "tests.change") -> None:
    """What a command leaves, in a transaction of its own connection that goes on."""
    enter(on, client.staff["specialist"], write=client.id)
    insert(on, client, verb)


def insert(on: psycopg.Connection[Any], client: TestClient, verb: str = "tests.change") -> None:
    on.execute(
        "INSERT INTO foundation_auditevent (id, client_id, user_id, verb, subject_kind, detail, xact) "
        "VALUES (%s, %s, %s, %s, '', '{}', 0)",
        [uuid7(), client.id, client.staff["specialist"].id, verb],
    )


def test_an_answer_stands_until_a_command_changes_its_client(firm: Firm, client: TestClient):
    other, counter = firm.new_client(), Counter()
    firm.grant(client.staff["lead"], other.id, "lead")
    first = asked(counter, client, other)
    assert asked(counter, client, other) == first
    assert sorted(counter.asked) == sorted([client.id, other.id]), "asked once for both"
    with client.acting("bookkeeper"):
        note("something changed")
    again = asked(counter, client, other)
    assert again[client.id] == first[client.id] + 1 and again[other.id] == first[other.id]
    assert counter.asked[2:] == [client.id], "the other one stands"


def test_what_is_read_changes_nothing(client: TestClient):
    counter = Counter()
    asked(counter, client)
    with acting(client.staff["lead"], read=[client.id]):
        audit.record_read(client.id, subject_kind="payslip", subject_id=None, detail={})
    asked(counter, client)
    assert len(counter.asked) == 1


def test_what_was_under_way_when_it_was_asked_is_seen_after_its_commit(client: TestClient):
    counter = Counter()
    with connect() as writer:
        write(writer, client)
        before = asked(counter, client)[client.id]
        writer.commit()
    assert asked(counter, client)[client.id] == before + 1


def test_an_older_transaction_that_commits_last_is_seen_too(client: TestClient):
    """And while it runs, what is younger is asked for once and not each time."""
    counter = Counter()
    with connect() as older, connect() as younger:
        write(older, client)
        write(younger, client)
        before = asked(counter, client)[client.id]
        younger.commit()
        assert asked(counter, client)[client.id] == before + 1
        assert asked(counter, client)[client.id] == before + 1
        assert len(counter.asked) == 2
        older.commit()
        assert asked(counter, client)[client.id] == before + 2
    assert len(counter.asked) == 3


def test_what_a_scope_wrote_itself_it_sees_and_nobody_else_who_comes_before_its_end(client: TestClient):
    counter = Counter()
    before = asked(counter, client)[client.id]
    with pytest.raises(ZeroDivisionError), client.acting("bookkeeper"):
        note("about to be undone")
        assert kept.by_client("events", [client.id], counter)[client.id] == before + 1
        raise ZeroDivisionError
    assert asked(counter, client)[client.id] == before, "what was undone was not kept"


STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "commit", "roll back", "ask"]), st.integers(0, 2)), max_size=25
)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_order_the_kept_answer_is_the_fresh_one(client: TestClient, steps: list[tuple[str, int]]):
    """Three writers at once, asked about in between and at the end."""
    with ExitStack() as open_:
        writers = [open_.enter_context(connect()) for _ in range(3)]
        for what, n in [*steps, ("ask", 0)]:
            writer = writers[n]
            if what == "ask":
                counter = Counter()
                answer = asked(counter, client)
                assert answer == fresh(client)
            elif what == "write":
                if writer.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                    enter(writer, client.staff["specialist"], write=client.id)
                insert(writer, client)
            elif what == "commit":
                writer.commit()
            else:
                writer.rollback()
        for writer in writers:
            writer.rollback()


def fresh(client: TestClient) -> dict[UUID, int]:
    with acting(client.staff["lead"], read=[client.id]):
        return Counter()([client.id])


def test_nobody_is_told_of_a_client_that_their_scope_does_not_read(firm: Firm, client: TestClient):
    other, counter = firm.new_client(), Counter()
    asked(counter, other)
    stranger = client.staff["lead"]
    with acting(stranger, read=[client.id]), pytest.raises(OutsideActing):
        kept.by_client("events", [client.id, other.id], counter)
    with pytest.raises(NotPermitted), acting(stranger, read=[client.id, other.id]):
        pass
    assert counter.asked == [other.id]


def test_whose_grant_has_ended_is_told_nothing_more(firm: Firm, client: TestClient):
    counter, user = Counter(), firm.new_user()
    firm.grant(user, client.id, "lead")
    with acting(user, read=[client.id]):
        kept.by_client("events", [client.id], counter)
    with acting(firm.admin, write=firm.house_id):
        access.switch_off_user(user.id, reason="left")
    with pytest.raises(NotPermitted), acting(user, read=[client.id]):
        kept.by_client("events", [client.id], counter)


def test_each_face_has_answers_of_its_own(firm: Firm, client: TestClient):
    """Row security shows an employee less of a client than the firm."""
    employee, counter = firm.new_user("employee"), Counter()
    firm.grant(employee, client.id, "employee")
    asked(counter, client)
    with acting(employee, read=[client.id]):
        kept.by_client("events", [client.id], counter)
    assert len(counter.asked) == 2


def test_what_is_kept_is_planned_for_its_own_clients(client: TestClient):
    """A plan made for many small clients is none for a big one; nor is one of a scope that reads for one that
    writes. What is asked later is planned as ever."""
    sent = f"SELECT 'planned anew {uuid4()}'"

    def often() -> int:
        with connection.cursor() as cursor:
            for _ in range(prepared.OFTEN + 1):
                cursor.execute(sent)
            cursor.execute(
                "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE statement = %s", [sent]
            )
            return sum(times for (times,) in cursor.fetchall())

    def ask() -> int:
        with prepared.planned_anew():
            pass
        return often()

    lead = client.staff["lead"]
    with acting(lead, write=client.id):
        assert often() == 0
    with acting(lead, read=[client.id]):
        assert kept.of_client("plans", ask) == 0
        before = often()
        assert before > 0, "planned once"
        with prepared.planned_anew():
            assert often() == before
    with acting(lead, write=client.id):
        assert often() == before, "not by what was prepared before, either"
