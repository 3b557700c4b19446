"""Questions of settlement: how far each payment file is proven, whether the bank agrees with the books."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.ledger.selectors import Check, answered
from engineroom.settlement.models import (
    BatchStage,
    Cleared,
    LineException,
    OwnAccount,
    PaymentBatch,
    Statement,
)
from engineroom.ui import listing


@dataclass(frozen=True)
class PaymentFileView:
    """A payment file and the furthest thing proven of it: released, submitted, settled or cleared."""

    id: UUID
    reference: str
    pay_date: date
    count: int
    total: int
    submit_by: date
    processing_day: date
    entry_day: date
    state: str


def payment_files() -> list[PaymentFileView]:
    """Every payment file of the client, latest first."""
    client_id = current_client_id()
    cleared: set[UUID | None] = set(
        Cleared.objects.filter(client_id=client_id).values_list("item_id", flat=True)
    )
    stages = set(BatchStage.objects.filter(client_id=client_id).values_list("batch_id", "stage"))
    return [
        PaymentFileView(
            b.id,
            b.reference,
            b.pay_date,
            b.count,
            b.total,
            b.submit_by,
            b.processing_day,
            b.entry_day,
            furthest(b, cleared, stages),
        )
        for b in PaymentBatch.objects.filter(client_id=client_id).order_by("-number")
    ]


def furthest(batch: PaymentBatch, cleared: set[UUID | None], stages: set[tuple[UUID, str]]) -> str:
    """Sent is not settled is not cleared: the furthest that is proven."""
    if batch.transit_item_id in cleared:
        return "cleared"
    for stage in ("settled", "submitted"):
        if (batch.id, stage) in stages:
            return stage
    return "released"


@dataclass(frozen=True)
class Reconciliation:
    """An account beside its statements, minor units. The two agree but for the lines nothing explains yet.

    bank_movement: of all lines taken. ledger: what the books posted for those lines. exceptions: lines that
    are not cleared. without_bank: what the books moved on the account without any bank line. missing: what
    the bank's own balances say moved, from the first statement to the last, beyond the lines taken: a
    statement is missing, or a line was taken twice; None when no statement gives its balances. unproven: from
    when to when statements give none, so that nothing can be said (None: no other end is known).
    """

    account: str
    bank_movement: int
    ledger: int
    exceptions: int
    without_bank: int = 0
    missing: int | None = None
    unproven: tuple[tuple[date | None, date | None], ...] = ()

    @property
    def ok(self) -> bool:
        return (
            self.bank_movement == self.ledger + self.exceptions and not self.without_bank and not self.missing
        )


RECONCILE = """
WITH line AS (
  SELECT l.id, l.amount, c.id IS NOT NULL AS cleared
  FROM settlement_bankline l LEFT JOIN settlement_cleared c ON c.client_id = l.client_id AND c.id = l.id
  WHERE l.client_id = %(client)s AND l.own_account_id = %(own)s),
posted AS (
  SELECT p.amount, b.subject_id
  FROM ledger_posting p
  JOIN ledger_entry e ON e.client_id = p.client_id AND e.id = p.entry_id
  JOIN ledger_batch b ON b.client_id = e.client_id AND b.id = e.batch_id
  WHERE p.client_id = %(client)s AND p.account_id = %(account)s AND p.currency = %(currency)s
    -- A line that was taken back is open again: what it had posted, and the reversal of that, are of no line.
    AND NOT (b.subject_kind = 'bank_line' AND EXISTS (
      SELECT FROM ledger_entry r WHERE r.client_id = e.client_id AND r.reverses_id = e.id))
    AND NOT (e.reverses_id IS NOT NULL AND EXISTS (
      SELECT FROM ledger_entry x JOIN ledger_batch o ON o.client_id = x.client_id AND o.id = x.batch_id
      WHERE x.client_id = e.client_id AND x.id = e.reverses_id AND o.subject_kind = 'bank_line')))
