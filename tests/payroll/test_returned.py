"""An approver's no: comments keep the run until they are answered, by a change or by words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import psycopg
import pytest
from tests.firm import PAY_DATE, Temp, TestClient, approve_payday, connect, enter, hours_file, set_up
from tests.web.conftest import signed_in

from engineroom.foundation.approvals import selectors as yeses
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.errors import Conflict, NotFound, NotPermitted
from engineroom.payday import steps
from engineroom.payroll import reopening, returned, review, selectors, services
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.models import PayRun

TEMPS = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Smith")]


@dataclass
class Waiting:
    """A calculated run and the client's approver who looks at it."""

    client: TestClient
    approver: Identity
    run: PayRun

    @property
    def hash(self) -> str:
        with self.client.acting():
            return bytes(
                PayRun.objects.get(client_id=self.client.id, id=self.run.id).content_hash or b""
            ).hex()

    def no(self, text: str, person: str = "") -> reopening.RunReturned:
        looked_at = self.hash
        with acting(self.approver, write=self.client.id):
            return reopening.return_pay_run(
                self.run.id, content_hash=looked_at, comment=text, payroll_number=person
            )

    def yes(self) -> None:
        looked_at = self.hash
        with acting(self.approver, write=self.client.id):
            services.approve_pay_run(self.run.id, content_hash=looked_at)

    def comments(self) -> list[returned.Comment]:
        with self.client.acting():
            return returned.comments(self.run)

    def state(self) -> str:
        with self.client.acting():
            row = selectors.run_row(self.run.number)
            assert row is not None
            assert row.state.code == review.as_it_stands(row).state.code
            return row.state.code


@pytest.fixture
def waiting(firm, client: TestClient) -> Waiting:  # type: ignore[no-untyped-def]
    set_up(client, TEMPS)
    client.take("timesheets", hours_file(client, TEMPS))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    approver = firm.new_user("client")
    firm.grant(approver, client.id, "client_approver")
    with client.acting():
        run = PayRun.objects.get(client_id=client.id, number=1)
    return Waiting(client, approver, run)


@pytest.mark.behaviour("PAY-10", part="returned with comments")
def test_a_comment_keeps_the_run_until_it_is_answered_by_words(waiting: Waiting) -> None:
    approve_payday(waiting.client)
    done = waiting.no("Jo was ill on Tuesday", "T1")
    assert done.approvals == 1 and waiting.state() == "blocked"
    with waiting.client.acting():
        assert yeses.approvals("pay_run", waiting.run.id)[0].void == "returned with a comment"
        (blocker,) = blockers_of(waiting.run)
        assert blocker.payroll_number == "T1" and "Jo was ill on Tuesday" in blocker.problem
    with pytest.raises(services.PayRunNotReady):
        waiting.yes()
    with waiting.client.acting():
        reopening.answer_comment(done.comment_id, words="She worked: the sheet is signed")
    assert [c.state for c in waiting.comments()] == ["answered"]
    waiting.yes()
    assert waiting.state() == "client-approved"
    with waiting.client.acting(), pytest.raises(Conflict, match="answered already"):
        reopening.answer_comment(done.comment_id, words="once more")


def test_a_comment_is_answered_by_the_change_of_what_it_is_about_and_of_nothing_else(
    waiting: Waiting,
) -> None:
    waiting.no("Jo has an allowance", "T1")
    waiting.no("Why so little, Al?", "T2")
    more = [Temp("T1", "Jo Bloggs", hours=("1",))]
    client = waiting.client
    monday = PAY_DATE - timedelta(days=18)
    client.take("timesheets", hours_file(client, more, monday, "late.csv"))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    assert {c.payroll_number: c.state for c in waiting.comments()} == {"T1": "changed", "T2": "open"}
    assert waiting.state() == "blocked"


def test_a_comment_on_the_run_is_answered_by_any_change(waiting: Waiting) -> None:
    waiting.no("The total is too low")
    assert [(c.about, c.state) for c in waiting.comments()] == [("the run", "open")]
    client = waiting.client
    client.take("timesheets", hours_file(client, TEMPS[1:], PAY_DATE - timedelta(days=18), "late.csv"))
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    assert [c.state for c in waiting.comments()] == ["changed"] and waiting.state() == "calculated"


