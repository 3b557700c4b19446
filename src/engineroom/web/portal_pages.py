"""The client's portal: what needs their answer, what they paid for, what their customers owe them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from engineroom.billing import papers as billing_papers
from engineroom.billing import selectors as billing
from engineroom.billing import services as bills
from engineroom.billing.models import Invoice, InvoiceLine
from engineroom.foundation import duties
from engineroom.foundation.approvals import selectors as approvals
from engineroom.foundation.approvals import services as standing
from engineroom.foundation.tenancy.models import Client
from engineroom.foundation.vault.answers import file_answer
from engineroom.foundation.vault.models import VaultFile
from engineroom.kernel.errors import LONGEST_REASON, NotFound
from engineroom.kernel.rates import format_ppm
from engineroom.payroll import cut_off, explained, handing_over, reopening, returned, review, variance_pages
from engineroom.payroll import selectors as payroll
from engineroom.payroll import services as pay_runs
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.models import PayRun
from engineroom.ui import charts, listing
from engineroom.ui.display import format_day, format_money
from engineroom.ui.fields import DayField, LineField
from engineroom.ui.pages import Done, NavigationEntry, PageRequest, action, filled_in, form_of, page
from engineroom.ui.parts import TraceStep

FACES = ("client",)

NAVIGATION = [
    NavigationEntry("Overview", "portal", key="h", order=10, of="firm", faces=FACES),
    NavigationEntry("At a glance", "portal_client", "foundation.read", key="t", order=100, faces=FACES),
    NavigationEntry("Pay runs", "portal_runs", "payroll.read", key="p", order=110, faces=FACES),
    NavigationEntry("Files in", "portal_imports", "timesheets.prepare", key="f", order=130, faces=FACES),
    NavigationEntry("Invoices", "portal_invoices", "billing.read", key="i", order=120, faces=FACES),
]

INVOICE_SHAPES = {"issued": "wait", "part paid": "run", "paid": "done", "overdue": "risk", "reversed": "void"}


@dataclass(frozen=True)
class Need:
    """Something that waits for the client. mine: for the one who looks, and not for a colleague."""

    what: str
    note: str
    url: str
    due: date | None
    late: bool
    mine: bool
    amount_minor: int | None
    currency: str
    client: str


def _needs(clients: Sequence[Client]) -> list[Need]:
    """Approvals that a role of the client's may give, what breaks first at the top."""
    codes = {c.id: c for c in clients}
    found = []
    for task in duties.tasks():
        duty = task.duty
        client = codes[duty.client_id]
        if duty.subject and duty.subject[0] == "client_request":
            found.append(_asked(task, client))
            continue
        page_of = {"pay_run": "portal_run", "bill_run": "portal_bill_run"}.get(
            duty.subject[0] if duty.subject else ""
        )
        if page_of is None or not duty.permission.endswith(".approve"):
            continue
        url = reverse(page_of, args=[client.code, *duty.page[1]])
        found.append(
            Need(
                duty.what,
                duty.note,
                url,
                duty.due,
                task.late,
                task.state == "mine",
                duty.amount_minor,
                duty.currency,
                client.name,
            )
        )
    return found


def _asked(task: duties.Task, client: Client) -> Need:
    """A request of the firm's: the clock of its case stands still until somebody answers."""
    duty = task.duty
    assert duty.subject is not None
    url = reverse("portal_request", args=[client.code, duty.subject[1]])
    note = f"{duty.note}; our clock stands still until you answer"
    return Need(
        what=duty.what,
        note=note,
        url=url,
        due=duty.due,
        late=task.late,
        mine=True,
        amount_minor=None,
        currency=duty.currency,
        client=client.name,
    )


@page("foundation.read", scope="mine", faces=FACES)
def portal(request: PageRequest) -> HttpResponse:
    """All companies of a contact; of one company alone, its own page."""
    clients = [client for client, _ in request.clients]
    if len(clients) == 1:
        return redirect("portal_client", clients[0].code)
    return render(request, "web/portal.html", {"needs": _needs(clients), "companies": clients})


