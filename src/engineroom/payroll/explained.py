"""Why a payslip differs from the person's last: by input that changed, element by element.

Compared is what the two payslips were calculated from, as the trace files keep it, with each other
(`engine.variance`); nothing is guessed. What no input explains is said to be that, with its amount.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from engineroom.kernel.errors import NotFound
from engineroom.payroll import selectors
from engineroom.payroll.engine import variance
from engineroom.payroll.engine.steps import Calculation, Column
from engineroom.payroll.engine.variance import LAW, UNEXPLAINED, Part, Side
from engineroom.payroll.jurisdictions import Jurisdiction, jurisdiction
from engineroom.payroll.models import Attempt, AttemptChunk, PayRun
from engineroom.payroll.results import amounts_of
from engineroom.payroll.traces import as_given, read_trace, under
from engineroom.payroll.withheld import ORDERS, by_payslip, from_payslips
from engineroom.people.models import Person
from engineroom.ui.display import format_duration, format_money
from engineroom.ui.listing import Order, Slice, read_slice

COMPARABLE = 8
"""How many earlier runs of the same kind, schedule and frequency are looked through for a last payslip."""


@dataclass(frozen=True)
class Words:
    """How a group of inputs is told. columns: those of it; label: for the picture; said: what changed, of one
    person, from the values before and now."""

    columns: tuple[str, ...]
    label: str
    said: Callable[[Mapping[str, Any], Mapping[str, Any], str], str]


_words: dict[str, dict[str, Words]] = {}


def register_words(code: str, groups: Mapping[str, Words]) -> None:
    """How the inputs of a jurisdiction are told, in the order in which they are compared."""
    _words[code] = dict(groups)


@dataclass(frozen=True)
class Because:
    """One part of a change. moved: by element, minor units or minutes; nought is left out."""

    label: str
    words: str
    moved: Mapping[str, int]
    is_explained: bool = True


@dataclass(frozen=True)
class PersonVariance:
    """A person's payslip of a run beside their last. before_run: None of who was in none; now is None of who
    is not in this one. The parts add up to the change, element by element."""

    person_id: UUID
    payroll_number: str
    name: str
    before_run: int | None
    is_in_run: bool
    before: Mapping[str, int]
    now: Mapping[str, int]
    parts: Sequence[Because] = field(default_factory=tuple)

    def change(self, element: str) -> int:
        return self.now.get(element, 0) - self.before.get(element, 0)

    def in_words(self, element: str, currency: str) -> str:
        """ "+312.40: 8 h overtime; -40.00: loan finished", of one element."""
        told = [
            f"{_signed(part.moved[element], currency)}: {part.words}"
            for part in self.parts
            if part.moved.get(element)
        ]
        return "; ".join(told) or "no change"


def _signed(amount: int, currency: str) -> str:
    text = format_money(amount, currency, symbol=False)
    return f"+{text}" if amount > 0 else text


@dataclass(frozen=True)
class ListedVariance:
    """A person in the list of a run's changes. size: of the change of net pay, without its sign."""

    size: int
    number_key: str
    person_id: UUID
    payroll_number: str
    name: str
    now_net: int | None
    before_net: int | None

    @property
    def change(self) -> int:
        return (self.now_net or 0) - (self.before_net or 0)


# The latest runs that may be compared with; of each person the payslip in the last of them that has one.
BEFORE = """
WITH runs AS MATERIALIZED (
  SELECT r.id, r.number, r.pay_date, r.published_id FROM payroll_payrun r
  WHERE r.client_id = %(client)s AND r.kind = %(kind)s AND r.corrects_id IS NULL
    AND r.schedule_id IS NOT DISTINCT FROM %(schedule)s AND r.frequency = %(frequency)s
    AND (r.pay_date, r.number) < (%(day)s, %(number)s)
    AND r.published_id IS NOT NULL
  ORDER BY r.pay_date DESC, r.number DESC LIMIT %(most)s),
before AS (
  SELECT DISTINCT ON (s.person_id) s.person_id, s.attempt_id, s.chunk, s.row, s.amounts, r.number,
    r.number = (SELECT max(l.number) FROM runs l) AS is_last
  FROM runs r JOIN payroll_payslip s ON s.client_id = %(client)s AND s.attempt_id = r.published_id
  ORDER BY s.person_id, r.pay_date DESC, r.number DESC),
now AS (
  SELECT s.person_id, s.attempt_id, s.chunk, s.row, s.amounts FROM payroll_payslip s
  WHERE s.client_id = %(client)s AND s.attempt_id = %(attempt)s)
"""

