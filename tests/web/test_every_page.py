"""Every address of the project as every role of docs/roles.md, against one table; nothing of another client.

A new address has no row in the table and fails here: say who may, then it passes. Statuses are the product's
words: 404, what the asker may not know of; 403, a role that lacks the permission; `door`, sign in first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from engineroom.billing import einvoices, supplier_bills
from engineroom.billing.formats import ubl
from engineroom.billing.supplier_bills import BillLine, BillSaid
from engineroom.foundation import duties, vault
from engineroom.foundation.access.models import Grant
from engineroom.foundation.access.roles import ROLES
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.imports import services as imports
from engineroom.foundation.imports.models import ImportPreview
from engineroom.foundation.jobs.worker import run_worker
from engineroom.foundation.tenancy.scope import Identity, acting
from engineroom.kernel.ids import uuid7
from engineroom.leave import entitling
from engineroom.leave import services as leave
from engineroom.leave.models import Booking, Evidence, LeaveKind
from engineroom.ledger.models import Entry
from engineroom.openitems.models import OpenItem
from engineroom.payroll import attempts, batch, schedules
from engineroom.payroll import services as payroll
from engineroom.payroll.models import Attempt, PayRun, Payslip
from engineroom.people import services as people
from engineroom.people import terms
from engineroom.people.engine import Agreed
from engineroom.people.models import Person, PersonLogin
from engineroom.settlement.models import BankLine, OwnAccount
from engineroom.sop import drafts, services
from engineroom.sop.models import Task
from engineroom.templates import services as templates
from engineroom.timesheets import entered, entering, rates
from engineroom.timesheets.models import PurchaseOrder, Timesheet
from engineroom.web import links
from engineroom.web.context import surroundings
from tests.billing.einvoices import invoice as einvoice
from tests.firm import MONDAY, PAY_DATE, Firm, Temp, TestClient, hours_file, run_payday, set_up
from tests.settlement.bank import Booked, statement, write
from tests.sop.writing import procedure_text
from tests.templates.writing import published
from tests.web.conftest import new_browser, set_password, signed_in

# --- who, in words --------------------------------------------------------------------------------------

FIRM = {"owner", "lead", "specialist", "bookkeeper", "checker", "auditor", "admin"}
CLIENT = {"client_finance", "client_approver"}
OWN = {"worker", "employee"}
EVERYBODY = FIRM | CLIENT | OWN
READERS = FIRM - {"admin"}
SERVICES = {"lead", "specialist"}
BOOKS = {"lead", "bookkeeper"}
CHECKERS = {"owner", "lead", "checker"}


@dataclass(frozen=True)
class Row:
    """may: roles that are let through; sees: roles that are told 403 otherwise. Anybody else is told 404.

    method: GET, or POST for what changes something. nobody: what it says to whoever is not signed in.
    """

    method: str
    may: frozenset[str]
    sees: frozenset[str]
    nobody: int | str = "door"

    def expected(self, role: str) -> str:
        if role in self.may:
            return "let through"
        return "403" if role in self.sees else "404"


def get(may: set[str], *, sees: set[str] = FIRM, nobody: int | str = "door") -> Row:
    return Row("GET", frozenset(may), frozenset(sees), nobody)


def post(may: set[str], *, sees: set[str] = FIRM, nobody: int | str = "door") -> Row:
    return Row("POST", frozenset(may), frozenset(sees), nobody)


# --- the table ------------------------------------------------------------------------------------------

TABLE: dict[str, Row] = {
    # Everybody's, signed in or not.
    "front": get(EVERYBODY),
    "healthz": get(EVERYBODY, nobody=200),
    "style": get(EVERYBODY, nobody=200),
    "demo_become": get(EVERYBODY, nobody=200),
    "account_login": get(EVERYBODY, nobody=200),
    "account_inactive": get(EVERYBODY, nobody=200),
    "mfa_authenticate": get(EVERYBODY),
    "account_logout": get(EVERYBODY),
    "invitation": get(set(), sees=set(), nobody=404),
    "link": get(set(), sees=set(), nobody=404),
    # Everybody's own.
    "account_reauthenticate": get(EVERYBODY),
    "mfa_reauthenticate": get(EVERYBODY),
    "account_change_password": get(EVERYBODY),
    "account_set_password": get(EVERYBODY),
    "mfa_index": get(EVERYBODY),
    "mfa_activate_totp": get(EVERYBODY),
    "mfa_generate_recovery_codes": get(EVERYBODY),
    # Nobody here has a second factor to show or to switch off.
    "mfa_deactivate_totp": get(set(), sees=set()),
    "mfa_view_recovery_codes": get(set(), sees=set()),
    "mfa_download_recovery_codes": get(set(), sees=set()),
    "settings": get(EVERYBODY),
    "device_end": post(EVERYBODY),
    "token_issue": post(EVERYBODY),
    "token_revoke": post(EVERYBODY),
    "clients": get(FIRM | CLIENT),
    "today": get(FIRM),
    "search": get(FIRM),
    "jobs": get(FIRM),
    "notices": get(FIRM),
    "notices_count": get(FIRM),
    "break_it": get(FIRM),
    "break_attempt": post(FIRM - {"auditor"}, sees=set()),
    # The house's: a grant on another client is none here.
    "users": get(set(), sees=set()),
    "user": get(set(), sees=set()),
    "user_add": post(set(), sees=set()),
    "user_invite": post(set(), sees=set()),
    "user_grant": post(set(), sees=set()),
    "user_off": post(set(), sees=set()),
    "grant_end": post(set(), sees=set()),
    # A client's, of several rooms.
    "home": get(READERS),
    "engagement": get(READERS),
    "engagement_agree": post({"lead"}),
    "engagement_end": post({"lead"}),
    "access": get(FIRM),
    "access_give": post({"lead", "admin"}),
    "access_end": post({"lead", "admin"}),
    "login_give": post({"lead", "admin"}),
    "login_end": post({"lead", "admin"}),
    "audit": get(READERS),
    "audit_proof": get(READERS),
    "audit_event": get(READERS),
    "imports": get(READERS),
    "import_preview": post(SERVICES),
    "import_seen": get(READERS),
    "import_take": post(SERVICES),
    "thread_find": get(READERS | CLIENT),
    "thread": get(READERS | CLIENT),
    # A job is shown to whoever asked for it: here the specialist.
    "job_progress": get({"specialist"}, sees={"admin"}),
    "job_again": post({"specialist"}, sees=FIRM - SERVICES),
    # Time and people.
    "timesheets:list": get(READERS),
    "timesheets:timesheet": get(READERS),
    "timesheets:end_holds": post(SERVICES),
    "timesheets:orders": get(READERS),
    "timesheets:order": get(READERS),
    "timesheets:order_cover": post(SERVICES),
    "billing:margin": get(READERS),
    "billing:margin_file": get(READERS),
    "timesheets:agreements": get(READERS),
    "billing:quote": get(READERS),
    "billing:floor_set": post(CHECKERS),
    "billing:below_floor_allow": post(CHECKERS),
    "timesheets:agreement": get(READERS),
    "timesheets:agreement_add": post(SERVICES),
    "timesheets:agreement_follow": post(SERVICES),
    "timesheets:site_add": post(SERVICES),
    "timesheets:card_add": post(SERVICES),
    "timesheets:card_edit": get(SERVICES),
    "timesheets:card_change": post(SERVICES),
    "timesheets:sent": get(READERS),
    "timesheets:sent_week": get(READERS),
    "timesheets:sent_answer": post(SERVICES),
    "timesheets:answerers": get(READERS),
    "timesheets:answerer_set": post(SERVICES),
    "timesheets:request_withdraw": post(SERVICES),
    "hours_ask": post(SERVICES),
    "hours_chase": post(SERVICES),
    "timesheets:mine": get({"employee"}, sees=set()),
    "timesheets:my_week": get({"employee"}, sees=set()),
    "timesheets:my_week_save": post(OWN, sees=set()),
    "timesheets:my_week_send": post(OWN, sees=set()),
    "timesheets:my_week_take_back": post(OWN, sees=set()),
    "people:list": get(READERS),
    "people:person": get(READERS),
    "people:terms": get(READERS),
    "people:terms_preview": post(SERVICES),
    "people:terms_set": post(SERVICES),
    "people:terms_withdraw": post(SERVICES),
    "people:leaving": get(READERS),
    "people:leaving_end": post(SERVICES),
    "people:leaving_return": post(SERVICES),
    "payroll:starter": get(SERVICES),
    "payroll:tax_details": get(READERS),
    "payroll:tax_details_say": post(SERVICES),
    "payroll:starter_begin": post(SERVICES),
    "people:accounts": get(READERS),
    "people:account": get(READERS),
    "people:account_propose": post(SERVICES),
    "people:account_approve": post(CHECKERS),
    "people:account_refuse": post(CHECKERS),
    "people:account_withdraw": post(SERVICES),
    "people:account_policy": post(CHECKERS),
    # Leave: kept by services and the client's own people, decided by whoever did not ask.
    "leave:calendar": get(READERS | CLIENT, sees=FIRM | CLIENT),
    "leave:person": get(READERS | CLIENT, sees=FIRM | CLIENT),
    "leave:kinds": get(READERS | CLIENT, sees=FIRM | CLIENT),
    # A certificate is health data: no role but the specialist's sees it.
    "leave:evidence": get({"specialist"}, sees={"admin"}),
    "leave:record": post(SERVICES | CLIENT, sees=FIRM | CLIENT),
    "leave:approve": post(CHECKERS | {"client_approver"}, sees=FIRM | CLIENT),
    "leave:refuse": post(CHECKERS | {"client_approver"}, sees=FIRM | CLIENT),
    "leave:cancel": post(SERVICES | CLIENT, sees=FIRM | CLIENT),
    "leave:prove": post(SERVICES | CLIENT, sees=FIRM | CLIENT),
    "leave:adjust": post(SERVICES | CLIENT, sees=FIRM | CLIENT),
    "leave:offer": post(SERVICES | CLIENT, sees=FIRM | CLIENT),
    "leave:entitle": post(SERVICES | CLIENT, sees=FIRM | CLIENT),
    "leave:year": post(SERVICES | CLIENT, sees=FIRM | CLIENT),
    "leave:mine": get({"employee"}, sees=set()),
    "leave:ask": post({"employee"}, sees=OWN),
    "leave:withdraw": post({"employee"}, sees=OWN),
    # Pay.
    "payroll:runs": get(READERS),
    "payroll:run": get(READERS),
    "payroll:preview": get(SERVICES),
    "payroll:progress": get(READERS),
    "payroll:printing": get(READERS),
    # A payslip on paper shows pay, identity and bank data: as its single PDF.
    "payroll:papers": get({"lead", "specialist", "checker"}),
    "payroll:payslip": get(READERS),
    # A paper cannot be shown in part, and a payslip shows a national identifier.
    "payroll:paper": get({"lead", "specialist", "checker"}),
    "payroll:open": post(SERVICES),
    "payroll:calculate": post(SERVICES),
    "payroll:approve": post(CHECKERS),
    "payroll:release": post(CHECKERS),
    "payroll:issue": post(SERVICES),
    "payroll:abandon": post(SERVICES),
    "payroll:schedules": get(READERS),
    # What a period is paid, and when its inputs close.
    "inputs": get(READERS),
    "inputs_period": get(READERS),
    "workbook": get(READERS),
    "workbook_bring": post(SERVICES),
    "inputs_let_in": post({"lead"}),
    "payroll:schedule_add": post(SERVICES),
    "payroll:schedule_put": post(SERVICES),
    "payroll:schedule_open": post(SERVICES),
    "payroll:accounts": get(READERS),
    "payroll:account_map": post(BOOKS),
    "payroll:account_add": post(BOOKS),
    "payroll:journal": get(READERS),
    "payroll:journal_file": get(READERS),
    "payroll:liabilities": get(READERS),
    "payroll:agency": get(READERS),
    "payroll:liability_say": post(BOOKS),
    "payroll:liability_book": get(READERS),
    "payroll:owed": get(READERS),
    "payroll:owed_slips": get(READERS),
    "payroll:items": get(READERS),
    "payroll:item_add": post(SERVICES),
    "payroll:item_withdraw": post(SERVICES),
    "payroll:orders": get(READERS),
    "payroll:order_add": post(SERVICES),
    "payroll:order_vary": post(SERVICES),
    "payroll:order_end": post(SERVICES),
    "payroll:debts": get(READERS),
    "payroll:debt_add": post(SERVICES),
    "payroll:debt_vary": post(SERVICES),
    "payroll:debt_end": post(SERVICES),
    "payroll:client_approval": get(READERS),
    "payroll:client_approval_say": post({"lead"}),
    "payroll:claims": get(READERS),
    "payroll:claim_state": post(SERVICES),
    "payroll:recurring_add": post(SERVICES),
    "payroll:recurring_end": post(SERVICES),
    "letters": get(READERS),
    "letters_progress": get(READERS),
    "letters_again": post(SERVICES),
    "letters_leave": post(SERVICES),
    "payroll:reopen": post(SERVICES),
    "payroll:take_back": post(CHECKERS),
    "payroll:return": post(CHECKERS),
    "payroll:answer": post(SERVICES),
    "payroll:reverse": post(SERVICES),
    "payroll:back_pay": get(READERS),
    "payroll:back_pay_accept": post(SERVICES),
    "payroll:variances": get(READERS),
    "payroll:batch": get(FIRM),
    "payroll:batch_start": post(FIRM),
    "payroll:batches": get(FIRM),
    # A batch is found by who may read one of its clients.
    "payroll:batch_results": get(READERS, sees=set()),
    "payroll:batch_progress": get(READERS, sees=set()),
    "calendar": get(FIRM),
    "payroll:variance": get(READERS),
    "run_notify": post(SERVICES),
    "run_ask": post(SERVICES),
    # Bills.
    "billing:invoices": get(READERS),
    "billing:runs": get(READERS),
    "billing:run": get(READERS),
    "billing:held": get(READERS),
    "billing:reconciliation": get(READERS),
    "billing:invoice": get(READERS),
    "billing:line": get(READERS),
    "billing:pdf": get(READERS),
    "billing:check": get(READERS),
    "billing:checked": get(READERS),
    "billing:check_read": post(SERVICES),
    "billing:ubl": get(READERS),
    "billing:ubl_write": post(SERVICES),
    "billing:mirror_again": post(SERVICES),
    # Bills of suppliers are the bookkeeper's.
    "billing:supplier_bills": get(READERS),
    "billing:supplier_bill": get(READERS),
    "billing:supplier_bill_new": get(READERS),
    "billing:supplier_bill_enter": post(BOOKS),
    "billing:supplier_bill_take": post(BOOKS),
    "billing:supplier_bill_of_file": post(BOOKS),
    "billing:supplier_bill_account": post(BOOKS),
    "billing:supplier_bill_withdraw": post(BOOKS),
    "billing:supplier_bill_approve": post(CHECKERS),
    "billing:prepare": post(SERVICES),
    "billing:prepare_again": post(SERVICES),
    "billing:approve": post(CHECKERS),
    "billing:issue": post(CHECKERS),
    "billing:print": post(SERVICES),
    "billing:printing": get(READERS),
    "billing:papers": get(READERS),
    # Payments and the bank.
    "settlement:batches": get(READERS),
    "settlement:batch": get(READERS),
    "settlement:file": get(CHECKERS | BOOKS),
    "settlement:bank": get(READERS),
    "settlement:line": get(READERS),
    "settlement:stage": post(BOOKS),
    "settlement:returned": get(READERS),
    "settlement:again_approve": post(CHECKERS),
    "settlement:again_pay": post(CHECKERS),
    "settlement:clear": post(BOOKS),
    "settlement:line_explain": post(BOOKS),
    "settlement:line_approve": post(CHECKERS),
    "settlement:line_withdraw": post(BOOKS),
    "settlement:line_undo": post(BOOKS),
    "settlement:accounts": get(READERS),
    "settlement:account_add": post(BOOKS),
    "settlement:account_rename": post(BOOKS),
    "settlement:layout": get(READERS),
    "settlement:layout_confirm": post(BOOKS),
    # Staff. Whom one sees there follows from one's clients.
    "workforce:staff": get(FIRM),
    "workforce:person": get(FIRM),
    "workforce:teams": get(FIRM),
    "workforce:away": post(FIRM),
    "workforce:back": post(FIRM),
    "workforce:absent": post({"lead", "admin"}),
    "workforce:there": post({"lead", "admin"}),
    "workforce:offboard": post(set(), sees=set()),
    "workforce:team_make": post(set(), sees=set()),
    "workforce:team_join": post(set(), sees=set()),
    "workforce:team_leave": post(set(), sees=set()),
    "workforce:team_serve": post(set(), sees=set()),
    "workforce:team_stop": post(set(), sees=set()),
    # Promises.
    "quality:board": get(FIRM),
    "quality:promises": get(READERS),
    "quality:promise_make": post({"lead"}),
    "quality:promise_end": post({"lead"}),
    "quality:hours_set": post({"lead"}),
    "quality:clock": get(READERS),
    "quality:scorecard": get(READERS),
    "quality:service": get(CLIENT, sees=set()),
    "quality:service_case": get(CLIENT, sees=set()),
    # Templates: the firm's, written in the house; what a client has of them a lead says.
    "templates:templates": get(READERS),
    "templates:template": get(READERS),
    "templates:version": get(READERS),
    "templates:diff": get(READERS),
    "templates:edit": get(set(), sees=set()),
    "templates:check": post(set(), sees=set()),
    "templates:save": post(set(), sees=set()),
    "templates:publish": post(set(), sees=set()),
    "templates:clients": get(READERS),
    "templates:start": post(FIRM),
    # It is found by who may read one of its clients.
    "templates:results": get(READERS, sees=set()),
    "templates:progress": get(READERS, sees=set()),
    "templates:client": get(READERS),
    "templates:client_follow": post({"lead"}),
    "templates:client_stop": post({"lead"}),
    "templates:client_otherwise": post({"lead"}),
    "templates:client_align": post({"lead"}),
    # Books.
    "openitems:items": get(READERS),
    "openitems:item": get(READERS),
    "ledger:books": get(READERS),
    "ledger:account": get(READERS),
    "ledger:entry": get(READERS),
    "ledger:journal": get(READERS),
    "ledger:periods": get(READERS),
    "ledger:proof": get(READERS),
    "ledger:lock": post(BOOKS),
    "ledger:reverse": post(BOOKS),
    # The client's own face.
    "portal": get(CLIENT, sees=set()),
    "portal_client": get(CLIENT, sees=set()),
    "portal_imports": get(CLIENT, sees=set()),
    "portal_inputs": get(CLIENT, sees=set()),
    "portal_inputs_period": get(CLIENT, sees=set()),
    "portal_workbook": get(CLIENT, sees=set()),
    "portal_workbook_bring": post(CLIENT, sees=set()),
    "portal_import_preview": post(CLIENT, sees=set()),
    "portal_import_seen": get(CLIENT, sees=set()),
    "portal_import_take": post(CLIENT, sees=set()),
    "portal_engagement": get(CLIENT, sees=set()),
    "portal_runs": get(CLIENT, sees=set()),
    "portal_run": get(CLIENT, sees=set()),
    "portal_bill_run": get(CLIENT, sees=set()),
    "portal_invoices": get(CLIENT, sees=set()),
    "portal_invoice": get(CLIENT, sees=set()),
    "portal_invoice_pdf": get(CLIENT, sees=set()),
    "portal_run_approve": post({"client_approver"}, sees=CLIENT),
    "portal_run_return": post({"client_approver"}, sees=CLIENT),
    "portal_run_take_back": post({"client_approver"}, sees=CLIENT),
    "portal_run_hand_over": post({"client_approver"}, sees=CLIENT),
    "portal_handover_back": post({"client_approver"}, sees=CLIENT),
    "portal_run_person": get(CLIENT, sees=set()),
    "portal_bill_run_approve": post({"client_approver"}, sees=CLIENT),
    # One's own face. A worker who is nobody's person has no pay here.
    "me": get(OWN, sees=set()),
    "my_pay": get({"employee"}, sees=set()),
    "my_payslip": get({"employee"}, sees=set()),
    "my_payslip_pdf": get({"employee"}, sees=set()),
    # Procedures are the firm's: read by everybody who works, written in the house.
    "sop:procedures": get(READERS),
    "sop:procedure": get(READERS),
    "sop:version": get(READERS),
    "sop:diff": get(READERS),
    "sop:inbox": get(FIRM - {"auditor", "admin"}),
    "sop:models": get(READERS),
    "sop:model": post(READERS),
    "sop:cases": get(READERS),
    "sop:case": get(READERS),
    "sop:file": get(READERS),
    "sop:moves": get(READERS),
    "sop:rehearse": post(CHECKERS),
    "sop:move": post(CHECKERS),
    "sop:move_back": post(CHECKERS),
    "sop:start": post(FIRM - {"auditor", "admin"}),
    "sop:of_case": post(FIRM - {"auditor", "admin"}),
    "sop:task": post(FIRM - {"auditor", "admin"}),
    "portal_request": get(CLIENT, sees=set()),
    "portal_request_answer": post(CLIENT, sees=set()),
    "request_ask": post(FIRM - {"auditor", "admin"}),
    "sop:edit": get(set(), sees=set()),
    "sop:check": post(set(), sees=set()),
    "sop:save": post(set(), sees=set()),
    "sop:publish": post(set(), sees=set()),
}

HOUSE: dict[str, dict[str, str]] = {
    "users": {"admin": "let through", "lead": "403"},
    "user": {"admin": "let through", "lead": "403"},
    "user_add": {"admin": "let through", "lead": "403"},
    "user_invite": {"admin": "let through", "lead": "403"},
    "user_grant": {"admin": "let through", "lead": "let through"},
    "user_off": {"admin": "let through", "lead": "403"},
    "workforce:offboard": {"admin": "let through", "lead": "403"},
    "workforce:team_make": {"admin": "let through", "lead": "403"},
    "workforce:team_join": {"admin": "let through", "lead": "403"},
    "workforce:team_leave": {"admin": "let through", "lead": "403"},
    "workforce:team_serve": {"admin": "let through", "lead": "403"},
    "workforce:team_stop": {"admin": "let through", "lead": "403"},
    "grant_end": {"admin": "let through", "lead": "let through"},
    "sop:edit": {"admin": "403", "lead": "let through"},
    "sop:check": {"admin": "403", "lead": "let through"},
    "sop:save": {"admin": "403", "lead": "let through"},
    "sop:publish": {"admin": "403", "lead": "let through"},
    "templates:edit": {"admin": "403", "lead": "let through"},
    "templates:check": {"admin": "403", "lead": "let through"},
    "templates:save": {"admin": "403", "lead": "let through"},
    "templates:publish": {"admin": "403", "lead": "let through"},
}
"""Of the house's pages, by the role on the house."""

