"""Published figures that are wrong (vectors/known_bad.csv) are not what the engine gives."""

from datetime import date

import pytest

from engineroom.payroll.engine.gb import single_orders
from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables

TABLES = {"2025-26": resolve_tables(date(2025, 4, 6)), "2026-27": resolve_tables(date(2026, 4, 6))}
YEARS = sorted(TABLES)


def tax(year, **inputs):
    """Tax to date after one payslip, pence."""
    done = calculate({"ni_category": "X", "frequency": "monthly", "tax_period": 1} | inputs, TABLES[year])
    assert done.problems == []
    return int(done.columns["tax_to_date"][0])


@pytest.mark.parametrize("year", YEARS)
def test_the_scottish_top_rate_starts_at_125_140_of_taxable_pay_not_at_112_570(year):
    """gb-sct-top-112570: taking the allowance off the threshold as well charges 48% on 7,430 too much."""
    first, second = {"2025-26": (2827, 14921), "2026-27": (3967, 16956)}[year]
    by_hand = first * 19 + (second - first) * 20 + (31092 - second) * 21 + (62430 - 31092) * 42
    by_hand += (120_000 - 62430) * 45
    paid = tax(year, tax_code="S0T", tax_period=12, basic_pay=120_000_00)
    assert paid == by_hand
    mistaken = by_hand + (120_000 - 112_570) * 3
    assert paid != mistaken


@pytest.mark.parametrize("year", YEARS)
def test_k_codes_take_the_nine_as_other_codes_do(year):
    """gb-k-no-plus9: HMRC's K585 month 1 row adds 488.26; without the 9 it would be 487.51."""
    done = calculate(
        {
            "ni_category": "X",
            "frequency": "monthly",
            "tax_period": 1,
            "tax_code": "K585",
            "basic_pay": 895_00,
        },
        TABLES[year],
    )
    assert int(done.columns["free_pay"][0]) == -488_26
    assert int(done.columns["paye"][0]) == 276_60


@pytest.mark.parametrize("year", YEARS)
def test_1156_25_in_month_1_pays_21_40_not_21_60(year):
    """gb-paye-1156."""
    assert tax(year, tax_code="1257L", basic_pay=1156_25) == 21_40


@pytest.mark.parametrize("year", YEARS)
def test_a_paye_year_on_20_000_is_1_484_00_not_the_annual_estimate_of_1_484_20(year):
    """gb-annual-20000: twelve months of free pay are 12,579.12, not 12,579."""
    pay_to_date = tax_to_date = 0
    for month in range(1, 13):
        pay = 1666_67 if month % 3 else 1666_66
        tax_to_date = tax(
            year,
            tax_code="1257L",
            tax_period=month,
            basic_pay=pay,
            taxable_pay_to_date_before=pay_to_date,
            tax_to_date_before=tax_to_date,
        )
        pay_to_date += pay
    assert (pay_to_date, tax_to_date) == (20_000_00, 1_484_00)


def test_scottish_arrestments_are_on_the_bands_of_2025_not_on_those_of_2022():
    """gb-ea-scot-2022: 19, 23 and 50% no longer apply, not even to orders made before."""
    sheet = single_orders.EARNINGS_ARRESTMENT
    for year, day in (("2025-26", date(2025, 4, 6)), ("2026-27", date(2026, 4, 6))):
        done = sheet.calculate({"net_earnings": 300_000, "frequency": "monthly"}, sheet.tables_at(day))
        assert done.columns["deduction"].tolist() == [312_50 + 125_00], year
