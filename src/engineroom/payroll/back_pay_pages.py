"""Back pay, before it is accepted: each difference with its person, its period and its element."""

from __future__ import annotations

from datetime import date

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.kernel.errors import NotFound
from engineroom.payroll import retro, schedules
from engineroom.ui.display import format_count, format_money
from engineroom.ui.fields import DayField, GroupedForm, LineField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, page

NAVIGATION = [
    NavigationEntry("Back pay", "payroll:back_pay", "payroll.read", order=233, under="payroll:runs")
]

MOST_ROWS = 500
"""More are counted and not drawn: the list is of people whose past changed, not of everybody."""


class Asked(GroupedForm):
    """Whose periods are compared, from which day on."""

    schedule = forms.ChoiceField(required=False, label="Paid on")
    since = DayField(required=False, label="Periods that end on or after", help_text="Empty: of a year.")
    person = LineField(required=False, max_length=20, label="Payroll number", help_text="Empty: everybody.")

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        choice = self.fields["schedule"]
        assert isinstance(choice, forms.ChoiceField)
        found = [(row.code, f"{row.name} ({row.code})") for row in schedules.pay_schedules()]
        choice.choices = [*found, ("", "weekly hours")]


def _asked(form: Asked) -> tuple[str, date | None, list[str]]:
    asked = filled_in(form)
    return asked["schedule"], asked["since"], [asked["person"]] if asked["person"] else []


@page("payroll.read", reads="pay_item")
def back_pay(request: PageRequest, client: str) -> HttpResponse:
    """What released periods would pay as everything is known now, beside what they paid."""
    assert request.client is not None
    first = schedules.pay_schedules()
    form = Asked(request.GET or {"schedule": first[0].code if first else ""})
    found, refused = None, ""
    if form.is_valid():
        schedule, since, people = _asked(form)
        try:
            found = retro.back_pay(schedule, since=since, payroll_numbers=people)
            request.reading(what="back pay", rows=len(found.differences))
        except NotFound as missing:
            refused = str(missing)
    context = {
        "form": form,
        "found": found,
        "refused": refused,
        "rows": found.differences[:MOST_ROWS] if found else (),
        "more": max(len(found.differences) - MOST_ROWS, 0) if found else 0,
        "people": len({d.person_id for d in found.differences}) if found else 0,
        "currency": request.client.currency,
        "may_accept": request.may("payroll.prepare") and "pay" not in request.masked,
        "hides_pay": "pay" in request.masked,
    }
    return render(request, "payroll/back_pay.html", context)


@action("payroll.prepare")
def accept(request: PageRequest, client: str) -> Done:
    """Exactly what was looked at becomes items of the next run."""
    schedule, since, people = _asked(Asked(request.POST))
    done = retro.accept_back_pay(
        schedule,
        content_hash=request.POST.get("content_hash", ""),
        since=since,
        payroll_numbers=people,
        key=request.key,  # type: ignore[call-arg]
    )
    assert request.client is not None
    return Done(
        f"{format_money(done.amount, request.client.currency)} of back pay for "
        f"{format_count(done.people, 'person', 'people')} waits for the next run.",
        to=reverse("payroll:items", args=[client]),
    )


urlpatterns = [
    path("c/<str:client>/back-pay", back_pay, name="back_pay"),
    path("c/<str:client>/back-pay/do/accept", accept, name="back_pay_accept"),
]