# --- the client -----------------------------------------------------------------------------------------

KINDS = {"worker": "worker", "employee": "employee"} | dict.fromkeys(CLIENT, "client")


@dataclass
class World:
    """A client through whose rooms something has gone, with a user per role, and an id of each kind."""

    client: TestClient
    users: dict[str, Identity]
    ids: dict[str, Any]

    def kwargs(self, name: str, route: list[str], client: TestClient | None = None) -> dict[str, Any]:
        """What stands in an address of that name; client: under whose address."""
        made = {word: self.ids.get(f"{name}.{word}", self.ids.get(word)) for word in route}
        if "client" in route:
            made["client"] = (client or self.client).code
        missing = [word for word, value in made.items() if value is None]
        assert not missing, f"{name}: say in `ids` what {missing} may be"
        return made


TEMPS = [Temp("T1", pension="relief_at_source"), Temp("T2", "Al Green", customer="BETA", status="disputed")]
DAY = date(2026, 11, 27)


@pytest.fixture(scope="module")
def world(firm: Firm) -> World:
    client = firm.new_client()
    set_up(client, TEMPS)
    day = run_payday(client, TEMPS, DAY, with_papers=True)
    assert day.batch is not None
    _calculate_in_the_background(client)
    line = Booked(-day.batch.total, text=day.batch.reference, reference="B1", day=day.batch.entry_day)
    listed = client.folder / "bank.csv"
    listed.write_text("Date,Details,Amount\n27/11/2026,ACME,12.00\n")
    with client.acting("bookkeeper"):
        imports.preview("statement", listed)
    client.take("statement", write(client.folder, statement([line])), role="bookkeeper")
    users = _users(firm, client)
    with client.acting("lead"):
        person = Person.objects.get(client_id=client.id, payroll_number="T1")
        people.give_login(person.counterparty_id, users["employee"].id, starts=date(2026, 1, 1))
    return World(client, users, _ids(firm, client) | _entered(client, users["employee"]))


