"""Which bank line settles what: ordered rules, an answer only where it is the only one, and a reason for every other line.

Lines are taken in order; what a line settles is gone for the lines after it. A rule that finds two answers finds none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal
from uuid import UUID

from engineroom.kernel.money import format_minor

Kind = Literal["batch", "payment", "invoice"]


@dataclass(frozen=True, slots=True)
class Line:
    """A booked line of the bank. amount: minor units, money in positive."""

    id: UUID
    booked: date
    currency: str
    amount: int
    reference: str
    counterparty: str
    is_return: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something a line may settle. amount: what the bank line must show, signed like it.

    batch: a file on its way out; payment: one payee of a file that left, which may come back; invoice: money owed to us.
    """

    kind: Kind
    id: UUID
    reference: str
    amount: int
    currency: str
    counterparty: str = ""
    expected_on: date | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The line settles these candidates by these amounts, by this rule."""

    line: Line
    rule: str
    why: str
    parts: tuple[tuple[Candidate, int], ...]


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Why the line settles nothing, as a code and a sentence."""

    line: Line
    reason: str
    detail: str


@dataclass
class Outcome:
    settled: list[Settled] = field(default_factory=list)
    unsettled: list[Unsettled] = field(default_factory=list)


EARLY_DAYS, LATE_DAYS = 1, 5
"""A batch's line is booked around its entry day: never before the day before, and not after a working week."""


def normalised(text: str) -> str:
    """Letters and digits alone, upper case: "inv 000012." and "INV-000012" are the same reference."""
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def _with_seams(text: str) -> tuple[str, set[int]]:
    """The normalised text, and the places in it where something else stood in between."""
    flat, seams = "", set()
    for piece in re.findall(r"[A-Z0-9]+", text.upper()):
        seams.add(len(flat))
        flat += piece
    return flat, seams