SELECT
  (SELECT coalesce(sum(amount), 0) FROM line)::bigint,
  (SELECT coalesce(sum(p.amount), 0) FROM posted p JOIN line l ON l.id = p.subject_id)::bigint,
  (SELECT coalesce(sum(amount) FILTER (WHERE NOT cleared), 0) FROM line)::bigint,
  (SELECT coalesce(sum(p.amount), 0) FROM posted p WHERE NOT EXISTS (
    SELECT FROM settlement_bankline l WHERE l.client_id = %(client)s AND l.id = p.subject_id))::bigint
"""

BANKS_OWN_BALANCES = """
SELECT s.id, s.starts, s.ends, s.opening, s.closing
FROM settlement_statement s
LEFT JOIN LATERAL (SELECT min(l.booked) AS booked FROM settlement_bankline l
  WHERE l.client_id = s.client_id AND l.statement_id = s.id) line ON s.starts IS NULL
WHERE s.client_id = %(client)s AND s.own_account_id = %(own)s
ORDER BY coalesce(s.starts, line.booked, s.ends), s.import_id, s.ordinal
"""
MOVED_BY_DAY = """
SELECT statement_id, booked, sum(amount)::bigint FROM settlement_bankline
WHERE client_id = %(client)s AND own_account_id = %(own)s GROUP BY 1, 2
"""


@dataclass
class _Chain:
    """Statements in a row, each with its balances: what lies between them is what the lines must come to."""

    starts: date
    ends: date
    opening: int
    closing: int
    statements: set[UUID]

    @property
    def movement(self) -> int:
        return self.closing - self.opening


@dataclass(frozen=True)
class _Proof:
    """opening: of the bank's very first statement, if it gives one."""

    opening: int | None
    missing: int | None
    unproven: tuple[tuple[date | None, date | None], ...]


def _bank_proof(asked: dict[str, UUID | str]) -> _Proof:
    """Lines against the bank's own balances, chain by chain: a statement without them breaks one link."""
    with connection.cursor() as cursor:
        cursor.execute(BANKS_OWN_BALANCES, asked)
        rows = cursor.fetchall()
        cursor.execute(MOVED_BY_DAY, asked)
        moved = cursor.fetchall()
    chains, unproven = _chains(rows)
    taken = [0] * len(chains)
    of_statement = {statement: n for n, chain in enumerate(chains) for statement in chain.statements}
    for statement, day, amount in moved:
        n = of_statement.get(statement)
        if n is None:  # a line may have come first with a statement that proves nothing
            n = next((n for n, chain in enumerate(chains) if chain.starts <= day <= chain.ends), None)
        if n is not None:
            taken[n] += amount
    off = [chain.movement - amount for chain, amount in zip(chains, taken, strict=True)]
    wrong = [amount for amount in off if amount]
    missing = (sum(wrong) or wrong[0]) if wrong else 0  # two that cancel out are still two
    first = chains[0].opening if chains and rows[0][0] in chains[0].statements else None
    return _Proof(first, missing if chains else None, unproven)


def _chains(rows: list[Any]) -> tuple[list[_Chain], tuple[tuple[date | None, date | None], ...]]:
    """Chains of statements that give all their balances, and from when to when nothing is provable."""
    chains: list[_Chain] = []
    unproven: list[tuple[date | None, date | None]] = []
    broken = True
    for statement, starts, ends, opening, closing in rows:
        if None in (starts, ends, opening, closing):
            if not broken or not unproven:
                unproven.append((chains[-1].ends if chains else starts, None))
            broken = True
        elif broken:
            chains.append(_Chain(starts, ends, opening, closing, {statement}))
            if unproven and unproven[-1][1] is None:
                unproven[-1] = (unproven[-1][0], starts)
            broken = False
        else:
            chain = chains[-1]
            chain.statements.add(statement)
            if ends >= chain.ends:
                chain.ends, chain.closing = ends, closing
    return chains, tuple(unproven)


