"""Jobs: queued, running, done or failed with a reason; left and found again; tried again where it is safe."""

from __future__ import annotations

import pytest

from engineroom.foundation.jobs.shown import Shown
from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.ids import uuid7
from engineroom.payroll import attempts, calculations, services
from tests.firm import PAY_DATE, Firm, Temp, TestClient, connect, hours_file, set_up, superuser
from tests.web.conftest import signed_in


@pytest.fixture
def asked(client: TestClient) -> TestClient:
    """A client whose specialist asked for a run in the background; nothing works on it yet."""
    temps = [Temp("T1"), Temp("T2", "Al Smith")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    with client.acting("specialist"):
        run = services.open_pay_run(PAY_DATE)
        attempts.plan_calculation(run.run_id, in_background=True)
    return client


def job(client: TestClient, user: Identity | None = None) -> Shown:
    with acting(user or client.staff["specialist"], read=[client.id]):
        [found] = calculations.mine([client.id])
    return found


def set_status(found: Shown, status: str, attempts: int = 1) -> None:
    with connect() as app:
        app.execute(
            "UPDATE procrastinate_jobs SET status = %s::procrastinate_job_status, attempts = %s "
            "WHERE args->>'attempt_id' = %s",
            [status, attempts, str(found.id)],
        )


def test_a_job_is_queued_then_done_and_found_again_on_another_day(asked: TestClient):
    browser = signed_in(asked.staff["specialist"])
    with superuser() as before:  # a worker of another test that was killed is missed after three beats only
        before.execute("DELETE FROM procrastinate_workers")
    assert job(asked).state == "queued" and job(asked).total == 2
    text = browser.get("/jobs").content.decode()
    assert "Queued" in text and "No worker is running" in text
    where = f"/c/{asked.code}/jobs/calculation/{job(asked).id}/progress"
    assert where in text
    page = browser.get(where)
    assert "0 of 2" in page.content.decode() and "HX-Refresh" not in page.headers
    run_worker(wait=False)
    found = job(asked)
    assert (found.state, found.done, found.total) == ("done", 2, 2)
    assert browser.get(where).headers["HX-Refresh"] == "true"
    assert "Over" in signed_in(asked.staff["specialist"]).get("/jobs").content.decode()


def test_a_job_is_shown_to_whoever_asked_and_to_nobody_else(asked: TestClient, other_client: TestClient):
    lead = signed_in(asked.staff["lead"])
    assert "Pay run 1" not in lead.get("/jobs").content.decode()
    attempt = job(asked).id
    assert lead.get(f"/c/{asked.code}/jobs/calculation/{attempt}/progress").status_code == 404
    specialist = signed_in(other_client.staff["specialist"])
    assert specialist.get(f"/c/{other_client.code}/jobs/calculation/{attempt}/progress").status_code == 404
    assert specialist.post(f"/c/{other_client.code}/jobs/calculation/{attempt}/again").status_code == 404
    assert specialist.get(f"/c/{other_client.code}/jobs/calculation/{uuid7()}/progress").status_code == 404
    set_status(job(asked), "cancelled")


def test_a_failed_job_says_why_and_is_tried_again_once(asked: TestClient):
    browser = signed_in(asked.staff["specialist"])
    set_status(job(asked), "failed")
    found = job(asked)
    assert found.state == "failed" and found.may_retry and "the worker's log" in found.why
    assert "Try again" in browser.get("/jobs").content.decode()
    where = f"/c/{asked.code}/jobs/calculation/{found.id}/again"
    key = str(uuid7())
    assert browser.post(where, {"form_key": key}).status_code == 303
    assert job(asked).state == "queued"
    browser.post(where, {"form_key": key})
    assert "nothing to try again" in browser.get("/jobs").content.decode()
    run_worker(wait=False)
    assert job(asked).state == "done", "the failed row in the queue counts no more"


def test_what_stopped_a_job_is_said_so_that_a_person_can_act(firm: Firm, asked: TestClient):
    found = job(asked)
    set_status(found, "failed", attempts=5)
    assert "5 workers" in job(asked).why
    set_status(found, "cancelled")
    assert "Nothing works on it" in job(asked).why
    with asked.acting("specialist"):
        attempts.calculate_chunk(found.id, 0)
    assert "not published" in job(asked).why
    browser = signed_in(asked.staff["specialist"])
    browser.post(f"/c/{asked.code}/jobs/calculation/{found.id}/again", {"form_key": str(uuid7())})
    assert job(asked).state == "done"


def test_without_jobs_the_page_says_what_will_be_there(client: TestClient):
    assert (
        "Nothing was done in the background" in signed_in(client.staff["lead"]).get("/jobs").content.decode()
    )
