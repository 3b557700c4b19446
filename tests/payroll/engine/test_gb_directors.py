"""Class 1 National Insurance of company directors: both methods, appointment in the year, refunds."""

from datetime import date
from decimal import Decimal

import oracle_gb
import oracle_gb_orders
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engineroom.payroll.engine.gb import nic
from engineroom.payroll.engine.gb.gross_to_net import calculate, resolve_tables

TABLES = {"2025-26": resolve_tables(date(2025, 6, 26)), "2026-27": resolve_tables(date(2026, 6, 26))}
DIRECTOR = {"tax_code": "NT", "frequency": "monthly", "tax_period": 1, "ni_category": "A"}
LETTERS = "ABCDEFHIJKLMNSVZ"


def contributions(year="2026-27", **inputs):
    done = calculate(DIRECTOR | inputs, TABLES[year])
    assert done.problems == []
    return {name: int(column[0]) for name, column in done.columns.items()}


def a_year(pays, letter, method, weeks=52, year="2026-27", frequency="monthly"):
    """Contributions of each payment of a year, one after another; the last is the final one."""
    paid = {"employee": 0, "employer": 0}
    to_date, found = 0, []
    for n, pay in enumerate(pays, 1):
        figures = contributions(
            year, ni_category=letter, frequency=frequency, basic_pay=pay, niable_pay_to_date_before=to_date,
            expenses_paid=10**9,  # so that a year charged in its last payment can be paid
            employee_nic_to_date_before=paid["employee"], employer_nic_to_date_before=paid["employer"],
            director_method=method, director_weeks=weeks, director_final_payment=int(n == len(pays)),
        )  # fmt: skip
        to_date += pay
        for who in paid:
            paid[who] += figures[f"{who}_nic"]
        found.append(figures)
    return paid, found


def of_the_year(year, letter, weeks, pay):
    """The oracle's contributions on a year's pay, thresholds pro rata and rounded up to a pound."""
    annual = {"LEL": oracle_gb.LEL[year][2], "PT": 12570, "ST": 5000, "FUST": 25000, "UEL": 50270}
    t = {name: oracle_gb_orders.pro_rata(amount, weeks) for name, amount in annual.items()}
    pay = Decimal(pay) / 100
    main, above = max(min(pay, t["UEL"]) - t["PT"], 0), max(pay - t["UEL"], 0)
    rate, upper = {
        **dict.fromkeys("AFHMNV", ("0.08", "0.02")), **dict.fromkeys("BEI", ("0.0185", "0.02")),
        **dict.fromkeys("CKS", ("0", "0")), **dict.fromkeys("DJLZ", ("0.02", "0.02")),
    }[letter]  # fmt: skip
    start = t["ST"] if letter in "ABCJ" else t["UEL"] if letter in "HMVZ" else t["FUST"]
    r = oracle_gb.ni_rounding
    employee = r(main * Decimal(rate)) + r(above * Decimal(upper))
    employer = r(max(min(pay, t["UEL"]) - start, 0) * Decimal("0.15")) + r(above * Decimal("0.15"))
    return int(employee * 100), int(employer * 100)


@settings(max_examples=40, deadline=None)
@given(
    year=st.sampled_from(sorted(TABLES)),
    letter=st.sampled_from(LETTERS),
    method=st.sampled_from(["annual", "alternative"]),
    weeks=st.integers(1, 52),
    pays=st.lists(st.integers(0, 3_000_000), min_size=1, max_size=4),
)
def test_by_either_method_the_year_comes_to_the_contributions_of_the_year(year, letter, method, weeks, pays):
    paid, _ = a_year(pays, letter, method, weeks, year)
    assert (paid["employee"], paid["employer"]) == of_the_year(year, letter, weeks, sum(pays))


def test_the_alternative_method_charges_a_payment_like_anybodys_until_the_last():
    _, found = a_year([400_000] * 3, "A", "alternative")
    ordinary = contributions(basic_pay=400_000)
    for figures in found[:2]:
        assert [figures[n] for n in ("employee_nic", "employer_nic")] == [23_616, 53_745]
        assert figures["employee_nic"] == ordinary["employee_nic"]
        assert figures["nic_period"] < nic.YEAR_OF_WEEKS
    assert found[2]["employee_nic"] < 0  # 12,000 in the year is below its threshold: all of it is given back
    assert found[2]["nic_period"] >= nic.YEAR_OF_WEEKS


def test_the_annual_method_charges_nothing_until_pay_to_date_passes_the_years_threshold():
    _, found = a_year([500_000] * 4, "A", "annual")
    assert [figures["employee_nic"] for figures in found] == [0, 0, 19_440, 40_000]
    assert [figures["employer_nic"] for figures in found] == [0, 75_000, 75_000, 75_000]


def test_week_52_of_the_alternative_method_is_the_years_employer_contribution_not_the_employees():
    """gb-dir-case1-wk52: the published 58.94 for the employer repeats the employee's figure."""
    paid, found = a_year([100_000] * 52, "A", "alternative", year="2025-26", frequency="weekly")
    assert (found[-1]["employee_nic"], found[-1]["employer_nic"]) == (5_894, 13_440)
    assert paid["employer"] == 705_000


def test_the_bands_of_a_directors_year_are_to_date():
    figures = contributions(basic_pay=100_000, niable_pay_to_date_before=1_900_000, director_method="annual")
    names = ("earnings_at_lel", "earnings_lel_to_pt", "earnings_pt_to_uel")
    assert [figures[name] for name in names] == [670_800, 586_200, 743_000]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"director_method": "monthly"}, "director_method"),
        ({"director_weeks": 0}, "director_weeks"),
        ({"director_weeks": 53}, "director_weeks"),
        ({"employee_nic_to_date_before": -1}, "employee_nic_to_date_before"),
        ({"niable_pay_to_date_before": 10**15}, "niable_pay_to_date_before"),
        ({"director_final_payment": 2}, "director_final_payment"),
    ],
)
def test_a_director_who_cannot_be_charged_is_named(change, field):
    done = calculate(DIRECTOR | {"director_method": "annual", "basic_pay": 1} | change, TABLES["2026-27"])
    assert field in [p.field for p in done.problems]
    assert len(done.rows) == 0