def _entered(client: TestClient, worker: Identity) -> dict[str, Any]:
    """A week that its worker sent."""
    with acting(worker, write=client.id):
        me = Person.objects.get(client_id=client.id, payroll_number="T1").counterparty_id
        free = next(w for w in entered.my_weeks(me, duties.today()) if not w.state)
        day = free.week_ending - timedelta(days=6)
        kept = entering.save_week(free.assignment_id, free.week_ending, [entering.DaySaid(day, 480)])
        entering.send_week(kept.week_id, content=kept.content)
    return {
        "assignment_id": free.assignment_id,
        "week": str(free.week_ending),
        "week_id": kept.week_id,
        "request_id": uuid7(),
        # It stays sent.
        "timesheets:my_week_take_back.week_id": uuid7(),
    }


def _calculate_in_the_background(client: TestClient) -> None:
    client.take("timesheets", hours_file(client, TEMPS, MONDAY + timedelta(days=7), "next.csv"))
    with client.acting("specialist"):
        run = payroll.open_pay_run(DAY + timedelta(days=7))
        attempts.plan_calculation(run.run_id, in_background=True)
    run_worker(wait=False)


def _users(firm: Firm, client: TestClient) -> dict[str, Identity]:
    users = dict(client.staff)
    for role in ROLES:
        if role not in users:
            users[role] = firm.new_user(KINDS.get(role, "staff"))
            ends = {"ends": date(2199, 1, 1)} if role == "auditor" else {}
            firm.grant(users[role], client.id, role, **ends)
    for user in users.values():
        set_password(user.id)
    return users


