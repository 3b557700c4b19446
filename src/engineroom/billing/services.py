"""Bill runs: prepared and bound by hash, approved, issued."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from engineroom.billing import accounts, mirrors, selectors
from engineroom.billing.engine import Draft
from engineroom.billing.models import Billed, BillRun, Invoice, InvoiceLine
from engineroom.foundation import numbering
from engineroom.foundation.approvals import canonical
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.columns import insert_together
from engineroom.foundation.commands import command
from engineroom.foundation.failpoints import failpoint
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, NotFound
from engineroom.kernel.ids import uuid7s, uuids_to_column
from engineroom.kernel.tables import load_table
from engineroom.ledger.services import EntryColumns, LineColumns, account_ids, book_named, post
from engineroom.openitems.models import Counterparty
from engineroom.openitems.services import ItemColumns, add_items
from engineroom.timesheets.models import PurchaseOrder
from engineroom.timesheets.rates import cards_behind

INVOICE_SERIES = "invoice"


def invoice_number(n: int) -> str:
    """As printed: INV-000123."""
    return f"INV-{n:06d}"


@dataclass(frozen=True)
class BillRunPrepared:
    bill_run_id: UUID
    number: int
    invoices: int
    net: int
    content_hash: str
    approval_voided: bool

    @property
    def subject(self) -> str:
        return f"bill_run:{self.bill_run_id}"


@command("billing.prepare")
def prepare_bill_run(issue_date: date, through: date) -> BillRunPrepared:
    """Bind what is to be invoiced for the weeks through a day. Prepared again, it follows what changed."""
    client_id = current_scope().client_id
    found = selectors.drafts(through, issue_date)
    digest = content_hash(found, issue_date, parties_of(found))
    run = (
        BillRun.objects.select_for_update()
        .filter(client_id=client_id, issue_date=issue_date, through=through)
        .first()
    )
    if run is not None and Invoice.objects.filter(client_id=client_id, bill_run=run).exists():
        raise Conflict(f"bill run {run.number} is issued; what waits now goes into the next one")
    if run is None:
        run = BillRun.objects.create(
            client_id=client_id,
            number=numbering.take("bill-run"),
            through=through,
            issue_date=issue_date,
            content_hash=digest,
        )
    voided = approvals.void_if_changed("bill_run", run.id, digest, "prepared again: the drafts differ")
    if bytes(run.content_hash) != digest:
        run.content_hash = digest
        run.save(update_fields=["content_hash"])
    _take_in_makers(run, found)
    return BillRunPrepared(run.id, run.number, len(found), sum(d.net for d in found), digest.hex(), voided)


def _take_in_makers(run: BillRun, found: Sequence[Draft]) -> None:
    """Whoever took in the hours, set rates, orders or the customer's terms, wrote what is printed of the
    supplier, or ended a hold, made the bill run too."""
    lines = [line for d in found for line in d.lines]
    charges = {c for line in lines for c in line.charge_ids}
    assignments = list({line.assignment_id for line in lines})
    approvals.takes_in("bill_run", run.id, "import", selectors.imports_to_bill(run.through))
    for kind, parts in (
        ("hold", [hold for hold in selectors.holds_to_bill(run.through) if hold in charges]),
        ("assignment", assignments),
        ("rate_card", cards_behind(assignments)),
        ("order", _orders_of(found)),
        ("counterparty", [c.id for c in _customers_of(found)]),
        ("client", [run.client_id]),
    ):
        approvals.makers_of_parts("bill_run", run.id, kind, parts)


def _orders_of(found: Sequence[Draft]) -> list[UUID]:
    """The orders billed on: another customer's of the same number is not one of them."""
    asked = {(d.customer, d.order_number) for d in found}
    rows = PurchaseOrder.objects.filter(
        client_id=current_scope().client_id, number__in={number for _, number in asked}
    )
    return [
        order
        for order, customer, number in rows.values_list("id", "customer__code", "number")
        if (customer, number) in asked
    ]


def _customers_of(found: Sequence[Draft]) -> list[Counterparty]:
    codes = {d.customer for d in found}
    return list(Counterparty.objects.filter(client_id=current_client_id(), kind="customer", code__in=codes))


Parties = dict[str, dict[str, dict[str, Any]]]
"""By customer code: what the invoice prints of the `supplier` and of the `customer`."""


def parties_of(found: Sequence[Draft]) -> Parties:
    """Names, addresses, VAT numbers, terms and where to pay, as they stand now."""
    client = Client.objects.get(id=current_client_id())
    supplier = {**client.details, "name": client.name}
    customers = _customers_of(found)
    return {c.code: {"supplier": supplier, "customer": {**c.details, "name": c.name}} for c in customers}


def terms_of(party: Mapping[str, Mapping[str, Any]]) -> int:
    """Days to pay in."""
    return int(party["customer"].get("payment_days", 30))


