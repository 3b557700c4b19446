"""Reading bank statements, and clearing their lines against what is on its way and what is owed."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from django.db import IntegrityError, transaction

from engineroom.foundation.columns import insert_columns
from engineroom.foundation.commands import command
from engineroom.foundation.imports.services import MEGABYTE, Importer, Parsed, importer
from engineroom.foundation.tenancy.scope import current_scope
from engineroom.kernel.errors import Conflict, InputRefused, Problem
from engineroom.kernel.ids import uuid7_column
from engineroom.ledger.services import Journal, Line, account_ids, post_journals
from engineroom.openitems.models import OpenItem
from engineroom.openitems.selectors import open_items
from engineroom.openitems.services import add_item, allocate
from engineroom.settlement import accounts
from engineroom.settlement.engine import matching
from engineroom.settlement.formats import camt053
from engineroom.settlement.models import BankLine, Cleared, LineException, OwnAccount, Payment, PaymentBatch, Statement


class AlreadyCleared(Conflict):
    """Somebody else cleared one of the lines meanwhile; nothing was done twice."""


@dataclass
class ReadStatement:
    """A statement of the file with its booked lines, as plain values."""

    statement: camt053.Statement
    lines: list[camt053.Line]


@importer
class Statements(Importer):
    """camt.053 bank statements. The same file twice is a no-op; a line that stands in two files is taken once."""

    kind = "statement"
    permission = "settlement.prepare"
    limit_bytes = 512 * MEGABYTE
    summary = "bank statements, camt.053"

    def parse(self, path: Path, file_name: str) -> Parsed:
        found: list[ReadStatement] = []
        problems: list[Problem] = []
        try:
            with path.open("rb") as stream:
                for statement in camt053.read(stream, file_name=file_name):
                    found.append(ReadStatement(statement, [line for line in statement.lines if line.is_booked]))
            problems = found[-1].statement.problems if found else []  # warnings; they are of the whole file
        except InputRefused as refused:
            problems = list(refused.problems)
        return Parsed(found, sum(len(s.lines) for s in found), problems)

    def check(self, parsed: Parsed) -> list[Problem]:
        ours = _own_accounts()
        problems = []
        for read in parsed.content:
            statement = read.statement
            account = _account_of(statement, ours)
            if account is None:
                named = statement.account.iban or statement.account.other_id or "no account"
                problems.append(
                    Problem(
                        f"statement {statement.id} is of {named}, which is not a bank account of this client",
                        "Check that it is this client's statement, or add the account first",
                        None,
                        statement.source_line,
                        "Acct",
                    )
                )
            elif statement.currency != account.currency:
                problems.append(
                    Problem(
                        f"statement {statement.id} is in {statement.currency}, the account {account.code} is in {account.currency}",
                        "Ask the bank for the statement of the right account",
                        None,
                        statement.source_line,
                        "Ccy",
                    )
                )
        return problems

    def take(self, parsed: Parsed, commit_id: UUID) -> dict[str, int]:
        ours = _own_accounts()
        counts = {"statements": 0, "lines": 0, "known": 0}
        for read in parsed.content:
            account = _account_of(read.statement, ours)
            assert account is not None  # check() refused it
            fresh = _insert_statement(read, account, commit_id)
            counts["statements"] += 1
            counts["lines"] += fresh
            counts["known"] += len(read.lines) - fresh
        return counts


def _own_accounts() -> list[OwnAccount]:
    return list(OwnAccount.objects.filter(client_id=current_scope().client_id))


def _account_of(statement: camt053.Statement, ours: list[OwnAccount]) -> OwnAccount | None:
    iban = (statement.account.iban or "").replace(" ", "")
    other = "".join(c for c in statement.account.other_id or "" if c.isdigit())
    for account in ours:
        if (iban and iban == account.iban) or (other and other == account.sort_code + account.account_number):
            return account
    return None


def _insert_statement(read: ReadStatement, account: OwnAccount, commit_id: UUID) -> int:
    head = read.statement
    statement = Statement.objects.create(
        client_id=account.client_id,
        own_account=account,
        statement_id=head.id,
        sequence=str(head.electronic_sequence_number or head.legal_sequence_number or ""),
        starts=head.period_start,
        ends=head.period_end,
        opening=head.opening_minor,
        closing=head.closing_minor,
        import_id=commit_id,
    )
    identities = list(_identities(head, read.lines))
    known = {
        bytes(i)
        for i in BankLine.objects.filter(
            client_id=account.client_id, own_account=account, identity__in=identities
        ).values_list("identity", flat=True)
    }
    fresh = [(line, identity) for line, identity in zip(read.lines, identities, strict=True) if identity not in known]
    insert_columns(BankLine, _line_columns(statement, account, fresh), len(fresh))
    return len(fresh)


def _identities(head: camt053.Statement, lines: list[camt053.Line]) -> Iterator[bytes]:
    """What makes a line itself: the bank's own reference where it gives one; else statement, day, amount and text, and
    how many equal ones stand before it. So two identical lines stay two, and the same line in two files is one."""
    seen: Counter[tuple[Any, ...]] = Counter()
    for line in lines:
        tx = line.transaction
        text = (line.booking_date, line.amount_minor, line.currency, _reference(line), tx.counterparty_name)
        bank = line.account_servicer_reference or tx.account_servicer_reference
        key = ("bank", bank, *text) if bank else ("statement", head.id, *text)
        seen[key] += 1
        yield hashlib.sha256(repr((*map(str, key), seen[key])).encode()).digest()


def _reference(line: camt053.Line) -> str:
    """Every reference and text of the line, in one string."""
    parts: list[str | None] = [line.entry_reference, line.additional_information]
    for tx in line.transactions:
        parts += [
            tx.end_to_end_id,
            tx.original_end_to_end_id,
            tx.payment_information_id,
            tx.remittance_text,
            tx.structured_reference,
            tx.additional_information,
        ]
    return " ".join(dict.fromkeys(p for p in parts if p and p != "NOTPROVIDED"))


def _line_columns(
    statement: Statement, account: OwnAccount, fresh: list[tuple[camt053.Line, bytes]]
) -> dict[str, Any]:
    lines = [line for line, _ in fresh]
    n = len(lines)
    return {
        "id": uuid7_column(n),
        "client_id": account.client_id,
        "statement_id": statement.id,
        "own_account_id": account.id,
        "ordinal": np.array([line.ordinal for line in lines], dtype=np.int32),
        "identity": [identity for _, identity in fresh],
        "booked": [line.booking_date or line.value_date for line in lines],
        "value_date": [line.value_date or line.booking_date for line in lines],
        "currency": [line.currency for line in lines],
        "amount": [line.amount_minor for line in lines],
        "bank_reference": [(line.account_servicer_reference or "")[:60] for line in lines],
        "end_to_end": [_end_to_end(line)[:60] for line in lines],
        "counterparty_name": [(line.transaction.counterparty_name or "")[:140] for line in lines],
        "remittance": [_reference(line)[:500] for line in lines],
        "return_reason": [_return_reason(line)[:10] for line in lines],
    }


def _end_to_end(line: camt053.Line) -> str:
    return line.transaction.original_end_to_end_id or line.transaction.end_to_end_id or ""


def _return_reason(line: camt053.Line) -> str:
    tx = line.transaction
    return (tx.return_reason or "RETURN") if tx.is_return or tx.return_reason else ""


@dataclass(frozen=True)
class ClearingDone:
    """How many of the lines that were not cleared are now, and how many stay exceptions, each with its reason."""

    cleared: int
    exceptions: int
    returned: int


@command("settlement.prepare")
def clear_lines(own_account: str = "main") -> ClearingDone:
    """Match the account's open lines, post what is certain, and give every other line its reason."""
    client_id = current_scope().client_id
    account = OwnAccount.objects.get(client_id=client_id, code=own_account)
    done = Cleared.objects.filter(client_id=client_id).values("line_id")
    rows = {
        row.id: row
        for row in BankLine.objects.filter(client_id=client_id, own_account=account)
        .exclude(id__in=done)
        .order_by("booked", "statement__statement_id", "ordinal")
    }
    outcome = matching.match([_to_match(row) for row in rows.values()], _candidates(account))
    for settled in outcome.settled:
        _settle(account, rows[settled.line.id], settled)
    _note_exceptions(client_id, outcome.unsettled)
    returned = sum(s.rule == "returned payment" for s in outcome.settled)
    return ClearingDone(len(outcome.settled), len(outcome.unsettled), returned)


