"""What customers and assignments leave, from the ledger: drawn, as a table, and as a file."""

from __future__ import annotations

import csv
from calendar import monthrange
from datetime import date, timedelta
from io import StringIO
from typing import cast

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.http import content_disposition_header

from engineroom.billing import margins
from engineroom.kernel.errors import InputRefused, Problem
from engineroom.kernel.money import format_minor
from engineroom.ui.charts import Item, bars_chart
from engineroom.ui.display import format_hours
from engineroom.ui.fields import DayField
from engineroom.ui.pages import NavigationEntry, PageRequest, filled_in, page

NAVIGATION = [
    NavigationEntry("Margin", "billing:margin", "billing.read", order=310, under="billing:invoices")
]
MOST_DRAWN = 12
WORDS = {"customer": "customer", "assignment": "assignment", "month": "month"}


class Period(forms.Form):
    """Whole days, by the day on which it was posted."""

    since = DayField(label="From")
    until = DayField(label="Until")
    by = forms.ChoiceField(choices=list(WORDS.items()))


def _asked(request: PageRequest) -> tuple[date, date, margins.By, Period]:
    """The period of the address; the year up to this month's end where none is given: paydays are booked on
    their day, which comes after they are released."""
    today = timezone.now().date()
    since, until = today.replace(month=1, day=1), today.replace(day=monthrange(today.year, today.month)[1])
    if not request.GET.get("since"):
        return since, until, "customer", Period(initial={"since": since, "until": until, "by": "customer"})
    form = Period(request.GET)
    asked = filled_in(form)
    if asked["until"] < asked["since"]:
        raise InputRefused([Problem("the period ends before it begins", "Correct a day", field="until")])
    if asked["until"] - asked["since"] > timedelta(days=3 * 366):
        raise InputRefused([Problem("that is more than three years", "Ask for less", field="until")])
    return asked["since"], asked["until"], cast("margins.By", asked["by"]), form


@page("billing.read")
def margin(request: PageRequest, client: str) -> HttpResponse:
    """Income, pay and on-costs of a period, and what is left, before and after on-costs."""
    assert request.client is not None
    currency = request.client.currency
    since, until, by, form = _asked(request)
    rows = margins.margins(since, until, by=by, currency=currency)
    drawn = [Item(_name(row, by), row.after) for row in rows[:MOST_DRAWN]]
    context = {
        "form": form,
        "rows": [(_name(row, by), row) for row in rows],
        "total": margins.total(rows, since),
        "by": by,
        "asked": f"since={since}&until={until}&by={by}",
        "hides_pay": "pay" in request.masked,
        "chart": bars_chart(drawn, currency, title=f"Left after on-costs, by {by}") if drawn else None,
    }
    return render(request, "billing/margin.html", context)


def _name(row: margins.Margin, by: str) -> str:
    if by == "month":
        return f"{row.month:%B %Y}"
    if by == "assignment":
        return row.assignment or f"{row.customer}, no assignment"
    return row.customer


HEADINGS = (
    "by", "customer", "customer_name", "assignment", "hours", "income", "pay", "before_on_costs", "on_costs",
    "after_on_costs", "after_percent", "after_an_hour",
)  # fmt: skip


@page("billing.read")
def margin_file(request: PageRequest, client: str) -> HttpResponse:
    """The same as CSV."""
    assert request.client is not None
    currency = request.client.currency
    since, until, by, _ = _asked(request)
    if "pay" in request.masked:
        raise InputRefused([Problem("this file states pay, which is not shown to you", "Ask a colleague")])
    out = StringIO()
    rows = csv.writer(out)
    rows.writerow(HEADINGS)
    for row in margins.margins(since, until, by=by, currency=currency):
        figures = (row.income, row.wages, row.before, row.on_costs, row.after)
        rows.writerow(
            (
                f"{row.month:%Y-%m}" if by == "month" else by,
                *(_cell(text) for text in (row.customer_code, row.customer, row.assignment)),
                format_hours(row.minutes),
                *(format_minor(figure, currency, grouped=False) for figure in figures),
                row.share_words,
                "" if row.after_an_hour is None else format_minor(row.after_an_hour, currency, grouped=False),
            )
        )
    answer = HttpResponse(out.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    name = f"margin-{request.client.code}-{since}-{until}.csv"
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return answer


def _cell(text: str) -> str:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


urlpatterns = [
    path("c/<str:client>/margin", margin, name="margin"),
    path("c/<str:client>/margin/file", margin_file, name="margin_file"),
]
