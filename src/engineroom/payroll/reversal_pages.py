"""Taking payslips of a released run back, and paying anew in their place: asked for on the run's own page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.urls import path, reverse

from engineroom.foundation.commands import keyed
from engineroom.payroll import attempts, reversal, selectors
from engineroom.payroll.inputs import REPLACEMENT, REVERSAL
from engineroom.payroll.models import AttemptChunk, PayRun
from engineroom.ui.display import format_count
from engineroom.ui.fields import DayField, LineField
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of

CALCULATED_AT_ONCE = 2_000


class ReverseForm(forms.Form):
    reason = LineField(max_length=300, label="Why", help_text="It stands beside every payslip taken back.")
    people = LineField(
        required=False,
        max_length=2000,
        label="Payroll numbers",
        help_text="With a comma between; empty: everybody in the run.",
    )
    replace = forms.BooleanField(
        required=False,
        label="Pay anew in their place",
        help_text="Opens a run with the same pay; change what was wrong, then calculate it.",
    )
    pay_date = DayField(
        required=False, label="On", help_text="Empty: today, or the day of the last released run if later."
    )


@action("payroll.prepare")
def take_payslips_back(request: PageRequest, client: str, number: int) -> Done:
    """Open the reversal and calculate it; what is to be paid anew is opened beside it, to be looked at."""
    found = selectors.named_run(number)
    asked = filled_in(ReverseForm(request.POST))
    numbers = [part.strip() for part in asked["people"].split(",") if part.strip()]
    with keyed(request.key):
        opened = reversal.reverse_payslips(
            found.id,
            reason=asked["reason"],
            payroll_numbers=numbers,
            replace=asked["replace"],
            pay_date=asked["pay_date"],
        )
        _calculate(opened)
    done = f"Run {opened.number} takes {format_count(opened.payslips, 'payslip')} back."
    if opened.replacement:
        done += f" Run {opened.replacement} pays anew: look at its items, then calculate it."
    return Done(
        done,
        to=reverse("payroll:run", args=[client, opened.number]),
    )


def _calculate(opened: reversal.ReversalOpened) -> None:
    """At once, where a page can wait for it."""
    long = opened.payslips > CALCULATED_AT_ONCE
    plan = attempts.plan_calculation(opened.run_id, in_background=long)
    if long:
        return
    left = AttemptChunk.objects.filter(attempt_id=plan.attempt_id, done_at=None).order_by("chunk")
    for chunk in list(left.values_list("chunk", flat=True)):
        attempts.calculate_chunk(plan.attempt_id, chunk)
    attempts.publish_attempt(plan.attempt_id)


def corrections(request: PageRequest, run: PayRun, *, is_released: bool) -> dict[str, Any]:
    """What a run's page says of it: what it corrects, what corrects it, and the form where it may be."""
    may = is_released and request.may("payroll.prepare") and run.kind != REVERSAL
    return {
        "corrects": run.corrects,
        "is_reversal": run.kind == REVERSAL,
        "is_replacement": run.kind == REPLACEMENT,
        "corrections": reversal.corrections_of(run),
        "reverse_form": form_of(request, ReverseForm(auto_id="reverse-%s")) if may else None,
    }


urlpatterns = [
    path("c/<str:client>/runs/<int:number>/do/reverse", take_payslips_back, name="reverse"),
]