def _away(client: TestClient) -> None:
    """Sickness with its certificate."""
    with client.acting("specialist"):
        entitling.offer_ready_kinds()
        person = Person.objects.get(client_id=client.id, payroll_number="T1")
        terms.set_terms(person.counterparty_id, Agreed("hourly", 15_00, 2250), starts=DAY, reason="agreed")
        kind = LeaveKind.objects.get(client_id=client.id, code="sickness")
        booked = leave.record(person.counterparty_id, kind.id, leave.Stretch(DAY, DAY))
        file = vault.store(b"ill", name="note.txt", kind="leave.evidence", subject_id=booked.booking_id)
        leave.add_evidence(booked.booking_id, "self_certificate", DAY, DAY, file_id=file.id)


def _ids(firm: Firm, client: TestClient) -> dict[str, Any]:
    """One of everything, of that client; `page.word` where a word means another thing on some page."""
    spare = firm.new_user()
    firm.grant(spare, client.id, "specialist")
    with acting(firm.admin, read=[firm.house_id]):
        grant_id = Grant.objects.get(user_id=spare.id).id

    def first(model: Any, **which: Any) -> Any:
        return model.objects.filter(client_id=client.id, **which).order_by("id").first().pk

    with acting(firm.owner, write=firm.house_id):
        procedure = drafts.publish(procedure_text("walked")).key

    template = published(firm)
    with client.acting("lead"):
        templates.follow(template.key, reason="as agreed")
        template_batch = uuid7()
        templates.keep_outcome(template_batch, template.version_id, MONDAY, action="rehearse", outcome="done")

    with client.acting("specialist"):
        begun = services.start_case(procedure, values={"day": "2026-11-27"})
        case_task = Task.objects.get(client_id=client.id, case_id=begun.case_id)
        xml = ubl.write_document(einvoice())
        checked = vault.store(xml, name="in.xml", kind=einvoices.CHECKED, media_type=einvoices.MEDIA_TYPE)
        issued = einvoices.find("INV-000001")
        vault.store(
            xml,
            name="INV-000001.xml",
            kind=einvoices.KIND,
            media_type=einvoices.MEDIA_TYPE,
            subject_id=issued.id,
        )
        shown = vault.store(b"list", name="list.csv", kind="sop.evidence", subject_id=case_task.id)
        services.complete(case_task.id, checks=[1], files={"list": shown.id})
        asking = Task.objects.get(client_id=client.id, case_id=begun.case_id, kind="client_request")

    with client.acting("bookkeeper"):
        supplier_bills.enter_bill(
            BillSaid("PAPER", "P-1", PAY_DATE, (BillLine("Paper", 10_00),), 2_00, supplier_name="Paper Ltd")
        )
    with client.acting("specialist"):
        told = links.notify_payslips(PayRun.objects.get(client_id=client.id, number=1).id)

    _away(client)
    batch_id = uuid7()
    with client.acting("specialist"):
        schedules.add_pay_schedule(
            "M", "Monthly", frequency="monthly", anchor=date(2026, 1, 1), pay_rule="day_of_month", pay_day=27
        )
        person = Person.objects.get(client_id=client.id, payroll_number="T1").counterparty_id
        schedules.put_on_schedule(person, "M", starts=date(2026, 11, 1))
        batch.keep_batch_result(
            batch_id, action="calculate", pay_date=MONDAY, outcome="done", words="Run 1: 2 payslips."
        )

    with client.acting("specialist"):
        agreement = rates.add_agreement("ACME", "AG-1")
        made = rates.add_rate_card(agreement.agreement_id, "Operative", MONDAY, pay_rate=1500, bill_rate=2100)
        card = rates.card_of(made.card_id)
        order = PurchaseOrder.objects.create(
            client_id=client.id, customer=card.agreement.customer, number="PO-1", starts=MONDAY
        )

    with client.acting("lead"):
        run = PayRun.objects.get(client_id=client.id, number=1)
        slip = Payslip.objects.get(client_id=client.id, run_id=run.id, person__payroll_number="T1")
        return {
            "number": 1,
            "payroll:preview.number": 2,
            "schedule": "M",
            "pay_date": "2026-11-27",
            "key": procedure,
            "template": template.key,
            "template_batch": template_batch,
            "verb": "comment",
            "task_id": case_task.id,
            "sop:task.verb": "claim",
            "batch": uuid7(),
            **dict.fromkeys(
                ("portal_request.task_id", "portal_request_answer.task_id", "request_ask.task_id"), asking.id
            ),
            "file_id": shown.id,
            "people:person.number": "T1",
            "leave:person.number": "T1",
            "leave:adjust.number": "T1",
            "booking_id": first(Booking),
            "evidence_id": first(Evidence),
            "payroll_number": "T1",
            "slip_id": slip.id,
            "job_progress.kind": "calculation",
            "job_again.kind": "calculation",
            "part": 1,
            "mailing_id": told.mailing_id,
            "job_id": Attempt.objects.get(client_id=client.id, run__number=2).id,
            "timesheet_id": first(Timesheet),
            "purchase_order_id": order.id,
            "agreement_id": card.agreement_id,
            "card_id": card.id,
            "agency": "HMRC",
            **{f"payroll:{name}.year": "2026-27" for name in ("liability_book", "owed", "owed_slips")},
            **{f"payroll:{name}.number": 8 for name in ("owed", "owed_slips")},
            "element": "employee_nic",
            "billing:invoice.number": "INV-000001",
            "billing:pdf.number": "INV-000001",
            "billing:ubl.number": "INV-000001",
            "billing:ubl_write.number": "INV-000001",
            "billing:mirror_again.number": "INV-000001",
            "billing:checked.file_id": checked.id,
            "billing:supplier_bill_of_file.file_id": checked.id,
            "billing:line.number": "INV-000001",
            "portal_invoice.number": "INV-000001",
            "portal_invoice_pdf.number": "INV-000001",
            "line_no": 1,
            "line_id": first(BankLine),
            "item_id": first(OpenItem),
            "entry_id": first(Entry),
            "code": "1200",
            "event_id": first(AuditEvent),
            "preview_id": first(ImportPreview, kind="timesheets"),
            "settlement:layout.preview_id": first(ImportPreview, kind="statement"),
            "settlement:layout_confirm.preview_id": first(ImportPreview, kind="statement"),
            "kind": "payslip",
            "node_id": slip.id,
            "user_id": spare.id,
            "grant_id": grant_id,
            "login_id": first(PersonLogin),
            "account_id": first(OwnAccount),
            "token_id": uuid7(),
            "terms_id": uuid7(),
            "proposal_id": uuid7(),
            "recurring_id": uuid7(),
            "order_id": uuid7(),
            "debt_id": uuid7(),
            "absence_id": uuid7(),
            "payment_id": uuid7(),
            "team_id": uuid7(),
            "client_id": client.id,
            "device_id": 10**9,
            "link_id": uuid7(),
            "comment_id": uuid7(),
            "handover_id": uuid7(),
            "batch_id": batch_id,
            "token": "no-such-token",
            "name": "approve-own-run",
        }


