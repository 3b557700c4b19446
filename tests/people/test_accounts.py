"""Where people are paid: another account waits for a second person, whichever way it comes."""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid4

import psycopg
import pytest
from django.urls import reverse
from tests.cli.conftest import Cli, cli, mail, staffed  # noqa: F401 fixtures
from tests.firm import PAY_DATE, Firm, Temp, TestClient, approve_accounts, connect, enter, hours_file, set_up
from tests.people.test_people_files import accounts as on_file
from tests.people.test_people_files import person, take
from tests.web.conftest import signed_in

from engineroom.foundation import duties
from engineroom.foundation.approvals.services import ContentChanged, MakerIsNotChecker
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.commands.models import CommandRun
from engineroom.kernel.errors import Conflict, InputRefused, NotPermitted
from engineroom.payday import steps
from engineroom.payroll import review
from engineroom.payroll.models import PayRun
from engineroom.people import accounts, selectors
from engineroom.people.accounts import Payee
from engineroom.people.models import AccountDecision, AccountProposal, BankAccount, Person

FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)
FROM = date(2026, 11, 20)
OTHER = {"sort_code": "20-00-01", "account_number": "11111111", "account_from": "2026-11-20"}
WAS = (date(2026, 1, 5), None, "00000001")
NOW = [(date(2026, 1, 5), date(2026, 11, 19), "00000001"), (FROM, None, "11111111")]


@pytest.fixture
def jo(client: TestClient) -> UUID:
    take(client, person())
    with client.acting():
        return Person.objects.get(client_id=client.id).counterparty_id


def propose(
    client: TestClient, who: UUID, role: str = "specialist", number: str = "11111111"
) -> accounts.AccountAsked:
    with client.acting(role):
        payee = Payee.of("Jo Bloggs", "20-00-01", number)
        return accounts.propose_account(who, payee, starts=FROM, reason="asked by phone")


def held(client: TestClient) -> list[selectors.HeldAccount]:
    with client.acting("checker"):
        return selectors.held_accounts(show_bank=True)


def test_another_account_waits_and_the_one_before_stands_until_somebody_else_approves(client, jo):
    asked = propose(client, jo)
    assert asked.held and on_file(client) == [WAS]
    [one] = held(client)
    assert (one.account.account_number, one.content_hash) == ("11111111", asked.content_hash)
    with client.acting("checker"):
        with pytest.raises(ContentChanged):
            accounts.approve_account(asked.proposal_id, content_hash="0" * 64)
        accounts.approve_account(asked.proposal_id, content_hash=asked.content_hash)
    assert on_file(client) == NOW and held(client) == []
    with client.acting("checker"), pytest.raises(Conflict, match="approved already"):
        accounts.approve_account(asked.proposal_id, content_hash=asked.content_hash)


def test_whoever_proposed_an_account_does_not_approve_it(client, jo):
    asked = propose(client, jo, "lead")
    with pytest.raises(MakerIsNotChecker), client.acting("lead"):
        accounts.approve_account(asked.proposal_id, content_hash=asked.content_hash)
    with pytest.raises(NotPermitted), client.acting("specialist"):
        accounts.approve_account(asked.proposal_id, content_hash=asked.content_hash)
    assert on_file(client) == [WAS]


def test_a_file_proposes_and_whoever_uploaded_it_does_not_approve(client, jo):
    taken = client.take("people", _file(client), role="lead").taken[0]
    assert taken.counts == {"people": 0, "changed": 0, "accounts held for a second person": 1}
    [one] = held(client)
    with pytest.raises(MakerIsNotChecker), client.acting("lead"):
        accounts.approve_account(one.proposal_id, content_hash=one.content_hash)
    assert take(
        client, person(**OTHER), person(payroll_number="T2", account_number="2" * 8), name="c.csv"
    ) == {
        "people": 1,
        "changed": 0,
    }, "the same is held once"
    assert approve_accounts(client) == 1
    assert NOW[1] in on_file(client)


