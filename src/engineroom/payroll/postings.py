"""What a run posts and owes, as its jurisdiction says it: data that shared code adds up.

A run's entry debits what employing costs and credits what is owed for it. Each line is the sum of elements of
its payslips and has a code of its own (`cost.basic_pay`, `owed.paye`), by which a client's account map says
where it is posted; until one does, it goes to the account that stands here. Of every payslip the lines add up
to nought: what it costs is what somebody gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

Figures = Mapping[str, int]
"""Minor units by element, of a payslip or of many added up."""

Side = Literal["cost", "owed", "aside"]


@dataclass(frozen=True)
class OwedPeriod:
    """The days whose pay an agency is paid for at once. due: the day by which it must have the money."""

    name: str
    year: str
    number: int
    starts: date
    ends: date
    due: date


@dataclass(frozen=True)
class Posted:
    """A line of a run's entry. sums: which elements it adds up, each times 1 or -1; a cost is a debit.

    account: where it goes unless the client's map says otherwise. heading: what it is part of, for people.
    """

    side: Side
    name: str
    label: str
    sums: tuple[tuple[str, int], ...]
    account: str
    heading: str = ""

    @property
    def code(self) -> str:
        return f"{self.side}.{self.name}"

    def amount(self, figures: Figures) -> int:
        """Debit positive."""
        total = sum(times * figures.get(element, 0) for element, times in self.sums)
        return total if self.side == "cost" else -total


def cost(element: str, label: str, account: str, heading: str, *, times: int = 1, name: str = "") -> Posted:
    """What employing costs."""
    return Posted("cost", name or element, label, ((element, times),), account, heading)


def put_aside(element: str, label: str, account: str) -> Posted:
    """What is owed to nobody yet, without an open item: a provision, or what staff pay back."""
    return Posted("aside", element, label, ((element, 1),), account)


@dataclass(frozen=True)
class Part:
    """What an agency is owed for one thing: an open item a run. elements: what adds up to it."""

    name: str
    label: str
    elements: tuple[str, ...]
    account: str

    @property
    def posted(self) -> Posted:
        return Posted("owed", self.name, self.label, tuple((e, 1) for e in self.elements), self.account)


@dataclass(frozen=True)
class SuggestAsked:
    """What the amount of an adjustment follows from. sums: of the period, and of its year through it; before:
    what was said of the same adjustment for earlier periods of the year."""

    period: OwedPeriod
    sums: Figures
    to_date: Figures
    before: int


def _nothing_known(asked: SuggestAsked) -> int | None:
    return None


@dataclass(frozen=True)
class Adjustment:
    """What changes an agency's due of a period and stands on no payslip: a levy, an allowance.

    part: of the agency's, that it counts with. cost: the line whose account bears it. reduces: whether it
    lessens what is owed. suggest: what the law makes of it, where payslips say enough.
    """

    name: str
    label: str
    part: str
    cost: str
    reduces: bool
    source: str
    suggest: Callable[[SuggestAsked], int | None] = _nothing_known


@dataclass(frozen=True)
class Agency:
    """Whom the employer owes what runs take and add.

    code, name, kind: of its counterparty. items: the kind of its open items. words: what is owed to it, as a
    duty says it. period_of: the period that a day's pay is paid over with. source: of when it is due.
    """

    code: str
    name: str
    kind: str
    items: str
    item_label: str
    words: str
    parts: tuple[Part, ...]
    period_of: Callable[[date], OwedPeriod]
    source: str
    adjustments: tuple[Adjustment, ...] = ()
    one_item: str = ""
    """Where its parts are one item: that item's name. Else each part is an item."""

    def amount(self, figures: Figures) -> int:
        """What a run owes it, minor units; below zero it owes the employer."""
        return -sum(part.posted.amount(figures) for part in self.parts)


@dataclass(frozen=True)
class Postings:
    """Everything a run posts. net: what people get, each an open item. headings: of costs, with a note."""

    costs: tuple[Posted, ...]
    agencies: tuple[Agency, ...]
    net_account: str
    aside: tuple[Posted, ...] = ()
    headings: tuple[tuple[str, str], ...] = ()
    creditors: Posted | None = None
    """What attachment orders took: an open item an order, due to its creditor."""

    @cached_property
    def net(self) -> Posted:
        return Posted("owed", NET, "Net pay", ((NET, 1),), self.net_account)

    @cached_property
    def owed(self) -> tuple[Posted, ...]:
        """What is owed, by part."""
        parts = (part.posted for agency in self.agencies for part in agency.parts)
        return (*parts, *((self.creditors,) if self.creditors else ()), self.net)

    def lines(self) -> Iterator[Posted]:
        """Every line in the order of the entry."""
        yield from self.costs
        yield from self.owed
        yield from self.aside

    def under(self, heading: str, figures: Figures) -> int:
        """What the costs under a heading come to."""
        return sum(line.amount(figures) for line in self.costs if line.heading == heading)

    def agency(self, code: str) -> Agency | None:
        return next((agency for agency in self.agencies if agency.code == code), None)


NET = "net_pay"
"""The element of every jurisdiction that people are paid."""
