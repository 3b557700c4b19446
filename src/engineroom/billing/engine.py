"""From billable charges to drafts of invoices: grouping, adding, VAT. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple
from uuid import UUID

from engineroom.kernel.rates import apply_ppm


class Billable(NamedTuple):
    """One charge that may be billed. rate: minor units an hour; amount: minor units."""

    charge_id: UUID
    customer: str
    order_number: str
    assignment: str
    assignment_id: UUID
    person: str
    role: str
    week_ending: date
    kind: str
    minutes: int
    rate: int
    amount: int


@dataclass(frozen=True)
class DraftLine:
    """One assignment, week, kind and rate: hours times rate, with the charges it stands for."""

    assignment: str
    assignment_id: UUID
    person: str
    role: str
    week_ending: date
    kind: str
    minutes: int
    rate: int
    net: int
    charge_ids: tuple[UUID, ...]

    @property
    def description(self) -> str:
        return f"{self.person}, {self.role}"


@dataclass(frozen=True)
class Draft:
    """An invoice to be: one customer and order. It has no number. VAT is of the total, by its one rate."""

    customer: str
    order_number: str
    lines: tuple[DraftLine, ...]
    vat_ppm: int
    net: int
    vat: int

    @property
    def gross(self) -> int:
        return self.net + self.vat


KIND_ORDER = {"basic": 0, "overtime": 1, "weekend": 2}


def draft_invoices(billable: Iterable[Billable], vat_ppm: int) -> list[Draft]:
    """One draft per customer and order, lines by assignment, week and kind; the order of the input does not
    matter."""
    keyed = sorted((((*_UP_TO_WEEK(b), KIND_ORDER[b.kind], b.rate), b) for b in billable), key=itemgetter(0))
    drafts = []
    for (customer, order), group in groupby(keyed, key=lambda pair: pair[0][:2]):
        lines = tuple(_line([b for _, b in parts]) for _, parts in groupby(group, key=itemgetter(0)))
        net = sum(line.net for line in lines)
        drafts.append(Draft(customer, order, lines, vat_ppm, net, apply_ppm(net, vat_ppm)))
    return drafts


_UP_TO_WEEK = attrgetter("customer", "order_number", "assignment", "week_ending")


def _line(parts: Sequence[Billable]) -> DraftLine:
    first = parts[0]
    return DraftLine(
        first.assignment,
        first.assignment_id,
        first.person,
        first.role,
        first.week_ending,
        first.kind,
        sum([p.minutes for p in parts]),
        first.rate,
        sum([p.amount for p in parts]),
        tuple([p.charge_id for p in parts]),
    )