def _file(client: TestClient):
    from tests.people.test_people_files import HEADINGS

    return client.file("b.csv", HEADINGS, [person(**OTHER)])


def test_what_is_refused_or_withdrawn_or_overtaken_is_held_no_more(client, jo):
    first = propose(client, jo)
    propose(client, jo, number="22222222")
    with client.acting("checker"):
        [one] = selectors.held_accounts()
        accounts.refuse_account(one.proposal_id, reason="the person knows of nothing")
    third = propose(client, jo, number="33333333")
    with client.acting():
        accounts.withdraw_account(third.proposal_id, reason="typed wrong")
        outcomes = dict(
            AccountDecision.objects.filter(client_id=client.id).values_list("proposal_id", "outcome")
        )
    assert outcomes == {
        first.proposal_id: "superseded",
        one.proposal_id: "refused",
        third.proposal_id: "withdrawn",
    }
    assert held(client) == [] and on_file(client) == [WAS]


def test_first_accounts_wait_too_where_the_clients_policy_says_so(client):
    with pytest.raises(NotPermitted), client.acting("specialist"):
        accounts.set_account_policy(True, reason="many starters we never met")
    with client.acting("checker"):
        accounts.set_account_policy(True, reason="many starters we never met")
    assert take(client, person())["accounts held for a second person"] == 1
    assert on_file(client) == []
    assert approve_accounts(client) == 1
    assert on_file(client) == [WAS]


def test_no_digit_of_an_account_stands_in_the_audit_trail_or_in_what_was_asked(client, jo):
    propose(client, jo)
    approve_accounts(client)
    with client.acting():
        kept = [str(e.detail) for e in AuditEvent.objects.filter(client_id=client.id)]
        kept += [str(r.result) for r in CommandRun.objects.filter(client_id=client.id)]
    assert any("propose" in e or "content_hash" in e for e in kept)
    assert not any("11111111" in e or "200001" in e or "20-00-01" in e for e in kept)


def test_an_account_begins_after_the_one_on_file_and_is_another_one(client, jo):
    with client.acting():
        with pytest.raises(InputRefused, match="stands since 2026-01-05"):
            accounts.propose_account(
                jo, Payee.of("Jo", "200001", "11111111"), starts=date(2026, 1, 5), reason="x"
            )
        with pytest.raises(Conflict, match="on file already"):
            accounts.propose_account(jo, Payee.of("Jo", "200000", "00000001"), starts=FROM, reason="x")
        with pytest.raises(InputRefused) as refused:
            Payee.of("Jo", "20", "x")
    assert {p.field for p in refused.value.problems} == {"sort_code", "account_number"}


# --- what a run says, and Today ----------------------------------------------------------------------------


def test_a_run_warns_of_what_is_held_and_pays_the_account_on_file(client):
    temps = [Temp("T1", "Jo Bloggs"), Temp("T2", "Al Green", customer="BETA")]
    set_up(client, temps)
    client.take("timesheets", hours_file(client, temps))
    with client.acting():
        jo = Person.objects.get(client_id=client.id, payroll_number="T1").counterparty_id
    propose(client, jo)
    steps.calculate(client.staff["specialist"], client.id, PAY_DATE)
    with client.acting("checker"):
        run = PayRun.objects.get(client_id=client.id)
        [odd] = review.oddities(run)
        assert odd.people == (("T1", "Jo Bloggs"),) and "waits" in odd.what
        found = [t for t in duties.tasks() if t.duty.permission == "people.approve"]
        assert [t.duty.what for t in found] == ["Check the other account of T1"] and found[0].state == "mine"
    with client.acting("specialist"):
        assert [t.state for t in duties.tasks() if t.duty.permission == "people.approve"] == ["colleague"]


