"""Attachment orders: what courts, councils, DWP and the sheriff have the employer take from net earnings.

Net earnings are pay less income tax, Class 1 NIC and pension contributions. A person's orders are dealt with
one after another: first those that come before student loans (maintenance, fines, child maintenance, council
tax, Scottish arrestments), then Direct Earnings Attachments and civil debts; in each group the earlier order
first, the later one meeting what is left (Attachment of Earnings Act 1971 sch. 3; Council Tax (Administration
and Enforcement) Regulations 1992 reg. 42; SI 2013/384 reg. 29). Nothing ever takes more than is left.

    order                  takes                                        leaves at least              carries
    priority               normal deduction + what was missed before    protected earnings + missed  both
    child_maintenance      normal deduction + what was missed before    its protected, or 60% of net the first
    council_tax            banded percentage of the residue             -                            nothing
    earnings_arrestment    banded, above a threshold, of the residue    -                            nothing
    current_maintenance    daily rate x days                            24.66 a day                  nothing
    direct_earnings        banded percentage of *all* net earnings      60% of net                   nothing
    non_priority           normal deduction                             protected earnings           nothing

A table of weeks, months or days serves a pay period of several: its limits and amounts times their number,
which is the same as dividing the earnings and multiplying the deduction. Largest product: 10**11 pence x
10**6 ppm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engineroom.kernel.rates import PPM, ppm
from engineroom.kernel.rounding import ROUNDINGS, Minor, ceil_div
from engineroom.kernel.tables import Version
from engineroom.payroll.engine.gb.pay_periods import FREQUENCIES, MONTHS, WEEKS
from engineroom.payroll.engine.groups import place_of, sum_before
from engineroom.payroll.engine.steps import Column

ORDERS = (
    "priority",
    "child_maintenance",
    "council_tax",
    "earnings_arrestment",
    "current_maintenance",
    "direct_earnings",
    "non_priority",
)
"""An order's number in columns is its place here."""

(
    PRIORITY,
    CHILD_MAINTENANCE,
    COUNCIL_TAX,
    EARNINGS_ARRESTMENT,
    CURRENT_MAINTENANCE,
    DIRECT_EARNINGS,
    NON_PRIORITY,
) = range(len(ORDERS))

AFTER_LOANS = (DIRECT_EARNINGS, NON_PRIORITY)
"""DWP: a student loan repayment comes before a DEA; reg. 42(3): a judgment debt comes last of all."""

STOPS_LOANS = (COUNCIL_TAX, EARNINGS_ARRESTMENT, CURRENT_MAINTENANCE)
"""No loan deduction at all while one of these is in force (HMRC CSLM18015 and CSLM18020)."""

CARRIES = (PRIORITY, CHILD_MAINTENANCE)
"""What could not be taken is added to the next payday's deduction."""

RATE_TABLES = ("", "standard", "higher")
NATIONS = ("", "england", "wales")
TABLE_UNITS = ("weekly", "monthly", "daily")
"""Rows of the tables: of a week, a month, a day."""

DAILY = TABLE_UNITS.index("daily")
OPEN = 10**13
"""Pence: no upper end. Times 12 it stays far below 2**63."""

UNIT_OF = np.array([0 if f in WEEKS else 1 for f in FREQUENCIES], dtype=np.int64)
SPAN_OF = np.array([WEEKS.get(f) or MONTHS[f] for f in FREQUENCIES], dtype=np.int64)
"""By frequency number: which row of a table, and how many of its units make the pay period."""


@dataclass(frozen=True)
class DirectEarnings:
    """The table `direct_earnings_attachment`; first axis weeks or months."""

    upper: Column  # (2, bands) pence
    rate_ppm: Column  # (2, bands, len(RATE_TABLES))
    protected_ppm: int
    rounding: str

    @classmethod
    def of(cls, version: Version) -> DirectEarnings:
        tables: list[list[dict[str, Any]]] = [version[unit] for unit in TABLE_UNITS[:2]]
        return cls(
            upper=np.array([[_pence(b["up_to"]) for b in bands] for bands in tables], dtype=np.int64),
            rate_ppm=np.array(
                [[[0, *(ppm(b[name]) for name in RATE_TABLES[1:])] for b in bands] for bands in tables],
                dtype=np.int64,
            ),
            protected_ppm=ppm(version["protected"]),
            rounding=version["rounding"],
        )


