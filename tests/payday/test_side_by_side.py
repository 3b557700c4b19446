"""Release and issue beside each other: the same books, whoever waits for whom."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest

from engineroom.foundation.side_by_side import beside
from engineroom.foundation.tenancy.scope import OutsideActing
from engineroom.kernel.errors import EngineroomError, NotPermitted
from engineroom.ledger import services as ledger
from engineroom.payday import steps
from tests.firm import PAY_DATE, Temp, TestClient, approve_payday, hours_file, set_up
from tests.ledger.raw import until_somebody_waits

TEMPS = (Temp("T1", "Ann Lee"), Temp("T2", "Bo Reed", customer="BETA"))


def approved(client: TestClient) -> None:
    set_up(client, TEMPS)
    client.take("timesheets", hours_file(client, TEMPS, PAY_DATE - timedelta(days=11)))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    approve_payday(client)


def test_one_person_lets_pay_and_invoices_out(client: TestClient) -> None:
    approved(client)
    released, issuing = steps.release_and_issue(client.staff["checker"], client.id, PAY_DATE)
    issued = issuing.result()
    assert released.run and released.batch and issued
    assert issued.invoices == ["INV-000001", "INV-000002"]


def test_invoices_stay_in_when_the_release_is_refused(client: TestClient) -> None:
    approved(client)
    with pytest.raises(NotPermitted):
        steps.release_and_issue(client.staff["specialist"], client.id, PAY_DATE)
    with client.acting("checker"):
        day = steps.payday_of(PAY_DATE)
    assert (day.run_released, day.issued) == (False, False)


def test_a_release_stands_when_the_invoices_are_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved(client)

    def refuse(day: steps.Payday) -> None:
        raise EngineroomError("not these")

    monkeypatch.setattr(steps, "issue_bills", refuse)
    released, issuing = steps.release_and_issue(client.staff["checker"], client.id, PAY_DATE)
    with pytest.raises(EngineroomError, match="not these"):
        issuing.result()
    with client.acting("checker"):
        day = steps.payday_of(PAY_DATE)
    assert released.run and (day.run_released, day.issued) == (True, False)


def test_a_release_that_waits_for_somebody_who_waits_for_the_invoices_gets_its_turn(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The invoices are posted and share the book's period lock; somebody asks for it alone; the release asks
    to share it too and stands behind them. PostgreSQL sees no circle: one wait is in Python."""
    approved(client)
    monkeypatch.setattr(steps, "PATIENCE_S", 2.0)
    written = threading.Event()
    issue_bills, release = steps.issue_bills, steps.release

    def issue_and_tell(day: steps.Payday) -> object:
        issued = issue_bills(day)
        written.set()
        return issued

    def lock() -> None:
        with client.acting("bookkeeper"):
            ledger.lock_period(date(2020, 1, 1), reason="long ago")

    def release_behind_a_lock(*args: object) -> object:
        assert written.wait(30)
        with beside(lock) as locking:
            until_somebody_waits()
            done = release(*args)  # type: ignore[arg-type]
        locking.result()
        return done

    monkeypatch.setattr(steps, "issue_bills", issue_and_tell)
    monkeypatch.setattr(steps, "release", release_behind_a_lock)
    released, issuing = steps.release_and_issue(client.staff["checker"], client.id, PAY_DATE)
    issued = issuing.result()
    assert released.run and issued and issued.invoices == ["INV-000001", "INV-000002"]


def test_work_beside_work_is_not_begun_inside_a_scope(client: TestClient) -> None:
    with client.acting("specialist"), pytest.raises(OutsideActing), beside(lambda: None):
        pass
