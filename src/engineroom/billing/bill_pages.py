"""Bills of suppliers on pages: entered by hand or dropped as e-invoices, coded, approved, withdrawn."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.billing import accounts, einvoices, received, supplier_bills
from engineroom.billing.models import BILL_STATES
from engineroom.billing.sections import tabs
from engineroom.foundation.approvals import selectors as approvals
from engineroom.foundation.commands import keyed
from engineroom.kernel.errors import LONGEST_REASON, InputRefused
from engineroom.ui import listing
from engineroom.ui.fields import DayField, Group, GroupedForm, LineField, MoneyField
from engineroom.ui.pages import Done, PageRequest, action, address, filled_in, form_of, page

SHAPES = {
    "draft": "open",
    "to pay": "wait",
    "part paid": "run",
    "paid": "done",
    "overdue": "risk",
    "withdrawn": "void",
    "reversed": "void",
}
SOURCES = {
    "hand": "entered by hand",
    "einvoice": "read from an e-invoice",
    "mirror": "from another client of the firm",
}
LINES = 5
"""As many a form offers; a longer bill comes as an e-invoice or by the API."""


def _accounts() -> list[tuple[str, str]]:
    return [(a.code, f"{a.code} {a.name}") for a in supplier_bills.accounts_for_lines()]


class BillFilter(forms.Form):
    state = forms.ChoiceField(choices=[("", "any"), *((s, s) for s in BILL_STATES)], required=False)


class BillIn(forms.Form):
    """An e-invoice, and where its lines go."""

    file = forms.FileField(
        label="E-invoice",
        allow_empty_file=True,
        help_text="The XML, UBL or CII, as it came; gzip is unpacked.",
        error_messages={"required": "There is no file. Choose one, or drop it on the form."},
    )
    account = forms.ChoiceField(label="Its lines go to")

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.fields["account"] = forms.ChoiceField(
            label="Its lines go to", choices=_accounts(), initial=accounts.PURCHASES
        )


class BillByHand(GroupedForm):
    """A bill as it lies on the desk."""

    groups = (
        Group("Whose", ["supplier", "supplier_name"]),
        Group("What it says", ["reference", "issue_date", "due"]),
        *(Group(f"Line {n}", [f"description_{n}", f"net_{n}", f"account_{n}"]) for n in range(1, LINES + 1)),
        Group("Beside the lines", ["vat", "note"]),
    )

    supplier = LineField(max_length=40, help_text="The supplier's code here.")
    supplier_name = LineField(max_length=200, required=False, label="Its name", help_text="Of a new one.")
    reference = LineField(max_length=60, label="Its number", help_text="The supplier's own.")
    issue_date = DayField(label="Issued")
    due = DayField(required=False, help_text="Empty: thirty days on.")
    note = LineField(max_length=300, required=False)

    def __init__(self, currency: str, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        choices = _accounts()
        for n in range(1, LINES + 1):
            self.fields[f"description_{n}"] = LineField(
                max_length=supplier_bills.LONGEST_DESCRIPTION, required=n == 1, label="What for"
            )
            self.fields[f"net_{n}"] = MoneyField(currency, required=n == 1, label="Net")
            self.fields[f"account_{n}"] = forms.ChoiceField(
                choices=choices, initial=accounts.PURCHASES, label="Account"
            )
        self.fields["vat"] = MoneyField(currency, label="VAT", help_text="As it states it; 0 where none.")

    def said(self) -> supplier_bills.BillSaid:
        asked = self.cleaned_data
        return supplier_bills.BillSaid(
            supplier=asked["supplier"],
            supplier_name=asked["supplier_name"],
            reference=asked["reference"],
            issue_date=asked["issue_date"],
            due=asked["due"],
            vat=asked["vat"],
            note=asked["note"],
            lines=tuple(
                supplier_bills.BillLine(
                    asked[f"description_{n}"], asked[f"net_{n}"] or 0, asked[f"account_{n}"]
                )
                for n in range(1, LINES + 1)
                if asked[f"description_{n}"] or asked[f"net_{n}"]
            ),
        )


class AccountForm(forms.Form):
    line = forms.ChoiceField()
    account = forms.ChoiceField()

    def __init__(self, count: int, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        lines = [("", "all of them"), *((str(n), f"line {n}") for n in range(1, count + 1))]
        self.fields["line"] = forms.ChoiceField(choices=lines, required=False, label="Of")
        self.fields["account"] = forms.ChoiceField(choices=_accounts(), label="Goes to")


class WithdrawForm(forms.Form):
    reason = LineField(max_length=LONGEST_REASON)


@page("billing.read")
def listed(request: PageRequest, client: str) -> HttpResponse:
    """Bills of suppliers, latest first; and where an e-invoice is dropped."""
    form = BillFilter(request.GET)
    state = form.cleaned_data["state"] if form.is_valid() else ""
    found = supplier_bills.bills(state=state, cursor=request.GET.get("at", ""))
    context = {
        "tabs": tabs(client, "supplier_bills"),
        "filter": form,
        "filtered": state,
        "rows": [(row, SHAPES[row.shown_state]) for row in found.rows],
        "pager": listing.onward(request, found),
        "form": form_of(request, BillIn()) if request.may("accounting.prepare") else None,
    }
    return render(request, "billing/supplier_bills.html", context)


@page("billing.read")
def by_hand(request: PageRequest, client: str) -> HttpResponse:
    """A bill on paper, entered."""
    assert request.client is not None
    form = None
    if request.may("accounting.prepare"):
        fresh = BillByHand(request.client.currency, initial={"issue_date": timezone.localdate()})
        form = form_of(request, fresh)
    context = {"form": form, "suppliers": list(supplier_bills.suppliers()[:200])}
    return render(request, "billing/supplier_bill_new.html", context)


@page("billing.read")
def shown(request: PageRequest, client: str, number: int) -> HttpResponse:
    """One bill: what it asks for, where it goes, who made it and who may approve it."""
    view, row = supplier_bills.bill(number), supplier_bills.find(number)
    makers = approvals.makers(supplier_bills.SUBJECT, row.id)
    me = request.identity.id
    may = request.may("accounting.prepare") and row.state == "draft"
    context = {
        "view": view,
        "bill": row,
        "shape": SHAPES[view.shown_state],
        "source": SOURCES[row.source],
        "lines": supplier_bills.lines_of(row),
        "content_hash": bytes(row.content_hash).hex(),
        "makers": makers,
        "i_made": next((m for m in makers if m.user_id == me), None),
        "approvals": approvals.approvals(supplier_bills.SUBJECT, row.id),
        "may_approve": request.may("accounting.approve"),
        "may_prepare": may,
        "account_form": AccountForm(row.line_count) if may else None,
        "withdraw_form": WithdrawForm() if may else None,
        "thread_url": address("thread", client, supplier_bills.SUBJECT, row.id),
        "item_url": address("openitems:item", client, view.item_id) if view.item_id else "",
        "file_url": reverse("billing:checked", args=[client, row.file_id]) if row.file_id else "",
    }
    return render(request, "billing/supplier_bill.html", context)


def _url(client: str, number: int) -> str:
    return reverse("billing:supplier_bill", args=[client, number])


@action("accounting.prepare")
def enter(request: PageRequest, client: str) -> Done:
    """Enter it as a draft."""
    assert request.client is not None
    form = BillByHand(request.client.currency, request.POST)
    filled_in(form)
    with keyed(request.key):
        kept = supplier_bills.enter_bill(form.said())
    return Done(f"Bill {kept.number} is entered. Another person approves it.", to=_url(client, kept.number))


@action("accounting.prepare")
def take(request: PageRequest, client: str) -> Done:
    """Read an e-invoice, keep it, and make a draft of it."""
    asked = filled_in(BillIn(request.POST, request.FILES))
    name = asked["file"].name or "e-invoice.xml"
    file = einvoices.keep_checked(asked["file"].file, name=name, permission="accounting.prepare")
    try:
        with keyed(request.key):
            kept = received.bill_from_einvoice(file.id, account=asked["account"])
    except InputRefused as refused:
        what = f"{file.name} is kept and became no bill. {refused.problems[0]}"
        return Done(what, to=reverse("billing:checked", args=[client, file.id]))
    return Done(f"{file.name} is bill {kept.number}. Another person approves it.", _url(client, kept.number))


@action("accounting.prepare")
def of_file(request: PageRequest, client: str, file_id: UUID) -> Done:
    """Make a draft of an e-invoice that was read before."""
    with keyed(request.key):
        kept = received.bill_from_einvoice(file_id)
    return Done(f"It is bill {kept.number} now. Another person approves it.", _url(client, kept.number))


@action("accounting.prepare")
def set_account(request: PageRequest, client: str, number: int) -> Done:
    """Say where a line goes, or all of them."""
    row = supplier_bills.find(number)
    asked = filled_in(AccountForm(row.line_count, request.POST))
    line = int(asked["line"]) if asked["line"] else None
    with keyed(request.key):
        supplier_bills.set_bill_account(row.id, asked["account"], line_no=line)
    return Done(f"It goes to {asked['account']} now.", _url(client, number))


@action("accounting.approve")
def approve(request: PageRequest, client: str, number: int) -> Done:
    """Exactly the bill that was looked at: the form carries its hash."""
    row = supplier_bills.find(number)
    with keyed(request.key):
        supplier_bills.approve_bill(row.id, content_hash=request.POST.get("content_hash", ""))
    return Done(f"Bill {number} is approved and posted.", _url(client, number))


@action("accounting.prepare")
def withdraw(request: PageRequest, client: str, number: int) -> Done:
    """Take a draft back, with its reason."""
    asked = filled_in(WithdrawForm(request.POST))
    with keyed(request.key):
        supplier_bills.withdraw_bill(supplier_bills.find(number).id, reason=asked["reason"])
    return Done(f"Bill {number} is withdrawn.", _url(client, number))


urlpatterns = [
    path("c/<str:client>/bills/suppliers", listed, name="supplier_bills"),
    path("c/<str:client>/bills/suppliers/new", by_hand, name="supplier_bill_new"),
    path("c/<str:client>/bills/suppliers/enter", enter, name="supplier_bill_enter"),
    path("c/<str:client>/bills/suppliers/take", take, name="supplier_bill_take"),
    path("c/<str:client>/bills/e-invoices/<uuid:file_id>/bill", of_file, name="supplier_bill_of_file"),
    path("c/<str:client>/bills/suppliers/<int:number>", shown, name="supplier_bill"),
    path("c/<str:client>/bills/suppliers/<int:number>/account", set_account, name="supplier_bill_account"),
    path("c/<str:client>/bills/suppliers/<int:number>/approve", approve, name="supplier_bill_approve"),
    path("c/<str:client>/bills/suppliers/<int:number>/withdraw", withdraw, name="supplier_bill_withdraw"),
]
