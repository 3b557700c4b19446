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
    FREQUENCIES,
    MONTHS_IN_TAX_YEAR,
    UNITS,
    UNITS_IN_YEAR,
    WEEKS,
    WEEKS_IN_TAX_YEAR,
)
from engineroom.payroll.engine.gb.tax_codes import ALLOWANCE, FLAT_CODES, KINDS, PREFIXES, RATES, REGIONS, K
from engineroom.payroll.engine.steps import Column, look_up

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

TABLE_BEFORE = np.array([-1 if f in WEEKS else WEEKS_IN_TAX_YEAR - 1 for f in FREQUENCIES], dtype=np.int64)
"""By frequency number: the place of the table before that of its first week or month."""


@dataclass(frozen=True)
class IncomeTax:
    """The table `income_tax` as arrays.

    RATES have a row for each week and month of the year, and rows a *cell* for each band, all counted
    through. A flat-rate code is one band without an end; so is NT, whose rate is nought.
    """

    band_ends: Column  # (bands - 1, rows): pence, rounded up to a pound; choose the band
    band_start: Column  # (cells,): ten-thousandths of a pound
    tax_below: Column  # ten-thousandths of a pound: the tax on all lower bands together
    rate_ppm: Column
    bands: int
    block_size: int
    block: Column  # by frequency: pence
    free_pay_of_rest: Column  # (frequencies * (block_size + 1),): pence, of a code's number within its block
    regulatory_limit_ppm: int

    @classmethod
    def of(cls, version: Version) -> IncomeTax:
        regions = {name: version["regions"][name] for name in REGIONS}
        flat = {
            prefix + code: [{"up_to": None, "rate": regions[name]["flat_rates"].get(code, "0")}]
            for name, prefix in zip(REGIONS, PREFIXES, strict=True)
            for code in FLAT_CODES
        }
        bands = {name: region["bands"] for name, region in regions.items()} | flat
        bands["NT"] = [{"up_to": None, "rate": "0"}]
        widest = max(map(len, bands.values()))
        annual = np.array([_bands(bands[name], widest) for name in RATES], dtype=np.int64)
        upper, lower, tax, rate = (annual[:, i, np.newaxis, :] for i in range(4))  # (rates, 1, bands)
        n, in_year = TABLE_UNITS[:, np.newaxis], TABLE_UNITS_IN_YEAR[:, np.newaxis]  # (tables, 1)
        ends = ceil_div(upper * TEN_THOUSANDTHS * n // in_year, TEN_THOUSANDTHS) * 100
        size, block = version["code_block"]["size"], version["code_block"]
        of_week, of_month = (_free_pay_of_rest(size, of) for of in (WEEKS_IN_TAX_YEAR, MONTHS_IN_TAX_YEAR))
        return cls(
            band_ends=np.ascontiguousarray(ends.reshape(-1, widest).T[:-1]),
            band_start=(lower * TEN_THOUSANDTHS * n // in_year).ravel(),
            tax_below=(tax * n // in_year).ravel(),
            rate_ppm=np.broadcast_to(rate, ends.shape).ravel(),
            bands=widest,
            block_size=size,
            block=np.array(
                [parse_minor(block["weekly" if f in WEEKS else "monthly"]) for f in FREQUENCIES],
                dtype=np.int64,
            ),
            free_pay_of_rest=np.concatenate([of_week if f in WEEKS else of_month for f in FREQUENCIES]),
            regulatory_limit_ppm=ppm(version["regulatory_limit"]),
        )


def _free_pay_of_rest(size: int, units_in_year: int) -> Column:
    """Free pay of week or month 1 for the numbers 0 to size, in pence.

    Specification, "calculation of free pay": (10 x number + 9) / 52 or 12, cut to four decimals and rounded
    *up* to a penny.
    """
    number = np.arange(size + 1, dtype=np.int64)
    return ceil_div((10 * number + 9) * TEN_THOUSANDTHS // units_in_year, TEN_THOUSANDTHS // 100)


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
) -> tuple[Column, Column, Column, Column]:
    """Which table: whether to date or of this period alone, weeks (52) or months (12), how many of them, and
    the table's place among TABLE_UNITS.

    HMRC manual PAYE70015: a payday in week 53, 54 or 56 is worked on the week 1, 2 or 4 table without figures
    to date.
    """
    units_in_year = look_up(UNITS_IN_YEAR, frequency)
    extra_week = (units_in_year == WEEKS_IN_TAX_YEAR) & (tax_period > WEEKS_IN_TAX_YEAR)
    alone = (week1_month1 == 1) | (tax_code_week1_month1 == 1) | extra_week
    units = np.where(alone, look_up(UNITS, frequency), tax_period)
    return alone.astype(np.int64), units_in_year, units, look_up(TABLE_BEFORE, frequency) + units


def free_pay(
    kind: Column, number: Column, frequency: Column, units: Column, t: IncomeTax
) -> tuple[Minor, Minor]:
    """Free pay of week or month 1, and to the table's week or month; below zero: a K code's additional pay.

    Specification, "calculation of free pay": the code is split into whole blocks of 500 and a rest of 1 to
    500, each with its free pay of period 1. K codes take the 9 of the rest as well. Free pay to date is n
    times that of period 1, never the year's times n / 52.
    """
    blocks = (number - 1) // t.block_size
    rest = number - blocks * t.block_size
    value = t.free_pay_of_rest.take(frequency * (t.block_size + 1) + rest)
    value += blocks * look_up(t.block, frequency)
    first = look_up(SIGN_OF_FREE_PAY, kind) * (number > 0) * value
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
    rates: Column,
    kind: Column,
    table: Column,
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
    row = rates * len(TABLE_UNITS) + table
    passed = after_free_pay > t.band_ends.take(row, axis=1)
    # Added up as bytes, which takes a third of the time.
    band = np.add.reduce(passed, axis=0, dtype=np.int8).astype(np.int64)
    cell = row * t.bands + band
    start, below, rate = t.band_start.take(cell), t.tax_below.take(cell), t.rate_ppm.take(cell)
    tax = (below + floor_div((whole_pounds * 100 - start) * rate, PPM)) // 100
    return (kind <= K) * (band + 1), rate, start, below, tax


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
