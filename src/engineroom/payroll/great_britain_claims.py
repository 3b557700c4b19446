"""Statutory Sick Pay as a run works it out from recorded sickness (SSCBA 1992 part XI), and the statutory
payments of parents from their recorded leave (parts XII to XIIZD).

Of parents a run pays the whole weeks of leave that end in its period. A week begins with the first day of a
stretch of leave; the weeks of a claim are counted through all its stretches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np

from engineroom.kernel.errors import Problem
from engineroom.kernel.money import format_minor
from engineroom.kernel.tables import NoTableForDate
from engineroom.payroll.engine.gb import average_earnings, parental_pay, sick_pay
from engineroom.payroll.engine.gb.gross_to_net import GbTables
from engineroom.payroll.engine.gb.pay_periods import MONTHS
from engineroom.payroll.engine.gb.sick_pay import EPOCH, day_number
from engineroom.payroll.engine.inputs import Inputs, NumberInput
from engineroom.payroll.engine.lines import UP_TO_PENNY, Line, money
from engineroom.payroll.engine.steps import Calculation, RowProblem
from engineroom.payroll.jurisdictions import Away, AwayByWeek, ClaimField, Found, StatutoryPaid

SSP = "ssp"
PARENTS = {
    "smp": "Statutory Maternity Pay",
    "sap": "Statutory Adoption Pay",
    "spp": "Statutory Paternity Pay",
    "shpp": "Statutory Shared Parental Pay",
    "spbp": "Statutory Parental Bereavement Pay",
    "sncp": "Statutory Neonatal Care Pay",
}
WEEK_DAYS = 7
PAYS = "statutory_parental_pay"
GIVEN = (*sick_pay.EARNINGS_INPUTS, "waiting_days_served", "days_paid_before")
FIGURES = ("days_sick", "waiting_days", "days_paid", "qualifying_days_per_week", "rate", "rate_over", "law")
"""Columns of the worksheet that say how an amount came about."""

FIELDS = (
    ClaimField("relevant_earnings", "Earnings of the relevant period", "pence", needed=True),
    ClaimField("relevant_periods", "Weeks or months in it", needed=True, hint="At least eight weeks."),
    ClaimField("paid_monthly", "Those are months", "flag"),
    ClaimField(
        "waiting_days_served", "Waiting days served before", hint="Of the linked sickness, elsewhere."
    ),
    ClaimField("days_paid_before", "Days paid before", hint="Of the linked sickness, elsewhere."),
    ClaimField("weeks_paid_before", "Weeks paid before", hint="Of parents' pay for this child, elsewhere."),
    ClaimField("weeks_of_service", "Weeks of service", hint="At the qualifying week; empty: long enough."),
    ClaimField(
        "lower_earnings_limit", "Lower earnings limit", "pence", hint="If another year's law applies."
    ),
)
OF_PARENTS = ("weeks_of_service", "lower_earnings_limit")
INPUTS = Inputs(
    {name: sick_pay.SPELLS.numbers[name] for name in GIVEN}
    | {name: parental_pay.WEEK.numbers[name] for name in OF_PARENTS}
    | {"weeks_paid_before": NumberInput("weeks", 52)}
)


@dataclass(frozen=True)
class GbClaims:
    """Sick pay of a person's stretches, by the average earnings of the first that are linked."""

    elements: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({SSP: "statutory_sick_pay", **dict.fromkeys(PARENTS, PAYS)})
    )
    labels: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({SSP: "Statutory Sick Pay", **PARENTS})
    )
    tables: tuple[str, ...] = ("sick_pay",)
    earned: str = "niable_pay"
    fields: tuple[ClaimField, ...] = FIELDS
    by_week: tuple[str, ...] = tuple(PARENTS)

    def find(self, first_day: date, frequency: str, paid: Sequence[tuple[date, int]]) -> Found | Problem:
        by_month = int(frequency in MONTHS)
        before = day_number(first_day - timedelta(days=1))
        done = average_earnings.relevant_period(
            {"until": np.array([before]), "paid_monthly": by_month},
            {
                "person": np.zeros(len(paid), dtype=np.int64),
                "payday": np.array([day_number(day) for day, _ in paid], dtype=np.int64),
                "pay": np.array([pay for _, pay in paid], dtype=np.int64),
            },
        )
        if done.problems:
            return _problem(done.problems[0], "sick pay")
        figures = {name: int(done.columns[name][0]) for name in sick_pay.EARNINGS_INPUTS}
        days = (int(done.columns[name][0]) for name in ("period_after", "period_until"))
        after, until = (EPOCH + timedelta(days=day) for day in days)
        return Found(figures, after + timedelta(days=1), until)

    def wrong(self, figures: Mapping[str, int]) -> list[Problem]:
        if unknown := sorted(figures.keys() - {f.name for f in FIELDS}):
            known = ", ".join(f.name for f in FIELDS)
            problem = f"statutory pay goes by no {unknown[0]!r}"
            return [Problem(problem, f"It goes by {known}", field=unknown[0])]
        if "relevant_earnings" not in figures:
            return [Problem("no earnings are given", "Give those of the period", field="relevant_earnings")]
        _, problems, _ = INPUTS.read({name: np.array([value]) for name, value in figures.items()})
        return [_problem(p, p.field) for p in problems]

    def pay(
        self, stretches: Sequence[Away], starts: date, ends: date, tables: GbTables
    ) -> tuple[dict[int, StatutoryPaid], list[tuple[int, Problem]]]:
        parts = [
            (i, first, last) for i, one in enumerate(stretches) for first, last in _cut(one, starts, ends)
        ]
        if not parts:
            return {}, []
        done = sick_pay.pay_for_sickness(_chunk(stretches, parts), tables)
        paid: dict[int, StatutoryPaid] = {}
        for place, row in enumerate(done.rows.tolist()):
            which, first, last = parts[row]
            if starts <= first and last <= ends:
                paid[which] = _added(paid.get(which), done, place)
        return paid, [(parts[p.row][0], _problem(p, "sick pay")) for p in done.problems]

    def pay_weeks(self, one: AwayByWeek, starts: date, ends: date) -> StatutoryPaid | Problem | None:
        due = [(no, first) for no, first in _weeks_of(one) if starts <= first + WEEK_LESS_A_DAY <= ends]
        if not due:
            return None
        names = (*sick_pay.EARNINGS_INPUTS, *OF_PARENTS)
        figures = {name: one.figures[name] for name in names if name in one.figures}
        paid = dict.fromkeys(OF_WEEKS, 0) | {"first_week": due[0][0], "days_paid": WEEK_DAYS * len(due)}
        for number, first in due:
            try:
                tables = parental_pay.WEEK.tables_at(first)
            except NoTableForDate as error:
                return Problem(str(error), "Pay that week by an item", field="statutory pay")
            numbers = {"week_no": min(number, MOST_WEEKS), **figures}
            columns = {name: np.array([value]) for name, value in numbers.items()}
            done = parental_pay.WEEK.calculate({"payment": one.payment, **columns}, tables)
            if done.problems:
                return _problem(done.problems[0], "statutory pay")
            at_earnings = number <= tables.parameters["parental_pay"].at_earnings[PAYMENTS.index(one.payment)]
            kind = "at_earnings" if at_earnings else "at_standard"
            amount = int(done.columns["payment_of_week"][0])
            paid[f"weeks_{kind}"] += int(amount > 0)
            paid[f"pence_{kind}"] += amount
            paid["weeks_unpaid"] += int(amount == 0)
        return StatutoryPaid(paid["pence_at_earnings"] + paid["pence_at_standard"], {**figures, **paid})

    def explain(self, payment: str, amount: int, figures: Mapping[str, int], tables: GbTables) -> list[Line]:
        if payment in PARENTS:
            return _of_parents(self.labels[payment], amount, figures)
        law = tables.versions.get("sick_pay")
        days, per_week = figures["days_paid"], figures["qualifying_days_per_week"]
        weekly = money(-(-figures["rate"] // figures["rate_over"]))
        sick, waiting = figures["days_sick"], figures["waiting_days"]
        lines = [
            Line("claims", "Days of sickness that count", sick, unit="days", rule=SSCBA, law=law),
            Line("claims", "Waiting days among them", waiting, unit="days", law=law),
        ]
        label = self.labels[payment]
        if not days:
            return [*lines, Line("claims", label, amount, note="no days to pay", rule=SSCBA, law=law)]
        note = f"a week is {weekly}; average earnings {_average(figures)} a week"
        of_a_week = f"{days} of {per_week} days of a week's {weekly}"
        return [*lines, Line("claims", label, amount, of_a_week, UP_TO_PENNY, note, SSCBA, law)]


SSCBA = "SSCBA 1992 s.151 to s.159"
OF_PARENTS_LAW = "SSCBA 1992 s.166 and what corresponds to it"
PAYMENTS = parental_pay.PAYMENTS
ONE_WEEK = {"paid_monthly": 0, "relevant_periods": 1}
MOST_WEEKS = 53
"""The worksheet's; no payment lasts so long."""
WEEK_LESS_A_DAY = timedelta(days=WEEK_DAYS - 1)
OF_WEEKS = (
    "first_week", "days_paid", "weeks_at_earnings", "pence_at_earnings", "weeks_at_standard",
    "pence_at_standard", "weeks_unpaid",
)  # fmt: skip


def _weeks_of(one: AwayByWeek) -> Iterator[tuple[int, date]]:
    """The whole weeks of a claim: their number, and their first day."""
    number = one.figures.get("weeks_paid_before", 0)
    for first, last in one.stretches:
        for week in range(((last - first).days + 1) // WEEK_DAYS):
            number += 1
            yield number, first + timedelta(days=WEEK_DAYS * week)


def _of_parents(label: str, amount: int, figures: Mapping[str, int]) -> list[Line]:
    """A line for each rate; the negative of a reversal says so itself."""
    average = f"average earnings {_average({**ONE_WEEK, **figures})} a week"
    at_earnings, at_standard = figures["weeks_at_earnings"], figures["weeks_at_standard"]
    lines = []
    if at_earnings:
        of = f"{at_earnings} at 90% of average earnings"
        pence = figures["pence_at_earnings"]
        lines.append(Line("claims", f"{label}, first weeks", pence, of, UP_TO_PENNY, average, OF_PARENTS_LAW))
    if at_standard:
        of = f"{at_standard} at the standard rate, or 90% of average earnings if that is less"
        pence = figures["pence_at_standard"]
        lines.append(Line("claims", f"{label}, weeks", pence, of, UP_TO_PENNY, average, OF_PARENTS_LAW))
    if figures["weeks_unpaid"]:
        note = f"not entitled, or beyond the weeks that it lasts; {average}"
        none = figures["weeks_unpaid"]
        lines.append(Line("claims", "Weeks without pay", none, unit="weeks", note=note, rule=OF_PARENTS_LAW))
    return lines if len(lines) == 1 else [*lines, Line("claims", label, amount, rule=OF_PARENTS_LAW)]


def _average(figures: Mapping[str, int]) -> str:
    earnings, weeks = figures["relevant_earnings"], figures["relevant_periods"]
    if figures["paid_monthly"]:
        return format_minor(earnings * 12 // (weeks * 52))
    return format_minor(earnings // weeks)


def _problem(found: RowProblem, about: str) -> Problem:
    return Problem(found.problem, found.remedy, field=about)


def _cut(one: Away, starts: date, ends: date) -> list[tuple[date, date]]:
    """A stretch before, in and after a period: parts without a day between them are one spell again."""
    day = timedelta(days=1)
    pieces = [
        (one.first, min(one.last, starts - day)),
        (max(one.first, starts), min(one.last, ends)),
        (max(one.first, ends + day), one.last),
    ]
    return [(first, last) for first, last in pieces if first <= last]


def _chunk(stretches: Sequence[Away], parts: Sequence[tuple[int, date, date]]) -> dict[str, Any]:
    rows = [stretches[i] for i, _, _ in parts]
    defaults = {name: sick_pay.SPELLS.numbers[name].default or 0 for name in GIVEN}
    return {
        "person": np.array([one.person for one in rows], dtype=np.int64),
        "first_day": np.array([day_number(first) for _, first, _ in parts], dtype=np.int64),
        "last_day": np.array([day_number(last) for _, _, last in parts], dtype=np.int64),
        "pattern": np.array([one.weekdays for one in rows], dtype=np.int64),
        **{
            name: np.array([one.figures.get(name, defaults[name]) for one in rows], dtype=np.int64)
            for name in GIVEN
        },
    }


def _added(before: StatutoryPaid | None, done: Calculation, place: int) -> StatutoryPaid:
    """A part's pay, with that of another part of the same stretch under an earlier version of the law."""
    figures = {name: int(done.columns[name][place]) for name in (*FIGURES, *sick_pay.EARNINGS_INPUTS)}
    amount = int(done.columns["sick_pay"][place])
    if before is None:
        return StatutoryPaid(amount, figures)
    days = {name: before.figures[name] + figures[name] for name in ("days_sick", "waiting_days", "days_paid")}
    return StatutoryPaid(before.amount + amount, figures | days)


GB_CLAIMS = GbClaims()
