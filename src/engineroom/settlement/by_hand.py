"""Bank lines that no rule clears: somebody says what they are, another person approves, then it is posted.

A line is explained whole: by open items of the client, each settled in whole or part, and, for what is left,
by an account. What is cleared, by a rule or by hand, can be taken back: its posting is reversed, its items
are as open as before, and the line waits for a person.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import numpy as np
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError
from django.utils import timezone

from engineroom.foundation.approvals import services as approvals
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, InputRefused, NotFound, Problem, reason_given
from engineroom.kernel.ids import uuids_to_column
from engineroom.kernel.money import format_minor
from engineroom.ledger.models import Account, Entry
from engineroom.ledger.selectors import locked_through
from engineroom.ledger.services import AlreadyPosted, Journal, Line, account_ids, post_journals, reverse_entry
from engineroom.openitems.models import Allocation
from engineroom.openitems.selectors import Open, open_items
from engineroom.openitems.services import NothingLeft, add_item, allocate, undo_allocation
from engineroom.settlement.clearing import AlreadyCleared
from engineroom.settlement.models import (
    BankLine,
    Cleared,
    ClearingUndone,
    LineException,
    LineExplanation,
    OwnAccount,
)

SUBJECT = "line_explanation"
RULE = "by hand"
EXPLAINED = "explained"
"""Why a line of which somebody said what it is still waits."""

LONGEST_REASON = 240
"""So that it stands whole in what is said with it: the line's history, the entry's narrative."""


@dataclass(frozen=True)
class Part:
    """An open item, and how much of it the line settles: minor units, positive."""

    item_id: UUID
    amount: int


@dataclass(frozen=True)
class LineExplained:
    explanation_id: UUID
    line_id: UUID
    content_hash: str

    @property
    def subject(self) -> str:
        return f"bank_line:{self.line_id}"


@command("settlement.prepare")
def explain_line(line_id: UUID, *, parts: list[Part], account: str = "", reason: str) -> LineExplained:
    """Say what a line is; nothing is posted before another person approves it. Raises InputRefused, Conflict.

    parts: open items that it settles. account: where the rest goes, if the parts are not the whole line.
    """
    line = _open_line(line_id)
    reason = reason_given(reason, LONGEST_REASON)
    items = _items_of(parts)
    problems = _wrong_parts(line, parts, items)
    if not problems:
        problems += _wrong_rest(line, _rest(line, parts, items), account)
    if problems:
        raise InputRefused(problems)
    return _say(line, parts, account, reason)


@command("settlement.prepare")
def withdraw_explanation(line_id: UUID, *, reason: str) -> LineExplained:
    """Take back what was said of a line and not approved yet."""
    line = _open_line(line_id)
    if standing(line_id) is None:
        raise Conflict("nothing is said of this line that could be withdrawn")
    return _say(line, [], "", reason_given(reason, LONGEST_REASON))


def _say(line: BankLine, parts: Sequence[Part], account: str, reason: str) -> LineExplained:
    digest = _content(line, parts, account, reason)
    row = LineExplanation.objects.create(
        client_id=line.client_id,
        line=line,
        items=[p.item_id for p in parts],
        amounts=[p.amount for p in parts],
        account_code=account,
        reason=reason,
        content_hash=digest,
        by_user_id=current_scope().user.id,
    )
    what = f"waits for another person's yes: {reason}" if parts or account else f"withdrawn: {reason}"
    word = EXPLAINED if parts or account else "not looked at"
    LineException.objects.create(client_id=line.client_id, line=line, reason=word, detail=what)
    return LineExplained(row.id, line.id, digest.hex())


def _content(line: BankLine, parts: Sequence[Part], account: str, reason: str) -> bytes:
    """What an approval binds: the line as the bank has it, and everything said of it."""
    said = [
        bytes(line.identity).hex(),
        f"{line.amount} {line.currency}",
        *(f"{part.item_id} {part.amount}" for part in parts),
        account,
        reason,
    ]
    return hashlib.sha256("\n".join(said).encode()).digest()


def standing(line_id: UUID) -> LineExplanation | None:
    """The latest that was said of a line, unless it was withdrawn or the line is cleared."""
    client_id = current_client_id()
    row = (
        LineExplanation.objects.filter(client_id=client_id, line_id=line_id)
        .select_related("line")
        .order_by("-at", "-id")
        .first()
    )
    if row is None or not (row.items or row.account_code):
        return None
    undone = ClearingUndone.objects.filter(client_id=client_id, line_id=line_id, at__gte=row.at).exists()
    cleared = Cleared.objects.filter(client_id=client_id, line_id=line_id).exists()
    return None if undone or cleared else row


@command("settlement.approve")
def approve_explanation(line_id: UUID, *, content_hash: str) -> LineExplained:
    """Approve exactly what was said of a line, and post it: another person than whoever said it."""
    _open_line(line_id)
    said = standing(line_id)
    if said is None:
        raise NotFound("nothing is said of this line that could be approved")
    digest = bytes(said.content_hash)
    if digest.hex() != content_hash:
        raise approvals.ContentChanged("this is not what is said of the line now; look again")
    approvals.approve(SUBJECT, said.id, digest)
    _clear(said)
    return LineExplained(said.id, line_id, content_hash)


def _clear(said: LineExplanation) -> None:
    """Post the line as it was approved, set it against its items, and say that it is cleared."""
    line = said.line
    parts = _parts_of(said)
    items = _items_of(parts)
    if wrong := _wrong_parts(line, parts, items):
        raise Conflict(f"{wrong[0]}: it has to be explained anew")
    account = OwnAccount.objects.select_related("account").get(
        client_id=line.client_id, id=line.own_account_id
    )
    sums = _sums(parts, items)
    lines = [Line(account.account.code, line.amount, currency=line.currency)]
    lines += [Line(code, -amount, currency=line.currency) for code, amount in sums.items()]
    if rest := _rest(line, parts, items):
        lines.append(Line(said.account_code, -rest, currency=line.currency))
    why = said.reason
    subject = ("bank_line", line.id)
    kind = _posting_kind(line)
    try:
        with transaction.atomic():
            journal = Journal(_open_day(line.booked), f"Bank {line.booked}: {why}", tuple(lines))
            entry_id = post_journals(kind, subject, [journal]).entry_ids[0]
            for code, amount in sums.items():
                _settle(
                    line, entry_id, code, amount, [p for p in parts if items[p.item_id].account_code == code]
                )
            Cleared.objects.create(
                client_id=line.client_id,
                line=line,
                rule=RULE,
                why=why,
                item_id=parts[0].item_id if parts else None,
                explanation=said,
            )
    except (IntegrityError, AlreadyPosted, NothingLeft) as error:
        raise AlreadyCleared(
            "somebody cleared this line, or settled what it pays, meanwhile; look again"
        ) from error


def _posting_kind(line: BankLine) -> str:
    """A batch is posted once for a subject: after each undo the line's next one is of another kind."""
    before = ClearingUndone.objects.filter(client_id=line.client_id, line=line).count()
    return "bank_line" if not before else f"bank_line.{before + 1}"