# Who was in the last run and is not in this one counts too; who left before that does not.
LISTED = f"""
SELECT * FROM (
  {BEFORE}
  SELECT abs(coalesce(n.amounts[array_position(k.elements, 'net_pay')], 0)
      - coalesce(b.amounts[array_position(j.elements, 'net_pay')], 0))::bigint AS size,
    p.payroll_number COLLATE "C" AS number_key, p.id, p.payroll_number, p.name,
    n.amounts[array_position(k.elements, 'net_pay')], b.amounts[array_position(j.elements, 'net_pay')]
  FROM now n FULL JOIN before b ON b.person_id = n.person_id
  JOIN people_person p ON p.client_id = %(client)s AND p.id = coalesce(n.person_id, b.person_id)
  LEFT JOIN payroll_attempt k ON k.client_id = %(client)s AND k.id = n.attempt_id
  LEFT JOIN payroll_attempt j ON j.client_id = %(client)s AND j.id = b.attempt_id
  WHERE n.person_id IS NOT NULL OR b.is_last) listed
"""  # noqa: S608 the pieces are ours

LARGEST_FIRST = Order((("size", "bigint"), ("number_key", "text")), latest_first=True)

PAIRS = f"""
{BEFORE}
SELECT p.id, p.payroll_number, p.name, b.number, b.attempt_id, b.chunk, b.row, b.amounts,
  n.attempt_id, n.chunk, n.row, n.amounts
FROM now n FULL JOIN before b ON b.person_id = n.person_id
JOIN people_person p ON p.client_id = %(client)s AND p.id = coalesce(n.person_id, b.person_id)
WHERE p.id = ANY(%(people)s) AND (n.person_id IS NOT NULL OR b.is_last)
ORDER BY p.payroll_number COLLATE "C"
"""  # noqa: S608 the pieces are ours


def _values(run: PayRun) -> dict[str, Any]:
    return {
        "client": run.client_id,
        "kind": run.kind,
        "schedule": run.schedule_id,
        "frequency": run.frequency,
        "day": run.pay_date,
        "number": run.number,
        "attempt": run.published_id,
        "most": COMPARABLE,
    }


def listed(run: PayRun, cursor: str = "", *, rows: int = 50) -> Slice[ListedVariance]:
    """Everybody of a run, and who was in the last and is not in it: the largest change of net pay first."""
    return read_slice(LISTED, _values(run), LARGEST_FIRST, cursor, ListedVariance, rows=rows)


@dataclass(frozen=True)
class _Slip:
    """Where a payslip stands: its attempt, chunk and row, and its amounts."""

    attempt_id: UUID
    chunk: int
    row: int
    amounts: Sequence[int]


@dataclass(frozen=True)
class _Pair:
    person_id: UUID
    payroll_number: str
    name: str
    number: int | None
    before: _Slip | None
    now: _Slip | None


def explain_people(run: PayRun, people: Sequence[UUID], currency: str) -> list[PersonVariance]:
    """Of each of these people why their payslip differs from their last, by payroll number."""
    if run.published_id is None or not people:
        return []
    with connection.cursor() as cursor:
        cursor.execute(PAIRS, _values(run) | {"people": list(people)})
        pairs = [
            _Pair(
                person_id=row[0],
                payroll_number=row[1],
                name=row[2],
                number=row[3],
                before=_Slip(*row[4:8]) if row[4] else None,
                now=_Slip(*row[8:12]) if row[8] else None,
            )
            for row in cursor.fetchall()
        ]
    reader = _Reader(run, currency)
    found: dict[UUID, PersonVariance] = {}
    both: dict[tuple[UUID, int, UUID, int], list[_Pair]] = defaultdict(list)
    for pair in pairs:
        if pair.before and pair.now:
            both[pair.before.attempt_id, pair.before.chunk, pair.now.attempt_id, pair.now.chunk].append(pair)
        else:
            found[pair.person_id] = reader.alone(pair)
    for alike in both.values():
        found |= {one.person_id: one for one in reader.compared(alike)}
    return [found[pair.person_id] for pair in pairs]


