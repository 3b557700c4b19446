"""What happened in the sample week: placements and their rates, hours of each day, figures to date before it.

Amounts are pence, times minutes. Every draw has its own seed made of what it is for, so that one more person
in the cast changes nobody else's hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

import numpy as np

from engineroom.demo.cast import CUSTOMER_BY_CODE, LEAVER, TEMPS, TRACED, Customer, Temp
from engineroom.kernel.periods import gb_tax_week, week_ending
from engineroom.kernel.rounding import half_up
from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables
from engineroom.payroll.engine.inputs import Values
from engineroom.timesheets.engine import MINUTES_AN_HOUR

SEED = "engineroom sample 2026"
PAY_DATE = date(2026, 11, 27)
WEEK_STARTS = date(2026, 11, 16)
WEEK_ENDS = week_ending(WEEK_STARTS)
FRIDAY = WEEK_STARTS + timedelta(days=4)
OLD_PLACEMENTS_ENDED = date(2026, 10, 30)
NEW_PLACEMENTS_BEGAN = date(2026, 11, 2)

DISPUTED_TEMP = "N1028"
OVER_ORDER_CUSTOMER = "BRIGHT"
FIVE_PENCE = 5

EVEN_SHARE, LONG_WEEK_SHARE, DAY_OFF_SHARE, WEEKEND_SHARE = 0.55, 0.80, 0.92, 0.24
"""How weeks turn out, cumulative: as agreed, with overtime, with a day off, else a little short; and,
drawn apart, the share of people who work a weekend shift."""


@dataclass(frozen=True)
class Placement:
    """One assignment. Rates are pence an hour; days: weekdays (0 is Monday) worked there in the week."""

    assignment: str
    temp: Temp
    customer: Customer
    role: str
    starts: date
    ends: date | None = None
    days: tuple[int, ...] = (0, 1, 2, 3, 4)

    @property
    def pay_rate(self) -> int:
        return self.customer.roles[self.role]

    @property
    def bill_rate(self) -> int:
        """The pay rate with the customer's markup, to five pence, as rates are agreed."""
        marked_up = self.pay_rate * (100 + self.customer.markup_percent)
        return half_up(marked_up, 100 * FIVE_PENCE) * FIVE_PENCE

    @property
    def order_number(self) -> str:
        """The order it is billed under; work that ended before the order began has none."""
        order = self.customer.order
        if order is None or (self.ends and self.ends < order.from_date):
            return ""
        return order.number

    def runs_on(self, day: date) -> bool:
        return self.starts <= day and (self.ends is None or day <= self.ends)


@dataclass(frozen=True)
class Worked:
    """Minutes of one placement on one day; nought for a day somebody wrote down and did not work."""

    placement: Placement
    day: date
    minutes: int


def placements() -> list[Placement]:
    """Old assignments, then everybody's of the week, then the second ones of who works for two customers."""
    movers = [temp for temp in TEMPS if temp.left_before]
    shared = [temp for temp in TEMPS if temp.also]
    return [
        *(_old_placement(f"A{1987 + 7 * n}", temp) for n, temp in enumerate(movers)),
        *(_placement(f"A{2001 + n}", temp) for n, temp in enumerate(TEMPS)),
        *(_second_placement(f"A{2061 + n}", temp) for n, temp in enumerate(shared)),
    ]


def _placement(assignment: str, temp: Temp) -> Placement:
    starts = NEW_PLACEMENTS_BEGAN if temp.left_before else temp.starts
    days = (0, 1, 2) if temp.also else (0, 1, 2, 3, 4)
    customer = CUSTOMER_BY_CODE[temp.customer]
    return Placement(assignment, temp, customer, temp.role, starts, temp.leaves, days)


def _second_placement(assignment: str, temp: Temp) -> Placement:
    assert temp.also is not None
    code, role = temp.also
    return Placement(assignment, temp, CUSTOMER_BY_CODE[code], role, NEW_PLACEMENTS_BEGAN, None, (3, 4))


def _old_placement(assignment: str, temp: Temp) -> Placement:
    customer = CUSTOMER_BY_CODE[temp.left_before]
    role = next(iter(customer.roles))
    return Placement(assignment, temp, customer, role, temp.starts, OLD_PLACEMENTS_ENDED)


def assignment_of(payroll_number: str) -> str:
    """The first assignment that the person has in the sample week."""
    return next(
        p.assignment
        for p in placements()
        if p.temp.payroll_number == payroll_number and p.runs_on(WEEK_STARTS + timedelta(days=2))
    )


# hours -----------------------------------------------------------------------------------------------


def hours_worked() -> list[Worked]:
    """Every day of the week, by assignment and day."""
    running = [p for p in placements() if p.runs_on(WEEK_STARTS) or p.runs_on(FRIDAY)]
    return [
        Worked(p, WEEK_STARTS + timedelta(days=weekday), minutes)
        for p in running
        for weekday, minutes in sorted(_week_of(p).items())
        if p.runs_on(WEEK_STARTS + timedelta(days=weekday))
    ]


