"""What an employee's or a worker's own program may ask: their details, hours, payslips. Nobody else's.

Who they are is what their login at the client says, never what an address says.
"""

from __future__ import annotations

from datetime import date, time
from uuid import UUID

from django.http import HttpResponse
from ninja import Query, Schema

from engineroom.foundation import duties
from engineroom.foundation.api import Asked, Page, PageAsked, Room, cut_list, log_read
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.vault.answers import file_answer
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import NotFound
from engineroom.payroll import papers, selectors
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.own import MySlip, Week, my_slips, my_weeks
from engineroom.people import own
from engineroom.people.models import Person
from engineroom.timesheets import entered, entering
from engineroom.timesheets.entered_api import EnteredWeekOut, WeekKeptOut, week_out

router = Room("me")


class OwnAccountOut(Schema):
    """Where somebody is paid, as they recognise it: dots and the last digits."""

    starts: date
    ends: date | None
    account_name: str
    account: str


class OwnEmploymentOut(Schema):
    """From when to when."""

    starts: date
    ends: date | None


class OwnDetailsOut(Schema):
    """Who I am at this employer."""

    payroll_number: str
    name: str
    employments: list[OwnEmploymentOut]
    accounts: list[OwnAccountOut]


class OwnWorkedOut(Schema):
    """Hours of one kind at one customer. run and paid_on are null until what pays them is released."""

    customer: str
    role: str
    kind: str
    minutes: int
    rate_minor: int
    amount_minor: int
    run: int | None
    paid_on: date | None


class OwnWeekOut(Schema):
    """A week of mine. paid_on is null while a part of it is not paid."""

    week_ending: date
    minutes: int
    amount_minor: int
    currency: str
    paid_on: date | None
    lines: list[OwnWorkedOut]


class OwnPayslipOut(Schema):
    """A payslip of mine; runs that are not released are not there."""

    id: UUID
    run: int
    pay_date: date
    period_starts: date
    period_ends: date
    tax_code: str
    ni_category: str
    gross_minor: int
    net_pay_minor: int
    currency: str
    has_pdf: bool


class OwnFigureOut(Schema):
    """One figure; unit is minor (of the currency) or minutes."""

    code: str
    label: str
    kind: str
    unit: str
    amount: int


class OwnPayslipDetailOut(OwnPayslipOut):
    """A payslip with every figure, and how each was calculated, line by line, from the run's own trace."""

    figures: list[OwnFigureOut]
    explanation: list[str]


class OwnPlacementWeekOut(Schema):
    """A week of one of my placements that I may enter. state: empty where nothing is entered; `taken` where
    the hours came in otherwise."""

    assignment_id: UUID
    assignment: str
    customer: str
    role: str
    week_ending: date
    state: str
    minutes: int


class OwnMadeOut(Schema):
    """What a part of a day comes to, before tax."""

    day: date
    kind: str
    minutes: int
    rate_minor: int
    amount_minor: int


class OwnEnteredWeekOut(EnteredWeekOut):
    """A week of mine, and what the rules make of it: a preview."""

    made: list[OwnMadeOut]
    currency: str


class OwnDayAsked(Asked):
    """A day: start and end with the break in minutes, or its minutes alone."""

    day: date
    minutes: int | None = None
    starts: time | None = None
    ends: time | None = None
    break_minutes: int = 0
    note: str = ""


class OwnWeekAsked(Asked):
    """All days of the week at this placement: what is not said is not worked."""

    assignment_id: UUID
    week_ending: date
    days: list[OwnDayAsked]


class OwnWeekSendAsked(Asked):
    """content: what stood in the week when you looked."""

    content: str


def _myself() -> Person:
    person = own.myself()
    if person is None:
        raise NotFound("your login is nobody at this client; ask your employer to link it to you")
    return person


@router.own("/me", OwnDetailsOut, "Who I am here")
def details(client: Client) -> OwnDetailsOut:
    """My name and number, since when, and where I am paid. The read is logged."""
    person = _myself()
    log_read("own_pay", person.counterparty_id, "own details")
    return OwnDetailsOut(
        payroll_number=person.payroll_number,
        name=person.name,
        employments=[OwnEmploymentOut(starts=e.starts, ends=e.ends) for e in own.my_employments(person)],
        accounts=[
            OwnAccountOut(starts=a.starts, ends=a.ends, account_name=a.account_name, account=a.account)
            for a in own.my_accounts(person)
        ],
    )


@router.own("/me/weeks", Page[OwnWeekOut], "My hours, by week")
def weeks(client: Client, page: Query[PageAsked]) -> Page[OwnWeekOut]:
    """Every week with hours, oldest first, and what each hour pays. The read is logged."""
    person = _myself()
    nobody = UUID(int=0)
    found, onward = cut_list(my_weeks(person), page, by=lambda w: (w.week_ending.isoformat(), nobody))
    log_read("own_pay", person.counterparty_id, "own hours", len(found))
    return Page(items=[_week(client, week) for week in found], next=onward)


def _week(client: Client, week: Week) -> OwnWeekOut:
    return OwnWeekOut(
        week_ending=week.week_ending,
        minutes=week.minutes,
        amount_minor=week.amount,
        currency=client.currency,
        paid_on=week.paid_on,
        lines=[
            OwnWorkedOut(
                customer=line.customer,
                role=line.role,
                kind=line.kind,
                minutes=line.minutes,
                rate_minor=line.rate,
                amount_minor=line.amount,
                run=line.run,
                paid_on=line.paid_on,
            )
            for line in week.lines
        ],
    )


