"""What a payslip must itemise, and how its figures are answered for, as a jurisdiction says it: data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID

Facts = Sequence[tuple[str, str]]
"""Label and text, in the order of the payslip's head."""


class Earned(NamedTuple):
    """Time that a payslip earned, in minutes: where it stands, what it is called, its element."""

    heading: str
    label: str
    element: str


@dataclass(frozen=True)
class PaperOf:
    """One payslip to be printed, for the facts at its head."""

    person_id: UUID
    tax_code: str
    ni_category: str


@dataclass(frozen=True)
class PapersAsked:
    """Payslips of one run whose facts are asked for. employer: the client's details."""

    client_id: UUID
    pay_date: date
    employer: Mapping[str, str]
    slips: Sequence[PaperOf]


def _no_facts(asked: PapersAsked) -> Mapping[UUID, Facts]:
    return {}


@dataclass(frozen=True)
class Itemised:
    """The payslip on paper. law: what asks for it.

    period: a pay period in words, by frequency and number. paid_by: how net pay goes out. to_date: labels and
    elements of the year so far. read_facts: what stands at the head of each, beside name, number and days.
    """

    law: str
    period: Callable[[str, int], str]
    paid_by: str
    to_date: tuple[tuple[str, str], ...] = ()
    earned: Earned | None = None
    read_facts: Callable[[PapersAsked], Mapping[UUID, Facts]] = _no_facts


@dataclass(frozen=True)
class Explained:
    """How the answers of a payslip are grouped. groups: by the names that lines of its explanation have, in
    the order of the law: title, and the table it is made under.

    of_element: which group answers for an element. taken: of a group, the elements that come off pay, where
    its last line may be more than what is taken.
    """

    groups: Mapping[str, tuple[str, str | None]]
    of_element: Mapping[str, str]
    taken: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