@page("foundation.read", faces=FACES)
def home(request: PageRequest, client: str) -> HttpResponse:
    """What we need from you, what the last run cost, what customers owe."""
    assert request.client is not None
    runs = payroll.runs().rows if request.may("payroll.read") else ()
    paid = next((run for run in runs if run.is_released), None)
    cost = _cost(paid.number) if paid else None
    return render(
        request,
        "web/portal_client.html",
        {
            "needs": _needs([request.client]),
            "paid": paid,
            "cost": cost,
            "runs": runs[:5],
            "receivables": billing.receivables(),
            "owed": _owed(request.client.currency),
        },
    )


@dataclass(frozen=True)
class Cost:
    """What a run cost its employer, line by line."""

    lines: list[tuple[str, int, str]]
    people: int

    @property
    def total(self) -> int:
        return sum(amount for _, amount, _ in self.lines)


def _cost(number: int) -> Cost:
    """A line per heading under which its law says what employing costs; none that comes to nought."""
    run = payroll.named_run(number)
    figures, postings = payroll.run_figures(run), jurisdiction(run.jurisdiction).postings
    found = [
        (
            heading,
            sum(line.amount(figures.totals) for line in postings.costs if line.heading == heading),
            note,
        )
        for heading, note in postings.headings
    ]
    return Cost([line for line in found if line[1]], figures.payslips)


@dataclass(frozen=True)
class Owing:
    customer: str
    code: str
    open: int
    overdue: int
    invoices: int


def _owed(currency: str) -> list[Owing]:
    """Customers with open invoices in the client's currency, most first."""
    found: dict[str, Owing] = {}
    for state in ("overdue", "part paid", "issued"):
        for row in billing.invoices(state=state).rows:
            if row.currency != currency:
                continue
            before = found.get(row.customer_code) or Owing(row.customer, row.customer_code, 0, 0, 0)
            late = row.open if row.overdue else 0
            found[row.customer_code] = Owing(
                row.customer, row.customer_code, before.open + row.open, before.overdue + late,
                before.invoices + 1,
            )  # fmt: skip
    return sorted(found.values(), key=lambda o: -o.open)


# --- pay runs -------------------------------------------------------------------------------------------


@page("payroll.read", faces=FACES)
def runs(request: PageRequest, client: str) -> HttpResponse:
    found = payroll.runs(request.GET.get("at", ""))
    return render(
        request,
        "web/portal_runs.html",
        {
            "runs": [review.as_it_stands(row) for row in found.rows],
            "pager": listing.onward(request, found),
        },
    )


@page("payroll.read", reads="pay_run", faces=FACES)
def run(request: PageRequest, client: str, number: int) -> HttpResponse:
    """One run: what it comes to, how it differs from the last, who is in it; and the yes to exactly that."""
    found = payroll.named_run(number)
    request.reading(found.id)
    slips = payroll.slips_listed(found, review.run_before(found), cursor=request.GET.get("at", ""))
    inputs = cut_off.inputs_of_run(found)
    context = run_facts(found, request.client) | {
        "slips": slips.rows,
        "pager": listing.onward(request, slips),
        "may_approve": request.may("payroll.approve"),
        "may_return": _may_return(request, found),
        **_handed(request, found),
        "inputs": inputs,
        "inputs_url": reverse("portal_inputs_period", args=[client, inputs.schedule, inputs.pay_date])
        if inputs
        else "",
        "comments": returned.comments(found),
        "i_approved": (yes := standing.standing("pay_run", found.id)) is not None
        and yes.user_id == request.identity.id,
        "i_made": any(m.user_id == request.identity.id for m in approvals.makers("pay_run", found.id)),
    }
    return render(request, "web/portal_run.html", context)


