"""Leave: who is away, what waits for a decision, one person's leave, the kinds; and somebody's own."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation import vault
from engineroom.foundation.vault.answers import file_answer
from engineroom.kernel.errors import InputRefused, NotFound, Problem
from engineroom.kernel.rates import ppm
from engineroom.leave import entitling, selectors, services
from engineroom.leave.models import Booking, Evidence, LeaveKind
from engineroom.people import own
from engineroom.people.models import Person
from engineroom.people.selectors import named_person
from engineroom.ui.display import format_duration
from engineroom.ui.fields import DayField, Group, GroupedForm, LineField
from engineroom.ui.pages import (
    Done,
    NavigationEntry,
    PageRequest,
    action,
    filled_in,
    form_of,
    page,
    reason_given,
)

app_name = "leave"

SEES = ("firm", "client")
MINE = ("self", "work")

NAVIGATION = [
    NavigationEntry("Leave", "leave:calendar", "leave.read", key="z", order=215, faces=("firm",)),
]

STATES = {
    "asked": ("wait", "Asked for"),
    "approved": ("done", "Stands"),
    "refused": ("void", "Refused"),
    "withdrawn": ("void", "Withdrawn"),
    "cancelled": ("void", "Cancelled"),
}
HIDDEN = "●"
"""In the month, for a kind that is not said."""
LARGEST_NOTE = 20 * 1024 * 1024


# --- forms ------------------------------------------------------------------------------------------------

HALVES = [("", "Whole days"), ("from_noon", "First day from noon"), ("until_noon", "Last day until noon")]


class Asking(GroupedForm):
    """A stretch of leave. hours: of one day, instead of whole or half days."""

    kind = forms.ChoiceField()
    starts = DayField(label="First day")
    ends = DayField(label="Last day", help_text="Inclusive.")
    half = forms.ChoiceField(choices=HALVES, required=False, label="Half days")
    hours = forms.DecimalField(
        required=False, min_value=0, max_value=24, decimal_places=2, help_text="Of one day, instead of days."
    )

    def __init__(self, *args: Any, kinds: Sequence[LeaveKind], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(str(kind.id), kind.label) for kind in kinds]  # type: ignore[attr-defined]


class Recording(Asking):
    """Leave of somebody: as it was agreed, or as a request that another person decides."""

    number = LineField(label="Payroll number", max_length=20)
    waits = forms.BooleanField(required=False, label="Another person decides of it")
    field_order = ("number",)


class Proving(GroupedForm):
    what = forms.ChoiceField(choices=list(services.EVIDENCE.items()))
    covers_from = DayField(label="From")
    covers_until = DayField(label="Until")
    file = forms.FileField(required=False, help_text="Kept sealed in the vault.")


class Changing(GroupedForm):
    kind = forms.ChoiceField()
    day = DayField(label="As at")
    hours = forms.DecimalField(decimal_places=2, help_text="With a minus to take them.")
    reason = LineField(max_length=300)

    def __init__(self, *args: Any, kinds: Sequence[LeaveKind], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(str(kind.id), kind.label) for kind in kinds]  # type: ignore[attr-defined]


class Entitling(GroupedForm):
    groups = (
        Group("To what, from when, for whom", ["kind", "starts", "number"]),
        Group("How much, and how it comes", ["weeks", "most_days", "year_month", "accrual"]),
        Group("What goes over to the next year", ["carry_weeks", "carry_months"]),
    )

    kind = forms.ChoiceField()
    starts = DayField(label="From")
    weeks = forms.DecimalField(min_value=0, max_value=53, decimal_places=4, label="Weeks a year")
    most_days = forms.IntegerField(min_value=0, max_value=366, initial=0, help_text="0: no limit.")
    year_month = forms.IntegerField(min_value=1, max_value=12, initial=1, label="Leave year begins in month")
    accrual = forms.ChoiceField(
        choices=[
            ("front", "All on the first day"),
            ("monthly", "A twelfth each month"),
            ("hours", "By hours worked"),
        ]
    )
    carry_weeks = forms.DecimalField(min_value=0, max_value=106, decimal_places=4, initial=0)
    carry_months = forms.IntegerField(
        min_value=0, max_value=24, initial=0, label="Months to use it", help_text="0: no last day."
    )
    number = LineField(required=False, max_length=20, label="For one person", help_text="Payroll number.")

    def __init__(self, *args: Any, kinds: Sequence[LeaveKind], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(str(kind.id), kind.label) for kind in kinds]  # type: ignore[attr-defined]


class YearOf(GroupedForm):
    kind = forms.ChoiceField()
    day = DayField(label="A day of the leave year")
    what = forms.ChoiceField(
        choices=[("grant", "Give what it gives"), ("close", "Close it"), ("lapse", "Let carried leave lapse")]
    )

    def __init__(self, *args: Any, kinds: Sequence[LeaveKind], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(str(kind.id), kind.label) for kind in kinds]  # type: ignore[attr-defined]


def stretch_of(values: dict[str, Any]) -> services.Stretch:
    hours = values["hours"]
    minutes = int(hours * 60) if hours else None
    half = values["half"]
    return services.Stretch(
        values["starts"], values["ends"], half == "from_noon", half == "until_noon", minutes
    )


# --- what a row says --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A booking as it is shown: what of, how much, how it stands."""

    booking: Booking
    label: str
    amount: str
    state: tuple[str, str]
    note: str = ""
    evidence: Sequence[Evidence] = ()
    may_decide: bool = False
    may_cancel: bool = False
    may_withdraw: bool = False
    before: str = ""
    after: str = ""
    """What is available without this request, and with it."""

    @property
    def anchor(self) -> str:
        return self.booking.id.hex

    @property
    def reason_field(self) -> str:
        return f"id_why_{self.anchor}"

    @property
    def cancel_field(self) -> str:
        return f"id_cancel_{self.anchor}"