def test_what_is_odd_about_people_is_said_with_its_remedy(client):
    take(
        client,
        person(ni_number="QQ123456C"),
        person(payroll_number="T2", ni_number="QQ 12 34 56 C"),
        person(payroll_number="T3", account_number="00000003", leave_date="2026-06-30"),
        person(payroll_number="T4", account_number="00000004"),
    )
    take(
        client,
        person(payroll_number="T3", account_number="00000033", account_from="2026-11-20"),
        name="b.csv",
    )
    approve_accounts(client)
    with client.acting():
        rows = selectors.person_warnings(FIRST, LAST, PAY_DATE)
    assert [(w.payroll_number, w.kind) for w in rows] == [
        ("T1", "number twice"), ("T1", "shared account"), ("T2", "number twice"), ("T2", "shared account"),
        ("T3", "leaver's account"),
    ]  # fmt: skip
    assert "T2" in rows[0].problem and all(w.remedy for w in rows)


# --- pages and the command line ----------------------------------------------------------------------------


def post(client: TestClient, role: str, name: str, *args: object, **given: str):
    return signed_in(client.staff[role]).post(reverse(name, args=[client.code, *args]), given)


def page(client: TestClient, role: str, name: str, *args: object, **asked: str) -> str:
    return signed_in(client.staff[role]).get(reverse(name, args=[client.code, *args]), asked).content.decode()


def test_an_account_is_proposed_on_one_page_and_approved_on_another(client, jo):
    typed = {
        "starts": "2026-11-20", "account_name": "Jo Bloggs", "sort_code": "20-00-01",
        "account_number": "11111111", "reason": "asked by phone",
    }  # fmt: skip
    assert post(client, "specialist", "people:account_propose", "T1", **typed).status_code == 303
    assert "Another account waits" in page(client, "specialist", "people:person", "T1")
    mine = page(client, "specialist", "people:accounts")
    assert "Take back" in mine and "account_approve" not in mine and "11111111" not in mine
    seen = page(client, "checker", "people:accounts", show="bank")
    [one] = held(client)
    assert "11111111" in seen and one.content_hash in seen and "00000001" in seen
    where = "people:account_approve"
    assert post(client, "checker", where, one.proposal_id, content_hash=one.content_hash).status_code == 303
    assert on_file(client) == NOW
    assert "approved" in page(client, "checker", "people:accounts")


@pytest.mark.behaviour("PRIV-01", part="masking")
def test_held_accounts_stay_dots_for_a_role_that_may_not_see_them(firm: Firm, client, jo):
    propose(client, jo)
    auditor = firm.new_user()
    firm.grant(auditor, client.id, "auditor", ends=date(2099, 1, 1))
    where = reverse("people:accounts", args=[client.code])
    seen = signed_in(auditor).get(where, {"show": "bank"}).content.decode()
    assert "11111111" not in seen and "Show bank details" not in seen


def test_held_accounts_are_listed_approved_and_refused_as_typed(cli: Cli, staffed: TestClient, mail):  # noqa: F811
    take(staffed, person())
    take(staffed, person(**OTHER), name="b.csv")
    shown = cli("people", "held-accounts", staffed.code, who=mail["checker"])
    [one] = held(staffed)
    assert one.content_hash[:16] in shown.out and "11111111" not in shown.out
    ask = ("people", "approve-account", staffed.code, "T1")
    seen = ("--yes", "--content", one.content_hash[:16])
    assert cli(*ask, *seen, who=mail["specialist"]).code == 1
    unsaid = cli(*ask, who=mail["checker"])
    assert unsaid.code == 1 and one.content_hash[:16] in unsaid.err and OTHER["account_number"] in unsaid.out
    other = cli(*ask, "--yes", "--content", "0" * 16, who=mail["checker"])
    assert other.code == 1 and on_file(staffed) != NOW
    assert cli(*ask, *seen, who=mail["checker"]).code == 0
    assert on_file(staffed) == NOW
    gone = cli("people", "refuse-account", staffed.code, "T1", "--reason", "no", who=mail["checker"])
    assert gone.code == 1 and "no account of T1 is held" in gone.err
    policy = cli(
        "people", "account-policy", staffed.code, "--hold-first", "--reason", "rule", who=mail["checker"]
    )
    assert policy.code == 0 and "wait for a second person" in policy.out


