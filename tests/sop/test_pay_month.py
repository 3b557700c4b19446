"""The ready pay month, for people on a schedule: its steps calculate, approve, release, record and print."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from engineroom.foundation import vault
from engineroom.foundation.approvals.models import Release
from engineroom.foundation.tenancy.scope import acting
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import Conflict, InputRefused, NotPermitted
from engineroom.ledger.models import Posting
from engineroom.payday import commands
from engineroom.payroll.models import PayRun
from engineroom.settlement.models import BankLine, BatchStage, OwnAccount, PaymentBatch
from engineroom.sop import drafts, services
from engineroom.sop.models import Case, Task
from tests.firm import Firm, TestClient
from tests.payroll.months import Employee, monthly, people
from tests.settlement.bank import Booked, document, statement
from tests.sop.writing import publish_ready

PAY_DATE = date(2026, 11, 25)
BEGUN = {"schedule": "MONTHLY", "pay_date": PAY_DATE.isoformat(), "cut_off": "2026-11-18"}


@pytest.fixture(scope="module")
def office(firm: Firm) -> TestClient:
    """A client that pays two people by the month, and a contact who answers."""
    client = firm.new_client()
    client.staff["contact"] = firm.new_user("client")
    firm.grant(client.staff["contact"], client.id, "client_finance")
    client.staff["other lead"] = firm.new_user()
    firm.grant(client.staff["other lead"], client.id, "lead")
    monthly(client, people(client, Employee(), Employee("E2", 24_000_00)))
    publish_ready(firm, "pay_month", "bank_reconciliation")
    return client


def open_task(client: TestClient, step: str) -> Task:
    with client.acting("lead"):
        return Task.objects.get(client_id=client.id, step=step, ended_at=None)


def run(client: TestClient, who: str, step: str) -> services.TaskDone:
    task = open_task(client, step)
    with client.acting(who):
        return services.run_step(task.id)


def do(client: TestClient, who: str, step: str, **shown: Any) -> services.TaskDone:
    task = open_task(client, step)
    with client.acting(who):
        return services.complete(task.id, **shown)


def accept(client: TestClient, who: str, step: str) -> None:
    task = open_task(client, step)
    with client.acting(who):
        services.accept(task.id)


def to_the_clients_answer(office: TestClient) -> None:
    """From the changes to the question whether the figures are right."""
    do(office, "specialist", "enter_the_changes", checks=[1, 2])
    accept(office, "other lead", "enter_the_changes")
    run(office, "specialist", "calculate_the_month")
    do(office, "specialist", "explain_the_variances", values={"variances": "none"})
    run(office, "lead", "approve")


def answer(office: TestClient, step: str, values: dict[str, str], **files: Any) -> None:
    task = open_task(office, step)
    with office.acting("contact"):
        services.answer(task.id, values, files)


def test_a_pay_month_pays_people_by_its_own_steps(office: TestClient) -> None:
    """The client refuses once: it is entered, calculated and approved again, and only then paid."""
    with office.acting("specialist"):
        number = services.start_case("pay_month", values=BEGUN).number
    task = open_task(office, "ask_for_this_month_s_changes")
    with office.acting("contact"):
        kept = vault.store(b"x", name="changes.csv", kind="sop.evidence", subject_id=task.id).id
        services.answer(task.id, {"no_others": "yes"}, {"changes": kept})
    to_the_clients_answer(office)
    answer(office, "the_client_approves", {"approved": "no", "wrong": "a raise is missing"})
    to_the_clients_answer(office)
    answer(office, "the_client_approves", {"approved": "yes"})

    task = open_task(office, "release_the_payments")
    with office.acting("lead"), pytest.raises(NotPermitted):
        services.run_step(task.id)
    run(office, "checker", "release_the_payments")
    with office.acting("lead"):
        paid = PayRun.objects.get(client_id=office.id, pay_date=PAY_DATE)
        assert Release.objects.filter(client_id=office.id, subject_id=paid.id).count() == 1
        batch = PaymentBatch.objects.get(client_id=office.id, subject_id=paid.id)
        assert batch.count == 2
        assert Posting.objects.filter(client_id=office.id).exists()

    shown = {"submission": "S1", "submitted_on": "2026-11-23"}
    do(office, "bookkeeper", "submit_the_payment_file", values=shown, checks=[1])
    accept(office, "checker", "submit_the_payment_file")
    run(office, "bookkeeper", "record_the_submission")
    run(office, "specialist", "make_the_payslips")
    run(office, "specialist", "send_the_payslips")
    do(office, "specialist", "report_to_the_tax_authority", values={"receipt": "R1"})
    do(office, "bookkeeper", "look_at_the_accounts", checks=[1])
    over = do(office, "specialist", "tell_the_client", values={"report": "what to pay, by when"})
    assert over.case_state == "done"
    with office.acting("lead"):
        assert BatchStage.objects.get(client_id=office.id, batch=batch).evidence == "S1"
        printed = VaultFile.objects.filter(client_id=office.id, name__startswith=f"payslip-{PAY_DATE}")
        assert printed.count() == 2
        carried = Case.objects.get(client_id=office.id, number=number).values
        assert carried["run_id"] == str(paid.id)


def test_a_released_run_is_calculated_no_more(office: TestClient) -> None:
    with office.acting("specialist"), pytest.raises(Conflict, match="is released"):
        commands.calculate_run("MONTHLY", PAY_DATE)


def test_a_command_that_lacks_what_the_case_should_say_is_refused_in_words(
    office: TestClient, firm: Firm
) -> None:
    text = """---
