"""Every operation as every role of docs/roles.md, against a table; no rows at another client's address."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from django.test import Client as Browser

from engineroom.foundation.access.roles import ROLES
from engineroom.openitems.models import Counterparty
from engineroom.payroll import batch, schedules
from engineroom.payroll import services as payroll
from engineroom.people.models import Person
from engineroom.templates import services as templates
from engineroom.timesheets import rates
from engineroom.timesheets.models import PurchaseOrder
from tests.api.conftest import Caller, Worked, new_id, worked_client
from tests.firm import PAY_DATE, Firm, TestClient
from tests.templates.writing import published

READERS = {
    "owner", "lead", "specialist", "bookkeeper", "checker", "auditor", "client_finance", "client_approver",
}  # fmt: skip
PAY = {"lead", "specialist"}
HOURS = {"lead", "specialist", "client_finance", "client_approver"}
BOOKS = {"lead", "bookkeeper"}
OWN = {"employee", "worker"}
CHECKERS = {"owner", "lead", "checker", "client_approver"}
STAFF = READERS - {"client_finance", "client_approver"}
TEMPLATES = (
    "check_template", "follow", "stop_following", "have_otherwise", "accept_as_own", "be_without",
    "have_as_template", "rehearse", "apply_template",
)  # fmt: skip
RATES = ("add_site", "add_agreement", "add_rate_card", "edit_rate_card", "follow_agreement", "cover_held")
WORK = (
    "inbox", "start_case", "comment", "send_message", "cancel_case", "claim", "release", "delegate",
    "keep_file", "add_evidence", "complete", "run_step", "accept", "reject", "skip", "escalate",
    "move_due", "ask_client",
)  # fmt: skip

MAY: dict[str, set[str]] = {
    "clients.me": set(ROLES),
    "clients.clients": set(ROLES),
    "clients.client": set(ROLES),
    # Papers cannot be shown in part: a payslip shows a national identifier, a payment file accounts.
    "payroll.payslip_pdf": {"lead", "specialist", "checker"},
    "settlement.payment_file": {"owner", "lead", "checker", "bookkeeper"},
    "timesheets.end_holds": HOURS,
    **dict.fromkeys([f"timesheets.{what}" for what in RATES], HOURS),
    **{
        f"timesheets.{what}": HOURS
        for what in ("record_answer", "set_answer_policy", "ask_customer", "withdraw_request")
    },
    **dict.fromkeys((f"me.{what}" for what in ("save_week", "send_week", "take_back_week")), OWN),
    **dict.fromkeys(("me.placement_weeks", "me.entered_weeks"), OWN),
    "people.set_terms": HOURS,
    "people.withdraw_terms": HOURS,
    "people.end_employment": HOURS,
    "people.re_employ": HOURS,
    "people.propose_account": HOURS,
    "people.withdraw_account": HOURS,
    "people.approve_account": CHECKERS - {"client_approver"},
    "people.refuse_account": CHECKERS - {"client_approver"},
    "foundation.agree_terms": {"lead"},
    "foundation.preview": HOURS,
    "foundation.take": HOURS,
    "payroll.open_pay_run": PAY,
    "payroll.preview_pay_run": PAY,
    "payroll.preview_payday": PAY,
    "payroll.calculate": PAY,
    "payroll.add_pay_schedule": PAY,
    "payroll.let_late_inputs_in": {"lead"},
    "payroll.say_client_approval": {"lead"},
    "payroll.begin_batch": PAY,
    "payroll.hand_over": {"client_approver"},
    "payroll.take_back_handover": CHECKERS,
    "payroll.batches": STAFF,
    "payroll.batch": STAFF,
    "payroll.put_on_schedule": PAY,
    "payroll.map_accounts": BOOKS,
    "payroll.say_liability": BOOKS,
    "ledger.add_account": BOOKS,
    "payroll.add_pay_item": PAY,
    "payroll.withdraw_pay_item": PAY,
    "payroll.add_pay_order": PAY,
    "payroll.vary_pay_order": PAY,
    "payroll.end_pay_order": PAY,
    "payroll.add_debt": PAY,
    "payroll.vary_debt": PAY,
    "payroll.end_debt": PAY,
    "payroll.state_claim": PAY,
    "payroll.add_recurring_pay": PAY,
    "payroll.end_recurring_pay": PAY,
    "payroll.abandon_pay_run": PAY,
    "payroll.reopen_pay_run": PAY,
    "payroll.take_back_approval": CHECKERS,
    "payroll.return_pay_run": CHECKERS,
    "payroll.answer_comment": PAY,
    "payroll.reverse_payslips": PAY,
    "payroll.accept_back_pay": PAY,
    "payroll.issue_payslips": PAY,
    "payroll.approve_pay_run": CHECKERS,
    "billing.prepare_bill_run": PAY,
    "billing.set_margin_floor": CHECKERS,
    "billing.allow_below_floor": CHECKERS,
    "billing.issue_bill_run": CHECKERS - {"client_approver"},
    "billing.print_invoices": PAY,
    "billing.write_ubl": PAY,
    "billing.mirror_again": PAY,
    "billing.approve_bill_run": CHECKERS,
    "billing.enter_bill": BOOKS,
    "billing.read_einvoice": BOOKS,
    "billing.bill_of_einvoice": BOOKS,
    "billing.set_bill_account": BOOKS,
    "billing.withdraw_bill": BOOKS,
    "billing.approve_bill": CHECKERS - {"client_approver"},
    "settlement.release_and_pay": CHECKERS - {"client_approver"},
    "settlement.clear_lines": BOOKS,
    "settlement.explain_line": BOOKS,
    "settlement.withdraw_line": BOOKS,
    "settlement.undo_line": BOOKS,
    "settlement.approve_line": CHECKERS - {"client_approver"},
    "settlement.record_stage": BOOKS,
    "settlement.approve_paying_again": CHECKERS - {"client_approver"},
    "settlement.pay_again": CHECKERS - {"client_approver"},
    "quality.promise": {"lead"},
    "quality.end_promise": {"lead"},
    "leave.set_entitlement": {"lead", "specialist", "client_finance", "client_approver"},
    "leave.record": {"lead", "specialist", "client_finance", "client_approver"},
    "leave.approve": CHECKERS,
    "leave.refuse": CHECKERS,
    "leave.cancel": {"lead", "specialist", "client_finance", "client_approver"},
    "workforce.staff": STAFF,
    "workforce.record_absence": {"lead", "admin"},
    "workforce.call_off_absence": {"lead", "admin"},
    # On the house alone; its admin there is not one here.
    "workforce.offboard": set(),
    # Of a case the client's own people see what they are asked, and no more.
    **dict.fromkeys([f"sop.{what}" for what in ("procedures", "procedure", "moves")], STAFF),
    **dict.fromkeys([f"sop.{what}" for what in ("cases", "case", "events", "evidence_file")], STAFF),
    "sop.check_procedure": PAY,
    **dict.fromkeys([f"templates.{what}" for what in ("templates", "template", "followed_template")], STAFF),
    **{f"templates.{what}": {"lead"} for what in TEMPLATES},
    "templates.begin_batch": {"lead"},
    "templates.batch": STAFF,
    # On the house alone, as procedures are.
    "templates.save_template": set(),
    "templates.publish_template": set(),
    # On the house alone; who leads there leads not here.
    "sop.save_procedure": set(),
    "sop.publish_procedure": set(),
    **dict.fromkeys(("sop.rehearse_move", "sop.move_cases", "sop.move_back"), CHECKERS - {"client_approver"}),
    **dict.fromkeys([f"sop.{verb}" for verb in WORK], STAFF - {"auditor"}),
    **dict.fromkeys(("sop.requests", "sop.keep_answer_file", "sop.answer"), READERS - STAFF),
    "ledger.lock_period": BOOKS,
    "ledger.reverse_entry": BOOKS,
    # Their own, and nobody else's.
    **dict.fromkeys(("me.details", "me.weeks", "me.payslips", "me.payslip", "me.payslip_pdf"), OWN),
}
"""Who is not refused; an operation that is not here is a read, for READERS."""

NOBODY = "00000000-0000-7000-8000-000000000000"

BODIES: dict[str, Any] = {
    "timesheets.end_holds": {"outcome": "billable", "reason": "agreed"},
    "timesheets.add_site": {"customer": "NONE", "code": "N", "name": "North"},
    "timesheets.add_agreement": {"customer": "NONE", "number": "AG-2"},
    "timesheets.add_rate_card": {
        "role": "Operative",
        "starts": "2026-01-05",
        "pay_rate_minor": 1500,
        "bill_rate_minor": 2100,
    },
    "timesheets.edit_rate_card": {
        "pay_rate_minor": 1500,
        "bill_rate_minor": 2100,
        "content_hash": "0" * 64,
        "reason": "no",
    },
    "timesheets.follow_agreement": {"agreement_id": NOBODY, "starts": "2026-11-02"},
    "timesheets.record_answer": {"content": "0", "said_by": "Ann"},
    "timesheets.set_answer_policy": {
        "customer": "X",
        "starts": "2026-11-22",
        "approver_name": "Ann",
        "approver_email": "ann@x.example",
    },
    "timesheets.ask_customer": {"customer": "X", "week_ending": "2026-11-22"},
    "timesheets.withdraw_request": {"reason": "sent too early"},
    "me.save_week": {"assignment_id": NOBODY, "week_ending": "2026-11-22", "days": []},
    "me.send_week": {"content": "0"},
    "payroll.open_pay_run": {"pay_date": "2026-11-27"},
    "payroll.add_pay_schedule": {
        "code": "M",
        "name": "M",
        "frequency": "monthly",
        "anchor": "2026-11-01",
        "pay_rule": "last_banking_day",
    },
    "payroll.hand_over": {"to_user_id": NOBODY, "until": "2026-12-24", "reason": "away"},
    "payroll.take_back_handover": {"reason": "back"},
    "payroll.begin_batch": {"action": "calculate", "pay_date": "2031-01-03"},
    "payroll.say_client_approval": {"wanted": "wanted", "starts": "2030-01-01", "reason": "no"},
    "payroll.let_late_inputs_in": {"until": "2026-11-27", "reason": "no"},
    "payroll.put_on_schedule": {"person_id": NOBODY, "starts": "2026-11-01"},
    "payroll.map_accounts": {
        "lines": [{"line": "cost.bonus_pay", "account": "5000", "starts": "2026-11-01"}],
        "reason": "no",
    },
    "payroll.say_liability": {
        "agency": "HMRC",
        "name": "employment_allowance",
        "amount_minor": 1,
        "day": "2026-11-27",
        "reason": "no",
    },
    "ledger.add_account": {"code": "7100", "name": "Bonuses", "type": "expense"},
    "payroll.add_pay_item": {
        "person_id": NOBODY,
        "element": "bonus_pay",
        "amount_minor": 1,
        "period": "2026-11-01",
        "reason": "no",
    },
    "payroll.withdraw_pay_item": {"reason": "no"},
    "payroll.add_pay_order": {
        "person_id": NOBODY,
        "kind": "priority",
        "reference": "A1",
        "creditor": "COURT",
        "made_on": "2026-11-01",
        "starts": "2026-11-01",
        "reason": "as the notice says",
    },
    "payroll.state_claim": {
        "person_id": NOBODY,
        "payment": "ssp",
        "first_day": "2026-11-02",
        "figures": {"relevant_earnings": 300000, "relevant_periods": 8},
        "reason": "from the bureau before",
    },
    "payroll.vary_pay_order": {"starts": "2026-11-02", "stated": {}, "reason": "varied"},
    "payroll.end_pay_order": {"ends": "2026-11-02", "reason": "discharged"},
    "payroll.add_debt": {
        "person_id": NOBODY,
        "kind": "loan",
        "reference": "L1",
        "amount_minor": 100_00,
        "instalment_minor": 10_00,
        "starts": "2026-11-01",
        "reason": "a bicycle",
    },
    "payroll.vary_debt": {"starts": "2026-11-02", "instalment_minor": 5_00, "reason": "hardship"},
    "payroll.end_debt": {"ends": "2026-11-02", "reason": "let off"},
    "payroll.add_recurring_pay": {
        "person_id": NOBODY,
        "element": "bonus_pay",
        "amount_minor": 1,
        "starts": "2026-11-01",
    },
    "payroll.end_recurring_pay": {"ends": "2026-11-01"},
    "payroll.approve_pay_run": {"content_hash": "0" * 64},
    "payroll.abandon_pay_run": {"reason": "no"},
    "payroll.reopen_pay_run": {"reason": "no"},
    "payroll.take_back_approval": {"reason": "no"},
    "payroll.return_pay_run": {"content_hash": "0" * 64, "comment": "no"},
    "payroll.answer_comment": {"words": "yes"},
    "payroll.accept_back_pay": {"content_hash": "0" * 64},
    "payroll.reverse_payslips": {"reason": "no", "payroll_numbers": ["NONE"]},
    "billing.set_margin_floor": {"starts": "2000-01-01", "floor_ppm": 0, "reason": "no"},
    "billing.allow_below_floor": {
        "customer": "NONE",
        "role": "Cook",
        "pay_rate_minor": 1,
        "bill_rate_minor": 1,
        "reason": "no",
    },
    "billing.prepare_bill_run": {"issue_date": "2026-11-27", "through": "2026-11-22"},
    "billing.approve_bill_run": {"content_hash": "0" * 64},
    "billing.enter_bill": {
        "supplier": "PAPER",
        "supplier_name": "Paper Ltd",
        "reference": "P-1",
        "issue_date": "2026-11-27",
        "lines": [{"description": "Paper", "net_minor": 1000}],
        "vat_minor": 200,
    },
    "billing.bill_of_einvoice": {},
    "billing.set_bill_account": {"account": "6000"},
    "billing.withdraw_bill": {"reason": "not ours"},
    "billing.approve_bill": {"content_hash": "0" * 64},
    "settlement.clear_lines": {"own_account": "main"},
    "settlement.explain_line": {"account": "7900", "reason": "a charge"},
    "settlement.withdraw_line": {"reason": "wrong line"},
    "settlement.undo_line": {"reason": "wrong line"},
    "settlement.approve_line": {"content_hash": "0" * 64},
    "settlement.approve_paying_again": {"content_hash": "0" * 64},
    "settlement.pay_again": {"pay_date": "2026-11-27"},
    "settlement.record_stage": {"stage": "settled", "on": "2026-11-27", "evidence": "report 1"},
    "people.set_terms": {
        "starts": "2025-01-01",
        "basis": "salary",
        "amount_minor": 2_400_000,
        "minutes_per_week": 2250,
        "reason": "a late letter",
    },
    "people.withdraw_terms": {"reason": "a slip"},
    "people.end_employment": {"last_day": "2027-12-31", "why": "resigned"},
    "people.re_employ": {"starts": "2024-01-01"},
    "people.propose_account": {
        "starts": "2026-12-01",
        "account_name": "Jo Bloggs",
        "sort_code": "20-00-00",
        "account_number": "12345678",
        "reason": "asked by phone",
    },
    "people.withdraw_account": {"reason": "a slip"},
    "people.approve_account": {"content_hash": "0" * 64},
    "people.refuse_account": {"reason": "not asked for"},
    "foundation.agree_terms": {
        "starts": "2026-01-01",
        "agreed_on": "2026-01-01",
        "agreed_with": "Ms Client",
        "services": [{"service": "payroll", "basis": "payslip", "price_minor": 450}],
    },
    "quality.promise": {"name": "Two hours", "budget_s": 7200},
    "quality.end_promise": {"reason": "agreed otherwise"},
    "leave.set_entitlement": {"kind": "annual", "starts": "2026-12-01", "weeks": "5.6"},
    "leave.record": {"person_id": NOBODY, "kind": "annual", "starts": "2026-12-01", "ends": "2026-12-02"},
    "leave.refuse": {"reason": "too many away"},
    "leave.cancel": {"reason": "moved"},
    "workforce.record_absence": {"user_id": NOBODY, "starts": "2026-12-01", "ends": "2026-12-02"},
    "workforce.offboard": {"user_id": NOBODY, "reason": "left"},
    "sop.check_procedure": {"text": "nothing yet"},
    "templates.check_template": {"text": "nothing yet"},
    "templates.save_template": {"text": "nothing yet"},
    "templates.publish_template": {"text": "nothing yet"},
    "templates.follow": {"template": "no_such", "reason": "as agreed"},
    "templates.stop_following": {"reason": "they leave"},
    "templates.have_otherwise": {
        "part": "promises",
        "item": "all_others",
        "field": "minutes",
        "value": "60",
        "reason": "theirs",
    },
    "templates.accept_as_own": {"part": "promises", "item": "all_others", "field": "minutes", "reason": "so"},
    "templates.be_without": {"part": "promises", "item": "all_others", "reason": "none"},
    "templates.have_as_template": {"part": "promises", "item": "all_others", "reason": "again"},
    "templates.rehearse": {"template": "no_such", "starts": "2026-12-01"},
    "templates.apply_template": {"starts": "2026-12-01", "only": ["promises/none"]},
    "templates.begin_batch": {"template": "no_such", "action": "rehearse", "starts": "2026-12-01"},
    "sop.save_procedure": {"text": "nothing yet"},
    "sop.publish_procedure": {"text": "nothing yet"},
    "sop.rehearse_move": {"from_version": 1, "to_version": 2},
    "sop.move_cases": {"from_version": 1, "to_version": 2, "reason": "a step more"},
    "sop.move_back": {"reason": "a step too many"},
    "sop.start_case": {"procedure": "no_such"},
    "sop.comment": {"text": "looked at"},
    "sop.send_message": {"message": "no_such"},
    "sop.cancel_case": {"reason": "not this month"},
    "sop.release": {},
    "sop.delegate": {"user_id": NOBODY, "reason": "on leave"},
    "sop.add_evidence": {"key": "list", "value": "x"},
    "sop.complete": {},
    "sop.reject": {"reason": "too few"},
    "sop.skip": {"reason": "not this month"},
    "sop.move_due": {"due_at": "2000-01-01T12:00:00Z", "reason": "later"},
    "sop.escalate": {"to": "owner", "reason": "late"},
    "sop.answer": {},
    "ledger.lock_period": {"through": "2000-01-01", "reason": "test"},
    "ledger.reverse_entry": {"day": "2026-12-01", "reason": "test"},
}
"""What everybody sends; most of it conflicts with what was done, after the permission."""

QUERY = {
    "leave.balances": {"as_at": "2026-11-27"},
    "billing.margin_of": {"since": "2026-01-01", "until": "2026-12-31"},
    "billing.quote": {"pay_rate_minor": 1500, "markup_ppm": 400000, "day": "2026-11-27"},
    "timesheets.preview_rate_card": {"pay_rate_minor": 1600, "bill_rate_minor": 2200},
    "payroll.deadlines_of": {"first": "2026-11-01", "last": "2026-11-30"},
    "payroll.preview_payday": {"pay_date": "2026-12-24", "schedule": "M"},
    "payroll.owed_payslips": {
        "agency": "HMRC",
        "year": "2026-27",
        "number": "8",
        "element": "employee_nic",
    },
    "ledger.postings": {"account": "1200"},
    "foundation.thread_of": {"reference": "T1@2026-11-16"},
}


@pytest.fixture(scope="module")
def worked(firm: Firm) -> Worked:
    client = worked_client(firm, tuple(ROLES))
    with client.client.acting("specialist"):
        schedules.add_pay_schedule(
            "M", "Monthly", frequency="monthly", anchor=date(2026, 1, 1), pay_rule="day_of_month", pay_day=27
        )
        person = Person.objects.filter(client_id=client.client.id).earliest("payroll_number")
        schedules.put_on_schedule(person.counterparty_id, "M", starts=date(2026, 11, 1))
    return client


@pytest.fixture(scope="module")
def ids(firm: Firm, worked: Worked) -> dict[str, str]:
    """An id of each kind, of the worked client."""
    run = worked.first("/pay-runs")["id"]
    pay_batch_id = new_id()
    with worked.client.acting("specialist"):
        batch.keep_batch_result(
            pay_batch_id, action="calculate", pay_date=PAY_DATE, outcome="done", words="Run 1: 2 payslips."
        )
        open_run = payroll.open_pay_run(PAY_DATE, schedule="M")
    version, template_batch_id = published(firm, key="the_usual"), new_id()
    with worked.client.acting("lead"):
        templates.follow(version.key, reason="as agreed")
        templates.keep_outcome(
            template_batch_id, version.version_id, date(2026, 12, 1), action="rehearse", outcome="done"
        )
    with worked.client.acting("specialist"):
        customer = (
            Counterparty.objects.filter(client_id=worked.client.id, kind="customer").earliest("code").code
        )
        agreement = rates.add_agreement(customer, "AG-1").agreement_id
        card = rates.add_rate_card(agreement, "Operative", date(2026, 1, 5), pay_rate=1500, bill_rate=2100)
        order = PurchaseOrder.objects.create(
            client_id=worked.client.id,
            customer=rates.agreement_of(agreement).customer,
            number="PO-1",
            starts=date(2026, 1, 5),
        )
    return {
        "purchase_order_id": str(order.id),
        "agreement_id": str(agreement),
        "card_id": str(card.card_id),
        "template_batch_id": str(template_batch_id),
        "pay_batch_id": str(pay_batch_id),
        "open_run_id": str(open_run.run_id),
        "person_id": worked.first("/people")["id"],
        "assignment_id": worked.first("/assignments")["id"],
        "timesheet_id": worked.first("/timesheets")["id"],
        "entry_id": worked.first("/entries")["id"],
        "run_id": run,
        "payslip_id": worked.first(f"/pay-runs/{run}/payslips")["id"],
        "bill_run_id": worked.first("/bill-runs")["id"],
        "invoice_id": worked.first("/invoices")["id"],
        "batch_id": worked.first("/payment-batches")["id"],
        "line_id": worked.first("/bank-lines")["id"],
        "bill_id": worked.first("/supplier-bills")["id"],
        "item_id": worked.first("/open-items", include_closed=True)["id"],
        "preview_id": worked.first("/import-previews", kind="timesheets")["id"],
        "time_entry": worked.first("/time-entries")["id"],
        "absence_id": str(new_id()),
        "week_id": str(new_id()),
        "request_id": str(new_id()),
        **{
            f"payslip_of_{role}": worked.by_role[role].get(f"{worked.at}/me/payslips").body["items"][0]["id"]
            for role in ("employee", "worker")
        },
        "booking_id": str(new_id()),
        "case_id": worked.first("/cases")["id"],
        **_of_case(worked),
    }


def _of_case(worked: Worked) -> dict[str, str]:
    """A step that is done, of which whoever comes second is told so, and its file."""
    case = worked.by_role["owner"].get(f"{worked.at}/cases/{worked.first('/cases')['id']}").body
    [done] = [task for task in case["tasks"] if task["state"] == "done"]
    return {"task_id": done["id"], "file_id": next(e["file_id"] for e in done["evidence"] if e["file_id"])}


def operations() -> Iterator[tuple[str, str, str]]:
    """(name, method, path) of everything that is described."""
    schema = json.loads(Browser().get("/api/openapi.json").content)
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method, path.removeprefix("/api")


def called(by: Caller, name: str, method: str, path: str, ids: dict[str, str], code: str) -> int:
    """The status of one call with these ids."""
    given = {**ids, "code": code, "kind": "timesheets", "node_id": ids["invoice_id"]}
    if name.startswith("me."):
        given["payslip_id"] = ids.get(f"payslip_of_{by.user.kind}", ids["payslip_id"])
    given |= {"payment_id": NOBODY, "terms_id": NOBODY, "proposal_id": NOBODY}
    given |= {"procedure": "pay_month", "batch": NOBODY, "template": "the_usual"}
    given |= {"schedule": "M", "pay_date": "2026-11-27", "recurring_id": NOBODY, "comment_id": NOBODY}
    given |= {"handover_id": NOBODY, "order_id": NOBODY, "debt_id": NOBODY}
    if name == "payroll.preview_pay_run":
        given["run_id"] = ids["open_run_id"]
    if name == "timesheets.time_entry":
        given["entry_id"] = ids["time_entry"]
    if name == "foundation.thread_from":
        given["kind"] = "invoice"
    where = path.format(**given)
    if method == "get":
        return by.get(where, **QUERY.get(name, {})).status
    if name == "billing.read_einvoice":
        return by.upload(where, io.BytesIO(b"no e-invoice")).status
    if name == "foundation.preview":
        file = io.BytesIO(b"assignment,payroll_number,date,hours,status,comment\n")
        file.name = "empty.csv"
        return by.upload(where, file).status
    if name in ("sop.keep_file", "sop.keep_answer_file"):
        return by.upload(where, io.BytesIO(b"a list"), key=str(new_id())).status
    return by.post(where, BODIES.get(name)).status


def test_every_operation_as_every_role(worked: Worked, ids: dict[str, str]) -> None:
    wrong = []
    # A run that is done: calculating, issuing or releasing it again is refused, after the permission.
    for name, method, path in operations():
        may = MAY.get(name, READERS if method == "get" else set())
        assert method == "get" or name in MAY, f"say who may {name}"
        for role, by in worked.by_role.items():
            status = called(by, name, method, path, ids, worked.client.code)
            allowed = status != 403
            fine = status == 200 if method == "get" and allowed else status < 500 and status != 401
            if allowed != (role in may) or not fine:
                wrong.append(f"{name} as {role}: {status}")
    assert wrong == []


def test_nobodys_ids_are_found_at_another_clients_address(
    firm: Firm, worked: Worked, ids: dict[str, str], other_client: TestClient, caller: Callable[..., Caller]
) -> None:
    both = {}
    for role in ("lead", "client_finance", "employee"):
        user = worked.by_role[role].user
        firm.grant(user, other_client.id, role)
        both[role] = caller(user)
    found = {
        name: status
        for name, method, path in operations()
        if "{code}" in path
        and any(f"{{{part}}}" in path for part in [*ids, "node_id"])
        and (by := next(caller for role, caller in both.items() if role in MAY.get(name, READERS)))
        and (status := called(by, name, method, path, ids, other_client.code)) != 404
    }
    assert found == {}


def test_a_strangers_client_is_not_there(
    worked: Worked, ids: dict[str, str], other_client: TestClient, caller: Callable[..., Caller]
) -> None:
    stranger = caller(other_client.staff["lead"])
    for name, method, path in operations():
        if "{code}" in path:
            assert called(stranger, name, method, path, ids, worked.client.code) == 404, name


def test_unknown_ids_are_not_found(worked: Worked, ids: dict[str, str]) -> None:
    nowhere = {kind: str(new_id()) for kind in ids}
    for name, method, path in operations():
        if method == "get" and any(f"{{{part}}}" in path for part in [*ids, "node_id"]):
            role = "lead" if "lead" in MAY.get(name, READERS) else "employee"
            status = called(worked.by_role[role], name, method, path, nowhere, worked.client.code)
            assert status == 404, name
