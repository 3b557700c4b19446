"""Somebody's own face: their hours by week, their pay and why, their payslips, their details. Nothing else.

Who they are is what their login says (`people.own`), never what an address says; a payslip's id in an address
is looked for among their own, and PostgreSQL shows no others to this face.
"""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from engineroom.foundation.vault.answers import file_answer
from engineroom.foundation.vault.models import VaultFile
from engineroom.payroll import papers, why
from engineroom.payroll.jurisdictions import jurisdiction
from engineroom.payroll.own import MySlip, my_slips, my_weeks
from engineroom.people import own
from engineroom.people.models import Person
from engineroom.ui import charts
from engineroom.ui.pages import NavigationEntry, PageRequest, page

FACES = ("self", "work")

NAVIGATION = [
    NavigationEntry("My work and pay", "me", key="h", order=10, of="firm", faces=FACES),
]


@page(None, scope="mine", faces=FACES)
def me(request: PageRequest) -> HttpResponse:
    """Where somebody works: of one employer alone, its page; of none, a calm word."""
    somewhere = set(own.clients_where_i_am_somebody())
    employers = [client for client, _ in request.clients if client.id in somewhere]
    if len(employers) == 1:
        return redirect("my_pay", employers[0].code)
    return render(request, "web/me.html", {"employers": employers})


def _myself() -> Person:
    """The person of the login. Without one there is nothing here, for anybody."""
    person = own.myself()
    if person is None:
        raise Http404
    return person


@page(None, reads="own_pay", faces=FACES)
def pay(request: PageRequest, client: str) -> HttpResponse:
    """My pay and my hours, newest first, and my details."""
    person = _myself()
    request.reading(person.counterparty_id)
    slips = my_slips(person)
    weeks = my_weeks(person)
    return render(
        request,
        "web/my_pay.html",
        {
            "person": person,
            "slips": slips,
            "last": slips[0] if slips else None,
            "weeks": weeks[:WEEKS_SHOWN],
            "more_weeks": max(0, len(weeks) - WEEKS_SHOWN),
            "accounts": own.my_accounts(person),
            "employments": own.my_employments(person),
        },
    )


WEEKS_SHOWN = 12


def _slip(slip_id: UUID) -> tuple[Person, MySlip]:
    person = _myself()
    found = my_slips(person, slip_id)
    if not found:
        raise Http404
    return person, found[0]


@page(None, reads="payslip", faces=FACES)
def payslip(request: PageRequest, client: str, slip_id: UUID) -> HttpResponse:
    """Gross to net as a waterfall, and every figure's why, from the columns the run itself kept."""
    person, slip = _slip(slip_id)
    request.reading(slip.id)
    assert request.client is not None
    law = jurisdiction(slip.jurisdiction)
    return render(
        request,
        "web/my_payslip.html",
        {
            "person": person,
            "slip": slip,
            "chart": charts.waterfall_chart(
                why.gross_to_net(law, slip.figures), request.client.currency, title="From gross to net"
            ),
            "answers": why.of_payslip(slip.id),
            "employer": [
                (e.label, slip.figures[e.code])
                for e in law.elements
                if e.kind == "employer" and slip.figures[e.code]
            ],
        },
    )


@page(None, reads="payslip_pdf", faces=FACES)
def payslip_pdf(request: PageRequest, client: str, slip_id: UUID) -> HttpResponse:
    """The paper itself."""
    _, slip = _slip(slip_id)
    file = VaultFile.objects.filter(kind=papers.KIND, subject_id=slip.id).first()
    if file is None:
        raise Http404
    request.reading(slip.id)
    return file_answer(file, inline=True)


urlpatterns = [
    path("me", me, name="me"),
    path("me/<str:client>", pay, name="my_pay"),
    path("me/<str:client>/payslips/<uuid:slip_id>", payslip, name="my_payslip"),
    path("me/<str:client>/payslips/<uuid:slip_id>/pdf", payslip_pdf, name="my_payslip_pdf"),
]
