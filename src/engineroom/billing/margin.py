"""What is left of an hour: on-costs by the law of a day, and the floor that a client sets under its rates.

A rate below the floor is refused, wherever it is entered, until somebody who may approve bills has allowed
that very rate; whoever allowed it does not enter it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from uuid import UUID

from engineroom.billing.models import BelowFloor, MarginFloor
from engineroom.billing.solving import OnCostRates, Week, least_bill, week
from engineroom.foundation.commands import command
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.tenancy.scope import current_client_id, current_scope
from engineroom.kernel.errors import Conflict, EngineroomError, InputRefused, NotFound, Problem, reason_given
from engineroom.kernel.money import format_minor
from engineroom.kernel.rates import PPM, format_ppm, ppm
from engineroom.kernel.tables import DatedTable, NoTableForDate, Version, load_table
from engineroom.openitems.models import Counterparty
from engineroom.timesheets.rates import MAX_RATE, MINUTES_A_WEEK, Offer, register_check

GB = "engineroom.payroll.engine.gb"
CATEGORY = "A"
"""The standard category of National Insurance: what a quote is made by, before anybody is known."""


class NoOnCosts(EngineroomError):
    """Nobody has said what employing adds in that country."""

    status = 422


def on_costs_of(jurisdiction: str, day: date, *, with_levy: bool) -> tuple[OnCostRates, Sequence[Version]]:
    """What employing adds to a week's pay on a day, and the tables that say so. Raises NoOnCosts,
    NoTableForDate."""
    if jurisdiction not in ON_COSTS:
        raise NoOnCosts(f"what employing adds to pay in {jurisdiction.upper()} is not known")
    return ON_COSTS[jurisdiction](day, with_levy)


def _great_britain(day: date, with_levy: bool) -> tuple[OnCostRates, Sequence[Version]]:
    tables = [load_table(GB, name) for name in ("holiday", "ni_class1", "pension_auto_enrolment", "employer")]
    holiday, nic, pension, employer = versions = [_at(table, day) for table in tables]
    category = nic["categories"][CATEGORY]
    rates = OnCostRates(
        holiday_ppm=ppm(holiday["accrual_rate"]),
        nic_ppm=ppm(category["employer"]),
        nic_threshold=nic["thresholds"][category["employer_from"]]["weekly"] * 100,
        pension_ppm=ppm(pension["minimum_employer"]),
        pension_trigger=pension["trigger"]["weekly"] * 100,
        pension_lower=pension["qualifying_lower"]["weekly"] * 100,
        pension_upper=pension["qualifying_upper"]["weekly"] * 100,
        levy_ppm=ppm(employer["levy_rate"]) if with_levy else 0,
    )
    return rates, versions


def _at(table: DatedTable, day: date) -> Version:
    """A card may have begun before the first table that there is: that one says what it costs."""
    return table.at(max(day, table.versions[0].starts))


ON_COSTS: dict[str, Callable[[date, bool], tuple[OnCostRates, Sequence[Version]]]] = {"gb": _great_britain}


# --- the floor ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FloorSet:
    floor_id: UUID
    starts: date

    @property
    def subject(self) -> str:
        return f"margin_floor:{self.floor_id}"


@command("billing.approve")
def set_margin_floor(
    starts: date, floor_ppm: int, *, week_minutes: int = 40 * 60, with_levy: bool = False, reason: str
) -> FloorSet:
    """From a day on no rate is entered that leaves less of the bill, after the on-costs of a week of so many
    hours."""
    reason = reason_given(reason)
    problems = []
    if not 0 <= floor_ppm < PPM:
        problems.append(Problem(f"{format_ppm(floor_ppm)} is no floor", "Say 0% to 99%", field="floor"))
    if not 0 < week_minutes <= MINUTES_A_WEEK:
        problems.append(Problem("that is no week", "Say up to 168 hours", field="week_hours"))
    if problems:
        raise InputRefused(problems)
    rows = MarginFloor.objects.select_for_update().filter(client_id=current_client_id())
    later = rows.filter(starts__gte=starts).order_by("starts").first()
    if later is not None:
        raise Conflict(f"a floor begins on {later.starts} already: begin after it")
    rows.filter(ends__isnull=True).update(ends=starts - timedelta(days=1))
    made = MarginFloor.objects.create(
        client_id=current_client_id(),
        starts=starts,
        floor_ppm=floor_ppm,
        week_minutes=week_minutes,
        with_levy=with_levy,
        reason=reason,
        by_user_id=current_scope().user.id,
    )
    return FloorSet(made.id, starts)


def floors() -> list[MarginFloor]:
    """The latest first."""
    return list(MarginFloor.objects.filter(client_id=current_client_id()).order_by("-starts"))


def floor_on(day: date) -> MarginFloor | None:
    return next((f for f in floors() if f.starts <= day and (f.ends is None or day <= f.ends)), None)


@dataclass(frozen=True)
class Quote:
    """An hour's rates over a week, by the law and the floor of a day. floor_ppm: None where none is set."""

    week: Week
    rates: OnCostRates
    versions: Sequence[Version]
    floor_ppm: int | None
    least_bill: int | None

    @property
    def left_words(self) -> str:
        """What is left of the bill, as a percentage, towards minus infinity."""
        return format_ppm(self.week.after_ppm // 100 * 100)

    @property
    def below(self) -> bool:
        return self.floor_ppm is not None and not self.week.reaches(self.floor_ppm)


def quote(
    pay_rate: int,
    bill_rate: int,
    day: date,
    *,
    week_minutes: int | None = None,
    with_levy: bool | None = None,
) -> Quote:
    """What a week leaves. Hours and levy are the floor's where nothing else is said, else 40 and none."""
    floor = floor_on(day)
    minutes = week_minutes or (floor.week_minutes if floor else 40 * 60)
    levy = (floor.with_levy if floor else False) if with_levy is None else with_levy
    jurisdiction = Client.objects.values_list("jurisdiction", flat=True).get(id=current_client_id())
    rates, versions = on_costs_of(jurisdiction, day, with_levy=levy)
    floor_ppm = floor.floor_ppm if floor else None
    least = None if floor_ppm is None else least_bill(pay_rate, minutes, rates, floor_ppm)
    return Quote(week(pay_rate, bill_rate, minutes, rates), rates, versions, floor_ppm, least)


def below_floor(offers: Sequence[Offer]) -> list[list[Problem]]:
    """Why a rate is not entered: it leaves too little, and nobody else has allowed it."""
    if not floors():
        return [[] for _ in offers]
    allowed = _allowed()
    problems = cache(_below)  # of one pay, bill and day there are many people
    return [
        []
        if (o.customer, o.role, o.pay_rate, o.bill_rate) in allowed
        else [
            replace(p, remedy=f"{p.remedy}: {o.customer}, {o.role}, pays {format_minor(o.pay_rate)}")
            if p.field == "bill_rate"
            else p
            for p in problems(o.pay_rate, o.bill_rate, o.starts)
        ]
        for o in offers
    ]


def _below(pay_rate: int, bill_rate: int, day: date) -> tuple[Problem, ...]:
    if floor_on(day) is None:
        return ()
    try:
        found = quote(pay_rate, bill_rate, day)
    except (NoTableForDate, NoOnCosts) as error:
        return (Problem(str(error), "Begin on a day whose law is known", field="from_date"),)
    if not found.below:
        return ()
    assert found.floor_ppm is not None and found.least_bill is not None
    what = (
        f"{format_minor(bill_rate)} leaves {found.left_words} of it after on-costs, "
        f"and the floor is {format_ppm(found.floor_ppm)}"
    )
    remedy = f"Bill {format_minor(found.least_bill)} at least, or have somebody who approves bills allow it"
    return (Problem(what, remedy, field="bill_rate"),)


def _allowed() -> set[tuple[str, str, int, int]]:
    """What somebody else has allowed: customer, role, pay and bill."""
    rows = BelowFloor.objects.filter(client_id=current_client_id(), customer__kind="customer")
    others = rows.exclude(by_user_id=current_scope().user.id)
    return set(others.values_list("customer__code", "role", "pay_rate", "bill_rate"))


register_check(below_floor)


def allowed_below() -> list[BelowFloor]:
    """The latest first."""
    rows = BelowFloor.objects.filter(client_id=current_client_id()).select_related("customer")
    return list(rows.order_by("-id")[:200])


@dataclass(frozen=True)
class Allowed:
    below_floor_id: UUID

    @property
    def subject(self) -> str:
        return f"below_floor:{self.below_floor_id}"


@command("billing.approve")
def allow_below_floor(customer: str, role: str, pay_rate: int, bill_rate: int, *, reason: str) -> Allowed:
    """Let somebody else enter this very rate, though it is below the floor."""
    reason = reason_given(reason)
    of = Counterparty.objects.filter(client_id=current_client_id(), kind="customer", code=customer).first()
    if of is None:
        raise NotFound(f"there is no customer {customer!r}")
    if not (0 < pay_rate <= MAX_RATE and 0 < bill_rate <= MAX_RATE and role.strip()):
        raise InputRefused(
            [Problem("that is no rate of a role", "Say role, pay and bill", field="bill_rate")]
        )
    made = BelowFloor.objects.create(
        client_id=of.client_id,
        customer=of,
        role=role.strip()[:100],
        pay_rate=pay_rate,
        bill_rate=bill_rate,
        reason=reason,
        by_user_id=current_scope().user.id,
    )
    return Allowed(made.id)