def hours_of_the_next_week() -> list[Worked]:
    """The week after: agreed hours, mostly, of who still works then. It waits to be checked."""
    return [
        Worked(p, day, minutes)
        for p in placements()
        for weekday, minutes in sorted(_next_week_of(p).items())
        if minutes and p.runs_on(day := WEEK_STARTS + timedelta(days=7 + weekday))
    ]


def _next_week_of(placement: Placement) -> dict[int, int]:
    draw = Random(f"{SEED} next week {placement.assignment}")
    return _weekdays(draw, placement.days, placement.customer.weekly_minutes // 5)


def _week_of(placement: Placement) -> dict[int, int]:
    """Minutes by weekday. The week that the story follows is written by hand: its Friday has overtime."""
    a_day = placement.customer.weekly_minutes // 5
    if placement.temp.payroll_number == TRACED:
        return {0: a_day, 1: a_day, 2: a_day, 3: a_day, 4: a_day + 150}
    draw = Random(f"{SEED} hours {placement.assignment}")
    minutes = _weekdays(draw, placement.days, a_day)
    full_week = len(placement.days) == 5 and placement.temp.payroll_number != LEAVER
    if full_week and draw.random() < WEEKEND_SHARE:
        minutes[draw.choice((5, 5, 5, 6))] = draw.choice((240, 300, 360, 450, 480))
    return minutes


def _weekdays(draw: Random, days: Sequence[int], a_day: int) -> dict[int, int]:
    minutes = dict.fromkeys(days, a_day)
    kind = draw.random()
    if kind < EVEN_SHARE:
        return minutes
    if kind < LONG_WEEK_SHARE:
        for day in draw.sample(days, min(2, len(days))):
            minutes[day] += draw.choice((30, 60, 75, 90, 120, 140))
    elif kind < DAY_OFF_SHARE:
        minutes[draw.choice(days)] = 0
    else:
        minutes[draw.choice(days)] -= draw.choice((15, 45, 100))
    return minutes


def order_limit_hours(customer_code: str) -> int:
    """Two thirds of the week's hours, to ten: who agreed this limit did not count on so many people."""
    minutes = sum(w.minutes for w in hours_worked() if w.placement.customer.code == customer_code)
    return half_up(2 * minutes, 3 * 10 * MINUTES_AN_HOUR) * 10


# figures to date -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ToDate:
    """Taxable pay and tax of the tax year before the sample's payday, pence."""

    pay: int
    tax: int


def figures_to_date() -> dict[str, ToDate]:
    """By payroll number: what the weeks before would have come to, by the payroll engine itself.

    So the week after them is taxed as an ordinary week is. People on a week 1 code have none.
    """
    temps = [temp for temp in TEMPS if temp.has_figures_to_date]
    pay = np.zeros(len(temps), dtype=np.int64)
    tax = np.zeros(len(temps), dtype=np.int64)
    tables = resolve_tables(PAY_DATE)
    for week in range(1, gb_tax_week(PAY_DATE)):
        of_week: dict[str, Values] = {
            "tax_period": week,
            "basic_pay": _usual_pay(temps, week),
            "taxable_pay_to_date_before": pay,
            "tax_to_date_before": tax,
        }
        done = calculate({**_terms(temps), **of_week}, tables)
        assert not done.problems, done.problems
        pay, tax = done.columns["taxable_pay_to_date"], done.columns["tax_to_date"]
    figures = zip(temps, pay.tolist(), tax.tolist(), strict=True)
    return {temp.payroll_number: ToDate(p, t) for temp, p, t in figures}


def _usual_pay(temps: Sequence[Temp], week: int) -> list[int]:
    """A week's pay of each person, around what the agreed hours pay."""
    percent = [Random(f"{SEED} pay {t.payroll_number} {week}").randint(88, 112) for t in temps]
    return [half_up(_agreed_pay(t) * p, 100) for t, p in zip(temps, percent, strict=True)]


def _agreed_pay(temp: Temp) -> int:
    customer = CUSTOMER_BY_CODE[temp.customer]
    return half_up(customer.roles[temp.role] * customer.weekly_minutes, MINUTES_AN_HOUR)


def _terms(temps: Sequence[Temp]) -> dict[str, Values]:
    """What figures to date depend on: the code, and contributions that come off taxable pay."""
    in_scheme = [int(bool(temp.pension)) for temp in temps]
    return {
        "frequency": "weekly",
        "tax_code": [temp.tax_code for temp in temps],
        "ni_category": [temp.ni_category for temp in temps],
        "pension_relief": [temp.pension for temp in temps],
        "pension_member": in_scheme,
        "pension_employee_ppm": [50_000 * member for member in in_scheme],
        "pension_employer_ppm": [30_000 * member for member in in_scheme],
    }
