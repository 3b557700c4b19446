"""Letters: written with what causes them, sent by a job, each once; what does not arrive has a way out."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.urls import reverse

from engineroom.foundation import duties
from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.errors import Conflict, NotPermitted
from engineroom.payroll import selectors as payroll
from engineroom.people.models import Person
from engineroom.web import letters, links
from engineroom.web.models import Letter, LetterTry
from tests.firm import PAY_DATE, Firm, Temp, TestClient, connect, enter, run_payday, set_up
from tests.web.conftest import new_browser, signed_in
from tests.web.post_office import by_smtp, post_office

NOBODY_LISTENS = 9  # the discard port: nothing answers there


@pytest.fixture
def paid(client: TestClient) -> TestClient:
    """Two people with an address, paid and with their papers; nobody is told yet."""
    temps = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Smith")]
    set_up(client, temps)
    run_payday(client, temps, with_papers=True)
    for number in ("T1", "T2"):
        move(client, number, address(client, number))
    run_worker(wait=False)  # letters of other tests
    return client


def address(client: TestClient, number: str) -> str:
    return f"{number.lower()}@{client.code.lower()}.example"


def move(client: TestClient, number: str, to: str) -> None:
    with client.acting("specialist"):
        Person.objects.filter(client_id=client.id, payroll_number=number).update(email=to)


def press(client: TestClient) -> str:
    where = reverse("run_notify", args=[client.code, 1])
    return signed_in(client.staff["specialist"]).post(where, follow=True).content.decode()


def mailing_of(client: TestClient) -> UUID:
    with client.acting():
        return Letter.objects.filter(client_id=client.id).latest("id").mailing_id


def page(client: TestClient, role: str = "specialist") -> str:
    where = reverse("letters", args=[client.code, mailing_of(client)])
    return signed_in(client.staff[role]).get(where).content.decode()


def tries(client: TestClient) -> list[tuple[str, str]]:
    with client.acting():
        found = LetterTry.objects.filter(client_id=client.id).order_by("letter__link__address", "number")
        return list(found.values_list("letter__link__address", "outcome"))


def job(client: TestClient, column: str) -> object:
    with connect() as app:
        return app.execute(
            f"SELECT {column} FROM procrastinate_jobs WHERE task_name = %s AND args->>'client_id' = %s "
            "ORDER BY id DESC LIMIT 1",
            [letters.JOB, str(client.id)],
        ).fetchone()[0]


def make_due(client: TestClient, attempts: int | None = None) -> None:
    """Its next try is now, not in some seconds or hours."""
    with connect() as app:
        app.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now(), attempts = coalesce(%s, attempts) "
            "WHERE task_name = %s AND args->>'client_id' = %s",
            [attempts, letters.JOB, str(client.id)],
        )


def test_the_request_waits_for_no_mail_server_and_the_job_sends_each_letter_once(paid: TestClient):
    with post_office() as office:
        said = press(paid)
        assert "2 payslip notices are on the way" in said and office.taken == []
        assert "0 of 2" in said and "hx-get" in said, "the page of the mailing shows how far it is"
        jobs = signed_in(paid.staff["specialist"]).get("/jobs").content.decode()
        assert "Payslip notices of pay run 1" in jobs
        run_worker(wait=False)
        assert [len(office.to(address(paid, n))) for n in ("T1", "T2")] == [1, 1]
        letters.send(paid.id, mailing_of(paid))
        assert len(office.taken) == 2, "a job that runs twice sends nothing twice"
        assert "2 were mailed before" in press(paid)
        run_worker(wait=False)
        assert len(office.taken) == 2
    assert tries(paid) == [(address(paid, "T1"), "sent"), (address(paid, "T2"), "sent")]
    text = office.to(address(paid, "T1"))[0].replace("=\n", "")
    url = next(word for word in text.split() if "/open/" in word)
    path = "/open/" + url.partition("/open/")[2]
    assert new_browser().post(path).content.startswith(b"%PDF"), "the link of the letter opens"
    assert "{the link}" not in text


def test_a_mail_server_that_is_away_is_asked_again_and_takes_nothing_back(paid: TestClient):
    with by_smtp(NOBODY_LISTENS):
        assert "2 payslip notices are on the way" in press(paid)
        run_worker(wait=False)
    assert [outcome for _, outcome in tries(paid)] == ["failed"], "one try tells; the others wait with it"
    assert job(paid, "status") == "todo" and job(paid, "scheduled_at > now()")
    assert "asked again at" in page(paid)
    with post_office() as office:
        make_due(paid)
        run_worker(wait=False)
    assert len(office.taken) == 2
    assert "Refused" not in page(paid)


def test_what_is_given_up_is_a_duty_with_a_way_out(paid: TestClient):
    with by_smtp(NOBODY_LISTENS):
        press(paid)
        make_due(paid, attempts=8)
        run_worker(wait=False)
    assert {outcome for _, outcome in tries(paid)} == {"failed", "given_up"}
    with paid.acting():
        assert [t.duty.what for t in duties.tasks() if "arrive" in t.duty.what] == [
            "2 letters did not arrive"
        ]
    assert "Not every letter arrived" in page(paid)
    assert "2 letters did not arrive" in signed_in(paid.staff["lead"]).get("/today").content.decode()
    again = reverse("letters_again", args=[paid.code, mailing_of(paid)])
    with post_office() as office:
        signed_in(paid.staff["specialist"]).post(again, {"form_key": "k"})
        run_worker(wait=False)
    assert len(office.taken) == 2
    with paid.acting():
        assert not [t for t in duties.tasks() if "arrive" in t.duty.what]


def test_an_address_that_is_refused_stops_no_other_and_is_written_to_anew_once_corrected(paid: TestClient):
    wrong, right = address(paid, "T1"), f"jo.bloggs@{paid.code.lower()}.example"
    with post_office() as office:
        office.answers[wrong] = "550 no such user"
        press(paid)
        run_worker(wait=False)
        assert len(office.taken) == 1
        assert "550 no such user" in page(paid) and "Refused" in page(paid)
        move(paid, "T1", right)
        assert "1 payslip notice is on the way" in press(paid)
        run_worker(wait=False)
        assert len(office.to(right)) == 1 and len(office.to(address(paid, "T2"))) == 1
    with paid.acting():
        assert not [t for t in duties.tasks() if "arrive" in t.duty.what], "the old letter is left"


def test_one_that_puts_off_is_asked_again(paid: TestClient):
    with post_office() as office:
        office.answers[address(paid, "T1")] = "451 later"
        press(paid)
        run_worker(wait=False)
        assert tries(paid) == [(address(paid, "T1"), "failed"), (address(paid, "T2"), "sent")]
        office.answers.clear()
        make_due(paid)
        run_worker(wait=False)
        assert len(office.taken) == 2


def test_letters_are_left_with_a_reason_by_whoever_may_send_them(paid: TestClient):
    with by_smtp(NOBODY_LISTENS):
        press(paid)
        make_due(paid, attempts=8)
        run_worker(wait=False)
    mailing = mailing_of(paid)
    with paid.acting("checker"), pytest.raises(NotPermitted):
        letters.leave_letters(mailing, reason="no")
    where = reverse("letters_leave", args=[paid.code, mailing])
    browser = signed_in(paid.staff["specialist"])
    for reason in ("", "told them by telephone, " * 20):
        browser.post(where, {"reason": reason})
        assert "told them by" not in page(paid) and "Try again" in page(paid), "kept whole, or refused"
    browser.post(where, {"reason": "told them by telephone"})
    assert "told them by telephone" in page(paid)
    with paid.acting("specialist"), pytest.raises(Conflict, match="sent or left"):
        letters.send_again(mailing)
    assert "Try again" not in page(paid)


def test_a_letter_that_was_written_before_the_secret_key_changed_says_so(
    paid: TestClient, monkeypatch: pytest.MonkeyPatch
):
    press(paid)
    monkeypatch.setattr(settings, "SECRET_KEY", "another one" * 5)
    with post_office() as office:
        letters.send(paid.id, mailing_of(paid))
        assert office.taken == []
    monkeypatch.undo()
    assert "secret key" in page(paid)


def test_raw_sql_cannot_send_a_letter_twice_change_one_or_read_another_clients(
    paid: TestClient, other_client: TestClient
):
    with paid.acting("specialist"):
        links.notify_payslips(payroll.run_of(PAY_DATE).id)
    letters.send(paid.id, mailing_of(paid))
    with acting(paid.staff["lead"], read=[paid.id]):
        [letter, _] = Letter.objects.filter(client_id=paid.id)
    with connect() as app:
        enter(app, paid.staff["specialist"], write=paid.id)
        with pytest.raises(psycopg.errors.UniqueViolation), app.transaction():
            app.execute(
                "INSERT INTO web_lettertry (id, client_id, letter_id, number, outcome, said, by_user_id) "
                "VALUES (gen_random_uuid(), %s, %s, 7, 'sent', '', gen_random_uuid())",
                [paid.id, letter.id],
            )
        with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
            app.execute("UPDATE web_letter SET text = 'other'")
    with connect() as app:
        enter(app, other_client.staff["lead"], write=other_client.id)
        assert app.execute("SELECT count(*) FROM web_letter WHERE client_id = %s", [paid.id]).fetchone() == (
            0,
        )


def test_an_invitation_that_cannot_be_mailed_is_shown_all_the_same(firm: Firm):
    user = firm.new_user()
    with by_smtp(NOBODY_LISTENS):
        said = signed_in(firm.admin).post(reverse("user_invite", args=[user.id])).content.decode()
    assert "could not be mailed" in said and "/invitation/" in said
