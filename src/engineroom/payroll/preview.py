"""A run as it would be if it were calculated now: the calculation itself, taken back.

What waits is taken in, calculated, written and published, and then all of it is rolled back to a savepoint:
so what is shown is what would be, with every blocker and warning, and nothing of it stays, not even a number.
Its trace alone is never written, since a file outlives the transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import transaction

from engineroom.foundation.tenancy.scope import current_scope
from engineroom.payroll import attempts, review, selectors, services
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.inputs import Missing
from engineroom.payroll.models import PayRun

MOST_AT_ONCE = 2_000
"""People of a run that is shown to somebody who waits for a page."""


@dataclass(frozen=True)
class PreviewedSlip:
    """A payslip as it would be. figures: minor units or minutes, by element; net_before: of the last
    comparable run, None of who was not in it."""

    person_id: UUID
    payroll_number: str
    name: str
    tax_code: str
    figures: dict[str, int]
    net_before: int | None

    @property
    def gross(self) -> int:
        return self.figures.get("gross", 0)

    @property
    def net(self) -> int:
        return self.figures.get("net_pay", 0)

    @property
    def change(self) -> int | None:
        return None if self.net_before is None else self.net - self.net_before


@dataclass(frozen=True)
class Preview:
    """run: as it would be published; its attempt is one that does not exist. is_as_calculated: the run was
    calculated before, and would come to exactly the same. left: who was in the last comparable run and would
    not be in this one, with their net pay then."""

    run: PayRun
    is_open: bool
    is_as_calculated: bool
    figures: selectors.RunFigures
    slips: tuple[PreviewedSlip, ...]
    left: tuple[tuple[str, str, int], ...]
    before: PayRun | None
    change: review.Variance | None
    blockers: tuple[Missing, ...]
    oddities: tuple[review.Oddity, ...]


def preview_run(run: PayRun, *, at_most: int | None = None) -> Preview:
    """Of an open run, in a scope that writes the client and stays as it was. Raises what calculating it would
    raise, and TooManyToShow for more people than at_most."""
    return _taken_back(lambda: _as_calculated(run, at_most, is_open=True))


def preview_payday(pay_date: date, *, schedule: str = "", at_most: int | None = None) -> Preview:
    """Of the regular run of a payday, opened or not: without a schedule that of timesheets."""

    def opened() -> Preview:
        there = PayRun.objects.filter(client_id=current_scope().client_id)
        latest = there.order_by("-number").values_list("number", flat=True).first() or 0
        done = services.open_pay_run(pay_date, schedule=schedule)
        return _as_calculated(services.find_run(done.run_id), at_most, is_open=done.number <= latest)

    return _taken_back(opened)


class _Back(Exception):
    """Carries what was found out of the savepoint that is rolled back."""

    def __init__(self, found: Preview) -> None:
        self.found = found


def _taken_back(calculate: Callable[[], Preview]) -> Preview:
    try:
        with transaction.atomic():
            raise _Back(calculate())
    except _Back as back:
        return back.found


def _as_calculated(run: PayRun, at_most: int | None, *, is_open: bool) -> Preview:
    stands = run.content_hash and bytes(run.content_hash)
    attempts.calculate_for_show(run, at_most)
    now = PayRun.objects.select_related("published", "schedule").get(client_id=run.client_id, id=run.id)
    before = review.run_before(now)
    slips = selectors.payslips(now)
    then = {slip.person_id: slip for slip in selectors.payslips(before)} if before else {}
    there = {slip.person_id for slip in slips}
    return Preview(
        run=now,
        is_open=is_open,
        is_as_calculated=stands is not None and stands == bytes(now.content_hash or b""),
        figures=selectors.run_figures(now),
        slips=tuple(
            PreviewedSlip(
                slip.person_id,
                slip.payroll_number,
                slip.name,
                slip.tax_code,
                slip.figures,
                then[slip.person_id].figures.get("net_pay", 0) if slip.person_id in then else None,
            )
            for slip in slips
        ),
        left=tuple(
            (slip.payroll_number, slip.name, slip.figures.get("net_pay", 0))
            for person, slip in then.items()
            if person not in there
        ),
        before=before,
        change=review.variance(now, before),
        blockers=tuple(blockers_of(now)),
        oddities=tuple(review.oddities(now)),
    )
