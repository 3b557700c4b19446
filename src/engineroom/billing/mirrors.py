"""The other side of the house's invoices: what the firm bills a client is a draft bill at that client.

Nothing crosses between clients by a key. Issuing an invoice to a customer that is a client of the firm
leaves a row that says whose it is, and queues a job in the same transaction. The job reads the invoice under
the house's scope and writes the bill under the other client's, once for each invoice (`exchange_id`); then it
says in the first row which bill it is. Until then the mirror is pending; where it cannot be written, why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from engineroom.billing import supplier_bills
from engineroom.billing.models import Invoice, InvoiceLine, InvoiceMirror, SupplierBill
from engineroom.billing.supplier_bills import BillLine, BillSaid
from engineroom.foundation.access import services as access
from engineroom.foundation.access.sign_in import clients_of
from engineroom.foundation.audit import services as audit
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import Identity, acting, current_client_id, current_scope
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotFound, Problem

LONGEST_PROBLEM = 500


def client_billed(parties: dict[str, Any]) -> str:
    """The code of the firm's client that a customer is, as its details say; empty for nobody."""
    return str(parties["customer"].get("client") or "").strip()


def plan(invoices: Sequence[tuple[UUID, dict[str, Any]]]) -> int:
    """Have the mirrors of fresh invoices written, of those to clients of the firm. Returns how many.

    invoices: ids with the parties they were issued with. Only the house's invoices have another side here.
    """
    wanted = [(row, code) for row, parties in invoices if (code := client_billed(parties))]
    if not wanted or not Client.objects.filter(id=current_client_id(), is_house=True).exists():
        return 0
    known = dict(Client.objects.filter(code__in={c for _, c in wanted}).values_list("code", "id"))
    rows = [
        InvoiceMirror(client_id=current_scope().client_id, invoice_id=row, to_client_id=known[code])
        for row, code in wanted
        if code in known and known[code] != current_client_id()
    ]
    InvoiceMirror.objects.bulk_create(rows)
    for row in rows:
        _queue(row.invoice_id)
    return len(rows)


def _queue(invoice_id: UUID) -> None:
    from engineroom.billing.tasks import mirror_invoice_job

    scope = current_scope()
    user = scope.on_behalf or scope.user
    mirror_invoice_job.configure(lock=f"mirror:{invoice_id}").defer(
        client_id=str(scope.client_id), invoice_id=str(invoice_id), user_id=str(user.id)
    )


@dataclass(frozen=True)
class MirrorQueued:
    invoice_id: UUID
    number: str

    @property
    def subject(self) -> str:
        return f"invoice:{self.invoice_id}"


@command("billing.prepare")
def mirror_again(invoice_id: UUID) -> MirrorQueued:
    """Try again to write the other side of an invoice, once what kept it away is put right."""
    row = mirror_of(invoice_id)
    if row is None:
        raise NotFound("this invoice has no other side among the firm's clients")
    if row.document_id is not None:
        raise Conflict("the other side of this invoice is written already")
    _queue(invoice_id)
    return MirrorQueued(invoice_id, row.invoice.number)


def mirror_of(invoice_id: UUID) -> InvoiceMirror | None:
    rows = InvoiceMirror.objects.filter(client_id=current_client_id(), invoice_id=invoice_id)
    return rows.select_related("invoice").first()


# --- the job ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Issued:
    """An invoice taken out of the house's scope: plain values alone."""

    said: BillSaid
    currency: str
    to_client_id: UUID
    supplier: dict[str, Any]


def write(client_id: UUID, invoice_id: UUID, user_id: UUID) -> UUID | None:
    """Write the other side of an invoice, and say so beside it. Run again, it finds what is there.

    Returns the bill's id; None where it cannot be written, with the reason beside the invoice.
    """
    system, user = access.system_user(), access.identity(user_id)
    with acting(system, read=[client_id]):
        found = _issued(invoice_id)
    if found is None:
        return None
    bill_id, problem = None, ""
    try:
        bill_id = _written(system, user, client_id, invoice_id, found)
    except EngineroomError as refused:
        problem = " ".join(str(refused).split())[:LONGEST_PROBLEM]
    with acting(system, write=client_id):
        InvoiceMirror.objects.filter(client_id=client_id, invoice_id=invoice_id, document_id=None).update(
            document_id=bill_id, problem=problem
        )
        audit.record(
            "billing.mirror",
            subject_kind="invoice",
            subject_id=invoice_id,
            detail={"problem": problem} if problem else {"bill": str(bill_id)},
        )
    return bill_id


def _issued(invoice_id: UUID) -> _Issued | None:
    """The invoice as its customer has it; None once its other side is written."""
    row = mirror_of(invoice_id)
    if row is None or row.document_id is not None:
        return None
    one: Invoice = row.invoice
    house = Client.objects.get(id=one.client_id)
    lines = InvoiceLine.objects.filter(client_id=one.client_id, invoice=one).order_by("line_no")
    supplier = {key: value for key, value in one.parties["supplier"].items() if key in PRINTED and value}
    said = BillSaid(
        supplier=house.code,
        supplier_name=one.parties["supplier"]["name"],
        reference=one.number,
        issue_date=one.issue_date,
        due=one.due,
        lines=tuple(BillLine(_described(line), line.net) for line in lines),
        vat=one.vat,
    )
    return _Issued(said, one.currency, row.to_client_id, supplier)


PRINTED = ("address", "city", "post_code", "country", "vat_number", "company_number")


def _described(line: InvoiceLine) -> str:
    words = f"{line.description}, {line.kind} hours, week ending {line.week_ending.isoformat()}"
    return words[: supplier_bills.LONGEST_DESCRIPTION]


def _written(system: Identity, user: Identity, client_id: UUID, invoice_id: UUID, found: _Issued) -> UUID:
    """The client's draft bill. Raises InputRefused, Conflict.

    On behalf of whoever issued the invoice, where they work on that client too: they cannot approve it there.
    """
    there = any(client.id == found.to_client_id for client, _ in clients_of(user))
    with acting(system, write=found.to_client_id, on_behalf=user if there else None):
        before = SupplierBill.objects.filter(client_id=found.to_client_id, exchange_id=invoice_id).first()
        if before is not None:
            return before.id
        currency = Client.objects.values_list("currency", flat=True).get(id=found.to_client_id)
        if currency != found.currency:
            what = f"it is in {found.currency}, and the client's books are in {currency}"
            raise InputRefused([Problem(what, f"Bill this client in {currency}")])
        if problems := supplier_bills.wrong(found.said):
            raise InputRefused(problems, "The client's bill was not written")
        kept = supplier_bills.keep(
            found.said, source="mirror", mirrors=(client_id, invoice_id), details=found.supplier
        )
        audit.record(
            "billing.mirror",
            subject_kind=supplier_bills.SUBJECT,
            subject_id=kept.bill_id,
            detail={"invoice": found.said.reference},
        )
        return kept.bill_id
