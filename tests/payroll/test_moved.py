"""What a calculation has read is not read again unless it moved, and nothing that moves is missed.

That all it reads is watched: tests/foundation/test_watched.py.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.firm import Temp, TestClient, connect, enter, set_up
from tests.payroll.months import Employee, monthly, open_run, people
from tests.payroll.test_pay_runs import approve, prepare, tax_details

from engineroom.payday import steps
from engineroom.payroll import attempts, blockers, moved, services
from engineroom.payroll.inputs import read_inputs
from engineroom.payroll.models import Attempt, AttemptChunk, InputMoved, PayRun


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[PayRun]:
    """The runs whose inputs are read, each time."""
    found: list[PayRun] = []

    def read(run: PayRun, *people: Any) -> Any:
        found.append(run)
        return read_inputs(run, *people)

    for where in (attempts, blockers):
        monkeypatch.setattr(where, "read_inputs", read)
    return found


def test_inputs_are_read_once_where_nothing_moved(client: TestClient, reads: list[PayRun]) -> None:
    monthly(client, people(client, Employee(), Employee("E2")))
    run_id = open_run(client, date(2026, 11, 25))
    done = steps.calculate_run(client.staff["specialist"], client.id, run_id)
    with client.acting("lead"):
        services.approve_pay_run(run_id, content_hash=done.content_hash)
    with client.acting("checker"):
        services.release_pay_run(run_id)
    assert len(reads) == 1


def test_what_moves_and_says_the_same_is_read_and_found_the_same(
    client: TestClient, reads: list[PayRun]
) -> None:
    set_up(client, [Temp("T1")])
    prepare(client, [Temp("T1")])
    with connect() as raw, raw.transaction():
        enter(raw, client.staff["specialist"], read=[client.id], write=client.id)
        raw.execute("UPDATE people_person SET name = name WHERE client_id = %s", [client.id])
    approve(client)
    assert len(reads) == 2


NO_TAX_DETAILS = "UPDATE payroll_taxdetails SET ends = '2026-11-19' WHERE client_id = %s"


def test_what_was_being_written_while_it_was_calculated_is_not_missed(client: TestClient) -> None:
    """The other transaction begins before the calculation, and commits after it."""
    set_up(client, [Temp("T1")])
    with connect() as raw, raw.transaction():
        enter(raw, client.staff["specialist"], read=[client.id], write=client.id)
        raw.execute(NO_TAX_DETAILS, [client.id])
        prepare(client, [Temp("T1")])
    with pytest.raises(services.PayRunNotReady, match="changed after it was calculated"):
        approve(client)


@pytest.mark.parametrize("seen", ["", "1 100:200:", "{life} 100:9223372036854775807:"])
def test_a_calculation_of_another_database_is_read_again(
    client: TestClient, reads: list[PayRun], seen: str
) -> None:
    """Transaction ids count from anew in what was restored from a dump; a calculation of before has none."""
    set_up(client, [Temp("T1")])
    prepare(client, [Temp("T1")])
    with client.acting():
        attempt = Attempt.objects.get(client_id=client.id)
        run = PayRun.objects.get(client_id=client.id)
        assert not moved.moved_since(run, attempt)
        life = moved.seen_now().split()[0]
        AttemptChunk.objects.filter(client_id=client.id, attempt=attempt).update(seen=seen.format(life=life))
        assert moved.moved_since(run, attempt)
    approve(client)
    assert len(reads) == 2


def test_a_transaction_is_noted_once_a_table_and_nobody_notes_by_hand(client: TestClient) -> None:
    set_up(client, [Temp("T1"), Temp("T2", "Al")])
    tax_details(client, ("T1", "2026-11-23", "BR", "cumulative", "A", "", ""))
    with client.acting():
        notes = list(InputMoved.objects.filter(client_id=client.id).values_list("what", "xact"))
        assert len(notes) == len(set(notes)) and ("payroll_taxdetails" in {what for what, _ in notes})
    with connect() as raw, raw.transaction():
        enter(raw, client.staff["specialist"], read=[client.id], write=client.id)
        with pytest.raises(Exception, match="permission denied"), raw.transaction():
            raw.execute(
                "INSERT INTO payroll_inputmoved (id, client_id, what, xact) "
                "VALUES (gen_random_uuid(), %s, 'x', 1)",
                [client.id],
            )
