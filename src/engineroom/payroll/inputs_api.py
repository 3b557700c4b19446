"""What runs are given, for programs: schedules, items, attachment orders, claims, a period's inputs."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from ninja import Schema

from engineroom.foundation.api import (
    Asked,
    Day,
    Name,
    Reason,
    ReasonAsked,
    Room,
    Text,
    hides,
    log_read,
)
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.vault.answers import file_of
from engineroom.payroll import (
    claims,
    cut_off,
    debts,
    items,
    orders,
    schedules,
    workbook_imports,
)
from engineroom.payroll.taken_off import TakenOff
from engineroom.payroll.workbook import XLSX

router = Room("payroll")


# --- schedules, items, recurring pay ----------------------------------------------------------------------


class PayPeriodOut(Schema):
    """A pay period. cut_off: the day on which its inputs close."""

    starts: date
    ends: date
    pay_date: date
    cut_off: date


class PayScheduleOut(Schema):
    """A pay schedule with the period of today and those that follow."""

    id: UUID
    code: str
    name: str
    frequency: str
    pay_rule: str
    pay_day: int
    cut_off_days: int
    proration: str
    ends: date | None
    periods: list[PayPeriodOut]


class PayScheduleAsked(Asked):
    """A schedule to add. anchor: the first day of any one of its periods."""

    code: Name
    name: Name
    frequency: Name
    anchor: Day
    pay_rule: Name
    pay_day: int = 0
    cut_off_days: int = 0
    proration: Name = "calendar_days"


class PlaceAsked(Asked):
    """Who is paid on it, from which day."""

    person_id: UUID
    starts: Day


class PayItemAsked(Asked):
    """An amount of an element, once. minutes: of the work that it pays. run_id: the run of another kind than
    regular that it is for."""

    person_id: UUID
    element: Name
    amount_minor: int
    minutes: int = 0
    period: Day
    reason: Reason
    run_id: UUID | None = None


class PayItemOut(Schema):
    """An item that waits for its run. amount_minor is absent where the role does not see pay."""

    id: UUID
    person_id: UUID
    payroll_number: str
    element: str
    amount_minor: int | None
    currency: str
    period: date
    reason: str
    source: str
    run_id: UUID | None


class RecurringPayOut(Schema):
    """Pay of every period. total_minor: it is over once paid_minor comes to it; null: on its last day.
    Amounts are absent where the role does not see pay."""

    id: UUID
    person_id: UUID
    payroll_number: str
    element: str
    amount_minor: int | None
    total_minor: int | None
    paid_minor: int | None
    currency: str
    starts: date
    ends: date | None
    reason: str


class RecurringAsked(Asked):
    """An amount of an element in every period that the days touch; with a total, until it is paid in all."""

    person_id: UUID
    element: Name
    amount_minor: int
    starts: Day
    ends: Day | None = None
    total_minor: int | None = None
    reason: Text = ""


class RecurringEndAsked(Asked):
    """The last day."""

    ends: Day


@router.read("/pay-schedules", list[PayScheduleOut], "Pay schedules with their next periods")
def pay_schedules(client: Client) -> list[PayScheduleOut]:
    """Every schedule, by code, with the periods from today's on."""
    today = timezone.now().date()
    return [
        PayScheduleOut(
            id=row.id,
            code=row.code,
            name=row.name,
            frequency=row.frequency,
            pay_rule=row.pay_rule,
            pay_day=row.pay_day,
            cut_off_days=row.cut_off_days,
            proration=row.proration,
            ends=row.ends,
            periods=[
                PayPeriodOut(starts=p.starts, ends=p.ends, pay_date=p.paid, cut_off=p.cut_off)
                for p in schedules.periods_from(row, today)
            ],
        )
        for row in schedules.pay_schedules()
    ]


@router.command("/pay-schedules", schedules.ScheduleAdded, "Add a pay schedule", permission="payroll.prepare")
def add_pay_schedule(client: Client, asked: PayScheduleAsked) -> schedules.ScheduleAdded:
    """Any frequency that the client's law has tables for."""
    return schedules.add_pay_schedule(
        asked.code,
        asked.name,
        frequency=asked.frequency,
        anchor=asked.anchor,
        pay_rule=asked.pay_rule,
        pay_day=asked.pay_day,
        cut_off_days=asked.cut_off_days,
        proration=asked.proration,
    )


