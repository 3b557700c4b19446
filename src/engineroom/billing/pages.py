"""Bills: what waits to be invoiced, bill runs, invoices as customers have them, what is held, the proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone

from engineroom.billing import (
    bill_pages,
    einvoice_pages,
    einvoices,
    margin_pages,
    margins_pages,
    mirrors,
    papers,
    selectors,
    services,
)
from engineroom.billing.engine import Draft
from engineroom.billing.models import Invoice, InvoiceLine
from engineroom.billing.sections import tabs
from engineroom.foundation import thread
from engineroom.foundation.approvals import selectors as approvals
from engineroom.foundation.jobs import shown
from engineroom.foundation.tenancy.scope import current_client_id
from engineroom.foundation.vault.answers import IN_A_ZIP, file_answer, zip_answer
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import NotFound
from engineroom.kernel.periods import week_ending
from engineroom.kernel.rates import format_ppm
from engineroom.ui import listing
from engineroom.ui.display import format_count, format_day, format_hours, format_money
from engineroom.ui.fields import DayField, GroupedForm
from engineroom.ui.pages import (
    Done,
    NavigationEntry,
    PageRequest,
    action,
    address,
    filled_in,
    form_of,
    page,
    page_of,
)
from engineroom.ui.parts import Event, TraceStep

app_name = "billing"

NAVIGATION = [
    NavigationEntry("Bills", "billing:invoices", "billing.read", key="b", order=300),
    *margin_pages.NAVIGATION,
    *margins_pages.NAVIGATION,
]

RUN_SHAPES = {"draft": "open", "approved": "wait", "issued": "done"}
INVOICE_SHAPES = {"issued": "wait", "part paid": "run", "paid": "done", "overdue": "risk", "reversed": "void"}
HOLD_WORDS = {
    "disputed": "disputed by the customer",
    "over_order": "over its purchase order",
    "no_order": "no purchase order",
}


def hold_words(reason: str) -> str:
    return HOLD_WORDS.get(reason, reason.replace("_", " "))


# --- invoices -------------------------------------------------------------------------------------------


class InvoiceFilter(forms.Form):
    state = forms.ChoiceField(
        choices=[("", "any"), *((s, s) for s in selectors.INVOICE_STATES)], required=False
    )
    customer = forms.ChoiceField(required=False)
    week = DayField(label="Week ending", required=False)

    def __init__(self, data: Any, customers: Sequence[tuple[str, str]]) -> None:
        super().__init__(data)
        customer = self.fields["customer"]
        assert isinstance(customer, forms.ChoiceField)
        customer.choices = [("", "any"), *customers]

    def asked(self) -> dict[str, Any]:
        """The filters that are set; what cannot be read is no filter, and the field says why."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


@page("billing.read")
def invoices(request: PageRequest, client: str) -> HttpResponse:
    """Invoices, latest first, over what waits to be issued."""
    form = InvoiceFilter(request.GET, selectors.customers())
    asked = form.asked()
    found = selectors.invoices(**asked, cursor=request.GET.get("at", ""))
    runs = selectors.bill_runs().rows
    words = [f"{name} {format_day(v) if isinstance(v, date) else v}" for name, v in asked.items()]
    context = {
        "tabs": tabs(client, "invoices"),
        "rows": [(row, INVOICE_SHAPES[row.state]) for row in found.rows],
        "pager": listing.onward(request, found),
        "filtered": ", ".join(words),
        "form": form,
        "waiting": [(run, RUN_SHAPES[run.state]) for run in runs if run.waiting],
        "receivables": selectors.receivables(),
    }
    return render(request, "billing/invoices.html", context)


def _invoice(number: str) -> tuple[selectors.InvoiceView, Invoice]:
    view = selectors.invoice(number)
    if view is None:
        raise NotFound(f"there is no invoice {number}")
    return view, Invoice.objects.select_related("customer", "bill_run").get(id=view.id)


@page("billing.read")
def invoice(request: PageRequest, client: str, number: str) -> HttpResponse:
    """One invoice as its customer has it, with what was paid of it."""
    view, row = _invoice(number)
    lines = list(InvoiceLine.objects.filter(client_id=row.client_id, invoice=row).order_by("line_no"))
    rate = format_ppm(lines[0].vat_ppm)
    context = {
        "view": view,
        "shape": INVOICE_SHAPES[view.state],
        "invoice": row,
        "supplier": _party(row.parties["supplier"]),
        "customer": _party(row.parties["customer"]),
        "lines": lines,
        "minutes": sum(line.minutes for line in lines),
        "vat_rate": rate,
        "vat_trace": [
            TraceStep("Net of all lines", format_money(row.net, row.currency)),
            TraceStep("VAT rate", rate, rule=row.vat_rule),
            TraceStep("VAT, on the total", format_money(row.vat, row.currency), rule="half up", result=True),
        ],
        "received": [_payment(client, p) for p in selectors.received(view.item_id)] if view.item_id else [],
        "item_url": address("openitems:item", client, view.item_id),
        "thread_url": address("thread", client, "invoice", row.id),
        "has_pdf": _pdf(row) is not None,
        "has_ubl": einvoices.file_of(row.id) is not None,
        "may_print": request.may("billing.prepare"),
        "held": papers.held_by_customer().get(row.customer_id, ""),
        "mirror": mirrors.mirror_of(row.id),
        "mirrored_to": mirrors.client_billed(row.parties),
    }
    return render(request, "billing/invoice.html", context)


