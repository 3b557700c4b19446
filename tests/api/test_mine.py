"""What an employee's own program sees: what their pages show, of themselves alone; reads are logged."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.tenancy.scope import acting
from engineroom.payroll.models import Payslip
from tests.api.conftest import Caller, Worked, worked_client
from tests.firm import Firm


@pytest.fixture(scope="module")
def worked(firm: Firm) -> Worked:
    return worked_client(firm, ("owner", "lead", "employee", "worker", "specialist"))


@pytest.fixture
def jo(worked: Worked) -> Caller:
    return worked.by_role["employee"]


def test_somebody_sees_their_details_hours_and_payslips_with_every_figure(worked: Worked, jo: Caller) -> None:
    me = jo.get(f"{worked.at}/me").body
    assert (me["name"], me["payroll_number"]) == ("Jo Bloggs", "T1")
    assert me["accounts"][0]["account"].startswith("••")
    [week] = jo.get(f"{worked.at}/me/weeks").body["items"]
    assert week["minutes"] == 40 * 60 and week["paid_on"] == str(worked.pay_date)
    assert week["amount_minor"] == sum(line["amount_minor"] for line in week["lines"])
    [slip] = jo.get(f"{worked.at}/me/payslips").body["items"]
    assert slip["gross_minor"] == week["amount_minor"] and slip["has_pdf"]
    whole = jo.get(f"{worked.at}/me/payslips/{slip['id']}").body
    figures = {figure["code"]: figure["amount"] for figure in whole["figures"]}
    assert figures["net_pay"] == slip["net_pay_minor"] and whole["explanation"]
    paper = jo.get(f"{worked.at}/me/payslips/{slip['id']}/pdf")
    assert paper.raw.startswith(b"%PDF") and paper.headers["Cache-Control"] == "no-store"


def test_a_colleagues_payslip_is_not_there_and_nothing_else_of_the_client_is(
    worked: Worked, jo: Caller
) -> None:
    with acting(worked.client.staff["lead"], read=[worked.client.id]):
        slips = Payslip.objects.filter(client_id=worked.client.id)
        theirs = list(slips.exclude(person__payroll_number="T1").values_list("id", flat=True))
    assert len(theirs) == 2
    for slip_id in theirs:
        for path in (f"/me/payslips/{slip_id}", f"/me/payslips/{slip_id}/pdf"):
            assert jo.get(worked.at + path).status == 404
    for path in ("/people", "/pay-runs", "/timesheets", "/import-previews", "/entries"):
        assert jo.get(worked.at + path).status == 403


def test_each_read_stands_in_the_clients_trail(worked: Worked, jo: Caller) -> None:
    [slip] = jo.get(f"{worked.at}/me/payslips").body["items"]
    jo.get(f"{worked.at}/me/payslips/{slip['id']}/pdf")
    with worked.client.acting("lead"):
        reads = AuditEvent.objects.filter(client_id=worked.client.id, verb="read", user_id=jo.user.id)
        assert reads.filter(subject_kind="payslip", subject_id=slip["id"]).exists()
        assert reads.filter(subject_kind="own_pay").exists()


def test_a_token_that_does_not_read_sees_nothing_and_one_for_another_client_neither(
    firm: Firm, worked: Worked, jo: Caller, caller: Callable[..., Caller]
) -> None:
    assert caller(jo.user, verbs=["work"]).get(f"{worked.at}/me").status == 403
    assert caller(jo.user, verbs=["read"]).get(f"{worked.at}/me").status == 200
    elsewhere = firm.new_client()
    assert caller(jo.user, clients=[elsewhere.id]).get(f"{worked.at}/me").status in (403, 404)
    assert jo.get(f"/clients/{elsewhere.code}/me").status == 404


def test_whose_login_is_nobody_is_told_so(firm: Firm, worked: Worked, caller: Callable[..., Caller]) -> None:
    user = firm.new_user("employee")
    firm.grant(user, worked.client.id, "employee")
    answer = caller(user).get(f"{worked.at}/me")
    assert answer.status == 404 and "link it to you" in answer.body["detail"]