@router.command(
    "/pay-schedules/{schedule}/people",
    schedules.PutOnSchedule,
    "Pay a person on a schedule",
    permission="payroll.prepare",
)
def put_on_schedule(client: Client, schedule: Name, asked: PlaceAsked) -> schedules.PutOnSchedule:
    """From a day on; the schedule they were on ends the day before."""
    return schedules.put_on_schedule(asked.person_id, schedule, starts=asked.starts)


@router.read("/pay-items", list[PayItemOut], "Items that wait for their run")
def pay_items(client: Client) -> list[PayItemOut]:
    """What no run has taken yet, by payroll number. The read is logged."""
    found = items.items_waiting()
    if found:
        log_read("pay_item", None, "items that wait", len(found))
    return [
        PayItemOut(
            id=row.id,
            person_id=row.person_id,
            payroll_number=row.person.payroll_number,
            element=row.element,
            amount_minor=None if hides("pay") else row.amount,
            currency=client.currency,
            period=row.period,
            reason=row.reason,
            source=row.source,
            run_id=row.run_id,
        )
        for row in found
    ]


@router.command("/pay-items", items.ItemAdded, "Add an item of pay", permission="payroll.prepare")
def add_pay_item(client: Client, asked: PayItemAsked) -> items.ItemAdded:
    """Taken once, by the regular run of its period or by the run that it is for."""
    return items.add_pay_item(
        asked.person_id,
        asked.element,
        asked.amount_minor,
        period=asked.period,
        reason=asked.reason,
        run_id=asked.run_id,
        source="api",
        minutes=asked.minutes,
    )


@router.command(
    "/pay-items/{item_id}/withdraw", items.ItemWithdrawn, "Withdraw an item", permission="payroll.prepare"
)
def withdraw_pay_item(client: Client, item_id: UUID, asked: ReasonAsked) -> items.ItemWithdrawn:
    """Before a run has taken it."""
    return items.withdraw_pay_item(item_id, reason=asked.reason)


@router.read("/recurring-pay", list[RecurringPayOut], "What is paid every period")
def recurring_pay(client: Client) -> list[RecurringPayOut]:
    """What is not over today, by payroll number. The read is logged."""
    found, hidden = items.recurring_pay(timezone.now().date()), hides("pay")
    if found:
        log_read("pay_item", None, "recurring pay", len(found))
    return [
        RecurringPayOut(
            id=one.row.id,
            person_id=one.row.person_id,
            payroll_number=one.row.person.payroll_number,
            element=one.row.element,
            amount_minor=None if hidden else one.row.amount,
            total_minor=None if hidden else one.row.total,
            paid_minor=None if hidden or one.row.total is None else one.paid,
            currency=client.currency,
            starts=one.row.starts,
            ends=one.row.ends,
            reason=one.row.reason,
        )
        for one in found
    ]


@router.command("/recurring-pay", items.RecurringAdded, "Add recurring pay", permission="payroll.prepare")
def add_recurring_pay(client: Client, asked: RecurringAsked) -> items.RecurringAdded:
    """Paid in every period of the person's schedule that the days touch."""
    return items.add_recurring_pay(
        asked.person_id,
        asked.element,
        asked.amount_minor,
        starts=asked.starts,
        ends=asked.ends,
        total=asked.total_minor,
        reason=asked.reason,
    )


@router.command(
    "/recurring-pay/{recurring_id}/end",
    items.RecurringEnded,
    "End recurring pay",
    permission="payroll.prepare",
)
def end_recurring_pay(client: Client, recurring_id: UUID, asked: RecurringEndAsked) -> items.RecurringEnded:
    """The last day on which it is paid."""
    return items.end_recurring_pay(recurring_id, ends=asked.ends)


# --- attachment orders ------------------------------------------------------------------------------------

StatedFigures = dict[Name, int | Text]


