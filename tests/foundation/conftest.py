"""A client through whose every table something has gone, for tests that look at all of them."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone
from tests.firm import (
    MONDAY,
    PAY_DATE,
    WEEK_ENDS,
    Firm,
    Temp,
    TestClient,
    approve_accounts,
    run_payday,
    set_up,
)
from tests.payroll import months
from tests.sop.writing import procedure_text
from tests.templates.writing import published

from engineroom.billing import margin, supplier_bills
from engineroom.billing.models import Invoice, InvoiceMirror
from engineroom.billing.supplier_bills import BillLine, BillSaid
from engineroom.demo import bank
from engineroom.foundation import duties, vault
from engineroom.foundation.access import services as access
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.audit import services as audit
from engineroom.foundation.engagement import services as engagement
from engineroom.foundation.engagement.selectors import ServiceLine
from engineroom.foundation.tenancy.models import ClientModel
from engineroom.foundation.tenancy.scope import acting
from engineroom.kernel.ids import uuid7
from engineroom.leave import entitling
from engineroom.leave import services as leave
from engineroom.leave.models import LeaveKind
from engineroom.ledger import services as ledger
from engineroom.ledger.charts import STAFFING
from engineroom.openitems.models import Counterparty
from engineroom.payroll import (
    account_map,
    batch,
    claims,
    client_approval,
    cut_off,
    debts,
    handing_over,
    items,
    liabilities,
    orders,
    reopening,
    reversal,
    schedules,
    workbook_imports,
)
from engineroom.payroll.models import PayRun
from engineroom.people import accounts, employment, terms
from engineroom.people import services as people
from engineroom.people.engine import Agreed
from engineroom.people.models import Employment, Person
from engineroom.quality import services as quality
from engineroom.quality.clocks import OFFICE
from engineroom.settlement import by_hand, clearing, layouts
from engineroom.settlement import services as settlement
from engineroom.settlement.formats.mapped import Mapping
from engineroom.sop import drafts
from engineroom.sop import services as sop
from engineroom.sop.models import CaseMove, Task
from engineroom.templates import services as templates
from engineroom.timesheets import asking, rates
from engineroom.timesheets import services as timesheets
from engineroom.timesheets.models import (
    AnswerRequest,
    Assignment,
    EnteredDay,
    EnteredWeek,
    Hold,
    RequestedWeek,
)
from engineroom.web import letters
from engineroom.web.models import Letter, Link

IBAN = "GB24MIDL20000055667788"
CLIENT_MODELS = [m for m in apps.get_models() if issubclass(m, ClientModel)]
CLIENT_TABLES = sorted(m._meta.db_table for m in CLIENT_MODELS)
HISTORY_TABLES = sorted(m._meta.db_table for m in CLIENT_MODELS if m.history)


@pytest.fixture(scope="session")
def busy(firm: Firm) -> TestClient:
    """A client with rows in every table of every room. Look at it; don't change it."""
    client = firm.new_client(with_books=False)
    with client.acting("bookkeeper"):
        ledger.open_book(STAFFING)
        settlement.add_own_account(
            "main", client.code, sort_code="200000", account_number="55667788", service_user_number="123456",
            iban=IBAN,
        )  # fmt: skip
        layouts.confirm_layout("main", "0" * 64, Mapping("qif", "%d/%m/%Y").as_dict())
    temps = [
        Temp("T1", pension="relief_at_source"),
        Temp("T2", "Al Smith", customer="BETA", status="disputed"),
        Temp("T3", "Bo Jones", customer="BETA", order="PO1"),
    ]
    limited = [("BETA", number, "2026-01-01", "", "5000.00", "") for number in ("PO1", "PO2")]
    set_up(client, temps, limited)
    day = run_payday(client, temps)
    assert day.batch is not None
    _end_the_hold(client)
    _void_an_approval(client)
    _clear(client, day.batch)
    _say_terms(client)
    _let_in(firm, client)
    _hold_an_account(client)
    _write_to_the_person(client)
    _calculate_a_month(client)
    _take_back(client)
    _hand_an_approval_over(firm, client)
    _agree(client)
    _explain_and_take_back(client)
    _owe(client)
    _work(firm, client)
    _away(client)
    _agree_on_rates(client)
    _enter_a_week(client)
    _set_a_floor(client)
    _follow(firm, client)
    with client.acting("bookkeeper"):
        ledger.lock_period(PAY_DATE - timedelta(days=60), reason="test")
    with acting(access.system_user(), write=client.id):
        audit.seal()
        ledger.seal_batches()
    with client.acting("bookkeeper"):
        settlement.record_stage(day.batch.id, "submitted", on=PAY_DATE, evidence="seen")  # stays unsealed
    return client


