"""What a run costs the employer: its pay, and all that employing adds to it, as its law's postings say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import PayRun
from engineroom.payroll.selectors import run_figures


@dataclass(frozen=True)
class Cost:
    """Line by line: label, minor units, and what a person may want to know of it."""

    lines: list[tuple[str, int, str]]
    people: int

    @property
    def total(self) -> int:
        return sum(amount for _, amount, _ in self.lines)


def cost_of(run: PayRun) -> Cost:
    """A line per heading under which the run's law says what employing costs; none that comes to nought."""
    figures, postings = run_figures(run), jurisdiction(run.jurisdiction).postings
    found = [(heading, postings.under(heading, figures.totals), note) for heading, note in postings.headings]
    return Cost([line for line in found if line[1]], figures.payslips)


def total_cost(run: PayRun, totals: Mapping[str, int]) -> int:
    """In all, of the sums of a run's elements."""
    postings = jurisdiction(run.jurisdiction).postings
    return sum(postings.under(heading, totals) for heading, _ in postings.headings)
