"""How far a run is: one function of what stands, and every place that shows it says the same."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.firm import PAY_DATE, Temp, TestClient, approve_payday, connect, enter, hours_file, set_up
from tests.web.conftest import signed_in

from engineroom.foundation.approvals import selectors as yeses
from engineroom.foundation.approvals.models import Approval
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict, EngineroomError, NotPermitted
from engineroom.ledger import services as ledger
from engineroom.payday import steps
from engineroom.payroll import reopening, review, selectors, services
from engineroom.payroll.models import PayRun
from engineroom.payroll.state import Code, RunState, Standing, state_of

FLAGS = [name for name, kind in Standing.__annotations__.items() if kind == "bool"]
standings = st.builds(Standing, blockers=st.integers(0, 3), **{name: st.booleans() for name in FLAGS})  # type: ignore[arg-type]


@given(standings)
def test_every_standing_has_one_state_and_says_who_acts_next(standing: Standing) -> None:
    state = state_of(standing)
    assert state.code in get_args(Code) and state == state_of(standing)
    assert bool(state.next) == bool(state.by)
    assert (state.next == "") == (state.code in ("closed", "given-up"))


@given(standings)
def test_no_state_claims_what_does_not_stand(standing: Standing) -> None:
    code = state_of(standing).code
    assert (code in ("released", "settled", "closed")) == standing.released
    if code in ("blocked", "calculated", "checked", "waits-for-client", "client-approved"):
        assert standing.calculated
    if code == "waits-for-client":
        assert standing.client_must and standing.checked and not standing.client_approved
    if code == "checked":
        assert standing.checked and not standing.client_must
        assert (code == "blocked") == bool(standing.blockers)
    if code == "client-approved":
        assert standing.client_approved
    if code == "calculated":
        assert not (standing.checked or standing.client_approved)


def state(client: TestClient, role: str = "specialist") -> RunState:
    with acting(client.staff[role], read=[client.id]):
        row = selectors.run_row(1)
        assert row is not None
        return review.as_it_stands(row).state


@pytest.fixture
def calculated(client: TestClient) -> TestClient:
    temps = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Smith")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    return client


def run_id(client: TestClient) -> UUID:
    with client.acting():
        return PayRun.objects.get(client_id=client.id, number=1).id


def test_a_run_goes_from_calculated_to_closed(calculated: TestClient, firm) -> None:
    assert state(calculated).code == "calculated"
    approve_payday(calculated)
    assert state(calculated).code == "checked"
    approver = firm.new_user("client")
    firm.grant(approver, calculated.id, "client_approver")
    with acting(approver, write=calculated.id):
        run = PayRun.objects.get(client_id=calculated.id, number=1)
        services.approve_pay_run(run.id, content_hash=bytes(run.content_hash).hex())
    for role in ("specialist", "checker"):
        assert state(calculated, role).code == "client-approved"
    with acting(approver, read=[calculated.id]):  # who sees no other user
        assert selectors.run_row(1).state.code == "client-approved"
    steps.release(calculated.staff["checker"], calculated.id, PAY_DATE)
    assert state(calculated).word == "Released, in the payment file"


def test_a_run_without_net_pay_is_settled_by_its_release_and_closed_by_the_lock(client: TestClient) -> None:
    temps = [Temp("T1", hours=("0:01",), pay_rate="0.01", bill_rate="0.01")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    approve_payday(client)
    steps.release(client.staff["checker"], client.id, PAY_DATE)
    assert state(client).code == "settled"
    with client.acting("bookkeeper"):
        ledger.lock_period(PAY_DATE + timedelta(days=3), reason="month closed")
    assert state(client).code == "closed"


def test_whatever_shows_a_run_says_the_same(calculated: TestClient, firm) -> None:
    """Tax details changed after the calculation: nothing is noted at the run, and every face says Blocked."""
    row = ("T1", "2026-11-20", "BR", "cumulative", "A")
    headings = ("payroll_number", "from_date", "tax_code", "basis", "ni_category")
    calculated.take("tax-details", calculated.file("later.csv", headings, [row]))
    assert state(calculated).code == "blocked"
    finance = firm.new_user("client")
    firm.grant(finance, calculated.id, "client_finance")
    pages = [
        (calculated.staff["lead"], f"/c/{calculated.code}/runs"),
        (calculated.staff["lead"], f"/c/{calculated.code}/runs/1"),
        (finance, f"/portal/{calculated.code}/runs"),
        (finance, f"/portal/{calculated.code}/runs/1"),
    ]
    for user, url in pages:
        page = signed_in(user).get(url).content.decode()
        assert "Blocked" in page and "Calculated, waits" not in page, url


# --- reopened ---------------------------------------------------------------------------------------------


def test_reopening_takes_every_approval_back_with_its_reason_kept(calculated: TestClient) -> None:
    approve_payday(calculated)
    run = run_id(calculated)
    with calculated.acting(), pytest.raises(EngineroomError):
        reopening.reopen_pay_run(run, reason=" ")
    with calculated.acting():
        done = reopening.reopen_pay_run(run, reason="hours of T1 were of another week")
    assert done.approvals == 1 and state(calculated).code == "calculated"
    with calculated.acting():
        kept = yeses.approvals("pay_run", done.run_id)
        assert [yes.void for yes in kept] == ["reopened: hours of T1 were of another week"]
    with calculated.acting(), pytest.raises(Conflict, match="no approval"):
        reopening.reopen_pay_run(done.run_id, reason="again")
    with pytest.raises(EngineroomError):
        steps.release(calculated.staff["checker"], calculated.id, PAY_DATE)


def test_one_takes_back_ones_own_yes_and_nobody_elses(calculated: TestClient) -> None:
    approve_payday(calculated, "lead")
    run = run_id(calculated)
    with calculated.acting("checker"), pytest.raises(Conflict):
        reopening.take_back_approval(run, reason="not mine")
    with calculated.acting("specialist"), pytest.raises(NotPermitted):
        reopening.take_back_approval(run, reason="not mine")
    with calculated.acting("lead"):
        reopening.take_back_approval(run, reason="looked again")
    assert state(calculated).code == "calculated"


def test_nothing_is_reopened_after_its_release_not_even_by_raw_sql(calculated: TestClient) -> None:
    approve_payday(calculated)
    steps.release(calculated.staff["checker"], calculated.id, PAY_DATE)
    run = run_id(calculated)
    with calculated.acting(), pytest.raises(Conflict, match="released"):
        reopening.reopen_pay_run(run, reason="too late")
    with calculated.acting():
        yes = Approval.objects.get(client_id=calculated.id, subject_kind="pay_run")
    with connect() as raw, pytest.raises(Exception, match="cannot be voided any more"):
        enter(raw, calculated.staff["specialist"], write=calculated.id)
        raw.execute(
            "INSERT INTO foundation_approvalvoid (id, client_id, reason) VALUES (%s, %s, 'by hand')",
            [yes.id, calculated.id],
        )


def test_a_run_is_reopened_on_its_page(calculated: TestClient) -> None:
    approve_payday(calculated)
    browser = signed_in(calculated.staff["specialist"])
    url = f"/c/{calculated.code}/runs/1"
    page = browser.get(url).content.decode()
    assert "Release it, or ask the client first".lower() in page and "Take the approval back" in page
    back = {"referer": f"http://127.0.0.1{url}"}
    answer = browser.post(f"{url}/do/reopen", {"reason": "wrong week"}, headers=back, follow=True)
    page = answer.content.decode()
    assert "Run 1 is reopened" in page and "Calculated, waits for approval" in page and "wrong week" in page