def _end_the_hold(client: TestClient) -> None:
    with client.acting("specialist"):
        hold = Hold.objects.filter(client_id=client.id).first()
        assert hold is not None
        timesheets.end_holds(
            hold.charge.time_entry.timesheet_id, outcome="billable", reason="the customer agreed"
        )


def _void_an_approval(client: TestClient) -> None:
    with client.acting("lead"):
        subject = uuid7()
        approvals.approve("rehearsal", subject, bytes(32))
        assert approvals.void_if_changed("rehearsal", subject, bytes(range(32)), "it was only a rehearsal")


def _say_terms(client: TestClient) -> None:
    with client.acting():
        person = Person.objects.filter(client_id=client.id).earliest("payroll_number")
        day = Employment.objects.get(client_id=client.id, person=person).starts
        agreed = Agreed("salary", 24_000_00, 2_250)
        terms.set_terms(person.counterparty_id, agreed, starts=day, reason="as the letter says")


def _hold_an_account(client: TestClient) -> None:
    """Another account for somebody, held, approved by a second person and in force later."""
    with client.acting("checker"):
        accounts.set_account_policy(False, reason="we meet everybody")
    with client.acting():
        person = Person.objects.filter(client_id=client.id).latest("payroll_number")
        payee = accounts.Payee.of(person.name, "20-00-01", "11111111")
        day = PAY_DATE + timedelta(days=90)
        accounts.propose_account(person.counterparty_id, payee, starts=day, reason="asked by phone")
        employment.end_employment(
            person.counterparty_id, last_day=PAY_DATE + timedelta(days=900), why="end_of_contract"
        )
    assert approve_accounts(client) == 1


def _calculate_a_month(client: TestClient) -> None:
    """A month of one salary with all that a month may have, returned by who looked at it, and answered."""
    with client.acting():
        person = Person.objects.filter(client_id=client.id).earliest("payroll_number").counterparty_id
        schedules.add_pay_schedule(
            "MONTHLY",
            "Monthly",
            frequency="monthly",
            anchor=date(2026, 1, 1),
            pay_rule="day_of_month",
            pay_day=25,
        )
        schedules.put_on_schedule(person, "MONTHLY", starts=PAY_DATE.replace(day=1))
        items.add_recurring_pay(person, "commission_pay", 50_00, starts=PAY_DATE.replace(day=1), total=120_00)
        said = orders.OrderSaid(
            "priority", "A1", "COURT", PAY_DATE, PAY_DATE.replace(day=1), {"normal_deduction": 5_00},
            creditor_name="The Court",
        )  # fmt: skip
        order = orders.add_pay_order(person, said, reason="as the notice says")
        later = PAY_DATE + timedelta(days=30)
        orders.vary_pay_order(
            order.order_id, starts=later, stated={"normal_deduction": 6_00}, reason="varied"
        )
        owed = debts.DebtSaid("advance", "D1", 40_00, 5_00, PAY_DATE.replace(day=1))
        debt = debts.add_debt(person, owed, reason="a day before payday")
        debts.vary_debt(debt.debt_id, starts=later, instalment=4_00, leaves=0, reason="sooner")
        items.add_pay_item(person, "bonus_pay", 100_00, period=PAY_DATE, reason="a good month")
        items.carry_in(person, "2026-27", "taxable_pay", 1_000_00, reason="from the bureau before")
        batch.keep_batch_result(
            uuid7(), action="calculate", pay_date=PAY_DATE, outcome="done", words="rehearsed"
        )
        entitling.offer_ready_kinds()
        kind, ill = LeaveKind.objects.get(client_id=client.id, code="sickness"), PAY_DATE - timedelta(days=4)
        leave.record(person, kind.id, leave.Stretch(ill, ill))
        earnings = {"relevant_earnings": 4_000_00, "relevant_periods": 8}
        claims.state_claim(person, "ssp", ill, earnings, reason="from the bureau before")
    with client.acting("lead"):
        client_approval.say_client_approval("wanted", starts=PAY_DATE, reason="as agreed")
        client_approval.say_client_approval(
            "wanted", starts=PAY_DATE.replace(day=1), schedule="MONTHLY", reason="as agreed"
        )
    with client.acting("bookkeeper"):
        bonus = account_map.Mapped("cost.bonus_pay", "5000", PAY_DATE.replace(day=1))
        account_map.map_accounts([bonus], reason="as it was")
        liabilities.say_liability("HMRC", "employment_allowance", 1_00, day=PAY_DATE, reason="claimed")
    run_id = months.open_run(client, PAY_DATE.replace(day=25))
    _bring_a_workbook(client)
    months.calculated(client, run_id)
    done = months.calculated(client, run_id)  # again: what orders took and claims paid has two rows
    with client.acting("lead"):
        said = reopening.return_pay_run(run_id, content_hash=done.content_hash, comment="why a bonus?")
    with client.acting():
        reopening.answer_comment(said.comment_id, words="it was a good month")