def person_variance(run: PayRun, payroll_number: str, currency: str) -> PersonVariance:
    """What changed for one person. Raises NotFound."""
    person_id: UUID | None = (
        Person.objects.filter(client_id=run.client_id, payroll_number=payroll_number)
        .values_list("counterparty_id", flat=True)
        .first()
    )
    found = explain_people(run, [person_id], currency) if person_id else []
    if not found:
        raise NotFound(f"{run} has no change of a payroll number {payroll_number!r}")
    return found[0]


@dataclass(frozen=True)
class ElementRow:
    """An element of a payslip that changed."""

    label: str
    is_minutes: bool
    before: int
    now: int
    change: int
    words: str


def element_rows(run: PayRun, one: PersonVariance, currency: str) -> list[ElementRow]:
    """The elements that changed for somebody, in the order of the payslip."""
    return [
        ElementRow(
            element.label,
            element.unit == "minutes",
            one.before.get(element.code, 0),
            one.now.get(element.code, 0),
            one.change(element.code),
            one.in_words(element.code, currency)
            if element.unit == "pence"
            else "; ".join(part.words for part in one.parts if part.moved.get(element.code)),
        )
        for element in jurisdiction(run.jurisdiction).elements
        if element.unit in ("pence", "minutes") and one.change(element.code)
    ]