def label_of(kind: LeaveKind, masked: Iterable[str]) -> str:
    """Away, where the kind alone would say something about somebody's health."""
    return "Away" if kind.private and "health" in masked else kind.label


def _rows(request: PageRequest, bookings: Sequence[Booking], masked: Iterable[str]) -> list[Row]:
    ids = [row.id for row in bookings]
    decided, shown = selectors.decisions_of(ids), selectors.evidence_of(ids)
    may, keeps = request.may("leave.approve"), request.may("leave.prepare")
    today = timezone.now().date()
    me = request.identity.id
    return [
        Row(
            row,
            label_of(row.kind, masked),
            format_duration(row.minutes),
            STATES[row.state],
            "; ".join(d.reason for d in decided[row.id] if d.reason),
            () if row.kind.private and "health" in masked else shown[row.id],
            may and row.state == "asked" and me not in (row.asked_by_id, row.on_behalf_id),
            keeps and row.state in selectors.STANDING,
            row.asked_by_id == me
            and (row.state == "asked" or (row.state == "approved" and row.starts > today)),
        )
        for row in bookings
    ]


@dataclass(frozen=True)
class BalanceRow:
    """A balance in the unit of its kind, with the other view of what is left."""

    balance: selectors.Balance
    given: str
    taken: str
    left: str
    booked: str
    asked: str
    available: str
    other: str


def balance_rows(person_id: UUID, today: date) -> list[BalanceRow]:
    return [_balance_row(one) for one in selectors.balances_of(person_id, today)]


def _balance_row(one: selectors.Balance) -> BalanceRow:
    def said(minutes: int) -> str:
        return amount_of(one, minutes, one.kind.unit)

    return BalanceRow(
        one,
        said(one.given),
        said(one.taken),
        said(one.left),
        said(one.booked),
        said(one.asked),
        said(one.available),
        amount_of(one, one.available, "hours" if one.kind.unit == "days" else "days"),
    )


def amount_of(balance: selectors.Balance, minutes: int, unit: str) -> str:
    """Minutes as days of the person's own week, or as hours; hours too for whoever has no days."""
    hundredths = balance.days(minutes) if unit == "days" else None
    if hundredths is None:
        return format_duration(minutes)
    sign = "-" if hundredths < 0 else ""
    whole, rest = divmod(abs(hundredths), 100)
    text = f"{sign}{whole}" + (f".{rest:02d}".rstrip("0") if rest else "")
    return f"{text} {'day' if abs(hundredths) == 100 else 'days'}"