def reconcile(own_account: str = "main") -> Reconciliation:
    """What the bank says moved, against what the books posted for it. Statements may have gaps and overlap.

    An opening balance that the books took over is the first statement's opening balance: no difference.
    """
    client_id = current_client_id()
    account = OwnAccount.objects.get(client_id=client_id, code=own_account)
    asked: dict[str, UUID | str] = {
        "client": client_id,
        "own": account.id,
        "account": account.account_id,
        "currency": account.currency,
    }
    with connection.cursor() as cursor:
        cursor.execute(RECONCILE, asked)
        moved, posted, left, without_bank = cursor.fetchone()
    proof = _bank_proof(asked)
    return Reconciliation(
        account.name,
        moved,
        posted,
        left,
        without_bank=0 if without_bank == proof.opening else without_bank,
        missing=proof.missing,
        unproven=proof.unproven,
    )


CHECKS = {
    "cleared lines whose posting is not their amount": """
        SELECT count(*) FROM settlement_cleared c
        JOIN settlement_bankline l ON l.client_id = c.client_id AND l.id = c.id
        JOIN settlement_ownaccount o ON o.client_id = l.client_id AND o.id = l.own_account_id
        LEFT JOIN (
          SELECT b.subject_id, p.account_id, p.currency, sum(p.amount) AS amount
          FROM ledger_batch b
          JOIN ledger_entry e ON e.client_id = b.client_id AND e.batch_id = b.id
          JOIN ledger_posting p ON p.client_id = e.client_id AND p.entry_id = e.id
          WHERE b.client_id = %(client)s AND b.subject_kind = 'bank_line' AND NOT EXISTS (
            SELECT FROM ledger_entry r WHERE r.client_id = e.client_id AND r.reverses_id = e.id)
          GROUP BY 1, 2, 3) t
          ON t.subject_id = l.id AND t.account_id = o.account_id AND t.currency = l.currency
        WHERE c.client_id = %(client)s AND t.amount IS DISTINCT FROM l.amount""",
    "postings for bank lines that are not cleared": """
        SELECT count(*) FROM ledger_batch b
        JOIN ledger_entry e ON e.client_id = b.client_id AND e.batch_id = b.id
        WHERE b.client_id = %(client)s AND b.subject_kind = 'bank_line' AND NOT EXISTS (
            SELECT FROM ledger_entry r WHERE r.client_id = e.client_id AND r.reverses_id = e.id)
          AND NOT EXISTS (
            SELECT FROM settlement_cleared c WHERE c.client_id = b.client_id AND c.id = b.subject_id)""",
    "payment files whose payments are not their count and total": """
        SELECT count(*) FROM settlement_paymentbatch b
        LEFT JOIN (SELECT batch_id, count(*) AS n, sum(amount) AS total FROM settlement_payment
          WHERE client_id = %(client)s GROUP BY 1) p ON p.batch_id = b.id
        WHERE b.client_id = %(client)s AND (b.count, b.total) IS DISTINCT FROM (p.n, p.total)""",
    "payments that are not the allocation of their item": """
        SELECT count(*) FROM settlement_payment p
        LEFT JOIN openitems_allocation l ON l.client_id = p.client_id AND l.id = p.id
        WHERE p.client_id = %(client)s
          AND (p.item_id, p.amount, p.batch_id) IS DISTINCT FROM (l.item_a_id, l.amount, l.subject_id)""",
    "payment files written for an account that has changed since": """
        SELECT count(*) FROM settlement_paymentbatch b
        JOIN settlement_ownaccount o ON o.client_id = b.client_id AND o.id = b.own_account_id
        WHERE b.client_id = %(client)s AND b.own_account_hash <> sha256(convert_to(concat_ws(
          '|', o.id, o.sort_code, o.account_number, o.service_user_number, o.account_id), 'UTF8'))""",
}
"""Each question counts what is wrong."""


def verify() -> list[Check]:
    """Cleared lines against their postings, payment files against their payments."""
    return answered(CHECKS)


def statements() -> list[Statement]:
    return list(Statement.objects.filter(client_id=current_client_id()).order_by("starts", "statement_id"))


# --- pages ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BatchView:
    """A payment file with what is known of it. total: minor units of currency.

    cleared_line: the bank line that proves it. stages: what was recorded after its release.
    """

    number: int
    id: UUID
    reference: str
    scheme: str
    pay_date: date
    submit_by: date
    processing_day: date
    entry_day: date
    count: int
    total: int
    currency: str
    own_account: str
    subject_kind: str
    subject_id: UUID
    at: datetime
    stages: tuple[str, ...]
    cleared_line: UUID | None
    overdue: bool

    @property
    def state(self) -> str:
        """The furthest that is proven: sent is not settled is not cleared."""
        if self.cleared_line:
            return "cleared"
        return next((s for s in ("settled", "submitted") if s in self.stages), "written")