# --- walking --------------------------------------------------------------------------------------------


def addresses() -> Iterator[tuple[str, list[str]]]:
    """(name, words of the address) of every pattern, but those of the API, which has a table of its own."""

    def walk(patterns: list[Any], space: str) -> Iterator[tuple[str, list[str]]]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                if pattern.namespace != "api":
                    inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
                    yield from walk(pattern.url_patterns, inner)
            elif isinstance(pattern, URLPattern):
                yield f"{space}{pattern.name}", list(pattern.pattern.converters)

    yield from walk(get_resolver("engineroom.web.urls").url_patterns, "")


ADDRESSES = dict(addresses())
POSTED = {"kind": "timesheets", "label": "nightly", "days": "30", "text": "said"}
"""Valid where a form of one's own is asked for: a token is issued, from every face."""


PDF, ZIP, BYTES = "application/pdf", "application/zip", "application/octet-stream"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"
PART = "text/html; charset=utf-8"
NO_PAGES = {
    "healthz": "text/plain",
    # Files.
    "billing:margin_file": CSV,
    "billing:papers": ZIP,
    "billing:pdf": PDF,
    "billing:ubl": "application/xml",
    "leave:evidence": BYTES,
    "my_payslip_pdf": PDF,
    "payroll:journal_file": CSV,
    "payroll:liability_book": SHEET,
    "payroll:paper": PDF,
    "payroll:papers": ZIP,
    "portal_invoice_pdf": PDF,
    "portal_workbook": SHEET,
    "settlement:file": "text/plain",
    "sop:file": BYTES,
    "workbook": SHEET,
    # Parts of pages, which a page asks for anew while something goes on.
    "billing:printing": PART,
    "job_progress": PART,
    "letters_progress": PART,
    "notices_count": PART,
    "payroll:batch_progress": PART,
    "payroll:printing": PART,
    "payroll:progress": PART,
    "templates:progress": PART,
}
"""Addresses that answer with no page, each with its type: no browser looks at them."""