# --- who is away ------------------------------------------------------------------------------------------


def _weighed(row: Row) -> Row:
    """A request with what its person has before it and after it, of a kind that is counted."""
    if not row.booking.kind.entitles:
        return row
    found = selectors.balance(row.booking.person_id, row.booking.kind, row.booking.starts)
    unit = row.booking.kind.unit
    return replace(
        row,
        before=amount_of(found, found.available + row.booking.minutes, unit),
        after=amount_of(found, found.available, unit),
    )


def _month(request: PageRequest) -> date:
    """The month asked for; this one, where none or nonsense is."""
    try:
        year, month = (int(part) for part in request.GET.get("month", "").split("-"))
        return date(year, month, 1) if 2000 <= year < 2199 else _this_month()
    except ValueError:
        return _this_month()


def _this_month() -> date:
    return timezone.now().date().replace(day=1)


@dataclass(frozen=True)
class Cell:
    """A day of somebody in the month: a mark, and the words behind it."""

    mark: str = ""
    words: str = ""
    asked: bool = False


@page("leave.read", faces=SEES)
def calendar(request: PageRequest, client: str) -> HttpResponse:
    """Who is away in a month, and what waits for a decision."""
    first = _month(request)
    last = first.replace(day=monthrange(first.year, first.month)[1])
    days = [first + timedelta(days=n) for n in range(last.day)]
    kinds = selectors.kinds(first)
    context = {
        "first": first,
        "days": days,
        "rows": [
            (away.person, [_cell(away, day, request.masked) for day in days])
            for away in selectors.who_is_away(first, last)
        ],
        "requests": [_weighed(row) for row in _rows(request, selectors.requests(), request.masked)],
        "previous_url": f"?month={first - timedelta(days=1):%Y-%m}",
        "next_url": f"?month={last + timedelta(days=1):%Y-%m}",
        "kinds": kinds,
        "form": form_of(request, Recording(kinds=kinds)) if request.may("leave.prepare") and kinds else None,
    }
    return render(request, "leave/calendar.html", context)


def _cell(away: selectors.Away, day: date, masked: Iterable[str]) -> Cell:
    found = away.days.get(day)
    if found is None:
        return Cell()
    booking, part = found
    label = label_of(booking.kind, masked)
    words = label if part == 100 else f"{label}, part of the day"
    asked = booking.state == "asked"
    letter = label[:1] if label == booking.kind.label else HIDDEN
    mark = letter if part == 100 else f"{letter}½"
    return Cell(mark.lower() if asked else mark, f"{words}{', asked for' if asked else ''}", asked)


# --- one person -------------------------------------------------------------------------------------------


@page("leave.read", faces=SEES, reads="leave")
def person(request: PageRequest, client: str, number: str) -> HttpResponse:
    """One person: what is left, and every booking with what was decided of it."""
    found = named_person(number)
    request.reading(found.counterparty_id)
    today = timezone.now().date()
    entitled = [kind for kind in selectors.kinds(today) if kind.entitles]
    keeps = request.may("leave.prepare")
    bookings = selectors.bookings_of(found.counterparty_id)
    context = {
        "person": found,
        "balances": balance_rows(found.counterparty_id, today),
        "rows": _rows(request, bookings, request.masked),
        "sick": next((b for b in bookings if b.kind.spells and b.state == "approved"), None),
        "keeps": keeps,
        "adjusting": form_of(request, Changing(kinds=entitled, initial={"day": today}))
        if keeps and entitled
        else None,
        "proving": form_of(request, Proving()) if keeps and "health" not in request.masked else None,
    }
    return render(request, "leave/person.html", context)


@page("leave.read", reads="leave_evidence", faces=SEES)
def evidence_file(request: PageRequest, client: str, evidence_id: UUID) -> HttpResponse:
    """A certificate as it was kept; not for roles that see no health data."""
    row = Evidence.objects.filter(id=evidence_id).select_related("file", "booking__kind").first()
    if row is None or row.file is None or row.client_id != request.client.id:  # type: ignore[union-attr]
        raise Http404
    if row.booking.kind.private and "health" in request.masked:
        raise Http404
    request.reading(row.booking_id)
    return file_answer(row.file)