BATCHES = """
SELECT b.number, b.id, b.reference, b.scheme, b.pay_date, b.submit_by, b.processing_day, b.entry_day, b.count,
  b.total, o.currency, o.name AS own_account, b.subject_kind, b.subject_id, b.at,
  ARRAY(SELECT s.stage::text FROM settlement_batchstage s
        WHERE s.client_id = b.client_id AND s.batch_id = b.id ORDER BY s.at) AS stages,
  c.line_id AS cleared_line,
  c.line_id IS NULL AND b.submit_by < current_date AND NOT EXISTS (
    SELECT FROM settlement_batchstage s WHERE s.client_id = b.client_id AND s.batch_id = b.id) AS overdue
FROM settlement_paymentbatch b
JOIN settlement_ownaccount o ON o.client_id = b.client_id AND o.id = b.own_account_id
LEFT JOIN LATERAL (
  SELECT id AS line_id FROM settlement_cleared
  WHERE client_id = b.client_id AND item_id = b.transit_item_id ORDER BY at LIMIT 1) c ON true
WHERE b.client_id = %(client)s AND (%(number)s::int IS NULL OR b.number = %(number)s)
"""


def _batch(*row: Any) -> BatchView:
    made = BatchView(*row)
    return replace(made, stages=tuple(made.stages))


def batches(cursor: str = "") -> listing.Slice[BatchView]:
    """Payment files, latest first."""
    order = listing.Order([("number", "bigint")], latest_first=True)
    return listing.read_slice(BATCHES, {"client": current_client_id(), "number": None}, order, cursor, _batch)


def batch(number: int) -> BatchView | None:
    with connection.cursor() as cursor:
        cursor.execute(BATCHES, {"client": current_client_id(), "number": number})
        row = cursor.fetchone()
    return _batch(*row) if row else None


@dataclass(frozen=True)
class PayeeView:
    """One payment of a file. returned: the bank sent it back."""

    reference: str
    id: UUID
    payee_id: UUID
    payee: str
    item_id: UUID
    item_reference: str
    amount: int
    returned: bool


PAYEES = """
SELECT p.reference, p.id, p.payee_id, k.name AS payee, p.item_id, i.reference AS item_reference, p.amount,
  EXISTS (SELECT FROM openitems_openitem o WHERE o.client_id = p.client_id
          AND o.subject_kind = 'payment' AND o.subject_id = p.id) AS returned
FROM settlement_payment p
JOIN openitems_counterparty k ON k.client_id = p.client_id AND k.id = p.payee_id
JOIN openitems_openitem i ON i.client_id = p.client_id AND i.id = p.item_id
WHERE p.client_id = %(client)s AND p.batch_id = %(batch)s
"""


def payees(batch_id: UUID, cursor: str = "") -> listing.Slice[PayeeView]:
    """The payments of a file, in its order."""
    order = listing.Order([("reference", "text")])
    return listing.read_slice(
        PAYEES, {"client": current_client_id(), "batch": batch_id}, order, cursor, PayeeView
    )


@dataclass(frozen=True)
class StageView:
    stage: str
    on: date
    evidence: str
    by: str
    at: datetime


