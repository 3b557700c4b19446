"""Bills of suppliers: entered by hand or read from an e-invoice, approved by another person, then posted.

A draft owes nothing. Approving it posts it: its lines to their accounts, its VAT, and what is owed as an open
item. A credit note is a bill with everything negative. What was wrong in a draft is put right by withdrawing
it and entering it anew; where its lines go may be said until it is approved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from engineroom.billing import accounts
from engineroom.billing.models import SupplierBill, SupplierBillLine
from engineroom.foundation import numbering
from engineroom.foundation.approvals import canonical
from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, Problem, reason_given, too_long
from engineroom.kernel.money import MAX_MINOR
from engineroom.ledger.models import Account
from engineroom.ledger.selectors import locked_through
from engineroom.ledger.services import AlreadyPosted, Journal, Line, account_ids, post_journals
from engineroom.openitems.models import Counterparty
from engineroom.openitems.services import add_item
from engineroom.ui import listing

SUBJECT = "supplier_bill"
SERIES = "supplier-bill"
ITEM_KIND = "bill"
MOST_LINES = 1_000
LONGEST = {"supplier": 40, "supplier_name": 200, "reference": 60, "note": 300}
LONGEST_DESCRIPTION = 200
ACCOUNT_TYPES = ("expense", "asset")


@dataclass(frozen=True)
class BillLine:
    """What a line is for; net: minor units, negative where it takes off; account: where it goes."""

    description: str
    net: int
    account: str = accounts.PURCHASES


@dataclass(frozen=True)
class BillSaid:
    """A bill as its supplier states it. supplier: its code; a new one needs its name.

    vat: in minor units, as the bill says it. due: none is thirty days from its issue.
    """

    supplier: str
    reference: str
    issue_date: date
    lines: tuple[BillLine, ...]
    vat: int
    due: date | None = None
    supplier_name: str = ""
    note: str = ""

    @property
    def net(self) -> int:
        return sum(line.net for line in self.lines)


DAYS_TO_PAY = 30
"""Where a bill does not say when it is due."""


@dataclass(frozen=True)
class BillKept:
    """content_hash: what an approver approves."""

    bill_id: UUID
    number: int
    state: str
    content_hash: str

    @property
    def subject(self) -> str:
        return f"{SUBJECT}:{self.bill_id}"


@command("accounting.prepare")
def enter_bill(said: BillSaid) -> BillKept:
    """Enter a bill by hand, as a draft. Raises InputRefused with all that is wrong, Conflict for one that is
    there already.
    """
    if problems := wrong(said):
        raise InputRefused(problems, "The bill was not entered")
    return keep(said, source="hand")


def keep(
    said: BillSaid,
    *,
    source: str,
    file: VaultFile | None = None,
    mirrors: tuple[UUID, UUID] | None = None,
    details: dict[str, Any] | None = None,
) -> BillKept:
    """Write a draft that was found right. details: of a supplier that is new. mirrors: whose invoice it is
    the other side of, and which.
    """
    supplier = _supplier(said, details or {})
    _alone(f"{SUBJECT}:{supplier.id}")
    client = Client.objects.get(id=current_scope().client_id)
    _refuse_twice(supplier, said.reference.strip())
    ids = account_ids()
    row = SupplierBill(
        client_id=client.id,
        number=numbering.take(SERIES),
        supplier=supplier,
        reference=said.reference.strip(),
        issue_date=said.issue_date,
        due=said.due or said.issue_date + timedelta(days=DAYS_TO_PAY),
        currency=client.currency,
        net=said.net,
        vat=said.vat,
        gross=said.net + said.vat,
        note=said.note.strip(),
        source=source,
        file=file,
        exchange_client_id=mirrors[0] if mirrors else None,
        exchange_id=mirrors[1] if mirrors else None,
        line_count=len(said.lines),
    )
    lines = [
        SupplierBillLine(
            client_id=client.id,
            bill=row,
            line_no=n,
            description=line.description.strip(),
            net=line.net,
            account_id=ids[line.account],
        )
        for n, line in enumerate(said.lines, 1)
    ]
    digest = _content(row, supplier, [(line, said.lines[i].account) for i, line in enumerate(lines)])
    row.content_hash = digest
    row.save(force_insert=True)
    SupplierBillLine.objects.bulk_create(lines)
    # Whoever wrote what is known of the supplier made part of it.
    approvals.makers_of_parts(SUBJECT, row.id, "counterparty", [supplier.id])
    return BillKept(row.id, row.number, row.state, digest.hex())


def _alone(what: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [what])


def _supplier(said: BillSaid, details: dict[str, Any]) -> Counterparty:
    row, _ = Counterparty.objects.get_or_create(
        client_id=current_scope().client_id,
        kind="supplier",
        code=said.supplier.strip(),
        defaults={"name": said.supplier_name.strip(), "details": details},
    )
    return row


def _refuse_twice(supplier: Counterparty, reference: str) -> None:
    """Paid once: the same number of the same supplier is one bill, however it came."""
    before = SupplierBill.objects.filter(
        client_id=supplier.client_id,
        supplier=supplier,
        reference__iexact=reference,
        state__in=("draft", "posted"),
    ).first()
    if before is not None:
        raise Conflict(
            f"{reference} of {supplier.name} is here already, as bill {before.number} ({before.state}); "
            "withdraw that one if it is wrong"
        )


def _content(
    row: SupplierBill, supplier: Counterparty, lines: Sequence[tuple[SupplierBillLine, str]]
) -> bytes:
    """SHA-256 of what an approver approves: who asks for what, when, and where it goes."""
    head = canonical.line(
        "supplier_bill",
        str(row.number),
        [
            ("supplier", supplier.code),
            ("name", supplier.name),
            ("reference", row.reference),
            ("issue_date", row.issue_date),
            ("due", row.due),
            ("currency", row.currency),
            ("net", row.net),
            ("vat", row.vat),
            ("gross", row.gross),
            ("note", row.note),
            ("file", bytes(row.file.sha256) if row.file else None),
        ],
    )
    parts = [
        canonical.line(
            "line",
            str(line.line_no),
            [("description", line.description), ("net", line.net), ("account", account)],
        )
        for line, account in lines
    ]
    return canonical.digest([head, *parts])


# --- what is wrong with it --------------------------------------------------------------------------------


def wrong(said: BillSaid) -> list[Problem]:
    """Everything that keeps a bill from being entered."""
    return [*_wrong_head(said), *_wrong_lines(said), *_wrong_books(said)]


def _wrong_head(said: BillSaid) -> Iterator[Problem]:
    for field, longest in LONGEST.items():
        yield from too_long(field.replace("_", " "), getattr(said, field), longest)
    code = said.supplier.strip()
    if not code or not code.isprintable():
        yield Problem("no supplier is named", "Give the supplier's code", field="supplier")
    elif not said.supplier_name.strip() and not suppliers().filter(code=code).exists():
        yield Problem(
            f"there is no supplier {code}", "Give its name too, and it is made", field="supplier_name"
        )
    if not said.reference.strip():
        yield Problem("the bill has no number", "Give the supplier's own number of it", field="reference")
    if not date(2000, 1, 1) <= said.issue_date <= timezone.localdate() + timedelta(days=366):
        yield Problem(f"{said.issue_date} is no day of a bill", "Give the day it states", field="issue_date")
    if said.due is not None and said.due < said.issue_date:
        yield Problem("it is due before it was issued", "Give a later day, or none", field="due")


def _wrong_lines(said: BillSaid) -> Iterator[Problem]:
    if not said.lines:
        yield Problem(
            "the bill has no lines", "Give one line at least: what for, and how much", field="lines"
        )
    if len(said.lines) > MOST_LINES:
        yield Problem(f"the bill has {len(said.lines):,} lines", f"Give up to {MOST_LINES:,}", field="lines")
    for n, line in enumerate(said.lines, 1):
        if not line.description.strip():
            yield Problem(
                "a line does not say what it is for", "Describe it", row=n, field=f"description_{n}"
            )
        elif len(line.description.strip()) > LONGEST_DESCRIPTION:
            remedy = f"Say it in up to {LONGEST_DESCRIPTION}"
            yield Problem("a description is too long", remedy, row=n, field=f"description_{n}")
        if not line.net or abs(line.net) > MAX_MINOR:
            yield Problem("a line has no amount", "Give its net amount", row=n, field=f"net_{n}")
    if abs(said.net) > MAX_MINOR:
        yield Problem("the lines come to more than any bill", "Look at their amounts", field="lines")
    elif said.lines and not said.net + said.vat:
        yield Problem("the bill asks for nothing", "Give its amounts, or leave it", field="vat")
    elif said.lines and (abs(said.vat) > abs(said.net) or said.vat * said.net < 0):
        remedy = "Give the VAT as the bill states it, with the sign of its net amount"
        yield Problem("the VAT is more than the net amount, or goes the other way", remedy, field="vat")


def _wrong_books(said: BillSaid) -> Iterator[Problem]:
    known = {row.code for row in accounts_for_lines()}
    there = account_ids()
    for n, line in enumerate(said.lines, 1):
        if line.account not in known:
            remedy = "Choose an account of expense or of an asset that has no open items"
            yield Problem(f"no bill goes to account {line.account}", remedy, row=n, field=f"account_{n}")
    for code, name, kind in (
        (accounts.PAYABLES, "Trade payables", "liability --control"),
        (accounts.VAT_INPUT, "VAT input", "asset"),
    ):
        if code not in there:
            remedy = f'Add it: engineroom ledger add-account CLIENT {code} "{name}" --type {kind}'
            yield Problem(f"the book has no account {code}", remedy, field="account")


def suppliers() -> QuerySet[Counterparty]:
    """Who bills the client."""
    return Counterparty.objects.filter(client_id=current_client_id(), kind="supplier").order_by(
        "name", "code"
    )


def accounts_for_lines() -> list[Account]:
    """Where a line may go: expenses and assets, but not where open items say what is there."""
    rows = Account.objects.filter(
        client_id=current_client_id(), book__code="main", is_control=False, type__in=ACCOUNT_TYPES
    )
    return list(rows.order_by("code"))


# --- what is done with a draft ----------------------------------------------------------------------------


def find(number: int) -> SupplierBill:
    """Raises NotFound."""
    row = _bills().filter(number=number).first()
    if row is None:
        raise NotFound(f"there is no supplier bill {number}")
    return row


def _bills() -> QuerySet[SupplierBill]:
    return SupplierBill.objects.select_related("supplier", "file").filter(client_id=current_client_id())


def lines_of(row: SupplierBill) -> list[SupplierBillLine]:
    """Its lines, with their accounts."""
    rows = SupplierBillLine.objects.filter(client_id=row.client_id, bill=row).select_related("account")
    return list(rows.order_by("line_no"))


def _draft(bill_id: UUID) -> SupplierBill:
    """The draft, alone for this transaction. Raises NotFound, Conflict."""
    _alone(f"{SUBJECT}:{bill_id}")
    row = _bills().filter(id=bill_id).first()
    if row is None:
        raise NotFound(f"there is no supplier bill {bill_id}")
    if row.state != "draft":
        raise Conflict(f"bill {row.number} is {row.state} already")
    return row


@command("accounting.prepare")
def set_bill_account(bill_id: UUID, account: str, *, line_no: int | None = None) -> BillKept:
    """Say where a draft's line goes, or where all of them go."""
    row = _draft(bill_id)
    known = {each.code: each.id for each in accounts_for_lines()}
    if account not in known:
        remedy = "Choose an account of expense or of an asset that has no open items"
        raise InputRefused([Problem(f"no bill goes to account {account}", remedy, field="account")])
    lines = SupplierBillLine.objects.filter(client_id=row.client_id, bill=row)
    if line_no is not None:
        lines = lines.filter(line_no=line_no)
    if not lines.update(account_id=known[account]):
        raise NotFound(f"bill {row.number} has no line {line_no}")
    digest = content_of(row)
    SupplierBill.objects.filter(client_id=row.client_id, id=row.id).update(content_hash=digest)
    return BillKept(row.id, row.number, row.state, digest.hex())


