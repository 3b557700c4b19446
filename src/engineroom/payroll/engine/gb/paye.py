"""PAYE income tax for one pay period: HMRC's "Specification for PAYE tax table routines", as six small steps.

The specification works in pounds to four decimals, cut (not rounded) after each multiplication or division.
Here such a figure is a whole number of ten-thousandths of a pound, so `trunc4` is integer division. Largest
product: pay of 10**11 pence is 10**13 ten-thousandths; times 480,000 ppm gives 4.8e18, below 2**63.

Week 1/month 1, and week 53, 54 and 56, use the table of one pay period and nothing to date.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engineroom.kernel.money import parse_minor
from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.rounding import Minor, ceil_div, floor_div, floor_to_pound
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.gb.pay_periods import UNITS, UNITS_IN_YEAR, WEEKS_IN_TAX_YEAR
from engineroom.payroll.engine.gb.tax_codes import ALLOWANCE, FLAT, FLAT_CODES, NO_TAX, REGIONS, K
from engineroom.payroll.engine.steps import Column

TEN_THOUSANDTHS = 10_000
"""In a pound: the specification's four decimals."""

NO_UPPER_END = 10**12
"""Pounds; stands for the open end of the top band. Times 10,000 and 52 it stays below 2**63."""


@dataclass(frozen=True)
class IncomeTax:
    """The table `income_tax` as arrays. Region and band are the first and second axis."""

    upper_pounds: Column  # (regions, bands): annual taxable pay at which the band ends
    lower_pounds: Column
    tax_below: Column  # ten-thousandths of a pound: annual tax on all lower bands together
    rate_ppm: Column
    flat_rate_ppm: Column  # (regions, len(FLAT_CODES)); 0 where the code does not exist
    block_size: int
    block_weekly: int  # pence
    block_monthly: int
    regulatory_limit_ppm: int

    @classmethod
    def of(cls, version: Version) -> IncomeTax:
        regions = [version["regions"][name] for name in REGIONS]
        widest = max(len(region["bands"]) for region in regions)
        bands = np.array([_bands(region["bands"], widest) for region in regions], dtype=np.int64)
        flat = [[ppm(region["flat_rates"].get(code, "0")) for code in FLAT_CODES] for region in regions]
        block = version["code_block"]
        return cls(
            upper_pounds=bands[:, 0],
            lower_pounds=bands[:, 1],
            tax_below=bands[:, 2],
            rate_ppm=bands[:, 3],
            flat_rate_ppm=np.array(flat, dtype=np.int64),
            block_size=block["size"],
            block_weekly=parse_minor(block["weekly"]),
            block_monthly=parse_minor(block["monthly"]),
            regulatory_limit_ppm=ppm(version["regulatory_limit"]),
        )


def _bands(bands: list[dict[str, str | int | None]], widest: int) -> list[list[int]]:
    """Rows upper, lower, tax_below, rate; where a region has fewer bands its last is repeated, never left."""
    uppers, lowers, taxes, rates = [], [], [], []
    lower = tax = 0
    for band in bands:
        upper, rate = band["up_to"], ppm(str(band["rate"]))
        uppers.append(NO_UPPER_END if upper is None else int(upper))
        lowers.append(lower)
        taxes.append(tax)
        rates.append(rate)
        if upper is not None:
            tax += (int(upper) - lower) * rate * TEN_THOUSANDTHS // PPM
            lower = int(upper)
    missing = widest - len(bands)
    return [row + row[-1:] * missing for row in (uppers, lowers, taxes, rates)]


def table_position(
    frequency: Column, tax_period: Column, week1_month1: Column, tax_code_week1_month1: Column
) -> tuple[Column, Column, Column]:
    """Which table: whether to date or of this period alone, weeks (52) or months (12), and how many of them.

    HMRC manual PAYE70015: a payday in week 53, 54 or 56 is worked on the week 1, 2 or 4 table without figures
    to date.
    """
    units_in_year = UNITS_IN_YEAR[frequency]
    extra_week = (units_in_year == WEEKS_IN_TAX_YEAR) & (tax_period > WEEKS_IN_TAX_YEAR)
    alone = (week1_month1 == 1) | (tax_code_week1_month1 == 1) | extra_week
    return alone.astype(np.int64), units_in_year, np.where(alone, UNITS[frequency], tax_period)


