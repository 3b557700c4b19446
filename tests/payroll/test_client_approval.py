"""The client's own approval as a condition of release: said by dates, held by service and by PostgreSQL."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import psycopg
import pytest
from tests.cli.conftest import Cli, cli  # noqa: F401 a fixture
from tests.firm import Firm, TestClient, connect, enter, give_token
from tests.payroll.months import Employee, calculated, monthly, open_run, people, released
from tests.templates.writing import published
from tests.web.conftest import signed_in

from engineroom.foundation import deadlines, duties
from engineroom.foundation.approvals import selectors as yeses
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.templated import PARTS, ItemChange
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import Conflict, EngineroomError, NotPermitted
from engineroom.kernel.ids import uuid7
from engineroom.payroll import client_approval, items, review, selectors, services
from engineroom.payroll.client_approval import ClientMustApprove, Wishes
from engineroom.payroll.models import PayRun, PaySchedule
from engineroom.payroll.run_head import who_acts
from engineroom.people.models import Person
from engineroom.templates import services as templates

JUNE = date(2026, 6, 25)
START = date(2026, 6, 1)


@pytest.fixture
def run_id(client: TestClient) -> UUID:
    monthly(client, people(client, Employee()))
    made = open_run(client, JUNE)
    calculated(client, made)
    return made


@pytest.fixture
def approver(firm: Firm, client: TestClient) -> Identity:
    user = firm.new_user("client")
    firm.grant(user, client.id, "client_approver")
    return user


def say(client: TestClient, wanted: str, *, starts: date = START, schedule: str = "") -> None:
    with client.acting("lead"):
        client_approval.say_client_approval(wanted, starts=starts, schedule=schedule, reason="as agreed")


def approve(user: Identity, client: TestClient, run_id: UUID) -> None:
    with acting(user, write=client.id):
        digest = services.find_run(run_id).content_hash
        assert digest is not None
        services.approve_pay_run(run_id, content_hash=bytes(digest).hex())


def state(client: TestClient) -> tuple[str, str]:
    """Of run 1: its code, and who acts next by name."""
    with client.acting("lead"):
        row = selectors.run_row(1)
        assert row is not None
        row = review.as_it_stands(row)
        signed = yeses.signatures("pay_run", row.id)
        return row.state.code, who_acts(row, signed, approvals.standing("pay_run", row.id))


def release_by_hand(user: Identity, client: TestClient, run_id: UUID) -> None:
    """Around the service, as the application's own role."""
    with client.acting("lead"):
        approval = approvals.standing("pay_run", run_id)
        assert approval is not None
    with connect() as raw:
        enter(raw, user, write=client.id)
        raw.execute(
            "INSERT INTO foundation_release (id, client_id, subject_kind, subject_id, content_hash,"
            " approval_id, user_id) VALUES (%s, %s, 'pay_run', %s, %s, %s, %s)",
            [uuid7(), client.id, run_id, approval.content_hash, approval.id, user.id],
        )
        raw.rollback()


def test_a_must_keeps_the_release_until_the_client_approved_exactly_this(
    client: TestClient, run_id: UUID, approver: Identity
) -> None:
    say(client, "must")
    assert state(client)[0] == "calculated"
    with pytest.raises(ClientMustApprove, match=approver.name):
        released(client, run_id)  # the lead has approved it, and that is not enough
    assert state(client) == ("waits-for-client", approver.name)
    with pytest.raises(psycopg.errors.Error, match="an approver of the client"):
        release_by_hand(client.staff["checker"], client, run_id)

    approve(approver, client, run_id)
    assert state(client)[0] == "client-approved"
    with client.acting():  # another content: the client's approval is of what they saw
        person = Person.objects.get(client_id=client.id).counterparty_id
        items.add_pay_item(person, "bonus_pay", 50_00, period=JUNE, reason="late")
    calculated(client, run_id)
    with pytest.raises(ClientMustApprove):
        released(client, run_id)
    approve(approver, client, run_id)
    release_by_hand(client.staff["checker"], client, run_id)
    with client.acting("checker"):
        assert services.release_pay_run(run_id).payslips == 1


def test_whoever_lifts_it_of_an_open_run_does_not_release_that_run(
    client: TestClient, run_id: UUID, approver: Identity
) -> None:
    say(client, "must")
    approve(client.staff["owner"], client, run_id)
    say(client, "none")
    lead = client.staff["lead"]
    with acting(lead, write=client.id), pytest.raises(NotPermitted, match="another person releases it"):
        services.release_pay_run(run_id)
    with pytest.raises(psycopg.errors.Error, match="whoever lifted"):
        release_by_hand(lead, client, run_id)
    with client.acting("checker"):
        assert services.release_pay_run(run_id).payslips == 1


