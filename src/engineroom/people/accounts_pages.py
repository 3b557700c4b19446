"""Accounts that wait for a second person: looked at, approved or refused; and another account proposed."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.foundation.approvals.selectors import makers
from engineroom.people import accounts, selectors
from engineroom.people.accounts import Payee
from engineroom.ui.fields import DayField, Group, GroupedForm, LineField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page

NAVIGATION = [
    NavigationEntry("Held accounts", "people:accounts", "people.read", order=211, under="people:list")
]


class AccountForm(GroupedForm):
    groups = (
        Group("The account", ["account_name", "sort_code", "account_number"]),
        Group("From when, and how it is known", ["starts", "reason"]),
    )

    starts = DayField(label="From", help_text="The first pay date that is paid into it.")
    account_name = LineField(max_length=100, label="In the name of")
    sort_code = LineField(max_length=8, label="Sort code")
    account_number = LineField(max_length=8, label="Account number")
    reason = LineField(max_length=300, label="How this is known", help_text="Such as: asked by phone.")


@page("people.read", reads="account_change")
def held(request: PageRequest, client: str) -> HttpResponse:
    """What waits for a second person. `?show=bank` opens the accounts to a role that may see them."""
    may_see = "bank" not in request.masked
    shows_bank = may_see and request.GET.get("show") == "bank"
    request.reading(bank=shows_bank)
    rows = selectors.held_accounts(show_bank=shows_bank)
    me = request.identity.id
    mine = {
        row.proposal_id
        for row in rows
        if any(m.user_id == me for m in makers(accounts.SUBJECT, row.proposal_id))
    }
    context = {
        "rows": [(row, row.proposal_id.hex, row.proposal_id in mine) for row in rows],
        "decided": selectors.decided_accounts(),
        "may_see_bank": may_see,
        "shows_bank": shows_bank,
        "holds_first": selectors.holds_first_accounts(),
        "may_approve": request.may("people.approve"),
        "may_prepare": request.may("people.prepare"),
    }
    return render(request, "people/accounts.html", context)


@page("people.read", reads="person")
def account(request: PageRequest, client: str, payroll_number: str) -> HttpResponse:
    """A form for another account of one person."""
    person = selectors.named_person(payroll_number)
    request.reading(person.counterparty_id)
    context = {"person": person, "held": selectors.held_accounts(person_id=person.counterparty_id)}
    if request.may("people.prepare"):
        context["form"] = form_of(request, AccountForm(initial={"account_name": person.name}))
    return render(request, "people/account.html", context)


@action("people.prepare")
def propose(request: PageRequest, client: str, payroll_number: str) -> Done:
    person = selectors.named_person(payroll_number)
    asked = filled_in(AccountForm(request.POST))
    done = accounts.propose_account(
        person.counterparty_id,
        Payee.of(asked["account_name"], asked["sort_code"], asked["account_number"]),
        starts=asked["starts"],
        reason=asked["reason"],
        key=request.key,  # type: ignore[call-arg]
    )
    said = (
        "It waits for a second person; until then the one on file is paid." if done.held else "It is on file."
    )
    return Done(said, to=reverse("people:person", args=[client, payroll_number]))


@action("people.approve")
def approve(request: PageRequest, client: str, proposal_id: UUID) -> Done:
    seen = request.POST.get("content_hash", "")
    accounts.approve_account(proposal_id, content_hash=seen, key=request.key)  # type: ignore[call-arg]
    return Done("The account is approved.", to=_list(client))


@action("people.approve")
def refuse(request: PageRequest, client: str, proposal_id: UUID) -> Done:
    reason = request.POST.get("reason", "")
    accounts.refuse_account(proposal_id, reason=reason, key=request.key)  # type: ignore[call-arg]
    return Done("The account is refused; the one on file stands.", to=_list(client))


@action("people.prepare")
def withdraw(request: PageRequest, client: str, proposal_id: UUID) -> Done:
    reason = request.POST.get("reason", "")
    accounts.withdraw_account(proposal_id, reason=reason, key=request.key)  # type: ignore[call-arg]
    return Done("What was proposed is taken back.", to=_list(client))


@action("people.approve")
def policy(request: PageRequest, client: str) -> Done:
    holds = request.POST.get("hold_first") == "yes"
    reason = request.POST.get("reason", "")
    accounts.set_account_policy(holds, reason=reason, key=request.key)  # type: ignore[call-arg]
    return Done(
        "First accounts wait for a second person too." if holds else "First accounts are written at once.",
        to=_list(client),
    )


def _list(client: str) -> str:
    return reverse("people:accounts", args=[client])


urlpatterns = [
    path("c/<str:client>/held-accounts", held, name="accounts"),
    path("c/<str:client>/held-accounts/policy", policy, name="account_policy"),
    path("c/<str:client>/held-accounts/<uuid:proposal_id>/approve", approve, name="account_approve"),
    path("c/<str:client>/held-accounts/<uuid:proposal_id>/refuse", refuse, name="account_refuse"),
    path("c/<str:client>/held-accounts/<uuid:proposal_id>/withdraw", withdraw, name="account_withdraw"),
    path("c/<str:client>/account/<path:payroll_number>/do/propose", propose, name="account_propose"),
    path("c/<str:client>/account/<path:payroll_number>", account, name="account"),
]