BEGINS = {PDF: b"%PDF-", ZIP: b"PK", SHEET: b"PK"}


def asked(browser: Browser, name: str, kwargs: dict[str, Any]) -> Any:
    where = reverse(name, kwargs=kwargs)
    return browser.post(where, POSTED) if TABLE[name].method == "POST" else browser.get(where)


def outcome(response: Any) -> str:
    """What became of a request: an action says its refusal on the page it came from."""
    if response.status_code in (403, 404):
        return str(response.status_code)
    said = " ".join(str(m) for m in getattr(response.wsgi_request, "_messages", ()) or ())
    if response.status_code == 303 and ("needs the permission" in said or "may read client" in said):
        return "403"
    assert response.status_code < 500, response.status_code
    return "let through"


def test_every_address_has_a_row_and_every_row_an_address():
    assert set(TABLE) == set(ADDRESSES)
    assert None not in ADDRESSES and "" not in ADDRESSES, "every address has a name"


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_page_as_a_role(world: World, role: str):
    found, expected = {}, {}
    browser = signed_in(world.users[role])
    for name, words in ADDRESSES.items():
        if name == "account_logout":
            continue
        found[name] = outcome(asked(browser, name, world.kwargs(name, words)))
        expected[name] = TABLE[name].expected(role)
    wrong = {name: (found[name], expected[name]) for name in found if found[name] != expected[name]}
    assert not wrong, "\n".join(f"{name}: {is_} and not {should}" for name, (is_, should) in wrong.items())