class Open:
    """The candidates that are left, found by reference in a line's text or by amount."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self.left: dict[UUID, int] = {}
        self.all: dict[UUID, Candidate] = {}
        self.by_reference: dict[str, list[Candidate]] = {}
        for candidate in candidates:
            self.left[candidate.id] = candidate.amount
            self.all[candidate.id] = candidate
            self.by_reference.setdefault(normalised(candidate.reference), []).append(candidate)
        self._lengths = sorted({len(r) for r in self.by_reference if r}, reverse=True)

    def named_in(self, text: str) -> list[Candidate]:
        """Candidates whose reference stands in the text, each once, in order of appearance.

        Separators inside a reference do not matter, but it must not run on: INV12 is not found in INV123.
        """
        flat, seams = _with_seams(text)
        found: dict[UUID, Candidate] = {}
        for start in range(len(flat)):
            for length in self._lengths:
                end = start + length
                piece = flat[start:end]
                if piece not in self.by_reference or len(piece) < length:
                    continue
                if _runs_on(flat, start, seams) or _runs_on(flat, end, seams):
                    continue
                found.update((c.id, c) for c in self.by_reference[piece] if self.left.get(c.id))
        return list(found.values())

    def of_kind(self, kind: Kind, amount: int) -> list[Candidate]:
        return [c for c in self.all.values() if c.kind == kind and self.left.get(c.id) == amount]

    def take(self, candidate: Candidate, amount: int) -> None:
        self.left[candidate.id] -= amount


def _runs_on(flat: str, at: int, seams: set[int]) -> bool:
    """Whether digits, or letters, go straight on across this place."""
    if at in seams or at <= 0 or at >= len(flat):
        return False
    before, after = flat[at - 1], flat[at]
    return before.isdigit() == after.isdigit()


def match(lines: Sequence[Line], candidates: Iterable[Candidate]) -> Outcome:
    """Settle lines in order. Every line is in the outcome once."""
    open_, outcome = Open(candidates), Outcome()
    for line in lines:
        answer = _answer(line, open_)
        if isinstance(answer, Settled):
            for candidate, amount in answer.parts:
                open_.take(candidate, amount)
            outcome.settled.append(answer)
        else:
            outcome.unsettled.append(answer)
    return outcome


def _answer(line: Line, open_: Open) -> Settled | Unsettled:
    named = [c for c in open_.named_in(f"{line.reference} {line.counterparty}") if c.currency == line.currency]
    if line.amount < 0:
        return _out(line, named, open_)
    if line.is_return or any(c.kind == "payment" for c in named):
        return _returned(line, [c for c in named if c.kind == "payment"], open_)
    return _receipt(line, [c for c in named if c.kind == "invoice"], open_)


def _out(line: Line, named: list[Candidate], open_: Open) -> Settled | Unsettled:
    """Money out: one of our files, by its reference, else by its amount around its entry day."""
    batches = [c for c in named if c.kind == "batch"]
    if len(batches) == 1:
        batch = batches[0]
        if open_.left[batch.id] == line.amount:
            return Settled(line, "batch by reference", f"reference {batch.reference} and the whole amount", ((batch, line.amount),))
        return Unsettled(
            line,
            "amount differs",
            f"names payment file {batch.reference}, of which {_money(open_.left[batch.id], line)} is on its way, "
            f"but the bank took {_money(line.amount, line)}",
        )
    near = [c for c in open_.of_kind("batch", line.amount) if _is_near(line.booked, c.expected_on)]
    if len(near) == 1:
        return Settled(
            line, "batch by amount", f"the only file of {_money(line.amount, line)} due around {line.booked}", ((near[0], line.amount),)
        )
    if near:
        return Unsettled(line, "ambiguous", f"{len(near)} files of {_money(line.amount, line)} are on their way")
    return Unsettled(line, "unknown payment", "no file of ours has this reference or this amount around this day")


def _is_near(booked: date, expected: date | None) -> bool:
    return expected is not None and -EARLY_DAYS <= (booked - expected) / timedelta(days=1) <= LATE_DAYS


def _returned(line: Line, named: list[Candidate], open_: Open) -> Settled | Unsettled:
    """Money back: a payee's payment of a file that left."""
    fitting = [c for c in named if open_.left[c.id] == line.amount]
    if len(fitting) == 1:
        payment = fitting[0]
        return Settled(line, "returned payment", f"returns payment {payment.reference}", ((payment, line.amount),))
    if named:
        return Unsettled(
            line, "amount differs", f"names payment {named[0].reference} of {_money(named[0].amount, line)}, not {_money(line.amount, line)}"
        )
    return Unsettled(line, "unknown return", "the bank returns a payment, but no payment of ours has its reference")


def _receipt(line: Line, named: list[Candidate], open_: Open) -> Settled | Unsettled:
    """Money in: the invoices it names, all in full or one in part; else the one invoice of that amount and customer."""
    owed = sum(open_.left[c.id] for c in named)
    if named and owed == line.amount:
        names = ", ".join(c.reference for c in named)
        return Settled(line, "invoice by number", f"names {names}, in full", tuple((c, open_.left[c.id]) for c in named))
    if len(named) == 1 and line.amount < owed:
        why = f"names {named[0].reference}, in part: {_money(owed - line.amount, line)} stays open"
        return Settled(line, "invoice in part", why, ((named[0], line.amount),))
    if named:
        return Unsettled(
            line,
            "amount differs",
            f"names {', '.join(c.reference for c in named)} with {_money(owed, line)} open, but {_money(line.amount, line)} came",
        )
    payer = normalised(line.counterparty)
    same = [c for c in open_.of_kind("invoice", line.amount) if c.currency == line.currency and payer]
    same = [c for c in same if normalised(c.counterparty).startswith(payer[:18]) or payer.startswith(normalised(c.counterparty))]
    if len(same) == 1:
        why = f"the only open invoice of {_money(line.amount, line)} to {same[0].counterparty}"
        return Settled(line, "amount and customer", why, ((same[0], line.amount),))
    if same:
        return Unsettled(line, "ambiguous", f"{len(same)} open invoices of this amount to {same[0].counterparty}")
    return Unsettled(line, "unknown receipt", "names no invoice of ours, and no open invoice has this amount and payer")


def _money(amount: int, line: Line) -> str:
    return f"{format_minor(amount, line.currency)} {line.currency}"
