"""A run as it would be if it were calculated now."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from engineroom.payroll import preview, review, run_head, selectors
from engineroom.payroll.attempts import NothingToPay
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
    try:
        would = preview.preview_run(found, at_most=preview.MOST_AT_ONCE)
    except NothingToPay as nothing:
        of_items = found.kind != "regular"
        context = {"run": found, "words": str(nothing), "of_items": of_items}
        return render(request, "payroll/preview_nothing.html", context, status=nothing.status)
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