def _to_match(row: BankLine) -> matching.Line:
    text = f"{row.end_to_end} {row.bank_reference} {row.remittance}"
    return matching.Line(row.id, row.booked, row.currency, row.amount, text, row.counterparty_name, bool(row.return_reason))


def _candidates(account: OwnAccount) -> list[matching.Candidate]:
    """What a line may settle: files on their way, payments that may come back, open invoices."""
    batches = {b.transit_item_id: b for b in PaymentBatch.objects.filter(client_id=account.client_id, own_account=account)}
    found = [
        matching.Candidate("batch", i.id, i.reference, i.open, i.currency, "", batches[i.id].entry_day)
        for i in open_items(kind="in_transit")
        if i.id in batches
    ]
    back = set(
        OpenItem.objects.filter(client_id=account.client_id, kind="net_pay", subject_kind="payment").values_list(
            "subject_id", flat=True
        )
    )
    payments = Payment.objects.filter(client_id=account.client_id, batch__own_account=account).exclude(id__in=back)
    found += [
        matching.Candidate("payment", p.id, p.reference, p.amount, account.currency) for p in payments.order_by("id")
    ]
    found += [
        matching.Candidate("invoice", i.id, i.reference, i.open, i.currency, i.counterparty)
        for i in open_items(kind="invoice")
    ]
    return found