# --- kinds ------------------------------------------------------------------------------------------------


@page("leave.read", faces=SEES)
def kinds(request: PageRequest, client: str) -> HttpResponse:
    """The kinds of leave, what they entitle to, and the leave year."""
    today = timezone.now().date()
    found = selectors.kinds(today)
    entitled = [kind for kind in found if kind.entitles]
    context = {
        "kinds": found,
        "policies": selectors.policies(today),
        "keeps": request.may("leave.prepare"),
        "entitling": form_of(request, Entitling(kinds=entitled, prefix="rule")),
        "year": form_of(request, YearOf(kinds=entitled, prefix="year", initial={"day": today})),
        "entitled": entitled,
    }
    return render(request, "leave/kinds.html", context)


# --- one's own --------------------------------------------------------------------------------------------


def _myself() -> Person:
    found = own.myself()
    if found is None:
        raise Http404
    return found


@page(None, faces=MINE, reads="own_leave")
def mine(request: PageRequest, client: str) -> HttpResponse:
    """What I have left, what I asked for, and the form to ask."""
    me = _myself()
    request.reading(me.counterparty_id)
    today = timezone.now().date()
    askable = [kind for kind in selectors.kinds(today) if kind.own]
    context = {
        "person": me,
        "balances": balance_rows(me.counterparty_id, today),
        "rows": _rows(request, selectors.bookings_of(me.counterparty_id), ()),
        "form": form_of(request, Asking(kinds=askable)) if askable else None,
    }
    return render(request, "leave/mine.html", context)


# --- buttons ----------------------------------------------------------------------------------------------


@action("leave.own", faces=MINE)
def ask(request: PageRequest, client: str) -> str:
    values = filled_in(Asking(request.POST, kinds=[k for k in selectors.kinds() if k.own]))
    done = services.ask(UUID(values["kind"]), stretch_of(values), key=request.key)  # type: ignore[call-arg]
    took = format_duration(done.minutes)
    return f"Asked for: {took}. It waits for a decision." if done.state == "asked" else f"Recorded: {took}."


@action("leave.own", faces=MINE)
def withdraw(request: PageRequest, client: str, booking_id: UUID) -> str:
    services.withdraw(booking_id, key=request.key)  # type: ignore[call-arg]
    return "It is taken back."


@action("leave.prepare", faces=SEES)
def record(request: PageRequest, client: str) -> Done:
    values = filled_in(Recording(request.POST, kinds=selectors.kinds()))
    found = named_person(values["number"])
    verb = services.ask_for if values["waits"] else services.record
    done = verb(found.counterparty_id, UUID(values["kind"]), stretch_of(values), key=request.key)  # type: ignore[call-arg]
    said = "is asked for" if values["waits"] else "is recorded"
    to = reverse("leave:person", args=[client, found.payroll_number])
    return Done(f"{format_duration(done.minutes)} of {found.name} {said}.", to=to)


@action("leave.approve", faces=SEES)
def approve(request: PageRequest, client: str, booking_id: UUID) -> str:
    services.approve(booking_id, key=request.key)  # type: ignore[call-arg]
    return "The leave is approved."


@action("leave.approve", faces=SEES)
def refuse(request: PageRequest, client: str, booking_id: UUID) -> str:
    services.refuse(booking_id, reason=reason_given(request, ""), key=request.key)  # type: ignore[call-arg]
    return "The leave is refused; whoever asked reads why."


@action("leave.prepare", faces=SEES)
def cancel(request: PageRequest, client: str, booking_id: UUID) -> str:
    services.cancel(booking_id, reason=reason_given(request, ""), key=request.key)  # type: ignore[call-arg]
    return "The leave is cancelled and its days are given back."