def content_hash(found: Sequence[Draft], issue_date: date, parties: Parties) -> bytes:
    """SHA-256 of what an approver approves: who bills whom, on what terms, and every line of every draft."""
    lines = [
        canonical.line("party", code, [("details", json.dumps(party, sort_keys=True))])
        for code, party in sorted(parties.items())
    ]
    flat = [(d, line) for d in found for line in d.lines]
    columns: dict[str, list[object]] = {
        "customer": [d.customer for d, _ in flat],
        "order": [d.order_number for d, _ in flat],
        "week_ending": [line.week_ending for _, line in flat],
        "kind": [line.kind for _, line in flat],
        "rate": [line.rate for _, line in flat],
        "issue_date": [issue_date] * len(flat),
        "person": [line.person for _, line in flat],
        "role": [line.role for _, line in flat],
        "minutes": [line.minutes for _, line in flat],
        "net": [line.net for _, line in flat],
        "vat_ppm": [d.vat_ppm for d, _ in flat],
    }
    lines += canonical.lines("invoice_line", [line.assignment for _, line in flat], columns)
    return canonical.digest(lines)


def find_bill_run(bill_run_id: UUID) -> BillRun:
    run = BillRun.objects.filter(client_id=current_scope().client_id, id=bill_run_id).first()
    if run is None:
        raise NotFound(f"there is no bill run {bill_run_id}")
    return run


@dataclass(frozen=True)
class BillRunApproved:
    bill_run_id: UUID
    approval_id: UUID
    content_hash: str

    @property
    def subject(self) -> str:
        return f"bill_run:{self.bill_run_id}"


@command("billing.approve")
def approve_bill_run(bill_run_id: UUID, *, content_hash: str) -> BillRunApproved:
    """Approve the drafts as they stood when the run was prepared; void if a line changes afterwards."""
    run = find_bill_run(bill_run_id)
    if bytes(run.content_hash).hex() != content_hash:
        raise approvals.ContentChanged(
            f"bill run {run.number} was prepared again since you looked; look again"
        )
    approval = approvals.approve("bill_run", run.id, bytes(run.content_hash))
    return BillRunApproved(run.id, approval.id, content_hash)


@dataclass(frozen=True)
class InvoicesIssued:
    bill_run_id: UUID
    invoices: list[str]
    net: int
    vat: int
    gross: int

    @property
    def subject(self) -> str:
        return f"bill_run:{self.bill_run_id}"


def anything_to_issue(bill_run_id: UUID) -> bool:
    """Whether there are drafts now for a bill run that is not issued."""
    run = find_bill_run(bill_run_id)
    return bool(selectors.imports_to_bill(run.through))


@command("billing.release")
def issue_bill_run(bill_run_id: UUID) -> InvoicesIssued:
    """Let the approved drafts out: numbers are taken, invoices stand for good, revenue and receivables are
    posted. Never by whoever approved them.

    Release and issue are one transaction, so what was released is always issued. Raises NotApproved,
    ContentChanged when the drafts are no longer what was approved, MakerIsNotChecker.
    """
    run = BillRun.objects.select_for_update().get(id=find_bill_run(bill_run_id).id)
    if Invoice.objects.filter(client_id=run.client_id, bill_run=run).exists():
        raise Conflict(f"bill run {run.number} is issued already")
    approval = approvals.standing("bill_run", run.id)
    if approval is None:
        raise approvals.NotApproved(f"bill run {run.number} has no standing approval; have it approved first")
    _one_at_a_time()
    found = selectors.drafts(run.through, run.issue_date)
    parties = parties_of(found)
    if content_hash(found, run.issue_date, parties) != bytes(approval.content_hash):
        raise approvals.ContentChanged(
            f"bill run {run.number} is not what was approved; prepare it again and have it approved"
        )
    if not found:
        return InvoicesIssued(run.id, [], 0, 0, 0)
    approvals.release("bill_run", run.id, bytes(approval.content_hash))
    numbers = _write(run, found, parties)
    failpoint("post")
    return InvoicesIssued(
        run.id, numbers, sum(d.net for d in found), sum(d.vat for d in found), sum(d.gross for d in found)
    )