@pytest.mark.parametrize("role", ["lead", "client_approver", "employee"])
def test_no_page_takes_a_name_that_every_page_is_given(world: World, role: str):
    """A page's own `notices` once stood where the top bar's bell looks for its address."""
    browser = signed_in(world.users[role])
    taken = {}
    for name, words in ADDRESSES.items():
        if TABLE[name].method == "POST" or role not in TABLE[name].may or name == "account_logout":
            continue
        response = asked(browser, name, world.kwargs(name, words))
        contexts = list(response.context or ()) if response.status_code == 200 else []
        given = surroundings(response.wsgi_request).keys() - {"client"}
        own = {key for each in contexts for layer in _own(each) for key in layer}
        if own & given:
            taken[name] = own & given
    assert not taken, taken


def _own(context: Any) -> list[dict[str, Any]]:
    """The layers of a context that are the page's own, after those that every page is given."""
    index = getattr(context, "_processors_index", None)
    return context.dicts[index + 1 :] if index is not None else []


def test_whoever_is_not_signed_in_is_sent_to_the_door(world: World):
    wrong = {}
    for name, words in ADDRESSES.items():
        response = asked(new_browser(), name, world.kwargs(name, words))
        nobody = "door" if response.status_code in (302, 303) else response.status_code
        if nobody != TABLE[name].nobody:
            wrong[name] = (nobody, TABLE[name].nobody)
        if nobody == "door" and name not in ("front", "mfa_index"):
            assert "/sign-in" in response.headers["Location"], name
    assert not wrong, wrong