def run_facts(run: PayRun, client: Client | None) -> dict[str, Any]:
    """What anybody is shown of a run before they say yes: also behind a link in a mail."""
    assert client is not None
    row = payroll.run_row(run.number)
    assert row is not None, "a run has its row"
    blockers = pay_runs.blockers_of(run) if run.published_id else []
    variance = review.variance(run, review.run_before(run))
    return {
        "run": run,
        "row": row,
        "state": replace(row, blockers=len(blockers)).state,
        "cost": _cost(run.number),
        "figures": payroll.run_figures(run),
        "content_hash": bytes(run.content_hash).hex() if run.content_hash else "",
        "change": review.in_words(variance, client.currency) if variance else "",
        "chart": _variance_chart(variance, client.currency) if variance else None,
        "blockers": blockers,
        "oddities": review.oddities(run),
        "approved": row.is_client_approved,
        "currency": client.currency,
    }


def _variance_chart(v: review.Variance, currency: str) -> charts.Chart:
    """From the last run's gross pay to this one's."""

    def step(label: str, amount: int) -> charts.Bar:
        return charts.Bar(label, abs(amount), "up" if amount >= 0 else "down")

    parts = [
        ("Joined", v.joined_minor),
        ("Not in it", v.left_minor),
        ("Hours", v.hours_minor),
        ("Rates and kinds of hour", v.rate_minor),
    ]
    steps = [
        charts.Bar(f"Run {v.before.number}", v.gross_before, "total"),
        *(step(label, amount) for label, amount in parts if amount),
        charts.Bar("This run", v.gross, "total"),
    ]
    return charts.waterfall_chart(steps, currency, title="Gross pay, from the last run to this one")