def _settle(line: BankLine, entry_id: UUID, code: str, amount: int, parts: Sequence[Part]) -> None:
    """The line as an item of its own on that account, set against the parts."""
    item = add_item(
        "bank_line",
        counterparty_id=None,
        account_id=account_ids()[code],
        amount=-amount,
        due=line.booked,
        entry_id=entry_id,
        subject=("bank_line", line.id),
        reference=line.bank_reference,
        currency=line.currency,
    )
    allocate(
        uuids_to_column([p.item_id for p in parts]),
        item.id,
        np.array([p.amount for p in parts], dtype=np.int64),
        subject=("bank_line", line.id),
        entry_id=entry_id,
    )


@dataclass(frozen=True)
class ClearingTakenBack:
    line_id: UUID
    entry_id: UUID
    reversal_id: UUID

    @property
    def subject(self) -> str:
        return f"bank_line:{self.line_id}"


@command("settlement.prepare")
def undo_clearing(line_id: UUID, *, reason: str) -> ClearingTakenBack:
    """Open a cleared line again: its posting is reversed, what it settled is as open as before.

    On the day it was posted, or the first open one where the books are locked through it. No rule clears the
    line again: it waits for a person. Raises Conflict where what it made has been used since.
    """
    client_id = current_scope().client_id
    line = BankLine.objects.filter(client_id=client_id, id=line_id).first()
    if line is None or not Cleared.objects.filter(client_id=client_id, line_id=line_id).exists():
        raise NotFound("there is no such cleared bank line")
    reason = reason_given(reason, LONGEST_REASON)
    for allocation in _standing_allocations(line):
        undo_allocation(allocation.id, subject=("bank_line", line_id))
    entry_id, reversal_id = _reversed(line, reason)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT app_undo_clearing(%s, %s)", [line_id, reason])
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") == "ER409":
            raise Conflict(str(error.__cause__).splitlines()[0]) from error
        raise
    LineException.objects.create(client_id=client_id, line=line, reason="taken back", detail=reason)
    return ClearingTakenBack(line_id, entry_id, reversal_id)