def content_of(row: SupplierBill) -> bytes:
    """The hash of a bill as its rows stand."""
    return _content(row, row.supplier, [(line, line.account.code) for line in lines_of(row)])


@command("accounting.prepare")
def withdraw_bill(bill_id: UUID, *, reason: str) -> BillKept:
    """Take a draft back: it was wrong, or is none of ours. It stays, with its reason."""
    row = _draft(bill_id)
    said = reason_given(reason)
    SupplierBill.objects.filter(client_id=row.client_id, id=row.id).update(state="withdrawn", reason=said)
    return BillKept(row.id, row.number, "withdrawn", bytes(row.content_hash).hex())


@command("accounting.approve")
def approve_bill(bill_id: UUID, *, content_hash: str) -> BillKept:
    """Approve exactly the bill that was looked at, and post it: another person than who entered it.

    On its own day, or the first open one where the books are locked through it.
    """
    row = _draft(bill_id)
    digest = bytes(row.content_hash)
    if digest.hex() != content_hash or content_of(row) != digest:
        raise approvals.ContentChanged(f"bill {row.number} is not what you looked at; look again")
    approvals.approve(SUBJECT, row.id, digest)
    _post(row)
    return BillKept(row.id, row.number, "posted", content_hash)


def _post(row: SupplierBill) -> None:
    """Debit the lines' accounts and VAT, credit payables, and say what is owed."""
    supplier, currency = row.supplier, row.currency
    sums: Counter[str] = Counter()
    for line in lines_of(row):
        sums[line.account.code] += line.net
    sums[accounts.VAT_INPUT] += row.vat
    sums[accounts.PAYABLES] -= row.gross
    lines = tuple(Line(code, amount, supplier.id, currency) for code, amount in sums.items())
    what = "Bill" if row.gross > 0 else "Credit note"
    journal = Journal(_open_day(row.issue_date), f"{what} {row.reference} of {supplier.name}"[:300], lines)
    try:
        with transaction.atomic():
            entry_id = post_journals(SUBJECT, (SUBJECT, row.id), [journal]).entry_ids[0]
    except (IntegrityError, AlreadyPosted) as error:
        raise Conflict(f"somebody posted bill {row.number} at this moment; look again") from error
    SupplierBill.objects.filter(client_id=row.client_id, id=row.id).update(state="posted", entry_id=entry_id)
    add_item(
        ITEM_KIND,
        counterparty_id=supplier.id,
        account_id=account_ids()[accounts.PAYABLES],
        amount=-row.gross,
        due=row.due,
        entry_id=entry_id,
        subject=(SUBJECT, row.id),
        reference=row.reference,
        currency=currency,
    )