@action("billing.prepare")
def mirror_again(request: PageRequest, client: str, number: str) -> Done:
    """Have the other side of an invoice tried again."""
    mirrors.mirror_again(einvoices.find(number).id, key=request.key)  # type: ignore[call-arg]
    return Done(f"{number} is being written at the client that it bills.")


@dataclass(frozen=True)
class Party:
    name: str
    lines: Sequence[str]
    vat_number: str


def _party(details: dict[str, Any]) -> Party:
    address_text = str(details.get("address", "")).replace("\n", ",")
    lines = [part.strip() for part in address_text.split(",") if part.strip()]
    return Party(details["name"], lines, str(details.get("vat_number", "")))


def _payment(client: str, payment: selectors.Received) -> tuple[selectors.Received, str, str]:
    """A payment with what it was, in words, and its page."""
    words, url = payment.reference, address("openitems:item", client, payment.item_id)
    if node := thread.of_subject(payment.subject_kind, payment.subject_id):
        words, url = node.label, page_of(client, node) or url
    return payment, words, url


@page("billing.read")
def invoice_line(request: PageRequest, client: str, number: str, line_no: int) -> HttpResponse:
    """The hours under one line of an invoice, and why it comes to what it does."""
    view, row = _invoice(number)
    line = InvoiceLine.objects.filter(client_id=row.client_id, invoice=row, line_no=line_no).first()
    if line is None:
        raise NotFound(f"{number} has no line {line_no}")
    charges = selectors.charges_of_line(line.id)
    steps = [
        TraceStep("Hours billed", f"{format_hours(line.minutes)} h", rule=f"{line.kind} hours"),
        TraceStep("Rate", f"{format_money(line.rate, row.currency)} an hour", source="the assignment's rate"),
        TraceStep("Charges", str(len(charges)), rule="each rounded to the penny, then added"),
        TraceStep("Net", format_money(line.net, row.currency), result=True),
    ]
    context = {
        "view": view,
        "invoice": row,
        "line": line,
        "steps": steps,
        "charges": [
            (c, hold_words(c.note), address("thread", client, "billable", c.charge_id)) for c in charges
        ],
        "total": sum(c.amount for c in charges),
        "minutes": sum(c.minutes for c in charges),
        "thread_url": address("thread", client, "invoice_line", line.id),
    }
    return render(request, "billing/invoice_line.html", context)


def _pdf(row: Invoice) -> VaultFile | None:
    return VaultFile.objects.filter(client_id=row.client_id, kind=papers.KIND, subject_id=row.id).first()


@page("billing.read")
def invoice_pdf(request: PageRequest, client: str, number: str) -> HttpResponse:
    """The paper as printed, proven against its hash."""
    _, row = _invoice(number)
    file = _pdf(row)
    if file is None:
        raise NotFound(f"{number} is not printed yet; print the invoices of its bill run")
    return file_answer(file)


# --- bill runs ------------------------------------------------------------------------------------------


class PrepareForm(GroupedForm):
    issue_date = DayField()
    through = DayField(
        label="Weeks through",
        help_text="The Sunday that ends the last week to bill.",
    )


@page("billing.read")
def runs(request: PageRequest, client: str) -> HttpResponse:
    """Bill runs, latest first; and a new one."""
    found = selectors.bill_runs(request.GET.get("at", ""))
    today = timezone.now().date()
    last_sunday = week_ending(today) - timedelta(days=7)
    context = {
        "tabs": tabs(client, "runs"),
        "rows": [(run, RUN_SHAPES[run.state]) for run in found.rows],
        "pager": listing.onward(request, found),
        "form": form_of(request, PrepareForm(initial={"issue_date": today, "through": last_sunday}))
        if request.may("billing.prepare")
        else None,
    }
    return render(request, "billing/runs.html", context)


def _run(number: int) -> selectors.BillRunView:
    found = selectors.bill_run(number)
    if found is None:
        raise NotFound(f"there is no bill run {number}")
    return found