_taking_back: ContextVar[UUID | None] = ContextVar("taking_back", default=None)
"""The entry that `undo_clearing` is reversing."""


def _reversed(line: BankLine, reason: str) -> tuple[UUID, UUID]:
    """The line's entry and its reversal: posted now, unless it stands in the books already."""
    client_id = line.client_id
    entries = Entry.objects.filter(
        client_id=client_id, batch__subject_kind="bank_line", batch__subject_id=line.id
    ).order_by("-number")
    undone = dict(
        Entry.objects.filter(client_id=client_id, reverses_id__in=entries.values("id")).values_list(
            "reverses_id", "id"
        )
    )
    entry = next((e for e in entries if e.id not in undone), None)
    if entry is None:
        latest = entries.first()
        if latest is None:
            raise Conflict("this line is cleared without a posting; run: engineroom verify")
        return latest.id, undone[latest.id]
    token = _taking_back.set(entry.id)
    try:
        done = reverse_entry(entry.id, day=_open_day(entry.day), reason=f"bank line taken back: {reason}")
    finally:
        _taking_back.reset(token)
    return entry.id, done.entry_id


def keep_cleared(entry_id: UUID, reversal_id: UUID) -> None:
    """A cleared line's posting is reversed by taking the clearing back alone.

    Else the line would stay cleared by nothing. Called with every reversal. Raises Conflict.
    """
    if _taking_back.get() == entry_id:
        return
    client_id = current_scope().client_id
    lines = Entry.objects.filter(client_id=client_id, id=entry_id, batch__subject_kind="bank_line").values(
        "batch__subject_id"
    )
    if Cleared.objects.filter(client_id=client_id, line_id__in=lines).exists():
        raise Conflict(
            "this entry posts a cleared bank line: take the clearing back on the line's own page, "
            "under Bank; that reverses the entry too"
        )


def _open_day(day: date) -> date:
    """The day itself; where the books are locked through it, the later of today and the first open day."""
    through = locked_through()
    if not through or day > through:
        return day
    return max(timezone.now().date(), through + timedelta(days=1))


def _standing_allocations(line: BankLine) -> list[Allocation]:
    rows = list(
        Allocation.objects.filter(client_id=line.client_id, subject_kind="bank_line", subject_id=line.id)
    )
    undone = {row.undoes_id for row in rows}
    return [row for row in rows if row.undoes_id is None and row.id not in undone]


# --- what is wrong with it ----------------------------------------------------------------------------


def _open_line(line_id: UUID) -> BankLine:
    """The line, alone for this transaction. Raises NotFound, AlreadyCleared."""
    client_id = current_scope().client_id
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"bank_line:{line_id}"])
    line = BankLine.objects.filter(client_id=client_id, id=line_id).first()
    if line is None:
        raise NotFound(f"there is no bank line {line_id}")
    if Cleared.objects.filter(client_id=client_id, line_id=line_id).exists():
        raise AlreadyCleared("this line is cleared already; take that back first")
    if not line.amount:
        raise Conflict("this line moves no money: nothing is to be explained")
    return line


