"""What changed in a run, person by person, and which input made it."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.kernel.errors import NotPermitted
from engineroom.payroll import explained, selectors
from engineroom.payroll.models import PayRun
from engineroom.ui import listing
from engineroom.ui.charts import Bar, Chart, waterfall_chart
from engineroom.ui.pages import PageRequest, page

MOST_BARS = 9
"""More steps than that nobody reads as a picture: the smallest of them are drawn as one."""


@dataclass(frozen=True)
class Row:
    """A person in the list. Net pay, minor units."""

    one: explained.PersonVariance
    before: int
    now: int
    change: int
    words: str


def _run(request: PageRequest, number: int) -> PayRun:
    if "pay" in request.masked:
        raise NotPermitted("what changed in a run shows pay data, which your role does not see")
    found = selectors.named_run(number)
    request.reading(found.id)
    return found


@page("payroll.read", reads="pay_run")
def variances(request: PageRequest, client: str, number: int) -> HttpResponse:
    """Everybody's change of net pay on their last payslip, the largest first, and why."""
    found = _run(request, number)
    assert request.client is not None
    currency = request.client.currency
    part = explained.listed(found, request.GET.get("at", ""))
    told = {
        one.person_id: one
        for one in explained.explain_people(found, [row.person_id for row in part.rows], currency)
    }
    context = {
        "run": found,
        "rows": [_row(told[row.person_id], currency) for row in part.rows if row.person_id in told],
        "pager": listing.onward(request, part),
        "currency": currency,
    }
    return render(request, "payroll/variances.html", context)


def _row(one: explained.PersonVariance, currency: str) -> Row:
    net = "net_pay"
    return Row(one, one.before.get(net, 0), one.now.get(net, 0), one.change(net), one.in_words(net, currency))


@page("payroll.read", reads="pay_run")
def variance(request: PageRequest, client: str, number: int, payroll_number: str) -> HttpResponse:
    """One person: from the last payslip to this one as a picture, and element by element."""
    found = _run(request, number)
    assert request.client is not None
    one = explained.person_variance(found, payroll_number, request.client.currency)
    slip_url = reverse("payroll:payslip", args=[client, number, one.payroll_number]) if one.is_in_run else ""
    context = {"run": found, "slip_url": slip_url, **told(found, one, request.client.currency)}
    return render(request, "payroll/variance.html", context)


def told(run: PayRun, one: explained.PersonVariance, currency: str) -> dict[str, object]:
    """What a page says of one person's change."""
    return {
        "one": one,
        "currency": currency,
        "words": one.in_words("net_pay", currency),
        "chart": _chart(one, run, currency),
        "elements": explained.element_rows(run, one, currency),
    }


def _chart(one: explained.PersonVariance, run: PayRun, currency: str) -> Chart:
    """From the net pay before to the net pay now."""
    steps = [(part.label, part.moved["net_pay"]) for part in one.parts if part.moved.get("net_pay")]
    if len(steps) > MOST_BARS:
        small = sorted(steps, key=lambda step: abs(step[1]))[: len(steps) - MOST_BARS + 1]
        steps = [step for step in steps if step not in small]
        steps.append(("All others", sum(amount for _, amount in small)))
    before = f"Run {one.before_run}" if one.before_run else "Before"
    bars = [
        Bar(before, one.before.get("net_pay", 0), "total"),
        *(Bar(label, abs(amount), "up" if amount > 0 else "down") for label, amount in steps),
        Bar(f"Run {run.number}", one.now.get("net_pay", 0), "total"),
    ]
    return waterfall_chart(bars, currency, title="Net pay, from the last payslip to this one")


urlpatterns = [
    path("c/<str:client>/runs/<int:number>/do/variance", variances, name="variances"),
    path("c/<str:client>/runs/<int:number>/do/variance/<path:payroll_number>", variance, name="variance"),
]