def free_pay(
    kind: Column, number: Column, units_in_year: Column, units: Column, t: IncomeTax
) -> tuple[Minor, Minor]:
    """Free pay of week or month 1, and to the table's week or month; below zero: a K code's additional pay.

    Specification, "calculation of free pay": the code is split into whole blocks of 500 and a rest of 1 to
    500; the rest is worth (10 x rest + 9) / 52 or 12, cut to four decimals and rounded *up* to a penny. K
    codes take the 9 as well. Free pay to date is n times that of period 1, never the year's times n / 52.
    """
    blocks, rest = np.divmod(number - 1, t.block_size)
    rest_value = ceil_div((10 * (rest + 1) + 9) * TEN_THOUSANDTHS // units_in_year, 100)
    block = np.where(units_in_year == WEEKS_IN_TAX_YEAR, t.block_weekly, t.block_monthly)
    value = np.where(number > 0, rest_value + blocks * block, 0)
    first = np.select([kind == ALLOWANCE, kind == K], [value, -value], 0)
    return first, first * units


def taxable_pay_of_table(
    taxable_pay: Minor,
    taxable_pay_to_date_before: Minor,
    week1_month1_table: Column,
    free_pay_of_table: Minor,
) -> tuple[Minor, Minor, Minor, Minor]:
    """Pay to date, pay that meets the table, that less free pay, and that in pounds, nought or more."""
    to_date = taxable_pay_to_date_before + taxable_pay
    pay = np.where(week1_month1_table == 1, taxable_pay, to_date)
    after_free_pay = pay - free_pay_of_table
    return to_date, pay, after_free_pay, floor_to_pound(np.maximum(after_free_pay, 0))


def tax_liability(
    region: Column,
    kind: Column,
    number: Column,
    units_in_year: Column,
    units: Column,
    after_free_pay: Minor,
    whole_pounds: Minor,
    t: IncomeTax,
) -> tuple[Column, Column, Column, Column, Minor]:
    """Band, its rate, its start, the tax of the bands below it, and the tax on the table's taxable pay.

    Bands count from 1; flat-rate codes and NT have band 0. Start and tax below: ten-thousandths of a pound.

    Specification, "calculation of tax due": the band is chosen by pay *with* its pence against the band's end
    rounded up to a pound; the tax is that of all lower bands plus the rate on the pounds above, each figure
    cut to four decimals, the sum cut to a penny. It is priced from the unrounded end of the band.
    """
    band = np.zeros_like(whole_pounds)
    for upper in t.upper_pounds.T[:-1]:
        ends = upper[region] * TEN_THOUSANDTHS * units // units_in_year
        band += after_free_pay > ceil_div(ends, TEN_THOUSANDTHS) * 100
    lower = t.lower_pounds[region, band] * TEN_THOUSANDTHS * units // units_in_year
    below = t.tax_below[region, band] * units // units_in_year
    rate = t.rate_ppm[region, band]
    banded = (below + floor_div((whole_pounds * 100 - lower) * rate, PPM)) // 100
    flat = kind == FLAT
    flat_rate = t.flat_rate_ppm[region, np.where(flat, number, 0)]
    untaxed = (kind == NO_TAX) | (after_free_pay <= 0)
    tax = np.select([untaxed, flat], [0, floor_div(whole_pounds * flat_rate, PPM)], banded)
    in_bands = (kind != NO_TAX) & ~flat
    return (
        np.where(in_bands, band + 1, 0),
        np.select([in_bands, flat], [rate, flat_rate], 0),
        np.where(in_bands, lower, 0),
        np.where(in_bands, below, 0),
        tax,
    )


def tax_deducted(
    liability: Minor,
    week1_month1_table: Column,
    tax_to_date_before: Minor,
    taxable_pay: Minor,
    payrolled_benefits: Minor,
    t: IncomeTax,
) -> tuple[Minor, Minor, Minor, Minor]:
    """Tax before the limit, the limit, tax deducted (below zero: refunded), and tax to date.

    The regulatory (overriding) limit is half the pay actually paid in the period, cut to a penny, whatever
    the code. What it holds back is not carried: the next period to date is measured against the tax really
    paid.
    """
    before_limit = liability - np.where(week1_month1_table == 1, 0, tax_to_date_before)
    limit = floor_div((taxable_pay - payrolled_benefits) * t.regulatory_limit_ppm, PPM)
    tax = np.minimum(before_limit, limit)
    return before_limit, limit, tax, tax_to_date_before + tax
