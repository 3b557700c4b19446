"""Pay, bill or markup from the other two, and what is left of a week after on-costs. Pure integers.

Rates are minor units an hour; shares are parts per million. A markup is of pay: bill = pay x (1 + markup). A
margin is of the bill. On-costs are what employing adds to a week's pay: the holiday that accrues with it and,
on pay and that holiday, the employer's National Insurance above its threshold, the employer's pension on
qualifying earnings of whoever earns the trigger, and the levy.
"""

from __future__ import annotations

from dataclasses import dataclass

from engineroom.kernel.rates import PPM, apply_ppm
from engineroom.kernel.rounding import ceil_div, half_up, nic_round

MINUTES_AN_HOUR = 60


class Unsolvable(ValueError):
    """Not exactly two of the three are given, or no rate is left. Says which."""


@dataclass(frozen=True)
class Solved:
    """The three together. markup_ppm: to the nearest millionth, so bill follows from pay and markup again."""

    pay: int
    bill: int
    markup_ppm: int


def solve(*, pay: int | None = None, bill: int | None = None, markup_ppm: int | None = None) -> Solved:
    """The third from the other two. Raises Unsolvable.

    From bill and markup: the highest pay that, marked up, is not beyond the bill.
    """
    if sum(value is None for value in (pay, bill, markup_ppm)) != 1:
        raise Unsolvable("give two of pay, bill and markup; the third follows")
    if (pay is not None and pay <= 0) or (bill is not None and bill <= 0):
        raise Unsolvable("a rate is more than nothing")
    if markup_ppm is not None and markup_ppm <= -PPM:
        raise Unsolvable("a markup of -100% or less leaves nothing to bill")
    if bill is None:
        assert pay is not None and markup_ppm is not None
        bill = marked_up(pay, markup_ppm)
    elif pay is None:
        assert markup_ppm is not None
        pay = _highest_pay(bill, markup_ppm)
    if not pay or not bill:
        raise Unsolvable("so little is left that a rate would be nothing")
    return Solved(pay, bill, half_up((bill - pay) * PPM, pay) if markup_ppm is None else markup_ppm)


def marked_up(pay: int, markup_ppm: int) -> int:
    return half_up(pay * (PPM + markup_ppm), PPM)


def _highest_pay(bill: int, markup_ppm: int) -> int:
    pay = (bill * PPM) // (PPM + markup_ppm)
    while marked_up(pay + 1, markup_ppm) <= bill:
        pay += 1
    while pay and marked_up(pay, markup_ppm) > bill:
        pay -= 1
    return pay


@dataclass(frozen=True)
class OnCostRates:
    """Of a week: rates in parts per million, thresholds in minor units."""

    holiday_ppm: int
    nic_ppm: int
    nic_threshold: int
    pension_ppm: int
    pension_trigger: int
    pension_lower: int
    pension_upper: int
    levy_ppm: int


NONE = OnCostRates(0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Week:
    """A week's hours: what they pay and bill, and what employing adds. Minor units."""

    minutes: int
    pay: int
    holiday: int
    nic: int
    pension: int
    levy: int
    bill: int

    @property
    def cost(self) -> int:
        return self.pay + self.holiday + self.nic + self.pension + self.levy

    @property
    def on_costs(self) -> list[tuple[str, int]]:
        """What employing adds, by its name."""
        return [
            ("Holiday", self.holiday),
            ("Employer's NIC", self.nic),
            ("Employer's pension", self.pension),
            ("Apprenticeship levy", self.levy),
        ]

    @property
    def before(self) -> int:
        """The margin before on-costs."""
        return self.bill - self.pay

    @property
    def after(self) -> int:
        """The margin after on-costs."""
        return self.bill - self.cost

    @property
    def after_ppm(self) -> int:
        """Of the bill, towards minus infinity: a floor is reached or it is not."""
        return self.after * PPM // self.bill if self.bill else 0

    def reaches(self, floor_ppm: int) -> bool:
        return self.after * PPM >= floor_ppm * self.bill


def week(pay_rate: int, bill_rate: int, minutes: int, rates: OnCostRates) -> Week:
    """A week of so many minutes at these rates of an hour."""
    pay = half_up(pay_rate * minutes, MINUTES_AN_HOUR)
    holiday = apply_ppm(pay, rates.holiday_ppm)
    earned = pay + holiday
    nic = nic_round(max(0, earned - rates.nic_threshold) * rates.nic_ppm, PPM)
    qualifying = max(0, min(earned, rates.pension_upper) - rates.pension_lower)
    pension = apply_ppm(qualifying, rates.pension_ppm) if earned >= rates.pension_trigger else 0
    levy = apply_ppm(earned, rates.levy_ppm)
    return Week(minutes, pay, holiday, nic, pension, levy, half_up(bill_rate * minutes, MINUTES_AN_HOUR))


def least_bill(pay_rate: int, minutes: int, rates: OnCostRates, floor_ppm: int) -> int:
    """The lowest rate that leaves the floor after on-costs. floor_ppm: below a million, of the bill."""
    cost = week(pay_rate, 0, minutes, rates).cost
    bill = max(1, ceil_div(ceil_div(cost * PPM, PPM - floor_ppm) * MINUTES_AN_HOUR, minutes))
    while bill > 1 and week(pay_rate, bill - 1, minutes, rates).reaches(floor_ppm):
        bill -= 1
    return bill