@dataclass(frozen=True)
class CouncilTax:
    """The table `council_tax_attachment`; first axis nation, second weeks, months or days.

    A nation without a table of its own takes nothing; its orders are refused before they come here.
    """

    upper: Column  # (nations, 3, bands) pence
    rate_ppm: Column
    above_ppm: Column  # (nations,)
    given: tuple[str, ...]
    most_orders: int
    rounding: str

    @classmethod
    def of(cls, version: Version) -> CouncilTax:
        given = [nation for nation in NATIONS if nation and version[nation]]
        most = max(len(version[nation][unit]) for nation in given for unit in TABLE_UNITS)
        upper = np.full((len(NATIONS), len(TABLE_UNITS), most), OPEN, dtype=np.int64)
        rate, above = np.zeros_like(upper), np.zeros(len(NATIONS), dtype=np.int64)
        for nation in given:
            place, table = NATIONS.index(nation), version[nation]
            above[place] = ppm(table["above"])
            for unit, name in enumerate(TABLE_UNITS):
                bands = table[name] + table[name][-1:] * (most - len(table[name]))
                upper[place, unit] = [_pence(band["up_to"]) for band in bands]
                rate[place, unit] = [ppm(band["rate"]) for band in bands]
        return cls(upper, rate, above, tuple(given), version["most_orders"], version["rounding"])


@dataclass(frozen=True)
class Arrestment:
    """The table `earnings_arrestment`; first axis weeks or months. Pence."""

    starts: Column  # (2, bands)
    base: Column
    rate_ppm: Column
    least: Column
    maintenance_protected_daily: int
    rounding: str

    @classmethod
    def of(cls, version: Version) -> Arrestment:
        def column(name: str) -> Column:
            return np.array([[b[name] for b in version[unit]] for unit in TABLE_UNITS[:2]], dtype=np.int64)

        rates = [[ppm(band["rate"]) for band in version[unit]] for unit in TABLE_UNITS[:2]]
        return cls(
            starts=column("from_pence"),
            base=column("base_pence"),
            rate_ppm=np.array(rates, dtype=np.int64),
            least=column("least_pence"),
            maintenance_protected_daily=version["maintenance_protected_daily_pence"],
            rounding=version["rounding"],
        )


@dataclass(frozen=True)
class OrdersOfCourts:
    """The table `attachment_orders`."""

    child_maintenance_protected_ppm: int
    fee: int  # pence

    @classmethod
    def of(cls, version: Version) -> OrdersOfCourts:
        return cls(ppm(version["child_maintenance_protected"]), version["fee_pence"])


@dataclass(frozen=True)
class Attachments:
    """All four tables together."""

    direct: DirectEarnings
    council_tax: CouncilTax
    arrestment: Arrestment
    courts: OrdersOfCourts


TABLES = {
    "direct_earnings_attachment": DirectEarnings.of,
    "council_tax_attachment": CouncilTax.of,
    "earnings_arrestment": Arrestment.of,
    "attachment_orders": OrdersOfCourts.of,
}
"""Needed only by a calculation that has orders."""


def _pence(pounds: int | None) -> int:
    return OPEN if pounds is None else 100 * pounds


def net_earnings(
    attachable_pay: Minor, sacrificed: Minor, tax: Minor, ni: Minor, employee_pension: Minor
) -> Minor:
    """What orders may take from: pay that counts, less income tax, Class 1 NIC and pension contributions."""
    left: Minor = np.maximum(attachable_pay - sacrificed - tax - ni - employee_pension, 0)
    return left


