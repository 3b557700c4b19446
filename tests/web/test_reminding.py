"""A client that was asked and does not answer: reminded as the day nears, then escalated; once each."""

from __future__ import annotations

from datetime import date

import pytest

from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import Conflict
from engineroom.payday import steps
from engineroom.payroll import client_approval, reopening, services
from engineroom.payroll.models import PayRun
from engineroom.web import links, reminding
from engineroom.web.models import Letter, Link, Mailing
from tests.firm import PAY_DATE, Firm, Temp, TestClient, hours_file, set_up

BEFORE, NEAR, DUE = date(2026, 11, 20), date(2026, 11, 23), date(2026, 11, 24)
"""Paid on Friday the 27th: the file goes on the 25th, so the yes is needed by Tuesday the 24th."""


@pytest.fixture
def approver(firm: Firm, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Identity:
    """Of a client that was asked to approve run 1."""
    temps = [Temp("T1", "Jo Bloggs")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    user = firm.new_user("client")
    firm.grant(user, client.id, "client_approver")
    with client.acting():
        links.ask_approver(PayRun.objects.get(client_id=client.id).id)
    monkeypatch.setattr(reminding.access, "all_client_ids", lambda: [client.id])
    return user


def test_where_it_is_a_must_the_letters_say_so(client: TestClient, approver: Identity) -> None:
    with client.acting("lead"):
        client_approval.say_client_approval("must", starts=PAY_DATE, reason="as agreed")
    assert reminding.remind_all(NEAR) == 1 and reminding.remind_all(DUE) == 1
    texts = [text_of(client, kind) for kind in ("approval-reminder", "approval-overdue")]
    assert "Nobody is paid without it" in texts[0]
    assert "Nothing is released without it" in texts[1] and "approved here" not in texts[1]


def text_of(client: TestClient, kind: str) -> str:
    with client.acting():
        letter = Letter.objects.filter(client_id=client.id, mailing__kind=kind).first()
        assert letter is not None
        return letter.text


def mailed(client: TestClient, kind: str) -> set[str]:
    """To whom mailings of a kind went."""
    with client.acting():
        found = Mailing.objects.filter(client_id=client.id, kind=kind)
        subjects = set(found.values_list("subject_id", flat=True))
        letters = Link.objects.filter(client_id=client.id, kind="pay_run", subject_id__in=subjects)
        return set(letters.values_list("address", flat=True)) if subjects else set()


def test_who_was_asked_is_reminded_once_and_then_the_bureau_is_told_once(
    client: TestClient, approver: Identity
) -> None:
    assert reminding.remind_all(BEFORE) == 0
    assert reminding.remind_all(NEAR) == 1 and reminding.remind_all(NEAR) == 0
    assert mailed(client, "approval-reminder") == {approver.email}
    assert reminding.remind_all(DUE) == 1 and reminding.remind_all(DUE) == 0
    told = mailed(client, "approval-overdue")
    assert {client.staff["lead"].email, client.staff["owner"].email} <= told


def test_nobody_is_reminded_of_what_is_approved_or_waits_for_the_bureau(
    client: TestClient, approver: Identity
) -> None:
    with client.acting():
        run = PayRun.objects.get(client_id=client.id)
    seen = bytes(run.content_hash or b"").hex()
    with acting(approver, write=client.id):
        done = reopening.return_pay_run(run.id, content_hash=seen, comment="Why?")
    assert reminding.remind_all(DUE) == 0
    with client.acting(), pytest.raises(Conflict, match="waits for the bureau"):
        reminding.remind_approvers(run.id)
    with client.acting():
        reopening.answer_comment(done.comment_id, words="Because")
    with acting(approver, write=client.id):
        services.approve_pay_run(run.id, content_hash=seen)
    assert reminding.remind_all(DUE) == 0