@action("leave.prepare", faces=SEES)
def prove(request: PageRequest, client: str, booking_id: UUID) -> str:
    values = filled_in(Proving(request.POST, request.FILES))
    row = selectors.booking(booking_id)
    if row is None:
        raise NotFound(f"there is no leave {booking_id}")
    upload, file_id = values["file"], None
    if upload:
        if upload.size > LARGEST_NOTE:
            remedy = "Scan it smaller, as a PDF"
            raise InputRefused([Problem("the file has more than 20 MB", remedy, field="file")])
        kept = vault.store(
            upload.read(), name=upload.name, kind="leave.evidence",
            media_type=upload.content_type or "application/octet-stream", subject_id=row.id,
        )  # fmt: skip
        file_id = kept.id
    services.add_evidence(
        booking_id,
        values["what"],
        values["covers_from"],
        values["covers_until"],
        file_id=file_id,
        key=request.key,  # type: ignore[call-arg]
    )
    return "It is kept with the absence."


@action("leave.prepare", faces=SEES)
def adjust(request: PageRequest, client: str, number: str) -> str:
    found = named_person(number)
    values = filled_in(Changing(request.POST, kinds=selectors.kinds()))
    minutes = int(values["hours"] * 60)
    entitling.adjust(
        found.counterparty_id,
        UUID(values["kind"]),
        values["day"],
        minutes,
        reason=values["reason"],
        key=request.key,  # type: ignore[call-arg]
    )
    return f"{format_duration(minutes)} stand in the ledger."


@action("leave.prepare", faces=SEES)
def offer(request: PageRequest, client: str) -> str:
    done = entitling.offer_ready_kinds(key=request.key)  # type: ignore[call-arg]
    return (
        f"{len(done.added)} kinds of leave are offered." if done.added else "All of them were there already."
    )


@action("leave.prepare", faces=SEES)
def entitle(request: PageRequest, client: str) -> str:
    v = filled_in(Entitling(request.POST, kinds=selectors.kinds(), prefix="rule"))
    who = named_person(v["number"]).counterparty_id if v["number"] else None
    entitling.set_policy(
        UUID(v["kind"]), v["starts"], weeks_ppm=ppm(v["weeks"]), most_days=v["most_days"],
        year_month=v["year_month"], accrual=v["accrual"],
        accrual_ppm=entitling.accrual_of_law(v["starts"]) if v["accrual"] == "hours" else 0,
        carry_ppm=ppm(v["carry_weeks"]), carry_months=v["carry_months"], person_id=who, key=request.key,  # type: ignore[call-arg]
    )  # fmt: skip
    return "That is what it entitles to. Give the leave year anew to bring balances up to it."


@action("leave.prepare", faces=SEES)
def year(request: PageRequest, client: str) -> str:
    v = filled_in(YearOf(request.POST, kinds=selectors.kinds(), prefix="year"))
    verbs = {"grant": entitling.grant_year, "close": entitling.close_year, "lapse": entitling.lapse_carried}
    done = verbs[v["what"]](UUID(v["kind"]), v["day"], key=request.key)  # type: ignore[call-arg]
    return (
        f"{done.people} people have new lines in the ledger." if done.people else "Nothing was left to write."
    )


urlpatterns = [
    path("c/<str:client>/leave", calendar, name="calendar"),
    path("c/<str:client>/leave/kinds", kinds, name="kinds"),
    path("c/<str:client>/leave/kinds/offer", offer, name="offer"),
    path("c/<str:client>/leave/kinds/entitle", entitle, name="entitle"),
    path("c/<str:client>/leave/kinds/year", year, name="year"),
    path("c/<str:client>/leave/record", record, name="record"),
    path("c/<str:client>/leave/bookings/<uuid:booking_id>/approve", approve, name="approve"),
    path("c/<str:client>/leave/bookings/<uuid:booking_id>/refuse", refuse, name="refuse"),
    path("c/<str:client>/leave/bookings/<uuid:booking_id>/cancel", cancel, name="cancel"),
    path("c/<str:client>/leave/bookings/<uuid:booking_id>/evidence", prove, name="prove"),
    path("c/<str:client>/leave/evidence/<uuid:evidence_id>", evidence_file, name="evidence"),
    path("c/<str:client>/leave/people/<str:number>", person, name="person"),
    path("c/<str:client>/leave/people/<str:number>/adjust", adjust, name="adjust"),
    path("me/<str:client>/leave", mine, name="mine"),
    path("me/<str:client>/leave/ask", ask, name="ask"),
    path("me/<str:client>/leave/<uuid:booking_id>/withdraw", withdraw, name="withdraw"),
]