# --- around the application --------------------------------------------------------------------------------

ACCOUNT = """INSERT INTO people_bankaccount (id, client_id, person_id, starts, ends, account_name, sort_code,
  account_number, fingerprint, proposal_id)
  SELECT gen_random_uuid(), p.client_id, p.person_id, p.starts, NULL, p.account_name, p.sort_code,
    p.account_number, {fingerprint}, {proposal}
  FROM people_accountproposal p WHERE p.client_id = %(client)s"""
END = "UPDATE people_bankaccount SET ends = '2026-11-19' WHERE client_id = %(client)s AND ends IS NULL"
APPROVE = """INSERT INTO foundation_approval (id, client_id, subject_kind, subject_id, content_hash, user_id)
  SELECT gen_random_uuid(), client_id, 'account_change', id, content_hash, %(user)s
  FROM people_accountproposal WHERE client_id = %(client)s"""


def raw(client: TestClient, role: str, *statements: str) -> None:
    """Statements as the app's own role, in one transaction of a scope that writes the client."""
    values = {"client": client.id, "user": client.staff[role].id, "some": uuid4()}
    with connect() as app:
        enter(app, client.staff[role], write=client.id)
        for sql in statements:
            app.execute(sql, values)
        app.commit()


def test_raw_sql_writes_no_other_account_without_an_approval(client, jo):
    propose(client, jo)
    for proposal in ("NULL", "p.id"):
        with pytest.raises(psycopg.Error, match=r"second person|another person approved"):
            raw(client, "lead", END, ACCOUNT.format(fingerprint="p.fingerprint", proposal=proposal))
    assert on_file(client) == [WAS]


def test_raw_sql_by_its_maker_approves_nothing(client, jo):
    propose(client, jo, "lead")
    with pytest.raises(psycopg.Error, match="maker is not checker"):
        raw(client, "lead", APPROVE)
    with pytest.raises(psycopg.Error, match="nobody approved"):
        raw(
            client,
            "lead",
            "INSERT INTO people_accountdecision (id, client_id, outcome, reason, by_user_id) "
            "SELECT id, client_id, 'approved', '', %(user)s FROM people_accountproposal",
        )


def test_raw_sql_writes_only_the_account_that_was_approved(client, jo):
    propose(client, jo)
    with pytest.raises(psycopg.Error, match="only as another person approved"):
        raw(client, "checker", APPROVE, END, ACCOUNT.format(fingerprint="'\\x01'::bytea", proposal="p.id"))
    raw(client, "checker", APPROVE, END, ACCOUNT.format(fingerprint="p.fingerprint", proposal="p.id"))
    with client.acting():
        assert BankAccount.objects.filter(client_id=client.id, ends=None, proposal__isnull=False).count() == 1


def test_raw_sql_changes_no_proposal_and_brings_no_account_back(client, jo):
    propose(client, jo)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        raw(client, "lead", "UPDATE people_accountproposal SET fingerprint = '\\x00'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        raw(client, "lead", "DELETE FROM people_accountproposal")
    approve_accounts(client)
    with pytest.raises(psycopg.Error, match="keeps it"):
        raw(
            client,
            "lead",
            "UPDATE people_bankaccount SET ends = NULL WHERE client_id = %(client)s AND ends IS NOT NULL",
        )


def test_whoever_approved_an_account_made_no_part_of_the_person(client, jo):
    propose(client, jo)
    approve_accounts(client)
    with client.acting("checker"):
        from engineroom.foundation.approvals.selectors import makers

        assert [m.user_id for m in makers("person", jo)] == [client.staff["specialist"].id]
        assert AccountProposal.objects.filter(client_id=client.id).count() == 1
