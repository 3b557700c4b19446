"""Attachment orders in words: what each met, asked for, had to leave and took, by sums that add up.

As in explain.py: whoever works out the sum of a line and rounds as it says gets the line's figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from engineroom.kernel.rounding import Minor
from engineroom.payroll.engine.gb import attachments
from engineroom.payroll.engine.gb.attachments import ORDERS, RATE_TABLES, SPAN_OF, UNIT_OF
from engineroom.payroll.engine.gb.gross_to_net import GbTables
from engineroom.payroll.engine.lines import UP_TO_PENNY, Line, money, share, total
from engineroom.payroll.engine.steps import Calculation

HALF_DOWN = "to the nearest penny and a half of one down"
CHARGE = "the employer's charge"

NAMES = {
    "priority": "Attachment of earnings (priority)",
    "child_maintenance": "Child maintenance",
    "council_tax": "Council tax",
    "earnings_arrestment": "Earnings arrestment",
    "current_maintenance": "Current maintenance arrestment",
    "direct_earnings": "Direct Earnings Attachment",
    "non_priority": "Attachment of earnings (civil debt)",
}
TABLE_OF = {
    "council_tax": "council_tax_attachment",
    "direct_earnings": "direct_earnings_attachment",
    "earnings_arrestment": "earnings_arrestment",
    "current_maintenance": "earnings_arrestment",
}
LAW_OF = {
    "priority": "Attachment of Earnings Act 1971 sch. 3 para. 6",
    "non_priority": "Attachment of Earnings Act 1971 sch. 3 para. 5",
    "child_maintenance": "Child Support Regulations 1992",
    "council_tax": "SI 1992/613 sch. 4",
    "direct_earnings": "SI 2013/384 reg. 20",
    "earnings_arrestment": "Debtors Scotland Act 1987 s.49",
    "current_maintenance": "Debtors Scotland Act 1987 s.53",
}


class _Order:
    """One order of a payslip, and what its lines have in common."""

    def __init__(self, order: int, done: Calculation, tables: GbTables) -> None:
        self.figures = {name: int(column[order]) for name, column in done.orders.items()}
        self.tables, self.kind = tables, ORDERS[self.figures["kind"]]
        row = int(np.searchsorted(done.rows, self.figures["payslip"]))
        self.net = int(done.columns["net_earnings"][row])
        frequency = int(done.columns["frequency"][row])
        self.unit, self.span = int(UNIT_OF[frequency]), int(SPAN_OF[frequency])
        self.name = f"Order {self.figures['order'] + 1}, {NAMES[self.kind]}"

    def __getitem__(self, name: str) -> int:
        return self.figures[name]

    def line(
        self, about: str, figure: int, expression: str = "", *, rounding: str = "", note: str = ""
    ) -> Line:
        """A line under this order's law, marked with what of its table is known only from memory."""
        law = self.tables.versions[TABLE_OF.get(self.kind, "attachment_orders")]
        used = {
            HALF_DOWN: ("rounding",),
            UP_TO_PENNY: ("child_maintenance_protected", "protected"),
            CHARGE: ("fee_pence",),
        }
        memory = tuple(value for value in used.get(rounding or about, ()) if value in law.unverified())
        rule, text = LAW_OF[self.kind], f"{self.name}: {about}"
        return Line("orders", text, figure, expression, rounding, note, rule, law, memory)


def explain_orders(payslip: int, done: Calculation, tables: GbTables) -> list[Line]:
    """The orders against one payslip, as they were dealt with, line by line.

    payslip: its row in the chunk, as `Calculation.orders["payslip"]` says. tables: those of the calculation.
    """
    mine = np.flatnonzero(done.orders["payslip"] == payslip)
    turn = mine[np.argsort(done.orders["dealt_with"][mine])]
    return [line for order in turn.tolist() for line in _order(_Order(order, done, tables))]


def _order(o: _Order) -> Iterator[Line]:
    yield o.line("meets net earnings", o["earnings_met"])
    asked = _asked(o)
    yield asked
    most = {"asked for": asked.figure or 0, "net earnings it meets": o["earnings_met"]}
    protected = _protected(o)
    if protected:
        yield protected
        left = o["earnings_met"] - (protected.figure or 0)
        expression = total([(o["earnings_met"], "met"), (-(protected.figure or 0), "protected")])
        yield o.line("above what is protected", max(left, 0), expression if left > 0 else money(0))
        most["above what is protected"] = max(left, 0)
    most["still owed"] = o["balance_before"]
    reason = min(most, key=lambda name: most[name])
    yield o.line("deducted", o["deduction"], money(most[reason]), note=reason)
    if o["deduction_arrears"]:
        parts = [(asked.figure or 0, "asked for"), (-o["deduction"], "deducted")]
        whole = o["deduction_arrears"] == sum(amount for amount, _ in parts)
        owed = [(o["balance_before"], "still owed"), (-o["deduction"], "deducted")]
        yield o.line("carried to the next payday", o["deduction_arrears"], total(parts if whole else owed))
    if o["protected_arrears"]:
        yield o.line("protected earnings to be made good first", o["protected_arrears"])
    if o["fee"]:
        yield o.line(CHARGE, o["fee"])