procedure: lacking
title: Lacking
fields:
  run_id: {title: Run, required: no}
---
A command whose run is never said.

## Print
```yaml
who: specialist
command: payroll.issue_payslips
with:
  run_id: $run_id
```
"""
    with acting(firm.owner, write=firm.house_id):
        drafts.publish(text)
    with office.acting("specialist"):
        services.start_case("lacking")
    task = open_task(office, "print")
    with office.acting("specialist"), pytest.raises(InputRefused) as refused:
        services.run_step(task.id)
    assert [(p.problem, p.remedy) for p in refused.value.problems] == [
        ("run_id is not known", "the case does not say run_id yet")
    ]


def test_the_statement_that_was_shown_is_the_statement_that_is_taken_in(office: TestClient) -> None:
    """A file that is no statement is refused and the step stays open; what is one is taken once."""
    with office.acting("bookkeeper"):
        services.start_case("bank_reconciliation", values={"through": "2026-11-30"})
    good = document(statement([Booked(120_00, "refund", "J Whittaker", "SB1")])).encode()
    task = open_task(office, "bring_the_statement_in")
    with office.acting("bookkeeper"):
        ids = [
            vault.store(content, name=name, kind="sop.evidence", subject_id=task.id).id
            for name, content in (("wrong.xml", b"no statement"), ("right.xml", good))
        ]
        services.complete(task.id, checks=[1], files={"statement": ids[0]})
    with office.acting("bookkeeper"), pytest.raises(InputRefused):
        commands.take_statement(ids[0])
    with office.acting("bookkeeper"):
        assert commands.take_statement(ids[1]).again is False
        assert commands.take_statement(ids[1]).again is True
        assert BankLine.objects.get(client_id=office.id).amount == 120_00
    task = open_task(office, "take_the_statement_in")
    with office.acting("bookkeeper"), pytest.raises(InputRefused):
        services.run_step(task.id)
    assert open_task(office, "take_the_statement_in").id == task.id


def test_the_books_are_proved_by_a_command(office: TestClient) -> None:
    with office.acting("bookkeeper"):
        proved = commands.prove_books()
        books = {account.code for account in OwnAccount.objects.filter(client_id=office.id)}
    assert proved.control_accounts >= 3
    assert proved.proofs > proved.control_accounts + len(books)
