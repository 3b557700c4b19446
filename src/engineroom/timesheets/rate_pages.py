"""Customers' agreements, their rate cards by role, and what an edit of a card would change."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation.commands import keyed
from engineroom.kernel.errors import LONGEST_REASON, InputRefused
from engineroom.kernel.rates import PPM, format_ppm
from engineroom.timesheets import rates, selectors
from engineroom.timesheets.models import Assignment
from engineroom.ui.display import format_count, format_day
from engineroom.ui.fields import DayField, Group, GroupedForm, HoursField, LineField, MoneyField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page

NAVIGATION = [
    NavigationEntry("Rates", "timesheets:agreements", "timesheets.read", order=222, under="timesheets:list")
]


class TimesField(forms.CharField):
    """A multiplier as people write it, "150%"; its value is parts per million."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(**{"widget": widget, "max_length": 12, **options})

    def prepare_value(self, value: Any) -> Any:
        return format_ppm(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            times = Decimal(text.removesuffix("%").strip()) * (PPM // 100)
        except InvalidOperation:
            times = Decimal("NaN")
        if not times.is_finite() or times % 1 or not PPM <= times <= 10 * PPM:
            raise forms.ValidationError(f"{text} is no multiplier from 100% to 1000%: write it as 150%.")
        return int(times)


class AddSite(forms.Form):
    customer = forms.ChoiceField()
    code = LineField(max_length=40)
    name = LineField(max_length=200)
    address = LineField(max_length=500, required=False)

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.fields["customer"].choices = _customers()  # type: ignore[attr-defined]


class AddAgreement(forms.Form):
    customer = forms.ChoiceField()
    number = LineField(max_length=40, help_text="As it stands on the agreement.")
    title = LineField(max_length=200, required=False)
    site = LineField(max_length=40, required=False, help_text="Its site's code, where it is for one site.")
    agreed_on = DayField(required=False, label="Agreed on")

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.fields["customer"].choices = _customers()  # type: ignore[attr-defined]


def _customers() -> list[tuple[str, str]]:
    return [(code, f"{name} ({code})") for code, name in selectors.all_customers()]


class TermsForm(GroupedForm):
    """What a card says."""

    groups = (
        Group("", ("role", "starts", "ends")),
        Group("An hour", ("pay_rate", "bill_rate")),
        Group("Of the basic rate", ("overtime_ppm", "weekend_ppm", "weekly_threshold_minutes")),
    )

    def __init__(self, currency: str, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.fields["pay_rate"] = MoneyField(currency, label="Pays")
        self.fields["bill_rate"] = MoneyField(currency, label="Bills")
        self.fields["overtime_ppm"] = TimesField(label="Overtime", initial=1_500_000)
        self.fields["weekend_ppm"] = TimesField(label="Weekend", initial=1_500_000)
        if isinstance(self, NewVersion):
            self.fields["weekly_threshold_minutes"] = HoursField(
                label="Hours a week before overtime", initial=40 * 60
            )


class NewVersion(TermsForm):
    """A role's first card or its next version."""

    role = LineField(max_length=100)
    starts = DayField(label="From")
    ends = DayField(label="Until", required=False)
    reason = LineField(max_length=LONGEST_REASON, required=False)


class EditTerms(TermsForm):
    """What a card should have said all along."""


class Follow(forms.Form):
    assignment = LineField(max_length=20, help_text="By its code.")
    starts = DayField(label="From")


@page("timesheets.read")
def agreements(request: PageRequest, client: str) -> HttpResponse:
    """Agreements with customers, and the sites at which people work."""
    may = request.may("timesheets.prepare") and bool(selectors.all_customers())
    context = {
        "rows": rates.agreements(),
        "sites": rates.sites(),
        "may": may,
        "add_form": form_of(request, AddAgreement()) if may else None,
        "site_form": form_of(request, AddSite(prefix="site")) if may else None,
    }
    return render(request, "timesheets/agreements.html", context)


@page("timesheets.read", reads="agreement")
def agreement(request: PageRequest, client: str, agreement_id: UUID) -> HttpResponse:
    """The cards of an agreement by role and day, who follows them, and what is left to correct."""
    request.reading(agreement_id)
    assert request.client is not None
    row, cards = rates.agreement_of(agreement_id), rates.cards(agreement_id)
    may = request.may("timesheets.prepare")
    edited = [card for card in cards if len(card.revisions) > 1]
    context = {
        "agreement": row,
        "cards": cards,
        "history": [(card, terms) for card in edited for terms in card.revisions],
        "open": [r for card in edited for r in rates.not_settled(card.card.id)],
        "followers": rates.followers(agreement_id),
        "hides_pay": "pay" in request.masked,
        "run_page": selectors.run_page(),
        "may": may,
        "version_form": form_of(request, NewVersion(request.client.currency)) if may else None,
        "follow_form": form_of(request, Follow(prefix="follow")) if may else None,
    }
    return render(request, "timesheets/agreement.html", context)


@page("timesheets.prepare", reads="rate_card")
def edit(request: PageRequest, client: str, card_id: UUID) -> HttpResponse:
    """What the card says, and, once another value is typed, every charge that would change."""
    request.reading(card_id)
    assert request.client is not None
    card = rates.card_of(card_id)
    _, terms = rates.terms_of(card_id)
    asked = "pay_rate" in request.GET
    form = EditTerms(request.client.currency, request.GET if asked else None, initial=vars(terms))
    found, refused = None, ""
    if asked and form.is_valid():
        try:
            found = rates.preview_edit(card_id, _edited(form.cleaned_data, terms))
        except InputRefused as error:
            refused = str(error)
    context = {
        "card": card,
        "form": form,
        "edit": found,
        "refused": refused,
        "hides_pay": "pay" in request.masked,
        "run_page": selectors.run_page(),
    }
    return render(request, "timesheets/rate_edit.html", context)


def _edited(asked: dict[str, Any], before: rates.Terms) -> rates.Terms:
    """The terms as typed; when overtime begins is not for an edit."""
    return rates.Terms(
        asked["pay_rate"],
        asked["bill_rate"],
        asked["overtime_ppm"],
        asked["weekend_ppm"],
        before.weekly_threshold_minutes,
    )


@action("timesheets.prepare")
def add_agreement(request: PageRequest, client: str) -> Done:
    asked = filled_in(AddAgreement(request.POST))
    with keyed(request.key):
        done = rates.add_agreement(
            asked["customer"],
            asked["number"],
            title=asked["title"],
            site=asked["site"],
            agreed_on=asked["agreed_on"],
        )
    return Done(f"Agreement {done.number} is kept; add its rate cards.", _at(client, done.agreement_id))


def _at(client: str, agreement_id: UUID) -> str:
    return reverse("timesheets:agreement", args=[client, agreement_id])


@action("timesheets.prepare")
def add_site(request: PageRequest, client: str) -> Done:
    asked = filled_in(AddSite(request.POST, prefix="site"))
    with keyed(request.key):
        rates.add_site(asked["customer"], asked["code"], asked["name"], address=asked["address"])
    return Done(f"Site {asked['code']} is kept.", reverse("timesheets:agreements", args=[client]))


@action("timesheets.prepare")
def add_card(request: PageRequest, client: str, agreement_id: UUID) -> Done:
    """A role's first card or its next version."""
    assert request.client is not None
    asked = filled_in(NewVersion(request.client.currency, request.POST))
    with keyed(request.key):
        done = rates.add_rate_card(agreement_id, asked.pop("role"), asked.pop("starts"), **asked)
    before = "; the version before ends the day before" if done.ended else ""
    return Done(f"The rates hold from {format_day(done.starts)}{before}.", _at(client, agreement_id))


@action("timesheets.prepare")
def follow(request: PageRequest, client: str, agreement_id: UUID) -> Done:
    """From a day on an assignment has its agreement's rates."""
    asked = filled_in(Follow(request.POST, prefix="follow"))
    row = Assignment.objects.filter(
        client_id=rates.agreement_of(agreement_id).client_id, code=asked["assignment"]
    ).first()
    if row is None:
        raise InputRefused([selectors.no_assignment(asked["assignment"])])
    with keyed(request.key):
        done = rates.follow_agreement(row.id, agreement_id, asked["starts"])
    return Done(
        f"{row.code} follows the agreement from {format_day(done.starts)}.", _at(client, agreement_id)
    )


@action("timesheets.prepare")
def change(request: PageRequest, client: str, card_id: UUID) -> Done:
    """Edit a card as it was previewed."""
    assert request.client is not None
    _, before = rates.terms_of(rates.card_of(card_id).id)
    asked = filled_in(EditTerms(request.client.currency, request.POST))
    with keyed(request.key):
        done = rates.edit_rate_card(
            card_id,
            **vars(_edited(asked, before)),
            content_hash=request.POST.get("content_hash", ""),
            reason=request.POST.get("reason", ""),
        )
    stays = (
        f"; {format_count(done.stays, 'charge')} paid or billed stay, and are listed" if done.stays else ""
    )
    words = f"The card is edited: {format_count(done.moved, 'charge')} valued anew{stays}."
    return Done(words, _at(client, rates.card_of(card_id).agreement_id))


urlpatterns = [
    path("c/<str:client>/rates", agreements, name="agreements"),
    path("c/<str:client>/rates/do/add-agreement", add_agreement, name="agreement_add"),
    path("c/<str:client>/rates/do/add-site", add_site, name="site_add"),
    path("c/<str:client>/rates/<uuid:agreement_id>", agreement, name="agreement"),
    path("c/<str:client>/rates/<uuid:agreement_id>/add-card", add_card, name="card_add"),
    path("c/<str:client>/rates/<uuid:agreement_id>/follow", follow, name="agreement_follow"),
    path("c/<str:client>/rates/cards/<uuid:card_id>", edit, name="card_edit"),
    path("c/<str:client>/rates/cards/<uuid:card_id>/change", change, name="card_change"),
]