def _settle(account: OwnAccount, row: BankLine, settled: matching.Settled) -> None:
    """Post the line and allocate it. The line's own row in Cleared makes sure it happens once."""
    subject = ("bank_line", row.id)
    kind = settled.parts[0][0].kind
    other = {"batch": accounts.IN_TRANSIT, "invoice": accounts.RECEIVABLES, "payment": accounts.NET_WAGES}[kind]
    narrative = f"Bank {row.booked}: {settled.why}"[:300]
    try:
        with transaction.atomic():
            cleared_item = _post_line(account, row, settled, other, narrative, subject)
            Cleared.objects.create(
                client_id=row.client_id, line=row, rule=settled.rule, why=settled.why, item_id=cleared_item
            )
    except IntegrityError as error:
        raise AlreadyCleared("somebody cleared one of these lines meanwhile; nothing was done twice, look again") from error


def _post_line(
    account: OwnAccount,
    row: BankLine,
    settled: matching.Settled,
    other: str,
    narrative: str,
    subject: tuple[str, UUID],
) -> UUID:
    posted = post_journals(
        "bank_line", subject, [Journal(row.booked, narrative, (Line(accounts.BANK, row.amount), Line(other, -row.amount)))]
    )
    codes = account_ids()
    if settled.rule == "returned payment":
        payment = Payment.objects.select_related("item").get(client_id=row.client_id, id=settled.parts[0][0].id)
        again = add_item(
            "net_pay",
            counterparty_id=payment.payee_id,
            account_id=codes[accounts.NET_WAGES],
            amount=-row.amount,
            due=row.booked,
            entry_id=posted.entry_ids[0],
            subject=("payment", payment.id),
            reference=f"{payment.item.reference} returned",
        )
        return again.id
    item = add_item(
        "bank_line",
        counterparty_id=None,
        account_id=codes[other],
        amount=-row.amount,
        due=row.booked,
        entry_id=posted.entry_ids[0],
        subject=subject,
        reference=row.bank_reference,
    )
    for candidate, amount in settled.parts:
        allocate(candidate.id, item.id, np.array([abs(amount)], dtype=np.int64), subject=subject, entry_id=posted.entry_ids[0])
    return settled.parts[0][0].id


def _note_exceptions(client_id: UUID, unsettled: list[matching.Unsettled]) -> None:
    """Keep the reason of every line that is not cleared, unless it is the reason it had."""
    latest: dict[UUID, tuple[str, str]] = {}
    for line_id, reason, detail in (
        LineException.objects.filter(client_id=client_id, line_id__in=[u.line.id for u in unsettled])
        .order_by("at", "id")
        .values_list("line_id", "reason", "detail")
    ):
        latest[line_id] = (reason, detail)
    LineException.objects.bulk_create(
        LineException(client_id=client_id, line_id=u.line.id, reason=u.reason, detail=u.detail[:300])
        for u in unsettled
        if latest.get(u.line.id) != (u.reason, u.detail[:300])
    )


@dataclass(frozen=True)
class OpenException:
    """A bank line that nothing explains yet, with the latest reason."""

    line: BankLine
    reason: str
    detail: str


def open_exceptions() -> list[OpenException]:
    """Every line of the client that is not cleared, with why. A line nobody looked at yet says so."""
    scope = current_scope()
    client_id = scope.write or scope.read[0]
    done = Cleared.objects.filter(client_id=client_id).values("line_id")
    rows = list(BankLine.objects.filter(client_id=client_id).exclude(id__in=done).order_by("booked", "ordinal"))
    reasons: dict[UUID, tuple[str, str]] = defaultdict(lambda: ("not looked at", "run: engineroom clear"))
    for line_id, reason, detail in (
        LineException.objects.filter(client_id=client_id, line_id__in=[r.id for r in rows])
        .order_by("at", "id")
        .values_list("line_id", "reason", "detail")
    ):
        reasons[line_id] = (reason, detail)
    return [OpenException(row, *reasons[row.id]) for row in rows]