def _asked(o: _Order) -> Line:
    """What the order asks for before it looks at what must stay."""
    if o.kind == "direct_earnings":
        return _asked_of_all(o)
    if o.kind == "council_tax":
        return _asked_by_band(o)
    if o.kind == "earnings_arrestment":
        return _asked_above(o)
    if o.kind == "current_maintenance":
        expression = f"{money(o['normal_deduction'])} x {o['days']} days"
        return o.line("asked for", o["normal_deduction"] * o["days"], expression)
    missed = o["deduction_arrears_before"] if o.kind != "non_priority" else 0
    parts = [(o["normal_deduction"], "normal deduction"), (missed, "missed before")]
    return o.line("asked for", o["normal_deduction"] + missed, total(parts))


def _asked_of_all(o: _Order) -> Line:
    t: attachments.DirectEarnings = o.tables.parameters["direct_earnings_attachment"]
    band = int((o.net > t.upper[o.unit] * o.span).sum())
    rate = int(t.rate_ppm[o.unit, band, o["rate_table"]])
    asked = _by(attachments.direct_earnings, o.net, o.unit, o.span, o["rate_table"], table=t)
    note = f"{RATE_TABLES[o['rate_table']]} rate, of all net earnings"
    return o.line("asked for", asked, share(money(o.net), rate), rounding=HALF_DOWN, note=note)


def _asked_by_band(o: _Order) -> Line:
    t: attachments.CouncilTax = o.tables.parameters["council_tax_attachment"]
    met, nation = o["earnings_met"], o["nation"]
    upper = t.upper[nation, o.unit] * o.span
    band = min(int((met > upper).sum()), len(upper) - 1)
    limit = int(upper[-1])
    expression = share(money(min(met, limit)), int(t.rate_ppm[nation, o.unit, band]))
    if met > limit:
        expression += f" + {share(f'({money(met)} - {money(limit)})', int(t.above_ppm[nation]))}"
    asked = _by(attachments.council_tax, met, o.unit, o.span, nation, table=t)
    return o.line("asked for", asked, expression, rounding=HALF_DOWN)


def _asked_above(o: _Order) -> Line:
    t: attachments.Arrestment = o.tables.parameters["earnings_arrestment"]
    met = o["earnings_met"]
    asked = _by(attachments.earnings_arrestment, met, o.unit, o.span, table=t)
    band = int((met > t.starts[o.unit] * o.span).sum()) - 1
    if band < 0:
        return o.line("asked for", asked, money(0), note="not above the threshold")
    start, base = int(t.starts[o.unit, band]) * o.span, int(t.base[o.unit, band]) * o.span
    least = int(t.least[o.unit, band]) * o.span
    if asked == least:
        return o.line("asked for", asked, money(least), note="the least of the band")
    amount = f"{money(base)} + " if base else ""
    over = share(f"({money(met)} - {money(start)})", int(t.rate_ppm[o.unit, band]))
    return o.line("asked for", asked, amount + over, rounding=HALF_DOWN)


def _protected(o: _Order) -> Line | None:
    """What the order must leave, where its kind protects anything."""
    stated = o["protected_earnings"]
    if o.kind == "direct_earnings":
        rate = o.tables.parameters["direct_earnings_attachment"].protected_ppm
        return _proportion(o, rate)
    if o.kind == "child_maintenance" and not stated:
        return _proportion(o, o.tables.parameters["attachment_orders"].child_maintenance_protected_ppm)
    if o.kind == "current_maintenance":
        daily = o.tables.parameters["earnings_arrestment"].maintenance_protected_daily
        return o.line("protected", daily * o["days"], f"{money(daily)} x {o['days']} days")
    if o.kind in ("council_tax", "earnings_arrestment"):
        return None
    short = o["protected_arrears_before"] if o.kind == "priority" else 0
    parts = [(stated, "protected earnings"), (short, "not left before")]
    return o.line("protected", stated + short, total(parts))


def _proportion(o: _Order, rate_ppm: int) -> Line:
    figure = _by(attachments.share_of, o.net, table=rate_ppm)
    return o.line("protected", figure, share(money(o.net), rate_ppm), rounding=UP_TO_PENNY)


def _by(rule: Callable[..., Minor], *values: int, table: object) -> int:
    """What a rule of attachments.py comes to for one order."""
    return int(rule(*(np.array([value], dtype=np.int64) for value in values), table)[0])
