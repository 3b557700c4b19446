"""A slow second opinion on attachment orders and directors, in Decimal pounds, one person at a time.

Written from the source texts as set out in the project's facts (tables of the councils, DWP and SSI 2024/293;
the Attachment of Earnings Act 1971 sch. 3; HMRC CSLM18015 to CSLM18025; NIM12022 to NIM12031). Imports
nothing from the engine and keeps its own figures.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_DOWN, Decimal

D = Decimal
PENNY, POUND = D("0.01"), D(1)

WEEKS = {"weekly": 1, "biweekly": 2, "four_weekly": 4}
MONTHS = {"monthly": 1, "quarterly": 3}

DEA = {
    "week": [100, 160, 220, 270, 375, 520],
    "month": [430, 690, 950, 1160, 1615, 2240],
    "standard": [0, 3, 5, 7, 11, 15, 20],
    "higher": [5, 6, 10, 14, 22, 30, 40],
}
CTAEO = {
    "week": [75, 135, 185, 225, 355, 505],
    "month": [300, 550, 740, 900, 1420, 2020],
    "day": [11, 20, 27, 33, 52, 72],
    "rates": [0, 3, 5, 7, 12, 17],
}
ARRESTMENT = {
    "week": {
        "from": ["172.61", "345.22", "575.37", "863.06"],
        "amount": ["2.30", "25.89", "71.92", "143.84"],
    },
    "month": {"from": ["750", "1500", "2500", "3750"], "amount": ["10", "112.50", "312.50", "625"]},
}


def table_of(frequency: str) -> tuple[str, int]:
    if frequency == "daily":
        return "day", 1
    return ("week", WEEKS[frequency]) if frequency in WEEKS else ("month", MONTHS[frequency])


def penny_half_down(x: Decimal) -> Decimal:
    return x.quantize(PENNY, ROUND_HALF_DOWN)


def dea(net: Decimal, frequency: str, rate_table: str) -> Decimal:
    unit, span = table_of(frequency)
    band = sum(net > limit * span for limit in DEA[unit])
    return penny_half_down(net * DEA[rate_table][band] / 100)


def ctaeo(net: Decimal, frequency: str) -> Decimal:
    unit, span = table_of(frequency)
    limits = [limit * span for limit in CTAEO[unit]]
    for limit, rate in zip(limits, CTAEO["rates"], strict=True):
        if net <= limit:
            return penny_half_down(net * rate / 100)
    return penny_half_down(D(limits[-1]) * 17 / 100 + (net - limits[-1]) / 2)


def arrestment(net: Decimal, frequency: str) -> Decimal:
    """SSI 2024/293: "15% of the excess or the amount named, whichever is greater", and so on up."""
    unit, span = table_of(frequency)
    a, b, c, d = (D(x) * span for x in ARRESTMENT[unit]["from"])
    least, second, third, fourth = (D(x) * span for x in ARRESTMENT[unit]["amount"])
    if net <= a:
        return D(0)
    if net <= b:
        return max(penny_half_down((net - a) * D("0.15")), least)
    if net <= c:
        return second + penny_half_down((net - b) * D("0.20"))
    if net <= d:
        return third + penny_half_down((net - c) * D("0.25"))
    return fourth + penny_half_down((net - d) * D("0.50"))


BEFORE_LOANS = ("priority", "child_maintenance", "council_tax", "earnings_arrestment", "current_maintenance")


def deal_with(orders: list[dict], net: Decimal, loans: list[Decimal], frequency: str) -> dict:
    """Every order of one person in turn, and the loans between them. Amounts in pounds.

    Order: kind, made_on, days, rate_table, and the amounts normal_deduction, protected_earnings,
    deduction_arrears, protected_arrears, balance. Result: the deduction of each order as given; the loans.
    """
    turn = sorted(
        range(len(orders)), key=lambda i: (orders[i]["kind"] not in BEFORE_LOANS, orders[i]["made_on"], i)
    )
    taken: dict[int, Decimal] = {}
    left = net
    first = [i for i in turn if orders[i]["kind"] in BEFORE_LOANS]
    for i in first:
        taken[i] = one_order(orders[i], net, left, frequency)
        left -= taken[i]
    room = room_for_loans([orders[i] for i in first], net, left)
    paid = []
    for loan in loans:
        paid.append(min(loan, room))
        room -= paid[-1]
    left -= sum(paid)
    for i in turn[len(first) :]:
        taken[i] = one_order(orders[i], net, left, frequency)
        left -= taken[i]
    return {"taken": [taken[i] for i in range(len(orders))], "loans": paid, "left": left}


def up_penny(x: Decimal) -> Decimal:
    return x.quantize(PENNY, ROUND_CEILING)


def room_for_loans(orders: list[dict], net: Decimal, left: Decimal) -> Decimal:
    protected = D(0)
    for order in orders:
        if order["balance"] == 0:
            continue
        if order["kind"] in ("council_tax", "earnings_arrestment", "current_maintenance"):
            return D(0)
        level = order["protected_earnings"]
        if order["kind"] == "child_maintenance" and not level:
            level = up_penny(net * D("0.6"))
        if level:
            protected = level
    return max(left - protected, D(0)).quantize(POUND, ROUND_DOWN)


def one_order(order: dict, net: Decimal, left: Decimal, frequency: str) -> Decimal:
    kind, normal, protected = order["kind"], order["normal_deduction"], order["protected_earnings"]
    if kind == "priority":
        protected += order["protected_arrears"]
        amount = min(normal + order["deduction_arrears"], max(left - protected, D(0)))
    elif kind == "non_priority":
        amount = min(normal, max(left - protected, D(0)))
    elif kind == "child_maintenance":
        protected = protected or up_penny(net * D("0.6"))
        amount = min(normal + order["deduction_arrears"], max(left - protected, D(0)))
    elif kind == "current_maintenance":
        amount = min(normal * order["days"], max(left - D("24.66") * order["days"], D(0)))
    elif kind == "council_tax":
        amount = ctaeo(left, frequency)
    elif kind == "earnings_arrestment":
        amount = arrestment(left, frequency)
    else:
        amount = min(dea(net, frequency, order["rate_table"]), max(left - up_penny(net * D("0.6")), D(0)))
    return min(amount, left, order["balance"])


def pro_rata(annual: int, weeks: int) -> Decimal:
    """A director's threshold: NIM12022, rounded up to a pound."""
    return (D(annual) * weeks / 52).quantize(POUND, ROUND_CEILING)