class _Reader:
    """Payslips of a run and of earlier ones, with the trace files that were read for them."""

    def __init__(self, run: PayRun, currency: str) -> None:
        self.run = run
        self.currency = currency
        self.law = jurisdiction(run.jurisdiction)
        self.attempts: dict[UUID, Attempt] = {}
        self.traces: dict[tuple[UUID, int], dict[str, Any]] = {}
        self.hours: dict[UUID, dict[UUID, list[selectors.Hours]]] = {}

    def alone(self, pair: _Pair) -> PersonVariance:
        """Somebody who has one of the two payslips: all of it is the change."""
        before, now = self._figures(pair.before), self._figures(pair.now)
        if pair.now:
            label, words = "Joined", f"in run {self.run.number}, and in none of the runs before"
        else:
            label, words = "Not in this run", f"in run {pair.number}, and not in this one"
        moved = {code: now.get(code, 0) - before.get(code, 0) for code in {*before, *now}}
        part = Because(label, words, {code: by for code, by in moved.items() if by})
        return PersonVariance(
            pair.person_id,
            pair.payroll_number,
            pair.name,
            pair.number,
            pair.now is not None,
            before,
            now,
            (part,),
        )

    def _figures(self, slip: _Slip | None) -> dict[str, int]:
        if slip is None:
            return {}
        return dict(zip(self._attempt(slip.attempt_id).elements, slip.amounts, strict=True))

    def _attempt(self, attempt_id: UUID) -> Attempt:
        if attempt_id not in self.attempts:
            found = Attempt.objects.select_related("run").get(client_id=self.run.client_id, id=attempt_id)
            self.attempts[attempt_id] = found
        return self.attempts[attempt_id]

    def compared(self, pairs: Sequence[_Pair]) -> list[PersonVariance]:
        """People whose two payslips come from the same two chunks."""
        before, paid_before = self._side([pair.before for pair in pairs if pair.before])
        now, paid_now = self._side([pair.now for pair in pairs if pair.now])
        groups = _groups(self.law, before.inputs, now.inputs)
        parts = variance.explain(before, now, {key: g.columns for key, g in groups.items()}, len(pairs))
        told: list[list[Because]] = [[] for _ in pairs]
        for part in parts:
            for place, row in enumerate(part.rows):
                told[row].append(self._because(part, place, row, pairs[row], groups, before, now))
        for row in range(len(pairs)):
            moved = {
                code: by
                for code in {*paid_before, *paid_now}
                if (by := _at(paid_before.get(code), row) - _at(paid_now.get(code), row))
            }
            if moved:
                told[row].append(Because("Paid earlier", "paid by earlier runs of the same period", moved))
        return [
            PersonVariance(
                pair.person_id,
                pair.payroll_number,
                pair.name,
                pair.number,
                True,
                self._figures(pair.before),
                self._figures(pair.now),
                tuple(told[row]),
            )
            for row, pair in enumerate(pairs)
        ]

    def _side(self, slips: Sequence[_Slip]) -> tuple[Side, dict[str, Column]]:
        """The payslips as their period came to them, and what of that earlier runs of the period had paid."""
        attempt = self._attempt(slips[0].attempt_id)
        trace = self._trace(attempt, slips[0].chunk)
        law = jurisdiction(attempt.run.jurisdiction)
        tables = law.resolve_tables(attempt.run.law_date, law.orders.tables if law.orders else ())
        every = under("in.", trace)
        picked = self._places(law, attempt, trace, every, tables)[[slip.row for slip in slips]]
        inputs = {name: as_given(values, picked) for name, values in every.items()}
        if ordered := under("ordered.", trace):
            inputs[ORDERS] = by_payslip(ordered, len(trace["payroll_number"]))[picked]
        amounts = np.array([slip.amounts for slip in slips], dtype=np.int64)
        paid = np.zeros_like(amounts)
        if "earlier" in trace:
            paid = trace["earlier"][picked].copy()
            paid[:, [place for place, code in enumerate(attempt.elements) if code in law.stands]] = 0
        codes = attempt.elements
        figures = {code: amounts[:, i] + paid[:, i] for i, code in enumerate(codes)}
        before = {code: paid[:, i] for i, code in enumerate(codes)}

        def calculate(columns: Mapping[str, Any]) -> Calculation:
            if "rows" in trace:
                given = {name: values for name, values in columns.items() if name != ORDERS}
                orders = from_payslips(columns[ORDERS]) if ORDERS in columns else None
                return law.calculate(given, tables, orders)
            stated = {c: np.broadcast_to(columns.get(c, 0), (len(slips),)) for c in codes}
            return Calculation(stated, np.arange(len(slips), dtype=np.int64), [])

        return Side(inputs, calculate, figures), before

    def _places(
        self,
        law: Jurisdiction,
        attempt: Attempt,
        trace: Mapping[str, Any],
        every: Mapping[str, Any],
        tables: Any,
    ) -> Column:
        """Of each payslip of the chunk, in order, its place among the inputs."""
        if "rows" not in trace:  # nothing was calculated: figures to date, as they were stated
            return np.arange(len(trace["payroll_number"]), dtype=np.int64)
        if "earlier" not in trace:
            rows: Column = trace["rows"]
            return rows
        given = {name: as_given(v) for name, v in every.items()}
        ordered = {name: as_given(v) for name, v in under("ordered.", trace).items()}
        done = law.calculate(given, tables, ordered or None)
        picked, _, _ = amounts_of(law, attempt.elements, done, trace["earlier"])
        return np.array(picked, dtype=np.int64)

    def _trace(self, attempt: Attempt, chunk: int) -> dict[str, Any]:
        key = (attempt.id, chunk)
        if key not in self.traces:
            row = AttemptChunk.objects.get(client_id=attempt.client_id, attempt=attempt, chunk=chunk)
            self.traces[key] = read_trace(row)
        return self.traces[key]

    def _because(
        self,
        part: Part,
        place: int,
        row: int,
        pair: _Pair,
        groups: Mapping[str, Words],
        before: Side,
        now: Side,
    ) -> Because:
        moved = {code: int(column[place]) for code, column in part.moved.items() if column[place]}
        told = [self._told(key, row, pair, groups, before, now) for key in part.keys]
        labels, words = zip(*told, strict=True)
        return Because(
            " and ".join(dict.fromkeys(labels)),
            " and ".join(dict.fromkeys(words)),
            moved,
            UNEXPLAINED not in part.keys,
        )

    def _told(
        self, key: str, row: int, pair: _Pair, groups: Mapping[str, Words], before: Side, now: Side
    ) -> tuple[str, str]:
        """Label and words of one step for one person."""
        if key == UNEXPLAINED:
            return "Not explained", "not explained by an input"
        if key == LAW:
            return "Law", "rates and thresholds of the pay date, or the engine's rules, changed"
        group = groups[key]
        was = {name: _of_row(before.inputs.get(name), row) for name in group.columns}
        is_ = {name: _of_row(now.inputs.get(name), row) for name in group.columns}
        if hours := self._hours_told(key, pair, was, is_):
            return group.label, hours
        return group.label, group.said(was, is_, self.currency)

    def _hours_told(self, key: str, pair: _Pair, was: Mapping[str, Any], is_: Mapping[str, Any]) -> str:
        """Pay of hours: how many more, and at which rates, from the hours that the two runs paid. Nothing is
        said where they do not come to the amounts that were paid: something else is in them."""
        kind = key.removesuffix("_pay")
        if kind not in HOURS or pair.before is None or pair.now is None:
            return ""
        before = self._paid(pair.before, pair.person_id, kind)
        now = self._paid(pair.now, pair.person_id, kind)
        if sum(h.amount for h in before) != int(was[key]) or sum(h.amount for h in now) != int(is_[key]):
            return ""
        return hours_in_words(kind, _minutes(before), _minutes(now), self.currency)

    def _paid(self, slip: _Slip, person_id: UUID, kind: str) -> list[selectors.Hours]:
        run = self._attempt(slip.attempt_id).run
        if run.id not in self.hours:
            self.hours[run.id] = selectors.paid_hours(run)
        return [hours for hours in self.hours[run.id].get(person_id, []) if hours.kind == kind]


