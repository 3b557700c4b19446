"""What is owed to agencies, period by period, down to payslips and up to the books; and as a workbook."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import xlsxwriter
from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import content_disposition_header

from engineroom.foundation.commands import keyed
from engineroom.kernel.errors import LONGEST_REASON, NotPermitted
from engineroom.kernel.money import in_major
from engineroom.payroll import liabilities
from engineroom.payroll.account_map import country
from engineroom.payroll.liabilities import Owed
from engineroom.payroll.postings import Agency
from engineroom.ui import listing
from engineroom.ui.fields import DayField, GroupedForm, LineField, MoneyField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page
from engineroom.ui.parts import Tab

NAVIGATION = [
    NavigationEntry("Liabilities", "payroll:liabilities", "payroll.read", order=234, under="payroll:runs")
]

SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class SayLiability(GroupedForm):
    """Something that changes what is owed for a period."""

    name = forms.ChoiceField(label="What")
    amount = forms.CharField()
    day = DayField(label="Posted on", help_text="A day of the period that it counts in.")
    reason = LineField(max_length=LONGEST_REASON)

    def __init__(self, agency: Agency, currency: str, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.fields["amount"] = MoneyField(currency, help_text="Below zero takes back what was said before.")
        name = self.fields["name"]
        assert isinstance(name, forms.ChoiceField)
        name.choices = [
            (a.name, f"{a.label}: {'less' if a.reduces else 'more'} is owed") for a in agency.adjustments
        ]


@page("payroll.read", reads="pay_run")
def everybody(request: PageRequest, client: str) -> HttpResponse:
    """Every agency with what is due next, what is late and what was paid."""
    today = timezone.now().date()
    rows = []
    for agency in country().postings.agencies:
        periods = liabilities.owed_to(agency)
        rows.append(
            (agency, _sums(periods), [o for o in periods if o.left][-3:], liabilities.tie_of(agency, periods))
        )
    late = sum(o.left for _, _, unpaid, _ in rows for o in unpaid if o.is_late(today))
    context = {"rows": rows, "late": late, "today": today, **_shown(request)}
    return render(request, "payroll/liabilities.html", context)


def _shown(request: PageRequest) -> dict[str, Any]:
    assert request.client is not None
    return {"currency": request.client.currency, "hides_pay": "pay" in request.masked}


def _sums(periods: Sequence[Owed]) -> dict[str, int]:
    return {name: sum(getattr(owed, name) for owed in periods) for name in ("due", "paid", "left")}


@page("payroll.read", reads="pay_run")
def of_agency(request: PageRequest, client: str, agency: str) -> HttpResponse:
    """A year of an agency, a row a period, beside the control accounts."""
    found = liabilities.agency_called(agency)
    periods = liabilities.owed_to(found)
    years = sorted({o.period.year for o in periods}, reverse=True)
    year = request.GET.get("year", "") or (years[0] if years else "")
    shown = [o for o in reversed(periods) if o.period.year == year]
    here = reverse("payroll:agency", args=[client, agency])
    context = {
        "agency": found,
        "year": year,
        "tabs": [Tab(y, f"{here}?year={y}", y == year) for y in years] if len(years) > 1 else [],
        "parts": [part.label for part in found.parts],
        "rows": shown,
        "totals": _sums(shown),
        "by_part": [sum(o.parts[i].amount for o in shown) for i in range(len(found.parts))],
        "tie": liabilities.tie_of(found, periods),
        "today": timezone.now().date(),
        "form": _form(request, found),
        **_shown(request),
    }
    return render(request, "payroll/agency.html", context)


def _form(request: PageRequest, agency: Agency, owed: Owed | None = None) -> forms.Form | None:
    if not agency.adjustments or not request.may("ledger.prepare"):
        return None
    day = owed.period.ends if owed else timezone.now().date()
    assert request.client is not None
    return form_of(request, SayLiability(agency, request.client.currency, initial={"day": day}))


@page("payroll.read", reads="pay_run")
def of_period(request: PageRequest, client: str, agency: str, year: str, number: int) -> HttpResponse:
    """One period: every figure with the payslips that it is the sum of, its runs, its items."""
    found = liabilities.agency_called(agency)
    periods = liabilities.owed_to(found)
    owed = liabilities.owed_for(found, year, number)
    context = {
        "agency": found,
        "owed": owed,
        "suggestions": [
            (a, amount)
            for a in found.adjustments
            if (amount := liabilities.suggested(found, a, owed, periods)) is not None and amount != 0
        ],
        "is_late": owed.is_late(timezone.now().date()),
        "form": _form(request, found, owed),
        **_shown(request),
    }
    return render(request, "payroll/owed.html", context)


@page("payroll.read", reads="payslip")
def of_figure(
    request: PageRequest, client: str, agency: str, year: str, number: int, element: str
) -> HttpResponse:
    """The payslips whose sum a figure is."""
    found = liabilities.agency_called(agency)
    owed = liabilities.owed_for(found, year, number)
    part = liabilities.slips_of(owed, element, request.GET.get("at", ""))
    request.reading(None, figure=element, period=owed.period.name)
    figure = next(f for p in owed.parts for f in p.figures if f.is_element and f.code == element)
    context = {
        "agency": found,
        "owed": owed,
        "figure": figure,
        "rows": part.rows,
        "pager": listing.onward(request, part),
        **_shown(request),
    }
    return render(request, "payroll/owed_slips.html", context)


@page("payroll.read", reads="pay_run")
def workbook(request: PageRequest, client: str, agency: str, year: str) -> HttpResponse:
    """A year of an agency as a workbook: periods, figures, runs."""
    assert request.client is not None
    if "pay" in request.masked:
        raise NotPermitted("the workbook shows pay data, which your role does not see")
    found = liabilities.agency_called(agency)
    rows = [o for o in reversed(liabilities.owed_to(found)) if o.period.year == year]
    if not rows:
        raise Http404
    answer = HttpResponse(as_workbook(rows, request.client.currency), content_type=SHEET)
    name = f"{found.code.lower()}-{year}.xlsx"
    answer.headers["Content-Disposition"] = content_disposition_header(True, name) or ""
    return answer


def as_workbook(rows: Sequence[Owed], currency: str) -> bytes:
    """Periods with their figures, and the runs behind them. Amounts stand in major units, as bookkeepers type
    them."""

    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False})
    bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00"})
    day = book.add_format({"num_format": "d mmm yyyy"})
    sheet = book.add_worksheet("Periods")
    figures = [(p.part.label, f.label) for p in rows[0].parts for f in p.figures] if rows else []
    sheet.write_row(0, 0, ["Period", "From", "To", "Due on"], bold)
    sheet.write_row(0, 4, [label for _, label in figures] + ["Due", "Paid", "Left"], bold)
    for i, owed in enumerate(rows, 1):
        sheet.write_string(i, 0, owed.period.name)
        for j, when in enumerate((owed.period.starts, owed.period.ends, owed.period.due), 1):
            sheet.write_datetime(i, j, when, day)
        amounts = [f.amount for p in owed.parts for f in p.figures] + [owed.due, owed.paid, owed.left]
        for j, amount in enumerate(amounts, 4):
            sheet.write_number(i, j, in_major(amount, currency), money)
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 3, 13)
    sheet.set_column(4, 4 + len(figures) + 3, 16)
    runs = book.add_worksheet("Runs")
    runs.write_row(0, 0, ["Period", "Run", "Pay date", "Owed"], bold)
    at = 1
    for owed in rows:
        for run in owed.runs:
            runs.write_string(at, 0, owed.period.name)
            runs.write_number(at, 1, run.number)
            runs.write_datetime(at, 2, run.pay_date, day)
            runs.write_number(at, 3, in_major(run.owed, currency), money)
            at += 1
    runs.set_column(0, 0, 26)
    runs.set_column(1, 3, 13)
    book.close()
    return out.getvalue()


@action("ledger.prepare")
def say(request: PageRequest, client: str, agency: str) -> Done:
    """Post what stands on no payslip: an allowance, a levy."""
    found = liabilities.agency_called(agency)
    assert request.client is not None
    asked = filled_in(SayLiability(found, request.client.currency, request.POST))
    with keyed(request.key):
        liabilities.say_liability(
            found.code, asked["name"], asked["amount"], day=asked["day"], reason=asked["reason"]
        )
    period = found.period_of(asked["day"])
    to = reverse("payroll:owed", args=[client, agency, period.year, period.number])
    return Done(f"It is posted and counts in {period.name}.", to)


urlpatterns = [
    path("c/<str:client>/liabilities", everybody, name="liabilities"),
    path("c/<str:client>/liabilities/<str:agency>", of_agency, name="agency"),
    path("c/<str:client>/liabilities/<str:agency>/do/say", say, name="liability_say"),
    path("c/<str:client>/liabilities/<str:agency>/<str:year>.xlsx", workbook, name="liability_book"),
    path("c/<str:client>/liabilities/<str:agency>/<str:year>/<int:number>", of_period, name="owed"),
    path(
        "c/<str:client>/liabilities/<str:agency>/<str:year>/<int:number>/<str:element>",
        of_figure,
        name="owed_slips",
    ),
]