def _take_back(client: TestClient) -> None:
    """A payslip that another run is to take back, and pay anew."""
    with client.acting():
        run = PayRun.objects.get(client_id=client.id, number=1)
        reversal.reverse_payslips(run.id, reason="rehearsed", payroll_numbers=["T1"], replace=True)


def _hand_an_approval_over(firm: Firm, client: TestClient) -> None:
    approvers = [firm.new_user("client") for _ in range(2)]
    for user in approvers:
        firm.grant(user, client.id, "client_approver")
    with acting(approvers[0], write=client.id):
        handing_over.hand_over(approvers[1].id, until=duties.today(), reason="away today")


def _bring_a_workbook(client: TestClient) -> None:
    """A period's workbook, and late inputs let in to another schedule's."""
    pay_date = PAY_DATE.replace(day=25)
    rule = {"frequency": "monthly", "anchor": date(2026, 1, 1), "pay_rule": "day_of_month", "pay_day": 25}
    with client.acting("lead"):
        schedules.add_pay_schedule("CLOSING", "With a cut-off", cut_off_days=1, **rule)
        cut_off.let_late_inputs_in("CLOSING", pay_date, until=pay_date, reason="a month of rehearsal")
        name, content, _ = workbook_imports.workbook_of("MONTHLY", pay_date)
    path = client.folder / name
    path.write_bytes(content)
    client.take("workbook", path)


def _write_to_the_person(client: TestClient) -> None:
    with client.acting("lead"):
        person = Person.objects.filter(client_id=client.id).earliest("payroll_number")
        link = letters.new_link("payslip", uuid7(), "t1@mail.example", person_id=person.counterparty_id)
        words = {"name": person.name, "firm": "the firm"}
        draft = letters.Draft(link, "Something to read", "web/mail_approve.txt", words)
        mailing = letters.write("payslip", ("rehearsal", uuid7()), "A letter", [draft])
        letters.leave(Letter.objects.filter(client_id=client.id, mailing_id=mailing), "it was a rehearsal")