@router.own("/me/payslips", Page[OwnPayslipOut], "My payslips")
def payslips(client: Client, page: Query[PageAsked]) -> Page[OwnPayslipOut]:
    """Payslips of released runs, oldest first. The read is logged."""
    person = _myself()
    found, onward = cut_list(my_slips(person), page, by=lambda s: (f"{s.pay_date} {s.run:010}", s.id))
    log_read("own_pay", person.counterparty_id, "own payslips", len(found))
    return Page(items=[_slip(client, slip) for slip in found], next=onward)


def _slip(client: Client, slip: MySlip) -> OwnPayslipOut:
    return OwnPayslipOut(
        id=slip.id,
        run=slip.run,
        pay_date=slip.pay_date,
        period_starts=slip.period_starts,
        period_ends=slip.period_ends,
        tax_code=slip.tax_code,
        ni_category=slip.ni_category,
        gross_minor=slip.figures["gross"],
        net_pay_minor=slip.figures["net_pay"],
        currency=client.currency,
        has_pdf=slip.has_pdf,
    )


def _one(payslip_id: UUID) -> MySlip:
    found = my_slips(_myself(), payslip_id)
    if not found:
        raise NotFound(f"you have no payslip {payslip_id} here")
    return found[0]


@router.own("/me/payslips/{payslip_id}", OwnPayslipDetailOut, "My payslip, and why")
def payslip(client: Client, payslip_id: UUID) -> OwnPayslipDetailOut:
    """Every figure and how it came about, from what the run itself kept. The read is logged."""
    slip = _one(payslip_id)
    log_read("payslip", slip.id, "own payslip")
    return OwnPayslipDetailOut(
        **_slip(client, slip).dict(),
        figures=[
            OwnFigureOut(
                code=e.code,
                label=e.label,
                kind=e.kind,
                unit="minor" if e.unit == "pence" else "minutes",
                amount=slip.figures[e.code],
            )
            for e in jurisdiction(slip.jurisdiction).elements
            if e.code in slip.figures
        ],
        explanation=selectors.explanation(slip.id),
    )


@router.own("/me/payslips/{payslip_id}/pdf", None, "My payslip as PDF", media="application/pdf")
def payslip_pdf(client: Client, payslip_id: UUID) -> HttpResponse:
    """The paper as issued. The read is logged."""
    slip = _one(payslip_id)
    file = VaultFile.objects.filter(client_id=client.id, kind=papers.KIND, subject_id=slip.id).first()
    if file is None:
        raise NotFound("this payslip is not printed yet")
    log_read("payslip", slip.id, "own payslip as PDF")
    return file_answer(file)


@router.own("/me/placement-weeks", Page[OwnPlacementWeekOut], "Weeks that I may enter hours for")
def placement_weeks(client: Client, page: Query[PageAsked]) -> Page[OwnPlacementWeekOut]:
    """This week and those before that may still be entered, for each placement."""
    rows = entered.my_weeks(_myself().counterparty_id, duties.today())
    found, onward = cut_list(rows, page, by=lambda r: (r.week_ending.isoformat(), r.assignment_id))
    return Page(
        items=[
            OwnPlacementWeekOut(
                assignment_id=row.assignment_id,
                assignment=row.code,
                customer=row.customer,
                role=row.role,
                week_ending=row.week_ending,
                state=row.state,
                minutes=row.minutes,
            )
            for row in found
        ],
        next=onward,
    )


@router.own("/me/entered-weeks", Page[OwnEnteredWeekOut], "Weeks as I entered them, with what they make")
def entered_weeks(client: Client, page: Query[PageAsked]) -> Page[OwnEnteredWeekOut]:
    """Drafts, and what was sent. The read is logged."""
    person = _myself()
    rows = entered.mine(person.counterparty_id)
    found, onward = cut_list(rows, page, by=lambda w: (w.week_ending.isoformat(), w.id))
    log_read("own_time", person.counterparty_id, "own entered weeks", len(found))
    return Page(
        items=[
            OwnEnteredWeekOut(
                **week_out(view).dict(),
                currency=client.currency,
                made=[
                    OwnMadeOut(
                        day=m.day, kind=m.kind, minutes=m.minutes, rate_minor=m.rate, amount_minor=m.amount
                    )
                    for m in entered.made_of(view.assignment_id, view.days)
                ],
            )
            for view in found
        ],
        next=onward,
    )


@router.command(
    "/me/entered-weeks", WeekKeptOut, "Keep a week of mine as a draft", permission="timesheets.own"
)
def save_week(client: Client, asked: OwnWeekAsked) -> WeekKeptOut:
    """Nothing is sent by it; what was kept before is replaced."""
    said = [entering.DaySaid(**day.dict()) for day in asked.days]
    return WeekKeptOut.of(entering.save_week(asked.assignment_id, asked.week_ending, said))


@router.command(
    "/me/entered-weeks/{week_id}/send", WeekKeptOut, "Send a week of mine", permission="timesheets.own"
)
def send_week(client: Client, week_id: UUID, asked: OwnWeekSendAsked) -> WeekKeptOut:
    """Exactly what you looked at."""
    return WeekKeptOut.of(entering.send_week(week_id, content=asked.content))


@router.command(
    "/me/entered-weeks/{week_id}/take-back",
    WeekKeptOut,
    "Take a sent week of mine back",
    permission="timesheets.own",
)
def take_back_week(client: Client, week_id: UUID) -> WeekKeptOut:
    """As long as it was not put to the customer."""
    return WeekKeptOut.of(entering.take_back_week(week_id))
