"""An approver of the client's hands an approval to a colleague: once or for days, shown, and undoable."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import psycopg
import pytest
from tests.firm import Firm, TestClient, connect
from tests.payroll.months import Employee, calculated, monthly, open_run, people
from tests.web.conftest import signed_in

from engineroom.foundation import duties
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import Conflict, EngineroomError, NotFound, NotPermitted
from engineroom.kernel.ids import uuid7
from engineroom.payroll import handing_over, services
from engineroom.payroll.models import HandedOver
from engineroom.payroll.services import find_run
from engineroom.people import terms
from engineroom.people.engine import Agreed
from engineroom.people.models import Person
from engineroom.web import links

JUNE = date(2026, 6, 25)


@pytest.fixture
def run_id(client: TestClient) -> UUID:
    monthly(client, people(client, Employee()))
    made = open_run(client, JUNE)
    calculated(client, made)
    return made


def approver(firm: Firm, client: TestClient, role: str = "client_approver") -> Identity:
    user = firm.new_user("client")
    firm.grant(user, client.id, role)
    return user


def approve(user: Identity, client: TestClient, run_id: UUID) -> None:
    with acting(user, write=client.id):
        digest = find_run(run_id).content_hash
        assert digest is not None
        services.approve_pay_run(run_id, content_hash=bytes(digest).hex())


def asked(client: TestClient, run_id: UUID) -> set[UUID]:
    with client.acting():
        return {user.id for user in links.approvers_to_ask(find_run(run_id))}


def test_a_colleague_is_asked_and_approves_until_it_is_taken_back(
    firm: Firm, client: TestClient, run_id: UUID
) -> None:
    one, two = approver(firm, client), approver(firm, client)
    assert asked(client, run_id) == {one.id, two.id}
    with acting(one, write=client.id):
        done = handing_over.hand_over(two.id, run_id=run_id, reason="on leave")
        with pytest.raises(Conflict, match="handed this over already"):
            handing_over.hand_over(two.id, run_id=run_id, reason="on leave")
    assert asked(client, run_id) == {two.id}
    with pytest.raises(Conflict, match="take it back before you approve"):
        approve(one, client, run_id)
    with acting(two, write=client.id):
        [shown] = handing_over.handings(find_run(run_id))
    assert (shown.giver, shown.taker, shown.to_me) == (one.name, two.name, True)
    with acting(one, write=client.id):
        handing_over.take_back_handover(done.handover_id, reason="I am back")
    assert asked(client, run_id) == {one.id, two.id}
    approve(one, client, run_id)
    with client.acting():
        assert approvals.standing("pay_run", run_id) is not None


def test_for_days_it_holds_for_every_run(firm: Firm, client: TestClient, run_id: UUID) -> None:
    one, two = approver(firm, client), approver(firm, client)
    today = duties.today()
    with acting(one, write=client.id):
        for last in (today - timedelta(days=1), today + timedelta(days=400)):
            with pytest.raises(EngineroomError, match="give a day from"):
                handing_over.hand_over(two.id, until=last, reason="leave")
        handing_over.hand_over(two.id, until=today + timedelta(days=7), reason="leave")
    assert asked(client, run_id) == {two.id}
    approve(two, client, run_id)


def test_a_maker_gets_no_approval_from_a_colleague(firm: Firm, client: TestClient, run_id: UUID) -> None:
    one, maker = approver(firm, client), approver(firm, client)
    with acting(maker, write=client.id):
        person = Person.objects.get(client_id=client.id, payroll_number="E1").counterparty_id
        terms.set_terms(person, Agreed("salary", 48_000_00, 2250), starts=date(2026, 6, 1), reason="raise")
    calculated(client, run_id)
    with acting(one, write=client.id), pytest.raises(NotPermitted, match="made part of this run"):
        handing_over.hand_over(maker.id, run_id=run_id, reason="away")


def test_only_approvers_of_the_client_hand_over_and_only_to_one_another(
    firm: Firm, client: TestClient, run_id: UUID
) -> None:
    one, finance = approver(firm, client), approver(firm, client, "client_finance")
    with acting(one, write=client.id):
        for nobody in (finance.id, client.staff["lead"].id, uuid7()):
            with pytest.raises(NotFound, match="no such colleague"):
                handing_over.hand_over(nobody, run_id=run_id, reason="away")
        with pytest.raises(EngineroomError, match="one of the two"):
            handing_over.hand_over(one.id, reason="away")
    with client.acting("lead"), pytest.raises(NotPermitted, match="own approvers"):
        handing_over.hand_over(one.id, run_id=run_id, reason="away")
    with connect() as app:
        app.execute("SELECT app_enter(%s, NULL, 'client', %s, %s)", [finance.id, [], client.id])
        with pytest.raises(psycopg.errors.Error, match="from one approver of the client to another"):
            app.execute(
                "INSERT INTO payroll_handedover (id, client_id, starts, ends, from_user_id, to_user_id,"
                " reason, taken_back) VALUES (%s, %s, current_date, current_date, %s, %s, 'x', '')",
                [uuid7(), client.id, one.id, one.id],
            )


def test_it_is_handed_over_and_taken_back_on_the_portal(firm: Firm, client: TestClient, run_id: UUID) -> None:
    one, two = approver(firm, client), approver(firm, client)
    at = f"/portal/{client.code}/runs/1"
    browser = signed_in(one)
    assert "Hand it to a colleague" in browser.get(at).content.decode()
    asked = {"colleague": str(two.id), "until": "", "reason": "on leave"}
    shown = browser.post(f"{at}/hand-over", asked, follow=True).content.decode()
    assert "Your colleague approves pay run 1" in shown and "A colleague approves it in your place" in shown
    assert f"{at}/approve" not in shown
    firms = signed_in(client.staff["lead"]).get(f"/c/{client.code}/runs/1").content.decode()
    assert "Approval handed over" in firms
    with acting(one, read=[client.id]):
        row = HandedOver.objects.get(client_id=client.id)
    browser.post(f"/portal/{client.code}/handed-over/{row.id}/back", {"reason": "back early"})
    assert f"{at}/approve" in browser.get(at).content.decode()