def _let_in(firm: Firm, client: TestClient) -> None:
    """A person with a login, and a link that was opened."""
    user = firm.new_user("employee")
    firm.grant(user, client.id, "employee")
    digest = hashlib.sha256(b"token").digest()
    with client.acting("lead") as scope:
        person = Person.objects.filter(client_id=client.id).first()
        assert person is not None
        people.give_login(person.counterparty_id, user.id, starts=PAY_DATE)
        link = Link.objects.create(
            client_id=client.id,
            sha256=digest,
            kind="payslip",
            subject_id=uuid7(),
            for_person=person,
            address="t1@mail.example",
            expires_at=timezone.now() + timedelta(days=1),
            by_user_id=scope.user.id,
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT app_use_link(%s, %s)", [link.id, digest])


def _work(firm: Firm, client: TestClient) -> None:
    """A case with evidence, that went to another version."""
    with acting(firm.owner, write=firm.house_id):
        first = drafts.publish(procedure_text("busy"))
        second = drafts.publish(procedure_text("busy", title="Busier"))
    with client.acting("lead"):
        begun = sop.start_case("busy", values={"day": "2026-11-27"})
        task = Task.objects.get(client_id=client.id, case_id=begun.case_id)
        sop.comment(begun.case_id, "begun")
        file = vault.store(b"list", name="list.csv", kind="sop.evidence")
        sop.add_evidence(task.id, "list", file_id=file.id)
        there = _move(client, begun.case_id, first.version_id, second.version_id)
        _move(client, begun.case_id, second.version_id, first.version_id, undoes_id=there.id)


def _away(client: TestClient) -> None:
    """Sickness with its certificate, taken back again."""
    with client.acting("specialist"):
        entitling.offer_ready_kinds()
        person = Person.objects.filter(client_id=client.id, payroll_number="T1").get()
        kind = LeaveKind.objects.get(client_id=client.id, code="sickness")
        booked = leave.record(person.counterparty_id, kind.id, leave.Stretch(PAY_DATE, PAY_DATE))
        file = vault.store(b"ill", name="note.txt", kind="leave.evidence", subject_id=booked.booking_id)
        leave.add_evidence(booked.booking_id, "self_certificate", PAY_DATE, PAY_DATE, file_id=file.id)
        leave.cancel(booked.booking_id, reason="it was another day")


def _agree_on_rates(client: TestClient) -> None:
    """A card under an agreement for a site, edited once an hour was recorded by it."""
    day = PAY_DATE + timedelta(days=10)
    with client.acting():
        row = (
            Assignment.objects.filter(client_id=client.id)
            .select_related("customer", "person")
            .earliest("code")
        )
        rates.add_site(row.customer.code, "N", "North")
        agreement = rates.add_agreement(row.customer.code, "AG-1", site="N").agreement_id
        card = rates.add_rate_card(agreement, row.role, day, pay_rate=15_00, bill_rate=21_00)
        rates.follow_agreement(row.id, agreement, day)
    headings = ("assignment", "payroll_number", "date", "hours")
    line = (row.code, row.person.payroll_number, day.isoformat(), "8")
    client.take("timesheets", client.file("by-card.csv", headings, [line]))
    with client.acting():
        seen = rates.preview_edit(card.card_id, rates.Terms(15_00, 22_00))
        rates.edit_rate_card(
            card.card_id, **vars(seen.after), content_hash=seen.content_hash, reason="rehearsed"
        )


def _enter_a_week(client: TestClient) -> None:
    """A draft as a worker would keep it."""
    with client.acting("specialist"):
        placed = Assignment.objects.filter(client_id=client.id).earliest("code")
        mine = {"client_id": client.id, "person_id": placed.person_id}
        week = EnteredWeek.objects.create(**mine, assignment=placed, week_ending=WEEK_ENDS)
        EnteredDay.objects.create(**mine, week=week, day=WEEK_ENDS, minutes=480)
        code = placed.customer.code
        asking.set_answer_policy(
            code, asking.Answers("Ann", "ann@acme.example", "", "", 0, 0, 0), starts=MONDAY
        )
        policy = asking.policies()[0]
        asked = {"client_id": client.id, "customer": placed.customer}
        request = AnswerRequest.objects.create(**asked, policy=policy, week_ending=WEEK_ENDS)
        RequestedWeek.objects.create(client_id=client.id, request=request, week=week)
        asking.note(request.id, "withdrawn", "it was a rehearsal")


def _set_a_floor(client: TestClient) -> None:
    with client.acting("checker"):
        margin.set_margin_floor(PAY_DATE + timedelta(days=300), 100_000, reason="rehearsed")
        customer = Counterparty.objects.filter(client_id=client.id, kind="customer").earliest("code")
        margin.allow_below_floor(customer.code, "Operative", 15_00, 15_50, reason="rehearsed")


def _follow(firm: Firm, client: TestClient) -> None:
    """A template that the client follows with a value of its own, applied."""
    version = published(firm, {"Promises": {"all_others": {"name": "Two days", "minutes": "2880"}}})
    with client.acting("lead"):
        templates.follow(version.key, reason="as agreed")
        templates.have_otherwise("promises", "all_others", "minutes", "4320", reason="they have three")
        templates.apply_template(PAY_DATE)


def _move(client: TestClient, case_id: UUID, start: UUID, to: UUID, **more: UUID) -> CaseMove:
    return CaseMove.objects.create(
        client_id=client.id,
        case_id=case_id,
        from_version_id=start,
        to_version_id=to,
        batch=uuid7(),
        reason="rehearsed",
        **more,
    )


def _clear(client: TestClient, batch) -> None:
    path = bank.write_statement(
        client.folder / "statement.xml",
        account=bank.OwnAccountFacts(IBAN, "200000", "55667788", client.code),
        batch=bank.BatchFacts(batch.reference, batch.total, batch.entry_day),
        returned=[],
        receipts=[bank.ReceiptFacts(PAY_DATE, 120_00, "J WHITTAKER", "deposit refund")],
        opening_minor=0,
    )
    client.take("statement", path, role="bookkeeper")
    with client.acting("bookkeeper"):
        clearing.clear_lines()


def _agree(client: TestClient) -> None:
    with client.acting("lead"):
        quality.promise("Two days", 2 * 86_400)
        quality.set_hours(OFFICE.as_dict())
        engagement.agree_terms(
            PAY_DATE,
            agreed_on=PAY_DATE,
            agreed_with="Ms Client",
            services=[ServiceLine("payroll", "payslip", 4_50, "paid by noon")],
        )


def _owe(client: TestClient) -> None:
    """A supplier's bill that waits for a yes."""
    with client.acting("bookkeeper"):
        supplier_bills.enter_bill(
            BillSaid("PAPER", "P-1", PAY_DATE, (BillLine("Paper", 10_00),), 2_00, supplier_name="Paper Ltd")
        )
        invoice = Invoice.objects.filter(client_id=client.id).earliest("number")
        InvoiceMirror.objects.create(client_id=client.id, invoice=invoice, to_client_id=uuid7())


def _explain_and_take_back(client: TestClient) -> None:
    """The deposit refund of the statement, which no rule clears."""
    with client.acting("bookkeeper"):
        line = clearing.open_exceptions()[0].line
        said = by_hand.explain_line(line.id, parts=[], account="2900", reason="a deposit")
    with client.acting("lead"):
        by_hand.approve_explanation(line.id, content_hash=said.content_hash)
    with client.acting("bookkeeper"):
        by_hand.undo_clearing(line.id, reason="it was not")