@page("billing.read")
def run(request: PageRequest, client: str, number: int) -> HttpResponse:
    """One bill run: what it would invoice, or has; who made it, who may approve it."""
    view = _run(number)
    makers = approvals.makers("bill_run", view.id)
    yeses = approvals.approvals("bill_run", view.id)
    me = request.identity.id
    context: dict[str, Any] = {
        "run": view,
        "i_approved": view.state == "approved"
        and bool(approvals.kept_from_releasing(me, [current_client_id()], [view.id])),
        "shape": RUN_SHAPES[view.state],
        "makers": makers,
        "i_made": next((m for m in makers if m.user_id == me), None),
        "events": [_approval_event(yes) for yes in yeses],
        "may_approve": request.may("billing.approve"),
        "may_prepare": request.may("billing.prepare"),
        "may_release": request.may("billing.release"),
        "held": (held := selectors.held()),
        "held_sums": [(row, hold_words(row.reason)) for row in selectors.held_by_reason(held)],
    }
    if view.state == "issued":
        found = selectors.invoices(run=view.id, cursor=request.GET.get("at", ""))
        context |= {
            "invoices": [(row, INVOICE_SHAPES[row.state]) for row in found.rows],
            "pager": listing.onward(request, found),
            **_papers(view),
        }
    else:
        context |= _drafts(view)
    return render(request, "billing/run.html", context)