def direct_earnings(net: Minor, unit: Column, span: Column, rate_table: Column, t: DirectEarnings) -> Minor:
    """The percentage of the band that net earnings fall into, of all of them; before what is protected."""
    band = (net[:, None] > t.upper[unit] * span[:, None]).sum(axis=1)
    deduction: Minor = ROUNDINGS[t.rounding](net * t.rate_ppm[unit, band, rate_table], PPM)
    return deduction


def council_tax(net: Minor, unit: Column, span: Column, nation: Column, t: CouncilTax) -> Minor:
    """The percentage of the band, of all net earnings; above the last limit its percentage of the limit and
    half of the rest."""
    upper = t.upper[nation, unit] * span[:, None]
    last = upper.shape[1] - 1
    band = np.minimum((net[:, None] > upper).sum(axis=1), last)
    limit = upper[:, last]
    below, over = np.minimum(net, limit), np.maximum(net - limit, 0)
    charged = below * t.rate_ppm[nation, unit, band] + over * t.above_ppm[nation]
    deduction: Minor = ROUNDINGS[t.rounding](charged, PPM)
    return deduction


def earnings_arrestment(net: Minor, unit: Column, span: Column, t: Arrestment) -> Minor:
    """Nothing up to the first threshold; then the band's amount and its rate on what lies above its start."""
    above = (net[:, None] > t.starts[unit] * span[:, None]).sum(axis=1)
    band = np.maximum(above - 1, 0)
    excess = np.maximum(net - t.starts[unit, band] * span, 0)
    by_rate = t.base[unit, band] * span + ROUNDINGS[t.rounding](excess * t.rate_ppm[unit, band], PPM)
    return np.where(above > 0, np.maximum(by_rate, t.least[unit, band] * span), 0)


def in_order(orders: Mapping[str, Column]) -> dict[str, Column]:
    """The orders sorted as they are dealt with: each with its place among its person's and among those given.

    Those after loans last; then by the day the order was made; then as given. Places count from 0.
    """
    after = np.isin(orders["kind"], AFTER_LOANS).astype(np.int64)
    given = np.arange(len(after))
    sort = np.lexsort((given, orders["made_on"], after, orders["payslip"]))
    done = {name: column[sort] for name, column in orders.items()}
    done["comes_after_loans"] = after[sort]
    done["place"] = place_of(done["payslip"])
    done["given"] = given[sort]
    return done


def take(
    orders: Mapping[str, Column],
    after_loans: int,
    net: Minor,
    room: Minor,
    unit: Column,
    span: Column,
    t: Attachments,
) -> tuple[Minor, Minor]:
    """What each order of one group takes, and what it met; nought for the orders of the other group.

    orders: shape (orders,), as `in_order` leaves them. net, room, unit, span: by person. room is what
    deductions before this group have left of net.
    """
    taken, met, room = np.zeros_like(orders["kind"]), np.zeros_like(orders["kind"]), room.copy()
    of_group = orders["comes_after_loans"] == after_loans
    for place in range(int(orders["place"].max(initial=-1)) + 1):
        rows = np.flatnonzero(of_group & (orders["place"] == place))
        who = orders["payslip"][rows]
        one = {name: column[rows] for name, column in orders.items()}
        met[rows] = room[who]
        taken[rows] = deduction_of(one, net[who], room[who], unit[who], span[who], t)
        room[who] -= taken[rows]
    return taken, met


def deduction_of(
    order: Mapping[str, Column], net: Minor, room: Minor, unit: Column, span: Column, t: Attachments
) -> Minor:
    """What one order each takes from what is left of net earnings; never more than its balance, or than is
    left.
    """
    kind = order["kind"]
    stated = np.minimum(due_of(order), np.maximum(room - protected_of(order, net, t), 0))
    by_law = [
        council_tax(room, unit, span, order["nation"], t.council_tax),
        earnings_arrestment(room, unit, span, t.arrestment),
        np.minimum(
            direct_earnings(net, unit, span, order["rate_table"], t.direct),
            np.maximum(room - share_of(net, t.direct.protected_ppm), 0),
        ),
    ]
    kinds = [kind == COUNCIL_TAX, kind == EARNINGS_ARRESTMENT, kind == DIRECT_EARNINGS]
    taken: Minor = np.minimum(np.select(kinds, by_law, stated), np.minimum(room, order["balance"]))
    return taken