def test_what_is_wanted_keeps_nothing_and_is_said(client: TestClient, run_id: UUID) -> None:
    say(client, "wanted")
    with client.acting("lead"):
        digest = services.find_run(run_id).content_hash
        services.approve_pay_run(run_id, content_hash=bytes(digest or b"").hex())
    page = signed_in(client.staff["checker"]).get(f"/c/{client.code}/runs/1").content.decode()
    assert "the client wants to approve it" in page and "wanted before the release" in page
    released(client, run_id)


def test_the_latest_day_holds_and_a_schedule_has_its_own(client: TestClient, run_id: UUID) -> None:
    """The same by the question about many, the run's row, and PostgreSQL's guard."""
    assert wanted(client, run_id) == "none"
    steps = [
        ("must", date(2026, 7, 1), "", "none"),  # of later paydays
        ("must", START, "", "must"),
        ("none", START, "", "none"),  # of one day what was said last
        ("must", date(2026, 5, 1), "MONTHLY", "must"),  # the schedule's own goes before
        ("wanted", START, "MONTHLY", "wanted"),
        ("as_client", JUNE, "MONTHLY", "none"),
    ]
    for word, starts, schedule, holds in steps:
        say(client, word, starts=starts, schedule=schedule)
        assert wanted(client, run_id) == holds, (word, starts, schedule)
    with client.acting("lead"):
        for wrong, schedule in (("perhaps", ""), ("as_client", "")):
            with pytest.raises(EngineroomError, match="is not a policy"):
                client_approval.say_client_approval(wrong, starts=START, schedule=schedule, reason="x")
        assert [one.stands for one in client_approval.policies()].count(False) == 1


def wanted(client: TestClient, run_id: UUID) -> str:
    with client.acting("checker"):
        run = PayRun.objects.get(client_id=client.id, id=run_id)
        row = selectors.run_row(run.number)
        assert row is not None
        found = Wishes([client.id]).of(client.id, run.schedule_id, run.pay_date)
        assert row.client_wants == found
        refused = ""
        try:
            client_approval.refuse_without_client(run, bytes(run.content_hash or b""))
        except EngineroomError as error:
            refused = type(error).__name__
        assert (refused == "ClientMustApprove") == (found == "must")
        return found


def test_pages_calendar_today_and_the_command_line_say_it(
    firm: Firm,
    client: TestClient,
    run_id: UUID,
    approver: Identity,
    cli: Cli,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lead, code = signed_in(client.staff["lead"]), client.code
    asked = {"wanted": "must", "schedule": "", "starts": "2026-06-01", "reason": "agreed by letter"}
    shown = lead.post(f"/c/{code}/client-approval/do/say", asked, follow=True).content.decode()
    assert "nothing is released without it" in shown and "agreed by letter" in shown
    assert approver.name in shown
    approve(client.staff["owner"], client, run_id)
    page = lead.get(f"/c/{code}/runs/1").content.decode()
    assert "Checked, waits for the client" in page and "must come before the release" in page
    assert f"/c/{code}/runs/1/do/release" not in page
    with client.acting("lead"):
        due = {d.what: d.is_kept for d in deadlines.between(date(2026, 6, 15), date(2026, 7, 31))}
        assert due["Have the client approve pay run 1"] is False
        monkeypatch.setattr(duties, "today", lambda: JUNE)
        told = [task for task in duties.tasks(JUNE) if task.duty.page == ("payroll:run", (1,))]
        assert [(t.duty.what, t.state) for t in told] == [("Have the client approve pay run 1", "client")]
    give_token(firm, client.staff["lead"])
    who = client.staff["lead"].email
    listed = cli("payroll", "client-approval", code, who=who)
    assert "agreed by letter" in listed.out, listed.err
    said = cli(
        "payroll", "client-approval", code, "--say", "none", "--schedule", "MONTHLY", "--from", "2026-06-01",
        "--reason", "by phone", who=who,
    )  # fmt: skip
    assert said.code == 0 and "runs of MONTHLY paid from 2026-06-01" in said.out, said.err
    assert state(client)[0] == "checked"


def test_a_template_says_it_for_many(firm: Firm, client: TestClient, run_id: UUID) -> None:
    version = published(
        firm, {"Client approval": {"every_run": {"wanted": "wanted"}, "MONTHLY": {"wanted": "must"}}}
    )
    with client.acting("lead"):
        templates.follow(version.key, reason="as agreed")
        templates.apply_template(START)
        schedule = PaySchedule.objects.get(client_id=client.id)
        wishes = Wishes([client.id])
        assert wishes.of(client.id, schedule.id, JUNE) == "must"
        assert wishes.of(client.id, None, JUNE) == "wanted"
        count = len(client_approval.policies())
        templates.apply_template(START)
        assert len(client_approval.policies()) == count, "what stands is not said again"
    say(client, "none", starts=date(2027, 1, 1), schedule="MONTHLY")
    change = ItemChange("MONTHLY", {"wanted": "none"}, {"wanted": "must"}, ("wanted",))
    with client.acting("lead"), pytest.raises(Conflict, match="is said from 2027-01-01 on already"):
        PARTS["client_approval"].apply([change], START, "again")