def _minutes(paid: Sequence[selectors.Hours]) -> dict[int, int]:
    """Minutes by rate."""
    return {hours.rate: hours.minutes for hours in paid}


HOURS = ("basic", "overtime", "weekend")


def hours_in_words(kind: str, was: Mapping[int, int], is_: Mapping[int, int], currency: str) -> str:
    """Minutes by rate, before and now, as what changed of them; empty where nothing did."""
    more = sum(is_.values()) - sum(was.values())
    parts = []
    if more:
        parts.append(f"{format_duration(abs(more))} {'more' if more > 0 else 'less'} {kind}")
    if set(was) != set(is_) and was and is_:
        parts.append(f"{kind} hours at {_rates(is_, currency)}, were at {_rates(was, currency)}")
    elif not more and dict(was) != dict(is_):
        parts.append(f"{kind} hours spread otherwise over {_rates(is_, currency)}")
    return ", ".join(parts)


def _rates(hours: Mapping[int, int], currency: str) -> str:
    return " and ".join(format_money(rate, currency, symbol=False) for rate in sorted(hours))


def _at(column: Column | None, row: int) -> int:
    return 0 if column is None else int(column[row])


def _of_row(values: Any, row: int) -> Any:
    if isinstance(values, np.ndarray | list):
        return values[row]
    return values


def _groups(law: Jurisdiction, before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Words]:
    """Every input in a group: pay first, then as the jurisdiction tells them, then by its own name."""
    known = _words.get(law.code, {})
    told = {name for words in known.values() for name in words.columns}
    labels = {element.code: element.label for element in law.elements}
    rest = sorted({*before, *now} - told - {ORDERS})
    pay = {name: amount_words(name, labels[name]) for name in rest if name in labels}
    others = {name: plain_words(name) for name in rest if name not in labels}
    orders = {ORDERS: Words((ORDERS,), "Attachment orders", _orders_told)}
    return {**pay, **known, **others, **orders}


def _orders_told(was: Mapping[str, Any], is_: Mapping[str, Any], currency: str) -> str:
    before, now = len(was[ORDERS] or ()), len(is_[ORDERS] or ())
    if before == now:
        return "attachment orders ask for other amounts"
    word = "order" if abs(now - before) == 1 else f"orders ({abs(now - before)})"
    return f"attachment {word} {'began' if now > before else 'finished'}"


def amount_words(name: str, label: str) -> Words:
    """An amount of pay: by how much it is more or less."""

    def said(was: Mapping[str, Any], is_: Mapping[str, Any], currency: str) -> str:
        more = int(is_[name] or 0) - int(was[name] or 0)
        amount = format_money(abs(more), currency, symbol=False)
        return f"{label} {amount} {'more' if more > 0 else 'less'}"

    return Words((name,), label, said)


def plain_words(name: str, label: str = "") -> Words:
    """Any value: what it was and what it is."""
    label = label or name.replace("_", " ").capitalize()

    def said(was: Mapping[str, Any], is_: Mapping[str, Any], currency: str) -> str:
        return f"{label} was {was[name]}, is {is_[name]}"

    return Words((name,), label, said)