def test_a_comment_is_of_what_was_looked_at_and_of_somebody_in_the_run(waiting: Waiting) -> None:
    with acting(waiting.approver, write=waiting.client.id), pytest.raises(approvals.ContentChanged):
        reopening.return_pay_run(waiting.run.id, content_hash="00" * 32, comment="what?")
    with pytest.raises(NotFound, match="pays nobody"):
        waiting.no("who is this?", "T9")
    with waiting.client.acting("specialist"), pytest.raises(NotPermitted):
        reopening.return_pay_run(waiting.run.id, content_hash="00" * 32, comment="no")
    with acting(waiting.approver, write=waiting.client.id), pytest.raises(NotPermitted):
        reopening.answer_comment(waiting.run.id, words="mine")


def test_a_released_run_is_not_returned(waiting: Waiting) -> None:
    client = waiting.client
    approve_payday(client)
    steps.release(client.staff["checker"], client.id, PAY_DATE)
    with pytest.raises(Conflict, match="released"):
        waiting.no("too late")


def test_raw_sql_neither_changes_a_comment_nor_comments_on_what_does_not_stand(waiting: Waiting) -> None:
    made = waiting.no("Jo was ill", "T1").comment_id
    client, run = waiting.client, waiting.run
    insert = (
        "INSERT INTO payroll_returnedcomment (id, client_id, run_id, attempt_id, content_hash, "
        "text, by_user_id) "
        "SELECT gen_random_uuid(), client_id, id, published_id, %s, 'x', %s FROM payroll_payrun WHERE id = %s"
    )
    tries = [
        ("UPDATE payroll_returnedcomment SET text = 'all is well' WHERE id = %s", [made]),
        ("DELETE FROM payroll_returnedcomment WHERE id = %s", [made]),
        (insert, [b"another", waiting.approver.id, run.id]),
        (
            "INSERT INTO payroll_commentanswer (id, client_id, words, by_user_id) VALUES (%s, %s, 'x', %s)",
            [made, client.id, waiting.approver.id],
        ),
    ]
    for sql, values in tries:
        with connect() as raw:
            face = "SELECT app_enter(%s, NULL, 'client', '{}', %s)"
            raw.execute(face, [waiting.approver.id, client.id])
            with pytest.raises(psycopg.Error):
                raw.execute(sql, values)
    with connect() as raw:
        enter(raw, client.staff["specialist"], write=client.id)
        with pytest.raises(psycopg.Error):
            raw.execute("UPDATE payroll_returnedcomment SET text = 'all is well' WHERE id = %s", [made])


def test_the_client_returns_a_person_in_the_portal_and_the_bureau_answers(waiting: Waiting) -> None:
    code = waiting.client.code
    portal = signed_in(waiting.approver)
    url = f"/portal/{code}/runs/1"
    page = portal.get(f"{url}/people/T1").content.decode()
    assert "Jo Bloggs" in page and "Return it with this comment" in page
    form = {"content_hash": waiting.hash, "comment": "Jo was ill", "payroll_number": "T1"}
    said = portal.post(f"{url}/return", form, headers={"referer": f"http://127.0.0.1{url}"}, follow=True)
    assert "Waits for your bureau" in said.content.decode() and "Blocked" in said.content.decode()
    desk = signed_in(waiting.client.staff["specialist"])
    run_url = f"/c/{code}/runs/1"
    page = desk.get(run_url).content.decode()
    assert "Jo was ill" in page and "Returned with comments" in page
    (comment,) = waiting.comments()
    desk.post(
        f"{run_url}/do/answer/{comment.id}",
        {"words": "The sheet is signed"},
        headers={"referer": f"http://127.0.0.1{run_url}"},
    )
    assert "The sheet is signed" in portal.get(url).content.decode()
    again = {"content_hash": waiting.hash}
    portal.post(f"{url}/approve", again, headers={"referer": f"http://127.0.0.1{url}"})
    assert waiting.state() == "client-approved"
    back = {"reason": "wait"}
    portal.post(f"{url}/take-back", back, headers={"referer": f"http://127.0.0.1{url}"})
    assert waiting.state() == "calculated"
