"""Payments: files and how far each is proven. Bank: lines, what each cleared, and why some did not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.foundation.access.models import User
from engineroom.foundation.approvals import selectors as approvals
from engineroom.foundation.crypto.fields import DOTS, reveal
from engineroom.foundation.dated import lives_on
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.foundation.vault.answers import file_answer
from engineroom.kernel.errors import InputRefused, NotFound, NotPermitted, Problem
from engineroom.openitems.selectors import Open, open_items
from engineroom.payroll.models import PayRun
from engineroom.people.models import BankAccount
from engineroom.settlement import (
    again,
    again_pages,
    by_hand,
    clearing,
    layout_pages,
    likely,
    selectors,
    services,
)
from engineroom.settlement.formats import bacs18
from engineroom.settlement.models import BankLine, Cleared, OwnAccount, PaymentBatch
from engineroom.ui import listing
from engineroom.ui.display import format_count, format_day
from engineroom.ui.fields import DayField, Group, GroupedForm, LineField, MoneyField
from engineroom.ui.pages import (
    Done,
    NavigationEntry,
    PageRequest,
    action,
    address,
    filled_in,
    form_of,
    page,
    require_any,
)
from engineroom.ui.parts import Event, Tab

app_name = "settlement"

NAVIGATION = [
    NavigationEntry("Payments", "settlement:batches", "settlement.read", key="y", order=400),
    NavigationEntry("Bank", "settlement:bank", "settlement.read", key="k", order=410),
]

BATCH_SHAPES = {"written": "wait", "submitted": "run", "settled": "run", "cleared": "done"}


# --- payments -------------------------------------------------------------------------------------------


@page("settlement.read", reads="payment_batch")
def batches(request: PageRequest, client: str) -> HttpResponse:
    """Payment files, latest first, and the furthest that is proven of each."""
    found = selectors.batches(request.GET.get("at", ""))
    request.reading(what="totals of payment files", rows=len(found.rows))
    context = {
        "rows": [(row, BATCH_SHAPES[row.state]) for row in found.rows],
        "pager": listing.onward(request, found),
        "hides_pay": "pay" in request.masked,
        "runs_url": address("payroll:runs", client),
        "came_back": len(again.returned_payments()),
    }
    return render(request, "settlement/batches.html", context)


class StageForm(forms.Form):
    """What was learnt of a file, and what says so."""

    on = DayField(label="Day")
    evidence = LineField(
        max_length=200,
        help_text="The number of the report or message that says so.",
    )


def _batch(number: int) -> selectors.BatchView:
    found = selectors.batch(number)
    if found is None:
        raise NotFound(f"there is no payment file {number}")
    return found


@page("settlement.read", reads="payment_batch")
def batch(request: PageRequest, client: str, number: int) -> HttpResponse:
    """One payment file: its days, how far it is proven and by what, and its payees."""
    view = _batch(number)
    payees = selectors.payees(view.id, request.GET.get("at", ""))
    opened = request.GET.get("accounts") == "open" and "bank" not in request.masked
    request.reading(view.id, what="payments", rows=len(payees.rows))
    accounts = _accounts([p.payee_id for p in payees.rows], view) if opened else {}
    next_stage = {"written": "submitted", "submitted": "settled"}.get(view.state)
    context = {
        "batch": view,
        "shape": BATCH_SHAPES[view.state],
        "events": _events(client, view),
        "payees": [(p, accounts.get(p.payee_id, DOTS)) for p in payees.rows],
        "pager": listing.onward(request, payees),
        "opened": opened,
        "may_open": "bank" not in request.masked,
        "hides_pay": "pay" in request.masked,
        "may_download": any(map(request.may, GIVEN_TO)) and not request.masked & {"pay", "bank"},
        "next_stage": next_stage,
        "stage_form": form_of(request, StageForm(initial={"on": timezone.now().date()}))
        if next_stage and request.may("settlement.prepare")
        else None,
        "unverified": bacs18.unverified_fields(view.processing_day) if view.scheme == "bacs18" else (),
        "thread_url": address("thread", client, "batch", view.id),
        "subject": _subject(client, view),
    }
    return render(request, "settlement/batch.html", context)


def _accounts(people: list[UUID], view: selectors.BatchView) -> dict[UUID, str]:
    """Where each payee is paid on the day, through the logged accessor."""
    rows = list(BankAccount.objects.filter(lives_on(view.pay_date), person_id__in=people).order_by("starts"))
    purpose = f"page of payment file {view.reference}"
    sort_codes = reveal(rows, "sort_code", purpose=purpose)
    numbers = reveal(rows, "account_number", purpose=purpose)
    return {
        row.person_id: f"{_sort_code(code or '')} {number}"
        for row, code, number in zip(rows, sort_codes, numbers, strict=True)
    }


def _sort_code(code: str) -> str:
    return "-".join((code[:2], code[2:4], code[4:])) if len(code) == 6 and code.isdigit() else code


def _subject(client: str, view: selectors.BatchView) -> tuple[str, str]:
    """What the file pays, and its page."""
    if view.subject_kind == again.SUBJECT:
        reference = again.returned_payment(view.subject_id).reference
        return f"{reference} again, which came back", reverse("settlement:returned", args=[client])
    if view.subject_kind != "pay_run":
        return view.subject_kind.replace("_", " "), ""
    number = PayRun.objects.filter(id=view.subject_id).values_list("number", flat=True).first()
    return f"pay run {number}", address("payroll:run", client, number)


def _events(client: str, view: selectors.BatchView) -> list[Event]:
    """What is proven, in order, and what is still to come."""
    events = [Event(view.at, "Written", note="released; not sent by this")]
    recorded = {stage.stage: stage for stage in selectors.stages(view.id)}
    for name in ("submitted", "settled"):
        if stage := recorded.get(name):
            note = f"evidence: {stage.evidence}"
            events.append(Event(stage.on, name.capitalize(), stage.by, note))
        elif not view.cleared_line:
            due = view.submit_by if name == "submitted" else view.entry_day
            events.append(Event(due, f"To be {name}", kind="risk" if view.overdue else "open"))
    if view.cleared_line and (line := selectors.bank_line(view.cleared_line)):
        url = reverse("settlement:line", args=[client, line.id])
        events.append(Event(line.booked, "Cleared", note=f"by the bank's line: {line.why}", url=url))
    else:
        note = "the bank's own line will say so"
        events.append(Event(view.entry_day, "To be cleared", note=note, kind="open"))
    return events


GIVEN_TO = ("settlement.prepare", "settlement.release")
"""Whoever submits a payment file or let it out holds it; a file is written only once it is released."""


@page("settlement.read", reads="payment_file")
def batch_file(request: PageRequest, client: str, number: int) -> HttpResponse:
    """The file as written, for a person to submit. It holds bank accounts."""
    require_any(request, *GIVEN_TO)
    view = _batch(number)
    if hidden := request.masked & {"pay", "bank"}:
        raise NotPermitted(f"a payment file shows {' and '.join(sorted(hidden))} data, hidden from your role")
    row = PaymentBatch.objects.select_related("file").get(id=view.id)
    request.reading(view.id, what="payment file", rows=view.count)
    return file_answer(row.file)


@action("settlement.prepare")
def record_stage(request: PageRequest, client: str, number: int) -> Done:
    """Submitted or settled, on the evidence given. Cleared is the bank's to say."""
    asked = filled_in(StageForm(request.POST))
    view = _batch(number)
    done = services.record_stage(
        view.id,
        request.POST.get("stage", ""),
        on=asked["on"],
        evidence=asked["evidence"],
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(
        f"{view.reference} is {done.stage}, on {format_day(asked['on'])}.",
        to=reverse("settlement:batch", args=[client, number]),
    )


# --- bank -----------------------------------------------------------------------------------------------

STATES = {"": "All lines", "exception": "Exceptions", "cleared": "Cleared"}

REMEDIES = {
    "no money": "Nothing is to be done: the line moves nothing.",
    "settled already": "See what settled it before; if the customer paid twice, pay one back.",
    "ambiguous": "Several things fit. Ask the payer or the bank which is meant, then clear again.",
    "amount differs": "Compare the line with what it names: a fee, a discount, or two payments in one.",
    "unknown payment": "Money went out that no file of ours explains: ask the bank at once.",
    "unknown return": "Find whose payment came back: its reference is missing on the bank's line.",
    "unknown receipt": "Ask the payer what it is for; it may pay an invoice that is not issued yet.",
    "period locked": "Reopen the period and clear again; or say below what it is, it is posted later.",
    "explained": "Another person looks at it and approves it, or whoever said it withdraws it.",
    "taken back": "Say below what it is: no rule clears it again.",
    "not looked at": "Clear again: nobody has looked at this line.",
}
"""What to do about a line, by why it is not cleared."""


def _account(request: PageRequest) -> tuple[OwnAccount | None, list[OwnAccount]]:
    """The bank account that the address names, else the main one, else the first."""
    accounts = selectors.own_accounts()
    asked = request.GET.get("account", "") or "main"
    chosen = next((a for a in accounts if a.code == asked), accounts[0] if accounts else None)
    return chosen, accounts


@page("settlement.read")
def bank(request: PageRequest, client: str) -> HttpResponse:
    """Lines of a bank account, latest first, under whether the bank and the books agree."""
    account, accounts = _account(request)
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    context: dict[str, Any] = {
        "account": account,
        "imports_url": address("imports", client),
        "may_clear": request.may("settlement.prepare"),
        "state": state,
    }
    if account is not None:
        found = selectors.bank_lines(account.id, state=state, cursor=request.GET.get("at", ""))
        context |= {
            "rows": _with_likely(found.rows),
            "pager": listing.onward(request, found),
            "filtered": STATES[state].lower() if state else "",
            "tabs": [
                Tab(label, listing.address(request, state=name), name == state)
                for name, label in STATES.items()
            ],
            "accounts": [
                Tab(a.name, listing.address(request, account=a.code), a.id == account.id) for a in accounts
            ]
            if len(accounts) > 1
            else [],
            "proof": selectors.reconcile(account.code),
            "hides_bank": "bank" in request.masked,
        }
    return render(request, "settlement/bank.html", context)


def _with_likely(rows: Sequence[selectors.LineView]) -> list[tuple[selectors.LineView, likely.Likely | None]]:
    """Each line and what it may be, where it waits and the reader may say so."""
    found = likely.suggestions() if any(not row.is_cleared for row in rows) else {}
    return [(row, found.get(row.id)) for row in rows]


class AccountForm(GroupedForm):
    """A bank account of the client's own, as it stands on a statement."""

    groups = (
        Group("The account", ["code", "name", "sort_code", "account_number"]),
        Group("Its other numbers", ["service_user_number", "iban"]),
    )

    code = forms.CharField(max_length=20, help_text="What it is called here, such as main.")
    name = forms.CharField(max_length=100, label="Name on it")
    sort_code = forms.CharField(max_length=8, help_text="20-00-00")
    account_number = forms.CharField(max_length=8)
    service_user_number = forms.CharField(max_length=6, required=False, help_text="Given by Bacs.")
    iban = forms.CharField(max_length=42, required=False, label="IBAN")


class RenameForm(forms.Form):
    to = forms.CharField(max_length=20, label="Call it")


@page("settlement.read", reads="own_account")
def own_accounts(request: PageRequest, client: str) -> HttpResponse:
    """The client's own accounts: what is paid from and into, and what each is called."""
    may = request.may("settlement.prepare")
    dots = "bank" in request.masked
    accounts = selectors.own_accounts()
    for account in accounts:
        request.reading(account.id, what="dots" if dots else "account number")
    rows = [
        (
            account,
            DOTS if dots else f"{_sort_code(account.sort_code)} {account.account_number}",
            form_of(request, RenameForm(prefix=str(account.id))) if may else None,
        )
        for account in accounts
    ]
    form = form_of(request, AccountForm()) if may else None
    return render(request, "settlement/accounts.html", {"rows": rows, "form": form})


@action("settlement.prepare")
def add_account(request: PageRequest, client: str) -> Done:
    asked = filled_in(AccountForm(request.POST))
    code, name = asked.pop("code"), asked.pop("name")
    done = services.add_own_account(code, name, **asked, key=request.key)  # type: ignore[call-arg]
    return Done(f"The account {done.code} is added.", to=reverse("settlement:accounts", args=[client]))


@action("settlement.prepare")
def rename_account(request: PageRequest, client: str, account_id: UUID) -> Done:
    """So that the account that follows this one can take over its code."""
    found = next((a for a in selectors.own_accounts() if a.id == account_id), None)
    if found is None:
        raise NotFound("there is no such bank account here")
    asked = filled_in(RenameForm(request.POST, prefix=str(account_id)))
    done = services.rename_own_account(found.code, to=asked["to"], key=request.key)  # type: ignore[call-arg]
    return Done(
        f"{found.code} is called {done.code} from now on.", to=reverse("settlement:accounts", args=[client])
    )


@page("settlement.read", reads="bank_line")
def line(request: PageRequest, client: str, line_id: UUID) -> HttpResponse:
    """One bank line: what it cleared and by which rule; or why not, and what to do."""
    found = selectors.bank_line(line_id)
    if found is None:
        raise NotFound("there is no such bank line")
    request.reading(line_id)
    tries = selectors.tries(line_id)
    entry = selectors.entry_of_line(line_id)
    events = [Event(t.at, t.reason.capitalize(), note=t.detail, kind="risk") for t in tries]
    if found.is_cleared:
        events.append(Event(found.cleared_at, f"Cleared: {found.rule}", note=found.why))
    context = {
        "line": found,
        "events": events,
        "remedy": REMEDIES.get(found.reason or "not looked at", REMEDIES["ambiguous"]),
        "settled": [
            (reference, amount, address("openitems:item", client, item))
            for item, reference, amount in selectors.settled_by(line_id)
        ],
        "item_url": address("openitems:item", client, found.item_id) if found.item_id else "",
        "entry_url": address("ledger:entry", client, entry) if entry else "",
        "thread_url": address("thread", client, "bank_line", line_id),
        "may_clear": request.may("settlement.prepare") and not found.is_cleared,
    }
    return render(request, "settlement/line.html", context | _by_hand(request, line_id))


@action("settlement.prepare")
def clear(request: PageRequest, client: str) -> Done:
    """Look at every open line of the account again."""
    account = request.POST.get("account") or "main"
    done = clearing.clear_lines(account, key=request.key)  # type: ignore[call-arg]
    # Not done.exceptions: a line that somebody explained or took back waits as well, and is listed.
    waits = sum(e.line.own_account.code == account for e in clearing.open_exceptions())
    left = f"; {format_count(waits, 'exception')} left" if waits else "; nothing is left"
    return Done(f"{format_count(done.cleared, 'line')} cleared{left}.")


# --- by hand --------------------------------------------------------------------------------------------

CHOICES_SHOWN = 40


class ExplainForm(forms.Form):
    """What a line is: how much of which open items, and an account for what is left."""

    account = forms.ChoiceField(required=False, label="The rest goes to")
    reason = LineField(max_length=by_hand.LONGEST_REASON, label="Why")

    def __init__(self, items: list[Open], currency: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(a.code, f"{a.code} {a.name}") for a in by_hand.accounts_for_the_rest()]
        self.fields["account"] = forms.ChoiceField(
            choices=[("", "nothing is left"), *choices], required=False, label="The rest goes to"
        )
        self.items = items
        for item in items:
            self.fields[f"item_{item.id}"] = MoneyField(
                currency, required=False, label=f"Of {item.reference or item.kind}"
            )

    def rows(self) -> list[tuple[Open, forms.BoundField]]:
        return [(item, self[f"item_{item.id}"]) for item in self.items]

    def parts(self) -> list[by_hand.Part]:
        amounts = ((item.id, self.cleaned_data[f"item_{item.id}"]) for item in self.items)
        return [by_hand.Part(item_id, amount) for item_id, amount in amounts if amount is not None]


class ReasonForm(forms.Form):
    reason = LineField(max_length=by_hand.LONGEST_REASON)


def _items_shown(row: BankLine, text: str) -> list[Open]:
    """The likeliest first, or those that are asked for."""
    found = by_hand.choosable(row)
    if text:
        words = text.lower()
        found = [i for i in found if words in f"{i.reference} {i.counterparty}".lower()]
    return found[:CHOICES_SHOWN]


def _by_hand(request: PageRequest, line_id: UUID) -> dict[str, Any]:
    """What is said of an open line, or the form to say it; of a cleared one, the way back."""
    row = BankLine.objects.get(client_id=current_client_id(), id=line_id)
    may_say = request.may("settlement.prepare")
    said = by_hand.what_is_said(line_id)
    if said is not None:
        maker, code = said.row.by_user_id, said.row.account_code
        makers = {m.user_id for m in approvals.makers(by_hand.SUBJECT, said.row.id)}
        codes = {a.code: a.name for a in by_hand.accounts_for_the_rest()}
        return {
            "said": said,
            "said_by": User.objects.filter(id=maker).values_list("name", flat=True).first() or "",
            "said_account": f"{code} {codes.get(code, '')}".strip(),
            "may_approve": request.may("settlement.approve") and request.identity.id not in makers,
            "withdraw_form": form_of(request, ReasonForm(prefix="withdraw")) if may_say else None,
        }
    if Cleared.objects.filter(client_id=row.client_id, line_id=line_id).exists():
        return {"undo_form": form_of(request, ReasonForm(prefix="undo")) if may_say else None}
    if not may_say or not row.amount:
        return {}
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    guess = likely.suggestions().get(line_id)
    shown = _items_shown(row, text)
    first: dict[str, Any] = {}
    if guess is not None and request.GET.get("take") == "1":
        taken = {part.item_id for part in guess.parts}
        suggested = [item for item in guess.items if item.id in taken]
        shown = [*suggested, *(item for item in shown if item.id not in taken)]
        first = {f"item_{part.item_id}": part.amount for part in guess.parts}
        first["reason"] = f"suggested: {guess.why}"[: by_hand.LONGEST_REASON]
    form = ExplainForm(shown, row.currency, initial=first)
    return {"explain_form": form_of(request, form), "text": text, "likely": guess}


def _line_page(client: str, line_id: UUID) -> str:
    return reverse("settlement:line", args=[client, line_id])


@action("settlement.prepare")
def explain(request: PageRequest, client: str, line_id: UUID) -> Done:
    """Say what a line is; another person approves it."""
    row = BankLine.objects.filter(client_id=current_client_id(), id=line_id).first()
    if row is None:
        raise NotFound("there is no such bank line")
    chosen = {name[5:] for name, value in request.POST.items() if name.startswith("item_") and value}
    choosable = by_hand.choosable(row)
    _refuse_closed(chosen - {str(i.id) for i in choosable})
    shown = _items_shown(row, "")
    more = [i for i in choosable if str(i.id) in chosen and i not in shown]
    form = ExplainForm([*shown, *more], row.currency, request.POST)
    asked = filled_in(form)
    by_hand.explain_line(
        line_id,
        parts=form.parts(),
        account=asked["account"],
        reason=asked["reason"],
        key=request.key,  # type: ignore[call-arg]
    )
    return Done("Explained. It is posted once another person approves it.", to=_line_page(client, line_id))


def _refuse_closed(chosen: set[str]) -> None:
    """What was open when the page was shown, and no more: left out, its money would go to the account."""
    if not chosen:
        return
    names = {str(i.id): i.reference for i in open_items(include_closed=True)}
    remedy = "Open the line's page again and choose from what is open now"
    raise InputRefused(
        [
            Problem(f"{names.get(item, '') or 'an item that was chosen'} is not open any more", remedy)
            for item in sorted(chosen)
        ]
    )


@action("settlement.approve")
def approve_line(request: PageRequest, client: str, line_id: UUID) -> Done:
    """Exactly what was looked at is posted, and the line is cleared."""
    by_hand.approve_explanation(
        line_id,
        content_hash=request.POST.get("content_hash", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done("Approved and posted: the line is cleared.", to=_line_page(client, line_id))


@action("settlement.prepare")
def withdraw(request: PageRequest, client: str, line_id: UUID) -> Done:
    asked = filled_in(ReasonForm(request.POST, prefix="withdraw"))
    by_hand.withdraw_explanation(line_id, reason=asked["reason"], key=request.key)  # type: ignore[call-arg]
    return Done("Withdrawn: nothing explains the line.", to=_line_page(client, line_id))


@action("settlement.prepare")
def undo(request: PageRequest, client: str, line_id: UUID) -> Done:
    """Reverse what the line posted; it is open again."""
    asked = filled_in(ReasonForm(request.POST, prefix="undo"))
    by_hand.undo_clearing(line_id, reason=asked["reason"], key=request.key)  # type: ignore[call-arg]
    return Done("Taken back: its posting is reversed and the line is open.", to=_line_page(client, line_id))


urlpatterns = [
    path("c/<str:client>/payments", batches, name="batches"),
    *again_pages.urlpatterns,
    *layout_pages.urlpatterns,
    path("c/<str:client>/payments/<int:number>", batch, name="batch"),
    path("c/<str:client>/payments/<int:number>/file", batch_file, name="file"),
    path("c/<str:client>/payments/<int:number>/stage", record_stage, name="stage"),
    path("c/<str:client>/bank", bank, name="bank"),
    path("c/<str:client>/bank/clear", clear, name="clear"),
    path("c/<str:client>/bank/<uuid:line_id>", line, name="line"),
    path("c/<str:client>/bank/<uuid:line_id>/explain", explain, name="line_explain"),
    path("c/<str:client>/bank/<uuid:line_id>/approve", approve_line, name="line_approve"),
    path("c/<str:client>/bank/<uuid:line_id>/withdraw", withdraw, name="line_withdraw"),
    path("c/<str:client>/bank/<uuid:line_id>/undo", undo, name="line_undo"),
    path("c/<str:client>/bank/accounts", own_accounts, name="accounts"),
    path("c/<str:client>/bank/accounts/add", add_account, name="account_add"),
    path("c/<str:client>/bank/accounts/<uuid:account_id>/rename", rename_account, name="account_rename"),
]
