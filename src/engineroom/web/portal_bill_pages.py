"""Bill runs that a client approves, and its invoices to its customers."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from engineroom.billing import papers as billing_papers
from engineroom.billing import selectors as billing
from engineroom.billing import services as bills
from engineroom.billing.models import Invoice, InvoiceLine
from engineroom.foundation.approvals import selectors as approvals
from engineroom.foundation.approvals import services as standing
from engineroom.foundation.vault.answers import file_answer
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import NotFound
from engineroom.kernel.rates import format_ppm
from engineroom.ui import listing
from engineroom.ui.display import format_day, format_money
from engineroom.ui.pages import Done, PageRequest, action, page
from engineroom.ui.parts import TraceStep

FACES = ("client",)

INVOICE_SHAPES = {"issued": "wait", "part paid": "run", "paid": "done", "overdue": "risk", "reversed": "void"}


@page("billing.read", faces=FACES)
def bill_run(request: PageRequest, client: str, number: int) -> HttpResponse:
    """The invoices that would go out, and the yes to exactly those."""
    view = billing.bill_run(number)
    if view is None:
        raise NotFound(f"there is no bill run {number}")
    drafts = billing.drafts(view.through, view.issue_date) if view.state != "issued" else []
    issued = billing.invoices(run=view.id).rows if view.state == "issued" else ()
    names = dict(billing.customers())
    # The hash of what stands now, and not of what was prepared, is what says whether the two differ.
    now = bills.content_hash(drafts, view.issue_date, bills.parties_of(drafts)).hex() if drafts else ""
    return render(
        request,
        "web/portal_bill_run.html",
        {
            "run": view,
            "drafts": [
                (names.get(d.customer, d.customer), d, sum(line.minutes for line in d.lines)) for d in drafts
            ],
            "total": sum(d.gross for d in drafts) or view.gross,
            "stale": bool(drafts) and now != view.content_hash,
            "issued": [(row, INVOICE_SHAPES[row.state]) for row in issued],
            "approved": standing.standing("bill_run", view.id) is not None,
            "may_approve": request.may("billing.approve"),
            "i_made": any(m.user_id == request.identity.id for m in approvals.makers("bill_run", view.id)),
        },
    )


@action("billing.approve", faces=FACES)
def approve_bill_run(request: PageRequest, client: str, number: int) -> Done:
    view = billing.bill_run(number)
    if view is None:
        raise NotFound(f"there is no bill run {number}")
    bills.approve_bill_run(
        view.id,
        content_hash=request.POST.get("content_hash", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(
        f"Bill run {number} is approved as you saw it.",
        to=reverse("portal_bill_run", args=[client, number]),
    )


# --- invoices -------------------------------------------------------------------------------------------


@page("billing.read", faces=FACES)
def invoices(request: PageRequest, client: str) -> HttpResponse:
    """The client's invoices to its customers, latest first."""
    customer, state = request.GET.get("customer", ""), request.GET.get("state", "")
    state = state if state in billing.INVOICE_STATES else ""
    found = billing.invoices(customer=customer, state=state, cursor=request.GET.get("at", ""))
    names = dict(billing.customers())
    filters = [names.get(customer, customer), state]
    return render(
        request,
        "web/portal_invoices.html",
        {
            "rows": [(row, INVOICE_SHAPES[row.state]) for row in found.rows],
            "pager": listing.onward(request, found),
            "filtered": ", ".join(filter(None, filters)),
            "states": billing.INVOICE_STATES,
            "receivables": billing.receivables(),
        },
    )


def _invoice(number: str) -> tuple[billing.InvoiceView, Invoice]:
    view = billing.invoice(number)
    if view is None:
        raise NotFound(f"there is no invoice {number}")
    return view, Invoice.objects.get(id=view.id)


@page("billing.read", faces=FACES)
def invoice(request: PageRequest, client: str, number: str) -> HttpResponse:
    """One invoice as the customer has it, and what came in on it."""
    view, row = _invoice(number)
    lines = list(InvoiceLine.objects.filter(client_id=row.client_id, invoice=row).order_by("line_no"))
    rate = format_ppm(lines[0].vat_ppm)
    return render(
        request,
        "web/portal_invoice.html",
        {
            "view": view,
            "shape": INVOICE_SHAPES[view.state],
            "invoice": row,
            "lines": lines,
            "vat_trace": [
                TraceStep("Net of all lines", format_money(row.net, row.currency)),
                TraceStep("VAT rate", rate, rule=row.vat_rule),
                TraceStep("VAT", format_money(row.vat, row.currency), result=True),
            ],
            "received": billing.received(view.item_id) if view.item_id else [],
            "has_pdf": _pdf(row) is not None,
        },
    )


def _pdf(row: Invoice) -> VaultFile | None:
    return VaultFile.objects.filter(
        client_id=row.client_id, kind=billing_papers.KIND, subject_id=row.id
    ).first()


@page("billing.read", faces=FACES)
def invoice_pdf(request: PageRequest, client: str, number: str) -> HttpResponse:
    _, row = _invoice(number)
    file = _pdf(row)
    if file is None:
        raise NotFound(f"invoice {number} of {format_day(row.issue_date)} is not printed yet")
    return file_answer(file, inline=True)


urlpatterns = [
    path("portal/<str:client>/bills/<int:number>", bill_run, name="portal_bill_run"),
    path("portal/<str:client>/bills/<int:number>/approve", approve_bill_run, name="portal_bill_run_approve"),
    path("portal/<str:client>/invoices", invoices, name="portal_invoices"),
    path("portal/<str:client>/invoices/<str:number>", invoice, name="portal_invoice"),
    path("portal/<str:client>/invoices/<str:number>/pdf", invoice_pdf, name="portal_invoice_pdf"),
]
