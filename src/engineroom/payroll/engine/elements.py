"""Pay elements as data: what a payslip pays, in which order, and what each element counts for.

A jurisdiction keeps a dated table `pay_elements`: an entry for each element, in the order of the payslip,
with its label and what it counts for, and an entry `counts_for` that says what each of those words means and
under which law. A rule never lists elements; it asks for the pay that counts for something:

    elements = PayElements.of(version)
    elements.total("taxable", {"basic_pay": basic, "expenses_paid": expenses})

An element that does not count as `paid` is taxed or shown but never handed over (a benefit in kind).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engineroom.kernel.rounding import Minor
from engineroom.kernel.tables import BadTable, DatedTable, Version
from engineroom.payroll.engine.steps import Column, Element, same_for_all

MEANINGS = "counts_for"
"""The entry of the table that is no element: what an element can count for, each with its law."""

PAID = "paid"
"""What every jurisdiction's elements may count for: in gross pay."""


@dataclass(frozen=True, slots=True)
class PayElement:
    """One element: a column of amounts, what it is called, and what it counts for."""

    code: str
    label: str
    counts_for: frozenset[str]


@dataclass(frozen=True)
class PayElements:
    """One version of the table, in the order of the payslip."""

    elements: tuple[PayElement, ...]
    meanings: Mapping[str, str]

    @classmethod
    def of(cls, version: Version) -> PayElements:
        """Raises BadTable for an element that counts for something the table does not explain."""
        meanings: dict[str, str] = version[MEANINGS]
        codes = [code for code in version.values if code != MEANINGS]
        elements = tuple(_element(code, version[code], meanings, version) for code in codes)
        return cls(elements, meanings)

    @cached_property
    def _counting(self) -> dict[str, tuple[str, ...]]:
        return {
            purpose: tuple(e.code for e in self.elements if purpose in e.counts_for)
            for purpose in self.meanings
        }

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(element.code for element in self.elements)

    def counting(self, purpose: str) -> tuple[str, ...]:
        """The codes of the elements that count for it, in order."""
        if purpose not in self.meanings:
            raise KeyError(f"no pay counts for {purpose!r}; the table knows {', '.join(self.meanings)}")
        return self._counting[purpose]

    def total(self, purpose: str, pay: Mapping[str, Column]) -> Minor:
        """The sum, row by row, of the columns that count for it; elements without a column are nought."""
        return self.totals((purpose,), pay)[0]

    def totals(self, purposes: Sequence[str], pay: Mapping[str, Column]) -> tuple[Minor, ...]:
        """`total` for each purpose; those for which the same elements count are one column."""
        added_up: dict[tuple[str, ...], Minor] = {(): same_for_all(0, len(next(iter(pay.values()))))}
        counting = self._counting_of(tuple(purposes), frozenset(pay))
        for codes in counting:
            if codes not in added_up:
                first, *others = (pay[code] for code in codes)
                added_up[codes] = sum(others, start=first)
        return tuple(added_up[codes] for codes in counting)

    def _counting_of(self, purposes: tuple[str, ...], given: frozenset[str]) -> list[tuple[str, ...]]:
        """For each purpose the given codes that count for it; found once for the many chunks alike."""
        known = self._counting_found.get((purposes, given))
        if known is None:
            known = [tuple(code for code in self.counting(p) if code in given) for p in purposes]
            self._counting_found[purposes, given] = known
        return known

    @cached_property
    def _counting_found(self) -> dict[tuple[tuple[str, ...], frozenset[str]], list[tuple[str, ...]]]:
        return {}


def _element(code: str, entry: Any, meanings: Mapping[str, str], version: Version) -> PayElement:
    where = f"the table {version.table!r} from {version.starts}: {code}"
    if not isinstance(entry, Mapping) or not {"label", MEANINGS} <= entry.keys():
        raise BadTable(f"{where} needs a label and {MEANINGS}")
    if unknown := [word for word in entry[MEANINGS] if word not in meanings]:
        raise BadTable(f"{where} counts for {', '.join(unknown)}; {MEANINGS} explains {', '.join(meanings)}")
    return PayElement(code, entry["label"], frozenset(entry[MEANINGS]))


def all_elements(table: DatedTable) -> tuple[Element, ...]:
    """The elements of every version, each once, for payslips of any year: those of the newest version first.

    What is paid is an earning; what is not paid is a figure.
    """
    found: dict[str, PayElement] = {}
    for version in reversed(table.versions):
        for element in PayElements.of(version).elements:
            found.setdefault(element.code, element)
    return tuple(
        Element(e.code, e.label, "earning" if PAID in e.counts_for else "figure") for e in found.values()
    )
