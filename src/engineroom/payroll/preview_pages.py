"""A run as it would be if it were calculated now."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from engineroom.payroll import preview, review, run_head, selectors
from engineroom.ui.pages import PageRequest, page

SHOWN = 200
"""Payslips on the page: those whose net pay changes most."""


@page("payroll.prepare", reads="pay_run", tries=True)
def shown(request: PageRequest, client: str, number: int) -> HttpResponse:
    """Totals beside the last run's, what would keep it, what to look at, and whose pay changes most."""
    found = selectors.named_run(number)
    request.reading(found.id)
    assert request.client is not None
    currency = request.client.currency
    would = preview.preview_run(found, at_most=preview.MOST_AT_ONCE)
    slips = sorted(would.slips, key=lambda slip: -abs(slip.net - (slip.net_before or 0)))
    context = {
        "run": found,
        "would": would,
        "currency": currency,
        "hides_pay": "pay" in request.masked,
        "sums": run_head.sums(would.run, would.figures, would.change, currency),
        "people_note": run_head.people_note(would.figures, would.change),
        "words": review.in_words(would.change, currency) if would.change else "",
        "blocked": run_head.blocked(found, would.blockers),
        "slips": slips[:SHOWN],
    }
    return render(request, "payroll/preview.html", context)


urlpatterns = [path("c/<str:client>/runs/<int:number>/do/preview", shown, name="preview")]
