"""What the lines that wait may be: suggestions of the pairing engine over what is open. Nothing is written.

Somebody takes one by saying it of the line (`by_hand.explain_line`); another person approves, as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from engineroom.foundation.tenancy.scope import current_scope
from engineroom.openitems.kinds import PAY_KINDS
from engineroom.openitems.selectors import Open, open_items
from engineroom.settlement.by_hand import EXPLAINED, Part
from engineroom.settlement.clearing import open_exceptions
from engineroom.settlement.engine.columns import MOST, Items, Lines, currency_code
from engineroom.settlement.engine.pairing import Pairing, Suggestion, difference, pair
from engineroom.settlement.models import BankLine

CERTAIN = 99
"""The score of what the engine would confirm: a person takes it all the same."""


@dataclass(frozen=True)
class Likely:
    """What a line may settle. score: of 100. why: the rule and what speaks against it, in words.

    parts: what to say of the line; what they leave of it goes to an account.
    """

    score: int
    rule: str
    why: str
    items: tuple[Open, ...]
    parts: tuple[Part, ...]

    @property
    def names(self) -> str:
        return ", ".join(item.reference or item.kind for item in self.items)


def suggestions() -> dict[UUID, Likely]:
    """By line, of those that nobody has explained yet; for whoever may explain them, else nothing.

    What people earn is no suggestion: it leaves in payment files, which have rules of their own.
    """
    if not current_scope().may("settlement.prepare"):
        return {}
    rows = [e.line for e in open_exceptions() if e.reason != EXPLAINED]
    rows = [row for row in rows if 0 < abs(row.amount) <= MOST]
    if not rows:
        return {}
    kinds = ("bank_line", *PAY_KINDS)
    items = [i for i in open_items() if i.kind not in kinds and abs(i.open) <= MOST]
    lines, columns = _lines(rows), _items(items)
    found = pair(lines, columns)
    return {
        rows[s.line].id: _likely(s, rows, items, difference(lines, columns, s, rows[s.line].currency))
        for s in (*_certain(found), *found.suggestions)
    }


def _lines(rows: Sequence[BankLine]) -> Lines:
    none = np.zeros(len(rows), np.int64)
    return Lines(
        np.argsort(np.argsort([row.id.bytes for row in rows])),
        np.array([row.booked.toordinal() for row in rows], np.int64),
        np.array([currency_code(row.currency) for row in rows], np.int64),
        np.array([row.amount for row in rows], np.int64),
        [f"{row.end_to_end} {row.bank_reference} {row.remittance}" for row in rows],
        [row.counterparty_name for row in rows],
        np.array([bool(row.return_reason) for row in rows]),
        none,
        none,
        none,
    )


def _items(items: Sequence[Open]) -> Items:
    return Items(
        np.argsort(np.argsort([item.id.bytes for item in items])) if items else np.zeros(0, np.int64),
        np.array([item.due.toordinal() for item in items], np.int64),
        np.array([currency_code(item.currency) for item in items], np.int64),
        np.array([item.open for item in items], np.int64),
        [item.reference for item in items],
        [item.counterparty for item in items],
        np.zeros(len(items), np.bool_),
    )


def _certain(found: Pairing) -> list[Suggestion]:
    made = []
    for line in np.flatnonzero(found.line_match >= 0).tolist():
        match = int(found.line_match[line])
        chosen = np.flatnonzero(found.item_match == match).tolist()
        together = np.flatnonzero(found.line_match == match).tolist()
        made.append(Suggestion(line, found.rule[match], CERTAIN, tuple(chosen), tuple(together), 0))
    return made


def _likely(s: Suggestion, rows: Sequence[BankLine], items: Sequence[Open], gap: str) -> Likely:
    chosen = tuple(items[i] for i in s.items)
    line = rows[s.line]
    words = [s.rule]
    if len(s.lines) > 1:
        words.append(f"together with {len(s.lines) - 1} more of its lines")
    if s.rivals:
        words.append(f"{s.rivals} more would fit as well")
    if gap:
        words.append(gap)
    return Likely(s.score, s.rule, "; ".join(words), chosen, _parts(line, chosen))


def _parts(line: BankLine, items: Sequence[Open]) -> tuple[Part, ...]:
    """As much of each as the line has left, in the order of the items; none of another currency or way."""
    left, parts = abs(line.amount), []
    if any(i.currency != line.currency or (i.open > 0) != (line.amount > 0) for i in items):
        return ()
    for item in items:
        if amount := min(abs(item.open), left):
            parts.append(Part(item.id, amount))
            left -= amount
    return tuple(parts)