def _papers(view: selectors.BillRunView) -> dict[str, Any]:
    """How many invoices are printed, whether more are just now, and where they are had."""
    there = papers.invoice_files(view.id).count()
    missing = view.invoices > there
    return {
        "papers": there,
        "unprinted": missing,
        "printing": missing and shown.is_queued(papers.JOB, "bill_run_id", view.id),
        "zips": [
            (part + 1, part * IN_A_ZIP + 1, min((part + 1) * IN_A_ZIP, there))
            for part in range(-(-there // IN_A_ZIP))
        ],
    }


@page("billing.read")
def printing(request: PageRequest, client: str, number: int) -> HttpResponse:
    """How far the printing of invoices is; once it is over, the page is asked for anew."""
    view = _run(number)
    context = {"run": view, **_papers(view)}
    response = render(request, "billing/printing.html", context)
    if not context["printing"]:
        response.headers["HX-Refresh"] = "true"
    return response


@page("billing.read")
def papers_of_run(request: PageRequest, client: str, number: int, part: int) -> HttpResponse:
    """The printed invoices of a bill run in one file, a part of a large run."""
    first = (part - 1) * IN_A_ZIP
    files = papers.invoice_files(_run(number).id)[first : first + IN_A_ZIP] if part > 0 else []
    if not files:
        raise Http404
    return zip_answer(files, f"invoices-run-{number}-{part}.zip")


def _approval_event(yes: approvals.Approved) -> Event:
    what = "Approval, void since" if yes.void else "Approved"
    return Event(yes.at, what, yes.by, yes.void or "", "void" if yes.void else "done")


def _drafts(view: selectors.BillRunView) -> dict[str, Any]:
    """What would be invoiced now, and whether that is still what was prepared."""
    found = selectors.drafts(view.through, view.issue_date)
    parties = services.parties_of(found)
    now = services.content_hash(found, view.issue_date, parties)
    return {
        "drafts": [
            (draft, parties[draft.customer]["customer"]["name"], sum(line.minutes for line in draft.lines))
            for draft in found
        ],
        "totals": _totals(found),
        "stale": now.hex() != view.content_hash,
    }


def _totals(found: Sequence[Draft]) -> dict[str, int]:
    return {name: sum(getattr(d, name) for d in found) for name in ("net", "vat", "gross")}


@action("billing.prepare")
def prepare(request: PageRequest, client: str) -> Done:
    """Bind what waits; the same dates again follow what changed."""
    asked = filled_in(PrepareForm(request.POST))
    made = services.prepare_bill_run(
        asked["issue_date"],
        asked["through"],
        key=request.key,  # type: ignore[call-arg]
    )
    voided = " The approval it had is void." if made.approval_voided else ""
    return Done(
        f"Bill run {made.number} is prepared: {format_count(made.invoices, 'invoice')}.{voided}",
        to=reverse("billing:run", args=[client, made.number]),
    )


@action("billing.prepare")
def prepare_again(request: PageRequest, client: str, number: int) -> Done:
    view = _run(number)
    made = services.prepare_bill_run(view.issue_date, view.through, key=request.key)  # type: ignore[call-arg]
    voided = " The approval it had is void." if made.approval_voided else ""
    return Done(f"Bill run {number} follows what waits now.{voided}", to=_run_url(client, number))


@action("billing.approve")
def approve(request: PageRequest, client: str, number: int) -> Done:
    """Exactly the drafts that were looked at: the form carries their hash."""
    services.approve_bill_run(
        _run(number).id,
        content_hash=request.POST.get("content_hash", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(f"Bill run {number} is approved as it stands.", to=_run_url(client, number))


@action("billing.release")
def issue(request: PageRequest, client: str, number: int) -> Done:
    """Numbers are taken, invoices stand for good."""
    done = services.issue_bill_run(_run(number).id, key=request.key)  # type: ignore[call-arg]
    assert request.client is not None
    gross = format_money(done.gross, request.client.currency)
    return Done(
        f"{format_count(len(done.invoices), 'invoice')} issued, {gross}.", to=_run_url(client, number)
    )


@action("billing.prepare")
def print_run(request: PageRequest, client: str, number: int) -> Done:
    """Have typeset what is not typeset yet."""
    planned = papers.plan_printing(_run(number).id, key=request.key)  # type: ignore[call-arg]
    if not planned.missing:
        return Done("Every invoice of this run is printed already.")
    return Done(f"{format_count(planned.missing, 'invoice is', 'invoices are')} being printed.")


def _run_url(client: str, number: int) -> str:
    return reverse("billing:run", args=[client, number])


# --- held, and the proof --------------------------------------------------------------------------------


@page("billing.read")
def held(request: PageRequest, client: str) -> HttpResponse:
    """What is paid and may not be billed yet: by customer and reason, then hour by hour."""
    rows = selectors.held()
    customer, reason = request.GET.get("customer", ""), request.GET.get("reason", "")
    shown = [r for r in rows if customer in ("", r.customer) and reason in ("", r.reason)]
    filtered = [w for w in (customer, hold_words(reason)) if w]
    context = {
        "tabs": tabs(client, "held"),
        "sums": [(row, hold_words(row.reason)) for row in selectors.held_by_reason(rows)],
        "rows": [(row, hold_words(row.reason)) for row in shown[:MOST_HELD_SHOWN]],
        "left_out": max(0, len(shown) - MOST_HELD_SHOWN),
        "minutes": sum(r.minutes for r in rows),
        "amount": sum(r.amount for r in rows),
        "filtered": f"{', '.join(filtered)}: {len(shown)} of {len(rows)}" if filtered else "",
        "time_url": address("timesheets:list", client),
    }
    return render(request, "billing/held.html", context)


MOST_HELD_SHOWN = 200


@page("billing.read")
def reconciliation(request: PageRequest, client: str) -> HttpResponse:
    """Every paid hour is billed, waits, is held or was written off: to zero."""
    found = selectors.reconcile()
    minutes, amount = found.difference
    context = {
        "tabs": tabs(client, "reconciliation"),
        "found": found,
        "states": [
            ("Billed", "done", found.billed_minutes, found.billed_amount, "billing:invoices"),
            ("Waits to be billed", "wait", found.unbilled_minutes, found.unbilled_amount, "billing:runs"),
            ("Held", "held", found.held_minutes, found.held_amount, "billing:held"),
            ("Written off to margin", "void", found.written_off_minutes, found.written_off_amount, ""),
        ],
        "difference_minutes": minutes,
        "difference_amount": amount,
    }
    return render(request, "billing/reconciliation.html", context)


urlpatterns = [
    *einvoice_pages.urlpatterns,
    *bill_pages.urlpatterns,
    path("c/<str:client>/bills", invoices, name="invoices"),
    path("c/<str:client>/bills/runs", runs, name="runs"),
    path("c/<str:client>/bills/runs/prepare", prepare, name="prepare"),
    path("c/<str:client>/bills/runs/<int:number>", run, name="run"),
    path("c/<str:client>/bills/runs/<int:number>/prepare", prepare_again, name="prepare_again"),
    path("c/<str:client>/bills/runs/<int:number>/approve", approve, name="approve"),
    path("c/<str:client>/bills/runs/<int:number>/issue", issue, name="issue"),
    path("c/<str:client>/bills/runs/<int:number>/print", print_run, name="print"),
    path("c/<str:client>/bills/runs/<int:number>/printing", printing, name="printing"),
    path("c/<str:client>/bills/runs/<int:number>/invoices-<int:part>.zip", papers_of_run, name="papers"),
    path("c/<str:client>/bills/held", held, name="held"),
    path("c/<str:client>/bills/reconciliation", reconciliation, name="reconciliation"),
    path("c/<str:client>/invoices/<str:number>", invoice, name="invoice"),
    path("c/<str:client>/invoices/<str:number>/mirror", mirror_again, name="mirror_again"),
    path("c/<str:client>/invoices/<str:number>/pdf", invoice_pdf, name="pdf"),
    path("c/<str:client>/invoices/<str:number>/lines/<int:line_no>", invoice_line, name="line"),
    *margin_pages.urlpatterns,
    *margins_pages.urlpatterns,
]