class PayOrderAsked(Asked):
    """An attachment order. stated: what it says, by name: minor units, 1 for yes, and choices as texts
    (GET /pay-orders/kinds lists them). creditor: the code of whom it pays; creditor_name: of a new one."""

    person_id: UUID
    kind: Name
    reference: Name
    creditor: Name
    creditor_name: Text = ""
    made_on: Day
    starts: Day
    ends: Day | None = None
    stated: StatedFigures = {}
    reason: Reason


class PayOrderVaried(Asked):
    """What an order states from a day on; what it missed and its balance go on."""

    starts: Day
    stated: StatedFigures
    reason: Reason


class PayOrderEndAsked(Asked):
    """The last day on which pay that is paid is taken from."""

    ends: Day
    reason: Reason


class PayOrderFieldOut(Schema):
    """Something that orders state. unit: pence (minor units), flag (0 or 1), or choice."""

    name: str
    label: str
    kinds: list[str]
    needed: bool
    unit: str
    choices: list[str]


class PayOrderKindsOut(Schema):
    """The kinds of attachment order of the client's country, by code, and what they state."""

    kinds: dict[str, str]
    fields: list[PayOrderFieldOut]


class PayOrderOut(Schema):
    """An order that is not over. Amounts are absent where the role does not see pay; balance_minor is null
    also where the order names no sum."""

    id: UUID
    person_id: UUID
    payroll_number: str
    kind: str
    reference: str
    creditor: str
    made_on: date
    starts: date
    ends: date | None
    stated: dict[str, int | str]
    taken_minor: int | None
    missed_minor: int | None
    balance_minor: int | None
    paydays: int
    currency: str


@router.read("/pay-orders/kinds", PayOrderKindsOut, "Kinds of attachment order, and what they state")
def pay_order_kinds(client: Client) -> PayOrderKindsOut:
    """Of the client's country."""
    rules = orders.order_rules()
    return PayOrderKindsOut(
        kinds=dict(rules.kinds),
        fields=[
            PayOrderFieldOut(
                name=f.name,
                label=f.label,
                kinds=sorted(f.kinds),
                needed=f.needed,
                unit=f.unit,
                choices=list(f.choices),
            )
            for f in rules.fields
        ],
    )


def _taken_off(row: TakenOff) -> dict[str, Any]:
    """Whose it is, what, and from when until when."""
    return {
        "id": row.id,
        "person_id": row.person_id,
        "payroll_number": row.person.payroll_number,
        "kind": row.kind,
        "reference": row.reference,
        "starts": row.starts,
        "ends": row.ends,
    }


@router.read("/pay-orders", list[PayOrderOut], "Attachment orders that are not over")
def pay_orders(client: Client) -> list[PayOrderOut]:
    """By payroll number, with what each took so far. The read is logged."""
    found, hidden = orders.pay_orders(timezone.now().date()), hides("pay")
    if found:
        log_read("pay_order", None, "attachment orders", len(found))
    return [
        PayOrderOut(
            **_taken_off(view.row),
            creditor=view.row.creditor.code,
            made_on=view.row.made_on,
            stated={} if hidden else view.row.stated,
            taken_minor=None if hidden else view.taken,
            missed_minor=None if hidden else view.arrears,
            balance_minor=None if hidden else view.balance,
            paydays=view.paydays,
            currency=client.currency,
        )
        for view in found
    ]


@router.command("/pay-orders", orders.OrderAdded, "Enter an attachment order", permission="payroll.prepare")
def add_pay_order(client: Client, asked: PayOrderAsked) -> orders.OrderAdded:
    """Every run takes it from then on, in the law's order."""
    said = orders.OrderSaid(
        asked.kind,
        asked.reference,
        asked.creditor,
        asked.made_on,
        asked.starts,
        dict(asked.stated),
        creditor_name=asked.creditor_name,
        ends=asked.ends,
    )
    return orders.add_pay_order(asked.person_id, said, reason=asked.reason)


@router.command(
    "/pay-orders/{order_id}/vary", orders.OrderAdded, "Vary an attachment order", permission="payroll.prepare"
)
def vary_pay_order(client: Client, order_id: UUID, asked: PayOrderVaried) -> orders.OrderAdded:
    """Other figures from a day on; what it missed and its balance go on."""
    return orders.vary_pay_order(
        order_id, starts=asked.starts, stated=dict(asked.stated), reason=asked.reason
    )