def due_of(order: Mapping[str, Column]) -> Minor:
    """What an order that states its figures asks for, with what was missed where that is carried."""
    missed = np.where(np.isin(order["kind"], CARRIES), order["deduction_arrears"], 0)
    days = np.where(order["kind"] == CURRENT_MAINTENANCE, order["days"], 1)
    return order["normal_deduction"] * days + missed


def protected_of(order: Mapping[str, Column], net: Minor, t: Attachments) -> Minor:
    """What an order that states its figures must leave."""
    kind, stated = order["kind"], order["protected_earnings"]
    proportion = share_of(net, t.courts.child_maintenance_protected_ppm)
    return np.select(
        [kind == PRIORITY, (kind == CHILD_MAINTENANCE) & (stated == 0), kind == CURRENT_MAINTENANCE],
        [
            stated + order["protected_arrears"],
            proportion,
            order["days"] * t.arrestment.maintenance_protected_daily,
        ],
        stated,
    )


def share_of(net: Minor, protected_ppm: int) -> Minor:
    """A protected proportion of net earnings, up to a penny in the person's favour."""
    return ceil_div(net * protected_ppm, PPM)


def carried_forward(order: Mapping[str, Column], taken: Minor, met: Minor) -> tuple[Minor, Minor, Minor]:
    """Deductions still missed, protected earnings still missed, and the balance left, for the next payday.

    1971 Act sch. 3 para. 6: by how much earnings fell short of the protected earnings is made good before the
    order takes anything again.
    """
    kind, left = order["kind"], order["balance"] - taken
    missed = np.where(np.isin(kind, CARRIES), np.minimum(due_of(order) - taken, left), 0)
    short = np.maximum(order["protected_earnings"] + order["protected_arrears"] - met, 0)
    return missed, np.where(kind == PRIORITY, short, 0), left


def rules_for_loans(orders: Mapping[str, Column], net: Minor, t: Attachments) -> tuple[Column, Minor]:
    """Whether an order in force stops student loans; and the protected earnings loans must respect, by
    person.

    HMRC CSLM18015; Education (Student Loans) (Repayment) Regulations: those of the latest of the orders that
    come before loans and have any.
    """
    stops, protected = np.zeros_like(net), np.zeros_like(net)
    kind, payslip, in_force = orders["kind"], orders["payslip"], orders["balance"] > 0
    stops[payslip[in_force & np.isin(kind, STOPS_LOANS)]] = 1
    stated = orders["protected_earnings"]
    level = np.where(kind == PRIORITY, stated, protected_of(orders, net[payslip], t))
    has = in_force & np.isin(kind, CARRIES) & (level > 0)
    # The orders stand as they are dealt with, so a later one overwrites an earlier one.
    protected[payslip[has]] = level[has]
    return stops, protected


def fees(orders: Mapping[str, Column], taken: Minor, room: Minor, t: Attachments) -> Minor:
    """What the employer keeps for each deduction it may charge for, while anything is left."""
    wanted = ((orders["takes_fee"] == 1) & (taken > 0)).astype(np.int64)
    left = room[orders["payslip"]] - sum_before(wanted, orders["payslip"]) * t.courts.fee
    kept: Minor = wanted * np.clip(left, 0, t.courts.fee)
    return kept


def by_person(values: Minor, payslip: Column, people: int) -> Minor:
    """The sum of each person's orders."""
    total = np.zeros(people, dtype=np.int64)
    np.add.at(total, payslip, values)
    return total
