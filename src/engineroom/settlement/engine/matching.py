"""Which bank line settles what: ordered rules, an answer only where it is the only one, a reason otherwise.

First every line is matched by what it names; then, of the lines that name nothing of ours, each by its
amount. So a guess never takes what another line names. Within a rule lines are taken in order, and what a
line settles is gone for the lines after it; the order of candidates never matters. A rule that finds two
answers finds none.
"""

from __future__ import annotations

import re
import unicodedata
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

    batch: a file on its way out; payment: one payee of a file that left, which may come back; invoice: money
    owed to us. What is settled already has an amount of 0: a line that names it is not taken for another.
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
"""A batch's line is booked around its entry day: not before the day before, not after a working week."""


CUT_AT = 18
"""The one width at which a name is known to be cut: fields 47-64 and 83-100 of Bacs Standard 18
(facts/gb.md, 2.2). A name shown in full compares in full."""

LEGAL_FORMS = frozenset(["LTD", "LIMITED", "PLC", "LLP"])
"""What a payer leaves off a company's name without being another company."""


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
    """The candidates and what is left of each, found by reference in a line's text or by kind and amount."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self.left: dict[UUID, int] = {}
        self._by_reference: dict[str, list[Candidate]] = {}
        self._by_amount: dict[tuple[Kind, str, int], dict[UUID, Candidate]] = {}
        for candidate in candidates:
            self.left[candidate.id] = candidate.amount
            self._by_reference.setdefault(normalised(candidate.reference), []).append(candidate)
            self._file(candidate)
        self._lengths = sorted({len(r) for r in self._by_reference if r}, reverse=True)

    def named_in(self, text: str) -> list[Candidate]:
        """Candidates whose reference stands in the text, each once, in order of appearance, settled or not.

        Separators inside a reference do not matter, but it must not run on: INV12 is not found in INV123.
        """
        flat, seams = _with_seams(text)
        found: dict[UUID, Candidate] = {}
        for start in range(len(flat)):
            if _runs_on(flat, start, seams):
                continue
            for length in self._lengths:
                end = start + length
                if end <= len(flat) and not _runs_on(flat, end, seams):
                    found.update((c.id, c) for c in self._by_reference.get(flat[start:end], ()))
        return list(found.values())

    def of_amount(self, kind: Kind, currency: str, amount: int) -> list[Candidate]:
        """Those of the kind with exactly so much left, by reference."""
        found = self._by_amount.get((kind, currency, amount), {}).values()
        return sorted(found, key=lambda c: (c.reference, c.id))

    def take(self, candidate: Candidate, amount: int) -> None:
        self._by_amount[self._place(candidate)].pop(candidate.id)
        self.left[candidate.id] -= amount
        self._file(candidate)

    def _file(self, candidate: Candidate) -> None:
        self._by_amount.setdefault(self._place(candidate), {})[candidate.id] = candidate

    def _place(self, candidate: Candidate) -> tuple[Kind, str, int]:
        return candidate.kind, candidate.currency, self.left[candidate.id]


def _runs_on(flat: str, at: int, seams: set[int]) -> bool:
    """Whether digits, or letters, go straight on across this place."""
    if at in seams or at <= 0 or at >= len(flat):
        return False
    before, after = flat[at - 1], flat[at]
    return before.isdigit() == after.isdigit()


def match(lines: Sequence[Line], candidates: Iterable[Candidate]) -> Outcome:
    """Settle what can be settled. Every line is in the outcome once, in the order given."""
    open_ = Open(candidates)
    answers = [_take(_by_name(line, open_), open_) for line in lines]
    for n, line in enumerate(lines):
        if answers[n] is None:
            answers[n] = _take(_by_amount(line, open_), open_)
    return Outcome(
        [a for a in answers if isinstance(a, Settled)], [a for a in answers if isinstance(a, Unsettled)]
    )


def _take(answer: Settled | Unsettled | None, open_: Open) -> Settled | Unsettled | None:
    if isinstance(answer, Settled):
        for candidate, amount in answer.parts:
            open_.take(candidate, amount)
    return answer


def _by_name(line: Line, open_: Open) -> Settled | Unsettled | None:
    """The answer for a line that names something of ours; None when it does not."""
    if line.amount == 0:
        return Unsettled(line, "no money", "the line moves no money")
    kinds: tuple[Kind, ...] = ("batch",) if line.amount < 0 else ("payment", "invoice")
    named = [
        c
        for c in open_.named_in(f"{line.reference} {line.counterparty}")
        if c.kind in kinds and c.currency == line.currency
    ]
    left = [c for c in named if open_.left[c.id]]
    if line.amount < 0:
        answer = _batch_named(line, left, open_) if left else None
    elif line.is_return or any(c.kind == "payment" for c in left or named):
        answer = _returned(line, [c for c in left if c.kind == "payment"], named, open_)
    else:
        answer = _invoices_named(line, left, open_) if left else None
    if answer is None and named:
        names = ", ".join(c.reference for c in named)
        return Unsettled(line, "settled already", f"names {names}, of which nothing is left to settle")
    return answer


def _by_amount(line: Line, open_: Open) -> Settled | Unsettled:
    return _batch_of_amount(line, open_) if line.amount < 0 else _invoice_of_amount(line, open_)


def _batch_named(line: Line, batches: list[Candidate], open_: Open) -> Settled | Unsettled:
    """Money out that names one of our files: the whole of it, or somebody must look."""
    batch = batches[0]
    if len(batches) > 1:
        names = " and ".join(c.reference for c in batches)
        return Unsettled(line, "ambiguous", f"names payment files {names}, which the bank books one by one")
    if open_.left[batch.id] == line.amount:
        why = f"reference {batch.reference} and the whole amount"
        return Settled(line, "batch by reference", why, ((batch, line.amount),))
    return Unsettled(
        line,
        "amount differs",
        f"names payment file {batch.reference}, of which {_money(open_.left[batch.id], line)} is on its way, "
        f"but the bank took {_money(line.amount, line)}",
    )


def _batch_of_amount(line: Line, open_: Open) -> Settled | Unsettled:
    """Money out that names nothing: the one file of its amount around its entry day."""
    near = [
        c
        for c in open_.of_amount("batch", line.currency, line.amount)
        if _is_near(line.booked, c.expected_on)
    ]
    if len(near) == 1:
        why = f"the only file of {_money(line.amount, line)} due around {line.booked}"
        return Settled(line, "batch by amount", why, ((near[0], line.amount),))
    if near:
        detail = f"{len(near)} files of {_money(line.amount, line)} are on their way"
        return Unsettled(line, "ambiguous", detail)
    return Unsettled(
        line, "unknown payment", "no file of ours has this reference or this amount around this day"
    )


def _is_near(booked: date, expected: date | None) -> bool:
    return expected is not None and -EARLY_DAYS <= (booked - expected) / timedelta(days=1) <= LATE_DAYS


def _returned(
    line: Line, payments: list[Candidate], named: list[Candidate], open_: Open
) -> Settled | Unsettled | None:
    """Money back: a payee's payment of a file that left. A return never pays an invoice."""
    fitting = [c for c in payments if open_.left[c.id] == line.amount]
    if len(fitting) == 1:
        payment = fitting[0]
        why = f"returns payment {payment.reference}"
        return Settled(line, "returned payment", why, ((payment, line.amount),))
    if fitting:
        names = " and ".join(c.reference for c in fitting)
        return Unsettled(line, "ambiguous", f"names payments {names}, each of this amount")
    if payments:
        was = _money(payments[0].amount, line)
        detail = f"names payment {payments[0].reference} of {was}, not {_money(line.amount, line)}"
        return Unsettled(line, "amount differs", detail)
    if any(c.kind == "payment" for c in named):
        return None  # one that came back before
    return Unsettled(
        line, "unknown return", "the bank returns a payment, but no payment of ours has its reference"
    )


