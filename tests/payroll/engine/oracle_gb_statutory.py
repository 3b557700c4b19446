"""A slow second opinion on statutory pay, levy, holiday and the minimum wage, in exact fractions.

Written from the source texts as set out in the project's facts (sections 1.5 and 1.7 to 1.10), sickness a day
at a time. Imports nothing from the engine and keeps its own figures. Amounts in pence.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from fractions import Fraction

ONE_DAY = timedelta(days=1)
NEW_LAW = date(2026, 4, 6)


def up(x: Fraction) -> int:
    return -(-x.numerator // x.denominator)


def nearest(x: Fraction) -> int:
    """Half up; only for amounts of nought or more."""
    return (2 * x.numerator + x.denominator) // (2 * x.denominator)


# Statutory Sick Pay


def weekly_ssp(day: date, earnings: Fraction, protected: bool = False) -> Fraction:
    """The weekly rate, not rounded. protected: on sick pay before 6 April 2026 and since."""
    if day < NEW_LAW:
        return Fraction(11875) if earnings >= 12500 else Fraction(0)
    if protected and earnings >= 12500:
        return Fraction(12325)
    return min(Fraction(12325), earnings * Fraction(8, 10))


def ssp_of_days(
    day: date, earnings: Fraction, per_week: int, sick: int, waiting: int = 0, protected: bool = False
) -> int:
    """One payment for some days, of 28 weeks at most."""
    paid = min(max(sick - (waiting if day < NEW_LAW else 0), 0), 28 * per_week)
    return up(weekly_ssp(day, earnings, protected) / per_week * paid)


def days_of(first: date, last: date) -> list[date]:
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def ssp_of_stretches(
    stretches: list[tuple[date, date]], works_on: set[int], earnings: list[Fraction]
) -> list[int]:
    """One person's sickness, each stretch a payment; stretches in order of time, none across 5 April 2026.

    works_on: weekdays, Monday 0. earnings: average weekly earnings when each stretch began.
    """
    sick = {day for stretch in stretches for day in days_of(*stretch)}
    result = []
    last_counted: date | None = None
    chain_earnings, served, paid_in_chain = Fraction(0), 0, 0
    for (first, last), average in zip(stretches, earnings, strict=True):
        new = first >= NEW_LAW
        spell_first, spell_last = first, last
        while spell_first - ONE_DAY in sick:
            spell_first -= ONE_DAY
        while spell_last + ONE_DAY in sick:
            spell_last += ONE_DAY
        if (spell_last - spell_first).days + 1 < (1 if new else 4):
            result.append(0)
            continue
        if last_counted is None or (first - last_counted).days - 1 > 56:
            chain_earnings, served, paid_in_chain = average, 0, 0
        last_counted = last
        too_old = new and spell_first < date(2025, 9, 22)
        protected = new and spell_first < NEW_LAW and paid_in_chain > 0
        paid = 0
        for day in days_of(first, last):
            if day.weekday() not in works_on:
                continue
            if not new and served < 3:
                served += 1
                continue
            served += 1
            if paid_in_chain < 28 * len(works_on):
                paid += 1
                paid_in_chain += 1
        rate = Fraction(0) if too_old else weekly_ssp(first, chain_earnings, protected)
        result.append(up(rate / len(works_on) * paid))
    return result


# Statutory pay of parents

STANDARD = {"2025-26": 18718, "2026-27": 19432}
LIMIT = {"2025-26": 12500, "2026-27": 12900}
LASTS = {"smp": 39, "sap": 39, "spp": 2, "shpp": 37, "spbp": 2, "sncp": 12}


def parental(year: str, payment: str, week: int, earnings: Fraction) -> int:
    if earnings < LIMIT[year] or week > LASTS[payment]:
        return 0
    ninety = earnings * Fraction(9, 10)
    if payment in ("smp", "sap") and week <= 6:
        return up(ninety)
    return up(min(ninety, Fraction(STANDARD[year])))


def recovery(year: str, paid: int, small: bool) -> tuple[int, int]:
    if not small:
        return nearest(paid * Fraction(92, 100)), 0
    return paid, nearest(paid * {"2025-26": Fraction(85, 1000), "2026-27": Fraction(9, 100)}[year])


# Employers


def levy(pay_bill: int, allowance: int, month: int, paid: int) -> int:
    """ALM09200: 0.5% of the pay bill to date, less a twelfth of the allowance a month, less what was paid."""
    half_percent = Decimal(pay_bill) * Decimal("0.005")
    due = half_percent.quantize(Decimal(1), ROUND_HALF_UP) - nearest(Fraction(allowance * month, 12))
    return int(max(due, Decimal(0))) - paid


def relief(nic: int, claimed: int) -> int:
    return min(nic, 10_500_00 - claimed)


# Holiday and the minimum wage


def holiday_minutes(minutes_a_week: int, days_a_week: Fraction) -> int:
    weeks = min(Fraction(56, 10), Fraction(28) / days_a_week)
    return up(weeks * minutes_a_week)


def average_week(weeks: list[int]) -> tuple[int, int]:
    """The last 52 paid weeks of at most 104, the latest first."""
    paid = [pay for pay in weeks[:104] if pay][:52]
    return (nearest(Fraction(sum(paid), len(paid))), len(paid)) if paid else (0, 0)


WAGE = {
    date(2025, 4, 1): {"adult": 1221, "young": 1000, "child": 755, "apprentice": 755, "room": 1066},
    date(2026, 4, 1): {"adult": 1271, "young": 1085, "child": 800, "apprentice": 800, "room": 1110},
}


def minimum_wage_arrears(
    born: date, starts: date, pay: int, minutes: int, apprentice: bool, first_year: bool, room: int, days: int
) -> int:
    rates = WAGE[max(day for day in WAGE if day <= starts)]
    had_birthday = (starts.month, starts.day) >= (born.month, born.day)
    age = starts.year - born.year - (not had_birthday)
    if apprentice and (age < 19 or first_year):
        rate = rates["apprentice"]
    else:
        rate = rates["adult"] if age >= 21 else rates["young"] if age >= 18 else rates["child"]
    counts = pay - max(room - days * rates["room"], 0)
    least = int((Decimal(minutes) * rate / 60).quantize(Decimal(1), ROUND_CEILING))
    return max(least - counts, 0)


# The relevant period


def relevant_period(until: date, paid: dict[date, int], monthly: bool) -> tuple[int, Fraction] | None:
    """Earnings and average weekly earnings, from the text: the last normal payday, then back eight weeks."""
    ends = [day for day in paid if day <= until]
    if not ends:
        return None
    last = max(ends)
    before = [day for day in paid if (last - day).days >= 56]
    if not before:
        return None
    first = max(before)
    earned = sum(amount for day, amount in paid.items() if first < day <= last)
    if monthly:
        months = (last.year - first.year) * 12 + last.month - first.month
        return earned, Fraction(earned, months) * 12 / 52
    return earned, Fraction(earned * 7, (last - first).days)