@pytest.mark.parametrize("role", ["admin", "lead"])
def test_the_houses_pages_by_the_role_on_the_house(firm: Firm, world: World, role: str):
    user = firm.new_user()
    firm.grant(user, firm.house_id, role)
    browser = signed_in(user)
    found = {name: outcome(asked(browser, name, world.kwargs(name, ADDRESSES[name]))) for name in HOUSE}
    assert found == {name: by_role[role] for name, by_role in HOUSE.items()}
    assert outcome(asked(browser, "home", {"client": world.client.code})) == "404", "no grant there"


OF_A_CLIENT = [
    name
    for name, words in ADDRESSES.items()
    if "client" in words and len(words) > 1 and name not in ("ledger:account", "payroll:agency", "sop:moves")
]
"""Every client has an account 1200, and procedures are the firm's: what is theirs is asked by client."""


@pytest.fixture(scope="module")
def strangers(firm: Firm, world: World) -> tuple[TestClient, dict[str, Identity]]:
    """Another client, new and empty, with a user in every role."""
    client = firm.new_client()
    return client, _users(firm, client)


@pytest.mark.parametrize("name", OF_A_CLIENT)
def test_another_clients_ids_are_nothing_under_my_address(
    world: World, strangers: tuple[TestClient, dict[str, Identity]], name: str
):
    """As somebody whom the page lets through at home: a 404; for an action, a refusal."""
    mine, users = strangers
    role = "lead" if "lead" in TABLE[name].may else sorted(TABLE[name].may)[0]
    response = asked(signed_in(users[role]), name, world.kwargs(name, ADDRESSES[name], mine))
    assert response.status_code in ((404,) if TABLE[name].method == "GET" else (303, 404, 422)), name
    if response.status_code == 303:
        levels = {m.level_tag for m in response.wsgi_request._messages}
        assert levels == {"error"}, name


NO_FILE_YET = {"ledger:journal"}
"""A file from a day to a day: without them, 422 names the field that is wanted."""


@pytest.mark.parametrize("role", ["lead", "auditor", "client_approver"])
def test_every_page_of_a_new_client_has_its_empty_state(
    strangers: tuple[TestClient, dict[str, Identity]], role: str
):
    mine, users = strangers
    browser = signed_in(users[role])
    for name, words in ADDRESSES.items():
        row = TABLE[name]
        if row.method == "GET" and role in row.may and set(words) <= {"client"} and name != "account_logout":
            response = browser.get(reverse(name, kwargs={"client": mine.code} if words else {}))
            assert response.status_code in (200, 302) or name in NO_FILE_YET, (name, response.status_code)


def test_a_code_that_nobody_has_and_a_client_without_a_grant_look_the_same(world: World, firm: Firm):
    browser = signed_in(firm.new_user())
    for name, words in ADDRESSES.items():
        if "client" in words:
            kwargs = world.kwargs(name, words)
            there = asked(browser, name, kwargs)
            nowhere = asked(browser, name, kwargs | {"client": "NOBODY"})
            assert (there.status_code, nowhere.status_code) == (404, 404), name


@pytest.mark.parametrize("name", sorted(NO_PAGES))
def test_a_file_or_a_part_of_a_page_is_what_it_is_said_to_be(world: World, name: str) -> None:
    """What is named there is no page, so that the browser passes over nothing that is one."""
    role = next(
        role for role in ("lead", "specialist", "client_approver", "employee") if role in TABLE[name].may
    )
    answer = signed_in(world.users[role]).get(reverse(name, kwargs=world.kwargs(name, ADDRESSES[name])))
    body = b"".join(answer) if answer.streaming else answer.content
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, NO_PAGES[name])
    assert body.startswith(BEGINS.get(NO_PAGES[name], b"")) and body
    assert b"<html" not in body
    if NO_PAGES[name] in (PDF, ZIP, SHEET, CSV, BYTES):
        assert "filename=" in answer.headers["Content-Disposition"]
