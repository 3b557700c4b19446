"""E-invoices on pages: one that came in is dropped and read with all that is wrong; an issued one is
written.
"""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.billing import checking, einvoices
from engineroom.billing.models import SupplierBill
from engineroom.foundation import vault
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.foundation.vault.answers import file_answer
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import NotFound
from engineroom.ui.display import format_count
from engineroom.ui.pages import Done, PageRequest, action, filled_in, form_of, page

RECENT = 20


class EInvoiceIn(forms.Form):
    file = forms.FileField(
        label="E-invoice",
        allow_empty_file=True,
        help_text="The XML, UBL or CII, as it came; gzip is unpacked.",
        error_messages={"required": "There is no file. Choose one, or drop it on the form."},
    )


@page("billing.read")
def check(request: PageRequest, client: str) -> HttpResponse:
    """Where an e-invoice is dropped, those that were read lately, and the rules that are installed."""
    files = VaultFile.objects.filter(client_id=current_client_id(), kind=einvoices.CHECKED)
    context = {
        "form": form_of(request, EInvoiceIn()) if request.may("billing.prepare") else None,
        "recent": list(files.order_by("-id")[:RECENT]),
        "rules": checking.store().installed(),
    }
    return render(request, "billing/einvoice_check.html", context)


@action("billing.prepare")
def check_read(request: PageRequest, client: str) -> Done:
    """Read it, keep it, and show what is wrong with it."""
    file = filled_in(EInvoiceIn(request.POST, request.FILES))["file"]
    kept = einvoices.keep_checked(file.file, name=file.name or "e-invoice.xml")
    return Done(f"{kept.name} is read and kept.", to=reverse("billing:checked", args=[client, kept.id]))


@page("billing.read")
def checked(request: PageRequest, client: str, file_id: UUID) -> HttpResponse:
    """What is wrong with an e-invoice, by the rules as they are installed now."""
    file = VaultFile.objects.filter(client_id=current_client_id(), kind=einvoices.CHECKED, id=file_id).first()
    if file is None:
        raise NotFound("there is no such e-invoice")
    verdict = checking.check(vault.read(file), name=file.name)
    context = {
        "file": file,
        "verdict": verdict,
        "invoice": verdict.invoice,
        "seller": verdict.invoice.seller.name if verdict.invoice.seller else "",
        "buyer": verdict.invoice.buyer.name if verdict.invoice.buyer else "",
        "total": verdict.shown_total,
        "parts": [
            (by, [(each, "risk" if each.severity == "fatal" else "wait") for each in found])
            for by, found in zip(verdict.by, verdict.findings, strict=True)
        ],
        "may_bill": request.may("accounting.prepare") and not verdict.fatal,
        "bill": SupplierBill.objects.filter(client_id=file.client_id, file=file).order_by("-number").first(),
        "state": ("risk", format_count(verdict.fatal, "fatal finding"))
        if verdict.fatal
        else ("done", "Nothing fatal"),
    }
    return render(request, "billing/einvoice_checked.html", context)


@page("billing.read")
def ubl(request: PageRequest, client: str, number: str) -> HttpResponse:
    """The XML as written, proven against its hash."""
    file = einvoices.file_of(einvoices.find(number).id)
    if file is None:
        raise NotFound(f"{number} is not written as an e-invoice yet; its page has the button")
    return file_answer(file)


@action("billing.prepare")
def ubl_write(request: PageRequest, client: str, number: str) -> Done:
    """Write it, once."""
    einvoices.write_einvoice(einvoices.find(number).id, key=request.key)  # type: ignore[call-arg]
    return Done(
        f"{number} is written as an e-invoice and kept.", to=reverse("billing:invoice", args=[client, number])
    )


urlpatterns = [
    path("c/<str:client>/bills/e-invoices", check, name="check"),
    path("c/<str:client>/bills/e-invoices/read", check_read, name="check_read"),
    path("c/<str:client>/bills/e-invoices/<uuid:file_id>", checked, name="checked"),
    path("c/<str:client>/invoices/<str:number>/ubl", ubl, name="ubl"),
    path("c/<str:client>/invoices/<str:number>/ubl/write", ubl_write, name="ubl_write"),
]