def _invoices_named(line: Line, invoices: list[Candidate], open_: Open) -> Settled | Unsettled:
    """Money in that names invoices: all of them in full, or one of them in part."""
    owed = sum(open_.left[c.id] for c in invoices)
    names = ", ".join(c.reference for c in invoices)
    if owed == line.amount:
        parts = tuple((c, open_.left[c.id]) for c in invoices)
        return Settled(line, "invoice by number", f"names {names}, in full", parts)
    if len(invoices) == 1 and line.amount < owed:
        why = f"names {names}, in part: {_money(owed - line.amount, line)} stays open"
        return Settled(line, "invoice in part", why, ((invoices[0], line.amount),))
    detail = f"names {names} with {_money(owed, line)} open, but {_money(line.amount, line)} came"
    return Unsettled(line, "amount differs", detail)


def _invoice_of_amount(line: Line, open_: Open) -> Settled | Unsettled:
    """Money in that names nothing: the one open invoice of its amount to its payer."""
    same = [
        c
        for c in open_.of_amount("invoice", line.currency, line.amount)
        if _is_payer(line.counterparty, c.counterparty)
    ]
    if len(same) == 1:
        why = f"the only open invoice of {_money(line.amount, line)} to {same[0].counterparty}"
        return Settled(line, "amount and customer", why, ((same[0], line.amount),))
    if same:
        names = ", ".join(c.reference for c in same)
        return Unsettled(line, "ambiguous", f"{len(same)} open invoices of this amount and payer: {names}")
    return Unsettled(
        line, "unknown receipt", "names no invoice of ours, and no open invoice has this amount and payer"
    )


def _is_payer(shown: str, customer: str) -> bool:
    """Whether the name that the bank shows is the customer's, in full or cut at the width of a field.

    A shorter name is the customer's only if the bank did cut it: JOHN is not Johnson Electrical Ltd. Leaving
    LTD or PLC off is no difference, nor are accents or "&" for "and"; a name of few Latin letters fits
    nobody.
    """
    payer, name = _bare_name(shown), _bare_name(customer)
    if payer == name:
        return payer != ""
    cut = _flat_name(shown)
    was_cut = len(shown.strip()) == CUT_AT and len(cut) >= CUT_AT // 2
    return was_cut and (name.startswith(cut) or _flat_name(customer).startswith(cut))


def _words(name: str) -> list[str]:
    """The words of a name in capitals, without accents, "&" read as AND."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.upper()) if not unicodedata.combining(c))
    return re.findall(r"[^\s.,]+", plain.replace("&", " AND "))


def _flat_name(name: str) -> str:
    return normalised("".join(_words(name)))


def _bare_name(name: str) -> str:
    """The name without its legal form."""
    return normalised("".join(w for w in _words(name) if w not in LEGAL_FORMS))


def _money(amount: int, line: Line) -> str:
    return f"{format_minor(amount, line.currency)} {line.currency}"
