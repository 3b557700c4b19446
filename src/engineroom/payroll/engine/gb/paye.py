"""PAYE income tax for one pay period: HMRC's "Specification for PAYE tax table routines", as six small steps.

The specification works in pounds to four decimals, cut (not rounded) after each multiplication or division.
Here such a figure is a whole number of ten-thousandths of a pound, so `trunc4` is integer division. Largest
product: pay of 10**11 pence is 10**13 ten-thousandths; times 480,000 ppm gives 4.8e18, below 2**63.

Week 1/month 1, and week 53, 54 and 56, use the table of one pay period and nothing to date.

The starts and ends of bands and the tax below them are worked out once for every week and month of the year,
as HMRC's printed tables had them; a payslip then looks its band up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engineroom.kernel.money import parse_minor
from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.rounding import Minor, ceil_div, floor_div, floor_to_pound
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.gb.pay_periods import (
    MONTHS_IN_TAX_YEAR,
    UNITS,
    UNITS_IN_YEAR,
    WEEKS_IN_TAX_YEAR,
)
from engineroom.payroll.engine.gb.tax_codes import ALLOWANCE, FLAT, FLAT_CODES, KINDS, REGIONS, K
from engineroom.payroll.engine.steps import Column

TEN_THOUSANDTHS = 10_000
"""In a pound: the specification's four decimals."""

SIGN_OF_FREE_PAY = np.array(
    [{ALLOWANCE: 1, K: -1}.get(kind, 0) for kind in range(len(KINDS))], dtype=np.int64
)
"""By kind of code: free pay is taken off, a K code's additional pay is added, the others have none."""

NO_UPPER_END = 10**12
"""Pounds; stands for the open end of the top band. Times 10,000 and 52 it stays below 2**63."""


TABLE_UNITS = np.array([*range(1, WEEKS_IN_TAX_YEAR + 1), *range(1, MONTHS_IN_TAX_YEAR + 1)], dtype=np.int64)
"""Of each PAYE table: its week (the first 52) or month (the last 12)."""

TABLE_UNITS_IN_YEAR = np.repeat(
    [WEEKS_IN_TAX_YEAR, MONTHS_IN_TAX_YEAR], [WEEKS_IN_TAX_YEAR, MONTHS_IN_TAX_YEAR]
)


@dataclass(frozen=True)
class IncomeTax:
    """The table `income_tax` as arrays.

    A band of a region in a week or month has a *cell*: region, table and band counted through. After them
    come the cells of flat-rate codes, region by region, which are one band from nought, and at last that of
    NT, whose rate is nought.
    """

    band_ends: Column  # (bands - 1, regions * tables): pence, rounded up to a pound; choose the band
    band_start: Column  # (cells,): ten-thousandths of a pound
    tax_below: Column  # ten-thousandths of a pound: the tax on all lower bands together
    rate_ppm: Column
    bands: int
    flat_cells: int  # the first cell of flat-rate codes
    block_size: int
    block_weekly: int  # pence
    block_monthly: int
    regulatory_limit_ppm: int

    @classmethod
    def of(cls, version: Version) -> IncomeTax:
        regions = [version["regions"][name] for name in REGIONS]
        widest = max(len(region["bands"]) for region in regions)
        annual = np.array([_bands(region["bands"], widest) for region in regions], dtype=np.int64)
        upper, lower, tax, rate = (annual[:, i, np.newaxis, :] for i in range(4))  # (regions, 1, bands)
        n, in_year = TABLE_UNITS[:, np.newaxis], TABLE_UNITS_IN_YEAR[:, np.newaxis]  # (tables, 1)
        ends = ceil_div(upper * TEN_THOUSANDTHS * n // in_year, TEN_THOUSANDTHS) * 100
        flat = [ppm(region["flat_rates"].get(code, "0")) for region in regions for code in FLAT_CODES]
        nought = np.zeros(len(flat) + 1, dtype=np.int64)
        block = version["code_block"]
        return cls(
            band_ends=np.ascontiguousarray(ends.reshape(-1, widest).T[:-1]),
            band_start=np.append(lower * TEN_THOUSANDTHS * n // in_year, nought),
            tax_below=np.append(tax * n // in_year, nought),
            rate_ppm=np.append(np.broadcast_to(rate, ends.shape), [*flat, 0]),
            bands=widest,
            flat_cells=ends.size,
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
    blocks = (number - 1) // t.block_size
    rest = number - blocks * t.block_size
    of_period = (10 * rest + 9) * TEN_THOUSANDTHS // units_in_year
    block = np.where(units_in_year == WEEKS_IN_TAX_YEAR, t.block_weekly, t.block_monthly)
    value = ceil_div(of_period, 100) + blocks * block
    first = SIGN_OF_FREE_PAY[kind] * (number > 0) * value
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
    in_bands = kind <= K
    table = np.where(units_in_year == WEEKS_IN_TAX_YEAR, units - 1, units + (WEEKS_IN_TAX_YEAR - 1))
    table += region * len(TABLE_UNITS)
    band: Column = (after_free_pay > t.band_ends.take(table, axis=1)).sum(axis=0)
    flat = np.where(kind == FLAT, t.flat_cells + region * len(FLAT_CODES) + number, len(t.rate_ppm) - 1)
    cell = np.where(in_bands, table * t.bands + band, flat)
    start, below, rate = t.band_start.take(cell), t.tax_below.take(cell), t.rate_ppm.take(cell)
    tax = (below + floor_div((whole_pounds * 100 - start) * rate, PPM)) // 100
    return in_bands * (band + 1), rate, start, below, tax


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
