"""Weeks as workers enter them: the worker's own pages, made for a phone, and the firm's of what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation import duties
from engineroom.kernel.errors import NotFound
from engineroom.people import own
from engineroom.people.models import Person
from engineroom.timesheets import asking, entered, entering
from engineroom.timesheets.entered import DayEntered, Made, WeekView
from engineroom.ui.display import format_count, format_hours, format_weekday
from engineroom.ui.fields import Group, GroupedForm, HoursField, LineField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, address, filled_in, form_of, page

MINE = ("self", "work")

NAVIGATION = [
    NavigationEntry(
        "Sent by workers", "timesheets:sent", "timesheets.read", order=221, under="timesheets:list"
    )
]

STATES = {
    "": ("open", "Nothing entered"),
    "draft": ("open", "Draft"),
    "sent": ("run", "Sent"),
    "asked": ("wait", "With the customer"),
    "answered": ("done", "Answered"),
    "taken": ("done", "Taken in"),
}


class ClockField(forms.TimeField):
    """A time of day, picked or typed."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TimeInput(format="%H:%M", attrs={"type": "time"})
        super().__init__(**{"widget": widget, "required": False, **options})


class WeekForm(GroupedForm):
    """The days of a week that have begun: start, end and break, or the hours alone."""

    def __init__(self, *args: Any, ending: date, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.days = [d for d in _days(ending) if d <= today]
        groups = []
        for day in self.days:
            fields: dict[str, forms.Field] = {
                f"{day}_starts": ClockField(label="Start"),
                f"{day}_ends": ClockField(label="End"),
                f"{day}_break": forms.IntegerField(
                    label="Break, minutes", required=False, min_value=0, max_value=1439
                ),
                f"{day}_hours": HoursField(label="Or hours", required=False),
                f"{day}_note": LineField(label="Note", required=False, max_length=entering.LONGEST_NOTE),
            }
            self.fields.update(fields)
            groups.append(Group(format_weekday(day), list(fields)))
        self.groups = groups

    def said(self, values: dict[str, Any]) -> list[entering.DaySaid]:
        """The days at which something was typed."""
        found = []
        for day in self.days:
            starts, ends, pause, minutes, note = (
                values[f"{day}_{part}"] for part in ("starts", "ends", "break", "hours", "note")
            )
            if starts or ends or pause or minutes or note:
                found.append(entering.DaySaid(day, minutes or None, starts, ends, pause or 0, note))
        return found


def _days(ending: date) -> list[date]:
    return [ending - timedelta(days=n) for n in range(6, -1, -1)]


def _initial(days: Sequence[DayEntered]) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for d in days:
        typed |= {f"{d.day}_starts": d.starts, f"{d.day}_ends": d.ends, f"{d.day}_note": d.note}
        typed[f"{d.day}_break"] = d.break_minutes or None
        typed[f"{d.day}_hours"] = d.minutes if d.starts is None else None
    return typed


@dataclass(frozen=True)
class Sum:
    """Hours of one kind at one rate in a week, and what they pay."""

    kind: str
    minutes: int
    rate: int
    amount: int


def _sums(made: Sequence[Made]) -> list[Sum]:
    found: dict[tuple[str, int], list[int]] = {}
    for one in made:
        sums = found.setdefault((one.kind, one.rate), [0, 0])
        sums[0] += one.minutes
        sums[1] += one.amount
    return [Sum(kind, minutes, rate, amount) for (kind, rate), (minutes, amount) in found.items()]


def _made(view: WeekView | None) -> dict[str, Any]:
    """What the rules make of a week, for its preview."""
    made = entered.made_of(view.assignment_id, view.days) if view else []
    sums = _sums(made)
    return {
        "sums": sums,
        "made_minutes": sum(one.minutes for one in sums),
        "made_amount": sum(one.amount for one in sums),
        "without_rate": bool(view) and sum(one.minutes for one in sums) != view.minutes,  # type: ignore[union-attr]
    }


# --- one's own --------------------------------------------------------------------------------------------


def _myself() -> Person:
    found = own.myself()
    if found is None:
        raise Http404
    return found


def _week(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NotFound(f"{text!r} is not a day; write it as 2026-11-22") from None


@page(None, faces=MINE, reads="own_time")
def mine(request: PageRequest, client: str) -> HttpResponse:
    """The weeks I may enter, and how each stands."""
    me = _myself()
    request.reading(me.counterparty_id)
    rows = entered.my_weeks(me.counterparty_id, duties.today())
    context = {"person": me, "rows": [(row, STATES[row.state]) for row in rows]}
    return render(request, "timesheets/mine.html", context)


@page(None, faces=MINE, reads="own_time")
def my_week(request: PageRequest, client: str, assignment_id: UUID, week: str) -> HttpResponse:
    """One week of mine: the form while it is a draft, what the rules make of it, and sending it."""
    me = _myself()
    ending, today = _week(week), duties.today()
    assignment = entered.assignment_of(assignment_id)
    if assignment is None or assignment.person_id != me.counterparty_id:
        raise Http404
    view = entered.week_of(assignment_id, ending)
    request.reading(me.counterparty_id)
    taken = entered.is_taken(assignment_id, ending)
    state = view.state if view else "taken" if taken else ""
    fresh = WeekForm(ending=ending, today=today, initial=_initial(view.days) if view else {})
    context = {
        "view": view,
        "assignment": assignment,
        "ending": ending,
        "state": STATES[state],
        "taken": taken,
        "form": form_of(request, fresh) if state in ("", "draft") and not taken and fresh.days else None,
        "may_take_back": state == "sent",
        **_made(view),
    }
    return render(request, "timesheets/my_week.html", context)


@action("timesheets.own", faces=MINE)
def my_week_save(request: PageRequest, client: str, assignment_id: UUID, week: str) -> Done:
    ending = _week(week)
    form = WeekForm(request.POST, ending=ending, today=duties.today())
    said = form.said(filled_in(form))
    done = entering.save_week(assignment_id, ending, said, key=request.key)  # type: ignore[call-arg]
    to = reverse("timesheets:my_week", args=[client, assignment_id, week]) + "#made"
    return Done(f"Kept: {format_hours(done.minutes)} hours. Nothing is sent yet.", to=to)


@action("timesheets.own", faces=MINE)
def my_week_send(request: PageRequest, client: str, week_id: UUID) -> Done:
    content = request.POST.get("content", "")
    done = entering.send_week(week_id, content=content, key=request.key)  # type: ignore[call-arg]
    return Done(f"Sent: {format_hours(done.minutes)} hours.", to=reverse("timesheets:mine", args=[client]))


@action("timesheets.own", faces=MINE)
def my_week_take_back(request: PageRequest, client: str, week_id: UUID) -> str:
    entering.take_back_week(week_id, key=request.key)  # type: ignore[call-arg]
    return "It is a draft again: change it, then send it once more."


# --- the firm's -------------------------------------------------------------------------------------------


@page("timesheets.read")
def sent(request: PageRequest, client: str) -> HttpResponse:
    """What workers sent and no customer has answered for yet, and what was answered of late."""
    context = {
        "waiting": [(view, STATES[view.state]) for view in entered.waiting()],
        "answered": [(view, STATES[view.state]) for view in entered.answered()],
        "to_ask": asking.to_ask(),
        "requests": asking.open_requests(),
        "ask_url": address("hours_ask", client),
        "may_prepare": request.may("timesheets.prepare"),
    }
    return render(request, "timesheets/sent.html", context)


@page("timesheets.read", reads="entered_week")
def sent_week(request: PageRequest, client: str, week_id: UUID) -> HttpResponse:
    """A week as its worker sent it, what the rules make of it, and the customer's answer."""
    request.reading(week_id)
    view = entered.week(week_id)
    if view is None or view.state == "draft":
        raise NotFound("there is no such week that was sent")
    context = {
        "view": view,
        "state": STATES[view.state],
        "may_answer": request.may("timesheets.prepare") and view.state in ("sent", "asked"),
        "hides_pay": "pay" in request.masked,
        **_made(view),
    }
    return render(request, "timesheets/sent_week.html", context)


@action("timesheets.prepare")
def sent_answer(request: PageRequest, client: str, week_id: UUID) -> Done:
    """What the customer answered outside: approved, but for the days they dispute."""
    view = entered.week(week_id)
    done = entering.record_answer(
        week_id,
        content=request.POST.get("content", ""),
        said_by=request.POST.get("said_by", ""),
        disputed=disputed_of(request.POST, view),
        key=request.key,  # type: ignore[call-arg]
    )
    held = f", {format_count(done.held, 'charge')} held" if done.held else ""
    to = reverse("timesheets:sent", args=[client])
    return Done(f"The answer is taken in: {format_count(done.entries, 'day')}{held}.", to=to)


def disputed_of(posted: Any, view: WeekView | None) -> list[entering.Disputed]:
    """Days that were marked as disputed in a form, each with what was typed beside it."""
    days = view.days if view else ()
    prefix = view.id.hex if view else ""
    return [
        entering.Disputed(d.day, posted.get(f"{prefix}_{d.day}_reason", "").replace("\x00", ""))
        for d in days
        if posted.get(f"{prefix}_{d.day}") == "disputed"
    ]


urlpatterns = [
    path("me/<str:client>/time", mine, name="mine"),
    path("me/<str:client>/time/<uuid:assignment_id>/<str:week>", my_week, name="my_week"),
    path("me/<str:client>/time/<uuid:assignment_id>/<str:week>/save", my_week_save, name="my_week_save"),
    path("me/<str:client>/time/weeks/<uuid:week_id>/send", my_week_send, name="my_week_send"),
    path("me/<str:client>/time/weeks/<uuid:week_id>/take-back", my_week_take_back, name="my_week_take_back"),
    path("c/<str:client>/time/sent", sent, name="sent"),
    path("c/<str:client>/time/sent/<uuid:week_id>", sent_week, name="sent_week"),
    path("c/<str:client>/time/sent/<uuid:week_id>/answer", sent_answer, name="sent_answer"),
]