def _open_day(day: date) -> date:
    through = locked_through()
    if not through or day > through:
        return day
    return max(timezone.localdate(), through + timedelta(days=1))


def is_reversed(entry_id: UUID, reversal_id: UUID) -> None:
    """With the entry that posted it a bill is taken back, and may be entered anew."""
    SupplierBill.objects.filter(
        client_id=current_scope().client_id, entry_id=entry_id, state="posted"
    ).update(state="reversed")


# --- questions --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BillView:
    """A bill with what is left to pay of it. Minor units; a credit note is negative."""

    number: int
    id: UUID
    supplier: str
    supplier_code: str
    reference: str
    issue_date: date
    due: date
    currency: str
    gross: int
    state: str
    source: str
    open: int
    item_id: UUID | None

    @property
    def shown_state(self) -> str:
        """Posted says how far it is paid."""
        if self.state != "posted":
            return self.state
        if not self.open:
            return "paid"
        if self.due < timezone.localdate():
            return "overdue"
        return "to pay" if self.open == self.gross else "part paid"


BILLS = """
SELECT b.number, b.id, k.name, k.code, b.reference, b.issue_date, b.due, b.currency, b.gross, b.state,
  b.source,
  CASE WHEN b.state <> 'posted' THEN 0 ELSE (-o.amount + sign(o.amount) * (
    SELECT coalesce(sum(l.amount), 0) FROM openitems_allocation l
    WHERE l.client_id = o.client_id AND (l.item_a_id = o.id OR l.item_b_id = o.id)))::bigint END AS open,
  o.id AS item_id
FROM billing_supplierbill b
JOIN openitems_counterparty k ON k.client_id = b.client_id AND k.id = b.supplier_id
LEFT JOIN openitems_openitem o
  ON o.client_id = b.client_id AND o.subject_kind = 'supplier_bill' AND o.subject_id = b.id
  AND o.entry_id = b.entry_id
WHERE b.client_id = %(client)s AND (%(state)s::text = '' OR b.state = %(state)s)
  AND (%(supplier)s::text = '' OR k.code = %(supplier)s)
  AND (%(number)s::int IS NULL OR b.number = %(number)s)
"""


def bills(*, state: str = "", supplier: str = "", cursor: str = "") -> listing.Slice[BillView]:
    """Bills of suppliers, latest first."""
    asked = {"client": current_client_id(), "state": state, "supplier": supplier, "number": None}
    order = listing.Order([("number", "bigint")], latest_first=True)
    return listing.read_slice(BILLS, asked, order, cursor, BillView)


def bill(number: int) -> BillView:
    """Raises NotFound."""
    asked: dict[str, Any] = {"client": current_client_id(), "state": "", "supplier": "", "number": number}
    with connection.cursor() as cursor:
        cursor.execute(BILLS, asked)
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"there is no supplier bill {number}")
    return BillView(*row)
