"""Whether runs wait for the client's own approval: what was said, and saying it from a pay date on."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation import duties
from engineroom.foundation.commands import keyed
from engineroom.kernel.errors import LONGEST_REASON
from engineroom.payroll import client_approval, handing_over
from engineroom.payroll.schedules import pay_schedules
from engineroom.ui.fields import DayField, GroupedForm, LineField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page

NAVIGATION = [
    NavigationEntry(
        "Client approval", "payroll:client_approval", "payroll.read", order=246, under="payroll:runs"
    )
]


class SayApproval(GroupedForm):
    """From a pay date on runs wait for the client, or do not."""

    wanted = forms.ChoiceField(label="The client's approval")
    schedule = forms.ChoiceField(required=False, label="Of")
    starts = DayField(label="For paydays from")
    reason = LineField(max_length=LONGEST_REASON, help_text="Such as: agreed on 3 March.")

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        schedules = [(row.code, f"runs of {row.code}: {row.name}") for row in pay_schedules() if not row.ends]
        of, wanted = self.fields["schedule"], self.fields["wanted"]
        assert isinstance(of, forms.ChoiceField) and isinstance(wanted, forms.ChoiceField)
        of.choices = [("", "all runs"), *schedules]
        words = client_approval.WORDS.items()
        wanted.choices = [(code, said) for code, said in words if schedules or code != "as_client"]


@page("payroll.read")
def policies(request: PageRequest, client: str) -> HttpResponse:
    """What was said, the latest day first, and who of the client may approve."""
    today = duties.today()
    context = {
        "rows": client_approval.policies(),
        "approvers": handing_over.approvers_of_client(),
        "form": form_of(request, SayApproval(initial={"starts": today, "wanted": "must"}))
        if request.may("foundation.prepare")
        else None,
    }
    return render(request, "payroll/client_approval.html", context)


@action("foundation.prepare")
def say(request: PageRequest, client: str) -> Done:
    """From a day on; what was said of earlier days stays."""
    asked = filled_in(SayApproval(request.POST))
    with keyed(request.key):
        done = client_approval.say_client_approval(
            asked["wanted"], starts=asked["starts"], schedule=asked["schedule"], reason=asked["reason"]
        )
    of = f"runs of {done.schedule}" if done.schedule else "all runs"
    what = f"The client's approval of {of} paid from {done.starts}: {client_approval.WORDS[done.wanted]}."
    return Done(what, reverse("payroll:client_approval", args=[client]))


urlpatterns = [
    path("c/<str:client>/client-approval", policies, name="client_approval"),
    path("c/<str:client>/client-approval/do/say", say, name="client_approval_say"),
]
