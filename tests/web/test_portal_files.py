"""A client's contact brings hours in: read first, then taken; and is a maker of the run like anybody else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engineroom.foundation.approvals.services import MakerIsNotChecker
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.imports.models import ImportPreview
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.payday import steps
from engineroom.payroll import services as payroll
from engineroom.payroll.models import PayRun
from engineroom.timesheets.models import Timesheet
from tests.firm import PAY_DATE, Firm, Temp, TestClient, hours_file, set_up
from tests.web.conftest import signed_in

TEMPS = [Temp("T1"), Temp("T2", "Al Green", customer="BETA")]


def text(answer) -> str:
    return answer.content.decode()


@pytest.fixture
def contact(firm: Firm, client: TestClient) -> Identity:
    set_up(client, TEMPS)
    user = firm.new_user("client")
    firm.grant(user, client.id, "client_approver")
    return user


def brought(browser, client: TestClient, path: Path, kind: str = "timesheets"):
    with path.open("rb") as file:
        return browser.post(f"/portal/{client.code}/imports/new", {"kind": kind, "file": file}, follow=True)


def test_a_contact_brings_hours_in_and_then_cannot_approve_their_run(client: TestClient, contact: Identity):
    browser = signed_in(contact)
    page = text(browser.get(f"/portal/{client.code}/imports"))
    offered = re.findall(r'<option value="([\w-]+)"', page)
    assert "timesheets" in offered and "people" in offered
    assert not {"statement", "tax-details"} & set(offered), "what the firm alone prepares"
    seen = brought(browser, client, hours_file(client, TEMPS))
    where = seen.redirect_chain[0][0]
    assert where.startswith(f"/portal/{client.code}/imports/") and "Nothing is wrong with it" in text(seen)
    with client.acting():
        assert not Timesheet.objects.exists()
    assert browser.post(f"{where}/take", {"form_key": "k"}).status_code == 303
    assert "Taken" in text(browser.get(where))
    with client.acting():
        assert Timesheet.objects.count() == 2
        taken = AuditEvent.objects.filter(user_id=contact.id, verb__startswith="timesheets.")
        assert taken.exists(), "it is the contact who did it"
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    with client.acting("lead"):
        run = PayRun.objects.get(client_id=client.id)
    with pytest.raises(MakerIsNotChecker), acting(contact, write=client.id):
        payroll.approve_pay_run(run.id, content_hash=bytes(run.content_hash).hex())


def test_what_is_wrong_is_listed_and_nothing_is_taken(client: TestClient, contact: Identity):
    browser = signed_in(contact)
    wrong = hours_file(client, [*TEMPS, Temp("T9", hours=("25",))], name="wrong.csv")
    seen = brought(browser, client, wrong)
    assert "What to do" in text(seen) and "T9-ACME" in text(seen) and "Take it" not in text(seen)
    assert browser.post(f"{seen.redirect_chain[0][0]}/take", {"form_key": "k"}).status_code == 422
    with client.acting():
        assert not Timesheet.objects.exists()


def test_a_contact_sees_no_file_of_a_kind_that_is_not_theirs(client: TestClient, contact: Identity):
    with client.acting():
        kinds = set(ImportPreview.objects.values_list("kind", flat=True))
        tax = ImportPreview.objects.get(kind="tax-details")
        people = ImportPreview.objects.get(kind="people")
    assert "tax-details" in kinds
    browser = signed_in(contact)
    listed = text(browser.get(f"/portal/{client.code}/imports"))
    assert "people.csv" in listed and "tax.csv" not in listed and "the firm" in listed
    assert browser.get(f"/portal/{client.code}/imports/{people.id}").status_code == 200
    assert browser.get(f"/portal/{client.code}/imports/{tax.id}").status_code == 404
    refused = brought(browser, client, client.folder / "tax.csv", kind="tax-details")
    assert "may not import" in text(refused)


def test_from_the_portal_nobody_reaches_another_company(
    client: TestClient, contact: Identity, other_client: TestClient
):
    browser = signed_in(contact)
    assert browser.get(f"/portal/{other_client.code}/imports").status_code == 404
    assert brought(browser, other_client, hours_file(client, TEMPS)).status_code == 404
    assert browser.get(f"/c/{client.code}/imports").status_code == 404, "the firm's pages are not theirs"
