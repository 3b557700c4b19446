"""Numbers for people: gapless per client and series, whatever fails and however many take them at once."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection
from tests.firm import TestClient, connect, enter

from engineroom.foundation import numbering
from engineroom.foundation.numbering.models import NumberSeries
from engineroom.foundation.tenancy.scope import acting


class ChangedMyMind(Exception):
    pass


def take_once(client: TestClient, series: str, *, count: int = 1, fail: bool = False) -> int | None:
    """Take numbers in a transaction of this thread's own connection; None when it was rolled back."""
    try:
        with client.acting("specialist"):
            first = numbering.take(series, count)
            if fail:
                raise ChangedMyMind
            return first
    except ChangedMyMind:
        return None


@pytest.mark.behaviour("INV-01", part="numbers")
def test_numbers_have_no_gaps_when_many_take_them_at_once_and_some_roll_back(client):
    chance = random.Random(7)
    plan = [(chance.randint(1, 3), chance.random() < 0.3) for _ in range(160)]

    def work(step: tuple[int, bool]) -> list[int]:
        count, fail = step
        first = take_once(client, "invoice", count=count, fail=fail)
        return [] if first is None else list(range(first, first + count))

    def leave() -> None:
        connection.close()

    with ThreadPoolExecutor(max_workers=8) as pool:
        taken = [number for numbers in pool.map(work, plan) for number in numbers]
        list(pool.map(lambda _: leave(), range(8)))
    kept = sum(count for count, fail in plan if not fail)
    assert 0 < kept < sum(count for count, _ in plan), "some were kept and some given back"
    assert sorted(taken) == list(range(1, kept + 1))


@pytest.mark.behaviour("INV-01", part="numbers")
def test_of_two_who_race_for_a_number_the_second_waits_and_gets_it_if_the_first_gives_it_back(client):
    user = client.staff["specialist"]
    for given_back, expected in ((True, 1), (False, 2)):
        with connect() as first, ThreadPoolExecutor(1) as pool:
            enter(first, user, write=client.id)
            series = f"race-{given_back}"
            first.execute(TAKE, [series])
            second = pool.submit(take_and_leave, client, series)
            wait_until_somebody_waits(first)
            assert not second.done(), "the second waits for the first"
            if given_back:
                first.rollback()
            else:
                first.commit()
            assert second.result(timeout=10) == expected


TAKE = "SELECT app_take_numbers(%s, 1)"


def take_and_leave(client: TestClient, series: str) -> int | None:
    try:
        return take_once(client, series)
    finally:
        connection.close()


def wait_until_somebody_waits(mine: psycopg.Connection, seconds: float = 10) -> None:
    """Until another connection waits for a lock that this one holds."""
    deadline = time.monotonic() + seconds
    with connect("owner") as look:
        look.autocommit = True
        while time.monotonic() < deadline:
            blocked = look.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))",
                [mine.info.backend_pid],
            ).fetchone()
            if blocked and blocked[0]:
                return
            time.sleep(0.02)
    raise AssertionError("nobody waits")


def test_nobody_takes_a_number_of_a_client_that_they_only_read(client):
    with connect() as app:
        enter(app, client.staff["specialist"], read=[client.id])
        with pytest.raises(psycopg.DatabaseError) as refused:
            app.execute(TAKE, ["a"])
    assert refused.value.sqlstate == "ER403"


def test_series_and_clients_count_each_for_themselves(client, other_client):
    assert [take_once(client, "a"), take_once(client, "a"), take_once(client, "b")] == [1, 2, 1]
    assert take_once(other_client, "a") == 1


def test_the_first_of_several_numbers_is_given(client):
    assert take_once(client, "a", count=5) == 1
    assert take_once(client, "a", count=2) == 6
    assert take_once(client, "a") == 8


@pytest.mark.parametrize("count", [0, -1])
def test_no_numbers_or_fewer_cannot_be_taken(client, count):
    with pytest.raises(ValueError, match="cannot be taken"), client.acting("specialist"):
        numbering.take("a", count)


BEGIN_A_SERIES = """
INSERT INTO foundation_numberseries (id, client_id, series, next_number)
VALUES (gen_random_uuid(), app_write(), 'b', 9)
"""


def test_a_series_neither_jumps_nor_counts_down_nor_begins_anew(client):
    take_once(client, "a", count=5)
    with connect() as app:
        enter(app, client.staff["specialist"], write=client.id)
        for change in (
            "UPDATE foundation_numberseries SET next_number = 3",
            "UPDATE foundation_numberseries SET next_number = next_number + 500",
            "UPDATE foundation_numberseries SET series = 'b'",
            "DELETE FROM foundation_numberseries",
            BEGIN_A_SERIES,
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
                app.execute(change)
        for count in (0, -1, 10**7, None):
            with pytest.raises(psycopg.DatabaseError) as refused, app.transaction():
                app.execute("SELECT app_take_numbers('a', %s)", [count])
            assert refused.value.sqlstate == "ER422"
    with connect("owner") as owner, pytest.raises(psycopg.DatabaseError) as refused:
        owner.execute(
            "SELECT set_config('app.read', %s, true), set_config('app.write', %s, true)",
            [f"{{{client.id}}}", str(client.id)],
        )
        owner.execute("DELETE FROM foundation_numberseries WHERE client_id = %s", [client.id])
    assert refused.value.sqlstate == "ER409"
    with acting(client.staff["lead"], read=[client.id]):
        assert NumberSeries.objects.get(series="a").next_number == 6
