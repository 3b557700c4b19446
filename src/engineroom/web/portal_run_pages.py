"""Pay runs as the client sees them: what they come to, who is in them, and the yes or no to exactly that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation import duties
from engineroom.foundation.approvals import selectors as approvals
from engineroom.foundation.approvals import services as standing
from engineroom.foundation.tenancy.models import Client
from engineroom.kernel.errors import LONGEST_REASON, NotFound
from engineroom.payroll import cut_off, explained, handing_over, reopening, returned, review, variance_pages
from engineroom.payroll import selectors as payroll
from engineroom.payroll import services as pay_runs
from engineroom.payroll.blockers import blockers_of
from engineroom.payroll.costs import cost_of
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import PayRun
from engineroom.ui import charts, listing
from engineroom.ui.display import format_day
from engineroom.ui.fields import DayField, GroupedForm, LineField
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of, page

FACES = ("client",)


@page("payroll.read", faces=FACES)
def runs(request: PageRequest, client: str) -> HttpResponse:
    found = payroll.runs(request.GET.get("at", ""))
    return render(
        request,
        "web/portal_runs.html",
        {
            "runs": [review.as_it_stands(row) for row in found.rows],
            "pager": listing.onward(request, found),
        },
    )


@page("payroll.read", reads="pay_run", faces=FACES)
def run(request: PageRequest, client: str, number: int) -> HttpResponse:
    """One run: what it comes to, how it differs from the last, who is in it; and the yes to exactly that."""
    found = payroll.named_run(number)
    request.reading(found.id)
    slips = payroll.slips_listed(found, review.run_before(found), cursor=request.GET.get("at", ""))
    inputs = cut_off.inputs_of_run(found)
    context = run_facts(found, request.client) | {
        "slips": slips.rows,
        "pager": listing.onward(request, slips),
        "may_approve": request.may("payroll.approve"),
        "may_return": _may_return(request, found),
        **_handed(request, found),
        "inputs": inputs,
        "inputs_url": reverse("portal_inputs_period", args=[client, inputs.schedule, inputs.pay_date])
        if inputs
        else "",
        "comments": returned.comments(found),
        "i_approved": (yes := standing.standing("pay_run", found.id)) is not None
        and yes.user_id == request.identity.id,
        "i_made": any(m.user_id == request.identity.id for m in approvals.makers("pay_run", found.id)),
    }
    return render(request, "web/portal_run.html", context)


def run_facts(run: PayRun, client: Client | None) -> dict[str, Any]:
    """What anybody is shown of a run before they say yes: also behind a link in a mail."""
    assert client is not None
    row = payroll.run_row(run.number)
    assert row is not None, "a run has its row"
    blockers = blockers_of(run) if run.published_id else []
    variance = review.variance(run, review.run_before(run))
    return {
        "run": run,
        "row": row,
        "state": replace(row, blockers=len(blockers)).state,
        "cost": cost_of(run),
        "figures": payroll.run_figures(run),
        "content_hash": bytes(run.content_hash).hex() if run.content_hash else "",
        "change": review.in_words(variance, client.currency) if variance else "",
        "chart": _variance_chart(variance, client.currency) if variance else None,
        "blockers": blockers,
        "oddities": review.oddities(run),
        "approved": row.is_client_approved,
        "currency": client.currency,
    }


def _variance_chart(v: review.Variance, currency: str) -> charts.Chart:
    """From the last run's gross pay to this one's."""

    def step(label: str, amount: int) -> charts.Bar:
        return charts.Bar(label, abs(amount), "up" if amount >= 0 else "down")

    steps = [
        charts.Bar(f"Run {v.before.number}", v.gross_before, "total"),
        *(step(label, amount) for label, amount in v.parts()),
        charts.Bar("This run", v.gross, "total"),
    ]
    return charts.waterfall_chart(steps, currency, title="Gross pay, from the last run to this one")


@action("payroll.approve", faces=FACES)
def approve_run(request: PageRequest, client: str, number: int) -> Done:
    """Exactly what was looked at: the form carries its hash."""
    pay_runs.approve_pay_run(
        payroll.named_run(number).id,
        content_hash=request.POST.get("content_hash", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(
        f"Pay run {number} is approved as you saw it. Another person at the bureau releases it.",
        to=reverse("portal_run", args=[client, number]),
    )


@action("payroll.approve", faces=FACES)
def return_run(request: PageRequest, client: str, number: int) -> Done:
    """Not yet: what is wrong, with whom. The bureau answers before anybody approves."""
    reopening.return_pay_run(
        payroll.named_run(number).id,
        content_hash=request.POST.get("content_hash", ""),
        comment=request.POST.get("comment", ""),
        payroll_number=request.POST.get("payroll_number", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(
        f"Pay run {number} is returned with your comment. You are asked again once it is answered.",
        to=reverse("portal_run", args=[client, number]),
    )


@action("payroll.approve", faces=FACES)
def take_back_run(request: PageRequest, client: str, number: int) -> Done:
    """One's own yes no longer holds, as long as nothing is released."""
    reopening.take_back_approval(
        payroll.named_run(number).id,
        reason=request.POST.get("reason", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(
        f"Your approval of pay run {number} is taken back.", to=reverse("portal_run", args=[client, number])
    )


class HandOver(GroupedForm):
    """A colleague who approves instead, once or until a day."""

    colleague = forms.ChoiceField()
    until = DayField(required=False, label="For every run until", help_text="Empty: this run only.")
    reason = LineField(max_length=LONGEST_REASON, help_text="Your colleague and your bureau read it.")

    def __init__(self, colleagues: Sequence[handing_over.Approver], *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        choices = [(str(one.id), one.name) for one in colleagues]
        self.fields["colleague"] = forms.ChoiceField(choices=choices)
        self.order_fields(["colleague", "until", "reason"])


def _handed(request: PageRequest, run: PayRun) -> dict[str, Any]:
    """To whom a run's approval was handed, and the form to do so."""
    me = request.identity.id
    given = handing_over.standing_of(me, run, duties.today())
    others = [one for one in handing_over.approvers_of_client() if one.id != me]
    may = _may_return(request, run) and given is None and bool(others)
    return {
        "handings": handing_over.handings(run),
        "i_handed": given,
        "hand_form": form_of(request, HandOver(others)) if may else None,
    }


@action("payroll.approve", faces=FACES)
def hand_over_run(request: PageRequest, client: str, number: int) -> Done:
    """Let a colleague approve in my place."""
    run = payroll.named_run(number)
    asked = filled_in(HandOver(handing_over.approvers_of_client(), request.POST))
    until = asked["until"]
    handing_over.hand_over(
        UUID(asked["colleague"]),
        run_id=None if until else run.id,
        until=until,
        reason=asked["reason"],
        key=request.key,  # type: ignore[call-arg]
    )
    what = f"every run until {format_day(until)}" if until else f"pay run {number}"
    return Done(f"Your colleague approves {what}.", to=reverse("portal_run", args=[client, number]))


@action("payroll.approve", faces=FACES)
def hand_back(request: PageRequest, client: str, handover_id: UUID) -> Done:
    """From now on whoever handed it over approves again."""
    handing_over.take_back_handover(
        handover_id,
        reason=request.POST.get("reason", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done("The approval is taken back.")


@page("payroll.read", reads="payslip", faces=FACES)
def run_person(request: PageRequest, client: str, number: int, payroll_number: str) -> HttpResponse:
    """One person of a run: their figures, and why they differ from the last; and the no, with a comment."""
    found = payroll.named_run(number)
    slip = payroll.payslip_of(found, payroll_number)
    if slip is None or request.client is None:
        raise NotFound(f"pay run {number} has no payslip for payroll number {payroll_number!r}")
    request.reading(slip.id)
    currency = request.client.currency
    one = explained.person_variance(found, payroll_number, currency)
    context = {
        "run": found,
        "slip": slip,
        "figures": [
            (e.label, slip.figures[e.code], e.unit == "minutes")
            for e in jurisdiction(found.jurisdiction).elements
            if e.kind != "figure" and slip.figures.get(e.code)
        ],
        "comments": [c for c in returned.comments(found) if c.person_id == slip.person_id],
        "may_return": _may_return(request, found),
        "content_hash": bytes(found.content_hash).hex() if found.content_hash else "",
        **variance_pages.told(found, one, currency),
    }
    return render(request, "web/portal_run_person.html", context)


def _may_return(request: PageRequest, run: PayRun) -> bool:
    return request.may("payroll.approve") and standing.released("pay_run", run.id) is None


urlpatterns = [
    path("portal/<str:client>/runs", runs, name="portal_runs"),
    path("portal/<str:client>/runs/<int:number>", run, name="portal_run"),
    path("portal/<str:client>/runs/<int:number>/approve", approve_run, name="portal_run_approve"),
    path("portal/<str:client>/runs/<int:number>/return", return_run, name="portal_run_return"),
    path("portal/<str:client>/runs/<int:number>/hand-over", hand_over_run, name="portal_run_hand_over"),
    path("portal/<str:client>/handed-over/<uuid:handover_id>/back", hand_back, name="portal_handover_back"),
    path("portal/<str:client>/runs/<int:number>/take-back", take_back_run, name="portal_run_take_back"),
    path(
        "portal/<str:client>/runs/<int:number>/people/<path:payroll_number>",
        run_person,
        name="portal_run_person",
    ),
]