@router.command(
    "/pay-orders/{order_id}/end", orders.OrderEnded, "End an attachment order", permission="payroll.prepare"
)
def end_pay_order(client: Client, order_id: UUID, asked: PayOrderEndAsked) -> orders.OrderEnded:
    """It was discharged, or called off."""
    return orders.end_pay_order(order_id, ends=asked.ends, reason=asked.reason)


# --- debts ------------------------------------------------------------------------------------------------


class DebtAsked(Asked):
    """A debt of a person. kind: advance, loan or overpayment (pay to come back). instalment: of a pay period;
    leaves: net pay that is not gone below. Minor units."""

    person_id: UUID
    kind: Name
    reference: Name
    amount_minor: int
    instalment_minor: int
    leaves_minor: int = 0
    starts: Day
    reason: Reason


class DebtVaried(Asked):
    """What is taken from a day on; what is left of the debt goes on."""

    starts: Day
    instalment_minor: int
    leaves_minor: int = 0
    reason: Reason


class DebtEndAsked(Asked):
    """The last day on which pay that is paid is taken from."""

    ends: Day
    reason: Reason


class DebtOut(Schema):
    """A debt that is not over. Amounts are absent where the role does not see pay."""

    id: UUID
    person_id: UUID
    payroll_number: str
    kind: str
    reference: str
    starts: date
    ends: date | None
    amount_minor: int | None
    instalment_minor: int | None
    leaves_minor: int | None
    taken_minor: int | None
    left_minor: int | None
    currency: str


@router.read("/debts", list[DebtOut], "Debts that are not over")
def people_owe(client: Client) -> list[DebtOut]:
    """By payroll number, with what is left of each. The read is logged."""
    found, hidden = debts.debts(timezone.now().date()), hides("pay")
    if found:
        log_read("debt", None, "debts", len(found))
    return [
        DebtOut(
            **_taken_off(view.row),
            amount_minor=None if hidden else view.row.amount,
            instalment_minor=None if hidden else view.row.instalment,
            leaves_minor=None if hidden else view.row.leaves,
            taken_minor=None if hidden else view.taken,
            left_minor=None if hidden else view.left,
            currency=client.currency,
        )
        for view in found
    ]


@router.command("/debts", debts.DebtAdded, "Enter a debt of a person", permission="payroll.prepare")
def add_debt(client: Client, asked: DebtAsked) -> debts.DebtAdded:
    """Every payday takes an instalment off net pay from then on, until it is paid."""
    said = debts.DebtSaid(
        asked.kind,
        asked.reference,
        asked.amount_minor,
        asked.instalment_minor,
        asked.starts,
        asked.leaves_minor,
    )
    return debts.add_debt(asked.person_id, said, reason=asked.reason)


@router.command(
    "/debts/{debt_id}/vary",
    debts.DebtAdded,
    "Take another instalment",
    permission="payroll.prepare",
)
def vary_debt(client: Client, debt_id: UUID, asked: DebtVaried) -> debts.DebtAdded:
    """From a day on; what is left of the debt goes on."""
    return debts.vary_debt(
        debt_id,
        starts=asked.starts,
        instalment=asked.instalment_minor,
        leaves=asked.leaves_minor,
        reason=asked.reason,
    )


@router.command("/debts/{debt_id}/end", debts.DebtEnded, "End a debt", permission="payroll.prepare")
def end_debt(client: Client, debt_id: UUID, asked: DebtEndAsked) -> debts.DebtEnded:
    """It was paid otherwise, or let off."""
    return debts.end_debt(debt_id, ends=asked.ends, reason=asked.reason)


# --- statutory pay ----------------------------------------------------------------------------------------


class ClaimAsked(Asked):
    """What a statutory payment goes by. first_day: of the first of linked stretches. figures: by name; for
    sick pay relevant_earnings (minor units), relevant_periods (weeks or months), paid_monthly (1 or 0).
    paid_until: instead of earnings, the last day of the qualifying week, until which pay is looked at."""

    person_id: UUID
    payment: Name
    first_day: Day
    figures: dict[Name, int] = {}
    paid_until: Day | None = None
    reason: Reason