def stages(batch_id: UUID) -> list[StageView]:
    """What was recorded of a file after its release, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.stage, s."on", s.evidence, coalesce(u.name, ''), s.at FROM settlement_batchstage s
            LEFT JOIN foundation_user u ON u.id = s.by_user_id
            WHERE s.client_id = %s AND s.batch_id = %s ORDER BY s.at
            """,
            [current_client_id(), batch_id],
        )
        return [StageView(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class LineView:
    """A bank line with what explains it, or why nothing does yet. amount: money in is positive."""

    booked: date
    id: UUID
    amount: int
    currency: str
    bank_reference: str
    end_to_end: str
    counterparty: str
    remittance: str
    return_reason: str
    value_date: date | None
    statement: str
    account: str
    rule: str
    why: str
    item_id: UUID | None
    cleared_at: datetime | None
    reason: str
    detail: str

    @property
    def is_cleared(self) -> bool:
        return bool(self.rule)


LINES = """
SELECT l.booked, l.id, l.amount, l.currency, l.bank_reference, l.end_to_end,
  l.counterparty_name AS counterparty, l.remittance, l.return_reason, l.value_date,
  s.statement_id AS statement, o.code AS account, coalesce(c.rule, '') AS rule, coalesce(c.why, '') AS why,
  c.item_id, c.at AS cleared_at, coalesce(x.reason, '') AS reason, coalesce(x.detail, '') AS detail
FROM settlement_bankline l
JOIN settlement_statement s ON s.client_id = l.client_id AND s.id = l.statement_id
JOIN settlement_ownaccount o ON o.client_id = l.client_id AND o.id = l.own_account_id
LEFT JOIN settlement_cleared c ON c.client_id = l.client_id AND c.id = l.id
LEFT JOIN LATERAL (
  SELECT reason, detail FROM settlement_lineexception
  WHERE c.id IS NULL AND client_id = l.client_id AND line_id = l.id ORDER BY at DESC, id DESC LIMIT 1
) x ON true
WHERE l.client_id = %(client)s AND (%(account)s::uuid IS NULL OR l.own_account_id = %(account)s)
  AND (%(line)s::uuid IS NULL OR l.id = %(line)s)
  AND (%(state)s::text = '' OR (%(state)s = 'cleared') = (c.id IS NOT NULL))
"""


def bank_lines(account: UUID, *, state: str = "", cursor: str = "") -> listing.Slice[LineView]:
    """Lines of one bank account, latest first. state: `cleared`, `exception`, or all of them."""
    asked = {"client": current_client_id(), "account": account, "line": None, "state": state}
    order = listing.Order([("booked", "date"), ("id", "uuid")], latest_first=True)
    return listing.read_slice(LINES, asked, order, cursor, LineView)


def bank_line(line_id: UUID) -> LineView | None:
    with connection.cursor() as cursor:
        cursor.execute(LINES, {"client": current_client_id(), "account": None, "line": line_id, "state": ""})
        row = cursor.fetchone()
    return LineView(*row) if row else None


@dataclass(frozen=True)
class TriedView:
    """Why a line was not cleared at one try."""

    at: datetime
    reason: str
    detail: str


def tries(line_id: UUID) -> list[TriedView]:
    """Every reason that a line was ever given, oldest first."""
    rows = LineException.objects.filter(client_id=current_client_id(), line_id=line_id).order_by("at", "id")
    return [TriedView(*row) for row in rows.values_list("at", "reason", "detail")]


def entry_of_line(line_id: UUID) -> UUID | None:
    """The entry that posted a bank line."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.id FROM ledger_batch b JOIN ledger_entry e ON e.client_id = b.client_id "
            "AND e.batch_id = b.id "
            "WHERE b.client_id = %s AND b.subject_kind = 'bank_line' AND b.subject_id = %s AND NOT EXISTS ("
            "SELECT FROM ledger_entry r WHERE r.client_id = e.client_id AND r.reverses_id = e.id) "
            "ORDER BY e.number LIMIT 1",
            [current_client_id(), line_id],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def settled_by(line_id: UUID) -> list[tuple[UUID, str, int]]:
    """(item, its reference, amount) of what a cleared line was set against."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.id, o.reference, sum(l.amount)::bigint FROM openitems_allocation l "
            "JOIN openitems_openitem o ON o.client_id = l.client_id AND o.id = l.item_a_id "
            "WHERE l.client_id = %s AND l.subject_kind = 'bank_line' AND l.subject_id = %s "
            "GROUP BY o.id, o.reference HAVING sum(l.amount) <> 0 ORDER BY min(l.at), o.id",
            [current_client_id(), line_id],
        )
        return list(cursor.fetchall())


def own_accounts() -> list[OwnAccount]:
    return list(OwnAccount.objects.filter(client_id=current_client_id()).order_by("id"))