def _one_at_a_time() -> None:
    """Whoever issues for this client at this moment ends first: what waits to be billed is read after they
    commit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"issue:{current_scope().client_id}"]
        )


def _write(run: BillRun, found: Sequence[Draft], parties: Parties) -> list[str]:
    customers = {c.code: c for c in _customers_of(found)}
    ids = uuid7s(len(found))
    terms = [terms_of(parties[d.customer]) for d in found]
    due = [run.issue_date + timedelta(days=days) for days in terms]
    customer_ids = [customers[d.customer].id for d in found]
    entry_ids = _post(run, found, customer_ids)
    # As late as can be: others wait for the number until we commit.
    first = numbering.take(INVOICE_SERIES, len(found))
    numbers = [invoice_number(first + i) for i in range(len(found))]
    _insert_invoices(run, found, ids, customer_ids, due, numbers, parties)
    _add_receivables(found, ids, customer_ids, due, numbers, entry_ids)
    mirrors.plan([(row, parties[d.customer]) for row, d in zip(ids, found, strict=True)])
    return numbers


def _insert_invoices(
    run: BillRun,
    found: Sequence[Draft],
    ids: list[UUID],
    customer_ids: list[UUID],
    due: list[date],
    numbers: list[str],
    parties: Parties,
) -> None:
    """Invoices with their lines and the charges on them: one statement, which the guards look at as one."""
    n = len(found)
    rule = load_table("engineroom.billing", "vat").at(run.issue_date)
    invoices = {
        "id": ids,
        "client_id": run.client_id,
        "bill_run_id": run.id,
        "number": numbers,
        "customer_id": customer_ids,
        "order_number": [d.order_number for d in found],
        "issue_date": run.issue_date,
        "tax_point": run.issue_date,
        "due": due,
        "currency": ["GBP"] * n,
        "net": [d.net for d in found],
        "vat": [d.vat for d in found],
        "gross": [d.gross for d in found],
        "vat_rule": [f"{rule.table} from {rule.starts}, {rule['staff_supply']} rate, principal"] * n,
        "parties": [parties[d.customer] for d in found],
        "line_count": np.array([len(d.lines) for d in found], dtype=np.int32),
    }
    lines = [(i, k, line) for i, d in enumerate(found) for k, line in enumerate(d.lines, 1)]
    line_ids = uuid7s(len(lines))
    listed = {
        "id": line_ids,
        "client_id": run.client_id,
        "invoice_id": [ids[i] for i, _, _ in lines],
        "line_no": np.array([k for _, k, _ in lines], dtype=np.int32),
        "description": [line.description[:200] for _, _, line in lines],
        "assignment_id": [line.assignment_id for _, _, line in lines],
        "week_ending": [line.week_ending for _, _, line in lines],
        "kind": [line.kind for _, _, line in lines],
        "minutes": np.array([line.minutes for _, _, line in lines], dtype=np.int32),
        "rate": [line.rate for _, _, line in lines],
        "net": [line.net for _, _, line in lines],
        "vat_ppm": [found[i].vat_ppm for i, _, _ in lines],
    }
    billed = [
        (charge, line_id)
        for line_id, (_, _, line) in zip(line_ids, lines, strict=True)
        for charge in line.charge_ids
    ]
    stands_on = {
        "id": uuids_to_column([c for c, _ in billed]),
        "client_id": run.client_id,
        "invoice_line_id": uuids_to_column([line_id for _, line_id in billed]),
    }
    insert_together(
        (Invoice, invoices, n), (InvoiceLine, listed, len(lines)), (Billed, stands_on, len(billed))
    )


def _post(run: BillRun, found: Sequence[Draft], customer_ids: list[UUID]) -> list[UUID]:
    """One entry an invoice: debit receivables, credit sales and VAT. Returns the entries' ids."""
    codes = account_ids()
    customers = uuids_to_column(customer_ids)
    n = len(found)
    day = np.full(n, np.datetime64(run.issue_date, "D"))
    columns = [
        (accounts.RECEIVABLES, 1, "gross"),
        (accounts.SALES, -1, "net"),
        (accounts.VAT_OUTPUT, -1, "vat"),
    ]
    amounts = np.array(
        [[sign * getattr(d, name) for _, sign, name in columns] for d in found], dtype=np.int64
    )
    entry, which = np.nonzero(amounts)
    account = uuids_to_column([codes[code] for code, _, _ in columns])
    narrative = [
        f"Invoice to {d.customer}{f', order {d.order_number}' if d.order_number else ''}" for d in found
    ]
    posted = post(
        "bill_run",
        ("bill_run", run.id),
        book_named().id,
        EntryColumns(day, narrative),
        LineColumns(entry, account[which], amounts[entry, which], dimension=customers[entry]),
    )
    return posted.entry_ids


def _add_receivables(
    found: Sequence[Draft],
    ids: list[UUID],
    customer_ids: list[UUID],
    due: list[date],
    numbers: list[str],
    entry_ids: list[UUID],
) -> None:
    add_items(
        "invoice",
        account_ids()[accounts.RECEIVABLES],
        "invoice",
        ItemColumns(
            counterparty=uuids_to_column(customer_ids),
            amount=np.array([d.gross for d in found], dtype=np.int64),
            due=np.array(due, dtype="datetime64[D]"),
            entry=uuids_to_column(entry_ids),
            subject_id=uuids_to_column(ids),
            reference=numbers,
        ),
    )