def choosable(line: BankLine) -> list[Open]:
    """Open items that a line may settle, those that go its way, and of these its very amount, first."""
    found = [i for i in open_items() if i.currency == line.currency and i.kind != "bank_line"]
    return sorted(
        found, key=lambda i: ((i.open > 0) != (line.amount > 0), i.open != line.amount, i.due, i.reference)
    )


def _items_of(parts: Sequence[Part]) -> dict[UUID, Open]:
    asked = {part.item_id for part in parts}
    return {i.id: i for i in open_items()} if asked else {}


def _wrong_parts(line: BankLine, parts: Sequence[Part], items: dict[UUID, Open]) -> list[Problem]:
    found = []
    if len({p.item_id for p in parts}) < len(parts):
        found.append(Problem("an open item stands twice", "Say it once"))
    signs: dict[str, set[bool]] = defaultdict(set)
    for part in parts:
        item = items.get(part.item_id)
        if item is None or item.currency != line.currency or item.kind == "bank_line":
            found.append(Problem("nothing is open of an item", "Choose others", field=f"item_{part.item_id}"))
        elif not 0 < part.amount <= abs(item.open):
            left = format_minor(abs(item.open), item.currency, symbol=True)
            remedy = f"Choose more than nothing and up to {left}"
            found.append(Problem(f"{item.reference}: {left} is open", remedy, field=f"item_{part.item_id}"))
        else:
            signs[item.account_code].add(item.open > 0)
    for code, both in signs.items():
        if len(both) > 1:
            found.append(
                Problem(
                    f"items on account {code} go both ways",
                    "Set them against each other first, or choose one way",
                )
            )
    return found


def _sums(parts: Sequence[Part], items: dict[UUID, Open]) -> dict[str, int]:
    """What the parts come to by account, signed as the items."""
    sums: dict[str, int] = defaultdict(int)
    for part in parts:
        item = items[part.item_id]
        sums[item.account_code] += part.amount if item.open > 0 else -part.amount
    return dict(sums)


@dataclass(frozen=True)
class Said:
    """An explanation taken apart. A part's item is None once nothing of it is open any more.

    rest: what the items leave for the account, signed as the line; None while an item is not open.
    """

    row: LineExplanation
    parts: tuple[tuple[Part, Open | None], ...]
    rest: int | None

    @property
    def content_hash(self) -> str:
        return bytes(self.row.content_hash).hex()


def what_is_said(line_id: UUID) -> Said | None:
    """What waits for another person's yes of a line, beside the items it would settle."""
    row = standing(line_id)
    if row is None:
        return None
    parts = _parts_of(row)
    items = _items_of(parts)
    known = all(part.item_id in items for part in parts)
    rest = _rest(row.line, parts, items) if known else None
    return Said(row, tuple((part, items.get(part.item_id)) for part in parts), rest)


def _parts_of(said: LineExplanation) -> list[Part]:
    return [Part(i, a) for i, a in zip(said.items, said.amounts, strict=True)]


def _rest(line: BankLine, parts: Sequence[Part], items: dict[UUID, Open]) -> int:
    return line.amount - sum(_sums(parts, items).values())


def _wrong_rest(line: BankLine, rest: int, account: str) -> list[Problem]:
    left = format_minor(rest, line.currency, symbol=True)
    if not rest:
        remedy = "Leave the account out"
        return [Problem("nothing is left for an account", remedy, field="account")] if account else []
    if not account:
        remedy = f"Choose items that come to the line, or an account for {left}"
        return [Problem(f"{left} of the line is not explained", remedy, field="account")]
    if account not in {a.code for a in accounts_for_the_rest()}:
        remedy = "Choose an account without open items that is no bank account"
        return [Problem(f"{account} takes no rest of a bank line", remedy, field="account")]
    return []


def accounts_for_the_rest() -> list[Account]:
    """Where the rest of a line may go: not where open items say what is there, and not to a bank."""
    client_id = current_client_id()
    banks = OwnAccount.objects.filter(client_id=client_id).values("account_id")
    rows = Account.objects.filter(client_id=client_id, book__code="main", is_control=False)
    return list(rows.exclude(id__in=banks).order_by("code"))