@action("payroll.approve", faces=FACES)
def approve_run(request: PageRequest, client: str, number: int) -> Done:
    """Exactly what was looked at: the form carries its hash."""
    pay_runs.approve_pay_run(
        payroll.named_run(number).id,
        content_hash=request.POST.get("content_hash", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(
        f"Pay run {number} is approved as you saw it. Another person at the bureau releases it.",
        to=reverse("portal_run", args=[client, number]),
    )


@action("payroll.approve", faces=FACES)
def return_run(request: PageRequest, client: str, number: int) -> Done:
    """Not yet: what is wrong, with whom. The bureau answers before anybody approves."""
    reopening.return_pay_run(
        payroll.named_run(number).id,
        content_hash=request.POST.get("content_hash", ""),
        comment=request.POST.get("comment", ""),
        payroll_number=request.POST.get("payroll_number", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(
        f"Pay run {number} is returned with your comment. You are asked again once it is answered.",
        to=reverse("portal_run", args=[client, number]),
    )


@action("payroll.approve", faces=FACES)
def take_back_run(request: PageRequest, client: str, number: int) -> Done:
    """One's own yes no longer holds, as long as nothing is released."""
    reopening.take_back_approval(
        payroll.named_run(number).id,
        reason=request.POST.get("reason", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done(
        f"Your approval of pay run {number} is taken back.", to=reverse("portal_run", args=[client, number])
    )


class HandOver(forms.Form):
    """A colleague who approves instead, once or until a day."""

    colleague = forms.ChoiceField()
    until = DayField(required=False, label="For every run until", help_text="Empty: this run only.")
    reason = LineField(max_length=LONGEST_REASON, help_text="Your colleague and your bureau read it.")

    def __init__(self, colleagues: Sequence[handing_over.Approver], *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        choices = [(str(one.id), one.name) for one in colleagues]
        self.fields["colleague"] = forms.ChoiceField(choices=choices)
        self.order_fields(["colleague", "until", "reason"])


def _handed(request: PageRequest, run: PayRun) -> dict[str, Any]:
    """To whom a run's approval was handed, and the form to do so."""
    me = request.identity.id
    given = handing_over.standing_of(me, run, duties.today())
    others = [one for one in handing_over.approvers_of_client() if one.id != me]
    may = _may_return(request, run) and given is None and bool(others)
    return {
        "handings": handing_over.handings(run),
        "i_handed": given,
        "hand_form": form_of(request, HandOver(others)) if may else None,
    }


@action("payroll.approve", faces=FACES)
def hand_over_run(request: PageRequest, client: str, number: int) -> Done:
    """Let a colleague approve in my place."""
    run = payroll.named_run(number)
    asked = filled_in(HandOver(handing_over.approvers_of_client(), request.POST))
    until = asked["until"]
    handing_over.hand_over(
        UUID(asked["colleague"]),
        run_id=None if until else run.id,
        until=until,
        reason=asked["reason"],
        key=request.key,  # type: ignore[call-arg]
    )
    what = f"every run until {format_day(until)}" if until else f"pay run {number}"
    return Done(f"Your colleague approves {what}.", to=reverse("portal_run", args=[client, number]))


@action("payroll.approve", faces=FACES)
def hand_back(request: PageRequest, client: str, handover_id: UUID) -> Done:
    """From now on whoever handed it over approves again."""
    handing_over.take_back_handover(
        handover_id,
        reason=request.POST.get("reason", ""),
        key=request.key,  # type: ignore[call-arg]
    )
    return Done("The approval is taken back.")


@page("payroll.read", reads="payslip", faces=FACES)
def run_person(request: PageRequest, client: str, number: int, payroll_number: str) -> HttpResponse:
    """One person of a run: their figures, and why they differ from the last; and the no, with a comment."""
    found = payroll.named_run(number)
    slip = payroll.payslip_of(found, payroll_number)
    if slip is None or request.client is None:
        raise NotFound(f"pay run {number} has no payslip for payroll number {payroll_number!r}")
    request.reading(slip.id)
    currency = request.client.currency
    one = explained.person_variance(found, payroll_number, currency)
    context = {
        "run": found,
        "slip": slip,
        "figures": [
            (e.label, slip.figures[e.code], e.unit == "minutes")
            for e in jurisdiction(found.jurisdiction).elements
            if e.kind != "figure" and slip.figures.get(e.code)
        ],
        "comments": [c for c in returned.comments(found) if c.person_id == slip.person_id],
        "may_return": _may_return(request, found),
        "content_hash": bytes(found.content_hash).hex() if found.content_hash else "",
        **variance_pages.told(found, one, currency),
    }
    return render(request, "web/portal_run_person.html", context)


def _may_return(request: PageRequest, run: PayRun) -> bool:
    return request.may("payroll.approve") and standing.released("pay_run", run.id) is None


# --- bill runs ------------------------------------------------------------------------------------------


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
    path("portal", portal, name="portal"),
    path("portal/<str:client>", home, name="portal_client"),
    path("portal/<str:client>/runs", runs, name="portal_runs"),
    path("portal/<str:client>/runs/<int:number>", run, name="portal_run"),
    path("portal/<str:client>/runs/<int:number>/approve", approve_run, name="portal_run_approve"),
    path("portal/<str:client>/runs/<int:number>/return", return_run, name="portal_run_return"),
    path("portal/<str:client>/runs/<int:number>/hand-over", hand_over_run, name="portal_run_hand_over"),
    path("portal/<str:client>/handed-over/<uuid:handover_id>/back", hand_back, name="portal_handover_back"),
    path("portal/<str:client>/runs/<int:number>/take-back", take_back_run, name="portal_run_take_back"),
    path(
        "portal/<str:client>/runs/<int:number>/people/<path:payroll_number>",
        run_person,
        name="portal_run_person",
    ),
    path("portal/<str:client>/bills/<int:number>", bill_run, name="portal_bill_run"),
    path("portal/<str:client>/bills/<int:number>/approve", approve_bill_run, name="portal_bill_run_approve"),
    path("portal/<str:client>/invoices", invoices, name="portal_invoices"),
    path("portal/<str:client>/invoices/<str:number>", invoice, name="portal_invoice"),
    path("portal/<str:client>/invoices/<str:number>/pdf", invoice_pdf, name="portal_invoice_pdf"),
]
