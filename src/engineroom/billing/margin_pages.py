"""What an hour leaves: pay, bill or markup from the other two, the floor, and rates allowed below it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.billing import margin
from engineroom.billing.solving import Solved, Unsolvable, solve
from engineroom.foundation.commands import keyed
from engineroom.kernel.errors import LONGEST_REASON
from engineroom.kernel.rates import format_ppm, ppm
from engineroom.kernel.tables import NoTableForDate
from engineroom.timesheets import selectors as timesheets
from engineroom.ui.charts import Bar, waterfall_chart
from engineroom.ui.display import format_day
from engineroom.ui.fields import DayField, Group, GroupedForm, HoursField, LineField, MoneyField, PercentField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page

NAVIGATION = [NavigationEntry("Quote", "billing:quote", "billing.read", order=224, under="timesheets:list")]


class QuoteForm(GroupedForm):
    """Two of the three; the third follows."""

    groups = (
        Group("Two of these", ("pay", "bill", "markup")),
        Group("A week of", ("week_minutes", "day", "with_levy")),
    )

    def __init__(self, currency: str, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.fields["pay"] = MoneyField(currency, required=False, label="Pays an hour")
        self.fields["bill"] = MoneyField(currency, required=False, label="Bills an hour")
        self.fields["markup"] = LineField(
            required=False, max_length=12, label="Markup on pay", help_text="As 40%."
        )
        self.fields["week_minutes"] = HoursField(label="Hours a week")
        self.fields["day"] = DayField(label="By the law of")
        self.fields["with_levy"] = forms.BooleanField(required=False, label="Pays the apprenticeship levy")

    def clean_markup(self) -> int | None:
        text = self.cleaned_data["markup"].strip().removesuffix("%")
        try:
            return ppm(text) // 100 if text else None
        except ValueError:
            raise forms.ValidationError("Write a markup as 40% or 37.5%.") from None

    def clean_week_minutes(self) -> int:
        minutes = self.cleaned_data["week_minutes"]
        if not 0 < minutes <= 7 * 24 * 60:
            raise forms.ValidationError("A week has up to 168 hours.")
        return int(minutes)


class FloorForm(forms.Form):
    """What a rate has to leave, from a day on."""

    starts = DayField(label="From")
    floor = PercentField(label="Of the bill, after on-costs")
    week_minutes = HoursField(label="Counted over a week of", initial=40 * 60)
    with_levy = forms.BooleanField(required=False, label="The client pays the apprenticeship levy")
    reason = LineField(max_length=LONGEST_REASON)


class AllowForm(forms.Form):
    """A rate below the floor that somebody else may enter."""

    customer = forms.ChoiceField()
    role = LineField(max_length=100)
    reason = LineField(max_length=LONGEST_REASON)

    def __init__(self, currency: str, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.fields["customer"].choices = [  # type: ignore[attr-defined]
            (code, f"{name} ({code})") for code, name in timesheets.all_customers()
        ]
        self.fields["pay_rate"] = MoneyField(currency, label="Pays an hour")
        self.fields["bill_rate"] = MoneyField(currency, label="Bills an hour")
        self.order_fields(["customer", "role", "pay_rate", "bill_rate", "reason"])


@page("billing.read")
def quote(request: PageRequest, client: str) -> HttpResponse:
    """The third of pay, bill and markup, and what a week of it leaves after on-costs."""
    assert request.client is not None
    currency, today = request.client.currency, timezone.now().date()
    floor = margin.floor_on(today)
    first = {
        "day": today,
        "week_minutes": floor.week_minutes if floor else 40 * 60,
        "with_levy": floor.with_levy if floor else False,
    }
    asked = any(request.GET.get(name) for name in ("pay", "bill", "markup"))
    form = QuoteForm(currency, request.GET if asked else None, initial=first)
    solved, found, refused = _answer(form) if asked and form.is_valid() else (None, None, "")
    may = request.may("billing.approve")
    context = {
        "form": form,
        "solved": solved,
        "quote": found,
        "refused": refused,
        "chart": _chart(found, currency) if found else None,
        "floors": margin.floors(),
        "allowed": margin.allowed_below(),
        "floor_form": form_of(request, FloorForm(prefix="floor", initial={"starts": today})) if may else None,
        "allow_form": form_of(request, AllowForm(currency, prefix="allow")) if may else None,
    }
    return render(request, "billing/quote.html", context)


def _answer(form: QuoteForm) -> tuple[Solved | None, margin.Quote | None, str]:
    given = form.cleaned_data
    try:
        solved = solve(pay=given["pay"], bill=given["bill"], markup_ppm=given["markup"])
        found = margin.quote(
            solved.pay,
            solved.bill,
            given["day"],
            week_minutes=given["week_minutes"],
            with_levy=given["with_levy"],
        )
    except (Unsolvable, NoTableForDate, margin.NoOnCosts) as error:
        said = str(error)
        return None, None, said[0].upper() + said[1:] + "."
    return solved, found, ""


def _chart(found: margin.Quote, currency: str) -> Any:
    week = found.week
    steps = [
        Bar("Billed", week.bill, "total"),
        Bar("Pay", week.pay, "down"),
        *(Bar(label, amount, "down") for label, amount in week.on_costs if amount),
        Bar("Left", week.after, "total"),
    ]
    return waterfall_chart(steps, currency, title="A week, from the bill to what is left")


@action("billing.approve")
def set_floor(request: PageRequest, client: str) -> Done:
    asked = filled_in(FloorForm(request.POST, prefix="floor"))
    with keyed(request.key):
        done = margin.set_margin_floor(
            asked["starts"],
            asked["floor"],
            week_minutes=asked["week_minutes"],
            with_levy=asked["with_levy"],
            reason=asked["reason"],
        )
    words = f"From {format_day(done.starts)} a rate leaves {format_ppm(asked['floor'])} at least."
    return Done(words, reverse("billing:quote", args=[client]))


@action("billing.approve")
def allow(request: PageRequest, client: str) -> Done:
    assert request.client is not None
    asked = filled_in(AllowForm(request.client.currency, request.POST, prefix="allow"))
    with keyed(request.key):
        margin.allow_below_floor(
            asked["customer"], asked["role"], asked["pay_rate"], asked["bill_rate"], reason=asked["reason"]
        )
    return Done("Somebody else may enter this rate.", reverse("billing:quote", args=[client]))


urlpatterns = [
    path("c/<str:client>/quote", quote, name="quote"),
    path("c/<str:client>/quote/floor", set_floor, name="floor_set"),
    path("c/<str:client>/quote/allow", allow, name="below_floor_allow"),
]