class ClaimOut(Schema):
    """A claim. Amounts are absent where the role does not see pay."""

    id: UUID
    person_id: UUID
    payroll_number: str
    payment: str
    first_day: date
    figures: dict[str, int]
    period_from: date | None
    period_until: date | None
    days_paid: int
    paid_minor: int | None
    currency: str


@router.read("/claims", list[ClaimOut], "Claims of statutory pay")
def statutory_claims(client: Client) -> list[ClaimOut]:
    """The latest first; none where the role does not see health. The read is logged."""
    found = [] if hides("health") else claims.claims()
    if found:
        log_read("claim", None, "claims of statutory pay", len(found))
    hidden = hides("pay")
    return [
        ClaimOut(
            id=view.row.id,
            person_id=view.row.person_id,
            payroll_number=view.row.person.payroll_number,
            payment=view.row.payment,
            first_day=view.row.first_day,
            figures={} if hidden else view.row.figures,
            period_from=view.row.period_from,
            period_until=view.row.period_until,
            days_paid=view.days,
            paid_minor=None if hidden else view.paid,
            currency=client.currency,
        )
        for view in found
    ]


@router.command(
    "/claims", claims.ClaimStated, "State what statutory pay goes by", permission="payroll.prepare"
)
def state_claim(client: Client, asked: ClaimAsked) -> claims.ClaimStated:
    """Where it cannot be found in what was paid here; what is stated last counts."""
    return claims.state_claim(
        asked.person_id,
        asked.payment,
        asked.first_day,
        dict(asked.figures),
        reason=asked.reason,
        paid_until=asked.paid_until,
    )


# --- a period's inputs ------------------------------------------------------------------------------------


class PeriodInputsOut(Schema):
    """A period's inputs. closes: the last day on which one is in time, null where all are until the release.
    let_in_because: why a lead let late ones in. late: items that came later and wait for the next period."""

    starts: date
    ends: date
    pay_date: date
    cut_off: date | None
    closes: date | None
    let_in_because: str
    state: Literal["open", "let in", "closed", "released"]
    people: int
    workbooks: int
    late: int


class LetInAsked(ReasonAsked):
    """until: the last day on which an input is in time."""

    until: Day


@router.read("/pay-schedules/{schedule}/periods/{pay_date}", PeriodInputsOut, "Inputs of a period")
def period_inputs(client: Client, schedule: Name, pay_date: Day) -> PeriodInputsOut:
    """Whether inputs of the period that is paid on the day are in time, and what came of workbooks."""
    row = schedules.find_schedule(schedule)
    period = schedules.paid_on(row, pay_date)
    found = cut_off.cut_off_of(row, period)
    return PeriodInputsOut(
        starts=period.starts,
        ends=period.ends,
        pay_date=period.paid,
        cut_off=found.day,
        closes=found.closes,
        let_in_because=found.moved.reason if found.moved else "",
        state=found.state,
        people=len(workbook_imports.of_period(row, period).people),
        workbooks=len(workbook_imports.workbooks_taken(row, period)),
        late=cut_off.items_too_late(row, period, found.closes),
    )


@router.read(
    "/pay-schedules/{schedule}/periods/{pay_date}/workbook",
    None,
    "The workbook of a period",
    media=XLSX,
)
def period_workbook(client: Client, schedule: Name, pay_date: Day) -> HttpResponse:
    """Filled in, it is previewed and taken as an import of the kind `workbook`. The read is logged."""
    name, content, people = workbook_imports.workbook_of(schedule, pay_date)
    log_read("pay_schedule", schedules.find_schedule(schedule).id, "workbook of inputs", people)
    return file_of(content, name, XLSX)


@router.command(
    "/pay-schedules/{schedule}/periods/{pay_date}/let-in",
    cut_off.CutOffLifted,
    "Let late inputs of a period in",
    permission="foundation.prepare",
)
def let_late_inputs_in(
    client: Client, schedule: Name, pay_date: Day, asked: LetInAsked
) -> cut_off.CutOffLifted:
    """Though the cut-off is over; a lead says so, and the reason stays."""
    return cut_off.let_late_inputs_in(schedule, pay_date, until=asked.until, reason=asked.reason)
