"""Who answers for customers' hours, who stands in, and when no answer is chased."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from engineroom.foundation import duties
from engineroom.timesheets import asking, selectors
from engineroom.ui.fields import DayField, Group, GroupedForm, LineField
from engineroom.ui.pages import (
    NavigationEntry,
    PageRequest,
    action,
    filled_in,
    form_of,
    page,
    reason_given,
)

NAVIGATION = [
    NavigationEntry(
        "Who answers", "timesheets:answerers", "timesheets.read", order=222, under="timesheets:list"
    )
]


class Answering(GroupedForm):
    """Who answers for a customer from a day on. Hours: after asking; 0 for never."""

    groups = (
        Group("For whom", ["customer", "starts"]),
        Group("Who answers", ["approver_name", "approver_email"]),
        Group("Who stands in", ["backup_name", "backup_email"]),
        Group("Hours without an answer, until", ["remind_hours", "backup_hours", "escalate_hours"]),
    )

    customer = forms.ChoiceField()
    starts = DayField(label="From")
    approver_name = LineField(label="Name", max_length=100)
    approver_email = LineField(label="E-mail", max_length=254)
    backup_name = LineField(label="Name of the stand-in", required=False, max_length=100)
    backup_email = LineField(label="E-mail of the stand-in", required=False, max_length=254)
    remind_hours = forms.IntegerField(label="A reminder", min_value=0, initial=24, help_text="0: never.")
    backup_hours = forms.IntegerField(label="The stand-in", min_value=0, initial=48, help_text="0: never.")
    escalate_hours = forms.IntegerField(
        label="The bureau is told", min_value=0, initial=72, help_text="0: never."
    )

    def __init__(self, *args: Any, customers: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["customer"].choices = list(customers)  # type: ignore[attr-defined]


@page("timesheets.read")
def answerers(request: PageRequest, client: str) -> HttpResponse:
    """By customer: who answers, from when until when."""
    customers = selectors.customers()
    fresh = Answering(customers=customers, initial={"starts": duties.today()})
    context = {
        "rows": asking.policies(),
        "form": form_of(request, fresh) if request.may("timesheets.prepare") and customers else None,
    }
    return render(request, "timesheets/answerers.html", context)


@action("timesheets.prepare")
def set_answerer(request: PageRequest, client: str) -> str:
    values = filled_in(Answering(request.POST, customers=selectors.customers()))
    customer, starts = values.pop("customer"), values.pop("starts")
    asking.set_answer_policy(customer, asking.Answers(**values), starts=starts, key=request.key)  # type: ignore[call-arg]
    return "Kept. Who is asked from that day on is asked by it."


@action("timesheets.prepare")
def withdraw(request: PageRequest, client: str, request_id: UUID) -> str:
    """Take a request back."""
    asking.withdraw_request(request_id, reason=reason_given(request, ""), key=request.key)  # type: ignore[call-arg]
    return "Taken back: its links open nothing any more."


urlpatterns = [
    path("c/<str:client>/time/answerers", answerers, name="answerers"),
    path("c/<str:client>/time/answerers/set", set_answerer, name="answerer_set"),
    path("c/<str:client>/time/requests/<uuid:request_id>/withdraw", withdraw, name="request_withdraw"),
]
