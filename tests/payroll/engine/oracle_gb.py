"""A slow second opinion on GB payroll, in Decimal pounds, one person at a time.

Written from the source text (HMRC's specification for PAYE tax table routines, NI guidance and loan manual,
as set out in the project's facts) and from nothing else: it imports nothing from the engine and keeps its own
figures.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal

D = Decimal
PENNY, POUND, FOUR = D("0.01"), D(1), D("0.0001")

RUK = [(37700, "0.20"), (125140, "0.40"), (None, "0.45")]
SCOTLAND = {
    "2025-26": [
        (2827, "0.19"),
        (14921, "0.20"),
        (31092, "0.21"),
        (62430, "0.42"),
        (125140, "0.45"),
        (None, "0.48"),
    ],
    "2026-27": [
        (3967, "0.19"),
        (16956, "0.20"),
        (31092, "0.21"),
        (62430, "0.42"),
        (125140, "0.45"),
        (None, "0.48"),
    ],
}
FLAT = {"BR": "0.20", "D0": "0.40", "D1": "0.45"}
SCOTTISH_FLAT = {"BR": "0.20", "D0": "0.21", "D1": "0.42", "D2": "0.45", "D3": "0.48"}

SPAN = {"weekly": 1, "biweekly": 2, "four_weekly": 4, "monthly": 1}
PERIODS = {"weekly": 52, "biweekly": 52, "four_weekly": 52, "monthly": 12}


def down(x: Decimal, unit: Decimal) -> Decimal:
    return x.quantize(unit, ROUND_FLOOR)


def up(x: Decimal, unit: Decimal) -> Decimal:
    return x.quantize(unit, ROUND_CEILING)


def free_pay_of_period_1(number: int, periods: int) -> Decimal:
    if number == 0:
        return D(0)
    blocks = 0
    while number > 500:
        number, blocks = number - 500, blocks + 1
    rest = up(((D(10) * number + 9) / periods).quantize(FOUR, ROUND_DOWN), PENNY)
    return rest + blocks * (D("96.16") if periods == 52 else D("416.67"))


def paye(
    year: str,
    code: str,
    frequency: str,
    period: int,
    alone: bool,
    pay: Decimal,
    pay_to_date: Decimal,
    paid_before: Decimal,
) -> Decimal:
    """Tax of one period; below zero it is refunded. code: without W1/M1, which `alone` says."""
    periods = PERIODS[frequency]
    alone = alone or (periods == 52 and period > 52)
    n = SPAN[frequency] if alone else period
    table_pay = pay if alone else pay_to_date
    scottish = code.startswith("S")
    bare = code[1:] if code[0] in "SC" else code
    liability = liability_of(year, bare, scottish, periods, n, table_pay)
    tax = liability - (D(0) if alone else paid_before)
    return min(tax, down(pay / 2, PENNY))


def liability_of(year: str, bare: str, scottish: bool, periods: int, n: int, table_pay: Decimal) -> Decimal:
    if bare == "NT":
        return D(0)
    if bare in SCOTTISH_FLAT:
        rate = D((SCOTTISH_FLAT if scottish else FLAT)[bare])
        return down(max(down(table_pay, POUND), D(0)) * rate, PENNY)
    if bare.startswith("K"):
        taxable = table_pay + n * free_pay_of_period_1(int(bare[1:]), periods)
    else:
        taxable = table_pay - n * free_pay_of_period_1(int(bare[:-1]), periods)
    if taxable <= 0:
        return D(0)
    whole = down(taxable, POUND)
    annual_tax = D(0)
    annual_from = 0
    start = tax_below = D(0)
    for upper, rate in SCOTLAND[year] if scottish else RUK:
        if upper is None:
            break
        end = (D(upper) * n / periods).quantize(FOUR, ROUND_DOWN)
        if taxable <= up(end, POUND):
            break
        annual_tax += (upper - annual_from) * D(rate)
        annual_from = upper
        start, tax_below = end, (annual_tax * n / periods).quantize(FOUR, ROUND_DOWN)
    due = (tax_below + (whole - start) * D(rate)).quantize(FOUR, ROUND_DOWN)
    return down(due, PENNY)


LEL = {"2025-26": (125, 542, 6500), "2026-27": (129, 559, 6708)}
PT, ST, FUST, UEL = (242, 1048, 12570), (96, 417, 5000), (481, 2083, 25000), (967, 4189, 50270)


def threshold(published: tuple[int, int, int], frequency: str) -> Decimal:
    if frequency == "weekly":
        return D(published[0])
    if frequency == "monthly":
        return D(published[1])
    return up(D(published[2]) * SPAN[frequency] / 52, POUND)


def ni_rounding(x: Decimal) -> Decimal:
    thirds = x.quantize(D("0.001"), ROUND_DOWN)
    pennies = thirds.quantize(PENNY, ROUND_DOWN)
    return pennies + PENNY if thirds - pennies >= D("0.006") else pennies


def class_1(year: str, letter: str, frequency: str, pay: Decimal) -> dict[str, Decimal]:
    nothing = D(0)
    lel, pt, uel = (threshold(t, frequency) for t in (LEL[year], PT, UEL))
    result = dict.fromkeys(
        ("earnings_at_lel", "earnings_lel_to_pt", "earnings_pt_to_uel", "employee_nic", "employer_nic"),
        nothing,
    )
    if letter == "X":
        return result
    if pay >= lel:
        result["earnings_at_lel"] = lel
        result["earnings_lel_to_pt"] = min(pay, pt) - lel
    main = result["earnings_pt_to_uel"] = max(min(pay, uel) - pt, nothing)
    above = max(pay - uel, nothing)
    for letters, below_uel, above_uel in (
        ("AFHMNV", "0.08", "0.02"), ("BEI", "0.0185", "0.02"), ("CKS", "0", "0"), ("DJLZ", "0.02", "0.02"),
    ):  # fmt: skip
        if letter in letters:
            result["employee_nic"] = ni_rounding(main * D(below_uel)) + ni_rounding(above * D(above_uel))
    for letters, starts in (("ABCJ", ST), ("DEFIKLNS", FUST), ("HMVZ", UEL)):
        if letter in letters:
            slice_ = max(min(pay, uel) - threshold(starts, frequency), nothing)
            result["employer_nic"] = ni_rounding(slice_ * D("0.15")) + ni_rounding(above * D("0.15"))
    return result


LOANS = {
    "2025-26": {"1": 26065, "2": 28470, "4": 32745, "PG": 21000},
    "2026-27": {"1": 26900, "2": 29385, "4": 33795, "5": 25000, "PG": 21000},
}


def loan(year: str, plan: str, frequency: str, pay: Decimal) -> Decimal:
    periods, span = PERIODS[frequency], SPAN[frequency]
    above = pay - down(D(LOANS[year][plan]) * span / periods, PENNY)
    return down(above * D("0.06" if plan == "PG" else "0.09"), POUND) if above > 0 else D(0)


QUALIFYING = {
    "weekly": (120, 967),
    "biweekly": (240, 1934),
    "four_weekly": (480, 3867),
    "monthly": (520, 4189),
}


def pension(
    frequency: str, relief: str, employee: Decimal, employer: Decimal, pay: Decimal
) -> dict[str, Decimal]:
    """Percentages as fractions."""
    lower, upper = QUALIFYING[frequency]
    earnings = max(min(pay, D(upper)) - lower, D(0))

    def pence(x: Decimal) -> Decimal:
        return x.quantize(PENNY, ROUND_HALF_UP)

    whole = pence(earnings * employee)
    deducted = {"relief_at_source": pence(earnings * employee * D("0.8")), "net_pay": whole}.get(relief, D(0))
    return {
        "qualifying_earnings": earnings,
        "pension_contribution": whole,
        "employee_pension": deducted,
        "salary_sacrifice": whole if relief == "salary_sacrifice" else D(0),
        "employer_pension": pence(earnings * employer),
    }
